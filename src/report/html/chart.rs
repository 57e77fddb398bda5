//! Numbers over time as a picture.

use jiff::{SignedDuration, Timestamp};

use super::element::{Element, element};
use super::part::bounded_text;
use crate::core::text::excerpt;
use crate::evidence::brief::{Axis, Chart, ChartKind, Point, Series, short, when};
use crate::report::layout::count;

/// Series that are drawn; the table has all of them.
const MOST_SERIES: usize = 6;
/// Points of a series that are drawn one by one; of more the least and the most of each stretch.
const MOST_POINTS: usize = 600;
/// Points of a series that have a dot and say their value.
const MOST_DOTS: usize = 80;
/// Bars in all; more of them are drawn as lines.
const MOST_BARS: usize = 160;
/// Dates below the chart.
const DATES: u32 = 5;
/// Characters of a name.
const NAME: usize = 60;

/// The sheet, in pixels.
const WIDTH: f64 = 960.0;
const PLOT: f64 = 250.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const LEGEND: f64 = 20.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 30.0;
/// What a bar needs at the sides.
const BAR: f64 = 48.0;

/// Caption and picture of a chart; none where nothing can be drawn.
pub(super) fn drawn(number: usize, title: &str, chart: &Chart) -> Option<Vec<Element>> {
    let Axis(numbers) = chart.axis()?;
    let shown: Vec<&Series> = chart.series.iter().take(MOST_SERIES).collect();
    let points: usize = shown.iter().map(|series| series.points.len()).sum();
    let bars = chart.kind == ChartKind::Bar && points <= MOST_BARS;
    let frame = Frame::of(chart, &numbers, &shown, if bars { BAR / 2.0 } else { 0.0 })?;
    let mut says = match &chart.unit {
        Some(unit) => format!("Unit: {}.", excerpt(unit, NAME)),
        None => String::new(),
    };
    if shown.iter().any(|series| series.points.iter().any(|point| point.after_gap)) {
        let missing = if bars { " No bar stands" } else { " A line is broken" };
        says.push_str(&format!("{missing} where values are missing."));
    }
    if shown.iter().any(|series| series.points.len() > MOST_POINTS) {
        says.push_str(" Of many points the least and the most of each stretch are drawn.");
    }
    if chart.series.len() > shown.len() {
        let left_out = count(chart.series.len() - shown.len(), "series", "series");
        says.push_str(&format!(" Not drawn: {left_out}; the table has all of them."));
    }
    let caption = (!says.is_empty()).then(|| element("figcaption").text(says.trim()));
    let sheet = element("section")
        .class("canvas")
        .with("tabindex", 0)
        .with("aria-label", format_args!("Chart {}: {}", number + 1, bounded_text(title)))
        .add(svg(number, title, chart, &shown, &frame, bars));
    Some(caption.into_iter().chain([sheet]).collect())
}

/// Where a time and a number stand on the sheet.
struct Frame<'a> {
    from: f64,
    seconds: f64,
    top: f64,
    numbers: &'a [f64],
    least: f64,
    span: f64,
    /// Free at both sides.
    inset: f64,
}

impl<'a> Frame<'a> {
    fn of(chart: &Chart, numbers: &'a [f64], shown: &[&Series], inset: f64) -> Option<Self> {
        let (least, most) = numbers.first().zip(numbers.last())?;
        let (from, to) = (second(chart.from), second(chart.to));
        let legend = if shown.len() > 1 { LEGEND * f64::from(u8::try_from(shown.len()).ok()?) } else { 0.0 };
        let seconds = (to - from).max(1.0);
        Some(Self { from, seconds, top: TOP + legend, numbers, least: *least, span: most - least, inset })
    }

    fn x(&self, at: Timestamp) -> f64 {
        let room = WIDTH - LEFT - RIGHT - 2.0 * self.inset;
        LEFT + self.inset + (second(at) - self.from) / self.seconds * room
    }

    fn y(&self, value: f64) -> f64 {
        self.top + PLOT - (value - self.least) / self.span * PLOT
    }

    fn height(&self) -> f64 {
        self.top + PLOT + BOTTOM
    }
}

