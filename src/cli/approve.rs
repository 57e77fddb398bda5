//! `loopgate approve`: the artifact is shown, the decision confirmed and left as a file.

use std::io::{self, BufRead as _, Read as _};

use jiff::Timestamp;

use super::approve_from::approve_from;
use super::approving::Subject;
use super::effect_arguments::{Approve, Who};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::policy::Trusted;
use super::records::{add, judged};
use super::signing::{Decider, unfit};
use crate::approval::{Decision, Draft, Filed, Policy, Record, Verdict, armored};
use crate::artifact::Artifact;
use crate::core::Digest;
use crate::core::text::{excerpt, visible};
use crate::report::{ApprovalFacts, approval_text};

/// What a person types to confirm.
const WORD: &str = "approve";
/// The fewest hex digits that name a digest.
const FEWEST: usize = 12;

/// Shows the artifact with what is about to be recorded, has it confirmed, and records exactly that. The
/// artifact is read once, before it is shown.
pub(super) fn approve(
    arguments: &Approve,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    if arguments.platform.from.is_some() {
        return approve_from(arguments, environment, output);
    }
    let prefix = arguments.digest.as_deref().map(Prefix::parse).transpose()?;
    let (subject, others) = Subject::read(arguments, environment)?;
    let Subject { artifact, trusted, policy, folder } = &subject;
    let signers = policy.as_ref().and_then(|policy| policy.signers.as_deref());
    let who = Who {
        name: arguments.name.clone(),
        reason: arguments.reason.clone().unwrap_or_default(),
        sign: arguments.sign.clone(),
    };
    let decider = Decider::new(&who, signers)?;
    let record = record(arguments, &who, artifact, &decider, policy.as_ref())?;
    subject.may_be_approved(&record, &others)?;

    output.say(&approval_text(artifact, &facts(&record, arguments), &output.stderr));
    confirm(prefix.as_ref(), artifact.effect_digest(), environment, output)?;
    let filed = decider.file(record)?;
    let path = add(folder, &filed)?;
    let place = visible(&path.display().to_string()).into_owned();
    if arguments.armor {
        output.data(&armored(&filed))?;
        output.say(&format!("recorded as {} in {place}", filed.record.id));
    } else {
        output.data(filed.record.id.as_str())?;
        output.say(&format!("recorded in {place}"));
    }
    warn(artifact, filed, others, trusted.as_ref(), policy.as_ref(), output);
    Ok(Exit::Done)
}

fn record(
    arguments: &Approve,
    who: &Who,
    artifact: &Artifact,
    decider: &Decider,
    policy: Option<&Policy>,
) -> Result<Record, Fault> {
    // In whole seconds, as it is shown.
    let time = Timestamp::from_second(Timestamp::now().as_second()).map_err(Fault::internal)?;
    let expires = time.checked_add(arguments.expires_in.get()).map_err(|_| {
        Fault::new(Exit::Usage, format!("`--expires-in {}` is beyond all time", arguments.expires_in))
    })?;
    Record::new(Draft {
        effect_digest: artifact.effect_digest().clone(),
        file_digest: Some(artifact.file_digest().clone()),
        decision: Decision::Approve { external_id: arguments.external_id.clone() },
        approver: decider.approver.clone(),
        planner: artifact.document().planned_by.who.clone(),
        policy_digest: policy.map(Policy::digest),
        reason: who.reason.clone(),
        time,
        expires: Some(expires),
        platform: None,
    })
    .map_err(unfit)
}

fn facts(record: &Record, arguments: &Approve) -> ApprovalFacts {
    ApprovalFacts {
        approver: record.approver.name.clone(),
        assurance: record.approver.assurance,
        reason: record.reason.clone(),
        expires: record.expires.unwrap_or(record.time),
        external_id: arguments.external_id.clone(),
        policy_digest: record.policy_digest.clone(),
    }
}

