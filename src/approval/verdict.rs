//! What the policy says of an effect.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::RecordId;
use super::v1::Assurance;
use crate::core::Digest;

/// Whether an effect may happen, with every reason. It is part of the ledger's events, so its form is frozen
/// as theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Whether it may.
    pub allowed: bool,
    /// Every reason against it; empty where it may.
    pub reasons: Vec<Reason>,
    /// The approvals that count.
    pub counted: Vec<Counted>,
    /// The ID that goes on the wire; null where no approval that counts bears the one that was asked for.
    pub approval_id: Option<String>,
    /// From when on it must be asked again; null where that is never.
    #[schemars(with = "Option<String>")]
    pub holds_until: Option<Timestamp>,
    /// The digest of the policy that was asked; null where there is none.
    pub policy_digest: Option<Digest>,
    /// What a reader should know besides, such as records of other effects that were left out.
    pub notes: Vec<String>,
}

/// An approval that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Its ID.
    pub id: RecordId,
    /// The name that it counts for: the principal of a signature, else as the record says.
    pub approver: String,
    /// How that name is known, as it was verified.
    pub assurance: Assurance,
}

/// A reason against an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Its kind.
    pub code: ReasonCode,
    /// In words: what, and what to do about it; free of escapes.
    pub message: String,
}

impl Reason {
    /// A reason in words that are free of escapes.
    pub(super) fn new(code: ReasonCode, message: String) -> Self {
        Self { code, message }
    }
}

/// The kind of a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// The trust settings have no policy, and the target is no sandbox.
    NoPolicy,
    /// No record bears the ID that was asked for.
    Missing,
    /// The ID that was asked for is borne by more than one record.
    Ambiguous,
    /// The approval is of another effect.
    OtherEffect,
    /// It has expired, or is older than the policy allows.
    Expired,
    /// Its time is ahead of the clock.
    FromTheFuture,
    /// The policy does not accept an identity that is known in this way.
    NotAccepted,
    /// The signature does not verify, or is missing where one is needed.
    NotVerified,
    /// Who planned approved.
    OwnPlan,
    /// Nobody vouches for who planned, and the policy wants another to approve.
    PlannerUnknown,
    /// Fewer people approved than the policy asks for.
    TooFew,
    /// The approval was revoked.
    Revoked,
    /// The effect was rejected.
    Rejected,
}

impl ReasonCode {
    /// Whether somebody said no, which is another exit code than that nobody said yes.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Revoked | Self::Rejected)
    }
}
