//! The importers on files that real tools wrote, and on files that somebody broke.

use serde_json::{Value, json};

use super::{Format, Import, Imported, Place};
use crate::sandbox::graph::{Meaning, Node, NodeKind, Severity, meaning};
use crate::sandbox::{Location, Sandbox, SandboxError, store};

const RELEASE: &str = "demo 1.0";

fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::open(&Location::Memory).unwrap();
    sandbox.clock = || "2026-11-22T12:00:00Z".parse().unwrap();
    sandbox
}

fn import(source: &str, bytes: impl AsRef<[u8]>) -> Import {
    Import {
        tenant: "acme".into(),
        release: RELEASE.into(),
        source: source.into(),
        format: None,
        bytes: bytes.as_ref().to_vec(),
        observed: None,
    }
}

fn fixture(name: &str) -> Import {
    let path = format!("{}/tests/fixtures/evidence/{name}", env!("CARGO_MANIFEST_DIR"));
    import(name, fs_err::read(path).unwrap())
}

fn sarif(results: &Value, invocations: &Value) -> Vec<u8> {
    json!({"version": "2.1.0", "runs": [
        {"tool": {"driver": {"name": "lint", "rules": [
            {"id": "R1", "defaultConfiguration": {"level": "error"}, "properties": {"security-severity": "9.8"}},
            {"id": "R2"}
        ]}}, "results": results, "invocations": invocations}
    ]})
    .to_string()
    .into_bytes()
}

fn nodes(sandbox: &Sandbox, kind: NodeKind) -> Vec<Node> {
    let graph = store::graph(&sandbox.connection(), "acme", &store::certification_id(RELEASE)).unwrap();
    graph.nodes.into_iter().filter(|node| node.kind == kind).collect()
}

/// What a finding is about: component, vulnerability, versions that repair it.
fn about(node: &Node) -> (Option<&str>, Option<&str>, Option<&str>) {
    (node.about.component.as_deref(), node.about.cve.as_deref(), node.about.fixed_in.as_deref())
}

/// Imports one file into a new sandbox.
fn alone(import: &Import) -> (Sandbox, Imported) {
    let sandbox = sandbox();
    let imported = sandbox.import(std::slice::from_ref(import)).unwrap().remove(0);
    (sandbox, imported)
}

fn refusal(import: &Import) -> (String, Place) {
    let sandbox = sandbox();
    let before = store::dump(&sandbox.connection());
    let error = sandbox.import(std::slice::from_ref(import)).unwrap_err();
    assert_eq!(store::dump(&sandbox.connection()), before, "a refused file leaves nothing");
    let SandboxError::Evidence(error) = error else { panic!("{error:?}") };
    (error.to_string(), error.place)
}

#[test]
fn what_real_scanners_write_becomes_findings_and_a_verdict() {
    for (name, provider, findings, failed) in
        [("bandit.sarif", "Bandit", 4, 1), ("eslint.sarif", "ESLint", 5, 1), ("ruff.sarif", "ruff", 1, 1)]
    {
        let (sandbox, imported) = alone(&fixture(name));
        assert_eq!(imported.providers, [provider]);
        assert_eq!(imported.format, Format::Sarif);
        assert_eq!((imported.findings, imported.controls.failed), (findings, failed), "{name}");
        assert_eq!(imported.status, "blocked");
        let control = &nodes(&sandbox, NodeKind::Control)[0];
        assert_eq!(control.title, format!("static analysis: {provider}"));
        assert_eq!(control.status, "failed");
        assert!(control.description.as_ref().unwrap().contains("level error"));
    }
}

#[test]
fn what_real_test_runners_write_becomes_findings_and_a_verdict() {
    for (name, provider, findings) in [
        ("pytest.junit.xml", "pytest tests", 2),
        ("node.junit.xml", "cart", 1),
        ("nextest.junit.xml", "nextest-run", 1),
        ("ruff.junit.xml", "ruff", 2),
    ] {
        let (sandbox, imported) = alone(&fixture(name));
        assert_eq!(imported.providers, [provider]);
        assert_eq!(imported.format, Format::Junit);
        assert_eq!((imported.findings, imported.controls.failed), (findings, 1), "{name}");
        assert_eq!(nodes(&sandbox, NodeKind::Control)[0].title, format!("tests: {provider}"));
    }
    let (sandbox, _) = alone(&fixture("pytest.junit.xml"));
    let titles: Vec<_> = nodes(&sandbox, NodeKind::Finding).into_iter().map(|node| node.title).collect();
    assert!(
        titles.contains(&"test_app test_subtracts: AssertionError: 3 - 1 should be 1".to_owned()),
        "{titles:?}"
    );
}

