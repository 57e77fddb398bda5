//! `loopgate revoke`: an approval is taken back, or an effect rejected for good.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::arguments::Revoke;
use super::effect_arguments::ARTIFACT;
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::layers::policies;
use super::ledger_place::{self, Place};
use super::output::Output;
use super::policy::{PolicySettings, Trusted, read_signers};
use super::records::{add, beside, must_be_folder, read};
use super::show::read_real_artifact;
use super::signing::{Decider, unfit};
use crate::approval::{Decision, Draft, Filed, Record, RecordId};
use crate::core::Digest;
use crate::core::id::RunId;
use crate::core::text::{excerpt, visible};
use crate::ledger::{Draft as EventDraft, Fact, Ledger, LedgerError};

/// How often the end of a chain that moves is looked for anew.
const TRIES: usize = 100;

/// Leaves a revocation or a rejection as a file, and tells the ledger, where there is one.
pub(super) fn revoke(arguments: &Revoke, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let trusted = Trusted::read(arguments.trust.as_deref(), environment)?;
    let decider = Decider::new(&arguments.who, signers(trusted.as_ref(), arguments)?.as_deref())?;
    let place = ledger_place::find(
        arguments.ledger.as_deref(),
        trusted.as_ref().map(|trusted| &trusted.settings),
        environment,
    )?;
    // A ledger that lies about in a checkout is no pipeline's.
    let place = Some(place).filter(|place| place.named || !environment.is_ci());

    let (subject, artifact) = subject(arguments, place.as_ref())?;
    let folder = arguments.approvals.clone().unwrap_or_else(|| beside(&artifact));
    let filed = decider.file(record(subject, arguments, &decider)?)?;
    // The file comes first: a ledger that fails must not keep a no from getting out.
    let path = add(&folder, &filed)?;
    output.data(filed.record.id.as_str())?;
    output.say(&format!("recorded in {}", visible(&path.display().to_string())));
    let ledger = match &place {
        Some(place) => place.open_existing()?,
        None => None,
    };
    match ledger {
        Some(mut ledger) => {
            tell(&mut ledger, &filed)?;
            output.say(&format!("and in the ledger {}", ledger.id()));
        }
        None => output.say("no ledger was told: give this file to every `apply` of the effect"),
    }
    Ok(Exit::Done)
}

/// What a no is about.
struct Subject {
    decision: Decision,
    effect_digest: Digest,
    file_digest: Option<Digest>,
    planner: Option<String>,
}

/// What is meant, and the artifact that its records are beside.
fn subject(arguments: &Revoke, place: Option<&Place>) -> Result<(Subject, PathBuf), Fault> {
    let name = &arguments.subject;
    let path = Path::new(name);
    must_be_folder(arguments.approvals.as_deref())?;
    let is_id = name.parse::<RecordId>().is_ok();
    // A file that a checkout brings along must not stand in for the approval whose ID is its name.
    let is_path =
        path.extension().is_some_and(|extension| extension == "json") || path.components().count() > 1;
    let is_borne = is_path && !bearers(here(arguments)?, name).is_empty();
    if is_borne && path.exists() {
        return Err(Fault::new(Exit::Usage, "an approval bears that ID, and a file that name")
            .hint("name the approval by its record's ID, `lga1-…`, or the file by its whole path"));
    }
    if !is_id && is_path && !is_borne {
        let artifact = read_real_artifact(path)?;
        let subject = Subject {
            decision: Decision::Reject {},
            effect_digest: artifact.effect_digest().clone(),
            file_digest: Some(artifact.file_digest().clone()),
            planner: artifact.document().planned_by.who.clone(),
        };
        return Ok((subject, path.to_owned()));
    }
    let default = PathBuf::from(ARTIFACT);
    let approval = approval(name, arguments, place)?;
    let subject = Subject {
        decision: Decision::Revoke { approval: approval.id },
        effect_digest: approval.effect_digest,
        file_digest: approval.file_digest,
        planner: approval.planner,
    };
    Ok((subject, default))
}

/// The records in the folder that receives this one, which need not be there yet.
fn here(arguments: &Revoke) -> Result<Vec<Filed>, Fault> {
    let named = arguments.approvals.as_deref();
    match named {
        Some(folder) if !folder.exists() => Ok(Vec::new()),
        _ => read(named, Path::new(ARTIFACT)),
    }
}

