//! Killed at every sync and every send: the shipped binary under system-call injection, the sandbox as its own
//! process. Whatever is left, the next apply goes on from it.

#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use loopgate::ledger::Ledger;

use crate::governed::{ARTIFACT, DATABASE, Governed, Held, Keys, LEDGER};
use crate::served::{Relay, Served};
use crate::support::{Folder, has};

/// Every sync and everything that is sent or said, one after the other; and every fourth of the writes to the
/// ledger between two syncs, which nobody is promised anything of.
const CALLS: [(&str, usize); 6] =
    [("fsync", 1), ("fdatasync", 1), ("write", 1), ("writev", 1), ("sendto", 1), ("pwrite64", 4)];

pub fn has_strace() -> bool {
    let works = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    has("strace", works)
}

/// A copy of a folder, as it is.
fn copied(from: &Path) -> Governed {
    let folder = Folder::new();
    let copy = Command::new("cp").arg("-a").arg(from.join(".")).arg(folder.path()).status().unwrap();
    assert!(copy.success());
    Governed { folder }
}

/// Applies, killed as it enters the `number`th of its calls of that name; whether it was.
fn killed(governed: &Governed, id: &str, call: &str, number: usize) -> bool {
    let status = governed
        .folder
        .process("strace")
        .args(["-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={number}")])
        .arg(env!("CARGO_BIN_EXE_loopgate"))
        .args(["apply", ARTIFACT, "--approval-id", id])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    if status.code() != Some(0) {
        assert!(status.signal() == Some(9) || status.code() == Some(137), "{call} {number}: {status}");
    }
    status.code() != Some(0)
}

struct Count {
    points: usize,
    unknown: usize,
}

/// Every point of an apply over standard input and output, or every other one.
fn every_point(keys: Keys, half: usize) -> Count {
    let (governed, id) = Governed::ready("", keys);
    points_of(&governed, &id, keys, half, |_| ())
}

/// Every point of an apply over HTTP, or every other one. The server is nobody's child and goes on.
fn every_point_over_http(half: usize) -> Count {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let relay = Relay::to(nobody);
    let governed = Governed::served(relay.address);
    let serving = |governed: &Governed| {
        let served = Served::start(&governed.folder, DATABASE);
        relay.lead_to(served.address);
        served
    };
    let first = serving(&governed);
    governed.plan();
    let id = governed.approve("alice");
    drop(first);
    points_of(&governed, &id, Keys::Honoured, half, serving)
}

/// `serving` gives what serves a copy of the folder, for as long as it is kept.
fn points_of<S>(
    governed: &Governed,
    id: &str,
    keys: Keys,
    half: usize,
    serving: impl Fn(&Governed) -> S,
) -> Count {
    governed.folder.run(&["ledger", "init"]).exits(0);
    let done = copied(governed.folder.path());
    let served = serving(&done);
    let before = governed.held();
    done.apply(id, &[]).exits(0);
    let expected = done.held();
    drop(served);
    let mut count = Count { points: 0, unknown: 0 };
    for (call, step) in CALLS {
        for number in (1 + half * step..).step_by(2 * step) {
            let crashed = copied(governed.folder.path());
            let _served = serving(&crashed);
            if !killed(&crashed, id, call, number) {
                break;
            }
            count.points += 1;
            count.unknown += after_a_crash(&crashed, id, keys, (call, number), &before, &expected);
        }
    }
    count
}

/// Applies again; 1 where that leaves something unknown.
fn after_a_crash(
    crashed: &Governed,
    id: &str,
    keys: Keys,
    point: (&str, usize),
    before: &Held,
    expected: &Held,
) -> usize {
    let ledger = Ledger::open(&crashed.folder.path().join(LEDGER)).unwrap();
    ledger.verify().unwrap_or_else(|error| panic!("{point:?}: {error}"));
    drop(ledger);
    let ran = crashed.apply(id, &[]);
    let held = crashed.held();
    let outcome = crashed.audit()["operations"][0]["outcome"].as_str().unwrap().to_owned();
    match (ran.code, keys) {
        (0, _) => {
            assert_eq!(held, *expected, "{point:?}");
            assert_eq!(outcome, "applied", "{point:?}");
            0
        }
        (31, Keys::Forgotten) => {
            assert!(held == *before || held == *expected, "{point:?}: {held:?}");
            assert_eq!(outcome, "unknown", "{point:?}");
            1
        }
        (code, _) => panic!("{point:?}: exit {code}\n{}\n{}", ran.stdout, ran.stderr),
    }
}

/// Two halves, so that they run beside each other.
fn killed_everywhere(keys: Keys, half: usize) -> Count {
    told(|| every_point(keys, half))
}

fn told(points: impl FnOnce() -> Count) -> Count {
    if !has_strace() {
        return Count { points: 1, unknown: 1 };
    }
    let count = points();
    println!("killed at {} points, {} of them left the outcome unknown", count.points, count.unknown);
    count
}

#[test]
fn a_killed_apply_repeats_no_write_and_loses_none() {
    let count = killed_everywhere(Keys::Honoured, 0);
    assert!(count.points > 0);
}

#[test]
fn a_killed_apply_repeats_no_write_and_loses_none_the_other_half() {
    let count = killed_everywhere(Keys::Honoured, 1);
    assert!(count.points > 0);
}

#[test]
fn a_killed_apply_without_keys_never_writes_twice() {
    let count = killed_everywhere(Keys::Forgotten, 0);
    assert!(count.points > 0 && count.unknown > 0);
}

#[test]
fn a_killed_apply_without_keys_never_writes_twice_the_other_half() {
    let count = killed_everywhere(Keys::Forgotten, 1);
    assert!(count.points > 0);
}

#[test]
fn a_killed_apply_over_http_repeats_no_write_and_loses_none() {
    let count = told(|| every_point_over_http(0));
    assert!(count.points > 0);
}

#[test]
fn a_killed_apply_over_http_repeats_no_write_and_loses_none_the_other_half() {
    let count = told(|| every_point_over_http(1));
    assert!(count.points > 0);
}
