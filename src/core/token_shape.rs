//! Credentials that give themselves away by their shape.
//!
//! The shapes are those that their issuers document, and that secret scanners look for.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex::{NoExpand, Regex};
use serde_json::Value;

use super::pointer::escape;

/// What a credential is, the texts one of which every one of its kind has, and its shape.
struct Shape {
    what: &'static str,
    has: &'static [&'static str],
    pattern: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

const fn shape(what: &'static str, has: &'static [&'static str], pattern: &'static str) -> Shape {
    Shape { what, has, pattern, compiled: OnceLock::new() }
}

static SHAPES: [Shape; 13] = [
    shape("a GitHub token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"\bgh[pousr]_[0-9A-Za-z]{36,}"),
    shape("a GitHub token", &["github_pat_"], r"\bgithub_pat_[0-9A-Za-z_]{60,}"),
    shape(
        "a GitLab token",
        &["glpat-", "glptt-", "glcbt-", "glrt-", "gldt-", "glsoat-", "glagent-"],
        r"\bgl(?:pat|ptt|cbt|rt|dt|soat|agent)-[0-9A-Za-z_.-]{20,}",
    ),
    shape("a Slack token", &["xox"], r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}"),
    shape("an AWS access key", &["AKIA", "ASIA"], r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    shape("a Google API key", &["AIza"], r"\bAIza[0-9A-Za-z_-]{35}"),
    shape("a Stripe key", &["k_live_"], r"\b[rs]k_live_[0-9A-Za-z]{20,}"),
    shape("an npm token", &["npm_"], r"\bnpm_[0-9A-Za-z]{36}"),
    shape("a PyPI token", &["pypi-AgEIcHlwaS5vcmc"], r"\bpypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{20,}"),
    shape("an API key", &["sk-"], r"\bsk-[0-9A-Za-z_-]{32,}"),
    shape(
        "a JSON Web Token",
        &[".eyJ"],
        r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}",
    ),
    shape(
        "a private key",
        &["PRIVATE KEY-----"],
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)",
    ),
    shape("a bearer token", &["earer", "EARER"], r"\b(?:[Bb]earer|BEARER)\s+[0-9A-Za-z._~+/-]{24,}=*"),
];

/// A credential has at least so many characters, the text before it not counted.
const SHORTEST: usize = 16;

impl Shape {
    fn may_be_in(&self, text: &str) -> bool {
        text.len() >= SHORTEST && self.has.iter().any(|has| text.contains(has))
    }

    fn compiled(&self) -> Option<&Regex> {
        // Only where it may be there: to make a pattern takes longer than most starts have.
        self.compiled.get_or_init(|| Regex::new(self.pattern).ok()).as_ref()
    }
}

/// What credential a text looks like it holds, if any: `a GitHub token`.
#[must_use]
pub fn token_shape(text: &str) -> Option<&'static str> {
    let may_be = SHAPES.iter().filter(|shape| shape.may_be_in(text));
    let mut found = may_be.filter(|shape| shape.compiled().is_some_and(|pattern| pattern.is_match(text)));
    found.next().map(|shape| shape.what)
}

/// `text` with what each credential in it is in its place: `(a GitHub token)`.
#[must_use]
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    let mut without = Cow::Borrowed(text);
    for shape in &SHAPES {
        if !shape.may_be_in(&without) {
            continue;
        }
        let instead = format!("({})", shape.what);
        if let Some(Cow::Owned(less)) =
            shape.compiled().map(|pattern| pattern.replace_all(&without, NoExpand(&instead)))
        {
            without = Cow::Owned(less);
        }
    }
    without
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
    fn all_of_each_is_taken_out_and_the_rest_stays() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----";
        assert_eq!(without_tokens(&format!("a {key} b {key}")), "a (a private key) b (a private key)");
        assert_eq!(without_tokens("a -----BEGIN PRIVATE KEY-----\nMIIabc"), "a (a private key)");
        let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef==, x";
        assert_eq!(without_tokens(bearer), "Authorization: (a bearer token), x");
        assert!(matches!(without_tokens("the bearer of this letter"), Cow::Borrowed(_)));
    }

    #[test]
    fn its_place_is_named() {
        let value = json!({"a/b": [1, {"c": "AKIAIOSFODNN7EXAMPLE"}]});
        assert_eq!(token_in(&value), Some(("/a~1b/1/c".to_owned(), "an AWS access key")));
        assert_eq!(token_in(&json!({"x": {"AKIAIOSFODNN7EXAMPLE": 1}})).unwrap().0, "/x");
        assert_eq!(token_in(&json!(["a", 1, null])), None);
    }
}
