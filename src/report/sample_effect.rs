//! Effects, and what happened to them, that this module's tests show.

use std::collections::BTreeMap;

use serde_json::json;

use super::sample::{HOSTILE, time};
use crate::approval::{
    Approver, Assurance, Counted, Decision, Filed, Reason, ReasonCode, Record, RecordId, Resolution, Verdict,
};
use crate::artifact::v1::{Document, Server, TenantKnownBy};
use crate::core::Digest;
use crate::core::call::RefusalKind;
use crate::ledger::{Answered, Attempt, Event, Fact, Head, OperationState, ReadBack, State, v1};

/// `fact` as the event that it is in a chain.
pub fn event(fact: Fact) -> Event {
    Event {
        format: v1::Format::V1,
        chain: Digest::of_bytes(b"chain"),
        sequence: 3,
        previous: Some(Digest::of_bytes(b"previous")),
        at: time(0),
        run: "01890000-0000-7000-8000-000000000001".into(),
        fact,
    }
}

fn call() -> v1::Call {
    v1::Call {
        tool: "loopiq_create_remediation_work_package".into(),
        request_id: "00000000-0000-4000-8000-000000000001".into(),
        payload: Digest::of_bytes(b"payload"),
    }
}

fn created() -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([
        ("parent".to_owned(), vec!["ST-1".to_owned()]),
        ("children".to_owned(), vec!["TSK-1".to_owned(), "TSK-2".to_owned()]),
    ])
}

/// A record by `name` that decides `decision`.
pub fn filed(name: &str, number: u8, decision: Decision) -> Filed {
    Filed {
        record: Record {
            format: crate::approval::v1::Format::V1,
            id: record_id(number),
            effect_digest: Digest::of_bytes(b"effect"),
            file_digest: None,
            decision,
            approver: Approver { name: name.into(), assurance: Assurance::Asserted },
            planner: None,
            policy_digest: None,
            reason: "reviewed".into(),
            time: time(0),
            expires: Some(time(3600)),
            platform: None,
        },
        signature: None,
    }
}

/// The ID of the record with that number.
pub fn record_id(number: u8) -> RecordId {
    format!("lga1-{}", format!("{number:02x}").repeat(32)).parse().unwrap()
}

/// A verdict that allows, by alice.
pub fn verdict() -> Verdict {
    Verdict {
        allowed: true,
        reasons: Vec::new(),
        counted: vec![Counted { id: record_id(1), approver: "alice".into(), assurance: Assurance::Signed }],
        approval_id: Some(record_id(1).as_str().to_owned()),
        holds_until: Some(time(3600)),
        policy_digest: None,
        notes: Vec::new(),
    }
}

/// An event of every kind, and of most kinds of ends.
pub fn facts(document: &Document, hostile: bool) -> Vec<Fact> {
    let key = || document.operations[0].idempotency_key.clone();
    let text = |usual: &str| if hostile { HOSTILE.to_owned() } else { usual.to_owned() };
    let ids =
        || BTreeMap::from([(text("parent"), vec![text("ST-1")]), ("children".into(), vec!["TSK-1".into()])]);
    let outcome = |result| Fact::Outcome { key: key(), attempt: 1, took_ms: 4, result };
    let read_back = |differences, unread| Fact::ReadBack { key: key(), call: call(), differences, unread };
    let ci = v1::Ci { provider: text("github"), job: Some(text("17")), ..v1::Ci::default() };
    let began = |command, ci| {
        Fact::Began(Box::new(v1::Began {
            command,
            program: "loopgate 0.1.0".into(),
            trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
            file_digest: document.file_digest.clone(),
            approval_id: None,
            policy: None,
            ledger: text("lgl1-7"),
            ci,
            outcome_key: None,
        }))
    };
    let reason = Reason { code: ReasonCode::TooFew, message: text("1 of 2 people approved") };
    let refused = Verdict { allowed: false, reasons: vec![reason], notes: vec![text("a note")], ..verdict() };
    let mut allowed = verdict();
    allowed.counted[0].approver = text("alice");
    let tried = |verdict, why: &str| Fact::Tried { key: key(), call: None, verdict, why: text(why) };
    let moved = v1::Moved {
        step: text("evidence.certification"),
        at: text("/state"),
        planned: json!(text("blocked")),
        now: json!("certified"),
        why: text("it is another one"),
    };
    let people = |resolution| Fact::Settled {
        key: key(),
        by: v1::Settlement::People {
            resolution,
            verdict: Box::new(Verdict {
                counted: vec![Counted {
                    id: record_id(2),
                    approver: "carol".into(),
                    assurance: Assurance::Asserted,
                }],
                approval_id: None,
                ..verdict()
            }),
        },
    };
    let earlier = v1::Settlement::Earlier {
        chain: Digest::of_bytes(b"earlier"),
        approval_id: text("APR-1"),
        created: ids(),
    };
    vec![
        Fact::Opened { artifact: Box::new(document.clone()) },
        began(v1::Command::Apply, Some(ci)),
        began(v1::Command::Reconcile, None),
        Fact::Recorded { filed: Box::new(filed(&text("alice"), 1, Decision::Approve { external_id: None })) },
        Fact::Decided { verdict: Box::new(allowed) },
        Fact::Decided { verdict: Box::new(refused) },
        Fact::Connected(Box::new(v1::Connected {
            server: Server { name: text("LoopIQ sandbox"), ..document.target.server.clone() },
            tenant: text("acme"),
            tenant_known_by: TenantKnownBy::Tool,
            profile: document.target.profile.clone(),
            contract: None,
        })),
        tried(v1::TryVerdict::Confirmed, "the server says that it was a dry run"),
        tried(v1::TryVerdict::NotPossible, "it has no dry run"),
        Fact::Compared { calls: vec![call()], differences: Vec::new() },
        Fact::Compared { calls: vec![call()], differences: vec![moved] },
        Fact::Intent { key: key(), attempt: 1, approval_id: text("APR-1"), call: call(), send_before: None },
        Fact::Accepted { key: key(), attempt: 1, task: text("task-1") },
        outcome(v1::Result::Applied {
            created: ids(),
            unnamed: Some(text("the answer names no URL")),
            replayed: Some(true),
            answer: Digest::of_bytes(b"answer"),
        }),
        outcome(v1::Result::NotApplied { refusal: RefusalKind::Conflict, message: text("409") }),
        outcome(v1::Result::Unknown { doubt: v1::Doubt::NoAnswer, message: text("the connection ended") }),
        Fact::Looked { key: key(), call: call(), found: Some(true), why: text("/n is 1") },
        Fact::Looked { key: key(), call: call(), found: None, why: text("no answer") },
        Fact::Settled { key: key(), by: v1::Settlement::Read {} },
        Fact::Settled { key: key(), by: earlier },
        people(Resolution::NotApplied {}),
        read_back(Vec::new(), None),
        read_back(vec![text("parent.title is `x`")], None),
        read_back(Vec::new(), Some(text("the read was refused"))),
        Fact::Ended { conclusion: text("done"), message: text("1 operation applied") },
    ]
}

