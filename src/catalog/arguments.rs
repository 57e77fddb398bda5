//! From the arguments that a recipe names to those that the tool gets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use thiserror::Error;

use super::nearest::nearest;
use super::operation::Operation;
use crate::core::Pointer;
use crate::core::pointer::escape;
use crate::core::text::excerpt;

/// What is wrong with an argument.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArgumentProblem {
    /// The operation has none of that name.
    #[error("`{}` is no argument of this operation", excerpt(name, 100))]
    Unknown {
        /// As it was given.
        name: String,
        /// The argument that was probably meant.
        did_you_mean: Option<String>,
    },
    /// It is not optional and was not given, or is null.
    #[error("the argument `{name}` is missing")]
    Missing {
        /// The argument.
        name: String,
    },
    /// It is a control argument, which no recipe sets.
    #[error("`{}` is a control argument, which no recipe sets", excerpt(name, 100))]
    Control {
        /// As it was given.
        name: String,
    },
    /// Another argument stands in its way.
    #[error("the argument `{name}` cannot be put at `{at}`")]
    Blocked {
        /// The argument.
        name: String,
        /// Its place in the tool's arguments.
        at: Pointer,
    },
}

impl Operation {
    /// The tool's arguments: what is `given` at its places, and what the profile fixes. Control arguments
    /// are not among them. A null for an optional argument leaves it out.
    ///
    /// # Errors
    /// Every problem with what is given.
    pub fn tool_arguments(
        &self,
        given: &BTreeMap<String, Value>,
    ) -> Result<Map<String, Value>, Vec<ArgumentProblem>> {
        let mut problems: Vec<ArgumentProblem> =
            given.keys().filter(|name| !self.arguments.contains_key(*name)).map(|n| self.stray(n)).collect();
        let mut members = Map::new();
        for (name, argument) in &self.arguments {
            match given.get(name).filter(|value| !value.is_null()) {
                Some(value) => {
                    if argument.at.set(&mut members, value.clone()).is_err() {
                        let (name, at) = (name.clone(), argument.at.clone());
                        problems.push(ArgumentProblem::Blocked { name, at });
                    }
                }
                None if argument.optional => {}
                None => problems.push(ArgumentProblem::Missing { name: name.clone() }),
            }
        }
        for (at, value) in &self.fixed {
            if at.set(&mut members, value.clone()).is_err() {
                problems.push(ArgumentProblem::Blocked { name: at.to_string(), at: at.clone() });
            }
        }
        if problems.is_empty() { Ok(members) } else { Err(problems) }
    }

    /// Where in the tool's arguments a place in those that a recipe names goes; none where there is no such argument.
    #[must_use]
    pub fn place(&self, at: &Pointer) -> Option<Pointer> {
        let (name, below) = at.split_first()?;
        self.arguments.get(&name).map(|argument| argument.at.join(&below))
    }

    /// The pointers of [`Operation::must_have`] that are empty in `tool_arguments`, with `*` replaced by
    /// the index. Null, blank text, an empty list and an empty object are empty; so is a list without
    /// items where `*` stands for its items.
    #[must_use]
    pub fn must_have_problems(&self, tool_arguments: &Map<String, Value>) -> Vec<String> {
        let mut empty = Vec::new();
        for pattern in &self.must_have {
            let mut tokens = pattern.split('/').skip(1).map(|t| t.replace("~1", "/").replace("~0", "~"));
            let first = tokens.next().unwrap_or_default();
            let rest: Vec<String> = tokens.collect();
            find_empty(tool_arguments.get(&first), &rest, format!("/{}", escape(&first)), &mut empty);
        }
        let mut seen = BTreeSet::new();
        empty.retain(|pointer| seen.insert(pointer.clone()));
        empty
    }

    fn stray(&self, name: &str) -> ArgumentProblem {
        let is_last = |place: &Pointer| place.tokens().last().as_deref() == Some(name);
        if self.control.places().any(is_last) {
            return ArgumentProblem::Control { name: name.to_owned() };
        }
        let did_you_mean = nearest(name, self.arguments.keys().map(String::as_str)).map(str::to_owned);
        ArgumentProblem::Unknown { name: name.to_owned(), did_you_mean }
    }
}

fn find_empty(value: Option<&Value>, rest: &[String], at: String, empty: &mut Vec<String>) {
    let Some(value) = value.filter(|value| !is_empty(value)) else {
        empty.push(at);
        return;
    };
    match (rest.split_first(), value) {
        (None, _) => {}
        (Some((token, rest)), Value::Array(items)) if token == "*" => {
            for (index, item) in items.iter().enumerate() {
                find_empty(Some(item), rest, format!("{at}/{index}"), empty);
            }
        }
        (Some((token, rest)), _) => {
            find_empty(value.get(token), rest, format!("{at}/{}", escape(token)), empty);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Profile;
    use serde_json::json;

    fn operation(name: &str) -> Operation {
        Profile::loopiq().unwrap().operation(name).unwrap().clone()
    }

    fn given(value: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn members(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn arguments_go_to_their_places_with_what_is_fixed() {
        let arguments = operation("open_work").tool_arguments(&given(json!({"release": "R", "ids": null})));
        assert_eq!(arguments, Ok(members(json!({"releaseId": "R", "open": true}))));
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let given = given(json!({"relaese": "R", "parent": null, "children": [], "dryRun": false}));
        let mut problems = operation("work_package").tool_arguments(&given).unwrap_err();
        problems.sort_by_key(ToString::to_string);
        let missing = |name: &str| ArgumentProblem::Missing { name: name.to_owned() };
        assert_eq!(
            problems,
            [
                ArgumentProblem::Control { name: "dryRun".into() },
                ArgumentProblem::Unknown { name: "relaese".into(), did_you_mean: Some("release".into()) },
                missing("certification"),
                missing("parent"),
                missing("release"),
            ]
        );
    }

    #[test]
    fn no_name_is_proposed_that_is_nothing_like_it() {
        let problems =
            operation("evidence_graph").tool_arguments(&given(json!({"certification": "C", "x": 1})));
        let unknown = ArgumentProblem::Unknown { name: "x".into(), did_you_mean: None };
        assert_eq!(problems, Err(vec![unknown]));
    }

    #[test]
    fn work_without_a_title_or_an_owner_is_found_in_every_item() {
        let arguments = members(json!({
            "releaseId": "R", "parent": {"title": "  ", "owner": "core"},
            "children": [{"title": "a", "owner": "b"}, {"title": "", "owner": null}, {}, 7],
        }));
        assert_eq!(
            operation("work_package").must_have_problems(&arguments),
            [
                "/parent/title",
                "/children/1/title",
                "/children/2",
                "/children/3/title",
                "/children/1/owner",
                "/children/3/owner",
            ]
        );
    }

    #[test]
    fn a_package_without_children_is_empty() {
        let package = json!({"releaseId": "R", "parent": {"title": "a", "owner": "b"}, "children": []});
        assert_eq!(operation("work_package").must_have_problems(&members(package)), ["/children"]);
        let package = json!({"releaseId": "R", "parent": {"title": "a", "owner": "b"}});
        assert_eq!(operation("work_package").must_have_problems(&members(package)), ["/children"]);
    }

    #[test]
    fn zero_and_false_are_values() {
        let mut operation = operation("work_package");
        operation.must_have = vec!["/a".into(), "/b/*".into()];
        assert!(operation.must_have_problems(&members(json!({"a": 0, "b": [false]}))).is_empty());
    }
}
