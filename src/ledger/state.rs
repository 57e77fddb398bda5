//! What a chain's events come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use super::chain::{ChainError, Head, follow};
use super::operation::{Answered, Attempt, Look, OperationState, ReadBack, Status, Trial};
use super::v1::{Began, Connected, Event, Fact, Moved, Settlement};
use crate::approval::{Filed, RecordId, Verdict};
use crate::artifact::Key;
use crate::artifact::v1::Document;
use crate::core::Digest;

/// All that is known of one effect.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The effect digest.
    pub chain: Digest,
    /// The last event; none where nothing happened yet.
    pub head: Option<Head>,
    /// The artifact, once it was applied for the first time. It may be large, and a state is often copied.
    pub artifact: Option<Arc<Document>>,
    /// The records that were taken in, in that order.
    pub records: Vec<Filed>,
    /// The operations that something happened to.
    pub operations: BTreeMap<Key, OperationState>,
    /// The runs, in order.
    pub runs: Vec<RunState>,
    /// What tells each of `records` from the others, so that a long chain need not be searched for every event.
    taken: BTreeSet<(RecordId, Option<String>)>,
    /// The ID of each of `runs`.
    begun: BTreeSet<String>,
}

/// One run of `apply` or `reconcile`.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// Its ID.
    pub run: String,
    /// When it began.
    pub at: Timestamp,
    /// Who, where and under what.
    pub began: Began,
    /// The server as it showed itself, once it was reached.
    pub connected: Option<Connected>,
    /// What the policy said last, and how many records were known then.
    pub decided: Option<(Verdict, usize)>,
    /// What had moved when the plan's reads were made again.
    pub compared: Option<Vec<Moved>>,
    /// How it ended: the word and the sentence.
    pub ended: Option<(String, String)>,
}

/// Why events come to no state: they were not written by this program, or not all of them are there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StateError {
    /// They are no chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// An event that cannot follow what happened before.
    #[error("event {sequence} cannot follow: {why}")]
    Impossible {
        /// Which.
        sequence: u64,
        /// Why.
        why: &'static str,
    },
}

fn identity(filed: &Filed) -> (RecordId, Option<String>) {
    (filed.record.id.clone(), filed.signature.clone())
}

impl State {
    /// An effect to which nothing happened yet.
    #[must_use]
    pub fn new(chain: Digest) -> Self {
        Self {
            chain,
            head: None,
            artifact: None,
            records: Vec::new(),
            operations: BTreeMap::new(),
            runs: Vec::new(),
            taken: BTreeSet::new(),
            begun: BTreeSet::new(),
        }
    }

