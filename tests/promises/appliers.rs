//! Many `loopgate apply` at once: each a process of its own, all of them with one ledger and one server.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use crate::cluster::{Cluster, PASSWORD};
use crate::governed::{DATABASE, approve};
use crate::served::{Served, TOKEN};
use crate::support::{Folder, Ran};

/// A recipe whose plans read nothing and share nothing.
const PACKAGE: &str = "
recipe: package
summary: A work package for a team.
profile: loopiq
inputs:
  owner: { type: string, required: true, help: Team that owns it }
steps:
  - id: package
    write: work_package
    reason: tested
    with:
      release: REL-BLOCKED
      certification: CERT-REL-BLOCKED
      reason: tested
      parent: { title: 'Work of {{ inputs.owner }}', owner: '{{ inputs.owner }}' }
      children: [{ title: Part, owner: '{{ inputs.owner }}', severity: high, reference: CTL-203 }]
";

/// Plans, approved; a sandbox over HTTP and a ledger in a database of their own.
pub struct Appliers {
    pub folder: Folder,
    pub cluster: &'static Cluster,
    pub database: String,
    /// The approval of each plan.
    approvals: Vec<String>,
    _served: Served,
}

/// An apply that is over.
pub struct Applied {
    artifact: usize,
    /// Which of those that were at work at once started it.
    applier: usize,
    is_second: bool,
    waits: bool,
    process: u32,
    took: Duration,
    pub ran: Ran,
}

/// Plans a package for the team of that name into a folder of that name, and approves it.
pub fn approved_package(folder: &Folder, name: &str) -> String {
    folder.write("package.yaml", PACKAGE);
    let owner = format!("owner={name}");
    folder.run(&["run", "package.yaml", "--input", &owner, "--out", name]).exits(0);
    approve(folder, &artifact(name), "alice")
}

pub fn artifact(name: &str) -> String {
    format!("{name}/artifact.json")
}

