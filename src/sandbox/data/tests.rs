//! Data files that are taken, and those that are refused.

use rusqlite::Connection;

use super::{DataFile, Loaded, load};
use crate::sandbox::store::{self, Location};

fn new() -> Connection {
    store::open(&Location::Memory).unwrap()
}

fn file(text: &str) -> DataFile {
    DataFile { name: "data.yaml".to_owned(), bytes: text.as_bytes().to_vec() }
}

fn refusal(connection: &mut Connection, text: &str) -> String {
    let before = store::dump(connection);
    let error = load(connection, &[file(text)]).expect_err(text).to_string();
    assert_eq!(store::dump(connection), before, "{error}");
    error
}

/// Everything that a file can have, in a tenant of its own.
const WHOLE: &str = r#"
users:
  - { id: svc-release-pipeline, roles: { initech: [release_manager] } }
  - { id: a.b, name: A, roles: { initech: [developer] } }
tenants:
  - id: initech
    name: Initech
    teams: { core: Core }
    releases:
      - id: REL-I
        name: I
        application: i
        team: core
        releaseStatus: halfway
        plannedAt: "2026-11-20T00:00:00Z"
        status: nobody_knows
        summary: s
        nodes:
          - { id: REL-I, type: release, title: t, status: hm, links: { requires: [CTL-I] } }
          - { id: CTL-I, type: control, title: t, status: mauve, required: true }
      - { id: REL-J, name: J }
    checks: [{ id: CHK, release: REL-J, label: l, status: mauve, dueDate: "2026-11-20" }]
    rollbackDecisions: [{ id: RBD, release: REL-J, status: mauve }]
    stories:
      - { number: 5000, release: REL-I, title: t, owner: o, status: mauve, created: "2026-11-20T00:00:00Z", tasks: [{ number: 6000, title: t, owner: o, status: mauve, reference: CTL-I }] }
    sprints: [{ id: SPR, name: s, team: core, status: mauve, startDate: "2026-11-16", endDate: "2026-12-06", capacity: { a.b: 2.5 } }]
    backlog:
      - { id: B-2, type: task, title: t, status: mauve, parent: B-1, effort: 1.5, references: [x, y] }
      - { id: B-1, type: story, title: t, status: mauve, team: core, assignee: a.b, sprint: SPR, release: REL-J }
    changes: [{ id: CHG, title: t, status: mauve, release: REL-J, startsAt: "2026-11-20T00:00:00Z" }]
    incidents: [{ id: INC, title: t, status: mauve, impact: huge, openedAt: "2026-11-20T00:00:00Z", team: core, releases: [REL-J], changes: [CHG] }]
    metrics: [{ id: m, name: m, points: { "2026-11-20": 1, "2026-11-20T00:00:00Z": -2.5 } }]
    dashboards: [{ id: D, name: d, charts: [{ id: C, title: t, kind: spiral, metrics: [m] }] }]
"#;

