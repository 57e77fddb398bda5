//! Promises 13 and 14: stdout is data, stderr is for people, a broken pipe is fine.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::Folder;

#[test]
fn with_json_standard_output_is_exactly_one_value() {
    let folder = Folder::new();
    for release in ["REL-READY", "REL-BLOCKED", "REL-EMPTY", "REL-NOWHERE"] {
        let report = folder.sandbox("certify-release", release, &["--format", "json"]).json();
        assert_eq!(report["format"], "loopgate.run/1");
    }
    folder.run(&["list", "--format", "json"]).exits(0).json();
    folder.run(&["validate", "certify-release", "--format", "json"]).exits(0).json();
    folder.write("bad.yaml", "recipe: [");
    folder.run(&["validate", "bad.yaml", "--format", "json"]).exits(3).json();
}

#[test]
fn quiet_says_nothing_but_the_result() {
    let folder = Folder::new();
    let ran = folder.sandbox("certify-release", "REL-READY", &["--quiet"]).exits(0);
    assert_eq!(ran.stderr, "");
    assert!(!ran.stdout.is_empty());
}

#[test]
fn nothing_is_coloured_without_a_terminal() {
    let folder = Folder::new();
    let ran = folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
}

#[test]
fn colour_is_used_where_it_is_forced_and_never_where_it_is_refused() {
    let folder = Folder::new();
    let run = |name: &str| {
        let arguments =
            ["certify-release", "--server", "sandbox", "--tenant", "acme", "--release", "REL-READY"];
        let output = folder.command(&arguments).env(name, "1").output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains('\u{1b}')
    };
    assert!(run("CLICOLOR_FORCE"));
    assert!(!run("NO_COLOR"));
}

#[test]
fn a_broken_pipe_is_the_commands_own_code() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_loopgate"))
        .args(["schema"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr, b"");
}

#[test]
fn events_are_one_json_value_a_line() {
    let folder = Folder::new();
    folder.sandbox("certify-release", "REL-READY", &["--report", "events=e.ndjson"]).exits(0);
    let words: Vec<String> = folder
        .read("e.ndjson")
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["event"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(words.first().map(String::as_str), Some("started"));
    assert_eq!(words.last().map(String::as_str), Some("ended"));
    folder.sandbox("certify-release", "REL-READY", &["--report", "pdf=x"]).exits(2);
    folder.sandbox("certify-release", "REL-READY", &["--report", "json=loopgate-out/run.json"]).exits(2);
    folder.sandbox("certify-release", "REL-READY", &["--report", "json=a", "--report", "events=a"]).exits(2);
    folder
        .sandbox("certify-release", "REL-READY", &["--out", "new", "--report", "events=new/e.ndjson"])
        .exits(0);
    assert!(folder.exists("new/e.ndjson"));
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_half_written() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let folder = Folder::new();
    folder.sandbox("certify-release", "REL-READY", &["--report", "events=/dev/full"]).exits(1);
    // What the run found outranks that it could not be written down.
    folder.sandbox("certify-release", "REL-BLOCKED", &["--report", "events=/dev/full"]).exits(4);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_loopgate"))
        .arg("schema")
        .current_dir(folder.path())
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn results_do_not_go_through_links_or_out_of_the_folder() {
    let folder = Folder::new();
    let outside = Folder::new();
    fs_err::create_dir(folder.path().join("loopgate-out")).unwrap();
    std::os::unix::fs::symlink(
        outside.path().join("stolen.json"),
        folder.path().join("loopgate-out/evidence-graph.json"),
    )
    .unwrap();
    let ran = folder.sandbox("evidence-graph", "REL-READY", &[]).exits(3);
    assert!(ran.stderr.contains("link"), "{}", ran.stderr);
    assert!(!outside.exists("stolen.json"));
    std::os::unix::fs::symlink(outside.path(), folder.path().join("linked")).unwrap();
    folder.sandbox("evidence-graph", "REL-READY", &["--out", "linked"]).exits(3);
    assert!(!outside.exists("run.json"));
}