/// The IDs of the packages that a sandbox holds for that team.
pub fn packages(database: &PathBuf, name: &str) -> Vec<String> {
    let connection = Connection::open(database).unwrap();
    let mut statement =
        connection.prepare("SELECT id FROM work_items WHERE type = 'story' AND title = ?1").unwrap();
    let rows = statement.query_map([format!("Work of {name}")], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn name(artifact: usize) -> String {
    format!("team-{artifact}")
}

impl Appliers {
    pub fn ready(cluster: &'static Cluster, artifacts: usize) -> Self {
        let folder = Folder::new();
        folder.write("token", TOKEN);
        let served = Served::start(&folder, DATABASE);
        let database = cluster.database();
        folder.run(&["ledger", "init", "--ledger", &cluster.owner(&database)]).exits(0);
        let mut settings = Served::settings(served.address, "auto");
        settings["ledger"] = json!({ "at": format!("{}?connect_timeout=60", cluster.runner(&database)) });
        folder.write("loopgate.yaml", settings.to_string());
        folder.set("PGPASSWORD", PASSWORD);
        let approvals = (0..artifacts).map(|artifact| approved_package(&folder, &name(artifact))).collect();
        Self { folder, cluster, database, approvals, _served: served }
    }

    /// Applies each plan twice, `at_once` processes at a time, the two on a plan right behind each other. The first waits
    /// where it has to, the second where `second_waits`.
    pub fn apply(&self, at_once: usize, second_waits: impl Fn(usize) -> bool + Sync) -> Vec<Applied> {
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for applier in 0..at_once {
                let (next, done, second_waits) = (&next, &done, &second_waits);
                scope.spawn(move || {
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if number >= 2 * self.approvals.len() {
                            break;
                        }
                        let (artifact, is_second) = (number / 2, number % 2 == 1);
                        let waits = !is_second || second_waits(artifact);
                        let applied = self.applied(artifact, applier, is_second, waits);
                        done.lock().unwrap().push(applied);
                    }
                });
            }
        });
        done.into_inner().unwrap()
    }

    fn applied(&self, artifact: usize, applier: usize, is_second: bool, waits: bool) -> Applied {
        let (name, id) = (name(artifact), &self.approvals[artifact]);
        let (file, audit) = (self::artifact(&name), report(artifact, is_second));
        let mut process = self.folder.process(env!("CARGO_BIN_EXE_loopgate"));
        process.args(["apply", &file, "--approval-id", id, "--audit", &audit]);
        if waits {
            process.args(["--wait", "600s"]);
        }
        let begun = Instant::now();
        let process = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = process.id();
        let ran = Ran::from(process.wait_with_output().unwrap());
        Applied { artifact, applier, is_second, waits, process: id, took: begun.elapsed(), ran }
    }

    /// Holds what must be true of all that was applied: each package is there once, whoever reports on it names it,
    /// nothing is unknown, and the ledger is whole.
    pub fn hold(&self, all: &[Applied]) {
        let database = self.folder.path().join(DATABASE);
        for Applied { artifact, is_second, waits, ran, .. } in all {
            if ran.code == 42 && !waits {
                continue;
            }
            ran.clone().exits(0);
            let made = packages(&database, &name(*artifact));
            assert_eq!(made.len(), 1, "team {artifact}");
            let report = self.folder.json(&report(*artifact, *is_second));
            let created = &report["operations"][0]["created"];
            let named: Vec<&str> = created
                .as_array()
                .unwrap()
                .iter()
                .filter(|created| created["name"] == "parent")
                .map(|created| created["id"].as_str().unwrap())
                .collect();
            assert_eq!(named, made, "{created}");
        }
        let counted = self.folder.run(&["ledger", "status", "--format", "json"]).exits(0).json();
        assert_eq!(counted["open_intents"], 0, "{counted}");
        assert_eq!(counted["unknown"].as_array().map(Vec::len), Some(0), "{counted}");
        let written = &counted["tools"]["loopiq_create_remediation_work_package"];
        assert_eq!(written["applied"], self.approvals.len(), "{counted}");
        let verified = self.folder.run(&["ledger", "verify", "--format", "json"]).exits(0).json();
        assert_eq!(verified["chains"], self.approvals.len(), "{verified}");
        let writers = self.writers();
        let intents: usize = writers.values().sum();
        assert_eq!((writers.len(), intents), (self.approvals.len(), self.approvals.len()), "{writers:?}");
    }

    /// How often each process that wrote recorded that it was about to.
    fn writers(&self) -> BTreeMap<u32, usize> {
        let sql = "
            SELECT holder::json ->> 'pid', count(*) FROM loopgate.events
            JOIN loopgate.epochs ON holder::json ->> 'run' = text::json ->> 'run'
            WHERE text::json #>> '{fact,kind}' = 'intent' GROUP BY 1";
        let rows = self.cluster.sql(&self.database, sql);
        let row = |row: &str| {
            let (process, count) = row.split_once('|').unwrap();
            (process.parse().unwrap(), count.parse().unwrap())
        };
        rows.lines().map(row).collect()
    }

    /// How evenly it went: what each of those at work at once got done, and how long an apply took.
    pub fn fairness(&self, all: &[Applied]) -> String {
        let writers = self.writers();
        let wrote = |applied: &&Applied| writers.contains_key(&applied.process);
        let (mut effects, mut waiting) = (BTreeMap::new(), BTreeMap::new());
        for applied in all {
            *effects.entry(applied.applier).or_insert(0) += u128::from(wrote(&applied));
            *waiting.entry(applied.applier).or_insert(0) +=
                if wrote(&applied) { 0 } else { applied.took.as_millis() };
        }
        let took =
            |those: Vec<&Applied>| spread(those.iter().map(|applied| applied.took.as_millis()).collect());
        format!(
            "effects by each: {}; ms behind others by each: {}\nms for one that wrote: {}; for one behind another: {}",
            spread(effects.into_values().collect()),
            spread(waiting.into_values().collect()),
            took(all.iter().filter(wrote).collect()),
            took(all.iter().filter(|applied| !wrote(applied)).collect()),
        )
    }
}

/// The least, the one in the middle, and the most.
fn spread(mut values: Vec<u128>) -> String {
    values.sort_unstable();
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    format!("{} to {}, median {}", at(0), at(values.len().saturating_sub(1)), at(values.len() / 2))
}

fn report(artifact: usize, is_second: bool) -> String {
    format!("{}/audit-{}.json", name(artifact), if is_second { "second" } else { "first" })
}
