//! Whether a profile fits the tools that a server really offers: what does not, and the line to change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::class::class_of;
use super::nearest::nearest;
use super::operation::Operation;
use super::places::{Place, Places};
use super::profile::{Basis, Profile};
use super::schema::Schema;
use crate::core::pointer::escape;
use crate::core::text::{excerpt, visible};
use crate::core::{Class, Pointer, Projection, ToolDefinition};

/// Names of members that a message lists at most.
const MOST_NAMES: usize = 12;

/// Something in a profile that the server's tools do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Stable kebab-case name of its kind.
    pub code: &'static str,
    /// JSON pointer into the profile: the line to change.
    pub at: String,
    /// In words; what the server says in it is made visible.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What holding a profile against a server's tools gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fit {
    /// What does not fit, in the order of the profile's operations.
    pub misfits: Vec<Misfit>,
    /// Operations whose result nobody can know before an answer: their tools declare no output.
    pub untold: BTreeSet<String>,
}

impl Profile {
    /// Holds the operations of those names against the server's tools.
    #[must_use]
    pub fn fit(&self, tools: &[ToolDefinition], operations: &BTreeSet<String>) -> Fit {
        let mut fit = Fit::default();
        for (name, operation) in self.operations.iter().filter(|(name, _)| operations.contains(*name)) {
            let mut found = Finder { profile: self, name, operation, misfits: Vec::new() };
            match tools.iter().find(|tool| tool.name == operation.tool) {
                None => found.no_such_tool(tools),
                Some(tool) => {
                    found.class(tool);
                    found.arguments(&tool.input_schema);
                    match &tool.output_schema {
                        Some(schema) => found.result(schema),
                        None if operation.result.is_some() || operation.created.is_some() => {
                            fit.untold.insert(name.clone());
                        }
                        None => {}
                    }
                }
            }
            fit.misfits.append(&mut found.misfits);
        }
        fit
    }
}

struct Finder<'p> {
    profile: &'p Profile,
    name: &'p str,
    operation: &'p Operation,
    misfits: Vec<Misfit>,
}

