//! The SQLite store: opening, migrating, and the records that more than one tool needs.

mod records;

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

pub(super) use records::{
    Certification, Graph, certification, certification_id, certification_of, graph, has, next_id, put_edge,
    put_node,
};

use super::{SandboxError, data};

/// "LGSB": marks a database as the sandbox's (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x4c47_5342;

/// What brings a database of version N to version N + 1; only ever added to.
const MIGRATIONS: [&str; 3] =
    [include_str!("schema.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")];

/// What a new sandbox starts with: `seed.yaml` and `history.yaml`, as JSON.
pub(super) const SEED: [(&str, &str); 2] = [
    ("seed", include_str!(concat!(env!("OUT_DIR"), "/seed.json"))),
    ("history", include_str!(concat!(env!("OUT_DIR"), "/history.json"))),
];

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

/// Opens the database, brings it to the newest version, and plants the seed where it was older.
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
    // A database from before gets what the seed has learned since; what it holds stays as it is.
    data::plant_seed(&transaction)?;
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

    /// A database as version 1 left it, with a work package that somebody applied.
    fn of_version_1(path: &Path) -> Connection {
        create(path).unwrap();
        let old = connect(path).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch(
            "INSERT INTO tenants VALUES ('acme', 'Acme Commerce');
             INSERT INTO teams VALUES ('acme', 'payments', 'Payments');
             INSERT INTO users VALUES ('svc-release-pipeline', 'Release pipeline');
             INSERT INTO roles VALUES ('acme', 'svc-release-pipeline', 'release_manager');
             INSERT INTO releases VALUES ('acme', 'REL-BLOCKED', 'Payments 4.2', 'payments'),
               ('acme', 'REL-MINE', 'Mine', NULL);
             INSERT INTO certifications VALUES ('acme', 'CERT-REL-BLOCKED', 'REL-BLOCKED', 'blocked', 'payments', 's');
             INSERT INTO nodes (tenant_id, certification_id, id, type, title, status)
               VALUES ('acme', 'CERT-REL-BLOCKED', 'CTL-1', 'control', 'changed by hand', 'failed');
             INSERT INTO stories (number, tenant_id, release_id, certification_id, title, description, owner, status,
                 reason, approval_id, created_at)
               VALUES (1077, 'acme', 'REL-BLOCKED', 'CERT-REL-BLOCKED', 'Unblock', 'd', 'payments', 'open', 'r',
                 'APR-9', '2026-11-21T00:00:00Z');
             INSERT INTO tasks (number, tenant_id, story_id, title, owner, status, severity, reference, created_at)
               VALUES (2077, 'acme', 'STORY-1077', 'One', 'quality', 'open', 'high', 'CTL-1', '2026-11-21T00:00:00Z'),
                 (2078, 'acme', 'STORY-1077', 'Two', 'quality', 'open', NULL, NULL, '2026-11-21T00:00:00Z');
             INSERT INTO idempotency_keys VALUES ('acme', 'key-9', 'sha256:0', '{}', 7);
             INSERT INTO audit (tenant_id, user_id, tool, outcome, story_id, approval_id, idempotency_key, at)
               VALUES ('acme', 'svc-release-pipeline', 't', 'created', 'STORY-1077', 'APR-9', 'key-9', 'now');",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        old
    }

    #[test]
    fn a_database_of_version_1_keeps_its_records_and_gets_the_rest_of_the_seed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox.db");
        drop(of_version_1(&path));
        let connection = open(&Location::File(path.clone())).unwrap();
        let row = |sql: &str| -> String { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
        for (sql, expected) in [
            (
                "SELECT json_array(type, title, description, owner, status, release_id, certification_id, reason,
                     approval_id, created_at, version) FROM work_items WHERE id = 'STORY-1077'",
                r#"["story","Unblock","d","payments","open","REL-BLOCKED","CERT-REL-BLOCKED","r","APR-9","2026-11-21T00:00:00Z",1]"#,
            ),
            (
                "SELECT json_group_array(json_array(id, title, severity, parent_id, release_id)) FROM work_items
                 WHERE id IN ('TASK-2077', 'TASK-2078')",
                r#"[["TASK-2077","One","high","STORY-1077","REL-BLOCKED"],["TASK-2078","Two",null,"STORY-1077","REL-BLOCKED"]]"#,
            ),
            (
                "SELECT json_group_array(item_id || ' ' || reference) FROM work_references WHERE reference = 'CTL-1'",
                r#"["STORY-1077 CTL-1","TASK-2077 CTL-1"]"#,
            ),
            ("SELECT key || tool FROM idempotency_keys", "key-9loopiq_create_remediation_work_package"),
            ("SELECT record_id || approval_id FROM audit", "STORY-1077APR-9"),
            ("SELECT team || status FROM releases WHERE id = 'REL-BLOCKED'", "paymentsplanned"),
            ("SELECT name FROM releases WHERE id = 'REL-MINE'", "Mine"),
            // What somebody has stays as it is; what is lacking is there now.
            ("SELECT group_concat(title) FROM nodes WHERE certification_id = 'CERT-REL-BLOCKED'", "changed by hand"),
            ("SELECT name FROM releases WHERE id = 'REL-READY'", "Storefront 2026.11"),
            ("SELECT title FROM incidents WHERE id = 'INC-4471'", "The settlement queue delivers messages twice"),
            ("SELECT id FROM certifications WHERE release_id = 'REL-GLOBEX-1'", "CERT-REL-GLOBEX-1"),
        ] {
            assert_eq!(row(sql), expected, "{sql}");
        }
        assert_eq!(next_id(&connection, "STORY").unwrap(), "STORY-1078");
        assert_eq!(next_id(&connection, "TASK").unwrap(), "TASK-2079");
        let after = dump(&connection);
        drop(connection);
        assert_eq!(dump(&open(&Location::File(path)).unwrap()), after, "opening it again changes nothing");
    }

    #[test]
    fn a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::File(folder.path().join("sandbox.db"));
        open(&location).unwrap().pragma_update(None, "user_version", 4).unwrap();
        assert!(matches!(open(&location).unwrap_err(), SandboxError::Newer { found: 4, known: 3, .. }));
    }
}