#[test]
fn a_bill_of_materials_is_evidence_of_what_there_is_and_of_no_more() {
    let (sandbox, imported) = alone(&fixture("cyclonedx-py.cdx.json"));
    assert_eq!((imported.format, imported.status.as_str()), (Format::CycloneDx, "certified"));
    let control = &nodes(&sandbox, NodeKind::Control)[0];
    assert_eq!(control.title, "bill of materials: cyclonedx-py");
    assert!(control.description.as_ref().unwrap().contains("nobody looked"));
    assert_eq!(nodes(&sandbox, NodeKind::Finding).len(), 0);
}

#[test]
fn a_known_vulnerability_fails_its_control_until_an_analysis_settles_it() {
    let (sandbox, imported) = alone(&fixture("pip-audit.cdx.json"));
    assert_eq!((imported.findings, imported.controls.failed), (1, 1));
    // The file names no tool.
    assert_eq!(imported.providers, ["pip-audit.cdx.json"]);
    let finding = &nodes(&sandbox, NodeKind::Finding)[0];
    assert_eq!(
        (finding.severity, about(finding)),
        (Some(Severity::High), (Some("jinja2@2.11.2"), None, None))
    );
    assert!(finding.title.starts_with("PYSEC-2021-66: This affects the package jinja2"), "{}", finding.title);
}

fn bom(vulnerability: &Value) -> Vec<u8> {
    json!({"bomFormat": "CycloneDX", "specVersion": "1.6",
        "metadata": {"timestamp": "2026-11-20T06:00:00Z", "tools": {"components": [{"type": "application", "name": "grype"}]}},
        "components": [{"type": "application", "name": "app", "components": [
            {"type": "library", "bom-ref": "lodash", "group": "g", "name": "lodash", "version": "4.17.20",
             "purl": "pkg:npm/lodash@4.17.20"}]}],
        "vulnerabilities": [vulnerability]})
    .to_string()
    .into_bytes()
}

#[test]
fn a_vulnerability_says_its_component_its_id_in_the_public_lists_and_the_versions_that_repair_it() {
    let vulnerability = json!({"id": "SNYK-1", "references": [{"id": "ghsa-35jh-r3h4-6jhm"}, {"id": "CVE-2021-23337"}],
        "ratings": [{"severity": "low"}, {"score": 9.1, "severity": "unknown"}],
        "description": "Command injection\nmore", "advisories": [{"url": "javascript:x"}, {"url": "https://a.example/1"}],
        "affects": [{"ref": "lodash", "versions": [{"version": "4.17.20", "status": "affected"},
            {"version": "4.17.21", "status": "unaffected"}]}, {"ref": "urn:cdx:other"}]});
    let (sandbox, imported) = alone(&import("x", bom(&vulnerability)));
    assert_eq!((imported.findings, imported.providers), (2, vec!["grype".to_owned()]));
    let found = nodes(&sandbox, NodeKind::Finding);
    let one = found.iter().find(|node| node.title.contains("lodash")).unwrap();
    assert_eq!(about(one), (Some("pkg:npm/lodash@4.17.20"), Some("CVE-2021-23337"), Some("4.17.21")));
    assert_eq!((one.severity, one.url.as_deref()), (Some(Severity::Critical), Some("https://a.example/1")));
    assert_eq!(one.title, "SNYK-1: Command injection (pkg:npm/lodash@4.17.20)");
    assert_eq!(one.observed_at.as_deref(), Some("2026-11-20T06:00:00Z"));
}

