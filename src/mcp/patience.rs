//! How long to wait before what changes nothing is asked again.

use std::time::Duration;

/// How often a handshake, or a page of the list of tools, is asked for.
const ATTEMPTS: u32 = 3;
/// Before the second time; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// The pause before the attempt after `attempt` (from 1): at least what the server asks for. `None` where
/// that would not end within `left`, or has been tried often enough.
pub(super) fn pause(attempt: u32, asked: Option<Duration>, left: Duration) -> Option<Duration> {
    let own = PAUSE.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let pause = asked.map_or(own, |asked| asked.max(own));
    (attempt < ATTEMPTS && pause < left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_given_the_time_it_asks_for_within_ours() {
        let seconds = Duration::from_secs;
        assert_eq!(pause(1, None, seconds(30)), Some(Duration::from_millis(500)));
        assert_eq!(pause(2, None, seconds(30)), Some(seconds(1)));
        assert_eq!(pause(1, Some(seconds(7)), seconds(30)), Some(seconds(7)));
        assert_eq!(pause(1, Some(seconds(0)), seconds(30)), Some(Duration::from_millis(500)));
        assert_eq!(pause(1, Some(seconds(30)), seconds(30)), None);
        assert_eq!(pause(3, None, seconds(30)), None);
    }
}
