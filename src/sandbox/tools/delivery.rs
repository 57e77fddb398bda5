//! Releases on their way: when they are due, what they must have passed, how they are taken back.

use rusqlite::Row;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::select::{Items, Page, Select};
use super::{Call, not_visible};
use crate::sandbox::graph::Severity;
use crate::sandbox::refusal::Failure;
use crate::sandbox::store;

/// Filters; a release fits all that are given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseQuery {
    /// Releases with one of these IDs.
    #[schemars(length(max = 1000), inner(length(max = 200)))]
    ids: Option<Vec<String>>,
    /// Releases of this application.
    #[schemars(length(max = 200))]
    application: Option<String>,
    /// Releases that are planned for or were released at this date or instant, or later.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T[0-9:.]+Z)?$"))]
    from: Option<String>,
    /// And no later than this.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T[0-9:.]+Z)?$"))]
    to: Option<String>,
    /// The `nextCursor` of the page before.
    #[schemars(length(max = 20))]
    cursor: Option<String>,
}

/// A release.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Release {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    planned_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    released_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certification_id: Option<String>,
}

const RELEASES: &str = "SELECT id, name, application, team, status, planned_at, released_at,
    (SELECT c.id FROM certifications c WHERE c.tenant_id = releases.tenant_id AND c.release_id = releases.id)
      AS certification_id
    FROM releases";

/// The releases that fit, by ID.
pub(super) fn releases(call: &mut Call<'_>, query: ReleaseQuery) -> Result<Page<Release>, Failure> {
    let ReleaseQuery { ids, application, from, to, cursor } = query;
    Select::of(RELEASES, &call.caller.tenant)
        .among(ids.as_ref())
        .and_if("application = @", application)
        .between(&["planned_at", "released_at"], from.as_deref(), to.as_deref())
        .page(call.connection, "id", cursor.as_deref(), |row| {
            Ok(Release {
                id: row.get("id")?,
                name: row.get("name")?,
                application: row.get("application")?,
                team: row.get("team")?,
                status: row.get("status")?,
                planned_at: row.get("planned_at")?,
                released_at: row.get("released_at")?,
                certification_id: row.get("certification_id")?,
            })
        })
}

/// A release.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OfRelease {
    /// The release.
    #[schemars(length(min = 1, max = 200))]
    release_id: String,
}

/// What belongs to a release.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ItemsOfRelease<T> {
    release_id: String,
    #[serde(flatten)]
    found: Items<T>,
}

impl OfRelease {
    /// All of it, by ID.
    fn items<T>(
        self,
        call: &mut Call<'_>,
        select: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<ItemsOfRelease<T>, Failure> {
        let tenant = &call.caller.tenant;
        let Self { release_id } = self;
        // One transaction, so that both are of the same moment.
        let reading = call.connection.transaction()?;
        if !store::has(&reading, "releases", tenant, &release_id)? {
            return Err(not_visible("release", &release_id).into());
        }
        let found = Select::of(select, tenant)
            .and("release_id = @", release_id.clone())
            .items(&reading, "id", read)?;
        Ok(ItemsOfRelease { release_id, found })
    }
}

/// Something that a release must have passed.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    id: String,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    status: String,
    /// A date.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// What it is about: a record's ID, or a kind of record.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_entity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// The checks of a release.
pub(super) fn checks(call: &mut Call<'_>, query: OfRelease) -> Result<ItemsOfRelease<Check>, Failure> {
    let select =
        "SELECT id, label, severity, status, due_date, owner, source_entity, url FROM release_checks";
    query.items(call, select, |row| {
        Ok(Check {
            id: row.get(0)?,
            label: row.get(1)?,
            severity: row.get(2)?,
            status: row.get(3)?,
            due_date: row.get(4)?,
            owner: row.get(5)?,
            source_entity: row.get(6)?,
            url: row.get(7)?,
        })
    })
}

/// What was decided on taking a release back.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RollbackDecision {
    id: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// A date.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback_plan: Option<String>,
    /// How far the plan was tried or carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

/// The rollback decisions of a release.
pub(super) fn rollback_decisions(
    call: &mut Call<'_>,
    query: OfRelease,
) -> Result<ItemsOfRelease<RollbackDecision>, Failure> {
    let select = "SELECT id, status, reason, due_date, rollback_plan, execution_state, decided_at, owner
        FROM rollback_decisions";
    query.items(call, select, |row| {
        Ok(RollbackDecision {
            id: row.get(0)?,
            status: row.get(1)?,
            reason: row.get(2)?,
            due_date: row.get(3)?,
            rollback_plan: row.get(4)?,
            execution_state: row.get(5)?,
            decided_at: row.get(6)?,
            owner: row.get(7)?,
        })
    })
}
