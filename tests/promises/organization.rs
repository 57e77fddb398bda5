//! The sandbox's organization over the command line: its writes, planned, approved and applied; its families behind
//! their switches; what an agent recommends; and all of it ten thousand times.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::generated::Generator;
use crate::governed::{ARTIFACT, DATABASE, Governed};
use crate::support::Folder;

/// Every write that the sandbox has besides the work package.
const EVERYTHING: &str = r#"recipe: everything
summary: Every write there is.
profile: loopiq
steps:
  - id: agents
    read: ai_ml_agents
  - id: kinds
    read: resources
  - id: work
    read: backlog
    with: { ids: [ISSUE-301, STORY-902] }
  - id: incident
    read: incidents
    with: { ids: [INC-4471] }
  - id: one
    read: record
    with: { resource: issue, id: ISSUE-312 }
  - id: assign
    write: assign_work
    reason: They are due
    with:
      sprint: SPR-PAY-09
      assignments:
        for_each: "{{ work.items }}"
        as: item
        give: { id: "{{ item.id }}", version: "{{ item.version }}", assignee: li.na }
  - id: triage
    write: triage_incident
    reason: It has no owner
    with:
      incident: "{{ incident.items[0].id }}"
      version: "{{ incident.items[0].version }}"
      owner: priya.nair
      changes: [CHG-902]
      reason: It began with the move
  - id: asked
    write: agent_run
    reason: A second look
    with: { agent: incident-triage, kind: incident, subject: INC-4471 }
  - id: change
    write: update_record
    reason: It is worse than that
    with: { resource: issue, id: ISSUE-312, version: "{{ one.version }}", fields: { severity: high } }
"#;

/// A raw route besides.
const ROUTE: &str = r#"  - id: routes
    read: routes
  - id: note
    write: invoke_route
    reason: Somebody should know
    with: { method: POST, path: /releases/REL-READY/notes, body: { text: hello } }
"#;

fn allowing(families: &[&str]) -> Governed {
    let governed = Governed::new("");
    governed.settings(|settings| settings["servers"]["governed"]["allow"] = json!({ "families": families }));
    governed.folder.write("everything.yaml", format!("{EVERYTHING}{ROUTE}"));
    governed
}

const ALL: [&str; 4] = ["semantic", "agents", "records", "routes"];

fn found(governed: &Governed, query: &str) -> String {
    let connection = Connection::open(governed.folder.path().join(DATABASE)).unwrap();
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

/// What the writes leave, in one line.
fn left(governed: &Governed) -> String {
    found(
        governed,
        "SELECT json_array(
           (SELECT group_concat(assignee || ' ' || sprint_id || ' ' || version, ', ') FROM work_items
            WHERE id IN ('ISSUE-301', 'STORY-902')),
           (SELECT owner || ' ' || version FROM incidents WHERE id = 'INC-4471'),
           (SELECT group_concat(change_id) FROM incident_changes WHERE incident_id = 'INC-4471'),
           (SELECT group_concat(id || ' ' || subject_id) FROM agent_runs),
           (SELECT severity || ' ' || version FROM work_items WHERE id = 'ISSUE-312'),
           (SELECT group_concat(text) FROM release_notes))",
    )
}

