//! `loopgate status`: where an artifact stands, who works on it, and what to type next.

use jiff::Timestamp;

use super::applying::{revoked, whole_second};
use super::arguments::Format;
use super::effect_arguments::{Effect, Status};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::ledger_place::find as find_ledger;
use super::next_command::NextCommand;
use super::output::Output;
use super::policy::{Trusted, in_force};
use super::records;
use super::show::read_real_artifact;
use crate::approval::{self, ReasonCode, Verdict};
use crate::artifact::Artifact;
use crate::core::call::RefusalKind;
use crate::engine::{Way, way};
use crate::ledger::v1::Command;
use crate::ledger::{self, Claim, Label, State};
use crate::report::{self, HolderView, StatusView};

/// Says where an artifact stands; it changes nothing and asks no server.
pub(super) fn status(arguments: &Status, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let Effect { artifact: path, approvals, ledger, server: _, trust, platform } = &arguments.effect;
    let artifact = read_real_artifact(path)?;
    let trusted = Trusted::read(trust.as_deref(), environment)?;
    let place =
        find_ledger(ledger.as_deref(), trusted.as_ref().map(|trusted| &trusted.settings), environment)?;
    let policy = in_force(&artifact, trusted.as_ref())?;
    let brought = records::bring(approvals.as_deref(), path, &artifact, policy.as_ref(), output)?;
    let ledger = place.open_existing()?;
    let state = match &ledger {
        Some(ledger) => ledger.state(artifact.effect_digest())?,
        None => State::new(artifact.effect_digest().clone()),
    };
    let mut filed = state.records.clone();
    filed.extend(state.news(&brought).into_iter().cloned());
    let revoked = revoked(trusted.as_ref());
    let platform = platform.vouched(&artifact, trusted.as_ref(), environment, output)?;
    let question = approval::Question {
        effect: artifact.effect_digest(),
        asked: "",
        filed: &filed,
        revoked: &revoked,
        policy: policy.as_ref(),
        sandbox: artifact.target().sandbox,
        planned_by: &artifact.document().planned_by,
        platform: platform.as_ref(),
        now: Timestamp::now(),
        under_way_since: state.under_way_since(),
    };
    let (verdict, best) = records::best(&question);
    let label = ledger::label(&state, artifact.operations(), Some(&verdict));
    let holder = ledger.as_ref().and_then(|ledger| ledger.holder(&Claim::of(artifact.document())));
    let next = NextCommand {
        contradicting: records::contradicting(&question, &state),
        ..NextCommand::new(&arguments.effect, best.as_deref())
    };
    let view = StatusView {
        document: artifact.document(),
        state: &state,
        label: label.to_string(),
        verdict: Some(&verdict),
        records: &filed,
        next: next_command(&next, label, holder.is_some(), &verdict, &artifact, &state),
        place: place.shown(),
        holder: holder.map(|holder| HolderView {
            run: holder.run,
            pid: holder.pid,
            host: holder.host,
            since: holder.since,
        }),
        ledger: ledger.as_ref().map(|ledger| ledger.id().to_owned()),
        settle: artifact
            .operations()
            .iter()
            .filter_map(|operation| {
                let known = state.operations.get(&operation.idempotency_key)?;
                let is_unknown = matches!(known.status(), ledger::Status::Unknown { .. });
                is_unknown
                    .then(|| (operation.id.clone(), settled_by(way(operation, known, Timestamp::now()))))
            })
            .collect(),
    };
    match arguments.format {
        Format::Json => output.json(&report::status_json(&view))?,
        Format::Text => output.data(&report::status_text(&view, &output.stdout))?,
    }
    Ok(Exit::Done)
}

fn next_command(
    next: &NextCommand,
    label: Label,
    is_held: bool,
    verdict: &Verdict,
    artifact: &Artifact,
    state: &State,
) -> Option<String> {
    let is_rejected = verdict.reasons.iter().any(|reason| reason.code == ReasonCode::Rejected);
    let is_revoked = verdict.reasons.iter().any(|reason| reason.code == ReasonCode::Revoked);
    match label {
        Label::ApprovedOutcomeUnknown if is_held => next.waiting(Command::Reconcile, Some(state)),
        Label::ApprovedOutcomeUnknown => next.settling(state, artifact.document()),
        Label::Executed => next.unless_done(state, artifact.document()),
        _ if is_rejected || was_in_conflict(state) => None,
        Label::Approved | Label::Failed if !is_revoked && is_held => {
            next.waiting(Command::Apply, Some(state))
        }
        Label::Approved | Label::Failed if !is_revoked => next.apply(Some(state), &[]),
        _ => next.approve(),
    }
}

/// Whether a key stands for another payload at the server, so that nothing can be sent under it any more.
fn was_in_conflict(state: &State) -> bool {
    let conflict =
        |status| matches!(status, ledger::Status::NotApplied { refusal: RefusalKind::Conflict, .. });
    state.operations.values().any(|known| conflict(known.status()))
}

/// How an unknown outcome can be settled, in words.
fn settled_by(how: Way) -> String {
    match how {
        Way::Again(until) => Way::Again(until.map(whole_second)).to_string(),
        Way::Read | Way::Person => {
            format!("{how}; OUTCOME is `applied`, with what was created, or `not-applied`, without")
        }
    }
}
