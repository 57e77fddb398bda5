//! The steps of a recipe, one after the other; reads that do not need each other at once.
//!
//! Order is meaning: a gate that does not hold, or cannot be decided, ends the run there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::analyze::analyze;
use super::arguments::{arguments, not_offered, readable};
use super::channel::Channel;
use super::ended::{Ended, invalid, not_a_truth_value, template_failed, undecided};
use super::event::{Event, Events};
use super::gate::{decide, seen};
use super::given::{Given, Kept, Readiness};
use super::plan::{Place, Write};
use super::reads::independent_reads;
use super::result::{CallFact, Conclusion, Emitted, StepResult, StepStatus, StepValue, TenantKnownBy};
use super::run::RunOptions;
use super::target::{Caller, Target, Tools};
use crate::artifact::v1;
use crate::core::printable::indented;
use crate::core::text::visible;
use crate::evidence::brief;
use crate::recipe::{self, Analyze, InputProblem, Kind, Recipe, Scope, Step, StepId, bind};

/// A recipe's steps on their way.
pub(super) struct Steps<'a> {
    pub(super) recipe: &'a Recipe,
    target: &'a Target,
    occurrence: u32,
    /// How the tenant is known that the reads are for.
    pub(super) known_by: TenantKnownBy,
    pub(super) given: Given,
    pub(super) results: Vec<StepResult>,
    emitted: Vec<Emitted>,
    /// The step that gave the evidence graph which was analyzed last.
    analyzed: Option<StepId>,
    /// The steps that gave what people are shown.
    briefs: Vec<StepId>,
    writes: Vec<Write<'a>>,
    not_proven: Vec<String>,
}

/// What every report says of a step that has a model's word.
pub const RECOMMENDATION: &str = "recommendation, not evidence of a decision";

