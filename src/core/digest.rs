//! SHA-256 digests, always written `sha256:` and 64 lower-case hex digits.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::json::{UnsafeNumber, canonical, take_unsafe_numbers};

/// A SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^sha256:[0-9a-f]{64}$"))]
pub struct Digest(String);

/// Text that is not `sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a digest: `sha256:` and 64 lower-case hex digits")]
pub struct NotADigest(String);

impl Digest {
    /// The digest of `bytes` as they are.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let hash = Sha256::digest(bytes);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256:{hex}"))
    }

    /// The digest of `value` as canonical JSON under an encoding tag such as `loopgate.effect/1`.
    ///
    /// The tag keeps a digest of one kind from ever standing for one of another.
    ///
    /// # Errors
    /// A number in `value` that canonical JSON does not carry.
    pub fn of_json(tag: &str, value: &Value) -> Result<Self, UnsafeNumber> {
        match canonical(value) {
            // The canonical form of `[tag, value]`; to put that together would copy the value.
            Ok(text) => Ok(Self::of_bytes(format!("[{},{text}]", Value::from(tag)).as_bytes())),
            Err(UnsafeNumber { pointer, number }) => {
                Err(UnsafeNumber { pointer: format!("/1{pointer}"), number })
            }
        }
    }

    /// Like [`Digest::of_json`], for a stranger's value, which may hold any number; the same where that
    /// gives one.
    ///
    /// A number that canonical JSON does not carry counts as null at its place, and by its pointer and
    /// its text in an object after the value, so that no two values have one form.
    #[must_use]
    pub fn of_foreign_json(tag: &str, value: &Value) -> Self {
        if let Ok(digest) = Self::of_json(tag, value) {
            return digest;
        }
        let mut safe = value.clone();
        let numbers = take_unsafe_numbers(&mut safe);
        let covered = Value::Array(vec![Value::from(tag), safe, Value::Object(numbers)]);
        // With its numbers taken out, nothing in a value has no canonical form.
        Self::of_bytes(canonical(&covered).unwrap_or_else(|_| covered.to_string()).as_bytes())
    }

    /// The 64 hex digits, without `sha256:`.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }

    /// The first twelve hex digits with `sha256:`, for tables and sentences.
    #[must_use]
    pub fn short(&self) -> String {
        format!("sha256:{}", self.hex().chars().take(12).collect::<String>())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        let well_formed =
            hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NotADigest(text.to_owned())) }
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(
            Digest::of_bytes(b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn member_order_does_not_matter_and_the_tag_does() {
        let one = Digest::of_json("a/1", &json!({"x": 1, "y": 2})).unwrap();
        let two = Digest::of_json("a/1", &serde_json::from_str(r#"{"y":2,"x":1.0}"#).unwrap()).unwrap();
        assert_eq!(one, two);
        assert_ne!(one, Digest::of_json("b/1", &json!({"x": 1, "y": 2})).unwrap());
    }

    #[test]
    fn a_strangers_numbers_refuse_no_digest_and_all_count() {
        let plain = json!({"x": [1, {"y": 2.5}], "z": null});
        assert_eq!(Digest::of_foreign_json("a/1", &plain), Digest::of_json("a/1", &plain).unwrap());
        let of = |value| Digest::of_foreign_json("a/1", &value);
        let all = [
            of(json!({"x": [u64::MAX, 1]})),
            of(json!({"x": [u64::MAX - 1, 1]})),
            of(json!({"x": [1, u64::MAX]})),
            of(json!({"x": [null, 1]})),
            of(json!({"x": [u64::MAX.to_string(), 1]})),
            of(json!({"x": [1e17, 1]})),
            of(json!(u64::MAX)),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn only_the_one_spelling_is_read() {
        let digest = Digest::of_bytes(b"x").to_string();
        assert!(digest.parse::<Digest>().is_ok());
        assert!(digest.to_uppercase().parse::<Digest>().is_err());
        assert!(digest.trim_start_matches("sha256:").parse::<Digest>().is_err());
        assert!(digest[..70].parse::<Digest>().is_err());
    }
}
