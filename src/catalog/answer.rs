//! What an answer says, read through the profile.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::operation::{Created, Operation};
use super::profile::Profile;
use crate::core::json::canonical;
use crate::core::projection::{Lack, Missing, Verbatim};
use crate::core::text::{excerpt, visible};
use crate::core::{Projection, ToolAnswer};

/// Reasons given for one result. Who has more than these has enough to begin with.
const MOST_REASONS: usize = 20;

/// What a recipe sees of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The results by their names; what is lacking is null, a word that the profile does not know is
    /// `unknown`.
    pub value: Value,
    /// Why a result cannot be relied on, in words with the place, by the result's name; under the empty
    /// name what concerns all of them. Empty: everything was there and understood.
    pub unknown: BTreeMap<String, Vec<String>>,
}

impl Profile {
    /// Reads `answer` as the operation's result. An operation without one gives the answer as it is.
    #[must_use]
    pub fn read_answer(&self, operation: &Operation, answer: &ToolAnswer) -> Reading {
        let Some(result) = &operation.result else {
            return Reading { value: answer.plain(), unknown: BTreeMap::new() };
        };
        let Some(content) = answer.content() else {
            let value = result.keys().map(|name| (name.clone(), Value::Null)).collect();
            let reason = "the answer has neither structured content nor one text that is a JSON object";
            let unknown = BTreeMap::from([(String::new(), vec![reason.to_owned()])]);
            return Reading { value: Value::Object(value), unknown };
        };
        let mut value = Map::new();
        let mut unknown = BTreeMap::new();
        for (name, projection) in result {
            let mut missing = Vec::new();
            value.insert(name.clone(), projection.project(&content, self, &mut missing));
            if !missing.is_empty() {
                unknown.insert(name.clone(), reasons(&missing));
            }
        }
        Reading { value: Value::Object(value), unknown }
    }
}

/// The IDs that `answer` names as created, by what they are. Only text that is not empty is an ID; what
/// has none is left out.
#[must_use]
pub fn created_ids(created: &Created, answer: &ToolAnswer) -> BTreeMap<String, Vec<String>> {
    let Some(content) = answer.content() else { return BTreeMap::new() };
    let ids_at = |projection: &Projection| match projection.project(&content, &Verbatim, &mut Vec::new()) {
        Value::Array(items) => items.into_iter().filter_map(id_of).collect(),
        single => id_of(single).into_iter().collect::<Vec<_>>(),
    };
    let named = created.ids.iter().map(|(name, projection)| (name.clone(), ids_at(projection)));
    named.filter(|(_, ids)| !ids.is_empty()).collect()
}

/// Whether `answer` says that the call was a dry run, in every way that the profile asks for. Where the
/// profile asks for nothing, nothing confirms it.
#[must_use]
pub fn confirms_dry_run(operation: &Operation, answer: &ToolAnswer) -> bool {
    let expected = &operation.dry_run_confirmed;
    let Some(content) = answer.content().filter(|_| !expected.is_empty()) else { return false };
    expected.iter().all(|expectation| {
        let found = expectation.at.get(&content).and_then(|value| canonical(value).ok());
        found.is_some() && found == canonical(&expectation.equals).ok()
    })
}

fn id_of(value: Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id).filter(|id| !id.trim().is_empty()),
        Value::Object(mut members) => members.remove("id").filter(Value::is_string).and_then(id_of),
        _ => None,
    }
}

fn reasons(missing: &[Missing]) -> Vec<String> {
    let mut reasons: Vec<String> = missing.iter().take(MOST_REASONS).map(reason).collect();
    if let Some(more) = missing.len().checked_sub(MOST_REASONS).filter(|more| *more > 0) {
        reasons.push(format!("and {more} more"));
    }
    reasons
}

