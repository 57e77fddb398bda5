//! A profile: data about one kind of server.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::operation::Operation;
use crate::core::call::RefusalKind;
use crate::core::projection::Translate;
use crate::core::text::excerpt;
use crate::core::yaml::{YamlError, read_yaml};
use crate::core::{Class, Digest, Pointer};

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
    /// The text that it was read from.
    #[serde(skip)]
    #[schemars(skip)]
    text: Cow<'static, str>,
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

impl Context {
    /// The values that travel in headers of HTTP, by their names here.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.fields().filter_map(|(name, field)| Some((name, field.header.as_deref()?)))
    }

    /// Its fields, by their names here.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &ContextField)> {
        let Self { tenant, request_id, workflow, trace } = self;
        [("tenant", tenant), ("request_id", request_id), ("workflow", workflow), ("trace", trace)]
            .into_iter()
            .filter_map(|(name, field)| field.as_ref().map(|field| (name, field)))
    }
}

/// Where a value of the context travels: exactly one of `meta`, `argument` and `header`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextField {
    /// A key of the request's `_meta`.
    #[serde(default)]
    pub meta: Option<String>,
    /// A place in the tool's arguments.
    #[serde(default)]
    pub argument: Option<Pointer>,
    /// A header of the HTTP request.
    #[serde(default)]
    pub header: Option<String>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StateWords {
    /// What this stands on.
    pub basis: Basis,
    /// Normal word (`pass`, `fail`, `pending`, `missing`, `stale`, `waived`) to the server's words.
    #[serde(flatten)]
    pub words: BTreeMap<String, Vec<String>>,
}

/// Read by hand: a flattened map loses the place of what is wrong in it.
impl<'de> Deserialize<'de> for StateWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = StateWords;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of `basis` and of normal words to lists of the server's words")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StateWords, A::Error> {
                let (mut basis, mut words) = (None, BTreeMap::new());
                while let Some(key) = map.next_key::<String>()? {
                    if key == "basis" {
                        basis = Some(map.next_value()?);
                    } else {
                        words.insert(key, map.next_value()?);
                    }
                }
                let basis = basis.ok_or_else(|| de::Error::missing_field("basis"))?;
                Ok(StateWords { basis, words })
            }
        }
        deserializer.deserialize_map(Words)
    }
}

/// Why a profile is no profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// It is not YAML of this shape.
    #[error("profile `{name}`: {problem}")]
    Yaml {
        /// Its file or name.
        name: String,
        /// With line and column where they are known. Named in full above, so it is no source, which who
        /// prints the whole chain would print again.
        problem: YamlError,
    },
    /// It was shipped, and is broken.
    #[error("the shipped profile is broken")]
    Shipped(#[source] serde_json::Error),
    /// It contradicts itself.
    #[error("profile `{name}`: {}", told(problems))]
    Contradictions {
        /// Its file or name.
        name: String,
        /// Each with its place, in the order of the file's parts; visible and bounded.
        problems: Vec<String>,
    },
}

/// Problems that a message tells.
const MOST_TOLD: usize = 10;
/// How much of each, in characters.
const TOLD: usize = 300;

fn told(problems: &[String]) -> String {
    let told = problems.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
    match problems.len().saturating_sub(MOST_TOLD) {
        0 => told,
        more => format!("{told}; and {more} more"),
    }
}

const LOOPIQ: &str = include_str!("profiles/loopiq.yaml");
/// The same, as it is read.
const LOOPIQ_JSON: &str = include_str!(concat!(env!("OUT_DIR"), "/loopiq.json"));
const PLAIN: &str = include_str!("profiles/plain.yaml");

impl Profile {
    /// The text of a shipped profile, to be copied and changed.
    #[must_use]
    pub fn shipped(name: &str) -> Option<&'static str> {
        match name {
            "loopiq" => Some(LOOPIQ),
            "plain" => Some(PLAIN),
            _ => None,
        }
    }

    /// LoopIQ's profile, as shipped.
    ///
    /// # Errors
    /// The shipped file is broken, which a test excludes.
    pub fn loopiq() -> Result<Arc<Self>, ProfileError> {
        // Nearly every command needs it, some of them twice.
        static READ: OnceLock<Arc<Profile>> = OnceLock::new();
        match READ.get() {
            Some(profile) => Ok(Arc::clone(profile)),
            None => serde_json::from_str(LOOPIQ_JSON)
                .map(|profile| Self { text: Cow::Borrowed(LOOPIQ), ..profile })
                .map(|profile| Arc::clone(READ.get_or_init(|| Arc::new(profile))))
                .map_err(ProfileError::Shipped),
        }
    }

    /// Reads a profile; `name` is the file's, for messages.
    ///
    /// # Errors
    /// It is not YAML of this shape, or it contradicts itself.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let profile: Self =
            read_yaml(text).map_err(|problem| ProfileError::Yaml { name: name.to_owned(), problem })?;
        let problems: Vec<String> =
            profile.contradictions().iter().map(|problem| excerpt(problem, TOLD)).collect();
        if problems.is_empty() {
            Ok(Self { text: Cow::Owned(text.to_owned()), ..profile })
        } else {
            Err(ProfileError::Contradictions { name: name.to_owned(), problems })
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

    /// The digest of the text that it was read from, byte for byte: what `sha256sum` says of the file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_bytes(self.text.as_bytes())
    }
}

impl Translate for Profile {
    fn translate(&self, vocabulary: &str, word: &Value) -> Option<String> {
        let word = word.as_str()?;
        let words = &self.states.get(vocabulary)?.words;
        words.iter().find(|(_, known)| known.iter().any(|k| k == word)).map(|(normal, _)| normal.clone())
    }
}
