//! What an answer says, read through the profile.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::operation::{Created, Operation};
use super::profile::Profile;
use crate::core::json::same;
use crate::core::pointer::escape;
use crate::core::projection::{Lack, Missing};
use crate::core::text::{excerpt, visible};
use crate::core::{Pointer, Projection, ToolAnswer};

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
    /// Reads `answer`, which came for the tool's arguments `given`, as the operation's result. An operation
    /// without one gives the answer as it is; an answer for something else than was asked for gives nothing.
    #[must_use]
    pub fn read_answer(
        &self,
        operation: &Operation,
        given: &Map<String, Value>,
        answer: &ToolAnswer,
    ) -> Reading {
        let Some(result) = &operation.result else {
            return Reading { value: answer.plain(), unknown: BTreeMap::new() };
        };
        let Some(content) = answer.content() else {
            let reason = "the answer has neither structured content nor one text that is a JSON object";
            return Reading::of_nothing(result, vec![reason.to_owned()]);
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
        match of_something_else(operation, given, &value) {
            others if others.is_empty() => Reading { value: Value::Object(value), unknown },
            others => Reading::of_nothing(result, others),
        }
    }
}

impl Reading {
    /// All of `result` unknown.
    fn of_nothing(result: &BTreeMap<String, Projection>, reasons: Vec<String>) -> Self {
        let value = result.keys().map(|name| (name.clone(), Value::Null)).collect();
        Self { value: Value::Object(value), unknown: BTreeMap::from([(String::new(), reasons)]) }
    }
}

/// Each result that is not what was given for the argument that it echoes, in words.
fn of_something_else(
    operation: &Operation,
    given: &Map<String, Value>,
    read: &Map<String, Value>,
) -> Vec<String> {
    if operation.echoes.is_empty() {
        return Vec::new();
    }
    let given = Value::Object(given.clone());
    let compared = operation.echoes.iter().filter_map(|(result, argument)| {
        let asked = operation.arguments.get(argument)?.at.get(&given)?;
        let answered = read.get(result).filter(|value| !value.is_null());
        let asked_for = format!("asked for {} `{}`", visible(argument), shown(asked));
        match answered {
            Some(answered) if same(asked, answered) => None,
            Some(answered) => Some(format!("{asked_for}, answered for `{}`", shown(answered))),
            None => {
                let at = operation.result.as_ref()?.get(result)?.at.as_str();
                Some(format!("{asked_for}, and `{}` is missing", visible(at)))
            }
        }
    });
    compared.collect()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| excerpt(&value.to_string(), 80), |text| excerpt(text, 80))
}

/// The IDs that `answer` names as created, by what they are.
///
/// # Errors
/// What stands where an ID or a list of them belongs and is none, in words. No value, null and a list
/// without items name nothing.
pub fn created_ids(created: &Created, answer: &ToolAnswer) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut named = BTreeMap::new();
    let Some(content) = answer.content() else { return Ok(named) };
    for (name, projection) in &created.ids {
        let ids = ids_at(projection, &content)?;
        if !ids.is_empty() {
            named.insert(name.clone(), ids);
        }
    }
    Ok(named)
}

fn ids_at(Projection { at, each, .. }: &Projection, content: &Value) -> Result<Vec<String>, String> {
    let Some(value) = found_at(at, content, "")? else { return Ok(Vec::new()) };
    let (items, fields) = match (each, value) {
        (Some(fields), Value::Array(items)) => (items, fields),
        (Some(_), _) => return Err(format!("`{at}` is `{}`, which is no list of IDs", shown(value))),
        (None, _) => return id_of(value, at.as_str()).map(|id| vec![id]),
    };
    let ids = items.iter().enumerate().map(|(index, item)| {
        let place = format!("{at}/{index}");
        let id = match fields.get("id") {
            Some(id) => found_at(&id.at, item, &place)?,
            None => None,
        };
        id_of(id.unwrap_or(item), &place)
    });
    ids.collect()
}

/// What stands at `at` in `value`, which itself stands at `above`.
///
/// # Errors
/// Something on the way that holds no members is more than nothing: it may be the ID itself.
fn found_at<'v>(at: &Pointer, value: &'v Value, above: &str) -> Result<Option<&'v Value>, String> {
    let mut here = value;
    let mut place = above.to_owned();
    for token in at.tokens() {
        let members = match here {
            Value::Null => return Ok(None),
            Value::Object(members) => members,
            other => return Err(format!("`{}` is `{}`, which is no object", visible(&place), shown(other))),
        };
        let Some(member) = members.get(&token) else { return Ok(None) };
        place = format!("{place}/{}", escape(&token));
        here = member;
    }
    Ok(Some(here).filter(|value| !value.is_null()))
}

fn id_of(value: &Value, place: &str) -> Result<String, String> {
    match value {
        Value::String(id) if !id.trim().is_empty() => Ok(id.clone()),
        other => Err(format!("`{}` is `{}`, which is no ID", visible(place), shown(other))),
    }
}

