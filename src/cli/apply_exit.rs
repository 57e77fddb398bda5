//! The exit code of what applying came to.

use super::exit::Exit;
use crate::approval::ReasonCode;
use crate::core::call::RefusalKind;
use crate::engine::{ApplyEnd, Signal, Stopped};
use crate::ledger::LedgerError;

impl Exit {
    /// The code of an end that a signal made.
    #[must_use]
    pub fn of_signal(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate => Self::Terminated,
        }
    }

    /// The code of a finished `apply` or `reconcile`.
    #[must_use]
    pub fn of_apply(end: &ApplyEnd) -> Self {
        match end {
            ApplyEnd::Stopped(stopped) => Self::of_stop(stopped),
            ApplyEnd::Moved(_) => Self::Stale,
            ApplyEnd::Invalid(_) => Self::Invalid,
            ApplyEnd::Refused(_) => Self::Refused,
            ApplyEnd::NeedsInput(_) => Self::NeedsInput,
            ApplyEnd::Unreachable(_) => Self::Unreachable,
            ApplyEnd::SignIn(_) => Self::SignIn,
            ApplyEnd::Ledger(LedgerError::Broken(_)) => Self::Broken,
            ApplyEnd::Ledger(LedgerError::Moved { .. } | LedgerError::Passed) => Self::Busy,
            ApplyEnd::Ledger(_) => Self::Ledger,
        }
    }

    fn of_stop(stopped: &Stopped) -> Self {
        match stopped {
            Stopped::Done | Stopped::Settled => Self::Done,
            Stopped::Unknown { .. } | Stopped::UnknownElsewhere(_) | Stopped::Unconfirmed { .. } => {
                Self::Unknown
            }
            Stopped::Differs { .. } | Stopped::NotRead { .. } => Self::ReadBackDiffers,
            Stopped::Refused { refusal: RefusalKind::NotConnected, .. } => Self::Unreachable,
            Stopped::Refused { refusal: RefusalKind::NeedsInput, .. } => Self::NeedsInput,
            Stopped::Refused { refusal: RefusalKind::SignIn | RefusalKind::Tenant, .. } => Self::SignIn,
            Stopped::Refused { .. } | Stopped::NoWord { .. } | Stopped::TryRefused { .. } => Self::Refused,
            // An ID that no record bears: what became of other approvals is not what was asked.
            Stopped::Denied(reasons)
                if reasons.iter().any(|reason| reason.code == ReasonCode::Missing)
                    && !reasons.iter().any(|reason| reason.code == ReasonCode::Rejected) =>
            {
                Self::NotApproved
            }
            Stopped::Denied(reasons) if reasons.iter().any(|reason| reason.code.is_refusal()) => {
                Self::Rejected
            }
            Stopped::Denied(_) => Self::NotApproved,
            Stopped::Stale(_) => Self::Stale,
            Stopped::Interrupted(signal) => Self::of_signal(*signal),
        }
    }
}
