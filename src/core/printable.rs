//! JSON as text that a terminal can be trusted with.

use serde_json::Value;

use super::text::{is_hidden, without_commands};

/// `value` as indented JSON without a final line feed. Characters that steer a terminal or hide from a
/// reader are written `\uXXXX`, so that it stays the same JSON.
#[must_use]
pub fn indented(value: &Value) -> String {
    printable(&format!("{value:#}"))
}

/// `value` as JSON on one line, escaped as [`indented`] does.
#[must_use]
pub fn one_line(value: &Value) -> String {
    printable(&value.to_string())
}

/// JSON text with what steers a terminal or a runner, or hides from a reader, escaped; the same JSON.
///
/// Between tokens JSON has no hidden character but the line feed, and inside strings none that counts
/// for the syntax, so characters can be replaced without looking where they stand.
#[must_use]
pub fn printable(json: &str) -> String {
    let steers = |c| is_hidden(c) && c != '\n';
    // Outside of strings no JSON has it.
    let json = &without_commands(json, "\\u0023");
    let mut out = String::with_capacity(json.len());
    for piece in json.split_inclusive(steers) {
        let plain = piece.trim_end_matches(steers);
        out.push_str(plain);
        for unit in piece.strip_prefix(plain).unwrap_or_default().encode_utf16() {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn hidden_characters_are_escaped_as_json_has_it() {
        let value = json!({"a\u{202e}": "\u{9b}31m\u{1b}[0m\u{e0041}"});
        assert_eq!(one_line(&value), r#"{"a\u202e":"\u009b31m\u001b[0m\udb40\udc41"}"#);
    }

    proptest! {
        #[test]
        fn it_reads_back_as_the_same_value(key in ".{0,8}", value in "\\PC{0,8}|.{0,16}") {
            let value = json!({key: [value, 1, null, {}]});
            for text in [indented(&value), one_line(&value)] {
                prop_assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'));
                prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
            }
        }
    }
}
