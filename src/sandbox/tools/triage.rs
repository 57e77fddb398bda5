//! An incident gets an owner, and what it has to do with.

use rusqlite::{Connection, OptionalExtension as _, Transaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::governed::{Governed, Stamp, of_version};
use super::not_visible;
use crate::sandbox::caller::Caller;
use crate::sandbox::refusal::{Failure, Refusal};
use crate::sandbox::store;

/// What is known of an incident now.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Triage {
    /// The incident.
    #[schemars(length(min = 1, max = 200))]
    incident_id: String,
    /// The version of it that was read.
    version: i64,
    /// The user or team that owns it from now on; without it that stays as it is.
    #[schemars(length(max = 200), regex(pattern = r"\S"))]
    owner: Option<String>,
    /// Releases that it has to do with, besides those that are known.
    #[schemars(length(max = 100), inner(length(min = 1, max = 200)))]
    releases: Option<Vec<String>>,
    /// Change requests that it has to do with, besides those that are known.
    #[schemars(length(max = 100), inner(length(min = 1, max = 200)))]
    changes: Option<Vec<String>>,
    /// Why.
    #[schemars(length(max = 4000), regex(pattern = r"\S"))]
    reason: String,
}

/// What would be written.
#[derive(Serialize, JsonSchema)]
pub(super) struct Shown {
    tenant: String,
    #[serde(flatten)]
    triage: Triage,
}

/// The incident as it is now.
#[derive(Serialize, JsonSchema)]
pub(super) struct Triaged {
    id: String,
    version: i64,
}

impl Triage {
    fn releases(&self) -> &[String] {
        self.releases.as_deref().unwrap_or_default()
    }

    fn changes(&self) -> &[String] {
        self.changes.as_deref().unwrap_or_default()
    }

    fn present_version(&self, connection: &Connection, tenant: &str) -> Result<i64, Failure> {
        connection
            .prepare_cached("SELECT version FROM incidents WHERE tenant_id = ?1 AND id = ?2")?
            .query_row([tenant, &self.incident_id], |row| row.get(0))
            .optional()?
            .ok_or_else(|| not_visible("incident", &self.incident_id).into())
    }
}

impl Governed for Triage {
    const TOOL: &'static str = "loopiq_triage_incident";
    type Preview = Shown;
    type Done = Triaged;

    fn check(&self, connection: &Connection, caller: &Caller) -> Result<(), Failure> {
        let tenant = &caller.tenant;
        self.present_version(connection, tenant)?;
        for (kind, table, ids) in
            [("release", "releases", self.releases()), ("change request", "change_requests", self.changes())]
        {
            for id in ids {
                if !store::has(connection, table, tenant, id)? {
                    return Err(not_visible(kind, id).into());
                }
            }
        }
        if self.owner.is_none() && self.releases().is_empty() && self.changes().is_empty() {
            return Err(
                Refusal::argument("", "give at least one of `owner`, `releases` and `changes`").into()
            );
        }
        Ok(())
    }

    fn preview(&self, connection: &Connection, caller: &Caller) -> Result<Shown, Failure> {
        let present = self.present_version(connection, &caller.tenant)?;
        of_version("incident", &self.incident_id, present, self.version)?;
        Ok(Shown { tenant: caller.tenant.clone(), triage: self.clone() })
    }

    fn perform(self, writing: &Transaction<'_>, stamp: &Stamp<'_>) -> Result<(Triaged, String), Failure> {
        let tenant = &stamp.caller.tenant;
        let version = writing
            .prepare_cached(
                "UPDATE incidents SET owner = coalesce(?3, owner), reason = ?4, approval_id = ?5,
                     version = version + 1
                 WHERE tenant_id = ?1 AND id = ?2 RETURNING version",
            )?
            .query_row((tenant, &self.incident_id, &self.owner, &self.reason, stamp.approval), |row| {
                row.get(0)
            })?;
        for (table, ids) in [("incident_releases", self.releases()), ("incident_changes", self.changes())] {
            let sql = format!("INSERT INTO {table} VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING");
            let mut statement = writing.prepare_cached(&sql)?;
            for id in ids {
                statement.execute([tenant, &self.incident_id, id])?;
            }
        }
        let id = self.incident_id;
        Ok((Triaged { id: id.clone(), version }, id))
    }
}
