//! The wire format `loopgate.artifact/1`.
//!
//! Frozen: once released, a member changes neither its name nor its meaning. A new member is optional
//! and left out when absent, so that the digests of old files stay what they are. A file is written as
//! canonical JSON, on one line with no line feed at its end; a file that was formatted anew is read all
//! the same, since digests are of the canonical text.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::key::Key;
use crate::catalog;
use crate::core::{Class, Digest, Pages, Pointer, Projection, schema};

/// The value of `format`.
pub const FORMAT: &str = "loopgate.artifact/1";

/// What `apply` will send, to whom, and what was known when it was planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loopgate artifact, version 1")]
pub struct Document {
    /// This format and its version.
    pub format: Format,
    /// What an approval names: a digest of everything that decides what happens, and to whom.
    pub effect_digest: Digest,
    /// SHA-256 of the canonical JSON of this document without this member. It finds damage, not malice.
    pub file_digest: Digest,
    /// To whom.
    pub target: Target,
    /// What was run.
    pub recipe: Recipe,
    /// A digest of server, tenant, recipe name and inputs: while an operation of a subject is unknown,
    /// no other artifact of it is applied.
    pub subject: Digest,
    /// 1, or more where the same is done again on purpose. It is part of every key.
    pub occurrence: NonZeroU32,
    /// Who wrote this file.
    pub planned_by: PlannedBy,
    /// What `apply` does, in this order. Empty where there is nothing to do.
    pub operations: Vec<Operation>,
    /// The reads that payloads, conditions and gates really used, with what they gave.
    pub preconditions: Vec<Precondition>,
    /// The gates as they stood.
    pub gates: Vec<Gate>,
    /// One line for people.
    pub summary: String,
    /// What could not be checked, in words.
    pub not_proven: Vec<String>,
}

/// A format that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Version 1.
    #[serde(rename = "loopgate.artifact/1")]
    V1,
}

/// To whom the operations go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The server.
    pub server: Server,
    /// Whether that is the embedded sandbox: exactly when the server's identity is `sandbox`.
    pub sandbox: bool,
    /// The organization; null where none is known.
    pub tenant: Option<String>,
    /// How it is known.
    pub tenant_known_by: TenantKnownBy,
    /// The profile that the plan was made with.
    pub profile: Profile,
    /// The server's reliability contract, where it gave one.
    pub contract: Option<Contract>,
}

/// An MCP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Scheme, host, port and path of its URL; the configured name of a child process; `sandbox`.
    pub identity: String,
    /// What it calls itself.
    pub name: String,
    /// The version that it names.
    pub version: String,
    /// The MCP revision that was spoken.
    pub protocol: String,
}

/// How the tenant is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TenantKnownBy {
    /// A claim of the credential names it.
    Claim,
    /// A tool of the server named it.
    Tool,
    /// The caller said so.
    Asserted,
    /// Nobody said.
    None,
}

/// A profile by name and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The digest of its file, as `sha256sum` says it.
    pub digest: Digest,
}

/// A server's reliability contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The digest of the answer as it came.
    pub digest: Digest,
}

/// A recipe with its inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name: the workflow that calls carry.
    pub name: String,
    /// The digest of its text.
    pub digest: Digest,
    /// Every input with the value that was used, defaults included.
    pub inputs: Map<String, Value>,
}

/// Who wrote an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedBy {
    /// Program and version.
    pub version: String,
    /// Who ran it, in the words of the pipeline or the machine; nobody vouches for them. Absent where
    /// neither says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The pipeline that it was planned in, in its own words. Absent outside of those that are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PlannedIn>,
}

/// The pipeline that a plan was made in, as the runner says; nobody vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedIn {
    /// `github` or `gitlab`.
    pub platform: String,
    /// The ID of the workflow run or the pipeline.
    pub run: String,
    /// Who caused it, as `github:LOGIN` or `gitlab:LOGIN`, and who asked for what is planned where that is said.
    pub people: Vec<String>,
}

