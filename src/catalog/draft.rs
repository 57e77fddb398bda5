//! A first profile for a server, from what it says of its tools: a text for a person to go through.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::places::{Place, Places};
use crate::core::ToolDefinition;
use crate::core::pointer::escape;
use crate::core::text::{excerpt, is_hidden};

/// How much of a tool's description becomes a summary, in characters.
const SUMMARY: usize = 100;
/// Words that YAML takes for something else than text.
const RESERVED: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// The draft of a profile called `name` for a server with these tools, in YAML.
///
/// Every tool is a write in it, because a server's hint never lowers a class; who believes one changes that line.
/// Arguments come from the input schemas, results from the output schemas. What looks like a control argument is
/// made one, so that no recipe sets it.
#[must_use]
pub fn draft(name: &str, tools: &[ToolDefinition]) -> String {
    let mut text = format!(
        "# A draft, from what the server says of its tools; nothing in it was tried. Go through it:\n\
         # - Every tool is a write. Make it `class: read` once you know that it only reads, without any `control`.\n\
         # - Of each write say how it may be repeated: `idempotency: none` (a lost answer needs a person),\n\
         #   `natural` (the same effect however often), or `key` (one effect for each key).\n\
         # - Leave out what no recipe needs, and mark as `assumed` what you have not seen.\n\
         # - Does the server want to be told the tenant? `context: tenant: {{ meta: KEY, basis: assumed }}`, or\n\
         #   `argument: /PLACE`, or `header: NAME`.\n\
         # `loopgate schema profile` has every word; `loopgate profile check` holds it against the server.\n\
         profile: {name}\nsummary: Tools of {name}\ncontext:\n  trace: {{ meta: traceparent, basis: protocol }}\n",
        name = scalar(name),
    );
    if tools.is_empty() {
        text.push_str("operations: {}\n");
        return text;
    }
    text.push_str("operations:\n");
    let mut taken = BTreeSet::new();
    for tool in tools {
        operation(&mut text, &unique(&identifier(&tool.name), &mut taken), tool);
    }
    text
}

fn operation(text: &mut String, name: &str, tool: &ToolDefinition) {
    let mut line = |depth: usize, content: &str| {
        text.push_str(&"  ".repeat(depth));
        text.push_str(content);
        text.push('\n');
    };
    let told = tool.description.as_deref().and_then(|words| words.trim().lines().next());
    let summary = told.filter(|words| !words.trim().is_empty()).unwrap_or(&tool.name);
    line(1, &format!("{name}:"));
    line(2, &format!("summary: {}", scalar(&excerpt(summary.trim(), SUMMARY))));
    line(2, &format!("tool: {}", scalar(&tool.name)));
    let hint = if tool.hints_read_only() { "  # the server says that it only reads" } else { "" };
    line(2, &format!("class: write{hint}"));
    let arguments = Arguments::of(&tool.input_schema);
    let result = tool.output_schema.as_ref().map(result).unwrap_or_default();
    let seen = if result.is_empty() { "assumed" } else { "observed" };
    let control = if arguments.control.is_empty() { "" } else { ", control: assumed" };
    line(2, &format!("basis: {{ tool: observed, arguments: observed, result: {seen}{control} }}"));
    if arguments.plain.is_empty() {
        line(2, "arguments: {}");
    } else {
        line(2, "arguments:");
        for (argument, entry) in &arguments.plain {
            line(3, &format!("{}: {entry}", scalar(argument)));
        }
    }
    if !arguments.control.is_empty() {
        line(
            2,
            "# By their names; no recipe sets them. Say what an answer to a dry run shows, or none is made:",
        );
        line(2, "# dry_run_confirmed: [{ at: /WHERE/AN/ANSWER/SAYS/SO, equals: true }]");
        line(2, "control:");
        for entry in &arguments.control {
            line(3, entry);
        }
    }
    if !tool.hints_read_only() {
        line(2, "idempotency: none");
    }
    if !result.is_empty() {
        line(2, "result:");
        for entry in &result {
            line(3, entry);
        }
    }
}

struct Arguments {
    plain: BTreeMap<String, String>,
    control: Vec<String>,
}

