//! A profile for anybody's server: drafted from its live tools, shown beside them, and held against them.

use loopgate::catalog::Profile;
use serde_json::{Value, json};

use crate::support::{Folder, Ran, peer, settings};

/// A folder with settings for the sandbox as a program, read with `own.yaml`.
fn folder(profile: &str) -> Folder {
    let folder = Folder::new();
    let settings = json!({"server": "own", "servers": {"own": {
        "command": env!("CARGO_BIN_EXE_loopgate"), "arguments": ["sandbox", "serve", "--database", "own.db"],
        "profile": "own.yaml", "tenant": "acme",
    }}});
    folder.write("loopgate.yaml", settings.to_string());
    folder.write("own.yaml", profile);
    folder
}

/// LoopIQ's profile with lines that are changed; each must be there.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(Profile::shipped("loopiq").unwrap().to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not there");
        text.replacen(from, to, 1)
    })
}

/// Each problem as its code, and the text of the line that it names.
fn named_lines(folder: &Folder, ran: &Ran) -> Vec<(String, String)> {
    let checked = ran.json();
    assert_eq!(checked["format"], "loopgate.profile-check/1");
    let problems = checked["problems"].as_array().unwrap().iter().map(|problem| {
        let text = folder.read(problem["source"].as_str().unwrap());
        let line = usize::try_from(problem["place"]["line"].as_u64().unwrap()).unwrap();
        (problem["code"].as_str().unwrap().to_owned(), text.lines().nth(line - 1).unwrap().trim().to_owned())
    });
    problems.collect()
}

