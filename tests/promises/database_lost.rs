//! A ledger that is lost at any step of an apply, and a holder that is stopped while another takes over.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, PASSWORD};
use crate::database::{Shared, ledger};
use crate::governed::{ARTIFACT, DATABASE, Held, Keys, held};
use crate::support::{Ran, environment};
use crate::wire::{At, Cut, Fault, Loss, Wire, signal};

/// An apply whose way to the ledger goes wrong somewhere, and the next one.
pub struct Lost {
    pub ready: Shared,
    expected: Held,
    messages: usize,
}

/// How such an apply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended {
    /// Less than nothing where it was killed.
    pub code: i32,
    /// Whether it left a file for the next one.
    pub left: bool,
}

impl Lost {
    pub fn ready() -> Option<Self> {
        Shared::ready("", Keys::Honoured).map(Self::of)
    }

    pub fn of(ready: Shared) -> Self {
        let (folder, database) = ready.copied();
        let wire = Wire::to(ready.cluster.port, None);
        let url = format!("postgres://ci@{}/{database}", wire.address);
        folder.run(&["apply", ARTIFACT, "--approval-id", &ready.id, "--ledger", &url]).exits(0);
        Self { expected: held(&folder.path().join(DATABASE)), messages: wire.messages(), ready }
    }

    /// Every message of an apply, lost itself or with its answer: all with `LOOPGATE_TEST_EVERY_STEP`, which takes minutes,
    /// else a part of them, and always that of the outcome.
    pub fn steps(&self) -> Vec<(At, Cut)> {
        let all = (1..=self.messages)
            .flat_map(|number| [Cut::Before, Cut::After].map(|cut| (At::Number(number), cut)));
        let is_set = |name| environment(name).is_some();
        let part = all.step_by(match (is_set("LOOPGATE_TEST_EVERY_STEP"), is_set("LOOPGATE_TEST_ALL")) {
            (true, _) => 1,
            (false, true) => 5,
            (false, false) => 11,
        });
        part.chain([(At::Text("\"kind\":\"outcome\""), Cut::Before)]).collect()
    }

    /// Lets that go wrong at every step, so many at a time, mends it before the next apply, and says how often an apply
    /// ended how.
    pub fn at_every_step(
        &self,
        at_once: usize,
        mend: impl Fn() + Sync,
        fault: impl Fn(At, Cut) -> Fault + Sync,
    ) -> BTreeMap<Ended, usize> {
        let mend = &mend;
        let (steps, next) = (self.steps(), AtomicUsize::new(0));
        let ends = Mutex::new(BTreeMap::new());
        thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    while let Some((at, cut)) = steps.get(next.fetch_add(1, Ordering::SeqCst)) {
                        if let Some(ended) = self.befallen(fault(*at, *cut), mend) {
                            *ends.lock().unwrap().entry(ended).or_insert(0) += 1;
                        }
                    }
                });
            }
        });
        let ends = ends.into_inner().unwrap();
        println!("{} messages, {} steps: {ends:?}", self.messages, steps.len());
        ends
    }

    fn cut(&self, fault: Fault) -> Option<Ended> {
        self.befallen(fault, || ())
    }

    /// How an apply ends at which that goes wrong, after which, once it is mended, the next one finds out everything;
    /// none where it ended before it got there.
    fn befallen(&self, fault: Fault, mend: impl Fn()) -> Option<Ended> {
        let Self { ready, expected, .. } = self;
        let (at, cut, for_good) = (fault.at, fault.cut, fault.for_good);
        let killed = matches!(fault.loss, Loss::Killed);
        let meanwhile = matches!(fault.loss, Loss::Meanwhile(_));
        // No longer than must be waited for in vain.
        let patience = match &fault.loss {
            Loss::Silent => 3,
            Loss::Told if for_good => 2,
            _ => 60,
        };
        let (folder, database) = ready.copied();
        let wire = Wire::to(ready.cluster.port, Some(fault));
        let url = format!("postgres://ci@{}/{database}?connect_timeout={patience}", wire.address);
        let mut first = folder.process(env!("CARGO_BIN_EXE_loopgate"));
        first.args(["apply", ARTIFACT, "--approval-id", &ready.id, "--ledger", &url]);
        let ran = wire.run(first);
        let held = || held(&folder.path().join(DATABASE));
        let left = folder.exists("loopgate-out/artifact.outcome.json");
        let told = format!("{at:?} {cut:?}: exit {}: {}", ran.code, ran.told());
        let was_cut = wire.was_cut();
        // Only now a server learns of the end of a connection that was silent.
        drop(wire);
        if was_cut {
            mend();
        }
        match ran.code {
            _ if !was_cut => return None,
            0 => assert_eq!(held(), *expected, "{told}"),
            31 => assert!(for_good || meanwhile, "{told}"),
            40 if is_recorded(ready, &database) => assert_eq!(held(), *expected, "{told}"),
            40 => assert_eq!(held(), ready.governed.held(), "{told}"),
            code => assert!(killed && code < 0, "{told}"),
        }
        let url = ready.cluster.runner(&database);
        // The server learns of the end of a session a moment later.
        let apply = ["apply", ARTIFACT, "--approval-id", &ready.id, "--ledger", &url, "--wait", "60s"];
        folder.run(&apply).exits(0);
        assert_eq!(held(), *expected, "{told}");
        assert!(!folder.exists("loopgate-out/artifact.outcome.json"), "{told}");
        ledger(&url).verify().unwrap_or_else(|error| panic!("{error}: {told}"));
        assert!(is_recorded(ready, &database), "an outcome is lost or doubled: {told}");
        ready.cluster.sql("postgres", &format!("DROP DATABASE {database} WITH (FORCE)"));
        Some(Ended { code: ran.code, left })
    }
}

