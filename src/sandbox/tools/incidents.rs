//! What happens beside releases: incidents and change requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Call;
use super::planning::from_json;
use super::select::{Page, Select};
use crate::sandbox::refusal::Failure;

/// Filters; an incident fits all that are given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IncidentQuery {
    /// Incidents that are not known to be over (true) or are (false).
    open: Option<bool>,
    /// Incidents that were opened at this date or instant, or later.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T[0-9:.]+Z)?$"))]
    from: Option<String>,
    /// Incidents of this application.
    #[schemars(length(max = 200))]
    application: Option<String>,
    /// Incidents with one of these IDs.
    #[schemars(length(max = 1000), inner(length(max = 200)))]
    ids: Option<Vec<String>>,
    /// The `nextCursor` of the page before.
    #[schemars(length(max = 20))]
    cursor: Option<String>,
}

/// An incident.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Incident {
    id: String,
    title: String,
    status: String,
    /// `critical`, `high`, `medium` or `low`; another word is somebody's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    impact: Option<String>,
    opened_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// IDs of the releases that it has to do with.
    releases: Vec<String>,
    /// IDs of the change requests that it has to do with.
    changes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// One more with every change.
    version: i64,
}

const INCIDENTS: &str = "SELECT id, title, status, impact, opened_at, resolved_at, application, service, team, owner,
    url, version,
    (SELECT json_group_array(release_id) FROM (SELECT release_id FROM incident_releases r
       WHERE r.tenant_id = incidents.tenant_id AND r.incident_id = incidents.id ORDER BY release_id)) AS releases,
    (SELECT json_group_array(change_id) FROM (SELECT change_id FROM incident_changes c
       WHERE c.tenant_id = incidents.tenant_id AND c.incident_id = incidents.id ORDER BY change_id)) AS changes
    FROM incidents";

/// The incidents that fit, oldest first.
pub(super) fn incidents(call: &mut Call<'_>, query: IncidentQuery) -> Result<Page<Incident>, Failure> {
    let IncidentQuery { open, from, application, ids, cursor } = query;
    Select::of(INCIDENTS, &call.caller.tenant)
        .among(ids.as_ref())
        .and_if("application = @", application)
        .between(&["opened_at"], from.as_deref(), None)
        .and_whether("status NOT IN ('resolved', 'closed')", open)
        .page(call.connection, "opened_at, id", cursor.as_deref(), |row| {
            Ok(Incident {
                id: row.get("id")?,
                title: row.get("title")?,
                status: row.get("status")?,
                impact: row.get("impact")?,
                opened_at: row.get("opened_at")?,
                resolved_at: row.get("resolved_at")?,
                application: row.get("application")?,
                service: row.get("service")?,
                team: row.get("team")?,
                owner: row.get("owner")?,
                releases: from_json(row, "releases")?,
                changes: from_json(row, "changes")?,
                url: row.get("url")?,
                version: row.get("version")?,
            })
        })
}

/// Filters; a change request fits all that are given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeQuery {
    /// Change requests whose window ends at this date or instant, or later.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T[0-9:.]+Z)?$"))]
    from: Option<String>,
    /// And begins no later than this.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T[0-9:.]+Z)?$"))]
    to: Option<String>,
    /// Change requests of this application.
    #[schemars(length(max = 200))]
    application: Option<String>,
    /// The `nextCursor` of the page before.
    #[schemars(length(max = 20))]
    cursor: Option<String>,
}

/// A change request.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    id: String,
    title: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

/// The change requests that fit, by ID.
pub(super) fn change_requests(call: &mut Call<'_>, query: ChangeQuery) -> Result<Page<Change>, Failure> {
    let ChangeQuery { from, to, application, cursor } = query;
    let select = "SELECT id, title, status, application, service, starts_at, ends_at, release_id, risk, owner
        FROM change_requests";
    Select::of(select, &call.caller.tenant)
        .and_if("application = @", application)
        .between(&["starts_at"], None, to.as_deref())
        .between(&["coalesce(ends_at, starts_at)"], from.as_deref(), None)
        .page(call.connection, "id", cursor.as_deref(), |row| {
            Ok(Change {
                id: row.get(0)?,
                title: row.get(1)?,
                status: row.get(2)?,
                application: row.get(3)?,
                service: row.get(4)?,
                starts_at: row.get(5)?,
                ends_at: row.get(6)?,
                release_id: row.get(7)?,
                risk: row.get(8)?,
                owner: row.get(9)?,
            })
        })
}
