use super::*;
use serde_json::json;

fn incident(id: &str, impact: Option<&str>, opened: &str, more: Value) -> Value {
    let mut one = json!({"id": id, "title": format!("Title of {id}"), "state": "pending", "status": "open", "impact": impact,
        "opened": opened, "application": "payments", "service": "queue", "team": "platform", "version": 3, "releases": [], "changes": []});
    one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    one
}

fn list(items: Value) -> Value {
    json!({"complete": true, "items": items})
}

fn releases() -> Value {
    list(json!([
        {"id": "REL-1", "name": "Payments 4", "application": "payments", "team": "payments", "state": "pass", "status": "released", "released": "2026-11-19T12:00:00Z"},
        {"id": "REL-2", "name": "Search 5", "application": "search", "team": "search", "state": "pass", "status": "released", "released": "2026-11-20T11:00:00Z"},
        {"id": "REL-3", "name": "Payments 5", "application": "payments", "team": "payments", "state": "pending", "status": "planned"},
    ]))
}

fn changes() -> Value {
    list(json!([
        {"id": "CHG-1", "title": "Move the queue", "application": "payments", "service": "queue", "state": "pending", "status": "in_progress", "starts": "2026-11-20T11:30:00Z", "ends": "2026-11-20T15:00:00Z"},
        {"id": "CHG-2", "title": "No window", "application": "payments", "state": "fail", "status": "rejected"},
    ]))
}

fn triaged(incidents: &Value, releases: &Value, changes: &Value, with: Value) -> Brief {
    let mut all =
        json!({"as_of": "2026-11-20", "hours_before": 72, "old_after_hours": 168, "link_from": 100});
    all.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    let with = all.as_object().unwrap().clone();
    triage(&Given {
        of: Some(incidents),
        from: [("releases", releases), ("changes", changes)].into(),
        with,
        ..Given::default()
    })
    .unwrap()
}

fn of(incidents: Value, with: Value) -> Brief {
    triaged(&list(incidents), &releases(), &changes(), with)
}

#[test]
fn the_worst_and_oldest_come_first_with_their_age_and_what_is_near() {
    let brief = of(
        json!([
            incident("I-LOW", Some("low"), "2026-11-01T00:00:00Z", json!({})),
            incident("I-ODD", Some("grave"), "2026-11-19T00:00:00Z", json!({})),
            incident("I-NEW", Some("critical"), "2026-11-20T12:40:00Z", json!({"owner": "li"})),
            incident(
                "I-OLD",
                Some("critical"),
                "2026-11-20T12:00:00Z",
                json!({"application": "search", "service": null})
            ),
            incident("I-DONE", Some("critical"), "2026-11-20T12:00:00Z", json!({"state": "pass"})),
        ]),
        json!({}),
    );
    let ids: Vec<&str> =
        brief.data["incidents"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["I-OLD", "I-NEW", "I-ODD", "I-LOW"]);
    assert_eq!(brief.summary, "4 open: 2 critical, 1 old, 3 without an owner");
    assert_eq!(brief.data["unknown_impact"], 1);
    let new = &brief.data["incidents"][1];
    assert_eq!((&new["age_hours"], &new["near"]), (&json!(11), &json!(["CHG-1", "REL-1"])));
    let suspect = &brief.data["suspects"][3];
    assert_eq!(
        (&suspect["incident"], &suspect["id"], &suspect["score"]),
        (&json!("I-NEW"), &json!("CHG-1"), &json!(299))
    );
    assert_eq!((brief.undecided, &brief.data["proposal"]), (vec![], &Value::Null));
}

#[test]
fn owner_and_links_are_proposed_for_the_one_that_is_named() {
    let one = |more: Value| json!([incident("I-1", Some("critical"), "2026-11-20T12:40:00Z", more)]);
    let proposal = |more: Value, with: Value| {
        let mut with = with;
        with["incident"] = json!("I-1");
        of(one(more), with).data["proposal"].clone()
    };
    let proposed = proposal(json!({}), json!({}));
    assert_eq!(
        (&proposed["owner"], &proposed["releases"], &proposed["changes"], &proposed["version"]),
        (&json!("payments"), &json!(["REL-1"]), &json!(["CHG-1"]), &json!(3))
    );
    let reason = "release `REL-1` (the same application, 24 hours before, score 165); change `CHG-1` (the same service, 0 hours \
                  before, score 299); owner `payments`, who releases the application";
    assert_eq!(proposed["reason"], reason);
    // What is there already stays, and is not proposed again.
    let linked = json!({"owner": "li", "changes": ["CHG-0"], "releases": ["REL-1"]});
    let proposed = proposal(linked.clone(), json!({}));
    assert_eq!((&proposed["owner"], &proposed["releases"]), (&Value::Null, &Value::Null));
    assert_eq!(proposed["changes"], json!(["CHG-0", "CHG-1"]));
    assert_eq!(proposal(linked.clone(), json!({"owner": "amara"}))["owner"], "amara");
    // Nothing is near enough, and nothing is left to say.
    assert_eq!(proposal(linked, json!({"link_from": 301})), Value::Null);
    let elsewhere = proposal(json!({"application": "nobody", "service": null}), json!({}));
    assert_eq!((&elsewhere["owner"], &elsewhere["changes"]), (&json!("platform"), &Value::Null));
}

