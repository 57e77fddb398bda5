use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::approval::platform::{Answer, When};
use crate::approval::record::Draft;
use crate::approval::sample::{approve, at, decided, draft, effect, filed, review};
use crate::approval::sign::tests::{Keys, armored, keygen};
use crate::approval::signature::NAMESPACE;
use crate::approval::v1::{Approver, Assurance};
use crate::artifact::v1::PlannedIn;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A question that owns what it asks about: by noon of the day of the sample approvals, about Alice's.
#[derive(Debug, Clone)]
struct Case {
    filed: Vec<Filed>,
    asked: String,
    revoked: BTreeSet<String>,
    policy: Option<Policy>,
    sandbox: bool,
    planned_by: PlannedBy,
    platform: Option<Answers>,
    now: Timestamp,
    under_way_since: Option<Timestamp>,
}

fn policy() -> Policy {
    Policy { accept: BTreeSet::from([Assurance::Asserted]), resume_within: HOUR, ..Policy::for_sandbox() }
}

fn case(records: impl IntoIterator<Item = Record>) -> Case {
    Case {
        filed: records.into_iter().map(filed).collect(),
        asked: approve("alice").id.to_string(),
        revoked: BTreeSet::new(),
        policy: Some(policy()),
        sandbox: false,
        planned_by: planned_by(Some("bot")),
        platform: Some(answers([])),
        now: at("2026-01-01T12:00:00Z"),
        under_way_since: None,
    }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn policy(self, change: impl FnOnce(&mut Policy)) -> Self {
        self.with(|case| change(case.policy.as_mut().unwrap()))
    }

    fn question<'a>(&'a self, effect: &'a Digest) -> Question<'a> {
        Question {
            effect,
            asked: &self.asked,
            filed: &self.filed,
            revoked: &self.revoked,
            policy: self.policy.as_ref(),
            sandbox: self.sandbox,
            planned_by: &self.planned_by,
            platform: self.platform.as_ref(),
            now: self.now,
            under_way_since: self.under_way_since,
        }
    }

    fn verdict(&self) -> Verdict {
        let verdict = decide(&self.question(&effect()));
        assert_eq!(verdict.allowed, verdict.reasons.is_empty(), "{verdict:?}");
        assert_eq!(verdict.policy_digest.is_some(), self.policy.is_some() || self.sandbox);
        verdict
    }

    fn resolution(&self, outcome: &Resolution) -> Verdict {
        decide_resolution(&self.question(&effect()), &intent(), outcome)
    }

    fn codes(&self) -> Vec<ReasonCode> {
        codes(&self.verdict())
    }
}

/// What a platform answers that has these approvals, and knows that `bot` planned.
fn answers(given: impl IntoIterator<Item = Answer>) -> Answers {
    Answers {
        given: given.into_iter().collect(),
        refused: Vec::new(),
        behind: Ok(BTreeSet::from(["bot".to_owned()])),
    }
}

fn planned_by(who: Option<&str>) -> PlannedBy {
    PlannedBy::this_program(who.map(str::to_owned), None)
}

fn codes(verdict: &Verdict) -> Vec<ReasonCode> {
    verdict.reasons.iter().map(|reason| reason.code).collect()
}

fn intent() -> Digest {
    Digest::of_bytes(b"intent")
}

fn made(change: impl FnOnce(&mut Draft)) -> Record {
    let mut draft = draft("alice");
    change(&mut draft);
    Record::new(draft).unwrap()
}

fn external(name: &str, id: &str) -> Record {
    made(|draft| {
        draft.approver.name = name.to_owned();
        draft.decision = Decision::Approve { external_id: Some(id.to_owned()) };
    })
}

fn elsewhere(name: &str) -> Record {
    made(|draft| {
        draft.approver.name = name.to_owned();
        draft.effect_digest = Digest::of_bytes(b"elsewhere");
    })
}

fn claiming(name: &str, assurance: Assurance) -> Record {
    made(|draft| draft.approver = Approver { name: name.to_owned(), assurance })
}

fn ids(verdict: &Verdict) -> BTreeSet<RecordId> {
    verdict.counted.iter().map(|counted| counted.id.clone()).collect()
}

#[test]
fn an_approval_that_counts_is_enough_and_its_id_is_sent() {
    let verdict = case([approve("alice")]).verdict();
    assert!(verdict.allowed, "{verdict:?}");
    assert_eq!(verdict.approval_id, Some(approve("alice").id.to_string()));
    assert_eq!(verdict.holds_until, Some(at("2026-01-02T00:00:00Z")));
    assert_eq!(verdict.policy_digest, Some(policy().digest()));
    assert_eq!(verdict.notes, Vec::<String>::new());
    let [counted] = verdict.counted.as_slice() else { panic!("{verdict:?}") };
    assert_eq!((counted.approver.as_str(), counted.assurance), ("alice", Assurance::Asserted));
}