fn state(document: &Document, operation: OperationState) -> State {
    let mut state = State::new(document.effect_digest.clone());
    state.head = Some(Head { digest: Digest::of_bytes(b"head"), count: 9 });
    state.artifact = Some(document.clone().into());
    state.operations.insert(document.operations[0].idempotency_key.clone(), operation);
    state
}

fn attempt(came: Option<v1::Result>) -> Attempt {
    Attempt {
        intent: Digest::of_bytes(b"intent"),
        run: "01890000-0000-7000-8000-000000000001".into(),
        at: time(1),
        approval_id: record_id(1).as_str().to_owned(),
        call: call(),
        send_before: None,
        task: None,
        came: came.map(|result| Answered { result, at: time(2), took_ms: 4 }),
        ruled_out: false,
    }
}

/// An effect that took place and was read back.
pub fn applied(document: &Document) -> State {
    let answer = Digest::of_bytes(b"answer");
    let result = v1::Result::Applied { created: created(), unnamed: None, replayed: Some(false), answer };
    let read_back = ReadBack { run: String::new(), differences: Vec::new(), unread: None };
    let operation = OperationState {
        attempts: vec![attempt(Some(result))],
        read_back: Some(read_back),
        ..OperationState::default()
    };
    state(document, operation)
}

/// An effect of which nobody knows whether it took place.
pub fn unknown(document: &Document) -> State {
    state(document, OperationState { attempts: vec![attempt(None)], ..OperationState::default() })
}

/// States with the words of strangers wherever one can stand.
pub fn hostile_states(document: &Document) -> Vec<State> {
    let ids = || BTreeMap::from([(HOSTILE.to_owned(), vec![HOSTILE.to_owned()])]);
    let answer = Digest::of_bytes(b"answer");
    let message = HOSTILE.to_owned();
    let results = [
        v1::Result::Applied { created: ids(), unnamed: Some(message.clone()), replayed: None, answer },
        v1::Result::NotApplied { refusal: RefusalKind::Refused, message: message.clone() },
        v1::Result::Unknown { doubt: v1::Doubt::ServerError, message: message.clone() },
    ];
    let settled = v1::Settlement::Earlier {
        chain: Digest::of_bytes(b"earlier"),
        approval_id: message.clone(),
        created: ids(),
    };
    let read_back = ReadBack { run: message.clone(), differences: vec![message.clone()], unread: None };
    let unread = ReadBack { unread: Some(message), ..read_back.clone() };
    let mut states: Vec<State> = results
        .into_iter()
        .map(|result| OperationState { attempts: vec![attempt(Some(result))], ..OperationState::default() })
        .map(|operation| state(document, operation))
        .collect();
    for read_back in [read_back, unread] {
        let operation = OperationState {
            settled: Some(settled.clone()),
            read_back: Some(read_back),
            ..OperationState::default()
        };
        states.push(state(document, operation));
    }
    states
}
