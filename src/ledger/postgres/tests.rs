//! One database, many runners, and whatever may befall it.

use super::*;
use crate::ledger::contract_tests::{Database, Site};
use crate::ledger::error::Damage;
use crate::ledger::sample::{self, document, draft, drafts};
use crate::ledger::{Draft, Ledger};

fn chain() -> Digest {
    document().effect_digest
}

fn holder(run: &str) -> Holder {
    Holder { run: run.into(), pid: 7, effect: chain(), since: Timestamp::UNIX_EPOCH, host: None }
}

fn lock(ledger: &Ledger, run: &str) -> Result<Lock, LockError> {
    ledger.lock(&holder(run), &Claim::of(&document()), Wait::No)
}

fn first(ledger: &Ledger) -> Vec<Draft> {
    let mut drafts = drafts(ledger.id());
    drafts.truncate(2);
    drafts
}

/// Ends every session of runners.
fn cut_off(site: &Database) {
    site.tamper(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = 'ci'",
    );
}

#[test]
fn locks_go_with_the_session_and_say_who_holds_them() {
    let Some(site) = Database::new() else { return };
    let (one, other) = (site.found(), site.open());
    let claim = Claim::of(&document());
    assert_eq!(other.holder(&claim), None);
    let held = lock(&one, "one").unwrap();
    assert_eq!(other.holder(&claim), Some(holder("one")));
    assert!(matches!(lock(&other, "other"), Err(LockError::Held(Some(found))) if found == holder("one")));
    // What shares a key is kept off as well, what shares nothing is not.
    let mut apart = document();
    (apart.subject, apart.effect_digest) = (Digest::of_bytes(b"subject"), Digest::of_bytes(b"effect"));
    assert!(matches!(other.lock(&holder("other"), &Claim::of(&apart), Wait::No), Err(LockError::Held(_))));
    apart.operations.clear();
    drop(other.lock(&holder("other"), &Claim::of(&apart), Wait::No).unwrap());
    drop(held);
    assert_eq!(other.holder(&claim), None);
    let held = lock(&one, "one again").unwrap();
    drop(one);
    drop(lock(&other, "other").unwrap());
    drop(held);
}

#[test]
fn a_session_that_is_lost_is_made_again_with_its_locks_where_nobody_took_them() {
    let Some(site) = Database::new() else { return };
    let (mut one, other) = (site.found(), site.open());
    let _held = lock(&one, "one").unwrap();
    cut_off(&site);
    let drafts = first(&one);
    one.append(&chain(), None, drafts).unwrap();
    assert!(matches!(lock(&other, "other"), Err(LockError::Held(_))));
}

#[test]
fn a_passed_epoch_adds_nothing_and_sends_nothing() {
    let Some(site) = Database::new() else { return };
    let (mut one, mut other) = (site.found(), site.open());
    let _held = lock(&one, "one").unwrap();
    let before = one.send_before().unwrap();
    one.may_send(before).unwrap();
    cut_off(&site);
    let taken = lock(&other, "other").unwrap();
    // Whether the other one is still at work or not.
    assert!(matches!(one.may_send(before), Err(LedgerError::Passed)));
    let drafts = first(&one);
    drop(taken);
    assert!(matches!(one.append(&chain(), None, drafts.clone()), Err(LedgerError::Passed)));
    assert_eq!(one.chain(&chain()).unwrap(), []);
    other.append(&chain(), None, drafts).unwrap();
}

#[test]
fn what_was_to_be_sent_before_now_is_not_sent() {
    let Some(site) = Database::new() else { return };
    let one = site.found();
    assert_eq!(one.send_before(), None);
    let _held = lock(&one, "one").unwrap();
    let before = one.send_before().unwrap();
    let within = before.duration_since(Timestamp::now());
    assert!(within.as_secs() > 20 && within.as_secs() <= 31, "{within}");
    one.may_send(before).unwrap();
    let past = Timestamp::now().checked_sub(jiff::SignedDuration::from_secs(1)).unwrap();
    assert!(matches!(one.may_send(past), Err(LedgerError::Late { .. })));
    assert!(one.now_at_least() <= Timestamp::now());
}

