//! Records for tests.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::record::Draft;
use super::v1::{Approver, Assurance, Decision, Filed, PlatformFact, Record, Resolution};
use crate::core::Digest;

/// A time as it is written.
pub(crate) fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// The effect that the samples decide about.
pub(crate) fn effect() -> Digest {
    Digest::of_bytes(b"test")
}

/// An asserted approval of the first day of 2026, for that day.
pub(crate) fn draft(name: &str) -> Draft {
    Draft {
        effect_digest: effect(),
        file_digest: None,
        decision: Decision::Approve { external_id: None },
        approver: Approver { name: name.to_owned(), assurance: Assurance::Asserted },
        planner: Some("bot".to_owned()),
        policy_digest: None,
        reason: "reviewed".to_owned(),
        time: at("2026-01-01T00:00:00Z"),
        expires: Some(at("2026-01-02T00:00:00Z")),
        platform: None,
    }
}

/// The record of [`draft`].
pub(crate) fn approve(name: &str) -> Record {
    Record::new(draft(name)).unwrap()
}

/// A record of something else than an approval.
pub(crate) fn decided(name: &str, decision: Decision) -> Record {
    Record::new(Draft { decision, expires: None, ..draft(name) }).unwrap()
}

/// Without a signature.
pub(crate) fn filed(record: Record) -> Filed {
    Filed { record, signature: None }
}

/// Where a platform has a review.
pub(crate) fn review() -> PlatformFact {
    let repository = "acme/shop".to_owned();
    PlatformFact::GithubReview { repository, pull: 5, review: 80, commit: "c0ffee".to_owned() }
}

/// One record of each kind.
pub(crate) fn records() -> Vec<Record> {
    let created = BTreeMap::from([("story".to_owned(), vec!["STORY-1".to_owned()])]);
    let external_id = Some("APR-1".to_owned());
    vec![
        approve("alice"),
        Record::new(Draft { decision: Decision::Approve { external_id }, ..draft("alice") }).unwrap(),
        Record::new(Draft { platform: Some(review()), ..draft("alice") }).unwrap(),
        decided("bob", Decision::Revoke { approval: approve("alice").id }),
        decided("bob", Decision::Reject {}),
        decided(
            "bob",
            Decision::Resolve {
                intent: Digest::of_bytes(b"intent"),
                outcome: Resolution::Applied { created },
            },
        ),
        decided(
            "bob",
            Decision::Resolve { intent: Digest::of_bytes(b"intent"), outcome: Resolution::NotApplied {} },
        ),
    ]
}
