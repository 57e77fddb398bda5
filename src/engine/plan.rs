//! From what the steps proposed to the artifact: operations, the reads that they rest on, and what nobody
//! could check.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use serde_json::{Map, Value};

use super::arguments::in_words;
use super::dry_run::Verdict;
use super::given::{Given, ReadRecord};
use super::result::{Conclusion, StepResult, StepStatus, TargetFact};
use super::run::Run;
use super::steps::Steps;
use super::target::Caller;
use crate::artifact::v1::{self, Slot};
use crate::artifact::{Artifact, Filling, Key, Plan, fill};
use crate::catalog::{
    Context, Idempotency, Operation, Profile, SchemaProblem, SchemaProblemKind, check_arguments,
};
use crate::core::projection::{Verbatim, project_fields};
use crate::core::text::visible;
use crate::core::{Class, Digest, Pointer, Projection, ToolDefinition};
use crate::evidence;
use crate::recipe::{Kind, Recipe, Step, StepId, Use};

/// A write that a step proposed: all but the server's word on it.
#[derive(Debug, Clone)]
pub(super) struct Write<'a> {
    pub id: String,
    /// The profile's name for it, or the tool's.
    pub name: String,
    pub operation: Option<&'a Operation>,
    pub tool: ToolDefinition,
    pub tool_digest: Digest,
    /// Without the slots.
    pub arguments: Map<String, Value>,
    pub slots: Vec<Slot>,
    pub key: Key,
    pub idempotency: Idempotency,
    pub reason: String,
    pub reconcile: Option<v1::Reconcile>,
}

/// To whom a write goes, and which time it is wanted: with its tool and arguments, what its key is made of.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub profile: &'a Profile,
    pub server: &'a str,
    pub tenant: Option<String>,
    pub occurrence: u32,
}

impl<'a> Write<'a> {
    /// Checks that the payload, as a dry run would send it, fits the tool.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub fn prepare(
        place: &Place<'a>,
        id: &StepId,
        spec: &crate::recipe::Write,
        tool: &ToolDefinition,
        arguments: Map<String, Value>,
        reason: String,
        reconcile: Option<v1::Reconcile>,
    ) -> Result<Self, String> {
        let Place { profile, server, tenant, occurrence } = place;
        let operation = profile.operation(&spec.operation);
        let mut slots = slots(operation, &profile.context);
        let secrets = secret_slots(operation, &spec.secrets)?;
        let mut arguments = arguments;
        for slot in &secrets {
            slot.at().remove(&mut arguments);
        }
        slots.extend(secrets);
        let key = Key::of(server, tenant.as_deref(), &tool.name, &arguments, &slots, *occurrence)
            .map_err(|error| error.to_string())?;
        let filling = match slots.iter().any(|slot| matches!(slot, Slot::DryRun { .. })) {
            true => Filling::Dry,
            false => Filling::Real { approval_id: "to be approved" },
        };
        let sent =
            fill(&id.to_string(), &arguments, &slots, &key, filling).map_err(|error| error.to_string())?;
        check_sent(tool, sent, &slots)?;
        let tool_digest = tool.digest(Class::Write);
        Ok(Self {
            id: id.to_string(),
            name: spec.operation.clone(),
            operation,
            tool: tool.clone(),
            tool_digest,
            arguments,
            slots,
            key,
            idempotency: spec.idempotency,
            reason,
            reconcile,
        })
    }
}

/// The places of a write's secrets in its tool's arguments.
///
/// # Errors
/// The operation has no such argument.
fn secret_slots(
    operation: Option<&Operation>,
    secrets: &BTreeMap<Pointer, String>,
) -> Result<Vec<Slot>, String> {
    let slot = |(at, name): (&Pointer, &String)| {
        let at = match operation {
            None => Some(at.clone()),
            Some(operation) => operation.place(at),
        };
        let at = at.ok_or_else(|| format!("the secret `{name}` has no place in the tool's arguments"))?;
        Ok(Slot::Secret { at, name: name.clone() })
    };
    secrets.iter().map(slot).collect()
}

