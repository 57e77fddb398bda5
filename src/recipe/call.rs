//! The calls of a step against the profile: the operation, its class and its arguments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::builder::{Builder, What};
use super::diagnostic::{did_you_mean, nearest};
use super::escape::Escaping;
use super::input::shown;
use super::tree::Tree;
use crate::catalog::Operation;
use crate::core::pointer::escape;
use crate::core::{Class, Pointer};

/// What stands at a place of a tree.
enum Standing {
    /// Something that is not empty.
    Something,
    /// Something that only a run knows.
    Unknown,
    /// Nothing, or something empty; where in the tree, and which of the two.
    Nothing { at: String, absent: bool },
}

impl<'a> Builder<'a> {
    /// Checks a call. `key` is the key that names the operation, `with` the one that holds its arguments,
    /// both as pointers within the step.
    pub fn call(
        &mut self,
        (key, name): (&str, &str),
        (with, arguments): (&str, Option<&BTreeMap<String, Value>>),
        class: Class,
    ) -> Option<(Tree, Option<&'a Operation>)> {
        let before = self.problems.len();
        let operation = self.operation(key, name, class);
        let empty = BTreeMap::new();
        let arguments = arguments.unwrap_or(&empty);
        let tree = self.map(with, arguments.iter(), Escaping::None, &[]);
        match operation {
            Some(operation) => {
                self.names(key, with, name, operation, arguments);
                self.listed(key, name, operation);
                if let Some(tree) = &tree {
                    self.places(key, with, operation, tree);
                    self.carried(with, name, operation, tree);
                }
                let whole = tree.as_ref().filter(|_| self.problems.len() == before);
                self.check_agreed((key, with), (&operation.tool, class), Some(operation), whole);
            }
            None => {
                let context = self.context_places();
                for name in arguments.keys().filter(|name| context.contains(*name)) {
                    self.control_argument(with, name);
                }
                if self.problems.len() == before {
                    self.check_agreed((key, with), (name, class), None, tree.as_ref());
                }
            }
        }
        (self.problems.len() == before).then_some((Tree::Map(tree?), operation))
    }

    fn operation(&mut self, key: &str, name: &str, class: Class) -> Option<&'a Operation> {
        let profile = self.profile;
        let known =
            || profile.operations.iter().filter(|(_, one)| one.class == class).map(|(name, _)| name.as_str());
        if let Some(operation) = profile.operation(name) {
            if operation.class != class {
                let message = format!("`{name}` is a {} and cannot stand under `{class}`", operation.class);
                self.at_value("wrong-class", key, message, Some(format!("use `{}:`", operation.class)));
                return None;
            }
            return Some(operation);
        }
        let mut behind = profile.operations.iter().filter(|(_, operation)| operation.tool == name);
        if let Some((operation, _)) = behind.next() {
            let message = format!("`{}` is a tool that the profile has an operation for", shown(name));
            self.at_value("tool-name", key, message, Some(format!("name the operation: `{operation}`")));
            return None;
        }
        // The lock has reviewed what no profile knows.
        if let Some(locked) = self.locked_class(name)
            && (class == Class::Write || locked.class == Class::Read)
        {
            return None;
        }
        let all: Vec<&str> = profile.operations.keys().map(String::as_str).collect();
        if class == Class::Write && is_tool_name(name) && nearest(name, &all).is_none() {
            self.later
                .push(format!("whether the server has the tool `{name}`, and whether its arguments fit"));
            return None;
        }
        let mut message = format!("`{}` is no operation of the profile `{}`", shown(name), profile.profile);
        if class == Class::Read {
            message.push_str(", so it counts as a write and cannot be read");
        }
        self.at_value("unknown-operation", key, message, did_you_mean(name, known()));
        None
    }

    /// Checks the names of the arguments.
    fn names(
        &mut self,
        key: &str,
        with: &str,
        name: &str,
        operation: &Operation,
        arguments: &BTreeMap<String, Value>,
    ) {
        let mut control: BTreeSet<String> = operation.control.places().filter_map(last_token).collect();
        control.extend(self.context_places());
        for argument in arguments.keys().filter(|argument| !operation.arguments.contains_key(*argument)) {
            if control.contains(argument) {
                self.control_argument(with, argument);
                continue;
            }
            let message = format!("`{name}` has no argument `{}`", shown(argument));
            let hint = did_you_mean(argument, operation.arguments.keys().map(String::as_str));
            self.at_key("unknown-argument", &format!("{with}/{}", escape(argument)), message, hint);
        }
        for (argument, place) in &operation.arguments {
            let given = arguments.get(argument);
            if !place.optional && given.is_none_or(Value::is_null) {
                let at = match given {
                    Some(_) => format!("{with}/{argument}"),
                    None => key.to_owned(),
                };
                let hint = Some(format!("give it under `with`: `{argument}: …`"));
                let message = format!("`{name}` needs the argument `{argument}`");
                self.at_value("missing-argument", &at, message, hint);
            }
        }
    }

    fn control_argument(&mut self, with: &str, argument: &str) {
        let message = format!("a recipe cannot set the control argument `{}`", shown(argument));
        let hint = Some("dry run, approval and key are filled in when the call is made".to_owned());
        self.at_key("control-argument", &format!("{with}/{}", escape(argument)), message, hint);
    }

    fn context_places(&self) -> BTreeSet<String> {
        let context = &self.profile.context;
        let fields = [&context.tenant, &context.request_id, &context.workflow, &context.trace];
        fields.into_iter().flatten().filter_map(|field| last_token(field.argument.as_ref()?)).collect()
    }

    /// Checks that what lists the operation's subjects was read before.
    fn listed(&mut self, key: &str, name: &str, operation: &Operation) {
        let Some(listing) = &operation.listed_by else { return };
        let read = self.known.values().any(|what| matches!(what, What::Read(read) if read == listing));
        self.listings.insert(listing.clone());
        if !read {
            let message = format!("`{name}` wants `{listing}` to be read first");
            let hint = Some(format!("put a step with `read: {listing}` before this one"));
            self.at_value("not-listed", key, message, hint);
        }
    }

    /// Checks that no control argument is set inside of another one, and that what must be there is.
    fn places(&mut self, key: &str, with: &str, operation: &Operation, tree: &BTreeMap<String, Tree>) {
        for place in operation.control.places() {
            let tokens: Vec<String> = place.tokens().collect();
            for (argument, standing) in find(operation, tree, &tokens) {
                if !matches!(standing, Standing::Nothing { absent: true, .. } | Standing::Unknown) {
                    let message = format!("a recipe cannot set the control argument at `{place}`");
                    self.at_key("control-argument", &format!("{with}/{argument}"), message, None);
                }
            }
        }
        for place in &operation.must_have {
            let tokens: Vec<String> =
                place.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
            let fixed = operation.fixed.keys().any(|fixed| fixed.tokens().eq(tokens.iter().cloned()));
            let found = find(operation, tree, &tokens);
            if found.is_empty() && !fixed {
                // A missing argument that is not optional was reported already.
                let optional =
                    operation.arguments.values().any(|one| one.optional && begins(&tokens, &one.at));
                if optional {
                    self.must_have(key, place, true);
                }
            }
            for (argument, standing) in found {
                match standing {
                    Standing::Something => {}
                    Standing::Unknown => {
                        let id = super::step::StepId::new(self.scope, &self.id);
                        self.later.push(format!("whether `{place}` of `{id}` is not empty"));
                    }
                    Standing::Nothing { at, absent } => {
                        self.must_have(&format!("{with}/{argument}{at}"), place, absent);
                    }
                }
            }
        }
    }

    fn must_have(&mut self, at: &str, place: &str, absent: bool) {
        let what = if absent { "missing" } else { "empty" };
        let hint = Some("no record without its parent, title and owner".to_owned());
        self.at_value("must-have", at, format!("`{place}` is {what}, and the tool must have it"), hint);
    }
}

