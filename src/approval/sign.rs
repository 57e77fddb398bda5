//! A record is signed by `ssh-keygen`, so that agents, hardware keys and passphrases work.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ssh_key::PublicKey;
use thiserror::Error;

use super::signature::{self, NAMESPACE, SignatureError};
use crate::core::text::visible;

/// Why nothing was signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// The program could not be started or talked to.
    #[error("`ssh-keygen` could not be run")]
    Run(#[source] io::Error),
    /// It gave up; it said why on stderr.
    #[error("`ssh-keygen` did not sign with `{}` ({status})", visible(&key.to_string_lossy()))]
    Refused {
        /// Which key.
        key: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// What it gave is no signature.
    #[error("what `ssh-keygen` gave is no signature")]
    Output(#[source] SignatureError),
    /// A kind of key whose signatures nobody could check.
    #[error(
        "signatures of `{algorithm}` are not verified; those of ed25519 and of ecdsa on nistp256 are, with \
         hardware keys of both"
    )]
    Unsupported {
        /// The kind.
        algorithm: String,
    },
}

/// The armored signature of `record`, the canonical JSON of a record, by the private key in the file `key`, or
/// by the agent where that is the public one. What `ssh-keygen` asks and says goes to the terminal.
///
/// # Errors
/// [`SignError`].
pub fn sign(record: &[u8], key: &Path) -> Result<String, SignError> {
    let output = run(record, key, NAMESPACE).map_err(SignError::Run)?;
    if !output.status.success() {
        return Err(SignError::Refused { key: key.to_owned(), status: output.status });
    }
    let armored = String::from_utf8_lossy(&output.stdout).into_owned();
    let signature = signature::read(&armored).map_err(SignError::Output)?;
    PublicKey::from(signature.public_key().clone())
        .verify(NAMESPACE, record, &signature)
        .map_err(|_| SignError::Unsupported { algorithm: signature.algorithm().to_string() })?;
    Ok(armored)
}

fn run(bytes: &[u8], key: &Path, namespace: &str) -> io::Result<std::process::Output> {
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", namespace, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    // Where it does not read to the end, its status says more than the broken pipe.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(bytes));
    let output = child.wait_with_output()?;
    if output.status.success() { written.map(|()| output) } else { Ok(output) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::approval::sample::approve;
    use fs_err as fs;

    /// Whether `ssh-keygen` is there; where all is required, its lack is a failure.
    pub(crate) fn keygen() -> bool {
        let there = Command::new("ssh-keygen").arg("-?").output().is_ok();
        if !there {
            assert!(std::env::var_os("LOOPGATE_TEST_ALL").is_none(), "ssh-keygen is required here");
            let _ = writeln!(io::stderr(), "skipped: ssh-keygen is not there");
        }
        there
    }

    /// Two throw-away keys, `one` and `two`.
    pub(crate) struct Keys(tempfile::TempDir);

    impl Keys {
        pub(crate) fn new(kind: &str) -> Self {
            let keys = Self(tempfile::tempdir().unwrap());
            for name in ["one", "two"] {
                let made = Command::new("ssh-keygen")
                    .args(["-q", "-t", kind, "-N", "", "-C", "test", "-f"])
                    .arg(keys.key(name))
                    .status();
                assert!(made.unwrap().success());
            }
            keys
        }

        pub(crate) fn key(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// The line of a signer; `options` end in a blank.
        pub(crate) fn line(&self, principals: &str, key: &str, options: &str) -> String {
            let key = fs::read_to_string(self.key(key).with_extension("pub")).unwrap();
            format!("{principals} {options}{key}")
        }
    }

    /// A signature by `ssh-keygen` for any namespace.
    pub(crate) fn armored(bytes: &[u8], key: &Path, namespace: &str) -> String {
        let output = run(bytes, key, namespace).unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn what_is_signed_here_verifies_here_and_by_ssh_keygen() {
        if !keygen() {
            return;
        }
        for kind in ["ed25519", "ecdsa"] {
            let keys = Keys::new(kind);
            let record = approve("alice");
            let signature = sign(&record.bytes(), &keys.key("one")).unwrap();
            let signers = keys.line("alice", "one", "namespaces=\"loopgate-approval\" ");
            let signed_by = signature::verify(&record.bytes(), &signature, &signers, record.time);
            assert_eq!(signed_by, Ok("alice".to_owned()));

            crate::core::file::replace(&keys.key("signers"), signers.as_bytes()).unwrap();
            crate::core::file::replace(&keys.key("sig"), signature.as_bytes()).unwrap();
            let accepts = |bytes: &[u8]| {
                let mut child = Command::new("ssh-keygen")
                    .args(["-Y", "verify", "-n", NAMESPACE, "-I", "alice", "-f"])
                    .arg(keys.key("signers"))
                    .arg("-s")
                    .arg(keys.key("sig"))
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                child.stdin.take().unwrap().write_all(bytes).unwrap();
                child.wait().unwrap().success()
            };
            assert!(accepts(&record.bytes()));
            assert!(!accepts(&approve("bob").bytes()));
        }
    }

    #[test]
    fn a_key_whose_signatures_nobody_could_check_does_not_sign() {
        if !keygen() {
            return;
        }
        let keys = Keys::new("ecdsa-sha2-nistp384");
        let refused = sign(b"x", &keys.key("one")).unwrap_err();
        assert!(matches!(refused, SignError::Unsupported { .. } | SignError::Output(_)), "{refused}");
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        if !keygen() {
            return;
        }
        let refused = sign(b"x", Path::new("no\u{1b}key")).unwrap_err().to_string();
        assert!(refused.starts_with("`ssh-keygen` did not sign with `no\\u{1b}key`"), "{refused}");
    }
}
