//! Typed inputs: what a value must be.

use std::fmt;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::number::exact;
use crate::core::json::check_numbers;
use crate::core::text::excerpt;
use crate::core::token_shape::token_in;

/// The most bytes of one text.
const LONGEST_TEXT: usize = 64 * 1024;
/// The most items of a list.
pub(super) const LONGEST_LIST: usize = 10_000;

/// Names that no input may have, because the command line or the language has them: underscores stand for
/// the dashes of flags.
pub const RESERVED_INPUTS: &[&str] = &[
    "all",
    "approval",
    "approvals",
    "artifact",
    "as",
    "ci",
    "color",
    "colour",
    "concurrency",
    "config",
    "detailed_exitcode",
    "dry_run",
    "format",
    "force",
    "help",
    "input",
    "inputs",
    "ledger",
    "log",
    "loop",
    "occurrence",
    "out",
    "profile",
    "progress",
    "quiet",
    "recipe",
    "record",
    "report",
    "server",
    "tenant",
    "timeout",
    "trust",
    "verbose",
    "version",
    "yes",
];

/// What kind of value an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// Text.
    String,
    /// A whole number within ±(2⁵³−1).
    Integer,
    /// A number that a double keeps as it is written.
    Number,
    /// True or false.
    Boolean,
    /// A list of strings.
    List,
}

impl fmt::Display for InputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::List => "list of strings",
        })
    }
}

/// One input of a recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name; the flag has `-` for `_`.
    pub name: String,
    /// What kind of value it is.
    pub kind: InputKind,
    /// Whether a run without it is refused.
    pub required: bool,
    /// Its value where none is given. Neither required nor with a default: null.
    pub default: Option<Value>,
    /// What it means, in one line.
    pub help: Option<String>,
    /// A regular expression that the whole value, or each item of a list, matches.
    pub pattern: Option<String>,
    /// The values that are allowed, or the items of a list; empty for any.
    pub choices: Vec<Value>,
    /// The smallest number.
    pub min: Option<f64>,
    /// The largest number.
    pub max: Option<f64>,
    /// The fewest characters of the value, or of each item of a list.
    pub min_length: Option<usize>,
    /// The most characters of the value, or of each item of a list.
    pub max_length: Option<usize>,
}

/// Why a value does not do for an input.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadValue {
    /// It looks like what is never written down, so it is not shown either.
    #[error("what it is given looks like {what}, and inputs are written down")]
    Credential {
        /// What it looks like.
        what: &'static str,
    },
    /// It is another kind of value.
    #[error("{found} is not {wanted}")]
    Kind {
        /// What it is.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// The pattern does not match it.
    #[error("`{value}` does not match `{pattern}`")]
    Pattern {
        /// The value.
        value: String,
        /// The pattern.
        pattern: String,
    },
    /// It is none of the choices.
    #[error("{value} is not one of {choices}")]
    Choice {
        /// The value as JSON.
        value: String,
        /// The choices as JSON.
        choices: String,
    },
    /// It is too small, too large, too short or too long.
    #[error("{what}")]
    Bounds {
        /// Which bound, and what it is.
        what: String,
    },
}

/// A pattern that must match the whole of a text.
pub(super) fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    // Compiled alone first, so that a pattern cannot close the group that is put around it.
    Regex::new(pattern)?;
    regex::RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(1 << 20).build()
}

