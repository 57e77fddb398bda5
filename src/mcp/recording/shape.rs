//! Where the answers of two recordings differ in shape: which members there are, and of which types.
//!
//! Two services never hold the same records, so values are not compared. What a recipe stands on is where things
//! are, and what they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::v1::{Call, Document, Seen};
use crate::core::ToolAnswer;
use crate::core::pointer::escape;

/// The answers to one tool in both recordings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolShapes {
    /// The tool.
    pub tool: String,
    /// How many answers with content each recording has.
    pub answers: (usize, usize),
    /// Where they differ; not known where one has no answer.
    pub differences: Vec<ShapeDifference>,
}

/// A place in answers that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeDifference {
    /// JSON pointer, with `*` for every item of a list.
    pub at: String,
    /// The types that stand there in the first recording; none where there is no such place.
    pub before: BTreeSet<&'static str>,
    /// The types that stand there in the second.
    pub after: BTreeSet<&'static str>,
}

type Places = BTreeMap<String, BTreeSet<&'static str>>;

/// Every tool that either calls, by name, with where the answers differ in shape.
#[must_use]
pub fn shapes_compared(before: &Document, after: &Document) -> Vec<ToolShapes> {
    let (before, after) = (answers(&before.calls), answers(&after.calls));
    let tools: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let none = (0, Places::new());
    tools
        .into_iter()
        .map(|tool| {
            let ((first, one), (second, other)) =
                (before.get(tool).unwrap_or(&none), after.get(tool).unwrap_or(&none));
            let differences = match (first, second) {
                (0, _) | (_, 0) => Vec::new(),
                _ => differing(one, other),
            };
            ToolShapes { tool: tool.clone(), answers: (*first, *second), differences }
        })
        .collect()
}

/// By tool: how many answers have content, and what stands where in any of them.
fn answers(calls: &[Call]) -> BTreeMap<String, (usize, Places)> {
    let mut tools: BTreeMap<String, (usize, Places)> = BTreeMap::new();
    for call in calls {
        let (count, places) = tools.entry(call.tool.clone()).or_default();
        let Seen::Answer(content) = &call.seen else { continue };
        let answer = ToolAnswer::from(content.clone());
        *count = count.saturating_add(1);
        match answer.content() {
            Some(content) => walk(&content, &mut String::new(), places),
            None => {
                places.entry(String::new()).or_default().insert("text");
            }
        }
    }
    tools
}

fn walk(value: &Value, at: &mut String, places: &mut Places) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    places.entry(at.clone()).or_default().insert(kind);
    let length = at.len();
    let mut below = |name: &str, value: &Value| {
        at.push('/');
        at.push_str(name);
        walk(value, at, places);
        at.truncate(length);
    };
    match value {
        Value::Array(items) => items.iter().for_each(|item| below("*", item)),
        Value::Object(members) => members.iter().for_each(|(name, member)| below(&escape(name), member)),
        _ => {}
    }
}

/// The places that differ, the highest of each branch that only one has.
fn differing(one: &Places, other: &Places) -> Vec<ShapeDifference> {
    let all: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let missing_in = |places: &Places, at: &str| {
        let above = at.rsplit_once('/').map(|(above, _)| above);
        above.is_some_and(|above| !places.contains_key(above))
    };
    let none = BTreeSet::new();
    all.into_iter()
        .filter(|at| !missing_in(one, at) && !missing_in(other, at))
        .filter_map(|at| {
            let (before, after) = (one.get(at).unwrap_or(&none), other.get(at).unwrap_or(&none));
            // Of a list that was always empty nothing is known.
            let unknown = at.ends_with("/*") && (before.is_empty() || after.is_empty());
            (before != after && !unknown).then(|| ShapeDifference {
                at: at.clone(),
                before: before.clone(),
                after: after.clone(),
            })
        })
        .collect()
}
