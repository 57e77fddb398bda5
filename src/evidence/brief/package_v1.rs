//! The format `loopgate.package/1`: the manifest of the files that auditors get.
//!
//! Frozen: once released, a member changes neither its name nor its meaning; a new one is optional and left out when
//! absent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::{Digest, schema};

/// What a package is about, whether it is complete, and its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loopgate package, version 1")]
pub struct Manifest {
    /// This format and its version.
    pub format: Format,
    /// The release.
    pub release: Option<String>,
    /// The certification.
    pub certification: Option<String>,
    /// Whether every required control has its evidence, be it good or bad.
    pub complete: bool,
    /// The files beside this one, by name.
    pub files: Vec<Entry>,
}

/// A format that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Version 1.
    #[serde(rename = "loopgate.package/1")]
    V1,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name, relative to the manifest, with `/` between folders.
    pub name: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many they are.
    pub bytes: usize,
}

impl Entry {
    /// The entry of a file.
    #[must_use]
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), digest: Digest::of_bytes(bytes), bytes: bytes.len() }
    }
}

impl Manifest {
    /// Adds a file, or replaces the one of that name.
    pub fn list(&mut self, file: Entry) {
        self.files.retain(|listed| listed.name != file.name);
        self.files.push(file);
        self.files.sort_by(|one, other| one.name.cmp(&other.name));
    }
}

/// The JSON Schema of `loopgate.package/1`.
#[must_use]
pub fn json_schema() -> Value {
    schema::written::<Manifest>()
}