/// Whether an outcome is.
fn is_recorded(shared: &Shared, database: &str) -> bool {
    let outcomes = "SELECT count(*) FROM loopgate.events WHERE text LIKE '%\"kind\":\"outcome\"%'";
    shared.cluster.sql(database, outcomes) == "1"
}

fn all<'e>(ends: &'e BTreeMap<Ended, usize>, is: impl Fn(&Ended) -> bool + 'e) -> usize {
    ends.iter().filter(|(ended, _)| is(ended)).map(|(_, count)| count).sum()
}

#[test]
fn a_connection_that_is_lost_for_a_moment_costs_nothing_at_any_step() {
    let Some(lost) = Lost::ready() else { return };
    let ends = lost.at_every_step(4, || (), |at, cut| Fault { at, cut, loss: Loss::Told, for_good: false });
    assert_eq!(all(&ends, |ended| ended.left), 0);
    assert!(all(&ends, |ended| ended.code == 0) > all(&ends, |ended| ended.code != 0), "{ends:?}");
}

#[test]
fn a_connection_on_which_nothing_comes_any_more_is_made_again_at_any_step() {
    let Some(lost) = Lost::ready() else { return };
    let ends =
        lost.at_every_step(12, || (), |at, cut| Fault { at, cut, loss: Loss::Silent, for_good: false });
    assert_eq!(all(&ends, |ended| ended.left), 0);
    assert!(all(&ends, |ended| ended.code == 0) > all(&ends, |ended| ended.code != 0), "{ends:?}");
}

#[test]
fn a_ledger_that_is_lost_for_good_at_any_step_is_told_by_the_next_run_what_it_missed() {
    let Some(lost) = Lost::ready() else { return };
    let ends = lost.at_every_step(8, || (), |at, cut| Fault { at, cut, loss: Loss::Told, for_good: true });
    assert_eq!(all(&ends, |ended| (ended.code == 31) != ended.left), 0, "{ends:?}");
}

