//! What became of operations, in the words that every output of it shares. All of it is hostile text still.

use std::collections::BTreeMap;

use super::approval_words::at;
use super::artifact_words::whom;
use super::layout::Mark;
use crate::approval::Resolution;
use crate::artifact::v1::{Document, Operation};
use crate::core::call::RefusalKind;
use crate::ledger::v1::{Doubt, Result as Came, Settlement};
use crate::ledger::{Attempt, OperationState, ReadBack, State, Status};

/// The sign and the word for where an operation stands.
pub(super) fn standing(status: &Status) -> (Mark, &'static str) {
    match status {
        Status::Untouched => (Mark::Idle, "not sent"),
        Status::Applied { .. } => (Mark::Good, "applied"),
        Status::NotApplied { .. } => (Mark::Bad, "not applied"),
        Status::Unknown { .. } => (Mark::Doubt, "unknown"),
    }
}

/// In which sense a call was refused.
pub(super) fn refusal(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NotConnected => "no connection",
        RefusalKind::SignIn => "sign-in refused",
        RefusalKind::Tenant => "tenant refused",
        RefusalKind::NothingVisible => "nothing visible to this caller",
        RefusalKind::RateLimited => "too many requests",
        RefusalKind::Conflict => "the key was used for something else",
        RefusalKind::InProgress => "work under the same key goes on",
        RefusalKind::NeedsInput => "it asks for input that a pipeline cannot give",
        RefusalKind::Refused => "refused",
        RefusalKind::NotRecorded => "not in the recording",
    }
}

/// What was seen instead of an answer.
pub(super) fn doubt(kind: Doubt) -> &'static str {
    match kind {
        Doubt::NoAnswer => "no answer",
        Doubt::ServerError => "the server failed",
        Doubt::NeedsInput => "the server asks for input",
        Doubt::UnknownResult => "an answer that says nothing of the effect",
        Doubt::Cancelled => "stopped while waiting",
        Doubt::InProgress => "work under the same key goes on",
        Doubt::DryRun => "the server says that it was a dry run",
    }
}

/// What settled an operation.
pub(super) fn settled_by(settlement: &Settlement) -> String {
    match settlement {
        Settlement::Read {} => "a read, which found that it took place".to_owned(),
        Settlement::People { resolution, verdict } => {
            let found = match resolution {
                Resolution::Applied { .. } => "it took place",
                Resolution::NotApplied {} => "it did not take place",
            };
            let records: Vec<&str> = verdict.counted.iter().map(|counted| counted.id.as_str()).collect();
            format!("people, who found that {found}: {}", records.join(", "))
        }
        Settlement::Earlier { chain, approval_id, .. } => {
            format!("an earlier effect that did it, {chain}, under approval {approval_id}")
        }
    }
}

/// What a document is about: the recipe, and on whom.
pub(super) fn about(document: &Document) -> Vec<String> {
    let target = &document.target;
    let on = whom(target.tenant.as_deref(), &target.server.identity, target.sandbox);
    vec![document.recipe.name.clone(), on]
}

/// The sign of an effect, `label` being where it stands as an approval system says it.
pub(super) fn effect_mark(label: &str, document: &Document, state: &State) -> Mark {
    let told = told(document, state);
    let any = |mark| told.iter().any(|told| told.mark() == mark);
    match label {
        _ if state.has_unknown() => Mark::Doubt,
        "Executed" if any(Mark::Warning) => Mark::Warning,
        "Executed" if any(Mark::Doubt) => Mark::Doubt,
        "Executed" => Mark::Good,
        "Rejected" | "Failed" => Mark::Bad,
        _ => Mark::Planned,
    }
}

/// What was created, by name; empty where nobody knows.
pub(super) fn created(ids: &BTreeMap<String, Vec<String>>) -> String {
    let each = ids.iter().map(|(name, ids)| format!("{name} {}", ids.join(", ")));
    each.collect::<Vec<_>>().join("; ")
}

/// Whether the server had done it before; `None` where it does not say.
pub(super) fn replayed(replayed: Option<bool>) -> Option<&'static str> {
    replayed.map(|replayed| match replayed {
        true => "yes: the server had done it before under the same key",
        false => "no: the server did it now",
    })
}

