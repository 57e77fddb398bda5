//! The operations of a report.

use std::collections::BTreeMap;

use super::v1::{Attempt, Compared, Created, Looked, Operation, Outcome, ReadBack, Tried};
use crate::artifact::v1 as artifact;
use crate::ledger::v1::Result as Came;
use crate::ledger::{Attempt as Made, Look, OperationState, ReadBack as Read, Status, Trial};

/// What became of `planned`. `happened` is what the events say of it, if anything; `traces` gives the trace of
/// a run.
pub(super) fn operation(
    planned: &artifact::Operation,
    happened: Option<&OperationState>,
    traces: &BTreeMap<&str, &str>,
) -> Operation {
    let status = happened.map_or(Status::Untouched, OperationState::status);
    let (outcome, created, replayed) = match status {
        Status::Applied { created, replayed } => (Outcome::Applied, named(created), replayed),
        Status::Untouched | Status::NotApplied { .. } => (Outcome::NotApplied, Vec::new(), None),
        Status::Unknown { .. } => (Outcome::Unknown, Vec::new(), None),
    };
    let attempts: Vec<Attempt> = happened
        .iter()
        .flat_map(|happened| &happened.attempts)
        .zip(1..)
        .map(|(made, number)| attempt(number, made, traces))
        .collect();
    Operation {
        id: planned.id.clone(),
        operation: planned.operation.clone(),
        tool: planned.tool.clone(),
        key: planned.idempotency_key.clone(),
        outcome,
        sent: !attempts.is_empty(),
        created,
        replayed,
        settled_by: happened.and_then(|happened| happened.settled.clone()),
        attempts,
        tried: happened.and_then(|happened| happened.tried.as_ref()).map(tried),
        looked: happened.and_then(|happened| happened.looked.as_ref()).map(looked),
        read_back: happened.and_then(|happened| happened.read_back.as_ref()).map(read_back),
    }
}

fn named(created: BTreeMap<String, Vec<String>>) -> Vec<Created> {
    created
        .into_iter()
        .flat_map(|(name, ids)| ids.into_iter().map(move |id| Created { name: name.clone(), id }))
        .collect()
}

fn attempt(number: u32, made: &Made, traces: &BTreeMap<&str, &str>) -> Attempt {
    let mut attempt = Attempt {
        attempt: number,
        run: made.run.clone(),
        intent: made.intent.clone(),
        approval_id: made.approval_id.clone(),
        request_id: made.call.request_id.clone(),
        trace_id: traces.get(made.run.as_str()).copied().unwrap_or_default().to_owned(),
        payload: made.call.payload.clone(),
        intended: made.at,
        answered: made.came.as_ref().map(|came| came.at),
        took_ms: made.came.as_ref().map(|came| came.took_ms),
        outcome: Outcome::Unknown,
        refusal: None,
        doubt: None,
        message: None,
        replayed: None,
        answer: None,
        ruled_out: made.ruled_out,
        task: made.task.clone(),
    };
    match made.came.as_ref().map(|came| &came.result) {
        Some(Came::Applied { created: _, unnamed, replayed, answer }) => {
            attempt.outcome = Outcome::Applied;
            attempt.message.clone_from(unnamed);
            attempt.replayed = *replayed;
            attempt.answer = Some(answer.clone());
        }
        Some(Came::NotApplied { refusal, message }) => {
            attempt.outcome = Outcome::NotApplied;
            attempt.refusal = Some(*refusal);
            attempt.message = Some(message.clone());
        }
        Some(Came::Unknown { doubt, message }) => {
            attempt.doubt = Some(*doubt);
            attempt.message = Some(message.clone());
        }
        None => {}
    }
    attempt
}

fn tried(trial: &Trial) -> Tried {
    let Trial { run, verdict, why } = trial;
    Tried { run: run.clone(), verdict: *verdict, why: why.clone() }
}

fn looked(look: &Look) -> Looked {
    let Look { run, after: _, found, why } = look;
    Looked { run: run.clone(), found: *found, why: why.clone() }
}

fn read_back(read: &Read) -> ReadBack {
    let Read { run, differences, unread } = read;
    let result = match (unread, differences.as_slice()) {
        (Some(_), _) => Compared::Unread,
        (None, []) => Compared::Same,
        (None, _) => Compared::Differs,
    };
    ReadBack { run: run.clone(), result, differences: differences.clone(), unread: unread.clone() }
}
