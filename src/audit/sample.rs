//! The chains that this module's tests look at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::approval::{
    self, Approver, Assurance, Counted, Decision, Filed, Policy, Reason, ReasonCode, Record, Resolution,
    Verdict,
};
use crate::artifact::v1::TenantKnownBy;
use crate::artifact::{Artifact, Key, sample as plans};
use crate::core::Digest;
use crate::core::call::RefusalKind;
use crate::ledger::chain::link;
use crate::ledger::v1::{Began, Call, Ci, Command, Connected, Doubt, Moved, Result, Settlement, TryVerdict};
use crate::ledger::{Draft, Event, Fact, Head};

/// Who may sign: the one who made [`SIGNATURE`].
pub const SIGNERS: &str =
    "alice ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIZzE3cYdsvnKpSMpun5osN4aPKNTdfFVN35ec8R30Jo\n";

/// By `ssh-keygen -Y sign -n loopgate-approval`, over the record of [`Chain::sign`].
pub const SIGNATURE: &str = "\
-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAghnMTdxh2y+cqlIym6fmiw3ho8o
1N18VU3fl5zxHfQmgAAAARbG9vcGdhdGUtYXBwcm92YWwAAAAAAAAABnNoYTUxMgAAAFMA
AAALc3NoLWVkMjU1MTkAAABAsTECOvFHoTS+EThKCI2b/K6ruK71kGFKvwlxZlP54uZ+OM
T1fI2Q0/pXfpni6YM10f2A022zqVD9GeSJ0bTsCg==
-----END SSH SIGNATURE-----
";

/// A chain that grows; its clock goes on by a second for each event.
pub struct Chain {
    artifact: Artifact,
    head: Option<Head>,
    events: Vec<Event>,
    records: Vec<Filed>,
    runs: u32,
}

/// Every sample, with its name.
pub fn all() -> Vec<(&'static str, Vec<Event>)> {
    vec![("success", success()), ("unknown", unknown()), ("refused", refused()), ("settled", settled())]
}

/// Approved with a signature, applied, read back.
pub fn success() -> Vec<Event> {
    let mut chain = Chain::opened();
    chain.begin().sign().approve("bob").decide_for().connect().compared(&[]).tried(1);
    chain.intend(0, 1).applied(0, 1).read_back(0, None);
    chain.intend(1, 1).refused_for_now(1, 1).intend(1, 2).applied(1, 2).end("done");
    chain.events
}

/// The answer to the second operation never came, and the process was killed.
pub fn unknown() -> Vec<Event> {
    let mut chain = Chain::opened();
    chain.begin().approve("alice").decide_for().connect().compared(&[]);
    chain.intend(0, 1).applied(0, 1).read_back(0, Some("503")).intend(1, 1);
    chain.events
}

/// Somebody said no; before that, the world had moved.
pub fn refused() -> Vec<Event> {
    let mut chain = Chain::opened();
    let moved = Moved {
        step: "certification".into(),
        at: "/id".into(),
        planned: json!("CERT-1"),
        now: json!(null),
        why: "CERT-1 is gone".into(),
    };
    chain.begin().approve("alice").decide_for().connect().compared(&[moved]).end("stale");
    chain.reject("mallory").begin().decide_against(ReasonCode::Rejected).end("rejected");
    chain.events
}

/// An answer was lost; people found that it did not take place; a read found that the second try did.
pub fn settled() -> Vec<Event> {
    let mut chain = Chain::opened();
    chain.begin().approve("alice").decide_for().connect().compared(&[]);
    chain.intend(0, 1).applied(0, 1).intend(1, 1).doubt(1, 1, Doubt::NoAnswer).end("unknown");
    chain.reconcile().settled_by_people(1, Resolution::NotApplied {}).end("done");
    chain.begin().decide_for().connect().intend(1, 2).doubt(1, 2, Doubt::ServerError).settled_by_read(1);
    chain.end("done");
    chain.events
}

/// A short chain: nothing to do, and a run that was killed.
pub fn small() -> Vec<Event> {
    let mut plan = plans::plan();
    plan.operations.clear();
    plan.preconditions.clear();
    plan.gates.clear();
    let mut chain = Chain::of(Artifact::build(plan).unwrap());
    let mut began = chain.began();
    (began.ci, began.policy) = (None, None);
    chain.runs += 1;
    chain.push(Fact::Began(Box::new(began)));
    chain.events
}

/// A chain of `count` events or a few more: runs that try to connect and end.
pub fn long(count: usize) -> Vec<Event> {
    let mut chain = Chain::opened();
    while chain.events.len() < count {
        chain.begin().connect().compared(&[]).tried(0).tried(1);
        for _ in 0..45 {
            chain.tried(0);
        }
        chain.end("stale");
    }
    chain.events
}

impl Chain {
    /// The sample artifact, and nothing else yet.
    pub fn opened() -> Self {
        Self::of(plans::artifact())
    }

