//! The shipped binary, killed by system-call injection at one call after the other, in copies of one folder.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use loopgate::core::Digest;
use loopgate::ledger::Ledger;

use crate::governed::{ARTIFACT, LEDGER};
use crate::support::{Folder, has};

/// The calls that make what was written last.
const SYNCS: [&str; 2] = ["fsync", "fdatasync"];
/// How many calls before and after the one that writes are points where none of them syncs.
const NEAR: usize = 12;
/// The calls that send.
const SENDS: [&str; 3] = ["write", "writev", "sendto"];

/// The system calls to be killed at: every which of what is synced, sent or said, and every which of the writes to
/// the ledger between two syncs, which nobody is promised anything of. Waits count only around the call that writes.
pub fn calls(said: usize, pages: usize) -> [(&'static str, usize); 8] {
    [
        ("fsync", said),
        ("fdatasync", said),
        ("write", said),
        ("writev", said),
        ("sendto", said),
        ("pwrite64", pages),
        ("epoll_wait", usize::MAX),
        ("epoll_pwait", usize::MAX),
    ]
}

/// An apply that is killed, over and over, each time as it enters another system call.
pub struct Killed<'a> {
    /// Where everything is ready for it.
    pub ready: &'a Folder,
    /// Its arguments.
    pub apply: &'a [&'a str],
    /// System calls by name, and every which of them.
    pub calls: &'a [(&'static str, usize)],
    /// The tool that writes. From the sync before it is sent to the sync after, every one of the calls is a point.
    pub tool: &'a str,
    pub share: Share,
    /// What a copy of the folder needs besides.
    pub moved: &'a dyn Fn(&Folder),
    /// The ledger of a copy.
    pub ledger: &'a dyn Fn(&Folder) -> Ledger,
}

/// The ledger in a folder's file.
pub fn in_file(folder: &Folder) -> Ledger {
    Ledger::open(&folder.path().join(LEDGER)).unwrap()
}

/// Which of the points: halves, so that they run beside each other.
#[derive(Clone, Copy)]
pub enum Share {
    Whole,
    Half,
    OtherHalf,
}

/// A system call by its name, and which of them.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    call: &'static str,
    number: usize,
}

/// What a killed apply left.
pub struct Crash {
    pub folder: Folder,
    pub point: Point,
    /// Whether the ledger holds an intent without its outcome.
    pub in_doubt: bool,
}

/// What the next apply made of it.
#[derive(PartialEq, Eq)]
pub enum Next {
    Settled,
    Unknown,
}

pub struct Count {
    pub points: usize,
    pub in_doubt: usize,
    pub unknown: usize,
}

impl Killed<'_> {
    /// Kills it at every point, and gives what is left to `goes_on`. `serving` gives what serves a folder for as long
    /// as it is kept.
    pub fn everywhere<S>(
        &self,
        serving: impl Fn(&Folder) -> S,
        mut goes_on: impl FnMut(Crash) -> Next,
    ) -> Count {
        let mut count = Count { points: 0, in_doubt: 0, unknown: 0 };
        for point in self.points(&serving) {
            let folder = self.copied();
            let _served = serving(&folder);
            // No two runs are the same to the call: one may end before it gets there.
            let Some(crash) = self.at(point, folder) else { continue };
            count.points += 1;
            count.in_doubt += usize::from(crash.in_doubt);
            count.unknown += usize::from(goes_on(crash) == Next::Unknown);
        }
        let Count { points, in_doubt, unknown } = &count;
        println!(
            "killed at {points} points, {in_doubt} of them in doubt, {unknown} left unknown by the next apply"
        );
        count
    }

    /// The points of a run that nobody kills.
    pub fn points<S>(&self, serving: impl Fn(&Folder) -> S) -> Vec<Point> {
        let folder = self.copied();
        let _served = serving(&folder);
        let names: Vec<String> = self.calls.iter().map(|(call, _)| format!("?{call}")).collect();
        // As long as the longest message that names the tool.
        let options = ["-o", "calls", "-s", "4096", "-e", &format!("trace={}", names.join(","))];
        assert_eq!(self.traced(&folder, &options).code(), Some(0));
        let log = folder.read("calls");
        let mut seen = BTreeMap::new();
        let made: Vec<(Point, usize, &str)> = log
            .lines()
            .filter_map(|line| {
                let (name, arguments) = line.split_once('(')?;
                let (call, step) = *self.calls.iter().find(|(call, _)| *call == name)?;
                let number = seen.entry(call).or_insert(0);
                *number += 1;
                Some((Point { call, number: *number }, step, arguments))
            })
            .collect();
        let is = |at: usize, calls: &[&str]| calls.contains(&made[at].0.call);
        let sent = (0..made.len()).find(|at| is(*at, &SENDS) && made[*at].2.contains(self.tool)).unwrap();
        // Where somebody else syncs, what is as near.
        let before = (0..sent).rfind(|at| is(*at, &SYNCS)).unwrap_or(sent.saturating_sub(NEAR));
        let after =
            (sent..made.len()).find(|at| is(*at, &SYNCS)).unwrap_or((sent + NEAR).min(made.len() - 1));
        let points = made.iter().enumerate().filter(|(at, (point, step, _))| {
            (before..=after).contains(at) || point.number.is_multiple_of(*step)
        });
        let (first, step) = match self.share {
            Share::Whole => (0, 1),
            Share::Half => (0, 2),
            Share::OtherHalf => (1, 2),
        };
        points.map(|(_, (point, ..))| *point).skip(first).step_by(step).collect()
    }

    /// A copy of the folder, as it is.
    pub fn copied(&self) -> Folder {
        let folder = Folder::new();
        let copy = Command::new("cp").arg("-a").arg(self.ready.path().join(".")).arg(folder.path()).status();
        assert!(copy.unwrap().success());
        (self.moved)(&folder);
        folder
    }

    /// What it leaves in that folder, killed at that point; nothing where it ends before it gets there.
    pub fn at(&self, point: Point, folder: Folder) -> Option<Crash> {
        let Point { call, number } = point;
        let inject = format!("inject={call}:signal=KILL:when={number}");
        let options = ["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject];
        let status = self.traced(&folder, &options);
        if status.code() == Some(0) {
            return None;
        }
        assert!(status.signal() == Some(9) || status.code() == Some(137), "{point:?}: {status}");
        let ledger = (self.ledger)(&folder);
        ledger.verify().unwrap_or_else(|error| panic!("{point:?}: {error}"));
        let chain: Digest = folder.json(ARTIFACT)["effect_digest"].as_str().unwrap().parse().unwrap();
        let in_doubt = ledger.state(&chain).unwrap().has_unknown();
        Some(Crash { folder, point, in_doubt })
    }

    fn traced(&self, folder: &Folder, options: &[&str]) -> std::process::ExitStatus {
        folder
            .process("strace")
            .args(options)
            .arg(env!("CARGO_BIN_EXE_loopgate"))
            .args(self.apply)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
    }
}

pub fn has_strace() -> bool {
    let works = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    has("strace", works)
}
