//! The lock of those who write: an operating-system lock on a file beside the ledger, gone with the process.
//!
//! Never on the ledger's own file: SQLite's locks on it belong to the process, and closing any other
//! descriptor of it would drop them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file::link;
use crate::core::file::read_bounded;
use crate::ledger::claim::{Holder, Lock, LockError, Wait};
use crate::ledger::error::LedgerError;

/// For how long a lock that is taken is tried again where nobody waits: who only looks holds it that long
/// at the most.
const GLANCE: Duration = Duration::from_millis(100);

/// What a holder's file has at the most.
const MOST: usize = 4096;

/// A lock on a file, which is held until it is dropped.
struct FileLock {
    file: File,
}

/// Takes the lock of those who write to the ledger at that path.
pub(super) fn take(ledger: &Path, holder: &Holder, wait: Wait) -> Result<Lock, LockError> {
    let unreachable = |error| LockError::Unreachable(Box::new(LedgerError::unreachable(error)));
    let path = beside(ledger);
    let file = open(&path).map_err(unreachable)?;
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
            Err(TryLockError::Error(error)) => return Err(unreachable(error)),
        }
    }
    let lock = FileLock { file };
    lock.tell(holder);
    Ok(Lock::new(lock))
}

/// Who holds the lock now, as far as they say; none where it is free.
pub(super) fn holder(ledger: &Path) -> Option<Holder> {
    let path = beside(ledger);
    refuse_link(&path).ok()?;
    let file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => told(&path),
        // What is written there is of one who is gone.
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

impl FileLock {
    /// Best effort: the lock holds whether or not anybody can read whose it is.
    fn tell(&self, holder: &Holder) {
        let text = serde_json::to_vec(holder).unwrap_or_default();
        let _ = self.file.set_len(0).and_then(|()| (&self.file).write_all(&text));
    }
}

impl Drop for FileLock {
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
    use jiff::Timestamp;

    use super::*;
    use crate::core::Digest;
    use crate::ledger::sample::document;
    use crate::ledger::{Claim, Ledger};

    fn new() -> (tempfile::TempDir, PathBuf, Ledger) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let ledger = Ledger::create(&path).unwrap();
        (folder, path, ledger)
    }

    fn taken(ledger: &Ledger, wait: Wait) -> Result<Lock, LockError> {
        ledger.lock(&me(), &all(), wait)
    }

    fn all() -> Claim {
        Claim::of(&document())
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
        let (folder, path, ledger) = new();
        let other = Ledger::open(&path).unwrap();
        assert_eq!(other.holder(&all()), None);
        assert!(!beside(&path).exists());
        let lock = taken(&ledger, Wait::No).unwrap();
        assert_eq!(other.holder(&all()), Some(me()));
        for wait in [Wait::No, Wait::AtMost(Duration::ZERO)] {
            let error = taken(&other, wait).unwrap_err();
            assert!(matches!(&error, LockError::Held(Some(holder)) if *holder == me()), "{error:?}");
            assert_eq!(
                error.to_string(),
                "another run is at work on this ledger: run run \\u{1b}[31m, process 7 on runner-1, \
                 at work on sha256:d9d17e5d77a7 since 1970-01-01T00:00:00Z"
                    .replace("sha256:d9d17e5d77a7", &me().effect.short())
            );
        }
        drop(lock);
        assert_eq!(other.holder(&all()), None);
        assert!(taken(&other, Wait::No).is_ok());
        assert_eq!(fs_err::read(folder.path().join("ledger.db.lock")).unwrap(), b"");
    }

    #[test]
    fn who_waits_gets_it_when_it_is_free() {
        let (_folder, path, ledger) = new();
        let lock = taken(&ledger, Wait::No).unwrap();
        let path = path.clone();
        let waiting = std::thread::spawn(move || {
            taken(&Ledger::open(&path).unwrap(), Wait::AtMost(Duration::from_secs(60))).map(drop)
        });
        std::thread::sleep(GLANCE / 2);
        drop(lock);
        assert!(waiting.join().unwrap().is_ok());
    }

    #[test]
    fn what_a_dead_holder_left_is_no_holder_and_is_written_over() {
        let (_folder, path, ledger) = new();
        let path = beside(&path);
        let long = serde_json::to_vec(&Holder { run: "r".repeat(500), ..me() }).unwrap();
        crate::core::file::replace(&path, &long).unwrap();
        assert_eq!(ledger.holder(&all()), None);
        let _lock = taken(&ledger, Wait::No).unwrap();
        assert_eq!(ledger.holder(&all()), Some(me()));
    }

    #[test]
    fn a_holder_that_says_nothing_readable_holds_it_all_the_same() {
        let (_folder, path, ledger) = new();
        let _lock = taken(&ledger, Wait::No).unwrap();
        OpenOptions::new().append(true).open(beside(&path)).unwrap().write_all(b"more").unwrap();
        assert_eq!(ledger.holder(&all()), None);
        assert!(matches!(taken(&ledger, Wait::No), Err(LockError::Held(None))));
    }

    #[cfg(unix)]
    #[test]
    fn the_lock_is_its_owners_alone_and_no_link_is_followed() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, path, ledger) = new();
        let path = beside(&path);
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(matches!(taken(&ledger, Wait::No), Err(LockError::Unreachable(_))));
        assert!(!target.exists());
        fs_err::remove_file(&path).unwrap();
        let _lock = taken(&ledger, Wait::No).unwrap();
        assert_eq!(fs_err::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