/// Checks arguments as they are sent, all but the text of secrets, which is not known here.
fn check_sent(tool: &ToolDefinition, mut sent: Map<String, Value>, slots: &[Slot]) -> Result<(), String> {
    let secret = |slot: &&Slot| matches!(slot, Slot::Secret { .. });
    let places: Vec<&Pointer> = slots.iter().filter(secret).map(Slot::at).collect();
    for at in &places {
        at.set(&mut sent, Value::from("a secret")).map_err(|error| error.to_string())?;
    }
    let known = |problem: &SchemaProblem| {
        problem.kind == SchemaProblemKind::Type || places.iter().all(|at| problem.pointer != at.as_str())
    };
    let Err(mut problems) = check_arguments(&tool.input_schema, &sent) else { return Ok(()) };
    problems.retain(known);
    match problems.is_empty() {
        true => Ok(()),
        false => Err(format!("the arguments do not fit `{}`: {}", visible(&tool.name), in_words(&problems))),
    }
}

/// The places of a write that are filled when it is called.
pub(super) fn slots(operation: Option<&Operation>, context: &Context) -> Vec<Slot> {
    let mut slots = operation.map(|operation| Slot::of(&operation.control)).unwrap_or_default();
    let argument = |field: &Option<crate::catalog::ContextField>| field.as_ref()?.argument.clone();
    slots.extend(argument(&context.request_id).map(|at| Slot::RequestId { at }));
    slots.extend(argument(&context.trace).map(|at| Slot::Trace { at }));
    slots
}