    /// `artifact`, and nothing else yet.
    pub fn of(artifact: Artifact) -> Self {
        let opened = Fact::Opened { artifact: Box::new(artifact.document().clone()) };
        let mut chain = Self { artifact, head: None, events: Vec::new(), records: Vec::new(), runs: 0 };
        chain.push(opened);
        chain
    }

    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Adds any fact.
    pub fn push(&mut self, fact: Fact) -> &mut Self {
        let at = Timestamp::from_second(1_800_000_000 + self.events.len() as i64).unwrap();
        let draft = Draft { at, run: self.run(), fact };
        let (event, head) = link(self.artifact.effect_digest(), self.head.as_ref(), draft).unwrap();
        self.events.push(event);
        self.head = Some(head);
        self
    }

    pub fn begin(&mut self) -> &mut Self {
        self.runs += 1;
        let began = self.began();
        self.push(Fact::Began(Box::new(began)))
    }

    /// A run that asks the policy of resolutions alone.
    pub fn reconcile(&mut self) -> &mut Self {
        self.runs += 1;
        let began = Began { command: Command::Reconcile, approval_id: None, ..self.began() };
        self.push(Fact::Began(Box::new(began)))
    }

    pub fn connect(&mut self) -> &mut Self {
        let target = self.artifact.target().clone();
        self.push(Fact::Connected(Box::new(Connected {
            server: target.server,
            tenant: "acme".into(),
            tenant_known_by: TenantKnownBy::Tool,
            profile: target.profile,
            contract: None,
        })))
    }

    /// An approval on somebody's word.
    pub fn approve(&mut self, name: &str) -> &mut Self {
        let record =
            self.record(name, Assurance::Asserted, Decision::Approve { external_id: Some("APR-1".into()) });
        self.file(record, None)
    }

    /// The approval of the sample artifact that alice signed.
    pub fn sign(&mut self) -> &mut Self {
        let record = self.record("alice", Assurance::Signed, Decision::Approve { external_id: None });
        self.file(record, Some(SIGNATURE.into()))
    }

    pub fn reject(&mut self, name: &str) -> &mut Self {
        let record = self.record(name, Assurance::Asserted, Decision::Reject {});
        self.file(record, None)
    }

    pub fn decide_for(&mut self) -> &mut Self {
        let counts = |filed: &Filed| matches!(filed.record.decision, Decision::Approve { .. });
        let counted = self.counted(counts);
        self.push(Fact::Decided { verdict: Box::new(allowed(counted)) })
    }

    pub fn decide_against(&mut self, code: ReasonCode) -> &mut Self {
        let verdict = Verdict {
            allowed: false,
            reasons: vec![Reason { code, message: "no".into() }],
            counted: Vec::new(),
            approval_id: None,
            holds_until: None,
            policy_digest: None,
            notes: Vec::new(),
        };
        self.push(Fact::Decided { verdict: Box::new(verdict) })
    }

    pub fn compared(&mut self, differences: &[Moved]) -> &mut Self {
        let calls = vec![self.call("loopiq_get_release_certification")];
        self.push(Fact::Compared { calls, differences: differences.to_vec() })
    }

    pub fn tried(&mut self, operation: usize) -> &mut Self {
        let why = "the tool has no dry run".into();
        self.push(Fact::Tried { key: self.key(operation), call: None, verdict: TryVerdict::NotPossible, why })
    }

    pub fn intend(&mut self, operation: usize, attempt: u32) -> &mut Self {
        let call = self.call(&self.artifact.operations()[operation].tool);
        self.push(Fact::Intent {
            key: self.key(operation),
            attempt,
            approval_id: "APR-1".into(),
            call,
            send_before: None,
        })
    }

    pub fn applied(&mut self, operation: usize, attempt: u32) -> &mut Self {
        let created = BTreeMap::from([
            ("children".to_owned(), vec!["TASK-1".to_owned(), "TASK-2".to_owned()]),
            ("parent".to_owned(), vec!["STORY-1".to_owned()]),
        ]);
        let created = if operation == 0 { created } else { BTreeMap::new() };
        let answer = Digest::of_bytes(b"answer");
        let result = Result::Applied { created, unnamed: None, replayed: Some(false), answer };
        self.outcome(operation, attempt, result)
    }

    pub fn refused(&mut self, operation: usize, attempt: u32) -> &mut Self {
        let result = Result::NotApplied { refusal: RefusalKind::Refused, message: "no\u{1b}[2J".into() };
        self.outcome(operation, attempt, result)
    }

    pub fn refused_for_now(&mut self, operation: usize, attempt: u32) -> &mut Self {
        let result = Result::NotApplied { refusal: RefusalKind::RateLimited, message: "429".into() };
        self.outcome(operation, attempt, result)
    }

    pub fn doubt(&mut self, operation: usize, attempt: u32, doubt: Doubt) -> &mut Self {
        self.outcome(operation, attempt, Result::Unknown { doubt, message: "connection reset".into() })
    }

