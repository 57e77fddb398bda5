//! A client's secret, which cannot be shown.

use std::borrow::Cow;
use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;

use super::concealed::concealed;
use super::token::SHORTEST_SECRET;

/// The secret of a client at an issuer (RFC 6749, section 2.3.1). It is wiped from memory when it goes, and nothing
/// prints it.
#[derive(Clone)]
pub struct Secret(SecretString);

/// Why a text is no secret of a client. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    /// There is nothing in it.
    #[error("the secret is empty")]
    Empty,
    /// It has a character that OAuth knows in no secret.
    #[error("the secret has a control character or a letter beyond ASCII in it")]
    Character,
}

/// What stands where it stood.
const INSTEAD: &str = "(the secret)";

impl Secret {
    /// Takes a secret, without the line feed that files end with.
    ///
    /// # Errors
    /// It is empty, or OAuth knows no such secret.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(SecretError::Character);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// The text itself.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// `text` without the secret, where it is long enough to be nothing else.
    pub(super) fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.expose().len() < SHORTEST_SECRET {
            return Cow::Borrowed(text);
        }
        concealed(text, self.expose(), INSTEAD)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown_and_comes_back_concealed() {
        let secret = Secret::new("canary \"1\"/abc\r\n").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let echoed = r#"is it canary "1"/abc or canary \"1\"/abc?"#;
        assert_eq!(secret.concealed(echoed), "is it (the secret) or (the secret)?");
    }

    #[test]
    fn what_oauth_knows_in_no_secret_is_none() {
        for (text, why) in
            [("\n", SecretError::Empty), ("a\tb", SecretError::Character), ("ä", SecretError::Character)]
        {
            assert_eq!(Secret::new(text).err(), Some(why), "{text:?}");
        }
    }
}
