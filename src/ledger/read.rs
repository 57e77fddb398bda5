//! Reading chains, and finding them.

use std::ops::ControlFlow;

use super::chain::{Head, follow};
use super::error::{Damage, LedgerError};
use super::row::Stored;
use super::state::{State, StateError};
use super::store::{Column, End, Ledger, Which};
use super::v1::Event;
use crate::approval::RecordId;
use crate::artifact::Key;
use crate::core::Digest;

impl Ledger {
    /// All events of a chain, each checked to be the next one; empty where there is no such chain.
    ///
    /// # Errors
    /// [`LedgerError::Broken`] where they are not what was written; the engine fails.
    pub fn chain(&self, chain: &Digest) -> Result<Vec<Event>, LedgerError> {
        self.events_since(chain, 0)
    }

    /// What a chain's events come to.
    ///
    /// # Errors
    /// As [`Ledger::chain`], and [`LedgerError::Broken`] where an event cannot follow another.
    pub fn state(&self, chain: &Digest) -> Result<State, LedgerError> {
        let mut state = State::new(chain.clone());
        self.each_row(chain, 0, |row| Ok(take(&mut state, row, &row.event()?)?))?;
        Ok(state)
    }

    /// The events of a chain without the first `count`, checked from the last of those on.
    ///
    /// # Errors
    /// As [`Ledger::chain`]; a chain of fewer than `count` events is broken.
    pub fn events_since(&self, chain: &Digest, count: u64) -> Result<Vec<Event>, LedgerError> {
        let mut head: Option<Head> = None;
        let mut events = Vec::new();
        self.each_row(chain, count.saturating_sub(1), |row| {
            let event = row.event()?;
            let next = if head.is_none() && count > 0 && event.sequence == count - 1 {
                let digest = event.digest().map_err(|problem| broken(chain, &event, problem))?;
                Head { digest, count }
            } else {
                let next = follow(chain, head.as_ref(), &event)
                    .map_err(|problem| Damage::Chain { chain: chain.clone(), source: problem.into() })?;
                events.push(event);
                next
            };
            row.is(&next.digest)?;
            head = Some(next);
            Ok(())
        })?;
        if head.is_none() && count > 0 {
            return Err(Damage::Lost { chain: chain.clone(), sequence: count - 1 }.into());
        }
        Ok(events)
    }

    /// The chains whose artifact has this subject, in the order in which they were opened.
    ///
    /// # Errors
    /// The engine fails, or a row names no chain.
    pub fn chains_of_subject(&self, subject: &Digest) -> Result<Vec<Digest>, LedgerError> {
        self.chains_where(Column::Subject, &subject.to_string())
    }

    /// The chains in which an operation of this key was sent or settled, in the order of the first time.
    ///
    /// # Errors
    /// The engine fails, or a row names no chain.
    pub fn chains_with_key(&self, key: &Key) -> Result<Vec<Digest>, LedgerError> {
        self.chains_where(Column::Key, key.as_str())
    }

    /// The chain that a record was taken into.
    ///
    /// # Errors
    /// The engine fails, or a row names no chain.
    pub fn chain_of_record(&self, id: &RecordId) -> Result<Option<Digest>, LedgerError> {
        Ok(self.chains_where(Column::Record, id.as_str())?.into_iter().next())
    }

    /// Whether an event of this digest is in any chain.
    ///
    /// # Errors
    /// The engine fails.
    pub fn contains(&self, event_digest: &Digest) -> Result<bool, LedgerError> {
        self.store.contains(event_digest)
    }

    /// Every chain with its end, sorted by chain. The events themselves are not read.
    ///
    /// # Errors
    /// The engine fails, or a row names no chain.
    pub fn chain_heads(&self) -> Result<Vec<(Digest, Head)>, LedgerError> {
        let mut heads = Vec::new();
        for End { position, chain, sequence, digest: last } in self.store.ends()? {
            let (chain, digest) = (digest(position, chain)?, digest(position, last)?);
            let count = u64::try_from(sequence).map_err(|_| Damage::Misfiled { position })? + 1;
            heads.push((chain, Head { digest, count }));
        }
        Ok(heads)
    }

    /// Gives every event of every chain to `f`, one at a time, in the order in which they were added, each
    /// checked by itself; that the chains hold is [`Ledger::verify`]'s to say. The first error of `f` ends it.
    ///
    /// # Errors
    /// The engine fails, a row is not what was written, or what `f` gives.
    pub fn each_event<E: From<LedgerError>>(
        &self,
        mut f: impl FnMut(&Event) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_stored(Which::All, |row| {
            let event = row.event().map_err(LedgerError::from)?;
            let digest =
                event.digest().map_err(|problem| LedgerError::from(broken(&event.chain, &event, problem)))?;
            row.is(&digest).map_err(LedgerError::from)?;
            f(&event)
        })
    }

    fn each_row(
        &self,
        chain: &Digest,
        from: u64,
        mut f: impl FnMut(&Stored) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.each_stored(Which::Chain(chain, from), |row| f(&row))
    }

    /// Gives rows to `f`, up to its first error.
    fn each_stored<E: From<LedgerError>>(
        &self,
        which: Which<'_>,
        mut f: impl FnMut(Stored) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failed = None;
        let read = self.store.each(which, &mut |row| match f(row) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(read?),
        }
    }

    fn chains_where(&self, column: Column, value: &str) -> Result<Vec<Digest>, LedgerError> {
        let found = self.store.chains_where(column, value)?.into_iter();
        found.map(|(position, chain)| Ok(digest(position, chain)?)).collect()
    }
}

/// Takes a row's event into the state of its chain.
pub(super) fn take(state: &mut State, row: &Stored, event: &Event) -> Result<(), Damage> {
    state.take(event).map_err(|source| Damage::Chain { chain: state.chain.clone(), source })?;
    state.head.iter().try_for_each(|head| row.is(&head.digest))
}

fn broken(chain: &Digest, event: &Event, problem: crate::core::json::UnsafeNumber) -> Damage {
    use super::chain::ChainError;
    let source = StateError::Chain(ChainError::Unhashable { sequence: event.sequence, problem });
    Damage::Chain { chain: chain.clone(), source }
}

fn digest(position: i64, text: String) -> Result<Digest, Damage> {
    Digest::try_from(text).map_err(|_| Damage::Misfiled { position })
}
