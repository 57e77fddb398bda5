//! What a command came to, in the one shape that every report is made from. All text in it is as it came:
//! hostile, to be escaped by whoever shows it.

mod apply;
mod doctor;
mod evidence;
mod lock;
mod run;
mod test;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use apply::ApplyOutputs;
pub(super) use evidence::Gathered;

use super::artifact_words::Titled;
use super::layout::Mark;
use super::stand_in::StandIn;
use crate::core::Digest;

/// What a command came to.
pub struct Sheet<'a> {
    /// The command: `run`, `apply`, `reconcile`, `lock` or `doctor`.
    pub(super) command: &'static str,
    /// What it was about: a recipe, or a server.
    pub(super) subject: String,
    /// On whom and with what, in a few words each.
    pub(super) about: Vec<String>,
    /// The sign of the verdict.
    pub(super) mark: Mark,
    /// The verdict in a word or two.
    pub(super) word: String,
    /// The exit code.
    pub(super) exit: u8,
    /// Why, a sentence each.
    pub(super) reasons: Vec<String>,
    /// What is said where something stood in for the server.
    pub(super) stand_in: Option<StandIn>,
    /// When it began, where that is known.
    pub(super) began: Option<Timestamp>,
    /// When it ended, where that is known.
    pub(super) ended: Option<Timestamp>,
    /// What was looked at, each with how it went: steps, operations, changes.
    pub(super) checks: Vec<Check>,
    /// What is not as it should be, for tools that track problems.
    pub(super) problems: Vec<Problem>,
    /// The kinds of problems that were looked for.
    pub(super) rules: Vec<Rule>,
    /// The evidence that was analyzed.
    pub(super) evidence: Option<Gathered<'a>>,
    /// What analyses have to show.
    pub(super) briefs: Vec<&'a Value>,
    /// What would be sent, or was.
    pub(super) operations: Vec<Proposal>,
    /// The records that were brought along and taken in.
    pub(super) approvals: Vec<Fact>,
    /// What happened when, in order.
    pub(super) moments: Vec<Moment>,
    /// Whatever else a reader or an auditor wants to know.
    pub(super) facts: Vec<Fact>,
    /// What nobody could check.
    pub(super) not_proven: Vec<String>,
    /// The digest that an approval names, where there is a plan.
    pub(super) effect: Option<Digest>,
    /// The plan's file.
    pub(super) artifact: Option<String>,
    /// The audit report.
    pub(super) audit: Option<String>,
    /// The files that were left, those two among them.
    pub(super) files: Vec<String>,
    /// The command to type next, as a shell reads it.
    pub(super) next: Option<String>,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Check {
    /// Its name.
    pub id: String,
    /// What it is: read, gate, operation, tool and so on.
    pub kind: &'static str,
    /// How it went.
    pub mark: Mark,
    /// How it went, in a sentence.
    pub says: String,
    /// What should be known besides.
    pub notes: Vec<String>,
    /// How long it took, where that was measured.
    pub took: Option<Duration>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    /// The ID of its kind among [`Sheet::rules`].
    pub rule: String,
    /// How much it matters.
    pub level: Level,
    /// What is wrong, in a sentence or two.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What it is about, by the name that the service has for it.
    pub name: Option<String>,
    /// What tells it from every other problem, and stays the same from one run to the next.
    pub identity: Digest,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// It stands in the way.
    Error,
    /// It should be looked at.
    Warning,
    /// It is told.
    Note,
}

/// A kind of problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Its ID, the same from one run to the next.
    pub id: String,
    /// What it asks for.
    pub says: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, as a person in the working folder would name it.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
}

/// Something that would be sent, or was.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Proposal {
    /// Its name in the plan.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// How it stands.
    pub mark: Mark,
    /// How it stands, in a word.
    pub word: String,
    /// Why it is proposed.
    pub reason: String,
    /// What a reviewer or an auditor must know of it.
    pub facts: Vec<Fact>,
    /// What is created, and in what.
    pub items: Vec<Titled>,
    /// The payload, exact and whole, less what is filled in when it is sent.
    pub payload: Map<String, Value>,
}

/// A labelled fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    /// What it is.
    pub label: String,
    /// What is so.
    pub text: String,
    /// Whether it is an ID, a digest or a path, to be copied as it is.
    pub exact: bool,
}

/// Something that happened at a known time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// When.
    pub at: Timestamp,
    /// How it went; idle where that says nothing.
    pub mark: Mark,
    /// What, in a line.
    pub says: String,
}

impl Place {
    /// A file as a whole.
    pub(super) fn file(name: &str) -> Self {
        Self { file: name.to_owned(), line: None, column: None }
    }
}

impl Fact {
    pub(super) fn words(label: &str, text: impl Into<String>) -> Self {
        Self { label: label.to_owned(), text: text.into(), exact: false }
    }

    pub(super) fn exact(label: &str, text: impl Into<String>) -> Self {
        Self { label: label.to_owned(), text: text.into(), exact: true }
    }
}

impl Sheet<'_> {
    /// How long it took, where that is known.
    pub(super) fn took(&self) -> Option<Duration> {
        let (began, ended) = self.began.zip(self.ended)?;
        Duration::try_from(ended.duration_since(began)).ok()
    }
}

/// A problem's identity: a digest over what it is about.
fn identity(parts: &Value) -> Digest {
    Digest::of_foreign_json("loopgate.problem/1", parts)
}