impl Arguments {
    fn of(schema: &Value) -> Self {
        let (mut plain, mut control) = (BTreeMap::new(), Vec::new());
        let places = Places::of(schema);
        let whole = places.whole();
        let required = places.required(&whole);
        for name in members(&whole).union(&required).copied() {
            let at = scalar(&format!("/{}", escape(name)));
            let is_switch = matches!(places.member(&whole, name), Place::Named(here) if here.iter().any(|schema| {
                schema.get("type").is_some_and(|kind| kind == "boolean")
            }));
            let word: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            match word.to_ascii_lowercase().as_str() {
                "dryrun" if is_switch => {
                    control.push(format!("dry_run: {{ at: {at}, dry: true, real: false }}"));
                }
                "approvalid" => control.push(format!("approval_id: {{ at: {at} }}")),
                "idempotencykey" => control.push(format!("idempotency_key: {{ at: {at} }}")),
                _ => {
                    let entry =
                        if required.contains(name) { at } else { format!("{{ at: {at}, optional: true }}") };
                    plain.insert(name.to_owned(), entry);
                }
            }
        }
        // Two spellings of one control argument leave nobody to say which is meant.
        let mut words = BTreeSet::new();
        control.retain(|entry| words.insert(entry.split(':').next().unwrap_or_default().to_owned()));
        Self { plain, control }
    }
}

/// Each member that an answer may have; of lists of objects their members as well.
fn result(schema: &Value) -> Vec<String> {
    let places = Places::of(schema);
    fields(places, &places.whole(), true)
        .into_iter()
        .map(|(name, entry)| format!("{name}: {entry}"))
        .collect()
}

fn fields<'s>(places: Places<'s>, schemas: &[&'s Value], lists: bool) -> BTreeMap<String, String> {
    let required = places.required(schemas);
    let (mut found, mut taken) = (BTreeMap::new(), BTreeSet::new());
    // Those that keep their names come first, so that no other takes one of them.
    let mut names: Vec<&str> = members(schemas).into_iter().collect();
    names.sort_by_key(|name| identifier(name) != *name);
    for name in names {
        let mut parts = vec![format!("at: {}", scalar(&format!("/{}", escape(name))))];
        if !required.contains(name) {
            parts.push("optional: true".to_owned());
        }
        if lists
            && let Place::Named(here) = places.member(schemas, name)
            && let Place::Named(items) = places.items(&here)
        {
            let each = fields(places, &items, false);
            if !each.is_empty() {
                let each: Vec<String> =
                    each.into_iter().map(|(name, entry)| format!("{name}: {entry}")).collect();
                parts.push(format!("each: {{ {} }}", each.join(", ")));
            }
        }
        let entry = match parts.as_slice() {
            [at] => at.trim_start_matches("at: ").to_owned(),
            parts => format!("{{ {} }}", parts.join(", ")),
        };
        found.insert(unique(&identifier(name), &mut taken), entry);
    }
    found
}

fn members<'s>(schemas: &[&'s Value]) -> BTreeSet<&'s str> {
    let properties = schemas.iter().filter_map(|schema| schema.get("properties")?.as_object());
    properties.flatten().map(|(name, _)| name.as_str()).collect()
}

/// A name that templates can use.
fn identifier(name: &str) -> String {
    let mut word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(60).collect();
    let reserved = RESERVED.contains(&word.to_ascii_lowercase().as_str());
    if !word.starts_with(|c: char| c.is_ascii_alphabetic()) || reserved {
        word.insert_str(0, "x_");
    }
    word
}

/// The name, or with a number behind it where it is taken.
fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{name}_{number}");
        number += 1;
    }
    candidate
}