#[test]
fn what_is_not_understood_is_never_proposed_as_a_link() {
    let mut changes = changes();
    changes["items"][0]["state"] = json!("unknown");
    let incidents = list(json!([incident("I-1", Some("low"), "2026-11-20T12:40:00Z", json!({}))]));
    let brief = triaged(&incidents, &releases(), &changes, json!({"incident": "I-1"}));
    assert_eq!(brief.data["proposal"]["changes"], Value::Null);
    assert_eq!(brief.data["suspects"][0]["id"], "CHG-1");
}

#[test]
fn what_cannot_be_relied_on_decides_nothing() {
    let fine = incident("I-1", Some("low"), "2026-11-20T12:40:00Z", json!({}));
    for (name, value, says) in [
        ("state", json!("unknown"), "`I-1` has a state that nobody knows: `open`"),
        ("opened", json!("yesterday"), "`I-1` does not say when it was opened"),
        ("opened", json!(null), "`I-1` does not say when it was opened"),
        ("version", json!(null), "`I-1` has no version"),
    ] {
        let mut one = fine.clone();
        one[name] = value;
        let undecided = of(json!([one]), json!({"incident": "I-1"})).undecided;
        assert!(undecided.len() == 1 && undecided[0].contains(says), "{name}: {undecided:?}");
    }
    let nobody = of(json!([fine]), json!({"incident": "I-2"})).undecided;
    assert_eq!(nobody, ["no open incident `I-2` is visible"]);
    let torn = triaged(&list(json!([])), &json!({"complete": false, "items": []}), &changes(), json!({}));
    assert_eq!(torn.undecided, ["the list of releases is not known to be complete"]);
    let empty = of(json!([]), json!({}));
    assert_eq!((empty.summary.as_str(), empty.undecided), ("no incident is open", vec![]));
}

#[test]
fn what_was_not_looked_at_is_said() {
    let incidents = list(json!([incident("I-1", Some("low"), "2026-11-20T12:40:00Z", json!({}))]));
    let with =
        json!({"as_of": "2026-11-20T13:00:00Z", "hours_before": 72, "old_after_hours": 1, "link_from": 100});
    let given = |with: Value| Given {
        of: Some(&incidents),
        with: with.as_object().unwrap().clone(),
        ..Given::default()
    };
    let brief = triage(&given(with.clone())).unwrap();
    assert_eq!(brief.not_proven.len(), 2);
    assert!(triage(&given(json!({}))).unwrap_err().contains("as_of"));
    for (since, said) in [("2026-11-18", 1), ("2026-11-17", 0)] {
        let brief = triaged(&incidents, &releases(), &changes(), json!({ "since": since }));
        assert_eq!(brief.not_proven.len(), said, "{since}: {:?}", brief.not_proven);
    }
}

#[test]
fn ten_thousand_incidents_and_changes_are_the_same_whatever_their_order() {
    let mut incidents: Vec<Value> = (0..10_000)
        .map(|n| {
            incident(
                &format!("I-{n}"),
                Some("high"),
                &format!("2026-11-20T{:02}:{:02}:00Z", n % 24, n % 60),
                json!({}),
            )
        })
        .collect();
    let mut changed: Vec<Value> = (0..10_000)
        .map(|n| json!({"id": format!("C-{n}"), "application": "payments", "state": "pass", "status": "closed", "starts": "2026-11-20T00:00:00Z", "ends": format!("2026-11-20T{:02}:00:00Z", n % 24)}))
        .collect();
    let shown = |incidents: &[Value], changed: &[Value]| {
        triaged(&list(json!(incidents)), &releases(), &list(json!(changed)), json!({})).into_value().unwrap()
    };
    let one = shown(&incidents, &changed);
    incidents.reverse();
    changed.reverse();
    assert_eq!(one, shown(&incidents, &changed));
}
