//! The states that LoopIQ gives a governed write, derived from events.

use std::fmt;

use super::{State, Status};
use crate::approval::Verdict;
use crate::artifact::v1::Operation;

/// Where an artifact stands, in the words of LoopIQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Nobody, or too few, have said yes.
    PendingApproval,
    /// It may happen, or has begun to.
    Approved,
    /// Something was sent of which nobody can say what became of it.
    ApprovedOutcomeUnknown,
    /// Somebody said no before anything took place.
    Rejected,
    /// All of it took place.
    Executed,
    /// An operation certainly did not take place, or somebody said no half-way.
    Failed,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PendingApproval => "Pending approval",
            Self::Approved => "Approved",
            Self::ApprovedOutcomeUnknown => "Approved (outcome unknown)",
            Self::Rejected => "Rejected",
            Self::Executed => "Executed",
            Self::Failed => "Failed",
        })
    }
}

/// Where an artifact of these operations stands, after what happened and what the policy says of it now;
/// none where it was not asked. An artifact without operations is never executed.
#[must_use]
pub fn label(state: &State, operations: &[Operation], verdict: Option<&Verdict>) -> Label {
    let statuses: Vec<Status> =
        operations.iter().map(|operation| state.status(&operation.idempotency_key)).collect();
    let some = |is: fn(&Status) -> bool| statuses.iter().any(is);
    let applied = |status: &Status| matches!(status, Status::Applied { .. });
    let refused = verdict.is_some_and(|verdict| verdict.reasons.iter().any(|why| why.code.is_refusal()));
    if some(|status| matches!(status, Status::Unknown { .. })) {
        Label::ApprovedOutcomeUnknown
    } else if !statuses.is_empty() && statuses.iter().all(applied) {
        Label::Executed
    } else if some(|status| matches!(status, Status::NotApplied { .. })) || some(applied) && refused {
        Label::Failed
    } else if some(applied) {
        Label::Approved
    } else if refused {
        Label::Rejected
    } else if verdict.is_some_and(|verdict| verdict.allowed) {
        Label::Approved
    } else {
        Label::PendingApproval
    }
}
