//! Runs and plans that this module's tests show.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub use super::sample_effect::{applied, event, facts, filed, hostile_states, record_id, unknown, verdict};
use super::written::{RunOutputs, Written, WrittenKind};
use crate::artifact::v1::{
    Gate, Operation, PlannedBy, Precondition, Profile, Recipe, Server, Slot, TenantKnownBy as Known,
};
use crate::artifact::{Artifact, Key, Plan};
use crate::core::Digest;
use crate::engine::{
    CallFact, Conclusion, Emitted, GateFact, InputFact, RecipeFact, RunResult, Signal, StepResult,
    StepStatus, StepValue, TargetFact, TenantKnownBy,
};

pub const HOSTILE: &str = "a\u{1b}[31m\u{202e}\n# b `c` <img> @team";

fn members(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// A time, `second` after the first of all.
pub fn time(second: i64) -> Timestamp {
    seconds(second, 0)
}

fn seconds(second: i64, millis: i32) -> Timestamp {
    Timestamp::new(1_700_000_000 + second, millis * 1_000_000).unwrap()
}

pub fn step(id: &str, kind: &'static str, subject: &str, status: StepStatus) -> StepResult {
    let call = CallFact {
        tool: "loopiq_get".into(),
        request_id: "00000000-0000-4000-8000-000000000001".into(),
        payload: Digest::of_bytes(b"sent"),
        started: seconds(0, 5),
        took: Duration::from_millis(4),
        outcome: "answered".into(),
        retry_after: None,
    };
    let calls = if kind == "read" && status != StepStatus::NotRun { vec![call] } else { Vec::new() };
    StepResult {
        id: id.into(),
        kind,
        subject: subject.into(),
        line: Some(7),
        status,
        notes: Vec::new(),
        calls,
        took: Duration::from_millis(4),
    }
}

fn gate(says: &str, advisory: bool) -> GateFact {
    GateFact { says: says.into(), advisory }
}

pub fn run(recipe: &str, release: &str, conclusion: Conclusion, steps: Vec<StepResult>) -> RunResult {
    RunResult {
        id: serde_json::from_value(json!("01890000-0000-7000-8000-000000000001")).unwrap(),
        started: seconds(0, 0),
        ended: seconds(1, 250),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        recipe: RecipeFact {
            name: recipe.into(),
            source: recipe.into(),
            digest: Digest::of_bytes(b"recipe"),
            writes: recipe == "remediation-plan",
            found_out: Vec::new(),
        },
        inputs: vec![
            InputFact { name: "release".into(), value: json!(release), origin: "flag".into() },
            InputFact { name: "owner".into(), value: json!("platform"), origin: "default".into() },
        ],
        target: TargetFact {
            identity: "sandbox".into(),
            name: "LoopIQ sandbox".into(),
            version: "0.1.0".into(),
            protocol: "2025-11-25".into(),
            sandbox: true,
            tenant: Some("acme".into()),
            tenant_known_by: TenantKnownBy::Tool,
            contract: None,
        },
        profile: Profile { name: "loopiq".into(), digest: Digest::of_bytes(b"profile") },
        steps,
        evidence: None,
        briefs: Vec::new(),
        emitted: Vec::new(),
        artifact: None,
        not_proven: Vec::new(),
        applied_before: Vec::new(),
        replay: None,
        conclusion,
    }
}

fn gathered() -> Vec<StepResult> {
    let mut findings = step("evidence.findings", "analyze", "evidence", StepStatus::Done);
    findings.notes = vec!["12 findings: 4 failed controls, 5 gaps, 3 provider blockers".into()];
    vec![
        step("evidence", "include", "evidence-graph", StepStatus::Done),
        step("evidence.certification", "read", "certification", StepStatus::Done),
        step("evidence.graph", "read", "evidence_graph", StepStatus::Done),
        findings,
    ]
}

fn emitted() -> Vec<Emitted> {
    let file = |name: &str, step: &str| Emitted { name: name.into(), step: step.into(), bytes: vec![] };
    vec![file("evidence-graph.json", "evidence.graph"), file("findings.json", "evidence.findings")]
}

/// A run that is blocked, with the evidence that says why; `text` stands wherever a stranger's words can.
pub fn evident(text: &str) -> RunResult {
    let node = |id: &str, kind: &str, state: &str| {
        json!({
            "id": id, "kind": kind, "title": text, "state": state, "severity": "high", "owner": text,
            "provider": text, "due": text, "required": true,
        })
    };
    let graph = json!({
        "certification": "CERT-1",
        "nodes": [
            node("CTL-1", "control", "fail"), node("CTL-2", "control", "pass"),
            node("EVD-1", "evidence", "missing"), node(&format!("BLK {text}"), "provider_blocker", "fail"),
        ],
        "edges": [{"from": "EVD-1", "to": "CTL-2", "kind": "supports"}],
    });
    let mut run = blocked();
    run.emitted = vec![Emitted {
        name: "evidence-graph.json".into(),
        step: "evidence.graph".into(),
        bytes: format!("{graph:#}\n").into_bytes(),
    }];
    run.evidence = Some(StepValue { step: "evidence.graph".into(), value: graph.into() });
    run.recipe.source = "recipes/certify.yaml".into();
    run
}

pub fn blocked() -> RunResult {
    let says = "The certification of REL-BLOCKED is blocked";
    let mut steps = gathered();
    steps.push(step("certified", "gate", "gate", StepStatus::DoesNotHold(gate(says, false))));
    steps.push(step("evident", "gate", "gate", StepStatus::NotRun));
    let run = run("certify-release", "REL-BLOCKED", Conclusion::GateFails(says.into()), steps);
    RunResult { emitted: emitted(), ..run }
}

pub fn undecided() -> RunResult {
    let why = "the evidence graph is empty: nothing is visible to this caller, or there is none";
    let mut steps = gathered();
    steps.truncate(3);
    let undecided = StepStatus::Undecided(vec![why.into()]);
    steps.push(step("evidence.findings", "analyze", "evidence", undecided));
    steps.push(step("certified", "gate", "gate", StepStatus::NotRun));
    let reasons = vec![why.into(), "`evidence.certification.state` is the unknown word `mauve`".into()];
    run("certify-release", "REL-EMPTY", Conclusion::Undecided(reasons), steps)
}

pub fn done() -> RunResult {
    let mut steps = gathered();
    steps.push(step("certified", "gate", "gate", StepStatus::Holds(gate("it is certified", false))));
    let run = run("certify-release", "REL-READY", Conclusion::Done, steps);
    RunResult { emitted: emitted(), ..run }
}

pub fn planned() -> RunResult {
    let mut steps = gathered();
    let says = "The certification of REL-BLOCKED is blocked";
    steps.push(step("certified", "gate", "gate", StepStatus::DoesNotHold(gate(says, true))));
    let unproven = "whether open work already covers a finding";
    steps.push(step("open_work", "read", "open_work", StepStatus::Unavailable(unproven.into())));
    steps.push(step("package", "write", "work_package", StepStatus::Proposed));
    RunResult {
        emitted: emitted(),
        artifact: Some(artifact()),
        not_proven: vec![unproven.into()],
        applied_before: Vec::new(),
        replay: None,
        ..run("remediation-plan", "REL-BLOCKED", Conclusion::ChangesPlanned, steps)
    }
}

pub fn nothing_to_do() -> RunResult {
    let mut steps = gathered();
    let skipped = StepStatus::Skipped("`work.proposed | length > 0` is false".into());
    steps.push(step("package", "write", "work_package", skipped));
    let artifact =
        Artifact::build(Plan { operations: Vec::new(), summary: "nothing to do".into(), ..plan() });
    RunResult {
        artifact: Some(artifact.unwrap()),
        ..run("remediation-plan", "REL-READY", Conclusion::NothingToDo, steps)
    }
}

pub fn unreachable() -> RunResult {
    let steps = ["certification", "graph", "findings"];
    let steps = steps.map(|id| step(id, "read", id, StepStatus::NotRun));
    let why = Conclusion::Unreachable("the server `loopiq` ended before it answered: exit status 127".into());
    let mut run = run("evidence-graph", "REL-1", why, steps.to_vec());
    run.target.identity = "loopiq".into();
    run.target.sandbox = false;
    run.target.tenant_known_by = TenantKnownBy::Asserted;
    run
}

pub fn hostile() -> RunResult {
    let mut one = step(HOSTILE, "gate", HOSTILE, StepStatus::Undecided(vec![HOSTILE.into()]));
    one.notes = vec![HOSTILE.into()];
    let mut run = run(
        HOSTILE,
        HOSTILE,
        Conclusion::Undecided(vec![HOSTILE.into()]),
        vec![
            one,
            step("東京の証拠", "read", "証拠グラフ", StepStatus::Done),
            step("failed", "read", HOSTILE, StepStatus::Failed(HOSTILE.into())),
        ],
    );
    run.target.tenant = Some(HOSTILE.into());
    run.target.identity = HOSTILE.into();
    run.not_proven = vec![HOSTILE.into()];
    run.emitted = vec![Emitted { name: HOSTILE.into(), step: "failed".into(), bytes: vec![] }];
    run.artifact = Some(hostile_artifact());
    run
}

pub fn every_run() -> Vec<RunResult> {
    let interrupted = Conclusion::Interrupted(Signal::Terminate);
    vec![
        blocked(),
        undecided(),
        done(),
        planned(),
        nothing_to_do(),
        unreachable(),
        hostile(),
        run("a", "b", interrupted, Vec::new()),
    ]
}

pub fn outputs() -> RunOutputs {
    RunOutputs {
        written: vec![
            Written::new(WrittenKind::Artifact, "loopgate-out/artifact.json", b"{}"),
            Written::new(WrittenKind::Emitted, "loopgate-out/evidence-graph.json", b"[]"),
        ],
        server: Some("sandbox".into()),
    }
}

pub fn artifact() -> Artifact {
    Artifact::build(plan()).unwrap()
}

pub fn hostile_artifact() -> Artifact {
    let mut plan = plan();
    plan.summary = HOSTILE.into();
    plan.not_proven = vec![HOSTILE.into()];
    plan.tenant = Some(HOSTILE.into());
    plan.server.name = HOSTILE.into();
    plan.recipe.inputs = members(json!({HOSTILE: HOSTILE}));
    plan.gates[0].says = HOSTILE.into();
    plan.preconditions[0].step = HOSTILE.into();
    plan.preconditions[0].fields = serde_json::from_value(json!({HOSTILE: "/a"})).unwrap();
    plan.preconditions[0].values = members(json!({HOSTILE: HOSTILE}));
    let operation = &mut plan.operations[0];
    operation.id = HOSTILE.into();
    operation.reason = HOSTILE.into();
    operation.server_validated_why = HOSTILE.into();
    operation.arguments = members(json!({"parent": {"title": HOSTILE, HOSTILE: HOSTILE}, "fence": "````"}));
    Artifact::build(plan).unwrap()
}

/// LoopIQ's work package with twelve children.
pub fn plan() -> Plan {
    let package = crate::catalog::Profile::loopiq().unwrap().operation("work_package").unwrap().clone();
    let children: Vec<Value> = (1..=12)
        .map(|number| json!({"title": format!("Fix finding {number}"), "owner": "web", "reference": format!("F-{number}")}))
        .collect();
    Plan {
        server: Server {
            identity: "sandbox".into(),
            name: "LoopIQ sandbox".into(),
            version: "0.1.0".into(),
            protocol: "2025-11-25".into(),
        },
        tenant: Some("acme".into()),
        tenant_known_by: Known::Tool,
        profile: Profile { name: "loopiq".into(), digest: Digest::of_bytes(b"profile") },
        contract: None,
        recipe: Recipe {
            name: "remediation-plan".into(),
            digest: Digest::of_bytes(b"recipe"),
            inputs: members(json!({"owner": "platform", "release": "REL-BLOCKED"})),
        },
        occurrence: NonZeroU32::MIN,
        planned_by: PlannedBy { version: "loopgate 0.1.0".into(), who: None, pipeline: None },
        operations: vec![Operation {
            id: "package".into(),
            operation: "work_package".into(),
            tool: package.tool.clone(),
            class: package.class,
            tool_digest: Digest::of_bytes(b"tool"),
            arguments: members(json!({
                "releaseId": "REL-BLOCKED",
                "parent": {"title": "Unblock REL-BLOCKED", "owner": "platform"},
                "children": children,
            })),
            slots: Slot::of(&package.control),
            idempotency: package.idempotency.into(),
            key_retention: package.key_retention,
            idempotency_key: Key::of("", None, "", &Map::new(), &[], 1).unwrap(),
            one_transaction: package.one_transaction,
            reason: "12 findings block REL-BLOCKED".into(),
            server_validated: true,
            server_validated_why: "the server says that it was a dry run".into(),
            created: serde_json::from_value(json!({
                "ids": {"parent": "/parentStory/id", "children": {"at": "/tasks", "each": {"id": "/id"}}},
                "lookup": {
                    "tool": "loopiq_search_work",
                    "arguments": {"limit": 50},
                    "ids_at": "/ids",
                    "found": {"at": "/items", "each": {"id": "/id"}},
                },
            }))
            .unwrap(),
            dry_run_confirmed: package.dry_run_confirmed.iter().cloned().map(Into::into).collect(),
            reconcile: None,
        }],
        preconditions: vec![Precondition {
            step: "evidence.certification".into(),
            tool: "loopiq_get_release_certification".into(),
            arguments: members(json!({"releaseId": "REL-BLOCKED"})),
            pages: None,
            fields: serde_json::from_value(
                json!({"state": "/certification/status", "team": "/certification/team"}),
            )
            .unwrap(),
            values: members(json!({"state": "blocked", "team": "payments"})),
        }],
        gates: vec![Gate {
            id: "certified".into(),
            holds: false,
            advisory: true,
            says: "The certification of REL-BLOCKED is blocked".into(),
        }],
        summary: "1 operation: one parent story with 12 child tasks".into(),
        not_proven: vec!["whether open work already covers a finding".into()],
    }
}

/// A recipe with a step of every kind but `include`.
pub fn recipe() -> (crate::recipe::Recipe, std::sync::Arc<crate::catalog::Profile>) {
    let profile = crate::catalog::Profile::loopiq().unwrap();
    let text = r#"
recipe: sample
summary: Draft the work package that unblocks a release.
profile: loopiq
inputs:
  release: { type: string, required: true, help: Release to remediate }
  owner: { type: string, default: platform, help: Team that owns the parent story }
steps:
  - id: certification
    read: certification
    with: { release: "{{ inputs.release }}" }
  - id: graph
    read: evidence_graph
    with: { certification: "{{ certification.id }}" }
    emit: evidence-graph.json
  - id: findings
    analyze: evidence
    of: graph
  - id: certified
    gate: "{{ certification.state == 'pass' }}"
    advisory: true
    says: "The certification of {{ inputs.release }} is {{ certification.status }}"
  - id: note
    emit: note.json
    value: { release: "{{ inputs.release }}" }
  - id: package
    write: work_package
    when: "{{ findings.blocking | length > 0 }}"
    reason: "{{ findings.blocking | length }} findings block {{ inputs.release }}"
    with:
      release: "{{ inputs.release }}"
      certification: "{{ certification.id }}"
      parent: { title: "Unblock {{ inputs.release }}", owner: "{{ inputs.owner }}" }
      children:
        for_each: "{{ findings.blocking }}"
        as: finding
        give: { title: "{{ finding.title }}", owner: "{{ inputs.owner }}" }
"#;
    let source = crate::recipe::Source::from_bytes("sample.yaml", text.as_bytes()).unwrap();
    let mut recipe = crate::recipe::load(source, &crate::recipe::ShippedLibrary, &profile).unwrap();
    recipe.later = vec!["whether `/parent/title` of `package` is not empty".into()];
    (recipe, profile)
}

/// `text` with placeholders for digests and keys, which belong to other modules.
pub fn steady(text: &str) -> String {
    let digest = regex::Regex::new("(sha256:|lga?1-)[0-9a-f]{64}").unwrap();
    digest.replace_all(text, "$1[64 hex digits]").into_owned()
}
