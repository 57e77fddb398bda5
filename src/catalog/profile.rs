//! A profile: data about one kind of server.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::core::call::RefusalKind;
use crate::core::projection::Translate;
use crate::core::{Class, Digest, Pointer, Projection};

/// Everything a profile says. The YAML files in `profiles/` are its only form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub profile: String,
    /// One line.
    pub summary: String,
    /// What every call carries, and where.
    #[serde(default)]
    pub context: Context,
    /// The operation that is called first where the server offers its tool.
    #[serde(default)]
    pub contract: Option<String>,
    /// Which result of the contract names the tenant that the server believes it is talking to.
    #[serde(default)]
    pub tenant_from: Option<String>,
    /// What error codes mean.
    #[serde(default)]
    pub errors: Option<ErrorCodes>,
    /// Vocabularies of state words.
    #[serde(default)]
    pub states: BTreeMap<String, StateWords>,
    /// The named operations.
    pub operations: BTreeMap<String, Operation>,
}

/// What a statement stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The service's documentation says so.
    Documented,
    /// Nothing is documented.
    Assumed,
    /// The embedded sandbox's own choice.
    Sandbox,
    /// The Model Context Protocol says so.
    Protocol,
    /// It was seen on the live server.
    Observed,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documented => "documented",
            Self::Assumed => "assumed",
            Self::Sandbox => "sandbox",
            Self::Protocol => "protocol",
            Self::Observed => "observed",
        })
    }
}

/// What every call carries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The organization that the caller acts in.
    #[serde(default)]
    pub tenant: Option<ContextField>,
    /// This call.
    #[serde(default)]
    pub request_id: Option<ContextField>,
    /// The recipe.
    #[serde(default)]
    pub workflow: Option<ContextField>,
    /// W3C trace context; `tracestate` goes beside it under its own name.
    #[serde(default)]
    pub trace: Option<ContextField>,
}

/// Where a value of the context travels: exactly one of `meta` and `argument`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextField {
    /// A key of the request's `_meta`.
    #[serde(default)]
    pub meta: Option<String>,
    /// A place in the tool's arguments.
    #[serde(default)]
    pub argument: Option<Pointer>,
    /// Whether no call may be made without it.
    #[serde(default)]
    pub required: bool,
    /// What this stands on.
    pub basis: Basis,
}

/// Which codes of a tool error mean what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorCodes {
    /// What this stands on.
    pub basis: Basis,
    /// Where the code stands in the structured content of an error.
    pub code: Pointer,
    /// Where the message stands.
    pub message: Pointer,
    /// Codes by their meaning. Every one of them says that nothing was done.
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    pub kinds: BTreeMap<RefusalKind, Vec<String>>,
}

impl ErrorCodes {
    /// What `code` means, where the profile knows it.
    #[must_use]
    pub fn kind(&self, code: &str) -> Option<RefusalKind> {
        self.kinds.iter().find(|(_, codes)| codes.iter().any(|known| known == code)).map(|(kind, _)| *kind)
    }
}

/// The words of one vocabulary by their meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateWords {
    /// What this stands on.
    pub basis: Basis,
    /// Normal word (`pass`, `fail`, `pending`, `missing`, `stale`, `waived`) to the server's words.
    #[serde(flatten)]
    pub words: BTreeMap<String, Vec<String>>,
}

/// A named operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// One line.
    pub summary: String,
    /// The tool that does it.
    pub tool: String,
    /// What it may do.
    pub class: Class,
    /// What the parts of this entry stand on.
    pub basis: OperationBasis,
    /// The recipe's argument names, and where they go in the tool's arguments.
    #[serde(default)]
    pub arguments: BTreeMap<String, Argument>,
    /// Arguments that are always sent as they stand here.
    #[serde(default)]
    pub fixed: BTreeMap<Pointer, Value>,
    /// What a recipe sees of the answer. Absent: the answer as it is.
    #[serde(default)]
    pub result: Option<BTreeMap<String, Projection>>,
    /// Places in the tool's arguments that must not be empty; `*` stands for every item of a list.
    #[serde(default)]
    pub must_have: Vec<String>,
    /// The control arguments of a write.
    #[serde(default)]
    pub control: Control,
    /// What an answer must say to count as a dry run; all of it.
    #[serde(default)]
    pub dry_run_confirmed: Vec<Expectation>,
    /// Where a write's answer names what it created.
    #[serde(default)]
    pub created: Option<Created>,
    /// Whether a write does all or nothing, so that a tool error means nothing.
    #[serde(default)]
    pub one_transaction: bool,
    /// How a write may be repeated.
    #[serde(default)]
    pub idempotency: Idempotency,
    /// How long the server keeps a key (ISO 8601 duration).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub key_retention: Option<jiff::SignedDuration>,
}

/// What the parts of an operation stand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationBasis {
    /// The tool's name.
    pub tool: Basis,
    /// Its arguments, the control arguments apart.
    pub arguments: Basis,
    /// Its result.
    pub result: Basis,
    /// The control arguments.
    #[serde(default)]
    pub control: Option<Basis>,
    /// How it may be repeated.
    #[serde(default)]
    pub repetition: Option<Basis>,
}

