//! The idempotency key.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::v1::Slot;
use crate::core::Digest;
use crate::core::json::{UnsafeNumber, check_numbers};
use crate::core::text::visible;

const PREFIX: &str = "lg1-";

/// The key of one operation: `lg1-` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^lg1-[0-9a-f]{64}$"))]
pub struct Key(String);

/// Text that is not `lg1-` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}` is not an idempotency key: `lg1-` and 64 lower-case hex digits", visible(.0))]
pub struct NotAKey(String);

impl Key {
    /// The key of a call: a digest (tag `loopgate.key/1`) of server identity, tenant, tool, `arguments`
    /// and occurrence.
    ///
    /// `arguments` are those that are sent, less the slots: a slot's value differs between a dry run and
    /// the real call, the key may not. Of the `slots` the names of secrets count, and where they go. Nothing of
    /// the machine or the time is in it.
    ///
    /// # Errors
    /// A number in `arguments` that canonical JSON does not carry, at `/arguments/…`.
    pub fn of(
        server: &str,
        tenant: Option<&str>,
        tool: &str,
        arguments: &Map<String, Value>,
        slots: &[Slot],
        occurrence: u32,
    ) -> Result<Self, UnsafeNumber> {
        let secrets: Map<String, Value> = slots
            .iter()
            .filter_map(|slot| match slot {
                Slot::Secret { at, name } => Some((at.to_string(), Value::from(name.as_str()))),
                _ => None,
            })
            .collect();
        let mut call = json!({
            "server": server,
            "tenant": tenant,
            "tool": tool,
            "arguments": arguments,
            "occurrence": occurrence,
        });
        if let Some(call) = call.as_object_mut().filter(|_| !secrets.is_empty()) {
            call.insert("secrets".to_owned(), Value::Object(secrets));
        }
        check_numbers(&call)?;
        Ok(Self(format!("{PREFIX}{}", Digest::of_json("loopgate.key/1", &call)?.hex())))
    }

    /// The key as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = NotAKey;

    fn try_from(text: String) -> Result<Self, NotAKey> {
        let hex = text.strip_prefix(PREFIX).unwrap_or_default();
        let well_formed =
            hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if well_formed { Ok(Self(text)) } else { Err(NotAKey(text)) }
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(server: &str, tenant: Option<&str>, tool: &str, arguments: &Value, occurrence: u32) -> Key {
        Key::of(server, tenant, tool, arguments.as_object().unwrap(), &[], occurrence).unwrap()
    }

    /// A changed spelling would let every server see old operations as new ones. The digest was computed
    /// by another program, of the canonical text `["loopgate.key/1",{"arguments":{"n":1,…`.
    #[test]
    fn the_key_of_a_known_call_never_changes() {
        let key = key("sandbox", Some("acme"), "create", &json!({"title": "Ünblock", "n": 1}), 1);
        assert_eq!(key.as_str(), "lg1-d48e796c3b41a4cb1ab88a0fabbfa9bd2df72ccf1084b72ed01faba26c01e714");
    }

    #[test]
    fn whatever_is_sent_is_in_the_key() {
        let first = key("sandbox", Some("acme"), "create", &json!({"a": {"b": 1}}), 1);
        for other in [
            key("https://x.example/mcp", Some("acme"), "create", &json!({"a": {"b": 1}}), 1),
            key("sandbox", Some("globex"), "create", &json!({"a": {"b": 1}}), 1),
            key("sandbox", None, "create", &json!({"a": {"b": 1}}), 1),
            key("sandbox", Some("acme"), "update", &json!({"a": {"b": 1}}), 1),
            key("sandbox", Some("acme"), "create", &json!({"a": {"b": "1"}}), 1),
            key("sandbox", Some("acme"), "create", &json!({"a": {"b": 1}, "c": null}), 1),
            key("sandbox", Some("acme"), "create", &json!({"a": {"b": 1}}), 2),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn only_the_one_spelling_is_read() {
        let good = key("s", None, "t", &json!({}), 1).to_string();
        assert!(Key::try_from(good.clone()).is_ok());
        for bad in [good.to_uppercase(), good.replace("lg1-", "lg2-"), format!("{good}0"), String::new()] {
            assert!(Key::try_from(bad).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_two_tenants_and_tools_run_together(a in ".{0,6}", b in ".{0,6}", c in ".{0,6}", d in ".{0,6}") {
            let one = key("s", Some(&a), &b, &json!({}), 1);
            let two = key("s", Some(&c), &d, &json!({}), 1);
            prop_assert_eq!(one == two, (a, b) == (c, d));
        }
    }
}
