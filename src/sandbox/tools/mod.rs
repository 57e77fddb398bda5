//! The sandbox's tools: the seven that LoopIQ documents, and others that are the sandbox's own choice.
//!
//! A tool is one entry in [`all`]. Its argument and result types give the schemas; the arguments are
//! checked against the very schema that is shown.

mod agent_runs;
mod agents;
mod analytics;
mod assignment;
mod delivery;
mod governed;
mod incidents;
mod listings;
mod package;
mod planning;
mod records;
mod releases;
mod resources;
mod routes;
mod search;
mod select;
mod triage;
mod work_package;

use std::sync::LazyLock;

use jiff::Timestamp;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rusqlite::Connection;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::governed::{Answer, Control, Governed, govern};
use super::caller::Caller;
use super::refusal::{Code, Failure, Refusal};
use crate::core::pointer::escape;
use crate::core::text::visible;

/// What a tool works with.
pub(super) struct Call<'a> {
    pub connection: &'a mut Connection,
    pub caller: &'a Caller,
    pub now: Timestamp,
}

/// A tool as it is shown, and what it does.
pub(super) struct Entry {
    pub tool: Tool,
    validator: Option<Validator>,
    run: Box<dyn Do>,
}

/// What a tool does with arguments that fit its schema.
trait Do: Fn(&mut Call<'_>, Value) -> Result<Value, Failure> + Send + Sync {}

impl<F: Fn(&mut Call<'_>, Value) -> Result<Value, Failure> + Send + Sync> Do for F {}

impl Entry {
    /// Checks the arguments and does it.
    pub(super) fn call(&self, call: &mut Call<'_>, arguments: Value) -> Result<Value, Failure> {
        if let Some(error) =
            self.validator.as_ref().and_then(|validator| validator.validate(&arguments).err())
        {
            return Err(Refusal::argument(&place_of(&error), visible(&error.to_string())).into());
        }
        (self.run)(call, arguments)
    }
}

/// The JSON pointer of what is wrong; of a member that is missing or too many, that member's.
fn place_of(error: &ValidationError<'_>) -> String {
    let place = error.instance_path().to_string();
    let member = match error.kind() {
        ValidationErrorKind::Required { property } => property.as_str(),
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected.first().map(String::as_str),
        _ => None,
    };
    member.map_or_else(|| place.clone(), |member| format!("{place}/{}", escape(member)))
}

/// The entry of that name.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    all().iter().find(|entry| entry.tool.name == name)
}

/// Every tool, in the order in which they are shown.
pub(super) fn all() -> &'static [Entry] {
    static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        vec![
            read(
                "loopiq_get_mcp_reliability_contract",
                "Reliability contract",
                "The guarantees of this server: dry runs, idempotency, transactions, and the tenant, user and roles that it sees. Call it at startup.",
                listings::contract,
            ),
            read(
                "loopiq_list_ai_ml_agents",
                "AI/ML agents",
                "The AI/ML agents that can be run, and on what. Call it before running one.",
                agents::agents,
            ),
            read(
                "loopiq_list_resources",
                "Resources",
                "The kinds of records of this server. Call it before generic record operations.",
                listings::resources,
            ),
            read(
                "loopiq_list_routes",
                "Routes",
                "The raw routes that can be invoked. Call it before falling back to a raw route.",
                routes::routes,
            ),
            read(
                "loopiq_get_release_certification",
                "Release certification",
                "A release's certification: status, team and summary.",
                releases::certification,
            ),
            read(
                "loopiq_get_release_certification_evidence_graph",
                "Evidence graph of a certification",
                "Controls, evidence, findings, provider blockers and risks of a certification, normalized across providers, and how they depend on each other.",
                releases::evidence_graph,
            ),
            governed::<package::Package>(
                "Create a remediation work package",
                "Creates one parent story and its child tasks.",
            ),
            read(
                "loopiq_search_work",
                "Search stories and tasks",
                "Stories and tasks that fit all filters given: IDs, the release they are for, the controls, evidence or findings they refer to, and whether they are open. LoopIQ documents no such tool: this one is the sandbox's own choice.",
                search::search,
            ),
            read(
                "loopiq_search_releases",
                "Search releases",
                "Releases that fit all filters given: IDs, application, and the time in which they were planned for or released.",
                delivery::releases,
            ),
            read(
                "loopiq_list_release_checks",
                "Checks of a release",
                "What a release must have passed: label, severity, status and due date of each check.",
                delivery::checks,
            ),
            read(
                "loopiq_list_rollback_decisions",
                "Rollback decisions of a release",
                "What was decided on taking a release back: status, reason, plan and how far it was tried.",
                delivery::rollback_decisions,
            ),
            read(
                "loopiq_list_sprints",
                "Sprints of a team",
                "A team's sprints with the points that each member has.",
                planning::sprints,
            ),
            read(
                "loopiq_search_backlog",
                "Search the backlog",
                "Stories, tasks, issues and features that fit all filters given: IDs, team, release, and whether they are open.",
                planning::backlog,
            ),
            read(
                "loopiq_search_incidents",
                "Search incidents",
                "Incidents that fit all filters given: IDs, application, since when, and whether they are open.",
                incidents::incidents,
            ),
            read(
                "loopiq_search_change_requests",
                "Search change requests",
                "Change requests that fit all filters given: application, and the time that their window touches.",
                incidents::change_requests,
            ),
            read(
                "loopiq_list_metrics",
                "Metrics",
                "The metrics that are measured, and which way is good.",
                analytics::metrics,
            ),
            read(
                "loopiq_query_metrics",
                "Series of metrics",
                "The values of metrics between two dates, oldest first.",
                analytics::series,
            ),
            read(
                "loopiq_list_dashboards",
                "Dashboards",
                "The dashboards that can be shown.",
                analytics::dashboards,
            ),
            read(
                "loopiq_get_dashboard",
                "Dashboard",
                "A dashboard with its charts and the metrics that they show.",
                analytics::dashboard,
            ),
            read(
                "loopiq_assess_with_ai_ml_agent",
                "Assessment by an AI/ML agent",
                "What an AI/ML agent recommends for a release, a certification or an incident, and why. It records nothing, and it is no approval. In the sandbox fixed rules play the agent's part.",
                agents::assess,
            ),
            governed::<agent_runs::Run>(
                "Run an AI/ML agent",
                "Has an AI/ML agent look at a release, a certification or an incident, and records the run with what it recommends, which is no approval. In the sandbox fixed rules play the agent's part.",
            ),
            read(
                "loopiq_list_ai_ml_agent_runs",
                "Runs of AI/ML agents",
                "Recorded runs of AI/ML agents by their IDs.",
                agent_runs::agent_runs,
            ),
            read(
                "loopiq_list_records",
                "Records of a kind",
                "Records of one kind with their versions and fields. Call `loopiq_list_resources` first.",
                records::records,
            ),
            read(
                "loopiq_get_record",
                "A record of a kind",
                "A record with its version and fields. Call `loopiq_list_resources` first.",
                records::record,
            ),
            governed::<records::Update>(
                "Update a record",
                "Changes fields of a record of any kind. It is refused where the record is not of the version that the call carries.",
            ),
            governed::<assignment::Assignments>(
                "Assign work",
                "Puts work items into a sprint, each with who does it. It is refused where an item is not of the version that the call carries.",
            ),
            governed::<triage::Triage>(
                "Triage an incident",
                "Gives an incident an owner, and links it to releases and change requests. It is refused where the incident is not of the version that the call carries.",
            ),
            write(
                routes::TOOL,
                "Invoke a raw route",
                "Calls a raw route. It knows neither dry run nor idempotency key. Call `loopiq_list_routes` first.",
                routes::invoke,
            ),
        ]
    });
    &ALL
}

