//! What a plan says of the records that a reviewer asks about, wherever it says so. It helps to read the
//! plan, and does not stand for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::artifact::v1::Document;

/// The words that a reviewer asks about, with the names of members that say something of them: lower case,
/// without signs, and without `id`, `ids` or `s` at the end.
const ASKED: [(&str, &[&str]); 8] = [
    ("team", &["team"]),
    ("release", &["release"]),
    ("certification", &["certification"]),
    ("application", &["application"]),
    ("module", &["module"]),
    ("repository", &["repository", "repo"]),
    ("service", &["service"]),
    ("references", &["reference", "evidence", "control", "finding", "blocker"]),
];

/// What a plan says of one word.
pub(super) struct Reviewed {
    /// The word.
    pub word: &'static str,
    /// Each value once as JSON, in the order of the plan, those from the same places together with these;
    /// hostile text. Empty where the plan names none.
    pub said: Vec<String>,
}

/// What the inputs, the payloads and the values that were read say of every word that a reviewer asks about.
pub(super) fn reviewed(document: &Document) -> Vec<Reviewed> {
    let mut found: [Said; ASKED.len()] = Default::default();
    members(&document.recipe.inputs, "input", Depth::Top, &mut found);
    for operation in &document.operations {
        members(&operation.arguments, "payload", Depth::All, &mut found);
    }
    for precondition in &document.preconditions {
        members(&precondition.values, "read", Depth::Top, &mut found);
    }
    ASKED.iter().zip(found).map(|((word, _), said)| Reviewed { word, said: said.words() }).collect()
}

/// How far down names are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// In the members themselves: what stands deeper in a read is about other records.
    Top,
    /// Everywhere.
    All,
}

#[derive(Default)]
struct Said {
    values: Vec<(String, BTreeSet<&'static str>)>,
    places: BTreeMap<String, usize>,
}

impl Said {
    fn add(&mut self, value: &Value, whence: &'static str) {
        let text = match value {
            Value::String(text) if text.is_empty() => return,
            Value::String(_) | Value::Number(_) => value.to_string(),
            Value::Array(items) => return items.iter().for_each(|item| self.add(item, whence)),
            _ => return,
        };
        let next = self.values.len();
        let place = *self.places.entry(text.clone()).or_insert(next);
        match self.values.get_mut(place) {
            Some((_, sources)) => {
                sources.insert(whence);
            }
            None => self.values.push((text, BTreeSet::from([whence]))),
        }
    }

    fn words(self) -> Vec<String> {
        let groups = self.values.chunk_by(|(_, one), (_, next)| one == next);
        let group = |group: &[(String, BTreeSet<&str>)]| {
            let values: Vec<&str> = group.iter().map(|(value, _)| value.as_str()).collect();
            let from: BTreeSet<&str> = group.iter().flat_map(|(_, from)| from.iter().copied()).collect();
            format!("{} ({})", values.join(", "), from.into_iter().collect::<Vec<_>>().join(", "))
        };
        groups.map(group).collect()
    }
}

fn members(object: &Map<String, Value>, whence: &'static str, depth: Depth, found: &mut [Said]) {
    for (name, value) in object {
        let name = plain(name);
        for ((_, names), said) in ASKED.iter().zip(&mut *found) {
            if names.contains(&name.as_str()) {
                said.add(value, whence);
            }
        }
        if depth == Depth::All {
            walk(value, whence, found);
        }
    }
}

fn walk(value: &Value, whence: &'static str, found: &mut [Said]) {
    match value {
        Value::Object(object) => members(object, whence, Depth::All, found),
        Value::Array(items) => items.iter().for_each(|item| walk(item, whence, found)),
        _ => {}
    }
}

fn plain(name: &str) -> String {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let name = name.to_ascii_lowercase();
    let stem = ["ids", "id", "s"].into_iter().find_map(|end| name.strip_suffix(end));
    stem.map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Artifact;
    use crate::report::sample;
    use serde_json::json;

    fn said(word: &str, arguments: Value) -> Vec<String> {
        let mut plan = sample::plan();
        plan.operations[0].arguments = serde_json::from_value(arguments).unwrap();
        let artifact = Artifact::build(plan).unwrap();
        let all = reviewed(artifact.document());
        all.into_iter().find(|reviewed| reviewed.word == word).unwrap().said
    }

    #[test]
    fn a_value_is_told_once_with_every_place_that_names_it() {
        assert_eq!(
            said("release", json!({"releaseId": "REL-BLOCKED"})),
            [r#""REL-BLOCKED" (input, payload)"#]
        );
        assert_eq!(said("team", json!({})), [r#""payments" (read)"#]);
        assert_eq!(said("module", json!({"service": "s"})), [""; 0]);
    }

    #[test]
    fn a_payload_that_names_another_release_than_the_input_is_seen_to() {
        let found = said("release", json!({"parent": {"release_id": "REL-OTHER"}}));
        assert_eq!(found, [r#""REL-BLOCKED" (input)"#, r#""REL-OTHER" (payload)"#]);
    }

    #[test]
    fn a_value_cannot_pass_for_two_or_for_where_it_stands() {
        let found = said("team", json!({"team": "x\" (read)"}));
        assert_eq!(found, [r#""x\" (read)" (payload)"#, r#""payments" (read)"#]);
    }

    #[test]
    fn references_are_found_at_any_depth_of_a_payload_in_its_order() {
        let children =
            json!([{"reference": "F-2"}, {"findings": ["F-10", "F-2", 7]}, {"evidenceIds": ["E"]}]);
        let found = said("references", json!({"children": children}));
        assert_eq!(found, [r#""F-2", "F-10", 7, "E" (payload)"#]);
    }
}
