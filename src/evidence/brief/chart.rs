//! Numbers over time: what a chart shows, on which axis, and as Mermaid draws it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Points of a Mermaid chart at the most: it names none of them.
const MOST_DRAWN: usize = 120;
/// Larger numbers are not drawn.
const LARGEST: f64 = 1e12;

/// How a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartKind {
    /// Lines.
    Line,
    /// Bars.
    Bar,
    /// Not at all: the numbers alone.
    Table,
}

/// Numbers of one unit over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// How it is drawn.
    pub kind: ChartKind,
    /// The unit of all of its numbers, as it came.
    pub unit: Option<String>,
    /// At the longest from here…
    pub from: Timestamp,
    /// … to here.
    pub to: Timestamp,
    /// What it shows.
    pub series: Vec<Series>,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name, as it came.
    pub name: String,
    /// Oldest first, no two at the same time.
    pub points: Vec<Point>,
}

/// A number at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// How much; finite.
    pub value: f64,
    /// Whether values are missing between the one before and this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_gap: bool,
}

/// The numbers on the side of a chart, evenly apart, least first; the chart reaches from the first to the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis(pub Vec<f64>);

/// The chart at a place of the list `of`; none where there is no such chart.
#[must_use]
pub fn chart(brief: &Value, of: &str, at: usize) -> Option<Chart> {
    Chart::deserialize(brief.get(of)?.get(at)?).ok()
}

impl Chart {
    /// The side of the chart; none where there is nothing that can be drawn.
    #[must_use]
    pub fn axis(&self) -> Option<Axis> {
        let values = || self.series.iter().flat_map(|series| &series.points).map(|point| point.value);
        if self.kind == ChartKind::Table
            || values().next().is_none()
            || values().any(|value| value.abs() > LARGEST)
        {
            return None;
        }
        let (mut least, mut most) =
            values().fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        // A bar begins at zero, and a line where most of the height would be empty otherwise.
        if self.kind == ChartKind::Bar || least < most / 2.0 {
            least = least.min(0.0);
        }
        if self.kind == ChartKind::Bar {
            most = most.max(0.0);
        }
        if least >= most {
            (least, most) = (least - 1.0, most + 1.0);
        }
        let step = step((most - least) / 4.0);
        let (first, last) = ((least / step).floor(), (most / step).ceil());
        // A handful: the step was made so.
        let numbers = (0..12).map(|number| first + f64::from(number)).take_while(|number| *number <= last);
        let numbers: Vec<f64> = numbers.map(|number| number * step).collect();
        // Numbers that are too small, or too near each other, leave nothing between the ends.
        let (one, other) = numbers.first().zip(numbers.last())?;
        (other.is_finite() && other > one).then_some(Axis(numbers))
    }

    /// The heads and rows of the chart as a table: a row for each time, a column for each series.
    #[must_use]
    pub fn rows(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let mut heads = vec!["When".to_owned()];
        let unit = self.unit.as_deref().map(|unit| format!(" ({unit})")).unwrap_or_default();
        heads.extend(self.series.iter().map(|series| format!("{}{unit}", series.name)));
        let mut rows: BTreeMap<Timestamp, Vec<String>> = BTreeMap::new();
        for (column, series) in self.series.iter().enumerate() {
            for point in &series.points {
                let row = rows.entry(point.at).or_insert_with(|| vec![String::new(); self.series.len()]);
                if let Some(cell) = row.get_mut(column) {
                    *cell = point.value.to_string();
                }
            }
        }
        let row = |(at, cells): (Timestamp, Vec<String>)| std::iter::once(when(at)).chain(cells).collect();
        (heads, rows.into_iter().map(row).collect())
    }

    /// The chart for Mermaid, which has neither a legend nor gaps nor times: none where it needs one of them.
    #[must_use]
    pub fn mermaid(&self) -> Option<String> {
        let Axis(numbers) = self.axis()?;
        let [Series { points, .. }] = self.series.as_slice() else { return None };
        let [first, .., last] = points.as_slice() else { return None };
        if points.len() > MOST_DRAWN || points.iter().any(|point| point.after_gap) {
            return None;
        }
        let (least, most) = numbers.first().zip(numbers.last())?;
        let values: Vec<String> = points.iter().map(|point| point.value.to_string()).collect();
        let mut text = String::from("xychart-beta\n");
        // Writing to a string does not fail.
        let _ = writeln!(text, "  x-axis \"{} to {}\" 1 --> {}", when(first.at), when(last.at), points.len());
        let _ = writeln!(text, "  y-axis {} --> {}", short(*least), short(*most));
        let word = if self.kind == ChartKind::Bar { "bar" } else { "line" };
        let _ = writeln!(text, "  {word} [{}]", values.join(", "));
        Some(text)
    }
}

