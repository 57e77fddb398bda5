//! The file of a ledger: made whole or not at all, opened without following a link.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::migrate;
use crate::core::text::visible;
use crate::ledger::error::{LedgerError, shown};

/// How long one process waits for another's write.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a new ledger at `path`, readable by its owner alone; so is its folder where the path is relative
/// and the folder is not there yet.
///
/// It is made under another name and then given its own, so nobody ever sees half of one.
pub(super) fn create(path: &Path) -> Result<(), LedgerError> {
    match fs_err::symlink_metadata(path) {
        Ok(_) => return Err(LedgerError::Exists { at: shown(path) }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(LedgerError::unreachable(error)),
        Err(_) => {}
    }
    let folder = folder(path).map_err(LedgerError::unreachable)?;
    let file =
        tempfile::Builder::new().prefix(".ledger-").tempfile_in(&folder).map_err(LedgerError::unreachable)?;
    let mut connection = connect(file.path())?;
    migrate::create(&mut connection)?;
    // Only what is closed has no second file.
    connection.close().map_err(|(_, error)| error)?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => LedgerError::Exists { at: shown(path) },
        _ => LedgerError::unreachable(error.error),
    })?;
    #[cfg(unix)]
    fs_err::File::open(&folder).and_then(|folder| folder.sync_all()).map_err(LedgerError::unreachable)?;
    Ok(())
}

/// Opens the ledger at `path` and brings it to the version of this program.
pub(super) fn open(path: &Path) -> Result<Connection, LedgerError> {
    match fs_err::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => return Err(LedgerError::unreachable(link(path))),
        Ok(found) if !found.is_file() => return Err(LedgerError::NotALedger { at: shown(path) }),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(LedgerError::Missing { at: shown(path) });
        }
        Err(error) => return Err(LedgerError::unreachable(error)),
    }
    let mut connection = dial(path)?;
    // Asked before anything is set: the file may be somebody else's.
    migrate::check(&connection, path)?;
    settle(&connection)?;
    migrate::upgrade(&mut connection, path)?;
    Ok(connection)
}

/// What tells a file from another under the same name.
pub(super) type Identity = (u64, u64);

/// Where SQLite keeps the write-ahead log.
pub(super) fn log(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Which file stands at `path`.
pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    let found = fs_err::symlink_metadata(path)?;
    #[cfg(unix)]
    return Ok((std::os::unix::fs::MetadataExt::dev(&found), std::os::unix::fs::MetadataExt::ino(&found)));
    #[cfg(not(unix))]
    return Ok(found.is_file()).map(|_| Identity::default());
}

/// What is said of a symbolic link where none is followed.
pub(in crate::ledger) fn link(path: &Path) -> io::Error {
    let shown = path.display().to_string();
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("`{}` is a symbolic link, and none is followed", visible(&shown)),
    )
}

/// The folder of a file that is to be made.
fn folder(path: &Path) -> io::Result<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => return Ok(PathBuf::from(".")),
    };
    if folder.is_dir() {
        return Ok(folder.to_owned());
    }
    // A folder that is named from the root is somebody's decision, and a slip of the pen makes none.
    if folder.is_absolute() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist"));
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    Ok(folder.to_owned())
}

fn connect(path: &Path) -> Result<Connection, LedgerError> {
    let connection = dial(path)?;
    settle(&connection)?;
    Ok(connection)
}

/// Opens a file that is there. The path is made absolute, because SQLite gives a meaning to names that
/// begin with `file:` or are `:memory:`, whatever the flags say.
fn dial(path: &Path) -> Result<Connection, LedgerError> {
    let whole = std::path::absolute(path).map_err(LedgerError::unreachable)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(whole, flags)?;
    connection.busy_timeout(PATIENCE)?;
    // The file may come from strangers: its schema runs nothing but what SQLite itself has.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// Makes what is committed durable at once, with one sync.
fn settle(connection: &Connection) -> Result<(), LedgerError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(LedgerError::unreachable("its file system has no room for a write-ahead log"));
    }
    connection.pragma_update(None, "synchronous", "full")?;
    // One system calls it durable before it is on the disk.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    Ok(())
}
