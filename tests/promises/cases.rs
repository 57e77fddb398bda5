//! Recipes are tried out on cases, and a case that is not as expected is said with what is wrong.

use std::path::Path;

use crate::support::Folder;

const CASES: &str = "recipe: certify-release\ntenant: acme\ncases:\n";

fn tested(cases: &str, code: i32) -> crate::support::Ran {
    let folder = Folder::new();
    folder.write("recipes/mine.cases.yaml", format!("{CASES}{cases}"));
    folder.run(&["test"]).exits(code)
}

#[test]
fn the_shipped_recipes_do_what_their_cases_expect() {
    let folder = Folder::new();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let ran = folder.run(&["test", recipes.to_str().unwrap(), "--format", "json"]).exits(0);
    let result = ran.json();
    let cases = result["cases"].as_array().unwrap();
    assert!(result["passed"] == true && cases.len() >= 14, "{result:#}");
    // Nothing is left, neither a ledger nor a sandbox.
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
    for (name, _) in loopgate::recipe::shipped() {
        assert!(cases.iter().any(|case| case["recipe"] == *name), "`{name}` has no cases");
    }
}

#[test]
fn what_init_writes_of_a_recipe_passes_its_cases_where_it_stands() {
    for (recipe, _) in loopgate::recipe::shipped() {
        let folder = Folder::new();
        folder.run(&["init", recipe]).exits(0);
        folder.run(&["test"]).exits(0);
    }
}

#[test]
fn whatever_is_not_as_expected_is_told() {
    let case = |release: &str, expect: &str| {
        tested(&format!("  - {{ case: it, inputs: {{ release: {release} }}, expect: {expect} }}\n"), 4).told()
    };
    for (release, expect, says) in [
        ("REL-READY", "{ verdict: gate-fails }", "the verdict is `done`, not `gate-fails`"),
        ("REL-BLOCKED", "{ verdict: gate-fails, says: certified }", "it does not say `certified`"),
        (
            "REL-READY",
            "{ verdict: done, steps: { certified: not-run } }",
            "step `certified` is `holds`, not `not-run`",
        ),
        ("REL-READY", "{ verdict: done, steps: { nobody: done } }", "there is no step `nobody`"),
        ("REL-READY", "{ verdict: done, blocking: [X] }", "what blocks is not X"),
        ("REL-READY", "{ verdict: done, operations: [{ id: w }] }", "what is planned is not [w]: []"),
        ("REL-READY", "{ verdict: done, files: { x.json: [] } }", "there is no file `x.json`"),
        (
            "REL-READY",
            "{ verdict: done, files: { findings.json: [{ at: /verdict, equals: blocked }] } }",
            "at `/verdict` stands \"clear\", not \"blocked\"",
        ),
    ] {
        let told = case(release, expect);
        assert!(told.contains(says) && told.contains("1 of 1 case failed"), "{says}: {told}");
    }
}

#[test]
fn a_payload_that_differs_fails_its_case() {
    let folder = Folder::new();
    folder.write(
        "plan.cases.yaml",
        "recipe: remediation-plan\ntenant: acme\ncases:\n  - case: it\n    inputs: { release: REL-PROVIDER }\n    expect:\n      \
         verdict: changes-planned\n      operations: [{ id: package, payload: [{ at: /parent/owner, equals: nobody }] }]\n",
    );
    let ran = folder.run(&["test", "plan.cases.yaml"]).exits(4);
    assert!(
        ran.told().contains("package: at `/parent/owner` stands \"platform\", not \"nobody\""),
        "{}",
        ran.told()
    );
}

#[test]
fn nothing_tested_is_no_pass() {
    let folder = Folder::new();
    fs_err::create_dir(folder.path().join("recipes")).unwrap();
    folder.run(&["test"]).exits(5);
    folder.write("recipes/x.cases.yaml", "recipe: certify-release\ncases: []\n");
    folder.run(&["test"]).exits(5);
}

#[test]
fn a_case_brings_evidence_of_its_own_and_every_case_has_a_sandbox_of_its_own() {
    let folder = Folder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/evidence");
    for name in ["bandit.sarif", "bandit-clean.sarif"] {
        folder.write(&format!("recipes/{name}"), fs_err::read(fixtures.join(name)).unwrap());
    }
    let case = |file: &str, verdict: &str| {
        format!(
            "  - case: with {file}\n    inputs: {{ release: REL-MINE }}\n    evidence: [{{ release: REL-MINE, files: [{file}] }}]\n    \
             expect: {{ verdict: {verdict} }}\n"
        )
    };
    let cases = [
        case("bandit.sarif", "gate-fails"),
        case("bandit-clean.sarif", "done"),
        case("bandit.sarif", "gate-fails"),
    ];
    folder.write("recipes/mine.cases.yaml", format!("{CASES}{}", cases.concat()));
    folder.run(&["test"]).exits(0);
}

