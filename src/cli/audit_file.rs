//! The file that receives an audit report or a bundle, and takes the place of nothing else.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::fault::Fault;
use super::ledger_place::Place;
use crate::audit::{self, FaultKind, MAX_BUNDLE_BYTES, MAX_BYTES, VerifyOptions};
use crate::core::file::{read_bounded, replace};
use crate::core::json::{canonical, parse_strict};
use crate::core::text::visible;

/// What the file is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Report,
    Bundle,
}

/// A file that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuditFile {
    pub path: PathBuf,
    /// A device or pipe, which is written to and never replaced.
    is_special: bool,
}

impl AuditFile {
    /// Checks that nothing is lost by writing there. Nothing is opened that is not a regular file.
    ///
    /// Errors exit 2 where something else stands there, or is the artifact's or the ledger's place, and 3 where
    /// the folder takes no file.
    pub fn check(path: &Path, holds: Holds, artifact: &Path, ledger: &Place) -> Result<Self, Fault> {
        let file = |is_special| Self { path: path.to_owned(), is_special };
        let found = fs_err::metadata(path).ok();
        if names_a_stream(path) || found.as_ref().is_some_and(|found| !found.is_file() && !found.is_dir()) {
            return Ok(file(true));
        }
        let shown = path.display().to_string();
        let shown = visible(&shown);
        let whose = if is_same(path, artifact) {
            Some("the artifact")
        } else if ledger.file().is_some_and(|file| of_ledger(file).iter().any(|other| is_same(path, other))) {
            Some("the ledger's")
        } else {
            None
        };
        let refused = |why: String| {
            Fault::new(Exit::Usage, why).hint("nothing was done; name a file that is not there yet")
        };
        if let Some(whose) = whose {
            return Err(refused(format!("`{shown}` is {whose}, and is not replaced")));
        }
        let is_there = fs_err::symlink_metadata(path).is_ok();
        if is_there && !is_ours(path, holds) {
            let what = match holds {
                Holds::Report => "an audit report",
                Holds::Bundle => "an audit bundle",
            };
            return Err(refused(format!("`{shown}` is there and is not {what}, so it is not replaced")));
        }
        probe(path).map_err(|error| {
            Fault::new(Exit::Invalid, format!("`{shown}` cannot be written: {error}"))
                .hint("nothing was done; name a file in a folder that is there and can be written to")
        })?;
        Ok(file(false))
    }

    /// Replaces the file, or writes to the device.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        if self.is_special {
            // What standard output goes to may have something in it already.
            let mut stream = OpenOptions::new().append(true).open(&self.path)?;
            return stream.write_all(bytes).and_then(|()| stream.flush());
        }
        replace(&self.path, bytes)
    }
}

/// Whether it is a name of a stream that is open already, wherever that goes.
fn names_a_stream(path: &Path) -> bool {
    ["/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name))
        || ["/dev/fd", "/proc/self/fd"].iter().any(|folder| path.parent() == Some(Path::new(folder)))
}

/// Whether what stands there was written by this program for the same purpose, or is empty.
fn is_ours(path: &Path, holds: Holds) -> bool {
    if !fs_err::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let most = match holds {
        Holds::Report => MAX_BYTES,
        Holds::Bundle => MAX_BUNDLE_BYTES,
    };
    let Ok(bytes) = read_bounded(path, most) else { return false };
    if bytes.is_empty() {
        return true;
    }
    match holds {
        Holds::Report => parse_strict(&bytes).is_ok_and(|value| {
            value.get("format").and_then(serde_json::Value::as_str) == Some(audit::v1::FORMAT)
                && canonical(&value).is_ok_and(|text| text.as_bytes() == bytes)
        }),
        Holds::Bundle => {
            !bytes.starts_with(b"{")
                && match audit::verify(&bytes, &VerifyOptions::default()) {
                    Ok(_) => true,
                    Err(error) => error.kind() != FaultKind::Shape,
                }
        }
    }
}

/// The ledger's file and those that SQLite and the lock put beside it.
pub(super) fn of_ledger(ledger: &Path) -> Vec<PathBuf> {
    let beside = |end: &str| {
        let mut path = ledger.as_os_str().to_owned();
        path.push(end);
        PathBuf::from(path)
    };
    ["", "-wal", "-shm", "-journal", ".lock"].map(beside).to_vec()
}

/// Whether both name one place, whatever links lead there.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// The path without links and detours; the last part need not be there.
fn whole(path: &Path) -> Option<PathBuf> {
    if let Ok(found) = fs_err::canonicalize(path) {
        return Some(found);
    }
    Some(fs_err::canonicalize(folder(path)).ok()?.join(path.file_name()?))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a file in the folder, which is gone again at once.
fn probe(path: &Path) -> io::Result<()> {
    if path.file_name().is_none() {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    tempfile::Builder::new().prefix(".loopgate-").tempfile_in(folder(path)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::ledger_place::At;
    use super::*;
    use crate::audit::{Report, sample};

    #[test]
    fn only_a_report_gives_way_to_a_report_and_only_a_bundle_to_a_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let artifact = folder.path().join("artifact.json");
        let ledger = Place { at: At::File(folder.path().join("l.db")), named: true, id: None };
        let check = |name: &str, holds| {
            AuditFile::check(&folder.path().join(name), holds, &artifact, &ledger).map_err(|fault| fault.exit)
        };
        let events = sample::success();
        let put = |name: &str, bytes: &[u8]| replace(&folder.path().join(name), bytes).unwrap();
        put("report", Report::build(&events).unwrap().bytes());
        put("bundle", &audit::bundle(&events).unwrap());
        put("other", b"{\"format\":\"loopgate.artifact/1\"}");
        for name in ["l.db", "l.db-wal", "l.db-shm", "l.db.lock", "artifact.json", "other", ""] {
            for holds in [Holds::Report, Holds::Bundle] {
                assert_eq!(check(name, holds), Err(Exit::Usage), "{name}");
            }
        }
        assert!(check("report", Holds::Report).is_ok() && check("bundle", Holds::Bundle).is_ok());
        assert_eq!(check("bundle", Holds::Report), Err(Exit::Usage));
        assert_eq!(check("report", Holds::Bundle), Err(Exit::Usage));
        assert_eq!(check("none/new", Holds::Report), Err(Exit::Invalid));
        let new = check("new", Holds::Report).unwrap();
        assert!(!new.path.exists());
        new.write(b"x").unwrap();
        assert_eq!(fs_err::read(new.path).unwrap(), b"x");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Place { at: At::File(folder.path().join("l.db")), named: true, id: None };
        let check = |path: &Path| AuditFile::check(path, Holds::Report, Path::new("a.json"), &ledger);
        let null = check(Path::new("/dev/null")).unwrap();
        null.write(b"x").unwrap();
        assert!(null.is_special);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
        assert_eq!(check(&link).unwrap_err().exit, Exit::Usage);
    }
}
