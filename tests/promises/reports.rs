//! One result in many forms, each read by a program that nobody here wrote.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Folder, Ran, environment, has};

/// Every form that is a file.
const ALL: [&str; 5] = ["json=r.json", "events=r.ndjson", "junit=r.xml", "sarif=r.sarif", "markdown=r.md"];

fn with_reports<'a>(arguments: &[&'a str], reports: &[&'a str]) -> Vec<&'a str> {
    let reports = reports.iter().flat_map(|report| ["--report", *report]);
    arguments.iter().copied().chain(reports).collect()
}

fn certify<'a>(release: &'a str, reports: &[&'a str]) -> Vec<&'a str> {
    let run = ["certify-release", "--server", "sandbox", "--tenant", "acme", "--release", release];
    with_reports(&run, reports)
}

/// A folder with a plan that is approved, and the ID of the approval.
fn approved() -> (Folder, String) {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    let digest = folder.json("loopgate-out/artifact.json")["effect_digest"].as_str().unwrap().to_owned();
    let prefix = digest.strip_prefix("sha256:").unwrap()[..16].to_owned();
    let approve = ["approve", "--as", "alice", "--reason", "reviewed", "--digest", &prefix];
    folder.run(&approve).exits(0);
    let records = fs_err::read_dir(folder.path().join("loopgate-out/approvals")).unwrap();
    let id =
        records.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).next();
    (folder, id.unwrap())
}

fn apply(folder: &Folder, id: &str, reports: &[&str]) -> Ran {
    folder.run(&with_reports(&["apply", "--approval-id", id, "--server", "sandbox"], reports))
}

/// Folders with the reports of everything that can become of a run, an apply and a lock.
fn every_result() -> Vec<(&'static str, Folder)> {
    let mut results = Vec::new();
    for (name, release, code) in
        [("blocked", "REL-BLOCKED", 4), ("ready", "REL-READY", 0), ("nothing visible", "REL-EMPTY", 5)]
    {
        let folder = Folder::new();
        folder.run(&certify(release, &ALL)).exits(code);
        results.push((name, folder));
    }
    let (folder, id) = approved();
    apply(&folder, &id, &ALL).exits(0);
    results.push(("applied", folder));
    let (folder, id) = approved();
    folder
        .run(&["revoke", &id, "--as", "bob", "--reason", "no", "--approvals", "loopgate-out/approvals"])
        .exits(0);
    apply(&folder, &id, &ALL).exits(23);
    results.push(("revoked", folder));
    let folder = Folder::new();
    folder.run(&["lock", "--server", "sandbox"]).exits(0);
    let lock = folder.read("loopgate.lock");
    folder.write("loopgate.lock", lock.replace("\"loopiq_search_work\":", "\"loopiq_search_world\":"));
    let reports: Vec<&str> = ALL.into_iter().filter(|report| !report.starts_with("events")).collect();
    folder.run(&with_reports(&["lock", "--check", "--server", "sandbox"], &reports)).exits(21);
    results.push(("lock", folder));
    let folder = Folder::new();
    let examined = ["doctor", "--server", "sandbox", "--tenant", "globex", "--foreign-tenant", "acme"];
    folder.run(&with_reports(&examined, &reports)).exits(4);
    results.push(("doctor", folder));
    results
}

#[test]
fn junit_is_what_jenkins_schema_says() {
    let schema = environment("LOOPGATE_TEST_JUNIT_XSD").map(PathBuf::from);
    if !has("the JUnit schema (LOOPGATE_TEST_JUNIT_XSD)", schema.as_ref().is_some_and(|path| path.exists())) {
        return;
    }
    for (name, folder) in every_result() {
        let mut lint = folder.process("xmllint");
        lint.args(["--noout", "--nonet", "--schema"]).arg(schema.as_ref().unwrap()).arg("r.xml");
        let output = lint.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn sarif_is_what_its_own_validator_takes() {
    let tool = environment("LOOPGATE_TEST_NODE_MODULES")
        .map(|modules| PathBuf::from(modules).join("@microsoft/sarif-multitool-linux/Sarif.Multitool"));
    if !has(
        "the SARIF multitool (LOOPGATE_TEST_NODE_MODULES)",
        tool.as_ref().is_some_and(|path| path.exists()),
    ) {
        return;
    }
    for (name, folder) in every_result() {
        let mut validate = folder.process(tool.as_ref().unwrap().to_str().unwrap());
        // It is a .NET program, which would want libraries for languages.
        validate.env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1");
        let output = validate.args(["validate", "r.sarif", "--level", "Error"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 files scanned"), "{name}: {said}");
        assert!(!said.contains(": error "), "{name}: {said}");
    }
}

#[test]
fn every_form_tells_the_same_result() {
    let folder = Folder::new();
    folder.run(&certify("REL-BLOCKED", &ALL)).exits(4);
    let run = folder.json("r.json");
    let kept = folder.json("loopgate-out/run.json");
    assert_eq!((&run["id"], &run["steps"]), (&kept["id"], &kept["steps"]));
    let blocking: Vec<String> = folder.json("loopgate-out/findings.json")["blocking"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect();
    let (junit, markdown) = (folder.read("r.xml"), folder.read("r.md").replace('\\', ""));
    let sarif = folder.json("r.sarif");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), blocking.len() + 1, "a result for each gap, and one for the gate");
    for id in &blocking {
        assert!(junit.contains(&format!("<testcase name=\"{id}\"")), "{id}");
        assert!(markdown.contains(&format!("| {id} |")), "{id}");
        let result = results
            .iter()
            .find(|one| one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == json!(id));
        let place = &result.unwrap()["locations"][0]["physicalLocation"];
        let file = place["artifactLocation"]["uri"].as_str().unwrap();
        let line = usize::try_from(place["region"]["startLine"].as_u64().unwrap()).unwrap();
        let found = folder.read(file).lines().nth(line - 1).unwrap().to_owned();
        assert!(found.contains(&format!("\"{id}\"")), "{id}: {found}");
    }
    let controls = folder.json("loopgate-out/evidence-graph.json")["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| node["kind"] == "control")
        .count();
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let of_controls =
        rules.iter().filter(|rule| rule["id"].as_str().unwrap().starts_with("control/")).count();
    assert_eq!(of_controls, controls, "a rule for each control");
    assert!(junit.contains("failures=\"15\"") && markdown.contains("blocked"), "{junit}");
}

#[test]
fn a_problem_keeps_its_fingerprint_from_run_to_run() {
    let prints = || -> Vec<Value> {
        let folder = Folder::new();
        folder.run(&certify("REL-BLOCKED", &["sarif=r.sarif"])).exits(4);
        let log = folder.json("r.sarif");
        let results = log["runs"][0]["results"].as_array().unwrap();
        results.iter().map(|one| one["partialFingerprints"].clone()).collect()
    };
    assert_eq!(prints(), prints());
}

#[test]
fn an_apply_tells_its_events_as_the_ledger_has_them_and_its_report_as_the_audit_has_it() {
    let (folder, id) = approved();
    apply(&folder, &id, &ALL).exits(0);
    let events: Vec<Value> =
        folder.read("r.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let audit = folder.json("loopgate-out/audit.json");
    assert_eq!(json!(events), audit["chain"]["events"]);
    assert_eq!(folder.json("r.json"), audit);
    assert!(folder.read("r.md").contains(audit["artifact"]["effect_digest"].as_str().unwrap()));
}

/// What a step of GitHub Actions is given.
fn in_github(folder: &Folder, arguments: &[&str]) -> Ran {
    folder.write("output", "before=1\n");
    folder.write("summary", "before\n");
    let mut command = folder.command(arguments);
    command.envs([
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_OUTPUT", "output"),
        ("GITHUB_STEP_SUMMARY", "summary"),
    ]);
    command.output().unwrap().into()
}

#[test]
fn a_step_of_github_gets_annotations_outputs_and_a_summary_and_loses_nothing_of_its_own() {
    let folder = Folder::new();
    let ran = in_github(&folder, &certify("REL-BLOCKED", &["github"])).exits(4);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.first(), Some(&"::group::loopgate certify-release"), "{}", ran.stderr);
    let end = lines.iter().position(|line| *line == "::endgroup::").unwrap();
    let after = &lines[end + 1..];
    assert!(
        after.iter().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")),
        "{after:?}"
    );
    for word in ["error", "warning"] {
        let count = after.iter().filter(|line| line.starts_with(&format!("::{word} "))).count();
        assert!((1..=10).contains(&count), "{count} of {word}");
    }
    assert_eq!(
        folder.read("output"),
        "before=1\nverdict=blocked\nexit-code=4\nproblems=15\nblocking=14\noperations=0\n"
    );
    let summary = folder.read("summary");
    assert!(summary.starts_with("before\n## ❌ blocked: `certify-release`"), "{summary}");
    // Standard output is data, and no command is in it.
    assert!(!ran.stdout.contains("::"), "{}", ran.stdout);
    folder.run(&certify("REL-BLOCKED", &["github"])).exits(2);
}

#[test]
fn every_command_with_reports_closes_the_group_that_it_opens_in_a_step_of_github() {
    let folder = Folder::new();
    let case = "{ case: it, inputs: { release: REL-READY }, expect: { verdict: gate-fails } }";
    folder.write(
        "recipes/mine.cases.yaml",
        format!("recipe: certify-release\ntenant: acme\ncases: [{case}]\n"),
    );
    folder.run(&["lock", "--server", "sandbox"]).exits(0);
    let lock = folder.read("loopgate.lock");
    let doctor = ["doctor", "--server", "sandbox", "--tenant", "globex", "--foreign-tenant", "acme"];
    for (arguments, code, title, says) in [
        (&["test"][..], 4, "loopgate test", "file=recipes/mine.cases.yaml,line=3::it: the verdict is `done`"),
        (&["lock", "--check", "--server", "sandbox"], 21, "loopgate lock", "tool `loopiq_search_world`."),
        (
            &doctor,
            4,
            "loopgate doctor",
            "title=loopgate foreign-tenants::server `sandbox`: a read for `acme` is",
        ),
    ] {
        let text = match title {
            "loopgate lock" => lock.replace("\"loopiq_search_work\":", "\"loopiq_search_world\":"),
            _ => lock.clone(),
        };
        folder.write("loopgate.lock", text);
        let ran = in_github(&folder, &with_reports(arguments, &["github"])).exits(code);
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(lines.first(), Some(&format!("::group::{title}").as_str()), "{}", ran.stderr);
        assert_eq!(lines.iter().filter(|line| **line == "::endgroup::").count(), 1, "{}", ran.stderr);
        let errors: Vec<&&str> = lines.iter().filter(|line| line.starts_with("::error ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(says), "{}", ran.stderr);
        let output = folder.read("output");
        assert!(output.starts_with("before=1\nverdict="), "{output}");
        assert!(output.contains(&format!("\nexit-code={code}\nproblems=")), "{output}");
        assert!(folder.read("summary").starts_with("before\n## ❌ "), "{}", folder.read("summary"));
        assert!(!ran.stdout.contains("::group") && !ran.stdout.contains("::error"), "{}", ran.stdout);
    }
    // Nothing wrong is nothing annotated.
    let ran = in_github(&folder, &["lock", "--server", "sandbox", "--report", "github"]).exits(0);
    assert!(ran.stderr.starts_with("::group::loopgate lock\n::endgroup::\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("::error") && !ran.stderr.contains("::warning"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_report_takes_the_place_of_a_link_and_never_follows_it() {
    for report in ALL {
        let folder = Folder::new();
        let target = folder.write("target", "kept");
        let (_, name) = report.split_once('=').unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(name)).unwrap();
        folder.run(&certify("REL-READY", &[report])).exits(0);
        assert_eq!(folder.read("target"), "kept", "{report}");
        assert!(folder.path().join(name).symlink_metadata().unwrap().is_file(), "{report}");
    }
}

#[test]
fn reports_keep_off_the_files_of_an_apply() {
    let (folder, id) = approved();
    for path in [
        "loopgate-out/artifact.json",
        "loopgate-out/audit.json",
        ".loopgate/ledger.db",
        ".loopgate/ledger.db-wal",
    ] {
        let ran = apply(&folder, &id, &[&format!("json={path}")]).exits(2);
        assert!(ran.stderr.contains("uses itself"), "{}", ran.stderr);
    }
    assert!(!folder.exists(".loopgate/ledger.db"), "nothing was done");
}
