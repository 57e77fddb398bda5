//! A bearer token, which cannot be shown.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use thiserror::Error;

use super::claims::{claims, expiry};
use super::concealed::{concealed, encoded, without_beginning};

/// A bearer token (RFC 6750). It is wiped from memory when it goes, and nothing prints it.
#[derive(Clone)]
pub struct Token {
    text: SecretString,
    /// Other shapes in which a server may give it back; none of one that is a word.
    encoded: Arc<[SecretString]>,
    /// When it says that it expires.
    expires: Option<Timestamp>,
}

/// Why a text is no bearer token. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// There is nothing in it.
    #[error("the token is empty")]
    Empty,
    /// It has a character that no `Authorization` header carries.
    #[error("the token has a blank, a control character or a letter beyond ASCII in it")]
    Character,
}

/// A token or a secret of fewer characters is a word that anybody may use; an answer is not changed for it.
pub(super) const SHORTEST_SECRET: usize = 12;
/// What stands where it stood.
const INSTEAD: &str = "(the token)";

impl Token {
    /// Takes a token, without the line feed that files end with.
    ///
    /// # Errors
    /// It is empty or cannot travel in a header.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Character);
        }
        let expires = claims(text).as_ref().and_then(expiry);
        let encoded = match text.len() {
            0..SHORTEST_SECRET => Vec::new(),
            _ => encoded(text),
        };
        let encoded = encoded.into_iter().map(SecretString::from).collect();
        Ok(Self { text: SecretString::from(text), encoded, expires })
    }

    /// The text itself, for whom it is meant.
    pub(super) fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// When it expires, where it is a JWT that says so.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// What it says of itself, where it is a JWT.
    pub(super) fn claims(&self) -> Option<Value> {
        claims(self.text.expose_secret())
    }

    /// `text` without the token, which a server may echo.
    pub(super) fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let token = self.text.expose_secret();
        if token.len() < SHORTEST_SECRET {
            return Cow::Borrowed(text);
        }
        let mut without = concealed(text, token, INSTEAD);
        for shape in self.encoded.iter().map(|shape| shape.expose_secret()) {
            if without.contains(shape) {
                without = Cow::Owned(without.replace(shape, INSTEAD));
            }
        }
        without
    }

    /// `text`, which may break off anywhere, without what may be the beginning of the token at its end.
    pub(super) fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        without_beginning(text, self.text.expose_secret())
    }

    /// The value of the `Authorization` header, marked so that no HTTP library logs it.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.text.expose_secret())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new("canary-1\r\n").unwrap();
        assert_eq!(format!("{token:?}"), "Token(…)");
        let value = token.authorization().unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer canary-1");
        assert!(!format!("{value:?}").contains("canary"));
    }

    #[test]
    fn a_token_that_comes_back_is_concealed_and_a_word_is_not() {
        let token = Token::new("canary/1+abcdef").unwrap();
        let echoed = r#"{"a":"Bearer canary/1+abcdef","b":"canary\/1+abcdef."}"#;
        assert_eq!(token.concealed(echoed), r#"{"a":"Bearer (the token)","b":"(the token)."}"#);
        assert!(matches!(token.concealed("canary"), Cow::Borrowed(_)));
        assert_eq!(Token::new("done").unwrap().concealed("done"), "done");
        for echo in [
            "k=canary%2F1%2Babcdef&",
            "k=canary%2f1%2babcdef&",
            "Y2FuYXJ5LzErYWJjZGVm",
            "'Y2FuYXJ5LzErYWJjZGVm'",
        ] {
            assert!(token.concealed(echo).contains(INSTEAD), "{echo}");
        }
        let odd = Token::new(r#"tok"en\with/all"#).unwrap();
        for echo in [json!({"a": r#"tok"en\with/all"#}).to_string(), r#"tok"en\with/all"#.to_owned()] {
            assert!(odd.concealed(&echo).contains(INSTEAD), "{echo}");
        }
    }

    #[test]
    fn the_beginning_of_a_token_at_the_end_of_a_text_is_cut_off() {
        let token = Token::new("canary/1+abcdef").unwrap();
        assert_eq!(token.without_beginning("bad Bearer canary/1+ab"), "bad Bearer ");
        assert_eq!(token.without_beginning("a can"), "a can");
        assert_eq!(token.without_beginning("a canary!"), "a canary!");
        assert_eq!(token.without_beginning(""), "");
    }

    #[test]
    fn what_no_header_carries_is_no_token() {
        for (text, why) in [
            ("", TokenError::Empty),
            ("\n", TokenError::Empty),
            ("a b", TokenError::Character),
            ("a\nX-Other: b", TokenError::Character),
            ("ä", TokenError::Character),
        ] {
            assert_eq!(Token::new(text).err(), Some(why), "{text:?}");
        }
    }
}
