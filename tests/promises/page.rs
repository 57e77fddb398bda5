//! The page that `--report html=PATH` leaves, in a browser: it loads nothing, runs nothing that a stranger wrote, and can
//! be read and used by everybody.
//!
//! The browser is Debian's `chromium`, found by `PATH` or `LOOPGATE_TEST_CHROMIUM`; `tests/browser/drive.mjs` drives it.
//! The checkers come from npm: html-validate, and axe-core.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::corpus::ATTACKS;
use crate::governed::{Governed, Keys};
use crate::lock;
use crate::support::{Folder, Ran, environment, has, peer, settings};

const PATIENCE: Duration = Duration::from_secs(180);
/// Findings of the largest page.
const MANY: usize = 10_000;

/// Programs that a page is shown to.
struct Tools {
    node: PathBuf,
    modules: PathBuf,
}

impl Tools {
    fn find(module: &str) -> Option<Self> {
        let node = environment("LOOPGATE_TEST_NODE").map(PathBuf::from);
        let modules = environment("LOOPGATE_TEST_NODE_MODULES").map(PathBuf::from);
        let tools = node.zip(modules).map(|(node, modules)| Self { node, modules });
        let there =
            tools.as_ref().is_some_and(|tools| tools.node.exists() && tools.modules.join(module).exists());
        if has(&format!("{module}, or a Node.js for it,"), there) { tools } else { None }
    }

    fn run(&self, folder: &Folder, arguments: &[String]) -> Ran {
        let mut command = folder.process(self.node.to_str().unwrap());
        command.args(arguments);
        assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap().into()
    }
}

fn chromium() -> Option<PathBuf> {
    let named = environment("LOOPGATE_TEST_CHROMIUM").map(PathBuf::from);
    let path = environment("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|path| path.exists())
    });
    let there = found.as_ref().is_some_and(|path| path.exists());
    if has("Chromium", there) { found } else { None }
}

/// A page of each kind, by name.
fn pages(folder: &Folder) -> Vec<&'static str> {
    let page = |name: &str| format!("html={}", folder.path().join(format!("{name}.html")).display());
    let of = |name: &str, recipe: &str, release: &str, code: i32| {
        folder.sandbox(recipe, release, &["--out", name, "--report", &page(name)]).exits(code);
    };
    of("blocked", "certify-release", "REL-BLOCKED", 4);
    of("ready", "certify-release", "REL-READY", 0);
    of("undecided", "certify-release", "REL-EMPTY", 5);
    of("plan", "remediation-plan", "REL-BLOCKED", 0);
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    for data in ["incident-triage", "analytics-dashboard"] {
        let data = recipes.join(format!("{data}.data.yaml"));
        folder.run(&["sandbox", "load", data.to_str().unwrap(), "--database", "hostile.db"]).exits(0);
    }
    let shown = |name: &str, recipe: &str, server: &str, inputs: &[&str], code: i32| {
        let report = page(name);
        let common = [recipe, "--server", server, "--tenant", "acme", "--out", name, "--report", &report];
        folder.run(&[common.as_slice(), inputs].concat()).exits(code);
    };
    let (year, week) =
        (["--from", "2026-06-01", "--to", "2026-11-20"], ["--from", "2026-11-01", "--to", "2026-11-06"]);
    let (release, hostile) = (["--dashboard", "DASH-RELEASE"], ["--dashboard", "DASH-H<1>"]);
    shown("dashboard", "analytics-dashboard", "sandbox", &[release.as_slice(), &year].concat(), 0);
    shown(
        "hostile-dashboard",
        "analytics-dashboard",
        "sandbox:hostile.db",
        &[hostile.as_slice(), &week].concat(),
        0,
    );
    let day = ["--as-of", "2026-11-20"];
    shown("sprint", "sprint-plan", "sandbox", &[day.as_slice(), &["--team", "security"]].concat(), 0);
    shown("hostile-triage", "incident-triage", "sandbox:hostile.db", &day, 5);
    for (name, faults, code) in [("applied", "", 0), ("unknown", "internal-error", 31)] {
        let (governed, id) = Governed::ready(faults, Keys::Honoured);
        governed.apply(&id, &["--report", &page(name)]).exits(code);
    }
    let locked = lock::folder();
    locked.run(&["lock"]).exits(0);
    lock::offer(&locked, |offers| {
        offers["tools"][1]["inputSchema"]["properties"]["size"]["type"] = json!("string");
    });
    locked.run(&["lock", "--check", "--report", &page("lock")]).exits(21);
    let hostile = ATTACKS.iter().enumerate().map(|(number, attack)| {
        json!({
            "id": format!("{attack} {number}"), "title": attack, "severity": attack, "owner": attack,
            "provider": attack, "dueDate": attack, "url": attack,
        })
    });
    offered(hostile, &page("hostile"));
    let briefs = ["dashboard", "hostile-dashboard", "sprint", "hostile-triage"];
    [["blocked", "ready", "undecided", "plan", "applied", "unknown", "lock", "hostile"].as_slice(), &briefs]
        .concat()
}

