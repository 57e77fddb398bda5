//! The chain that tests change: an effect of two operations, applied in two runs.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::json;

use super::chain::{Draft, Head, link};
use super::v1::{
    Began, Call, Command, Connected, Doubt, Event, Fact, Moved, Result as Came, Settlement, TryVerdict,
};
use crate::approval::{self, Approver, Assurance, Counted, Decision, Filed, Record, Resolution, Verdict};
use crate::artifact::v1::Document;
use crate::artifact::{Artifact, Key, sample};
use crate::core::Digest;
use crate::core::call::RefusalKind;

pub const LEDGER: &str = "lgl-6f9619ff-8b86-4011-b42d-00c04fc964ff";

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| sample::artifact().document().clone());

pub fn document() -> Document {
    DOCUMENT.clone()
}

/// The same subject with another effect.
pub fn other_document() -> Document {
    let mut plan = sample::plan();
    plan.operations.truncate(1);
    Artifact::build(plan).unwrap().document().clone()
}

/// The key of the operation at that place.
pub fn key(place: usize) -> Key {
    DOCUMENT.operations[place].idempotency_key.clone()
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub fn draft(second: i64, run: &str, fact: Fact) -> Draft {
    Draft { at: at(second), run: run.to_owned(), fact }
}

pub fn call(tool: &str) -> Call {
    Call {
        tool: tool.into(),
        request_id: format!("request of {tool}"),
        payload: Digest::of_bytes(b"payload"),
    }
}

pub fn opened() -> Fact {
    Fact::Opened { artifact: Box::new(document()) }
}

pub fn began(ledger: &str) -> Fact {
    Fact::Began(Box::new(Began {
        command: Command::Apply,
        program: "loopgate 0.1.0".into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        file_digest: DOCUMENT.file_digest.clone(),
        approval_id: Some(approval().id.to_string()),
        policy: None,
        ledger: ledger.into(),
        ci: None,
        outcome_key: None,
    }))
}

/// The record of what `name` decided about `effect`.
pub fn record(effect: &Digest, name: &str, decision: Decision) -> Record {
    let expires = matches!(decision, Decision::Approve { .. }).then(|| at(3600));
    let draft = approval::Draft {
        effect_digest: effect.clone(),
        file_digest: None,
        decision,
        approver: Approver { name: name.into(), assurance: Assurance::Asserted },
        planner: None,
        policy_digest: None,
        reason: "reviewed \u{202e}".into(),
        time: at(-3600),
        expires,
        platform: None,
    };
    Record::new(draft).unwrap()
}

/// The approval that the samples stand on.
pub fn approval() -> Record {
    static APPROVAL: LazyLock<Record> =
        LazyLock::new(|| record(&DOCUMENT.effect_digest, "alice", Decision::Approve { external_id: None }));
    APPROVAL.clone()
}

/// What somebody found out about an unknown outcome.
pub fn resolution(outcome: Resolution) -> Record {
    let intent = Digest::of_bytes(b"intent");
    record(&DOCUMENT.effect_digest, "carol", Decision::Resolve { intent, outcome })
}

pub fn recorded(record: Record) -> Fact {
    Fact::Recorded { filed: Box::new(Filed { record, signature: None }) }
}

pub fn verdict(allowed: bool, reasons: serde_json::Value) -> Verdict {
    let Record { id, approver, .. } = approval();
    let counted = json!({"id": id, "approver": approver.name, "assurance": approver.assurance});
    serde_json::from_value(json!({
        "allowed": allowed,
        "reasons": reasons,
        "counted": if allowed { vec![counted] } else { Vec::new() },
        "approval_id": allowed.then_some(id),
        "holds_until": null,
        "policy_digest": null,
        "notes": [],
    }))
    .unwrap()
}

pub fn decided() -> Fact {
    Fact::Decided { verdict: Box::new(verdict(true, json!([]))) }
}

pub fn connected() -> Fact {
    let target = DOCUMENT.target.clone();
    Fact::Connected(Box::new(Connected {
        server: target.server,
        tenant: "acme".into(),
        tenant_known_by: target.tenant_known_by,
        profile: target.profile,
        contract: None,
    }))
}

pub fn tried(place: usize) -> Fact {
    Fact::Tried { key: key(place), call: None, verdict: TryVerdict::NotPossible, why: "no dry run".into() }
}

pub fn moved() -> Moved {
    Moved {
        step: "graph".into(),
        at: "/nodes/0".into(),
        planned: json!({"points": 2.5}),
        now: json!(null),
        why: "it is gone".into(),
    }
}

pub fn compared(differences: Vec<Moved>) -> Fact {
    Fact::Compared { calls: vec![call("read")], differences }
}

pub fn intent(place: usize, attempt: u32) -> Fact {
    let approval_id = approval().id.to_string();
    Fact::Intent { key: key(place), attempt, approval_id, call: call("write"), send_before: None }
}

pub fn outcome(place: usize, attempt: u32, result: Came) -> Fact {
    Fact::Outcome { key: key(place), attempt, took_ms: 12, result }
}

pub fn created() -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([("parent".to_owned(), vec!["STORY-1".to_owned()])])
}