/// One call that `apply` will make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The step of the recipe; unique in the artifact. A name for people, which decides nothing.
    pub id: String,
    /// The profile's name for it, or the tool's. A name for people, which decides nothing.
    pub operation: String,
    /// The tool.
    pub tool: String,
    /// What the tool may do.
    pub class: Class,
    /// The digest of the tool's name, schemas and class as they were seen.
    pub tool_digest: Digest,
    /// The arguments without the slots.
    pub arguments: Map<String, Value>,
    /// The places that are filled when it is called, and nothing else is.
    pub slots: Vec<Slot>,
    /// How it may be repeated.
    pub idempotency: Idempotency,
    /// How long the server keeps the key (ISO 8601 duration); null where nobody said.
    #[schemars(with = "Option<String>")]
    pub key_retention: Option<SignedDuration>,
    /// Whether the tool does all or nothing, so that a tool error means nothing.
    pub one_transaction: bool,
    /// The same for the same effect, on any machine.
    pub idempotency_key: Key,
    /// Why, in the recipe's words.
    pub reason: String,
    /// Whether the server confirmed a dry run of these arguments.
    pub server_validated: bool,
    /// How it was validated, or why not.
    pub server_validated_why: String,
    /// Where the answer names what was created.
    pub created: Option<Created>,
    /// What the answer to a dry run must say to count as one; all of it.
    pub dry_run_confirmed: Vec<Expectation>,
    /// The read that settles an unknown outcome.
    pub reconcile: Option<Reconcile>,
}

/// A place in the arguments that is filled when the tool is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "holds", rename_all = "snake_case", deny_unknown_fields)]
pub enum Slot {
    /// What turns the call into a dry run.
    DryRun {
        /// In the tool's arguments.
        at: Pointer,
        /// For a dry run.
        dry: Value,
        /// For the real thing.
        real: Value,
    },
    /// The approval's ID.
    ApprovalId {
        /// In the tool's arguments.
        at: Pointer,
    },
    /// The operation's key.
    IdempotencyKey {
        /// In the tool's arguments.
        at: Pointer,
    },
    /// The ID of the attempt.
    RequestId {
        /// In the tool's arguments.
        at: Pointer,
    },
    /// The `traceparent` of the attempt.
    Trace {
        /// In the tool's arguments.
        at: Pointer,
    },
    /// A secret, which the trust settings have by that name.
    Secret {
        /// In the tool's arguments.
        at: Pointer,
        /// Its name.
        name: String,
    },
}

/// How an operation may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Idempotency {
    /// Under the same key.
    Key,
    /// Freely.
    Natural,
    /// Not at all.
    None,
}

/// Where an answer names what was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// Names of what is created, and where its ID stands.
    pub ids: BTreeMap<String, Projection>,
    /// How to ask whether such IDs exist.
    pub lookup: Option<Lookup>,
}

/// A read that finds records by their IDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The tool.
    pub tool: String,
    /// Its arguments without the IDs.
    pub arguments: Map<String, Value>,
    /// The argument that takes the list of IDs.
    pub ids_at: Pointer,
    /// The records in its answer.
    pub found: Projection,
    /// What the records must say: for each name of created IDs, a field of the records and where its values
    /// stand in the operation's arguments; `*` is every item of a list. Absent: that they exist is enough.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub compare: BTreeMap<String, BTreeMap<String, String>>,
}

/// A value that an answer must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// In the structured content.
    pub at: Pointer,
    /// Equal as canonical JSON.
    pub equals: Value,
}

/// A read whose answer says whether an operation took place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// The tool.
    pub tool: String,
    /// Its arguments, complete.
    pub arguments: Map<String, Value>,
    /// What the answer says if it took place; all of it.
    pub found: Vec<Expectation>,
}

/// A read that the plan stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Precondition {
    /// The step of the recipe. A name for people, which decides nothing.
    pub step: String,
    /// The tool.
    pub tool: String,
    /// Its arguments, complete.
    pub arguments: Map<String, Value>,
    /// How a long answer goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
    /// Which values of the answer's structured content count. Empty: the answer as it is, as `structured`
    /// and `text`.
    pub fields: BTreeMap<String, Projection>,
    /// What they were.
    pub values: Map<String, Value>,
}

