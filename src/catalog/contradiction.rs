//! What a profile says in one place and contradicts in another, or says and cannot mean.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::{Created, Idempotency, Lookup, Operation};
use super::profile::Profile;
use crate::core::json::same;
use crate::core::{Class, Pointer, Projection};

/// What a state can be to a recipe. `unknown` is what every other word becomes, so none translates to it.
const NORMAL_WORDS: [&str; 6] = ["pass", "fail", "pending", "missing", "stale", "waived"];

impl Profile {
    /// Every contradiction, each with its place, in the order of the file's parts.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.check_context(&mut found);
        self.check_contract(&mut found);
        self.check_words(&mut found);
        for (name, operation) in &self.operations {
            let mut problems = Vec::new();
            self.check_operation(operation, &mut problems);
            self.check_foreign_control(name, operation, &mut problems);
            found.extend(problems.into_iter().map(|problem| format!("operation `{name}`: {problem}")));
        }
        self.check_classes(&mut found);
        self.check_families(&mut found);
        found
    }

    fn check_context(&self, found: &mut Vec<String>) {
        for (name, field) in self.context.fields() {
            let ways = [field.meta.is_some(), field.argument.is_some(), field.header.is_some()];
            if ways.into_iter().filter(|way| *way).count() != 1 {
                found.push(format!("`context.{name}` has exactly one of `meta`, `argument` and `header`"));
            }
            for (way, text) in [("meta", &field.meta), ("header", &field.header)] {
                if text.as_deref() == Some("") {
                    found.push(format!("`context.{name}.{way}` is empty"));
                }
            }
        }
        let headers: Vec<String> =
            self.context.headers().map(|(_, header)| header.to_ascii_lowercase()).collect();
        for header in twice(headers.iter().map(String::as_str)) {
            found.push(format!("`context`: the header `{header}` stands there twice"));
        }
    }

    fn check_contract(&self, found: &mut Vec<String>) {
        let contract = self.contract.as_ref().map(|name| (name, self.operation(name)));
        match contract {
            Some((name, None)) => found.push(format!("`contract: {name}` names no operation")),
            Some((name, Some(operation))) => {
                if operation.class != Class::Read {
                    found.push(format!("`contract: {name}` names a write, and it is called before anything"));
                }
                if operation.arguments.values().any(|argument| !argument.optional) {
                    found.push(format!("`contract: {name}` needs arguments, and it is called without any"));
                }
            }
            None => {}
        }
        let Some(result) = &self.tenant_from else { return };
        match contract {
            None => found.push("`tenant_from` names a result of the contract, and there is none".to_owned()),
            Some((_, Some(operation))) if !has_result(operation, result) => {
                found.push(format!("`tenant_from: {result}` names no result of the contract"));
            }
            Some(_) => {}
        }
    }

    fn check_words(&self, found: &mut Vec<String>) {
        if let Some(errors) = &self.errors {
            let codes = errors.kinds.values().flatten();
            for code in twice(codes.map(String::as_str)) {
                found.push(format!("`errors`: the code `{code}` stands there twice"));
            }
        }
        for (vocabulary, states) in &self.states {
            for normal in states.words.keys().filter(|word| !NORMAL_WORDS.contains(&word.as_str())) {
                let known = NORMAL_WORDS.join("`, `");
                found.push(format!("`states.{vocabulary}`: `{normal}` is none of `{known}`"));
            }
            for word in twice(states.words.values().flatten().map(String::as_str)) {
                found.push(format!("`states.{vocabulary}`: the word `{word}` stands there twice"));
            }
        }
    }

    fn check_operation(&self, operation: &Operation, found: &mut Vec<String>) {
        if operation.tool.is_empty() {
            found.push("`tool` is empty".to_owned());
        }
        self.check_places(operation, found);
        for (name, projection) in operation.result.iter().flatten() {
            self.check_projection(&format!("result.{name}"), projection, found);
        }
        check_echoes(operation, found);
        check_patterns(operation, found);
        self.check_listing(operation, found);
        if operation.class == Class::Write && operation.pages.is_some() {
            found.push("`pages` goes with a read: a write is sent once".to_owned());
        }
        match operation.class {
            Class::Read => check_read(operation, found),
            Class::Write => check_repetition(operation, found),
        }
        if let Some(created) = &operation.created {
            self.check_created(created, found);
        }
    }

    /// No two values may go to the same place, nor one into another.
    fn check_places(&self, operation: &Operation, found: &mut Vec<String>) {
        let arguments = operation.arguments.iter().map(|(name, argument)| (name.as_str(), &argument.at));
        let context =
            self.context.fields().filter_map(|(_, f)| f.argument.as_ref().map(|at| ("context", at)));
        let places: Vec<(&str, &Pointer)> = arguments
            .chain(operation.fixed.keys().map(|at| ("fixed", at)))
            .chain(operation.control.places().map(|at| ("control", at)))
            .chain(operation.pages.iter().map(|pages| ("pages", &pages.cursor)))
            .chain(context)
            .collect();
        for (index, (name, at)) in places.iter().enumerate() {
            if at.as_str().is_empty() {
                found.push(format!("`{name}` is placed at the whole of the arguments"));
            }
            for (other, there) in places.iter().skip(index + 1).filter(|(_, there)| overlap(at, there)) {
                found.push(format!("`{name}` at `{at}` and `{other}` at `{there}` overlap"));
            }
        }
    }

    /// What is a control argument to one operation is one to every operation of the same tool.
    fn check_foreign_control(&self, name: &str, operation: &Operation, found: &mut Vec<String>) {
        let others = self.operations.iter().filter(|(n, o)| *n != name && o.tool == operation.tool);
        for (other, control) in others.flat_map(|(n, o)| o.control.places().map(move |at| (n, at))) {
            let arguments = operation.arguments.values().map(|argument| &argument.at);
            for at in arguments.chain(operation.fixed.keys()).filter(|at| overlap(at, control)) {
                found.push(format!("`{at}` is a control argument of the tool by the operation `{other}`"));
            }
        }
    }

    fn check_listing(&self, operation: &Operation, found: &mut Vec<String>) {
        let Some(name) = &operation.listed_by else { return };
        match self.operation(name).map(|listing| listing.class) {
            None => found.push(format!("`listed_by: {name}` names no operation")),
            Some(Class::Write) => found.push(format!("`listed_by: {name}` names a write")),
            Some(Class::Read) => {}
        }
    }

    fn check_projection(&self, place: &str, projection: &Projection, found: &mut Vec<String>) {
        if let Some(vocabulary) = &projection.state {
            if !self.states.contains_key(vocabulary) {
                found.push(format!("`{place}`: `state: {vocabulary}` names no vocabulary"));
            }
            if projection.each.is_some() {
                found.push(format!("`{place}` is a word by `state` and a list by `each`"));
            }
            if projection.non_empty {
                found.push(format!("`{place}` is a word by `state` and a list by `non_empty`"));
            }
        }
        for (name, field) in projection.each.iter().flatten() {
            self.check_projection(&format!("{place}.{name}"), field, found);
        }
    }

    fn check_created(&self, created: &Created, found: &mut Vec<String>) {
        for (name, projection) in &created.ids {
            self.check_projection(&format!("created.ids.{name}"), projection, found);
            let one_id = |each: &BTreeMap<String, _>| each.len() == 1 && each.contains_key("id");
            if !projection.each.as_ref().is_none_or(one_id) {
                found.push(format!("`created.ids.{name}`: `each` has the field `id` and no other"));
            }
        }
        let Some(Lookup { operation: name, argument, found: result, compare }) = &created.lookup else {
            return;
        };
        let Some(lookup) = self.operation(name) else {
            found.push(format!("`created.lookup` names no operation, `{name}`"));
            return;
        };
        if lookup.class != Class::Read {
            found.push(format!("`created.lookup` names a write, `{name}`"));
        }
        if !lookup.arguments.contains_key(argument) {
            found.push(format!("`created.lookup`: `{name}` has no argument `{argument}`"));
        }
        for (other, _) in lookup.arguments.iter().filter(|(other, a)| *other != argument && !a.optional) {
            found.push(format!("`created.lookup`: `{name}` needs the argument `{other}` too"));
        }
        let items = lookup.result.as_ref().and_then(|results| results.get(result)?.each.as_ref());
        if !items.is_some_and(|each| each.contains_key("id")) {
            found.push(format!(
                "`created.lookup`: `{name}` has no result `{result}` whose items have an `id`"
            ));
        }
        for (created_name, fields) in compare {
            if !created.ids.contains_key(created_name) {
                found.push(format!("`created.lookup.compare`: nothing created is called `{created_name}`"));
            }
            for field in fields.keys().filter(|field| !items.is_some_and(|each| each.contains_key(*field))) {
                found.push(format!("`created.lookup.compare`: the items of `{result}` have no `{field}`"));
            }
        }
    }

    fn check_classes(&self, found: &mut Vec<String>) {
        for (name, operation) in self.operations.iter().filter(|(_, o)| o.class == Class::Read) {
            if self.class_of(&operation.tool) == Some(Class::Write) {
                let tool = &operation.tool;
                found.push(format!(
                    "operation `{name}` reads with `{tool}`, which another operation writes with"
                ));
            }
        }
    }
}