#[test]
fn another_history_of_the_tables_is_refused() {
    type Refused = fn(&LedgerError) -> bool;
    let cases: [(&str, Refused); 5] = [
        ("INSERT INTO migrations VALUES (2, 'sha256:0')", |error| {
            matches!(error, LedgerError::Newer { found: 2, known: 1, .. })
        }),
        ("UPDATE migrations SET checksum = 'sha256:0'", |error| {
            matches!(error, LedgerError::Broken(Damage::Migration(1)))
        }),
        ("DELETE FROM migrations", |error| matches!(error, LedgerError::Older { found: 0, known: 1, .. })),
        ("DELETE FROM meta", |error| matches!(error, LedgerError::Broken(Damage::NoId))),
        ("DROP TABLE migrations", |error| matches!(error, LedgerError::NotALedger { .. })),
    ];
    for (sql, refused) in cases {
        let Some(site) = Database::new() else { return };
        site.found();
        site.tamper(sql);
        let (address, access) = site.runner();
        let error = Ledger::connect(&address, &access).unwrap_err();
        assert!(refused(&error), "{sql}: {error:?}");
    }
}

#[test]
fn tables_that_anybody_could_change_are_not_verified() {
    let Some(site) = Database::new() else { return };
    let ledger = site.found();
    ledger.verify().unwrap();
    site.tamper("ALTER TABLE events DISABLE TRIGGER events_are_never_changed");
    assert!(matches!(ledger.verify(), Err(LedgerError::Broken(Damage::Schema(1)))));
}

#[test]
fn of_all_that_make_a_ledger_at_once_one_does_and_it_goes_forward_only() {
    static TWO: [&str; 2] = [MIGRATIONS[0], "CREATE TABLE loopgate.more (name text)"];
    let Some(site) = Database::new() else { return };
    let (address, access) = site.owner();
    let made: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Ledger::found(&address, &access).map(|(_, founded)| founded)))
            .collect();
        let each = threads.into_iter().map(|thread| match thread.join().unwrap() {
            Ok(founded) => {
                assert_eq!((founded.before, founded.version, founded.role), (None, 1, Ok("loopgate_runner")));
                1
            }
            Err(LedgerError::Exists { .. }) => 0,
            Err(error) => panic!("{error:?}"),
        });
        each.sum()
    });
    assert_eq!(made, 1);
    let mut ledger = site.open();
    let id = ledger.id().to_owned();
    ledger.append(&chain(), None, vec![draft(1, "run", sample::opened())]).unwrap();
    // Of a later version of the program.
    let old = Postgres::open_of(&address, &access, &TWO).map(drop).unwrap_err();
    assert!(matches!(old, LedgerError::Older { found: 1, known: 2, .. }), "{old:?}");
    let (newer, founded) = Postgres::found_of(&address, &access, &TWO).unwrap();
    assert_eq!((founded.before, founded.version, newer.id()), (Some(1), 2, id.as_str()));
    let error = Ledger::connect(&address, &access).unwrap_err();
    assert!(matches!(error, LedgerError::Newer { found: 2, known: 1, .. }), "{error:?}");
}

#[test]
fn a_row_that_is_added_at_the_same_place_by_two_is_added_by_one() {
    let Some(site) = Database::new() else { return };
    let ledger = site.found();
    let drafts = first(&ledger);
    let added: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let drafts = drafts.clone();
                scope.spawn(|| match site.open().append(&chain(), None, drafts) {
                    Ok(events) => events.len(),
                    Err(LedgerError::Moved { .. }) => 0,
                    Err(error) => panic!("{error:?}"),
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(added, 2);
    assert_eq!(ledger.verify().unwrap().events, 2);
}

#[test]
fn the_server_finds_out_within_a_minute_that_a_machine_is_gone() {
    let Some(site) = Database::new() else { return };
    let mut ledger = site.found();
    site.tamper(
        "CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF current_setting('tcp_keepalives_idle')::int + current_setting('tcp_keepalives_interval')::int
             * current_setting('tcp_keepalives_count')::int NOT BETWEEN 1 AND 60 THEN RAISE 'too late'; END IF;
           RETURN NULL; END $$;
         CREATE TRIGGER looked AFTER INSERT ON loopgate.events EXECUTE FUNCTION public.look()",
    );
    let drafts = first(&ledger);
    ledger.append(&chain(), None, drafts).unwrap();
}
