//! A work package as it is asked for, shown and answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sandbox::graph::Severity;

/// A work package.
#[derive(Serialize, Deserialize, JsonSchema)]
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
}

/// The parent story.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
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

/// What was created.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    pub release_id: String,
    pub certification_id: String,
    pub parent_story: CreatedStory,
    pub child_tasks: Vec<CreatedTask>,
}

/// What would be created.
#[derive(Serialize, JsonSchema)]
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

#[derive(Serialize, JsonSchema)]
pub(super) struct CreatedStory {
    pub id: String,
    pub title: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct CreatedTask {
    pub id: String,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}
