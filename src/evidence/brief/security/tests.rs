//! What counts as security, what is the same, and what the limits let pass.

use super::*;
use serde_json::json;

fn node(id: &str, kind: &str, state: &str, provider: &str, severity: &str) -> Value {
    json!({"id": id, "kind": kind, "title": format!("About {id}"), "state": state, "provider": provider,
           "severity": severity, "required": true})
}

/// A scan that was done, and `nodes`.
fn graph(nodes: &[Value]) -> Value {
    let mut all = vec![
        node("CTL-1", "control", "pass", "dependency-scan", "high"),
        node("EVD-1", "evidence", "pass", "dependency-scan", "high"),
    ];
    all.extend_from_slice(nodes);
    json!({"certification": "C", "nodes": all, "edges": [{"from": "EVD-1", "to": "CTL-1", "kind": "supports"}]})
}

fn with(graph: &Value, more: Value) -> Result<Brief, String> {
    let mut with = json!({"as_of": "2026-11-20", "security_providers": ["dependency-scan", "Code-Scan", "container-scan"],
        "other_providers": ["pipeline"], "most_critical": 0, "most_high": 0});
    with.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    security(&Given { of: Some(graph), with: with.as_object().cloned().unwrap(), ..Given::default() })
}

fn of(nodes: &[Value]) -> Brief {
    with(&graph(nodes), json!({})).unwrap()
}

fn finding(id: &str, provider: &str, severity: &str, more: Value) -> Value {
    let mut node = node(id, "finding", "fail", provider, severity);
    node.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    node
}

fn verdict(brief: &Brief) -> &str {
    brief.data["verdict"].as_str().unwrap()
}

fn groups(brief: &Brief) -> Vec<Value> {
    brief.data["blockers"].as_array().unwrap().iter().map(|blocker| blocker["ids"].clone()).collect()
}

#[test]
fn where_a_scan_was_done_and_nothing_is_open_the_limits_hold() {
    let brief = of(&[]);
    assert_eq!((verdict(&brief), brief.undecided.len()), ("within limits", 0));
    assert_eq!(brief.summary, "within limits: nothing about security is open");
}

#[test]
fn one_vulnerability_that_three_scanners_report_is_one_blocker_with_the_worst_severity_and_all_sources() {
    let brief = of(&[
        finding(
            "F-1",
            "dependency-scan",
            "medium",
            json!({"cve": "cve-2026-1 ", "component": "pkg:npm/lodash@4.17.20",
            "fixed_in": "4.17.21", "owner": "web", "due": "2026-11-25"}),
        ),
        finding(
            "F-2",
            "container-scan",
            "critical",
            json!({"cve": "CVE-2026-1", "component": "lodash@4.17.19",
            "fixed_in": "4.17.21", "owner": "platform", "due": "2026-11-19", "first_seen": "2026-11-14T00:00:00Z"}),
        ),
        finding("F-3", "dependency-scan", "low", json!({"cve": "CVE-2026-1", "component": "Lodash"})),
        finding("F-4", "dependency-scan", "medium", json!({"cve": "CVE-2026-1", "component": "underscore"})),
    ]);
    assert_eq!(groups(&brief), [json!(["F-1", "F-2", "F-3"]), json!(["F-4"])]);
    let one = &brief.data["blockers"][0];
    assert_eq!((&one["severity"], &one["title"]), (&json!("critical"), &json!("About F-2")));
    assert_eq!((&one["fixed_in"], &one["owners"]), (&json!(["4.17.21"]), &json!(["platform", "web"])));
    assert_eq!(
        (&one["due"], &one["overdue"], &one["new"]),
        (&json!("2026-11-19"), &json!(true), &json!(true))
    );
    assert_eq!(one["same_by"], "vulnerability and component");
    assert_eq!(one["sources"].as_array().unwrap().len(), 3);
    let other = &brief.data["blockers"][1];
    assert_eq!((&other["new"], &other["same_by"]), (&Value::Null, &Value::Null));
    assert_eq!(verdict(&brief), "blocked");
    assert_eq!(brief.summary, "blocked: 1 critical of at most 0, 1 medium, 1 overdue, 1 new");
    assert_eq!(brief.not_proven.len(), 1);
}

