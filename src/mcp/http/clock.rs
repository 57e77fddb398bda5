//! A server's clock beside this machine's, by the `Date` that its answers carry (RFC 9110, section 6.6.1).

use std::sync::{Arc, Mutex, PoisonError};

use http::header::{DATE, HeaderMap};
use jiff::{SignedDuration, Timestamp};

/// How far the server's clock was ahead at its last answer that said; clones are the same.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct Clock(Arc<Mutex<Option<SignedDuration>>>);

impl Clock {
    /// Takes in an answer that came just now. A `Date` has whole seconds, and time passed on the way.
    pub(super) fn note(&self, headers: &HeaderMap) {
        if let Some(ahead) = ahead(headers, Timestamp::now()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
    }

    /// By how much it was ahead, where it said.
    pub(in crate::mcp) fn ahead(&self) -> Option<SignedDuration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ahead(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let at = jiff::fmt::rfc2822::parse(date.trim()).ok()?.timestamp();
    Some(at.duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_held_against_this_clock_and_what_is_none_says_nothing() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        let of = |date: &str| {
            let headers = HeaderMap::from_iter([(DATE, date.parse().unwrap())]);
            ahead(&headers, now).map(|ahead| ahead.as_secs())
        };
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(30));
        assert_eq!(of("Sun, 06 Nov 1994 08:39:07 GMT"), Some(-600));
        assert_eq!(of("yesterday"), None);
        assert_eq!(ahead(&HeaderMap::new(), now), None);
    }
}
