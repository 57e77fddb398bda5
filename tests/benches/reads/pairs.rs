//! Two ways to do one thing, measured in turns.

use std::time::Duration;

use crate::measure::{Outcome, median, micros, say};

/// Neighbours: what loopgate took, and what the other took right before or after it.
#[derive(Default)]
pub struct Pairs(Vec<(Duration, Duration)>);

impl Pairs {
    /// Measures both `rounds` times, each of them first every other time.
    pub fn of(
        rounds: usize,
        mut ours: impl FnMut() -> Outcome<Duration>,
        mut other: impl FnMut() -> Outcome<Duration>,
    ) -> Outcome<Self> {
        let mut pairs = Vec::with_capacity(rounds);
        for round in 0..rounds {
            pairs.push(if round % 2 == 0 {
                let ours = ours()?;
                (ours, other()?)
            } else {
                let other = other()?;
                (ours()?, other)
            });
        }
        Ok(Self(pairs))
    }

    /// One line: the times of each, the median of the ratios, and the ratios between which half of them lie.
    pub fn tell(&self, what: &str, each: f64) -> Outcome<()> {
        let time = |of: fn(&(Duration, Duration)) -> Duration| {
            median(self.0.iter().map(|pair| micros(of(pair)) / each).collect())
        };
        let mut ratios: Vec<f64> =
            self.0.iter().map(|(ours, other)| ours.as_secs_f64() / other.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        let at = |part: usize| ratios.get(ratios.len() * part / 4).copied().unwrap_or(f64::NAN);
        say(&format!(
            "{what:<44}{:>7}{:>10.0} µs{:>10.0} µs{:>8.2}   {:.2} to {:.2}",
            self.0.len(),
            time(|(ours, _)| *ours),
            time(|(_, other)| *other),
            at(2),
            at(1),
            at(3),
        ))
    }
}

/// The heads of the columns of [`Pairs::tell`].
pub fn heads(what: &str, other: &str) -> Outcome<()> {
    say(&format!("{what:<44}{:>7}{:>13}{other:>13}{:>8}   half of them", "rounds", "loopgate", "ratio"))
}
