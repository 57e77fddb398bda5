//! Events become a report.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use super::not_proven::not_proven;
use super::operation::operation;
use super::v1::{self, Approval, Chain, Document, Format, Run};
use super::word::{last_verdict, word};
use crate::approval::{Assurance, Decision, Filed, RecordId};
use crate::artifact::v1 as artifact;
use crate::core::Digest;
use crate::core::json::{StrictError, UnsafeNumber, canonical, parse_strict};
use crate::ledger::v1::Settlement;
use crate::ledger::{Event, Fact, Head, RunState, State, StateError};

/// The largest report, in bytes: 256 MiB.
pub const MAX_BYTES: usize = 256 * 1024 * 1024;

/// A report that follows from its events.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    document: Document,
    bytes: Vec<u8>,
}

/// Why events give no report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuditError {
    /// Nothing happened to the effect.
    #[error("there are no events")]
    NoEvents,
    /// No event holds the artifact.
    #[error("no event holds the artifact")]
    NoArtifact,
    /// No event has the digest at which the chain should be cut.
    #[error("no event of the chain has the digest {head}")]
    NoSuchHead {
        /// The digest.
        head: Digest,
    },
    /// The events come to no state.
    #[error(transparent)]
    State(#[from] StateError),
    /// A number that canonical JSON does not carry.
    #[error("the report cannot be written: {0}")]
    Number(#[from] UnsafeNumber),
    /// Something that could be written and not read again, such as values in too many levels.
    #[error("the report could not be read again: {0}")]
    Unreadable(#[from] StrictError),
    /// More than a reader takes.
    #[error("{what} would have {bytes} bytes, and {most} are the most")]
    TooLarge {
        /// `the report` or `the bundle`.
        what: &'static str,
        /// How many.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// The archive cannot be written.
    #[error("the bundle cannot be written: {0}")]
    Archive(String),
}

impl From<serde_json::Error> for AuditError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.into())
    }
}

impl Report {
    /// The report of all of `events`, which are one chain from its first event on. The same events always
    /// give the same bytes; time, machine and environment have no part in it.
    ///
    /// # Errors
    /// There are none, they are no chain, one cannot follow another, none holds the artifact, or the report
    /// is more than a reader takes.
    pub fn build(events: &[Event]) -> Result<Self, AuditError> {
        let mut state = State::new(events.first().ok_or(AuditError::NoEvents)?.chain.clone());
        for event in events {
            state.take(event)?;
        }
        Self::of(&state, events)
    }

    /// The report as it was when the event with the digest `head` was the last.
    ///
    /// # Errors
    /// No event has that digest; or those of [`Report::build`].
    pub fn build_at(events: &[Event], head: &Digest) -> Result<Self, AuditError> {
        let mut state = State::new(events.first().ok_or(AuditError::NoEvents)?.chain.clone());
        for (place, event) in events.iter().enumerate() {
            state.take(event)?;
            if state.head.as_ref().is_some_and(|reached| reached.digest == *head) {
                return Self::of(&state, events.get(..=place).unwrap_or_default());
            }
        }
        Err(AuditError::NoSuchHead { head: head.clone() })
    }

    /// The file: canonical JSON on one line, without a line feed at its end.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All it says.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The events that it follows from.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.document.chain.events
    }

    fn of(state: &State, events: &[Event]) -> Result<Self, AuditError> {
        let document = document(state, events)?;
        let bytes = text(&document)?.into_bytes();
        if bytes.len() > MAX_BYTES {
            let bytes = bytes.len();
            return Err(AuditError::TooLarge { what: "the report", bytes, most: MAX_BYTES });
        }
        // What stands in an event stands deeper here: a report that no reader takes is no report.
        parse_strict(&bytes)?;
        Ok(Self { document, bytes })
    }
}

/// The canonical JSON of one of our formats.
pub(super) fn text(value: &impl Serialize) -> Result<String, AuditError> {
    Ok(canonical(&serde_json::to_value(value)?)?)
}

