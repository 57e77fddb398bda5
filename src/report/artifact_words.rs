//! What an artifact says, in the words that every output of it shares. All of it is hostile text still.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::stand_in::server_name;
use crate::artifact::v1::{
    Expectation, Idempotency, Lookup, Operation, PlannedBy, Precondition, Slot, TenantKnownBy,
};
use crate::core::json::canonical;
use crate::core::{Digest, Projection};

/// The longest value of a precondition that is shown as it is, in characters of JSON.
const LONGEST_VALUE: usize = 400;

/// Where no tenant is named.
pub(super) const NO_TENANT: &str = "none: neither the server nor the caller named one";

/// How a tenant is known.
pub(super) fn known_by(how: TenantKnownBy) -> &'static str {
    match how {
        TenantKnownBy::Claim => "as the credential says",
        TenantKnownBy::Tool => "as the server itself says",
        TenantKnownBy::Asserted => "as the caller says; the server was not heard on it",
        TenantKnownBy::None => "and nothing says how that is known",
    }
}

/// The tenant, and how it is known.
pub(super) fn tenant_words(tenant: Option<&str>, how: TenantKnownBy) -> String {
    tenant.map_or_else(|| NO_TENANT.to_owned(), |tenant| format!("{tenant}, {}", known_by(how)))
}

/// On whom something is done.
pub(super) fn whom(tenant: Option<&str>, server: &str, sandbox: bool) -> String {
    let server = server_name(sandbox, server);
    match tenant {
        Some(tenant) => format!("{tenant} on {server}"),
        None => server.to_owned(),
    }
}

/// What wrote the plan, and who ran it where somebody says so.
pub(super) fn planner(PlannedBy { version, who, pipeline }: &PlannedBy) -> String {
    let place = pipeline.as_ref().map_or_else(String::new, |pipeline| {
        let (platform, run) = (&pipeline.platform, &pipeline.run);
        format!(", in {platform} run {run}, caused by {}", pipeline.people.join(", "))
    });
    match who {
        Some(who) => format!("{version}, run by {who}{place}; nobody vouches for that"),
        None => format!("{version}{place}"),
    }
}

/// Whether the server confirmed a dry run, and how it is known or why not.
pub(super) fn validated(operation: &Operation) -> String {
    let word = if operation.server_validated { "confirmed" } else { "NOT confirmed" };
    if operation.server_validated_why.is_empty() {
        word.to_owned()
    } else {
        format!("{word}: {}", operation.server_validated_why)
    }
}

/// What happens if the operation is sent twice, or its answer is lost.
pub(super) fn repetition(operation: &Operation) -> String {
    let kept = operation.key_retention.map_or_else(
        || "nobody said for how long it keeps it".to_owned(),
        |time| format!("it keeps it for {time:#}"),
    );
    let again = match operation.idempotency {
        Idempotency::Key => format!("the server takes the same key once; {kept}"),
        Idempotency::Natural => "doing it again has no further effect".to_owned(),
        Idempotency::None => "doing it again is a second effect".to_owned(),
    };
    match (&operation.reconcile, operation.idempotency) {
        (Some(_), _) => format!("{again}; a lost answer is settled by a read"),
        (None, Idempotency::None) => format!("{again}; a lost answer needs a person"),
        (None, _) => again,
    }
}

/// Whether a tool error means that nothing was done.
pub(super) fn transaction(operation: &Operation) -> &'static str {
    if operation.one_transaction {
        "all or nothing: an error means that nothing was done"
    } else {
        "not known to be all or nothing: after an error, part of it may be done"
    }
}

/// What a slot is filled with.
pub(super) fn slot(slot: &Slot, operation: &Operation) -> String {
    match slot {
        Slot::DryRun { dry, real, .. } => format!("{real} ({dry} for a dry run)"),
        Slot::ApprovalId { .. } => "the approval's ID".to_owned(),
        Slot::IdempotencyKey { .. } => operation.idempotency_key.as_str().to_owned(),
        Slot::RequestId { .. } => "the ID of the attempt".to_owned(),
        Slot::Trace { .. } => "the trace of the attempt".to_owned(),
        Slot::Secret { name, .. } => format!("the secret `{name}`"),
    }
}

/// What an answer must say.
pub(super) fn expectations(expected: &[Expectation]) -> String {
    let each = expected.iter().map(|one| format!("{} is {}", one.at, one.equals));
    each.collect::<Vec<_>>().join(", and ")
}

