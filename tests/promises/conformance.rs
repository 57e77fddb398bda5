//! The official conformance suite, client side, at both revisions of the protocol. The client is the product's own
//! module under `tests/conformance/main.rs`; what does not apply to it stands in a list beside that, with reasons.
//!
//! The suite is a program for Node.js 22 or newer: `LOOPGATE_TEST_NODE` names that program, and
//! `LOOPGATE_TEST_NODE_MODULES` the folder that the suite is installed in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Folder, Ran, environment, example, has};

/// The suite gives each scenario 30 seconds, all of them at once.
const PATIENCE: Duration = Duration::from_secs(120);

/// The suite, where it is installed.
pub struct Suite {
    node: PathBuf,
    entry: PathBuf,
}

/// What does not apply: a scenario or a `scenario:check`, and why.
struct Excuse {
    of: String,
    why: String,
}

/// What came of one scenario.
struct Played {
    scenario: String,
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
    /// What the client wrote to its standard error.
    complaint: String,
}

impl Suite {
    pub fn find() -> Option<Self> {
        let node = environment("LOOPGATE_TEST_NODE").map(PathBuf::from);
        let modules = environment("LOOPGATE_TEST_NODE_MODULES").map(PathBuf::from);
        let entry = modules.map(|folder| folder.join("@modelcontextprotocol/conformance/dist/index.js"));
        let suite = node.zip(entry).map(|(node, entry)| Self { node, entry });
        let there = suite.as_ref().is_some_and(|suite| suite.node.exists() && suite.entry.exists());
        if has("the official conformance suite, or a Node.js for it,", there) { suite } else { None }
    }

    pub fn run(&self, folder: &Folder, arguments: &[&str]) -> Ran {
        let mut command: Command = folder.process(self.node.to_str().unwrap());
        // The suite cuts the client's command at blanks, so that the folder must not stand in it.
        command.current_dir(example("conformance").parent().unwrap()).arg(&self.entry).args(arguments);
        assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap().into()
    }

    /// Plays all scenarios of a revision, the client set to `protocol`.
    fn play(&self, revision: &str, protocol: &str) -> Vec<Played> {
        let folder = Folder::new();
        let client = format!("./conformance{} {protocol}", std::env::consts::EXE_SUFFIX);
        let (list, results) = (list(), folder.path().join("results"));
        let arguments = ["client", "--command", &client, "--requirements", revision, "--verbose"];
        let files = ["--expected-failures", list.to_str().unwrap(), "-o", results.to_str().unwrap()];
        let ran = self.run(&folder, &[arguments.as_slice(), files.as_slice()].concat()).exits(0);
        let played = Played::all(&results, &results);
        let all = format!("requirements {revision} ({} scenarios)", played.len());
        assert!(ran.stdout.contains(&all), "{} have results\n{}\n{}", played.len(), ran.stdout, ran.stderr);
        played
    }
}

impl Played {
    /// The scenarios whose results are below `folder`; `/` in a name is a folder of its own.
    fn all(results: &Path, folder: &Path) -> Vec<Self> {
        let mut played = Vec::new();
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match fs_err::read(path.join("checks.json")) {
                Ok(checks) => played.push(Self::read(results, &path, &checks)),
                Err(_) => played.extend(Self::all(results, &path)),
            }
        }
        played
    }

    fn read(results: &Path, folder: &Path, checks: &[u8]) -> Self {
        let dated = folder.strip_prefix(results).unwrap().to_str().unwrap();
        let scenario = dated[..dated.len() - "-2026-01-01T00-00-00-000Z".len()].to_owned();
        let checks: Vec<Value> = serde_json::from_slice(checks).unwrap();
        let with = |statuses: &[&str]| {
            let checks = checks.iter().filter(|check| statuses.contains(&check["status"].as_str().unwrap()));
            checks.map(|check| check["id"].as_str().unwrap().to_owned()).collect()
        };
        let complaint = fs_err::read_to_string(folder.join("stderr.txt")).unwrap();
        Self { scenario, passed: with(&["SUCCESS"]), failed: with(&["FAILURE", "WARNING"]), complaint }
    }

    /// What is wrong with it. The suite judges the same of what the revision requires; of what it reports
    /// besides, and of what the client itself says, it judges nothing.
    fn wrong(&self, excuses: &[Excuse]) -> Vec<String> {
        let Self { scenario, passed, failed, complaint } = self;
        if excuses.iter().any(|excuse| excuse.of == *scenario) {
            let stale = failed.is_empty().then(|| format!("{scenario} passes, and is in the list"));
            return stale.into_iter().collect();
        }
        let of = format!("{scenario}:");
        let excused: BTreeSet<String> =
            excuses.iter().filter_map(|excuse| excuse.of.strip_prefix(&of).map(str::to_owned)).collect();
        let mut wrong: Vec<String> =
            failed.difference(&excused).map(|check| format!("{of}{check} fails")).collect();
        wrong.extend(excused.difference(failed).map(|check| format!("{of}{check} does not fail any more")));
        if passed.is_empty() {
            wrong.push(format!("{scenario} has checked nothing"));
        }
        if !complaint.is_empty() {
            wrong.push(format!("{scenario}: the client says: {complaint}"));
        }
        wrong
    }
}

fn list() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/not-applicable.yaml")
}

fn excuses() -> Vec<Excuse> {
    let text = fs_err::read_to_string(list()).unwrap();
    let entries = text.lines().filter_map(|line| line.trim_start().strip_prefix("- "));
    let excuses = entries.map(|entry| {
        let (of, why) = entry.split_once(" # ").unwrap_or((entry, ""));
        Excuse { of: of.to_owned(), why: why.to_owned() }
    });
    excuses.collect()
}

/// Plays a revision as the settings name it, and as the client finds it out.
fn passes(revision: &str) {
    let Some(suite) = Suite::find() else { return };
    for protocol in [revision, "auto"] {
        let excuses = excuses();
        let played = suite.play(revision, protocol);
        let wrong: Vec<String> = played.iter().flat_map(|played| played.wrong(&excuses)).collect();
        assert!(wrong.is_empty(), "{revision}, protocol `{protocol}`:\n{}", wrong.join("\n"));
    }
}

#[test]
fn the_official_client_suite_passes_at_2025_11_25() {
    passes("2025-11-25");
}

#[test]
fn the_official_client_suite_passes_at_2026_07_28() {
    passes("2026-07-28");
}

#[test]
fn what_does_not_apply_is_in_the_suite_and_has_a_reason() {
    for Excuse { of, why } in excuses() {
        assert!(!why.is_empty(), "{of}");
    }
    let Some(suite) = Suite::find() else { return };
    let listed = suite.run(&Folder::new(), &["list", "--client"]).exits(0).stdout;
    let known: BTreeSet<&str> =
        listed.lines().filter_map(|line| line.trim_start().strip_prefix("- ")?.split(' ').next()).collect();
    for Excuse { of, .. } in excuses() {
        let scenario = of.split(':').next().unwrap();
        assert!(known.contains(scenario), "`{scenario}` is no scenario of the suite:\n{listed}");
    }
}