impl Finder<'_> {
    fn add(&mut self, code: &'static str, below: &str, message: String, hint: Option<String>) {
        let at = format!("/operations/{}{below}", escape(self.name));
        self.misfits.push(Misfit { code, at, message, hint });
    }

    fn no_such_tool(&mut self, tools: &[ToolDefinition]) {
        let mut message = format!("the server offers no tool `{}`", visible(&self.operation.tool));
        if self.operation.basis.tool == Basis::Sandbox {
            message.push_str(", which is what the sandbox calls it: say in a profile what this server does");
        }
        let known: BTreeSet<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        self.add("no-such-tool", "/tool", message, near(&self.operation.tool, &known));
    }

    fn class(&mut self, tool: &ToolDefinition) {
        let class = class_of(self.profile, tool);
        if self.operation.class == Class::Read && class.class == Class::Write {
            let message = format!("`{}` is not read: {}", visible(&tool.name), class.why);
            let hint = "a tool that writes is `class: write`; nothing lowers what the server says".to_owned();
            self.add("class-raised", "/class", message, Some(hint));
        }
    }

    fn arguments(&mut self, schema: &Value) {
        let places = Places::of(schema);
        let whole = places.whole();
        let mut filled: BTreeMap<&Pointer, Filling> = BTreeMap::new();
        for (name, argument) in &self.operation.arguments {
            let at = format!("/arguments/{}", escape(name));
            filled.insert(&argument.at, Filling { at, optional: argument.optional });
        }
        for at in self.operation.fixed.keys() {
            filled.insert(at, Filling { at: format!("/fixed/{}", escape(at.as_str())), optional: false });
        }
        if let Some(pages) = &self.operation.pages {
            filled.insert(&pages.cursor, Filling { at: "/pages/cursor".to_owned(), optional: true });
        }
        let control = &self.operation.control;
        let switch = control.dry_run.as_ref().map(|switch| ("dry_run", &switch.at));
        let ids = [("approval_id", &control.approval_id), ("idempotency_key", &control.idempotency_key)];
        let ids = ids.into_iter().filter_map(|(name, place)| Some((name, &place.as_ref()?.at)));
        for (name, at) in switch.into_iter().chain(ids) {
            filled.insert(at, Filling { at: format!("/control/{name}"), optional: false });
        }
        for (at, filling) in &filled {
            if let Place::Absent { known } = places.at(&whole, at) {
                let message = format!("`{}` takes nothing at `{at}`", visible(&self.operation.tool));
                let last = at.tokens().last().unwrap_or_default();
                self.add("no-such-argument", &filling.at, message, near(&last, &known));
            }
        }
        let context = self.profile.context.fields().filter_map(|(_, field)| field.argument.as_ref());
        let all: Vec<(&Pointer, Option<&Filling>)> = filled
            .iter()
            .map(|(at, filling)| (*at, Some(filling)))
            .chain(context.map(|at| (at, None)))
            .collect();
        self.required(places, &whole, "", &all);
        let values = self
            .operation
            .fixed
            .iter()
            .map(|(at, value)| (at, value, format!("/fixed/{}", escape(at.as_str()))));
        let switch = control.dry_run.iter();
        let switch = switch.flat_map(|s| [(&s.at, &s.dry, "dry"), (&s.at, &s.real, "real")]);
        let switch = switch.map(|(at, value, which)| (at, value, format!("/control/dry_run/{which}")));
        for (at, value, line) in values.chain(switch).collect::<Vec<_>>() {
            if let Place::Named(schemas) = places.at(&whole, at) {
                self.value(schema, &schemas, at, value, &line);
            }
        }
    }

    /// Whether everything that an object must have is filled, as far down as the profile fills single members.
    fn required<'s>(
        &mut self,
        places: Places<'s>,
        schemas: &[&'s Value],
        above: &str,
        filled: &[(&Pointer, Option<&Filling>)],
    ) {
        let mut wanted = places.required(schemas);
        // An object that need not be there must be whole where the profile always sends a part of it.
        let inside = filled.iter().filter(|(_, filling)| !filling.is_some_and(|filling| filling.optional));
        let inside: BTreeSet<String> = inside.filter_map(|(at, _)| first_below(at, above)).collect();
        wanted.extend(inside.iter().map(String::as_str));
        for name in wanted {
            let place = format!("{above}/{}", escape(name));
            let inside = format!("{place}/");
            let whole = filled.iter().find(|(at, _)| at.as_str() == place);
            let parts = filled.iter().any(|(at, _)| at.as_str().starts_with(&inside));
            match whole {
                Some((_, Some(filling))) if filling.optional => {
                    let message = format!("`{}` requires `{place}`", visible(&self.operation.tool));
                    let hint = "leave out `optional: true`".to_owned();
                    self.add("argument-required", &filling.at, message, Some(hint));
                }
                Some(_) => {}
                None if parts => {
                    if let Place::Named(below) = places.member(schemas, name) {
                        self.required(places, &below, &place, filled);
                    }
                }
                None => {
                    let message = format!(
                        "`{}` requires `{}`, and no argument goes there",
                        visible(&self.operation.tool),
                        visible(&place)
                    );
                    let hint = format!(
                        "add `{}: {}` to `arguments`, or a value to `fixed`",
                        visible(name),
                        visible(&place)
                    );
                    self.add("argument-missing", "/arguments", message, Some(hint));
                }
            }
        }
    }

    /// Whether a value that the profile sends by itself is one that the tool takes: one of what it may be.
    fn value(&mut self, root: &Value, schemas: &[&Value], at: &Pointer, value: &Value, line: &str) {
        let problems = |schema: &Value| {
            // References lead from the root, so its definitions come along.
            let mut schema = schema.clone();
            if let Some(members) = schema.as_object_mut() {
                for name in ["$defs", "definitions"] {
                    if let Some(definitions) = root.get(name) {
                        members.insert(name.to_owned(), definitions.clone());
                    }
                }
            }
            Schema::compile(&schema).map_or_else(|_| Vec::new(), |schema| schema.problems(value))
        };
        let mut refused = schemas.iter().map(|schema| problems(schema));
        let Some(first) = refused.next() else { return };
        if refused.any(|problems| problems.is_empty()) {
            return;
        }
        for problem in first {
            let message = format!(
                "`{}` does not take this at `{at}`: it {}",
                visible(&self.operation.tool),
                problem.message
            );
            self.add("value-refused", line, message, None);
        }
    }

    fn result(&mut self, schema: &Value) {
        let places = Places::of(schema);
        let whole = places.whole();
        for (name, projection) in self.operation.result.iter().flatten() {
            let at = format!("/result/{}", escape(name));
            self.projection(places, &whole, projection, &at);
        }
        let confirmed = self.operation.dry_run_confirmed.iter().map(|one| ("/dry_run_confirmed", &one.at));
        let pages = self.operation.pages.iter();
        let pages = pages.flat_map(|pages| [("/pages/next", &pages.next), ("/pages/items", &pages.items)]);
        for (line, at) in confirmed.chain(pages) {
            if let Place::Absent { known } = places.at(&whole, at) {
                let message = format!("no answer of `{}` has `{at}`", visible(&self.operation.tool));
                let last = at.tokens().last().unwrap_or_default();
                self.add("no-such-result", line, message, near(&last, &known));
            }
        }
        for (name, projection) in self.operation.created.iter().flat_map(|created| &created.ids) {
            self.projection(places, &whole, projection, &format!("/created/ids/{}", escape(name)));
        }
    }

    fn projection(&mut self, places: Places<'_>, from: &[&Value], projection: &Projection, line: &str) {
        let Projection { at, each, state, .. } = projection;
        let here = match places.at(from, at) {
            Place::Open => return,
            Place::Named(here) => here,
            Place::Absent { known } => {
                let message = format!("no answer of `{}` has `{at}`", visible(&self.operation.tool));
                let last = at.tokens().last().unwrap_or_default();
                self.add("no-such-result", line, message, near(&last, &known));
                return;
            }
        };
        if let (Some(vocabulary), Some(words)) = (state, Places::words(&here)) {
            self.words(vocabulary, &words, line);
        }
        let Some(each) = each else { return };
        if let Place::Named(items) = places.items(&here) {
            for (name, field) in each {
                self.projection(places, &items, field, &format!("{line}/each/{}", escape(name)));
            }
        }
    }

    fn words(&mut self, vocabulary: &str, words: &BTreeSet<&str>, line: &str) {
        let known = self.profile.states.get(vocabulary).map(|states| &states.words);
        let unknown = words.iter().filter(|word| {
            !known.is_some_and(|known| known.values().flatten().any(|listed| listed == *word))
        });
        let unknown: BTreeSet<&str> = unknown.copied().collect();
        if unknown.is_empty() {
            return;
        }
        let message = format!(
            "an answer of `{}` can say {}, which `states.{vocabulary}` does not know",
            visible(&self.operation.tool),
            listed(&unknown)
        );
        let hint = format!("add the words to lists of `states.{vocabulary}`; until then they decide nothing");
        self.add("unknown-state", line, message, Some(hint));
    }
}

