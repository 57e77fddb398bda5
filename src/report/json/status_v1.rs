//! `loopgate.status/1`: where an artifact stands.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::approval::{Approver, Decision, Filed, ReasonCode, Record, Verdict};
use crate::ledger::{OperationState, ReadBack, Status};
use crate::report::apply_words::{Told, refusal, settled_by, told};
use crate::report::approval_words::assurance;
use crate::report::status_text::{HolderView, StatusView, weight};

/// Where an artifact stands.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.status/1")]
struct StatusV1<'a> {
    /// Always `loopgate.status/1`.
    format: &'static str,
    /// Pending approval, Approved, Approved (outcome unknown), Rejected, Executed or Failed.
    state: &'a str,
    /// Whether it is for the embedded sandbox, so that nothing here is about a real release.
    sandbox: bool,
    /// The recipe's name.
    recipe: &'a str,
    /// The plan in one line.
    summary: &'a str,
    /// What an approval names.
    effect_digest: String,
    /// The digest of the artifact file.
    file_digest: String,
    /// Every operation, in the order of the plan.
    operations: Vec<OperationV1<'a>>,
    /// The records of this effect that are known; none proves anything by being there.
    records: Vec<RecordV1<'a>>,
    /// What the policy says now; null where it was not asked.
    verdict: Option<VerdictV1<'a>>,
    /// Who works on it now, in their own words; null where nobody does.
    holder: Option<HolderV1<'a>>,
    /// The ledger's ID; null where there is no ledger.
    ledger: Option<&'a str>,
    /// The last event of the chain; null where nothing happened yet.
    chain: Option<ChainV1>,
    /// The command to type next; null where there is none.
    next: Option<&'a str>,
}

/// An operation with what became of it.
#[derive(Serialize, JsonSchema)]
struct OperationV1<'a> {
    /// The step of the recipe.
    id: &'a str,
    /// The tool.
    tool: &'a str,
    /// Its idempotency key.
    idempotency_key: &'a str,
    /// not-sent, applied, not-applied or unknown.
    outcome: &'static str,
    /// How many times it was sent, or was about to be.
    attempts: usize,
    /// Names of what was created, with the IDs; empty where nobody knows them.
    created: BTreeMap<&'a str, &'a [String]>,
    /// Why IDs are missing that the answer should name; null where none is.
    ids_missing: Option<&'a str>,
    /// Whether the server says that it had been done before under the same key; null where it does not say.
    replayed: Option<bool>,
    /// Since when its outcome is unknown (RFC 3339, UTC); null where it is not.
    unknown_since: Option<String>,
    /// How its unknown outcome can be settled; null where it is known, or nobody said.
    settle: Option<&'a str>,
    /// What settled it without the answer to an attempt, in words; null where nothing did.
    settled_by: Option<String>,
    /// Why it was not applied, in words; null where it was, or nobody knows.
    why: Option<String>,
    /// What reading back gave; null where nothing was read.
    read_back: Option<ReadBackV1<'a>>,
}

/// What was created, compared with the plan.
#[derive(Serialize, JsonSchema)]
struct ReadBackV1<'a> {
    /// Where it differs.
    differences: &'a [String],
    /// Why it could not be read; null where it could.
    unread: Option<&'a str>,
}

/// A record.
#[derive(Serialize, JsonSchema)]
struct RecordV1<'a> {
    /// Its ID.
    id: &'a str,
    /// approve, revoke, reject or resolve.
    decision: &'static str,
    /// Who decided, as the record says.
    approver: &'a str,
    /// signed, platform, service or asserted, as the record says.
    assurance: &'static str,
    /// In the approver's words.
    reason: &'a str,
    /// When (RFC 3339, UTC), by the approver's clock.
    time: String,
    /// Until when it may be used (RFC 3339, UTC); null for what does not expire.
    expires: Option<String>,
    /// Of an approval: counts, revoked, does not count, or not judged; null of other records.
    weight: Option<&'static str>,
}

/// What the policy says.
#[derive(Serialize, JsonSchema)]
struct VerdictV1<'a> {
    /// Whether it may happen.
    allowed: bool,
    /// The ID that goes on the wire; null where no approval that counts bears the one that was asked for.
    approval_id: Option<&'a str>,
    /// Every reason against it.
    reasons: Vec<ReasonV1<'a>>,
    /// From when on it must be asked again (RFC 3339, UTC); null where that is never.
    holds_until: Option<String>,
    /// What a reader should know besides.
    notes: &'a [String],
}

