//! How an unknown outcome can be found out, for those who have to.

use std::fmt;

use jiff::Timestamp;

use crate::artifact::v1::{Idempotency, Operation};
use crate::ledger::OperationState;

/// How an unknown outcome can be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By applying again: the server knows it under its key, until then; none: at any time.
    Again(Option<Timestamp>),
    /// By the recipe's read, which `apply` and `reconcile` make.
    Read,
    /// By a person who looks and says so.
    Person,
}

/// How the outcome of `operation` can be found out, where it is unknown.
#[must_use]
pub fn way(operation: &Operation, state: &OperationState, now: Timestamp) -> Way {
    let first = state.unknown().next().map(|attempt| attempt.at);
    let kept = first.zip(operation.key_retention).and_then(|(first, kept)| first.checked_add(kept).ok());
    match operation.idempotency {
        Idempotency::Natural => Way::Again(None),
        Idempotency::Key if kept.is_some_and(|until| now < until) => Way::Again(kept),
        _ if operation.reconcile.is_some() => Way::Read,
        _ => Way::Person,
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again(Some(until)) => write!(f, "by applying again, under the same key, before {until}"),
            Self::Again(None) => f.write_str("by applying again: its effect is the same however often"),
            Self::Read => f.write_str("by the recipe's read, if that finds it; else by a person"),
            Self::Person => f.write_str("by a person who looks at the server"),
        }
    }
}
