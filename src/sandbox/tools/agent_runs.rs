//! Runs of AI/ML agents that are recorded.

use rusqlite::{Connection, Transaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Call;
use super::agents::{Subject, may_be_asked, recommendation};
use super::governed::{Governed, Stamp};
use super::select::{Items, Select};
use crate::sandbox::caller::Caller;
use crate::sandbox::refusal::Failure;
use crate::sandbox::store;

/// An agent, and what it is to look at.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Run {
    /// The agent.
    #[schemars(length(min = 1, max = 200))]
    agent_id: String,
    subject: Subject,
    /// Why.
    #[schemars(length(max = 4000))]
    reason: Option<String>,
}

/// What would be run.
#[derive(Serialize, JsonSchema)]
pub(super) struct Shown {
    tenant: String,
    #[serde(flatten)]
    run: Run,
}

/// What was run.
#[derive(Serialize, JsonSchema)]
pub(super) struct Ran {
    run: RanRun,
}

/// A run.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RanRun {
    id: String,
    agent_id: String,
    subject: Subject,
    status: String,
    /// What the agent recommends. It decides nothing.
    recommendation: String,
}

impl Governed for Run {
    const TOOL: &'static str = "loopiq_run_ai_ml_agent";
    type Preview = Shown;
    type Done = Ran;

    fn check(&self, connection: &Connection, caller: &Caller) -> Result<(), Failure> {
        may_be_asked(connection, &caller.tenant, &self.agent_id, &self.subject)
    }

    fn preview(&self, _: &Connection, caller: &Caller) -> Result<Shown, Failure> {
        Ok(Shown { tenant: caller.tenant.clone(), run: self.clone() })
    }

    fn perform(self, writing: &Transaction<'_>, stamp: &Stamp<'_>) -> Result<(Ran, String), Failure> {
        let Self { agent_id, subject, reason } = self;
        let tenant = &stamp.caller.tenant;
        let recommendation = recommendation(writing, tenant, &agent_id, &subject)?;
        let id = store::next_id(writing, "RUN")?;
        let status = "done".to_owned();
        writing.execute(
            "INSERT INTO agent_runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                tenant,
                &id,
                &agent_id,
                subject.kind.word(),
                &subject.id,
                &status,
                reason,
                stamp.approval,
                &stamp.at,
            ),
        )?;
        Ok((Ran { run: RanRun { id: id.clone(), agent_id, subject, status, recommendation } }, id))
    }
}

/// Runs by their IDs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunQuery {
    /// Their IDs.
    #[schemars(length(max = 1000), inner(length(max = 200)))]
    ids: Vec<String>,
}

/// A run.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    id: String,
    agent_id: String,
    subject_type: String,
    subject_id: String,
    status: String,
}

/// The runs of these IDs.
pub(super) fn agent_runs(call: &mut Call<'_>, query: RunQuery) -> Result<Items<Item>, Failure> {
    let select = "SELECT id, agent, subject_type, subject_id, status FROM agent_runs";
    Ok(Select::of(select, &call.caller.tenant).among(Some(&query.ids)).items(
        call.connection,
        "length(id), id",
        |row| {
            Ok(Item {
                id: row.get(0)?,
                agent_id: row.get(1)?,
                subject_type: row.get(2)?,
                subject_id: row.get(3)?,
                status: row.get(4)?,
            })
        },
    )?)
}
