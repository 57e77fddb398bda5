//! `loopgate.profile-summary/1`: a profile, and beside a server what its tools are to it.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::catalog::{Profile, ToolClass};
use crate::engine::Surveyed;
use crate::report::profile_told::ToldProfile;

/// A profile, and what a server is to it.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.profile-summary/1")]
struct ProfileSummaryV1<'a> {
    /// Always `loopgate.profile-summary/1`.
    format: &'static str,
    /// All that the profile says, as `schema profile` has it.
    profile: Value,
    /// The server that was asked, if one was.
    server: Option<ServerV1<'a>>,
    /// The server's tools, by name.
    tools: Vec<ToolV1<'a>>,
}

/// What a server said of itself.
#[derive(Serialize, JsonSchema)]
struct ServerV1<'a> {
    /// Its name.
    name: &'a str,
    /// Its version.
    version: &'a str,
    /// The revision of the protocol that was spoken.
    protocol: &'a str,
}

/// A tool.
#[derive(Serialize, JsonSchema)]
struct ToolV1<'a> {
    /// Its name.
    name: &'a str,
    /// `read` or `write`: what it is for us.
    class: String,
    /// Why it has that class.
    why: String,
    /// The operations that call it.
    operations: Vec<&'a str>,
    /// Whether the server says that it only reads; that alone makes it no read.
    hints_read_only: bool,
}

/// The profile as `loopgate.profile-summary/1`.
#[must_use]
pub fn profile_json(profile: &Profile, surveyed: Option<&Surveyed>) -> Value {
    let told = ToldProfile::new(profile, surveyed);
    let tools = surveyed.iter().flat_map(|surveyed| {
        surveyed.tools.iter().filter_map(|tool| Some((tool, surveyed.classes.get(&tool.name)?)))
    });
    let tools = tools.map(|(tool, class): (_, &ToolClass)| {
        let named = told.operations.iter().filter(|named| named.operation.tool == tool.name);
        ToolV1 {
            name: &tool.name,
            class: class.class.to_string(),
            why: class.why.to_string(),
            operations: named.map(|named| named.name).collect(),
            hints_read_only: tool.hints_read_only(),
        }
    });
    json!(ProfileSummaryV1 {
        format: "loopgate.profile-summary/1",
        profile: json!(profile),
        server: surveyed.map(|Surveyed { server, .. }| ServerV1 {
            name: &server.name,
            version: &server.version,
            protocol: &server.revision,
        }),
        tools: tools.collect(),
    })
}

/// The JSON Schema of `loopgate.profile-summary/1`.
#[must_use]
pub fn profile_schema() -> Value {
    schema_for!(ProfileSummaryV1<'_>).to_value()
}