#[test]
fn an_analysis_decides_what_is_open_and_what_nobody_rates_counts_as_high() {
    for (analysis, ratings, findings, waived, status) in [
        (Value::Null, Value::Null, 1, 0, "blocked"),
        (json!({"state": "exploitable"}), json!([{"severity": "medium"}]), 1, 0, "certified"),
        (json!({"state": "in_triage"}), json!([{"score": 7.0}]), 1, 0, "blocked"),
        (json!({"state": "not_affected"}), json!([{"severity": "critical"}]), 0, 1, "certified"),
        (json!({"state": "false_positive"}), Value::Null, 0, 1, "certified"),
        (json!({"state": "resolved"}), json!([{"severity": "critical"}]), 0, 0, "certified"),
    ] {
        let vulnerability = json!({"id": "CVE-2021-23337", "analysis": analysis, "ratings": ratings});
        let (_, imported) = alone(&import("x", bom(&vulnerability)));
        let found = (imported.findings, imported.waived, imported.status.as_str());
        assert_eq!(found, (findings, waived, status), "{vulnerability}");
    }
}

#[test]
fn a_file_that_lists_nothing_is_missing_evidence() {
    for more in [json!({}), json!({"components": [], "vulnerabilities": []})] {
        let mut bom = json!({"bomFormat": "CycloneDX", "specVersion": "1.4"});
        bom.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let (sandbox, imported) = alone(&import("x", bom.to_string()));
        assert_eq!(nodes(&sandbox, NodeKind::Evidence)[0].status, "missing");
        assert_eq!((imported.controls.undecided, imported.status.as_str()), (1, "blocked"));
    }
}

#[test]
fn provenance_bare_in_an_envelope_and_in_a_bundle_is_evidence_of_its_builder() {
    let envelope = String::from_utf8(fixture("envelope.intoto.json").bytes).unwrap();
    let bundle = format!("{{\"mediaType\": \"x\", \"dsseEnvelope\": {envelope}}}");
    for import in
        [fixture("statement.intoto.json"), fixture("envelope.intoto.json"), import("bundle", bundle)]
    {
        let (sandbox, imported) = alone(&import);
        assert_eq!((imported.format, imported.status.as_str()), (Format::InToto, "certified"));
        assert_eq!(imported.providers, ["https://demo.example/builder"]);
        let evidence = &nodes(&sandbox, NodeKind::Evidence)[0];
        assert_eq!(evidence.observed_at.as_deref(), Some("2026-11-26T12:00:00Z"));
        let control = &nodes(&sandbox, NodeKind::Control)[0];
        assert!(control.description.as_ref().unwrap().contains("not checked"));
    }
}

fn statement(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut statement: Value = serde_json::from_slice(&fixture("statement.intoto.json").bytes).unwrap();
    change(&mut statement);
    statement.to_string().into_bytes()
}

#[test]
fn older_provenance_is_read_and_a_statement_of_nothing_is_missing_evidence() {
    let older = statement(|statement| {
        statement["_type"] = json!("https://in-toto.io/Statement/v0.1");
        statement["predicateType"] = json!("https://slsa.dev/provenance/v0.2");
        statement["predicate"] =
            json!({"builder": {"id": "b"}, "metadata": {"buildFinishedOn": "2026-11-20T00:00:00Z"}});
    });
    let (sandbox, imported) = alone(&import("x", older));
    assert_eq!((imported.providers, imported.status.as_str()), (vec!["b".to_owned()], "certified"));
    assert_eq!(nodes(&sandbox, NodeKind::Evidence)[0].observed_at.as_deref(), Some("2026-11-20T00:00:00Z"));
    let (sandbox, _) = alone(&import("x", statement(|statement| statement["subject"] = json!([]))));
    assert_eq!(nodes(&sandbox, NodeKind::Evidence)[0].status, "missing");
}

