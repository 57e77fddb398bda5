//! The steps of a recipe, one after the other; reads that do not need each other at once.
//!
//! Order is meaning: a gate that does not hold, or cannot be decided, ends the run there.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Map, Value};

use super::event::{Event, Events};
use super::given::{Given, Kept, ReadRecord, Readiness};
use super::plan::Write;
use super::read::{ReadCall, ReadEnd, read};
use super::result::{CallFact, Conclusion, Emitted, GateFact, StepResult, StepStatus};
use super::run::RunOptions;
use super::target::{Caller, Target, Tools};
use crate::artifact::v1;
use crate::catalog::{Operation, Profile, check_arguments};
use crate::core::text::visible;
use crate::core::{Class, ToolDefinition};
use crate::mcp::Session;
use crate::recipe::{Analyze, Gate, Kind, Recipe, Scope, Step, TemplateError, TemplateErrorKind, Tree, bind};

/// A recipe's steps on their way.
pub(super) struct Steps<'a> {
    recipe: &'a Recipe,
    /// The server's identity and which time the effect is wanted: what a key is made with.
    place: (&'a str, u32),
    profile: &'a Profile,
    given: Given,
    results: Vec<StepResult>,
    emitted: Vec<Emitted>,
    writes: Vec<Write<'a>>,
    not_proven: Vec<String>,
}

/// How one step ended, and whether the run ends with it.
struct Ended {
    status: StepStatus,
    then: Result<(), Conclusion>,
}

impl From<StepStatus> for Ended {
    fn from(status: StepStatus) -> Self {
        Self { status, then: Ok(()) }
    }
}

impl From<Conclusion> for Ended {
    fn from(conclusion: Conclusion) -> Self {
        Self { status: StepStatus::Failed(conclusion.message()), then: Err(conclusion) }
    }
}

impl<'a> Steps<'a> {
    pub fn new(recipe: &'a Recipe, inputs: &Map<String, Value>, target: &'a Target, occurrence: u32) -> Self {
        let results = recipe
            .steps
            .iter()
            .map(|step| StepResult {
                id: step.id.to_string(),
                kind: step.kind.word(),
                subject: step.kind.subject().to_owned(),
                status: StepStatus::NotRun,
                notes: Vec::new(),
                calls: Vec::new(),
                took: Duration::ZERO,
            })
            .collect();
        Self {
            recipe,
            place: (&target.identity, occurrence),
            profile: &target.profile,
            given: Given::new(inputs),
            results,
            emitted: Vec::new(),
            writes: Vec::new(),
            not_proven: Vec::new(),
        }
    }

    pub fn given(&self) -> &Given {
        &self.given
    }

    pub fn results(&self) -> &[StepResult] {
        &self.results
    }

    pub fn not_proven(&self) -> &[String] {
        &self.not_proven
    }

