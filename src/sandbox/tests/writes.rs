//! The governed writes, all by the same rules, and what each does.

use serde_json::{Value, json};

use super::*;

const ASSIGN: &str = "loopiq_assign_work";
const TRIAGE: &str = "loopiq_triage_incident";
const RUN: &str = "loopiq_run_ai_ml_agent";
const UPDATE: &str = "loopiq_update_record";
const ROUTE: &str = "loopiq_invoke_route";

/// A write of each kind with the control arguments of the real call, and an ID in it that leads to another tenant's
/// record where it is put in the place of this one's.
fn writes() -> Vec<(&'static str, &'static str, Value, &'static str, &'static str)> {
    let control = |mut arguments: Value| {
        for (name, value) in
            object(json!({"dryRun": false, "approvalId": "APR-1", "idempotencyKey": "key-1"}))
        {
            arguments[name] = value;
        }
        arguments
    };
    let assignments = json!([
        {"id": "ISSUE-301", "version": 1, "assignee": "li.na"},
        {"id": "STORY-902", "version": 1, "assignee": "jonas.weber"},
    ]);
    vec![
        ("work_package", CREATE, package(json!({})), "CERT-REL-BLOCKED", "CERT-REL-GLOBEX-1"),
        (
            "assign_work",
            ASSIGN,
            control(json!({"sprintId": "SPR-PAY-09", "reason": "r", "assignments": assignments})),
            "ISSUE-301",
            "ISSUE-G301",
        ),
        (
            "triage_incident",
            TRIAGE,
            control(
                json!({"incidentId": "INC-4471", "version": 1, "owner": "priya.nair", "releases": ["REL-2026-10"],
                "changes": ["CHG-902"], "reason": "it began with the move"}),
            ),
            "CHG-902",
            "CHG-G701",
        ),
        (
            "agent_run",
            RUN,
            control(json!({"agentId": "incident-triage", "subject": {"type": "incident", "id": "INC-4471"}})),
            "INC-4471",
            "INC-G081",
        ),
        (
            "update_record",
            UPDATE,
            control(json!({"resource": "issue", "id": "ISSUE-301", "version": 1,
                "fields": {"title": "Twice", "severity": "high", "dueDate": null, "effort": 3.5}})),
            "ISSUE-301",
            "ISSUE-G301",
        ),
    ]
}

fn with(arguments: &Value, changes: Value) -> Value {
    let mut arguments = object(arguments.clone());
    for (name, value) in object(changes) {
        if value.is_null() {
            arguments.remove(&name)
        } else {
            arguments.insert(name, value)
        };
    }
    Value::Object(arguments)
}

fn without_audit(rows: Vec<String>) -> Vec<String> {
    rows.into_iter()
        .filter(|row| !row.starts_with("audit ") && !row.starts_with("sqlite_sequence "))
        .collect()
}

#[tokio::test]
async fn a_dry_run_of_any_write_shows_it_and_changes_no_row() {
    for (_, tool, arguments, ..) in writes() {
        let sandbox = sandbox();
        let client = Client::of(&sandbox).await;
        let state = || {
            let connection = sandbox.connection();
            (store::dump(&connection), connection.total_changes())
        };
        let before = state();
        for control in
            [json!({"dryRun": true}), json!({"dryRun": true, "approvalId": null, "idempotencyKey": null})]
        {
            let answer = client.acme(tool, with(&arguments, control)).await.unwrap();
            assert_eq!(
                (&answer["dryRun"], &answer["preview"]["tenant"]),
                (&json!(true), &json!("acme")),
                "{tool}"
            );
            assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
        }
        assert!(state() == before, "{tool}");
    }
}

#[tokio::test]
async fn any_write_needs_approval_key_role_and_records_that_are_visible() {
    for (_, tool, arguments, own, foreign) in writes() {
        let sandbox = sandbox();
        let client = Client::of(&sandbox).await;
        let before = store::dump(&sandbox.connection());
        let refused = async |changes: Value| client.acme(tool, with(&arguments, changes)).await.unwrap_err();
        assert_eq!(refused(json!({"approvalId": null})).await.0, "APPROVAL_REQUIRED", "{tool}");
        let (code_, message) = refused(json!({"idempotencyKey": null})).await;
        assert_eq!(code_, "INVALID_ARGUMENT", "{tool}");
        assert!(message.starts_with("/idempotencyKey: "), "{message}");
        let of = |id: &str| -> Value {
            serde_json::from_str(&arguments.to_string().replace(&format!("\"{own}\""), &format!("\"{id}\"")))
                .unwrap()
        };
        let (code_, message) = client.acme(tool, of(foreign)).await.unwrap_err();
        let (_, absence) = client.acme(tool, of("NOWHERE-1")).await.unwrap_err();
        assert_eq!(code_, "NOT_VISIBLE", "{tool}");
        assert_eq!(message, absence.replace("NOWHERE-1", foreign));
        assert_eq!(store::dump(&sandbox.connection()), before, "{tool}");
        sandbox.connection().execute("DELETE FROM roles WHERE role = 'release_manager'", []).unwrap();
        for dry in [true, false] {
            assert_eq!(refused(json!({"dryRun": dry})).await.0, "NOT_PERMITTED", "{tool}");
        }
    }
}

