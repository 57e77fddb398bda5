//! What a client signs to say who it is (RFC 7523, with ES256).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use thiserror::Error;
use uuid::Uuid;

/// For how long an assertion is good, in seconds: it is sent at once, and clocks differ.
const LIFETIME: i64 = 120;

/// A client's private key, on the curve P-256. Nothing prints it, and it never leaves this process.
pub struct SigningKey(Box<EcdsaKeyPair>);

/// Why a file is no key. Says nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// There is no such section in it.
    #[error("it has no `PRIVATE KEY` in PEM (PKCS#8)")]
    Pem,
    /// The key is of another kind, or broken.
    #[error("its key is not a P-256 key with its public half, which ES256 signs with")]
    Kind,
}

impl SigningKey {
    /// The first private key of a PEM file.
    ///
    /// # Errors
    /// There is none, or it is not on P-256.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyError::Pem)?;
        let der = key.secret_pkcs8_der();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new())
            .map(|pair| Self(Box::new(pair)))
            .map_err(|_| KeyError::Kind)
    }

    /// An assertion that it is `client` who asks, for `audience` alone; `None` where the system has no randomness.
    pub(super) fn assertion(&self, client: &str, audience: &str, now: Timestamp) -> Option<String> {
        let issued = now.as_second();
        let header = json!({"alg": "ES256", "typ": "JWT"});
        let claims = json!({
            "iss": client, "sub": client, "aud": audience,
            "iat": issued, "exp": issued.saturating_add(LIFETIME), "jti": Uuid::new_v4(),
        });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::Value;

    #[test]
    fn an_assertion_verifies_and_is_bound_to_its_audience_and_its_time() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let signing = SigningKey::from_pem(key.serialize_pem().as_bytes()).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let assertion = signing.assertion("pipeline", "https://login.example.com", now).unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key_raw());
        public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], "https://login.example.com");
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("pipeline"), &json!("pipeline")));
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_700_000_000), &json!(1_700_000_120)));
        assert_ne!(assertion, signing.assertion("pipeline", "https://login.example.com", now).unwrap());
        assert_eq!(format!("{signing:?}"), "SigningKey(…)");
    }

    #[test]
    fn another_key_is_refused_without_a_word_of_it() {
        let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
        assert_eq!(SigningKey::from_pem(other.as_bytes()).unwrap_err(), KeyError::Kind);
        assert_eq!(SigningKey::from_pem(b"canary").unwrap_err(), KeyError::Pem);
    }
}