fn read<A, R>(name: &'static str, title: &str, description: &'static str, run: Run<A, R>) -> Entry
where
    A: JsonSchema + DeserializeOwned + 'static,
    R: JsonSchema + Serialize + 'static,
{
    entry(name, title, description, Does::Read, run)
}

fn write<A, R>(name: &'static str, title: &str, description: &'static str, run: Run<A, R>) -> Entry
where
    A: JsonSchema + DeserializeOwned + 'static,
    R: JsonSchema + Serialize + 'static,
{
    entry(name, title, description, Does::Write, run)
}

/// A tool whose control arguments stand beside those of `G`.
fn governed<G: Governed>(title: &str, what: &str) -> Entry {
    let description = format!(
        "{what} One transaction. `dryRun: true` validates and shows what would be written, and writes nothing. The \
         real call needs `approvalId` and `idempotencyKey`; the same key and payload give the same result again."
    );
    let mut input = schema::<G>(SchemaSettings::draft2020_12().for_deserialize());
    for (name, member) in schema::<Control>(SchemaSettings::draft2020_12().for_deserialize()) {
        match (input.get_mut(&name), member) {
            (Some(Value::Object(members)), Value::Object(more)) => members.extend(more),
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
            _ => {}
        }
    }
    let output = schema::<Answer<G::Preview, G::Done>>(SchemaSettings::draft2020_12().for_serialize());
    let run = |call: &mut Call<'_>, mut arguments: Value| {
        let mut control = JsonObject::new();
        if let Some(members) = arguments.as_object_mut() {
            control.extend(Control::MEMBERS.iter().filter_map(|name| members.remove_entry(*name)));
        }
        govern(call, parse(Value::Object(control))?, parse::<G>(arguments)?)
    };
    made(G::TOOL, title, description, Does::Write, (input, output), run)
}

