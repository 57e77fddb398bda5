//! The two ends of a stretch of time: a time (RFC 3339), or a day of UTC.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use thiserror::Error;

use crate::core::text::excerpt;

/// The first moment: a time, or the beginning of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Since(pub Timestamp);

/// The moment behind the last: a time, or the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Until(pub Timestamp);

/// Text that is neither.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}` is no time such as `2026-01-31T12:00:00Z` and no day such as `2026-01-31`", excerpt(.0, 60))]
pub(super) struct NotAMoment(String);

impl FromStr for Since {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        moment(text, Some).map(Self)
    }
}

impl FromStr for Until {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        moment(text, |day| day.checked_add(1.day()).ok()).map(Self)
    }
}

fn moment(text: &str, of_day: impl Fn(Date) -> Option<Date>) -> Result<Timestamp, NotAMoment> {
    let day = || {
        let day = of_day(text.parse().ok()?)?;
        day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    // A time would be read as its day, so it is asked for first.
    text.parse()
        .ok()
        .or_else(|| if text.len() == "2026-01-31".len() { day() } else { None })
        .ok_or_else(|| NotAMoment(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_whole_and_a_time_is_itself() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (from, until) = ("2026-01-31".parse::<Since>().unwrap(), "2026-01-31".parse::<Until>().unwrap());
        assert_eq!((from.0, until.0), (at("2026-01-31T00:00:00Z"), at("2026-02-01T00:00:00Z")));
        assert_eq!("2026-01-31T12:00:00+01:00".parse::<Since>().unwrap().0, at("2026-01-31T11:00:00Z"));
        for text in ["", "yesterday", "2026-01-31T12:00:00", "2026-02-30", "2026-1-31"] {
            assert!(text.parse::<Since>().is_err() && text.parse::<Until>().is_err(), "{text}");
        }
    }
}