    /// What `events` come to.
    ///
    /// # Errors
    /// They are no chain, or one cannot follow another.
    pub fn fold<'e>(chain: &Digest, events: impl IntoIterator<Item = &'e Event>) -> Result<Self, StateError> {
        let mut state = Self::new(chain.clone());
        for event in events {
            state.take(event)?;
        }
        Ok(state)
    }

    /// Takes in the next event.
    ///
    /// # Errors
    /// It is not the next one, or cannot follow what happened before. The state is as it was then.
    pub fn take(&mut self, event: &Event) -> Result<(), StateError> {
        let head = follow(&self.chain, self.head.as_ref(), event)?;
        self.apply(event, &head.digest)
            .map_err(|why| StateError::Impossible { sequence: event.sequence, why })?;
        self.head = Some(head);
        Ok(())
    }

    /// Takes in a fact without the chain around it, for the enumeration of many states.
    #[cfg(test)]
    pub(crate) fn take_fact(&mut self, draft: super::chain::Draft, digest: &Digest) {
        let super::chain::Draft { at, run, fact } = draft;
        let (chain, format) = (self.chain.clone(), super::v1::Format::V1);
        let event = Event { format, chain, sequence: 0, previous: None, at, run, fact };
        self.apply(&event, digest).unwrap_or_else(|why| panic!("{why}: {:?}", event.fact));
    }

    /// Where an operation stands.
    #[must_use]
    pub fn status(&self, key: &Key) -> Status {
        self.operations.get(key).map_or(Status::Untouched, OperationState::status)
    }

    /// Whether the plan's own effects may have moved the world.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.under_way_since().is_some()
    }

    /// When the first intent was recorded of an operation that took place or may have.
    #[must_use]
    pub fn under_way_since(&self) -> Option<Timestamp> {
        let may_have = |operation: &&OperationState| {
            matches!(operation.status(), Status::Applied { .. } | Status::Unknown { .. })
        };
        let begun = self.operations.values().filter(may_have);
        begun.filter_map(|operation| operation.attempts.first()).map(|attempt| attempt.at).min()
    }

    /// Whether an outcome is unknown.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        self.operations.values().any(|operation| matches!(operation.status(), Status::Unknown { .. }))
    }

    /// The run of that ID.
    #[must_use]
    pub fn run(&self, run: &str) -> Option<&RunState> {
        self.runs.iter().rev().find(|known| known.run == run)
    }

    /// Those of `filed` that are of this effect and were not taken in yet. A record with another signature
    /// is another one: a bad signature must not stand in the way of a good one.
    #[must_use]
    pub fn news<'f>(&self, filed: &'f [Filed]) -> Vec<&'f Filed> {
        let mut new = BTreeSet::new();
        let of_this = filed.iter().filter(|filed| filed.record.effect_digest == self.chain);
        of_this
            .filter(|filed| {
                let identity = identity(filed);
                !self.taken.contains(&identity) && new.insert(identity)
            })
            .collect()
    }

    fn apply(&mut self, event: &Event, digest: &Digest) -> Result<(), &'static str> {
        match &event.fact {
            Fact::Opened { artifact } => self.open(artifact),
            Fact::Began(began) => self.begin(event, began),
            Fact::Recorded { filed } => self.record(filed),
            Fact::Decided { verdict } => {
                let known = self.records.len();
                self.current(event)?.decided = Some(((**verdict).clone(), known));
                Ok(())
            }
            Fact::Connected(connected) => {
                self.current(event)?.connected = Some((**connected).clone());
                Ok(())
            }
            Fact::Tried { key, call: _, verdict, why } => {
                self.current(event)?;
                let trial = Trial { run: event.run.clone(), verdict: *verdict, why: why.clone() };
                self.change(key, |operation| {
                    operation.tried = Some(trial);
                    Ok(())
                })
            }
            Fact::Compared { calls: _, differences } => {
                self.current(event)?.compared = Some(differences.clone());
                Ok(())
            }
            Fact::Intent { key, attempt, approval_id, call, send_before } => {
                self.may_intend(event, key, approval_id)?;
                let intended = Attempt {
                    intent: digest.clone(),
                    run: event.run.clone(),
                    at: event.at,
                    approval_id: approval_id.clone(),
                    call: call.clone(),
                    send_before: *send_before,
                    task: None,
                    came: None,
                    ruled_out: false,
                };
                self.change(key, |operation| operation.intend(*attempt, intended))
            }
            Fact::Accepted { key, attempt, task } => {
                self.current(event)?;
                self.change(key, |operation| operation.accept(&event.run, *attempt, task))
            }
            Fact::Outcome { key, attempt, took_ms, result } => {
                self.current(event)?;
                let answered = Answered { result: result.clone(), at: event.at, took_ms: *took_ms };
                self.change(key, |operation| operation.answer(&event.run, *attempt, answered))
            }
            Fact::Looked { key, call: _, found, why } => {
                self.current(event)?;
                self.change(key, |operation| {
                    operation.looked = Some(Look {
                        run: event.run.clone(),
                        after: operation.attempts.len(),
                        found: *found,
                        why: why.clone(),
                    });
                    Ok(())
                })
            }
            Fact::Settled { key, by } => {
                self.current(event)?;
                self.are_known(by)?;
                self.change(key, |operation| operation.settle(by))
            }
            Fact::ReadBack { key, call: _, differences, unread } => {
                self.current(event)?;
                self.change(key, |operation| {
                    if !matches!(operation.status(), Status::Applied { .. }) {
                        return Err("it reads back what did not take place");
                    }
                    operation.read_back = Some(ReadBack {
                        run: event.run.clone(),
                        differences: differences.clone(),
                        unread: unread.clone(),
                    });
                    Ok(())
                })
            }
            Fact::Ended { conclusion, message } => {
                self.current(event)?.ended = Some((conclusion.clone(), message.clone()));
                Ok(())
            }
        }
    }

    fn open(&mut self, artifact: &Document) -> Result<(), &'static str> {
        if self.artifact.is_some() {
            return Err("the artifact is there already");
        }
        if artifact.effect_digest != self.chain {
            return Err("the artifact has another effect");
        }
        self.artifact = Some(Arc::new(artifact.clone()));
        Ok(())
    }

    fn begin(&mut self, event: &Event, began: &Began) -> Result<(), &'static str> {
        if self.artifact.is_none() {
            return Err("a run begins before there is an artifact");
        }
        if !self.begun.insert(event.run.clone()) {
            return Err("the run has begun already");
        }
        self.runs.push(RunState {
            run: event.run.clone(),
            at: event.at,
            began: began.clone(),
            connected: None,
            decided: None,
            compared: None,
            ended: None,
        });
        Ok(())
    }

    fn record(&mut self, filed: &Filed) -> Result<(), &'static str> {
        if filed.record.effect_digest != self.chain {
            return Err("the record is of another effect");
        }
        if !self.taken.insert(identity(filed)) {
            return Err("the record is there already");
        }
        self.records.push(filed.clone());
        Ok(())
    }

    /// Nothing is sent for the first time, or again after it was refused, without a verdict that allows it and
    /// knows every record; nor while something is unknown.
    fn may_intend(&mut self, event: &Event, key: &Key, approval_id: &str) -> Result<(), &'static str> {
        let is_first = self.operations.get(key).is_none_or(|operation| operation.attempts.is_empty());
        let known = self.records.len();
        let settles = matches!(self.status(key), Status::Unknown { .. });
        let mut others = self.operations.iter().filter(|(other, _)| *other != key);
        let blocked = others.any(|(_, other)| matches!(other.status(), Status::Unknown { .. }));
        let decided = self.current(event)?.decided.as_ref();
        let allowed = decided.is_some_and(|(verdict, then)| {
            let is_its = !is_first || verdict.approval_id.as_deref() == Some(approval_id);
            verdict.allowed && *then == known && is_its
        });
        match (settles, allowed, blocked) {
            (true, _, _) | (false, true, false) => Ok(()),
            (false, false, _) => Err("nothing allows the intent"),
            (false, true, true) => Err("another operation is unknown"),
        }
    }

    /// People's word counts only where it was taken in.
    fn are_known(&self, by: &Settlement) -> Result<(), &'static str> {
        let Settlement::People { verdict, .. } = by else { return Ok(()) };
        let known = |id: &RecordId| {
            let first = self.taken.range((id.clone(), None)..).next();
            first.is_some_and(|(found, _)| found == id)
        };
        let counted = &verdict.counted;
        if verdict.allowed && !counted.is_empty() && counted.iter().all(|counted| known(&counted.id)) {
            Ok(())
        } else {
            Err("it is settled by records that were not taken in")
        }
    }

    /// The run that writes `event`: the last that began, and not over yet.
    fn current(&mut self, event: &Event) -> Result<&mut RunState, &'static str> {
        match self.runs.last_mut() {
            Some(run) if run.run == event.run && run.ended.is_none() => Ok(run),
            _ => Err("its run has not begun or is over"),
        }
    }

    /// Changes an operation of the artifact; a `change` that is refused leaves it as it was.
    fn change(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut OperationState) -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        let mut planned = self.artifact.iter().flat_map(|artifact| artifact.operations.iter());
        if !planned.any(|operation| operation.idempotency_key == *key) {
            return Err("the artifact has no such operation");
        }
        if let Some(operation) = self.operations.get_mut(key) {
            return change(operation);
        }
        let mut operation = OperationState::default();
        change(&mut operation)?;
        self.operations.insert(key.clone(), operation);
        Ok(())
    }
}
