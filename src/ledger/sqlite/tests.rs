//! One file, many writers, and whatever may befall it.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Barrier;

use tempfile::TempDir;

use super::*;
use crate::core::file::replace;
use crate::ledger::error::Damage;
use crate::ledger::sample::{self, draft, drafts, key, linked};
use crate::ledger::state::State;
use crate::ledger::v1::{Fact, Moved, Settlement};

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

fn head(ledger: &Ledger) -> Option<Head> {
    ledger.state(&effect()).unwrap().head
}

fn all(ledger: &Ledger) -> Result<Vec<Event>, LedgerError> {
    let mut events = Vec::new();
    ledger.each_event(|event| {
        events.push(event.clone());
        Ok::<_, LedgerError>(())
    })?;
    Ok(events)
}

/// SQL by another hand, with the triggers gone.
fn tamper(ledger: &Ledger, sql: &str) {
    let drop = "DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_removed;";
    ledger.connection.execute_batch(&format!("{drop} {sql}")).unwrap();
}

#[test]
fn a_new_ledger_is_empty_has_an_id_and_is_its_owners_alone() {
    let (folder, path, ledger) = new();
    assert!(ledger.id().starts_with("lgl-") && ledger.id().len() == 40);
    assert_eq!(ledger.path(), path);
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
    let (_folder, _, ledger) = new();
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
        ledger.connection.execute_batch(sql).unwrap();
        let error = Ledger::open(&path).unwrap_err();
        assert!(refused(&error), "{sql}: {error:?}");
    }
}

#[test]
fn what_was_appended_is_read_and_found_after_opening_again() {
    let (_folder, path, ledger) = full();
    drop(ledger);
    let ledger = Ledger::open(&path).unwrap();
    let expected = linked(&effect(), drafts(ledger.id()));
    assert_eq!(ledger.chain(&effect()).unwrap(), expected);
    assert_eq!(all(&ledger).unwrap(), expected);
    let state = ledger.state(&effect()).unwrap();
    assert_eq!(state, State::fold(&effect(), &expected).unwrap());
    assert_eq!(ledger.chain_heads().unwrap(), [(effect(), state.head.unwrap())]);
    assert_eq!(ledger.verify().unwrap(), Verified { chains: 1, events: 19 });
    assert_eq!(ledger.events_since(&effect(), 17).unwrap(), expected[17..]);
    assert_eq!(ledger.events_since(&effect(), 19).unwrap(), []);
    let lost = ledger.events_since(&effect(), 20).unwrap_err();
    assert!(matches!(lost, LedgerError::Broken(Damage::Lost { sequence: 19, .. })), "{lost:?}");

    let other = Digest::of_bytes(b"other");
    let subject = sample::document().subject;
    assert_eq!(ledger.chains_of_subject(&subject).unwrap(), [effect()]);
    assert_eq!(ledger.chains_of_subject(&other).unwrap(), []);
    assert_eq!(ledger.chains_with_key(&key(1)).unwrap(), [effect()]);
    let Fact::Recorded { filed } = &expected[2].fact else { panic!() };
    assert_eq!(ledger.chain_of_record(&filed.record.id).unwrap(), Some(effect()));
    assert!(ledger.contains(&expected[18].digest().unwrap()).unwrap());
    assert!(!ledger.contains(&other).unwrap());
}

#[test]
fn chains_of_one_subject_are_found_in_the_order_of_their_opening() {
    let (_folder, _, mut ledger) = full();
    let other = sample::other_document();
    let chain = other.effect_digest.clone();
    let facts = [
        Fact::Opened { artifact: Box::new(other.clone()) },
        sample::began(ledger.id()),
        sample::settled(0, Settlement::Read {}),
    ];
    let drafts = facts.into_iter().map(|fact| draft(50, "third", fact)).collect();
    ledger.append(&chain, None, drafts).unwrap();
    assert_eq!(ledger.chains_of_subject(&other.subject).unwrap(), [effect(), chain.clone()]);
    assert_eq!(ledger.chains_with_key(&key(0)).unwrap(), [effect(), chain]);
    assert_eq!(ledger.chains_with_key(&key(1)).unwrap(), [effect()]);
    assert_eq!(ledger.verify().unwrap(), Verified { chains: 2, events: 22 });
}

#[test]
fn an_append_behind_another_end_writes_nothing() {
    let (_folder, _, mut ledger) = full();
    let end = head(&ledger).unwrap();
    let before = all(&ledger).unwrap();
    let more = || vec![draft(60, "third", sample::began(sample::LEDGER))];
    let wrong = [
        None,
        Some(Head { count: end.count - 1, ..end.clone() }),
        Some(Head { count: end.count + 1, ..end.clone() }),
        Some(Head { digest: effect(), ..end.clone() }),
    ];
    for after in wrong {
        let error = ledger.append(&effect(), after.as_ref(), more()).unwrap_err();
        assert!(matches!(error, LedgerError::Moved { .. }), "{error:?}");
    }
    assert_eq!(all(&ledger).unwrap(), before);
    assert_eq!(ledger.append(&effect(), Some(&end), more()).unwrap().len(), 1);
}