/// A release that is certified with a control that nobody knows the state of.
const RECORDS: &str = "tenants:\n  - id: acme\n    releases:\n      - id: REL-NEW\n        name: New\n        status: certified\n        nodes:\n          - { id: REL-NEW, type: release, title: New, status: passed, links: { requires: [CTL-NEW] } }\n          - { id: CTL-NEW, type: control, title: c, status: STATUS, required: true }\n          - { id: EVD-NEW, type: evidence, title: e, status: fresh, required: true, links: { supports: [CTL-NEW] } }\n";

#[test]
fn a_case_brings_records_of_its_own_and_every_case_has_a_sandbox_of_its_own() {
    let folder = Folder::new();
    folder.write("recipes/good.yaml", RECORDS.replace("STATUS", "passed"));
    folder.write("recipes/odd.yaml", RECORDS.replace("STATUS", "parked"));
    let case = |data: &str, verdict: &str| {
        format!(
            "  - {{ case: it, data: {data}, inputs: {{ release: REL-NEW }}, expect: {{ verdict: {verdict} }} }}\n"
        )
    };
    let cases = [("good.yaml", "done"), ("[odd.yaml]", "undecided"), ("[]", "undecided")];
    let cases: String = cases.into_iter().map(|(data, verdict)| case(data, verdict)).collect();
    folder.write("recipes/mine.cases.yaml", format!("{CASES}{cases}"));
    let ran = folder.run(&["test"]).exits(0);
    assert!(ran.stdout.contains("passed  3 cases"), "{}", ran.stdout);
    folder.write("recipes/mine.cases.yaml", format!("{CASES}{}", case("[good.yaml, odd.yaml]", "done")));
    let told = folder.run(&["test"]).exits(3).told();
    assert!(told.contains("`odd.yaml` at `/tenants/0/releases/0/id`"), "{told}");
}

#[test]
fn the_sandbox_takes_a_file_of_records_whole_or_not_at_all() {
    let folder = Folder::new();
    folder.write("good.yaml", RECORDS.replace("STATUS", "passed"));
    folder.write("bad.yaml", RECORDS.replace("requires: [CTL-NEW]", "requires: [CTL-OLD]"));
    let told = folder.run(&["sandbox", "load", "bad.yaml"]).exits(3).told();
    assert!(told.contains("`bad.yaml` at `/tenants/0/releases/0/nodes/0/links`"), "{told}");
    folder.sandbox("certify-release", "REL-NEW", &[]).exits(5);
    let ran = folder.run(&["sandbox", "load", "good.yaml", "--format", "json"]).exits(0);
    assert_eq!(ran.json()["files"][0]["loaded"], serde_json::json!({ "nodes": 3, "releases": 1 }));
    folder.sandbox("certify-release", "REL-NEW", &[]).exits(0);
    let told = folder.run(&["sandbox", "load", "good.yaml"]).exits(3).told();
    assert!(told.contains("there is a release `REL-NEW` already"), "{told}");
}

#[test]
fn cases_of_a_stranger_name_nothing_outside_of_their_folder() {
    for (what, line) in [
        ("recipe", "recipe: ../outside.yaml\ncases: [{ case: c, expect: { verdict: done } }]\n"),
        (
            "evidence",
            "recipe: certify-release\ntenant: acme\ncases: [{ case: c, inputs: { release: R }, evidence: [{ release: R, files: [/etc/passwd] }], \
             expect: { verdict: done } }]\n",
        ),
    ] {
        let folder = Folder::new();
        folder.write("outside.yaml", "recipe: x\nsummary: s\nsteps: []\n");
        folder.write("recipes/x.cases.yaml", line);
        let ran = folder.run(&["test"]).exits(3);
        assert!(ran.stderr.contains("is not a plain path"), "{what}: {}", ran.stderr);
    }
}

#[test]
fn a_file_that_is_no_cases_is_refused_with_its_place() {
    let folder = Folder::new();
    folder.write("recipes/x.cases.yaml", "recipe: certify-release\ncases:\n  - case: c\n    expct: {}\n");
    let ran = folder.run(&["test"]).exits(3);
    assert!(ran.stderr.contains("line 4") && ran.stderr.contains("expct"), "{}", ran.stderr);
}

#[test]
fn a_failed_case_stands_in_every_report_with_its_place() {
    let folder = Folder::new();
    folder.write(
        "recipes/mine.cases.yaml",
        format!("{CASES}  - case: it opens\n    inputs: {{ release: REL-BLOCKED }}\n    expect: {{ verdict: done }}\n"),
    );
    let reports = [
        "--report",
        "junit=j.xml",
        "--report",
        "sarif=s.sarif",
        "--report",
        "markdown=m.md",
        "--report",
        "json=j.json",
    ];
    folder.run(&[&["test"][..], &reports[..]].concat()).exits(4);
    assert!(
        folder.read("j.xml").contains("<testcase name=\"certify-release: it opens\""),
        "{}",
        folder.read("j.xml")
    );
    let place = &folder.json("s.sarif")["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(
        (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
        (&"recipes/mine.cases.yaml".into(), &4.into())
    );
    assert!(folder.read("m.md").contains("1 of 1 case failed"));
    assert_eq!(folder.json("j.json")["passed"], false);
}
