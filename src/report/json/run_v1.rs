//! `loopgate.run/1`: what a run came to. On stdout with `--format json`, and in `run.json`.

use jiff::Timestamp;
use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

use crate::artifact::{Artifact, v1};
use crate::engine::{
    AppliedBefore, CallFact, Conclusion, ContractFact, InputFact, RecipeFact, ReplayFact, RunResult,
    StepResult, TargetFact, UnmadeCall,
};
use crate::report::status::{is_advisory, why};
use crate::report::written::Written;

/// What a run came to.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.run/1")]
struct RunV1<'a> {
    /// Always `loopgate.run/1`.
    format: &'static str,
    /// The program that ran, with its version.
    program: &'static str,
    /// The run's ID.
    id: String,
    /// When it began (RFC 3339, UTC).
    started: String,
    /// When it ended (RFC 3339, UTC).
    ended: String,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// The trace that all its calls belong to (W3C Trace Context).
    trace_id: &'a str,
    /// Whether the server was the embedded sandbox, so that nothing here is about a real release.
    sandbox: bool,
    /// What it came to.
    conclusion: ConclusionV1<'a>,
    /// What was run.
    recipe: RecipeV1<'a>,
    /// With which inputs.
    inputs: Vec<InputV1<'a>>,
    /// Against whom.
    target: TargetV1<'a>,
    /// Every step in recipe order, those that did not run too.
    steps: Vec<StepV1<'a>>,
    /// The plan, where there is one. It is whole in the artifact.
    plan: Option<PlanV1<'a>>,
    /// The files that were written, in the order of writing; `run.json` itself is not among them.
    files: Vec<FileV1>,
    /// What nobody could check.
    not_proven: &'a [String],
    /// Planned operations that the ledger holds as applied already, under the same key.
    applied_before: Vec<AppliedBeforeV1<'a>>,
    /// The recording that was played in the server's place; left out where there was a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<ReplayV1<'a>>,
}

/// A recording that was played in a server's place.
#[derive(Serialize, JsonSchema)]
struct ReplayV1<'a> {
    /// What an approval calls the server that was recorded.
    recorded: &'a str,
    /// When it was recorded (RFC 3339, UTC).
    began: String,
    /// The calls in it that were not made, in their order.
    not_made: Vec<UnmadeCallV1<'a>>,
}

/// A call that was recorded and not made again.
#[derive(Serialize, JsonSchema)]
struct UnmadeCallV1<'a> {
    /// The tool.
    tool: &'a str,
    /// Its arguments, as they were kept.
    arguments: &'a Map<String, Value>,
}

/// A planned operation that took place before.
#[derive(Serialize, JsonSchema)]
struct AppliedBeforeV1<'a> {
    /// Its ID in this plan.
    operation: &'a str,
    /// When (RFC 3339, UTC); null where no answer was recorded.
    at: Option<String>,
    /// The approval ID that went on the wire; empty where a read found it done.
    approval_id: &'a str,
    /// The digest of the effect that it was part of.
    effect_digest: String,
}

/// What a run came to.
#[derive(Serialize, JsonSchema)]
struct ConclusionV1<'a> {
    /// done, changes-planned, nothing-to-do, gate-fails, undecided, invalid, moved, refused,
    /// unconfirmed-dry-run, needs-input, unreachable, sign-in-refused or interrupted.
    word: &'a str,
    /// In a sentence.
    message: String,
    /// Where it is undecided: each reason.
    reasons: &'a [String],
}

/// The recipe.
#[derive(Serialize, JsonSchema)]
struct RecipeV1<'a> {
    /// Its name.
    name: &'a str,
    /// Its file, or its name where it is shipped.
    source: &'a str,
    /// Digest of it and all it includes.
    digest: String,
    /// Whether it has writes, so that a plan is expected of it.
    writes: bool,
    /// What no validation could know and the run had to find out, in words.
    found_out: &'a [String],
}

/// One input.
#[derive(Serialize, JsonSchema)]
struct InputV1<'a> {
    /// Its name.
    name: &'a str,
    /// Its value.
    value: &'a Value,
    /// Which source won.
    origin: &'a str,
}

/// The server and tenant.
#[derive(Serialize, JsonSchema)]
struct TargetV1<'a> {
    /// What an approval calls it: `sandbox`, a child's configured name, or a URL.
    identity: &'a str,
    /// What it calls itself.
    name: &'a str,
    /// Its version.
    version: &'a str,
    /// The protocol revision that was agreed on.
    protocol: &'a str,
    /// The tenant, where one is known.
    tenant: Option<&'a str>,
    /// How the tenant is known: claim, tool, asserted or none.
    tenant_known_by: &'a str,
    /// The profile's name.
    profile: &'a str,
    /// Digest of the profile's file, as `sha256sum` says it.
    profile_digest: String,
    /// The server's own word on its guarantees, where it gives one.
    contract: Option<ContractV1<'a>>,
}

