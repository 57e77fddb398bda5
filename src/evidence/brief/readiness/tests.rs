//! A release that is ready, and everything that keeps it from being so.

use super::*;
use serde_json::{Map, json};

struct Release {
    certification: Value,
    graph: Value,
    checks: Option<Value>,
    rollback: Option<Value>,
    with: Value,
}

/// Ready in every part.
fn ready() -> Release {
    Release {
        certification: json!({"id": "CERT-1", "release": "REL-1", "state": "pass", "status": "certified"}),
        graph: json!({"certification": "CERT-1", "nodes": [
            {"id": "CTL-1", "kind": "control", "title": "Tests pass", "state": "pass", "required": true},
            {"id": "EVD-1", "kind": "evidence", "title": "Test run", "state": "pass", "required": true},
            {"id": "RSK-1", "kind": "risk", "title": "Peak season", "state": "pass", "severity": "high"},
        ], "edges": [{"from": "EVD-1", "to": "CTL-1", "kind": "supports"}]}),
        checks: Some(json!({"release": "REL-1", "complete": true, "items": [
            {"id": "CHK-1", "label": "Smoke test", "state": "pass", "status": "passed"},
            {"id": "CHK-2", "label": "Load test", "state": "waived", "status": "waived"},
        ]})),
        rollback: Some(json!({"release": "REL-1", "complete": true, "items": [
            {"id": "RBK-1", "state": "pass", "status": "rehearsed", "plan": "Switch back", "decided": "2026-11-18"},
        ]})),
        with: json!({"as_of": "2026-11-20", "accept_risks_up_to": "low"}),
    }
}

fn judged(release: &Release) -> Brief {
    try_judged(release).unwrap()
}