#[test]
fn without_a_policy_only_the_sandbox_is_written_to() {
    let bare = case([approve("alice")]).with(|case| case.policy = None);
    let verdict = bare.verdict();
    assert_eq!(codes(&verdict), [ReasonCode::NoPolicy]);
    assert!(verdict.reasons[0].message.contains("minimum: 1, accept: [signed], signers: allowed_signers"));
    assert_eq!((verdict.counted, verdict.approval_id), (Vec::new(), None));
    let sandbox = bare.clone().with(|case| case.sandbox = true).verdict();
    assert!(sandbox.allowed, "{sandbox:?}");
    assert_eq!(sandbox.policy_digest, Some(Policy::for_sandbox().digest()));

    let refused = bare.with(|case| case.filed.push(filed(decided("bob", Decision::Reject {}))));
    assert_eq!(refused.codes(), [ReasonCode::NoPolicy, ReasonCode::Rejected]);
    let missing = refused.with(|case| case.asked = "x".into());
    assert_eq!(missing.codes(), [ReasonCode::NoPolicy, ReasonCode::Missing, ReasonCode::Rejected]);
}

#[test]
fn an_id_that_no_approval_bears_is_missing_whatever_it_looks_like() {
    let revocation = decided("bob", Decision::Revoke { approval: approve("carol").id });
    for asked in [
        String::new(),
        "APR-1".to_owned(),
        "alice".to_owned(),
        effect().to_string(),
        approve("bob").id.to_string(),
        revocation.id.to_string(),
        format!("{} ", approve("alice").id),
        approve("alice").id.as_str()[..40].to_owned(),
    ] {
        let verdict = case([approve("alice"), revocation.clone()]).with(|case| case.asked = asked).verdict();
        assert_eq!(codes(&verdict), [ReasonCode::Missing]);
        assert_eq!(verdict.approval_id, None);
    }
    assert_eq!(case([]).codes(), [ReasonCode::Missing, ReasonCode::TooFew]);
    let message = case([]).with(|case| case.asked = "\u{1b}[2J".into()).verdict().reasons[0].message.clone();
    assert!(message.starts_with("no approval bears the ID `\\u{1b}[2J`"), "{message}");
}

#[test]
fn an_id_that_the_service_issued_goes_on_the_wire() {
    let record = external("alice", "APR-1");
    for asked in ["APR-1", record.id.as_str()] {
        let verdict = case([record.clone()]).with(|case| case.asked = asked.to_owned()).verdict();
        assert!(verdict.allowed);
        assert_eq!(verdict.approval_id.as_deref(), Some("APR-1"));
    }
}

#[test]
fn an_id_that_two_bear_names_neither() {
    let (one, two) = (external("alice", "APR-1"), external("bob", "APR-1"));
    let both = case([one.clone(), two]).with(|case| case.asked = "APR-1".into());
    assert_eq!(both.codes(), [ReasonCode::Ambiguous]);
    assert!(both.clone().with(|case| case.asked = one.id.to_string()).verdict().allowed);
    let twice = case([one.clone(), one]).with(|case| case.asked = "APR-1".into());
    assert!(twice.verdict().allowed);
}

#[test]
fn an_approval_for_one_effect_is_none_for_another() {
    let case = case([elsewhere("alice"), elsewhere("bob")])
        .with(|case| case.asked = elsewhere("alice").id.to_string());
    let verdict = case.verdict();
    assert_eq!(codes(&verdict), [ReasonCode::OtherEffect, ReasonCode::TooFew]);
    assert_eq!(verdict.notes, ["approvals of other effects that were left out: 2"]);
    let with_ours = case.with(|case| case.filed.push(filed(approve("carol"))));
    assert_eq!(with_ours.codes(), [ReasonCode::OtherEffect]);
}

#[test]
fn an_expired_approval_counts_no_more() {
    let last = case([approve("alice")]).with(|case| case.now = at("2026-01-01T23:59:59.999Z"));
    assert!(last.verdict().allowed);
    let end = last.with(|case| case.now = at("2026-01-02T00:00:00Z"));
    assert_eq!(end.codes(), [ReasonCode::Expired, ReasonCode::TooFew]);
    assert_eq!(end.verdict().holds_until, None);
}

#[test]
fn the_earlier_of_expiry_and_greatest_age_counts() {
    let aged = |age| case([approve("alice")]).policy(|policy| policy.max_age = Some(age));
    assert_eq!(aged(HOUR * 11).codes(), [ReasonCode::Expired, ReasonCode::TooFew]);
    assert_eq!(aged(HOUR * 12).codes(), [ReasonCode::Expired, ReasonCode::TooFew]);
    assert_eq!(aged(HOUR * 13).verdict().holds_until, Some(at("2026-01-01T13:00:00Z")));
    assert_eq!(aged(HOUR * 48).verdict().holds_until, Some(at("2026-01-02T00:00:00Z")));
    assert!(aged(SignedDuration::MAX).verdict().allowed);
    assert!(!aged(SignedDuration::MIN).verdict().allowed);
}

