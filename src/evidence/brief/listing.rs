//! Records as reads give them, one by one and in lists, and what keeps a list from being relied on.

use std::collections::HashSet;

use serde_json::Value;

use super::first;
use crate::core::text::excerpt;
use crate::evidence::doubt::Doubts;
use crate::evidence::graph::said;
use crate::evidence::words::State;

/// Doubts that are told; the rest is counted.
const MOST_DOUBTS: usize = 8;
/// Characters of an ID or a word in a sentence.
const MOST_OF_A_WORD: usize = 60;

/// The projected value of an operation that lists: `{complete, items}`.
pub(super) struct Listed<'a> {
    /// What was listed, as it came.
    pub items: &'a [Value],
    /// Whether the server says that this is all of it.
    pub is_complete: bool,
}

impl<'a> Listed<'a> {
    /// Reads a list. Where there is none, nothing is listed and it is not complete.
    pub fn read(value: &'a Value) -> Self {
        let items = value.get("items").and_then(Value::as_array);
        Self {
            items: items.map(Vec::as_slice).unwrap_or_default(),
            is_complete: items.is_some() && value.get("complete") == Some(&Value::Bool(true)),
        }
    }
}

/// A record of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// Its ID, which no other record of the list has.
    pub id: &'a str,
    value: &'a Value,
}

impl<'a> Record<'a> {
    /// A text that is not blank.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        text(self.value, name)
    }

    /// A number that is not below zero.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.value.get(name)?.as_f64().filter(|number| number.is_finite() && *number >= 0.0)
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Vec<&'a str> {
        let items = self.value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).collect()
    }

    /// The items of a list.
    pub fn list(&self, name: &str) -> &'a [Value] {
        self.value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// A whole number from 0.
    pub fn whole(&self, name: &str) -> Option<u64> {
        self.value.get(name)?.as_u64()
    }
}

/// A member that is a text and not blank.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    said(value.get(name)?)
}

/// The state of a record, as the profile translates it.
pub(super) fn state(value: &Value) -> State {
    State::of(text(value, "state"))
}

/// The doubts that are told.
pub(super) fn told(doubts: Doubts) -> Vec<String> {
    first(doubts.0.into_iter(), MOST_DOUBTS, "")
}

/// An ID or a word of others in a sentence.
pub(super) fn word(text: &str) -> String {
    format!("`{}`", excerpt(text, MOST_OF_A_WORD))
}

/// The records under `items` of a read that lists `what`. A list that is not there or not whole, a record without an
/// ID and one that comes twice are doubts.
pub(super) fn records<'a>(what: &str, answer: &'a Value, doubts: &mut Doubts) -> Vec<Record<'a>> {
    let Some(items) = answer.get("items").and_then(Value::as_array) else {
        doubts.push(format!("there is no list of {what}"));
        return Vec::new();
    };
    if answer.get("complete") != Some(&Value::Bool(true)) {
        doubts.push(format!("the list of {what} is not known to be complete"));
    }
    let mut known = HashSet::with_capacity(items.len());
    let mut records = Vec::with_capacity(items.len());
    for (place, value) in items.iter().enumerate() {
        match text(value, "id") {
            None => doubts.push(format!("number {} of the {what} has no ID", place + 1)),
            Some(id) if !known.insert(id) => {
                doubts.push(format!("{} comes twice among the {what}", word(id)))
            }
            Some(id) => records.push(Record { id, value }),
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_list_that_says_so_is_complete() {
        let complete = |value: Value| Listed::read(&value).is_complete;
        assert!(complete(json!({"complete": true, "items": []})));
        for value in [
            json!({"complete": false, "items": []}),
            json!({"items": []}),
            json!({"complete": true}),
            json!({"complete": "true", "items": []}),
            json!({"complete": true, "items": {}}),
            json!(null),
        ] {
            assert!(!complete(value.clone()), "{value}");
        }
    }

    #[test]
    fn a_list_that_is_not_whole_and_records_that_cannot_be_told_apart_are_doubts() {
        let came = |answer: &Value| {
            let mut doubts = Doubts::default();
            let ids: Vec<String> =
                records("things", answer, &mut doubts).iter().map(|one| one.id.to_owned()).collect();
            (ids, told(doubts))
        };
        let whole = json!({"complete": true, "items": [{"id": "A"}, {"id": "B"}]});
        assert_eq!(came(&whole), (vec!["A".into(), "B".into()], vec![]));
        for (answer, says) in [
            (json!({"complete": true}), "there is no list of things"),
            (json!({"complete": true, "items": null}), "there is no list of things"),
            (json!({"complete": false, "items": []}), "the list of things is not known to be complete"),
            (json!({"items": []}), "the list of things is not known to be complete"),
            (json!({"complete": true, "items": [{"id": " "}]}), "number 1 of the things has no ID"),
            (
                json!({"complete": true, "items": [{"id": "A"}, {"id": "A"}]}),
                "`A` comes twice among the things",
            ),
        ] {
            assert_eq!(came(&answer).1, [says], "{answer}");
        }
        let many = json!({"complete": true, "items": vec![json!({}); 30]});
        let doubts = came(&many).1;
        assert_eq!((doubts.len(), doubts.last().unwrap().as_str()), (MOST_DOUBTS + 1, "and 22 more"));
    }
}