fn check_echoes(operation: &Operation, found: &mut Vec<String>) {
    for (result, argument) in &operation.echoes {
        if !has_result(operation, result) {
            found.push(format!("`echoes`: there is no result `{result}`"));
        }
        if !operation.arguments.contains_key(argument) {
            found.push(format!("`echoes`: there is no argument `{argument}`"));
        }
    }
}

fn check_patterns(operation: &Operation, found: &mut Vec<String>) {
    let must_have = operation.must_have.iter().map(|pattern| ("must_have", pattern));
    let from_read = operation.from_read.iter().map(|pattern| ("from_read", pattern));
    for (part, pattern) in must_have.chain(from_read) {
        match pattern.parse::<Pointer>() {
            Err(error) => found.push(format!("`{part}`: {error}")),
            Ok(place) => {
                let mut filled = operation.arguments.values().map(|a| &a.at).chain(operation.fixed.keys());
                if !filled.any(|at| overlap(at, &place)) {
                    found.push(format!("`{part}`: nothing is ever put at `{pattern}`"));
                }
            }
        }
    }
}

fn check_read(operation: &Operation, found: &mut Vec<String>) {
    let writes = [
        ("control", operation.control.places().next().is_some()),
        ("from_read", !operation.from_read.is_empty()),
        ("dry_run_confirmed", !operation.dry_run_confirmed.is_empty()),
        ("created", operation.created.is_some()),
        ("one_transaction", operation.one_transaction),
        ("idempotency", operation.idempotency != Idempotency::None),
        ("key_retention", operation.key_retention.is_some()),
    ];
    for (part, _) in writes.iter().filter(|(_, there)| *there) {
        found.push(format!("`{part}` belongs to a write, and this is a read"));
    }
}

