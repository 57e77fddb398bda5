//! The trust settings: `loopgate.yaml` and what it names. They alone say which programs are started, with
//! which environment, and what a server's words mean.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::fault::Fault;
use super::lock_place::LockPlace;
use super::policy::PolicySettings;
use super::secret_settings::SecretSettings;
use super::server_settings::Server;
use crate::approval::RecordId;
use crate::catalog::{Profile, read_yaml};
use crate::core::Digest;
use crate::core::file::read_bounded;
use crate::core::text::excerpt;
use crate::recipe::Source;

/// The name of the settings file in the trust folder.
pub(super) const FILE_NAME: &str = "loopgate.yaml";
/// The largest settings or profile file, in bytes.
pub(super) const LARGEST: usize = 4 << 20;

/// `loopgate.yaml`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Settings that these add to and tighten: a folder, relative to this one, or `FOLDER@sha256:…`, which is that folder
    /// only as long as it says what it did.
    #[serde(default)]
    pub extends: Option<PathBuf>,
    /// The server where the command line names none.
    #[serde(default)]
    pub server: Option<String>,
    /// The tenant where the command line names none.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Servers by the names that recipes and the command line use.
    #[serde(default)]
    pub servers: BTreeMap<String, Server>,
    /// What approvals must be; without it only effects on the sandbox can be applied.
    #[serde(default)]
    pub policy: Option<PolicySettings>,
    /// IDs of approvals, and effect digests, that count no more.
    #[serde(default)]
    pub revoked: BTreeSet<String>,
    /// Secrets by the names that recipes give them.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretSettings>,
    /// The ledger where the command line names none.
    #[serde(default)]
    pub ledger: LedgerSettings,
    /// The tool lock, relative to the trust folder [default: loopgate.lock, where it is there].
    #[serde(default)]
    pub lock: Option<PathBuf>,
    /// The policies of those that extend these, which only make that one stricter.
    #[serde(skip)]
    pub tightening: Vec<PolicySettings>,
}

/// The ledger.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LedgerSettings {
    /// `sqlite:PATH`, relative to the trust folder, or `postgres://HOST/DATABASE`.
    #[serde(default)]
    pub at: Option<String>,
    /// Its ID, `lgl-…`; a ledger with another one is refused, wherever it is.
    #[serde(default)]
    pub id: Option<String>,
    /// The folder that `at` is relative to.
    #[serde(skip)]
    pub home: PathBuf,
}

impl Settings {
    /// Reads what a trust folder says itself; none where it has no settings file.
    pub fn read_own(folder: &Path) -> Result<Option<Self>, Fault> {
        let path = folder.join(FILE_NAME);
        // Only what is not there is none: one that cannot be reached would pass for one without a policy.
        match fs_err::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let mut settings = Self::parse(&path, &text(&path)?)?;
        settings.settle(folder);
        Ok(Some(settings))
    }

    /// Reads the text of `path` by itself.
    fn parse(path: &Path, text: &str) -> Result<Self, Fault> {
        let settings: Self = read_yaml(text)
            .map_err(|error| Fault::new(Exit::Invalid, format!("`{}`: {error}", path.display())))?;
        match settings.revoked.iter().find(|entry| names_nothing(entry)) {
            Some(entry) => Err(Fault::new(
                Exit::Invalid,
                format!(
                    "`{}`: `revoked` has `{}`, which revokes nothing",
                    path.display(),
                    excerpt(entry, 100)
                ),
            )
            .hint("write the whole ID or digest, in lower case and without blanks around it")),
            None => Ok(settings),
        }
    }

    /// Notes where these settings stand, which is what the files that they name are relative to.
    fn settle(&mut self, folder: &Path) {
        let home = || folder.to_owned();
        self.servers.values_mut().for_each(|server| server.home = home());
        self.secrets.values_mut().for_each(|secret| secret.home = home());
        self.ledger.home = home();
        let place = |file: PathBuf| if folder == Path::new(".") { file } else { folder.join(file) };
        self.lock = self.lock.take().map(place);
        if let Some(policy) = &mut self.policy {
            policy.home = home();
            if let Some(gitlab) = &mut policy.platform.gitlab {
                gitlab.keys = place(std::mem::take(&mut gitlab.keys));
            }
        }
    }