#[test]
fn provenance_and_bills_of_materials_that_are_not_understood_are_refused_with_the_place() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("/_type", |s| s["_type"] = json!("https://in-toto.io/Statement/v9")),
        ("/predicateType", |s| s["predicateType"] = json!("https://example.com/vibes/v1")),
        ("/predicateType", |s| s["predicateType"] = Value::Null),
        ("/predicate/runDetails/builder/id", |s| s["predicate"]["runDetails"]["builder"] = json!({})),
        ("/predicate/runDetails/metadata/finishedOn", |s| {
            s["predicate"]["runDetails"]["metadata"]["finishedOn"] = json!("yesterday");
        }),
        ("/subject/0/digest", |s| s["subject"][0]["digest"] = json!({"sha256": " "})),
    ];
    for (pointer, change) in changes {
        assert_eq!(refusal(&import("x", statement(change))).1, Place::Pointer(pointer.into()));
    }
    let envelope = |change: Change| {
        let mut envelope: Value = serde_json::from_slice(&fixture("envelope.intoto.json").bytes).unwrap();
        change(&mut envelope);
        refusal(&import("x", envelope.to_string())).1
    };
    let at = |pointer: &str| Place::Pointer(pointer.to_owned());
    assert_eq!(envelope(|e| e["payloadType"] = json!("text/plain")), at("/payloadType"));
    assert_eq!(envelope(|e| e["signatures"] = json!([])), at("/signatures"));
    assert_eq!(envelope(|e| e["payload"] = json!("%")), at("/payload"));
    assert_eq!(envelope(|e| e["payload"] = json!("e30=")), at("/payload"));
    for (text, place) in [
        (r#"{"bomFormat": "SPDX"}"#, at("/bomFormat")),
        (r#"{"bomFormat": "CycloneDX", "specVersion": "9.9"}"#, at("/specVersion")),
        (r#"{"bomFormat": "CycloneDX", "specVersion": 1.6}"#, at("/specVersion")),
        (r#"{"bomFormat": "CycloneDX"}"#, at("/specVersion")),
    ] {
        assert_eq!(refusal(&import("x", text)).1, place, "{text}");
    }
    let odd = bom(&json!({"id": "X", "analysis": {"state": "shrug"}}));
    let (message, _) = refusal(&import("x", odd));
    assert!(message.contains("at `/vulnerabilities/0/analysis/state`: unknown variant `shrug`"), "{message}");
    assert!(refusal(&import("x", r#"{"dsseEnvelope": {}}"#)).0.contains("/dsseEnvelope/payloadType"));
}

#[test]
fn what_a_scanner_of_packages_says_of_a_result_is_kept() {
    let results = json!([{"ruleId": "CVE-2021-23337", "message": {"text": "Package: lodash\nFixed Version: 4.17.21"},
        "provenance": {"firstDetectionTimeUtc": "2026-11-18T06:00:00Z"}},
        {"ruleId": "R2", "message": {"text": "two"},
         "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.c"}}}]}]);
    let (sandbox, _) = alone(&import("x", sarif(&results, &Value::Null)));
    let found = nodes(&sandbox, NodeKind::Finding);
    let of = |rule: &str| found.iter().find(|node| node.about.rule.as_deref() == Some(rule)).unwrap();
    let package = of("CVE-2021-23337");
    assert_eq!(about(package), (Some("lodash"), Some("CVE-2021-23337"), Some("4.17.21")));
    assert_eq!(package.about.first_seen_at.as_deref(), Some("2026-11-18T06:00:00Z"));
    assert_eq!(about(of("R2")), (Some("a.c"), None, None));
}

#[test]
fn a_clean_run_certifies() {
    let (sandbox, imported) = alone(&fixture("bandit-clean.sarif"));
    assert_eq!((imported.status.as_str(), imported.controls.passed), ("certified", 1));
    let evidence = &nodes(&sandbox, NodeKind::Evidence)[0];
    assert_eq!(evidence.provider.as_deref(), Some("Bandit"));
    assert_eq!(evidence.observed_at.as_deref(), Some("2026-11-22T20:06:58Z"));
    assert!(evidence.digest.as_ref().unwrap().starts_with("sha256:"));
}

#[test]
fn the_same_file_twice_changes_nothing() {
    let mut sandbox = sandbox();
    // ESLint's file has no time of its own.
    let names = ["bandit.sarif", "bandit-clean.sarif", "eslint.sarif", "pytest.junit.xml", "node.junit.xml"];
    for name in names {
        sandbox.import(&[fixture(name)]).unwrap();
    }
    let before = store::dump(&sandbox.connection());
    sandbox.clock = || "2026-12-24T12:00:00Z".parse().unwrap();
    for name in names {
        sandbox.import(&[fixture(name)]).unwrap();
        assert_eq!(store::dump(&sandbox.connection()), before, "{name}");
    }
}

#[test]
fn a_file_replaces_what_the_same_producer_brought_under_its_name() {
    let (sandbox, _) = alone(&fixture("bandit.sarif"));
    sandbox.import(&[fixture("pytest.junit.xml")]).unwrap();
    assert_eq!(nodes(&sandbox, NodeKind::Finding).len(), 6);
    let repaired = Import { source: "bandit.sarif".into(), ..fixture("bandit-clean.sarif") };
    let imported = sandbox.import(&[repaired]).unwrap().remove(0);
    assert_eq!((imported.controls.passed, imported.status.as_str()), (1, "blocked"));
    assert!(nodes(&sandbox, NodeKind::Finding).iter().all(|n| n.provider.as_deref() == Some("pytest tests")));
    assert_eq!(nodes(&sandbox, NodeKind::Evidence).len(), 2);
}

#[test]
fn another_file_of_the_same_tool_cannot_hide_an_error() {
    let (sandbox, _) = alone(&fixture("bandit.sarif"));
    let imported = sandbox.import(&[fixture("bandit-clean.sarif")]).unwrap().remove(0);
    assert_eq!((imported.controls.failed, imported.controls.passed), (1, 0));
    assert_eq!(nodes(&sandbox, NodeKind::Control).len(), 1);
}

#[test]
fn evidence_for_a_seeded_release_is_added_to_its_graph() {
    let sandbox = sandbox();
    let for_release = |release: &str, name: &str| {
        sandbox.import(&[Import { release: release.into(), ..fixture(name) }]).unwrap().remove(0).status
    };
    assert_eq!(for_release("REL-EMPTY", "bandit-clean.sarif"), "certified");
    assert_eq!(for_release("REL-READY", "bandit.sarif"), "blocked");
    assert_eq!(for_release("REL-REJECTED", "bandit-clean.sarif"), "rejected");
    assert_eq!(for_release("REL-BLOCKED", "bandit-clean.sarif"), "blocked");
}

#[test]
fn only_results_that_complain_are_findings() {
    let loc = |line: i64| json!([{"physicalLocation": {"artifactLocation": {"uri": "a.c"}, "region": {"startLine": line}}}]);
    let results = json!([
        {"ruleId": "R1/sub", "message": {"text": "one"}, "locations": loc(1)},
        {"ruleId": "R2", "message": {"text": "two"}, "locations": loc(2)},
        {"ruleId": "R2", "level": "note", "message": {"text": "three"}, "locations": loc(3)},
        {"ruleId": "R2", "level": "error", "message": {"text": "four"}, "suppressions": [{"kind": "inSource"}]},
        {"ruleId": "R2", "level": "error", "message": {"text": "five"}, "baselineState": "absent"},
        {"ruleId": "R2", "kind": "pass", "level": "none", "message": {"text": "six"}},
    ]);
    let (sandbox, imported) = alone(&import("x", sarif(&results, &Value::Null)));
    assert_eq!((imported.findings, imported.waived), (3, 1));
    let mut found: Vec<_> =
        nodes(&sandbox, NodeKind::Finding).into_iter().map(|n| (n.title, n.severity, n.status)).collect();
    found.sort();
    let expected = [
        ("R1/sub: one (a.c:1)", Severity::Critical, "open"),
        ("R2: four", Severity::High, "waived"),
        ("R2: three (a.c:3)", Severity::Low, "open"),
        ("R2: two (a.c:2)", Severity::Medium, "open"),
    ];
    assert_eq!(
        found,
        expected.map(|(title, severity, status)| (title.into(), Some(severity), status.into()))
    );
}

#[test]
fn warnings_and_suppressed_errors_do_not_fail_a_control_and_a_rejected_suppression_does() {
    let error = |suppressions: Value| json!([{"ruleId": "R1", "message": {"text": "x"}, "suppressions": suppressions}]);
    for (results, status) in [
        (json!([{"ruleId": "R2", "message": {"text": "x"}}]), "certified"),
        (error(json!([{"kind": "external", "status": "accepted"}])), "certified"),
        (error(json!([{"kind": "external", "status": "underReview"}])), "blocked"),
        (error(json!([{"kind": "inSource"}, {"kind": "external", "status": "rejected"}])), "blocked"),
        (error(json!([])), "blocked"),
    ] {
        assert_eq!(alone(&import("x", sarif(&results, &Value::Null))).1.status, status, "{results}");
    }
}

#[test]
fn a_run_that_did_not_look_or_did_not_end_well_is_a_gap_and_never_a_pass() {
    let fine = json!([{"executionSuccessful": true}]);
    for (results, invocations, state) in [
        (Value::Null, fine.clone(), "missing"),
        (json!([]), json!([{"executionSuccessful": false}]), "unknown"),
        (
            json!([]),
            json!([{"executionSuccessful": true, "toolExecutionNotifications": [{"level": "error"}]}]),
            "unknown",
        ),
        (json!([{"kind": "review", "message": {"text": "x"}}]), fine.clone(), "unknown"),
    ] {
        let (sandbox, imported) = alone(&import("x", sarif(&results, &invocations)));
        assert_eq!(nodes(&sandbox, NodeKind::Evidence)[0].status, state, "{results} {invocations}");
        assert_eq!(meaning(state), Meaning::Lacking);
        assert_eq!((imported.controls.undecided, imported.status.as_str()), (1, "blocked"));
    }
    assert_eq!(alone(&import("x", sarif(&json!([]), &fine))).1.status, "certified");
}

#[test]
fn a_finding_keeps_its_id_when_its_line_moves_and_it_has_a_fingerprint() {
    let at = |line: i64, print: Value| {
        let results = json!([{"ruleId": "R1", "message": {"text": "x"}, "partialFingerprints": print,
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.c"}, "region": {"startLine": line}}}]}]);
        nodes(&alone(&import("x", sarif(&results, &Value::Null))).0, NodeKind::Finding)[0].id.clone()
    };
    let print = json!({"hash/v1": "abc"});
    assert_eq!(at(1, print.clone()), at(9, print.clone()));
    assert_ne!(at(1, print), at(1, json!({"hash/v1": "abd"})));
    assert_ne!(at(1, Value::Null), at(9, Value::Null));
}

#[test]
fn results_that_look_the_same_are_all_kept() {
    let same = json!({"ruleId": "R1", "message": {"text": "x"}});
    let (sandbox, imported) = alone(&import("x", sarif(&json!([same, same, same]), &Value::Null)));
    assert_eq!((imported.findings, nodes(&sandbox, NodeKind::Finding).len()), (3, 3));
}

#[test]
fn no_executed_test_is_a_gap_and_never_a_pass() {
    for (cases, state, status) in [
        ("", "missing", "blocked"),
        ("<testcase name='a'><skipped/></testcase>", "missing", "blocked"),
        ("<testcase name='a'><skipped/></testcase><testcase name='b'/>", "present", "certified"),
        ("<testsuite name='t' tests='9' failures='1'/><testcase name='b'/>", "unknown", "blocked"),
        ("<testcase name='a'><flakyFailure message='x'/></testcase>", "present", "certified"),
        ("<error message='no compiler'/>", "present", "blocked"),
    ] {
        let text = format!("<testsuite name='s'>{cases}</testsuite>");
        let (sandbox, imported) = alone(&import("x", text));
        assert_eq!(nodes(&sandbox, NodeKind::Evidence)[0].status, state, "{cases}");
        assert_eq!(imported.status, status, "{cases}");
    }
}

#[test]
fn a_stranger_s_text_is_made_visible_and_cut() {
    let long = "x".repeat(5000);
    let text = format!(
        "<testsuites><testcase name='a&#x202e;b'><failure message='{long}'/></testcase></testsuites>"
    );
    let (sandbox, imported) = alone(&import("results\u{1b}.xml", text));
    let title = &nodes(&sandbox, NodeKind::Finding)[0].title;
    assert!(title.starts_with("a\\u{202e}b: xxx") && title.ends_with('…') && title.len() < 300, "{title}");
    assert_eq!(imported.providers, ["results\\u{1b}.xml"]);
}

#[test]
fn broken_files_are_refused_whole_with_the_place() {
    let line = |line, column| Place::Line { line, column };
    for (text, place) in [
        ("<testsuites>\n <testcase name='a'/>\n", line(3, 1)),
        ("<testsuites>\n <testcase></testsuite></testsuites>", line(2, 12)),
        ("<testsuites>\n <testcase name='&bomb;'/></testsuites>", line(2, 2)),
        ("<testsuites>\n <testcase>&bomb;</testcase></testsuites>", line(2, 12)),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><testsuites/>", line(1, 1)),
        ("<?xml version='1.0' encoding='latin-1'?><testsuites/>", line(1, 1)),
        ("<testsuites/><testsuites/>", line(1, 14)),
        ("<testsuites/>text", line(1, 14)),
        ("<html/>", line(1, 1)),
        ("<testsuites failures='many'/>", line(1, 1)),
        ("<testsuites timestamp='yesterday'/>", line(1, 1)),
        ("<testsuites a='1' a='2'/>", line(1, 1)),
        ("{\"version\": \"2.1.0\",\n \"runs\": [}", line(2, 11)),
        ("{\"version\": \"2.1.0\", \"runs\": []} {}", line(1, 34)),
        ("{\"version\": \"2.0.0\", \"runs\": [{}]}", Place::Pointer("/version".into())),
        ("{\"runs\": []}", Place::Pointer("/version".into())),
        ("{\"version\": \"2.1.0\", \"runs\": []}", Place::Pointer("/runs".into())),
        ("plain text", Place::File),
        ("", Place::File),
    ] {
        assert_eq!(refusal(&import("x", text)).1, place, "{text}");
    }
    let deep = format!("{}{}", "<testsuite>".repeat(65), "</testsuite>".repeat(65));
    assert_eq!(refusal(&import("x", deep)).1, line(1, 64 * 11 + 1));
    assert_eq!(refusal(&import("x", b"<testsuites>\n\xff</testsuites>")).1, line(2, 1));
    let nested = format!("{{\"version\":\"2.1.0\",\"x\":{}", "[".repeat(100_000));
    assert!(matches!(refusal(&import("x", nested)).1, Place::Line { line: 1, .. }));
}

#[test]
fn a_wrong_shape_is_named_by_its_pointer() {
    let results = json!([{"ruleId": "R1", "level": "error"}, {"level": "fatal"}]);
    let (message, place) = refusal(&import("x", sarif(&results, &Value::Null)));
    assert!(matches!(place, Place::Value { line: 1, pointer, .. } if pointer == "/runs/0/results/1/level"));
    assert!(message.contains("at `/runs/0/results/1/level`: unknown variant `fatal`"), "{message}");
    let twice =
        r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{}],"results":[]}]}"#;
    assert!(refusal(&import("x", twice)).0.contains("duplicate field `results`"));
}

#[test]
fn a_file_with_too_many_findings_or_bytes_is_refused() {
    let results = Value::from(vec![json!({}); super::MOST_FINDINGS + 1]);
    assert!(refusal(&import("x", sarif(&results, &Value::Null))).0.contains("20001 findings"));
    assert_eq!(refusal(&import("x", vec![b' '; super::LARGEST + 1])).1, Place::File);
}

#[test]
fn a_tenant_or_release_that_cannot_be_is_refused() {
    let sandbox = sandbox();
    let unknown = Import { tenant: "initech".into(), ..fixture("ruff.sarif") };
    assert!(matches!(sandbox.import(&[unknown]), Err(SandboxError::UnknownTenant { .. })));
    for release in ["", "  ", "a\nb", "a\u{202e}b"] {
        let import = Import { release: release.into(), ..fixture("ruff.sarif") };
        assert!(matches!(sandbox.import(&[import]), Err(SandboxError::InvalidRelease { .. })), "{release:?}");
    }
}

#[test]
fn a_failure_in_the_middle_leaves_nothing_behind() {
    let sandbox = sandbox();
    sandbox
        .connection()
        .execute_batch(
            "CREATE TRIGGER full BEFORE UPDATE ON certifications BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        )
        .unwrap();
    let before = store::dump(&sandbox.connection());
    assert!(matches!(sandbox.import(&[fixture("bandit.sarif")]), Err(SandboxError::Store(_))));
    assert_eq!(store::dump(&sandbox.connection()), before);
}
