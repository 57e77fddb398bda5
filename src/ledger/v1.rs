//! The wire format `loopgate.event/1`.
//!
//! Frozen: once released, a member changes neither its name nor its meaning; a new one is optional and left
//! out when absent. An event is stored and hashed as canonical JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approval::{Filed, Policy, Verdict};
use crate::artifact::{Key, v1 as artifact};
use crate::core::Digest;
use crate::core::call::{DoubtKind, RefusalKind};

/// The value of `format`.
pub const FORMAT: &str = "loopgate.event/1";

/// One thing that happened to one effect. The digest of an event is that of its canonical JSON under the
/// tag `loopgate.event/1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loopgate ledger event, version 1")]
pub struct Event {
    /// This format and its version.
    pub format: Format,
    /// The chain that it belongs to: the effect digest.
    pub chain: Digest,
    /// Its place in the chain, from 0.
    pub sequence: u64,
    /// The digest of the event before it; null for the first.
    pub previous: Option<Digest>,
    /// When, by the clock of the machine that wrote it.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The ID of the run of the program that wrote it.
    pub run: String,
    /// What happened.
    pub fact: Fact,
}

/// A format that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Version 1.
    #[serde(rename = "loopgate.event/1")]
    V1,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
    /// The artifact, as it was first applied.
    Opened {
        /// All of it.
        artifact: Box<artifact::Document>,
    },
    /// A run of `apply` or `reconcile` holds the lock.
    Began(Box<Began>),
    /// A record of this effect was taken in: an approval, a revocation, a rejection, a resolution.
    Recorded {
        /// The record and its signature.
        filed: Box<Filed>,
    },
    /// The policy was asked whether the effect may happen.
    Decided {
        /// What it said.
        verdict: Box<Verdict>,
    },
    /// The server was reached and is the one that was meant.
    Connected(Box<Connected>),
    /// An operation was tried out with its dry-run switch set.
    Tried {
        /// The operation.
        key: Key,
        /// The call; null where none could be made.
        call: Option<Call>,
        /// Whether the server confirmed that it was a dry run and would take it.
        verdict: TryVerdict,
        /// In words.
        why: String,
    },
    /// What the plan stands on was read again.
    Compared {
        /// The reads, in order.
        calls: Vec<Call>,
        /// What is no longer as it was; empty where nothing moved.
        differences: Vec<Moved>,
    },
    /// A write is about to be sent. No byte of it has left.
    Intent {
        /// The operation.
        key: Key,
        /// Which attempt of it, from 1.
        attempt: u32,
        /// The approval ID that goes on the wire: the one of the first attempt.
        approval_id: String,
        /// The call.
        call: Call,
        /// It leaves before this moment or never, by the clock of the ledger's server; left out where nobody but the
        /// holder of the lock can write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        send_before: Option<Timestamp>,
    },
    /// The server took an attempt on as a task, which goes on.
    Accepted {
        /// The operation.
        key: Key,
        /// Which attempt of it.
        attempt: u32,
        /// The server's name for the task, made visible, at most 500 characters of it.
        task: String,
    },
    /// What an attempt came to.
    Outcome {
        /// The operation.
        key: Key,
        /// Which attempt of it.
        attempt: u32,
        /// How long the answer took, in milliseconds.
        took_ms: u64,
        /// What it came to.
        result: Result,
    },
    /// The read that says whether an operation took place was made.
    Looked {
        /// The operation.
        key: Key,
        /// The call.
        call: Call,
        /// Whether it took place, as the answer says; null where it gave no usable answer.
        found: Option<bool>,
        /// In words.
        why: String,
    },
    /// An operation is settled by something else than the answer to an attempt.
    Settled {
        /// The operation.
        key: Key,
        /// By what.
        by: Settlement,
    },
    /// What was created was read and compared with the plan.
    ReadBack {
        /// The operation.
        key: Key,
        /// The call.
        call: Call,
        /// Where what is there differs from the plan; empty where it does not.
        differences: Vec<String>,
        /// Why it could not be read, where it could not.
        unread: Option<String>,
    },
    /// A run is over.
    Ended {
        /// The stable word of its conclusion.
        conclusion: String,
        /// In words; may hold text of the server.
        message: String,
    },
}

/// Who runs, where and under what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Began {
    /// What runs.
    pub command: Command,
    /// Program and version.
    pub program: String,
    /// The trace that all its calls belong to (W3C Trace Context, 32 hex digits).
    pub trace_id: String,
    /// The digest of the artifact file that it was given.
    pub file_digest: Digest,
    /// The approval that it was told to send; null for `reconcile`.
    pub approval_id: Option<String>,
    /// The policy in force; null where the trust settings have none.
    pub policy: Option<Policy>,
    /// The ledger's ID.
    pub ledger: String,
    /// The pipeline that runs it; null outside of one.
    pub ci: Option<Ci>,
    /// The key (Ed25519, in hex) that signs what this run found out and could not record; left out where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome_key: Option<String>,
}

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    /// `loopgate apply`.
    Apply,
    /// `loopgate reconcile`.
    Reconcile,
}

