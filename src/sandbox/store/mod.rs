//! The SQLite store: opening, migrating, and the records that more than one tool needs.

mod records;
mod seed;

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

pub(super) use records::{Certification, Graph, certification, certification_of, graph, put_edge, put_node};
pub(super) use seed::certification_id;

use super::SandboxError;

/// "LGSB": marks a database as the sandbox's (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x4c47_5342;

/// What brings a database of version N to version N + 1; only ever added to.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];

/// How long one process waits for another's write.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the sandbox keeps its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file, made where it does not exist and readable by its owner alone; so is its folder where the
    /// path is relative, as `.loopgate` is. A symbolic link is refused. Several processes may share it.
    File(PathBuf),
    /// Memory, gone with the last clone of the sandbox.
    Memory,
}

/// Opens the database, brings it to the newest version, and fills a new one with the seed.
pub(super) fn open(location: &Location) -> Result<Connection, SandboxError> {
    let (mut connection, path) = match location {
        Location::Memory => (Connection::open_in_memory()?, Path::new(":memory:")),
        Location::File(path) => {
            create(path).map_err(|source| SandboxError::Open { path: path.clone(), source })?;
            (connect(path)?, path.as_path())
        }
    };
    connection.busy_timeout(PATIENCE)?;
    // Asked before anything is set: the file may be somebody else's.
    check(&connection, path)?;
    if *location != Location::Memory {
        use_write_ahead_log(&connection)?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Begins a write; other processes' writes wait from here on.
pub(super) fn begin_write(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Opens a file that [`create`] has made. The path is made absolute, because SQLite gives a meaning to names
/// that begin with `file:` or are `:memory:`, whatever the flags say.
fn connect(path: &Path) -> Result<Connection, SandboxError> {
    let whole =
        std::path::absolute(path).map_err(|source| SandboxError::Open { path: path.to_owned(), source })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(whole, flags)?)
}

fn create(path: &Path) -> io::Result<()> {
    if fs_err::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a symbolic link, and none is followed",
        ));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        // A folder that is named from the root is somebody's decision, and a slip of the pen makes none.
        Some(folder) if folder.is_absolute() && !folder.is_dir() => {
            return Err(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist"));
        }
        Some(folder) if folder.is_relative() => fs_err::create_dir_all(folder)?,
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The version of the database, 0 for a new one; refuses what is not ours or newer than we are.
fn check(connection: &Connection, path: &Path) -> Result<usize, SandboxError> {
    let not_ours = || SandboxError::NotOurs { path: path.to_owned() };
    let read = |pragma: &str| {
        connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(|error| {
            match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => not_ours(),
                _ => SandboxError::Store(error),
            }
        })
    };
    let application = read("PRAGMA application_id")?;
    let version = read("PRAGMA user_version")?;
    let objects = read("SELECT count(*) FROM sqlite_schema")?;
    match (application, version, objects) {
        (0, 0, 0) => Ok(0),
        (APPLICATION_ID, version, _) => match usize::try_from(version) {
            Ok(known) if known <= MIGRATIONS.len() => Ok(known),
            _ => {
                let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
                Err(SandboxError::Newer { path: path.to_owned(), found: version, known })
            }
        },
        _ => Err(not_ours()),
    }
}

/// Two processes that switch a new file at once do not wait for each other, so the switch is tried again.
fn use_write_ahead_log(connection: &Connection) -> Result<(), SandboxError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && waited < PATIENCE => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            other => return Ok(other?),
        }
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), SandboxError> {
    if check(connection, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = begin_write(connection)?;
    // Another process may have done it while we waited.
    let version = check(&transaction, path)?;
    for migration in MIGRATIONS.iter().skip(version) {
        transaction.execute_batch(migration)?;
    }
    if version == 0 {
        seed::plant(&transaction)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    Ok(transaction.commit()?)
}

/// Every row of every table, for tests that prove that nothing changed.
#[cfg(test)]
pub(super) fn dump(connection: &Connection) -> Vec<String> {
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut rows = Vec::new();
    for name in names {
        let mut statement = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<rusqlite::types::Value> =
                (0..columns).map(|index| row.get(index).unwrap()).collect();
            rows.push(format!("{name} {values:?}"));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_seeded_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox.db");
        let location = Location::File(path.clone());
        let first = dump(&open(&location).unwrap());
        assert!(first.len() > 100);
        assert_eq!(dump(&open(&location).unwrap()), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs_err::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_folder_named_from_the_root_is_never_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/sandbox.db");
        let error = open(&Location::File(path)).unwrap_err();
        assert!(matches!(error, SandboxError::Open { .. }), "{error:?}");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// A folder below the working folder, by a relative path; gone when it is dropped.
    fn relative_folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::Builder::new().prefix("sandbox-test-").tempdir_in("target").unwrap();
        let path = Path::new("target").join(folder.path().file_name().unwrap());
        (folder, path)
    }

    #[test]
    fn a_relative_folder_is_made() {
        let (_folder, path) = relative_folder();
        let path = path.join(".loopgate/sandbox.db");
        open(&Location::File(path.clone())).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn no_name_of_a_file_means_anything_to_sqlite() {
        for name in ["file:other.db?mode=memory", ":memory:", "sandbox.db?immutable=1"] {
            let (_folder, folder) = relative_folder();
            let path = folder.join(name);
            open(&Location::File(path.clone())).unwrap();
            assert!(fs_err::metadata(&path).unwrap().len() > 0, "{name}");
            assert!(!folder.join("other.db").exists());
        }
        let whole = |path: &str| connect(Path::new(path)).unwrap_err().to_string();
        assert_eq!(whole("file::memory:"), "the sandbox database failed");
        assert_eq!(whole(":memory:"), "the sandbox database failed");
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_refused_wherever_it_leads() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real.db");
        open(&Location::File(real.clone())).unwrap();
        for (target, name) in [(real, "one.db"), (folder.path().join("nowhere.db"), "two.db")] {
            let link = folder.path().join(name);
            std::os::unix::fs::symlink(&target, &link).unwrap();
            let existed = target.exists();
            let error = open(&Location::File(link)).unwrap_err();
            assert!(matches!(error, SandboxError::Open { .. }), "{error:?}");
            assert_eq!(target.exists(), existed);
        }
    }

    #[test]
    fn many_that_open_a_new_file_at_once_seed_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::File(folder.path().join("sandbox.db"));
        let dumps: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| dump(&open(&location).unwrap()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let alone = dump(&open(&Location::Memory).unwrap());
        assert!(dumps.iter().all(|dump| *dump == alone));
    }

    #[test]
    fn what_is_not_ours_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("notes.txt");
        crate::core::file::replace(&text, b"not a database, but text that is long enough to be one").unwrap();
        let other = folder.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE stories (id)").unwrap();
        for path in [text, other] {
            let before = fs_err::read(&path).unwrap();
            let error = open(&Location::File(path.clone())).unwrap_err();
            assert!(matches!(error, SandboxError::NotOurs { .. }), "{error:?}");
            assert_eq!(fs_err::read(&path).unwrap(), before);
        }
    }

    #[test]
    fn a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::File(folder.path().join("sandbox.db"));
        open(&location).unwrap().pragma_update(None, "user_version", 2).unwrap();
        assert!(matches!(open(&location).unwrap_err(), SandboxError::Newer { found: 2, known: 1, .. }));
    }
}
