//! What a ledger does, whichever engine holds its rows.

use std::path::PathBuf;
use std::sync::Barrier;

use rusqlite::Connection;
use tempfile::TempDir;

use super::chain::Head;
use super::cluster::{self, Cluster};
use super::error::{Damage, LedgerError};
use super::postgres::{Access, Address};
use super::sample::{self, draft, drafts, key, linked};
use super::state::State;
use super::v1::{Event, Fact, Moved, Settlement};
use super::{Ledger, Verified};
use crate::core::Digest;

/// A place for one ledger.
pub(super) trait Site: Sized + Sync {
    /// None where the engine is not there.
    fn new() -> Option<Self>;
    fn found(&self) -> Ledger;
    fn open(&self) -> Ledger;
    /// SQL by another hand, which no trigger stops.
    fn tamper(&self, sql: &str);
}

struct File {
    _folder: TempDir,
    path: PathBuf,
}

pub(super) struct Database {
    cluster: &'static Cluster,
    name: String,
}

impl Site for File {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Some(Self { path: folder.path().join("ledger.db"), _folder: folder })
    }

    fn found(&self) -> Ledger {
        Ledger::create(&self.path).unwrap()
    }

    fn open(&self) -> Ledger {
        Ledger::open(&self.path).unwrap()
    }

    fn tamper(&self, sql: &str) {
        let drop = "DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_removed;";
        Connection::open(&self.path).unwrap().execute_batch(&format!("{drop} {sql}")).unwrap();
    }
}

impl Database {
    fn at(&self, url: &str) -> (Address, Access) {
        let address = Address::parse(url).unwrap();
        let user = address.user().unwrap().to_owned();
        (address, Access { user, password: Some(cluster::PASSWORD.into()), authorities: None })
    }

    pub(super) fn owner(&self) -> (Address, Access) {
        self.at(&self.cluster.owner(&self.name))
    }

    pub(super) fn runner(&self) -> (Address, Access) {
        self.at(&self.cluster.runner(&self.name))
    }
}

impl Site for Database {
    fn new() -> Option<Self> {
        let cluster = cluster::shared();
        if cluster.is_none() {
            let required = std::env::var_os("LOOPGATE_TEST_ALL").is_some();
            assert!(!required, "PostgreSQL is required here and is not there");
        }
        cluster.map(|cluster| Self { cluster, name: cluster.database() })
    }

    fn found(&self) -> Ledger {
        let (address, access) = self.owner();
        Ledger::found(&address, &access).unwrap();
        self.open()
    }

    /// As a runner has it.
    fn open(&self) -> Ledger {
        let (address, access) = self.runner();
        Ledger::connect(&address, &access).unwrap()
    }

    fn tamper(&self, sql: &str) {
        let first = "SET search_path = loopgate; SET session_replication_role = replica;";
        self.cluster.sql(&self.name, &format!("{first} {sql}"));
    }
}

/// Each of these on either engine.
macro_rules! held_by_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name(&<super::File as super::Site>::new().unwrap());
            })+
        }
        mod postgres {
            $(#[test]
            fn $name() {
                if let Some(site) = <super::Database as super::Site>::new() {
                    super::$name(&site);
                }
            })+
        }
    };
}

held_by_both!(
    a_new_ledger_is_empty_and_keeps_its_id,
    what_was_appended_is_read_and_found_after_opening_again,
    chains_of_one_subject_are_found_in_the_order_of_their_opening,
    an_append_behind_another_end_writes_nothing,
    an_event_that_could_not_be_read_again_is_not_stored_nor_any_beside_it,
    of_all_that_append_at_once_one_wins_and_no_chain_forks,
    a_reader_sees_whole_appends_while_another_writes,
    every_column_and_every_text_is_checked,
    what_cannot_follow_is_no_state_and_not_verified,
);

/// A ledger with the chain of the samples.
fn full<S: Site>(site: &S) -> Ledger {
    let mut ledger = site.found();
    let drafts = drafts(ledger.id());
    ledger.append(&effect(), None, drafts).unwrap();
    ledger
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

fn a_new_ledger_is_empty_and_keeps_its_id<S: Site>(site: &S) {
    let ledger = site.found();
    assert!(ledger.id().starts_with("lgl-") && ledger.id().len() == 40);
    assert_eq!(ledger.verify().unwrap(), Verified { chains: 0, events: 0 });
    assert_eq!(ledger.chain(&effect()).unwrap(), []);
    assert_eq!(ledger.state(&effect()).unwrap(), State::new(effect()));
    assert_eq!(site.open().id(), ledger.id());
}

fn what_was_appended_is_read_and_found_after_opening_again<S: Site>(site: &S) {
    drop(full(site));
    let ledger = site.open();
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

fn chains_of_one_subject_are_found_in_the_order_of_their_opening<S: Site>(site: &S) {
    let mut ledger = full(site);
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

fn an_append_behind_another_end_writes_nothing<S: Site>(site: &S) {
    let mut ledger = full(site);
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

fn an_event_that_could_not_be_read_again_is_not_stored_nor_any_beside_it<S: Site>(site: &S) {
    let mut ledger = full(site);
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

fn of_all_that_append_at_once_one_wins_and_no_chain_forks<S: Site>(site: &S) {
    let ledger = full(site);
    let barrier = Barrier::new(6);
    let wins: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|thread| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut ledger = site.open();
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

fn a_reader_sees_whole_appends_while_another_writes<S: Site>(site: &S) {
    let mut ledger = full(site);
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
        let reader = site.open();
        while !writer.is_finished() {
            let state = reader.state(&effect()).unwrap();
            assert!(state.runs.iter().all(|run| run.ended.is_some()));
        }
        writer.join().unwrap();
        assert_eq!(reader.verify().unwrap().events, 31);
    });
}

fn every_column_and_every_text_is_checked<S: Site>(first: &S) {
    drop(full(first));
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
        let Some(site) = S::new() else { return };
        let ledger = full(&site);
        site.tamper(sql);
        let error = ledger.verify().unwrap_err();
        assert!(matches!(error, LedgerError::Broken(_)), "{sql}: {error:?}");
        let of_chain = ledger.chain(&effect());
        assert!(matches!(of_chain, Err(LedgerError::Broken(_))), "{sql}: {of_chain:?}");
    }
}

fn what_cannot_follow_is_no_state_and_not_verified<S: Site>(site: &S) {
    let mut ledger = site.found();
    let drafts = vec![draft(1, "run", sample::opened()), draft(2, "run", sample::intent(0, 1))];
    ledger.append(&effect(), None, drafts).unwrap();
    assert_eq!(ledger.chain(&effect()).unwrap().len(), 2);
    for error in [ledger.state(&effect()).map(drop).unwrap_err(), ledger.verify().map(drop).unwrap_err()] {
        assert!(matches!(error, LedgerError::Broken(Damage::Chain { .. })), "{error:?}");
    }
}
