//! A server that lies gets no plan, no pass and no way into the terminal.

use crate::support::{Folder, Ran, peer, settings};

fn against(lie: &str, recipe: &str) -> (Folder, Ran) {
    let folder = Folder::new();
    folder.write("loopgate.yaml", settings(&peer(), &["loopiq", lie], "loopiq"));
    let ran = folder.run(&[recipe, "--server", "peer", "--tenant", "acme", "--release", "REL-1"]);
    (folder, ran)
}

#[track_caller]
fn ends(lie: &str, recipe: &str, code: i32, says: &str) {
    let (folder, ran) = against(lie, recipe);
    let ran = ran.exits(code);
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert!(all.contains(says), "{lie}: `{says}` is not said:\n{all}");
    assert_eq!(folder.exists("loopgate-out/artifact.json"), code == 0, "{lie}");
    for stream in [&ran.stdout, &ran.stderr] {
        assert!(!stream.contains('\u{1b}') && !stream.contains('\u{202e}'), "{lie}: {stream:?}");
    }
}

#[test]
fn an_honest_server_gets_a_plan() {
    ends("honest", "remediation-plan", 0, "changes are planned");
}

/// Promise 8.
#[test]
fn no_evidence_is_not_good_evidence() {
    for (lie, says) in [
        ("empty-graph", "empty"),
        ("cyclic-graph", "CTL-1"),
        ("dangling-edge", "CTL-9"),
        ("unknown-state", "shiny"),
        ("node-without-id", "id"),
        ("graph-type", "/graph/nodes"),
        ("no-graph", "/graph"),
        ("no-id", "/certification/id"),
        ("other-release", "asked for release `REL-1`, answered for `REL-OTHER`"),
        ("other-certification", "asked for certification `CERT-1`, answered for `CERT-THIRD`"),
    ] {
        ends(lie, "remediation-plan", 5, says);
    }
}

#[test]
fn a_reply_above_the_limit_is_refused() {
    let folder = Folder::new();
    let mut all: serde_json::Value =
        serde_json::from_str(&settings(&peer(), &["loopiq", "large-graph"], "loopiq")).unwrap();
    all["servers"]["peer"]["reply_limit"] = serde_json::json!(10_000);
    folder.write("loopgate.yaml", all.to_string());
    let ran = folder
        .run(&["evidence-graph", "--server", "peer", "--tenant", "acme", "--release", "REL-1"])
        .exits(50);
    assert!(ran.stdout.contains("too large"), "{}", ran.stdout);
}

#[test]
fn evidence_of_another_release_opens_nothing() {
    ends("other-release", "certify-release", 5, "answered for `REL-OTHER`");
    ends("other-certification", "certify-release", 5, "answered for `CERT-THIRD`");
}

#[test]
fn numbers_that_nobody_uses_change_nothing() {
    ends("unmapped-numbers", "remediation-plan", 0, "changes are planned");
}

#[test]
fn an_unknown_or_misshapen_status_decides_no_gate() {
    ends("unknown-status", "certify-release", 5, "sparkling");
    ends("status-type", "certify-release", 5, "7");
}

#[test]
fn a_certification_that_its_evidence_contradicts_opens_nothing() {
    ends("certified-against-evidence", "certify-release", 4, "block");
}

#[test]
fn a_dry_run_that_may_have_written_leaves_no_artifact() {
    ends("dry-run-unconfirmed", "remediation-plan", 31, "does not say");
    ends("dry-run-denied", "remediation-plan", 31, "does not say");
    ends("dry-run-writes", "remediation-plan", 31, "STORY-1");
    ends("dry-run-twice", "remediation-plan", 31, "`dryRun` stands here twice");
    ends("dry-run-odd-ids", "remediation-plan", 31, "`/parentStory/id` is `7`");
    ends("dry-run-dies", "remediation-plan", 31, "no usable answer");
}

