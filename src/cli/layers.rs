//! Settings that extend others: what a folder says over the bundle that it shares with other folders. It adds and
//! tightens, and takes nothing back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::fault::Fault;
use super::platform::PlatformSettings;
use super::policy::PolicySettings;
use super::settings::{FILE_NAME, LedgerSettings, Settings};
use super::trust_folder::TrustFolder;

/// How many folders may stand over each other.
const MOST: usize = 8;

impl Settings {
    /// Reads the settings of a trust folder, with those that they extend; none where it has no settings file.
    pub fn read(folder: &Path) -> Result<Option<Self>, Fault> {
        Self::read_above(folder, &mut Vec::new())
    }

    fn read_above(folder: &Path, below: &mut Vec<PathBuf>) -> Result<Option<Self>, Fault> {
        let Some(own) = Self::read_own(folder)? else { return Ok(None) };
        let Some(extends) = own.extends.as_deref() else { return Ok(Some(own)) };
        let place = folder.join(FILE_NAME);
        let wrong =
            |what: String| Fault::new(Exit::Invalid, format!("`{}`: `extends`: {what}", place.display()));
        below.push(folder.canonicalize().map_err(Fault::invalid)?);
        let named = TrustFolder::from(extends);
        let path = TrustFolder { path: folder.join(&named.path), ..named }.checked()?;
        let known = path.canonicalize().map_err(|error| wrong(format!("`{}`: {error}", path.display())))?;
        if below.contains(&known) || below.len() >= MOST {
            return Err(wrong(format!(
                "`{}` leads back here, or through more than {MOST} folders",
                path.display()
            )));
        }
        let above = Self::read_above(&path, below)?
            .ok_or_else(|| wrong(format!("`{}` has no {FILE_NAME}", path.display())))?;
        own.over(above, &place).map(Some)
    }

    /// What these settings, which stand at `place`, say together with those that they extend.
    fn over(self, above: Self, place: &Path) -> Result<Self, Fault> {
        let said = |what: String| {
            Fault::new(Exit::Invalid, format!("`{}`: `{what}` is said by what it extends", place.display()))
                .hint(
                    "what extends other settings adds to them and tightens them; take it out here, or there",
                )
        };
        let Self { server, tenant, servers, policy, tightening, revoked, secrets, ledger, lock, extends } =
            self;
        let mut all = above;
        all.server = server.or(all.server);
        all.tenant = tenant.or(all.tenant);
        add(&mut all.servers, servers).map_err(|name| said(format!("servers.{name}")))?;
        add(&mut all.secrets, secrets).map_err(|name| said(format!("secrets.{name}")))?;
        all.revoked.extend(revoked);
        all.ledger = one_ledger(all.ledger, ledger).map_err(|name| said(format!("ledger.{name}")))?;
        all.lock = either(all.lock, lock).map_err(|()| said("lock".to_owned()))?;
        match (&mut all.policy, policy) {
            (Some(above), Some(mut below)) => {
                let platform = std::mem::take(&mut below.platform);
                one_platform(&mut above.platform, platform)
                    .map_err(|name| said(format!("policy.platform.{name}")))?;
                if above.approvals.signers.is_some() && below.approvals.signers.is_some() {
                    return Err(said("policy.approvals.signers".to_owned()));
                }
                all.tightening.push(below);
            }
            (above @ None, below) => *above = below,
            (Some(_), None) => {}
        }
        all.tightening.extend(tightening);
        all.extends = extends;
        Ok(all)
    }
}

fn add<T>(all: &mut BTreeMap<String, T>, more: BTreeMap<String, T>) -> Result<(), String> {
    match more.keys().find(|name| all.contains_key(*name)) {
        Some(name) => Err(name.clone()),
        None => {
            all.extend(more);
            Ok(())
        }
    }
}

fn either<T>(above: Option<T>, below: Option<T>) -> Result<Option<T>, ()> {
    match (above, below) {
        (Some(_), Some(_)) => Err(()),
        (above, below) => Ok(above.or(below)),
    }
}

fn one_ledger(above: LedgerSettings, below: LedgerSettings) -> Result<LedgerSettings, &'static str> {
    let home = if above.at.is_some() { above.home } else { below.home };
    Ok(LedgerSettings {
        at: either(above.at, below.at).map_err(|()| "at")?,
        id: either(above.id, below.id).map_err(|()| "id")?,
        home,
    })
}

fn one_platform(above: &mut PlatformSettings, below: PlatformSettings) -> Result<(), &'static str> {
    above.github = either(above.github.take(), below.github).map_err(|()| "github")?;
    above.gitlab = either(above.gitlab.take(), below.gitlab).map_err(|()| "gitlab")?;
    Ok(())
}

/// The folders whose settings count together: `folder`, what it extends, and so on. They were read before.
pub(super) fn chain(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut folders = vec![folder.to_owned()];
    while let Some(last) = folders.last().filter(|_| folders.len() <= MOST) {
        let extends = Settings::read_own(last)?.and_then(|own| own.extends);
        match extends {
            Some(extends) => folders.push(last.join(TrustFolder::from(extends.as_path()).path)),
            None => break,
        }
    }
    Ok(folders)
}