/// Text as a YAML scalar: plain where nothing about it can be misunderstood, else quoted, and what cannot be seen
/// is escaped.
fn scalar(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '-');
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(harmless)
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_hidden(c) || u32::from(c) > 0xffff => {
                quoted.push_str(&format!("\\U{:08X}", u32::from(c)))
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Profile;
    use insta::assert_snapshot;
    use proptest::prelude::*;
    use serde_json::json;

    fn tool(name: &str, input: Value, output: Option<Value>, hints: Value) -> ToolDefinition {
        ToolDefinition {
            name: name.to_owned(),
            description: Some(format!("Does {name}.\nAnd more.")),
            input_schema: input,
            output_schema: output,
            annotations: Some(hints),
        }
    }

    #[test]
    fn a_draft_is_a_profile_for_a_person_to_go_through() {
        let tools = [
            tool(
                "search-work",
                json!({"properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["query"]}),
                Some(
                    json!({"properties": {"items": {"type": "array", "items": {"properties": {"id": {}, "state": {}}, "required": ["id"]}}, "total": {}}, "required": ["total"]}),
                ),
                json!({"readOnlyHint": true}),
            ),
            tool(
                "make_work",
                json!({"properties": {"title": {}, "dryRun": {"type": "boolean"}, "idempotency_key": {}}, "required": ["title"]}),
                None,
                json!({}),
            ),
        ];
        let text = draft("tracker", &tools);
        assert_snapshot!(text, @r#"
        # A draft, from what the server says of its tools; nothing in it was tried. Go through it:
        # - Every tool is a write. Make it `class: read` once you know that it only reads, without any `control`.
        # - Of each write say how it may be repeated: `idempotency: none` (a lost answer needs a person),
        #   `natural` (the same effect however often), or `key` (one effect for each key).
        # - Leave out what no recipe needs, and mark as `assumed` what you have not seen.
        # - Does the server want to be told the tenant? `context: tenant: { meta: KEY, basis: assumed }`, or
        #   `argument: /PLACE`, or `header: NAME`.
        # `loopgate schema profile` has every word; `loopgate profile check` holds it against the server.
        profile: tracker
        summary: Tools of tracker
        context:
          trace: { meta: traceparent, basis: protocol }
        operations:
          search_work:
            summary: "Does search-work."
            tool: search-work
            class: write  # the server says that it only reads
            basis: { tool: observed, arguments: observed, result: observed }
            arguments:
              limit: { at: /limit, optional: true }
              query: /query
            result:
              items: { at: /items, optional: true, each: { id: /id, state: { at: /state, optional: true } } }
              total: /total
          make_work:
            summary: "Does make_work."
            tool: make_work
            class: write
            basis: { tool: observed, arguments: observed, result: assumed, control: assumed }
            arguments:
              title: /title
            # By their names; no recipe sets them. Say what an answer to a dry run shows, or none is made:
            # dry_run_confirmed: [{ at: /WHERE/AN/ANSWER/SAYS/SO, equals: true }]
            control:
              dry_run: { at: /dryRun, dry: true, real: false }
              idempotency_key: { at: /idempotency_key }
            idempotency: none
        "#);
        let profile = Profile::parse("draft", &text).unwrap();
        assert!(profile.operations.values().all(|operation| operation.class == crate::core::Class::Write));
        let fit = profile.fit(&tools, &profile.operations.keys().cloned().collect());
        assert_eq!(fit.misfits, []);
    }

    proptest! {
        /// Whatever a server calls its tools and their members, the draft is a profile of exactly these tools.
        #[test]
        fn a_hostile_server_cannot_break_a_draft(
            names in prop::collection::btree_set("\\PC{1,12}|[a-z\"'\\\\{}:#,&*!|>%@`\n\r\t\u{0}\u{85}\u{2028}\u{feff}\u{1F600} -]{1,12}", 1..4),
            members in prop::collection::btree_set("[a-zA-Z\"'\\\\{}:#~/\n\u{202e}\u{1F600}_ -]{1,12}|true|null|on|dryRun|DRY_RUN", 0..5),
            described in "[ -~\n\u{1b}\u{85}\u{2029}é]{0,40}",
        ) {
            let properties: serde_json::Map<String, Value> =
                members.iter().map(|name| (name.clone(), json!({"type": "boolean"}))).collect();
            let schema = json!({"type": "object", "properties": properties});
            let tools: Vec<ToolDefinition> = names.iter().map(|name| ToolDefinition {
                description: Some(described.clone()),
                ..tool(name, schema.clone(), Some(schema.clone()), json!({}))
            }).collect();
            let text = draft("x", &tools);
            let profile = Profile::parse("draft", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let offered: BTreeSet<&str> = profile.operations.values().map(|o| o.tool.as_str()).collect();
            prop_assert_eq!(offered, names.iter().map(String::as_str).collect());
            let fit = profile.fit(&tools, &profile.operations.keys().cloned().collect());
            prop_assert_eq!(fit.misfits, []);
        }
    }
}
