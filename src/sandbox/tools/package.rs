//! A work package as it is asked for, shown and answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sandbox::graph::Severity;

/// A work package.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Package {
    /// The release to unblock.
    #[schemars(length(min = 1, max = 200))]
    pub release_id: String,
    /// Its certification.
    #[schemars(length(min = 1, max = 200))]
    pub certification_id: String,
    /// Why it is needed.
    #[schemars(length(max = 4000))]
    pub reason: Option<String>,
    /// The parent story.
    pub parent: Parent,
    /// The child tasks. With the parent they fit in one answer of the search.
    #[schemars(length(min = 1, max = 499))]
    pub children: Vec<Child>,
    /// True: validate and show, write nothing.
    pub dry_run: bool,
    /// Who approved it; a real write needs it.
    #[schemars(length(max = 200), regex(pattern = r"\S"))]
    pub approval_id: Option<String>,
    /// Unique to this write; a real write needs it.
    #[schemars(length(max = 200), regex(pattern = r"\S"))]
    pub idempotency_key: Option<String>,
}

/// The parent story.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Parent {
    /// One line, not blank.
    #[schemars(length(max = 500), regex(pattern = r"\S"))]
    pub title: String,
    #[schemars(length(max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The team or person that owns it.
    #[schemars(length(max = 200), regex(pattern = r"\S"))]
    pub owner: String,
}

/// A child task.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Child {
    /// One line, not blank.
    #[schemars(length(max = 500), regex(pattern = r"\S"))]
    pub title: String,
    #[schemars(length(max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The team or person that owns it.
    #[schemars(length(max = 200), regex(pattern = r"\S"))]
    pub owner: String,
    /// The control, evidence, finding or blocker that it settles.
    #[schemars(length(min = 1, max = 500))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// The answer. A dry run has `preview`, a real write all the others.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether this is the result of an earlier call with the same key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<bool>,
    /// What would be created; it has no IDs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certification_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_story: Option<CreatedStory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child_tasks: Option<Vec<CreatedTask>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
}

/// What would be created.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Preview {
    pub tenant: String,
    pub release_id: String,
    pub certification_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub parent_story: Parent,
    pub child_tasks: Vec<Child>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct CreatedStory {
    pub id: String,
    pub title: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct CreatedTask {
    pub id: String,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// What is kept of the write.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Audit {
    pub tenant: String,
    pub user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// RFC 3339.
    pub at: String,
}
