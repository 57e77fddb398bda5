//! A length of time as people write it: `7d`, `36h`, `90m`, or ISO 8601.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::core::text::excerpt;

/// A length of time that is longer than nothing; a day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub(super) struct Period(SignedDuration);

/// Text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}` is no length of time, such as `7d`, `36h`, `90m` or `PT2H`", excerpt(.0, 60))]
pub(super) struct NotAPeriod(String);

impl Period {
    /// A day.
    #[cfg(test)]
    pub const DAY: Self = Self(SignedDuration::from_hours(24));

    /// The length in seconds and less.
    pub fn get(self) -> SignedDuration {
        self.0
    }
}

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        text.parse::<Span>()
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
            .ok()
            .filter(SignedDuration::is_positive)
            .map(Self)
            .ok_or_else(|| NotAPeriod(text.to_owned()))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Period {
    type Error = NotAPeriod;

    fn try_from(text: String) -> Result<Self, NotAPeriod> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_hours_and_minutes_are_read_as_people_write_them() {
        for (text, hours) in [("7d", 168), ("36h", 36), ("P1DT12H", 36), ("1w", 168), ("PT2H", 2)] {
            assert_eq!(text.parse::<Period>().unwrap().get(), SignedDuration::from_hours(hours), "{text}");
        }
        assert_eq!("90m".parse::<Period>().unwrap().get(), SignedDuration::from_mins(90));
    }

    #[test]
    fn nothing_less_than_nothing_and_what_has_no_length_are_refused() {
        for text in ["", "7", "0d", "-1h", "1 month", "1y", "P1M", "soon\u{1b}", "99999999999999d"] {
            let refused = text.parse::<Period>().unwrap_err().to_string();
            assert!(!refused.contains('\u{1b}'), "{refused}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = serde_json::to_string(&Period::DAY).unwrap();
        assert_eq!(text, "\"PT24H\"");
        assert_eq!(serde_json::from_str::<Period>(&text).unwrap(), Period::DAY);
    }
}