    pub fn take_writes(&mut self) -> Vec<Write<'a>> {
        std::mem::take(&mut self.writes)
    }

    pub fn finish(self) -> (Vec<StepResult>, Vec<Emitted>, Vec<String>) {
        (self.results, self.emitted, self.not_proven)
    }

    /// Runs them all, or up to the one that ends the run.
    pub async fn all(
        &mut self,
        session: &Session,
        caller: &Caller<'_>,
        tools: &Tools,
        options: &RunOptions,
        events: &dyn Events,
    ) -> Result<(), Conclusion> {
        let mut index = 0;
        while let Some(step) = self.recipe.steps.get(index) {
            if matches!(step.kind, Kind::Read(_)) {
                let batch = independent_reads(&self.recipe.steps, index);
                self.reads(index..batch, session, caller, tools, options, events).await?;
                index = batch;
            } else {
                self.announce(step, events);
                let begun = Instant::now();
                let ended = self.native(step, caller, tools);
                self.end(index, ended, begun.elapsed(), events)?;
                index += 1;
            }
        }
        Ok(())
    }

    fn announce(&self, step: &Step, events: &dyn Events) {
        events.emit(&Event::StepStarted { step: step.id.to_string(), kind: step.kind.word() });
    }

    fn end(
        &mut self,
        index: usize,
        ended: Ended,
        took: Duration,
        events: &dyn Events,
    ) -> Result<(), Conclusion> {
        let Some((step, result)) = self.recipe.steps.get(index).zip(self.results.get_mut(index)) else {
            return Ok(());
        };
        events.emit(&Event::StepEnded {
            step: result.id.clone(),
            kind: result.kind,
            status: ended.status.clone(),
        });
        result.took = took;
        result.status = ended.status.clone();
        if let StepStatus::Unavailable(unproven) = &ended.status {
            self.not_proven.push(unproven.clone());
        }
        self.given.end(&step.id, ended.status);
        match ended.then {
            Ok(()) => self.emit(step),
            Err(conclusion) => Err(conclusion),
        }
    }

    /// Keeps what a step gave for the file that it names.
    fn emit(&mut self, step: &Step) -> Result<(), Conclusion> {
        let Some((name, kept)) = step.emit.as_ref().zip(self.given.kept(&step.id)) else { return Ok(()) };
        let bytes = match &kept.value {
            Value::String(text) if !is_json(name) => with_line_end(text.clone().into_bytes()),
            value if is_json(name) => with_line_end(serde_json::to_vec_pretty(value).unwrap_or_default()),
            _ => {
                return Err(Conclusion::Invalid(format!(
                    "step `{}`: `{name}` takes text, and the step gives data; name a `.json` file",
                    step.id
                )));
            }
        };
        self.emitted.push(Emitted { name: name.clone(), step: step.id.to_string(), bytes });
        Ok(())
    }

    /// What keeps a step from running, if anything does.
    fn held_back(&self, step: &Step) -> Option<Ended> {
        match self.given.readiness(step) {
            Readiness::Skip(why) => return Some(StepStatus::Skipped(why).into()),
            Readiness::Undecided(reasons) => return Some(undecided(step, reasons)),
            Readiness::Ready => {}
        }
        step.when.iter().find_map(|condition| {
            let when = condition.holds.source();
            match condition.holds.evaluate(&self.given.scope(&condition.scope)) {
                Ok(Value::Bool(true)) => None,
                Ok(Value::Bool(false)) => {
                    Some(StepStatus::Skipped(format!("`{}` is false", visible(when))).into())
                }
                Ok(other) => Some(not_a_truth_value(step, "when", when, &other)),
                Err(error) => Some(template_failed(step, error)),
            }
        })
    }

    /// A step that needs no server.
    fn native(&mut self, step: &'a Step, caller: &Caller<'_>, tools: &Tools) -> Ended {
        let scope = self.given.scope(&step.scope);
        if let Some(ended) = self.held_back(step) {
            return ended;
        }
        match &step.kind {
            Kind::Include(include) => match arguments(step, &include.inputs, &scope, None) {
                Ok(given) => match bind(&include.declared, &given, &include.recipe) {
                    Ok(values) => {
                        self.given.bind_inputs(step.id.segments(), &values);
                        StepStatus::Done.into()
                    }
                    Err(problems) => {
                        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                        invalid(step, &problems.join("; "))
                    }
                },
                Err(ended) => ended,
            },
            Kind::Emit(emit) => match emit.value.evaluate(&scope) {
                Ok(value) => self.done(step, value),
                Err(error) => template_failed(step, error),
            },
            Kind::Analyze(analyze) => self.analyze(step, analyze),
            Kind::Gate(gate) => decide(step, gate, &scope),
            Kind::Write(write) => {
                let prepared = self.write(step, write, &scope, caller, tools);
                match prepared {
                    Ok(prepared) => {
                        self.writes.push(prepared);
                        StepStatus::Proposed.into()
                    }
                    Err(ended) => ended,
                }
            }
            Kind::Read(_) => StepStatus::NotRun.into(),
        }
    }

    fn done(&mut self, step: &Step, value: Value) -> Ended {
        let kept = Kept { value, unknown: std::collections::BTreeMap::new(), read: None };
        self.given.keep(&step.id, kept);
        StepStatus::Done.into()
    }

    fn analyze(&mut self, step: &Step, analyze: &Analyze) -> Ended {
        let Some(of) = self.given.kept(&analyze.of) else {
            return undecided(step, vec![format!("`{}` gave nothing", analyze.of)]);
        };
        if let Some(missing) = of.unknown.get("") {
            return undecided(step, missing.clone());
        }
        let by = analyze.by.as_ref().and_then(|by| self.given.kept(by));
        match super::analyze::analyze(analyze.analysis, &of.value, by.map(|kept| &kept.value)) {
            Err(reason) => undecided(step, vec![format!("`{}`: {reason}", analyze.of)]),
            Ok(analyzed) => {
                self.not_proven.extend(analyzed.not_proven);
                let ended = self.done(step, analyzed.value);
                if !analyzed.undecided.is_empty() {
                    return StepStatus::Undecided(analyzed.undecided).into();
                }
                let id = step.id.to_string();
                if let Some(result) = self.results.iter_mut().find(|result| result.id == id) {
                    result.notes.push(analyzed.says);
                }
                ended
            }
        }
    }

    fn write(
        &self,
        step: &'a Step,
        write: &'a crate::recipe::Write,
        scope: &Scope,
        caller: &Caller<'_>,
        tools: &Tools,
    ) -> Result<Write<'a>, Ended> {
        let operation = caller.profile.operation(&write.operation);
        let tool_name = operation.map_or(write.operation.as_str(), |operation| operation.tool.as_str());
        let (tool, _) = tools.get(tool_name).ok_or_else(|| not_offered(step, tool_name))?;
        let arguments = arguments(step, &write.arguments, scope, operation)?;
        let empty = operation.map(|operation| operation.must_have_problems(&arguments)).unwrap_or_default();
        if !empty.is_empty() {
            return Err(Conclusion::Invalid(format!(
                "step `{}`: nothing is created without {}",
                step.id,
                empty.iter().map(|at| format!("`{at}`")).collect::<Vec<_>>().join(", ")
            ))
            .into());
        }
        let arguments = caller.settled(arguments).map_err(|problem| invalid(step, &problem))?;
        let reason = match write.reason.evaluate(scope) {
            Ok(Value::String(text)) => text,
            Ok(other) => other.to_string(),
            Err(error) => return Err(template_failed(step, error)),
        };
        let reconcile = match &write.reconcile {
            Some(reconcile) => Some(self.reconcile(step, reconcile, scope, caller, tools)?),
            None => None,
        };
        Write::prepare(
            self.profile,
            caller.tenant,
            &step.id,
            write,
            tool,
            self.place,
            arguments,
            reason,
            reconcile,
        )
        .map_err(|problem| invalid(step, &problem))
    }

    fn reconcile(
        &self,
        step: &Step,
        reconcile: &crate::recipe::Reconcile,
        scope: &Scope,
        caller: &Caller<'_>,
        tools: &Tools,
    ) -> Result<v1::Reconcile, Ended> {
        let operation = caller.profile.operation(&reconcile.operation);
        let (tool, arguments) =
            readable(step, &reconcile.operation, operation, &reconcile.arguments, scope, caller, tools)?;
        let mut found = Vec::new();
        for expectation in &reconcile.found {
            let equals = expectation.equals.evaluate(scope).map_err(|error| template_failed(step, error))?;
            found.push(v1::Expectation { at: expectation.pointer.clone(), equals });
        }
        Ok(v1::Reconcile { tool: tool.name.clone(), arguments, found })
    }

    async fn reads(
        &mut self,
        batch: std::ops::Range<usize>,
        session: &Session,
        caller: &Caller<'_>,
        tools: &Tools,
        options: &RunOptions,
        events: &dyn Events,
    ) -> Result<(), Conclusion> {
        let mut ready = Vec::new();
        for index in batch {
            let Some(step) = self.recipe.steps.get(index) else { continue };
            let Kind::Read(wanted) = &step.kind else { continue };
            self.announce(step, events);
            let scope = self.given.scope(&step.scope);
            let operation = caller.profile.operation(&wanted.operation);
            let prepared = match self.held_back(step) {
                Some(ended) => Err(ended),
                None => match &wanted.optional {
                    Some(unproven) if !offered(operation, &wanted.operation, tools) => {
                        Err(StepStatus::Unavailable(unproven.clone()).into())
                    }
                    _ => {
                        readable(step, &wanted.operation, operation, &wanted.arguments, &scope, caller, tools)
                    }
                },
            };
            match prepared {
                Ok((tool, arguments)) => ready.push((
                    index,
                    ReadCall {
                        step: step.id.to_string(),
                        tool: tool.name.clone(),
                        arguments,
                        operation,
                        deadline: wanted.timeout.unwrap_or(options.limits.call),
                        retry: wanted.retry.clone(),
                    },
                )),
                Err(ended) => self.end(index, ended, Duration::ZERO, events)?,
            }
        }
        let mut answers: Vec<_> = stream::iter(ready)
            .map(|(index, call)| async move {
                let begun = Instant::now();
                let (end, calls) = read(session, caller, &call, events).await;
                (index, call, end, calls, begun.elapsed())
            })
            .buffer_unordered(options.concurrency.max(1))
            .collect()
            .await;
        answers.sort_by_key(|(index, ..)| *index);
        for (index, call, end, calls, took) in answers {
            let ended = self.take(index, call, end, calls, caller);
            self.end(index, ended, took, events)?;
        }
        Ok(())
    }

    /// Takes in what a read came to.
    fn take(
        &mut self,
        index: usize,
        call: ReadCall<'_>,
        end: ReadEnd,
        calls: Vec<CallFact>,
        caller: &Caller<'_>,
    ) -> Ended {
        let Some((step, result)) = self.recipe.steps.get(index).zip(self.results.get_mut(index)) else {
            return StepStatus::NotRun.into();
        };
        result.calls = calls;
        match end {
            ReadEnd::Ends(conclusion) => conclusion.into(),
            ReadEnd::NothingVisible(message) => StepStatus::Undecided(vec![format!(
                "nothing is visible to this caller: `{}` says `{}`",
                call.tool,
                visible(&message)
            )])
            .into(),
            ReadEnd::Answered(answer) => {
                let (value, unknown) = match call.operation {
                    Some(operation) => {
                        let reading = caller.profile.read_answer(operation, &answer);
                        (reading.value, reading.unknown)
                    }
                    None => (answer.plain(), std::collections::BTreeMap::new()),
                };
                result.notes.extend(unknown.values().flatten().cloned());
                let operation = match &step.kind {
                    Kind::Read(wanted) => call.operation.map(|_| wanted.operation.clone()),
                    _ => None,
                };
                let record = ReadRecord { tool: call.tool, operation, arguments: call.arguments, answer };
                self.given.keep(&step.id, Kept { value, unknown, read: Some(record) });
                StepStatus::Done.into()
            }
        }
    }
}