/// Where an argument goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "WrittenArgument", into = "WrittenArgument")]
#[schemars(with = "WrittenArgument")]
pub struct Argument {
    /// In the tool's arguments.
    pub at: Pointer,
    /// Whether a recipe may leave it out.
    pub optional: bool,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum WrittenArgument {
    Pointer(Pointer),
    Full(FullArgument),
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FullArgument {
    at: Pointer,
    #[serde(default)]
    optional: bool,
}

impl From<WrittenArgument> for Argument {
    fn from(written: WrittenArgument) -> Self {
        match written {
            WrittenArgument::Pointer(at) => Self { at, optional: false },
            WrittenArgument::Full(FullArgument { at, optional }) => Self { at, optional },
        }
    }
}

impl From<Argument> for WrittenArgument {
    fn from(Argument { at, optional }: Argument) -> Self {
        if optional { Self::Full(FullArgument { at, optional }) } else { Self::Pointer(at) }
    }
}

/// The arguments of a write that no recipe may set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// What turns a call into a dry run.
    #[serde(default)]
    pub dry_run: Option<Switch>,
    /// Where the approval ID goes.
    #[serde(default)]
    pub approval_id: Option<Place>,
    /// Where the idempotency key goes.
    #[serde(default)]
    pub idempotency_key: Option<Place>,
}

impl Control {
    /// Every place that a recipe may not set.
    pub fn places(&self) -> impl Iterator<Item = &Pointer> {
        let Self { dry_run, approval_id, idempotency_key } = self;
        dry_run
            .iter()
            .map(|switch| &switch.at)
            .chain(approval_id.iter().chain(idempotency_key).map(|place| &place.at))
    }
}

/// An argument with one value for a dry run and another for the real thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// In the tool's arguments.
    pub at: Pointer,
    /// For a dry run.
    pub dry: Value,
    /// For the real thing.
    pub real: Value,
}

/// A place in the tool's arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// In the tool's arguments.
    pub at: Pointer,
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

/// Where a write's answer names what it created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// Names of what is created, and where its ID stands; a list has one field `id`.
    pub ids: BTreeMap<String, Projection>,
    /// How to ask whether such IDs exist.
    #[serde(default)]
    pub lookup: Option<Lookup>,
}

/// A read that finds records by their IDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The operation.
    pub operation: String,
    /// Its argument that takes the list of IDs.
    pub argument: String,
    /// Its result that lists what was found.
    pub found: String,
}

/// How a write may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Idempotency {
    /// Not at all: a repetition is a second effect.
    #[default]
    None,
    /// Under the same key.
    Key,
    /// Freely: the effect is the same however often.
    Natural,
}

impl fmt::Display for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Key => "key",
            Self::Natural => "natural",
        })
    }
}

/// Why a profile is no profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// It is not YAML of this shape.
    #[error("profile `{name}`: {source}")]
    Yaml {
        /// Its file or name.
        name: String,
        /// With line and column.
        source: serde_yaml::Error,
    },
    /// It contradicts itself.
    #[error("profile `{name}`: {problem}")]
    Contradiction {
        /// Its file or name.
        name: String,
        /// What and where.
        problem: String,
    },
}

impl Profile {
    /// LoopIQ's profile, as shipped.
    ///
    /// # Errors
    /// The shipped file is broken, which a test excludes.
    pub fn loopiq() -> Result<Self, ProfileError> {
        Self::parse("loopiq", include_str!("profiles/loopiq.yaml"))
    }

    /// The profile of a server of which nothing is known.
    ///
    /// # Errors
    /// The shipped file is broken, which a test excludes.
    pub fn plain() -> Result<Self, ProfileError> {
        Self::parse("plain", include_str!("profiles/plain.yaml"))
    }

    /// Reads a profile; `name` is the file's, for messages.
    ///
    /// # Errors
    /// It is not YAML of this shape, or it contradicts itself.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let value: serde_yaml::Value = serde_yaml::from_str(text)
            .map_err(|source| ProfileError::Yaml { name: name.to_owned(), source })?;
        let profile: Self = serde_yaml::from_value(value)
            .map_err(|source| ProfileError::Yaml { name: name.to_owned(), source })?;
        match profile.contradiction() {
            Some(problem) => Err(ProfileError::Contradiction { name: name.to_owned(), problem }),
            None => Ok(profile),
        }
    }

    /// The operation of that name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// The class that the profile gives a tool: `write` if any of its operations writes.
    #[must_use]
    pub fn class_of(&self, tool: &str) -> Option<Class> {
        self.operations
            .values()
            .filter(|operation| operation.tool == tool)
            .map(|operation| operation.class)
            .max()
    }

    /// The digest of all it says.
    ///
    /// # Errors
    /// A number in it that canonical JSON does not carry.
    pub fn digest(&self) -> Result<Digest, crate::core::json::UnsafeNumber> {
        let value = serde_json::to_value(self).unwrap_or(Value::Null);
        Digest::of_json("loopgate.profile/1", &value)
    }
}

impl Profile {
    /// The first thing the profile says that it contradicts elsewhere.
    fn contradiction(&self) -> Option<String> {
        let contract = self.contract.iter().filter(|name| !self.operations.contains_key(*name));
        contract.map(|name| format!("`contract: {name}` names no operation")).next()
    }
}

impl Translate for Profile {
    fn translate(&self, vocabulary: &str, word: &Value) -> Option<String> {
        let word = word.as_str()?;
        let words = &self.states.get(vocabulary)?.words;
        words.iter().find(|(_, known)| known.iter().any(|k| k == word)).map(|(normal, _)| normal.clone())
    }
}