#[tokio::test]
async fn the_same_key_gives_the_same_result_of_any_write_and_another_payload_a_conflict() {
    for (_, tool, arguments, ..) in writes() {
        let sandbox = sandbox();
        let client = Client::of(&sandbox).await;
        let first = client.acme(tool, arguments.clone()).await.unwrap();
        assert_eq!((&first["dryRun"], &first["replayed"]), (&json!(false), &json!(false)), "{tool}");
        assert_eq!(first["audit"]["requestId"], "R-1");
        let before = without_audit(store::dump(&sandbox.connection()));
        let mut again = client.acme(tool, arguments.clone()).await.unwrap();
        assert_eq!(again["replayed"], true, "{tool}");
        again["replayed"] = false.into();
        assert_eq!(again, first);
        for dry in [true, false] {
            let other = with(&arguments, json!({"reason": "another one", "dryRun": dry}));
            assert_eq!(code(client.acme(tool, other).await), "IDEMPOTENCY_CONFLICT", "{tool}");
        }
        assert_eq!(without_audit(store::dump(&sandbox.connection())), before, "{tool}");
        assert_eq!(rows(&sandbox, "audit"), 2, "{tool}: a replay is audited");
    }
    // A key that one tool has used is no other's.
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    client.acme(CREATE, package(json!({}))).await.unwrap();
    let (_, tool, arguments, ..) = writes().remove(2);
    assert_eq!(code(client.acme(tool, arguments).await), "IDEMPOTENCY_CONFLICT");
}

#[tokio::test]
async fn a_version_that_is_not_the_present_one_changes_nothing() {
    for (_, tool, arguments, ..) in writes() {
        let text = arguments.to_string();
        if !text.contains("\"version\":1") {
            continue;
        }
        let stale: Value = serde_json::from_str(&text.replacen("\"version\":1", "\"version\":2", 1)).unwrap();
        let sandbox = sandbox();
        let client = Client::of(&sandbox).await;
        let before = store::dump(&sandbox.connection());
        for dry in [true, false] {
            let (code, message) = client.acme(tool, with(&stale, json!({"dryRun": dry}))).await.unwrap_err();
            assert_eq!(code, "VERSION_CONFLICT", "{tool}");
            assert!(message.ends_with("has version 1, and this call carries 2"), "{message}");
        }
        assert_eq!(store::dump(&sandbox.connection()), before, "{tool}");
        client.acme(tool, arguments.clone()).await.unwrap();
        let again = with(&arguments, json!({"idempotencyKey": "key-2"}));
        assert_eq!(
            code(client.acme(tool, again).await),
            "VERSION_CONFLICT",
            "{tool}: it has moved by itself"
        );
    }
}

#[tokio::test]
async fn what_was_written_is_read_again() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    for (index, (_, tool, arguments, ..)) in writes().into_iter().enumerate() {
        let arguments = with(&arguments, json!({"idempotencyKey": format!("real-{index}")}));
        let arguments = match tool {
            UPDATE => with(&arguments, json!({"version": 2})),
            _ => arguments,
        };
        client.acme(tool, arguments).await.unwrap();
    }
    let incident = client.acme("loopiq_search_incidents", json!({"ids": ["INC-4471"]})).await.unwrap();
    let incident = &incident["items"][0];
    assert_eq!(
        (&incident["owner"], &incident["releases"], &incident["changes"], &incident["version"]),
        (&json!("priya.nair"), &json!(["REL-2026-10"]), &json!(["CHG-902"]), &json!(2))
    );
    let issue = client.acme("loopiq_search_backlog", json!({"ids": ["ISSUE-301"]})).await.unwrap();
    let issue = &issue["items"][0];
    assert_eq!((&issue["assignee"], &issue["sprintId"]), (&json!("li.na"), &json!("SPR-PAY-09")));
    assert_eq!(
        (&issue["title"], &issue["severity"], &issue["effort"]),
        (&json!("Twice"), &json!("high"), &json!(3.5))
    );
    assert_eq!((issue.get("dueDate"), &issue["version"]), (None, &json!(3)));
    let run = client.acme("loopiq_list_ai_ml_agent_runs", json!({"ids": ["RUN-1"]})).await.unwrap();
    assert_eq!(run["items"][0]["subjectId"], "INC-4471");
    let foreign =
        client.call("globex", "loopiq_list_ai_ml_agent_runs", json!({"ids": ["RUN-1"]})).await.unwrap();
    assert_eq!(foreign["items"], json!([]));
}

