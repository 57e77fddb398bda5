//! Which findings somebody is already working on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::graph::{GraphError, said, wrong};
use crate::core::text::excerpt;

/// Stories that a summary names.
const MOST_NAMED: usize = 5;

/// The findings, parted into new work and what open work covers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// Findings as they came, in their order, that no open work refers to.
    pub proposed: Vec<Value>,
    /// The others, in their order.
    pub covered: Vec<Covered>,
    /// In one line, such as `10 proposed, 30 covered by STORY-1, STORY-2`; safe to print.
    pub summary: String,
    /// Why what is proposed may exist already; `None` where the server's answer is complete. Safe to print.
    pub not_proven: Option<String>,
}

/// A finding that open work refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The finding's ID.
    pub finding: String,
    /// The finding's title.
    pub title: String,
    /// The story or task that refers to it.
    pub by: String,
    /// The story that it belongs to, if it is a task.
    pub parent: Option<String>,
}

/// Parts `findings`, as [`super::analyze`] gives them, by the projected value of a profile's `open_work`
/// (`{complete, items: [{id, state, parent, references}]}`), or `None` where the server cannot be asked.
///
/// An item covers a finding if it is open (`pending`) and refers to the finding's ID. Work on a finding's
/// details covers only the details. Of several items the one with the first ID counts.
///
/// # Errors
/// `findings` has no list `blocking` of objects with an `id`.
pub fn coverage(findings: &Value, open_work: Option<&Value>) -> Result<Coverage, GraphError> {
    let blocking = findings.get("blocking").unwrap_or(&Value::Null);
    let blocking = blocking.as_array().ok_or_else(|| wrong("/blocking".to_owned(), "a list", blocking))?;
    let (items, not_proven) = open_items(open_work);
    let mut coverage =
        Coverage { proposed: Vec::new(), covered: Vec::new(), summary: String::new(), not_proven };
    for (place, finding) in blocking.iter().enumerate() {
        let text = |name: &str| finding.get(name).and_then(Value::as_str);
        let id = text("id")
            .ok_or_else(|| wrong(format!("/blocking/{place}"), "an object with an `id`", finding))?;
        match items.get(id) {
            Some((by, parent)) => coverage.covered.push(Covered {
                finding: id.to_owned(),
                title: text("title").unwrap_or(id).to_owned(),
                by: (*by).to_owned(),
                parent: parent.map(str::to_owned),
            }),
            None => coverage.proposed.push(finding.clone()),
        }
    }
    coverage.summary = summary(&coverage);
    Ok(coverage)
}

/// What covers: an item's ID and its parent.
type Item<'a> = (&'a str, Option<&'a str>);

/// Open items by what they refer to, and what is not known of them.
fn open_items(work: Option<&Value>) -> (BTreeMap<&str, Item<'_>>, Option<String>) {
    let mut covers = BTreeMap::new();
    let Some(work) = work else {
        let reason = "the server cannot be asked for open work, so none of this is known to be new";
        return (covers, Some(reason.to_owned()));
    };
    let mut doubts = Vec::new();
    if work.get("complete") != Some(&Value::Bool(true)) {
        doubts.push("the server does not say that its list of open work is complete".to_owned());
    }
    let items = work.get("items").and_then(Value::as_array);
    if items.is_none() {
        doubts.push("the server gives no list of open work".to_owned());
    }
    let (mut stateless, mut unreadable) = (0_usize, 0_usize);
    for item in items.into_iter().flatten() {
        let text = |name: &str| item.get(name).and_then(said);
        let (Some(id), Some(references)) = (text("id"), item.get("references").and_then(Value::as_array))
        else {
            unreadable += 1;
            continue;
        };
        match text("state") {
            Some("pending") => {}
            Some("pass" | "waived") => continue,
            _ => {
                stateless += 1;
                continue;
            }
        }
        for reference in references.iter().filter_map(Value::as_str) {
            let first = covers.entry(reference).or_insert((id, text("parent")));
            *first = (*first).min((id, text("parent")));
        }
    }
    let mut count = |number: usize, what: &str| {
        if number > 0 {
            doubts.push(format!("{number} of the items {what} and covers nothing"));
        }
    };
    count(unreadable, "has no ID or no list of references");
    count(stateless, "is in no known state");
    (covers, Some(doubts.join("; ")).filter(|reasons| !reasons.is_empty()))
}