/// The server's own word on its guarantees.
#[derive(Serialize, JsonSchema)]
struct ContractV1<'a> {
    /// Digest of the answer.
    digest: String,
    /// The answer as it came.
    answer: &'a Value,
}

/// One step.
#[derive(Serialize, JsonSchema)]
struct StepV1<'a> {
    /// Its dotted ID.
    id: &'a str,
    /// read, write, analyze, gate, emit or include.
    kind: &'a str,
    /// The operation, analysis, file or recipe that it names.
    subject: &'a str,
    /// done, proposed, holds, does-not-hold, undecided, skipped, unavailable, not-run or failed.
    status: &'a str,
    /// What is said of the status besides: a gate's sentence, reasons, a message.
    why: Vec<&'a str>,
    /// Whether it is a gate that only informs.
    advisory: bool,
    /// What a reader should know besides.
    notes: &'a [String],
    /// The files that it emits, by their names in the output folder.
    emits: Vec<&'a str>,
    /// Its calls, retries included.
    calls: Vec<CallV1<'a>>,
    /// How long it took, in milliseconds.
    took_ms: u64,
}

/// One call on the wire.
#[derive(Serialize, JsonSchema)]
struct CallV1<'a> {
    /// The tool.
    tool: &'a str,
    /// The request ID that went with it.
    request_id: &'a str,
    /// When it was sent (RFC 3339, UTC).
    started: String,
    /// How long the answer took, in milliseconds.
    took_ms: u64,
    /// What it came to, in words.
    outcome: &'a str,
}

/// The plan in short.
#[derive(Serialize, JsonSchema)]
struct PlanV1<'a> {
    /// What an approval names.
    effect_digest: String,
    /// What would be done, in order.
    operations: Vec<OperationV1<'a>>,
}

/// One operation in short.
#[derive(Serialize, JsonSchema)]
struct OperationV1<'a> {
    /// The step that proposes it.
    id: &'a str,
    /// The tool.
    tool: &'a str,
    /// Its idempotency key.
    idempotency_key: String,
    /// Why it is proposed.
    reason: &'a str,
    /// Whether the server confirmed a dry run of it.
    server_validated: bool,
    /// How, or why not.
    server_validated_why: &'a str,
}

/// A file that was written.
#[derive(Serialize, JsonSchema)]
struct FileV1 {
    /// artifact, emitted or run.
    kind: &'static str,
    /// Where, from the working folder.
    path: String,
    /// SHA-256 of its bytes.
    digest: String,
    /// How many bytes it has.
    bytes: u64,
}

/// The run as `loopgate.run/1`, with the files written so far.
#[must_use]
pub fn run_json(result: &RunResult, written: &[Written]) -> Value {
    json!(RunV1 {
        format: "loopgate.run/1",
        program: concat!("loopgate ", env!("CARGO_PKG_VERSION")),
        id: result.id.to_string(),
        started: time(result.started),
        ended: time(result.ended),
        took_ms: between(result.started, result.ended),
        trace_id: &result.trace_id,
        sandbox: result.target.sandbox,
        conclusion: conclusion(&result.conclusion),
        recipe: recipe(&result.recipe),
        inputs: result.inputs.iter().map(input).collect(),
        target: target(&result.target, &result.profile),
        steps: result.steps.iter().map(|step| frozen_step(step, result)).collect(),
        plan: result.artifact.as_ref().map(plan),
        files: written.iter().map(file).collect(),
        not_proven: &result.not_proven,
        applied_before: result.applied_before.iter().map(applied_before).collect(),
        replay: result.replay.as_ref().map(replay),
    })
}

fn replay(ReplayFact { recorded, began, unmade }: &ReplayFact) -> ReplayV1<'_> {
    let not_made = unmade.iter().map(|UnmadeCall { tool, arguments }| UnmadeCallV1 { tool, arguments });
    ReplayV1 { recorded, began: time(*began), not_made: not_made.collect() }
}

fn applied_before(
    AppliedBefore { operation, at, approval_id, effect }: &AppliedBefore,
) -> AppliedBeforeV1<'_> {
    AppliedBeforeV1 { operation, at: at.map(time), approval_id, effect_digest: effect.to_string() }
}

