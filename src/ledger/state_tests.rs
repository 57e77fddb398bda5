//! What can follow what, and what it comes to.

use std::collections::BTreeSet;

use serde_json::json;

use super::chain::link;
use super::label::{Label, label};
use super::sample::*;
use super::v1::{Fact, Settlement};
use super::{State, StateError, Status};
use crate::approval::{Decision, Filed, Record, Resolution, Verdict};
use crate::core::Digest;
use crate::core::call::RefusalKind;

/// The facts of one run.
fn fold(facts: impl IntoIterator<Item = Fact>) -> Result<State, &'static str> {
    fold_runs(facts.into_iter().map(|fact| ("run", fact)))
}

fn fold_runs<'r>(facts: impl IntoIterator<Item = (&'r str, Fact)>) -> Result<State, &'static str> {
    let chain = document().effect_digest;
    let drafts = (0..).zip(facts).map(|(second, (run, fact))| draft(second, run, fact)).collect();
    State::fold(&chain, &linked(&chain, drafts)).map_err(|error| match error {
        StateError::Impossible { why, .. } => why,
        StateError::Chain(error) => panic!("{error}"),
    })
}

/// A run that has begun, and then `facts`.
fn running(facts: impl IntoIterator<Item = Fact>) -> Result<State, &'static str> {
    fold([opened(), began(LEDGER)].into_iter().chain(facts))
}

/// A run that was allowed what it does, and then `facts`, from the second 4 on.
fn allowed(facts: impl IntoIterator<Item = Fact>) -> Result<State, &'static str> {
    running([recorded(approval()), decided()].into_iter().chain(facts))
}

fn refusal(facts: impl IntoIterator<Item = Fact>) -> &'static str {
    allowed(facts).unwrap_err()
}

const NO_RUN: &str = "its run has not begun or is over";
const NOT_ALLOWED: &str = "nothing allows the intent";

fn resolved() -> Resolution {
    Resolution::Applied { created: created() }
}

fn ruled_out() -> Resolution {
    Resolution::NotApplied {}
}

/// What people found is taken in, and settles the first operation.
fn by_people(outcome: Resolution) -> [Fact; 2] {
    [recorded(resolution(outcome.clone())), settled(0, people(outcome))]
}

fn took_place_earlier() -> Settlement {
    Settlement::Earlier {
        chain: Digest::of_bytes(b"other"),
        approval_id: approval().id.to_string(),
        created: created(),
    }
}

#[test]
fn two_runs_come_to_what_they_did() {
    let events = events();
    let state = State::fold(&document().effect_digest, &events).unwrap();
    assert_eq!(state.head.as_ref().unwrap().count, 19);
    assert_eq!(state.artifact.as_deref(), Some(&document()));
    assert_eq!(state.records.len(), 2);
    assert_eq!(state.runs.len(), 2);
    let first = state.run("first").unwrap();
    assert!(first.connected.is_some());
    assert_eq!(first.decided.as_ref().unwrap().1, 1);
    assert_eq!(first.compared, Some(Vec::new()));
    assert_eq!(first.ended.as_ref().unwrap().0, "unknown");
    assert_eq!(state.run("second").unwrap().decided, None);
    assert_eq!(state.run("third"), None);

    assert_eq!(state.status(&key(0)), Status::Applied { created: created(), replayed: Some(false) });
    let note = &state.operations[&key(1)];
    assert!(matches!(note.status(), Status::Applied { .. }));
    assert_eq!(note.attempts[0].intent, events[10].digest().unwrap());
    assert_eq!(note.looked.as_ref().unwrap().after, 1);
    assert!(note.tried.is_some());
    assert!(state.operations[&key(0)].read_back.is_some());
    assert_eq!(state.under_way_since(), Some(at(7)));
}

#[test]
fn an_effect_is_opened_once_and_by_its_own_artifact() {
    let mut facts = vec![opened(), opened()];
    assert_eq!(fold(facts.clone()).unwrap_err(), "the artifact is there already");
    facts[0] = Fact::Opened { artifact: Box::new(other_document()) };
    assert_eq!(fold(facts).unwrap_err(), "the artifact has another effect");
    assert_eq!(fold([began(LEDGER)]).unwrap_err(), "a run begins before there is an artifact");
}

