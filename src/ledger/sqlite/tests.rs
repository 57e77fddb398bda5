//! One file, many writers, and whatever may befall it.

use std::io::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::core::file::replace;
use crate::ledger::error::Damage;
use crate::ledger::sample::{self, drafts};
use crate::ledger::state::State;
use crate::ledger::v1::Event;
use crate::ledger::{Ledger, Verified};

fn new() -> (TempDir, PathBuf, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::create(&path).unwrap();
    (folder, path, ledger)
}

/// A ledger with the chain of the samples.
fn full() -> (TempDir, PathBuf, Ledger) {
    let (folder, path, mut ledger) = new();
    let drafts = drafts(ledger.id());
    ledger.append(&effect(), None, drafts).unwrap();
    (folder, path, ledger)
}

fn effect() -> Digest {
    sample::document().effect_digest
}

fn all(ledger: &Ledger) -> Result<Vec<Event>, LedgerError> {
    let mut events = Vec::new();
    ledger.each_event(|event| {
        events.push(event.clone());
        Ok::<_, LedgerError>(())
    })?;
    Ok(events)
}

/// The file, by another hand.
fn raw(ledger: &Ledger) -> Connection {
    Connection::open(ledger.place()).unwrap()
}

/// SQL by another hand, with the triggers gone.
fn tamper(ledger: &Ledger, sql: &str) {
    let drop = "DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_removed;";
    raw(ledger).execute_batch(&format!("{drop} {sql}")).unwrap();
}

