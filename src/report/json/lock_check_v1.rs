//! `loopgate.lock-check/1`: a server's part of the tool lock, and what differs.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::core::difference::Difference;
use crate::report::lock_view::{LockDone, LockView};

/// A server's part of the tool lock, and the changes to what the server offers now.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.lock-check/1")]
struct LockCheckV1<'a> {
    /// Always `loopgate.lock-check/1`.
    format: &'static str,
    /// What the settings call the server.
    server: &'a str,
    /// What approvals call it.
    identity: &'a str,
    /// The lock's file.
    lock: &'a str,
    /// `checked` or `written`.
    done: &'static str,
    /// Which credential the list was taken with: `read`, `dry_run` or `write`.
    role: String,
    /// How many tools the lock has of the server.
    tools: usize,
    /// Whether the check fails.
    fails: bool,
    /// What differs, what fails first.
    changes: Vec<ChangeV1<'a>>,
}

/// A change.
#[derive(Serialize, JsonSchema)]
struct ChangeV1<'a> {
    /// `server-moved`, `tool-missing`, `schema-changed`, `annotation-changed`, `class-changed`, `tool-new`,
    /// `wording-changed` or `version-changed`.
    code: &'static str,
    /// The tool, if it is about one.
    tool: Option<&'a str>,
    /// Whether the tool is used.
    used: bool,
    /// Whether it fails the check.
    fails: bool,
    /// In a sentence.
    message: String,
    /// The line in the lock, from 1.
    line: Option<usize>,
    /// The column in characters, from 1.
    column: Option<usize>,
    /// Where it differs.
    places: Vec<PlaceV1<'a>>,
}

/// A place that differs.
#[derive(Serialize, JsonSchema)]
struct PlaceV1<'a> {
    /// JSON pointer into the entry.
    at: &'a str,
    /// What the lock has there; left out where it has nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<&'a Value>,
    /// What the server says now; left out where it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<&'a Value>,
}

/// The lock as `loopgate.lock-check/1`.
#[must_use]
pub fn lock_json(view: &LockView<'_>) -> Value {
    let changes = view.changes.iter().map(|change| {
        let place = view.place(change);
        let places = change.places.iter().map(|Difference { at, one, other }| PlaceV1 {
            at,
            locked: one.as_ref(),
            live: other.as_ref(),
        });
        ChangeV1 {
            code: change.code.as_str(),
            tool: change.tool.as_deref(),
            used: change.used,
            fails: change.fails,
            message: change.to_string(),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            places: places.collect(),
        }
    });
    json!(LockCheckV1 {
        format: "loopgate.lock-check/1",
        server: view.server,
        identity: &view.locked.identity,
        lock: view.file,
        done: match view.done {
            LockDone::Checked => "checked",
            LockDone::Written => "written",
        },
        role: view.locked.role.to_string(),
        tools: view.locked.tools.len(),
        fails: view.fails(),
        changes: changes.collect(),
    })
}

/// The JSON Schema of `loopgate.lock-check/1`.
#[must_use]
pub fn lock_schema() -> Value {
    schema_for!(LockCheckV1<'_>).to_value()
}
