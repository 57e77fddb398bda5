//! What a run came to. Every output is made from this.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::artifact::{Artifact, v1};
use crate::core::Digest;
use crate::core::id::RunId;

/// A finished run.
#[derive(Debug)]
pub struct RunResult {
    /// Its ID.
    pub id: RunId,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The trace that all its calls belong to.
    pub trace_id: String,
    /// What was run.
    pub recipe: RecipeFact,
    /// With which inputs, and where each came from.
    pub inputs: Vec<InputFact>,
    /// Against whom.
    pub target: TargetFact,
    /// What was known of the server.
    pub profile: v1::Profile,
    /// Every step in recipe order, those that did not run too.
    pub steps: Vec<StepResult>,
    /// The evidence graph that an analysis read, as it came, and the step that gave it. The last one, where there are several.
    pub evidence: Option<StepValue>,
    /// What analyses have to show, as [`crate::evidence::brief::views`] reads it, in recipe order.
    pub briefs: Vec<StepValue>,
    /// Files that steps emit, in recipe order; not written yet.
    pub emitted: Vec<Emitted>,
    /// The plan, where the recipe has writes and nothing stood in the way of one.
    pub artifact: Option<Artifact>,
    /// What nobody could check.
    pub not_proven: Vec<String>,
    /// Planned operations that the ledger holds as applied already; whoever has a ledger adds them.
    pub applied_before: Vec<AppliedBefore>,
    /// Where the server was a recording: what that was; whoever plays it adds it.
    pub replay: Option<ReplayFact>,
    /// What it all came to.
    pub conclusion: Conclusion,
}

/// What a step gave; hostile text.
#[derive(Debug, Clone, PartialEq)]
pub struct StepValue {
    /// The step.
    pub step: String,
    /// What it gave.
    pub value: Arc<Value>,
}

/// The recording that was played in a server's place.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayFact {
    /// What an approval called the server that was recorded.
    pub recorded: String,
    /// When it was recorded.
    pub began: Timestamp,
    /// The calls in it that were not made, in their order.
    pub unmade: Vec<UnmadeCall>,
}

/// A call that was recorded and not made again.
#[derive(Debug, Clone, PartialEq)]
pub struct UnmadeCall {
    /// The tool.
    pub tool: String,
    /// Its arguments, as they were kept.
    pub arguments: Map<String, Value>,
}

/// A planned operation that took place before, under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedBefore {
    /// The operation's ID in this plan.
    pub operation: String,
    /// When it took place, as far as that is recorded.
    pub at: Option<Timestamp>,
    /// The approval ID that went on the wire; empty where a read found it done.
    pub approval_id: String,
    /// The effect that it was part of.
    pub effect: Digest,
}

/// The recipe that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipeFact {
    /// Its name.
    pub name: String,
    /// Its file, or its name where it is shipped.
    pub source: String,
    /// Digest of it and all it includes.
    pub digest: Digest,
    /// Whether it has writes, so that a plan is expected of it.
    pub writes: bool,
    /// What no validation could know and this run had to find out, in words.
    pub found_out: Vec<String>,
}

/// One input.
#[derive(Debug, Clone, PartialEq)]
pub struct InputFact {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Which source won, in words.
    pub origin: String,
}

/// The server and tenant of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetFact {
    /// What an approval calls it: `sandbox`, a child's configured name, or a URL.
    pub identity: String,
    /// What it calls itself; hostile text.
    pub name: String,
    /// Its version; hostile text.
    pub version: String,
    /// The protocol revision that was agreed on.
    pub protocol: String,
    /// Whether it is the embedded sandbox.
    pub sandbox: bool,
    /// The tenant, where one is known.
    pub tenant: Option<String>,
    /// How the tenant is known.
    pub tenant_known_by: TenantKnownBy,
    /// The server's own word on its guarantees, where it gives one.
    pub contract: Option<ContractFact>,
}

/// The server's own word on its guarantees.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractFact {
    /// Digest of the answer.
    pub digest: Digest,
    /// The answer as it came; hostile text.
    pub answer: Value,
}

/// How a tenant is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TenantKnownBy {
    /// A claim of the credential names it; nobody's signature was verified here.
    Claim,
    /// The server named it, in its answer to a tool.
    Tool,
    /// The command line or the settings say so; the server was not heard on it.
    Asserted,
    /// There is none.
    None,
}

impl TenantKnownBy {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Tool => "tool",
            Self::Asserted => "asserted",
            Self::None => "none",
        }
    }
}

