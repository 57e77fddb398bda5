//! Secrets: text that goes to a server and nowhere else.

use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;

/// A secret of fewer characters could not be told from a word where a server gives it back.
const SHORTEST: usize = 12;

/// The value of a secret. It is wiped from memory when it goes, and nothing prints it.
#[derive(Debug, Clone)]
pub struct SecretText(SecretString);

/// Why a text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotASecret {
    /// It could not be kept out of what is written down.
    #[error(
        "has fewer than {SHORTEST} characters, so it could not be told from a word in what a server answers"
    )]
    Short,
}

impl SecretText {
    /// Takes a secret: all of `text`, less line ends after it.
    ///
    /// # Errors
    /// It is too short.
    pub fn new(text: &str) -> Result<Self, NotASecret> {
        let text = text.trim_end_matches(['\r', '\n']);
        match text.chars().count() {
            0..SHORTEST => Err(NotASecret::Short),
            _ => Ok(Self(SecretString::from(text))),
        }
    }

    /// The text, for the call that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

/// Whether a secret may have this name: a small letter, then small letters, digits, `_` and `-`, 64 in all.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let follows = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(follows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown_and_is_no_word() {
        let secret = SecretText::new("canary-canary\n").unwrap();
        assert_eq!(secret.expose(), "canary-canary");
        assert!(!format!("{secret:?}").contains("canary"));
        assert_eq!(SecretText::new("hunter2\n").unwrap_err(), NotASecret::Short);
    }

    #[test]
    fn a_name_is_plain() {
        assert!(is_secret_name("deploy_key-2"));
        for name in ["", "2key", "Key", "a b", "a/b", &"a".repeat(65)] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
