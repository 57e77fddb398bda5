//! The lock of those who write: an operating-system lock on a file beside the ledger, gone with the process.
//!
//! Never on the ledger's own file: SQLite's locks on it belong to the process, and closing any other
//! descriptor of it would drop them.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::sqlite::{Ledger, link};
use crate::core::Digest;
use crate::core::file::read_bounded;
use crate::core::text::excerpt;

/// For how long a lock that is taken is tried again where nobody waits: who only looks holds it that long
/// at the most.
const GLANCE: Duration = Duration::from_millis(100);

/// What a holder's file has at the most.
const MOST: usize = 4096;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Who holds a lock, in their own words: for people, and for nothing that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// Its process.
    pub pid: u32,
    /// The effect that it is at work on.
    pub effect: Digest,
    /// Since when.
    pub since: Timestamp,
    /// The machine, where it has a name.
    pub host: Option<String>,
}

/// How long a lock that another holds is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// No longer than this.
    AtMost(Duration),
}

/// Why a lock was not taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another run is at work on this ledger{}", .0.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default())]
    Held(Option<Holder>),
    /// Its file cannot be opened or locked.
    #[error("the ledger's lock cannot be reached")]
    Unreachable(#[source] io::Error),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, pid, effect, since, host } = self;
        write!(f, "run {}, process {pid}", excerpt(run, 40))?;
        if let Some(host) = host {
            write!(f, " on {}", excerpt(host, 60))?;
        }
        write!(f, ", at work on {} since {since}", effect.short())
    }
}

impl Ledger {
    /// Takes the lock of those who write, waiting for it as told, and says in its file who holds it. It is
    /// gone with the process, however that ends. Blocks while it waits.
    ///
    /// # Errors
    /// Another process holds it for longer than `wait`; its file cannot be opened.
    pub fn lock(&self, holder: &Holder, wait: Wait) -> Result<Lock, LockError> {
        let path = beside(self.path());
        let file = open(&path).map_err(LockError::Unreachable)?;
        let (patience, pause) = match wait {
            Wait::No => (GLANCE, GLANCE / 5),
            Wait::AtMost(most) => (most.max(GLANCE), GLANCE),
        };
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begun.elapsed() < patience => std::thread::sleep(pause),
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(told(&path))),
                Err(TryLockError::Error(error)) => return Err(LockError::Unreachable(error)),
            }
        }
        let lock = Lock { file };
        lock.tell(holder);
        Ok(lock)
    }

    /// Who holds the lock now, as far as they say; none where it is free.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        let path = beside(self.path());
        refuse_link(&path).ok()?;
        let file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => told(&path),
            // What is written there is of one who is gone.
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

impl Lock {
    /// Best effort: the lock holds whether or not anybody can read whose it is.
    fn tell(&self, holder: &Holder) {
        let text = serde_json::to_vec(holder).unwrap_or_default();
        let _ = self.file.set_len(0).and_then(|()| (&self.file).write_all(&text));
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        // Not left to the closing: a child that was just started may still have the file open.
        let _ = self.file.unlock();
    }
}

fn beside(ledger: &Path) -> PathBuf {
    let mut path = ledger.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn open(path: &Path) -> io::Result<File> {
    refuse_link(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn refuse_link(path: &Path) -> io::Result<()> {
    match fs_err::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(link(path)),
        _ => Ok(()),
    }
}

fn told(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&read_bounded(path, MOST).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> (tempfile::TempDir, Ledger) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(&folder.path().join("ledger.db")).unwrap();
        (folder, ledger)
    }

    fn me() -> Holder {
        Holder {
            run: "run \u{1b}[31m".into(),
            pid: 7,
            effect: Digest::of_bytes(b"effect"),
            since: Timestamp::UNIX_EPOCH,
            host: Some("runner-1".into()),
        }
    }

    #[test]
    fn one_holds_the_lock_and_others_are_told_who() {
        let (folder, ledger) = new();
        let other = Ledger::open(ledger.path()).unwrap();
        assert_eq!(other.holder(), None);
        assert!(!beside(ledger.path()).exists());
        let lock = ledger.lock(&me(), Wait::No).unwrap();
        assert_eq!(other.holder(), Some(me()));
        for wait in [Wait::No, Wait::AtMost(Duration::ZERO)] {
            let error = other.lock(&me(), wait).unwrap_err();
            assert!(matches!(&error, LockError::Held(Some(holder)) if *holder == me()), "{error:?}");
            assert_eq!(
                error.to_string(),
                "another run is at work on this ledger: run run \\u{1b}[31m, process 7 on runner-1, \
                 at work on sha256:d9d17e5d77a7 since 1970-01-01T00:00:00Z"
                    .replace("sha256:d9d17e5d77a7", &me().effect.short())
            );
        }
        drop(lock);
        assert_eq!(other.holder(), None);
        assert!(other.lock(&me(), Wait::No).is_ok());
        assert_eq!(fs_err::read(folder.path().join("ledger.db.lock")).unwrap(), b"");
    }

    #[test]
    fn who_waits_gets_it_when_it_is_free() {
        let (_folder, ledger) = new();
        let lock = ledger.lock(&me(), Wait::No).unwrap();
        let path = ledger.path().to_owned();
        let waiting = std::thread::spawn(move || {
            Ledger::open(&path).unwrap().lock(&me(), Wait::AtMost(Duration::from_secs(60))).map(drop)
        });
        std::thread::sleep(GLANCE / 2);
        drop(lock);
        assert!(waiting.join().unwrap().is_ok());
    }

    #[test]
    fn what_a_dead_holder_left_is_no_holder_and_is_written_over() {
        let (_folder, ledger) = new();
        let path = beside(ledger.path());
        let long = serde_json::to_vec(&Holder { run: "r".repeat(500), ..me() }).unwrap();
        crate::core::file::replace(&path, &long).unwrap();
        assert_eq!(ledger.holder(), None);
        let _lock = ledger.lock(&me(), Wait::No).unwrap();
        assert_eq!(ledger.holder(), Some(me()));
    }

    #[test]
    fn a_holder_that_says_nothing_readable_holds_it_all_the_same() {
        let (_folder, ledger) = new();
        let lock = ledger.lock(&me(), Wait::No).unwrap();
        (&lock.file).write_all(b"more").unwrap();
        assert_eq!(ledger.holder(), None);
        assert!(matches!(ledger.lock(&me(), Wait::No), Err(LockError::Held(None))));
    }

    #[cfg(unix)]
    #[test]
    fn the_lock_is_its_owners_alone_and_no_link_is_followed() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, ledger) = new();
        let path = beside(ledger.path());
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(matches!(ledger.lock(&me(), Wait::No), Err(LockError::Unreachable(_))));
        assert!(!target.exists());
        fs_err::remove_file(&path).unwrap();
        let _lock = ledger.lock(&me(), Wait::No).unwrap();
        assert_eq!(fs_err::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