/// The JSON Schema of `loopgate.run/1`.
#[must_use]
pub fn run_schema() -> Value {
    schema_for!(RunV1<'_>).to_value()
}

fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn conclusion(conclusion: &Conclusion) -> ConclusionV1<'_> {
    let reasons: &[String] = match conclusion {
        Conclusion::Undecided(reasons) => reasons,
        _ => &[],
    };
    ConclusionV1 { word: conclusion.as_str(), message: conclusion.message(), reasons }
}

fn recipe(RecipeFact { name, source, digest, writes, found_out }: &RecipeFact) -> RecipeV1<'_> {
    RecipeV1 { name, source, digest: digest.to_string(), writes: *writes, found_out }
}

fn input(InputFact { name, value, origin }: &InputFact) -> InputV1<'_> {
    InputV1 { name, value, origin }
}

fn target<'a>(target: &'a TargetFact, profile: &'a v1::Profile) -> TargetV1<'a> {
    let TargetFact { identity, name, version, protocol, sandbox: _, tenant, tenant_known_by, contract } =
        target;
    TargetV1 {
        identity,
        name,
        version,
        protocol,
        tenant: tenant.as_deref(),
        tenant_known_by: tenant_known_by.as_str(),
        profile: &profile.name,
        profile_digest: profile.digest.to_string(),
        contract: contract
            .as_ref()
            .map(|ContractFact { digest, answer }| ContractV1 { digest: digest.to_string(), answer }),
    }
}

fn frozen_step<'a>(step: &'a StepResult, result: &'a RunResult) -> StepV1<'a> {
    let StepResult { id, kind, subject, line: _, status, notes, calls, took } = step;
    let emits = result.emitted.iter().filter(|file| file.step == *id).map(|file| file.name.as_str());
    StepV1 {
        id,
        kind,
        subject,
        status: status.as_str(),
        why: why(status),
        advisory: is_advisory(status),
        notes,
        emits: emits.collect(),
        calls: calls.iter().map(call).collect(),
        took_ms: millis(*took),
    }
}

fn call(
    CallFact { tool, request_id, payload: _, started, took, outcome, retry_after: _ }: &CallFact,
) -> CallV1<'_> {
    CallV1 { tool, request_id, started: time(*started), took_ms: millis(*took), outcome }
}

fn plan(artifact: &Artifact) -> PlanV1<'_> {
    let document = artifact.document();
    let operations = document.operations.iter().map(|operation| OperationV1 {
        id: &operation.id,
        tool: &operation.tool,
        idempotency_key: operation.idempotency_key.to_string(),
        reason: &operation.reason,
        server_validated: operation.server_validated,
        server_validated_why: &operation.server_validated_why,
    });
    PlanV1 { effect_digest: document.effect_digest.to_string(), operations: operations.collect() }
}

