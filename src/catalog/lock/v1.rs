//! The format `loopgate.lock/1`.
//!
//! Frozen: once released, a member changes neither its name nor its meaning; a new one is optional and left out when
//! absent. A file is JSON with one key a line, so that a review sees what changed; people edit classes in it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::{Class, Digest, schema};

/// The value of `format`.
pub const FORMAT: &str = "loopgate.lock/1";

/// The tools of servers as they were reviewed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loopgate tool lock, version 1")]
pub struct Lock {
    /// This format and its version.
    pub format: Format,
    /// Servers by the names that loopgate.yaml gives them; the embedded one is `sandbox`.
    pub servers: BTreeMap<String, LockedServer>,
}

/// A format that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Version 1.
    #[serde(rename = "loopgate.lock/1")]
    V1,
}

/// A server's tools as they were reviewed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedServer {
    /// What approvals call the server: a URL, a program's configured name, or `sandbox`.
    pub identity: String,
    /// Its own name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Which of its credentials the list was taken with: another one may be shown other tools.
    pub role: Role,
    /// Its tools by their names.
    pub tools: BTreeMap<String, LockedTool>,
}

/// What a credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// To read.
    Read,
    /// To try writes out.
    DryRun,
    /// To write.
    Write,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::DryRun => "dry_run",
            Self::Write => "write",
        })
    }
}

/// A tool as it was reviewed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedTool {
    /// What it may do.
    pub class: Class,
    /// Who says so; a person who edits the class writes `person` here.
    pub class_by: ClassBy,
    /// The digest of all the other members, as `loopgate lock` wrote them; a person's class alone may differ since.
    pub digest: Digest,
    /// The server's words.
    pub description: Option<String>,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
    /// JSON Schema of the structured result.
    pub output_schema: Option<Value>,
    /// The server's hints.
    pub annotations: Option<Value>,
}

/// Who says what a tool may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassBy {
    /// A person, in this file: it is kept.
    Person,
    /// The profile.
    Profile,
    /// The server, whose hint makes a write of what the profile calls a read.
    Server,
    /// Nobody, so it is a write.
    Default,
}

impl ClassBy {
    /// Each of them.
    pub(super) const ALL: [Self; 4] = [Self::Person, Self::Profile, Self::Server, Self::Default];
}

impl fmt::Display for ClassBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person => "person",
            Self::Profile => "profile",
            Self::Server => "server",
            Self::Default => "default",
        })
    }
}

/// The JSON Schema of the format.
#[must_use]
pub fn json_schema() -> Value {
    schema::written::<Lock>()
}
