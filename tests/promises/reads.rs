//! How reads are made: at once, again, within their time, in the caller's trace, and through a profile.

use serde_json::{Value, json};

use crate::support::{Folder, Ran, peer, settings};

const PROFILE: &str = "profile: echo
summary: s
context:
  request_id: { meta: x/request, basis: observed }
  workflow: { meta: x/workflow, basis: observed }
  trace: { meta: traceparent, basis: protocol }
operations:
  echo:
    summary: s
    tool: echo
    class: read
    basis: { tool: observed, arguments: observed, result: observed }
";

fn against(mode: &str, steps: &str) -> (Folder, Ran) {
    let folder = Folder::new();
    folder.write("loopgate.yaml", settings(&peer(), &[mode], "echo.yaml"));
    folder.write("echo.yaml", PROFILE);
    folder.write("r.yaml", format!("recipe: r\nsummary: s\nprofile: echo.yaml\nsteps:\n{steps}"));
    let output = folder
        .command(&["run", "r.yaml", "--server", "peer"])
        .env("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .env("TRACESTATE", "vendor=1")
        .output()
        .unwrap();
    (folder, output.into())
}

fn step(id: &str, more: &str) -> String {
    format!("  - id: {id}\n    read: echo\n    emit: {id}.json\n{more}")
}

#[test]
fn reads_that_do_not_need_each_other_are_made_at_once() {
    let (_, ran) = against("needs-two", &format!("{}{}", step("a", ""), step("b", "")));
    ran.exits(0);
}

#[test]
fn a_read_is_tried_again_as_often_as_the_recipe_says() {
    let (folder, ran) = against("fails-once", &step("a", "    retry: { attempts: 2, delay: 10ms }\n"));
    ran.exits(0);
    let calls = folder.json("loopgate-out/run.json")["steps"][0]["calls"].clone();
    assert_eq!(calls.as_array().unwrap().len(), 2);
    assert_ne!(calls[0]["request_id"], calls[1]["request_id"]);
    let (_, ran) = against("fails-once", &step("a", "    retry: { attempts: 1 }\n"));
    assert!(ran.exits(30).stdout.contains("not yet"));
}

#[test]
fn a_read_has_its_time_and_no_more() {
    let slow = step("a", "    timeout: 200ms\n    retry: { attempts: 1 }\n");
    let (_, ran) = against("hangs-in-call", &slow);
    assert!(ran.exits(50).stdout.contains("time limit"));
}

#[test]
fn every_call_carries_request_trace_and_workflow() {
    let (folder, ran) = against("tells-meta", &format!("{}{}", step("a", ""), step("b", "")));
    ran.exits(0);
    let meta = |id: &str| folder.json(&format!("loopgate-out/{id}.json"))["structured"]["meta"].clone();
    let (a, b): (Value, Value) = (meta("a"), meta("b"));
    for meta in [&a, &b] {
        let trace = meta["traceparent"].as_str().unwrap();
        assert!(trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{trace}");
        assert!(!trace.contains("00f067aa0ba902b7"), "the caller's span is not ours: {trace}");
        assert_eq!(meta["tracestate"], "vendor=1");
        assert_eq!(meta["x/workflow"], "r");
    }
    assert_ne!(a["x/request"], b["x/request"]);
    assert_ne!(a["traceparent"], b["traceparent"]);
    let report = folder.json("loopgate-out/run.json");
    assert_eq!(report["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(report["steps"][0]["calls"][0]["request_id"], a["x/request"]);
}

#[test]
fn a_service_that_names_things_otherwise_costs_lines_of_data() {
    let folder = Folder::new();
    folder.run(&["init", "--profile", "loopiq", "--to", "."]).exits(0);
    let profile = folder.read("loopiq.profile.yaml");
    let changed = profile.replace("/certification/id", "/certification/identifier");
    assert_ne!(profile, changed);
    folder.write("theirs.yaml", changed);
    let run = ["remediation-plan", "--server", "peer", "--tenant", "acme", "--release", "REL-1"];
    folder.write("loopgate.yaml", settings(&peer(), &["loopiq", "other-names"], "loopiq"));
    folder.run(&run).exits(5);
    folder.write("loopgate.yaml", settings(&peer(), &["loopiq", "other-names"], "theirs.yaml"));
    folder.run(&run).exits(0);
    let payload = folder.json("loopgate-out/artifact.json")["operations"][0]["arguments"].clone();
    assert_eq!(payload["certificationId"], json!("CERT-1"));
}
