//! A finished run.

use serde_json::{Value, json};

use super::{Check, Fact, Gathered, Level, Moment, Place, Problem, Proposal, Rule, Sheet, identity};
use crate::artifact::v1::{Document, Operation};
use crate::engine::{
    AppliedBefore, Conclusion, RECOMMENDATION, RunResult, StepResult, StepStatus, StepValue,
};
use crate::report::artifact_words::{
    outline, planner, repetition, slot, tenant_words, transaction, validated, whom,
};
use crate::report::layout::Mark;
use crate::report::next::next_command;
use crate::report::run_text::SANDBOX_RUN;
use crate::report::stand_in::{REPLAY_RUN, StandIn};
use crate::report::status::{is_advisory, mark, sentence, verdict, why};
use crate::report::written::{RunOutputs, WrittenKind};

/// The rules for steps of a recipe.
const RULES: [(&str, &str); 3] = [
    ("gate", "A gate of the recipe holds."),
    ("undecided", "What a gate or a plan stands on is visible, complete and understood."),
    ("step", "A step of the recipe does what it says."),
];

impl<'a> Sheet<'a> {
    /// Of a run with the files that it left, ended with `exit`.
    #[must_use]
    pub fn of_run(result: &'a RunResult, outputs: &RunOutputs, exit: u8) -> Self {
        let (mark, word) = verdict(&result.conclusion);
        let evidence = result
            .evidence
            .as_ref()
            .and_then(|graph| Gathered::new(&graph.value, written(graph, result, outputs)));
        let mut rules: Vec<Rule> =
            RULES.iter().map(|(id, says)| Rule { id: (*id).to_owned(), says: (*says).to_owned() }).collect();
        let mut problems: Vec<Problem> =
            result.steps.iter().filter_map(|step| problem(step, result, outputs)).collect();
        if let Some(evidence) = &evidence {
            rules.extend(evidence.rules());
            problems.extend(evidence.problems(&result.target.identity, result.target.tenant.as_deref()));
        }
        let document = result.artifact.as_ref().map(|artifact| artifact.document());
        Self {
            command: "run",
            subject: result.recipe.name.clone(),
            about: about(result),
            mark,
            word: word.to_owned(),
            exit,
            reasons: reasons(&result.conclusion),
            stand_in: StandIn::of(result.target.sandbox, &result.target.identity, SANDBOX_RUN, REPLAY_RUN),
            began: Some(result.started),
            ended: Some(result.ended),
            checks: result.steps.iter().filter(|step| counts(step)).map(|step| check(step, result)).collect(),
            problems,
            rules,
            evidence,
            briefs: result.briefs.iter().map(|brief| &*brief.value).collect(),
            operations: document
                .into_iter()
                .flat_map(|document| &document.operations)
                .map(proposal)
                .collect(),
            approvals: Vec::new(),
            moments: moments(result),
            facts: facts(result, document),
            not_proven: result.not_proven.clone(),
            effect: document.map(|document| document.effect_digest.clone()),
            artifact: outputs.path_of(WrittenKind::Artifact).map(|path| path.to_string_lossy().into_owned()),
            audit: None,
            files: outputs.written.iter().map(|file| file.path.to_string_lossy().into_owned()).collect(),
            next: next_command(result, outputs),
        }
    }
}

/// An include that is done is its steps.
fn counts(step: &StepResult) -> bool {
    step.kind != "include" || step.status != StepStatus::Done
}

