//! A recorded call that something was taken out of: whatever stood there is not known, so whatever stands there fits.

use serde_json::Value;

use crate::core::json::same;

/// What stands where something was taken out that only the recording program knew.
const MARKS: [&str; 3] = ["(a secret)", "(the token)", "(the secret)"];

/// Whether something was taken out of a text in `value`.
pub(super) fn is_marked(value: &Value) -> bool {
    match value {
        Value::String(text) => MARKS.iter().any(|mark| text.contains(mark)),
        Value::Array(items) => items.iter().any(is_marked),
        Value::Object(members) => members.values().any(is_marked),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether `made` is `recorded`, with whatever where something was taken out.
pub(super) fn fits(recorded: &Value, made: &Value) -> bool {
    match (recorded, made) {
        (Value::String(recorded), Value::String(made)) => text_fits(recorded, made),
        (Value::Array(recorded), Value::Array(made)) => {
            recorded.len() == made.len() && recorded.iter().zip(made).all(|(one, other)| fits(one, other))
        }
        (Value::Object(recorded), Value::Object(made)) => {
            recorded.len() == made.len()
                && recorded.iter().all(|(name, one)| made.get(name).is_some_and(|other| fits(one, other)))
        }
        (one, other) => same(one, other),
    }
}

fn text_fits(recorded: &str, made: &str) -> bool {
    let mut parts = vec![recorded];
    for mark in MARKS {
        parts = parts.into_iter().flat_map(|part| part.split(mark)).collect();
    }
    let Some((first, rest)) = parts.split_first() else { return false };
    let Some((last, between)) = rest.split_last() else { return recorded == made };
    let Some(mut left) = made.strip_prefix(first) else { return false };
    for part in between {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_was_taken_out_may_be_anything() {
        let recorded = json!({"n": 1, "key": "Bearer (the token), (a secret)!", "more": ["x"]});
        assert!(is_marked(&recorded) && !is_marked(&json!({"(a secret)": 1, "x": "a secret"})));
        for made in ["Bearer abc, def!", "Bearer (the token), (a secret)!", "Bearer , !"] {
            assert!(fits(&recorded, &json!({"n": 1.0, "key": made, "more": ["x"]})), "{made}");
        }
        for made in [
            json!({"n": 2, "key": "Bearer abc, def!", "more": ["x"]}),
            json!({"n": 1, "key": "Basic abc, def!", "more": ["x"]}),
            json!({"n": 1, "key": "Bearer abc, def", "more": ["x"]}),
            json!({"n": 1, "key": "Bearer abc; def!", "more": ["x"]}),
            json!({"n": 1, "key": 7, "more": ["x"]}),
            json!({"n": 1, "key": "Bearer abc, def!", "more": ["y"]}),
            json!({"n": 1, "key": "Bearer abc, def!", "more": ["x", "y"]}),
            json!({"n": 1, "key": "Bearer abc, def!", "more": ["x"], "extra": 1}),
            json!({"n": 1, "key": "Bearer abc, def!"}),
        ] {
            assert!(!fits(&recorded, &made), "{made}");
        }
        assert!(!fits(&json!("a b"), &json!("a c")));
    }
}
