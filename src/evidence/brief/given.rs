//! What a brief is made of: what steps read, and what the recipe says besides.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::{Map, Value};

use crate::core::text::excerpt;

/// What a brief is made of.
#[derive(Debug, Clone, Default)]
pub struct Given<'a> {
    /// What the step under `of` gave.
    pub of: Option<&'a Value>,
    /// What other steps gave, by the analysis's names for them; nothing where the server does not offer it.
    pub from: BTreeMap<&'a str, &'a Value>,
    /// What the recipe says besides.
    pub with: Map<String, Value>,
    /// The files so far that stand below the folder of the one that is made, by their names in it.
    pub files: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Given<'a> {
    /// What the step under `of` gave.
    ///
    /// # Errors
    /// It gave nothing, in words.
    pub fn of(&self) -> Result<&'a Value, String> {
        self.of.ok_or_else(|| "there is nothing to look at".to_owned())
    }

    /// A day that the recipe says.
    ///
    /// # Errors
    /// It is no date, in words.
    pub fn day(&self, name: &str) -> Result<Option<Date>, String> {
        match self.with.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => match text.parse() {
                Ok(day) => Ok(Some(day)),
                Err(_) => Err(format!("`{name}` is no date, such as 2026-11-20: {}", excerpt(text, 40))),
            },
            Some(other) => Err(format!("`{name}` is no date, such as 2026-11-20: {other}")),
        }
    }

    /// A yes or no that the recipe says.
    ///
    /// # Errors
    /// It is neither true nor false, in words.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        match self.with.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => {
                Err(format!("`{name}` is neither true nor false: {}", excerpt(&other.to_string(), 40)))
            }
        }
    }

    /// Names that the recipe says, in lower case.
    ///
    /// # Errors
    /// It is no list of texts, in words.
    pub fn names(&self, name: &str) -> Result<BTreeSet<String>, String> {
        let wrong = || format!("`{name}` is no list of names");
        match self.with.get(name) {
            None | Some(Value::Null) => Ok(BTreeSet::new()),
            Some(Value::Array(names)) => {
                names.iter().map(|name| Ok(name.as_str().ok_or_else(wrong)?.trim().to_lowercase())).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    /// A number that the recipe says.
    ///
    /// # Errors
    /// It is no number, or below zero, in words.
    pub fn number(&self, name: &str) -> Result<Option<f64>, String> {
        match self.with.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64().filter(|number| *number >= 0.0) {
                Some(number) => Ok(Some(number)),
                None => Err(format!("`{name}` is no number from 0: {value}")),
            },
        }
    }
}

/// The day of a date or an instant as services write them; none where it is neither.
pub(super) fn day(text: &str) -> Option<Date> {
    text.get(..10)?.parse().ok()
}

/// Whole days from `from` to `to`, below zero where it lies behind.
pub(super) fn days(from: Date, to: Date) -> Option<i32> {
    from.until(to).ok().map(|span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(with: Value) -> Given<'static> {
        Given { with: with.as_object().cloned().unwrap_or_default(), ..Given::default() }
    }

    #[test]
    fn what_is_not_said_is_nothing_and_what_is_no_date_or_number_is_refused() {
        let said = given(
            json!({"day": "2026-11-20", "bad": "soon", "null": null, "n": 3, "below": -1, "yes": true, "names": [" Code-Scan "]}),
        );
        assert_eq!(said.day("day"), Ok(Some(jiff::civil::date(2026, 11, 20))));
        assert_eq!((said.day("null"), said.day("absent")), (Ok(None), Ok(None)));
        assert!(said.day("bad").unwrap_err().contains("soon") && said.day("n").is_err());
        assert_eq!((said.number("n"), said.number("null")), (Ok(Some(3.0)), Ok(None)));
        assert!(said.number("below").is_err() && said.number("bad").is_err());
        assert_eq!((said.flag("yes"), said.flag("null")), (Ok(Some(true)), Ok(None)));
        assert!(said.flag("n").is_err());
        assert_eq!(said.names("names"), Ok(BTreeSet::from(["code-scan".to_owned()])));
        assert!(said.names("bad").is_err() && said.names("null") == Ok(BTreeSet::new()));
    }

    #[test]
    fn an_instant_has_a_day_and_days_are_counted_across_years() {
        assert_eq!(day("2026-11-20T09:12:00Z"), Some(jiff::civil::date(2026, 11, 20)));
        assert_eq!((day("soon"), day("2026-13-01"), day("ä")), (None, None, None));
        let (one, two) = (jiff::civil::date(2025, 12, 31), jiff::civil::date(2027, 1, 1));
        assert_eq!((days(one, two), days(two, one)), (Some(366), Some(-366)));
    }
}
