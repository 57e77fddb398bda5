//! Where two JSON values differ.

use serde_json::Value;

use super::json::same;
use super::pointer::escape;

/// A place where two values differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// JSON pointer.
    pub at: String,
    /// What stands there in the one; nothing where there is no such place.
    pub one: Option<Value>,
    /// What stands there in the other.
    pub other: Option<Value>,
}

/// The smallest values that differ, at most `most` of them. Equal is what is the same as canonical JSON.
#[must_use]
pub fn differences(one: &Value, other: &Value, most: usize) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(one, other, &mut String::new(), most, &mut found);
    found
}

fn walk(one: &Value, other: &Value, at: &mut String, most: usize, found: &mut Vec<Difference>) {
    if found.len() >= most || same(one, other) {
        return;
    }
    let length = at.len();
    let mut below = |name: &str, one: Option<&Value>, other: Option<&Value>, found: &mut Vec<_>| {
        at.push('/');
        at.push_str(&escape(name));
        match (one, other) {
            (Some(one), Some(other)) => walk(one, other, at, most, found),
            _ if found.len() < most => {
                found.push(Difference { at: at.clone(), one: one.cloned(), other: other.cloned() });
            }
            _ => {}
        }
        at.truncate(length);
    };
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in one {
                below(name, Some(value), other.get(name), found);
            }
            for (name, value) in other.iter().filter(|(name, _)| !one.contains_key(*name)) {
                below(name, None, Some(value), found);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for index in 0..one.len().max(other.len()) {
                below(&index.to_string(), one.get(index), other.get(index), found);
            }
        }
        _ => found.push(Difference { at: at.clone(), one: Some(one.clone()), other: Some(other.clone()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_smallest_places_are_named_and_a_number_is_what_it_is_worth() {
        let one = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        let other = json!({"a": {"b": 1.0, "c": [1, 3, 4]}, "e/": null, "d": 1});
        let found = differences(&one, &other, 10);
        let places: Vec<&str> = found.iter().map(|one| one.at.as_str()).collect();
        assert_eq!(places, ["/a/c/1", "/a/c/2", "/e~1"]);
        assert_eq!(found[2], Difference { at: "/e~1".into(), one: None, other: Some(Value::Null) });
        assert_eq!(differences(&one, &other, 2).len(), 2);
        assert_eq!(differences(&one, &one, 2), []);
    }
}
