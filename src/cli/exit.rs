//! Exit codes: a public contract that is only ever added to.

use std::process::ExitCode;

use crate::engine::Conclusion;

/// Every way the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// An internal error.
    Internal,
    /// The command line is wrong.
    Usage,
    /// A recipe, setting or file is invalid.
    Invalid,
    /// A gate does not hold.
    GateFails,
    /// A gate cannot be decided.
    Undecided,
    /// With `--detailed-exitcode`: changes are planned.
    ChangesPlanned,
    /// No approval that is enough.
    NotApproved,
    /// What a plan stands on moved.
    Stale,
    /// A file does not match its own digest.
    Damaged,
    /// Somebody said no: the effect was rejected, or its approval revoked.
    Rejected,
    /// The server refused.
    Refused,
    /// An outcome is unknown, or a dry run is not confirmed.
    Unknown,
    /// The server asks for input that a pipeline cannot give.
    NeedsInput,
    /// What was created is not what was planned.
    ReadBackDiffers,
    /// The ledger is unreachable, or not the one that was named.
    Ledger,
    /// A chain of the ledger or of an audit report is broken.
    Broken,
    /// Another runner is at work.
    Busy,
    /// The server is unreachable, or does not speak MCP.
    Unreachable,
    /// Sign-in or tenant was refused.
    SignIn,
    /// Interrupted.
    Interrupted,
    /// Terminated.
    Terminated,
}

impl Exit {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 22] = [
        Self::Done,
        Self::Internal,
        Self::Usage,
        Self::Invalid,
        Self::GateFails,
        Self::Undecided,
        Self::ChangesPlanned,
        Self::NotApproved,
        Self::Stale,
        Self::Damaged,
        Self::Rejected,
        Self::Refused,
        Self::Unknown,
        Self::NeedsInput,
        Self::ReadBackDiffers,
        Self::Ledger,
        Self::Broken,
        Self::Busy,
        Self::Unreachable,
        Self::SignIn,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Invalid => 3,
            Self::GateFails => 4,
            Self::Undecided => 5,
            Self::ChangesPlanned => 10,
            Self::NotApproved => 20,
            Self::Stale => 21,
            Self::Damaged => 22,
            Self::Rejected => 23,
            Self::Refused => 30,
            Self::Unknown => 31,
            Self::NeedsInput => 32,
            Self::ReadBackDiffers => 33,
            Self::Ledger => 40,
            Self::Broken => 41,
            Self::Busy => 42,
            Self::Unreachable => 50,
            Self::SignIn => 51,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the code means, as the help says it.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Internal => "internal error",
            Self::Usage => "command line",
            Self::Invalid => "recipe, settings or file invalid",
            Self::GateFails => "a gate does not hold",
            Self::Undecided => "a gate cannot be decided: nothing visible, missing or unknown",
            Self::ChangesPlanned => "with --detailed-exitcode: changes are planned",
            Self::NotApproved => "approval missing, expired, too few, or of another effect",
            Self::Stale => "stale: values, tools or target moved",
            Self::Damaged => "a file does not match its own digest",
            Self::Rejected => "rejected or revoked",
            Self::Refused => "the server refused; the report says how far it came",
            Self::Unknown => {
                "an outcome is unknown (`status`, then `reconcile`), or a dry run is not confirmed"
            }
            Self::NeedsInput => "the server asks for input that a pipeline cannot give",
            Self::ReadBackDiffers => "applied, but the read-back differs or could not be made",
            Self::Ledger => "ledger unreachable, or not the one that was named",
            Self::Broken => "ledger or audit chain broken",
            Self::Busy => "another runner is at work on this",
            Self::Unreachable => "server unreachable, or not speaking MCP",
            Self::SignIn => "sign-in or tenant refused",
            Self::Interrupted => "interrupted; ledger safe, no outcome unknown",
            Self::Terminated => "terminated; ledger safe, no outcome unknown",
        }
    }

    /// The code of a finished run.
    #[must_use]
    pub fn of_run(conclusion: &Conclusion, detailed: bool) -> Self {
        match conclusion {
            Conclusion::ChangesPlanned if detailed => Self::ChangesPlanned,
            Conclusion::Done | Conclusion::NothingToDo | Conclusion::ChangesPlanned => Self::Done,
            Conclusion::GateFails(_) => Self::GateFails,
            Conclusion::Undecided(_) => Self::Undecided,
            Conclusion::Invalid(_) => Self::Invalid,
            Conclusion::Moved(_) => Self::Stale,
            Conclusion::Refused(_) => Self::Refused,
            Conclusion::Unconfirmed(_) => Self::Unknown,
            Conclusion::NeedsInput(_) => Self::NeedsInput,
            Conclusion::Unreachable(_) => Self::Unreachable,
            Conclusion::SignIn(_) => Self::SignIn,
            Conclusion::Interrupted(signal) => Self::of_signal(*signal),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_there_once_and_in_order() {
        assert!(Exit::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
    }

    #[test]
    fn planned_changes_count_only_where_they_are_asked_for() {
        assert_eq!(Exit::of_run(&Conclusion::ChangesPlanned, false), Exit::Done);
        assert_eq!(Exit::of_run(&Conclusion::ChangesPlanned, true), Exit::ChangesPlanned);
        assert_eq!(Exit::of_run(&Conclusion::NothingToDo, true), Exit::Done);
    }
}