#[test]
fn a_ledger_that_falls_silent_for_good_is_given_up_in_time() {
    let Some(lost) = Lost::ready() else { return };
    for (text, code, left) in [("\"kind\":\"intent\"", 40, false), ("\"kind\":\"outcome\"", 31, true)] {
        let fault = Fault { at: At::Text(text), cut: Cut::After, loss: Loss::Silent, for_good: true };
        assert_eq!(lost.cut(fault), Some(Ended { code, left }), "{text}");
    }
}

#[test]
fn a_runner_that_is_killed_at_any_message_to_its_ledger_repeats_no_write_and_loses_none() {
    let Some(lost) = Lost::ready() else { return };
    let ends = lost.at_every_step(4, || (), |at, cut| Fault { at, cut, loss: Loss::Killed, for_good: false });
    // Whoever only says goodbye may be gone before it is killed.
    assert_eq!(all(&ends, |ended| ended.code > 0), 0, "{ends:?}");
    assert!(all(&ends, |ended| ended.code < 0) > all(&ends, |ended| ended.code == 0), "{ends:?}");
}

#[test]
fn once_the_locks_are_held_a_connection_that_is_lost_for_a_moment_stops_nobody() {
    let Some(lost) = Lost::ready() else { return };
    for text in ["\"kind\":\"intent\"", "\"kind\":\"outcome\"", "\"kind\":\"ended\""] {
        for (cut, loss) in [
            (Cut::Before, Loss::Told),
            (Cut::After, Loss::Told),
            (Cut::Before, Loss::Silent),
            (Cut::After, Loss::Silent),
        ] {
            let ended = lost.cut(Fault { at: At::Text(text), cut, loss, for_good: false });
            assert_eq!(ended, Some(Ended { code: 0, left: false }), "{text} {cut:?}");
        }
    }
}

#[test]
fn a_connection_that_falls_silent_while_locks_are_taken_stops_nobody() {
    let Some(lost) = Lost::ready() else { return };
    for (text, cut) in [("BEGIN", Cut::Before), ("pg_try_advisory_lock", Cut::After)] {
        let ended = lost.cut(Fault { at: At::Text(text), cut, loss: Loss::Silent, for_good: false });
        assert_eq!(ended, Some(Ended { code: 0, left: false }), "{text}");
    }
}

#[test]
fn a_ledger_that_is_lost_for_good_leaves_what_it_missed_beside_the_artifact() {
    let Some(lost) = Lost::ready() else { return };
    for (text, cut, code, left) in [
        ("\"kind\":\"began\"", Cut::After, 40, false),
        ("\"kind\":\"intent\"", Cut::Before, 40, false),
        ("\"kind\":\"intent\"", Cut::After, 40, false),
        ("\"kind\":\"outcome\"", Cut::Before, 31, true),
        ("\"kind\":\"outcome\"", Cut::After, 31, true),
        ("\"kind\":\"ended\"", Cut::Before, 40, false),
    ] {
        let ended = lost.cut(Fault { at: At::Text(text), cut, loss: Loss::Told, for_good: true });
        assert_eq!(ended, Some(Ended { code, left }), "{text} {cut:?}");
    }
}

/// The tool that a plan is compared by, before its first intent.
const READ: &str = "loopiq_get_release_certification";
const WRITE: &str = "loopiq_create_remediation_work_package";