/// A gate as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The step of the recipe.
    pub id: String,
    /// Whether it held.
    pub holds: bool,
    /// Whether the plan goes on without it.
    pub advisory: bool,
    /// In words.
    pub says: String,
}

impl Slot {
    /// The slots of a write: what its profile calls control arguments.
    #[must_use]
    pub fn of(control: &catalog::Control) -> Vec<Self> {
        let catalog::Control { dry_run, approval_id, idempotency_key } = control;
        let dry_run =
            dry_run.iter().cloned().map(|catalog::Switch { at, dry, real }| Self::DryRun { at, dry, real });
        let approval = approval_id.iter().map(|place| Self::ApprovalId { at: place.at.clone() });
        let key = idempotency_key.iter().map(|place| Self::IdempotencyKey { at: place.at.clone() });
        dry_run.chain(approval).chain(key).collect()
    }

    /// Where it is, in the tool's arguments.
    #[must_use]
    pub fn at(&self) -> &Pointer {
        match self {
            Self::DryRun { at, .. }
            | Self::ApprovalId { at }
            | Self::IdempotencyKey { at }
            | Self::RequestId { at }
            | Self::Trace { at }
            | Self::Secret { at, .. } => at,
        }
    }
}

impl From<catalog::Idempotency> for Idempotency {
    fn from(idempotency: catalog::Idempotency) -> Self {
        match idempotency {
            catalog::Idempotency::Key => Self::Key,
            catalog::Idempotency::Natural => Self::Natural,
            catalog::Idempotency::None => Self::None,
        }
    }
}

impl From<catalog::Expectation> for Expectation {
    fn from(catalog::Expectation { at, equals }: catalog::Expectation) -> Self {
        Self { at, equals }
    }
}

/// The JSON Schema (draft 2020-12) of the format.
#[must_use]
pub fn json_schema() -> Value {
    schema::written::<Document>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::sample;
    use serde_json::json;

    #[test]
    fn the_control_arguments_of_a_profile_are_the_slots() {
        let profile = catalog::Profile::loopiq().unwrap();
        let package = profile.operation("work_package").unwrap();
        assert_eq!(Slot::of(&package.control), sample::plan().operations[0].slots);
        assert_eq!(Slot::of(&catalog::Control::default()), []);
    }

    #[test]
    fn the_schema_takes_every_artifact_and_no_other_member() {
        let schema = json_schema();
        assert_eq!(schema["$schema"], json!("https://json-schema.org/draft/2020-12/schema"));
        let validator = jsonschema::validator_for(&schema).unwrap();
        let document: Value = serde_json::from_slice(sample::artifact().bytes()).unwrap();
        let problems: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert_eq!(problems, Vec::<String>::new());

        for object in ["", "/target", "/target/server", "/operations/0", "/operations/0/slots/0", "/gates/0"]
        {
            let mut more = document.clone();
            more.pointer_mut(object).unwrap()["surprise"] = json!(1);
            assert!(!validator.is_valid(&more), "{object}");
        }
        for member in ["/target/tenant", "/operations/0/reconcile", "/operations/1/key_retention"] {
            let (object, name) = member.rsplit_once('/').unwrap();
            let mut fewer = document.clone();
            fewer.pointer_mut(object).unwrap().as_object_mut().unwrap().remove(name).unwrap();
            assert!(!validator.is_valid(&fewer), "{member}");
        }
        for (member, value) in [
            ("/format", json!("loopgate.artifact/2")),
            ("/occurrence", json!(0)),
            ("/effect_digest", json!("sha256:0")),
            ("/operations/0/idempotency_key", json!("lg1-0")),
            ("/operations/0/slots/0/at", json!("dryRun")),
        ] {
            let mut other = document.clone();
            *other.pointer_mut(member).unwrap() = value;
            assert!(!validator.is_valid(&other), "{member}");
        }
    }
}