#[test]
fn every_write_is_planned_without_effect_and_applied_once() {
    let governed = allowing(&ALL);
    let folder = &governed.folder;
    // The server's tools as they are reviewed: what writes is a write.
    folder.run(&["lock", "--server", "governed"]).exits(0);
    let tools = folder.json("loopgate.lock")["servers"]["governed"]["tools"].clone();
    for (tool, class) in [
        ("loopiq_assign_work", "write"),
        ("loopiq_triage_incident", "write"),
        ("loopiq_run_ai_ml_agent", "write"),
        ("loopiq_update_record", "write"),
        ("loopiq_invoke_route", "write"),
        ("loopiq_assess_with_ai_ml_agent", "read"),
        ("loopiq_list_records", "read"),
        ("loopiq_search_backlog", "read"),
    ] {
        assert_eq!(tools[tool]["class"], class, "{tool}: {:#}", tools[tool]);
    }
    let nothing = r#"[null,null,null,null,"critical 1",null]"#;
    folder.run(&["run", "everything.yaml", "--report", "json=run.json"]).exits(0);
    assert_eq!(left(&governed), nothing, "a plan writes nothing");
    let id = governed.approve("alice");
    governed.apply(&id, &[]).exits(0);
    let all = r#"["li.na SPR-PAY-09 2, li.na SPR-PAY-09 2","priya.nair 2","CHG-902","RUN-1 INC-4471","high 2","hello"]"#;
    assert_eq!(left(&governed), all);
    let audit = governed.audit();
    let operations = audit["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 5);
    assert!(operations.iter().all(|operation| operation["outcome"] == "applied"), "{audit:#}");
    governed.apply(&id, &[]).exits(0);
    assert_eq!(left(&governed), all, "applied again, it does nothing more");
}

#[test]
fn a_record_that_moved_since_the_plan_is_not_written() {
    for moves in [
        "UPDATE incidents SET version = version + 1 WHERE id = 'INC-4471'",
        "UPDATE work_items SET version = version + 1 WHERE id = 'STORY-902'",
        "UPDATE work_items SET version = version + 1 WHERE id = 'ISSUE-312'",
    ] {
        let governed = allowing(&ALL);
        governed.folder.run(&["run", "everything.yaml"]).exits(0);
        let id = governed.approve("alice");
        let connection = Connection::open(governed.folder.path().join(DATABASE)).unwrap();
        assert_eq!(connection.execute(moves, []).unwrap(), 1);
        drop(connection);
        let before = left(&governed);
        governed.apply(&id, &[]).exits(21);
        assert_eq!(left(&governed), before, "{moves}");
    }
}

#[test]
fn a_record_on_a_late_page_counts_like_one_on_the_first() {
    let governed = allowing(&ALL);
    let folder = &governed.folder;
    folder.write("many.yaml", Generator { items: 2500, ..Generator::new(7) }.file());
    folder.run(&["sandbox", "load", "many.yaml", "--database", DATABASE]).exits(0);
    folder.write(
        "late.yaml",
        r#"recipe: late
summary: The last of many.
profile: loopiq
steps:
  - id: work
    read: backlog
    with: { team: payments }
    emit: work.json
  - id: assign
    write: assign_work
    reason: It is the last
    with:
      sprint: SPR-PAY-09
      assignments: [{ id: "{{ work.items[-1].id }}", version: "{{ work.items[-1].version }}", assignee: li.na }]
"#,
    );
    folder.run(&["run", "late.yaml", "--report", "json=run.json"]).exits(0);
    let items = folder.json("loopgate-out/work.json")["items"].clone();
    let last = items.as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    assert!(items.as_array().unwrap().len() > 2500);
    let calls = folder.json("run.json")["steps"][0]["calls"].as_array().unwrap().len();
    assert_eq!(calls, 3, "a thousand to a page");
    let id = governed.approve("alice");
    let moved = format!("UPDATE work_items SET title = title || '!' WHERE id = '{last}'");
    let connection = Connection::open(folder.path().join(DATABASE)).unwrap();
    assert_eq!(connection.execute(&moved, []).unwrap(), 1);
    governed.apply(&id, &[]).exits(21);
    let back = format!("UPDATE work_items SET title = rtrim(title, '!') WHERE id = '{last}'");
    connection.execute(&back, []).unwrap();
    drop(connection);
    governed.apply(&id, &[]).exits(0);
}

#[test]
fn each_family_is_behind_its_switch() {
    for (families, lacking) in [
        (&["semantic", "agents", "records"], "routes"),
        (&["semantic", "agents", "routes"], "records"),
        (&["semantic", "records", "routes"], "agents"),
    ] {
        let governed = allowing(families);
        let told = governed.folder.run(&["run", "everything.yaml"]).exits(3).told();
        let said = format!("add `{lacking}` to `allow.families` of the server `governed`");
        assert!(told.contains(&said), "{told}");
        assert!(!governed.folder.exists(ARTIFACT));
    }
    // What was planned while it was allowed is not applied once it is not.
    let governed = allowing(&ALL);
    governed.folder.run(&["run", "everything.yaml"]).exits(0);
    let id = governed.approve("alice");
    governed.settings(|settings| {
        settings["servers"]["governed"]["allow"] = json!({ "families": ["semantic", "agents", "records"] });
    });
    let ran = governed.apply(&id, &[]);
    assert!(ran.code == 3 || ran.code == 21, "{} {}", ran.code, ran.told());
    assert!(left(&governed).ends_with("null]"), "{}", left(&governed));
    // The embedded sandbox has no settings: generic records and raw routes are off there.
    let folder = Folder::new();
    folder.write("everything.yaml", format!("{EVERYTHING}{ROUTE}"));
    let told =
        folder.run(&["run", "everything.yaml", "--server", "sandbox", "--tenant", "acme"]).exits(3).told();
    assert!(told.contains("the settings do not allow the tool `loopiq_get_record`"), "{told}");
}

const ASKED: &str = r#"recipe: asked
summary: What an agent makes of a release.
profile: loopiq
steps:
  - id: agents
    read: ai_ml_agents
  - id: said
    read: assessment
    with: { agent: readiness, kind: release, subject: REL-BLOCKED }
    emit: said.json
"#;

#[test]
fn every_report_marks_a_recommendation_as_one() {
    let folder = Folder::new();
    folder.write("asked.yaml", ASKED);
    let run = ["run", "asked.yaml", "--server", "sandbox", "--tenant", "acme"];
    let reports = ["--report", "markdown=run.md", "--report", "html=run.html", "--report", "json=run.json"];
    let ran = folder.run(&[run.as_slice(), reports.as_slice()].concat()).exits(0);
    let mark = "recommendation, not evidence of a decision";
    assert!(ran.told().contains(mark), "{}", ran.stdout);
    for report in ["run.md", "run.html", "run.json"] {
        let text = folder.read(report).replace("&#44;", ",");
        assert!(text.contains(mark), "{report}: {text}");
    }
    let said = folder.json("loopgate-out/said.json");
    assert!(said["recommendation"].as_str().unwrap().starts_with("Do not release"), "{said:#}");
    // The same records, the same recommendation, to the byte.
    let first = folder.read("loopgate-out/said.json");
    folder.run(&run).exits(0);
    assert_eq!(folder.read("loopgate-out/said.json"), first);
    folder.write(
        "gated.yaml",
        format!("{ASKED}  - id: good\n    gate: \"{{{{ said.confidence > 0.1 }}}}\"\n    says: s\n"),
    );
    let told = folder.run(&["validate", "gated.yaml"]).exits(3).told();
    assert!(told.contains("`good` decides by what `said` recommends"), "{told}");
}

#[test]
fn a_seed_gives_the_same_organization_every_time() {
    let some =
        Generator { nodes: 50, items: 20, incidents: 10, changes: 10, points: 10, ..Generator::new(7) };
    assert_eq!(some.file(), some.file());
    assert_ne!(some.file(), Generator { seed: 8, ..some }.file());
    // More of one kind leaves the others as they are.
    let more = Generator { nodes: 60, ..some }.file();
    let lines = |text: &str, kind: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains(kind)).map(str::to_owned).collect()
    };
    for kind in ["GEN-ITEM-", "GEN-INC-", "GEN-CHG-", "\"generated\""] {
        assert!(!lines(&more, kind).is_empty());
        assert_eq!(lines(&more, kind), lines(&some.file(), kind));
    }
}

