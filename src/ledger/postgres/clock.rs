//! The clock of the server, as far as it is known here between two of its answers.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// How long after it was recorded a write may still be sent.
pub(super) const SEND_WITHIN: SignedDuration = SignedDuration::from_secs(30);
/// By how much two clocks may drift apart, as a part of the time that passes.
const DRIFT: u32 = 100;

/// What the server's clock said, and when that was here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// What it said.
    said: Timestamp,
    /// Before it was asked, and after it had answered.
    asked: Moment,
    answered: Moment,
}

/// A moment by both clocks of this machine: one never goes back, the other may have gone on while a machine slept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    steady: Instant,
    wall: Timestamp,
}

impl Moment {
    pub fn now() -> Self {
        Self { steady: Instant::now(), wall: Timestamp::now() }
    }

    /// How long since `earlier` at the most, or at the least.
    fn since(self, earlier: Self) -> (SignedDuration, SignedDuration) {
        let steady = self.steady.saturating_duration_since(earlier.steady);
        let steady = SignedDuration::try_from(steady).unwrap_or(SignedDuration::MAX);
        let wall = self.wall.duration_since(earlier.wall);
        (steady.max(wall), steady)
    }
}

impl Reading {
    /// What the server said in microseconds since 1970, asked at `asked`, its answer being there now.
    pub fn new(microseconds: i64, asked: Moment) -> Option<Self> {
        let said = Timestamp::from_microsecond(microseconds).ok()?;
        Some(Self { said, asked, answered: Moment::now() })
    }

    /// How old it is at the most.
    pub fn age(&self, now: Moment) -> Duration {
        Duration::try_from(now.since(self.asked).0).unwrap_or_default()
    }

    /// The latest that it can be there.
    pub fn at_most(&self, now: Moment) -> Timestamp {
        let (passed, _) = now.since(self.asked);
        let drift = passed.checked_div(DRIFT.try_into().unwrap_or(1)).unwrap_or_default();
        later(self.said, passed.saturating_add(drift))
    }

    /// The earliest that it can be there.
    pub fn at_least(&self, now: Moment) -> Timestamp {
        let (_, passed) = now.since(self.answered);
        let drift = passed.checked_div(DRIFT.try_into().unwrap_or(1)).unwrap_or_default();
        later(self.said, passed.saturating_sub(drift))
    }

    /// The moment before which what is recorded now is to be sent, in whole milliseconds.
    pub fn send_before(&self, now: Moment) -> Timestamp {
        let before = later(self.at_most(now), SEND_WITHIN);
        Timestamp::from_millisecond(before.as_millisecond()).unwrap_or(before)
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(base: Instant, steady: u64, wall: i64) -> Moment {
        Moment {
            steady: base + Duration::from_secs(steady),
            wall: Timestamp::from_second(1_000 + wall).unwrap(),
        }
    }

    fn reading(base: Instant) -> Reading {
        Reading {
            said: Timestamp::from_second(5_000).unwrap(),
            asked: moment(base, 0, 0),
            answered: moment(base, 2, 2),
        }
    }

    #[test]
    fn the_servers_clock_is_known_within_what_an_answer_takes_and_clocks_drift() {
        let base = Instant::now();
        let reading = reading(base);
        let now = moment(base, 102, 102);
        assert_eq!(reading.at_most(now), Timestamp::from_millisecond(5_000_000 + 102_000 + 1_020).unwrap());
        assert_eq!(reading.at_least(now), Timestamp::from_second(5_000 + 100 - 1).unwrap());
        assert_eq!(reading.send_before(moment(base, 0, 0)), Timestamp::from_second(5_030).unwrap());
    }

    #[test]
    fn who_slept_or_was_set_back_is_never_early() {
        let base = Instant::now();
        let reading = reading(base);
        // The machine slept: its steady clock stood still.
        assert!(reading.at_most(moment(base, 3, 900)) >= Timestamp::from_second(5_900).unwrap());
        // Its other clock was set back, or forward.
        assert!(reading.at_most(moment(base, 60, -900)) >= Timestamp::from_second(5_060).unwrap());
        assert!(reading.at_least(moment(base, 12, 900)) <= Timestamp::from_second(5_010).unwrap());
    }
}
