//! Work items go into a sprint, each to a member of the team.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Transaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::governed::{Governed, Stamp, of_version};
use super::not_visible;
use crate::core::text::visible;
use crate::sandbox::caller::Caller;
use crate::sandbox::refusal::{Failure, Refusal};

/// Who does what in a sprint.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Assignments {
    /// The sprint, which is not closed.
    #[schemars(length(min = 1, max = 200))]
    sprint_id: String,
    /// Why.
    #[schemars(length(max = 4000))]
    reason: Option<String>,
    /// Each item once.
    #[schemars(length(min = 1, max = 500))]
    assignments: Vec<Assignment>,
}

/// Who does a work item.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Assignment {
    /// The work item.
    #[schemars(length(min = 1, max = 200))]
    id: String,
    /// The version of it that was read.
    version: i64,
    /// The user.
    #[schemars(length(min = 1, max = 200))]
    assignee: String,
}

/// What would be assigned.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    tenant: String,
    sprint_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    assignments: Vec<Assignment>,
}

/// What was assigned.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assigned {
    sprint_id: String,
    /// IDs of the work items.
    assigned: Vec<String>,
}

impl Governed for Assignments {
    const TOOL: &'static str = "loopiq_assign_work";
    type Preview = Shown;
    type Done = Assigned;

    fn check(&self, connection: &Connection, caller: &Caller) -> Result<(), Failure> {
        let tenant = &caller.tenant;
        let status: Option<String> = connection
            .prepare_cached("SELECT status FROM sprints WHERE tenant_id = ?1 AND id = ?2")?
            .query_row([tenant, &self.sprint_id], |row| row.get(0))
            .optional()?;
        match status.as_deref() {
            None => return Err(not_visible("sprint", &self.sprint_id).into()),
            Some("closed") => return Err(Refusal::argument("/sprintId", "the sprint is closed").into()),
            Some(_) => {}
        }
        let mut seen = BTreeSet::new();
        for (index, Assignment { id, assignee, .. }) in self.assignments.iter().enumerate() {
            if !seen.insert(id) {
                let problem = format!("`{}` is assigned already", visible(id));
                return Err(Refusal::argument(&format!("/assignments/{index}/id"), problem).into());
            }
            version_of(connection, tenant, id)?;
            let known = connection
                .prepare_cached("SELECT 1 FROM roles WHERE tenant_id = ?1 AND user_id = ?2")?
                .exists([tenant, assignee])?;
            if !known {
                return Err(not_visible("user", assignee).into());
            }
        }
        Ok(())
    }

    fn preview(&self, connection: &Connection, caller: &Caller) -> Result<Shown, Failure> {
        for Assignment { id, version, .. } in &self.assignments {
            of_version("work item", id, version_of(connection, &caller.tenant, id)?, *version)?;
        }
        Ok(Shown {
            tenant: caller.tenant.clone(),
            sprint_id: self.sprint_id.clone(),
            reason: self.reason.clone(),
            assignments: self.assignments.clone(),
        })
    }

    fn perform(self, writing: &Transaction<'_>, stamp: &Stamp<'_>) -> Result<(Assigned, String), Failure> {
        let Self { sprint_id, assignments, .. } = self;
        let mut statement = writing.prepare_cached(
            "UPDATE work_items SET sprint_id = ?3, assignee = ?4, version = version + 1
             WHERE tenant_id = ?1 AND id = ?2",
        )?;
        let mut assigned = Vec::with_capacity(assignments.len());
        for Assignment { id, assignee, .. } in assignments {
            statement.execute([&stamp.caller.tenant, &id, &sprint_id, &assignee])?;
            assigned.push(id);
        }
        Ok((Assigned { sprint_id: sprint_id.clone(), assigned }, sprint_id))
    }
}

fn version_of(connection: &Connection, tenant: &str, id: &str) -> Result<i64, Failure> {
    connection
        .prepare_cached("SELECT version FROM work_items WHERE tenant_id = ?1 AND id = ?2")?
        .query_row([tenant, id], |row| row.get(0))
        .optional()?
        .ok_or_else(|| not_visible("work item", id).into())
}
