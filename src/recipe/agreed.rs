//! The calls of a step against what was agreed on for the server: which tools may be called, and the tool lock with its
//! classes and schemas.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::builder::Builder;
use super::diagnostic::did_you_mean;
use super::input::shown;
use super::scope::Values;
use super::tree::Tree;
use crate::catalog::lock::LockedTool;
use crate::catalog::{Operation, Schema, SchemaProblem, SchemaProblemKind, ToolClass, class_in};
use crate::core::Class;
use crate::core::pointer::escape;

/// Arguments as far as they are known.
#[derive(Default)]
struct Known {
    members: Map<String, Value>,
    /// JSON pointers of what only a run knows.
    unknown: Vec<String>,
}

impl<'a> Builder<'a> {
    /// Checks a call of `tool` under `class` against what was agreed on; its arguments too, where `tree` has them.
    pub fn check_agreed(
        &mut self,
        (key, with): (&str, &str),
        (tool, class): (&str, Class),
        operation: Option<&Operation>,
        tree: Option<&BTreeMap<String, Tree>>,
    ) {
        let (profile, agreed) = (self.profile, self.agreed);
        // Where nobody knows the server, nobody knows what its settings allow.
        let forbidden = agreed.forbids(profile, tool).filter(|_| !agreed.server.is_empty());
        if let Some((why, hint)) = forbidden {
            self.at_value("not-allowed", key, why, Some(hint));
            return;
        }
        let Some(lock) = &agreed.lock else { return };
        let Some(entry) = lock.tools.get(tool) else {
            // What is read only where it is offered need not be there.
            if !self.optional {
                let message =
                    format!("the tool lock has no tool `{}` of `{}`", shown(tool), shown(&agreed.server));
                let hint = format!("once it is reviewed, `{}` takes it in", agreed.lock_command());
                self.at_value("not-locked", key, message, Some(hint));
            }
            return;
        };
        let known = class_in(Some(lock), profile, &entry.definition(tool));
        if class == Class::Read && known.class == Class::Write {
            let message = format!("`{}` is not read: {}", shown(tool), known.why);
            let hint = "a person who knows better sets its class in the lock".to_owned();
            self.at_value("locked-class", key, message, Some(hint));
            return;
        }
        if let Some(tree) = tree {
            self.check_schema((key, with), tool, entry, operation, tree);
        }
    }

    /// The class of a tool that is called by its own name, where the lock has it.
    pub fn locked_class(&self, tool: &str) -> Option<ToolClass> {
        let lock = self.agreed.lock.as_ref()?;
        let entry = lock.tools.get(tool)?;
        Some(class_in(Some(lock), self.profile, &entry.definition(tool)))
    }

    fn check_schema(
        &mut self,
        (key, with): (&str, &str),
        tool: &str,
        entry: &LockedTool,
        operation: Option<&Operation>,
        tree: &BTreeMap<String, Tree>,
    ) {
        let known = self.known(operation, tree);
        let schema = match Schema::compile(&entry.input_schema) {
            Ok(schema) => schema,
            Err(problem) => {
                let message = format!("the locked schema of `{}` {}", shown(tool), problem.message);
                self.at_value("unusable-schema", key, message, None);
                return;
            }
        };
        for problem in schema.problems_of_known(&Value::Object(known.members), &known.unknown) {
            let SchemaProblem { pointer, message, kind } = problem;
            let hint = match &kind {
                SchemaProblemKind::UnknownProperty { name, known } => {
                    did_you_mean(name, known.iter().map(String::as_str))
                }
                _ => None,
            };
            let at = match &kind {
                SchemaProblemKind::UnknownProperty { name, .. } => format!("{pointer}/{}", escape(name)),
                _ => pointer,
            };
            let message = format!("`{}` does not take this at `{}`: {message}", shown(tool), shown(&at));
            let span = self.span_of((key, with), operation, &at);
            self.report("unfit-argument", span, message, hint);
        }
    }