const MANY: usize = 10_000;

#[test]
fn a_release_with_ten_thousand_pieces_of_evidence_is_certified_or_not() {
    let folder = Folder::new();
    let generator = Generator { nodes: MANY, ..Generator::new(4471) };
    folder.write("many.yaml", generator.file());
    let ran = folder.run(&["sandbox", "load", "many.yaml", "--format", "json"]).exits(0).json();
    assert_eq!(ran["files"][0]["loaded"], json!({ "nodes": MANY, "releases": 1 }));
    folder.sandbox("certify-release", Generator::RELEASE, &[]).exits(4);
    let findings = folder.json("loopgate-out/findings.json");
    let listed = findings["blocking"].as_array().unwrap();
    let blocks = |node: &Value| match node["type"].as_str().unwrap() {
        "control" => node["status"] == "failed",
        "evidence" => node["status"] == "stale",
        _ => false,
    };
    let expected = generator.evidence().iter().filter(|node| blocks(node)).count();
    assert!(expected > 1000);
    let failed =
        listed.iter().filter(|finding| finding["id"].as_str().unwrap().starts_with("GEN-CTL-")).count();
    let failing = generator
        .evidence()
        .iter()
        .filter(|node| node["status"] == "failed" && node["type"] == "control")
        .count();
    assert_eq!(failed, failing);
    // What else looks at a release's evidence takes as much; a control that passes on nothing decides nothing.
    folder.sandbox("evidence-gaps", Generator::RELEASE, &[]).exits(5);
    let gaps = folder.json("loopgate-out/evidence-gaps.json")["gaps"].as_array().unwrap().len();
    let lacks = |node: &Value| node["type"] == "evidence" && node["status"] == "stale";
    assert_eq!(gaps, generator.evidence().iter().filter(|node| lacks(node)).count());
    folder.sandbox("evidence-graph", Generator::RELEASE, &[]).exits(5);
    assert_eq!(folder.json("loopgate-out/findings.json"), findings);
    folder.sandbox("remediation-plan", Generator::RELEASE, &[]).exits(5);
    assert!(!folder.exists("loopgate-out/artifact.json"));
}

