//! Includes: the recipe that is brought in, and what it is given.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::builder::Builder;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::document::WrittenStep;
use super::escape::Escaping;
use super::input::{Input, shown};
use super::load::{Loader, Surroundings};
use super::scope::Values;
use super::step::Use;
use super::tree::Tree;
use super::yaml::File;
use crate::core::pointer::escape;
use crate::core::text::visible;

/// Includes within includes.
const DEEPEST_INCLUDE: usize = 8;

/// What an include gives: by input the value, if it could be compiled, and what it is made of.
pub(super) type Bindings = BTreeMap<String, (Option<Tree>, BTreeSet<Use>)>;

impl Loader<'_> {
    /// Adds the steps of an included recipe; gives its inputs.
    pub(super) fn include(
        &mut self,
        file: &File,
        at: &str,
        reference: &str,
        inner: &Surroundings,
    ) -> Option<Vec<Input>> {
        let at = format!("{at}/include");
        let source = match self.library.recipe(reference, &file.source.name) {
            Ok(source) => source,
            Err(message) => {
                self.report(file, "unknown-recipe", &at, visible(&message).into_owned(), None);
                return None;
            }
        };
        if inner.chain.contains(&source.name) {
            let chain: Vec<String> =
                inner.chain.iter().chain([&source.name]).map(|name| shown(name)).collect();
            let message = format!("recipes include each other: {}", chain.join(" ▸ "));
            self.report(file, "include-cycle", &at, message, None);
            return None;
        }
        if inner.chain.len() > DEEPEST_INCLUDE {
            let message = format!("includes are nested deeper than {DEEPEST_INCLUDE}");
            self.report(file, "include-too-deep", &at, message, None);
            return None;
        }
        self.recipe(source, inner).map(|(_, inputs)| inputs)
    }

    /// Checks what an include gives against what the included recipe declares.
    pub(super) fn bindings(
        &mut self,
        file: &File,
        at: &str,
        recipe: &str,
        given: &Bindings,
        declared: &[Input],
    ) {
        for name in given.keys().filter(|name| !declared.iter().any(|input| input.name == **name)) {
            let message = format!("`{}` has no input `{}`", shown(recipe), shown(name));
            let hint = did_you_mean(name, declared.iter().map(|input| input.name.as_str()));
            let span = file.key_span(&format!("{at}/with/{}", escape(name)));
            let source = file.source.name.clone();
            self.problems.push(Diagnostic { code: "unknown-input", message, source, span, hint });
        }
        for input in declared {
            let place = format!("{at}/with/{}", input.name);
            match given.get(&input.name) {
                None if input.required => {
                    let message = format!("`{}` needs the input `{}`", shown(recipe), input.name);
                    let hint = Some(format!("give it under `with`: `{}: …`", input.name));
                    self.report(file, "missing-input", &format!("{at}/include"), message, hint);
                }
                Some((Some(tree), _)) if tree.is_constant() => {
                    let value = tree.evaluate(&Values::default().scope(&[]));
                    match value {
                        Ok(Value::Null) if !input.required && matches!(tree, Tree::Literal(_)) => {}
                        Ok(value) => {
                            if let Err(problem) = input.check(&value) {
                                let message = format!("the input `{}` does not fit: {problem}", input.name);
                                self.report(file, "bad-value", &place, message, None);
                            }
                        }
                        Err(error) => self.report(file, "template-fails", &place, error.to_string(), None),
                    }
                }
                _ => {}
            }
        }
    }
}

impl Builder<'_> {
    /// Compiles what an include gives.
    pub(super) fn given(&mut self, step: &WrittenStep) -> Bindings {
        let mut given = Bindings::new();
        for (name, value) in step.arguments.iter().flatten() {
            let before = std::mem::take(&mut self.uses);
            let at = format!("/with/{}", escape(name));
            let tree = self.tree(&at, value, Escaping::None, &[]);
            let uses = std::mem::replace(&mut self.uses, before);
            self.uses.extend(uses.iter().cloned());
            given.insert(name.clone(), (tree, uses));
        }
        given
    }
}
