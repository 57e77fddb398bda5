//! The main job on the embedded sandbox: certify, gather, plan.

use loopgate::artifact::Artifact;
use serde_json::Value;

use crate::support::Folder;

#[test]
fn the_shipped_recipes_end_as_the_release_deserves() {
    for (recipe, release, code) in [
        ("certify-release", "REL-READY", 0),
        ("certify-release", "REL-BLOCKED", 4),
        ("certify-release", "REL-EMPTY", 5),
        ("evidence-graph", "REL-READY", 0),
        ("evidence-graph", "REL-BLOCKED", 0),
        ("evidence-graph", "REL-EMPTY", 5),
        ("remediation-plan", "REL-READY", 0),
        ("remediation-plan", "REL-BLOCKED", 0),
        ("remediation-plan", "REL-EMPTY", 5),
    ] {
        let folder = Folder::new();
        folder.sandbox(recipe, release, &[]).exits(code);
        assert!(folder.exists("loopgate-out/run.json"), "{recipe} {release}");
        let planned = recipe == "remediation-plan" && code == 0;
        assert_eq!(folder.exists("loopgate-out/artifact.json"), planned, "{recipe} {release}");
    }
}

#[test]
fn a_gate_that_does_not_hold_says_what_it_saw() {
    let folder = Folder::new();
    let blocked = folder.sandbox("certify-release", "REL-BLOCKED", &[]).exits(4);
    let state = "      false: {{ evidence.certification.state == 'pass' }}\n      \
                 seen: `evidence.certification.state` is \"fail\"\n";
    assert!(blocked.stdout.contains(state), "{}", blocked.stdout);
    let ready = folder.sandbox("certify-release", "REL-READY", &[]).exits(0);
    assert!(!ready.stdout.contains("seen:"), "{}", ready.stdout);

    folder.write(
        "r.yaml",
        "recipe: r\nsummary: s\nprofile: loopiq\ninputs:\n  most: { type: integer, default: 3, help: h }\nsteps:\n  \
         - id: c\n    read: certification\n    with: { release: REL-BLOCKED }\n  \
         - id: g\n    read: evidence_graph\n    with: { certification: \"{{ c.id }}\" }\n  \
         - id: f\n    analyze: evidence\n    of: g\n  \
         - id: few\n    gate: \"{{ f.blocking | length <= inputs.most and f.blocking | length < 9 }}\"\n    says: few\n",
    );
    let many = folder.run(&["run", "r.yaml", "--server", "sandbox", "--tenant", "acme"]).exits(4);
    assert!(
        many.stdout.contains("seen: `f.blocking` has 14 items\n      seen: `inputs.most` is 3\n"),
        "{}",
        many.stdout
    );
}

#[test]
fn another_tenant_sees_none_of_them() {
    let folder = Folder::new();
    for recipe in ["certify-release", "evidence-graph", "remediation-plan"] {
        for release in ["REL-READY", "REL-BLOCKED", "REL-EMPTY"] {
            let ran = folder
                .run(&[recipe, "--server", "sandbox", "--tenant", "globex", "--release", release])
                .exits(5);
            assert!(ran.stdout.contains("nothing is visible"), "{}", ran.stdout);
        }
    }
}

#[test]
fn planned_changes_are_told_by_the_exit_code_where_that_is_asked_for() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--detailed-exitcode"]).exits(10);
    folder.sandbox("remediation-plan", "REL-READY", &["--detailed-exitcode"]).exits(0);
}

#[test]
fn a_plan_with_nothing_to_do_says_so_itself() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-READY", &[]).exits(0);
    let artifact = folder.json("loopgate-out/artifact.json");
    assert_eq!(artifact["operations"], Value::Array(Vec::new()));
    assert!(artifact["summary"].as_str().unwrap().starts_with("nothing to do"));
}

#[test]
fn the_artifact_holds_the_payload_and_verifies() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    let text = folder.read("loopgate-out/artifact.json");
    let artifact = Artifact::read("artifact.json", text.as_bytes()).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["format"], "loopgate.artifact/1");
    assert_eq!(document["effect_digest"], artifact.effect_digest().to_string());
    assert_eq!(document["target"]["tenant"], "acme");
    assert_eq!(document["target"]["sandbox"], true);
    let operation = &document["operations"][0];
    assert_eq!(operation["tool"], "loopiq_create_remediation_work_package");
    assert_eq!(operation["server_validated"], true);
    for control in ["dryRun", "approvalId", "idempotencyKey"] {
        assert_eq!(operation["arguments"].get(control), None, "{control}");
    }
    assert!(!operation["arguments"]["children"].as_array().unwrap().is_empty());
    let steps: Vec<&str> = document["preconditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|precondition| precondition["step"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["evidence.certification", "evidence.graph", "open_work"]);
}