#[test]
fn a_run_begins_once_and_nothing_is_its_own_before_or_after() {
    let all: [fn() -> Fact; 10] = [
        decided,
        connected,
        || tried(0),
        || compared(vec![moved()]),
        || intent(0, 1),
        || outcome(0, 1, applied()),
        || looked(0, None),
        || settled(0, Settlement::Read {}),
        || read_back(0),
        || ended("applied"),
    ];
    for fact in all {
        assert_eq!(fold([opened(), fact()]).unwrap_err(), NO_RUN);
        assert_eq!(refusal([ended("applied"), fact()]), NO_RUN);
        let stranger = [("one", opened()), ("one", began(LEDGER)), ("two", fact())];
        assert_eq!(fold_runs(stranger).unwrap_err(), NO_RUN);
        let overtaken = [("one", opened()), ("one", began(LEDGER)), ("two", began(LEDGER)), ("one", fact())];
        assert_eq!(fold_runs(overtaken).unwrap_err(), NO_RUN);
    }
    assert_eq!(refusal([began(LEDGER)]), "the run has begun already");
    // A run that was killed has no end.
    let killed = [
        ("one", opened()),
        ("one", began(LEDGER)),
        ("two", began(LEDGER)),
        ("two", recorded(approval())),
        ("two", decided()),
        ("two", intent(0, 1)),
    ];
    assert!(fold_runs(killed).is_ok());
}

#[test]
fn a_record_is_taken_in_once_and_only_of_this_effect() {
    let approve = |effect: &Digest, name: &str| record(effect, name, Decision::Approve { external_id: None });
    let effect = document().effect_digest;
    let bob = approve(&effect, "bob");
    let state = allowed([recorded(bob.clone())]).unwrap();
    assert_eq!(state.records.len(), 2);
    assert_eq!(refusal([recorded(bob.clone()), recorded(bob.clone())]), "the record is there already");
    let other = approve(&Digest::of_bytes(b"other"), "bob");
    assert_eq!(refusal([recorded(other.clone())]), "the record is of another effect");

    // With another signature it is another one.
    let signed = |record: &Record, signature: &str| Filed {
        record: record.clone(),
        signature: Some(signature.to_owned()),
    };
    let taken = Fact::Recorded { filed: Box::new(signed(&bob, "one")) };
    assert_eq!(allowed([recorded(bob.clone()), taken.clone()]).unwrap().records.len(), 3);
    assert_eq!(refusal([taken.clone(), taken]), "the record is there already");
    let unsigned = |record: &Record| Filed { record: record.clone(), signature: None };
    let filed =
        [signed(&bob, "one"), unsigned(&bob), signed(&bob, "two"), signed(&bob, "two"), unsigned(&other)];
    assert_eq!(state.news(&filed), [&filed[0], &filed[2]]);
}

#[test]
fn what_the_artifact_does_not_plan_has_no_place() {
    let stranger = serde_json::from_value(json!(format!("lg1-{}", "0".repeat(64)))).unwrap();
    let why = "the artifact has no such operation";
    for mut fact in [
        tried(0),
        intent(0, 1),
        outcome(0, 1, applied()),
        looked(0, None),
        settled(0, Settlement::Read {}),
        read_back(0),
    ] {
        match &mut fact {
            Fact::Tried { key, .. }
            | Fact::Intent { key, .. }
            | Fact::Outcome { key, .. }
            | Fact::Looked { key, .. }
            | Fact::Settled { key, .. }
            | Fact::ReadBack { key, .. } => *key = Clone::clone(&stranger),
            other => panic!("{other:?}"),
        }
        assert_eq!(refusal([fact]), why);
    }
}

#[test]
fn attempts_are_counted_from_one_and_none_follows_what_took_place() {
    let miscounted = "an attempt is left out or counted twice";
    assert_eq!(refusal([intent(0, 0)]), miscounted);
    assert_eq!(refusal([intent(0, 2)]), miscounted);
    assert_eq!(refusal([intent(0, 1), intent(0, 1)]), miscounted);
    assert_eq!(refusal([intent(0, u32::MAX)]), miscounted);
    let took_place = "the operation took place already";
    assert_eq!(refusal([intent(0, 1), outcome(0, 1, applied()), intent(0, 2)]), took_place);
    assert_eq!(refusal([settled(0, Settlement::Read {}), intent(0, 1)]), took_place);
    for came in [unknown(), not_applied()] {
        assert!(allowed([intent(0, 1), outcome(0, 1, came), intent(0, 2)]).is_ok());
    }
    assert!(allowed([intent(0, 1), outcome(0, 1, applied()), intent(1, 1)]).is_ok());
}