#[test]
fn scanners_agree_by_rule_and_place_or_by_title_and_one_scanner_never_with_itself() {
    let at = |rule: &str| json!({"rule": rule, "component": "src/pay.c"});
    let titled = |title: &str| json!({"title": title});
    let brief = of(&[
        finding("R-1", "code-scan", "low", at("sql-injection")),
        finding("R-2", "code-scan", "low", at("sql-injection")),
        finding("R-3", "container-scan", "low", at("sql-injection")),
        finding("R-4", "code-scan", "low", at("other")),
        finding("T-1", "code-scan", "low", titled("Weak hash: MD5")),
        finding("T-2", "container-scan", "low", titled(" weak HASH (md5)")),
        finding("T-3", "container-scan", "low", titled("weak hash md5")),
        finding("T-4", "code-scan", "low", titled("…")),
        finding("T-5", "container-scan", "low", titled("…")),
    ]);
    let mut found = groups(&brief);
    found.sort_by_key(ToString::to_string);
    let expected = [
        json!(["R-1", "R-3"]),
        json!(["R-2"]),
        json!(["R-4"]),
        json!(["T-1", "T-2"]),
        json!(["T-3"]),
        json!(["T-4"]),
        json!(["T-5"]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_limits_are_held_for_each_severity_on_blockers_and_not_on_their_sources() {
    let twice = [
        finding("F-1", "dependency-scan", "high", json!({"cve": "CVE-1", "component": "a"})),
        finding("F-2", "container-scan", "high", json!({"cve": "CVE-1", "component": "a"})),
        finding("F-3", "container-scan", "medium", json!({})),
    ];
    let verdict_with = |more| verdict(&with(&graph(&twice), more).unwrap()).to_owned();
    let limits = with(&graph(&twice), json!({})).unwrap().data["by_severity"].clone();
    assert_eq!((&limits[1]["most"], &limits[2]["most"]), (&json!(0), &Value::Null));
    assert_eq!(verdict_with(json!({})), "blocked");
    assert_eq!(verdict_with(json!({"most_high": 1})), "within limits");
    assert_eq!(verdict_with(json!({"most_high": 1, "most_medium": 0})), "blocked");
    assert_eq!(verdict_with(json!({"most_high": null})), "within limits");
}

#[test]
fn what_is_of_another_kind_is_counted_and_what_nobody_classifies_decides_nothing() {
    let brief = of(&[node("F-1", "finding", "fail", "PIPELINE", "critical")]);
    assert_eq!((verdict(&brief), &brief.data["something_else"]), ("within limits", &json!(1)));
    let mut nameless = node("F-1", "finding", "fail", "x", "low");
    nameless["provider"] = Value::Null;
    for unknown in [
        node("F-1", "finding", "fail", "tea-leaves", "low"),
        node("F-1", "provider_blocker", "pending", "tea-leaves", "low"),
        node("F-1", "control", "fail", "tea-leaves", "low"),
        node("F-1", "evidence", "missing", "tea-leaves", "low"),
        nameless,
    ] {
        let brief = of(std::slice::from_ref(&unknown));
        assert_eq!(verdict(&brief), "undecided", "{unknown}");
        assert_eq!(brief.data["not_classified"][0]["id"], "F-1");
        assert!(brief.undecided.iter().any(|reason| reason.contains("`other_providers`")), "{unknown}");
    }
    // A vulnerability is about security whoever reports it.
    let mut vulnerable = node("F-1", "finding", "fail", "tea-leaves", "high");
    vulnerable["cve"] = json!("CVE-1");
    assert_eq!(verdict(&of(&[vulnerable])), "blocked");
    for settled in ["pass", "waived"] {
        assert_eq!(verdict(&of(&[node("F-1", "finding", settled, "tea-leaves", "low")])), "within limits");
    }
}

#[test]
fn a_scan_that_did_not_run_is_no_clean_scan() {
    for state in ["missing", "stale", "pending", "unknown"] {
        let brief = of(&[node("EVD-2", "evidence", state, "code-scan", "high")]);
        assert_eq!(
            (verdict(&brief), &brief.data["lacking"][0]["id"]),
            ("blocked", &json!("EVD-2")),
            "{state}"
        );
    }
    let nobody = json!({"certification": "C", "nodes": [
        node("CTL-1", "control", "pass", "pipeline", "high"), node("EVD-1", "evidence", "pass", "pipeline", "high"),
    ], "edges": [{"from": "EVD-1", "to": "CTL-1", "kind": "supports"}]});
    let brief = with(&nobody, json!({})).unwrap();
    assert!(brief.undecided[0].contains("nobody has looked"), "{:?}", brief.undecided);
    let empty = json!({"certification": "C", "nodes": [], "edges": []});
    assert_eq!(verdict(&with(&empty, json!({})).unwrap()), "undecided");
}

#[test]
fn a_failed_control_counts_only_where_no_finding_says_why() {
    let control = node("CTL-2", "control", "fail", "code-scan", "critical");
    assert_eq!(groups(&of(std::slice::from_ref(&control))), [json!(["CTL-2"])]);
    let mut explained = graph(&[control, node("F-1", "finding", "fail", "code-scan", "medium")]);
    explained["edges"]
        .as_array_mut()
        .unwrap()
        .push(json!({"from": "F-1", "to": "CTL-2", "kind": "violates"}));
    assert_eq!(groups(&with(&explained, json!({})).unwrap()), [json!(["F-1"])]);
}

#[test]
fn an_unknown_severity_or_state_is_held_to_no_limit_and_decides_nothing() {
    let brief = of(&[node("F-1", "finding", "fail", "code-scan", "grave")]);
    assert!(
        verdict(&brief) == "undecided" && brief.undecided[0].contains("`F-1` is open"),
        "{:?}",
        brief.undecided
    );
    assert_eq!(verdict(&of(&[node("F-1", "finding", "odd", "code-scan", "low")])), "undecided");
}

#[test]
fn waived_findings_are_listed_and_not_counted() {
    let brief = of(&[node("F-1", "finding", "waived", "code-scan", "critical")]);
    assert_eq!((verdict(&brief), &brief.data["waived"][0]["id"]), ("within limits", &json!("F-1")));
}

#[test]
fn what_the_recipe_says_must_be_of_its_kind() {
    for more in [json!({"as_of": null}), json!({"security_providers": "code-scan"}), json!({"most_high": -1})]
    {
        assert!(with(&graph(&[]), more).is_err());
    }
}

#[test]
fn twenty_thousand_findings_are_grouped_in_any_order_alike() {
    let many = |turned: bool| {
        let mut nodes: Vec<Value> = (0..20_000)
            .map(|id| {
                let of = json!({"cve": format!("CVE-{}", id / 2), "component": "same"});
                finding(
                    &format!("F-{id}"),
                    if id % 2 == 0 { "code-scan" } else { "container-scan" },
                    "high",
                    of,
                )
            })
            .collect();
        if turned {
            nodes.reverse();
        }
        of(&nodes)
    };
    let one = many(false);
    assert_eq!(groups(&one).len(), 10_000);
    assert!(one == many(true));
}
