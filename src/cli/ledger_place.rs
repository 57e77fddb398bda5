//! From the ledger's name to a ledger that is open and the right one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::ledger_server::Server;
use super::settings::Settings;
use super::url_password::has_credential;
use crate::core::Digest;
use crate::core::text::{excerpt, visible};
use crate::ledger::{Address, Founded, Ledger, LedgerError, LockError};

/// Where the ledger is where nobody says otherwise.
pub(super) const DEFAULT: &str = ".loopgate/ledger.db";

/// Where the ledger is, and which one it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub at: At,
    /// Whether somebody named it, on the command line or in the settings.
    pub named: bool,
    /// The ID that the settings ask for.
    pub id: Option<String>,
}

/// A file, or a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    File(PathBuf),
    Server(Box<Server>),
}

/// Finds the ledger: the command line's, else the settings' (with the folder that they are from), else the
/// default.
pub(super) fn find(
    named: Option<&str>,
    settings: Option<&Settings>,
    environment: &Environment,
) -> Result<Place, Fault> {
    let id = settings.and_then(|settings| settings.ledger.id.clone());
    let place = |at: At, named| Place { at, named, id };
    if let Some(name) = named.filter(|name| !name.is_empty()).or_else(|| environment.get("LOOPGATE_LEDGER")) {
        return Ok(place(at(name, None, Exit::Usage, environment)?, true));
    }
    if let Some(settings) = settings
        && let Some(name) = &settings.ledger.at
    {
        return Ok(place(at(name, Some(&settings.ledger.home), Exit::Invalid, environment)?, true));
    }
    Ok(place(At::File(PathBuf::from(DEFAULT)), false))
}

/// What `name` means, from the folder `home` where it is not this one; `wrong` is the exit code for what can be none.
fn at(name: &str, home: Option<&Path>, wrong: Exit, environment: &Environment) -> Result<At, Fault> {
    let home = home.unwrap_or(Path::new(""));
    if Address::is_one(name) && !has_credential(name) {
        return Ok(At::Server(Box::new(Server::read(name, home, wrong, environment)?)));
    }
    Ok(At::File(home.join(file(name, wrong)?)))
}

/// The file that `name` means; `wrong` is the exit code for what can be none.
fn file(name: &str, wrong: Exit) -> Result<PathBuf, Fault> {
    if let Some((scheme, _)) = name.split_once("://") {
        // The URL itself is not repeated: whoever reads the log would have the password.
        if has_credential(name) {
            return Err(Fault::new(wrong, "the ledger's URL has a password in it").hint(
                "whoever lists processes or reads logs sees it: change that password, and give the new one as PGPASSWORD \
                 or in the file that PGPASSFILE names",
            ));
        }
        let scheme = excerpt(scheme, 20);
        return Err(Fault::new(
            Exit::Invalid,
            format!("a ledger at `{scheme}://` is not supported by this version"),
        )
        .hint("name a file, `sqlite:PATH`, or a database, `postgres://HOST/DATABASE`"));
    }
    let path = name.strip_prefix("sqlite:").unwrap_or(name);
    if let Some(scheme) = scheme(name).filter(|scheme| *scheme != "sqlite") {
        return Err(Fault::new(
            Exit::Invalid,
            format!("a ledger at `{}:` is not supported by this version", excerpt(scheme, 20)),
        )
        .hint("name a file: `sqlite:PATH`, or `./PATH` where its name has a colon"));
    }
    if path.is_empty() {
        return Err(Fault::new(wrong, "the ledger has no path").hint("name a file: `sqlite:PATH`"));
    }
    Ok(PathBuf::from(path))
}

/// What stands before the first colon, where it is a URL's scheme and not a drive's letter.
fn scheme(name: &str) -> Option<&str> {
    let (scheme, _) = name.split_once(':')?;
    let known = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    (scheme.len() > 1 && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(known))
        .then_some(scheme)
}

