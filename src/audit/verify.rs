//! A report or a bundle is checked offline: its events are checked, and it is built again from them.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::Value;
use thiserror::Error;

use super::build::{AuditError, MAX_BYTES, Report};
use super::bundle;
use super::check;
use super::v1::FORMAT;
use crate::approval::{RecordId, SignersError};
use crate::artifact::ReadError;
use crate::core::Digest;
use crate::core::json::{StrictError, parse_strict};
use crate::core::pointer::escape;
use crate::core::text::{excerpt, visible};
use crate::ledger::Event;

/// What a report is checked against besides itself.
#[derive(Default)]
pub struct VerifyOptions<'a> {
    /// A digest of an event that was kept elsewhere: the chain must have it.
    pub anchor: Option<Digest>,
    /// Who may sign: the lines of an `allowed_signers` file.
    pub signers: Option<&'a str>,
}

/// A report that holds, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The effect that it is about.
    pub effect_digest: Digest,
    /// The digest of the last event.
    pub head: Digest,
    /// How many events there are.
    pub count: u64,
    /// How many events follow the anchor; none without an anchor.
    pub after_anchor: Option<u64>,
    /// What was checked, in sentences.
    pub checked: Vec<String>,
    /// What was not or cannot be checked, in sentences.
    pub not_checked: Vec<String>,
}

/// In which way a report does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It is no report or bundle, or the signers given with it are none (exit code 3).
    Shape,
    /// The artifact, a record or a signature in it does not hold (exit code 22).
    Damaged,
    /// The chain is broken or cut, or the report does not follow from it (exit code 41).
    Broken,
}