fn try_judged(release: &Release) -> Result<Brief, String> {
    let mut given = Given { of: Some(&release.graph), with: object(&release.with), ..Given::default() };
    given.from.insert("certification", &release.certification);
    for (name, value) in [("checks", &release.checks), ("rollback", &release.rollback)] {
        if let Some(value) = value {
            given.from.insert(name, value);
        }
    }
    readiness(&given)
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn with(change: impl FnOnce(&mut Release)) -> Brief {
    let mut release = ready();
    change(&mut release);
    judged(&release)
}

fn verdict(brief: &Brief) -> &str {
    brief.data["verdict"].as_str().unwrap()
}

fn changes(brief: &Brief) -> Vec<&str> {
    brief.data["changes"].as_array().unwrap().iter().map(|open| open["change"].as_str().unwrap()).collect()
}

fn push(list: &mut Value, item: Value) {
    list.as_array_mut().unwrap().push(item);
}

fn node(id: &str, kind: &str, state: &str, severity: &str) -> Value {
    json!({"id": id, "kind": kind, "title": "t", "state": state, "severity": severity, "required": true})
}

fn check(id: &str, state: &str, due: &str) -> Value {
    json!({"id": id, "label": "l", "state": state, "status": "word", "due": due, "owner": "quality"})
}

#[test]
fn a_release_is_ready_where_every_part_is() {
    let brief = judged(&ready());
    assert_eq!((verdict(&brief), brief.undecided.len(), changes(&brief).len()), ("ready", 0, 0));
    assert_eq!(brief.summary, "ready: nothing is open that counts");
    let reasons = brief.data["reasons"].as_array().unwrap();
    assert!(reasons.len() == 8 && reasons.iter().all(|reason| reason["verdict"] == "holds"), "{reasons:#?}");
}

#[test]
fn what_blocks_comes_with_its_owner_its_day_and_the_change_that_settles_it() {
    let brief = with(|release| {
        release.certification["state"] = json!("fail");
        release.certification["status"] = json!("blocked");
        release.graph["nodes"][0]["state"] = json!("pending");
        release.graph["nodes"][1] = json!({"id": "EVD-1", "kind": "evidence", "title": "Test run",
            "state": "missing", "required": true, "severity": "high", "owner": "quality", "due": "2026-11-19"});
        push(&mut release.graph["nodes"], node("BLK-1", "provider_blocker", "fail", "critical"));
        push(&mut release.graph["nodes"], node("CTL-2", "control", "fail", "medium"));
        push(&mut release.graph["nodes"], node("FND-1", "finding", "fail", "medium"));
        push(&mut release.graph["nodes"], node("FND-2", "finding", "fail", "low"));
        push(&mut release.graph["edges"], json!({"from": "FND-1", "to": "CTL-2", "kind": "violates"}));
        push(&mut release.checks.as_mut().unwrap()["items"], check("CHK-3", "fail", "2026-12-01"));
        release.rollback.as_mut().unwrap()["items"][0]["state"] = json!("missing");
    });
    assert_eq!(verdict(&brief), "not ready");
    assert_eq!(
        changes(&brief),
        [
            "BLK-1 closed at its provider",
            "check CHK-3 passed",
            "rollback decision RBK-1 ready, with its plan",
            "EVD-1 present and fresh → control CTL-1 can pass",
            "FND-1 settled → control CTL-2 can pass",
            "FND-2 resolved or waived",
            "certification CERT-1 certified, once the rest is settled",
        ]
    );
    let gap = &brief.data["changes"][3];
    assert_eq!(
        (&gap["owner"], &gap["due_in_days"], &gap["overdue"]),
        (&json!("quality"), &json!(-1), &json!(true))
    );
    assert_eq!(
        brief.summary,
        "not ready: 1 failed control, 1 evidence gap, 1 provider blocker, 1 open finding, 1 release check, no rollback \
         plan, not certified, 1 of them overdue"
    );
    assert_eq!(
        brief.details[3],
        "high: EVD-1 present and fresh → control CTL-1 can pass (quality, overdue since 2026-11-19)"
    );
    assert_eq!(brief.details.last().unwrap(), "and 1 more");
}

#[test]
fn open_checks_are_tolerated_up_to_the_limit_and_failed_or_overdue_ones_never() {
    let judged_with = |state: &str, due: &str, most: usize| {
        verdict(&with(|release| {
            push(&mut release.checks.as_mut().unwrap()["items"], check("CHK-3", state, due));
            release.with["most_open_checks"] = json!(most);
        }))
        .to_owned()
    };
    assert_eq!(judged_with("pending", "2026-11-20", 0), "not ready");
    assert_eq!(judged_with("pending", "2026-11-20", 1), "ready");
    assert_eq!(judged_with("pending", "2026-11-19", 1), "not ready");
    assert_eq!(judged_with("fail", "2026-12-20", 1), "not ready");
}

#[test]
fn risks_are_tolerated_up_to_the_accepted_severity_unless_an_edge_makes_them_block() {
    let risk = |severity: &str, accept: &str, blocks: bool| {
        let brief = with(|release| {
            push(&mut release.graph["nodes"], node("RSK-2", "risk", "fail", severity));
            if blocks {
                push(&mut release.graph["edges"], json!({"from": "RSK-2", "to": "CTL-1", "kind": "blocks"}));
            }
            release.with["accept_risks_up_to"] = json!(accept);
        });
        (verdict(&brief).to_owned(), brief.data["tolerated"].as_array().unwrap().len())
    };
    assert_eq!(risk("low", "low", false), ("ready".to_owned(), 1));
    assert_eq!(risk("medium", "low", false).0, "not ready");
    assert_eq!(risk("low", "none", false).0, "not ready");
    assert_eq!(risk("critical", "critical", false).0, "ready");
    assert_eq!(risk("grave", "critical", false).0, "undecided");
    assert_eq!(risk("low", "critical", true), ("not ready".to_owned(), 0));
}

#[test]
fn what_is_not_known_or_not_visible_is_undecided_and_never_ready() {
    type Change = fn(&mut Release);
    let changes: [(&str, Change); 16] = [
        ("certification stands", |release| release.certification["state"] = json!("unknown")),
        ("certification stands", |release| release.certification = json!({})),
        ("offers no release checks", |release| release.checks = None),
        ("release checks is not complete", |release| {
            release.checks.as_mut().unwrap()["complete"] = json!(null)
        }),
        ("release checks is not complete", |release| release.checks.as_mut().unwrap()["items"] = json!(null)),
        ("no release check is visible", |release| release.checks.as_mut().unwrap()["items"] = json!([])),
        ("release check is settled: `CHK-1`", |release| {
            release.checks.as_mut().unwrap()["items"][0]["state"] = json!("odd")
        }),
        ("release check is settled: without an ID", |release| {
            release.checks.as_mut().unwrap()["items"][0]["id"] = json!(" ")
        }),
        ("offers no rollback decisions", |release| release.rollback = None),
        ("rollback decisions is not complete", |release| {
            release.rollback.as_mut().unwrap()["complete"] = json!(false)
        }),
        ("no rollback decision is visible", |release| {
            release.rollback.as_mut().unwrap()["items"] = json!([])
        }),
        ("rollback decision is settled: `RBK-1`", |release| {
            release.rollback.as_mut().unwrap()["items"][0]["state"] = json!("odd")
        }),
        ("neither a plan nor why", |release| {
            release.rollback.as_mut().unwrap()["items"][0]["plan"] = json!("")
        }),
        ("whether risk `RSK-1` is settled", |release| release.graph["nodes"][2]["state"] = json!("odd")),
        ("CTL-1", |release| release.graph["nodes"][0]["state"] = json!("odd")),
        ("empty", |release| release.graph["nodes"] = json!([])),
    ];
    for (reason, change) in changes {
        let brief = with(change);
        assert_eq!(verdict(&brief), "undecided", "{reason}");
        assert!(brief.undecided.iter().any(|said| said.contains(reason)), "{reason}: {:?}", brief.undecided);
    }
}

#[test]
fn who_needs_neither_checks_nor_rollback_plan_can_be_ready_without() {
    let brief = with(|release| {
        (release.checks, release.rollback) = (None, None);
        release.with["require_checks"] = json!(false);
        release.with["require_rollback_plan"] = json!(false);
    });
    assert_eq!((verdict(&brief), brief.undecided.len()), ("ready", 0));
    // Checks that are there count all the same.
    let brief = with(|release| {
        release.checks.as_mut().unwrap()["items"][0]["state"] = json!("fail");
        release.with["require_checks"] = json!(false);
    });
    assert_eq!(verdict(&brief), "not ready");
}

#[test]
fn of_several_rollback_decisions_the_last_counts() {
    let with_older = |decided: &str| {
        verdict(&with(|release| {
            let older = json!({"id": "RBK-0", "state": "fail", "status": "rejected", "decided": decided});
            push(&mut release.rollback.as_mut().unwrap()["items"], older);
        }))
        .to_owned()
    };
    assert_eq!(with_older("2026-11-10"), "ready");
    assert_eq!(with_older("2026-11-19"), "not ready");
}

#[test]
fn what_the_recipe_says_must_be_of_its_kind() {
    for with in
        [json!({}), json!({"as_of": "soon"}), json!({"as_of": "2026-11-20", "accept_risks_up_to": "grave"})]
    {
        let release = Release { with, ..ready() };
        assert!(try_judged(&release).is_err());
    }
}

#[test]
fn twenty_thousand_findings_are_judged_in_one_go_and_in_any_order_alike() {
    let many = |turned: bool| {
        with(|release| {
            let mut nodes: Vec<Value> =
                (0..20_000).map(|id| node(&format!("FND-{id}"), "finding", "fail", "high")).collect();
            if turned {
                nodes.reverse();
            }
            release.graph["nodes"].as_array_mut().unwrap().append(&mut nodes);
        })
    };
    let one = many(false);
    assert_eq!(changes(&one).len(), 20_000);
    assert!(one == many(true));
}