#[test]
fn a_plan_under_way_goes_on_for_a_while_with_what_was_valid_when_it_began() {
    let begun = |since: &str, now: &str| {
        case([approve("alice")]).with(|case| {
            case.under_way_since = Some(at(since));
            case.now = at(now);
        })
    };
    let going_on = begun("2026-01-01T23:30:00Z", "2026-01-02T00:29:59Z").verdict();
    assert!(going_on.allowed, "{going_on:?}");
    assert_eq!(going_on.holds_until, Some(at("2026-01-02T00:30:00Z")));
    assert_eq!(going_on.notes.len(), 1);
    let early = begun("2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z").verdict();
    assert_eq!((early.holds_until, early.notes.len()), (Some(at("2026-01-02T00:00:00Z")), 0));

    let expired = [ReasonCode::Expired, ReasonCode::TooFew];
    assert_eq!(begun("2026-01-01T23:30:00Z", "2026-01-02T00:30:00Z").codes(), expired);
    assert_eq!(begun("2026-01-02T00:00:00Z", "2026-01-02T00:00:01Z").codes(), expired);
    // What was approved only after it began was no approval then.
    assert_eq!(begun("2025-12-31T23:54:59Z", "2026-01-02T00:00:00Z").codes(), expired);
    let aged = begun("2026-01-01T00:30:00Z", "2026-01-01T01:20:00Z");
    assert!(aged.clone().policy(|policy| policy.max_age = Some(HOUR)).verdict().allowed);
    assert_eq!(aged.policy(|policy| policy.max_age = Some(HOUR / 2)).codes(), expired);
}

#[test]
fn a_revocation_stops_a_plan_under_way() {
    let revocation = decided("bob", Decision::Revoke { approval: approve("alice").id });
    let case = case([approve("alice"), revocation]).with(|case| {
        case.under_way_since = Some(at("2026-01-01T11:00:00Z"));
    });
    assert_eq!(case.codes(), [ReasonCode::TooFew, ReasonCode::Revoked]);
}

#[test]
fn a_time_that_is_far_ahead_is_refused() {
    let at_time = |now: &str| case([approve("alice")]).with(|case| case.now = at(now));
    assert!(at_time("2025-12-31T23:55:00Z").verdict().allowed);
    assert_eq!(at_time("2025-12-31T23:54:59Z").codes(), [ReasonCode::FromTheFuture, ReasonCode::TooFew]);
}

#[test]
fn any_revocation_of_an_approval_wins() {
    let revoke = || Decision::Revoke { approval: approve("alice").id };
    let mut of_another_effect = draft("mallory");
    of_another_effect.decision = revoke();
    of_another_effect.expires = None;
    of_another_effect.effect_digest = Digest::of_bytes(b"elsewhere");
    of_another_effect.time = at("2036-01-01T00:00:00Z");
    for revocation in [decided("alice", revoke()), Record::new(of_another_effect).unwrap()] {
        let verdict = case([approve("alice"), approve("bob"), revocation]).verdict();
        assert_eq!(codes(&verdict), [ReasonCode::Revoked]);
        assert!(verdict.reasons[0].code.is_refusal());
        assert_eq!(ids(&verdict), BTreeSet::from([approve("bob").id]));
        assert_eq!(verdict.approval_id, None);
    }
    let other = decided("bob", Decision::Revoke { approval: approve("carol").id });
    assert!(case([approve("alice"), other.clone()]).verdict().allowed);
    // A revoked revocation is one still.
    let first = decided("bob", revoke());
    let second = decided("bob", Decision::Revoke { approval: first.id.clone() });
    assert_eq!(case([approve("alice"), first, second]).codes(), [ReasonCode::TooFew, ReasonCode::Revoked]);
}

#[test]
fn the_trust_settings_revoke_by_either_id() {
    let record = external("alice", "APR-1");
    for revoked in [record.id.to_string(), "APR-1".to_owned()] {
        let case = case([record.clone()]).with(|case| {
            case.asked = "APR-1".to_owned();
            case.revoked.insert(revoked);
        });
        assert_eq!(case.codes(), [ReasonCode::TooFew, ReasonCode::Revoked]);
    }
}