/// The approval or resolution that bears the ID `name`: a record's own, or the one that the service issued.
fn approval(name: &str, arguments: &Revoke, place: Option<&Place>) -> Result<Record, Fault> {
    let mut found = bearers(here(arguments)?, name);
    if found.is_empty()
        && let Some(ledger) = place.map(Place::open_existing).transpose()?.flatten()
    {
        found = bearers(recorded(&ledger)?, name);
    }
    found.dedup_by(|one, other| one.id == other.id);
    let shown = excerpt(name, 100);
    match (found.pop(), found.is_empty()) {
        (Some(record), true)
            if matches!(record.decision, Decision::Approve { .. } | Decision::Resolve { .. }) =>
        {
            Ok(record)
        }
        (Some(_), true) => Err(Fault::new(
            Exit::NotApproved,
            format!("`{shown}` is a record of something else than an approval or a resolution"),
        )),
        (Some(_), false) => {
            Err(Fault::new(Exit::Usage, format!("more than one approval bears the ID `{shown}`"))
                .hint("name one by its record's ID, `lga1-…`"))
        }
        (None, _) => Err(Fault::new(
            Exit::NotApproved,
            format!("no approval with the ID `{shown}` is known here"),
        )
        .hint(
            "`--approvals` and `--ledger` say where to look; or put the ID under `revoked:` in loopgate.yaml",
        )),
    }
}

fn bearers(filed: Vec<Filed>, name: &str) -> Vec<Record> {
    let bears = |record: &Record| match &record.decision {
        _ if record.id.as_str() == name => true,
        Decision::Approve { external_id } => external_id.as_deref() == Some(name),
        _ => false,
    };
    let mut found: Vec<Record> =
        filed.into_iter().map(|filed| filed.record).filter(|record| bears(record)).collect();
    found.sort_by(|one, other| one.id.cmp(&other.id));
    // Its own ID is a record's alone: an external one that looks the same keeps nobody from revoking it.
    if found.iter().any(|record| record.id.as_str() == name) {
        found.retain(|record| record.id.as_str() == name);
    }
    found
}

fn recorded(ledger: &Ledger) -> Result<Vec<Filed>, Fault> {
    let mut all = Vec::new();
    ledger.each_event(|event| {
        if let Fact::Recorded { filed } = &event.fact {
            all.push((**filed).clone());
        }
        Ok::<_, Fault>(())
    })?;
    Ok(all)
}

fn record(subject: Subject, arguments: &Revoke, decider: &Decider) -> Result<Record, Fault> {
    let Subject { decision, effect_digest, file_digest, planner } = subject;
    Record::new(Draft {
        effect_digest,
        file_digest,
        decision,
        approver: decider.approver.clone(),
        planner,
        // A no is one under any policy.
        policy_digest: None,
        reason: arguments.who.reason.clone(),
        time: Timestamp::from_second(Timestamp::now().as_second()).map_err(Fault::internal)?,
        expires: None,
        platform: None,
    })
    .map_err(unfit)
}

/// The lines of the policy's signers, where the name of a key is asked of them.
fn signers(trusted: Option<&Trusted>, arguments: &Revoke) -> Result<Option<String>, Fault> {
    if arguments.who.name.is_some() {
        return Ok(None);
    }
    let file = trusted.and_then(|trusted| policies(&trusted.settings).find_map(PolicySettings::signers_file));
    file.map(|file| read_signers(&file)).transpose()
}

/// Adds the record to the chain of its effect, without the lock of those who write to the server: a no does not
/// wait for them.
fn tell(ledger: &mut Ledger, filed: &Filed) -> Result<(), Fault> {
    let chain = &filed.record.effect_digest;
    let run = RunId::new().to_string();
    for _ in 0..TRIES {
        let state = ledger.state(chain)?;
        if state.news(std::slice::from_ref(filed)).is_empty() {
            return Ok(());
        }
        let fact = Fact::Recorded { filed: Box::new(filed.clone()) };
        let draft = EventDraft { at: Timestamp::now(), run: run.clone(), fact };
        match ledger.append(chain, state.head.as_ref(), vec![draft]) {
            Err(LedgerError::Moved { .. }) => {}
            done => return done.map(drop).map_err(Fault::from),
        }
    }
    Err(Fault::new(Exit::Busy, "the chain of the effect does not stand still")
        .hint("run the same command again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sample;

    #[test]
    fn a_no_is_added_behind_whatever_happened_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::create(&folder.path().join("a.db")).unwrap();
        let yes = sample::filed(sample::approve("alice"));
        let no = sample::filed(sample::decided("bob", Decision::Reject {}));
        for filed in [&yes, &no, &no] {
            tell(&mut ledger, filed).unwrap();
        }
        let state = ledger.state(&sample::effect()).unwrap();
        assert_eq!(state.records, [yes.clone(), no]);
        ledger.verify().unwrap();
        assert_eq!(bearers(recorded(&ledger).unwrap(), yes.record.id.as_str()), [yes.record]);
    }

    #[test]
    fn an_approval_is_found_by_its_own_id_or_the_services() {
        let records = || sample::records().into_iter().map(sample::filed).collect::<Vec<_>>();
        assert_eq!(bearers(records(), "APR-1").len(), 1);
        assert_eq!(bearers(records(), sample::approve("alice").id.as_str()), [sample::approve("alice")]);
        assert!(bearers(records(), "alice").is_empty());
    }
}
