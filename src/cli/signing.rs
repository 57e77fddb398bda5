//! Who decides, and the key that shows it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::effect_arguments::Who;
use super::exit::Exit;
use super::fault::Fault;
use crate::approval::{Approver, Assurance, Filed, Record, RecordError, Signers, sign};
use crate::core::file::read_bounded;

/// The largest public key, in bytes.
const LARGEST_KEY: usize = 64 << 10;

/// Whoever decides, with the key that they sign with, if they do.
#[derive(Debug)]
pub(super) struct Decider {
    pub approver: Approver,
    key: Option<PathBuf>,
}

impl Decider {
    /// Who that is by the command line: the name that is given, else the one that the policy's `signers` have
    /// for the key.
    pub fn new(who: &Who, signers: Option<&str>) -> Result<Self, Fault> {
        let key = match &who.sign {
            None => None,
            Some(Some(file)) => Some(file.clone()),
            Some(None) => Some(git_key()?),
        };
        let name = match (&who.name, &key) {
            (Some(name), _) => name.clone(),
            (None, Some(key)) => name_of(key, signers)?,
            (None, None) => return Err(unnamed("nobody says who decides")),
        };
        let assurance = if key.is_some() { Assurance::Signed } else { Assurance::Asserted };
        Ok(Self { approver: Approver { name, assurance }, key })
    }

    /// The record with its signature, where there is a key. `ssh-keygen` may ask for a passphrase or a touch.
    pub fn file(&self, record: Record) -> Result<Filed, Fault> {
        let signature = match &self.key {
            Some(key) => Some(sign(&record.bytes(), key).map_err(|error| {
                Fault::invalid(error).hint("nothing was written; `--sign KEYFILE` names the key")
            })?),
            None => None,
        };
        Ok(Filed { record, signature })
    }
}

/// What is wrong with the words of the command line that a record is made of.
pub(super) fn unfit(error: RecordError) -> Fault {
    Fault { exit: Exit::Usage, error: error.into(), hint: None, problems: None }
}

fn unnamed(why: &str) -> Fault {
    Fault::new(Exit::Usage, why).hint("add `--as NAME`")
}

/// The name that the signers have for the key in `file`, which is the public one or has it beside it.
fn name_of(file: &Path, signers: Option<&str>) -> Result<String, Fault> {
    let Some(signers) = signers else {
        return Err(unnamed("no policy here names signers, so the key has no name"));
    };
    let signers = Signers::parse(signers).map_err(Fault::invalid)?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".pub");
    let found = [PathBuf::from(beside), file.to_owned()].into_iter().find_map(|path| {
        let text = String::from_utf8(read_bounded(&path, LARGEST_KEY).ok()?).ok()?;
        signers.name_of(&text).map(str::to_owned)
    });
    found.ok_or_else(|| unnamed(&format!("the signers have no name for the key `{}`", file.display())))
}

/// The file that git signs with.
fn git_key() -> Result<PathBuf, Fault> {
    let none = |why: &str| Fault::new(Exit::Usage, why).hint("name the key: `--sign KEYFILE`");
    let output = Command::new("git")
        .args(["config", "--get", "--type=path", "user.signingkey"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|_| none("git is not there to say which key to sign with"))?;
    let key = String::from_utf8(output.stdout).unwrap_or_default();
    let key = key.trim_end_matches(['\r', '\n']);
    if !output.status.success() || key.is_empty() {
        return Err(none("git has no `user.signingkey`"));
    }
    if key.starts_with("key::")
        || key.starts_with("ssh-")
        || key.starts_with("ecdsa-")
        || key.starts_with("sk-")
    {
        return Err(none("git's `user.signingkey` is the key itself, and a file is needed"));
    }
    Ok(PathBuf::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::file::replace;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIILsP+CS1xq3t7Vy5gPbb6hzGpZyuiLFeCNHzOqxqCRy";

    fn who(name: Option<&str>, key: Option<&Path>) -> Who {
        Who {
            name: name.map(str::to_owned),
            reason: "because".to_owned(),
            sign: key.map(|key| Some(key.to_owned())),
        }
    }

    #[test]
    fn a_name_that_is_given_is_taken_and_a_key_says_how_it_is_known() {
        let asserted = Decider::new(&who(Some("alice"), None), None).unwrap();
        assert_eq!(asserted.approver.assurance, Assurance::Asserted);
        let signed = Decider::new(&who(Some("alice"), Some(Path::new("key"))), None).unwrap();
        assert_eq!(signed.approver.assurance, Assurance::Signed);
        assert_eq!(signed.approver.name, "alice");
    }

    #[test]
    fn a_key_without_a_name_has_the_signers() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        replace(&folder.path().join("key.pub"), format!("{KEY} comment\n").as_bytes()).unwrap();
        let nameless = who(None, Some(&key));
        let signers = format!("alice,a@b {KEY}\n");
        assert_eq!(Decider::new(&nameless, Some(&signers)).unwrap().approver.name, "alice");
        let other = format!("alice namespaces=\"git\" {KEY}\n");
        for signers in [None, Some(""), Some(other.as_str())] {
            assert_eq!(Decider::new(&nameless, signers).unwrap_err().exit, Exit::Usage);
        }
    }
}