#[test]
fn a_rejection_wins_over_approvals_before_and_after() {
    let rejection = decided("mallory\u{2026}", Decision::Reject {});
    let rejected = case([approve("alice"), rejection.clone()]);
    assert_eq!(rejected.codes(), [ReasonCode::Rejected]);
    assert!(rejected.verdict().reasons[0].message.ends_with("rejected this effect: reviewed"));
    let elsewhere = made(|draft| {
        draft.decision = Decision::Reject {};
        draft.expires = None;
        draft.effect_digest = Digest::of_bytes(b"elsewhere");
    });
    assert!(case([approve("alice"), elsewhere]).verdict().allowed);
    for revoked in [effect().to_string(), effect().hex().to_owned()] {
        let case = case([approve("alice")]).with(|case| case.revoked.extend([revoked]));
        assert_eq!(case.codes(), [ReasonCode::Rejected]);
    }
}

#[test]
fn an_identity_counts_only_as_far_as_it_is_accepted_and_verifies() {
    use Assurance::{Asserted, Platform, Service, Signed};
    let all = [Signed, Platform, Service, Asserted];
    for (claim, accept, expected) in [
        (Asserted, &all[..], None),
        (Asserted, &all[..3], Some(ReasonCode::NotAccepted)),
        (Asserted, &[], Some(ReasonCode::NotAccepted)),
        (Signed, &all, Some(ReasonCode::NotVerified)),
        (Platform, &all, Some(ReasonCode::NotVerified)),
        (Service, &all, Some(ReasonCode::NotVerified)),
    ] {
        let record = claiming("alice", claim);
        let verdict = case([record.clone()])
            .with(|case| case.asked = record.id.to_string())
            .policy(|policy| policy.accept = accept.iter().copied().collect())
            .verdict();
        let first = verdict.reasons.first().map(|reason| reason.code);
        assert_eq!(first, expected, "{claim:?} {accept:?}");
    }
}

#[test]
fn nobody_approves_what_they_planned() {
    for planner in ["alice", " ALICE\t"] {
        let case = case([approve("alice")]).with(|case| case.planned_by = planned_by(Some(planner)));
        assert_eq!(case.codes(), [ReasonCode::OwnPlan, ReasonCode::TooFew]);
        assert!(case.policy(|policy| policy.four_eyes = false).verdict().allowed);
    }
    // The planner that the record names is one as well, should the artifact say another by now.
    let own = made(|draft| draft.planner = Some("Alice ".into()));
    let case = case([own.clone()]).with(|case| case.asked = own.id.to_string());
    assert_eq!(case.codes(), [ReasonCode::OwnPlan, ReasonCode::TooFew]);
}

#[test]
fn where_nobody_knows_who_planned_four_eyes_see_nothing() {
    for planner in [None, Some(" ")] {
        let case = case([approve("alice")])
            .with(|case| (case.planned_by, case.platform) = (planned_by(planner), None));
        assert_eq!(case.codes(), [ReasonCode::PlannerUnknown]);
        assert!(case.clone().policy(|policy| policy.four_eyes = false).verdict().allowed);
        let sandbox = case.with(|case| (case.policy, case.sandbox) = (None, true)).verdict();
        assert!(sandbox.allowed);
        assert_eq!(sandbox.notes, ["who planned is not known, which the sandbox tolerates"]);
    }
}

fn reviewed(name: &str) -> Answer {
    Answer {
        approver: name.to_owned(),
        reason: "reviewed".to_owned(),
        when: When::At(at("2026-01-01T00:00:00Z")),
        fact: review(),
    }
}

/// The record of `answer`, by a file that anybody could have written.
fn recorded(answer: &Answer) -> Record {
    made(|draft| {
        draft.approver.name = answer.approver.clone();
        draft.platform = Some(answer.fact.clone());
    })
}

#[test]
fn a_record_is_the_platforms_word_only_where_the_platform_says_the_same_now() {
    let answer = reviewed("github:alice#17");
    let record = recorded(&answer);
    let asked = |record: &Record, given: Vec<Answer>| {
        case([record.clone()])
            .with(|case| (case.asked, case.platform) = (record.id.to_string(), Some(answers(given))))
            .policy(|policy| policy.accept = BTreeSet::from([Assurance::Platform]))
    };
    let verdict = asked(&record, vec![answer.clone()]).verdict();
    assert!(verdict.allowed, "{verdict:?}");
    assert_eq!(verdict.counted[0].assurance, Assurance::Platform);

    let refused = vec![ReasonCode::NotAccepted, ReasonCode::TooFew];
    assert_eq!(asked(&record, vec![]).codes(), refused);
    assert_eq!(asked(&record, vec![reviewed("github:bob#18")]).codes(), refused);
    let unasked = asked(&record, vec![]).with(|case| case.platform = None);
    assert_eq!(unasked.codes(), [ReasonCode::NotAccepted, ReasonCode::PlannerUnknown, ReasonCode::TooFew]);
    let changes: [fn(&mut Draft); 6] = [
        |draft| draft.decision = Decision::Approve { external_id: Some("APR-1".into()) },
        |draft| draft.reason = "something else".into(),
        |draft| draft.time = at("2026-01-01T00:00:01Z"),
        |draft| draft.expires = Some(at("2027-01-01T00:00:00Z")),
        |draft| draft.platform = None,
        |draft| draft.approver.name = "github:bob#18".into(),
    ];
    for (index, change) in changes.iter().enumerate() {
        let forged = made(|draft| {
            draft.approver.name.clone_from(&answer.approver);
            draft.platform = Some(answer.fact.clone());
            change(draft);
        });
        assert_eq!(asked(&forged, vec![answer.clone()]).codes(), refused, "{index}");
    }
    // Where the caller's word is enough, it is just that.
    let asserted =
        asked(&record, vec![]).policy(|policy| policy.accept = BTreeSet::from([Assurance::Asserted]));
    assert_eq!(asserted.verdict().counted[0].assurance, Assurance::Asserted);
}

