//! The hash chain: every event names the digest of the one before it.

use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

use super::v1::{Event, Fact, Format};
use crate::core::Digest;
use crate::core::json::{UnsafeNumber, canonical, parse_strict};
use crate::core::text::excerpt;

const TAG: &str = "loopgate.event/1";

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The digest of the last event.
    pub digest: Digest,
    /// How many events there are.
    pub count: u64,
}

/// An event that has no place in a chain yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// When.
    pub at: Timestamp,
    /// The run that writes it.
    pub run: String,
    /// What happened.
    pub fact: Fact,
}

/// Why events are no chain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChainError {
    /// An event of another chain.
    #[error("event {sequence} belongs to chain {found}, and this is chain {chain}")]
    OtherChain {
        /// Where it stands.
        sequence: u64,
        /// The chain.
        chain: Digest,
        /// The event's.
        found: Digest,
    },
    /// An event that is not where it says.
    #[error("event {found} stands where event {expected} belongs")]
    OutOfOrder {
        /// Its place.
        expected: u64,
        /// What it says.
        found: u64,
    },
    /// An event that follows another one than it says.
    #[error("event {sequence} does not follow the event before it")]
    Broken {
        /// Which.
        sequence: u64,
    },
    /// An event that has no canonical form.
    #[error("event {sequence} cannot be hashed: {problem}")]
    Unhashable {
        /// Which.
        sequence: u64,
        /// Why.
        problem: UnsafeNumber,
    },
}

impl Event {
    /// The event whose canonical JSON `text` is.
    ///
    /// # Errors
    /// It is another text, in words that are visible.
    pub fn parse(text: &str) -> Result<Self, String> {
        let told = |problem: &dyn std::fmt::Display| excerpt(&problem.to_string(), 200);
        let value = parse_strict(text.as_bytes()).map_err(|problem| told(&problem))?;
        let event: Self = serde_json::from_value(value).map_err(|problem| told(&problem))?;
        match event.text() {
            Ok(canonical) if canonical == text => Ok(event),
            Ok(_) => Err("it is not in canonical form".to_owned()),
            Err(problem) => Err(told(&problem)),
        }
    }

    /// The event as canonical JSON.
    ///
    /// # Errors
    /// A number that canonical JSON does not carry.
    pub fn text(&self) -> Result<String, UnsafeNumber> {
        canonical(&self.value())
    }

    /// The digest that the next event names.
    ///
    /// # Errors
    /// A number that canonical JSON does not carry.
    pub fn digest(&self) -> Result<Digest, UnsafeNumber> {
        Digest::of_json(TAG, &self.value())
    }

    fn value(&self) -> Value {
        // Every member is a string, a number, a list or an object with text keys.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The event that `draft` becomes behind `head`, and the head that it makes.
///
/// # Errors
/// A number that canonical JSON does not carry.
pub fn link(chain: &Digest, head: Option<&Head>, draft: Draft) -> Result<(Event, Head), UnsafeNumber> {
    let Draft { at, run, fact } = draft;
    let event = Event {
        format: Format::V1,
        chain: chain.clone(),
        sequence: head.map_or(0, |head| head.count),
        previous: head.map(|head| head.digest.clone()),
        at,
        run,
        fact,
    };
    let head = Head { digest: event.digest()?, count: event.sequence + 1 };
    Ok((event, head))
}

/// Checks that `event` is the next one behind `head`, and gives the head that it makes.
///
/// # Errors
/// It is of another chain, out of order, or follows another event.
pub fn follow(chain: &Digest, head: Option<&Head>, event: &Event) -> Result<Head, ChainError> {
    let sequence = event.sequence;
    let expected = head.map_or(0, |head| head.count);
    if event.chain != *chain {
        return Err(ChainError::OtherChain { sequence, chain: chain.clone(), found: event.chain.clone() });
    }
    if sequence != expected {
        return Err(ChainError::OutOfOrder { expected, found: sequence });
    }
    if event.previous.as_ref() != head.map(|head| &head.digest) {
        return Err(ChainError::Broken { sequence });
    }
    let digest = event.digest().map_err(|problem| ChainError::Unhashable { sequence, problem })?;
    Ok(Head { digest, count: expected + 1 })
}

/// Checks a whole chain from its first event, and gives its head; none where there are no events.
///
/// # Errors
/// The first event that is not where it belongs.
pub fn check<'e>(
    chain: &Digest,
    events: impl IntoIterator<Item = &'e Event>,
) -> Result<Option<Head>, ChainError> {
    let mut head = None;
    for event in events {
        head = Some(follow(chain, head.as_ref(), event)?);
    }
    Ok(head)
}