#[test]
fn a_first_intent_wants_a_verdict_of_its_run_that_allows_it_and_knows_every_record() {
    assert_eq!(running([intent(0, 1)]).unwrap_err(), NOT_ALLOWED);
    let no = Fact::Decided { verdict: Box::new(verdict(false, json!([]))) };
    assert_eq!(refusal([no.clone(), intent(0, 1)]), NOT_ALLOWED);
    let rejection = recorded(record(&document().effect_digest, "bob", Decision::Reject {}));
    assert_eq!(refusal([rejection.clone(), intent(0, 1)]), NOT_ALLOWED);
    assert!(allowed([rejection.clone(), decided(), intent(0, 1)]).is_ok());
    // What was refused is sent for the first time again; what took place before does not allow the next.
    let refused = || [intent(0, 1), outcome(0, 1, not_applied())];
    let done = || [intent(0, 1), outcome(0, 1, applied())];
    for (before, then) in [(refused(), intent(0, 2)), (done(), intent(1, 1))] {
        assert!(allowed(before.clone().into_iter().chain([then.clone()])).is_ok());
        assert_eq!(refusal(before.into_iter().chain([no.clone(), then])), NOT_ALLOWED);
    }
    let earlier = [
        ("one", opened()),
        ("one", began(LEDGER)),
        ("one", recorded(approval())),
        ("one", decided()),
        ("two", began(LEDGER)),
        ("two", intent(0, 1)),
    ];
    assert_eq!(fold_runs(earlier).unwrap_err(), NOT_ALLOWED);
    // What is unknown is settled whatever anybody says since.
    assert!(allowed([intent(0, 1), no, rejection, intent(0, 2)]).is_ok());
}

#[test]
fn nothing_else_is_sent_while_an_operation_is_unknown() {
    let why = "another operation is unknown";
    assert_eq!(refusal([intent(0, 1), intent(1, 1)]), why);
    assert_eq!(refusal([intent(1, 1), outcome(1, 1, unknown()), intent(0, 1)]), why);
    let settles = [intent(0, 1), settled(0, Settlement::Read {}), intent(1, 1)];
    assert!(allowed(settles).is_ok());
}

#[test]
fn every_attempt_carries_the_approval_of_the_first() {
    let mut second = intent(0, 2);
    let Fact::Intent { approval_id, .. } = &mut second else { panic!() };
    *approval_id = resolution(ruled_out()).id.to_string();
    assert_eq!(
        refusal([intent(0, 1), outcome(0, 1, not_applied()), second]),
        "an attempt carries another approval ID than the first"
    );
}

#[test]
fn only_the_last_attempt_and_its_own_run_give_an_outcome_once() {
    let why = "no attempt waits for this outcome";
    assert_eq!(refusal([outcome(0, 1, applied())]), why);
    assert_eq!(refusal([intent(0, 1), outcome(1, 1, applied())]), why);
    assert_eq!(refusal([intent(0, 1), outcome(0, 2, applied())]), why);
    assert_eq!(refusal([intent(0, 1), outcome(0, 0, applied())]), why);
    assert_eq!(refusal([intent(0, 1), intent(0, 2), outcome(0, 1, applied())]), why);
    assert_eq!(refusal([intent(0, 1), outcome(0, 1, unknown()), outcome(0, 1, applied())]), why);
    let late = [
        ("one", opened()),
        ("one", began(LEDGER)),
        ("one", recorded(approval())),
        ("one", decided()),
        ("one", intent(0, 1)),
        ("two", began(LEDGER)),
        ("two", outcome(0, 1, applied())),
    ];
    assert_eq!(fold_runs(late.clone()).unwrap_err(), why);
    let mut overtaken = late;
    overtaken[6].0 = "one";
    assert_eq!(fold_runs(overtaken).unwrap_err(), NO_RUN);
    assert_eq!(refusal([intent(0, 1), ended("unknown"), outcome(0, 1, applied())]), NO_RUN);
}

#[test]
fn an_intent_without_an_outcome_is_unknown_from_its_time_on() {
    let state = allowed([intent(0, 1)]).unwrap();
    assert_eq!(state.status(&key(0)), Status::Unknown { since: at(4) });
    assert_eq!(state.status(&key(1)), Status::Untouched);
    assert!(state.has_unknown() && state.is_under_way());
    assert_eq!(state.under_way_since(), Some(at(4)));
    assert_eq!(state.operations[&key(0)].unknown().count(), 1);
    let state = allowed([intent(0, 1), outcome(0, 1, unknown()), intent(0, 2)]).unwrap();
    assert_eq!(state.status(&key(0)), Status::Unknown { since: at(4) });
}