fn check_repetition(operation: &Operation, found: &mut Vec<String>) {
    let control = &operation.control;
    match &control.dry_run {
        Some(switch) if same(&switch.dry, &switch.real) => {
            found.push("`control.dry_run` sends the same for a dry run as for the real thing".to_owned());
        }
        None if !operation.dry_run_confirmed.is_empty() => {
            found.push("`dry_run_confirmed` without a `control.dry_run`".to_owned());
        }
        _ => {}
    }
    if operation.idempotency == Idempotency::Key && control.idempotency_key.is_none() {
        found.push("`idempotency: key` without a `control.idempotency_key`".to_owned());
    }
    if let Some(retention) = operation.key_retention {
        if operation.idempotency != Idempotency::Key {
            found.push("`key_retention` without `idempotency: key`".to_owned());
        }
        if !retention.is_positive() {
            found.push("`key_retention` is no time at all".to_owned());
        }
    }
}

fn has_result(operation: &Operation, name: &str) -> bool {
    operation.result.as_ref().is_some_and(|result| result.contains_key(name))
}

/// Whether one place is the other or stands inside of it; `*` is a token like any other.
fn overlap(one: &Pointer, other: &Pointer) -> bool {
    one.tokens().zip(other.tokens()).all(|(a, b)| a == b)
}

