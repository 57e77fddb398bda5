//! Instants, which services write as such or as a day.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// An instant, or the beginning of a day (UTC); none where it is neither.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    match text.parse() {
        Ok(instant) => Some(instant),
        Err(_) => begin(whole_day(text)?),
    }
}

/// An instant, or the end of a day (UTC); none where it is neither.
pub(super) fn end(text: &str) -> Option<Timestamp> {
    match text.parse() {
        Ok(instant) => Some(instant),
        Err(_) => begin(whole_day(text)?.checked_add(1.day()).ok()?),
    }
}

fn whole_day(text: &str) -> Option<Date> {
    text.parse().ok().filter(|_| text.len() == "2026-11-20".len())
}

fn begin(day: Date) -> Option<Timestamp> {
    day.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).ok().map(|begin| begin.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_and_ends_at_midnight_and_an_instant_is_itself() {
        let stamp = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(instant("2026-11-20"), stamp("2026-11-20T00:00:00Z"));
        assert_eq!(end("2026-11-20"), stamp("2026-11-21T00:00:00Z"));
        for text in ["2026-11-20T12:40:00Z", "2026-11-20T14:40:00+02:00"] {
            assert_eq!(
                (instant(text), end(text)),
                (stamp("2026-11-20T12:40:00Z"), stamp("2026-11-20T12:40:00Z"))
            );
        }
        for bad in ["soon", "2026-13-01", "2026-11-20 or so", ""] {
            assert_eq!((instant(bad), end(bad)), (None, None), "{bad}");
        }
    }
}