/// Promise 1.
#[test]
fn run_writes_nothing() {
    let folder = Folder::new();
    folder.sandbox("certify-release", "REL-READY", &[]).exits(0);
    let before = folder.dump(".loopgate/sandbox.db");
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--detailed-exitcode"]).exits(10);
    assert_eq!(folder.dump(".loopgate/sandbox.db"), before);
}

#[test]
fn the_same_inputs_and_server_state_give_the_same_bytes() {
    let (one, two) = (Folder::new(), Folder::new());
    for folder in [&one, &two] {
        folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    }
    for name in ["artifact.json", "evidence-graph.json", "findings.json", "work.json", "evidence-graph.mmd"] {
        let name = format!("loopgate-out/{name}");
        assert_eq!(one.read(&name), two.read(&name), "{name}");
    }
}

#[test]
fn nothing_of_an_earlier_run_is_left_for_another_release() {
    let folder = Folder::new();
    folder.sandbox("certify-release", "REL-READY", &[]).exits(0);
    assert!(folder.exists("loopgate-out/findings.json"));
    folder.sandbox("certify-release", "REL-NOWHERE", &[]).exits(5);
    assert!(!folder.exists("loopgate-out/findings.json"));
}

#[test]
fn a_gate_that_is_skipped_passes_nothing() {
    let folder = Folder::new();
    folder.write(
        "r.yaml",
        "recipe: r\nsummary: s\nprofile: loopiq\nsteps:\n  - id: c\n    read: certification\n    \
         with: { release: REL-BLOCKED }\n  - id: g\n    when: \"{{ c.state == 'pass' }}\"\n    \
         gate: \"{{ c.id != '' }}\"\n    says: fine\n",
    );
    let ran = folder.run(&["run", "r.yaml", "--server", "sandbox", "--tenant", "acme"]).exits(5);
    assert!(ran.stdout.contains("skipped"), "{}", ran.stdout);
}

#[test]
fn a_failed_run_leaves_no_earlier_plan() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    assert!(folder.exists("loopgate-out/artifact.json"));
    folder.sandbox("certify-release", "REL-BLOCKED", &[]).exits(4);
    assert!(folder.exists("loopgate-out/artifact.json"), "a recipe without writes has no say in it");
    folder.sandbox("remediation-plan", "REL-EMPTY", &[]).exits(5);
    assert!(!folder.exists("loopgate-out/artifact.json"));
}

/// Promise 16.
#[test]
fn the_sandbox_is_used_only_when_it_is_named_and_every_output_says_so() {
    let folder = Folder::new();
    let ran = folder.run(&["certify-release", "--release", "REL-READY"]).exits(3);
    assert!(ran.stderr.contains("--server sandbox"), "{}", ran.stderr);
    assert!(!folder.exists(".loopgate") && !folder.exists("loopgate-out"));
    let ran = folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    assert!(ran.stdout.contains("sandbox"), "{}", ran.stdout);
    assert_eq!(folder.json("loopgate-out/run.json")["sandbox"], true);
    for format in ["text", "markdown", "json"] {
        let shown = folder.run(&["show", "loopgate-out/artifact.json", "--format", format]).exits(0);
        assert!(shown.stdout.contains("sandbox"), "{format}: {}", shown.stdout);
    }
}

#[test]
fn a_tenant_must_be_named_before_anything_is_called() {
    let folder = Folder::new();
    let ran = folder.run(&["certify-release", "--server", "sandbox", "--release", "REL-READY"]).exits(3);
    assert!(ran.stdout.contains("--tenant"), "{}", ran.stdout);
    folder
        .run(&["certify-release", "--server", "sandbox", "--tenant", "initech", "--release", "REL-READY"])
        .exits(51);
}

#[test]
fn what_open_work_covers_is_not_proposed_again() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-COVERED", &[]).exits(0);
    let work = folder.json("loopgate-out/work.json");
    assert!(!work["covered"].as_array().unwrap().is_empty());
    assert!(work["summary"].as_str().unwrap().contains("covered by STORY-"), "{}", work["summary"]);
    let artifact = folder.json("loopgate-out/artifact.json");
    let proposed = work["proposed"].as_array().unwrap().len();
    let children = artifact["operations"][0]["arguments"]["children"].as_array().map_or(0, Vec::len);
    assert_eq!(proposed, children);
}