/// A reason against it.
#[derive(Serialize, JsonSchema)]
struct ReasonV1<'a> {
    /// Stable, in kebab case.
    code: &'static str,
    /// In words.
    message: &'a str,
}

/// Who works on it.
#[derive(Serialize, JsonSchema)]
struct HolderV1<'a> {
    /// The run's ID.
    run: &'a str,
    /// Its process.
    pid: u32,
    /// The machine; null where it has no name.
    host: Option<&'a str>,
    /// Since when (RFC 3339, UTC).
    since: String,
}

/// The end of a chain.
#[derive(Serialize, JsonSchema)]
struct ChainV1 {
    /// The digest of the last event.
    head: String,
    /// How many events there are.
    count: u64,
}

/// The status as `loopgate.status/1`.
#[must_use]
pub fn status_json(view: &StatusView<'_>) -> Value {
    let StatusView { document, state, label, verdict, records, holder, ledger, settle: _, place: _, next } =
        view;
    json!(StatusV1 {
        format: "loopgate.status/1",
        state: label,
        sandbox: document.target.sandbox,
        recipe: &document.recipe.name,
        summary: &document.summary,
        effect_digest: document.effect_digest.to_string(),
        file_digest: document.file_digest.to_string(),
        operations: told(document, state).iter().map(|told| operation(told, view)).collect(),
        records: records.iter().map(|filed| record(filed, view)).collect(),
        verdict: verdict.map(frozen),
        holder: holder.as_ref().map(|HolderView { run, pid, host, since }| HolderV1 {
            run,
            pid: *pid,
            host: host.as_deref(),
            since: since.to_string(),
        }),
        ledger: ledger.as_deref(),
        chain: state.head.as_ref().map(|head| ChainV1 { head: head.digest.to_string(), count: head.count }),
        next: next.as_deref(),
    })
}

/// The JSON Schema of `loopgate.status/1`.
#[must_use]
pub fn status_schema() -> Value {
    schema_for!(StatusV1<'_>).to_value()
}

fn operation<'a>(told: &'a Told<'_>, view: &'a StatusView<'_>) -> OperationV1<'a> {
    let state: Option<&OperationState> = told.state;
    let is_unknown = matches!(told.status, Status::Unknown { .. });
    let before = OperationV1 {
        id: &told.operation.id,
        tool: &told.operation.tool,
        idempotency_key: told.operation.idempotency_key.as_str(),
        outcome: "not-sent",
        attempts: state.map_or(0, |state| state.attempts.len()),
        created: BTreeMap::new(),
        ids_missing: None,
        replayed: None,
        unknown_since: None,
        settle: view.settle.get(&told.operation.id).filter(|_| is_unknown).map(String::as_str),
        settled_by: state.and_then(|state| state.settled.as_ref()).map(settled_by),
        why: None,
        read_back: state.and_then(|state| state.read_back.as_ref()).map(
            |ReadBack { run: _, differences, unread }| ReadBackV1 { differences, unread: unread.as_deref() },
        ),
    };
    match &told.status {
        Status::Untouched => before,
        Status::Applied { created, replayed } => OperationV1 {
            outcome: "applied",
            created: created.iter().map(|(name, ids)| (name.as_str(), ids.as_slice())).collect(),
            replayed: *replayed,
            ids_missing: told.unnamed(),
            ..before
        },
        Status::NotApplied { refusal: kind, message } => OperationV1 {
            outcome: "not-applied",
            why: Some(format!("{}: {message}", refusal(*kind))),
            ..before
        },
        Status::Unknown { since } => {
            OperationV1 { outcome: "unknown", unknown_since: Some(since.to_string()), ..before }
        }
    }
}

fn record<'a>(filed: &'a Filed, view: &StatusView<'_>) -> RecordV1<'a> {
    let Record { id, decision, approver, reason, time, expires, .. } = &filed.record;
    let Approver { name, assurance: how } = approver;
    RecordV1 {
        id: id.as_str(),
        decision: match decision {
            Decision::Approve { .. } => "approve",
            Decision::Revoke { .. } => "revoke",
            Decision::Reject {} => "reject",
            Decision::Resolve { .. } => "resolve",
        },
        approver: name,
        assurance: assurance(*how),
        reason,
        time: time.to_string(),
        expires: expires.map(|time| time.to_string()),
        weight: weight(filed, view).map(|weight| weight.word()),
    }
}

fn frozen(verdict: &Verdict) -> VerdictV1<'_> {
    VerdictV1 {
        allowed: verdict.allowed,
        approval_id: verdict.approval_id.as_deref(),
        reasons: verdict
            .reasons
            .iter()
            .map(|one| ReasonV1 { code: code(one.code), message: &one.message })
            .collect(),
        holds_until: verdict.holds_until.map(|time| time.to_string()),
        notes: &verdict.notes,
    }
}

