//! The ID of a record.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::core::Digest;
use crate::core::text::excerpt;

const PREFIX: &str = "lga1-";

/// The ID of a record: `lga1-` and 64 lower-case hex digits, a digest of all its other members.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^lga1-[0-9a-f]{64}$"))]
pub struct RecordId(String);

/// Text that is not `lga1-` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}` is not an approval's ID: `lga1-` and 64 lower-case hex digits", excerpt(.0, 100))]
pub struct NotARecordId(String);

impl RecordId {
    /// The ID that a digest gives.
    pub(super) fn of(digest: &Digest) -> Self {
        Self(format!("{PREFIX}{}", digest.hex()))
    }

    /// The first twelve hex digits with `lga1-`, for tables and sentences.
    #[must_use]
    pub fn short(&self) -> String {
        self.0.chars().take(PREFIX.len() + 12).collect()
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RecordId {
    type Err = NotARecordId;

    fn from_str(text: &str) -> Result<Self, NotARecordId> {
        let hex = text.strip_prefix(PREFIX).unwrap_or_default();
        let well_formed =
            hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NotARecordId(text.to_owned())) }
    }
}

impl TryFrom<String> for RecordId {
    type Error = NotARecordId;

    fn try_from(text: String) -> Result<Self, NotARecordId> {
        text.parse()
    }
}

impl From<RecordId> for String {
    fn from(id: RecordId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_is_read() {
        let id = RecordId::of(&Digest::of_bytes(b"x")).to_string();
        assert_eq!(id.parse::<RecordId>().unwrap().as_str(), id);
        for other in [id.to_uppercase(), id.replace(PREFIX, ""), id[..68].to_owned(), format!("{id}0")] {
            assert!(other.parse::<RecordId>().is_err(), "{other}");
        }
        let refused = "APR\u{1b}[2J".parse::<RecordId>().unwrap_err().to_string();
        assert_eq!(refused, "`APR\\u{1b}[2J` is not an approval's ID: `lga1-` and 64 lower-case hex digits");
    }
}
