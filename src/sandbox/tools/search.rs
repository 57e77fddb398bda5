//! The search for stories and tasks.

use rusqlite::{Connection, Row, named_params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Call;
use crate::sandbox::refusal::{Failure, Refusal};

/// Most items of one answer.
const MOST: u16 = 500;

/// Filters; an item fits all that are given. At least one of the first three is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Query {
    /// Items with one of these IDs.
    #[schemars(length(max = 1000), inner(length(max = 200)))]
    ids: Option<Vec<String>>,
    /// Items for this release.
    #[schemars(length(min = 1, max = 200))]
    release_id: Option<String>,
    /// Items that refer to one of these controls, evidence, findings or blockers.
    #[schemars(length(max = 1000), inner(length(max = 500)))]
    references: Option<Vec<String>>,
    /// Items that are open (true) or done (false).
    open: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Found {
    /// Stories first, oldest first.
    items: Vec<Item>,
    /// False where more fit than an answer holds.
    complete: bool,
}

/// A story or a task.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    #[serde(rename = "type")]
    kind: Kind,
    title: String,
    status: String,
    /// A task's story.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    /// What a task refers to; of a story, what its tasks refer to.
    references: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Story,
    Task,
}

const ITEMS: &str = "
WITH items AS (
  SELECT 0 AS rank, s.number, s.id, s.title, s.status, NULL AS parent_id, s.release_id,
    (SELECT json_group_array(DISTINCT t.reference) FROM tasks t
     WHERE t.story_id = s.id AND t.reference IS NOT NULL) AS refs
  FROM stories s WHERE s.tenant_id = :tenant
  UNION ALL
  SELECT 1, t.number, t.id, t.title, t.status, t.story_id, s.release_id,
    CASE WHEN t.reference IS NULL THEN '[]' ELSE json_array(t.reference) END
  FROM tasks t JOIN stories s ON s.id = t.story_id WHERE t.tenant_id = :tenant
)
SELECT rank, id, title, status, parent_id, refs FROM items
WHERE (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
  AND (:release IS NULL OR release_id = :release)
  AND (:references IS NULL OR EXISTS (
    SELECT 1 FROM json_each(refs) AS r WHERE r.value IN (SELECT value FROM json_each(:references))))
  AND (:open IS NULL OR (status IN ('open', 'in_progress')) = :open)
ORDER BY rank, number LIMIT :limit";

/// The items of the tenant that fit.
pub(super) fn search(call: &mut Call<'_>, query: Query) -> Result<Found, Failure> {
    if query.ids.is_none() && query.release_id.is_none() && query.references.is_none() {
        let problem = "give at least one of `ids`, `releaseId` and `references`";
        return Err(Refusal::argument("", problem).into());
    }
    let mut items = select(call.connection, &call.caller.tenant, &query)?;
    let complete = items.len() <= usize::from(MOST);
    items.truncate(usize::from(MOST));
    Ok(Found { items, complete })
}

fn select(connection: &Connection, tenant: &str, query: &Query) -> rusqlite::Result<Vec<Item>> {
    let list =
        |items: &Option<Vec<String>>| items.as_ref().map(|items| Value::from(items.clone()).to_string());
    let mut statement = connection.prepare_cached(ITEMS)?;
    let rows = statement.query_map(
        named_params! {
            ":tenant": tenant, ":ids": list(&query.ids), ":release": query.release_id,
            ":references": list(&query.references), ":open": query.open, ":limit": i64::from(MOST) + 1,
        },
        read,
    )?;
    rows.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Item> {
    let references: String = row.get("refs")?;
    Ok(Item {
        id: row.get("id")?,
        kind: if row.get::<_, i64>("rank")? == 0 { Kind::Story } else { Kind::Task },
        title: row.get("title")?,
        status: row.get("status")?,
        parent_id: row.get("parent_id")?,
        // Written by SQLite itself as an array of texts.
        references: serde_json::from_str(&references).unwrap_or_default(),
    })
}
