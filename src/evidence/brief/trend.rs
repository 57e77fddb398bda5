//! Which way a series goes, by one plain rule: the mean of its second half against the mean of its first.

use jiff::Timestamp;

use super::chart::{Point, when};
use crate::core::text::excerpt;

/// Bars of a line in a terminal.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns of it.
const WIDEST: usize = 26;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// Which way a series goes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Trend {
    /// The means of the first and the second half; of an odd number of points the one in the middle is in neither.
    pub halves: Option<(f64, f64)>,
    /// How much more the second mean is, in percent of the first, to a tenth.
    pub change: Option<f64>,
    /// How much worse it got, in percent; below zero where it got better.
    pub worse: Option<f64>,
    /// Why nobody can say; safe to print.
    pub doubts: Vec<String>,
}

/// What a trend is asked of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Which way is good, as it came.
    pub better: Option<&'a str>,
    /// Fewer points say nothing.
    pub fewest: u64,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// The trend of `points`, which are in order, and marks those behind a gap: where the way from the one before is more than
/// one and a half times the usual (median) way.
pub(super) fn trend(points: &mut [Point], asked: &Asked<'_>) -> Trend {
    let mut trend = Trend::default();
    let mut doubt = |doubt: String| trend.doubts.push(doubt);
    if u64::try_from(points.len()).unwrap_or(u64::MAX) < asked.fewest.max(2) {
        doubt(format!("{} of at least {} points are there", points.len(), asked.fewest.max(2)));
    }
    for gap in gaps(points, asked) {
        doubt(match gap {
            (Some(after), Some(before)) => {
                format!("values are missing between {} and {}", when(after), when(before))
            }
            (None, Some(before)) => format!("values are missing before {}", when(before)),
            (after, None) => format!("values are missing after {}", after.map(when).unwrap_or_default()),
        });
    }
    let half = points.len() / 2;
    let mean = |points: Option<&[Point]>| {
        let points = points.filter(|points| !points.is_empty())?;
        let count = u32::try_from(points.len()).ok()?;
        Some(points.iter().map(|point| point.value / f64::from(count)).sum::<f64>())
    };
    let halves = mean(points.get(..half)).zip(mean(points.get(points.len() - half..)));
    let change = halves.and_then(|(first, second)| {
        let change = ((second - first) / first.abs() * 1000.0).round() / 10.0;
        // Not minus zero.
        change.is_finite().then_some(change + 0.0)
    });
    if halves.is_some() && change.is_none() {
        doubt("the first half is zero on average, so that nothing is a percentage of it".to_owned());
    }
    let worse = match asked.better {
        Some("lower") => change,
        Some("higher") => change.map(|change| 0.0 - change),
        Some(other) => {
            doubt(format!("whether `{}` is better is nothing that is understood", excerpt(other, 40)));
            None
        }
        None => {
            doubt("nobody says whether higher or lower is better".to_owned());
            None
        }
    };
    Trend { halves, change, worse, ..trend }
}

/// Behind and before which points values are missing.
fn gaps(points: &mut [Point], asked: &Asked<'_>) -> Vec<(Option<Timestamp>, Option<Timestamp>)> {
    let mut ways: Vec<i64> =
        points.windows(2).filter_map(|pair| Some(seconds(pair.first()?.at, pair.last()?.at))).collect();
    ways.sort_unstable();
    let Some(usual) = ways.get(ways.len() / 2).copied() else { return Vec::new() };
    let is_gap = |from, to| seconds(from, to).saturating_mul(2) > usual.saturating_mul(3);
    // The first and the last day need not have a value yet.
    let is_late = |from, to| is_gap(from, to) && seconds(from, to) > DAY;
    let mut gaps = Vec::new();
    let mut before = None;
    for point in points.iter_mut() {
        point.after_gap = before.is_some_and(|before| is_gap(before, point.at));
        if point.after_gap || (before.is_none() && is_late(asked.from, point.at)) {
            gaps.push((before, Some(point.at)));
        }
        before = Some(point.at);
    }
    if before.is_some_and(|before| is_late(before, asked.to)) {
        gaps.push((before, None));
    }
    gaps
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    from.duration_until(to).as_secs()
}

