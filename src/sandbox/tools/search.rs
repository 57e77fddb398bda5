//! The search for stories and tasks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Call;
use super::planning::{WORK_ITEMS, from_json};
use super::select::{Items, Select, list};
use crate::sandbox::refusal::{Failure, Refusal};

/// Most items of one answer.
const MOST: usize = 500;

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

/// A story or a task.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    id: String,
    /// `story` or `task`.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: String,
    /// A task's story.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    /// What a task refers to; of a story, what its tasks refer to.
    references: Vec<String>,
}

/// The items of the tenant that fit.
pub(super) fn search(call: &mut Call<'_>, query: Query) -> Result<Items<Item>, Failure> {
    if query.ids.is_none() && query.release_id.is_none() && query.references.is_none() {
        let problem = "give at least one of `ids`, `releaseId` and `references`";
        return Err(Refusal::argument("", problem).into());
    }
    let Query { ids, release_id, references, open } = query;
    let mut found = Select::of(WORK_ITEMS, &call.caller.tenant)
        .among(ids.as_ref())
        .and_if("release_id = @", release_id)
        .and_if(
            "id IN (SELECT item_id FROM work_references WHERE tenant_id = ?1
                 AND reference IN (SELECT value FROM json_each(@)))",
            references.map(|references| list(&references)),
        )
        .and_whether("status IN ('open', 'in_progress')", open)
        .and_whether("type IN ('story', 'task')", Some(true))
        .items(call.connection, "type, length(id), id", |row| {
            Ok(Item {
                id: row.get("id")?,
                kind: row.get("type")?,
                title: row.get("title")?,
                status: row.get("status")?,
                parent_id: row.get("parent_id")?,
                references: from_json(row, "refs")?,
            })
        })?;
    found.complete = found.complete && found.items.len() <= MOST;
    found.items.truncate(MOST);
    Ok(found)
}
