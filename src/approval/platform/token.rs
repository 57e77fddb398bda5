//! A token that a platform signed (JWT, RS256), checked against its published keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::core::json::parse_strict;
use crate::core::text::excerpt;

/// The longest token, in bytes.
const LONGEST: usize = 64 << 10;

/// Why a token shows nothing. Says nothing of what is in it but the names that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum TokenError {
    /// Not a JWT.
    #[error("it is no signed token (JWT)")]
    Shape,
    /// Signed in another way, or not at all.
    #[error("it is signed by `{}`, and only `RS256` counts", excerpt(.0, 40))]
    Algorithm(String),
    /// By a key that is not published.
    #[error("its key `{}` is not one of the keys that the trust settings name", excerpt(.0, 100))]
    UnknownKey(String),
    /// Over something else.
    #[error("its signature does not verify")]
    Signature,
    /// Its claims are not those that this platform makes.
    #[error("its claims are not what the platform says in one: {}", excerpt(.0, 200))]
    Claims(String),
    /// The published keys are not understood.
    #[error("the keys are no JSON Web Key Set: {}", excerpt(.0, 200))]
    Keys(String),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood; nothing of it is.
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

/// A published key; of one of another kind only the kind is read.
#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// The claims of `token`, signed by one of `keys`, the text of a JSON Web Key Set. Nothing else of them is checked.
pub(super) fn claims<T: DeserializeOwned>(token: &str, keys: &str) -> Result<T, TokenError> {
    let keys: KeySet = parse_strict(keys.as_bytes())
        .map_err(|error| TokenError::Keys(error.to_string()))
        .and_then(|keys| serde_json::from_value(keys).map_err(|error| TokenError::Keys(error.to_string())))?;
    let token = token.trim();
    if token.len() > LONGEST {
        return Err(TokenError::Shape);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Shape)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Shape)?;
    let header: Header =
        part(header).and_then(|value| serde_json::from_value(value).ok()).ok_or(TokenError::Shape)?;
    if header.alg != "RS256" || header.crit.is_some() {
        return Err(TokenError::Algorithm(header.alg));
    }
    let kid = header.kid.unwrap_or_default();
    let fits = |key: &&Key| {
        key.kty == "RSA"
            && key.kid.as_ref() == Some(&kid)
            && key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && key.alg.as_deref().is_none_or(|alg| alg == "RS256")
    };
    let key = keys.keys.iter().find(fits).ok_or(TokenError::UnknownKey(kid.clone()))?;
    let bytes = |text: &Option<String>| {
        text.as_deref()
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .ok_or(TokenError::UnknownKey(kid.clone()))
    };
    let public = RsaPublicKeyComponents { n: bytes(&key.n)?, e: bytes(&key.e)? };
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Shape)?;
    public
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .map_err(|_| TokenError::Signature)?;
    let payload = part(payload).ok_or(TokenError::Shape)?;
    serde_json::from_value(payload).map_err(|error| TokenError::Claims(error.to_string()))
}

fn part(text: &str) -> Option<serde_json::Value> {
    parse_strict(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
