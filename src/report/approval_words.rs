//! What approvals say, in the words that every output of them shares.

use jiff::Timestamp;

use crate::approval::{Assurance, Decision, Filed, Record, Resolution};

/// The word for how an identity is known.
pub(super) fn assurance(how: Assurance) -> &'static str {
    match how {
        Assurance::Signed => "signed",
        Assurance::Platform => "platform",
        Assurance::Service => "service",
        Assurance::Asserted => "asserted",
    }
}

/// How an identity is known, in words.
pub(super) fn known_by(how: Assurance) -> &'static str {
    match how {
        Assurance::Signed => "signed: known by a signature over the record",
        Assurance::Platform => "platform: known by the CI platform",
        Assurance::Service => "service: known by the service, which confirmed the approval ID",
        Assurance::Asserted => "asserted: known by the caller's word alone",
    }
}

/// What was decided.
pub(super) fn what(decision: &Decision) -> &'static str {
    match decision {
        Decision::Approve { .. } => "approval",
        Decision::Revoke { .. } => "revocation",
        Decision::Reject {} => "rejection",
        Decision::Resolve { outcome: Resolution::Applied { .. }, .. } => "resolution: it took place",
        Decision::Resolve { outcome: Resolution::NotApplied {}, .. } => "resolution: it did not take place",
    }
}

/// Who decided what, in one line; hostile text.
pub(super) fn decided(Filed { record, signature: _ }: &Filed) -> String {
    let Record { id, decision, approver, .. } = record;
    let of = match decision {
        Decision::Revoke { approval } => format!(" of {approval}"),
        Decision::Approve { external_id: Some(external) } => format!(", sent as {external},"),
        Decision::Approve { external_id: None } | Decision::Reject {} | Decision::Resolve { .. } => {
            String::new()
        }
    };
    let (name, how) = (&approver.name, assurance(approver.assurance));
    format!("{}{of} by {name} ({how}), record {id}", what(decision))
}

/// A time for people: RFC 3339, UTC, in whole seconds.
pub(super) fn at(time: Timestamp) -> String {
    format!("{time:.0}")
}
