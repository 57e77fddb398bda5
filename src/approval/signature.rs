//! Whether a signature over a record is by somebody who may sign.

use jiff::Timestamp;
use ssh_key::SshSig;
use thiserror::Error;

use super::signers::{Signer, Signers, SignersError};
use crate::core::text::excerpt;

/// What a signature is for, so that one made for something else is none of an approval.
pub const NAMESPACE: &str = "loopgate-approval";

/// Why a signature shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// Who may sign cannot be told.
    #[error(transparent)]
    Signers(#[from] SignersError),
    /// No armored SSH signature.
    #[error("it is not an armored SSH signature: {0}")]
    Shape(String),
    /// Made for something else.
    #[error("it was made for the namespace `{}`, not for `{NAMESPACE}`", excerpt(found, 100))]
    Namespace {
        /// For what.
        found: String,
    },
    /// By a key that no line names.
    #[error("the key {fingerprint} is not one of the signers'")]
    UnknownKey {
        /// Of the key, as `ssh-keygen -l` gives it.
        fingerprint: String,
    },
    /// By a key that could not sign at the record's time.
    #[error("the key of `{name}` is not valid at {at}")]
    NotValidThen {
        /// Whose.
        name: String,
        /// The record's time.
        at: Timestamp,
    },
    /// Over other bytes, or damaged.
    #[error("it is not over this record")]
    Mismatch,
}

/// The principal who signed `record`, the canonical JSON of a record, with the armored signature `armored`:
/// the first name on the line of `signers` (an `allowed_signers` file) that has the key and is valid at `at`,
/// the record's time.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(record: &[u8], armored: &str, signers: &str, at: Timestamp) -> Result<String, SignatureError> {
    let signers = Signers::parse(signers)?;
    signer(record, armored, &signers, at).map(|signer| signer.name().to_owned())
}

/// Like [`verify`], with the whole line.
pub(super) fn signer<'a>(
    record: &[u8],
    armored: &str,
    signers: &'a Signers,
    at: Timestamp,
) -> Result<&'a Signer, SignatureError> {
    let signature = read(armored)?;
    if signature.namespace() != NAMESPACE {
        return Err(SignatureError::Namespace { found: signature.namespace().to_owned() });
    }
    let known: Vec<_> = signers.of(signature.public_key());
    let Some(first) = known.first() else {
        let fingerprint = signature.public_key().fingerprint(ssh_key::HashAlg::Sha256).to_string();
        return Err(SignatureError::UnknownKey { fingerprint });
    };
    first.key.verify(NAMESPACE, record, &signature).map_err(|_| SignatureError::Mismatch)?;
    let valid = known.iter().find(|line| {
        line.valid_after.is_none_or(|after| at >= after)
            && line.valid_before.is_none_or(|before| at <= before)
    });
    match valid {
        Some(line) => Ok(line),
        None => Err(SignatureError::NotValidThen { name: first.name().to_owned(), at }),
    }
}