/// Has what was shown confirmed: by its digest where that is given, else by a person at a terminal.
fn confirm(
    prefix: Option<&Prefix>,
    effect: &Digest,
    environment: &Environment,
    output: &Output,
) -> Result<(), Fault> {
    let nothing = "nothing was written";
    match prefix {
        Some(prefix) if prefix.names(effect) => Ok(()),
        Some(_) => {
            let message = format!("`--digest` names another effect than this one, {}", effect.short());
            Err(Fault::new(Exit::NotApproved, message).hint(format!("{nothing}; review this artifact")))
        }
        None if environment.stdin_is_terminal && environment.stderr_is_terminal => {
            output.say(&format!("Type `{WORD}` to record this; anything else records nothing:"));
            if typed()?.trim() == WORD {
                return Ok(());
            }
            Err(Fault::new(Exit::NotApproved, format!("not confirmed; {nothing}")))
        }
        None => Err(Fault::new(Exit::Usage, "nobody is at a terminal to confirm what was shown").hint(format!(
            "add `--digest` with the first {FEWEST} hex digits, or more, of the effect digest that was reviewed"
        ))),
    }
}

/// What is typed, to the end of the line.
fn typed() -> Result<String, Fault> {
    let mut line = Vec::new();
    io::stdin().lock().take(1024).read_until(b'\n', &mut line).map_err(Fault::internal)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Says what is still missing under the policy that is known here, which need not be the one of apply.
fn warn(
    artifact: &Artifact,
    filed: Filed,
    others: Vec<Filed>,
    trusted: Option<&Trusted>,
    policy: Option<&Policy>,
    output: &Output,
) {
    let record = filed.record.clone();
    let mut all = others;
    all.push(filed);
    let verdict = judged(artifact, &record, &all, trusted, policy, None);
    let counted = verdict.counted.iter().find(|counted| counted.id == record.id);
    if let Some(counted) = counted.filter(|counted| counted.approver != record.approver.name) {
        let (key, name) = (excerpt(&counted.approver, 100), excerpt(&record.approver.name, 100));
        output.say(&format!("note: the key is that of `{key}`, for whom it counts, not for `{name}`"));
    }
    missing(&verdict, output);
}

/// Says what is still missing, if anything is.
pub(super) fn missing(verdict: &Verdict, output: &Output) {
    if !verdict.allowed {
        output.say("note: by the policy known here this is not enough yet:");
        for reason in &verdict.reasons {
            output.say(&format!("  - {}", visible(&reason.message)));
        }
    }
}

/// The first hex digits of a digest.
#[derive(Debug, PartialEq, Eq)]
struct Prefix(String);

impl Prefix {
    /// At least [`FEWEST`] lower-case hex digits, with or without `sha256:`.
    fn parse(text: &str) -> Result<Self, Fault> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        let well_formed = (FEWEST..=64).contains(&hex.len())
            && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if well_formed {
            return Ok(Self(hex.to_owned()));
        }
        let message = format!(
            "`--digest {}` is not {FEWEST} to 64 lower-case hex digits, with or without `sha256:`",
            excerpt(text, 80)
        );
        Err(Fault::new(Exit::Usage, message))
    }

    fn names(&self, digest: &Digest) -> bool {
        digest.hex().starts_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_digits_or_more_name_a_digest() {
        let digest = Digest::of_bytes(b"x");
        for length in [12, 13, 64] {
            let hex = &digest.hex()[..length];
            assert!(Prefix::parse(hex).unwrap().names(&digest));
            assert!(Prefix::parse(&format!("sha256:{hex}")).unwrap().names(&digest));
        }
        assert!(!Prefix::parse(&"0".repeat(64)).unwrap().names(&digest));
        for text in ["", "sha256:", &digest.hex()[..11], &digest.hex().to_uppercase(), "zzzzzzzzzzzz"] {
            assert_eq!(Prefix::parse(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
        assert!(Prefix::parse(&format!("{}0", digest.hex())).is_err());
    }

    #[test]
    fn without_a_terminal_only_the_digest_confirms() {
        let (effect, environment) = (Digest::of_bytes(b"x"), Environment::default());
        let output = Output::new(&environment, 0);
        let with = |prefix: Option<&str>| {
            let prefix = prefix.map(|prefix| Prefix::parse(prefix).unwrap());
            confirm(prefix.as_ref(), &effect, &environment, &output)
        };
        assert!(with(Some(&effect.hex()[..12])).is_ok());
        assert_eq!(with(Some("000000000000")).unwrap_err().exit, Exit::NotApproved);
        assert_eq!(with(None).unwrap_err().exit, Exit::Usage);
    }
}