    /// The place in the recipe of what goes to `at` in the tool's arguments, or the nearest above it.
    fn span_of(
        &self,
        (key, with): (&str, &str),
        operation: Option<&Operation>,
        at: &str,
    ) -> Option<super::diagnostic::Span> {
        let written = match operation {
            None => Some(format!("{with}{at}")),
            Some(operation) => operation
                .arguments
                .iter()
                .filter_map(|(name, argument)| {
                    let rest = at.strip_prefix(argument.at.as_str())?;
                    (rest.is_empty() || rest.starts_with('/')).then_some((
                        argument.at.as_str().len(),
                        name,
                        rest,
                    ))
                })
                .max()
                .map(|(_, name, rest)| format!("{with}/{}{rest}", escape(name))),
        };
        let written = written.unwrap_or_default();
        let mut here = written.as_str();
        while here.len() > with.len() {
            let pointer = format!("{}{here}", self.pointer);
            let span = match here == written {
                true => self.file.value_span(&pointer),
                false => self.file.key_span(&pointer),
            };
            if span.is_some() {
                return span;
            }
            here = here.rsplit_once('/').map_or("", |(above, _)| above);
        }
        self.file.value_span(&format!("{}{key}", self.pointer))
    }

    /// The tool's arguments as far as the recipe says them; what is filled in later is there and unknown.
    fn known(&self, operation: Option<&Operation>, tree: &BTreeMap<String, Tree>) -> Known {
        let mut known = Known::default();
        let Some(operation) = operation else {
            for (name, tree) in tree {
                let value = value_of(tree, &format!("/{}", escape(name)), &mut known.unknown);
                known.members.insert(name.clone(), value);
            }
            self.fill_context(&mut known);
            return known;
        };
        for (name, argument) in &operation.arguments {
            let Some(tree) = tree.get(name).filter(|tree| !matches!(tree, Tree::Literal(Value::Null))) else {
                continue;
            };
            let before = known.unknown.len();
            let value = value_of(tree, argument.at.as_str(), &mut known.unknown);
            // It cannot be set only where the profile contradicts itself, which is told elsewhere.
            let _ = argument.at.set(&mut known.members, value);
            let whole = known.unknown.get(before).is_some_and(|place| place == argument.at.as_str());
            if whole && argument.optional {
                // It may be null, and nothing be sent.
                known.unknown.extend(top(argument.at.as_str()));
            }
        }
        for (at, value) in &operation.fixed {
            let _ = at.set(&mut known.members, value.clone());
        }
        for at in operation.control.places() {
            let _ = at.set(&mut known.members, Value::Null);
            known.unknown.push(at.to_string());
        }
        self.fill_context(&mut known);
        known
    }

    fn fill_context(&self, known: &mut Known) {
        let context = &self.profile.context;
        let fields = [&context.tenant, &context.request_id, &context.workflow, &context.trace];
        for at in fields.into_iter().flatten().filter_map(|field| field.argument.as_ref()) {
            let _ = at.set(&mut known.members, Value::Null);
            // Some of it is sent only where it is known.
            known.unknown.extend(top(at.as_str()));
        }
    }
}

/// The first token of a pointer, as a pointer.
fn top(pointer: &str) -> Option<String> {
    pointer.split('/').nth(1).map(|token| format!("/{token}"))
}

/// The value of a tree as far as it is constant; the rest is null, and its place unknown.
fn value_of(tree: &Tree, at: &str, unknown: &mut Vec<String>) -> Value {
    match tree {
        Tree::Literal(value) => value.clone(),
        Tree::Leaf(leaf) if leaf.is_constant() => match leaf.evaluate(&Values::default().scope(&[])) {
            Ok(value) => value,
            Err(_) => {
                unknown.push(at.to_owned());
                Value::Null
            }
        },
        Tree::Leaf(_) | Tree::Secret(_) | Tree::Loop { .. } => {
            unknown.push(at.to_owned());
            Value::Null
        }
        Tree::List(items) => {
            let items = items.iter().enumerate();
            items.map(|(index, item)| value_of(item, &format!("{at}/{index}"), unknown)).collect()
        }
        Tree::Map(members) => {
            let members = members.iter().map(|(name, member)| {
                (name.clone(), value_of(member, &format!("{at}/{}", escape(name)), unknown))
            });
            Value::Object(members.collect())
        }
    }
}
