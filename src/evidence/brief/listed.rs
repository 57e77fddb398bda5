//! A list as a server gave it, and whether that is all of it.

use serde_json::Value;

use super::super::words::State;

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

/// A text of an item; blank text is none.
pub(super) fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// The state of an item, as the profile translates it.
pub(super) fn state(item: &Value) -> State {
    State::of(text(item, "state"))
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
}
