//! A trust folder as it is named: `DIR`, or `DIR@sha256:…`, which is the folder only as long as it says just that.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::json;

use super::exit::Exit;
use super::fault::Fault;
use super::settings::{FILE_NAME, LARGEST, Settings};
use crate::core::Digest;
use crate::core::file::read_bounded;

/// A folder with settings, and what it must say if that is fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TrustFolder {
    pub path: PathBuf,
    pub pin: Option<Digest>,
}

impl From<&Path> for TrustFolder {
    fn from(named: &Path) -> Self {
        let pinned = named.to_str().and_then(|text| {
            let (path, digest) = text.rsplit_once('@')?;
            Some((PathBuf::from(path), digest.parse::<Digest>().ok()?))
        });
        match pinned {
            Some((path, pin)) => Self { path, pin: Some(pin) },
            None => Self { path: named.to_owned(), pin: None },
        }
    }
}

impl FromStr for TrustFolder {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(Path::new(text)))
    }
}

impl fmt::Display for TrustFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

impl TrustFolder {
    /// The folder, once it says what it is to say.
    pub fn checked(self) -> Result<PathBuf, Fault> {
        let Self { path, pin: Some(pin) } = self else { return Ok(self.path) };
        let found = digest(&path)?;
        if found == pin {
            return Ok(path);
        }
        Err(Fault::new(
            Exit::Damaged,
            format!("the trust folder `{}` is {found}, and {pin} was asked for", path.display()),
        )
        .hint("look at what changed in it; `loopgate config show` says what it is now"))
    }
}

/// The digest (tag `loopgate.trust/1`) of what a trust folder says: its settings, and by their names in them the
/// profiles, signers, certificates, keys of issuers and tool lock; and the same of the folder that it extends. Files of
/// tokens and secrets are not in it, nor is the ledger: they change and say nothing.
pub(super) fn digest(folder: &Path) -> Result<Digest, Fault> {
    let settings = Settings::read_own(folder)?.ok_or_else(|| {
        Fault::new(Exit::Invalid, format!("`{}` does not exist", folder.join(FILE_NAME).display()))
    })?;
    let mut files = BTreeMap::new();
    for name in std::iter::once(PathBuf::from(FILE_NAME)).chain(settings.named_files(folder)) {
        let bytes = read_bounded(&folder.join(&name), LARGEST).map_err(Fault::invalid)?;
        files.insert(name.display().to_string(), Digest::of_bytes(&bytes));
    }
    let extends = match &settings.extends {
        Some(named) => Some(digest(&folder.join(TrustFolder::from(named.as_path()).path))?),
        None => None,
    };
    Ok(Digest::of_foreign_json("loopgate.trust/1", &json!({"files": files, "extends": extends})))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::file::replace;

    #[test]
    fn a_folder_with_a_pin_is_that_folder_only() {
        let pin = Digest::of_bytes(b"x");
        let named = TrustFolder::from(Path::new(&format!("org/trust@{pin}")).to_owned().as_path());
        assert_eq!(named, TrustFolder { path: "org/trust".into(), pin: Some(pin) });
        for name in ["a@b", "a@sha256:12", "a"] {
            assert_eq!(TrustFolder::from(Path::new(name)).pin, None, "{name}");
        }
    }

    #[test]
    fn the_digest_is_of_what_the_folder_says_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| replace(&folder.path().join(name), text.as_bytes()).unwrap();
        put(
            FILE_NAME,
            "servers: { s: { url: 'https://a.example/', profile: p.yaml, token: { file: token } } }\n\
             policy: { approvals: { signers: signers } }\n",
        );
        let (_, _, _) = (put("p.yaml", "profile: p"), put("signers", "a"), put("token", "t"));
        let first = digest(folder.path()).unwrap();
        put("token", "another");
        put("README", "nobody names it");
        assert_eq!(digest(folder.path()).unwrap(), first);
        let mut seen = vec![first];
        for (name, text) in [("signers", "b"), ("p.yaml", "profile: q"), ("loopgate.lock", "{}")] {
            put(name, text);
            let now = digest(folder.path()).unwrap();
            assert!(!seen.contains(&now), "{name}");
            seen.push(now);
        }
    }
}