fn reason(Missing { at, what }: &Missing) -> String {
    let at = visible(at);
    match what {
        Lack::Value => format!("`{at}` is missing"),
        Lack::List => format!("`{at}` is no list"),
        Lack::Word { vocabulary, word } => {
            format!(
                "`{at}` is {}, which the profile's states of `{vocabulary}` do not know",
                excerpt(word, 80)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn structured(value: Value) -> ToolAnswer {
        ToolAnswer { structured: Some(value), text: Vec::new() }
    }

    fn read(operation: &str, answer: &ToolAnswer) -> Reading {
        let profile = Profile::loopiq().unwrap();
        profile.read_answer(profile.operation(operation).unwrap(), answer)
    }

    fn work_package() -> Operation {
        Profile::loopiq().unwrap().operation("work_package").unwrap().clone()
    }

    #[test]
    fn a_complete_answer_is_read_without_doubt() {
        let certification = json!({"certification": {
            "id": "C", "release": {"id": "R"}, "status": "certified", "more": "noise"}});
        let reading = read("certification", &structured(certification));
        assert_eq!(reading.unknown, BTreeMap::new());
        assert_eq!(reading.value["state"], "pass");
        assert_eq!(reading.value["summary"], Value::Null);
        assert_eq!(reading.value.get("more"), None);
    }

    #[test]
    fn what_is_lacking_stands_under_the_result_it_belongs_to() {
        let graph = json!({"graph": {"certificationId": "C", "edges": "none", "nodes": [
            {"id": "E", "type": "evidence", "title": "t", "status": "mau\u{1b}ve"}]}});
        let reading = read("evidence_graph", &structured(graph));
        let expected = BTreeMap::from([
            ("edges".to_owned(), vec!["`/graph/edges` is no list".to_owned()]),
            (
                "nodes".to_owned(),
                vec!["`/graph/nodes/0/status` is \"mau\\u001bve\", which the profile's states of `node` do not know".to_owned()],
            ),
        ]);
        assert_eq!(reading.unknown, expected);
        assert_eq!(reading.value["nodes"][0]["state"], "unknown");
    }

    #[test]
    fn reasons_are_bounded_and_counted() {
        let nodes: Vec<Value> = (0..30).map(|_| json!({"id": "x", "type": "y", "title": "z"})).collect();
        let graph = json!({"graph": {"certificationId": "C", "edges": [], "nodes": nodes}});
        let reading = read("evidence_graph", &structured(graph));
        assert_eq!(reading.unknown["nodes"].len(), MOST_REASONS + 1);
        assert_eq!(reading.unknown["nodes"][MOST_REASONS], "and 10 more");
    }

    #[test]
    fn a_single_text_that_is_an_object_stands_for_structured_content() {
        let text = r#"{"certification": {"id": "C", "release": {"id": "R"}, "status": "blocked"}}"#;
        let answer = ToolAnswer { structured: None, text: vec![text.to_owned()] };
        assert_eq!(read("certification", &answer).value["state"], "fail");
    }

    #[test]
    fn an_answer_that_says_nothing_leaves_everything_unknown() {
        for text in [vec![], vec!["certified".to_owned()], vec!["[1]".to_owned()], vec!["{}".to_owned(); 2]] {
            let reading = read("certification", &ToolAnswer { structured: None, text });
            assert_eq!(reading.unknown.keys().collect::<Vec<_>>(), [""]);
            assert_eq!(reading.value["state"], Value::Null);
        }
    }

    #[test]
    fn an_operation_without_a_result_gives_the_answer_as_it_is() {
        let mut operation = work_package();
        operation.result = None;
        let answer = structured(json!({"a": 1}));
        let reading = Profile::loopiq().unwrap().read_answer(&operation, &answer);
        assert_eq!(reading, Reading { value: answer.plain(), unknown: BTreeMap::new() });
    }

    #[test]
    fn only_text_counts_as_a_created_id() {
        let created = work_package().created.unwrap();
        let answer = json!({"parentStory": {"id": "STORY-1"},
                            "childTasks": [{"id": "TASK-1"}, {"id": ""}, {"id": null}, {"id": 7}, {}]});
        let expected = BTreeMap::from([
            ("children".to_owned(), vec!["TASK-1".to_owned()]),
            ("parent".to_owned(), vec!["STORY-1".to_owned()]),
        ]);
        assert_eq!(created_ids(&created, &structured(answer)), expected);
        assert_eq!(created_ids(&created, &structured(json!({"parentStory": {"id": " "}}))), BTreeMap::new());
        assert_eq!(created_ids(&created, &ToolAnswer::default()), BTreeMap::new());
    }

    #[test]
    fn a_dry_run_that_does_not_confirm_itself_is_none() {
        let mut operation = work_package();
        assert!(confirms_dry_run(&operation, &structured(json!({"dryRun": true}))));
        for answer in
            [json!({}), json!({"dryRun": false}), json!({"dryRun": "true"}), json!({"dryRun": null})]
        {
            assert!(!confirms_dry_run(&operation, &structured(answer)));
        }
        assert!(!confirms_dry_run(&operation, &ToolAnswer::default()));
        operation.dry_run_confirmed.clear();
        assert!(!confirms_dry_run(&operation, &structured(json!({"dryRun": true}))));
    }
}