#[test]
fn a_draft_from_live_tools_fits_them_and_lets_nothing_be_read() {
    let folder = folder("not a profile yet");
    let ran = folder.run(&["profile", "init", "--server", "own"]).exits(0);
    assert_eq!(ran.stdout.trim(), "./own.profile.yaml");
    let profile = Profile::parse("draft", &folder.read("own.profile.yaml")).unwrap();
    let package = &profile.operations["loopiq_create_remediation_work_package"];
    assert!(package.control.dry_run.is_some() && package.control.idempotency_key.is_some());
    assert!(!package.arguments.contains_key("dryRun"), "no recipe may set it");

    let check = ["profile", "check", "--profile", "own.profile.yaml"];
    folder.run(&check).exits(0);
    let sample = ["--sample", r#"loopiq_get_release_certification={"releaseId":"REL-READY"}"#];
    let ran = folder.run(&[check.as_slice(), &sample].concat()).exits(3);
    assert!(ran.stderr.contains("is not read"), "{}", ran.stderr);

    folder.run(&["profile", "init", "--server", "own"]).exits(3);
    folder.run(&["profile", "init", "--server", "own", "--force", "--tool", "loopiq_list_routes"]).exits(0);
    let profile = Profile::parse("draft", &folder.read("own.profile.yaml")).unwrap();
    assert_eq!(profile.operations.len(), 1);
    let ran = folder.run(&["profile", "init", "--server", "own", "--force", "--tool", "no_tool"]).exits(3);
    assert!(ran.stderr.contains("loopiq_list_routes"), "{}", ran.stderr);
}

#[test]
fn a_profile_that_fits_its_server_passes_with_the_recipes_that_name_it() {
    let folder = folder(&changed(&[]));
    let ran = folder.run(&["profile", "check"]).exits(0);
    assert!(ran.stdout.contains("operations fit"), "{}", ran.stdout);
    let sample = r#"evidence_graph={"certification":"CERT-READY"}"#;
    let certification = r#"certification={"release":"REL-READY"}"#;
    folder.run(&["profile", "check", "--sample", certification]).exits(0);
    let ran = folder.run(&["profile", "check", "--sample", sample, "--format", "json"]);
    assert!(matches!(ran.code, 0 | 3));
    assert_eq!(ran.json()["fits"], ran.code == 0);
    folder.run(&["profile", "check", "--server", "sandbox"]).exits(0);
}

#[test]
fn what_does_not_fit_the_live_tools_is_listed_with_the_lines_to_change() {
    let folder = folder(&changed(&[
        ("tool: loopiq_get_release_certification_evidence_graph", "tool: loopiq_get_evidence_graph"),
        (
            "      release: /releaseId\n      certification: { at: /cert",
            "      release: /release\n      certification: { at: /cert",
        ),
        ("      status: /certification/status", "      status: /certification/mood"),
        ("    fixed: { /open: true }", "    fixed: { /open: maybe }"),
    ]));
    let ran = folder.run(&["profile", "check", "--format", "json"]).exits(3);
    let line = |code: &str, text: &str| (code.to_owned(), text.to_owned());
    let found = named_lines(&folder, &ran);
    for expected in [
        line("no-such-tool", "tool: loopiq_get_evidence_graph"),
        line("no-such-argument", "release: /release"),
        line("no-such-result", "status: /certification/mood"),
        line("value-refused", "fixed: { /open: maybe }"),
    ] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
    let ran = folder.run(&["profile", "check"]).exits(3);
    assert!(ran.stderr.contains("own.yaml:") && ran.stderr.contains("did you mean"), "{}", ran.stderr);
}

#[test]
fn an_answer_that_the_profile_does_not_understand_is_held_against_its_line() {
    let folder = folder(&changed(&[
        ("    pass: [certified]\n", ""),
        (
            "      summary: { at: /certification/summary, optional: true }",
            "      summary: /certification/resume",
        ),
    ]));
    let sample = r#"certification={"release":"REL-READY"}"#;
    let ran = folder.run(&["profile", "check", "--sample", sample, "--format", "json"]).exits(3);
    let found = named_lines(&folder, &ran);
    let line = |text: &str| ("unknown-result".to_owned(), text.to_owned());
    assert!(found.contains(&line("state: { at: /certification/status, state: certification }")), "{found:?}");
    assert!(found.contains(&line("summary: /certification/resume")), "{found:?}");
    let ran =
        folder.run(&["profile", "check", "--sample", r#"certification={"release":"REL-NONE"}"#]).exits(3);
    assert!(ran.stderr.contains("has no answer"), "{}", ran.stderr);
}

#[test]
fn a_recipe_that_the_profile_or_the_server_cannot_do_is_listed_with_its_line() {
    let folder = folder(&changed(&[("  open_work:", "  work_that_is_open:")]));
    let ran = folder.run(&["profile", "check"]).exits(3);
    assert!(ran.stderr.contains("remediation-plan") && ran.stderr.contains("open_work"), "{}", ran.stderr);
    folder.write(
        "raw.yaml",
        "recipe: raw\nsummary: s\nsteps:\n  - id: made\n    write: no_such_tool\n    with: { a: 1 }\n    reason: r\n",
    );
    let ran = folder.run(&["profile", "check", "raw.yaml", "--format", "json"]).exits(3);
    assert_eq!(named_lines(&folder, &ran), [("no-such-tool".to_owned(), "- id: made".to_owned())]);
}

#[test]
fn a_check_says_what_it_could_not_know() {
    let folder = Folder::new();
    folder.write("loopgate.yaml", settings(&peer(), &["loopiq", "honest"], "loopiq"));
    let check = ["profile", "check", "--server", "peer", "--tenant", "acme", "remediation-plan"];
    // Its schemas name nothing at all, so nothing of them can be wrong.
    let ran = folder.run(&check).exits(0);
    assert!(ran.stdout.contains("known only from an answer: what `certification` gives"), "{}", ran.stdout);
    let sample = r#"certification={"release":"REL-1"}"#;
    let ran = folder.run(&[check.as_slice(), &["--sample", sample]].concat()).exits(0);
    assert!(!ran.stdout.contains("what `certification` gives"), "{}", ran.stdout);
    folder.write("loopgate.yaml", settings(&peer(), &["loopiq", "unknown-state"], "loopiq"));
    let sample = r#"evidence_graph={"certification":"CERT-1"}"#;
    let ran = folder.run(&[check.as_slice(), &["--sample", sample]].concat()).exits(3);
    assert!(ran.stderr.contains("shiny"), "{}", ran.stderr);
}

#[test]
fn a_profile_is_shown_alone_and_beside_a_server() {
    let folder = folder(&changed(&[("    tool: loopiq_list_routes", "    tool: no_tool")]));
    let ran = folder.run(&["profile", "show", "loopiq"]).exits(0);
    assert!(ran.stdout.contains("evidence_graph") && !ran.stdout.contains("server:"), "{}", ran.stdout);
    let ran = folder.run(&["profile", "show", "--server", "own"]).exits(0);
    assert!(ran.stdout.contains("the server does not offer this tool"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Tools without an operation"), "{}", ran.stdout);
    let shown = folder.run(&["profile", "show", "--server", "own", "--format", "json"]).exits(0).json();
    let schema: Value = folder.run(&["schema", "profile-summary"]).exits(0).json();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&shown));
    let routes = shown["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "loopiq_list_routes");
    assert_eq!(routes.unwrap()["class"], "write");
}

#[test]
fn what_is_asked_for_wrongly_is_told_by_its_exit_code() {
    let folder = folder(&changed(&[]));
    for (arguments, code) in [
        (vec!["profile", "check", "--sample", "certification=[1]"], 2),
        (vec!["profile", "check", "--sample", "no_operation"], 2),
        (vec!["profile", "check", "--server", "nobody"], 3),
        (vec!["profile", "check", "--profile", "nothing.yaml"], 3),
        (vec!["profile", "check", "nothing.yaml"], 3),
        (vec!["profile", "show"], 2),
    ] {
        folder.run(&arguments).exits(code);
    }
    folder.write("loopgate.yaml", json!({"servers": {"own": {"command": "no-such-program"}}}).to_string());
    folder.run(&["profile", "init", "--server", "own"]).exits(50);
    let output = folder.command(&["profile", "check", "--server", "own"]).env("CI", "true").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "in CI the trust folder is named");
}

/// A pull request's profile would say of a write that it only reads.
#[test]
fn in_ci_no_profile_of_the_checkout_says_what_only_reads() {
    let folder = folder(&changed(&[]));
    folder.write("theirs.yaml", changed(&[]));
    let sample = r#"certification={"release":"REL-READY"}"#;
    let code = |more: &[&str]| {
        let arguments = [&["profile", "check", "--trust", ".", "--sample", sample], more].concat();
        folder.command(&arguments).env("CI", "true").output().unwrap().status.code()
    };
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--profile", "theirs.yaml"]), Some(3));
    assert_eq!(code(&["--profile", "loopiq"]), Some(0));
}
