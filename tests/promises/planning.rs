//! Recipes that say what work, incidents and numbers ask of people, on ten thousand records of each.

use serde_json::{Value, json};

use crate::support::{Folder, Ran};

const MANY: usize = 10_000;

/// A tenant's records, ten thousand of each, in a sandbox of its own.
fn many() -> Folder {
    let folder = Folder::new();
    let severities = ["critical", "high", "medium", "low"];
    let severity = |n: usize| severities[n % severities.len()];
    let backlog: Vec<Value> = (0..MANY)
        .map(|n| json!({"id": format!("ISSUE-{n:05}"), "type": "issue", "title": format!("Issue {n}"), "status": "open",
            "severity": severity(n), "effort": n % 3 + 1, "team": "crowd"}))
        .collect();
    let people: Vec<String> = (0..100).map(|n| format!("user-{n}")).collect();
    let capacity: serde_json::Map<String, Value> = people.iter().map(|id| (id.clone(), json!(4))).collect();
    let users: Vec<Value> =
        people.iter().map(|id| json!({"id": id, "name": id, "roles": {"acme": ["developer"]}})).collect();
    let hour = |n: usize| format!("2026-11-{:02}T{:02}:{:02}:00Z", 10 + n % 10, n % 24, n % 60);
    let incidents: Vec<Value> = (0..MANY)
        .map(|n| {
            json!({"id": format!("INC-{n:05}"), "title": format!("Incident {n}"), "status": "open",
            "impact": severity(n), "openedAt": hour(n), "application": "crowd"})
        })
        .collect();
    let changes: Vec<Value> = (0..MANY)
        .map(|n| json!({"id": format!("CHG-{n:05}"), "title": format!("Change {n}"), "status": "closed",
            "startsAt": hour(n), "endsAt": hour(n), "application": "crowd", "service": format!("service-{}", n % 9)}))
        .collect();
    let begin: jiff::Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let points: serde_json::Map<String, Value> = (0..MANY)
        .map(|n| {
            let at = begin + jiff::SignedDuration::from_mins(i64::try_from(n).unwrap() * 10);
            (at.to_string(), json!(100 + n % 50))
        })
        .collect();
    let tenant = json!({
        "id": "acme", "teams": {"crowd": "Crowd"}, "backlog": backlog, "incidents": incidents, "changes": changes,
        "sprints": [{"id": "SPR-CROWD", "name": "Crowd 1", "team": "crowd", "status": "planned", "startDate": "2026-12-01",
            "endDate": "2026-12-20", "capacity": capacity}],
        "metrics": [{"id": "crowd", "name": "Crowd", "unit": "people", "better": "lower", "points": points}],
        "dashboards": [{"id": "DASH-CROWD", "name": "Crowd", "charts": [
            {"id": "CHART-CROWD", "title": "Crowd", "kind": "line", "metrics": ["crowd"]}]}],
    });
    folder.write("many.json", json!({"users": users, "tenants": [tenant]}).to_string());
    folder.run(&["sandbox", "load", "many.json", "--database", "many.db"]).exits(0);
    folder
}

fn run(folder: &Folder, recipe: &str, inputs: &[&str]) -> Ran {
    let common = [
        recipe,
        "--server",
        "sandbox:many.db",
        "--tenant",
        "acme",
        "--report",
        "html=page.html",
        "--report",
        "markdown=page.md",
    ];
    folder.run(&[common.as_slice(), inputs].concat())
}

#[test]
fn ten_thousand_records_are_planned_triaged_and_measured() {
    let folder = many();
    let day = ["--as-of", "2026-11-20"];
    let plan = [day.as_slice(), &["--team", "crowd", "--most-critical-unplanned", "10000"]].concat();
    run(&folder, "sprint-plan", &plan).exits(0);
    let planned = folder.json("loopgate-out/sprint-plan.json");
    let proposed = planned["plan"].as_array().unwrap();
    assert!(
        proposed.len() > 300 && proposed.iter().all(|one| one["severity"] == "critical"),
        "{}",
        proposed.len()
    );
    assert_eq!((&planned["people"][0]["left"], &planned["above_capacity"]), (&json!(0), &json!(0)));
    assert_eq!(proposed.len() + planned["unplanned"].as_array().unwrap().len(), MANY);
    bounded(&folder);

    run(&folder, "incident-triage", &[day.as_slice(), &["--incident", "INC-00000"]].concat()).exits(0);
    let triage = folder.json("loopgate-out/incident-triage.json");
    // With the four that the organization has open itself.
    assert_eq!(triage["incidents"].as_array().unwrap().len(), MANY + 4);
    assert_eq!(triage["proposal"]["changes"].as_array().unwrap().len(), 1);
    bounded(&folder);

    let board =
        ["--dashboard", "DASH-CROWD", "--from", "2026-06-01", "--to", "2026-08-09", "--metric", "crowd"];
    run(&folder, "analytics-dashboard", &board).exits(0);
    assert_eq!(folder.json("loopgate-out/dashboard.json")["metrics"][0]["points"], MANY);
    bounded(&folder);
}

/// Pages have a size that people and platforms can bear.
fn bounded(folder: &Folder) {
    let (page, summary) = (folder.read("page.html").len(), folder.read("page.md").len());
    assert!(page < 8 << 20 && summary < 1 << 20, "{page} and {summary} bytes");
}
