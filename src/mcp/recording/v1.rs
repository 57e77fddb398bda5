//! The format `loopgate.recording/1`.
//!
//! Frozen: once released, a member changes neither its name nor its meaning; a new one is optional and left out when
//! absent. A file is JSON with its members in order and one a line, so that a review sees what is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::AllowList;
use crate::catalog::lock::LockedServer;
use crate::core::{Digest, schema};

/// The value of `format`.
pub const FORMAT: &str = "loopgate.recording/1";

/// The calls of a session and what was seen of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loopgate recording, version 1")]
pub struct Document {
    /// This format and its version.
    pub format: Format,
    /// The digest of all the other members. It finds damage, not malice.
    pub file_digest: Digest,
    /// The program that recorded, with its version.
    pub program: String,
    /// When the session began.
    #[schemars(with = "String")]
    pub began: Timestamp,
    /// The server that was recorded.
    pub server: Server,
    /// The tenant that was acted for, where one was named.
    pub tenant: Option<String>,
    /// The profile that the server was read with.
    pub profile: Profile,
    /// The server's part of the tool lock, where there was one.
    pub lock: Option<LockedServer>,
    /// Which of its tools could be called; null where the settings had no list.
    pub allow: Option<AllowList>,
    /// How writes were tried out.
    pub dry_runs: DryRuns,
    /// The connections that were made, in their order.
    pub connections: Vec<Connection>,
    /// The lists of its tools, in their order, each with all its pages.
    pub lists: Vec<List>,
    /// The calls, in the order in which they were sent.
    pub calls: Vec<Call>,
}

/// A format that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Version 1.
    #[serde(rename = "loopgate.recording/1")]
    V1,
}

/// A server that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// What loopgate.yaml calls it; `sandbox` for the embedded one.
    pub name: String,
    /// What an approval calls it: a URL, a program's configured name, or `sandbox`.
    pub identity: String,
}

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The digest of its file.
    pub digest: Digest,
    /// Its text (YAML); null for a shipped one.
    pub source: Option<String>,
}

/// How writes were tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DryRuns {
    /// On the connection of the reads.
    WithReads,
    /// On a connection of their own, with another credential.
    Apart,
    /// Not at all; why.
    Withheld(String),
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Connection {
    /// It was made.
    Made {
        /// The server's own name.
        name: String,
        /// Its own version.
        version: String,
        /// The revision of the protocol.
        revision: String,
    },
    /// It was not.
    Failed(Failed),
}

/// The list of a server's tools.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum List {
    /// It came.
    Tools(BTreeMap<String, Tool>),
    /// It did not.
    Failed(Failed),
}

/// Why something did not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// In which sense.
    pub failure: Failure,
    /// In words.
    pub says: String,
}

/// In which sense something did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The credential was not accepted, or there was none.
    SignIn,
    /// The server asked for what a pipeline cannot give.
    NeedsInput,
    /// Anything else.
    Unreachable,
}

/// A tool as the server describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The server's words.
    pub description: Option<String>,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
    /// JSON Schema of the structured result.
    pub output_schema: Option<Value>,
    /// The server's hints.
    pub annotations: Option<Value>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tool.
    pub tool: String,
    /// The tenant that it was made for.
    pub tenant: Option<String>,
    /// Its arguments, without secrets and without what is new with every call.
    pub arguments: Map<String, Value>,
    /// What was seen of it.
    pub seen: Seen,
}

/// What was seen of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Seen {
    /// A result.
    Answer(Content),
    /// A result that says of itself that it is an error.
    ToolError(Content),
    /// A JSON-RPC error.
    RpcError {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// An HTTP status other than success.
    HttpStatus {
        /// The status.
        status: u16,
        /// What came with it.
        message: String,
        /// The code of the JSON-RPC error that came with it, if one did.
        code: Option<i64>,
        /// How long the server asked to wait before the next try, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// No byte of it left; why.
    NeverSent(String),
    /// Nobody gave a token for it; why.
    NoToken(String),
    /// The server wanted something from a user first; what.
    NeedsInput(String),
    /// The time limit passed.
    TimedOut,
    /// The connection ended; how.
    Closed(String),
    /// Something came that is no reply; what.
    Malformed(String),
    /// The reply was longer than the limit; by what.
    TooLarge(String),
    /// A result of a kind that says nothing of the effect; what.
    UnknownResult(String),
    /// The recording program was told to stop before an answer came.
    Cancelled,
}

/// The content of a tool's result.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The structured content, where the tool gave one.
    pub structured: Option<Value>,
    /// The text blocks, in order.
    pub text: Vec<String>,
}

/// The JSON Schema of the format.
#[must_use]
pub fn json_schema() -> Value {
    schema::written::<Document>()
}
