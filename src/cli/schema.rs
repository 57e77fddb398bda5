//! `loopgate schema`: the JSON Schemas of what people write and what the program leaves.

use clap::ValueEnum as _;
use serde_json::{Map, Value};

use super::arguments::{Schema, SchemaName};
use super::config;
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::settings::Settings;
use crate::catalog::{Profile, lock};
use crate::evidence::brief::package_v1;
use crate::mcp::recording;
use crate::{approval, artifact, audit, recipe, report};

/// Prints one schema, or all of them by name.
pub(super) fn schema(arguments: &Schema, output: &Output) -> Result<Exit, Fault> {
    let value = match arguments.name {
        Some(name) => of(name)?,
        None => {
            let mut all = Map::new();
            for name in SchemaName::value_variants() {
                let word = name.to_possible_value().map(|value| value.get_name().to_owned());
                all.insert(word.unwrap_or_default(), of(*name)?);
            }
            Value::Object(all)
        }
    };
    output.json(&value)?;
    Ok(Exit::Done)
}

/// The schema of one format.
pub(super) fn of(name: SchemaName) -> Result<Value, Fault> {
    let schema = match name {
        SchemaName::Recipe => return Ok(recipe::json_schema()),
        SchemaName::Artifact => return Ok(artifact::json_schema()),
        SchemaName::Approval => return Ok(approval::json_schema()),
        SchemaName::Audit => return Ok(audit::json_schema()),
        SchemaName::Status => return Ok(report::status_schema()),
        SchemaName::LedgerLog => return Ok(report::ledger_log_schema()),
        SchemaName::Recording => return Ok(recording::v1::json_schema()),
        SchemaName::Run => return Ok(report::run_schema()),
        SchemaName::Call => return Ok(report::call_schema()),
        SchemaName::RunEvent => return Ok(report::event_schema()),
        SchemaName::RecipeSummary => return Ok(report::recipe_schema()),
        SchemaName::Difference => return Ok(report::difference_schema()),
        SchemaName::Package => return Ok(package_v1::json_schema()),
        SchemaName::Shapes => return Ok(report::shapes_schema()),
        SchemaName::Lock => return Ok(lock::v1::json_schema()),
        SchemaName::LockCheck => return Ok(report::lock_schema()),
        SchemaName::Doctor => return Ok(report::doctor_schema()),
        SchemaName::Config => return Ok(config::json_schema()),
        SchemaName::Test => return Ok(report::test_schema()),
        SchemaName::Problems => return Ok(report::problems_schema()),
        SchemaName::ProfileSummary => return Ok(report::profile_schema()),
        SchemaName::Profile => schemars::schema_for!(Profile),
        SchemaName::Cases => schemars::schema_for!(recipe::Cases),
        SchemaName::Settings => schemars::schema_for!(Settings),
    };
    serde_json::to_value(schema).map_err(Fault::internal)
}
