//! The parts of a SARIF 2.1.0 file that count; everything else in it is passed over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The version alone, read first, because other versions have other shapes.
#[derive(Deserialize)]
pub(super) struct Header {
    pub version: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Log {
    pub runs: Vec<Run>,
}

#[derive(Deserialize)]
pub(super) struct Run {
    pub tool: Tool,
    pub results: Option<Vec<Outcome>>,
    pub invocations: Option<Vec<Invocation>>,
}

#[derive(Deserialize)]
pub(super) struct Tool {
    pub driver: Component,
    pub extensions: Option<Vec<Component>>,
}

#[derive(Deserialize)]
pub(super) struct Component {
    pub name: String,
    pub rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    pub id: String,
    pub default_configuration: Option<Configuration>,
    pub help_uri: Option<String>,
    pub properties: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
pub(super) struct Configuration {
    pub level: Option<Level>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation {
    pub execution_successful: bool,
    pub end_time_utc: Option<Timestamp>,
    pub tool_execution_notifications: Option<Vec<Notification>>,
    pub tool_configuration_notifications: Option<Vec<Notification>>,
}

#[derive(Deserialize)]
pub(super) struct Notification {
    pub level: Option<Level>,
}

/// A result; named so because `Result` is taken.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    pub rule_id: Option<String>,
    pub rule_index: Option<i64>,
    pub rule: Option<RuleReference>,
    pub kind: Option<Kind>,
    pub level: Option<Level>,
    pub message: Option<Message>,
    pub locations: Option<Vec<Location>>,
    pub fingerprints: Option<BTreeMap<String, String>>,
    pub partial_fingerprints: Option<BTreeMap<String, String>>,
    pub suppressions: Option<Vec<Suppression>>,
    pub baseline_state: Option<BaselineState>,
    pub provenance: Option<Provenance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provenance {
    pub first_detection_time_utc: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleReference {
    pub id: Option<String>,
    pub index: Option<i64>,
    pub tool_component: Option<ComponentReference>,
}

#[derive(Deserialize)]
pub(super) struct ComponentReference {
    pub index: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Kind {
    NotApplicable,
    Pass,
    Fail,
    Review,
    Open,
    Informational,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    None,
    Note,
    Warning,
    Error,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BaselineState {
    New,
    Unchanged,
    Updated,
    Absent,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub text: Option<String>,
    pub markdown: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location {
    pub physical_location: Option<PhysicalLocation>,
    pub logical_locations: Option<Vec<LogicalLocation>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation {
    pub artifact_location: Option<ArtifactLocation>,
    pub region: Option<Region>,
}

#[derive(Deserialize)]
pub(super) struct ArtifactLocation {
    pub uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    pub start_line: Option<i64>,
    pub start_column: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogicalLocation {
    pub fully_qualified_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Suppression {
    pub status: Option<SuppressionStatus>,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum SuppressionStatus {
    Accepted,
    UnderReview,
    Rejected,
}
