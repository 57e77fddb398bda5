//! Credentials that give themselves away by their shape.
//!
//! The shapes are those that their issuers document, and that secret scanners look for.

use std::sync::LazyLock;

use regex::RegexSet;
use serde_json::Value;

use super::pointer::escape;

/// What each shape is, and the shape.
const SHAPES: [(&str, &str); 13] = [
    ("a GitHub token", r"\bgh[pousr]_[0-9A-Za-z]{36,}"),
    ("a GitHub token", r"\bgithub_pat_[0-9A-Za-z_]{60,}"),
    ("a GitLab token", r"\bgl(?:pat|ptt|cbt|rt|dt|soat|agent)-[0-9A-Za-z_.-]{20,}"),
    ("a Slack token", r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}"),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("a Stripe key", r"\b[rs]k_live_[0-9A-Za-z]{20,}"),
    ("an npm token", r"\bnpm_[0-9A-Za-z]{36}"),
    ("a PyPI token", r"\bpypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{20,}"),
    ("an API key", r"\bsk-[0-9A-Za-z_-]{32,}"),
    ("a JSON Web Token", r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ("a bearer token", r"(?i)\bbearer\s+[0-9a-z._~+/-]{24,}"),
];

static KNOWN: LazyLock<Option<RegexSet>> =
    LazyLock::new(|| RegexSet::new(SHAPES.map(|(_, shape)| shape)).ok());

/// What credential a text looks like it holds, if any: `a GitHub token`.
#[must_use]
pub fn token_shape(text: &str) -> Option<&'static str> {
    let found = KNOWN.as_ref()?.matches(text).iter().next()?;
    SHAPES.get(found).map(|(what, _)| *what)
}

/// The first text or name anywhere in `value` that looks like it holds a credential: its JSON pointer, which for a
/// name is that of the object around it, and what it looks like.
#[must_use]
pub fn token_in(value: &Value) -> Option<(String, &'static str)> {
    fn walk(value: &Value, at: &str) -> Option<(String, &'static str)> {
        match value {
            Value::String(text) => token_shape(text).map(|what| (at.to_owned(), what)),
            Value::Array(items) => {
                items.iter().enumerate().find_map(|(index, item)| walk(item, &format!("{at}/{index}")))
            }
            Value::Object(members) => members.iter().find_map(|(name, member)| match token_shape(name) {
                Some(what) => Some((at.to_owned(), what)),
                None => walk(member, &format!("{at}/{}", escape(name))),
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
    walk(value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_shape_is_found_wherever_it_stands() {
        let filler = "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdefABCDEF";
        for (what, begins) in [
            ("a GitHub token", "ghp_"),
            ("a GitHub token", "github_pat_"),
            ("a GitLab token", "glpat-"),
            ("a Slack token", "xoxb-"),
            ("a Google API key", "AIza"),
            ("a Stripe key", "sk_live_"),
            ("an npm token", "npm_"),
            ("a PyPI token", "pypi-AgEIcHlwaS5vcmc"),
            ("an API key", "sk-"),
            ("a bearer token", "Authorization: Bearer "),
        ] {
            assert_eq!(token_shape(&format!("see {begins}{filler}")), Some(what), "{begins}");
        }
        assert_eq!(token_shape("key=AKIAIOSFODNN7EXAMPLE;"), Some("an AWS access key"));
        assert_eq!(token_shape(&format!("eyJ{filler}.eyJ{filler}.{filler}")), Some("a JSON Web Token"));
        assert_eq!(token_shape("-----BEGIN OPENSSH PRIVATE KEY-----\n"), Some("a private key"));
    }

    #[test]
    fn ids_digests_and_prose_are_no_credentials() {
        for text in [
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "lg1-d48e796c3b41a4cb1ab88a0fabbfa9bd2df72ccf1084b72ed01faba26c01e714",
            "the bearer of this letter, who is known to you, may enter",
            "task-0123456789abcdefABCDEF0123456789abcdef",
            "ghp_ is how a GitHub token begins",
        ] {
            assert_eq!(token_shape(text), None, "{text}");
        }
    }

    #[test]
    fn its_place_is_named() {
        let value = json!({"a/b": [1, {"c": "AKIAIOSFODNN7EXAMPLE"}]});
        assert_eq!(token_in(&value), Some(("/a~1b/1/c".to_owned(), "an AWS access key")));
        assert_eq!(token_in(&json!({"x": {"AKIAIOSFODNN7EXAMPLE": 1}})).unwrap().0, "/x");
        assert_eq!(token_in(&json!(["a", 1, null])), None);
    }
}