fn code(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::NoPolicy => "no-policy",
        ReasonCode::Missing => "missing",
        ReasonCode::Ambiguous => "ambiguous",
        ReasonCode::OtherEffect => "other-effect",
        ReasonCode::Expired => "expired",
        ReasonCode::FromTheFuture => "from-the-future",
        ReasonCode::NotAccepted => "not-accepted",
        ReasonCode::NotVerified => "not-verified",
        ReasonCode::OwnPlan => "own-plan",
        ReasonCode::PlannerUnknown => "planner-unknown",
        ReasonCode::TooFew => "too-few",
        ReasonCode::Revoked => "revoked",
        ReasonCode::Rejected => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::State;
    use crate::report::sample;

    fn shown(state: &State, label: &str) -> Value {
        let artifact = sample::artifact();
        let verdict = sample::verdict();
        let records = [sample::filed("alice", 1, Decision::Approve { external_id: None })];
        let view = StatusView {
            document: artifact.document(),
            state,
            label: label.into(),
            verdict: Some(&verdict),
            records: &records,
            holder: None,
            ledger: Some("lgl1-7".into()),
            settle: BTreeMap::from([("package".into(), "the same key".into())]),
            place: "l.db".into(),
            next: Some("loopgate status a.json".into()),
        };
        let value = status_json(&view);
        assert!(jsonschema::validator_for(&status_schema()).unwrap().is_valid(&value), "{value}");
        value
    }

    #[test]
    fn a_status_is_what_it_always_was() {
        let state = sample::applied(sample::artifact().document());
        let text = format!("{:#}", shown(&state, "Executed"));
        insta::assert_snapshot!(sample::steady(&text), @r#"
        {
          "chain": {
            "count": 9,
            "head": "sha256:[64 hex digits]"
          },
          "effect_digest": "sha256:[64 hex digits]",
          "file_digest": "sha256:[64 hex digits]",
          "format": "loopgate.status/1",
          "holder": null,
          "ledger": "lgl1-7",
          "next": "loopgate status a.json",
          "operations": [
            {
              "attempts": 1,
              "created": {
                "children": [
                  "TSK-1",
                  "TSK-2"
                ],
                "parent": [
                  "ST-1"
                ]
              },
              "id": "package",
              "idempotency_key": "lg1-[64 hex digits]",
              "ids_missing": null,
              "outcome": "applied",
              "read_back": {
                "differences": [],
                "unread": null
              },
              "replayed": false,
              "settle": null,
              "settled_by": null,
              "tool": "loopiq_create_remediation_work_package",
              "unknown_since": null,
              "why": null
            }
          ],
          "recipe": "remediation-plan",
          "records": [
            {
              "approver": "alice",
              "assurance": "asserted",
              "decision": "approve",
              "expires": "2023-11-14T23:13:20Z",
              "id": "lga1-[64 hex digits]",
              "reason": "reviewed",
              "time": "2023-11-14T22:13:20Z",
              "weight": "counts"
            }
          ],
          "sandbox": true,
          "state": "Executed",
          "summary": "1 operation: one parent story with 12 child tasks",
          "verdict": {
            "allowed": true,
            "approval_id": "lga1-[64 hex digits]",
            "holds_until": "2023-11-14T23:13:20Z",
            "notes": [],
            "reasons": []
          }
        }
        "#);
    }

    #[test]
    fn an_unknown_outcome_says_since_when_and_how_it_can_be_settled() {
        let state = sample::unknown(sample::artifact().document());
        let operation = &shown(&state, "Approved (outcome unknown)")["operations"][0];
        assert_eq!(operation["outcome"], json!("unknown"));
        assert_eq!(operation["unknown_since"], json!("2023-11-14T22:13:21Z"));
        assert_eq!(operation["settle"], json!("the same key"));
        assert_eq!(operation["attempts"], json!(1));
    }

    #[test]
    fn a_known_outcome_needs_no_settling_and_a_reason_has_one_word() {
        let state = sample::applied(sample::artifact().document());
        assert_eq!(shown(&state, "Executed")["operations"][0]["settle"], Value::Null);
        for reason in
            [ReasonCode::NoPolicy, ReasonCode::FromTheFuture, ReasonCode::TooFew, ReasonCode::OwnPlan]
        {
            assert_eq!(json!(reason), json!(code(reason)));
        }
    }
}