#[tokio::test]
async fn a_change_of_what_cannot_be_changed_is_refused_with_its_place() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    let before = store::dump(&sandbox.connection());
    let update = writes().remove(4).2;
    for (changes, pointer) in [
        (json!({"fields": {}}), "/fields"),
        (json!({"fields": {"titel": "x"}}), "/fields/titel"),
        (json!({"fields": {"team": "quality"}}), "/fields/team"),
        (json!({"fields": {"title": null}}), "/fields/title"),
        (json!({"fields": {"severity": "urgent"}}), "/fields/severity"),
        (json!({"fields": {"dueDate": "soon"}}), "/fields/dueDate"),
        (json!({"fields": {"effort": -1}}), "/fields/effort"),
        (json!({"fields": {"tenant_id": "globex"}}), "/fields/tenant_id"),
        (json!({"version": null}), "/version"),
        (
            json!({"resource": "release_certification", "id": "CERT-REL-READY", "fields": {"status": "certified"}}),
            "/fields/status",
        ),
    ] {
        let (code, message) = client.acme(UPDATE, with(&update, changes.clone())).await.unwrap_err();
        let place = message.split_once(": ").map_or("", |(place, _)| place);
        assert_eq!((code.as_str(), place), ("INVALID_ARGUMENT", pointer), "{changes}: {message}");
    }
    // A record of another kind is none of this one.
    assert_eq!(code(client.acme(UPDATE, with(&update, json!({"resource": "story"}))).await), "NOT_VISIBLE");
    assert_eq!(code(client.acme(UPDATE, with(&update, json!({"resource": "secret"}))).await), "NOT_VISIBLE");
    assert_eq!(store::dump(&sandbox.connection()), before);
}

#[tokio::test]
async fn every_write_fits_its_schema_and_the_shipped_profile() {
    let client = Client::of(&sandbox()).await;
    let tools = client.service.list_all_tools().await.unwrap();
    let more = [
        ("agent_runs", json!({"ids": ["RUN-1"]})),
        ("records", json!({"resource": "incident"})),
        ("record", json!({"resource": "release_certification", "id": "CERT-REL-BLOCKED"})),
        (
            "invoke_route",
            json!({"method": "POST", "path": "/releases/REL-READY/notes", "body": {"text": "t"}}),
        ),
        ("invoke_route", json!({"method": "GET", "path": "/releases/REL-READY/notes"})),
    ];
    let mut calls = Vec::new();
    for (index, (operation, _, arguments, ..)) in writes().into_iter().enumerate() {
        // The assignment has moved the issue that is changed.
        let moved = if operation == "update_record" { json!({"version": 2}) } else { json!({}) };
        let arguments = with(&arguments, moved);
        calls.push((operation, with(&arguments, json!({"dryRun": true}))));
        calls.push((operation, with(&arguments, json!({"idempotencyKey": format!("real-{index}")}))));
    }
    calls.extend(more);
    for (operation, arguments) in calls {
        fits_schema_and_profile(&client, &tools, operation, arguments).await;
    }
}

#[tokio::test]
async fn a_raw_route_is_one_of_those_that_are_listed_and_knows_its_tenant() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    let path = |id: &str| format!("/releases/{id}/notes");
    let post = |id: &str| json!({"method": "POST", "path": path(id), "body": {"text": "hello"}});
    let first = client.acme(ROUTE, post("REL-READY")).await.unwrap();
    assert_eq!((&first["status"], &first["body"]["id"]), (&json!(201), &json!("NOTE-1")));
    client.acme(ROUTE, post("REL-READY")).await.unwrap();
    let read = client.acme(ROUTE, json!({"method": "GET", "path": path("REL-READY")})).await.unwrap();
    assert_eq!(read["body"]["items"].as_array().unwrap().len(), 2, "a route has no key: twice is twice");
    let before = store::dump(&sandbox.connection());
    let (_, absence) = client.call("globex", ROUTE, post("REL-NOWHERE")).await.unwrap_err();
    let (code_, message) = client.call("globex", ROUTE, post("REL-READY")).await.unwrap_err();
    assert_eq!((code_.as_str(), message), ("NOT_VISIBLE", absence.replace("REL-NOWHERE", "REL-READY")));
    for wrong in [
        json!({"method": "DELETE", "path": path("REL-READY")}),
        json!({"method": "GET", "path": "/releases/REL-READY"}),
        json!({"method": "GET", "path": "/releases/REL-READY/x/notes"}),
    ] {
        assert_eq!(code(client.acme(ROUTE, wrong).await), "NOT_VISIBLE");
    }
    let blank = json!({"method": "POST", "path": path("REL-READY"), "body": {"text": " "}});
    assert_eq!(code(client.acme(ROUTE, blank).await), "INVALID_ARGUMENT");
    assert_eq!(store::dump(&sandbox.connection()), before);
}