#[test]
fn whoever_is_behind_the_plan_does_not_approve_it_under_any_name() {
    for behind in ["github:alice#17", "github:renamed#17", "GitHub:ALICE"] {
        let answer = reviewed("github:alice#17");
        let people = Ok(BTreeSet::from(["github:carol#3".to_owned(), behind.to_owned()]));
        let own = case([recorded(&answer)]).with(|case| {
            case.asked = recorded(&answer).id.to_string();
            case.platform = Some(Answers { behind: people, ..answers([answer.clone()]) });
        });
        assert_eq!(own.codes(), [ReasonCode::OwnPlan, ReasonCode::TooFew], "{behind}");
    }
    let answer = reviewed("github:alice#17");
    let by_runner = case([recorded(&answer)]).with(|case| {
        case.asked = recorded(&answer).id.to_string();
        let people = vec!["github:alice".to_owned()];
        let pipeline = PlannedIn { platform: "github".to_owned(), run: "7".to_owned(), people };
        case.planned_by.pipeline = Some(pipeline);
    });
    assert_eq!(by_runner.codes(), [ReasonCode::OwnPlan, ReasonCode::TooFew]);
}

#[test]
fn a_planner_that_nobody_vouches_for_decides_no_four_eyes() {
    let plain = case([approve("alice")]);
    assert!(plain.verdict().allowed);
    let asserted = plain.clone().with(|case| case.platform = None);
    assert_eq!(asserted.codes(), [ReasonCode::PlannerUnknown]);
    assert!(asserted.clone().policy(|policy| policy.four_eyes = false).verdict().allowed);
    assert!(asserted.with(|case| case.sandbox = true).verdict().allowed);
    for behind in [Err("nobody knows who pushed".to_owned()), Ok(BTreeSet::new())] {
        let case = plain.clone().with(|case| case.platform = Some(Answers { behind, ..answers([]) }));
        assert_eq!(case.codes(), [ReasonCode::PlannerUnknown]);
    }
}

#[test]
fn a_signer_whose_account_nobody_knows_may_be_behind_the_plan() {
    if !keygen() {
        return;
    }
    let keys = Keys::new("ed25519");
    let alice = approve("alice");
    let signature = Some(armored(&alice.bytes(), &keys.key("one"), NAMESPACE));
    let behind = |name: &str| Some(Answers { behind: Ok(BTreeSet::from([name.to_owned()])), ..answers([]) });
    let signed = |names: &str, name: &str| {
        let mut signed = case([]).with(|case| {
            case.filed.push(Filed { record: alice.clone(), signature: signature.clone() });
            case.platform = behind(name);
        });
        signed = signed.policy(|policy| {
            policy.accept = BTreeSet::from([Assurance::Signed]);
            policy.signers = Some(keys.line(names, "one", ""));
        });
        signed.codes()
    };
    assert_eq!(signed("alice", "github:mallory#9"), [ReasonCode::PlannerUnknown, ReasonCode::TooFew]);
    assert_eq!(
        signed("alice,gitlab:alice", "github:mallory#9"),
        [ReasonCode::PlannerUnknown, ReasonCode::TooFew]
    );
    assert_eq!(signed("alice,github:alice", "github:mallory#9"), []);
    assert_eq!(signed("alice,github:mallory", "github:mallory#9"), [ReasonCode::OwnPlan, ReasonCode::TooFew]);
}

#[test]
fn every_person_counts_once() {
    let later = made(|draft| {
        draft.approver.name = " ALICE".into();
        draft.expires = Some(at("2026-01-03T00:00:00Z"));
    });
    let case = case([approve("alice"), later.clone()]).policy(|policy| policy.minimum = 2);
    let verdict = case.verdict();
    assert_eq!(codes(&verdict), [ReasonCode::TooFew]);
    assert_eq!(verdict.reasons[0].message, "1 of 2 different people who must decide did so");
    assert_eq!(ids(&verdict), BTreeSet::from([approve("alice").id]));

    let two = case.clone().with(|case| case.filed.push(filed(approve("bob"))));
    assert!(two.verdict().allowed);
    let asked = two.with(|case| case.asked = later.id.to_string()).verdict();
    assert_eq!(ids(&asked), BTreeSet::from([later.id, approve("bob").id]));
    assert_eq!(asked.holds_until, Some(at("2026-01-02T00:00:00Z")));
    // Of somebody's several the one counts that lasts longest, where none of them was asked for.
    let other = case.with(|case| {
        case.filed.push(filed(approve("bob")));
        case.asked = approve("bob").id.to_string();
    });
    assert!(other.verdict().counted.iter().any(|counted| counted.approver == " ALICE"));
}