fn document(state: &State, events: &[Event]) -> Result<Document, AuditError> {
    let planned = state.artifact.as_ref().ok_or(AuditError::NoArtifact)?;
    let Head { digest: head, count } = state.head.clone().ok_or(AuditError::NoEvents)?;
    let times = Times::of(events);
    let traces = state.runs.iter().map(|run| (run.run.as_str(), run.began.trace_id.as_str())).collect();

    let runs = runs(state, &times);
    let approvals = approvals(state, &times);
    let operations: Vec<_> = planned
        .operations
        .iter()
        .map(|planned| operation(planned, state.operations.get(&planned.idempotency_key), &traces))
        .collect();
    let not_proven = not_proven(planned, &runs, &approvals, &operations);
    Ok(Document {
        format: Format::V1,
        ledger: state.runs.last().map(|run| run.began.ledger.clone()),
        state: word(state),
        artifact: summary(planned),
        runs,
        approvals,
        operations,
        compared: state.runs.iter().rev().find_map(|run| run.compared.clone()),
        not_proven,
        chain: Chain { head, count, events: events.to_vec() },
    })
}

/// When what the state gives without its time was written.
struct Times<'e> {
    ended: BTreeMap<&'e str, Timestamp>,
    recorded: BTreeMap<&'e RecordId, Timestamp>,
}

impl<'e> Times<'e> {
    fn of(events: &'e [Event]) -> Self {
        let mut times = Self { ended: BTreeMap::new(), recorded: BTreeMap::new() };
        for event in events {
            match &event.fact {
                Fact::Ended { .. } => drop(times.ended.insert(&event.run, event.at)),
                Fact::Recorded { filed } => drop(times.recorded.insert(&filed.record.id, event.at)),
                _ => {}
            }
        }
        times
    }
}

fn summary(planned: &artifact::Document) -> v1::Artifact {
    v1::Artifact {
        effect_digest: planned.effect_digest.clone(),
        file_digest: planned.file_digest.clone(),
        subject: planned.subject.clone(),
        target: planned.target.clone(),
        recipe: planned.recipe.clone(),
        occurrence: planned.occurrence,
        planned_by: planned.planned_by.clone(),
        summary: planned.summary.clone(),
    }
}

fn runs(state: &State, times: &Times<'_>) -> Vec<Run> {
    let run = |run: &RunState| {
        let began = &run.began;
        let decision = run.decided.as_ref().map(|(verdict, _)| verdict.clone());
        let (conclusion, message) = run.ended.clone().unzip();
        Run {
            run: run.run.clone(),
            command: began.command,
            program: began.program.clone(),
            began: run.at,
            ended: times.ended.get(run.run.as_str()).copied(),
            conclusion,
            message,
            trace_id: began.trace_id.clone(),
            ci: began.ci.clone(),
            file_digest: began.file_digest.clone(),
            approval_id: began.approval_id.clone(),
            policy_digest: decision.as_ref().and_then(|verdict| verdict.policy_digest.clone()),
            connected: run.connected.clone(),
            decision,
        }
    };
    state.runs.iter().map(run).collect()
}

