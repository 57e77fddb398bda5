//! What teams plan with: sprints, and the backlog.

use rusqlite::Row;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::select::{Items, Page, Select, number};
use super::{Call, not_visible};
use crate::sandbox::graph::Severity;
use crate::sandbox::refusal::Failure;
use crate::sandbox::store;

/// A team.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SprintQuery {
    /// The team.
    #[schemars(length(min = 1, max = 200))]
    team: String,
    /// Sprints that are not closed (true) or are (false).
    open: Option<bool>,
}

/// A team's sprints.
#[derive(Serialize, JsonSchema)]
pub(super) struct Sprints {
    team: String,
    #[serde(flatten)]
    found: Items<Sprint>,
}

/// A sprint.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Sprint {
    id: String,
    name: String,
    team: String,
    status: String,
    /// A date.
    start_date: String,
    /// A date, the last day.
    end_date: String,
    capacity: Vec<Capacity>,
}

/// How much a member of the team can do in a sprint.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Capacity {
    user_id: String,
    points: Number,
}

const SPRINTS: &str = "SELECT id, name, team, status, start_date, end_date,
    (SELECT json_group_array(json_array(c.user_id, c.points)) FROM
      (SELECT user_id, points FROM capacity k WHERE k.tenant_id = sprints.tenant_id AND k.sprint_id = sprints.id
       ORDER BY user_id) c) AS capacity
    FROM sprints";

/// The sprints of a team, oldest first.
pub(super) fn sprints(call: &mut Call<'_>, query: SprintQuery) -> Result<Sprints, Failure> {
    let tenant = &call.caller.tenant;
    let SprintQuery { team, open } = query;
    let reading = call.connection.transaction()?;
    if !store::has(&reading, "teams", tenant, &team)? {
        return Err(not_visible("team", &team).into());
    }
    let found = Select::of(SPRINTS, tenant)
        .and("team = @", team.clone())
        .and_whether("status <> 'closed'", open)
        .items(&reading, "start_date, id", |row| {
            // Written by SQLite itself.
            let capacity: Vec<(String, f64)> = from_json(row, "capacity")?;
            Ok(Sprint {
                id: row.get("id")?,
                name: row.get("name")?,
                team: row.get("team")?,
                status: row.get("status")?,
                start_date: row.get("start_date")?,
                end_date: row.get("end_date")?,
                capacity: capacity
                    .into_iter()
                    .map(|(user_id, points)| Capacity { user_id, points: number(points) })
                    .collect(),
            })
        })?;
    Ok(Sprints { team, found })
}

/// A column that SQLite has written as JSON.
pub(super) fn from_json<T: serde::de::DeserializeOwned + Default>(
    row: &Row<'_>,
    column: &str,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Filters; an item fits all that are given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct BacklogQuery {
    /// Items of this team.
    #[schemars(length(min = 1, max = 200))]
    team: Option<String>,
    /// Items for this release.
    #[schemars(length(min = 1, max = 200))]
    release_id: Option<String>,
    /// Items with one of these IDs.
    #[schemars(length(max = 1000), inner(length(max = 200)))]
    ids: Option<Vec<String>>,
    /// Items that are not known to be done (true) or are (false).
    open: Option<bool>,
    /// The `nextCursor` of the page before.
    #[schemars(length(max = 20))]
    cursor: Option<String>,
}

/// A work item.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    id: String,
    /// `story`, `task`, `issue` or `feature`.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// A date.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_date: Option<String>,
    /// In points.
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sprint_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    /// What it refers to; of a story, what its tasks refer to as well.
    references: Vec<String>,
    /// One more with every change.
    version: i64,
}

/// Work items, with what they refer to.
pub(super) const WORK_ITEMS: &str =
    "SELECT id, type, title, status, severity, due_date, effort, team, assignee, sprint_id,
    release_id, parent_id, version,
    (SELECT json_group_array(reference) FROM (SELECT reference FROM work_references r
       WHERE r.tenant_id = work_items.tenant_id AND r.item_id = work_items.id ORDER BY reference)) AS refs
    FROM work_items";

/// The work items that fit, by ID.
pub(super) fn backlog(call: &mut Call<'_>, query: BacklogQuery) -> Result<Page<Item>, Failure> {
    let BacklogQuery { team, release_id, ids, open, cursor } = query;
    Select::of(WORK_ITEMS, &call.caller.tenant)
        .among(ids.as_ref())
        .and_if("team = @", team)
        .and_if("release_id = @", release_id)
        .and_whether("status NOT IN ('done', 'closed')", open)
        .page(call.connection, "type, length(id), id", cursor.as_deref(), |row| {
            Ok(Item {
                id: row.get("id")?,
                kind: row.get("type")?,
                title: row.get("title")?,
                status: row.get("status")?,
                severity: row.get("severity")?,
                due_date: row.get("due_date")?,
                effort: row.get::<_, Option<f64>>("effort")?.map(number),
                team: row.get("team")?,
                assignee: row.get("assignee")?,
                sprint_id: row.get("sprint_id")?,
                release_id: row.get("release_id")?,
                parent_id: row.get("parent_id")?,
                references: from_json(row, "refs")?,
                version: row.get("version")?,
            })
        })
}