/// The end of the run of reads from `start` that do not use each other.
fn independent_reads(steps: &[Step], start: usize) -> usize {
    let mut end = start;
    while let Some(step) = steps.get(end) {
        let batch = steps.get(start..end).unwrap_or_default();
        let needs_batch = step.uses.iter().any(|used| batch.iter().any(|other| other.id == used.step));
        if !matches!(step.kind, Kind::Read(_)) || needs_batch {
            break;
        }
        end += 1;
    }
    end
}

fn offered(operation: Option<&Operation>, name: &str, tools: &Tools) -> bool {
    tools.get(operation.map_or(name, |operation| operation.tool.as_str())).is_some()
}

/// The tool and arguments of a read: offered, of class read, and fitting the tool's schema.
fn readable<'t>(
    step: &Step,
    name: &str,
    operation: Option<&Operation>,
    given: &Tree,
    scope: &Scope,
    caller: &Caller<'_>,
    tools: &'t Tools,
) -> Result<(&'t ToolDefinition, Map<String, Value>), Ended> {
    let tool_name = operation.map_or(name, |operation| operation.tool.as_str());
    let (tool, class) = tools.get(tool_name).ok_or_else(|| not_offered(step, tool_name))?;
    if class.class == Class::Write {
        return Err(invalid(step, &format!("`{tool_name}` is not read: {}", class.why)));
    }
    let arguments = arguments(step, given, scope, operation)?;
    let arguments = caller.settled(arguments).map_err(|problem| invalid(step, &problem))?;
    match check_arguments(&tool.input_schema, &arguments) {
        Ok(()) => Ok((tool, arguments)),
        Err(problems) => {
            let problems = super::plan::in_words(&problems);
            Err(invalid(step, &format!("the arguments do not fit `{}`: {problems}", visible(tool_name))))
        }
    }
}

