//! The plan that this module's tests change.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::v1::{
    Contract, Expectation, Gate, Idempotency, Operation, PlannedBy, Precondition, Profile, Recipe, Reconcile,
    Server, TenantKnownBy,
};
use super::{Artifact, Key, Plan};
use crate::core::{Class, Digest};

pub fn artifact() -> Artifact {
    static ARTIFACT: LazyLock<Artifact> = LazyLock::new(|| Artifact::build(plan()).unwrap());
    ARTIFACT.clone()
}

pub fn members(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// Two operations: a work package with everything that an operation can have, and a write that can neither be
/// repeated nor tried.
pub fn plan() -> Plan {
    Plan {
        server: Server {
            identity: "sandbox".into(),
            name: "LoopIQ sandbox".into(),
            version: "0.1.0".into(),
            protocol: "2025-11-25".into(),
        },
        tenant: Some("acme".into()),
        tenant_known_by: TenantKnownBy::Tool,
        profile: Profile { name: "loopiq".into(), digest: Digest::of_bytes(b"profile") },
        contract: Some(Contract { digest: Digest::of_bytes(b"contract") }),
        recipe: Recipe {
            name: "remediation-plan".into(),
            digest: Digest::of_bytes(b"recipe"),
            inputs: members(json!({"release": "REL-BLOCKED", "owner": "platform"})),
        },
        occurrence: NonZeroU32::MIN,
        planned_by: PlannedBy { version: "loopgate 0.1.0".into(), who: None, pipeline: None },
        operations: vec![work_package(), note()],
        preconditions: vec![graph(), certification()],
        gates: vec![Gate {
            id: "visible".into(),
            holds: true,
            advisory: false,
            says: "12 nodes are visible".into(),
        }],
        summary: "2 operations: work_package, append_note".into(),
        not_proven: vec!["note: no dry run, the tool has none".into()],
    }
}

fn work_package() -> Operation {
    let slots = json!([
        {"holds": "dry_run", "at": "/dryRun", "dry": true, "real": false},
        {"holds": "approval_id", "at": "/approvalId"},
        {"holds": "idempotency_key", "at": "/idempotencyKey"},
    ]);
    let created = json!({
        "ids": {"parent": "/parentStory/id", "children": {"at": "/childTasks", "each": {"id": "/id"}}},
        "lookup": {
            "tool": "loopiq_search_work",
            "arguments": {},
            "ids_at": "/ids",
            "found": {"at": "/items", "each": {"id": "/id"}},
        },
    });
    Operation {
        id: "package".into(),
        operation: "work_package".into(),
        tool: "loopiq_create_remediation_work_package".into(),
        class: Class::Write,
        tool_digest: Digest::of_bytes(b"work package"),
        arguments: members(json!({
            "releaseId": "REL-BLOCKED",
            "certificationId": "CERT-1",
            "parent": {"title": "Unblock REL-BLOCKED", "owner": "platform", "points": 2.5},
            "children": [{"title": "Fix \u{202e}SQL injection\u{1b}[31m", "owner": "web", "evidence": "NODE-7"}],
        })),
        slots: serde_json::from_value(slots).unwrap(),
        idempotency: Idempotency::Key,
        key_retention: Some(SignedDuration::from_hours(24)),
        idempotency_key: Key::of("", None, "", &Map::new(), &[], 1).unwrap(),
        one_transaction: true,
        reason: "1 finding blocks REL-BLOCKED".into(),
        server_validated: true,
        server_validated_why: "the server confirmed a dry run".into(),
        created: serde_json::from_value(created).unwrap(),
        dry_run_confirmed: vec![Expectation { at: "/dryRun".parse().unwrap(), equals: json!(true) }],
        reconcile: None,
    }
}

fn note() -> Operation {
    Operation {
        id: "note".into(),
        operation: "append_note".into(),
        tool: "append_note".into(),
        class: Class::Write,
        tool_digest: Digest::of_bytes(b"note"),
        arguments: members(json!({"text": "planned"})),
        slots: Vec::new(),
        idempotency: Idempotency::None,
        key_retention: None,
        idempotency_key: Key::of("", None, "", &Map::new(), &[], 1).unwrap(),
        one_transaction: false,
        reason: "people look here".into(),
        server_validated: false,
        server_validated_why: "the tool has no dry run".into(),
        created: None,
        dry_run_confirmed: Vec::new(),
        reconcile: Some(Reconcile {
            tool: "read_notes".into(),
            arguments: members(json!({"last": 1})),
            found: vec![Expectation { at: "/notes/0/text".parse().unwrap(), equals: json!("planned") }],
        }),
    }
}

fn graph() -> Precondition {
    let fields = json!({"nodes": {"at": "/graph/nodes", "each": {"id": "/id", "state": "/status"}}});
    Precondition {
        step: "evidence.graph".into(),
        tool: "loopiq_get_release_certification_evidence_graph".into(),
        arguments: members(json!({"certificationId": "CERT-1"})),
        pages: None,
        fields: serde_json::from_value(fields).unwrap(),
        values: members(json!({"nodes": [{"id": "NODE-7", "state": "open"}]})),
    }
}

fn certification() -> Precondition {
    Precondition {
        step: "certification".into(),
        tool: "loopiq_get_release_certification".into(),
        arguments: members(json!({"releaseId": "REL-BLOCKED"})),
        pages: None,
        fields: serde_json::from_value(json!({"id": "/certification/id"})).unwrap(),
        values: members(json!({"id": "CERT-1"})),
    }
}

/// The pointers of all values that are neither an object nor a list with something in it, in order.
pub fn leaves(value: &Value) -> Vec<String> {
    let below = |token: &str, value| {
        let token = crate::core::pointer::escape(token).into_owned();
        leaves(value).into_iter().map(move |rest| format!("/{token}{rest}"))
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().flat_map(|(name, member)| below(name, member)).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().flat_map(|(place, item)| below(&place.to_string(), item)).collect()
        }
        _ => vec![String::new()],
    }
}