impl Input {
    /// The input's flag on the command line, without the dashes in front.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Takes text from a flag, an option or the environment for a value of this input's kind. A list is
    /// written as a JSON list, or with commas.
    ///
    /// # Errors
    /// The text is no value that the input allows.
    pub fn parse(&self, text: &str) -> Result<Value, BadValue> {
        let value = match self.kind {
            InputKind::String => Some(Value::from(text)),
            InputKind::Integer | InputKind::Number => exact(text),
            InputKind::Boolean => match text {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            InputKind::List if text.starts_with('[') => serde_json::from_str(text).ok(),
            InputKind::List if text.is_empty() => Some(Value::Array(Vec::new())),
            InputKind::List => Some(text.split(',').map(|item| Value::from(item.trim())).collect()),
        };
        let value = value.ok_or_else(|| self.other_kind(&format!("`{}`", shown(text))))?;
        self.check(&value)?;
        Ok(value)
    }

    /// Checks a value.
    ///
    /// # Errors
    /// The first way in which the input does not allow it.
    pub fn check(&self, value: &Value) -> Result<(), BadValue> {
        if let Some((_, what)) = token_in(value) {
            return Err(BadValue::Credential { what });
        }
        let fits = match self.kind {
            InputKind::String => value.is_string(),
            InputKind::Integer => value.as_i64().is_some() && check_numbers(value).is_ok(),
            InputKind::Number => {
                check_numbers(value).is_ok() && value.as_f64().is_some_and(super::number::survives)
            }
            InputKind::Boolean => value.is_boolean(),
            InputKind::List => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        };
        if !fits {
            return Err(self.other_kind(&format!("`{}`", shown(&value.to_string()))));
        }
        let bounds = |what: String| Err(BadValue::Bounds { what });
        if let Some(items) = value.as_array() {
            if items.len() > LONGEST_LIST {
                return bounds(format!("{} items are more than {LONGEST_LIST}", items.len()));
            }
            return items.iter().try_for_each(|item| self.check_single(item));
        }
        self.check_single(value)
    }

    fn check_single(&self, value: &Value) -> Result<(), BadValue> {
        let bounds = |what: String| Err(BadValue::Bounds { what });
        if let Some(text) = value.as_str() {
            let length = text.chars().count();
            if let Some(min) = self.min_length.filter(|min| length < *min) {
                return bounds(format!("`{}` is shorter than {min} characters", shown(text)));
            }
            if let Some(max) = self.max_length.filter(|max| length > *max) {
                return bounds(format!("`{}` is longer than {max} characters", shown(text)));
            }
            if text.len() > LONGEST_TEXT {
                return bounds(format!("{} bytes are more than {LONGEST_TEXT}", text.len()));
            }
            if let Some(pattern) = &self.pattern {
                let matches = whole(pattern).is_ok_and(|regex| regex.is_match(text));
                if !matches {
                    return Err(BadValue::Pattern { value: shown(text), pattern: shown(pattern) });
                }
            }
        }
        if let Some(number) = value.as_f64() {
            if let Some(min) = self.min.filter(|min| number < *min) {
                return bounds(format!("`{value}` is less than {min}"));
            }
            if let Some(max) = self.max.filter(|max| number > *max) {
                return bounds(format!("`{value}` is more than {max}"));
            }
        }
        let equal = |choice: &Value| match (choice.as_f64(), value.as_f64()) {
            (Some(one), Some(other)) => one.to_bits() == other.to_bits() || (one == 0.0 && other == 0.0),
            _ => choice == value,
        };
        if !self.choices.is_empty() && !self.choices.iter().any(equal) {
            let choices: Vec<String> = self.choices.iter().map(|choice| shown(&choice.to_string())).collect();
            return Err(BadValue::Choice { value: shown(&value.to_string()), choices: choices.join(", ") });
        }
        Ok(())
    }

    fn other_kind(&self, found: &str) -> BadValue {
        let wanted = match self.kind {
            InputKind::Boolean => "`true` or `false`".to_owned(),
            InputKind::Integer => "an integer within ±(2⁵³−1)".to_owned(),
            InputKind::Number => "a number that stays as it is written".to_owned(),
            InputKind::String | InputKind::List => format!("a {}", self.kind),
        };
        BadValue::Kind { found: found.to_owned(), wanted }
    }
}

/// Hostile text for a message: visible, and not longer than a line.
pub(super) fn shown(text: &str) -> String {
    excerpt(text, 80)
}

#[cfg(test)]
impl Input {
    /// An input of which nothing is known but its kind.
    pub(super) fn plain(name: &str, kind: InputKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            required: false,
            default: None,
            help: None,
            pattern: None,
            choices: Vec::new(),
            min: None,
            max: None,
            min_length: None,
            max_length: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn input(kind: InputKind) -> Input {
        Input::plain("release", kind)
    }

    #[test]
    fn text_becomes_a_value_of_the_inputs_kind() {
        for (kind, text, value) in [
            (InputKind::String, "007", json!("007")),
            (InputKind::Integer, "-7", json!(-7)),
            (InputKind::Number, "1.5", json!(1.5)),
            (InputKind::Boolean, "true", json!(true)),
            (InputKind::List, "a, b", json!(["a", "b"])),
            (InputKind::List, r#"["a,b"]"#, json!(["a,b"])),
            (InputKind::List, "", json!([])),
        ] {
            assert_eq!(input(kind).parse(text), Ok(value), "{kind} {text}");
        }
        for (kind, text) in [
            (InputKind::Integer, "1.0"),
            (InputKind::Integer, "9007199254740992"),
            (InputKind::Number, "0.10000000000000000055"),
            (InputKind::Boolean, "yes"),
            (InputKind::List, "[1]"),
        ] {
            assert!(input(kind).parse(text).is_err(), "{kind} {text}");
        }
    }

    #[test]
    fn a_pattern_matches_the_whole_value_even_over_lines() {
        let release = Input { pattern: Some("REL-[0-9]+|X".into()), ..input(InputKind::String) };
        assert!(release.parse("REL-1").is_ok());
        for text in ["REL-1\n", "xREL-1", "REL-1 X", ""] {
            assert!(matches!(release.parse(text), Err(BadValue::Pattern { .. })), "{text:?}");
        }
        assert!(whole("a)|(b").is_err());
    }

    #[test]
    fn bounds_and_choices_hold_for_each_item_of_a_list() {
        let list =
            Input { choices: vec![json!("a"), json!("bb")], max_length: Some(2), ..input(InputKind::List) };
        assert!(list.parse("a,bb").is_ok());
        assert!(matches!(list.parse("a,c"), Err(BadValue::Choice { .. })));
        assert!(matches!(list.parse("a,ccc"), Err(BadValue::Bounds { .. })));
        let number = Input { min: Some(1.0), max: Some(2.0), ..input(InputKind::Number) };
        assert!(number.parse("1").is_ok() && number.parse("0.5").is_err() && number.parse("2.5").is_err());
    }

    #[test]
    fn a_huge_value_is_refused_and_not_printed_whole() {
        let error = input(InputKind::Integer).parse(&"x".repeat(5000)).unwrap_err().to_string();
        assert!(error.len() < 300, "{}", error.len());
        assert!(input(InputKind::String).parse(&"x".repeat(LONGEST_TEXT + 1)).is_err());
    }
}
