//! `loopgate.doctor/1`: what an examination of a server came to.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::report::doctor_view::DoctorView;

/// An examination of a server.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.doctor/1")]
struct DoctorV1<'a> {
    /// Always `loopgate.doctor/1`.
    format: &'static str,
    /// What the settings call the server.
    server: &'a str,
    /// What approvals call it.
    identity: &'a str,
    /// Whether it is the embedded sandbox.
    sandbox: bool,
    /// What it calls itself; empty where it was not reached.
    name: &'a str,
    /// Its version; empty where it was not reached.
    version: &'a str,
    /// The revision of the protocol that was spoken; empty where it was not reached.
    protocol: &'a str,
    /// The tenant; null where there is none.
    tenant: Option<&'a str>,
    /// How the tenant is known: `claim`, `tool`, `asserted` or `none`.
    tenant_known_by: &'static str,
    /// `passed`, `failed`, `undecided`, `outcome unknown`, or the word of what ended it before its end.
    verdict: &'static str,
    /// Why, in sentences.
    reasons: Vec<String>,
    /// When it began.
    began: String,
    /// When it ended.
    ended: String,
    /// Every check, made or not.
    checks: Vec<CheckV1<'a>>,
    /// What it left at the server.
    left: Vec<LeftV1<'a>>,
    /// By what its records can be told from all others; null where it left none or nothing tells them.
    mark: Option<&'a str>,
}

/// A check.
#[derive(Serialize, JsonSchema)]
struct CheckV1<'a> {
    /// Its name, the same from one run to the next.
    id: &'static str,
    /// Its number among the ten checks before production; null where it is none of them.
    number: Option<usize>,
    /// What it asks of a server.
    asks: &'static str,
    /// `passed`, `failed`, `undecided` or `not-checked`.
    outcome: &'static str,
    /// What was seen, or why nothing was looked at.
    saw: &'a str,
    /// What should be looked at although it passed; null where there is nothing.
    warning: Option<&'a str>,
    /// What was called, in order.
    called: Vec<CalledV1<'a>>,
    /// What it could not tell.
    untold: &'a [String],
}

/// A call.
#[derive(Serialize, JsonSchema)]
struct CalledV1<'a> {
    /// The tool, or the protocol's method.
    what: &'a str,
    /// The request ID that went with it; null where none did.
    request_id: Option<&'a str>,
    /// What came of it, in words.
    came: &'a str,
}

/// Something that was left.
#[derive(Serialize, JsonSchema)]
struct LeftV1<'a> {
    /// What.
    what: &'a str,
    /// The server's IDs; empty where nobody names them.
    ids: &'a [String],
}

/// The examination as `loopgate.doctor/1`.
#[must_use]
pub fn doctor_json(view: &DoctorView<'_>) -> Value {
    let examined = view.examined;
    let target = &examined.target;
    let checks = examined.checks.iter().map(|check| CheckV1 {
        id: check.check.as_str(),
        number: check.check.number(),
        asks: check.check.asks(),
        outcome: check.outcome.as_str(),
        saw: &check.saw,
        warning: check.warning.as_deref(),
        called: check
            .called
            .iter()
            .map(|called| CalledV1 {
                what: &called.what,
                request_id: called.request_id.as_deref(),
                came: &called.came,
            })
            .collect(),
        untold: &check.untold,
    });
    json!(DoctorV1 {
        format: "loopgate.doctor/1",
        server: view.server,
        identity: &target.identity,
        sandbox: target.sandbox,
        name: &target.name,
        version: &target.version,
        protocol: &target.protocol,
        tenant: target.tenant.as_deref(),
        tenant_known_by: target.tenant_known_by.as_str(),
        verdict: view.verdict().1,
        reasons: view.reasons(),
        began: examined.began.to_string(),
        ended: examined.ended.to_string(),
        checks: checks.collect(),
        left: examined.left.iter().map(|left| LeftV1 { what: &left.what, ids: &left.ids }).collect(),
        mark: examined.mark.as_deref(),
    })
}

/// The JSON Schema of `loopgate.doctor/1`.
#[must_use]
pub fn doctor_schema() -> Value {
    schema_for!(DoctorV1<'_>).to_value()
}