/// What comes more than once, each named once.
fn twice<'a>(words: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    words.filter(|word| !seen.insert(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ProfileError;

    /// What is wrong with LoopIQ's profile after `change`, which must change something.
    fn after(change: impl Fn(&str) -> String) -> Vec<String> {
        let shipped = include_str!("profiles/loopiq.yaml");
        let text = change(shipped);
        assert_ne!(text, shipped, "the change changes nothing");
        match Profile::parse("test", &text) {
            Err(ProfileError::Contradictions { problems, .. }) => problems,
            other => panic!("{other:?}"),
        }
    }

    fn replacing(from: &str, to: &str) -> Vec<String> {
        after(|text| text.replacen(from, to, 1))
    }

    #[test]
    fn loopiqs_profile_is_what_its_file_says() {
        let file = Profile::parse("loopiq", Profile::shipped("loopiq").unwrap()).unwrap();
        assert_eq!(*Profile::loopiq().unwrap(), file);
        assert_eq!(Profile::loopiq().unwrap().digest(), file.digest());
    }

    #[test]
    fn the_shipped_profiles_do_not_contradict_themselves() {
        for name in ["loopiq", "plain"] {
            let profile = Profile::parse(name, Profile::shipped(name).unwrap());
            assert_eq!(profile.unwrap().contradictions(), [""; 0]);
        }
    }

    #[test]
    fn every_contradiction_is_reported_at_once() {
        let problems = after(|text| {
            text.replace("contract: contract", "contract: treaty")
                .replace("state: certification }", "state: mood }")
                .replacen(
                    "control:\n      dry_run: { at: /dryRun, dry: true",
                    "control:\n      dry_run: { at: /dryRun, dry: false",
                    1,
                )
        });
        assert_eq!(
            problems,
            [
                "`contract: treaty` names no operation",
                "operation `certification`: `result.state`: `state: mood` names no vocabulary",
                "operation `work_package`: `control.dry_run` sends the same for a dry run as for the real thing",
            ]
        );
    }

    #[test]
    fn each_contradiction_is_found() {
        for (from, to, problem) in [
            ("meta: loopiq/workflow", "required: true", "`context.workflow` has exactly one"),
            ("meta: loopiq/workflow", "meta: a, argument: /b", "`context.workflow` has exactly one"),
            (
                "meta: loopiq/workflow",
                "argument: /parent/x",
                "`parent` at `/parent` and `context` at `/parent/x`",
            ),
            ("contract: contract", "contract: work_package", "names a write"),
            ("contract: contract", "contract: evidence_graph", "needs arguments"),
            ("contract: contract\n", "\n", "and there is none"),
            ("tenant_from: tenant", "tenant_from: team", "`tenant_from: team` names no result"),
            (
                "conflict: [IDEMPOTENCY_CONFLICT",
                "conflict: [NOT_FOUND",
                "the code `NOT_FOUND` stands there twice",
            ),
            ("pass: [certified]", "passed: [certified]", "`passed` is none of"),
            (
                "fail: [blocked, rejected]",
                "fail: [blocked, certified]",
                "the word `certified` stands there twice",
            ),
            ("reason: { at: /reason, optional: true }", "reason: /parent/reason", "overlap"),
            (
                "reason: { at: /reason, optional: true }",
                "reason: /dryRun",
                "`reason` at `/dryRun` and `control`",
            ),
            (
                "fixed: { /open: true }",
                "fixed: { /ids: [] }",
                "`ids` at `/ids` and `fixed` at `/ids` overlap",
            ),
            ("reason: { at: /reason, optional: true }", "reason: ''", "the whole of the arguments"),
            ("idempotency_key: { at: /idempotencyKey }\n", "\n", "without a `control.idempotency_key`"),
            ("idempotency: key\n", "idempotency: natural\n", "`key_retention` without"),
            ("key_retention: PT24H", "key_retention: -PT24H", "`key_retention` is no time"),
            ("dry_run: { at: /dryRun, dry: true, real: false }\n", "\n", "`dry_run_confirmed` without"),
            ("must_have: [/releaseId", "must_have: [/release", "nothing is ever put at `/release`"),
            ("must_have: [/releaseId", "must_have: [releaseId", "`releaseId` is not a JSON pointer"),
            ("from_read: [/version]", "from_read: [/versions]", "`from_read`: nothing is ever put at"),
            (
                "each: { id: /id } }\n      lookup",
                "each: { id: /id, x: /x } }\n      lookup",
                "the field `id` and no other",
            ),
            ("dry: true, real: false", "dry: 1, real: 1.0", "the same for a dry run as for the real thing"),
            (
                "tool: loopiq_list_routes\n    class: read",
                "tool: loopiq_create_remediation_work_package\n    class: write\n    fixed: { /dryRun: false }",
                "operation `routes`: `/dryRun` is a control argument of the tool by the operation `work_package`",
            ),
            (
                "tool: loopiq_list_routes\n    class: read\n    basis: { tool: documented, arguments: documented, result: assumed }\n    arguments: {}",
                "tool: loopiq_create_remediation_work_package\n    class: write\n    basis: { tool: documented, arguments: documented, result: assumed }\n    arguments: { approval: /approvalId/x }",
                "operation `routes`: `/approvalId/x` is a control argument",
            ),
            (
                "idempotency: key\n",
                "idempotency: key\n    listed_by: shelves\n",
                "`listed_by: shelves` names no",
            ),
            (
                "tool: loopiq_list_routes\n",
                "tool: loopiq_list_routes\n    listed_by: work_package\n",
                "`listed_by: work_package` names a write",
            ),
            ("echoes: { release: release", "echoes: { releas: release", "there is no result `releas`"),
            ("echoes: { release: release", "echoes: { release: releas", "there is no argument `releas`"),
            (
                "status, state: certification }",
                "status, state: certification, non_empty: true }",
                "a list by `non_empty`",
            ),
            ("operation: work_items", "operation: items", "names no operation, `items`"),
            ("operation: work_items", "operation: work_package", "`created.lookup` names a write"),
            ("argument: ids\n", "argument: keys\n", "`work_items` has no argument `keys`"),
            ("found: items\n", "found: complete\n", "no result `complete` whose items"),
            ("parent: { title", "mother: { title", "nothing created is called `mother`"),
            ("children: { title", "children: { name", "the items of `items` have no `name`"),
            (
                "    fixed: { /open: true }",
                "    fixed: { /open: true }\n    pages: { cursor: /releaseId, next: /next, items: /items }",
                "overlap",
            ),
            (
                "    one_transaction: true",
                "    one_transaction: true\n    pages: { cursor: /cursor, next: /next, items: /items }",
                "`pages` goes with a read",
            ),
            ("class: write", "class: read", "`created` belongs to a write, and this is a read"),
            (
                "tool: loopiq_list_routes",
                "tool: loopiq_create_remediation_work_package",
                "operation `routes` reads with",
            ),
            (
                "nodes:\n        at: /graph/nodes\n",
                "nodes:\n        at: /graph/nodes\n        state: node\n",
                "a list by `each`",
            ),
        ] {
            let problems = replacing(from, to);
            assert!(problems.iter().any(|found| found.contains(problem)), "{problem}: {problems:#?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_profile_is_said_once() {
        for text in ["profile: [", "profile: x\nsummary: y\noperations: { o: !t {} }\n"] {
            let error = Profile::parse("test", text).unwrap_err();
            assert!(std::error::Error::source(&error).is_none(), "{error}");
        }
    }

    #[test]
    fn what_a_profile_cannot_say_is_refused_with_its_place() {
        let shipped = include_str!("profiles/loopiq.yaml");
        for (from, to, said) in [
            ("optional: true }", "optionl: true }", "unknown field `optionl`"),
            (
                "release: { at: /releaseId, optional: true }",
                "release: { at: /releaseId, optinal: true }",
                "unknown field `optinal`",
            ),
            ("pass: [certified]", "pass: certified", "expected a sequence"),
            ("basis: assumed\n    pass", "pass", "missing field `basis`"),
            ("class: read", "class: reed", "unknown variant `reed`"),
            ("id: /certification/id", "id: certification", "`certification` is not a JSON pointer"),
            ("id: /certification/id", "id: 7", "a JSON pointer, or a mapping with `at`"),
            ("key_retention: PT24H", "key_retention: a day", "line "),
        ] {
            let text = shipped.replacen(from, to, 1);
            assert_ne!(text, shipped, "{from}");
            let error = Profile::parse("test", &text).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(" line "), "{said}: {error}");
        }
    }
}