fn approvals(state: &State, times: &Times<'_>) -> Vec<Approval> {
    let settled = state.operations.values().filter_map(|operation| match &operation.settled {
        Some(Settlement::People { verdict, .. }) => Some(&**verdict),
        Some(Settlement::Read {} | Settlement::Earlier { .. }) | None => None,
    });
    let counted: BTreeMap<&RecordId, Assurance> = settled
        .chain(last_verdict(state))
        .flat_map(|verdict| &verdict.counted)
        .map(|counted| (&counted.id, counted.assurance))
        .collect();
    let approval = |filed: &Filed| {
        let record = &filed.record;
        Approval {
            id: record.id.clone(),
            decision: record.decision.clone(),
            approver: record.approver.name.clone(),
            assurance: record.approver.assurance,
            reason: record.reason.clone(),
            time: record.time,
            expires: record.expires,
            external_id: match &record.decision {
                Decision::Approve { external_id } => external_id.clone(),
                Decision::Revoke { .. } | Decision::Reject {} | Decision::Resolve { .. } => None,
            },
            recorded: times.recorded.get(&record.id).copied().unwrap_or(record.time),
            signed: filed.signature.is_some(),
            counted: counted.get(&record.id).copied(),
        }
    };
    state.records.iter().map(approval).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{self, Chain};
    use crate::audit::v1::{Compared, Created, Outcome, StateWord};
    use crate::ledger::v1::{Doubt, Settlement};

    fn built(events: &[Event]) -> Document {
        Report::build(events).unwrap().document().clone()
    }

    #[test]
    fn the_same_events_always_give_the_same_bytes() {
        for (name, events) in sample::all() {
            let report = Report::build(&events).unwrap();
            let stored: Vec<Event> =
                events.iter().map(|event| serde_json::from_str(&event.text().unwrap()).unwrap()).collect();
            assert_eq!(Report::build(&stored).unwrap().bytes(), report.bytes(), "{name}");
            let read: Document = serde_json::from_slice(report.bytes()).unwrap();
            assert_eq!(text(&read).unwrap().as_bytes(), report.bytes(), "{name}");
            assert!(!report.bytes().contains(&b'\n'), "{name}");
        }
    }

    #[test]
    fn a_report_at_an_earlier_head_is_the_one_of_then() {
        let events = sample::settled();
        for (place, event) in events.iter().enumerate().step_by(3) {
            let then = Report::build(&events[..=place]).unwrap();
            assert_eq!(Report::build_at(&events, &event.digest().unwrap()).unwrap(), then);
        }
        let head = Digest::of_bytes(b"other");
        assert_eq!(Report::build_at(&events, &head), Err(AuditError::NoSuchHead { head }));
    }

    #[test]
    fn a_success_is_told_with_who_what_and_when() {
        let events = sample::success();
        let document = built(&events);
        assert_eq!(document.state, StateWord::Executed);
        assert_eq!(document.chain.count, events.len() as u64);
        assert_eq!(document.compared, Some(Vec::new()));

        let [run] = document.runs.as_slice() else { panic!("one run") };
        assert_eq!((run.began, run.ended), (events[1].at, Some(events[15].at)));
        assert_eq!(run.conclusion.as_deref(), Some("done"));
        assert_eq!(run.decision.as_ref().unwrap().counted.len(), 2);
        let names: Vec<_> = document
            .approvals
            .iter()
            .map(|approval| (approval.approver.as_str(), approval.signed, approval.counted))
            .collect();
        assert_eq!(
            names,
            [("alice", true, Some(Assurance::Signed)), ("bob", false, Some(Assurance::Asserted))]
        );
        assert_eq!(document.approvals[1].external_id.as_deref(), Some("APR-1"));

        let [package, note] = document.operations.as_slice() else { panic!("two operations") };
        let created = |name: &str, id: &str| Created { name: name.into(), id: id.into() };
        assert_eq!(
            package.created,
            [created("children", "TASK-1"), created("children", "TASK-2"), created("parent", "STORY-1")]
        );
        assert_eq!((package.outcome, package.sent, package.replayed), (Outcome::Applied, true, Some(false)));
        assert_eq!(package.read_back.as_ref().unwrap().result, Compared::Same);
        let attempts: Vec<_> = note.attempts.iter().map(|made| (made.attempt, made.outcome)).collect();
        assert_eq!(attempts, [(1, Outcome::NotApplied), (2, Outcome::Applied)]);
        assert_eq!(note.attempts[0].trace_id, run.trace_id);
        assert_eq!(note.attempts[0].took_ms, Some(31));
    }

    #[test]
    fn an_attempt_without_an_outcome_is_unknown_and_what_was_never_sent_is_not_applied() {
        let unknown = built(&sample::unknown());
        let note = &unknown.operations[1];
        assert_eq!((note.outcome, note.sent), (Outcome::Unknown, true));
        assert_eq!((note.attempts[0].outcome, note.attempts[0].answered), (Outcome::Unknown, None));
        let refused = built(&sample::refused());
        assert!(refused.operations.iter().all(|one| one.outcome == Outcome::NotApplied && !one.sent));
    }

    #[test]
    fn what_was_settled_later_leaves_the_attempts_as_they_were_classified() {
        let note = built(&sample::settled()).operations[1].clone();
        assert_eq!(note.outcome, Outcome::Applied);
        assert_eq!(note.settled_by, Some(Settlement::Read {}));
        let attempts: Vec<_> =
            note.attempts.iter().map(|made| (made.outcome, made.doubt, made.ruled_out)).collect();
        assert_eq!(
            attempts,
            [
                (Outcome::Unknown, Some(Doubt::NoAnswer), true),
                (Outcome::Unknown, Some(Doubt::ServerError), false)
            ]
        );
    }

    #[test]
    fn the_last_decision_says_which_approvals_count() {
        let mut chain = Chain::opened();
        chain.begin().approve("alice").decide_for();
        assert_eq!(built(chain.events()).approvals[0].counted, Some(Assurance::Asserted));
        chain.reject("bob").decide_against(crate::approval::ReasonCode::Rejected);
        let document = built(chain.events());
        assert!(document.approvals.iter().all(|approval| approval.counted.is_none()));
        assert_eq!(document.state, StateWord::Rejected);
    }

    /// What a resolution counted for says nothing of the approvals.
    #[test]
    fn a_decision_on_an_outcome_leaves_those_on_the_effect_as_they_are() {
        let mut events = sample::settled();
        let settled = events.iter().position(|event| matches!(event.fact, Fact::Settled { .. })).unwrap();
        events.truncate(settled + 1);
        let document = built(&events);
        let counted: Vec<_> = document
            .approvals
            .iter()
            .map(|approval| (approval.approver.as_str(), approval.counted.is_some()))
            .collect();
        assert_eq!(counted, [("alice", true), ("carol", true)]);
        assert_eq!(document.state, StateWord::Failed);
    }

    #[test]
    fn what_is_not_proven_is_said() {
        let sentences = built(&sample::unknown()).not_proven;
        for part in [
            "note: no dry run, the tool has none",
            "whether operation `note` took place: its outcome is unknown",
            "what operation `package` left at the server: it could not be read",
            "it counts on the caller's word alone",
            "how run 019a0000-0000-7000-8000-000000000001 ended: it did not say",
            "what the runs say of their pipeline: nobody vouches for it",
            "what the server answered: it is the server's own word",
            "the times: each is of the clock of the machine that wrote it",
            "a tail that was cut shows only beside a head kept elsewhere",
        ] {
            assert!(sentences.iter().any(|sentence| sentence.contains(part)), "{part}: {sentences:#?}");
        }
        let success = built(&sample::success()).not_proven;
        assert!(!success.iter().any(|sentence| sentence.contains("`package`")), "{success:#?}");
        assert!(
            success.contains(&"what operation `note` left at the server: it was not read back".to_owned())
        );
    }

    #[test]
    fn events_that_are_no_chain_give_no_report() {
        assert_eq!(Report::build(&[]), Err(AuditError::NoEvents));
        let mut events = sample::success();
        events.remove(3);
        assert!(matches!(Report::build(&events), Err(AuditError::State(StateError::Chain(_)))));
        let mut beheaded = sample::success();
        beheaded.remove(0);
        assert!(matches!(Report::build(&beheaded), Err(AuditError::State(_))));
    }

    #[test]
    fn a_long_chain_gives_a_report() {
        let events = sample::long(300);
        let report = Report::build(&events).unwrap();
        assert_eq!(report.document().chain.count, events.len() as u64);
        assert!(events.len() >= 300);
    }
}