/// The points as a line of bars, the means of neighbours where there are many.
pub(super) fn sparkline(points: &[Point]) -> String {
    let size = points.len().div_ceil(WIDEST).max(1);
    let mean = |points: &[Point]| {
        points.iter().map(|point| point.value).sum::<f64>()
            / f64::from(u32::try_from(points.len()).unwrap_or(u32::MAX))
    };
    let means: Vec<f64> = points.chunks(size).map(mean).collect();
    let (least, most) =
        means.iter().fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(*value), most.max(*value)));
    let bar = |value: &f64| {
        let height = (value - least) / (most - least);
        let above =
            [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875].into_iter().filter(|step| height > *step).count();
        BARS.get(above).copied().unwrap_or('▁')
    };
    means.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<Point> {
        let day =
            |day: usize| format!("2026-{:02}-{:02}T00:00:00Z", 6 + day / 28, 1 + day % 28).parse().unwrap();
        values
            .iter()
            .enumerate()
            .map(|(at, value)| Point { at: day(at), value: *value, after_gap: false })
            .collect()
    }

    fn asked(better: Option<&str>) -> Asked<'_> {
        let at = |text: &str| text.parse().unwrap();
        Asked { better, fewest: 4, from: at("2026-06-01T00:00:00Z"), to: at("2026-06-07T00:00:00Z") }
    }

    fn worse(values: &[f64], better: Option<&str>) -> (Option<f64>, Vec<String>) {
        let Trend { worse, doubts, .. } = trend(&mut points(values), &asked(better));
        (worse, doubts)
    }

    #[test]
    fn the_second_half_is_held_against_the_first_in_the_metrics_own_direction() {
        let rising = [10.0, 10.0, 10.0, 99.0, 12.0, 12.0, 12.0];
        assert_eq!(worse(&rising, Some("lower")), (Some(20.0), vec![]));
        assert_eq!(worse(&rising, Some("higher")), (Some(-20.0), vec![]));
        assert_eq!(worse(&[-10.0, -10.0, -10.0, 0.0, -5.0, -5.0, -5.0], Some("lower")).0, Some(50.0));
        assert_eq!(worse(&[7.0; 7], Some("lower")), (Some(0.0), vec![]));
    }

    #[test]
    fn what_cannot_be_said_is_not_guessed() {
        for (values, better, says) in [
            (vec![1.0; 7], None, "nobody says whether higher or lower is better"),
            (vec![1.0; 7], Some("sideways"), "`sideways`"),
            (vec![0.0; 7], Some("lower"), "zero on average"),
            (vec![1.0; 3], Some("lower"), "3 of at least 4 points"),
            (vec![], Some("lower"), "0 of at least 4 points"),
            (vec![1.0; 5], Some("lower"), "missing after 2026-06-05"),
        ] {
            let doubts = worse(&values, better).1;
            assert!(doubts.iter().any(|doubt| doubt.contains(says)), "{says}: {doubts:?}");
        }
        let mut torn = points(&[1.0; 8]);
        torn.remove(3);
        let trend = trend(&mut torn, &asked(Some("lower")));
        assert_eq!(trend.doubts, ["values are missing between 2026-06-03 and 2026-06-05"]);
        assert_eq!(
            torn.iter().map(|point| point.after_gap).collect::<Vec<_>>(),
            [false, false, false, true, false, false, false]
        );
    }

    #[test]
    fn a_line_of_bars_is_short_and_shows_the_way() {
        assert_eq!(sparkline(&points(&[1.0, 2.0, 3.0])), "▁▄█");
        assert_eq!(sparkline(&points(&[5.0; 3])), "▁▁▁");
        let many: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(sparkline(&points(&many)).chars().count(), 25);
        assert_eq!(sparkline(&[]), "");
    }
}