/// What steps that are over leave.
pub(super) struct Left {
    pub steps: Vec<StepResult>,
    pub emitted: Vec<Emitted>,
    pub not_proven: Vec<String>,
    /// The evidence graph that was analyzed.
    pub evidence: Option<StepValue>,
    /// What analyses have to show.
    pub briefs: Vec<StepValue>,
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
                line: step.line.filter(|_| step.scope.is_empty()),
                status: StepStatus::NotRun,
                notes: Vec::new(),
                calls: Vec::new(),
                took: Duration::ZERO,
            })
            .collect();
        Self {
            recipe,
            target,
            occurrence,
            known_by: TenantKnownBy::None,
            given: Given::new(inputs),
            results,
            emitted: Vec::new(),
            analyzed: None,
            briefs: Vec::new(),
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

    /// Records how the tenant is known that the reads are for.
    pub fn act(&mut self, known_by: TenantKnownBy) {
        self.known_by = known_by;
    }

    pub fn take_writes(&mut self) -> Vec<Write<'a>> {
        std::mem::take(&mut self.writes)
    }

    /// Records something that nobody could check.
    pub fn leave_unproven(&mut self, what: String) {
        self.not_proven.push(what);
    }

    /// Records the calls that were made for a write.
    pub fn record_calls(&mut self, step: &str, calls: Vec<CallFact>) {
        if let Some(result) = self.results.iter_mut().find(|result| result.id == step) {
            result.calls.extend(calls);
        }
    }

    /// What the steps leave.
    pub fn finish(mut self) -> Left {
        let given = &mut self.given;
        let mut left = |step: StepId| Some(StepValue { value: given.take(&step)?, step: step.to_string() });
        Left {
            evidence: self.analyzed.and_then(&mut left),
            briefs: self.briefs.into_iter().filter_map(left).collect(),
            steps: self.results,
            emitted: self.emitted,
            not_proven: self.not_proven,
        }
    }

    /// Runs them all, or up to the one that ends the run.
    pub async fn all(&mut self, channel: Channel<'_>, options: &RunOptions) -> Result<(), Conclusion> {
        let mut index = 0;
        while let Some(step) = self.recipe.steps.get(index) {
            if matches!(step.kind, Kind::Read(_)) {
                let batch = independent_reads(&self.recipe.steps, index);
                self.reads(index..batch, channel, options).await?;
                index = batch;
            } else {
                self.announce(step, channel.events);
                let begun = Instant::now();
                let ended = self.native(step, channel.caller, channel.tools);
                self.end(index, ended, begun.elapsed(), channel.events)?;
                index += 1;
            }
        }
        Ok(())
    }

    pub(super) fn announce(&self, step: &Step, events: &dyn Events) {
        events.emit(&Event::StepStarted { step: step.id.to_string(), kind: step.kind.word() });
    }

    pub(super) fn end(
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
        let operation = self.target.profile.operation(step.kind.subject());
        let asks = matches!(step.kind, Kind::Read(_) | Kind::Write(_));
        if asks
            && operation.is_some_and(|operation| operation.recommendation)
            && matches!(ended.status, StepStatus::Done | StepStatus::Proposed)
        {
            result.notes.push(RECOMMENDATION.to_owned());
        }
        if let (StepStatus::DoesNotHold(_), Kind::Gate(gate)) = (&ended.status, &step.kind) {
            result.notes.extend(seen(gate, &self.given.scope(&step.scope)));
        }
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
        let bytes = match &*kept.value {
            Value::String(text) if !is_json(name) => with_line_end(text.clone().into_bytes()),
            value if is_json(name) => with_line_end(indented(value).into_bytes()),
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
    pub(super) fn held_back(&self, step: &Step) -> Option<Ended> {
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
                        let null = problems.iter().any(|one| matches!(one, InputProblem::Null { .. }));
                        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                        if null {
                            return undecided(step, problems);
                        }
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
        let kept = Kept { value: value.into(), unknown: BTreeMap::new(), read: None };
        self.given.keep(&step.id, kept);
        StepStatus::Done.into()
    }

    fn analyze(&mut self, step: &Step, wanted: &Analyze) -> Ended {
        let with = match wanted.with.evaluate(&self.given.scope(&step.scope)) {
            Ok(Value::Object(with)) => with,
            Ok(_) => Map::new(),
            Err(error) => return template_failed(step, error),
        };
        let mut given = brief::Given { with, ..brief::Given::default() };
        for (name, source) in
            wanted.from.iter().map(|(name, id)| (Some(name), id)).chain([(None, &wanted.of)])
        {
            let Some(kept) = self.given.kept(source) else { continue };
            if let Some(missing) = kept.unknown.get("") {
                return undecided(step, missing.clone());
            }
            match name {
                Some(name) => {
                    given.from.insert(name, &kept.value);
                }
                None => given.of = Some(&kept.value),
            }
        }
        if given.of.is_none() {
            return undecided(step, vec![format!("`{}` gave nothing", wanted.of)]);
        }
        if wanted.analysis.shows() {
            given.files = self.files_beside(step);
        }
        match analyze(wanted.analysis, &given) {
            Err(reason) => undecided(step, vec![format!("`{}`: {reason}", wanted.of)]),
            Ok(analyzed) => {
                if wanted.analysis.reads_evidence() {
                    self.analyzed = Some(wanted.of.clone());
                }
                self.not_proven.extend(analyzed.not_proven);
                if wanted.analysis.is_brief() {
                    self.briefs.push(step.id.clone());
                }
                let ended = self.done(step, analyzed.value);
                if !analyzed.undecided.is_empty() {
                    return StepStatus::Undecided(analyzed.undecided).into();
                }
                let id = step.id.to_string();
                if let Some(result) = self.results.iter_mut().find(|result| result.id == id) {
                    result.notes.push(analyzed.says);
                    result.notes.extend(analyzed.details);
                }
                ended
            }
        }
    }

    /// The files so far that stand in the folder of the step's own, or below it, by their names in it.
    fn files_beside(&self, step: &Step) -> Vec<(&str, &[u8])> {
        let own = step.emit.as_deref().unwrap_or_default();
        let folder = own.rfind('/').map_or("", |end| own.get(..=end).unwrap_or_default());
        let files = self.emitted.iter();
        files.filter_map(|file| Some((file.name.strip_prefix(folder)?, file.bytes.as_slice()))).collect()
    }

    fn write(
        &self,
        step: &'a Step,
        write: &'a recipe::Write,
        scope: &Scope,
        caller: &Caller<'_>,
        tools: &Tools,
    ) -> Result<Write<'a>, Ended> {
        let operation = caller.profile.operation(&write.operation);
        let tool_name = operation.map_or(write.operation.as_str(), |operation| operation.tool.as_str());
        let (tool, _) = tools.get(tool_name).ok_or_else(|| invalid(step, &not_offered(tool_name)))?;
        tools.permitted(tool_name).map_err(|why| invalid(step, &why))?;
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
        Write::prepare(&self.place(caller), &step.id, write, tool, arguments, reason, reconcile)
            .map_err(|problem| invalid(step, &problem))
    }

    fn place(&self, caller: &Caller<'_>) -> Place<'a> {
        Place {
            profile: &self.target.profile,
            server: &self.target.identity,
            tenant: caller.tenant.map(str::to_owned),
            occurrence: self.occurrence,
        }
    }

    fn reconcile(
        &self,
        step: &Step,
        reconcile: &recipe::Reconcile,
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
