//! What the steps so far have given, and whether that is enough for the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::result::StepStatus;
use crate::core::ToolAnswer;
use crate::core::text::visible;
use crate::recipe::{Analyze, Kind, Scope, Step, StepId, Use, Values};

/// What one step gave.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub value: Arc<Value>,
    /// Top-level fields that are missing or not understood, with the reasons; `""` is all of it.
    pub unknown: BTreeMap<String, Vec<String>>,
    /// Where it came from, for a read.
    pub read: Option<ReadRecord>,
}

/// A read that was made.
#[derive(Debug, Clone)]
pub(super) struct ReadRecord {
    pub tool: String,
    pub operation: Option<String>,
    pub arguments: Map<String, Value>,
    pub answer: ToolAnswer,
}

/// Whether a step can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// Something that it uses was skipped.
    Skip(String),
    /// Something that it uses is not visible, missing or unknown.
    Undecided(Vec<String>),
}

/// What the steps so far have given.
pub(super) struct Given {
    values: Values,
    kept: BTreeMap<StepId, Kept>,
    ended: BTreeMap<StepId, StepStatus>,
}

impl Given {
    pub fn new(inputs: &Map<String, Value>) -> Self {
        Self { values: Values::new(inputs), kept: BTreeMap::new(), ended: BTreeMap::new() }
    }

    pub fn keep(&mut self, id: &StepId, kept: Kept) {
        self.values.set(id, Arc::clone(&kept.value));
        self.kept.insert(id.clone(), kept);
    }

    pub fn bind_inputs(&mut self, scope: &[String], inputs: &Map<String, Value>) {
        self.values.set_inputs(scope, inputs);
    }

    pub fn end(&mut self, id: &StepId, status: StepStatus) {
        self.ended.insert(id.clone(), status);
    }

    pub fn kept(&self, id: &StepId) -> Option<&Kept> {
        self.kept.get(id)
    }

    /// What a step gave, taken out.
    pub fn take(&mut self, id: &StepId) -> Option<Arc<Value>> {
        self.kept.remove(id).map(|kept| kept.value)
    }

    pub fn scope(&self, scope: &[String]) -> Scope {
        self.values.scope(scope)
    }

    /// Whether `step` has all that it uses. An analysis decides by itself what unknown fields mean, and a
    /// gate whose evidence was skipped has none.
    pub fn readiness(&self, step: &Step) -> Readiness {
        let mut undecided = Vec::new();
        let mut skipped = None;
        for used in &step.uses {
            match self.ended.get(&used.step) {
                Some(StepStatus::Skipped(_)) if does_without(step, &used.step) => {}
                Some(StepStatus::Skipped(_)) => skipped = Some(&used.step),
                // What only shows it shows it as it is.
                Some(StepStatus::Undecided(_)) if shows(step) && self.kept.contains_key(&used.step) => {}
                Some(StepStatus::Undecided(_)) => {
                    undecided.push(format!("it uses `{}`, which is undecided", used.step));
                }
                Some(StepStatus::Unavailable(_)) if !matches!(step.kind, Kind::Analyze(_)) => {
                    undecided.push(format!("it uses `{}`, which the server does not offer", used.step));
                }
                _ if matches!(step.kind, Kind::Analyze(_)) => {}
                _ => {
                    undecided.extend(self.unknown(used));
                    if matches!(step.kind, Kind::Gate(_)) && self.values.is_null(used) {
                        undecided.push(format!("it uses `{}`, and there is nothing", written(used)));
                    }
                }
            }
        }
        let mut said = BTreeSet::new();
        undecided.retain(|reason| said.insert(reason.clone()));
        match skipped {
            Some(id) if matches!(step.kind, Kind::Gate(_)) => {
                undecided.push(format!("it uses `{id}`, which was skipped"));
                Readiness::Undecided(undecided)
            }
            Some(id) => Readiness::Skip(format!("it uses `{id}`, which was skipped")),
            None if undecided.is_empty() => Readiness::Ready,
            None => Readiness::Undecided(undecided),
        }
    }

    /// Why what is used is not known, if so.
    fn unknown(&self, used: &Use) -> Vec<String> {
        let Some(kept) = self.kept.get(&used.step) else { return Vec::new() };
        let touches = |field: &str| field.is_empty() || used.path.first().is_none_or(|first| first == field);
        kept.unknown
            .iter()
            .filter(|(field, _)| touches(field))
            .flat_map(|(_, reasons)| reasons.iter().map(|reason| format!("`{}`: {reason}", used.step)))
            .collect()
    }
}

/// Whether a step can do without another that was skipped.
fn does_without(step: &Step, other: &StepId) -> bool {
    let Kind::Analyze(Analyze { analysis, of, from, .. }) = &step.kind else { return false };
    let mut named = from.iter().filter(|(_, source)| *source == other).peekable();
    of != other && named.peek().is_some() && named.all(|(name, _)| analysis.does_without(name))
}

/// Whether a step only shows what another came to.
fn shows(step: &Step) -> bool {
    matches!(&step.kind, Kind::Analyze(analyze) if analyze.analysis.shows())
}

/// A used value as a recipe writes it.
fn written(used: &Use) -> String {
    let mut text = used.step.to_string();
    for name in &used.path {
        text.push('.');
        text.push_str(&visible(name));
    }
    text
}