/// All policies of settings, the first that which the others tighten.
pub(super) fn policies(settings: &Settings) -> impl Iterator<Item = &PolicySettings> {
    settings.policy.iter().chain(&settings.tightening)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::Assurance;
    use crate::artifact::{Artifact, sample};
    use crate::core::file::replace;
    use jiff::SignedDuration;

    /// Settings of a folder that extends a bundle, as both say.
    fn read(bundle: &str, own: &str) -> Result<(tempfile::TempDir, Settings), Fault> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("org", bundle.to_owned()), ("repository", format!("extends: ../org\n{own}"))] {
            fs_err::create_dir(folder.path().join(name)).unwrap();
            replace(&folder.path().join(name).join(FILE_NAME), text.as_bytes()).unwrap();
            replace(&folder.path().join(name).join("signers"), b"").unwrap();
        }
        let settings = Settings::read(&folder.path().join("repository"))?.unwrap();
        Ok((folder, settings))
    }

    #[test]
    fn what_extends_a_bundle_only_tightens_its_policy() {
        let bundle =
            "policy: { approvals: { minimum: 2, accept: [signed, platform], four_eyes: true, max_age: 7d } }";
        let own = "policy: { approvals: { minimum: 1, accept: [signed, asserted], four_eyes: false, max_age: 1d } }";
        let artifact = Artifact::build(sample::plan()).unwrap();
        let policy =
            |bundle: &str, own: &str| read(bundle, own).unwrap().1.policy_for(&artifact).unwrap().unwrap();
        let found = policy(bundle, own);
        assert_eq!((found.minimum, found.four_eyes), (2, true));
        assert_eq!(found.accept, [Assurance::Signed].into());
        assert_eq!(found.max_age, Some(SignedDuration::from_hours(24)));
        let stricter = policy(bundle, "policy: { approvals: { minimum: 3, signers: signers } }");
        assert_eq!((stricter.minimum, stricter.accept.len()), (3, 2), "what is not said is not changed");
        assert_eq!(stricter.signers.as_deref(), Some(""));
        assert_eq!(policy(bundle, ""), policy(bundle, "policy: {}"));
        assert_eq!(policy("", own).minimum, 1);
    }

    #[test]
    fn what_a_bundle_says_is_not_said_again_and_the_rest_is_added() {
        let bundle = "server: a\nservers: { a: { command: x, ca: c } }\nrevoked: [APR-1]\n\
                      ledger: { id: lgl-1 }\nsecrets: { s: { environment: S, to: [] } }\n\
                      policy: { approvals: { signers: signers }, platform: { github: { repository: a/b, workflow: w } } }";
        let (folder, all) =
            read(bundle, "server: b\nservers: { b: { command: y } }\nrevoked: [APR-2]\nledger: { at: l.db }")
                .unwrap();
        assert_eq!(all.server.as_deref(), Some("b"));
        assert_eq!((all.servers.len(), all.revoked.len()), (2, 2));
        assert_eq!(all.servers["a"].home, folder.path().join("repository/../org"));
        assert_eq!(all.servers["b"].home, folder.path().join("repository"));
        assert_eq!(
            (all.ledger.id.as_deref(), all.ledger.home),
            (Some("lgl-1"), folder.path().join("repository"))
        );
        for (own, what) in [
            ("servers: { a: { command: y } }", "servers.a"),
            ("secrets: { s: { environment: S, to: [] } }", "secrets.s"),
            ("ledger: { id: lgl-2 }", "ledger.id"),
            ("policy: { approvals: { signers: signers } }", "policy.approvals.signers"),
            ("policy: { platform: { github: { repository: c/d, workflow: w } } }", "policy.platform.github"),
        ] {
            let fault = read(bundle, own).unwrap_err();
            assert_eq!(fault.exit, Exit::Invalid);
            assert!(
                fault.error.to_string().contains(&format!("`{what}` is said")),
                "{what}: {}",
                fault.error
            );
        }
    }

    #[test]
    fn a_circle_a_missing_bundle_and_one_that_changed_are_refused() {
        let circle = read("extends: ../repository", "").unwrap_err();
        assert!(circle.error.to_string().contains("leads back here"), "{}", circle.error);
        let missing = read("", "extends: ../nowhere");
        assert_eq!(missing.unwrap_err().exit, Exit::Invalid, "a key twice");
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            fs_err::create_dir_all(folder.path().join(name)).unwrap();
            replace(&folder.path().join(name).join(FILE_NAME), text.as_bytes()).unwrap();
        };
        put("org", "revoked: [APR-1]");
        let pin = crate::cli::trust_folder::digest(&folder.path().join("org")).unwrap();
        put("own", &format!("extends: ../org@{pin}"));
        let own = folder.path().join("own");
        assert!(Settings::read(&own).unwrap().unwrap().revoked.contains("APR-1"));
        put("org", "revoked: []");
        assert_eq!(Settings::read(&own).unwrap_err().exit, Exit::Damaged);
        put("own", "extends: ../nowhere");
        assert_eq!(Settings::read(&own).unwrap_err().exit, Exit::Invalid);
    }
}