/// What reading back gave.
pub(super) fn read_back(ReadBack { run: _, differences, unread }: &ReadBack) -> (Mark, String) {
    match (unread, differences.as_slice()) {
        (Some(why), _) => (Mark::Doubt, format!("could not be read: {why}")),
        (None, []) => (Mark::Good, "as planned".to_owned()),
        (None, some) => (Mark::Warning, format!("differs from the plan: {}", some.join("; "))),
    }
}

/// Something that is said of an operation, with its label.
pub(super) enum Said {
    /// Words, which may be broken into lines.
    Words(&'static str, String),
    /// IDs and digests, which stay on one line so that they can be copied.
    Exact(&'static str, String),
}

/// An operation of a plan with what happened to it.
pub(super) struct Told<'a> {
    pub operation: &'a Operation,
    pub state: Option<&'a OperationState>,
    pub status: Status,
}

/// Every operation, in the order of the plan.
pub(super) fn told<'a>(document: &'a Document, state: &'a State) -> Vec<Told<'a>> {
    let each = document.operations.iter().map(|operation| Told {
        operation,
        state: state.operations.get(&operation.idempotency_key),
        status: state.status(&operation.idempotency_key),
    });
    each.collect()
}

impl Told<'_> {
    /// The sign: a read-back that is not as planned outweighs an effect that took place.
    pub(super) fn mark(&self) -> Mark {
        let read_back = self.state.and_then(|state| state.read_back.as_ref()).map(|read| read_back(read).0);
        match (standing(&self.status).0, read_back) {
            (Mark::Good, Some(mark)) => mark,
            (mark, _) => mark,
        }
    }

    /// What is said of it besides where it stands.
    pub(super) fn facts(&self) -> Vec<Said> {
        let mut facts = Vec::new();
        match &self.status {
            Status::Untouched => {}
            Status::Applied { created: ids, replayed: again } => {
                let unnamed = self.unnamed();
                for (name, ids) in ids {
                    facts.push(Said::Exact("created", format!("{name}: {}", ids.join(", "))));
                }
                if ids.is_empty() && unnamed.is_none() {
                    facts.push(Said::Words("created", "nobody knows the IDs".to_owned()));
                }
                facts.extend(unnamed.map(|why| Said::Words("IDs missing", why.to_owned())));
                facts.extend(replayed(*again).map(|words| Said::Words("replayed", words.to_owned())));
            }
            Status::NotApplied { refusal: kind, message } => {
                facts.push(Said::Words("why", format!("{}: {message}", refusal(*kind))));
            }
            Status::Unknown { since } => {
                facts.push(Said::Words("unknown since", at(*since)));
                for attempt in self.state.into_iter().flat_map(OperationState::unknown) {
                    facts.push(Said::Exact("request", attempt.call.request_id.clone()));
                    facts.push(Said::Words("", seen(attempt)));
                }
            }
        }
        if let Some(state) = self.state {
            facts.extend(state.settled.iter().map(|by| Said::Exact("settled by", settled_by(by))));
            facts.extend(state.read_back.iter().map(|read| Said::Words("read back", read_back(read).1)));
        }
        facts
    }

    /// Why IDs are missing that the answer should have named.
    pub(super) fn unnamed(&self) -> Option<&str> {
        self.state?.attempts.iter().find_map(|attempt| match attempt.came.as_ref().map(|came| &came.result) {
            Some(Came::Applied { unnamed, .. }) => unnamed.as_deref(),
            _ => None,
        })
    }
}

/// What was seen of an attempt whose outcome is unknown.
fn seen(attempt: &Attempt) -> String {
    match attempt.came.as_ref().map(|came| &came.result) {
        Some(Came::Unknown { doubt: kind, message }) => format!("{}: {message}", doubt(*kind)),
        _ => match &attempt.task {
            Some(task) => {
                format!("the server went on with it as the task `{task}`; nobody recorded what came of it")
            }
            None => "nobody recorded what came of it".to_owned(),
        },
    }
}