impl From<TenantKnownBy> for v1::TenantKnownBy {
    fn from(known_by: TenantKnownBy) -> Self {
        match known_by {
            TenantKnownBy::Claim => Self::Claim,
            TenantKnownBy::Tool => Self::Tool,
            TenantKnownBy::Asserted => Self::Asserted,
            TenantKnownBy::None => Self::None,
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepResult {
    /// Its dotted ID.
    pub id: String,
    /// read, write, analyze, gate, emit or include.
    pub kind: &'static str,
    /// The operation, analysis, file or recipe that it names.
    pub subject: String,
    /// The line of the recipe's own file that declares it, from 1; none for a step of an included recipe.
    pub line: Option<usize>,
    /// How it ended.
    pub status: StepStatus,
    /// What a reader should know besides, such as unknown states that nothing used.
    pub notes: Vec<String>,
    /// Its calls, retries included.
    pub calls: Vec<CallFact>,
    /// How long it took.
    pub took: Duration,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum StepStatus {
    /// It did what it says.
    Done,
    /// A write was proposed; nothing was sent but a dry run.
    Proposed,
    /// A gate holds.
    Holds(GateFact),
    /// A gate does not hold. An advisory one stops nothing.
    DoesNotHold(GateFact),
    /// Something that it reads is not visible, missing or unknown. The reasons.
    Undecided(Vec<String>),
    /// Its condition is false, or that of something it uses. Why.
    Skipped(String),
    /// The server does not offer the tool, and the recipe can do without. What stays unproven.
    Unavailable(String),
    /// Something before it ended the run.
    NotRun,
    /// It failed; the message.
    Failed(String),
}

impl StepStatus {
    /// The word in reports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Proposed => "proposed",
            Self::Holds(_) => "holds",
            Self::DoesNotHold(_) => "does-not-hold",
            Self::Undecided(_) => "undecided",
            Self::Skipped(_) => "skipped",
            Self::Unavailable(_) => "unavailable",
            Self::NotRun => "not-run",
            Self::Failed(_) => "failed",
        }
    }
}

/// A decided gate.
#[derive(Debug, Clone, PartialEq)]
pub struct GateFact {
    /// The recipe's sentence about it.
    pub says: String,
    /// Whether it only informs.
    pub advisory: bool,
}

/// One call on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct CallFact {
    /// The tool.
    pub tool: String,
    /// The request ID that went with it.
    pub request_id: String,
    /// The digest of the arguments as they were sent.
    pub payload: Digest,
    /// When it was sent.
    pub started: Timestamp,
    /// How long the answer took.
    pub took: Duration,
    /// What it came to, in words; hostile text.
    pub outcome: String,
    /// How long the server asked to wait before the next try.
    pub retry_after: Option<Duration>,
}

/// A file for the output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// Its name in the folder.
    pub name: String,
    /// The step that emits it.
    pub step: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What a run came to. Each has one exit code.
#[derive(Debug, Clone, PartialEq)]
pub enum Conclusion {
    /// Every step ran and every gate holds; the recipe has no writes.
    Done,
    /// There is a plan with operations.
    ChangesPlanned,
    /// There is a plan, and it is empty.
    NothingToDo,
    /// A gate does not hold. Its sentence.
    GateFails(String),
    /// Something cannot be decided. Why.
    Undecided(Vec<String>),
    /// The recipe, an input or the profile does not fit the server or its answers. Why.
    Invalid(String),
    /// The server's tools are not what the tool lock says. How.
    Moved(String),
    /// The server refused a read or a dry run. Its words.
    Refused(String),
    /// A dry run that nobody can be sure was one. Why.
    Unconfirmed(String),
    /// The server asks for input that a pipeline cannot give.
    NeedsInput(String),
    /// The server is out of reach or does not speak MCP.
    Unreachable(String),
    /// Sign-in or tenant was refused, or the tenants disagree.
    SignIn(String),
    /// The program was told to stop.
    Interrupted(Signal),
}

/// The signal that ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Conclusion {
    /// The stable word in reports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::ChangesPlanned => "changes-planned",
            Self::NothingToDo => "nothing-to-do",
            Self::GateFails(_) => "gate-fails",
            Self::Undecided(_) => "undecided",
            Self::Invalid(_) => "invalid",
            Self::Moved(_) => "moved",
            Self::Refused(_) => "refused",
            Self::Unconfirmed(_) => "unconfirmed-dry-run",
            Self::NeedsInput(_) => "needs-input",
            Self::Unreachable(_) => "unreachable",
            Self::SignIn(_) => "sign-in-refused",
            Self::Interrupted(_) => "interrupted",
        }
    }

    /// In a sentence; may hold hostile text.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Done => "done".to_owned(),
            Self::ChangesPlanned => "changes are planned; nothing was written".to_owned(),
            Self::NothingToDo => "nothing to do".to_owned(),
            Self::GateFails(says) => says.clone(),
            Self::Undecided(reasons) => reasons.join("; "),
            Self::Invalid(why)
            | Self::Moved(why)
            | Self::Refused(why)
            | Self::Unconfirmed(why)
            | Self::NeedsInput(why)
            | Self::Unreachable(why)
            | Self::SignIn(why) => why.clone(),
            Self::Interrupted(Signal::Interrupt) => "interrupted; nothing was written".to_owned(),
            Self::Interrupted(Signal::Terminate) => "terminated; nothing was written".to_owned(),
        }
    }
}