    pub fn settled_by_read(&mut self, operation: usize) -> &mut Self {
        let call = self.call("read_notes");
        let key = self.key(operation);
        let why = "the note is there".into();
        self.push(Fact::Looked { key: key.clone(), call, found: Some(true), why });
        self.push(Fact::Settled { key, by: Settlement::Read {} })
    }

    pub fn settled_by_people(&mut self, operation: usize, outcome: Resolution) -> &mut Self {
        let key = self.key(operation);
        let is_intent =
            |event: &&Event| matches!(&event.fact, Fact::Intent { key: intended, .. } if *intended == key);
        let intent = self.events.iter().rev().find(is_intent).unwrap().digest().unwrap();
        let decision = Decision::Resolve { intent, outcome: outcome.clone() };
        let record = self.record("carol", Assurance::Asserted, decision);
        self.file(record, None);
        let counts = |filed: &Filed| matches!(filed.record.decision, Decision::Resolve { .. });
        let counted = self.counted(counts);
        let verdict = Box::new(Verdict { approval_id: None, ..allowed(counted) });
        self.push(Fact::Settled { key, by: Settlement::People { resolution: outcome, verdict } })
    }

    pub fn read_back(&mut self, operation: usize, unread: Option<&str>) -> &mut Self {
        let call = self.call("loopiq_search_work");
        let unread = unread.map(str::to_owned);
        self.push(Fact::ReadBack { key: self.key(operation), call, differences: Vec::new(), unread })
    }

    pub fn end(&mut self, conclusion: &str) -> &mut Self {
        self.push(Fact::Ended { conclusion: conclusion.into(), message: format!("{conclusion}.") })
    }

    fn began(&self) -> Began {
        let ci = Ci {
            provider: "github".into(),
            repository: Some("acme/shop".into()),
            job: Some("17".into()),
            ..Ci::default()
        };
        let policy = Policy {
            minimum: 1,
            accept: BTreeSet::from([Assurance::Signed, Assurance::Asserted]),
            signers: Some(SIGNERS.into()),
            four_eyes: true,
            max_age: None,
            resume_within: SignedDuration::from_hours(24),
        };
        Began {
            command: Command::Apply,
            program: "loopgate 0.1.0".into(),
            trace_id: format!("{:032x}", 0x4bf9 + self.runs),
            file_digest: self.artifact.file_digest().clone(),
            approval_id: Some("APR-1".into()),
            policy: Some(policy),
            ledger: "019a0000-0000-7000-8000-000000000001".into(),
            ci: Some(ci),
            outcome_key: None,
        }
    }

    fn outcome(&mut self, operation: usize, attempt: u32, result: Result) -> &mut Self {
        self.push(Fact::Outcome { key: self.key(operation), attempt, took_ms: 31, result })
    }

    fn counted(&self, counts: fn(&Filed) -> bool) -> Vec<Counted> {
        let counted = self.records.iter().filter(|filed| counts(filed)).map(|filed| Counted {
            id: filed.record.id.clone(),
            approver: filed.record.approver.name.clone(),
            assurance: filed.record.approver.assurance,
        });
        counted.collect()
    }

    fn file(&mut self, record: Record, signature: Option<String>) -> &mut Self {
        let filed = Filed { record, signature };
        self.records.push(filed.clone());
        self.push(Fact::Recorded { filed: Box::new(filed) })
    }

    /// A record of this effect; an approval holds for a day.
    fn record(&self, name: &str, assurance: Assurance, decision: Decision) -> Record {
        let approves = matches!(decision, Decision::Approve { .. });
        let time = |second| Timestamp::from_second(second).unwrap();
        let draft = approval::Draft {
            effect_digest: self.artifact.effect_digest().clone(),
            file_digest: Some(self.artifact.file_digest().clone()),
            decision,
            approver: Approver { name: name.into(), assurance },
            planner: None,
            policy_digest: None,
            reason: "reviewed".into(),
            time: time(1_799_999_000),
            expires: approves.then(|| time(1_800_090_000)),
            platform: None,
        };
        Record::new(draft).unwrap()
    }

    fn call(&self, tool: &str) -> Call {
        let request_id = format!("00000000-0000-4000-8000-{:012}", self.events.len());
        Call { tool: tool.into(), request_id, payload: Digest::of_bytes(tool.as_bytes()) }
    }

    fn key(&self, operation: usize) -> Key {
        self.artifact.operations()[operation].idempotency_key.clone()
    }

    fn run(&self) -> String {
        format!("019a0000-0000-7000-8000-{:012}", self.runs)
    }
}

fn allowed(counted: Vec<Counted>) -> Verdict {
    Verdict {
        allowed: true,
        reasons: Vec::new(),
        counted,
        approval_id: Some("APR-1".into()),
        holds_until: None,
        policy_digest: Some(Digest::of_bytes(b"policy")),
        notes: Vec::new(),
    }
}