#[test]
fn an_earlier_unknown_outlives_a_refusal_and_not_a_success() {
    let attempts = |last| [intent(0, 1), outcome(0, 1, unknown()), intent(0, 2), outcome(0, 2, last)];
    assert_eq!(allowed(attempts(not_applied())).unwrap().status(&key(0)), Status::Unknown { since: at(4) });
    let state = allowed(attempts(applied())).unwrap();
    assert!(matches!(state.status(&key(0)), Status::Applied { .. }));
    assert!(!state.has_unknown());
}

#[test]
fn what_was_refused_is_not_applied_and_not_under_way() {
    let state = allowed([intent(0, 1), outcome(0, 1, not_applied())]).unwrap();
    let refused = Status::NotApplied { refusal: RefusalKind::RateLimited, message: "later".into() };
    assert_eq!(state.status(&key(0)), refused);
    assert!(!state.is_under_way() && !state.has_unknown());
    assert_eq!(state.under_way_since(), None);
}

#[test]
fn what_was_not_sent_under_this_effect_has_not_begun() {
    for by in [Settlement::Read {}, took_place_earlier()] {
        let state = allowed([settled(0, by)]).unwrap();
        assert!(matches!(state.status(&key(0)), Status::Applied { .. }));
        assert!(!state.is_under_way());
        assert_eq!(state.under_way_since(), None);
    }
}

#[test]
fn each_settlement_says_what_was_created() {
    let read = [intent(0, 1), settled(0, Settlement::Read {})].to_vec();
    let earlier = [settled(0, took_place_earlier())].to_vec();
    let people = [intent(0, 1)].into_iter().chain(by_people(resolved())).collect();
    for (facts, ids) in [(read, Default::default()), (earlier, created()), (people, created())] {
        let state = allowed(facts.clone()).unwrap();
        assert_eq!(state.status(&key(0)), Status::Applied { created: ids, replayed: None }, "{facts:?}");
        let again = facts.last().cloned();
        assert_eq!(refusal(facts.into_iter().chain(again)), "the operation took place already");
    }
    let done = [intent(0, 1), outcome(0, 1, applied()), settled(0, Settlement::Read {})];
    assert_eq!(refusal(done), "the operation took place already");
}

#[test]
fn what_is_unknown_here_is_not_settled_by_what_took_place_elsewhere() {
    let facts = |came| [intent(0, 1), outcome(0, 1, came), settled(0, took_place_earlier())];
    assert_eq!(refusal(facts(unknown())), "what is unknown is sent again");
    assert!(allowed(facts(not_applied())).is_ok());
}

#[test]
fn people_settle_what_is_unknown_and_nothing_else() {
    let why = "nothing of the operation is unknown";
    for outcome_found in [ruled_out(), resolved()] {
        let found = || by_people(outcome_found.clone());
        assert_eq!(refusal(found()), why);
        let refused = [intent(0, 1), outcome(0, 1, not_applied())];
        assert_eq!(refusal(refused.into_iter().chain(found())), why);
    }
    let [taken, settles] = by_people(ruled_out());
    let state = allowed([intent(0, 1), intent(0, 2), taken.clone(), settles.clone()]).unwrap();
    assert!(matches!(state.status(&key(0)), Status::NotApplied { refusal: RefusalKind::Refused, .. }));
    assert_eq!(refusal([intent(0, 1), taken.clone(), settles.clone(), settles.clone()]), why);
    let again = [intent(0, 1), taken, settles, decided(), intent(0, 2)];
    assert_eq!(allowed(again).unwrap().status(&key(0)), Status::Unknown { since: at(8) });
}

#[test]
fn the_word_of_people_counts_where_it_was_taken_in() {
    let why = "it is settled by records that were not taken in";
    let [known, other] = [ruled_out(), resolved()].map(resolution);
    for (records, taken) in [
        (vec![], false),
        (vec![&other], false),
        (vec![&known, &other], false),
        (vec![&other, &known], false),
        (vec![&known], true),
        (vec![&known, &approval()], true),
    ] {
        let by = Settlement::People { resolution: ruled_out(), verdict: Box::new(word_of(&records)) };
        let folded = allowed([intent(0, 1), recorded(known.clone()), settled(0, by.clone())]);
        assert_eq!(folded.err(), (!taken).then_some(why), "{by:?}");
    }
    let verdict = Box::new(Verdict { allowed: false, ..word_of(&[&known]) });
    let by = Settlement::People { resolution: ruled_out(), verdict };
    assert_eq!(refusal([intent(0, 1), recorded(known), settled(0, by)]), why);
}

