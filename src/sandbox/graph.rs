//! The evidence graph as the sandbox keeps and shows it, and the certification's status that follows
//! from it.
//!
//! Edges point so that a graph has no cycle: a release `requires` controls, a control `requires` evidence
//! that nobody has brought, evidence that exists `supports` a control, a finding `violates` a control, a
//! blocker or finding `blocks` the release, a control `depends_on` another.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A node of an evidence graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    /// Unique within the graph.
    pub id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: NodeKind,
    /// One line.
    pub title: String,
    /// A state word. Providers bring words of their own, so any word may come.
    pub status: String,
    /// Whether the certification needs it; controls and evidence only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// How bad it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The system that reported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The team that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A date (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_date: Option<String>,
    /// A time (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<String>,
    /// Where the provider shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The rule by which a status was decided, or why it could not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// SHA-256 of the imported file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What a finding says that other scanners may say as well.
    #[serde(flatten)]
    pub about: About,
}

/// What a finding is about, as far as its scanner says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    /// The scanner's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The package or file that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The vulnerability's ID in a public list, such as CVE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cve: Option<String>,
    /// The versions that repair it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
    /// When it was first seen, a time (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen_at: Option<String>,
}

impl Node {
    /// A node that says nothing but what it is, and is pending.
    pub(super) fn new(id: &str, kind: NodeKind, title: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            title: title.to_owned(),
            status: "pending".to_owned(),
            required: None,
            severity: None,
            provider: None,
            owner: None,
            due_date: None,
            observed_at: None,
            url: None,
            description: None,
            digest: None,
            about: About::default(),
        }
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NodeKind {
    Control,
    Evidence,
    Finding,
    ProviderBlocker,
    Risk,
    Release,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// What an edge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EdgeKind {
    Requires,
    Supports,
    Violates,
    Blocks,
    DependsOn,
}

/// An edge of an evidence graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub(super) struct Edge {
    /// ID of a node.
    pub from: String,
    /// ID of a node.
    pub to: String,
    /// What it says.
    #[serde(rename = "type")]
    pub kind: EdgeKind,
}

/// The status of a certification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Certified,
    Blocked,
    Rejected,
    Draft,
    InReview,
    AwaitingEvidence,
}

/// What a state word of a node means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Good,
    Bad,
    Pending,
    /// Missing, stale, or a word that nobody knows.
    Lacking,
}

/// What a state word of a node means; a word that is not known lacks a meaning and never counts as good.
pub(super) fn meaning(word: &str) -> Meaning {
    match word {
        "passed" | "present" | "fresh" | "resolved" | "closed" | "accepted" | "waived" | "not_applicable" => {
            Meaning::Good
        }
        "failed" | "open" | "blocking" => Meaning::Bad,
        "pending" | "in_progress" => Meaning::Pending,
        _ => Meaning::Lacking,
    }
}

/// Whether a node by itself keeps a release from being certified: a required control or evidence that is
/// bad or lacking, or a provider blocker that is not known to be settled.
pub(super) fn blocks(node: &Node) -> bool {
    let state = meaning(&node.status);
    match node.kind {
        NodeKind::Control | NodeKind::Evidence => {
            node.required != Some(false) && matches!(state, Meaning::Bad | Meaning::Lacking)
        }
        NodeKind::ProviderBlocker => state != Meaning::Good,
        NodeKind::Finding | NodeKind::Risk | NodeKind::Release => false,
    }
}

/// The status that follows from a graph: blocked if anything blocks, certified only if there is a required
/// control, all of them are good and nothing that is required is pending, awaiting evidence if there is none.
pub(super) fn verdict(nodes: &[Node]) -> Status {
    let required = |node: &&Node| node.required != Some(false);
    let needed = |kind| nodes.iter().filter(move |node| node.kind == kind).filter(required);
    if nodes.iter().any(blocks) {
        Status::Blocked
    } else if needed(NodeKind::Control).next().is_none() {
        Status::AwaitingEvidence
    } else if needed(NodeKind::Control)
        .chain(needed(NodeKind::Evidence))
        .any(|node| meaning(&node.status) == Meaning::Pending)
    {
        Status::InReview
    } else {
        Status::Certified
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&word(self))
    }
}

/// The word of a unit variant, as it stands in JSON and in the database.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The unit variant of a word in the database.
fn from_word<T: DeserializeOwned>(value: ValueRef<'_>) -> FromSqlResult<T> {
    let word = value.as_str()?;
    serde_json::from_value(Value::from(word)).map_err(|error| FromSqlError::Other(error.into()))
}

macro_rules! stored_as_word {
    ($($name:ty),*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(word(self).into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                from_word(value)
            }
        }
    )*};
}

stored_as_word!(NodeKind, Severity, EdgeKind, Status);

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: NodeKind, status: &str, required: Option<bool>) -> Node {
        Node { status: status.into(), required, ..Node::new("N", kind, "") }
    }

    #[test]
    fn only_a_control_that_is_known_to_be_good_certifies() {
        let control = |status: &str| vec![node(NodeKind::Control, status, Some(true))];
        assert_eq!(verdict(&control("passed")), Status::Certified);
        assert_eq!(verdict(&control("waived")), Status::Certified);
        assert_eq!(verdict(&control("pending")), Status::InReview);
        for word in ["failed", "missing", "stale", "", "PASSED", "probably"] {
            assert_eq!(verdict(&control(word)), Status::Blocked, "{word}");
        }
    }

    #[test]
    fn nothing_is_not_good() {
        assert_eq!(verdict(&[]), Status::AwaitingEvidence);
        assert_eq!(verdict(&[node(NodeKind::Evidence, "fresh", Some(true))]), Status::AwaitingEvidence);
        assert_eq!(verdict(&[node(NodeKind::Control, "passed", Some(false))]), Status::AwaitingEvidence);
    }

    #[test]
    fn one_gap_or_one_blocker_blocks_beside_any_number_of_passes() {
        let passed = node(NodeKind::Control, "passed", Some(true));
        for bad in [
            node(NodeKind::Evidence, "missing", Some(true)),
            node(NodeKind::Evidence, "stale", None),
            node(NodeKind::ProviderBlocker, "open", None),
            node(NodeKind::ProviderBlocker, "pending", None),
        ] {
            assert_eq!(verdict(&[passed.clone(), bad]), Status::Blocked);
        }
        let optional = node(NodeKind::Evidence, "missing", Some(false));
        assert_eq!(verdict(&[passed, optional]), Status::Certified);
    }
}
