//! `loopgate approve --from`: what was approved on a CI platform becomes records here.

use jiff::Timestamp;

use super::approve::missing;
use super::approving::Subject;
use super::effect_arguments::Approve;
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::records::{add, judged};
use crate::approval::platform::{Answer, MOST_DAYS};
use crate::approval::{Approver, Assurance, Decision, Draft, Filed, Policy, Record};
use crate::artifact::Artifact;
use crate::core::text::{excerpt, visible};

/// Records every approval of the artifact that the platform has and that counts. They are `asserted` as every file;
/// whether they are more is decided where they are used.
pub(super) fn approve_from(
    arguments: &Approve,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    if arguments.expires_in.get() > jiff::SignedDuration::from_hours(24 * MOST_DAYS) {
        let message = format!("`--expires-in` of what a platform approved is {MOST_DAYS}d at most");
        return Err(Fault::new(Exit::Usage, message));
    }
    let (subject, mut all) = Subject::read(arguments, environment)?;
    let Subject { artifact, trusted, policy, folder } = &subject;
    let Some(answers) = arguments.platform.answers(artifact, trusted.as_ref())? else {
        return Err(Fault::new(Exit::Usage, "`--from` names no platform"));
    };
    let mut records = Vec::new();
    for answer in &answers.given {
        let record = record(arguments, answer, artifact, policy.as_ref())?;
        subject.may_be_approved(&record, &all)?;
        records.push(record);
    }
    let Some(first) = records.first().cloned() else {
        let why = match answers.refused.is_empty() {
            true => "nobody approved it there".to_owned(),
            false => answers.refused.join("; "),
        };
        let effect = artifact.effect_digest().short();
        return Err(Fault::new(
            Exit::NotApproved,
            format!("the platform has no approval of the effect {effect} that counts: {}", visible(&why)),
        )
        .hint("nothing was written"));
    };
    for record in records {
        let filed = Filed { record, signature: None };
        let path = add(folder, &filed)?;
        output.data(filed.record.id.as_str())?;
        let (name, path) = (excerpt(&filed.record.approver.name, 100), path.display().to_string());
        output.say(&format!("recorded for `{name}` in {}", visible(&path)));
        all.push(filed);
    }
    for why in &answers.refused {
        output.say(&format!("note: {}", visible(why)));
    }
    let word = arguments.platform.is_the_platforms_word(&answers, trusted.as_ref(), environment);
    if let Err(why) = &word {
        output.say(&format!("note: asserted, and not the platform's word here: {}", visible(why)));
    }
    let platform = word.is_ok().then_some(&answers);
    missing(&judged(artifact, &first, &all, trusted.as_ref(), policy.as_ref(), platform), output);
    Ok(Exit::Done)
}

fn record(
    arguments: &Approve,
    answer: &Answer,
    artifact: &Artifact,
    policy: Option<&Policy>,
) -> Result<Record, Fault> {
    let now = Timestamp::from_second(Timestamp::now().as_second()).map_err(Fault::internal)?;
    let time = answer.time(now);
    let expires = time.checked_add(arguments.expires_in.get()).map_err(Fault::internal)?;
    Record::new(Draft {
        effect_digest: artifact.effect_digest().clone(),
        file_digest: Some(artifact.file_digest().clone()),
        decision: Decision::Approve { external_id: None },
        approver: Approver { name: answer.approver.clone(), assurance: Assurance::Asserted },
        planner: artifact.document().planned_by.who.clone(),
        policy_digest: policy.map(Policy::digest),
        reason: answer.reason.clone(),
        time,
        expires: Some(expires),
        platform: Some(answer.fact.clone()),
    })
    .map_err(Fault::invalid)
}
