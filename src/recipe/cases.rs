//! Cases of a recipe: what it is given, and what must come of it. They stand in a file beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::core::Pointer;

/// The end of the name of a file with cases.
pub const CASES: &str = ".cases.yaml";

/// The cases of one recipe.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loopgate recipe cases")]
pub struct Cases {
    /// The recipe: a file, relative to this one, or the name of a shipped recipe.
    pub recipe: String,
    /// The tenant that the cases act for, where they do not say another one.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The cases, in the order in which they are tried out; each has a sandbox of its own, or a recording.
    #[schemars(length(min = 1))]
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, in a sentence.
    pub case: String,
    /// The tenant.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The recipe's inputs.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// Data files with records that the sandbox has besides its own, relative to the file with the cases; they are
    /// loaded before the evidence.
    #[serde(default)]
    pub data: Files,
    /// Evidence that the sandbox has besides its own.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// A recording that is played instead of the sandbox, relative to the file with the cases.
    #[serde(default)]
    pub recording: Option<PathBuf>,
    /// What must come of it.
    pub expect: Expected,
}

/// A file, or a list of them.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(with = "WrittenFiles")]
pub struct Files(pub Vec<PathBuf>);

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is read by hand, and says what the schema is")]
enum WrittenFiles {
    One(PathBuf),
    Many(Vec<PathBuf>),
}

/// Read by hand: an untagged enum would only say that nothing matched, and not where.
impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file, or a list of files")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Files, E> {
                Ok(Files(vec![PathBuf::from(text)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Files, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Files)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// Files of scanners and test runners that are evidence of a release.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The release.
    pub release: String,
    /// The files (SARIF, JUnit, CycloneDX, in-toto), relative to the file with the cases.
    #[schemars(length(min = 1))]
    pub files: Vec<PathBuf>,
}

/// What must come of a case. What is not named is not looked at.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The run's conclusion, in the word of the run report: `done`, `gate-fails`, `undecided`, `changes-planned`, ….
    pub verdict: String,
    /// A part of what is said of it.
    #[serde(default)]
    pub says: Option<String>,
    /// How steps end, in the words of the run report, by their dotted IDs.
    #[serde(default)]
    pub steps: BTreeMap<String, String>,
    /// The IDs of what blocks in the evidence that was analyzed, in that order.
    #[serde(default)]
    pub blocking: Option<Vec<String>>,
    /// Values in the files that the recipe emits, by the files' names.
    #[serde(default)]
    pub files: BTreeMap<String, Vec<At>>,
    /// Values in the planned operations; what is planned besides is not looked at.
    #[serde(default)]
    pub operations: Option<Vec<Planned>>,
}

/// An operation that must be planned.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// The step that proposes it.
    pub id: String,
    /// Values in its payload.
    #[serde(default)]
    pub payload: Vec<At>,
}

/// A value that must stand somewhere.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// Where (JSON pointer, RFC 6901).
    pub at: Pointer,
    /// What; null where there must be nothing.
    pub equals: Value,
}