/// The file of `document`, its file digest made right.
pub fn sealed(mut document: Value) -> Vec<u8> {
    let digest = super::build::file_digest(document.clone()).unwrap();
    document["file_digest"] = json!(digest);
    serde_json::to_vec(&document).unwrap()
}

/// What was edited, and how.
pub type Edit = (&'static str, fn(&mut Plan));

/// One edit for each thing that an approval names.
pub const DECIDING: &[Edit] = &[
    ("server", |p| p.server.identity = "https://ai.example/mcp".into()),
    ("tenant", |p| p.tenant = Some("globex".into())),
    ("no tenant", |p| p.tenant = None),
    ("recipe name", |p| p.recipe.name = "other".into()),
    ("input", |p| p.recipe.inputs["owner"] = json!("web")),
    ("occurrence", |p| p.occurrence = NonZeroU32::new(2).unwrap()),
    ("order", |p| p.operations.reverse()),
    ("fewer operations", |p| p.operations.truncate(1)),
    ("tool", |p| p.operations[1].tool = "other".into()),
    ("tool digest", |p| p.operations[1].tool_digest = Digest::of_bytes(b"other")),
    ("argument", |p| p.operations[0].arguments["parent"]["owner"] = json!("web")),
    ("argument's type", |p| p.operations[0].arguments["parent"]["points"] = json!("2.5")),
    ("slots", |p| drop(p.operations[0].slots.remove(1))),
    ("idempotency", |p| p.operations[1].idempotency = Idempotency::Natural),
    ("retention", |p| p.operations[0].key_retention = None),
    ("transaction", |p| p.operations[0].one_transaction = false),
    ("server_validated", |p| p.operations[0].server_validated = false),
    ("created", |p| p.operations[0].created.as_mut().unwrap().lookup = None),
    ("dry_run_confirmed", |p| p.operations[0].dry_run_confirmed[0].equals = json!("yes")),
    ("reconcile", |p| p.operations[1].reconcile = None),
    ("found", |p| p.operations[1].reconcile.as_mut().unwrap().found[0].equals = json!("other")),
    ("fewer preconditions", |p| p.preconditions.truncate(1)),
    ("read tool", |p| p.preconditions[0].tool = "other".into()),
    ("read argument", |p| p.preconditions[0].arguments["certificationId"] = json!("CERT-2")),
    ("read fields", |p| p.preconditions[0].fields.clear()),
    ("read value", |p| p.preconditions[0].values["nodes"][0]["state"] = json!("closed")),
    ("precondition twice", |p| p.preconditions.push(p.preconditions[0].clone())),
];

/// One edit for each thing that an approval does not depend on.
pub const DECIDING_NOTHING: &[Edit] = &[
    ("server's name", |p| p.server.name = "other".into()),
    ("server's version", |p| p.server.version = "9".into()),
    ("protocol", |p| p.server.protocol = "2026-07-28".into()),
    ("tenant known by", |p| p.tenant_known_by = TenantKnownBy::Claim),
    ("profile", |p| p.profile.digest = Digest::of_bytes(b"other")),
    ("contract", |p| p.contract = None),
    ("recipe text", |p| p.recipe.digest = Digest::of_bytes(b"other")),
    ("program", |p| p.planned_by.version = "loopgate 9.9.9".into()),
    ("names", |p| p.operations[0].id = "other".into()),
    ("operation's name", |p| p.operations[0].operation = "other".into()),
    ("reason", |p| p.operations[0].reason = "other".into()),
    ("why validated", |p| p.operations[0].server_validated_why = "other".into()),
    ("step", |p| p.preconditions[0].step = "other".into()),
    ("order of reads", |p| p.preconditions.reverse()),
    ("gates and words", |p| {
        p.gates.clear();
        p.summary.clear();
        p.not_proven.clear();
    }),
];
