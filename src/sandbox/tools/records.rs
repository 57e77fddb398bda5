//! Generic records: what can be read and changed of any kind.

use rusqlite::types::Value as Stored;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params_from_iter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::governed::{Governed, Stamp, of_version};
use super::planning::from_json;
use super::resources::{Resource, Writable};
use super::select::{Items, Select};
use super::{Call, not_visible};
use crate::core::pointer::escape;
use crate::core::text::visible;
use crate::sandbox::caller::Caller;
use crate::sandbox::data::is_date;
use crate::sandbox::graph::Severity;
use crate::sandbox::refusal::{Failure, Refusal};

/// A kind of record, and which of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// The kind, as `loopiq_list_resources` names it.
    #[schemars(length(min = 1, max = 200))]
    resource: String,
    /// Records with one of these IDs.
    #[schemars(length(max = 1000), inner(length(max = 200)))]
    ids: Option<Vec<String>>,
}

/// Records of a kind.
#[derive(Serialize, JsonSchema)]
pub(super) struct Records {
    resource: String,
    #[serde(flatten)]
    found: Items<Record>,
}

/// A record.
#[derive(Serialize, JsonSchema)]
struct Record {
    id: String,
    /// One more with every change.
    version: i64,
    fields: Map<String, Value>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { id: row.get("id")?, version: row.get("version")?, fields: from_json(row, "fields")? })
}

fn of_kind(resource: &Resource, tenant: &str) -> Select {
    Select::of(&resource.select(), tenant).and_if("type = @", resource.kind.map(str::to_owned))
}

/// Records of a kind, by ID.
pub(super) fn records(call: &mut Call<'_>, query: ListQuery) -> Result<Records, Failure> {
    let ListQuery { resource, ids } = query;
    let kind = Resource::find(&resource)?;
    let found = of_kind(kind, &call.caller.tenant).among(ids.as_ref()).items(
        call.connection,
        "length(id), id",
        read,
    )?;
    Ok(Records { resource, found })
}

/// A kind of record, and which one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The kind, as `loopiq_list_resources` names it.
    #[schemars(length(min = 1, max = 200))]
    resource: String,
    /// The record.
    #[schemars(length(min = 1, max = 200))]
    id: String,
}

/// A record of a kind.
#[derive(Serialize, JsonSchema)]
pub(super) struct One {
    resource: String,
    record: Record,
}

/// A record.
pub(super) fn record(call: &mut Call<'_>, query: Query) -> Result<One, Failure> {
    let Query { resource, id } = query;
    let kind = Resource::find(&resource)?;
    let record = find(call.connection, &call.caller.tenant, kind, &id)?;
    Ok(One { resource, record })
}

fn find(connection: &Connection, tenant: &str, resource: &Resource, id: &str) -> Result<Record, Failure> {
    let found = of_kind(resource, tenant).and("id = @", id.to_owned()).items(connection, "id", read)?;
    found.items.into_iter().next().ok_or_else(|| not_visible(resource.name, id).into())
}

/// A change of a record.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    /// The kind, as `loopiq_list_resources` names it.
    #[schemars(length(min = 1, max = 200))]
    resource: String,
    /// The record.
    #[schemars(length(min = 1, max = 200))]
    id: String,
    /// The version of it that was read.
    version: i64,
    /// What the fields are from now on; those that are not named stay as they are.
    #[schemars(length(min = 1, max = 50))]
    fields: Map<String, Value>,
    /// Why.
    #[schemars(length(max = 4000))]
    reason: Option<String>,
}