#[test]
fn everything_that_a_file_can_have_is_loaded_and_counted() {
    let mut connection = new();
    let loaded = load(&mut connection, &[file(WHOLE)]).unwrap();
    let Loaded(counts) = &loaded[0];
    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    assert_eq!(
        counts,
        [
            "change requests 1",
            "charts 1",
            "checks 1",
            "dashboards 1",
            "incidents 1",
            "metrics 1",
            "nodes 2",
            "points 2",
            "releases 2",
            "rollback decisions 1",
            "sprints 1",
            "teams 1",
            "tenants 1",
            "users 1",
            "work items 4",
        ]
    );
    let parent: String = connection
        .query_row("SELECT parent_id FROM work_items WHERE id = 'B-2'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(parent, "B-1");
    assert_eq!(store::next_id(&connection, "STORY").unwrap(), "STORY-5001");
    assert_eq!(store::next_id(&connection, "TASK").unwrap(), "TASK-6001");
}

#[test]
fn a_file_twice_is_refused_and_changes_nothing() {
    let mut connection = new();
    load(&mut connection, &[file(WHOLE)]).unwrap();
    let error = refusal(&mut connection, WHOLE);
    assert_eq!(error, "`data.yaml` at `/tenants/0/teams/core`: there is a team `core` already");
    let both = load(&mut new(), &[file(WHOLE), file(WHOLE)]);
    assert!(both.is_err());
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_nothing_is_loaded() {
    let mut connection = new();
    for (from, to, told) in [
        ("label: l,", "label: l, lable: l,", "unknown field `lable`"),
        (
            "id: CHK, release: REL-J",
            "id: CHK, release: REL-X",
            "/tenants/0/checks/0/release`: `initech` has no release `REL-X`",
        ),
        (
            "id: RBD, release: REL-J",
            "id: RBD, release: REL-READY",
            "/tenants/0/rollbackDecisions/0/release`: `initech` has no",
        ),
        (
            "requires: [CTL-I]",
            "requires: [CTL-X]",
            "/tenants/0/releases/0/nodes/0/links`: the graph has no node `CTL-X`",
        ),
        (
            "id: CTL-I, type",
            "id: REL-I, type",
            "/tenants/0/releases/0/nodes/1/id`: there is a node `REL-I` already",
        ),
        (
            "{ id: REL-J, name: J }",
            "{ id: REL-I, name: J }",
            "/tenants/0/releases/1/id`: there is a release `REL-I` already",
        ),
        (
            "{ id: REL-J, name: J }",
            "{ id: REL-J, name: J, summary: s }",
            "/tenants/0/releases/1/summary`: it belongs to a certification",
        ),
        ("{ id: REL-J, name: J }", "{ id: REL-J, name: J, team: payments }", "has no team `payments`"),
        (
            "capacity: { a.b: 2.5 }",
            "capacity: { leo.martin: 1 }",
            "/sprints/0/capacity/leo.martin`: `initech` has no user",
        ),
        (
            "capacity: { a.b: 2.5 }",
            "capacity: { a.b: -1 }",
            "/sprints/0/capacity/a.b`: it is no number from 0 on",
        ),
        ("parent: B-1", "parent: B-9", "/tenants/0/backlog/0/parent`: `initech` has no work item `B-9`"),
        ("parent: B-1", "parent: B-2", "/tenants/0/backlog/0/parent`: it is its own parent"),
        (
            "references: [x, y]",
            "references: [x, x]",
            "/tenants/0/backlog/0/references/1`: `x` stands there twice",
        ),
        ("changes: [CHG]", "changes: [CHG-891]", "/incidents/0/changes/0`: `initech` has no change request"),
        (
            "releases: [REL-J]",
            "releases: [REL-J, REL-J]",
            "/incidents/0/releases/1`: `REL-J` stands there twice",
        ),
        (
            "metrics: [m]",
            "metrics: [lead_time_hours]",
            "/dashboards/0/charts/0/metrics/0`: `initech` has no metric",
        ),
        ("{ \"2026-11-20\": 1,", "{ \"last week\": 1,", "/metrics/0/points`: `last week` is neither"),
        ("dueDate: \"2026-11-20\"", "dueDate: tomorrow", "/checks/0/dueDate`: `tomorrow` is no date"),
        (
            "startDate: \"2026-11-16\"",
            "startDate: 2026-13-16",
            "/sprints/0/startDate`: `2026-13-16` is no date",
        ),
        (
            "openedAt: \"2026-11-20T00:00:00Z\"",
            "openedAt: \"2026-11-20T00:00:00+01:00\"",
            "/incidents/0/openedAt`: `2026-11-20T00:00:00+01:00` is no instant",
        ),
        ("    name: Initech\n", "", "/tenants/0`: there is no tenant `initech` yet, so it needs a `name`"),
        ("id: a.b, name: A,", "id: a.b,", "/users/1`: there is no user `a.b` yet"),
        (
            "roles: { initech: [developer] }",
            "roles: { hooli: [developer] }",
            "/users/1/roles/hooli`: there is no tenant",
        ),
        ("id: INC, title", "id: \" \", title", "/tenants/0/incidents/0/id`: it is empty"),
        ("type: control", "type: wish", "unknown variant `wish`"),
        ("id: D, name: d", "id: D, id: E, name: d", "duplicate"),
    ] {
        let text = WHOLE.replacen(from, to, 1);
        assert_ne!(text, WHOLE, "{from}");
        let error = refusal(&mut connection, &text);
        assert!(error.starts_with("`data.yaml`") && error.contains(told), "{told}: {error}");
    }
    assert!(refusal(&mut connection, "{}").contains("neither `users` nor `tenants`"));
    let tenant_by_another_name = "tenants: [{ id: acme, name: Other }]";
    assert!(refusal(&mut connection, tenant_by_another_name).contains("of another name"));
    let not_text = DataFile { name: "x".to_owned(), bytes: vec![0xff] };
    assert!(load(&mut connection, &[not_text]).is_err());
}

#[test]
fn a_file_adds_to_what_is_there() {
    let mut connection = new();
    let more =
        "tenants: [{ id: acme, checks: [{ id: CHK-900, release: REL-EMPTY, label: l, status: open }] }]";
    let loaded = load(&mut connection, &[file(more)]).unwrap();
    assert_eq!(loaded[0].0.get("checks"), Some(&1));
    let json = r#"{"tenants": [{"id": "acme", "checks": [{"id": "CHK-901", "release": "REL-EMPTY", "label": "l", "status": "open"}]}]}"#;
    assert!(load(&mut connection, &[file(json)]).is_ok());
}