/// Why a report does not hold.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// Larger than any.
    #[error("the file has {bytes} bytes, and {most} are the most")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// Not JSON as every reader understands it.
    #[error(transparent)]
    Json(#[from] StrictError),
    /// Something else, or another version.
    #[error("the file has the format `{}`, and this program reads `{FORMAT}`", excerpt(found, 100))]
    Format {
        /// Its `format`; `none` where it has none.
        found: String,
    },
    /// Its events are none.
    #[error("`/chain/events` does not hold events: {what}")]
    Events {
        /// What is wrong and where, visible.
        what: String,
    },
    /// An archive that is no bundle.
    #[error("the archive is no bundle: {what}")]
    NoBundle {
        /// What is wrong.
        what: String,
    },
    /// The events are no chain, or one cannot follow another.
    #[error(transparent)]
    Broken(#[from] AuditError),
    /// The artifact is not what its digests name.
    #[error("the artifact in the chain does not hold: {0}")]
    Artifact(#[from] ReadError),
    /// A record whose ID is not that of its content.
    #[error("record {id} does not hold what its ID names")]
    Record {
        /// Its ID.
        id: RecordId,
    },
    /// The signers that were given are not understood.
    #[error(transparent)]
    Signers(#[from] SignersError),
    /// A signature that does not verify.
    #[error("the signature of {id} does not verify: {why}")]
    Signature {
        /// The record's ID.
        id: RecordId,
        /// Why, visible.
        why: String,
    },
    /// An approval that counted as signed and is not.
    #[error("{id} counted as signed by `{}`, and no signature shows that", excerpt(approver, 100))]
    NotSigned {
        /// The record's ID.
        id: RecordId,
        /// For whom it counted.
        approver: String,
    },
    /// A value that does not follow from the events.
    #[error("what stands at `{}` does not follow from the events", visible(pointer))]
    Differs {
        /// The first such place, a JSON pointer; empty for the whole.
        pointer: String,
    },
    /// Every value is right and a byte is not.
    #[error("byte {at} is not as it is written: white space, order of members, or the spelling of a value")]
    NotCanonical {
        /// The first, from 0.
        at: usize,
    },
    /// A member of a bundle that does not follow from the events.
    #[error("`{}` in the bundle does not follow from the events", visible(name))]
    Member {
        /// Its name.
        name: String,
    },
    /// An approval that counted and was not taken in.
    #[error("{id} counted in a decision, and no event before it holds the record")]
    NotRecorded {
        /// The record's ID.
        id: RecordId,
    },
    /// A verdict that does not follow from the policy and the records before it.
    #[error("event {sequence} allows what nothing before it allows: {why}")]
    Decision {
        /// Which event.
        sequence: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// The anchor is not in the chain.
    #[error("no event has the digest {anchor}: the tail is cut or it is another chain")]
    Cut {
        /// The anchor.
        anchor: Digest,
    },
}

impl VerifyError {
    /// In which way it does not hold.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::TooLarge { .. }
            | Self::Json(_)
            | Self::Format { .. }
            | Self::Events { .. }
            | Self::NoBundle { .. }
            | Self::Signers(_) => FaultKind::Shape,
            Self::Artifact(_) | Self::Record { .. } | Self::Signature { .. } | Self::NotSigned { .. } => {
                FaultKind::Damaged
            }
            Self::Broken(_)
            | Self::Differs { .. }
            | Self::NotCanonical { .. }
            | Self::Member { .. }
            | Self::NotRecorded { .. }
            | Self::Decision { .. }
            | Self::Cut { .. } => FaultKind::Broken,
        }
    }
}

/// Checks a report or a bundle, whichever `bytes` are, with nothing but what it holds and `options`.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify(bytes: &[u8], options: &VerifyOptions<'_>) -> Result<Verified, VerifyError> {
    let mut checked = Vec::new();
    let report = if bundle::is_archive(bytes) {
        let report = rebuilt(bundle::report_in(bytes)?)?;
        bundle::compare(bytes, &report)?;
        checked.push("every file of the bundle follows from the events, byte for byte".to_owned());
        report
    } else {
        rebuilt(bytes)?
    };
    let document = report.document();
    let (head, count) = (document.chain.head.clone(), document.chain.count);
    checked.push(format!("the chain holds from its first event to its last, {count} in all"));
    checked.push("the report follows from the events, byte for byte".to_owned());
    check::artifact(report.events())?;
    checked.push("the artifact is what its digests name".to_owned());
    let records = check::records(report.events())?;
    check::decisions(report.events())?;
    checked.push("every decision to go on has the approvals that its policy wants".to_owned());
    checked.push(format!("every record bears the ID of its content, {records} in all"));

    let mut not_checked = Vec::new();
    let after_anchor = match &options.anchor {
        Some(anchor) => {
            let after = events_after(report.events(), &head, anchor)?;
            checked.push(format!("the chain has the anchor, and {after} events follow it"));
            if after > 0 {
                not_checked
                    .push("whether events behind the last one were cut off: the anchor is older".into());
            }
            Some(after)
        }
        None => {
            not_checked.push("whether events behind the last one were cut off: no anchor was given".into());
            None
        }
    };
    let unsigned = check::recorded(report.events()).filter(|filed| filed.signature.is_none()).count();
    let signed = check::recorded(report.events()).count() - unsigned;
    match options.signers {
        Some(signers) => {
            let signed = check::signatures(report.events(), signers)?;
            let good = signed.by.len();
            let names: BTreeSet<_> =
                signed.by.values().flatten().map(|name| format!("`{}`", excerpt(name, 100))).collect();
            if good > 0 {
                let names = names.into_iter().collect::<Vec<_>>().join(", ");
                checked.push(format!("the signatures of all that counted verify, {good} in all, by {names}"));
            }
            for (id, why) in signed.planted {
                not_checked.push(format!(
                    "who gave {id}, which never counted: its signature does not verify: {why}"
                ));
            }
        }
        None if signed > 0 => {
            not_checked.push(format!("the signatures, {signed} in all: no signers were given"));
        }
        None => {}
    }
    if unsigned > 0 {
        not_checked.push(format!("who gave the records that bear no signature, {unsigned} in all"));
    }
    not_checked.push("what the server answered: it is the server's own word".to_owned());
    not_checked.push("the times: each is of the clock of the machine that wrote it".to_owned());
    let effect_digest = document.artifact.effect_digest.clone();
    Ok(Verified { effect_digest, head, count, after_anchor, checked, not_checked })
}

/// The report that the events in `bytes` give, which are that report.
fn rebuilt(bytes: &[u8]) -> Result<Report, VerifyError> {
    if bytes.len() > MAX_BYTES {
        return Err(VerifyError::TooLarge { bytes: bytes.len(), most: MAX_BYTES });
    }
    let value = parse_strict(bytes)?;
    match value.get("format") {
        Some(Value::String(format)) if format == FORMAT => {}
        Some(Value::String(found)) => return Err(VerifyError::Format { found: found.clone() }),
        Some(found) => return Err(VerifyError::Format { found: found.to_string() }),
        None => return Err(VerifyError::Format { found: "none".to_owned() }),
    }
    let events = value
        .pointer("/chain/events")
        .ok_or_else(|| VerifyError::Events { what: "nothing stands there".to_owned() })?;
    let events = read_events(events)?;
    let report = Report::build(&events)?;
    if report.bytes() == bytes {
        return Ok(report);
    }
    let again = parse_strict(report.bytes())?;
    Err(match first_difference(&value, &again) {
        Some(pointer) => VerifyError::Differs { pointer },
        None => {
            let same = bytes.iter().zip(report.bytes()).take_while(|(one, other)| one == other);
            VerifyError::NotCanonical { at: same.count() }
        }
    })
}

fn read_events(value: &Value) -> Result<Vec<Event>, VerifyError> {
    let Value::Array(items) = value else {
        return Err(VerifyError::Events { what: "no list stands there".to_owned() });
    };
    let event = |(place, item): (usize, &Value)| {
        Event::deserialize(item).map_err(|error| VerifyError::Events {
            what: format!("event {place}: {}", excerpt(&error.to_string(), 200)),
        })
    };
    items.iter().enumerate().map(event).collect()
}

/// How many events follow the one with the digest `anchor`. Each event names the one before it, so the chain
/// that was checked tells every digest.
fn events_after(events: &[Event], head: &Digest, anchor: &Digest) -> Result<u64, VerifyError> {
    if head == anchor {
        return Ok(0);
    }
    let named = events.iter().rev().zip(1..).find(|(event, _)| event.previous.as_ref() == Some(anchor));
    named.map(|(_, after)| after).ok_or_else(|| VerifyError::Cut { anchor: anchor.clone() })
}

/// The JSON pointer of the first place where two values differ, in the order of member names and list places.
fn first_difference(one: &Value, other: &Value) -> Option<String> {
    let below = |token: &str, one: Option<&Value>, other: Option<&Value>| match (one, other) {
        (Some(one), Some(other)) => {
            first_difference(one, other).map(|rest| format!("/{}{rest}", escape(token)))
        }
        _ => Some(format!("/{}", escape(token))),
    };
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            names.into_iter().find_map(|name| below(name, one.get(name), other.get(name)))
        }
        (Value::Array(one), Value::Array(other)) => (0..one.len().max(other.len()))
            .find_map(|place| below(&place.to_string(), one.get(place), other.get(place))),
        (one, other) => (one != other).then(String::new),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::approval::{Assurance, Filed, Record, Resolution};
    use crate::artifact::{self, Artifact};
    use crate::audit::bundle::bundle;
    use crate::audit::sample::{self, Chain, SIGNERS};
    use crate::ledger::chain::link;
    use crate::ledger::v1::{Command, Doubt, Settlement};
    use crate::ledger::{Draft, Fact};
    use serde_json::json;

    /// The format as it was released: a report of old is checked for ever.
    const EXAMPLE: &[u8] = include_bytes!("example.json");

    fn report(events: &[Event]) -> Vec<u8> {
        Report::build(events).unwrap().bytes().to_vec()
    }

    fn check(bytes: &[u8]) -> Result<Verified, VerifyError> {
        verify(bytes, &VerifyOptions::default())
    }

    fn anchored(bytes: &[u8], anchor: &Digest) -> Result<Verified, VerifyError> {
        verify(bytes, &VerifyOptions { anchor: Some(anchor.clone()), signers: None })
    }

    fn signed(bytes: &[u8], lines: &str) -> Result<Verified, VerifyError> {
        verify(bytes, &VerifyOptions { anchor: None, signers: Some(lines) })
    }

    /// `events` with one edited, and the chain made right again.
    fn forged(mut events: Vec<Event>, edit: impl Fn(&mut Fact)) -> Vec<u8> {
        let mut head = None;
        for event in &mut events {
            edit(&mut event.fact);
            let draft = Draft { at: event.at, run: event.run.clone(), fact: event.fact.clone() };
            let (linked, next) = link(&event.chain, head.as_ref(), draft).unwrap();
            (*event, head) = (linked, Some(next));
        }
        report(&events)
    }

    /// `report` with its list of events changed and head and count made right.
    fn with_events(report: &[u8], change: impl Fn(&mut Vec<Value>)) -> Vec<u8> {
        let mut value: Value = serde_json::from_slice(report).unwrap();
        let Some(Value::Array(events)) = value.pointer_mut("/chain/events") else { panic!("no events") };
        change(events);
        let last: Event = serde_json::from_value(events.last().unwrap().clone()).unwrap();
        let count = events.len();
        value["chain"]["head"] = json!(last.digest().unwrap());
        value["chain"]["count"] = json!(count);
        crate::core::json::canonical(&value).unwrap().into_bytes()
    }

    #[test]
    fn the_released_example_holds_and_is_what_is_built() {
        assert!(check(EXAMPLE).is_ok());
        assert_eq!(String::from_utf8_lossy(EXAMPLE), String::from_utf8(report(&sample::success())).unwrap());
    }

    #[test]
    fn a_report_that_holds_says_what_was_checked_and_what_was_not() {
        let events = sample::success();
        let verified = check(&report(&events)).unwrap();
        assert_eq!(verified.head, events.last().unwrap().digest().unwrap());
        assert_eq!(verified.count, events.len() as u64);
        assert_eq!(verified.after_anchor, None);
        assert_eq!(
            verified.checked,
            [
                "the chain holds from its first event to its last, 16 in all",
                "the report follows from the events, byte for byte",
                "the artifact is what its digests name",
                "every decision to go on has the approvals that its policy wants",
                "every record bears the ID of its content, 2 in all",
            ]
        );
        assert_eq!(
            verified.not_checked,
            [
                "whether events behind the last one were cut off: no anchor was given",
                "the signatures, 1 in all: no signers were given",
                "who gave the records that bear no signature, 1 in all",
                "what the server answered: it is the server's own word",
                "the times: each is of the clock of the machine that wrote it",
            ]
        );
        for (name, events) in sample::all() {
            check(&report(&events)).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn a_changed_byte_of_a_report_is_found() {
        let small = report(&sample::small());
        let large = report(&sample::success());
        let others = [b'0', b' ', b'"', b'}', 0xff];
        let refused = |bytes: &[u8], place: usize| {
            let new = if place.is_multiple_of(3) { others[place % others.len()] } else { bytes[place] ^ 1 };
            let mut changed = bytes.to_vec();
            changed[place] = new;
            assert!(new == bytes[place] || check(&changed).is_err(), "byte {place} as {new}");
        };
        // Not all of them, which takes minutes; both strides meet every remainder of 3 and of 5.
        (0..small.len()).step_by(29).for_each(|place| refused(&small, place));
        (0..large.len()).step_by(1201).for_each(|place| refused(&large, place));
    }

    #[test]
    fn bytes_added_or_cut_are_found() {
        let bytes = report(&sample::unknown());
        for more in [b"\n".as_slice(), b" ", b"{}", b"\0"] {
            assert!(check(&[&bytes, more].concat()).is_err());
        }
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert!(check(&bytes[..length]).is_err(), "{length}");
        }
        let at = bytes.iter().position(|byte| *byte == b',').unwrap();
        let spaced = [&bytes[..at], b" ", &bytes[at..]].concat();
        assert!(matches!(check(&spaced), Err(VerifyError::NotCanonical { at: found }) if found == at));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        assert!(matches!(check(&pretty), Err(VerifyError::NotCanonical { at: 1 })));
    }

    #[test]
    fn a_value_that_does_not_follow_is_named_by_its_place() {
        let value: Value = serde_json::from_slice(&report(&sample::success())).unwrap();
        for (pointer, new) in [
            ("/operations/0/outcome", json!("not-applied")),
            ("/operations/0/created/0/id", json!("TASK-9")),
            ("/approvals/1/approver", json!("mallory")),
            ("/state", json!("Failed")),
            ("/not_proven/0", json!("nothing")),
            ("/runs/0/decision/allowed", json!(false)),
            ("/chain/count", json!(3)),
            ("/ledger", json!(null)),
        ] {
            let mut changed = value.clone();
            *changed.pointer_mut(pointer).unwrap() = new;
            let text = crate::core::json::canonical(&changed).unwrap();
            let refused = check(text.as_bytes()).unwrap_err();
            assert!(
                matches!(&refused, VerifyError::Differs { pointer: found } if found == pointer),
                "{refused}"
            );
            assert_eq!(refused.kind(), FaultKind::Broken);
        }
        let mut more = value.clone();
        more["sur/prise"] = json!(1);
        let text = crate::core::json::canonical(&more).unwrap();
        assert_eq!(
            check(text.as_bytes()).unwrap_err().to_string(),
            "what stands at `/sur~1prise` does not follow from the events"
        );
    }

    #[test]
    fn an_event_removed_moved_repeated_or_put_in_is_found() {
        let bytes = report(&sample::success());
        let count = sample::success().len();
        for place in (0..count - 1).step_by(4) {
            let broken = |change: &dyn Fn(&mut Vec<Value>)| {
                let refused = check(&with_events(&bytes, change)).unwrap_err();
                assert_eq!(refused.kind(), FaultKind::Broken, "{place}: {refused}");
            };
            broken(&|events| drop(events.remove(place)));
            broken(&|events| events.swap(place, place + 1));
            broken(&|events| events.insert(place, events[place].clone()));
            broken(&|events| {
                let mut planted = events[place].clone();
                planted["fact"] = json!({"kind": "ended", "conclusion": "done", "message": ""});
                events.insert(place + 1, planted);
            });
        }
    }

    #[test]
    fn a_cut_tail_is_found_with_an_anchor_and_only_then() {
        let events = sample::success();
        let head = events.last().unwrap().digest().unwrap();
        for length in (1..events.len()).step_by(4) {
            let cut = report(&events[..length]);
            let known = check(&cut).unwrap();
            assert!(known.not_checked[0].starts_with("whether events behind the last one were cut off"));
            let refused = anchored(&cut, &head).unwrap_err();
            assert!(matches!(refused, VerifyError::Cut { .. }), "{refused}");
            assert_eq!(refused.kind(), FaultKind::Broken);

            let whole = anchored(&report(&events), &known.head).unwrap();
            assert_eq!(whole.after_anchor, Some((events.len() - length) as u64));
            assert!(whole.not_checked[0].ends_with("the anchor is older"));
        }
        let whole = anchored(&report(&events), &head).unwrap();
        assert_eq!(whole.after_anchor, Some(0));
        assert!(!whole.not_checked.iter().any(|sentence| sentence.contains("cut off")));
        assert!(anchored(&report(&sample::refused()), &head).is_err());
    }

    #[test]
    fn a_chain_that_was_made_right_again_does_not_hide_a_changed_artifact_or_record() {
        let artifact = forged(sample::success(), |fact| {
            if let Fact::Opened { artifact } = fact {
                artifact.summary = "nothing to see".into();
            }
        });
        let refused = check(&artifact).unwrap_err();
        assert!(matches!(refused, VerifyError::Artifact(_)), "{refused}");
        assert_eq!(refused.kind(), FaultKind::Damaged);

        let edits: [fn(&mut Record); 2] =
            [|record| record.reason = "not reviewed".into(), |record| record.expires = None];
        for edit in edits {
            let record = forged(sample::success(), |fact| {
                if let Fact::Recorded { filed } = fact {
                    edit(&mut filed.record);
                }
            });
            let refused = check(&record).unwrap_err();
            assert!(matches!(refused, VerifyError::Record { .. }), "{refused}");
            assert_eq!(refused.kind(), FaultKind::Damaged);
        }
    }

    #[test]
    fn the_deepest_artifact_gives_a_report_that_can_be_read() {
        let mut plan = artifact::sample::plan();
        let deep = (0..96).fold(json!(1), |inner, _| json!([inner]));
        plan.operations[1].arguments.insert("deep".into(), deep);
        let mut chain = Chain::of(Artifact::build(plan).unwrap());
        chain.begin();
        check(&report(chain.events())).unwrap();
        check(&bundle(chain.events()).unwrap()).unwrap();
    }

    #[test]
    fn an_approval_that_counted_stands_in_the_chain() {
        let mut chain = Chain::opened();
        chain.begin().sign().decide_for();
        let mut events = chain.events().to_vec();
        let recorded = events.remove(2);
        assert!(matches!(recorded.fact, Fact::Recorded { .. }));
        events[2].sequence = 2;
        let refused = check(&forged(events, |_| {})).unwrap_err();
        assert!(matches!(refused, VerifyError::NotRecorded { .. }), "{refused}");
    }

    /// Why `events`, changed and made right again, allow what they may not.
    fn undecided(events: &[Event], edit: impl Fn(&mut Fact)) -> &'static str {
        match check(&forged(events.to_vec(), edit)).unwrap_err() {
            VerifyError::Decision { why, .. } => why,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_chain_that_was_made_right_again_allows_nothing_without_its_approvals() {
        let mut without = sample::success();
        without.retain(|event| !matches!(event.fact, Fact::Recorded { .. }));
        let why = undecided(&without, |fact| {
            if let Fact::Decided { verdict } = fact {
                verdict.counted.clear();
            }
        });
        assert_eq!(why, "fewer people decided so than the policy wants");

        let mut rejected = Chain::opened();
        rejected.begin().approve("alice").reject("mallory").decide_for();
        assert_eq!(undecided(rejected.events(), |_| {}), "the effect was rejected before");

        let mut alone = Chain::opened();
        alone.begin().approve("alice").decide_for();
        assert!(check(&report(alone.events())).is_ok());
        let wants_two = |fact: &mut Fact| {
            if let Fact::Began(began) = fact {
                began.policy.as_mut().unwrap().minimum = 2;
            }
        };
        assert_eq!(undecided(alone.events(), wants_two), "fewer people decided so than the policy wants");
        // Two records of one person are one person.
        let mut twice = Chain::opened();
        twice.begin().approve("alice").approve(" ALICE").decide_for();
        assert_eq!(undecided(twice.events(), wants_two), "fewer people decided so than the policy wants");

        for (asked, sent) in [("self-made", "self-made"), ("APR-1", "self-made"), ("self-made", "APR-1")] {
            let why = undecided(&sample::success(), |fact| match fact {
                Fact::Began(began) => began.approval_id = Some(asked.into()),
                Fact::Decided { verdict } => verdict.approval_id = Some(sent.into()),
                Fact::Intent { approval_id, .. } => *approval_id = sent.into(),
                _ => {}
            });
            assert_eq!(why, "the approval ID is not that of an approval that counted", "{asked}, {sent}");
        }
    }

    #[test]
    fn what_people_settled_stands_on_their_word() {
        let mut chain = Chain::opened();
        chain.begin().approve("alice").decide_for().intend(0, 1).doubt(0, 1, Doubt::NoAnswer).end("unknown");
        // What took place before somebody said no is settled as any other.
        chain.reject("mallory").reconcile().settled_by_people(0, Resolution::NotApplied {}).end("done");
        let events = chain.events();
        check(&report(events)).unwrap();
        let says = "what counted is revoked, says something else, or is not what the policy accepts";
        type Edit = fn(&mut Fact);
        // Only from here on: another digest of the intent would be another intent.
        let edits: [(&str, Edit); 4] = [
            ("fewer people decided so than the policy wants", |fact| {
                if let Fact::Began(began) = fact
                    && began.command == Command::Reconcile
                {
                    began.policy.as_mut().unwrap().minimum = 2;
                }
            }),
            (says, |fact| {
                if let Fact::Began(began) = fact
                    && began.command == Command::Reconcile
                {
                    began.policy.as_mut().unwrap().accept = [Assurance::Signed].into();
                }
            }),
            (says, |fact| {
                if let Fact::Settled { by: Settlement::People { resolution, .. }, .. } = fact {
                    *resolution = Resolution::Applied { created: BTreeMap::new() };
                }
            }),
            // Every later digest is another one, and so is the intent that the record names.
            (says, |fact| {
                if let Fact::Intent { call, .. } = fact {
                    call.request_id.push('0');
                }
            }),
        ];
        for (why, edit) in edits {
            assert_eq!(undecided(events, edit), why);
        }
        // An approval is no word about an outcome.
        let approval = check::recorded(events).next().unwrap().record.clone();
        let by_approval = undecided(events, |fact| {
            if let Fact::Settled { by: Settlement::People { verdict, .. }, .. } = fact {
                verdict.counted[0].id = approval.id.clone();
            }
        });
        assert_eq!(by_approval, says);
    }

    #[test]
    fn signatures_are_checked_against_the_signers_that_are_given() {
        let bytes = report(&sample::success());
        let verified = signed(&bytes, SIGNERS).unwrap();
        assert!(
            verified
                .checked
                .contains(&"the signatures of all that counted verify, 1 in all, by `alice`".to_owned())
        );
        assert!(!verified.not_checked.iter().any(|sentence| sentence.contains("signers")));
        let others = "bob ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII/SCfktef59rw97D1SnAiOQ6AWMIknsEanznpj/PTmk\n";
        let refused = signed(&bytes, others).unwrap_err();
        assert!(matches!(refused, VerifyError::Signature { .. }), "{refused}");
        assert_eq!(refused.kind(), FaultKind::Damaged);
        // Whom the lines name is not guessed, whether or not there is anything to check.
        for bytes in [&bytes, &report(&sample::small())] {
            let refused = signed(bytes, "alice").unwrap_err();
            assert!(matches!(refused, VerifyError::Signers(_)), "{refused}");
            assert_eq!(refused.kind(), FaultKind::Shape);
        }
    }

    #[test]
    fn what_counted_as_signed_is_signed_by_whom_it_counted_for() {
        let edits: [fn(&mut Fact); 3] = [
            |fact| {
                if let Fact::Recorded { filed } = fact {
                    filed.signature = None;
                }
            },
            |fact| {
                if let Fact::Decided { verdict } = fact {
                    verdict.counted[0].approver = "carol".into();
                }
            },
            |fact| {
                if let Fact::Decided { verdict } = fact {
                    verdict.counted[1].assurance = Assurance::Signed;
                }
            },
        ];
        for edit in edits {
            let bytes = forged(sample::success(), edit);
            assert!(check(&bytes).is_ok());
            let refused = signed(&bytes, SIGNERS).unwrap_err();
            assert!(matches!(refused, VerifyError::NotSigned { .. }), "{refused}");
        }
    }

    #[test]
    fn a_signature_is_not_carried_over_to_another_decision() {
        let mut chain = Chain::opened();
        chain.begin().sign();
        let Fact::Recorded { filed } = &chain.events()[2].fact else { panic!("no record") };
        let signature = filed.signature.clone();
        let mut other = Chain::opened();
        other.begin().approve("alice").decide_for();
        let carried = |fact: &mut Fact| {
            if let Fact::Recorded { filed } = fact {
                filed.signature.clone_from(&signature);
            }
        };
        let bytes = forged(other.events().to_vec(), carried);
        let refused = signed(&bytes, SIGNERS).unwrap_err().to_string();
        assert!(refused.ends_with("does not verify: it is not over this record"), "{refused}");

        // What anybody could have added does not make a report of others fail: neither a bad signature beside a
        // good one nor another record.
        let Fact::Recorded { filed } = &chain.events()[2].fact else { panic!("no record") };
        let signature = Some("x".to_owned());
        let beside = Fact::Recorded { filed: Box::new(Filed { signature, ..(**filed).clone() }) };
        let mut twice = Chain::opened();
        twice.begin().push(beside).sign().approve("bob").decide_for();
        let verified = signed(&report(twice.events()), SIGNERS).unwrap();
        assert!(verified.checked.iter().any(|sentence| sentence.ends_with("1 in all, by `alice`")));
        let mut planted = Chain::opened();
        planted.begin().reject("alice").sign();
        let bytes = forged(planted.events().to_vec(), carried);
        let verified = signed(&bytes, SIGNERS).unwrap();
        let places =
            verified.not_checked.iter().filter(|sentence| sentence.contains("never counted")).count();
        assert_eq!(places, 1, "{verified:?}");
    }

    #[test]
    fn what_is_no_report_is_told_as_that() {
        for text in ["", "{", "[]", "null", "{}", r#"{"format":"loopgate.audit/2"}"#, r#"{"a":1,"a":1}"#] {
            assert_eq!(check(text.as_bytes()).unwrap_err().kind(), FaultKind::Shape, "{text}");
        }
        for chain in
            [json!(null), json!({}), json!({"events": {}}), json!({"events": [{"surprise\u{1b}": 1}]})]
        {
            let text = json!({"format": FORMAT, "chain": chain}).to_string();
            let refused = check(text.as_bytes()).unwrap_err();
            assert!(matches!(refused, VerifyError::Events { .. }), "{refused}");
            assert!(!refused.to_string().contains('\u{1b}'));
        }
        let none = json!({"format": FORMAT, "chain": {"events": []}}).to_string();
        assert!(matches!(check(none.as_bytes()), Err(VerifyError::Broken(AuditError::NoEvents))));
        let large = vec![0; MAX_BYTES + 1];
        assert!(matches!(check(&large), Err(VerifyError::TooLarge { .. })));
    }

    #[test]
    fn a_bundle_holds_where_its_report_holds() {
        for (name, events) in sample::all() {
            let of_bundle = check(&bundle(&events).unwrap()).unwrap();
            let of_report = check(&report(&events)).unwrap();
            assert_eq!(of_bundle.head, of_report.head, "{name}");
            assert_eq!(of_bundle.checked.len(), of_report.checked.len() + 1, "{name}");
        }
        let cut = bundle(&sample::success()[..5]).unwrap();
        let head = sample::success().last().unwrap().digest().unwrap();
        assert!(check(&cut).is_ok());
        assert!(matches!(anchored(&cut, &head), Err(VerifyError::Cut { .. })));
    }
}