/// Whether `answer` says that the call was a dry run, in every way that the profile asks for. Where the
/// profile asks for nothing, nothing confirms it.
#[must_use]
pub fn confirms_dry_run(operation: &Operation, answer: &ToolAnswer) -> bool {
    let expected = &operation.dry_run_confirmed;
    let Some(content) = answer.content().filter(|_| !expected.is_empty()) else { return false };
    expected
        .iter()
        .all(|expectation| expectation.at.get(&content).is_some_and(|found| same(found, &expectation.equals)))
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
        Lack::Empty => format!("`{at}` is empty"),
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
        profile.read_answer(profile.operation(operation).unwrap(), &Map::new(), answer)
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
        let reading = Profile::loopiq().unwrap().read_answer(&operation, &Map::new(), &answer);
        assert_eq!(reading, Reading { value: answer.plain(), unknown: BTreeMap::new() });
    }

    #[test]
    fn evidence_of_something_else_than_was_asked_for_is_none() {
        let read = |operation: &str, given: Value, answer: Value| {
            let profile = Profile::loopiq().unwrap();
            let given = given.as_object().unwrap();
            profile.read_answer(profile.operation(operation).unwrap(), given, &structured(answer))
        };
        let certification = |release: Value| json!({"certification": {"id": "C", "release": {"id": release}, "status": "certified"}});
        let asked = json!({"releaseId": "R"});
        assert_eq!(read("certification", asked.clone(), certification(json!("R"))).unknown, BTreeMap::new());
        for (answered, reason) in [
            (json!("OTHER"), "asked for release `R`, answered for `OTHER`"),
            (json!(7), "asked for release `R`, answered for `7`"),
            (json!(null), "asked for release `R`, and `/certification/release/id` is missing"),
        ] {
            let reading = read("certification", asked.clone(), certification(answered));
            assert_eq!(reading.unknown, BTreeMap::from([(String::new(), vec![reason.to_owned()])]));
            assert_eq!(reading.value["state"], Value::Null);
        }
        let both = json!({"releaseId": "R", "certificationId": "C-2"});
        let reading = read("certification", both, certification(json!("R")));
        assert_eq!(reading.unknown[""], ["asked for certification `C-2`, answered for `C`"]);
        let nodes = json!([{"id": "E", "type": "evidence", "title": "t", "status": "passed"}]);
        let graph = json!({"graph": {"certificationId": "C-THIRD", "edges": [], "nodes": nodes}});
        let reading = read("evidence_graph", json!({"certificationId": "C"}), graph);
        assert_eq!(reading.unknown[""], ["asked for certification `C`, answered for `C-THIRD`"]);
    }

    #[test]
    fn an_empty_graph_is_not_known() {
        let graph = json!({"graph": {"certificationId": "C", "edges": [], "nodes": []}});
        let reading = read("evidence_graph", &structured(graph));
        let reasons = vec!["`/graph/nodes` is empty".to_owned()];
        assert_eq!(reading.unknown, BTreeMap::from([("nodes".to_owned(), reasons)]));
        assert_eq!(reading.value["nodes"], json!([]), "an analysis may look at it");
    }

    #[test]
    fn whatever_stands_where_a_created_id_belongs_is_an_id_or_told() {
        let created = work_package().created.unwrap();
        let ids = |answer: Value| created_ids(&created, &structured(answer));
        let expected = BTreeMap::from([
            ("children".to_owned(), vec!["TASK-1".to_owned()]),
            ("parent".to_owned(), vec!["STORY-1".to_owned()]),
        ]);
        let answer = json!({"parentStory": {"id": "STORY-1"}, "childTasks": [{"id": "TASK-1"}]});
        assert_eq!(ids(answer), Ok(expected));
        for nothing in [json!({}), json!({"parentStory": null}), json!({"parentStory": {"id": null}})] {
            assert_eq!(ids(nothing), Ok(BTreeMap::new()));
        }
        assert_eq!(ids(json!({"childTasks": []})), Ok(BTreeMap::new()));
        assert_eq!(created_ids(&created, &ToolAnswer::default()), Ok(BTreeMap::new()));
        for (answer, said) in [
            (json!({"parentStory": {"id": 7}}), "`/parentStory/id` is `7`"),
            (json!({"parentStory": {"id": " "}}), "`/parentStory/id` is ` `"),
            (json!({"parentStory": {"id": false}}), "`/parentStory/id` is `false`"),
            (json!({"parentStory": {"id": {}}}), "`/parentStory/id` is `{}`"),
            (json!({"parentStory": "STORY-1"}), "`/parentStory` is `STORY-1`"),
            (json!({"childTasks": {"id": "TASK-1"}}), "`/childTasks` is `{"),
            (json!({"childTasks": "TASK-1"}), "`/childTasks` is `TASK-1`"),
            (json!({"childTasks": [{"id": "TASK-1"}, {"id": 7}]}), "`/childTasks/1` is `7`"),
            (json!({"childTasks": [{}]}), "`/childTasks/0` is `{}`"),
            (json!({"childTasks": ["TASK-1"]}), "`/childTasks/0` is `TASK-1`"),
            (json!({"childTasks": [null]}), "`/childTasks/0` is `null`"),
        ] {
            let problem = ids(answer).unwrap_err();
            assert!(problem.starts_with(said), "{said}: {problem}");
        }
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