/// Where values stand, by their names.
pub(super) fn places(fields: &BTreeMap<String, Projection>) -> String {
    let each = fields.iter().map(|(name, projection)| format!("{name} at {}", place(projection)));
    each.collect::<Vec<_>>().join(", ")
}

/// Where a value stands, and what of it counts.
pub(super) fn place(Projection { at, each, state, optional, non_empty }: &Projection) -> String {
    let mut words = match at.as_str() {
        "" => "the whole".to_owned(),
        pointer => pointer.to_owned(),
    };
    if let Some(vocabulary) = state {
        words.push_str(&format!(" (a word of {vocabulary})"));
    }
    if *optional {
        words.push_str(" (optional)");
    }
    if *non_empty {
        words.push_str(" (not empty)");
    }
    if let Some(each) = each {
        words.push_str(&format!(" (of each: {})", places(each)));
    }
    words
}

/// The call that finds created records: tool and arguments, then where IDs and records stand.
pub(super) fn lookup(Lookup { tool, arguments, ids_at, found, compare }: &Lookup) -> (String, String) {
    let call = format!("{tool} {}", Value::Object(arguments.clone()));
    let mut places = format!("the IDs at {ids_at}, what exists at {}", place(found));
    for (name, fields) in compare {
        for (field, at) in fields {
            places.push_str(&format!(", {name}.{field} equal to {at}"));
        }
    }
    (call, places)
}

/// A value that a read gave.
pub(super) struct Reading<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it stands in the answer; `None` where the answer counts as it is.
    pub at: Option<String>,
    /// What it was; a long one by its size and digest.
    pub was: String,
}

/// Everything that counts of a read's answer.
pub(super) fn readings(Precondition { fields, values, .. }: &Precondition) -> Vec<Reading<'_>> {
    let names: BTreeSet<&String> = fields.keys().chain(values.keys()).collect();
    let reading = |name: &'_ String| (fields.get(name).map(place), values.get(name).map(short_value));
    names
        .into_iter()
        .map(|name| {
            let (at, was) = reading(name);
            Reading { name, at, was: was.unwrap_or_else(|| "nothing".to_owned()) }
        })
        .collect()
}

/// A value as compact JSON; a long one by its size and digest.
pub(super) fn short_value(value: &Value) -> String {
    let json = value.to_string();
    if json.chars().count() <= LONGEST_VALUE {
        return json;
    }
    let what = match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(members) => format!("an object with {} members", members.len()),
        _ => "a text".to_owned(),
    };
    let digest = canonical(value).map(|text| Digest::of_bytes(text.as_bytes()).to_string());
    let digest = digest.unwrap_or_else(|_| "no digest".to_owned());
    format!("{what}, {} bytes of JSON, {digest}; whole in the file", json.len())
}

/// Something with a title within the arguments of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Titled {
    /// How many titled things it stands in.
    pub depth: usize,
    /// Its title.
    pub title: String,
    /// Its other members that are no objects, as `name: value`.
    pub facts: Vec<String>,
}

/// Everything with a `title` in the arguments: what is created, and in what. What stands alone, such as a
/// parent, comes before lists, such as its children. It helps to read the payload, and does not stand for
/// it.
pub(super) fn outline(arguments: &Map<String, Value>) -> Vec<Titled> {
    let mut found = Vec::new();
    members(arguments, 0, &mut found);
    found
}

fn members(members: &Map<String, Value>, depth: usize, found: &mut Vec<Titled>) {
    let (alone, lists): (Vec<&Value>, Vec<&Value>) = members.values().partition(|value| value.is_object());
    for value in alone.into_iter().chain(lists) {
        walk(value, depth, found);
    }
}

fn walk(value: &Value, depth: usize, found: &mut Vec<Titled>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, depth, found)),
        Value::Object(object) => match object.get("title") {
            Some(Value::String(title)) => {
                found.push(Titled { depth, title: title.clone(), facts: facts(object) });
                members(object, depth.saturating_add(1), found);
            }
            _ => members(object, depth, found),
        },
        _ => {}
    }
}

fn facts(members: &Map<String, Value>) -> Vec<String> {
    members
        .iter()
        .filter(|(name, value)| *name != "title" && !value.is_object() && !holds_objects(value))
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}: {text}"),
            other => format!("{name}: {other}"),
        })
        .collect()
}

