//! What somebody who writes keeps others from, and who that is.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::LedgerError;
use crate::artifact::v1::Document;
use crate::core::Digest;
use crate::core::text::excerpt;

/// What an apply keeps others from while it is at work: its effect, its subject, and each key that it may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    names: BTreeSet<String>,
}

/// A lock that is held until it is dropped.
#[must_use]
pub struct Lock {
    _held: Box<dyn Send>,
}

/// Who holds a lock, in their own words: for people, and for nothing that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// Its process.
    pub pid: u32,
    /// The effect that it is at work on.
    pub effect: Digest,
    /// Since when.
    pub since: Timestamp,
    /// The machine, where it has a name.
    pub host: Option<String>,
}

/// How long a lock that another holds is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// No longer than this.
    AtMost(Duration),
}

/// Why a lock was not taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another run is at work on this ledger{}", .0.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default())]
    Held(Option<Holder>),
    /// It cannot be opened or taken.
    #[error("the ledger's lock cannot be reached")]
    Unreachable(#[source] Box<LedgerError>),
}

impl Claim {
    /// What applying this artifact claims.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let keys = document.operations.iter().map(|operation| format!("key {}", operation.idempotency_key));
        let whole = [format!("effect {}", document.effect_digest), format!("subject {}", document.subject)];
        Self { names: whole.into_iter().chain(keys).collect() }
    }

    /// A number for each thing that is claimed, sorted: who takes them in this order never waits in a circle.
    #[must_use]
    pub fn numbers(&self) -> Vec<i64> {
        let number = |name: &String| {
            let digest = Digest::of_bytes(format!("loopgate.claim/1 {name}").as_bytes());
            let first = digest.hex().get(..16).unwrap_or_default();
            i64::from_ne_bytes(u64::from_str_radix(first, 16).unwrap_or_default().to_ne_bytes())
        };
        let numbers: BTreeSet<i64> = self.names.iter().map(number).collect();
        numbers.into_iter().collect()
    }
}

impl Lock {
    pub(super) fn new(held: impl Send + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, pid, effect, since, host } = self;
        write!(f, "run {}, process {pid}", excerpt(run, 40))?;
        if let Some(host) = host {
            write!(f, " on {}", excerpt(host, 60))?;
        }
        write!(f, ", at work on {} since {since}", effect.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sample;

    #[test]
    fn what_shares_effect_subject_or_key_shares_a_number_and_nothing_else_does() {
        let one = sample::document();
        let numbers = Claim::of(&one).numbers();
        assert_eq!(numbers.len(), 2 + one.operations.len());
        assert!(numbers.is_sorted());
        let shared = |other: &Document| {
            let other = Claim::of(other).numbers();
            numbers.iter().filter(|number| other.contains(number)).count()
        };
        // The same subject, and one of its two keys.
        assert_eq!(shared(&sample::other_document()), 2);
        let mut other = one.clone();
        other.subject = Digest::of_bytes(b"subject");
        other.effect_digest = Digest::of_bytes(b"effect");
        assert_eq!(shared(&other), one.operations.len());
        other.operations.clear();
        assert_eq!(shared(&other), 0);
    }
}