/// Builds the artifact.
///
/// # Errors
/// Something in it cannot be told apart or written down exactly.
pub(super) fn build(
    run: &Run<'_>,
    target: &TargetFact,
    caller: &Caller<'_>,
    steps: &Steps<'_>,
    writes: Vec<(Write<'_>, Verdict)>,
) -> Result<Artifact, Conclusion> {
    let mut operations = Vec::with_capacity(writes.len());
    for (write, verdict) in writes {
        operations.push(planned(write, verdict, caller)?);
    }
    let plan = Plan {
        server: v1::Server {
            identity: target.identity.clone(),
            name: target.name.clone(),
            version: target.version.clone(),
            protocol: target.protocol.clone(),
        },
        tenant: target.tenant.clone(),
        tenant_known_by: target.tenant_known_by.into(),
        profile: run.target.profile_fact(),
        contract: target.contract.as_ref().map(|contract| v1::Contract { digest: contract.digest.clone() }),
        recipe: v1::Recipe {
            name: run.recipe.name.clone(),
            digest: run.recipe.digest.clone(),
            inputs: run.inputs.values.clone(),
        },
        occurrence: NonZeroU32::new(run.options.occurrence).unwrap_or(NonZeroU32::MIN),
        planned_by: v1::PlannedBy::this_program(run.options.who.clone(), run.options.pipeline.clone()),
        summary: summary(&operations, steps.results()),
        operations,
        preconditions: preconditions(run.recipe, steps.given(), &run.target.profile),
        gates: gates(steps.results()),
        not_proven: steps.not_proven().to_vec(),
    };
    Artifact::build(plan).map_err(|error| Conclusion::Invalid(error.to_string()))
}

fn planned(write: Write<'_>, verdict: Verdict, caller: &Caller<'_>) -> Result<v1::Operation, Conclusion> {
    let operation = write.operation;
    let created = operation.and_then(|operation| created(operation, caller));
    Ok(v1::Operation {
        id: write.id,
        operation: write.name,
        tool: write.tool.name,
        class: Class::Write,
        tool_digest: write.tool_digest,
        arguments: write.arguments,
        slots: write.slots,
        idempotency: write.idempotency.into(),
        key_retention: operation.and_then(|operation| operation.key_retention),
        idempotency_key: write.key,
        one_transaction: operation.is_some_and(|operation| operation.one_transaction),
        reason: write.reason,
        server_validated: verdict.validated,
        server_validated_why: verdict.why,
        created,
        dry_run_confirmed: operation
            .map(|operation| operation.dry_run_confirmed.iter().cloned().map(Into::into).collect())
            .unwrap_or_default(),
        reconcile: write.reconcile,
    })
}

/// Where the answer to an operation names what it created, and how to find that.
pub(super) fn created(operation: &Operation, caller: &Caller<'_>) -> Option<v1::Created> {
    let created = operation.created.as_ref()?;
    let lookup = created.lookup.as_ref().and_then(|lookup| {
        let read = caller.profile.operation(&lookup.operation)?;
        let mut arguments = Map::new();
        for (at, value) in &read.fixed {
            at.set(&mut arguments, value.clone()).ok()?;
        }
        let arguments = caller.settled(arguments).ok()?;
        Some(v1::Lookup {
            tool: read.tool.clone(),
            arguments,
            ids_at: read.arguments.get(&lookup.argument)?.at.clone(),
            found: read.result.as_ref()?.get(&lookup.found)?.verbatim(),
            compare: lookup.compare.clone(),
        })
    });
    Some(v1::Created { ids: created.ids.clone(), lookup })
}

fn summary(operations: &[v1::Operation], results: &[StepResult]) -> String {
    match operations {
        [] => {
            let why = results.iter().find_map(|step| match &step.status {
                StepStatus::Skipped(why) if step.kind == "write" => Some(why.as_str()),
                _ => None,
            });
            format!("nothing to do: {}", why.unwrap_or("no write is proposed"))
        }
        [only] => format!("1 operation: {}", only.operation),
        many => {
            let names: BTreeSet<&str> = many.iter().map(|operation| operation.operation.as_str()).collect();
            format!("{} operations: {}", many.len(), names.into_iter().collect::<Vec<_>>().join(", "))
        }
    }
}

fn gates(results: &[StepResult]) -> Vec<v1::Gate> {
    results
        .iter()
        .filter_map(|step| {
            let (holds, fact) = match &step.status {
                StepStatus::Holds(fact) => (true, fact),
                StepStatus::DoesNotHold(fact) => (false, fact),
                _ => return None,
            };
            Some(v1::Gate { id: step.id.clone(), holds, advisory: fact.advisory, says: fact.says.clone() })
        })
        .collect()
}

/// The reads that payloads, conditions and gates really used, with the values that they used.
fn preconditions(recipe: &Recipe, given: &Given, profile: &Profile) -> Vec<v1::Precondition> {
    let used = used_fields(recipe);
    recipe
        .steps
        .iter()
        .filter_map(|step| {
            let fields = used.get(&step.id)?;
            let record = given.kept(&step.id)?.read.as_ref()?;
            Some(precondition(&step.id, record, fields, profile))
        })
        .collect()
}

/// Which results of a step are used: some by their names, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fields {
    All,
    /// All that an analysis of evidence reads.
    Analyzed,
    Named(BTreeSet<String>),
}

impl Fields {
    fn at(path: &[String]) -> Self {
        path.first().map_or(Self::All, |name| Self::Named(BTreeSet::from([name.clone()])))
    }

    /// Both together. What is used by name besides an analysis may be what the analysis leaves out.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Named(mut names), Self::Named(more)) => {
                names.extend(more);
                Self::Named(names)
            }
            (Self::Analyzed, Self::Analyzed) => Self::Analyzed,
            _ => Self::All,
        }
    }
}

/// Walks from every write and gate, with its conditions, back to what they stand on. An analysis uses all of what it
/// analyzes, a read what its arguments are made of.
fn used_fields(recipe: &Recipe) -> BTreeMap<&StepId, Fields> {
    let by_id: BTreeMap<&StepId, &Step> = recipe.steps.iter().map(|step| (&step.id, step)).collect();
    let mut used: BTreeMap<&StepId, Fields> = BTreeMap::new();
    let mut visited: BTreeSet<&StepId> = BTreeSet::new();
    let mut waiting: Vec<&Step> =
        recipe.steps.iter().filter(|step| matches!(step.kind, Kind::Write(_) | Kind::Gate(_))).collect();
    while let Some(step) = waiting.pop() {
        if !visited.insert(&step.id) {
            continue;
        }
        for Use { step: id, path } in &step.uses {
            let fields = match &step.kind {
                Kind::Analyze(analyze) if analyze.of == *id && !analyze.analysis.is_brief() => {
                    Fields::Analyzed
                }
                _ => Fields::at(path),
            };
            let fields = match used.remove(id) {
                Some(before) => before.and(fields),
                None => fields,
            };
            used.insert(id, fields);
            waiting.extend(by_id.get(id));
        }
    }
    used
}