impl Place {
    /// Opens the ledger to write to it. Outside of CI one that nobody has seen yet is made; in CI it must be
    /// named and there, because one that starts empty has forgotten what was applied.
    ///
    /// Errors exit 40 where it is not the one that was meant, and 41 where it is broken.
    pub fn open_for_writing(
        &self,
        environment: &Environment,
        expect_head: Option<&Digest>,
    ) -> Result<Ledger, Fault> {
        self.check(environment)?;
        // One with a known ID or event cannot be a new one.
        let may_be_new = !environment.is_ci() && self.id.is_none() && expect_head.is_none();
        let opened = match &self.at {
            At::File(path) if may_be_new => Ledger::open_or_create(path),
            _ => self.opened(),
        };
        let ledger = self.identified(opened?)?;
        expect(&ledger, expect_head)?;
        Ok(ledger)
    }

    /// Opens the ledger to read it; none where nothing is there.
    pub fn open_existing(&self) -> Result<Option<Ledger>, Fault> {
        match self.opened() {
            Err(LedgerError::Missing { .. }) => Ok(None),
            opened => self.identified(opened?).map(Some),
        }
    }

    /// Opens the ledger to read it, which must be there.
    pub fn open_there(&self) -> Result<Ledger, Fault> {
        self.identified(self.opened()?)
    }

