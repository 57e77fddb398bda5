//! What stands in a data file. The seed is written in it, and any file may add to it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::sandbox::graph::{About, EdgeKind, Node, NodeKind, Severity};

/// A data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    #[serde(default)]
    pub users: Vec<User>,
    #[serde(default)]
    pub tenants: Vec<Tenant>,
}

/// A user, or more roles of one who is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub id: String,
    /// Given for one who is new.
    pub name: Option<String>,
    /// By tenant.
    #[serde(default)]
    pub roles: BTreeMap<String, Vec<String>>,
}

/// An organization, or more records of one that is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Tenant {
    pub id: String,
    /// Given for one that is new.
    pub name: Option<String>,
    /// Names by ID.
    #[serde(default)]
    pub teams: BTreeMap<String, String>,
    #[serde(default)]
    pub releases: Vec<Release>,
    #[serde(default)]
    pub checks: Vec<Check>,
    #[serde(default)]
    pub rollback_decisions: Vec<RollbackDecision>,
    #[serde(default)]
    pub stories: Vec<Story>,
    #[serde(default)]
    pub sprints: Vec<Sprint>,
    #[serde(default)]
    pub backlog: Vec<Item>,
    #[serde(default)]
    pub changes: Vec<Change>,
    #[serde(default)]
    pub incidents: Vec<Incident>,
    #[serde(default)]
    pub metrics: Vec<Metric>,
    #[serde(default)]
    pub dashboards: Vec<Dashboard>,
}

/// A release; with `status` it has a certification, and `nodes` are that one's evidence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Release {
    pub id: String,
    pub name: String,
    pub application: Option<String>,
    pub team: Option<String>,
    /// How far the release itself is.
    #[serde(default = "planned")]
    pub release_status: String,
    pub planned_at: Option<String>,
    pub released_at: Option<String>,
    /// Of the certification.
    pub status: Option<String>,
    /// Of the certification.
    pub summary: Option<String>,
    #[serde(default)]
    pub nodes: Vec<EvidenceNode>,
}

fn planned() -> String {
    "planned".to_owned()
}

/// A node of an evidence graph, with the edges that start at it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct EvidenceNode {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: NodeKind,
    pub title: String,
    pub status: String,
    pub required: Option<bool>,
    pub severity: Option<Severity>,
    pub provider: Option<String>,
    pub owner: Option<String>,
    pub due_date: Option<String>,
    pub observed_at: Option<String>,
    pub url: Option<String>,
    pub description: Option<String>,
    pub digest: Option<String>,
    pub rule: Option<String>,
    pub component: Option<String>,
    pub cve: Option<String>,
    pub fixed_in: Option<String>,
    pub first_seen_at: Option<String>,
    #[serde(default)]
    pub links: BTreeMap<EdgeKind, Vec<String>>,
}

impl EvidenceNode {
    /// The node without its edges.
    pub fn node(&self) -> Node {
        Node {
            id: self.id.clone(),
            kind: self.kind,
            title: self.title.clone(),
            status: self.status.clone(),
            required: self.required,
            severity: self.severity,
            provider: self.provider.clone(),
            owner: self.owner.clone(),
            due_date: self.due_date.clone(),
            observed_at: self.observed_at.clone(),
            url: self.url.clone(),
            description: self.description.clone(),
            digest: self.digest.clone(),
            about: About {
                rule: self.rule.clone(),
                component: self.component.clone(),
                cve: self.cve.clone(),
                fixed_in: self.fixed_in.clone(),
                first_seen_at: self.first_seen_at.clone(),
            },
        }
    }
}

/// Something that a release must have passed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Check {
    pub id: String,
    pub release: String,
    pub label: String,
    pub severity: Option<Severity>,
    pub status: String,
    pub due_date: Option<String>,
    pub owner: Option<String>,
    pub source_entity: Option<String>,
    pub url: Option<String>,
}

/// What was decided on taking a release back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RollbackDecision {
    pub id: String,
    pub release: String,
    pub status: String,
    pub reason: Option<String>,
    pub due_date: Option<String>,
    pub rollback_plan: Option<String>,
    pub execution_state: Option<String>,
    pub decided_at: Option<String>,
    pub owner: Option<String>,
}

/// A story for a release that has a certification, with its tasks: what a work package leaves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Story {
    pub number: i64,
    pub release: String,
    pub title: String,
    pub owner: String,
    pub status: String,
    pub created: String,
    #[serde(default)]
    pub tasks: Vec<Task>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    pub number: i64,
    pub title: String,
    pub owner: String,
    pub status: String,
    pub severity: Option<Severity>,
    pub reference: Option<String>,
}

/// A team's sprint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Sprint {
    pub id: String,
    pub name: String,
    pub team: String,
    pub status: String,
    pub start_date: String,
    pub end_date: String,
    /// Points by user.
    #[serde(default)]
    pub capacity: BTreeMap<String, f64>,
}

/// A work item of any kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Item {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: WorkKind,
    pub title: String,
    pub status: String,
    pub description: Option<String>,
    pub owner: Option<String>,
    pub severity: Option<Severity>,
    pub due_date: Option<String>,
    /// In points.
    pub effort: Option<f64>,
    pub team: Option<String>,
    pub assignee: Option<String>,
    pub sprint: Option<String>,
    pub release: Option<String>,
    pub parent: Option<String>,
    #[serde(default)]
    pub references: Vec<String>,
    pub created: Option<String>,
    pub version: Option<i64>,
}

/// What a work item is.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WorkKind {
    Story,
    Task,
    Issue,
    Feature,
}

impl WorkKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Task => "task",
            Self::Issue => "issue",
            Self::Feature => "feature",
        }
    }
}

/// A change request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Change {
    pub id: String,
    pub title: String,
    pub status: String,
    pub application: Option<String>,
    pub service: Option<String>,
    pub starts_at: Option<String>,
    pub ends_at: Option<String>,
    pub release: Option<String>,
    pub risk: Option<String>,
    pub owner: Option<String>,
}

/// An incident.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Incident {
    pub id: String,
    pub title: String,
    pub status: String,
    pub impact: Option<String>,
    pub opened_at: String,
    pub resolved_at: Option<String>,
    pub application: Option<String>,
    pub service: Option<String>,
    pub team: Option<String>,
    pub owner: Option<String>,
    #[serde(default)]
    pub releases: Vec<String>,
    #[serde(default)]
    pub changes: Vec<String>,
    pub url: Option<String>,
    pub version: Option<i64>,
}

/// A metric with its points.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metric {
    pub id: String,
    pub name: String,
    pub unit: Option<String>,
    /// Which way is good: `higher` or `lower`.
    pub better: Option<String>,
    pub team: Option<String>,
    /// Values by date or instant.
    #[serde(default)]
    pub points: BTreeMap<String, f64>,
}

/// A dashboard with its charts, in their order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dashboard {
    pub id: String,
    pub name: String,
    pub summary: Option<String>,
    #[serde(default)]
    pub charts: Vec<Chart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chart {
    pub id: String,
    pub title: String,
    /// `line`, `bar` or `table`; another word is kept as it is.
    pub kind: String,
    pub metrics: Vec<String>,
}