fn precondition(id: &StepId, record: &ReadRecord, used: &Fields, profile: &Profile) -> v1::Precondition {
    let operation = record.operation.as_ref().and_then(|name| profile.operation(name));
    let mapped = operation.and_then(|operation| operation.result.as_ref());
    let (fields, values) = match mapped {
        None => (BTreeMap::new(), plain_values(record)),
        Some(result) => {
            let fields: BTreeMap<_, _> = result
                .iter()
                .filter(|(name, _)| match used {
                    Fields::All | Fields::Analyzed => true,
                    Fields::Named(names) => names.contains(*name),
                })
                .map(|(name, projection)| (name.clone(), projection.verbatim()))
                .map(|(name, projection)| match used {
                    Fields::Analyzed => (name, without(projection, evidence::UNREAD)),
                    Fields::All | Fields::Named(_) => (name, projection),
                })
                .collect();
            let content = record.answer.content().unwrap_or(Cow::Owned(Value::Null));
            let values = project_fields(&fields, &content, &Verbatim, &mut Vec::new());
            (fields, values)
        }
    };
    v1::Precondition {
        step: id.to_string(),
        tool: record.tool.clone(),
        arguments: record.arguments.clone(),
        pages: operation.and_then(|operation| operation.pages.clone()),
        fields,
        values,
    }
}

/// A list's projection less some of the fields of its items.
fn without(projection: Projection, unread: &[&str]) -> Projection {
    let each = projection.each.map(|mut each| {
        each.retain(|name, _| !unread.contains(&name.as_str()));
        each
    });
    Projection { each, ..projection }
}

fn plain_values(record: &ReadRecord) -> Map<String, Value> {
    match record.answer.plain() {
        Value::Object(values) => values,
        other => Map::from_iter([("answer".to_owned(), other)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{ShippedLibrary, Source, load};

    fn used(recipe: &str) -> BTreeMap<String, Fields> {
        let source = Source::from_bytes("r.yaml", recipe.as_bytes()).unwrap();
        let recipe = load(source, &ShippedLibrary, &Profile::loopiq().unwrap()).unwrap();
        used_fields(&recipe).into_iter().map(|(id, fields)| (id.to_string(), fields)).collect()
    }

    const READS: &str = "recipe: r
summary: s
steps:
  - id: c
    read: certification
    with: { release: R }
  - id: g
    read: evidence_graph
    with: { certification: \"{{ c.id }}\" }
    emit: g.json
";

    fn named(names: &[&str]) -> Fields {
        Fields::Named(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_a_gate_uses_counts_with_the_arguments_that_led_there() {
        let gate = "  - id: x\n    gate: \"{{ g.edges | length > 0 }}\"\n    says: s\n";
        let expected = [("c".to_owned(), named(&["id"])), ("g".to_owned(), named(&["edges"]))];
        assert_eq!(used(&format!("{READS}{gate}")), BTreeMap::from(expected));
    }

    #[test]
    fn what_only_a_file_receives_does_not_count() {
        let emit = "  - id: x\n    emit: x.json\n    value: \"{{ c.state }}\"\n";
        assert_eq!(used(&format!("{READS}{emit}")), BTreeMap::new());
    }

    #[test]
    fn an_analysis_counts_with_what_it_reads_and_a_name_beside_it_with_all() {
        let analysis = "  - id: f\n    analyze: evidence\n    of: g\n  - id: x\n    \
                        gate: \"{{ f.blocking | length == 0 }}\"\n    says: s\n";
        assert_eq!(used(&format!("{READS}{analysis}"))["g"], Fields::Analyzed);
        let beside = "  - id: y\n    gate: \"{{ g.nodes | length > 0 }}\"\n    says: s\n";
        assert_eq!(used(&format!("{READS}{analysis}{beside}"))["g"], Fields::All);
    }
}