#[test]
fn ten_thousand_records_of_a_kind_are_read_at_once_and_completely() {
    let folder = Folder::new();
    let generator =
        Generator { items: MANY, incidents: MANY, changes: MANY, points: MANY, ..Generator::new(4468) };
    folder.write("many.yaml", generator.file());
    folder.run(&["sandbox", "load", "many.yaml"]).exits(0);
    folder.write(
        "read.yaml",
        "recipe: read\nsummary: s\nprofile: loopiq\nsteps:\n  \
         - { id: work, read: backlog, with: { team: payments }, emit: work.json }\n  \
         - { id: happened, read: incidents, with: { application: payments }, emit: happened.json }\n  \
         - { id: changed, read: change_requests, with: { application: payments }, emit: changed.json }\n  \
         - { id: measured, read: metric_series, with: { metrics: [generated], from: \"1990-01-01\", to: \"2026-11-20\" }, emit: measured.json }\n",
    );
    folder.run(&["run", "read.yaml", "--server", "sandbox", "--tenant", "acme"]).exits(0);
    for (file, own) in
        [("work.json", "GEN-ITEM-"), ("happened.json", "GEN-INC-"), ("changed.json", "GEN-CHG-")]
    {
        let read = folder.json(&format!("loopgate-out/{file}"));
        assert_eq!(read["complete"], true, "{file}");
        let items = read["items"].as_array().unwrap();
        let own = items.iter().filter(|item| item["id"].as_str().unwrap().starts_with(own)).count();
        assert_eq!(own, MANY, "{file}");
    }
    let measured = folder.json("loopgate-out/measured.json");
    assert_eq!(measured["series"][0]["points"].as_array().unwrap().len(), MANY);
}