pub fn applied() -> Came {
    Came::Applied {
        created: created(),
        unnamed: None,
        replayed: Some(false),
        answer: Digest::of_bytes(b"answer"),
    }
}

pub fn not_applied() -> Came {
    Came::NotApplied { refusal: RefusalKind::RateLimited, message: "later".into() }
}

pub fn unknown() -> Came {
    Came::Unknown { doubt: Doubt::NoAnswer, message: "cut \u{1b}[31m".into() }
}

pub fn looked(place: usize, found: Option<bool>) -> Fact {
    Fact::Looked { key: key(place), call: call("look"), found, why: "the note stands there".into() }
}

pub fn settled(place: usize, by: Settlement) -> Fact {
    Fact::Settled { key: key(place), by }
}

/// What the policy says of the word of those who gave `records`.
pub fn word_of(records: &[&Record]) -> Verdict {
    let counted = records.iter().map(|record| Counted {
        id: record.id.clone(),
        approver: record.approver.name.clone(),
        assurance: record.approver.assurance,
    });
    Verdict { counted: counted.collect(), approval_id: None, ..verdict(true, json!([])) }
}

/// By the word of [`resolution`].
pub fn people(outcome: Resolution) -> Settlement {
    let record = resolution(outcome.clone());
    Settlement::People { resolution: outcome, verdict: Box::new(word_of(&[&record])) }
}

pub fn read_back(place: usize) -> Fact {
    Fact::ReadBack { key: key(place), call: call("look"), differences: Vec::new(), unread: None }
}

pub fn ended(conclusion: &str) -> Fact {
    Fact::Ended { conclusion: conclusion.into(), message: "so it ended".into() }
}

/// The chain as drafts, in a ledger of that ID: the first run loses an answer, the second settles it.
pub fn drafts(ledger: &str) -> Vec<Draft> {
    let rejection = record(&DOCUMENT.effect_digest, "bob", Decision::Reject {});
    let first = [
        opened(),
        began(ledger),
        recorded(approval()),
        decided(),
        connected(),
        tried(1),
        compared(Vec::new()),
        intent(0, 1),
        outcome(0, 1, applied()),
        read_back(0),
        intent(1, 1),
        outcome(1, 1, unknown()),
        ended("unknown"),
    ];
    let second = [
        began(ledger),
        recorded(rejection),
        connected(),
        looked(1, Some(true)),
        settled(1, Settlement::Read {}),
        ended("applied"),
    ];
    let facts = first.into_iter().map(|fact| ("first", fact));
    let facts = facts.chain(second.into_iter().map(|fact| ("second", fact)));
    (0..).zip(facts).map(|(second, (run, fact))| draft(second, run, fact)).collect()
}

pub fn linked(chain: &Digest, drafts: Vec<Draft>) -> Vec<Event> {
    let mut head: Option<Head> = None;
    let mut events = Vec::new();
    for draft in drafts {
        let (event, next) = link(chain, head.as_ref(), draft).unwrap();
        head = Some(next);
        events.push(event);
    }
    events
}

/// The chain as events.
pub fn events() -> Vec<Event> {
    linked(&DOCUMENT.effect_digest, drafts(LEDGER))
}
