//! A named operation: the tool, what goes where in its arguments, and what of its answer counts.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::family::Family;
use super::profile::Basis;
use crate::core::{Class, Pages, Pointer, Projection};

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
    /// What kind of operation it is; which of them may be called is for the settings to say.
    #[serde(default, skip_serializing_if = "Family::is_semantic")]
    pub family: Family,
    /// Whether what it gives is what a model recommends: evidence of that alone, by which no gate opens.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recommendation: bool,
    /// What the parts of this entry stand on.
    pub basis: OperationBasis,
    /// The recipe's argument names, and where they go in the tool's arguments.
    #[serde(default)]
    pub arguments: BTreeMap<String, Argument>,
    /// Arguments that are always sent as they stand here.
    #[serde(default)]
    pub fixed: BTreeMap<Pointer, Value>,
    /// How a long answer goes on in further ones. Absent: one answer is all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
    /// What a recipe sees of the answer. Absent: the answer as it is.
    #[serde(default)]
    pub result: Option<BTreeMap<String, Projection>>,
    /// Results that must equal what was given for an argument, as canonical JSON: a record that nobody asked
    /// for is no evidence. Result name to argument name; an argument that was not given is not compared.
    #[serde(default)]
    pub echoes: BTreeMap<String, String>,
    /// Places in the tool's arguments that must not be empty; `*` stands for every item of a list.
    #[serde(default)]
    pub must_have: Vec<String>,
    /// Places in a write's arguments whose value a recipe takes from an earlier read, such as the version of the
    /// record that is changed; `*` stands for every item of a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_read: Vec<String>,
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
    /// The operation that lists what this one may be given: a recipe reads it first.
    #[serde(default)]
    pub listed_by: Option<String>,
    /// How a write may be repeated.
    #[serde(default)]
    pub idempotency: Idempotency,
    /// How long the server keeps a key (ISO 8601 duration).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub key_retention: Option<jiff::SignedDuration>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "WrittenArgument")]
#[schemars(with = "WrittenArgument")]
pub struct Argument {
    /// In the tool's arguments.
    pub at: Pointer,
    /// Whether a recipe may leave it out.
    pub optional: bool,
}

#[derive(Clone, Serialize, JsonSchema)]
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

/// Read by hand: an untagged enum would only say that nothing matched, and not where.
impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Argument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON pointer, or a mapping with `at`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Argument, E> {
                Ok(Argument { at: text.parse().map_err(E::custom)?, optional: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Argument, A::Error> {
                let FullArgument { at, optional } =
                    FullArgument::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Argument { at, optional })
            }
        }
        deserializer.deserialize_any(Form)
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
    /// What the found records must say: for each name of created IDs, a field of the result's items and where
    /// its values stand in the write's arguments; `*` is every item of a list.
    #[serde(default)]
    pub compare: BTreeMap<String, BTreeMap<String, String>>,
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