fn summary(coverage: &Coverage) -> String {
    let (proposed, covered) = (coverage.proposed.len(), coverage.covered.len());
    if covered == 0 {
        return format!("{proposed} proposed");
    }
    let stories: BTreeSet<&str> = coverage
        .covered
        .iter()
        .map(|covered| covered.parent.as_ref().unwrap_or(&covered.by).as_str())
        .collect();
    let mut named: Vec<String> = stories.iter().take(MOST_NAMED).map(|story| excerpt(story, 60)).collect();
    if let Some(more) = stories.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        named.push(format!("{more} more"));
    }
    format!("{proposed} proposed, {covered} covered by {}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn findings(ids: &[&str]) -> Value {
        json!({"blocking": ids.iter().map(|id| json!({"id": id, "title": format!("about {id}")})).collect::<Vec<_>>()})
    }

    fn task(id: &str, state: &str, references: &[&str]) -> Value {
        json!({"id": id, "kind": "task", "state": state, "parent": "STORY-1", "references": references})
    }

    #[test]
    fn open_work_covers_what_it_refers_to() {
        let work = json!({"complete": true, "items": [
            task("TASK-2", "pending", &["B"]), task("TASK-1", "pending", &["B", "X"]), task("TASK-3", "pass", &["A"]),
        ]});
        let coverage = coverage(&findings(&["A", "B"]), Some(&work)).unwrap();
        assert_eq!(coverage.proposed, [json!({"id": "A", "title": "about A"})]);
        assert_eq!(
            coverage.covered,
            [Covered {
                finding: "B".into(),
                title: "about B".into(),
                by: "TASK-1".into(),
                parent: Some("STORY-1".into())
            }]
        );
        assert_eq!(coverage.summary, "1 proposed, 1 covered by STORY-1");
        assert_eq!(coverage.not_proven, None);
    }

    #[test]
    fn what_cannot_be_asked_or_understood_is_not_proven_and_covers_nothing() {
        let all = findings(&["A"]);
        let reason = |work: Option<Value>| {
            let coverage = coverage(&all, work.as_ref()).unwrap();
            assert_eq!(coverage.summary, "1 proposed");
            coverage.not_proven.unwrap()
        };
        assert!(reason(None).contains("cannot be asked"));
        assert!(reason(Some(json!({"complete": false, "items": []}))).contains("complete"));
        assert!(reason(Some(json!({"complete": null, "items": null}))).contains("no list"));
        let unknown = json!({"complete": true, "items": [task("T", "unknown", &["A"])]});
        assert_eq!(reason(Some(unknown)), "1 of the items is in no known state and covers nothing");
        let broken =
            json!({"complete": true, "items": [7, {"id": "T", "state": "pending", "references": null}]});
        assert!(reason(Some(broken)).starts_with("2 of the items has no ID"));
    }

    #[test]
    fn the_summary_is_bounded_and_shows_no_control_characters() {
        let ids: Vec<String> = (10..40).map(|number| format!("F{number}")).collect();
        let all = findings(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        let story = |id: &String| json!({"id": format!("S\u{1b}{id}"), "state": "pending", "parent": null, "references": [id]});
        let work = json!({"complete": true, "items": ids.iter().map(story).collect::<Vec<_>>()});
        let summary = coverage(&all, Some(&work)).unwrap().summary;
        assert!(summary.starts_with("0 proposed, 30 covered by S\\u{1b}F10, "), "{summary}");
        assert!(summary.ends_with(", 25 more"), "{summary}");
    }

    #[test]
    fn other_findings_are_refused() {
        assert!(coverage(&json!({}), None).is_err());
        assert!(coverage(&json!({"blocking": [{"title": "no id"}]}), None).is_err());
    }
}
