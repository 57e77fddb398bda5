//! What applying came to. Each way has one exit code.

use super::result::Signal;
use crate::approval::Reason;
use crate::core::Digest;
use crate::core::call::RefusalKind;
use crate::core::text::{excerpt, visible};
use crate::ledger::v1::Moved;
use crate::ledger::{Draft, LedgerError, State};

/// A finished `apply` or `reconcile`.
#[derive(Debug)]
pub struct ApplyResult {
    /// What it came to.
    pub end: ApplyEnd,
    /// What is durable in the ledger.
    pub state: State,
    /// What belongs behind that and could not be made durable, an outcome among it; empty where nothing is missing.
    pub unrecorded: Vec<Draft>,
}

/// What applying came to.
#[derive(Debug)]
pub enum ApplyEnd {
    /// It came to its end, or to where it must not go on.
    Stopped(Stopped),
    /// Tools, profile, server or tenant are not what was approved. Why.
    Moved(String),
    /// The artifact, the settings or the server do not fit together. Why.
    Invalid(String),
    /// The server refused a read. Its words.
    Refused(String),
    /// The server asks for input that a pipeline cannot give.
    NeedsInput(String),
    /// The server is out of reach or does not speak MCP.
    Unreachable(String),
    /// Sign-in or tenant was refused, or the tenants disagree.
    SignIn(String),
    /// The ledger gives or takes nothing.
    Ledger(LedgerError),
}

/// Where it stopped. Operations are named by their IDs in the artifact; texts may be the server's.
#[derive(Debug, Clone, PartialEq)]
pub enum Stopped {
    /// Every operation took place and was read back where that can be done.
    Done,
    /// `reconcile` left nothing unknown.
    Settled,
    /// Nobody can say what became of these.
    Unknown {
        /// Which.
        operations: Vec<String>,
        /// What kept it from being found out, where it is something else than the answers.
        why: Option<String>,
    },
    /// Something of the same subject or under the same key is unknown under another effect.
    UnknownElsewhere(Digest),
    /// It took place, and what is there differs from the plan.
    Differs {
        /// Which.
        operation: String,
        /// In what.
        differences: Vec<String>,
    },
    /// It took place, and what it created could not be read.
    NotRead {
        /// Which.
        operation: String,
        /// Why.
        why: String,
    },
    /// The server did not do it.
    Refused {
        /// Which.
        operation: String,
        /// In which sense.
        refusal: RefusalKind,
        /// Its words.
        message: String,
    },
    /// The read that comes before it says neither yes nor no.
    NoWord {
        /// Which.
        operation: String,
        /// Why.
        why: String,
    },
    /// The policy says no. Every reason.
    Denied(Vec<Reason>),
    /// What the plan stands on has moved.
    Stale(Vec<Moved>),
    /// The server refused the payload when it was tried out.
    TryRefused {
        /// Which.
        operation: String,
        /// Its words.
        why: String,
    },
    /// Nobody can be sure that the dry run was one.
    Unconfirmed {
        /// Which.
        operation: String,
        /// Why.
        why: String,
    },
    /// The program was told to stop.
    Interrupted(Signal),
}

impl ApplyEnd {
    /// The stable word in ledger and reports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Stopped(stopped) => stopped.as_str(),
            Self::Moved(_) => "moved",
            Self::Invalid(_) => "invalid",
            Self::Refused(_) => "refused",
            Self::NeedsInput(_) => "needs-input",
            Self::Unreachable(_) => "unreachable",
            Self::SignIn(_) => "sign-in-refused",
            Self::Ledger(_) => "ledger",
        }
    }

    /// In a sentence; may hold hostile text.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Stopped(stopped) => stopped.message(),
            Self::Moved(why)
            | Self::Invalid(why)
            | Self::Refused(why)
            | Self::NeedsInput(why)
            | Self::Unreachable(why)
            | Self::SignIn(why) => why.clone(),
            Self::Ledger(error) => super::run::with_causes(error),
        }
    }
}

impl Stopped {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Settled => "settled",
            Self::Unknown { .. } => "unknown",
            Self::UnknownElsewhere(_) => "unknown-elsewhere",
            Self::Differs { .. } => "read-back-differs",
            Self::NotRead { .. } => "not-read-back",
            Self::Refused { .. } => "refused",
            Self::NoWord { .. } => "no-word",
            Self::Denied(reasons) if reasons.iter().any(|reason| reason.code.is_refusal()) => "rejected",
            Self::Denied(_) => "not-approved",
            Self::Stale(_) => "stale",
            Self::TryRefused { .. } => "dry-run-refused",
            Self::Unconfirmed { .. } => "dry-run-unconfirmed",
            Self::Interrupted(_) => "interrupted",
        }
    }

    fn message(&self) -> String {
        let named = |operation: &str| format!("`{}`", visible(operation));
        match self {
            Self::Done => "every operation took place".to_owned(),
            Self::Settled => "nothing is unknown".to_owned(),
            Self::Unknown { operations, why } => {
                let names: Vec<String> = operations.iter().map(|operation| named(operation)).collect();
                let mut message = format!("nobody can say what became of {}", names.join(", "));
                if let Some(why) = why {
                    message.push_str(&format!(": {why}"));
                }
                message
            }
            Self::UnknownElsewhere(chain) => format!(
                "an operation of the same subject is unknown under effect {}; settle that first",
                chain.short()
            ),
            Self::Differs { operation, differences } => {
                format!(
                    "{} took place, and what is there differs: {}",
                    named(operation),
                    differences.join("; ")
                )
            }
            Self::NotRead { operation, why } => {
                format!("{} took place, and what it created could not be read: {why}", named(operation))
            }
            Self::Refused { operation, refusal, message } => {
                let mut said = format!("{} was refused: {message}", named(operation));
                if *refusal == RefusalKind::Conflict {
                    said.push_str(
                        "; its key stands for another payload at the server: somebody sent something else under it, \
                         so plan again, with another `--occurrence` if the same is wanted once more",
                    );
                }
                said
            }
            Self::NoWord { operation, why } => format!(
                "the read that says whether {} took place already gives no answer, so it was not sent: {why}",
                named(operation)
            ),
            Self::Denied(reasons) => {
                reasons.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; ")
            }
            Self::Stale(moved) => {
                let moved: Vec<String> = moved.iter().map(in_words).collect();
                format!("what the plan stands on has moved: {}", moved.join("; "))
            }
            Self::TryRefused { operation, why } => {
                format!("the server refused to try {} out: {why}", named(operation))
            }
            Self::Unconfirmed { operation, why } => {
                format!("{}: nobody can be sure that the dry run was one: {why}", named(operation))
            }
            Self::Interrupted(Signal::Interrupt) => "interrupted; nothing is unknown".to_owned(),
            Self::Interrupted(Signal::Terminate) => "terminated; nothing is unknown".to_owned(),
        }
    }
}

/// A difference on one line.
fn in_words(Moved { step, at, planned, now, why }: &Moved) -> String {
    format!(
        "`{}{}` was {} and is {} ({why})",
        visible(step),
        visible(at),
        excerpt(&planned.to_string(), 100),
        excerpt(&now.to_string(), 100)
    )
}