/// A round number that is not less than `least`: 1, 2 or 5 with zeros.
fn step(least: f64) -> f64 {
    let magnitude = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * magnitude >= least).unwrap_or(10.0);
    factor * magnitude
}

/// A number without the digits that only arithmetic left behind.
#[must_use]
pub fn short(number: f64) -> String {
    if number != 0.0 && number.abs() < 0.001 {
        return format!("{number:e}");
    }
    let text = format!("{number:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A day where it is midnight (UTC), else the instant.
#[must_use]
pub fn when(at: Timestamp) -> String {
    match at.strftime("%H:%M:%S").to_string().as_str() {
        "00:00:00" => at.strftime("%Y-%m-%d").to_string(),
        _ => format!("{at:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn drawn(kind: ChartKind, values: &[f64]) -> Chart {
        let at = |day: usize| format!("2026-06-{:02}T00:00:00Z", day + 1).parse().unwrap();
        let point = |(day, value): (usize, &f64)| Point { at: at(day), value: *value, after_gap: false };
        let series = Series { name: "n".to_owned(), points: values.iter().enumerate().map(point).collect() };
        Chart { kind, unit: None, from: at(0), to: at(27), series: vec![series] }
    }

    #[test]
    fn an_axis_has_round_numbers_around_all_values_and_bars_begin_at_zero() {
        let axis = |kind, values: &[f64]| drawn(kind, values).axis().map(|Axis(numbers)| numbers);
        assert_eq!(axis(ChartKind::Line, &[28.0, 49.0]), Some(vec![20.0, 30.0, 40.0, 50.0]));
        assert_eq!(axis(ChartKind::Bar, &[28.0, 49.0]), Some(vec![0.0, 20.0, 40.0, 60.0]));
        assert_eq!(axis(ChartKind::Line, &[1.0, 9.0]), Some(vec![0.0, 5.0, 10.0]));
        assert_eq!(axis(ChartKind::Line, &[5.0, 5.0]), Some(vec![4.0, 4.5, 5.0, 5.5, 6.0]));
        assert_eq!(axis(ChartKind::Bar, &[-3.0, -1.0]), Some(vec![-3.0, -2.0, -1.0, 0.0]));
        for none in [
            axis(ChartKind::Line, &[]),
            axis(ChartKind::Table, &[1.0]),
            axis(ChartKind::Line, &[5e-324, 1e300]),
        ] {
            assert_eq!(none, None);
        }
        assert_eq!(short(0.000_25), "2.5e-4");
        assert_eq!([short(0.1 + 0.2), short(-0.0), short(1200.0)], ["0.3", "0", "1200"]);
    }

    #[test]
    fn mermaid_gets_numbers_and_dates_alone_and_nothing_that_it_would_draw_wrong() {
        let chart = drawn(ChartKind::Line, &[28.8, 31.5, 30.0]);
        assert_snapshot!(chart.mermaid().unwrap(), @r#"
        xychart-beta
          x-axis "2026-06-01 to 2026-06-03" 1 --> 3
          y-axis 28 --> 32
          line [28.8, 31.5, 30]
        "#);
        let mut gap = chart.clone();
        gap.series[0].points[1].after_gap = true;
        let mut two = chart.clone();
        two.series.push(two.series[0].clone());
        let one = drawn(ChartKind::Bar, &[1.0]);
        assert_eq!([gap.mermaid(), two.mermaid(), one.mermaid()], [None, None, None]);
    }

    #[test]
    fn the_table_has_a_row_for_each_time_and_says_nothing_where_nothing_is() {
        let mut chart = drawn(ChartKind::Line, &[1.0, 2.5]);
        chart.unit = Some("hours".to_owned());
        let mut other = chart.series[0].clone();
        other.points.remove(0);
        chart.series.push(other);
        let (heads, rows) = chart.rows();
        assert_eq!(heads, ["When", "n (hours)", "n (hours)"]);
        assert_eq!(rows, [["2026-06-01", "1", ""], ["2026-06-02", "2.5", "2.5"]]);
        let value = serde_json::json!({ "charts": [chart] });
        assert_eq!(super::chart(&value, "charts", 0).as_ref(), Some(&chart));
        assert_eq!(super::chart(&value, "charts", 1), None);
    }
}