/// The tool's arguments from what the recipe gives.
fn arguments(
    step: &Step,
    given: &Tree,
    scope: &Scope,
    operation: Option<&Operation>,
) -> Result<Map<String, Value>, Ended> {
    let given = match given.evaluate(scope) {
        Ok(Value::Object(given)) => given,
        Ok(other) => {
            return Err(invalid(step, &format!("`with` gives `{other}` instead of named arguments")));
        }
        Err(error) => return Err(template_failed(step, error)),
    };
    match operation {
        None => Ok(given),
        Some(operation) => operation.tool_arguments(&given.into_iter().collect()).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            invalid(step, &problems.join("; "))
        }),
    }
}

/// A gate, decided: it holds, it does not, or nobody can say.
fn decide(step: &Step, gate: &Gate, scope: &Scope) -> Ended {
    let says = match gate.says.evaluate(scope) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => return template_failed(step, error),
    };
    if let Some(expression) = &gate.undecided {
        match expression.evaluate(scope) {
            Ok(Value::Bool(false)) => {}
            Ok(Value::Bool(true)) => return undecided(step, vec![says]),
            Ok(other) => return not_a_truth_value(step, "undecided", expression.source(), &other),
            Err(error) => return template_failed(step, error),
        }
    }
    let fact = GateFact { says, advisory: gate.advisory };
    match gate.holds.evaluate(scope) {
        Ok(Value::Bool(true)) => StepStatus::Holds(fact).into(),
        Ok(Value::Bool(false)) if gate.advisory => StepStatus::DoesNotHold(fact).into(),
        Ok(Value::Bool(false)) => Ended {
            then: Err(Conclusion::GateFails(fact.says.clone())),
            status: StepStatus::DoesNotHold(fact),
        },
        Ok(Value::Null) => undecided(step, vec![fact.says]),
        Ok(other) => not_a_truth_value(step, "gate", gate.holds.source(), &other),
        Err(error) => template_failed(step, error),
    }
}