/// Seconds, to which a double is exact enough.
fn second(at: Timestamp) -> f64 {
    at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

fn svg(
    number: usize,
    title: &str,
    chart: &Chart,
    shown: &[&Series],
    frame: &Frame<'_>,
    bars: bool,
) -> Element {
    let height = frame.height();
    let each = shown.iter().map(|series| said(series, chart.unit.as_deref()));
    let says = format!("{} The table below has the numbers.", each.collect::<Vec<_>>().join(" "));
    let drawn = shown.iter().enumerate().map(|(place, series)| {
        let class = element("g").with("class", format_args!("series-{place}"));
        let class =
            class.all((shown.len() > 1).then(|| legend(place, &series.name, bars)).into_iter().flatten());
        if bars {
            class.all(self::bars(series, place, shown.len(), frame, chart))
        } else {
            class.all(line(series, frame, chart))
        }
    });
    element("svg")
        .class("chart")
        .with("width", WIDTH)
        .with("height", height)
        .with("viewBox", format_args!("0 0 {WIDTH} {height}"))
        .with("role", "img")
        .with("aria-labelledby", format_args!("chart-{number}-title chart-{number}-says"))
        .add(element("title").with("id", format_args!("chart-{number}-title")).text(&bounded_text(title)))
        .add(element("desc").with("id", format_args!("chart-{number}-says")).text(&says))
        .all(sides(frame))
        .all(dates(frame, chart))
        .all(drawn)
}

/// A series in a sentence.
fn said(series: &Series, unit: Option<&str>) -> String {
    let name = excerpt(&series.name, NAME);
    let unit = unit.map(|unit| format!(" {}", excerpt(unit, NAME))).unwrap_or_default();
    match (series.points.first(), series.points.last()) {
        (Some(first), Some(last)) => format!(
            "{name}: {} on {}, {}{unit} on {}.",
            short(first.value),
            when(first.at),
            short(last.value),
            when(last.at)
        ),
        _ => format!("{name}: no values."),
    }
}

/// The numbers at the side, each with its line.
fn sides(frame: &Frame<'_>) -> Vec<Element> {
    let mut sides = Vec::new();
    for number in frame.numbers {
        let y = frame.y(*number);
        let class = if short(*number) == "0" { "grid zero" } else { "grid" };
        let path = format!("M{LEFT:.0} {y:.1}H{:.0}", WIDTH - RIGHT);
        sides.push(element("path").class(class).with("d", path));
        let text = element("text").with("x", LEFT - 8.0).with("y", format_args!("{:.1}", y + 4.0));
        sides.push(text.with("text-anchor", "end").text(&short(*number)));
    }
    sides
}

/// Dates below the chart, evenly apart.
fn dates(frame: &Frame<'_>, chart: &Chart) -> Vec<Element> {
    // The last day ends at the midnight behind it.
    let all = chart.to.duration_since(chart.from) - SignedDuration::from_secs(1);
    let days = all.as_hours() / 24;
    let all = (0..DATES).filter_map(|number| {
        let part =
            all.checked_mul(i32::try_from(number).ok()?)?.checked_div(i32::try_from(DATES - 1).ok()?)?;
        let at = chart.from.checked_add(part).ok()?;
        let text = if days > 4 { at.strftime("%Y-%m-%d") } else { at.strftime("%m-%d %H:%M") }.to_string();
        let anchor = match number {
            0 => "start",
            number if number == DATES - 1 => "end",
            _ => "middle",
        };
        let place = element("text").with("x", format_args!("{:.1}", frame.x(at)));
        let place = place.with("y", format_args!("{:.1}", frame.top + PLOT + 20.0));
        Some(place.with("text-anchor", anchor).text(&text))
    });
    all.collect()
}

fn legend(place: usize, name: &str, bars: bool) -> [Element; 2] {
    let y = TOP + LEGEND * f64::from(u8::try_from(place).unwrap_or(u8::MAX)) + 4.0;
    let sample = match bars {
        true => element("rect")
            .class("bar")
            .with("x", LEFT + 6.0)
            .with("y", format_args!("{:.1}", y - 5.0))
            .with("width", 12)
            .with("height", 10),
        false => element("path").class("curve").with("d", format_args!("M{LEFT:.0} {y:.1}h26")),
    };
    let text =
        element("text").class("legend").with("x", LEFT + 34.0).with("y", format_args!("{:.1}", y + 4.0));
    [sample, text.text(&excerpt(name, NAME))]
}

fn line(series: &Series, frame: &Frame<'_>, chart: &Chart) -> Vec<Element> {
    let points = thinned(&series.points);
    let mut path = String::new();
    for (place, point) in points.iter().enumerate() {
        let word = if place == 0 || point.after_gap { "M" } else { "L" };
        path.push_str(&format!("{word}{:.1} {:.1}", frame.x(point.at), frame.y(point.value)));
    }
    let curve = (!path.is_empty()).then(|| element("path").class("curve").with("d", path));
    let dots = points.iter().filter(|_| points.len() <= MOST_DOTS).map(|point| {
        element("circle")
            .class("dot")
            .with("cx", format_args!("{:.1}", frame.x(point.at)))
            .with("cy", format_args!("{:.1}", frame.y(point.value)))
            .with("r", 3)
            .add(element("title").text(&value(point, chart)))
    });
    curve.into_iter().chain(dots).collect()
}

fn bars(series: &Series, place: usize, of: usize, frame: &Frame<'_>, chart: &Chart) -> Vec<Element> {
    let ways = series
        .points
        .windows(2)
        .filter_map(|pair| Some(frame.x(pair.last()?.at) - frame.x(pair.first()?.at)));
    let room = ways.fold(BAR, f64::min) * 0.75;
    let number = |count: usize| f64::from(u8::try_from(count).unwrap_or(u8::MAX));
    let width = (room / number(of)).max(1.0);
    let bar = |point: &Point| {
        let (zero, end) = (frame.y(0.0_f64.max(frame.least)), frame.y(point.value));
        let x = frame.x(point.at) - room / 2.0 + width * number(place);
        element("rect")
            .class("bar")
            .with("x", format_args!("{x:.1}"))
            .with("y", format_args!("{:.1}", zero.min(end)))
            .with("width", format_args!("{width:.1}"))
            .with("height", format_args!("{:.1}", (zero - end).abs()))
            .add(element("title").text(&value(point, chart)))
    };
    series.points.iter().map(bar).collect()
}

/// A point in words.
fn value(point: &Point, chart: &Chart) -> String {
    let unit = chart.unit.as_deref().map(|unit| format!(" {}", excerpt(unit, NAME))).unwrap_or_default();
    format!("{}: {}{unit}", when(point.at), short(point.value))
}

/// The least and the most of each stretch, where there are many points.
fn thinned(points: &[Point]) -> Vec<Point> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let size = points.len().div_ceil(MOST_POINTS / 2);
    let mut thinned = Vec::with_capacity(MOST_POINTS);
    for stretch in points.chunks(size) {
        let by = |one: &&Point, other: &&Point| one.value.total_cmp(&other.value);
        let both = stretch.iter().min_by(by).zip(stretch.iter().max_by(by));
        let gap = stretch.iter().any(|point| point.after_gap);
        let Some((least, most)) = both else { continue };
        let (mut first, second) = if least.at <= most.at { (*least, *most) } else { (*most, *least) };
        first.after_gap = gap;
        thinned.push(first);
        if second.at > first.at {
            thinned.push(Point { after_gap: false, ..second });
        }
    }
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(kind: ChartKind, counts: &[usize]) -> Chart {
        let from: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let hour = |hours: usize| SignedDuration::from_hours(i64::try_from(hours).unwrap());
        let point =
            |hours: usize| Point { at: from + hour(hours), value: (hours % 10) as f64, after_gap: false };
        let series = |(name, count): (usize, &usize)| Series {
            name: format!("S{name}<b>"),
            points: (0..*count).map(point).collect(),
        };
        let series = counts.iter().enumerate().map(series).collect();
        Chart { kind, unit: Some("<i>".to_owned()), from, to: from + hour(100_000), series }
    }

    fn shown(chart: &Chart) -> String {
        drawn(0, "<title>", chart).unwrap().into_iter().map(Element::html).collect()
    }

    #[test]
    fn a_chart_has_a_title_a_description_and_its_values_and_no_markup_of_others() {
        let line = shown(&chart(ChartKind::Line, &[3]));
        assert_eq!((line.matches("class=\"curve\"").count(), line.matches("<circle").count()), (1, 3));
        assert!(
            line.contains("&lt;title&gt;</title>") && line.contains("2026-06-01: 0 &lt;i&gt;</title>"),
            "{line}"
        );
        assert!(!line.contains("<b>") && !line.contains("<i>") && !line.contains("style="));
        let bars = shown(&chart(ChartKind::Bar, &[3, 3]));
        assert_eq!(bars.matches("class=\"bar\"").count(), 3 + 3 + 2, "a sample in the legend for each");
        assert!(drawn(0, "t", &chart(ChartKind::Table, &[3])).is_none());
        assert!(drawn(0, "t", &chart(ChartKind::Line, &[0])).is_none());
    }

    #[test]
    fn a_gap_breaks_the_line() {
        let mut torn = chart(ChartKind::Line, &[4]);
        torn.series[0].points[2].after_gap = true;
        let shown = shown(&torn);
        let path = shown.split("class=\"curve\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 2));
        assert!(shown.contains("A line is broken where values are missing."));
    }

    #[test]
    fn many_points_and_series_stay_small_and_say_what_is_left_out() {
        let many = shown(&chart(ChartKind::Bar, &[50_000; 9]));
        assert!(many.len() < 120_000, "{}", many.len());
        assert!(
            many.contains(
                "Of many points the least and the most of each stretch are drawn. Not drawn: 3 series"
            ),
            "{}",
            &many[..600]
        );
    }
}