/// The tools that write by approval.
fn governed_tools() -> impl Iterator<Item = &'static str> {
    let governs = |entry: &&Entry| {
        entry.tool.input_schema.get("properties").is_some_and(|members| members.get("approvalId").is_some())
    };
    all().iter().filter(governs).map(|entry| entry.tool.name.as_ref())
}

fn parse<A: DeserializeOwned>(arguments: Value) -> Result<A, Refusal> {
    serde_json::from_value(arguments).map_err(|error| Refusal::argument("", visible(&error.to_string())))
}

type Run<A, R> = fn(&mut Call<'_>, A) -> Result<R, Failure>;

/// Whether a tool only reads.
#[derive(Clone, Copy)]
enum Does {
    Read,
    /// Not idempotent by itself: only a key makes it so, which a hint cannot say.
    Write,
}

fn entry<A, R>(name: &'static str, title: &str, description: &str, does: Does, run: Run<A, R>) -> Entry
where
    A: JsonSchema + DeserializeOwned + 'static,
    R: JsonSchema + Serialize + 'static,
{
    let input = schema::<A>(SchemaSettings::draft2020_12().for_deserialize());
    let output = schema::<R>(SchemaSettings::draft2020_12().for_serialize());
    made(name, title, description.to_owned(), does, (input, output), move |call, arguments| {
        serde_json::to_value(run(call, parse(arguments)?)?)
            .map_err(|error| Failure::Internal(error.to_string()))
    })
}

fn made(
    name: &'static str,
    title: &str,
    description: String,
    does: Does,
    (input, output): (JsonObject, JsonObject),
    run: impl Do + 'static,
) -> Entry {
    let reads = matches!(does, Does::Read);
    let annotations =
        ToolAnnotations::new().read_only(reads).destructive(false).idempotent(reads).open_world(false);
    Entry {
        validator: jsonschema::validator_for(&Value::Object(input.clone())).ok(),
        tool: Tool::new(name, description, input)
            .with_title(title)
            .with_raw_output_schema(output.into())
            .with_annotations(annotations),
        run: Box::new(run),
    }
}

/// The schema of a type, whole and without references, so that simple clients can read it.
fn schema<T: JsonSchema>(mut settings: SchemaSettings) -> JsonObject {
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // Names of Rust types say nothing to a client.
    schema.remove("title");
    // Some clients want the member even where a tool takes no arguments.
    schema.ensure_object().entry("properties").or_insert_with(|| JsonObject::new().into());
    match schema.to_value() {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    }
}

/// What answers for a record of another tenant as for one that does not exist.
fn not_visible(kind: &str, id: &str) -> Refusal {
    Refusal::new(Code::NotVisible, format!("no {kind} `{}` is visible to you", visible(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_a_closed_object_that_can_be_checked() {
        for Entry { tool, validator, .. } in all() {
            assert!(validator.is_some(), "{}", tool.name);
            assert_eq!(tool.input_schema["type"], "object", "{}", tool.name);
            assert_eq!(tool.input_schema["additionalProperties"], false, "{}", tool.name);
            let output = tool.output_schema.as_ref().unwrap();
            assert_eq!(output["type"], "object", "{}", tool.name);
            assert!(jsonschema::validator_for(&Value::Object((**output).clone())).is_ok());
            let text = serde_json::to_string(&tool).unwrap();
            assert!(!text.contains("$ref") && !text.contains("$defs"), "{text}");
        }
    }
}