/// Reads an armored signature.
pub(super) fn read(armored: &str) -> Result<SshSig, SignatureError> {
    // The library quotes what it does not know.
    let shape = |error: ssh_key::Error| SignatureError::Shape(excerpt(&error.to_string(), 200));
    let signature = SshSig::from_pem(armored.trim()).map_err(shape)?;
    // The version is not covered by what is signed, and the library takes those before the first, too.
    if signature.version() == SshSig::VERSION {
        Ok(signature)
    } else {
        Err(SignatureError::Shape(format!("its version is {}", signature.version())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sample::{approve, at};
    use crate::approval::sign::tests::{Keys, armored, keygen};

    #[test]
    fn who_signed_is_who_holds_the_key() {
        if !keygen() {
            return;
        }
        for kind in ["ed25519", "ecdsa"] {
            let keys = Keys::new(kind);
            let record = approve("alice");
            let signature = armored(&record.bytes(), &keys.key("one"), NAMESPACE);
            let signers = format!("{}{}", keys.line("alice,a@b", "one", ""), keys.line("bob", "two", ""));
            let check =
                |bytes: &[u8], signature: &str, signers: &str| verify(bytes, signature, signers, record.time);
            assert_eq!(check(&record.bytes(), &signature, &signers), Ok("alice".to_owned()));

            let mut bytes = record.bytes();
            bytes[20] ^= 1;
            assert_eq!(check(&bytes, &signature, &signers), Err(SignatureError::Mismatch));
            let only_bob = keys.line("bob", "two", "");
            let unknown = check(&record.bytes(), &signature, &only_bob).unwrap_err();
            assert!(
                matches!(&unknown, SignatureError::UnknownKey { fingerprint } if fingerprint.starts_with("SHA256:"))
            );
            let other = keys.line("alice", "one", "namespaces=\"git\" ");
            assert_eq!(check(&record.bytes(), &signature, &other), Err(unknown));
            let broken = check(&record.bytes(), &signature, "alice");
            assert!(matches!(broken, Err(SignatureError::Signers(SignersError { line: 1, .. }))));
        }
    }

    #[test]
    fn a_signature_for_something_else_is_none() {
        if !keygen() {
            return;
        }
        let keys = Keys::new("ed25519");
        let record = approve("alice");
        let signature = armored(&record.bytes(), &keys.key("one"), "file");
        let signers = keys.line("alice", "one", "");
        assert_eq!(
            verify(&record.bytes(), &signature, &signers, record.time),
            Err(SignatureError::Namespace { found: "file".to_owned() })
        );
    }

    #[test]
    fn a_key_signs_only_while_it_is_valid() {
        if !keygen() {
            return;
        }
        let keys = Keys::new("ed25519");
        let record = approve("alice");
        let signature = armored(&record.bytes(), &keys.key("one"), NAMESPACE);
        let window = "valid-after=20260101Z,valid-before=\"20260102Z\" ";
        let check = |options: &str, time: &str| {
            verify(&record.bytes(), &signature, &keys.line("alice", "one", options), at(time))
        };
        assert_eq!(check(window, "2026-01-01T00:00:00Z"), Ok("alice".to_owned()));
        assert_eq!(check(window, "2026-01-02T00:00:00Z"), Ok("alice".to_owned()));
        for time in ["2025-12-31T23:59:59Z", "2026-01-02T00:00:01Z"] {
            let name = "alice".to_owned();
            assert_eq!(check(window, time), Err(SignatureError::NotValidThen { name, at: at(time) }));
        }
        assert!(check("", "2025-12-31T23:59:59Z").is_ok());
    }

    #[test]
    fn a_changed_byte_of_a_signature_is_refused_or_without_effect() {
        if !keygen() {
            return;
        }
        let keys = Keys::new("ed25519");
        let record = approve("alice");
        let signature = armored(&record.bytes(), &keys.key("one"), NAMESPACE);
        let signers = Signers::parse(&keys.line("alice", "one", "")).unwrap();
        let whole = read(&signature).unwrap();
        let mut bytes = signature.into_bytes();
        // Every third byte, each in one of four ways: all of them take seconds.
        for place in (0..bytes.len()).step_by(3) {
            let old = bytes[place];
            let new = [old ^ 1, old ^ 2, b'A', b'\n'][place % 4];
            bytes[place] = new;
            let text = String::from_utf8_lossy(&bytes);
            if signer(&record.bytes(), &text, &signers, record.time).is_ok() {
                assert_eq!(read(&text).unwrap(), whole, "byte {place}: {old} as {new}");
            }
            bytes[place] = old;
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for text in ["", "x", "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n"] {
            let refused = verify(b"", text, "", at("2026-01-01T00:00:00Z"));
            assert!(matches!(refused, Err(SignatureError::Shape(_))), "{text}");
        }
    }
}