#[test]
fn only_what_took_place_is_read_back() {
    let why = "it reads back what did not take place";
    assert_eq!(refusal([read_back(0)]), why);
    assert_eq!(refusal([intent(0, 1), read_back(0)]), why);
    assert_eq!(refusal([intent(0, 1), outcome(0, 1, not_applied()), read_back(0)]), why);
    assert!(running([settled(0, Settlement::Read {}), read_back(0)]).is_ok());
}

/// One of each kind, and some more of those that are refused for several reasons.
fn every_fact() -> Vec<Fact> {
    let mut facts = vec![
        opened(),
        Fact::Opened { artifact: Box::new(other_document()) },
        began(LEDGER),
        recorded(approval()),
        recorded(record(&Digest::of_bytes(b"other"), "bob", Decision::Reject {})),
        decided(),
        connected(),
        compared(vec![moved()]),
        ended("applied"),
    ];
    for place in [0, 1] {
        facts.extend([tried(place), looked(place, None), read_back(place)]);
        let settlements =
            [Settlement::Read {}, took_place_earlier(), people(resolved()), people(ruled_out())];
        facts.extend(settlements.map(|by| settled(place, by)));
        for attempt in [1, 2] {
            facts.extend([intent(place, attempt), outcome(place, attempt, unknown())]);
        }
    }
    facts
}

#[test]
fn a_refused_event_leaves_the_state_exactly_as_it_was() {
    let chain = document().effect_digest;
    let (events, facts) = (events(), every_fact());
    let mut state = State::new(chain.clone());
    let mut refused = BTreeSet::new();
    for event in &events {
        for (run, fact) in
            ["first", "second"].into_iter().flat_map(|run| facts.iter().map(move |fact| (run, fact)))
        {
            let next = link(&chain, state.head.as_ref(), draft(60, run, fact.clone())).unwrap().0;
            let mut changed = state.clone();
            if let Err(StateError::Impossible { why, .. }) = changed.take(&next) {
                assert_eq!(changed, state, "{why}");
                refused.insert(why);
            }
        }
        for other in [&events[0], &events[18]].into_iter().filter(|other| *other != event) {
            let before = state.clone();
            assert!(matches!(state.take(other), Err(StateError::Chain(_))));
            assert_eq!(state, before);
        }
        state.take(event).unwrap();
    }
    assert_eq!(refused.len(), 15, "{refused:#?}");
}

#[test]
fn the_words_of_loopiq_follow_from_events() {
    let operations = document().operations;
    let yes = verdict(true, json!([]));
    let no = verdict(false, json!([{"code": "rejected", "message": "no"}]));
    let wait = verdict(false, json!([{"code": "missing", "message": "nobody"}]));
    let [done, lost, refused] = [applied(), unknown(), not_applied()]
        .map(|came| allowed([intent(0, 1), outcome(0, 1, came)]).unwrap());
    let both =
        |came| allowed([intent(0, 1), outcome(0, 1, applied()), intent(1, 1), outcome(1, 1, came)]).unwrap();
    let untouched = State::new(document().effect_digest);
    for (state, verdict, expected) in [
        (&untouched, None, Label::PendingApproval),
        (&untouched, Some(&wait), Label::PendingApproval),
        (&untouched, Some(&yes), Label::Approved),
        (&untouched, Some(&no), Label::Rejected),
        (&lost, Some(&no), Label::ApprovedOutcomeUnknown),
        (&done, Some(&no), Label::Failed),
        (&done, None, Label::Approved),
        (&refused, Some(&yes), Label::Failed),
        (&both(applied()), Some(&no), Label::Executed),
        (&both(not_applied()), Some(&yes), Label::Failed),
        (&both(unknown()), Some(&yes), Label::ApprovedOutcomeUnknown),
    ] {
        assert_eq!(label(state, &operations, verdict), expected);
    }
    assert_eq!(label(&untouched, &[], Some(&yes)), Label::Approved);
    assert_eq!(label(&untouched, &[], None), Label::PendingApproval);
    let words = [Label::PendingApproval, Label::ApprovedOutcomeUnknown, Label::Executed];
    assert_eq!(
        words.map(|label| label.to_string()),
        ["Pending approval", "Approved (outcome unknown)", "Executed"]
    );
}
