//! What a stop of `apply` means, in full: from the place in the plan to what is said of it.

use jiff::Timestamp;

use super::applied::{ApplyEnd, Stopped};
use super::apply::Course;
use super::next::Stop;
use super::result::Signal;
use crate::approval;
use crate::core::call::RefusalKind;
use crate::ledger::{OperationState, State, Status};

impl Course<'_> {
    /// The operations whose outcome is unknown, by their IDs.
    pub(super) fn unknown(&self, state: &State) -> Vec<String> {
        let operations = self.apply.artifact.operations().iter();
        operations
            .filter(|operation| matches!(state.status(&operation.idempotency_key), Status::Unknown { .. }))
            .map(|operation| operation.id.clone())
            .collect()
    }

    /// What a stop means, in full.
    pub(super) fn end(&self, state: &State, stop: Stop) -> ApplyEnd {
        let name = |at: usize| {
            self.apply
                .artifact
                .operations()
                .get(at)
                .map_or_else(String::new, |operation| operation.id.clone())
        };
        let operation = |at: usize| {
            let planned = self.apply.artifact.operations().get(at)?;
            state.operations.get(&planned.idempotency_key)
        };
        let run = state.runs.last();
        let stopped = match stop {
            Stop::Done => match self.apply.asked {
                Some(asked) if !self.apply.artifact.operations().is_empty() && !self.bears(state, asked) => {
                    let filed = self.filed(state);
                    let verdict = approval::decide(&self.question(state, &filed));
                    Stopped::Denied(verdict.reasons)
                }
                _ => Stopped::Done,
            },
            Stop::Settled => Stopped::Settled,
            Stop::Unknown(_) => {
                Stopped::Unknown { operations: self.unknown(state), why: self.may_still_leave(state) }
            }
            Stop::UnknownElsewhere(chain) => Stopped::UnknownElsewhere(chain),
            Stop::Differs(at) => Stopped::Differs {
                operation: name(at),
                differences: operation(at)
                    .and_then(|operation| operation.read_back.as_ref())
                    .map(|read| read.differences.clone())
                    .unwrap_or_default(),
            },
            Stop::NotRead(at) => Stopped::NotRead {
                operation: name(at),
                why: operation(at)
                    .and_then(|operation| operation.read_back.as_ref()?.unread.clone())
                    .unwrap_or_default(),
            },
            Stop::NotApplied(at) => match state_of(operation(at)) {
                Some((refusal, message)) => Stopped::Refused { operation: name(at), refusal, message },
                None => Stopped::Settled,
            },
            Stop::NoWord(at) => Stopped::NoWord {
                operation: name(at),
                why: operation(at)
                    .and_then(|operation| Some(operation.looked.as_ref()?.why.clone()))
                    .unwrap_or_default(),
            },
            Stop::Denied => {
                let verdict = run.and_then(|run| run.decided.as_ref()).map(|(verdict, _)| verdict);
                Stopped::Denied(verdict.map(|verdict| verdict.reasons.clone()).unwrap_or_default())
            }
            Stop::Stale => Stopped::Stale(run.and_then(|run| run.compared.clone()).unwrap_or_default()),
            Stop::TryRefused(at) | Stop::Unconfirmed(at) => {
                let why = operation(at)
                    .and_then(|operation| Some(operation.tried.as_ref()?.why.clone()))
                    .unwrap_or_default();
                match stop {
                    Stop::TryRefused(_) => Stopped::TryRefused { operation: name(at), why },
                    _ => Stopped::Unconfirmed { operation: name(at), why },
                }
            }
            Stop::Interrupted => Stopped::Interrupted(self.stopped_by().unwrap_or(Signal::Terminate)),
        };
        ApplyEnd::Stopped(stopped)
    }

    /// Until when another run may still send something, where that is why nobody can say.
    fn may_still_leave(&self, state: &State) -> Option<String> {
        let unknown = state.operations.values().flat_map(OperationState::unknown);
        let others = unknown.filter(|attempt| {
            attempt.came.is_none() && state.runs.last().is_none_or(|run| run.run != attempt.run)
        });
        let before = others.filter_map(|attempt| attempt.send_before).max()?;
        let until = before.checked_add(self.apply.options.limits.call).ok()?;
        (Timestamp::now() <= until).then(|| {
            format!(
                "another run recorded it and may be at it until {until}; what people find counts from then on"
            )
        })
    }

    /// Whether a record of this effect bears the ID, whatever became of it.
    fn bears(&self, state: &State, asked: &str) -> bool {
        self.filed(state).iter().any(|filed| {
            let external = match &filed.record.decision {
                approval::Decision::Approve { external_id } => external_id.as_deref(),
                _ => return false,
            };
            filed.record.effect_digest == state.chain
                && (filed.record.id.as_str() == asked || external == Some(asked))
        })
    }
}

fn state_of(operation: Option<&OperationState>) -> Option<(RefusalKind, String)> {
    match operation?.status() {
        Status::NotApplied { refusal, message } => Some((refusal, message)),
        _ => None,
    }
}
