//! What the checks of one step share: where it stands, what it may use, and the problems found.

use std::collections::{BTreeMap, BTreeSet};

use super::analysis::Analysis;
use super::diagnostic::{Diagnostic, Span, did_you_mean};
use super::input::{Input, shown};
use super::step::{StepId, Use};
use super::syntax::Reference;
use super::yaml::File;
use crate::catalog::{Agreed, Profile};

/// What a step is, to those that use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A read of this operation.
    Read(String),
    /// An analysis.
    Analyze(Analysis),
    /// A proposed write.
    Write,
    /// A gate, or a file of its own.
    NoResult,
    /// Stands before the steps of another recipe.
    Include,
    /// Has problems of its own; nothing is said of what uses it.
    Broken,
}

/// What the checks of one step share.
pub(super) struct Builder<'a> {
    /// The file that the step stands in.
    pub file: &'a File,
    /// The operations there are.
    pub profile: &'a Profile,
    /// What was agreed on for the server.
    pub agreed: &'a Agreed,
    /// Whether the step goes without what it reads where that is not offered.
    pub optional: bool,
    /// The includes around the step.
    pub scope: &'a [String],
    /// The inputs of its recipe.
    pub inputs: &'a [Input],
    /// What the inputs of an included recipe are made of.
    pub bound: &'a BTreeMap<String, BTreeSet<Use>>,
    /// Every step name of its recipe.
    pub ids: &'a [String],
    /// Earlier steps.
    pub known: &'a BTreeMap<StepId, What>,
    /// JSON pointer of the step.
    pub pointer: String,
    /// The step's name.
    pub id: String,
    /// What the step uses.
    pub uses: BTreeSet<Use>,
    /// Operations whose read the step depends on.
    pub listings: BTreeSet<String>,
    /// The secrets that are named, by their places within the step; none where nothing may name one.
    pub secrets: Option<BTreeMap<String, String>>,
    /// What is wrong.
    pub problems: Vec<Diagnostic>,
    /// What only a run can know.
    pub later: Vec<String>,
}

impl Builder<'_> {
    /// Reports a problem at the value of a key of the step; an empty `at` is the step itself.
    pub fn at_value(&mut self, code: &'static str, at: &str, message: String, hint: Option<String>) {
        let span = self.file.value_span(&format!("{}{at}", self.pointer));
        self.report(code, span, message, hint);
    }

    /// Reports a problem at a key of the step.
    pub fn at_key(&mut self, code: &'static str, at: &str, message: String, hint: Option<String>) {
        let span = self.file.key_span(&format!("{}{at}", self.pointer));
        self.report(code, span, message, hint);
    }

    pub fn report(&mut self, code: &'static str, span: Option<Span>, message: String, hint: Option<String>) {
        self.problems.push(Diagnostic { code, message, source: self.file.source.name.clone(), span, hint });
    }

    /// Finds what a name in an expression stands for, and notes that it is used.
    pub fn reference(&mut self, reference: &Reference, span: Option<Span>) {
        if reference.name == "inputs" {
            return self.input_reference(reference, span);
        }
        if let Some((step, path)) = self.step(&reference.name, &reference.path, span) {
            if let Some(What::Read(operation)) = self.known.get(&step) {
                self.result(&step, operation, &path, span);
            }
            self.uses.insert(Use { step, path });
        }
    }

    fn input_reference(&mut self, reference: &Reference, span: Option<Span>) {
        match reference.path.first() {
            None => {
                for uses in self.bound.values() {
                    self.uses.extend(uses.iter().cloned());
                }
            }
            Some(name) if self.inputs.iter().any(|input| input.name == *name) => {
                if let Some(uses) = self.bound.get(name) {
                    self.uses.extend(uses.iter().cloned());
                }
            }
            Some(name) => {
                let message = format!("the recipe has no input `{}`", shown(name));
                let hint = did_you_mean(name, self.inputs.iter().map(|input| input.name.as_str()));
                self.report("unknown-input", span, message, hint);
            }
        }
    }

    /// The step that `name` and the members behind it lead to, and what is left of them.
    pub fn step(&mut self, name: &str, path: &[String], span: Option<Span>) -> Option<(StepId, Vec<String>)> {
        let mut id = StepId::new(self.scope, name);
        let mut path = path;
        loop {
            match self.known.get(&id) {
                Some(What::Include) => {
                    let Some((next, rest)) = path.split_first() else {
                        let message = format!("`{id}` is an include and has no value of its own");
                        let hint = Some(format!("name one of its steps: `{id}.…`"));
                        self.report("no-result", span, message, hint);
                        return None;
                    };
                    id = StepId::new(id.segments(), next);
                    path = rest;
                }
                Some(What::Write) => {
                    let message = format!("`{id}` is a write, and a write's result cannot be used");
                    let hint =
                        Some("it is only known after the approval; read it in another recipe".to_owned());
                    self.report("use-of-write", span, message, hint);
                    return None;
                }
                Some(What::NoResult) => {
                    self.report("no-result", span, format!("`{id}` has no result that could be used"), None);
                    return None;
                }
                Some(What::Broken) => return None,
                Some(What::Read(_) | What::Analyze(_)) => return Some((id, path.to_vec())),
                None => {
                    self.unknown_step(&id, span);
                    return None;
                }
            }
        }
    }

    fn unknown_step(&mut self, id: &StepId, span: Option<Span>) {
        let name = id.segments().last().cloned().unwrap_or_default();
        let own = id.scope() == self.scope;
        if own && name == self.id {
            let message = format!("`{name}` is this step itself");
            return self.report(
                "later-step",
                span,
                message,
                Some("a step uses earlier ones only".to_owned()),
            );
        }
        if own && self.ids.contains(&name) {
            let message = format!("`{name}` is a later step");
            return self.report(
                "later-step",
                span,
                message,
                Some("a step uses earlier ones only".to_owned()),
            );
        }
        let siblings = self.known.keys().filter(|known| known.scope() == id.scope());
        let names: Vec<String> = siblings.filter_map(|known| known.segments().last().cloned()).collect();
        let hint = if own && self.inputs.iter().any(|input| input.name == name) {
            Some(format!("did you mean `inputs.{name}`?"))
        } else {
            let inputs = own.then_some("inputs");
            did_you_mean(&name, names.iter().map(String::as_str).chain(inputs))
        };
        let message = if own {
            format!("there is no earlier step `{}`", shown(&name))
        } else {
            format!("the include has no step `{}`", shown(&name))
        };
        self.report("unknown-name", span, message, hint);
    }

    /// Checks that an operation gives what is used of it.
    fn result(&mut self, step: &StepId, operation: &str, path: &[String], span: Option<Span>) {
        let results = self.profile.operation(operation).and_then(|operation| operation.result.as_ref());
        let Some((results, first)) = results.zip(path.first()) else { return };
        if !results.contains_key(first) {
            let message = format!("`{operation}`, which `{step}` reads, gives no `{}`", shown(first));
            let hint = did_you_mean(first, results.keys().map(String::as_str));
            self.report("unknown-result", span, message, hint);
        }
    }
}