/// Applies until the server hears of `tool`; there the run is stopped, its session ended, another run lets do all, and
/// it is woken.
fn stopped_at(tool: &str) -> Option<(Ran, Ran)> {
    let faults = format!("runs:{tool}=touch reached; until test -e gone-on; do sleep 0.05; done");
    let ready = Shared::ready("", Keys::Honoured)?;
    ready.governed.settings(|settings| settings["servers"]["governed"]["arguments"][1] = faults.into());
    let folder = &ready.governed.folder;
    let before = ready.governed.held();
    let mut first = folder.process(env!("CARGO_BIN_EXE_loopgate"));
    let first = first
        .args(["apply", ARTIFACT, "--approval-id", &ready.id, "--audit", "first.json"])
        .env("PGPASSWORD", PASSWORD)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !folder.exists("reached") {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody got to `{tool}`");
        thread::sleep(Duration::from_millis(10));
    }
    signal(first.id(), "STOP");
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'loopgate'";
    assert_eq!(ready.cluster.sql(&ready.database, end), "1");
    folder.write("gone-on", "");
    let second = ready.apply(&[]);
    signal(first.id(), "CONT");
    let first = Ran::from(first.wait_with_output().unwrap());
    let after = "SELECT count(*) FROM loopgate.events e WHERE e.text LIKE '%\"run\":\"' ||
        (SELECT holder::json ->> 'run' FROM loopgate.epochs ORDER BY epoch LIMIT 1) || '%' AND e.sequence >
        (SELECT min(sequence) FROM loopgate.events WHERE text LIKE '%\"run\":\"' ||
          (SELECT holder::json ->> 'run' FROM loopgate.epochs ORDER BY epoch DESC LIMIT 1) || '%')";
    assert_eq!(ready.cluster.sql(&ready.database, after), "0", "the woken one added something");
    let made = ready.governed.held().stories.len() - before.stories.len();
    assert_eq!(made, 1);
    let sent = folder.read("memory").lines().filter(|line| *line == "sent").count();
    assert_eq!(sent, if tool == WRITE { 2 } else { 1 }, "the woken one sent it");
    folder.run(&["ledger", "verify"]).exits(0);
    Some((first, second))
}

#[test]
fn a_holder_that_slept_while_another_took_over_sends_and_adds_nothing() {
    let Some((first, second)) = stopped_at(READ) else { return };
    second.exits(0);
    let first = first.exits(42);
    assert!(first.told().contains("taken over"), "{}", first.told());
}

/// Stopped behind its intent and before it sends, its session ended, another done, and woken.
#[test]
fn a_holder_that_slept_between_intent_and_send_sends_nothing() {
    let Some(ready) = Shared::ready("", Keys::Honoured) else { return };
    let (folder, database) = ready.copied();
    let url = ready.cluster.runner(&database);
    let second = folder.command(&["apply", ARTIFACT, "--approval-id", &ready.id, "--ledger", &url]);
    let (second, cluster) = (Mutex::new(second), ready.cluster);
    let slept = {
        let database = database.clone();
        move |process| {
            signal(process, "STOP");
            let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'loopgate'";
            assert_eq!(cluster.sql(&database, end), "1");
            Ran::from(second.lock().unwrap().output().unwrap()).exits(0);
            signal(process, "CONT");
        }
    };
    let at = At::Text("\"kind\":\"intent\"");
    let loss = Loss::Meanwhile(Arc::new(slept));
    let wire = Wire::to(cluster.port, Some(Fault { at, cut: Cut::After, loss, for_good: false }));
    let url = format!("postgres://ci@{}/{database}", wire.address);
    let mut first = folder.process(env!("CARGO_BIN_EXE_loopgate"));
    first.args(["apply", ARTIFACT, "--approval-id", &ready.id, "--ledger", &url, "--audit", "first.json"]);
    let ran = wire.run(first).exits(42);
    assert!(ran.told().contains("taken over"), "{}", ran.told());
    let sent = folder.read("memory").lines().filter(|line| *line == "sent").count();
    assert_eq!(sent, 1, "the woken one sent it");
    folder.run(&["ledger", "verify", "--ledger", &ready.cluster.runner(&database)]).exits(0);
}

#[test]
fn a_holder_that_slept_over_its_answer_adds_nothing_and_leaves_it_in_a_file() {
    let Some((first, second)) = stopped_at(WRITE) else { return };
    second.exits(0);
    let first = first.exits(31);
    assert!(first.told().contains("artifact.outcome.json"), "{}", first.told());
}

impl Cluster {
    /// A copy of a database, by its name.
    pub fn copy(&self, database: &str) -> String {
        let name = self.new_name();
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {database}"));
        name
    }
}