/// A step that cannot be decided; where it is a gate that counts, the run ends there.
fn undecided(step: &Step, reasons: Vec<String>) -> Ended {
    let then = match &step.kind {
        Kind::Gate(_) => Err(Conclusion::Undecided(reasons.clone())),
        _ => Ok(()),
    };
    Ended { status: StepStatus::Undecided(reasons), then }
}

fn invalid(step: &Step, problem: &str) -> Ended {
    Conclusion::Invalid(format!("step `{}`: {problem}", step.id)).into()
}

fn not_offered(step: &Step, tool: &str) -> Ended {
    invalid(step, &format!("the server does not offer the tool `{}`", visible(tool)))
}

fn not_a_truth_value(step: &Step, key: &str, source: &str, value: &Value) -> Ended {
    let shown: String = value.to_string().chars().take(80).collect();
    invalid(
        step,
        &format!("`{key}: {}` gives `{}` instead of true or false", visible(source), visible(&shown)),
    )
}

/// A value that is not there makes a step undecided; anything else is the recipe's fault.
fn template_failed(step: &Step, error: TemplateError) -> Ended {
    match error.kind {
        TemplateErrorKind::Undefined => undecided(step, vec![error.to_string()]),
        _ => invalid(step, &error.to_string()),
    }
}

fn is_json(name: &str) -> bool {
    name.rsplit('.').next() == Some("json")
}

fn with_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() != Some(&b'\n') {
        bytes.push(b'\n');
    }
    bytes
}