#[test]
fn a_policy_of_nobody_wants_one() {
    assert_eq!(
        case([]).policy(|policy| policy.minimum = 0).codes(),
        [ReasonCode::Missing, ReasonCode::TooFew]
    );
}

#[test]
fn the_asked_one_must_itself_count() {
    let others = [approve("bob"), approve("carol")];
    let expired = made(|draft| draft.expires = Some(at("2026-01-01T06:00:00Z")));
    let case =
        case(others.into_iter().chain([expired.clone()])).with(|case| case.asked = expired.id.to_string());
    let verdict = case.verdict();
    assert_eq!(codes(&verdict), [ReasonCode::Expired]);
    assert_eq!((verdict.counted.len(), verdict.approval_id), (2, None));
    // Where another is asked for, it is no reason, and still told.
    let verdict = case.with(|case| case.asked = approve("bob").id.to_string()).verdict();
    assert!(verdict.allowed);
    assert!(verdict.notes[0].contains("could be used until 2026-01-01T06:00:00Z"), "{:?}", verdict.notes);
}

#[test]
fn every_reason_is_given_at_once_in_one_order() {
    let records = [
        made(|draft| draft.expires = Some(at("2026-01-01T06:00:00Z"))),
        made(|draft| {
            (draft.time, draft.expires) = (at("2026-01-01T18:00:00Z"), Some(at("2026-01-02T00:00:00Z")))
        }),
        approve("bot"),
        claiming("carol", Assurance::Service),
        approve("dave"),
        decided("eve", Decision::Revoke { approval: approve("dave").id }),
        decided("eve", Decision::Reject {}),
        elsewhere("alice"),
    ];
    let mut case = case(records).with(|case| case.asked = elsewhere("alice").id.to_string());
    let verdict = case.verdict();
    assert_eq!(
        codes(&verdict),
        [
            ReasonCode::OtherEffect,
            ReasonCode::Expired,
            ReasonCode::FromTheFuture,
            ReasonCode::NotVerified,
            ReasonCode::OwnPlan,
            ReasonCode::TooFew,
            ReasonCode::Revoked,
            ReasonCode::Rejected,
        ]
    );
    case.filed.reverse();
    case.filed.extend(case.filed.clone());
    assert_eq!(case.verdict(), verdict);
}

#[test]
fn a_record_that_was_made_up_in_place_does_not_count() {
    let mut forged = approve("alice");
    forged.approver.name = "carol".into();
    let mut endless = approve("alice");
    endless.expires = None;
    for record in [forged, endless] {
        let verdict = case([record]).verdict();
        assert_eq!(codes(&verdict), [ReasonCode::Missing, ReasonCode::NotVerified, ReasonCode::TooFew]);
    }
}

