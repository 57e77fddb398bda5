//! The reviews of a release: what they leave is the same each time, holds hostile text as text, and stays quick with
//! ten thousand records.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::governed::{ARTIFACT, approve};
use crate::support::Folder;

/// Every file below a folder of the test's, by its name there.
fn files(folder: &Folder, below: &str) -> BTreeMap<String, Vec<u8>> {
    fn collect(root: &Path, at: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs_err::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs_err::read(path).unwrap());
            }
        }
    }
    let (root, mut found) = (folder.path().join(below), BTreeMap::new());
    collect(&root, &root, &mut found);
    found
}

#[test]
fn a_compliance_package_is_the_same_bytes_each_time_and_takes_in_what_the_ledger_says() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    let id = approve(&folder, ARTIFACT, "alice");
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);

    let pack = |out: &str| {
        folder.sandbox("compliance-package", "REL-CONTROLS", &["--out", out]).exits(0);
        let bare = files(&folder, &format!("{out}/package"));
        folder.run(&["audit", "bundle", ARTIFACT, "--package", &format!("{out}/package")]).exits(0);
        (bare, files(&folder, &format!("{out}/package")))
    };
    let (bare, whole) = pack("one");
    assert_eq!(pack("two"), (bare.clone(), whole.clone()));

    // All that is there is listed with its digest, and nothing else: the run itself stands beside.
    let manifest = |files: &BTreeMap<String, Vec<u8>>| -> Value {
        serde_json::from_slice(&files["manifest.json"]).unwrap()
    };
    for files in [&bare, &whole] {
        let listed = manifest(files)["files"].as_array().unwrap().clone();
        let digest = |name: &str| json!(loopgate::core::Digest::of_bytes(&files[name]));
        assert!(listed.iter().all(|file| file["digest"] == digest(file["name"].as_str().unwrap())));
        assert_eq!(listed.len() + 1, files.len());
    }
    assert!(!bare.keys().any(|name| name.starts_with("audit/")) && folder.exists("one/run.json"));
    let bundle = whole.keys().find(|name| name.starts_with("audit/")).unwrap();
    folder.run(&["audit", "verify", &format!("one/package/{bundle}")]).exits(0);
    let run = folder.json("one/run.json");
    let run_id = run["run"]["id"].as_str().or(run["run_id"].as_str()).unwrap_or("no ID").to_owned();
    let named = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&run_id);
    assert!(!bare.values().any(|bytes| named(bytes)), "{run_id}");

    // What was changed since is not packed on.
    folder.write("two/package/index.md", "# All good\n");
    let ran = folder.run(&["audit", "bundle", ARTIFACT, "--package", "two/package"]).exits(22);
    assert!(ran.stderr.contains("`index.md`"), "{}", ran.stderr);
    folder.run(&["audit", "bundle", ARTIFACT, "--package", "one"]).exits(3);
    folder.run(&["audit", "bundle", ARTIFACT]).exits(2);
}

#[test]
fn a_review_shows_hostile_text_as_text_in_every_form() {
    let folder = Folder::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/reviews.data.yaml");
    folder.run(&["sandbox", "load", data.to_str().unwrap()]).exits(0);
    let day: &[&str] = &["--as-of", "2026-11-20"];
    for (recipe, inputs, page) in [
        ("release-readiness", day, "release-readiness.md"),
        ("security-blockers", day, "security-blockers.md"),
        ("compliance-package", &[][..], "package/index.md"),
    ] {
        let reports = ["--report", "markdown=report.md", "--report", "html=report.html"];
        let ran = folder.sandbox(recipe, "REL-HOSTILE", &[inputs, &reports[..]].concat()).exits(4);
        for text in [ran.told(), folder.read("report.md"), folder.read(&format!("loopgate-out/{page}"))] {
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{recipe}: {text}");
            assert!(!text.lines().any(|line| line.starts_with("::") || line.contains("##[group]")), "{text}");
        }
        for name in ["report.md", &format!("loopgate-out/{page}")] {
            // What stands between backticks is shown letter by letter.
            let text = folder.read(name).replace("\\`", "");
            let text: String = text.split('`').step_by(2).collect();
            assert!(!text.contains("<script>") && !text.contains("<img src=x"), "{recipe}: {text}");
            assert!(!text.contains("\n# heading") && !text.contains("](x)"), "{recipe}: {text}");
        }
        assert!(!folder.read("report.html").contains("<script>alert(1)"), "{recipe}");
    }
}

#[test]
fn ten_thousand_findings_are_reviewed() {
    let folder = Folder::new();
    let mut data = String::from(
        "tenants:\n  - id: acme\n    releases:\n      - id: REL-MANY\n        name: Many\n        status: blocked\n        \
         summary: Many\n        nodes:\n          \
         - { id: REL-MANY, type: release, title: Many, status: failed, links: { requires: [CTL-M] } }\n          \
         - { id: CTL-M, type: control, title: Scanned, status: waived, required: true, provider: code-scan }\n          \
         - { id: EVD-M, type: evidence, title: Scan, status: fresh, required: true, provider: code-scan, links: { supports: [CTL-M] } }\n",
    );
    for number in 0..10_000 {
        // Two scanners report each.
        let (vulnerability, provider) =
            (number / 2, if number % 2 == 0 { "code-scan" } else { "container-scan" });
        writeln!(
            data,
            "          - {{ id: FND-M{number}, type: finding, title: t, status: open, severity: high, provider: {provider}, \
             cve: CVE-2026-{:05}, component: c, owner: o }}",
            10_000 + vulnerability
        )
        .unwrap();
    }
    folder.write("many.yaml", data);
    folder.run(&["sandbox", "load", "many.yaml"]).exits(0);
    let day = ["--as-of", "2026-11-20"];
    folder.sandbox("security-blockers", "REL-MANY", &day).exits(4);
    let found = folder.json("loopgate-out/security-blockers.json");
    assert_eq!(found["by_severity"][1]["blockers"], 5000);
    assert_eq!(found["blockers"][4999]["ids"], json!(["FND-M9998", "FND-M9999"]));
    folder
        .sandbox(
            "release-readiness",
            "REL-MANY",
            &[&day[..], &["--require-checks", "false", "--require-rollback-plan", "false"]].concat(),
        )
        .exits(4);
    assert_eq!(
        folder.json("loopgate-out/release-readiness.json")["changes"].as_array().unwrap().len(),
        10_001
    );
    folder.sandbox("compliance-package", "REL-MANY", &[]).exits(0);
    // A package of so many tasks is more than the tool takes, and nothing is planned.
    let told = folder.sandbox("remediation-plan", "REL-MANY", &[]).exits(3).told();
    assert!(told.contains("at `/children`"), "{told}");
    assert!(!folder.exists("loopgate-out/artifact.json"));
}