#[test]
fn an_event_that_could_not_be_read_again_is_not_stored_nor_any_beside_it() {
    let (_folder, _, mut ledger) = full();
    let end = head(&ledger);
    let drafts = |levels: usize| {
        let now = (0..levels).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        let moved = sample::compared(vec![Moved { now, ..sample::moved() }]);
        vec![draft(60, "third", sample::began(sample::LEDGER)), draft(61, "third", moved)]
    };
    // Such an event could be read, and no report that holds it.
    for levels in [121, 124, 127] {
        let error = ledger.append(&effect(), end.as_ref(), drafts(levels)).unwrap_err();
        assert!(matches!(error, LedgerError::Unfit { .. }), "{levels}: {error:?}");
        assert_eq!(head(&ledger), end);
    }
    assert_eq!(ledger.append(&effect(), end.as_ref(), drafts(120)).unwrap().len(), 2);
}

#[test]
fn of_all_that_append_at_once_one_wins_and_no_chain_forks() {
    let (_folder, path, ledger) = full();
    let barrier = Barrier::new(6);
    let wins: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|thread| {
                let (path, barrier) = (&path, &barrier);
                scope.spawn(move || {
                    let mut ledger = Ledger::open(path).unwrap();
                    let id = ledger.id().to_owned();
                    let mut wins = 0;
                    for round in 0..3 {
                        let after = head(&ledger);
                        barrier.wait();
                        let run = format!("{thread} {round}");
                        let drafts = vec![draft(70, &run, sample::began(&id))];
                        match ledger.append(&effect(), after.as_ref(), drafts) {
                            Ok(events) => wins += events.len(),
                            Err(LedgerError::Moved { .. }) => {
                                let count = after.unwrap().count;
                                assert_eq!(ledger.events_since(&effect(), count).unwrap().len(), 1);
                            }
                            Err(error) => panic!("{error:?}"),
                        }
                        barrier.wait();
                    }
                    wins
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(wins, 3);
    assert_eq!(ledger.verify().unwrap().events, 22);
}

#[test]
fn a_reader_sees_whole_appends_while_another_writes() {
    let (_folder, path, mut ledger) = full();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for round in 0..6 {
                let after = head(&ledger);
                let run = format!("run {round}");
                let facts = [sample::began(ledger.id()), sample::ended("applied")];
                let drafts = facts.into_iter().map(|fact| draft(80, &run, fact)).collect();
                ledger.append(&effect(), after.as_ref(), drafts).unwrap();
            }
        });
        let reader = Ledger::open(&path).unwrap();
        while !writer.is_finished() {
            let state = reader.state(&effect()).unwrap();
            assert!(state.runs.iter().all(|run| run.ended.is_some()));
        }
        writer.join().unwrap();
        assert_eq!(reader.verify().unwrap().events, 31);
    });
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
        let error = ledger.connection.execute_batch(sql).unwrap_err().to_string();
        assert!(error.contains("only ever added to"), "{sql}: {error}");
    }
    assert_eq!(all(&ledger).unwrap(), before);
}

#[test]
fn every_column_and_every_text_is_checked() {
    for sql in [
        "UPDATE events SET subject = NULL WHERE position = 1",
        "UPDATE events SET key = NULL WHERE position = 8",
        "UPDATE events SET key = 'other' WHERE position = 18",
        "UPDATE events SET key = 'more' WHERE position = 3",
        "UPDATE events SET record = NULL WHERE position = 3",
        "UPDATE events SET digest = 'other' WHERE position = 5",
        "UPDATE events SET chain = 'sha256:' || substr(chain, 9) || '0' WHERE position = 5",
        "UPDATE events SET text = text || ' ' WHERE position = 4",
        "UPDATE events SET text = '{}' WHERE position = 4",
        "UPDATE events SET text = replace(text, 'so it ended', 'so it went') WHERE position = 19",
        "DELETE FROM events WHERE position = 7",
        "DELETE FROM events WHERE position = 1",
    ] {
        let (_folder, _, ledger) = full();
        tamper(&ledger, sql);
        let error = ledger.verify().unwrap_err();
        assert!(matches!(error, LedgerError::Broken(_)), "{sql}: {error:?}");
        let of_chain = ledger.chain(&effect());
        assert!(matches!(of_chain, Err(LedgerError::Broken(_))), "{sql}: {of_chain:?}");
    }
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
            ledger.connection.execute_batch(&schema[from..to]).unwrap();
        }
        let error = Ledger::open(&path).unwrap().verify().unwrap_err();
        assert!(matches!(&error, LedgerError::Broken(damage) if found(damage)), "{sql}: {error:?}");
    }
}

#[test]
fn what_cannot_follow_is_no_state_and_not_verified() {
    let (_folder, _, mut ledger) = new();
    let drafts = vec![draft(1, "run", sample::opened()), draft(2, "run", sample::intent(0, 1))];
    ledger.append(&effect(), None, drafts).unwrap();
    assert_eq!(ledger.chain(&effect()).unwrap().len(), 2);
    for error in [ledger.state(&effect()).map(drop).unwrap_err(), ledger.verify().map(drop).unwrap_err()] {
        assert!(matches!(error, LedgerError::Broken(Damage::Chain { .. })), "{error:?}");
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
    ledger.connection.execute_batch(pages).unwrap();
    let (events, id) = (all(&ledger).unwrap(), ledger.id().to_owned());
    drop(ledger);
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
