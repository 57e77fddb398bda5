//! What a platform answered about one plan.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::approval::v1::{Decision, PlatformFact, Record};
use crate::core::json::{StrictError, parse_strict};
use crate::core::text::{excerpt, visible};

/// For how many days a platform's approval can be used at most: nobody there said until when.
pub const MOST_DAYS: i64 = 30;

/// An approval as the platform has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who gave it, as `github:LOGIN#ID` or `gitlab:LOGIN#ID`.
    pub approver: String,
    /// What it is, and the approver's words where there are some.
    pub reason: String,
    /// When it was given, as far as the platform says.
    pub when: When,
    /// Where it stands.
    pub fact: PlatformFact,
}

/// When an approval was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Then.
    At(Timestamp),
    /// Not before; the platform says no more.
    Since(Timestamp),
}

/// All that the platform answered about one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The approvals that count, one for each person.
    pub given: Vec<Answer>,
    /// Why others do not count.
    pub refused: Vec<String>,
    /// Everybody behind the plan; or why that is not known.
    pub behind: Result<BTreeSet<String>, String>,
}

/// Why an answer is none about this plan.
#[derive(Debug, Error)]
pub enum PlatformError {
    /// A file is not what the platform answers.
    #[error("`{}` is not what the platform answers: {source}", visible(name))]
    Shape {
        /// The file.
        name: String,
        /// Where and what.
        source: StrictError,
    },
    /// It is an answer, and not about this plan; or one that does not verify.
    #[error("{0}")]
    Other(String),
}

impl Answer {
    /// Whether `record` says this and nothing else. What nobody vouches for is not in it: no ID to be sent instead
    /// of its own, and no more time than [`MOST_DAYS`].
    #[must_use]
    pub fn is_said_by(&self, record: &Record) -> bool {
        let most = SignedDuration::from_hours(24 * MOST_DAYS);
        let dated = match self.when {
            When::At(time) => record.time == time,
            When::Since(time) => record.time >= time,
        };
        dated
            && record.decision == Decision::Approve { external_id: None }
            && record.approver.name == self.approver
            && record.reason == self.reason
            && record.platform.as_ref() == Some(&self.fact)
            && record.expires.is_some_and(|expires| expires.duration_since(record.time) <= most)
    }

    /// The time that a record of it bears.
    #[must_use]
    pub fn time(&self, now: Timestamp) -> Timestamp {
        match self.when {
            When::At(time) => time,
            When::Since(time) => now.max(time),
        }
    }
}

impl PlatformError {
    /// That it is about something else, in words that may quote strangers.
    pub(super) fn other(message: String) -> Self {
        Self::Other(visible(&message).into_owned())
    }
}

/// Reads a file of the platform's. Members that are not asked for are passed over: the platform adds some any day.
pub(super) fn read<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, PlatformError> {
    let shape = |source| PlatformError::Shape { name: name.to_owned(), source };
    let value = parse_strict(bytes).map_err(shape)?;
    serde_json::from_value(value).map_err(|error| shape(error.into()))
}

/// Like [`read`], of a list: in one page or, as a client puts it together, in a list of pages.
pub(super) fn read_pages<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<Vec<T>, PlatformError> {
    let items: Vec<Value> = read(name, bytes)?;
    let items = items.into_iter().flat_map(|item| match item {
        Value::Array(page) => page,
        item => vec![item],
    });
    serde_json::from_value(Value::Array(items.collect()))
        .map_err(|error| PlatformError::Shape { name: name.to_owned(), source: error.into() })
}

/// What is quoted of a stranger.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", excerpt(text, 100))
}