#[test]
fn a_new_ledger_is_empty_has_an_id_and_is_its_owners_alone() {
    let (folder, path, ledger) = new();
    assert!(ledger.id().starts_with("lgl-") && ledger.id().len() == 40);
    assert_eq!(Path::new(&ledger.place()), path);
    assert_eq!(ledger.verify().unwrap(), Verified { chains: 0, events: 0 });
    assert_eq!(ledger.chain(&effect()).unwrap(), []);
    assert_eq!(ledger.state(&effect()).unwrap(), State::new(effect()));
    assert_eq!(Ledger::open(&path).unwrap().id(), ledger.id());
    #[cfg(unix)]
    for found in fs_err::read_dir(folder.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let found = found.unwrap();
        assert_eq!(found.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{found:?}");
    }
    drop(ledger);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_write_ahead_log_is_synced_in_full_and_a_busy_file_is_waited_for() {
    let (_folder, path, _) = new();
    let ledger = Sqlite::open(&path).unwrap();
    let ask = |pragma: &str| {
        ledger.connection.query_row(pragma, [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
    };
    assert_eq!(ask("PRAGMA journal_mode"), "wal".to_owned().into());
    assert_eq!(ask("PRAGMA synchronous"), 2.into());
    assert_eq!(ask("PRAGMA busy_timeout"), 10_000.into());
}

#[test]
fn what_is_there_is_never_made_anew_and_what_is_missing_never_opened() {
    let (folder, path, ledger) = new();
    assert!(matches!(Ledger::create(&path), Err(LedgerError::Exists { .. })));
    assert_eq!(Ledger::open_or_create(&path).unwrap().id(), ledger.id());
    let missing = folder.path().join("missing.db");
    assert!(matches!(Ledger::open(&missing), Err(LedgerError::Missing { .. })));
    assert!(!missing.exists());
    Ledger::open_or_create(&missing).unwrap();
    let nowhere = folder.path().join("a/ledger.db");
    assert!(matches!(Ledger::open_or_create(&nowhere), Err(LedgerError::Unreachable(_))));
    assert!(!folder.path().join("a").exists());
}

#[test]
fn a_relative_folder_is_made_for_its_owner_alone() {
    let folder = tempfile::Builder::new().prefix("ledger-test-").tempdir_in("target").unwrap();
    let below = Path::new("target").join(folder.path().file_name().unwrap()).join(".loopgate");
    Ledger::create(&below.join("file:ledger.db?mode=memory")).unwrap();
    assert_eq!(fs_err::read_dir(&below).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs_err::metadata(below).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn many_that_make_a_ledger_at_once_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ids: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
        let open = || Ledger::open_or_create(&path).unwrap().id().to_owned();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ids.len(), 1);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn no_symbolic_link_is_followed() {
    let (folder, path, _ledger) = new();
    for (target, name) in [(path, "one.db"), (folder.path().join("nowhere.db"), "two.db")] {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let existed = target.exists();
        assert!(matches!(Ledger::open(&link), Err(LedgerError::Unreachable(_))));
        assert!(matches!(Ledger::create(&link), Err(LedgerError::Exists { .. })));
        assert_eq!(target.exists(), existed);
    }
}

#[test]
fn what_is_no_ledger_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [text, empty, other] = ["notes.txt", "empty", "other.db"].map(|name| folder.path().join(name));
    replace(&text, b"not a database, but text that is long enough to be taken for the header of one")
        .unwrap();
    replace(&empty, b"").unwrap();
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE stories (id)").unwrap();
    for path in [text, empty, other] {
        let before = fs_err::read(&path).unwrap();
        assert!(matches!(Ledger::open_or_create(&path), Err(LedgerError::NotALedger { .. })), "{path:?}");
        assert_eq!(fs_err::read(&path).unwrap(), before);
    }
    assert!(matches!(Ledger::open(folder.path()), Err(LedgerError::NotALedger { .. })));
}

#[test]
fn another_history_of_the_tables_is_refused() {
    type Refused = fn(&LedgerError) -> bool;
    let cases: [(&str, Refused); 6] = [
        ("INSERT INTO migrations VALUES (2, 'sha256:0')", |error| {
            matches!(error, LedgerError::Newer { found: 2, known: 1, .. })
        }),
        ("UPDATE migrations SET checksum = 'sha256:0'", |error| {
            matches!(error, LedgerError::Broken(Damage::Migration(1)))
        }),
        ("DELETE FROM migrations", |error| matches!(error, LedgerError::Broken(Damage::Schema(0)))),
        ("DROP TRIGGER events_are_never_changed", |error| {
            matches!(error, LedgerError::Broken(Damage::Schema(1)))
        }),
        ("DELETE FROM meta", |error| matches!(error, LedgerError::Broken(Damage::NoId))),
        ("UPDATE meta SET value = 'lgl-me'", |error| matches!(error, LedgerError::Broken(Damage::NoId))),
    ];
    for (sql, refused) in cases {
        let (_folder, path, ledger) = new();
        raw(&ledger).execute_batch(sql).unwrap();
        let error = Ledger::open(&path).unwrap_err();
        assert!(refused(&error), "{sql}: {error:?}");
    }
}

#[test]
fn what_was_committed_outlives_a_process_that_never_closed_the_file() {
    let (folder, _, ledger) = full();
    let copy = folder.path().join("copy.db");
    for (from, to) in [("ledger.db", "copy.db"), ("ledger.db-wal", "copy.db-wal")] {
        fs_err::copy(folder.path().join(from), folder.path().join(to)).unwrap();
    }
    let expected = all(&ledger).unwrap();
    assert_eq!(all(&Ledger::open(&copy).unwrap()).unwrap(), expected);
    assert_eq!(expected.len(), 19);
}

#[test]
fn all_that_holds_a_ledger_together_is_verified() {
    type Found = fn(&Damage) -> bool;
    let cases: [(&str, Found); 3] = [
        ("UPDATE events SET position = 40 WHERE position = 19", |damage| {
            matches!(damage, Damage::Gap { found: 19, positions: 40 })
        }),
        ("UPDATE events SET position = 40 WHERE position = 18", |damage| {
            matches!(damage, Damage::Misfiled { position: 19 })
        }),
        ("UPDATE meta SET value = 'lgl-6f9619ff-8b86-4011-b42d-00c04fc964ff'", |damage| {
            matches!(damage, Damage::Foreign { .. })
        }),
    ];
    for (sql, found) in cases {
        let (_folder, path, ledger) = full();
        tamper(&ledger, sql);
        let schema = include_str!("schema.sql");
        for name in ["changed", "removed"] {
            let from = schema.find(&format!("CREATE TRIGGER events_are_never_{name}")).unwrap();
            let to = from + schema[from..].find("END;").unwrap() + 4;
            raw(&ledger).execute_batch(&schema[from..to]).unwrap();
        }
        let error = Ledger::open(&path).unwrap().verify().unwrap_err();
        assert!(matches!(&error, LedgerError::Broken(damage) if found(damage)), "{sql}: {error:?}");
    }
}

/// Every 509th byte, because all of them take minutes.
#[test]
fn a_changed_byte_of_the_file_is_refused_or_changes_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = Ledger::create(&path).unwrap();
    let mut few = drafts(ledger.id());
    few.truncate(3);
    ledger.append(&effect(), None, few).unwrap();
    // WAL keeps the page size; small pages leave little room that nothing uses.
    let pages = "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM; PRAGMA journal_mode = WAL;";
    let (events, id) = (all(&ledger).unwrap(), ledger.id().to_owned());
    drop(ledger);
    Connection::open(&path).unwrap().execute_batch(pages).unwrap();
    let bytes = fs_err::read(&path).unwrap();
    let (mut refused, mut harmless) = (0, 0);
    for at in (0..bytes.len()).step_by(509) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        // Without a sync for each.
        fs_err::File::create(&path).and_then(|mut file| file.write_all(&changed)).unwrap();
        let read = Ledger::open(&path).and_then(|ledger| {
            ledger.verify()?;
            Ok((all(&ledger)?, ledger.id().to_owned()))
        });
        match read {
            Err(_) => refused += 1,
            Ok((found, found_id)) => {
                harmless += 1;
                assert!(found == events && found_id == id, "byte {at}");
            }
        }
    }
    assert!(refused > harmless, "{refused} refused, {harmless} harmless");
}

#[test]
fn a_file_that_was_cut_is_refused() {
    let (_folder, path, ledger) = full();
    drop(ledger);
    let bytes = fs_err::read(&path).unwrap();
    for kept in [1, 99, 100, 4095, 4096, bytes.len() / 2, bytes.len() - 4096, bytes.len() - 1] {
        replace(&path, &bytes[..kept]).unwrap();
        let error = Ledger::open(&path).and_then(|ledger| ledger.verify()).unwrap_err();
        assert!(
            matches!(error, LedgerError::Broken(_) | LedgerError::NotALedger { .. }),
            "{kept}: {error:?}"
        );
    }
}

#[test]
fn no_row_is_changed_removed_or_replaced() {
    let (_folder, _, ledger) = full();
    let before = all(&ledger).unwrap();
    for sql in [
        "UPDATE events SET text = text",
        "DELETE FROM events WHERE position = 19",
        "INSERT OR REPLACE INTO events SELECT * FROM events WHERE position = 3",
        "INSERT OR REPLACE INTO events (chain, sequence, digest, text)
         SELECT chain, sequence, 'other', text FROM events WHERE position = 3",
        "INSERT OR REPLACE INTO events (chain, sequence, digest, text)
         SELECT 'other', sequence, digest, text FROM events WHERE position = 3",
    ] {
        let error = raw(&ledger).execute_batch(sql).unwrap_err().to_string();
        assert!(error.contains("only ever added to"), "{sql}: {error}");
    }
    assert_eq!(all(&ledger).unwrap(), before);
}