    /// Makes a new one; in a database, brings one of an older version up to date.
    pub fn create(&self, environment: &Environment) -> Result<(Ledger, Option<Founded>), Fault> {
        self.check(environment)?;
        match &self.at {
            At::File(path) => Ok((Ledger::create(path)?, None)),
            At::Server(server) => {
                let (ledger, founded) = Ledger::found(&server.address, &server.access)?;
                Ok((ledger, Some(founded)))
            }
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.at {
            At::File(path) => Some(path),
            At::Server(_) => None,
        }
    }

    /// Where it is, for people.
    pub fn shown(&self) -> String {
        match &self.at {
            At::File(path) => path.display().to_string(),
            At::Server(server) => server.address.to_string(),
        }
    }

    fn opened(&self) -> Result<Ledger, LedgerError> {
        match &self.at {
            At::File(path) => Ledger::open(path),
            At::Server(server) => Ledger::connect(&server.address, &server.access),
        }
    }

    /// What must hold before anything is written there.
    fn check(&self, environment: &Environment) -> Result<(), Fault> {
        if environment.is_ci() && !self.named {
            return Err(Fault::new(
                Exit::Ledger,
                "in CI the ledger must be named, because a runner is thrown away",
            )
            .hint("name one that the pipeline keeps: `--ledger sqlite:PATH` or LOOPGATE_LEDGER"));
        }
        if self.file().is_some_and(is_tracked) {
            return Err(Fault::new(Exit::Ledger, format!("git tracks the ledger `{}`", self.shown()))
                .hint("a checkout would turn it back: keep it elsewhere, or `git rm --cached` it"));
        }
        Ok(())
    }

    fn identified(&self, ledger: Ledger) -> Result<Ledger, Fault> {
        match &self.id {
            Some(id) if ledger.id() != id => Err(Fault::new(
                Exit::Ledger,
                format!(
                    "the ledger `{}` is `{}`, and the settings ask for `{}`",
                    visible(&self.shown()),
                    ledger.id(),
                    excerpt(id, 60)
                ),
            )),
            _ => Ok(ledger),
        }
    }
}

/// Checks that the ledger has an event that was kept elsewhere.
pub(super) fn expect(ledger: &Ledger, head: Option<&Digest>) -> Result<(), Fault> {
    match head {
        Some(head) if !ledger.contains(head)? => Err(Fault::new(
            Exit::Ledger,
            format!(
                "the ledger `{}` has no event {head}: it is another one, or was turned back",
                visible(&ledger.place())
            ),
        )),
        _ => Ok(()),
    }
}

/// Whether git tracks the file, or one in the folder, as far as git is there and says so.
pub(super) fn is_tracked(path: &Path) -> bool {
    let (Some(name), folder) = (path.file_name(), path.parent()) else { return false };
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Command::new("git")
        // The repository may be a stranger's, and its settings could start a program.
        .args(["-c", "core.fsmonitor=false", "-c", "safe.directory=*", "--literal-pathspecs", "-C"])
        .arg(folder)
        .args(["ls-files", "--error-unmatch", "--"])
        .arg(name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        let exit = match &error {
            LedgerError::Broken(_) => Exit::Broken,
            LedgerError::Passed => Exit::Busy,
            _ => Exit::Ledger,
        };
        let hint = match &error {
            LedgerError::Missing { .. } => Some("`loopgate ledger init` makes one"),
            LedgerError::Older { .. } => {
                Some("`loopgate ledger init`, as the owner of its tables, brings it up to date")
            }
            LedgerError::Broken(_) => Some("nothing was written to it; go on with a copy that is whole"),
            LedgerError::Full(_) => Some("free space, then run the same command again"),
            _ => None,
        };
        let fault = Self { exit, error: error.into(), hint: None, problems: None };
        match hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

impl From<LockError> for Fault {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held(_) => Self { exit: Exit::Busy, error: error.into(), hint: None, problems: None }
                .hint("`--wait` waits for it"),
            LockError::Unreachable(cause) => {
                let exit = match **cause {
                    LedgerError::Broken(_) => Exit::Broken,
                    LedgerError::Passed => Exit::Busy,
                    _ => Exit::Ledger,
                };
                Self { exit, error: error.into(), hint: None, problems: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: PathBuf) -> Place {
        Place { at: At::File(path), named: true, id: None }
    }

    fn ci() -> Environment {
        let mut environment = Environment::default();
        environment.variables.insert("CI".into(), "true".into());
        environment
    }

    fn found(named: Option<&str>, settings: Option<&Settings>) -> Result<Place, Fault> {
        find(named, settings, &Environment::default())
    }

    #[test]
    fn the_command_lines_ledger_is_taken_before_the_settings_and_theirs_before_the_default() {
        let mut settings: Settings =
            crate::catalog::read_yaml("ledger: { at: \"sqlite:l.db\", id: lgl-1 }").unwrap();
        settings.ledger.home = "trust".into();
        let id = Some("lgl-1".to_owned());
        let from = |path: &str, named, id| Place { at: At::File(path.into()), named, id };
        assert_eq!(found(Some("sqlite:a.db"), Some(&settings)).unwrap(), from("a.db", true, id.clone()));
        assert_eq!(found(Some("./a:b.db"), None).unwrap(), from("./a:b.db", true, None));
        assert_eq!(found(Some("a.db"), None).unwrap(), from("a.db", true, None));
        assert_eq!(found(None, Some(&settings)).unwrap(), from("trust/l.db", true, id));
        assert_eq!(found(Some(""), None).unwrap(), from(DEFAULT, false, None));
    }

    #[test]
    fn what_is_no_file_is_refused_and_no_password_is_repeated() {
        for (name, exit) in [
            ("mysql://h/d", Exit::Invalid),
            ("postgres://h/d?sslmode=disable", Exit::Usage),
            ("sqlite:///x.db", Exit::Invalid),
            ("postgres://user:s3cret@h/d", Exit::Usage),
            ("postgres://h/d?password=s3cret", Exit::Usage),
            ("sqlite:", Exit::Usage),
            ("sqlite3:x", Exit::Invalid),
            ("foo:bar", Exit::Invalid),
            ("postgres:user:s3cret@h", Exit::Invalid),
        ] {
            let fault = found(Some(name), None).unwrap_err();
            assert_eq!(fault.exit, exit, "{name}");
            assert!(!format!("{fault:?}").contains("s3cret"), "{name}");
        }
    }

    #[test]
    fn in_ci_a_ledger_is_named_and_never_made() {
        let folder = tempfile::tempdir().unwrap();
        let unnamed = Place { named: false, ..place(folder.path().join("a.db")) };
        for place in [&unnamed, &place(folder.path().join("a.db"))] {
            assert_eq!(place.open_for_writing(&ci(), None).unwrap_err().exit, Exit::Ledger);
            assert!(!place.file().unwrap().exists());
        }
        assert_eq!(unnamed.create(&ci()).unwrap_err().exit, Exit::Ledger);
        let (made, _) = place(folder.path().join("a.db")).create(&ci()).unwrap();
        let opened = place(folder.path().join("a.db")).open_for_writing(&ci(), None).unwrap();
        assert_eq!(made.id(), opened.id());
    }

    #[test]
    fn outside_of_ci_a_ledger_is_made_unless_it_must_be_a_known_one() {
        let folder = tempfile::tempdir().unwrap();
        let plain = Environment::default();
        let path = folder.path().join("a.db");
        let known = Place { id: Some("lgl-1".into()), ..place(path.clone()) };
        assert_eq!(known.open_for_writing(&plain, None).unwrap_err().exit, Exit::Ledger);
        let head = Digest::of_bytes(b"head");
        assert_eq!(place(path.clone()).open_for_writing(&plain, Some(&head)).unwrap_err().exit, Exit::Ledger);
        assert!(!path.exists() && place(path.clone()).open_existing().unwrap().is_none());
        assert_eq!(place(path.clone()).open_there().unwrap_err().exit, Exit::Ledger);
        place(path.clone()).open_for_writing(&plain, None).unwrap();
        assert!(place(path).open_existing().unwrap().is_some());
    }

    #[test]
    fn another_ledger_than_the_settings_and_one_that_was_turned_back_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let id = Ledger::create(&path).unwrap().id().to_owned();
        let plain = Environment::default();
        let with = |id: &str| Place { id: Some(id.to_owned()), ..place(path.clone()) };
        with(&id).open_for_writing(&plain, None).unwrap();
        let fault = with("lgl-2").open_for_writing(&plain, None).unwrap_err();
        assert!(fault.exit == Exit::Ledger && fault.error.to_string().contains(&id));
        assert_eq!(with("lgl-2").open_existing().unwrap_err().exit, Exit::Ledger);
        let head = Digest::of_bytes(b"head");
        assert_eq!(with(&id).open_for_writing(&plain, Some(&head)).unwrap_err().exit, Exit::Ledger);
    }

    #[test]
    fn a_ledger_that_git_tracks_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            Command::new("git")
                .arg("-C")
                .arg(folder.path())
                .args(arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        if !git(&["init", "-q"]) {
            return;
        }
        let path = folder.path().join("a.db");
        Ledger::create(&path).unwrap();
        let plain = Environment::default();
        place(path.clone()).open_for_writing(&plain, None).unwrap();
        assert!(git(&["add", "-f", "a.db"]));
        let fault = place(path).open_for_writing(&plain, None).unwrap_err();
        assert!(fault.exit == Exit::Ledger && fault.error.to_string().starts_with("git tracks"));
    }

    #[test]
    fn a_broken_ledger_is_told_from_one_that_cannot_be_reached() {
        let exit = |error: LedgerError| Fault::from(error).exit;
        assert_eq!(exit(crate::ledger::Damage::NoId.into()), Exit::Broken);
        assert_eq!(exit(LedgerError::Busy), Exit::Ledger);
        assert_eq!(exit(LedgerError::Passed), Exit::Busy);
        assert_eq!(Fault::from(LockError::Held(None)).exit, Exit::Busy);
        let unreachable = |error| LockError::Unreachable(Box::new(error));
        assert_eq!(Fault::from(unreachable(LedgerError::Busy)).exit, Exit::Ledger);
    }
}