/// The first member on the way from `above` to `at`, where there is more than one.
fn first_below(at: &Pointer, above: &str) -> Option<String> {
    let below: Pointer = at.as_str().strip_prefix(above)?.parse().ok()?;
    let mut tokens = below.tokens();
    let first = tokens.next()?;
    tokens.next().map(|_| first)
}

/// What fills a place, and whether a recipe may leave it empty.
struct Filling {
    at: String,
    optional: bool,
}

/// The name that was probably meant, or all there are.
fn near(name: &str, known: &BTreeSet<&str>) -> Option<String> {
    match nearest(name, known.iter().copied()) {
        Some(other) => Some(format!("did you mean `{}`?", excerpt(other, 100))),
        None if known.is_empty() => None,
        None => Some(format!("there are {}", listed(known))),
    }
}

fn listed(names: &BTreeSet<&str>) -> String {
    let mut shown: Vec<String> =
        names.iter().take(MOST_NAMES).map(|name| format!("`{}`", excerpt(name, 60))).collect();
    if let Some(more) = names.len().checked_sub(MOST_NAMES).filter(|more| *more > 0) {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PROFILE: &str = r#"
profile: tracker
summary: s
states:
  work: { basis: assumed, pass: [done], pending: [open] }
operations:
  search:
    summary: s
    tool: search_work
    class: read
    basis: { tool: observed, arguments: observed, result: observed }
    arguments: { query: /query, limit: { at: /limit, optional: true } }
    fixed: { /kind: story }
    result:
      total: /total
      items: { at: /items, each: { id: /id, state: { at: /state, state: work } } }
  make:
    summary: s
    tool: make_work
    class: write
    basis: { tool: observed, arguments: observed, result: observed, control: assumed, repetition: assumed }
    arguments: { title: /item/title }
    control: { dry_run: { at: /dryRun, dry: true, real: false } }
"#;

    fn tools() -> Value {
        json!([
            {"name": "search_work",
             "input": {"properties": {"query": {"type": "string"}, "limit": {"type": "integer"}, "kind": {"enum": ["story", "task"]}},
                       "required": ["query"]},
             "output": {"properties": {"total": {}, "items": {"items": {"properties": {"id": {}, "state": {"enum": ["open", "done"]}}}}}}},
            {"name": "make_work",
             "input": {"properties": {"item": {"$ref": "#/$defs/item"}, "dryRun": {"type": "boolean"}}, "required": ["item"],
                       "$defs": {"item": {"properties": {"title": {}, "owner": {}}, "required": ["title"]}}}},
        ])
    }

    /// What does not fit after `change`, as code and line.
    fn after(change: impl Fn(&mut Value)) -> Vec<(&'static str, String)> {
        let mut tools = tools();
        change(&mut tools);
        of(PROFILE, &tools).into_iter().map(|misfit| (misfit.code, misfit.at)).collect()
    }

    fn of(profile: &str, tools: &Value) -> Vec<Misfit> {
        let profile = Profile::parse("test", profile).unwrap();
        let tools: Vec<ToolDefinition> = tools
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| ToolDefinition {
                name: tool["name"].as_str().unwrap().to_owned(),
                description: None,
                input_schema: tool["input"].clone(),
                output_schema: tool.get("output").cloned(),
                annotations: tool.get("hints").cloned(),
            })
            .collect();
        let all = profile.operations.keys().cloned().collect();
        profile.fit(&tools, &all).misfits
    }

    #[test]
    fn a_profile_that_fits_has_nothing_to_change() {
        assert_eq!(after(|_| ()), []);
    }

    #[test]
    fn a_name_that_only_the_sandbox_has_is_told_from_one_that_is_wrong() {
        let message = |profile: &str| {
            let misfits = of(profile, &json!([{"name": "other", "input": {}}]));
            misfits.into_iter().map(|misfit| misfit.message).next_back().unwrap()
        };
        assert_eq!(message(PROFILE), "the server offers no tool `search_work`");
        let made_up = message(&PROFILE.replace("{ tool: observed", "{ tool: sandbox"));
        assert!(
            made_up.ends_with("the sandbox calls it: say in a profile what this server does"),
            "{made_up}"
        );
    }

    #[test]
    fn a_cursor_that_goes_nowhere_and_pages_without_one_name_their_lines() {
        let text = PROFILE.replace(
            "    fixed: { /kind: story }",
            "    fixed: { /kind: story }\n    pages: { cursor: /after, next: /next, items: /items }",
        );
        let places: Vec<_> = of(&text, &tools()).into_iter().map(|misfit| (misfit.code, misfit.at)).collect();
        let at = |member: &str| format!("/operations/search/pages/{member}");
        assert_eq!(places, [("no-such-argument", at("cursor")), ("no-such-result", at("next"))]);
    }

    #[test]
    fn every_way_not_to_fit_names_the_line_to_change() {
        let put = |pointer: &'static str, value: Value| {
            after(move |tools| *tools.pointer_mut(pointer).unwrap() = value.clone())
        };
        let one = |code, at: &str| vec![(code, format!("/operations/{at}"))];
        assert_eq!(put("/0/name", json!("find_work")), one("no-such-tool", "search/tool"));
        assert_eq!(
            after(|tools| tools[0]["hints"] = json!({"readOnlyHint": false})),
            one("class-raised", "search/class")
        );
        assert_eq!(
            put("/0/input/properties", json!({"query": {}, "kind": {}})),
            one("no-such-argument", "search/arguments/limit")
        );
        assert_eq!(
            put("/0/input/required", json!(["query", "limit"])),
            one("argument-required", "search/arguments/limit")
        );
        assert_eq!(
            put("/0/input/required", json!(["query", "team"])),
            one("argument-missing", "search/arguments")
        );
        assert_eq!(
            put("/1/input/$defs/item/required", json!(["title", "owner"])),
            one("argument-missing", "make/arguments")
        );
        assert_eq!(
            after(|tools| {
                *tools.pointer_mut("/1/input/$defs/item/required").unwrap() = json!(["title", "owner"]);
                *tools.pointer_mut("/1/input/required").unwrap() = json!([]);
            }),
            one("argument-missing", "make/arguments")
        );
        assert_eq!(put("/0/input", json!({"type": "object", "additionalProperties": false})).len(), 3);
        let either = json!({"oneOf": [{"const": "task"}, {"const": "story"}]});
        assert_eq!(put("/0/input/properties/kind", either), []);
        assert_eq!(
            put("/0/input/properties/kind", json!({"enum": ["epic"]})),
            one("value-refused", "search/fixed/~1kind")
        );
        assert_eq!(
            put("/1/input/properties/dryRun", json!({"type": "string"})),
            vec![
                ("value-refused", "/operations/make/control/dry_run/dry".to_owned()),
                ("value-refused", "/operations/make/control/dry_run/real".to_owned()),
            ]
        );
        assert_eq!(
            put("/0/output/properties", json!({"count": {}, "items": {}})),
            one("no-such-result", "search/result/total")
        );
        assert_eq!(
            put("/0/output/properties/items/items/properties", json!({"key": {}, "state": {}})),
            one("no-such-result", "search/result/items/each/id")
        );
        assert_eq!(
            put("/0/output/properties/items/items/properties/state", json!({"enum": ["open", "mauve"]})),
            one("unknown-state", "search/result/items/each/state")
        );
    }

    #[test]
    fn operations_that_nobody_uses_are_not_held_against_anything() {
        let profile = Profile::parse("test", PROFILE).unwrap();
        assert_eq!(profile.fit(&[], &BTreeSet::new()), Fit::default());
        let used = BTreeSet::from(["make".to_owned()]);
        assert_eq!(profile.fit(&[], &used).misfits.len(), 1);
    }

    #[test]
    fn a_result_that_no_tool_declares_is_told_and_is_no_misfit() {
        let profile = Profile::parse("test", PROFILE).unwrap();
        let tool = ToolDefinition {
            name: "search_work".into(),
            description: None,
            input_schema: json!({"type": "object"}),
            output_schema: None,
            annotations: None,
        };
        let fit = profile.fit(&[tool], &BTreeSet::from(["search".to_owned()]));
        assert_eq!((fit.misfits.len(), fit.untold), (0, BTreeSet::from(["search".to_owned()])));
    }
}