    /// The files that these settings name, relative to `folder`, where they stand, and that say what they mean: none of
    /// tokens and secrets.
    pub fn named_files(&self, folder: &Path) -> Vec<PathBuf> {
        let profiles = self.servers.values().map(|server| PathBuf::from(&server.profile));
        let profiles = profiles.filter(|name| name.to_str().is_none_or(is_file_name));
        let certificates = self.servers.values().filter_map(|server| server.ca.clone());
        let policy = self.policy.as_ref();
        let signers = policy.and_then(|policy| policy.approvals.signers.clone());
        let keys = policy.and_then(|policy| Some(policy.platform.gitlab.as_ref()?.keys.clone()));
        let lock =
            Some(LockPlace::of(folder, Some(self)).path).filter(|lock| lock.symlink_metadata().is_ok());
        let placed = keys.into_iter().chain(lock);
        let placed = placed.map(|path| path.strip_prefix(folder).map_or(path.clone(), Path::to_owned));
        profiles.chain(certificates).chain(signers).chain(placed).collect()
    }
}

/// What a text says as `loopgate.yaml`, as JSON, for whoever tries out how it is read.
///
/// # Errors
/// Why it is refused.
pub fn settings_in(text: &str) -> Result<serde_json::Value, String> {
    let settings =
        Settings::parse(Path::new(FILE_NAME), text).map_err(|fault| format!("{:#}", fault.error))?;
    serde_json::to_value(settings).map_err(|error| error.to_string())
}

/// Whether an entry of `revoked` is meant for a record or an effect and is not the whole of its name.
fn names_nothing(entry: &str) -> bool {
    let lower = entry.trim().to_lowercase();
    entry.trim() != entry
        || (lower.starts_with("lga1-") && entry.parse::<RecordId>().is_err())
        || (lower.starts_with("sha256:") && entry.parse::<Digest>().is_err())
}

/// A profile by its name or file; a file is relative to `folder`.
pub(super) fn profile(name: &str, folder: &Path) -> Result<Arc<Profile>, Fault> {
    Ok(profile_with_source(name, folder)?.0)
}

/// Like [`profile`], with its text.
pub(super) fn profile_with_source(name: &str, folder: &Path) -> Result<(Arc<Profile>, Source), Fault> {
    let source = match Profile::shipped(name) {
        Some(text) => Source { name: name.to_owned(), text: text.to_owned() },
        None if is_file_name(name) => {
            let path = if folder == Path::new(".") { Path::new(name).to_owned() } else { folder.join(name) };
            Source { name: path.display().to_string(), text: text(&path)? }
        }
        None => {
            return Err(Fault::new(Exit::Invalid, format!("no profile is called `{name}`"))
                .hint("profiles are `loopiq`, `plain`, or a file whose name ends in .yaml"));
        }
    };
    let profile = match name {
        "loopiq" => Profile::loopiq(),
        _ => Profile::parse(&source.name, &source.text).map(Arc::new),
    };
    Ok((profile.map_err(Fault::invalid)?, source))
}

/// The text of a file that the settings name, or of their own.
pub(super) fn text(path: &Path) -> Result<String, Fault> {
    String::from_utf8(read_bounded(path, LARGEST).map_err(Fault::invalid)?)
        .map_err(|_| Fault::new(Exit::Invalid, format!("`{}` is not UTF-8", path.display())))
}

fn is_file_name(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::file::replace;

    fn read(yaml: &str) -> Result<Option<Settings>, Fault> {
        let folder = tempfile::tempdir().unwrap();
        replace(&folder.path().join(FILE_NAME), yaml.as_bytes()).unwrap();
        Settings::read(folder.path())
    }

    #[test]
    fn policy_revocations_and_ledger_are_read() {
        let settings = read(
            "policy: { approvals: { minimum: 2, accept: [signed, platform], max_age: 36h } }\n\
             revoked: [APR-7]\nledger: { at: \"sqlite:l.db\", id: lgl-1 }\n",
        )
        .unwrap()
        .unwrap();
        assert_eq!(settings.policy.unwrap().approvals.minimum, Some(2));
        assert!(settings.revoked.contains("APR-7"));
        assert_eq!(settings.ledger.at.as_deref(), Some("sqlite:l.db"));
    }

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        for yaml in [
            "policy: { approvals: { minimun: 2 } }",
            "policy: { approvals: { accept: [known] } }",
            "policy: { approvals: { max_age: 0d } }",
            "policy: { tools: { t: { signers: x } } }",
            "revoked: APR-7",
            "ledger: { path: x }",
        ] {
            assert_eq!(read(yaml).unwrap_err().exit, Exit::Invalid, "{yaml}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn settings_that_cannot_be_read_are_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Settings::read(folder.path()).unwrap().is_none());
        std::os::unix::fs::symlink("nowhere", folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(Settings::read(folder.path()).unwrap_err().exit, Exit::Invalid);
    }
}
