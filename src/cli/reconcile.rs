//! `loopgate reconcile`: finds out what became of unknown outcomes, by reads and by people; it sends no write.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use super::applying::{Told, Word, execute, whole_second};
use super::effect_arguments::{Reconcile, Resolve, Who};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::records::{beside, must_be_folder};
use super::signing::{Decider, unfit};
use crate::approval::{Decision, Draft, Policy, Record, Resolution};
use crate::artifact::Artifact;
use crate::artifact::v1::Operation;
use crate::core::Digest;
use crate::core::text::visible;
use crate::ledger::v1::Command;
use crate::ledger::{State, Status};

/// Settles what is unknown, and takes a person's word where one is given.
pub(super) fn reconcile(
    arguments: Reconcile,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let told = Told {
        command: Command::Reconcile,
        effect: &arguments.effect,
        asked: None,
        running: &arguments.running,
    };
    let Some(resolve) = arguments.resolve else {
        return execute(told.job(environment, output)?, None, environment, output);
    };
    let folder = folder(&arguments)?;
    let job = told.job(environment, output)?;
    let who = Who {
        name: arguments.name.clone(),
        reason: arguments.reason.clone().unwrap_or_default(),
        sign: arguments.sign.clone(),
    };
    let name = arguments.op.as_deref().unwrap_or_default();
    let operation = named(&job.artifact, name)?.clone();
    let outcome = resolution(&arguments.created, resolve, &operation)?;
    let known = match job.place.open_existing()? {
        Some(ledger) => ledger.state(job.artifact.effect_digest())?,
        None => State::new(job.artifact.effect_digest().clone()),
    };
    let intent = unknown_intent(&known, &operation)?;
    let policy = job.policy.as_ref();
    let decider = Decider::new(&who, policy.and_then(|policy| policy.signers.as_deref()))?;
    let record = Record::new(Draft {
        effect_digest: job.artifact.effect_digest().clone(),
        file_digest: Some(job.artifact.file_digest().clone()),
        decision: Decision::Resolve { intent: intent.clone(), outcome },
        approver: decider.approver.clone(),
        planner: job.artifact.document().planned_by.who.clone(),
        policy_digest: policy.map(Policy::digest),
        reason: who.reason.clone(),
        time: whole_second(Timestamp::now()),
        expires: None,
        platform: None,
    })
    .map_err(unfit)?;
    let filed = decider.file(record)?;
    let fits = |state: &State| match unknown_intent(state, &operation)? == intent {
        true => Ok(()),
        false => Err(Fault::new(Exit::Busy, "it was sent again meanwhile").hint("look at it again first")),
    };
    let word = Word { filed, folder, fits: &fits };
    execute(job, Some(word), environment, output)
}

/// The folder that receives the resolution.
fn folder(arguments: &Reconcile) -> Result<PathBuf, Fault> {
    let named = &arguments.effect.approvals;
    must_be_folder(named.as_deref())?;
    Ok(named.clone().unwrap_or_else(|| beside(&arguments.effect.artifact)))
}

fn resolution(given: &[String], resolve: Resolve, operation: &Operation) -> Result<Resolution, Fault> {
    let names: Vec<&str> =
        operation.created.iter().flat_map(|created| created.ids.keys()).map(String::as_str).collect();
    let mut created: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in given {
        let (name, id) =
            pair.split_once('=').filter(|(name, id)| !name.is_empty() && !id.is_empty()).ok_or_else(
                || Fault::new(Exit::Usage, format!("`--created {pair}`: write `--created NAME=ID`")),
            )?;
        if !names.contains(&name) {
            let message =
                format!("`{}` creates nothing with the name `{}`", visible(&operation.id), visible(name));
            return Err(Fault::new(Exit::Usage, message).hint(match names.is_empty() {
                true => "it names nothing that it creates: leave `--created` out".to_owned(),
                false => format!("it creates: {}", visible(&names.join(", "))),
            }));
        }
        created.entry(name.to_owned()).or_default().push(id.to_owned());
    }
    match resolve {
        Resolve::Applied => Ok(Resolution::Applied { created }),
        Resolve::NotApplied if created.is_empty() => Ok(Resolution::NotApplied {}),
        Resolve::NotApplied => {
            Err(Fault::new(Exit::Usage, "what did not take place created nothing: leave `--created` out"))
        }
    }
}

/// The operation that is meant.
fn named<'a>(artifact: &'a Artifact, name: &str) -> Result<&'a Operation, Fault> {
    artifact.operations().iter().find(|operation| operation.id == name).ok_or_else(|| {
        let known: Vec<&str> = artifact.operations().iter().map(|operation| operation.id.as_str()).collect();
        Fault::new(Exit::Usage, format!("the artifact has no operation `{}`", visible(name)))
            .hint(format!("it has: {}", visible(&known.join(", "))))
    })
}

/// The intent that the resolution is about: the last that is unknown of an operation that is.
fn unknown_intent(state: &State, operation: &Operation) -> Result<Digest, Fault> {
    let known = state.operations.get(&operation.idempotency_key);
    let unknown = known.filter(|known| matches!(known.status(), Status::Unknown { .. }));
    unknown.and_then(|known| Some(known.unknown().last()?.intent.clone())).ok_or_else(|| {
        let name = visible(&operation.id);
        Fault::new(
            Exit::Usage,
            format!("nothing of `{name}` is unknown in this ledger, so nothing is to be resolved"),
        )
        .hint("`loopgate status` says where it stands")
    })
}
