//! What is kept of a write: the audit report, and what the server says of it in its answer.

use super::judge::{Became, replayed, took_place};
use super::result::{Check, Examination};
use super::writes::{Answers, Approved};
use crate::artifact::v1::Operation;
use crate::audit::{Report, VerifyOptions, verify};
use crate::catalog::{self, Profile};
use crate::core::ToolAnswer;
use crate::core::text::visible;
use crate::engine::target::Target;
use crate::ledger::Event;

/// Of what stands in the audit report, and of what the server says of it.
pub(super) fn audit(
    approved: &Approved<'_>,
    events: &Result<Vec<Event>, String>,
    became: &Became<'_>,
    answers: &Answers,
    target: &Target,
) -> Examination {
    let check = Check::Audit;
    if !took_place(became) {
        return Examination::not_checked(check, "nothing took place that could be accounted for");
    }
    let report = events.clone().and_then(|events| Report::build(&events).map_err(|error| error.to_string()));
    let report = match report {
        Ok(report) => report,
        Err(why) => return Examination::undecided(check, format!("there is no audit report: {why}")),
    };
    if let Err(error) = verify(report.bytes(), &VerifyOptions::default()) {
        return Examination::failed(check, format!("the audit report does not verify: {error}"));
    }
    let mut said = 0;
    for operation in approved.artifact.operations() {
        let told = report.document().operations.iter().find(|told| told.key == operation.idempotency_key);
        let Some(attempt) = told.and_then(|told| told.attempts.first()) else {
            return Examination::failed(check, "the audit report has no attempt of what took place");
        };
        if attempt.approval_id != approved.id() || attempt.request_id.is_empty() {
            return Examination::failed(check, "the audit report names another approval, or no request");
        }
        let sent = [
            ("approval_id", attempt.approval_id.as_str()),
            ("idempotency_key", operation.idempotency_key.as_str()),
            ("request_id", attempt.request_id.as_str()),
        ];
        let answers = answers.0.borrow();
        // What was done before stands there with the approval and the request of then.
        let answer = answers.get(operation.idempotency_key.as_str()).filter(|_| !replayed(became));
        let Some(answer) = answer else { continue };
        match server_says(&target.profile, operation, answer, &sent) {
            Ok(names) => said += names,
            Err(differs) => return Examination::failed(check, differs),
        }
    }
    let saw = "the audit report verifies and names approval, key and request";
    match said {
        0 => Examination::passed(check, saw).but("what the server keeps: its answer says nothing of it"),
        _ => Examination::passed(check, format!("{saw}, and the server's answer names the same"))
            .but("whether the server still has it when somebody asks"),
    }
}

/// How many of the values that were sent the server's answer names, where the profile says that they stand there.
///
/// # Errors
/// It names another, in words.
fn server_says(
    profile: &Profile,
    operation: &Operation,
    answer: &ToolAnswer,
    sent: &[(&str, &str)],
) -> Result<usize, String> {
    let known: Option<&catalog::Operation> = profile.operation(&operation.operation);
    let Some(known) = known.filter(|known| known.tool == operation.tool) else { return Ok(0) };
    let reading = profile.read_answer(known, &operation.arguments, answer);
    let mut names = 0;
    for (name, sent) in sent {
        match reading.value.get(*name).and_then(|value| value.as_str()) {
            None => {}
            Some(said) if said == *sent => names += 1,
            Some(said) => {
                return Err(format!(
                    "the server's answer has the {name} `{}`, and `{sent}` was sent",
                    visible(said)
                ));
            }
        }
    }
    Ok(names)
}