/// The arguments whose places contain `tokens`, and what stands there.
fn find(operation: &Operation, tree: &BTreeMap<String, Tree>, tokens: &[String]) -> Vec<(String, Standing)> {
    let mut found = Vec::new();
    for (name, argument) in operation.arguments.iter().filter(|(_, argument)| begins(tokens, &argument.at)) {
        let rest = tokens.get(argument.at.tokens().count()..).unwrap_or_default();
        if let Some(tree) = tree.get(name) {
            let mut standings = Vec::new();
            stand(tree, rest, String::new(), &mut standings);
            found.extend(standings.into_iter().map(|standing| (escape(name).into_owned(), standing)));
        }
    }
    found
}

fn begins(tokens: &[String], at: &Pointer) -> bool {
    tokens.iter().zip(at.tokens()).all(|(one, other)| *one == other) && at.tokens().count() <= tokens.len()
}

fn stand(tree: &Tree, tokens: &[String], at: String, out: &mut Vec<Standing>) {
    match (tree, tokens.split_first()) {
        (Tree::Loop { give, .. }, Some((token, rest))) if token == "*" => {
            stand(give, rest, format!("{at}/give"), out);
        }
        (Tree::Loop { .. }, _) => out.push(Standing::Unknown),
        (Tree::List(items), Some((token, rest))) if token == "*" => {
            if items.is_empty() {
                out.push(Standing::Nothing { at: at.clone(), absent: false });
            }
            for (index, item) in items.iter().enumerate() {
                stand(item, rest, format!("{at}/{index}"), out);
            }
        }
        (Tree::Map(members), Some((token, rest))) => match members.get(token) {
            Some(member) => stand(member, rest, format!("{at}/{}", escape(token)), out),
            None => out.push(Standing::Nothing { at, absent: true }),
        },
        (Tree::Secret(_), None) => out.push(Standing::Something),
        (Tree::Leaf(leaf), _) if !leaf.is_constant() => out.push(Standing::Unknown),
        (Tree::Leaf(leaf), None) => {
            let empty = !leaf.is_typed() && leaf.source().trim().is_empty();
            out.push(if empty { Standing::Nothing { at, absent: false } } else { Standing::Something });
        }
        (Tree::Literal(Value::Null), _) => out.push(Standing::Nothing { at, absent: false }),
        (Tree::List(items), None) if items.is_empty() => out.push(Standing::Nothing { at, absent: false }),
        (Tree::Map(members), None) if members.is_empty() => out.push(Standing::Nothing { at, absent: false }),
        (Tree::Literal(_) | Tree::List(_) | Tree::Map(_), None) => out.push(Standing::Something),
        (Tree::Literal(_) | Tree::List(_) | Tree::Leaf(_) | Tree::Secret(_), Some(_)) => {
            out.push(Standing::Nothing { at, absent: true });
        }
    }
}

fn last_token(place: &Pointer) -> Option<String> {
    place.tokens().last()
}

/// Whether a name is one that a tool may have (MCP: letters, digits, `_`, `-`, `.`, `/`; 1 to 128).
fn is_tool_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'))
}
