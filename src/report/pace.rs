//! How far long work is, and about how long the rest of it takes: a guess from what was done already, or none.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::layout::count;

/// The fewest of a kind that must be done before a guess is made from them.
const FEWEST: u32 = 2;

/// The parts that some work consists of, by kind, as they begin and end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// All parts, whether they take time or not.
    all: usize,
    over: usize,
    /// The kinds that take time.
    kinds: BTreeMap<&'static str, Kind>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kind {
    left: usize,
    done: u32,
    /// When the first began.
    began: Option<Instant>,
    /// From then until the last ended.
    took: Duration,
}

impl Pace {
    /// Of `all` parts, of which `slow` kinds take time, each with how many there are.
    #[must_use]
    pub fn new(all: usize, slow: &[(&'static str, usize)]) -> Self {
        let kinds = slow.iter().map(|(kind, left)| (*kind, Kind { left: *left, ..Kind::default() }));
        Self { all, over: 0, kinds: kinds.collect() }
    }

    /// A part begins.
    pub fn begins(&mut self, kind: &str, at: Instant) {
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.began.get_or_insert(at);
        }
    }

    /// A part took place.
    pub fn ends(&mut self, kind: &str, at: Instant) {
        self.over = self.over.saturating_add(1);
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.left = kind.left.saturating_sub(1);
            kind.done = kind.done.saturating_add(1);
            kind.took = at.saturating_duration_since(kind.began.unwrap_or(at));
        }
    }

    /// A part is over that nothing was done for.
    pub fn skips(&mut self, kind: &str) {
        self.over = self.over.saturating_add(1);
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.left = kind.left.saturating_sub(1);
        }
    }

    /// How many are over, and of how many.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.over.min(self.all), self.all)
    }

    /// About how long the rest takes, as fast as what was done of each kind; nothing where too few of a kind that is
    /// left were done, or where the guess is used up.
    #[must_use]
    pub fn left(&self, at: Instant) -> Option<Duration> {
        let mut left = Duration::ZERO;
        let mut last = None;
        for kind in self.kinds.values() {
            let ended = kind.began.and_then(|began| began.checked_add(kind.took));
            last = last.max(ended.filter(|_| kind.done > 0));
            if kind.left == 0 {
                continue;
            }
            if kind.done < FEWEST {
                return None;
            }
            let each = kind.took.checked_div(kind.done)?;
            left = left.saturating_add(each.saturating_mul(u32::try_from(kind.left).unwrap_or(u32::MAX)));
        }
        let since = last.map_or(Duration::ZERO, |last| at.saturating_duration_since(last));
        left.checked_sub(since).filter(|left| !left.is_zero())
    }

    /// `3 of 12 steps, about 2 min left`, as far as it is known; `one` and `many` are what the parts are called.
    #[must_use]
    pub fn words(&self, one: &str, many: &str, at: Instant) -> Option<String> {
        let (over, all) = self.counts();
        (all > 0).then(|| {
            let left = self.left(at).map_or_else(String::new, |left| format!(", {}", about(left)));
            format!("{over} of {}{left}", count(all, one, many))
        })
    }
}

/// A guess in words, as coarse as it is.
#[must_use]
pub fn about(left: Duration) -> String {
    match left.as_secs() {
        0..10 => "some seconds left".to_owned(),
        seconds @ 10..60 => format!("about {} s left", seconds.div_ceil(10).saturating_mul(10)),
        seconds => format!("about {} min left", seconds.saturating_add(30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said after `seconds` of work, in which parts of the kinds began and ended at those seconds.
    fn said(pace: &mut Pace, parts: &[(&'static str, u64, u64)], seconds: u64) -> String {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (kind, began, ended) in parts {
            pace.begins(kind, at(*began));
            pace.ends(kind, at(*ended));
        }
        pace.words("step", "steps", at(seconds)).unwrap_or_default()
    }

    #[test]
    fn what_is_left_takes_as_long_as_what_was_done_of_its_kind() {
        let mut pace = Pace::new(12, &[("read", 8), ("write", 0)]);
        let said = said(&mut pace, &[("read", 0, 20), ("read", 20, 40)], 40);
        assert_eq!(said, "2 of 12 steps, about 2 min left");
    }

    #[test]
    fn parts_at_the_same_time_share_it() {
        let mut pace = Pace::new(8, &[("read", 8)]);
        let parts = [("read", 0, 60), ("read", 0, 60), ("read", 0, 60), ("read", 0, 60)];
        assert_eq!(said(&mut pace, &parts, 60), "4 of 8 steps, about 1 min left");
    }

    #[test]
    fn too_few_are_no_ground_for_a_guess() {
        assert_eq!(said(&mut Pace::new(3, &[("read", 3)]), &[("read", 0, 60)], 60), "1 of 3 steps");
        let mut pace = Pace::new(5, &[("read", 3), ("write", 2)]);
        assert_eq!(said(&mut pace, &[("read", 0, 60)], 60), "1 of 5 steps");
        // Enough reads say nothing of the writes that are left.
        assert_eq!(said(&mut pace, &[("read", 60, 120), ("read", 120, 180)], 180), "3 of 5 steps");
        assert_eq!(said(&mut Pace::default(), &[], 9), "");
    }

    #[test]
    fn a_guess_grows_old_and_is_dropped_once_it_is_used_up() {
        let parts = [("read", 0, 60), ("read", 60, 120)];
        for (now, says) in [
            (120, ", about 4 min left"),
            (270, ", about 2 min left"),
            (355, ", some seconds left"),
            (360, ""),
        ] {
            let mut pace = Pace::new(6, &[("read", 6)]);
            assert_eq!(said(&mut pace, &parts, now), format!("2 of 6 steps{says}"), "{now}");
        }
    }

    #[test]
    fn what_was_skipped_or_takes_no_time_is_counted_and_is_no_ground() {
        let mut pace = Pace::new(7, &[("read", 5)]);
        pace.skips("read");
        let parts = [("gate", 0, 0), ("read", 0, 30), ("read", 30, 60)];
        assert_eq!(said(&mut pace, &parts, 60), "4 of 7 steps, about 1 min left");
        let mut over = Pace::new(1, &[("read", 1)]);
        assert_eq!(said(&mut over, &[("read", 0, 9), ("read", 9, 18)], 18), "1 of 1 step");
    }

    #[test]
    fn guesses_are_as_coarse_as_they_are() {
        let of = |seconds| about(Duration::from_secs(seconds));
        assert_eq!(
            [of(3), of(11), of(59), of(61), of(100), of(4000)],
            [
                "some seconds left",
                "about 20 s left",
                "about 60 s left",
                "about 1 min left",
                "about 2 min left",
                "about 67 min left"
            ]
        );
    }
}