fn file(Written { kind, path, digest, bytes }: &Written) -> FileV1 {
    let path = path.to_string_lossy().into_owned();
    FileV1 { kind: kind.as_str(), path, digest: digest.to_string(), bytes: *bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use insta::assert_snapshot;

    #[test]
    fn every_run_is_what_the_schema_says() {
        let validator = jsonschema::validator_for(&run_schema()).unwrap();
        for result in sample::every_run() {
            let value = run_json(&result, &sample::outputs().written);
            assert!(validator.is_valid(&value), "{value:#}");
        }
    }

    #[test]
    fn a_run_report_is_what_it_always_was() {
        let report = format!("{:#}", run_json(&sample::planned(), &sample::outputs().written));
        assert_snapshot!(sample::steady(&report), @r#"
        {
          "applied_before": [],
          "conclusion": {
            "message": "changes are planned; nothing was written",
            "reasons": [],
            "word": "changes-planned"
          },
          "ended": "2023-11-14T22:13:21.250Z",
          "files": [
            {
              "bytes": 2,
              "digest": "sha256:[64 hex digits]",
              "kind": "artifact",
              "path": "loopgate-out/artifact.json"
            },
            {
              "bytes": 2,
              "digest": "sha256:[64 hex digits]",
              "kind": "emitted",
              "path": "loopgate-out/evidence-graph.json"
            }
          ],
          "format": "loopgate.run/1",
          "id": "01890000-0000-7000-8000-000000000001",
          "inputs": [
            {
              "name": "release",
              "origin": "flag",
              "value": "REL-BLOCKED"
            },
            {
              "name": "owner",
              "origin": "default",
              "value": "platform"
            }
          ],
          "not_proven": [
            "whether open work already covers a finding"
          ],
          "plan": {
            "effect_digest": "sha256:[64 hex digits]",
            "operations": [
              {
                "id": "package",
                "idempotency_key": "lg1-[64 hex digits]",
                "reason": "12 findings block REL-BLOCKED",
                "server_validated": true,
                "server_validated_why": "the server says that it was a dry run",
                "tool": "loopiq_create_remediation_work_package"
              }
            ]
          },
          "program": "loopgate 0.1.0",
          "recipe": {
            "digest": "sha256:[64 hex digits]",
            "found_out": [],
            "name": "remediation-plan",
            "source": "remediation-plan",
            "writes": true
          },
          "sandbox": true,
          "started": "2023-11-14T22:13:20.000Z",
          "steps": [
            {
              "advisory": false,
              "calls": [],
              "emits": [],
              "id": "evidence",
              "kind": "include",
              "notes": [],
              "status": "done",
              "subject": "evidence-graph",
              "took_ms": 4,
              "why": []
            },
            {
              "advisory": false,
              "calls": [
                {
                  "outcome": "answered",
                  "request_id": "00000000-0000-4000-8000-000000000001",
                  "started": "2023-11-14T22:13:20.005Z",
                  "took_ms": 4,
                  "tool": "loopiq_get"
                }
              ],
              "emits": [],
              "id": "evidence.certification",
              "kind": "read",
              "notes": [],
              "status": "done",
              "subject": "certification",
              "took_ms": 4,
              "why": []
            },
            {
              "advisory": false,
              "calls": [
                {
                  "outcome": "answered",
                  "request_id": "00000000-0000-4000-8000-000000000001",
                  "started": "2023-11-14T22:13:20.005Z",
                  "took_ms": 4,
                  "tool": "loopiq_get"
                }
              ],
              "emits": [
                "evidence-graph.json"
              ],
              "id": "evidence.graph",
              "kind": "read",
              "notes": [],
              "status": "done",
              "subject": "evidence_graph",
              "took_ms": 4,
              "why": []
            },
            {
              "advisory": false,
              "calls": [],
              "emits": [
                "findings.json"
              ],
              "id": "evidence.findings",
              "kind": "analyze",
              "notes": [
                "12 findings: 4 failed controls, 5 gaps, 3 provider blockers"
              ],
              "status": "done",
              "subject": "evidence",
              "took_ms": 4,
              "why": []
            },
            {
              "advisory": true,
              "calls": [],
              "emits": [],
              "id": "certified",
              "kind": "gate",
              "notes": [],
              "status": "does-not-hold",
              "subject": "gate",
              "took_ms": 4,
              "why": [
                "The certification of REL-BLOCKED is blocked"
              ]
            },
            {
              "advisory": false,
              "calls": [
                {
                  "outcome": "answered",
                  "request_id": "00000000-0000-4000-8000-000000000001",
                  "started": "2023-11-14T22:13:20.005Z",
                  "took_ms": 4,
                  "tool": "loopiq_get"
                }
              ],
              "emits": [],
              "id": "open_work",
              "kind": "read",
              "notes": [],
              "status": "unavailable",
              "subject": "open_work",
              "took_ms": 4,
              "why": [
                "whether open work already covers a finding"
              ]
            },
            {
              "advisory": false,
              "calls": [],
              "emits": [],
              "id": "package",
              "kind": "write",
              "notes": [],
              "status": "proposed",
              "subject": "work_package",
              "took_ms": 4,
              "why": []
            }
          ],
          "target": {
            "contract": null,
            "identity": "sandbox",
            "name": "LoopIQ sandbox",
            "profile": "loopiq",
            "profile_digest": "sha256:[64 hex digits]",
            "protocol": "2025-11-25",
            "tenant": "acme",
            "tenant_known_by": "tool",
            "version": "0.1.0"
          },
          "took_ms": 1250,
          "trace_id": "0af7651916cd43dd8448eb211c80319c"
        }
        "#);
    }

    #[test]
    fn the_schema_names_every_member_of_a_report() {
        let schema = run_schema();
        let mut planned = sample::planned();
        let unmade = vec![UnmadeCall { tool: "look".into(), arguments: Map::new() }];
        planned.replay = Some(ReplayFact { recorded: "sandbox".into(), began: planned.started, unmade });
        let report = run_json(&planned, &[]);
        let described = schema["properties"].as_object().unwrap();
        let members: Vec<&String> = report.as_object().unwrap().keys().collect();
        assert!(
            members
                .iter()
                .all(|name| described[*name]["description"].is_string()
                    || described[*name].get("$ref").is_some()),
            "{members:?}"
        );
        assert_eq!(described.len(), members.len());
    }
}
