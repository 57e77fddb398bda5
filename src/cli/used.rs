//! What recipes use of a server: operations with what these need themselves, and the tools behind them.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Profile;
use crate::recipe::{Kind, Recipe, Source, Span, Step};

/// What recipes call: operations, or tools by their own names.
#[derive(Default)]
pub(super) struct Used {
    /// By name, with the place of the first call: the source, and the line where that is in it.
    pub called: BTreeMap<String, (String, Option<Span>)>,
    /// Those of them that some step does not go without.
    needed: BTreeSet<String>,
}

impl Used {
    /// Adds what a recipe calls.
    pub fn add(&mut self, recipe: &Recipe, source: &Source) {
        for step in &recipe.steps {
            let called = match &step.kind {
                Kind::Read(read) => vec![&read.operation],
                Kind::Write(write) => {
                    let settled = write.reconcile.as_ref().map(|reconcile| &reconcile.operation);
                    [&write.operation].into_iter().chain(settled).collect()
                }
                _ => Vec::new(),
            };
            let optional = matches!(&step.kind, Kind::Read(read) if read.optional.is_some());
            for name in called {
                if !optional {
                    self.needed.insert(name.clone());
                }
                let place = || (source.name.clone(), line_of(step, source));
                self.called.entry(name.clone()).or_insert_with(place);
            }
        }
    }

    /// The operations among them, with those that these need themselves.
    pub fn operations(&self, profile: &Profile) -> BTreeSet<String> {
        let called = self.called.keys().filter(|name| profile.operation(name).is_some()).cloned();
        let mut operations: BTreeSet<String> = called.collect();
        operations.extend(profile.contract.clone());
        for name in operations.clone() {
            let Some(operation) = profile.operation(&name) else { continue };
            let lookup = operation.created.as_ref().and_then(|created| created.lookup.as_ref());
            operations.extend(lookup.map(|lookup| lookup.operation.clone()));
            operations.extend(operation.listed_by.clone());
        }
        operations
    }

    /// Whether every step that calls it goes without where it is not offered.
    pub fn goes_without(&self, name: &str) -> bool {
        self.called.contains_key(name) && !self.needed.contains(name)
    }

    /// The tools behind all of it.
    pub fn tools(&self, profile: &Profile) -> BTreeSet<String> {
        let raw = self.called.keys().filter(|name| profile.operation(name).is_none()).cloned();
        tools_of(profile, &self.operations(profile)).into_iter().chain(raw).collect()
    }
}

/// The tools that operations of the profile call.
pub(super) fn tools_of(profile: &Profile, operations: &BTreeSet<String>) -> BTreeSet<String> {
    let operations = operations.iter().filter_map(|name| profile.operation(name));
    operations.map(|operation| operation.tool.clone()).collect()
}

/// The line of a step that the source itself declares.
fn line_of(step: &Step, source: &Source) -> Option<Span> {
    let line = step.line.filter(|_| step.scope.is_empty())?;
    let mut start = 0;
    for (index, text) in source.text.split_inclusive('\n').enumerate() {
        if index + 1 == line {
            let indent = text.len() - text.trim_start().len();
            return Some(Span::new(&source.text, start + indent, start + text.trim_end().len()));
        }
        start += text.len();
    }
    None
}