#[test]
fn a_signature_says_who_approved() {
    if !keygen() {
        return;
    }
    let keys = Keys::new("ed25519");
    let signers = format!("{}{}", keys.line("alice,a@example.com", "one", ""), keys.line("bob", "two", ""));
    let signed = |record: Record, key: &str| {
        let signature = Some(armored(&record.bytes(), &keys.key(key), NAMESPACE));
        Filed { record, signature }
    };
    let strict = case([]).policy(|policy| {
        policy.signers = Some(signers.clone());
        policy.accept = BTreeSet::from([Assurance::Signed]);
    });
    let asking = |filed: Vec<Filed>| {
        strict.clone().with(|case| {
            case.asked = filed[0].record.id.to_string();
            case.filed = filed;
        })
    };
    let alice = signed(claiming("alice", Assurance::Signed), "one");
    let verdict = asking(vec![alice.clone()]).verdict();
    assert!(verdict.allowed, "{verdict:?}");
    assert_eq!(
        (verdict.counted[0].approver.as_str(), verdict.counted[0].assurance),
        ("alice", Assurance::Signed)
    );

    // The signature counts, not the name nor the claim in the record.
    let under_another_name = signed(claiming("carol", Assurance::Asserted), "one");
    assert_eq!(asking(vec![under_another_name.clone()]).verdict().counted[0].approver, "alice");
    let both = asking(vec![alice.clone(), under_another_name]).policy(|policy| policy.minimum = 2);
    assert_eq!(both.codes(), [ReasonCode::TooFew]);
    let two = asking(vec![alice.clone(), signed(approve("x"), "two")]).policy(|policy| policy.minimum = 2);
    assert!(two.verdict().allowed);

    let not_verified = [ReasonCode::NotVerified, ReasonCode::TooFew];
    assert_eq!(asking(vec![filed(alice.record.clone())]).codes(), not_verified);
    assert_eq!(asking(vec![filed(approve("alice"))]).codes(), not_verified);
    let swapped = Filed { signature: alice.signature.clone(), record: approve("alice") };
    assert_eq!(asking(vec![swapped.clone()]).codes(), not_verified);
    let broken = Filed { signature: Some("x".into()), ..alice.clone() };
    assert_eq!(asking(vec![broken.clone()]).codes(), not_verified);
    assert!(asking(vec![broken, alice.clone()]).verdict().allowed);
    assert_eq!(asking(vec![signed(claiming("alice", Assurance::Platform), "one")]).codes(), not_verified);
    let other_signers =
        asking(vec![alice.clone()]).policy(|policy| policy.signers = Some(keys.line("bob", "two", "")));
    assert_eq!(other_signers.codes(), not_verified);
    let none = asking(vec![alice.clone()]).policy(|policy| policy.signers = Some(String::new()));
    assert_eq!(none.codes(), not_verified);
    let unreadable = asking(vec![alice.clone()]).policy(|policy| policy.signers = Some("alice".into()));
    assert_eq!(unreadable.codes(), not_verified);
    let not_accepted = asking(vec![alice.clone()]).policy(|policy| policy.accept = policy_accepting_names());
    assert_eq!(not_accepted.codes(), [ReasonCode::NotAccepted, ReasonCode::TooFew]);

    // Under any of the names that the key goes by.
    for planner in ["ALICE", "a@example.com"] {
        let own = asking(vec![alice.clone()]).with(|case| case.planned_by = planned_by(Some(planner)));
        assert_eq!(own.codes(), [ReasonCode::OwnPlan, ReasonCode::TooFew]);
    }
}

fn policy_accepting_names() -> BTreeSet<Assurance> {
    BTreeSet::from([Assurance::Asserted])
}

fn resolved(name: &str, of: &Digest, outcome: Resolution) -> Record {
    decided(name, Decision::Resolve { intent: of.clone(), outcome })
}

#[test]
fn a_resolution_is_taken_under_the_same_rules() {
    let applied = |id: &str| Resolution::Applied {
        created: BTreeMap::from([("story".to_owned(), vec![id.to_owned()])]),
    };
    let not_applied = Resolution::NotApplied {};
    let alice = resolved("alice", &intent(), applied("S-1"));
    let a_year_on = case([alice.clone(), decided("eve", Decision::Reject {})])
        .with(|case| case.now = at("2027-01-01T00:00:00Z"));
    let verdict = a_year_on.resolution(&applied("S-1"));
    assert!(verdict.allowed, "{verdict:?}");
    assert_eq!((ids(&verdict), verdict.approval_id), (BTreeSet::from([alice.id.clone()]), None));
    assert_eq!(verdict.holds_until, None);

    let other = a_year_on.resolution(&applied("S-2"));
    assert_eq!(codes(&other), [ReasonCode::TooFew]);
    assert_eq!(other.notes, ["resolutions of this intent that say otherwise: 1"]);
    assert_eq!(codes(&a_year_on.resolution(&not_applied)), [ReasonCode::TooFew]);
    let elsewhere = resolved("alice", &Digest::of_bytes(b"elsewhere"), applied("S-1"));
    assert_eq!(codes(&case([elsewhere]).resolution(&applied("S-1"))), [ReasonCode::TooFew]);
    // An approval of the effect resolves nothing.
    assert_eq!(codes(&case([approve("alice")]).resolution(&not_applied)), [ReasonCode::TooFew]);

    let refused = |case: Case| codes(&case.resolution(&applied("S-1")));
    let few = [ReasonCode::TooFew];
    assert_eq!(refused(a_year_on.clone().policy(|policy| policy.minimum = 2)), few);
    let old = a_year_on.clone().policy(|policy| policy.max_age = Some(HOUR));
    assert_eq!(refused(old), [ReasonCode::Expired, ReasonCode::TooFew]);
    let own = a_year_on.clone().with(|case| case.planned_by = planned_by(Some("alice")));
    assert_eq!(refused(own), [ReasonCode::OwnPlan, ReasonCode::TooFew]);
    let unknown = a_year_on.clone().with(|case| (case.planned_by, case.platform) = (planned_by(None), None));
    assert_eq!(refused(unknown), [ReasonCode::PlannerUnknown]);
    let revoked = a_year_on.clone().with(|case| case.revoked.extend([alice.id.to_string()]));
    assert_eq!(refused(revoked), [ReasonCode::TooFew, ReasonCode::Revoked]);
    let early = a_year_on.clone().with(|case| case.now = at("2025-12-31T00:00:00Z"));
    assert_eq!(refused(early), [ReasonCode::FromTheFuture, ReasonCode::TooFew]);
    let bare = a_year_on.with(|case| case.policy = None);
    assert_eq!(refused(bare), [ReasonCode::NoPolicy]);
}