/// Lets a server answer with a control for each of the nodes, and none of them holds.
fn offered(nodes: impl Iterator<Item = Value>, report: &str) {
    let folder = Folder::new();
    let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
    let nodes: Vec<Value> = nodes
        .map(|mut node| {
            node["type"] = json!("control");
            node["status"] = json!("failed");
            node
        })
        .collect();
    let certification = "loopiq_get_release_certification";
    let graph = "loopiq_get_release_certification_evidence_graph";
    folder.write(
        "offers.json",
        json!({
            "tools": [tool(certification), tool(graph), tool("loopiq_get_mcp_reliability_contract")],
            "answers": {
                certification: {"certification": {"id": "CERT-1", "release": {"id": "REL-1"}, "status": "blocked"}},
                graph: {"graph": {"certificationId": "CERT-1", "nodes": nodes, "edges": []}},
            },
        })
        .to_string(),
    );
    folder.write("loopgate.yaml", settings(&peer(), &["offers", "offers.json"], "loopiq"));
    let arguments = ["--server", "peer", "--tenant", "acme", "--release", "REL-1", "--report", report];
    folder.run(&[["certify-release"].as_slice(), &arguments].concat()).exits(4);
}

#[test]
fn a_page_is_valid_html_for_a_checker_that_nobody_here_wrote() {
    let Some(tools) = Tools::find("html-validate/bin/html-validate.mjs") else { return };
    let folder = Folder::new();
    let mut arguments = vec![tools.modules.join("html-validate/bin/html-validate.mjs").display().to_string()];
    arguments.extend(pages(&folder).iter().map(|page| format!("{page}.html")));
    tools.run(&folder, &arguments).exits(0);
}

#[test]
fn a_page_loads_nothing_runs_no_strangers_script_and_can_be_used_by_everybody() {
    let Some((tools, chromium)) = Tools::find("axe-core/axe.min.js").zip(chromium()) else { return };
    let folder = Folder::new();
    let mut names = pages(&folder);
    let many = (0..MANY).map(|number| {
        json!({
            "id": format!("CTL-{number}"), "title": format!("Control number {number} does not hold"),
            "severity": "high", "owner": "platform", "provider": "scanner", "dueDate": "2026-12-01",
            "url": format!("https://scan.example/runs/{number}"),
        })
    });
    offered(many, &format!("html={}", folder.path().join("many.html").display()));
    names.push("many");
    let driver = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/browser/drive.mjs");
    let mut arguments: Vec<String> = [driver, chromium, tools.modules.join("axe-core/axe.min.js")]
        .map(|path| path.display().to_string())
        .into();
    arguments.extend(names.iter().map(|name| format!("{}/{name}.html", folder.path().display())));
    let seen = tools.run(&folder, &arguments).exits(0).json();
    for (name, saw) in names.iter().zip(seen.as_array().unwrap()) {
        // A violation of the policy, an error and a dialog are all said.
        assert_eq!(saw["said"], json!([]), "{name}");
        assert_eq!(saw["asked"], json!([]), "{name}");
        let large = *name == "many";
        let found = if large { json!({}) } else { json!({"light": [], "dark": [], "narrow": []}) };
        assert_eq!(saw["axe"], found, "{name}");
        let wide = if large {
            json!({"light": false})
        } else {
            json!({"light": false, "dark": false, "narrow": false})
        };
        assert_eq!(saw["sideways"], wide, "{name}");
        assert_eq!(saw["tab"], json!(["Skip to the result", "solid", true]), "{name}");
        assert_eq!(saw["skipped"], "result", "{name}");
        let printed = if large { Value::Null } else { json!({"controls": 0, "hidden": 0}) };
        assert_eq!(saw["printed"], printed, "{name}");
        let rows = match *name {
            "blocked" | "plan" => 14,
            "hostile" => ATTACKS.len(),
            "many" => MANY,
            _ => 0,
        };
        assert_eq!(saw["without"], json!({"rows": rows, "tools": []}), "{name}");
    }
    let of = |name: &str| &seen[names.iter().position(|other| *other == name).unwrap()];
    let bytes = folder.read("many.html").len();
    let (loaded, took) = (&of("many")["loaded"], &of("many")["took"]);
    println!("{MANY} findings: {bytes} bytes, open after {loaded} ms, searched in {took} ms");
    assert_eq!(of("many")["hands"]["begin"]["says"], "10,000 findings, the first 200 shown");

    let hands = &of("blocked")["hands"];
    let step = |step: &str| {
        let saw = &hands[step];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (saw["rows"].as_u64().unwrap(), text(&saw["first"]), text(&saw["says"]), text(&saw["sorted"][0]))
    };
    let worst = "No critical vulnerability is open";
    let (encrypted, incident) =
        ("Card data is encrypted at rest", "Incident 4471 on the settlement queue is not closed");
    let latency = "Settlement latency stays below 300 ms at peak load";
    let by_severity = "Severity descending";
    for (name, rows, first, says, sorted) in [
        ("begin", 14, worst, "14 findings", by_severity),
        ("search", 1, encrypted, "1 of 14 findings", by_severity),
        ("clear", 14, worst, "14 findings", by_severity),
        ("severity", 4, worst, "4 of 14 findings", by_severity),
        ("owner", 2, encrypted, "2 of 14 findings", by_severity),
        ("cause", 1, incident, "1 of 14 findings", by_severity),
        ("due", 14, incident, "14 findings", "Due ascending"),
        ("late", 14, latency, "14 findings", "Due descending"),
    ] {
        assert_eq!(step(name), (rows, first.into(), says.into(), sorted.into()), "{name}");
    }
}
