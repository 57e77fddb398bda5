//! How long a server asks to wait.

use std::time::Duration;

use jiff::Timestamp;

/// Longer than anybody waits; the sum with a clock stays in range.
const LONGEST: u64 = 366 * 24 * 60 * 60;

/// What a `Retry-After` header says (RFC 9110, section 10.2.3): whole seconds, or a date, which is compared
/// with `now`. `None` where it says nothing that can be understood.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(LONGEST).min(LONGEST)));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    let seconds = at.duration_since(now).as_secs().clamp(0, i64::try_from(LONGEST).unwrap_or(i64::MAX));
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_nothing_else() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999", Some(LONGEST)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Thu, 30 Dec 9999 00:00:00 GMT", Some(LONGEST)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }
}