/// What would be changed.
#[derive(Serialize, JsonSchema)]
pub(super) struct Shown {
    tenant: String,
    resource: String,
    id: String,
    /// The fields as they are.
    before: Map<String, Value>,
    /// The fields as they would be.
    after: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The record as it is now.
#[derive(Serialize, JsonSchema)]
pub(super) struct Updated {
    id: String,
    version: i64,
}

impl Update {
    /// The columns and what they are to hold.
    fn changes(&self) -> Result<Vec<(&'static str, Stored)>, Failure> {
        let resource = Resource::find(&self.resource)?;
        if self.fields.is_empty() {
            return Err(Refusal::argument("/fields", "there is none").into());
        }
        let mut changes = Vec::with_capacity(self.fields.len());
        for (name, value) in &self.fields {
            let refused = |problem: String| Refusal::argument(&format!("/fields/{}", escape(name)), problem);
            let field = resource.fields.iter().find(|field| field.name == name);
            let field = field
                .ok_or_else(|| refused(format!("a {} has no field `{}`", resource.name, visible(name))))?;
            let writable = field.writable.ok_or_else(|| {
                refused(format!("`{}` of a {} is not changed this way", field.name, resource.name))
            })?;
            let stored = stored(writable, value)
                .ok_or_else(|| refused(format!("`{}` does not fit there", visible(&value.to_string()))))?;
            changes.push((field.column, stored));
        }
        Ok(changes)
    }
}

/// What a field holds for a value, if it takes it.
fn stored(writable: Writable, value: &Value) -> Option<Stored> {
    match (writable, value) {
        (Writable::Text, Value::Null) => None,
        (_, Value::Null) => Some(Stored::Null),
        (Writable::Text | Writable::MaybeText, Value::String(text)) => {
            (!text.trim().is_empty() && text.len() <= 10_000).then(|| text.clone().into())
        }
        (Writable::Severity, value) => {
            let severity: Severity = serde_json::from_value(value.clone()).ok()?;
            Some(serde_json::to_value(severity).ok()?.as_str()?.to_owned().into())
        }
        (Writable::Date, Value::String(text)) => is_date(text).then(|| text.clone().into()),
        (Writable::Amount, Value::Number(number)) => {
            number.as_f64().filter(|amount| *amount >= 0.0).map(Stored::Real)
        }
        _ => None,
    }
}

impl Governed for Update {
    const TOOL: &'static str = "loopiq_update_record";
    type Preview = Shown;
    type Done = Updated;

    fn check(&self, connection: &Connection, caller: &Caller) -> Result<(), Failure> {
        find(connection, &caller.tenant, Resource::find(&self.resource)?, &self.id)?;
        self.changes().map(|_| ())
    }

    fn preview(&self, connection: &Connection, caller: &Caller) -> Result<Shown, Failure> {
        let resource = Resource::find(&self.resource)?;
        let record = find(connection, &caller.tenant, resource, &self.id)?;
        of_version(resource.name, &self.id, record.version, self.version)?;
        let before = record.fields.into_iter().filter(|(name, _)| self.fields.contains_key(name)).collect();
        Ok(Shown {
            tenant: caller.tenant.clone(),
            resource: self.resource.clone(),
            id: self.id.clone(),
            before,
            after: self.fields.clone(),
            reason: self.reason.clone(),
        })
    }

    fn perform(self, writing: &Transaction<'_>, stamp: &Stamp<'_>) -> Result<(Updated, String), Failure> {
        let resource = Resource::find(&self.resource)?;
        let mut values: Vec<Stored> = vec![stamp.caller.tenant.clone().into(), self.id.clone().into()];
        let mut set = String::new();
        for (column, value) in self.changes()? {
            values.push(value);
            set.push_str(&format!("{column} = ?{}, ", values.len()));
        }
        let version = writing
            .prepare_cached(&format!(
                "UPDATE {} SET {set}version = version + 1 WHERE tenant_id = ?1 AND id = ?2 RETURNING version",
                resource.table
            ))?
            .query_row(params_from_iter(values), |row| row.get(0))
            .optional()?
            .ok_or_else(|| not_visible(resource.name, &self.id))?;
        Ok((Updated { id: self.id.clone(), version }, self.id))
    }
}