fn about(result: &RunResult) -> Vec<String> {
    let given = result.inputs.iter().filter(|input| input.origin != "default");
    let mut about: Vec<String> =
        given.map(|input| format!("{}={}", input.name, value(&input.value))).collect();
    let target = &result.target;
    about.push(whom(target.tenant.as_deref(), &target.identity, target.sandbox));
    about
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn reasons(conclusion: &Conclusion) -> Vec<String> {
    match conclusion {
        Conclusion::Undecided(reasons) => reasons.clone(),
        Conclusion::Done | Conclusion::NothingToDo => Vec::new(),
        other => vec![other.message()],
    }
}

fn check(step: &StepResult, result: &RunResult) -> Check {
    let summary =
        (step.kind == "analyze" && step.status == StepStatus::Done).then(|| step.notes.first()).flatten();
    let mut says = sentence(&step.status, summary.unwrap_or(&step.subject));
    let (marks, notes): (Vec<String>, Vec<String>) = step
        .notes
        .iter()
        .skip(usize::from(summary.is_some()))
        .cloned()
        .partition(|note| note == RECOMMENDATION);
    // Where notes have no room, this one has.
    for mark in marks {
        says.push_str(&format!(": {mark}"));
    }
    for file in result.emitted.iter().filter(|file| file.step == step.id) {
        says.push_str(&format!(", in {}", file.name));
    }
    Check {
        id: step.id.clone(),
        kind: step.kind,
        mark: mark(&step.status),
        says,
        notes,
        took: (!step.calls.is_empty()).then_some(step.took),
    }
}

fn problem(step: &StepResult, result: &RunResult, outputs: &RunOutputs) -> Option<Problem> {
    let (rule, level) = match &step.status {
        StepStatus::DoesNotHold(_) if is_advisory(&step.status) => ("gate", Level::Warning),
        StepStatus::DoesNotHold(_) => ("gate", Level::Error),
        StepStatus::Undecided(_) => ("undecided", Level::Error),
        StepStatus::Failed(_) => ("step", Level::Error),
        StepStatus::Unavailable(_) => ("step", Level::Note),
        StepStatus::Done
        | StepStatus::Proposed
        | StepStatus::Holds(_)
        | StepStatus::Skipped(_)
        | StepStatus::NotRun => return None,
    };
    // A shipped recipe is in no file of anybody's; the run report has its steps.
    let place = match result.recipe.source == result.recipe.name {
        false => Some(Place { file: result.recipe.source.clone(), line: step.line, column: None }),
        true => outputs.path_of(WrittenKind::Run).map(|path| Place::file(&path.to_string_lossy())),
    };
    Some(Problem {
        rule: rule.to_owned(),
        level,
        message: format!("step {} ({}): {}", step.id, step.kind, why(&step.status).join("; ")),
        place,
        name: Some(step.id.clone()),
        identity: identity(&json!([
            &result.target.identity,
            &result.target.tenant,
            &result.recipe.name,
            &step.id,
            rule
        ])),
    })
}

/// The file that has the graph which was analyzed, with its bytes.
fn written<'a>(graph: &StepValue, result: &'a RunResult, outputs: &RunOutputs) -> Option<(String, &'a [u8])> {
    let emitted = result.emitted.iter().find(|file| file.step == graph.step)?;
    let path = outputs
        .written
        .iter()
        .find(|written| written.kind == WrittenKind::Emitted && written.path.ends_with(&emitted.name))?;
    Some((path.path.to_string_lossy().into_owned(), &emitted.bytes))
}

fn proposal(operation: &Operation) -> Proposal {
    Proposal {
        id: operation.id.clone(),
        tool: operation.tool.clone(),
        mark: Mark::Planned,
        word: "planned".to_owned(),
        reason: operation.reason.clone(),
        facts: planned(operation),
        items: outline(&operation.arguments),
        payload: operation.arguments.clone(),
    }
}

/// What of an operation is fixed by its plan.
pub(super) fn planned(operation: &Operation) -> Vec<Fact> {
    let mut facts = vec![
        Fact::exact("Idempotency key", operation.idempotency_key.as_str()),
        Fact::words("Dry run", validated(operation)),
        Fact::words("Repetition", repetition(operation)),
        Fact::words("Errors", transaction(operation)),
        Fact::exact("Tool digest", operation.tool_digest.to_string()),
    ];
    let slots = operation.slots.iter().map(|one| {
        Fact::exact("Filled in when it is sent", format!("{} = {}", one.at(), slot(one, operation)))
    });
    facts.extend(slots);
    facts
}

/// Where each call of the run was made.
fn moments(result: &RunResult) -> Vec<Moment> {
    let mut moments: Vec<Moment> = result
        .steps
        .iter()
        .flat_map(|step| step.calls.iter().map(move |call| (step, call)))
        .map(|(step, call)| Moment {
            at: call.started,
            mark: Mark::Idle,
            says: format!(
                "{}: called {}, {} after {} ms",
                step.id,
                call.tool,
                call.outcome,
                call.took.as_millis()
            ),
        })
        .collect();
    moments.sort_by_key(|moment| moment.at);
    moments
}

fn facts(result: &RunResult, document: Option<&Document>) -> Vec<Fact> {
    let target = &result.target;
    let mut facts = Vec::new();
    for input in &result.inputs {
        facts.push(Fact::words(
            &format!("Input {}", input.name),
            format!("{} ({})", value(&input.value), input.origin),
        ));
    }
    facts.push(Fact::words("Tenant", tenant_words(target.tenant.as_deref(), target.tenant_known_by.into())));
    facts.push(Fact::exact("Server", target.identity.clone()));
    facts.push(Fact::words(
        "It calls itself",
        format!("{} {}, MCP {}", target.name, target.version, target.protocol),
    ));
    facts.push(Fact::exact("Profile", format!("{} {}", result.profile.name, result.profile.digest)));
    facts.push(Fact::exact("Recipe", format!("{} {}", result.recipe.name, result.recipe.digest)));
    if let Some(document) = document {
        facts.push(Fact::exact("Effect digest, which an approval names", document.effect_digest.to_string()));
        facts.push(Fact::exact("File digest", document.file_digest.to_string()));
        facts.push(Fact::words("Planned by", planner(&document.planned_by)));
    }
    for AppliedBefore { operation, at, approval_id, effect } in &result.applied_before {
        let when = at.map_or_else(String::new, |at| format!(" at {at:.0}"));
        facts.push(Fact::words(
            "Took place already",
            format!("{operation}{when}, under approval {approval_id}, effect {}", effect.short()),
        ));
    }
    facts.push(Fact::exact("Run", result.id.to_string()));
    facts.push(Fact::exact("Trace", result.trace_id.clone()));
    facts
}