/// A pipeline, in its own words: nobody vouches for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ci {
    /// `github`, `gitlab`, `azure`, `buildkite` or `other`.
    pub provider: String,
    /// The repository.
    pub repository: Option<String>,
    /// The commit.
    pub revision: Option<String>,
    /// The branch or tag.
    pub reference: Option<String>,
    /// The workflow or pipeline.
    pub workflow: Option<String>,
    /// The run or job, by its ID there.
    pub job: Option<String>,
    /// Where a person finds it.
    pub url: Option<String>,
    /// Who set it off.
    pub actor: Option<String>,
}

/// The server, as it showed itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connected {
    /// The server.
    pub server: artifact::Server,
    /// The tenant that calls are made for.
    pub tenant: String,
    /// How it is known.
    pub tenant_known_by: artifact::TenantKnownBy,
    /// The profile in force.
    pub profile: artifact::Profile,
    /// The digest of the server's reliability contract, where it gave one.
    pub contract: Option<Digest>,
}

/// A call that was made or is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tool.
    pub tool: String,
    /// The ID of the request.
    pub request_id: String,
    /// The digest of the arguments as they are sent (tag `loopgate.payload/1`), slots filled.
    pub payload: Digest,
}

/// What came of trying an operation out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TryVerdict {
    /// The server confirmed it.
    Confirmed,
    /// It has no dry run that an answer could confirm, so nothing was sent.
    NotPossible,
    /// The server refused.
    Refused,
    /// Nobody can be sure that nothing was written.
    Unconfirmed,
}

/// A value that a plan stands on and that is another now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The step of the recipe that read it, or the tool.
    pub step: String,
    /// A JSON pointer into the step's values; empty for all of them.
    pub at: String,
    /// What it was; null where it was not there.
    pub planned: Value,
    /// What it is; null where it is not there.
    pub now: Value,
    /// In words.
    pub why: String,
}

/// What an attempt came to. There is no fourth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Result {
    /// The server did it and said so.
    Applied {
        /// Names of what was created, with the IDs.
        created: BTreeMap<String, Vec<String>>,
        /// Why IDs are missing that the answer should name, where they are.
        unnamed: Option<String>,
        /// Whether the server says that it had done it before, under the same key; null where it does not say.
        replayed: Option<bool>,
        /// The digest of the answer (tag `loopgate.answer/1`).
        answer: Digest,
    },
    /// The server certainly did not do it.
    NotApplied {
        /// In which sense it refused.
        refusal: RefusalKind,
        /// Its words or ours; hostile text.
        message: String,
    },
    /// Nobody can say yet.
    Unknown {
        /// What was seen instead.
        doubt: Doubt,
        /// In words; hostile text.
        message: String,
    },
}

/// What was seen of an attempt whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// No answer, or none that is MCP.
    NoAnswer,
    /// The server says that it failed, which does not say how far it came.
    ServerError,
    /// The server asks for input that a pipeline cannot give.
    NeedsInput,
    /// A kind of result that says nothing of the effect.
    UnknownResult,
    /// This process was told to stop.
    Cancelled,
    /// The server is at work under this key.
    InProgress,
    /// The server says that it was a dry run, which was not asked for.
    DryRun,
}

/// What settled an operation without the answer to an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Settlement {
    /// A read found that it took place.
    Read {},
    /// People said what became of it, under the approval policy.
    People {
        /// What they found.
        resolution: crate::approval::Resolution,
        /// What the policy said of their word: the records that counted.
        verdict: Box<Verdict>,
    },
    /// It took place under another effect of this ledger.
    Earlier {
        /// The chain.
        chain: Digest,
        /// The approval ID that went on the wire then.
        approval_id: String,
        /// Names of what was created, with the IDs.
        created: BTreeMap<String, Vec<String>>,
    },
}

impl From<DoubtKind> for Doubt {
    fn from(kind: DoubtKind) -> Self {
        match kind {
            DoubtKind::NoAnswer => Self::NoAnswer,
            DoubtKind::ServerError => Self::ServerError,
            DoubtKind::NeedsInput => Self::NeedsInput,
            DoubtKind::UnknownResult => Self::UnknownResult,
            DoubtKind::Cancelled => Self::Cancelled,
        }
    }
}