fn holds_objects(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().any(|item| item.is_object() || item.is_array()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::v1::Document;
    use crate::artifact::{Artifact, Plan, sample as artifact_sample};
    use crate::report::artifact_markdown::artifact_markdown;
    use crate::report::artifact_text::artifact_text;
    use crate::report::terminal::Terminal;
    use serde_json::json;

    /// Every text that the effect digest covers is made another one in turn, so that it is seen in its own
    /// right and not because something else has the same text.
    #[test]
    fn whatever_an_approval_names_is_shown_in_text_and_in_markdown() {
        let artifact = artifact_sample::artifact();
        let outputs = |artifact: &Artifact| {
            let wide = Terminal { width: 10_000, ..Terminal::plain() };
            [artifact_text(artifact, &wide), artifact_markdown(artifact)]
        };
        let document: Value = serde_json::from_slice(artifact.bytes()).unwrap();
        let mut fixed = BTreeSet::new();
        for pointer in artifact_sample::leaves(artifact.effect()) {
            let Some(text) = artifact.effect().pointer(&pointer).and_then(Value::as_str) else { continue };
            let marker = if text.starts_with('/') { "/a/marker" } else { "a marker" };
            let mut changed = document.clone();
            *changed.pointer_mut(&pointer).unwrap() = json!(marker);
            let changed = serde_json::from_value(changed).ok().map(|changed: Document| Plan::from(changed));
            if let Some(changed) = changed {
                for output in outputs(&Artifact::build(changed).unwrap()) {
                    assert!(output.contains(marker), "{pointer} in\n{output}");
                }
            } else {
                fixed.insert(pointer.rsplit('/').next().unwrap().to_owned());
                if text.starts_with("sha256:") || text.starts_with("lg1-") {
                    assert!(outputs(&artifact).iter().all(|output| output.contains(text)), "{pointer}");
                }
            }
        }
        // Words of the format, which are shown in other words, and digests and keys, which are shown.
        let words = ["class", "holds", "idempotency", "idempotency_key", "key_retention", "tool_digest"];
        assert_eq!(fixed, words.map(str::to_owned).into());
    }

    #[test]
    fn the_names_of_what_is_created_and_read_are_shown() {
        let mut plan = artifact_sample::plan();
        let each = json!({"at": "/list", "each": {"NAME1": {"at": "", "optional": true}}});
        let one = json!({"NAME2": each, "NAME3": {"at": "/s", "state": "WORDS"}});
        plan.operations[0].created.as_mut().unwrap().ids = serde_json::from_value(one.clone()).unwrap();
        plan.preconditions[0].fields = serde_json::from_value(one).unwrap();
        plan.preconditions[0].values = Map::new();
        let artifact = Artifact::build(plan).unwrap();
        let wide = Terminal { width: 10_000, ..Terminal::plain() };
        for output in [artifact_text(&artifact, &wide), artifact_markdown(&artifact)] {
            for name in ["NAME1", "NAME2", "NAME3", "WORDS"] {
                assert_eq!(output.matches(name).count(), 2, "{name} in\n{output}");
            }
        }
    }

    #[test]
    fn who_planned_is_shown_where_somebody_says_so_and_nobody_vouches_for_it() {
        let mut plan = artifact_sample::plan();
        plan.planned_by.who = Some("mallory\u{202e}".into());
        let artifact = Artifact::build(plan).unwrap();
        let wide = Terminal { width: 10_000, ..Terminal::plain() };
        for output in [artifact_text(&artifact, &wide), artifact_markdown(&artifact)] {
            let said = r"run by mallory\u{202e}; nobody vouches for that";
            assert!(output.contains(said), "{output}");
        }
    }

    fn of(value: Value) -> Vec<(usize, String, Vec<String>)> {
        let Value::Object(members) = value else { panic!("an object") };
        outline(&members).into_iter().map(|item| (item.depth, item.title, item.facts)).collect()
    }

    #[test]
    fn titles_are_found_with_what_stands_beside_them() {
        let found = of(json!({
            "releaseId": "R",
            "parent": {"title": "Unblock", "owner": "platform", "size": 3},
            "children": [
                {"title": "One", "references": ["a", "b"], "notes": [{"title": "Deep"}]},
                {"name": "no title"},
            ],
        }));
        assert_eq!(
            found,
            [
                (0, "Unblock".into(), vec!["owner: platform".into(), "size: 3".into()]),
                (0, "One".into(), vec![r#"references: ["a","b"]"#.into()]),
                (1, "Deep".into(), vec![]),
            ]
        );
    }

    #[test]
    fn a_long_value_is_told_by_size_and_digest() {
        assert_eq!(short_value(&json!({"a": 1})), r#"{"a":1}"#);
        let long = short_value(&json!(vec!["x"; 200]));
        assert!(long.starts_with("a list of 200, 801 bytes of JSON, sha256:"), "{long}");
        assert!(long.ends_with("whole in the file"));
    }
}