/// Records of every kind and standing, so that any mixture of them can be asked about.
static POOL: LazyLock<Vec<Record>> = LazyLock::new(|| {
    let mut pool = vec![
        approve("alice"),
        approve("bob"),
        approve("carol"),
        approve("bot"),
        external("dave", "APR-1"),
        claiming("erin", Assurance::Service),
        made(|draft| draft.expires = Some(at("2026-01-01T06:00:00Z"))),
        made(|draft| draft.reason = "again".into()),
        elsewhere("alice"),
        decided("eve", Decision::Reject {}),
    ];
    let revocations: Vec<_> = pool
        .iter()
        .take(5)
        .map(|record| decided("eve", Decision::Revoke { approval: record.id.clone() }))
        .collect();
    pool.extend(revocations);
    pool
});

prop_compose! {
    fn any_case()(
        chosen in prop::collection::vec(prop::bool::weighted(0.6), 9),
        refusals in prop::collection::vec(prop::bool::weighted(0.1), 6),
        asked in 0..9_usize,
        minimum in 1..4_u32,
        four_eyes: bool,
        hours in 0..30_i64,
        since in prop::option::of(0..30_i64),
        listed in prop::option::weighted(0.2, 0..9_usize),
    ) -> Case {
        let pool = &*POOL;
        let start = at("2026-01-01T00:00:00Z");
        let records = pool.iter().zip(chosen.iter().chain(&refusals)).filter(|(_, chosen)| **chosen);
        let mut case = case(records.map(|(record, _)| record.clone()));
        case.asked = if asked == 4 { "APR-1".to_owned() } else { pool[asked].id.to_string() };
        case.revoked.extend(listed.map(|index| pool[index].id.to_string()));
        case.now = start + HOUR * i32::try_from(hours).unwrap();
        case.under_way_since = since.map(|since| start + HOUR * i32::try_from(since).unwrap());
        case.policy(|policy| (policy.minimum, policy.four_eyes) = (minimum, four_eyes))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_revoked_approval_never_counts(case in any_case()) {
        let verdict = case.verdict();
        let mut revoked: BTreeSet<String> = case.revoked.clone();
        for record in case.filed.iter().map(|filed| &filed.record) {
            if let Decision::Revoke { approval } = &record.decision {
                revoked.insert(approval.to_string());
            }
        }
        prop_assert!(verdict.counted.iter().all(|counted| !revoked.contains(counted.id.as_str())));
    }

    #[test]
    fn to_take_an_approval_away_allows_nothing(case in any_case(), index: prop::sample::Index) {
        let approvals = case.filed.iter().filter(|filed| matches!(filed.record.decision, Decision::Approve { .. }));
        let approvals: Vec<_> = approvals.map(|filed| filed.record.id.clone()).collect();
        prop_assume!(!approvals.is_empty());
        let taken = index.get(&approvals);
        let fewer = case.clone().with(|case| case.filed.retain(|filed| filed.record.id != *taken));
        let (before, after) = (case.verdict(), fewer.verdict());
        prop_assert!(before.allowed || !after.allowed);
        prop_assert!(after.counted.len() <= before.counted.len());
    }

    #[test]
    fn to_add_a_refusal_allows_nothing(case in any_case(), index in 9..15_usize) {
        let more = case.clone().with(|case| case.filed.push(filed(POOL[index].clone())));
        prop_assert!(case.verdict().allowed || !more.verdict().allowed);
    }

    #[test]
    fn what_is_allowed_stays_so_until_it_is_said(case in any_case(), seconds in 0..200_000_i64) {
        let verdict = case.verdict();
        if verdict.allowed {
            let now = case.now + SignedDuration::from_secs(seconds);
            let later = case.clone().with(|case| case.now = now).verdict();
            prop_assert!(later.allowed || verdict.holds_until.is_some_and(|until| now >= until));
        }
    }
}

#[test]
fn a_resolution_that_was_revoked_is_not_taken() {
    let not_applied = Resolution::NotApplied {};
    let alice = resolved("alice", &intent(), not_applied.clone());
    assert!(case([alice.clone()]).resolution(&not_applied).allowed);
    let revoked = decided("bob", Decision::Revoke { approval: alice.id.clone() });
    let verdict = case([alice, revoked]).resolution(&not_applied);
    assert_eq!((verdict.allowed, codes(&verdict)), (false, vec![ReasonCode::TooFew, ReasonCode::Revoked]));
}