#[test]
fn a_run_that_is_stopped_in_a_dry_run_does_not_say_that_nothing_was_written() {
    let folder = Folder::new();
    folder.write("loopgate.yaml", settings(&peer(), &["loopiq", "dry-run-hangs"], "loopiq"));
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_loopgate"))
        .args(["remediation-plan", "--server", "peer", "--tenant", "acme", "--release", "REL-1", "-v"])
        .args(["--report", "events=events.ndjson"])
        .current_dir(folder.path())
        .env_remove("CI")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // All steps are over; what comes next is the dry run.
    while !folder.exists("events.ndjson") || !folder.read("events.ndjson").contains("\"package\"") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).exits(31);
    assert!(ran.stdout.contains("dry run"), "{}", ran.stdout);
    assert!(!folder.exists("loopgate-out/artifact.json"));
}

#[test]
fn ids_that_no_read_finds_are_a_preview() {
    ends("dry-run-previews-ids", "remediation-plan", 0, "changes are planned");
}

#[test]
fn a_refused_dry_run_is_told_apart_from_one_that_may_not_be_made() {
    ends("dry-run-refused", "remediation-plan", 30, "INVALID_ARGUMENT");
    ends("dry-run-not-visible", "remediation-plan", 30, "NOT_VISIBLE");
    ends("dry-run-other-tenant", "remediation-plan", 51, "TENANT_REFUSED");
    let (folder, ran) = against("dry-run-no-permission", "remediation-plan");
    ran.exits(0);
    let operation = folder.json("loopgate-out/artifact.json")["operations"][0].clone();
    assert_eq!(operation["server_validated"], false);
    assert!(operation["server_validated_why"].as_str().unwrap().contains("credential"));
}

/// Promise 1: without a credential meant for it, the tool is not called.
#[test]
fn a_dry_run_is_made_only_where_the_settings_allow_it() {
    let folder = Folder::new();
    let allowed = settings(&peer(), &["loopiq", "dry-run-unconfirmed"], "loopiq");
    folder.write("loopgate.yaml", allowed.replace("\"dry_runs\":true", "\"dry_runs\":false"));
    folder.run(&["remediation-plan", "--server", "peer", "--tenant", "acme", "--release", "REL-1"]).exits(0);
    let artifact = folder.json("loopgate-out/artifact.json");
    assert_eq!(artifact["operations"][0]["server_validated"], false);
    assert!(artifact["not_proven"].to_string().contains("dry_runs"));
}

/// Promise 9.
#[test]
fn a_servers_hint_raises_a_class() {
    ends("hints-write", "certify-release", 3, "readOnlyHint");
    ends("contract-writes", "certify-release", 3, "readOnlyHint");
}

/// Promise 12.
#[test]
fn tenants_that_disagree_end_the_run() {
    ends("other-tenant", "remediation-plan", 51, "globex");
}

#[test]
fn a_server_that_cannot_be_asked_leaves_something_unproven() {
    for lie in ["cannot-search", "partial-search"] {
        let (folder, ran) = against(lie, "remediation-plan");
        ran.exits(0);
        let artifact = folder.json("loopgate-out/artifact.json");
        assert!(
            artifact["not_proven"].to_string().contains("open work"),
            "{lie}: {}",
            artifact["not_proven"]
        );
    }
}

#[test]
fn trouble_has_its_exit_code_and_message() {
    ends("refuses-sign-in", "certify-release", 51, "TOKEN_EXPIRED");
    ends("server-error", "certify-release", 30, "something broke");
    ends("narrow-schema", "remediation-plan", 3, "/children");
    ends("invalid-utf8", "certify-release", 50, "UTF-8");
    ends("big-number", "remediation-plan", 3, "9007199254740993");
}

/// Promise 13.
#[test]
fn hostile_titles_reach_no_terminal() {
    ends("escapes", "remediation-plan", 0, "changes are planned");
    let (folder, _) = against("escapes", "remediation-plan");
    let shown = folder.run(&["show", "loopgate-out/artifact.json"]).exits(0);
    assert!(!shown.stdout.contains('\u{1b}') && !shown.stdout.contains('\u{202e}'));
    assert!(shown.stdout.contains("\\u{1b}[2J"), "it is spelled out whole: {}", shown.stdout);
    let markdown = folder.run(&["show", "loopgate-out/artifact.json", "--format", "markdown"]).exits(0);
    assert!(!markdown.stdout.contains('\u{1b}') && !markdown.stdout.contains('\u{202e}'));
}
