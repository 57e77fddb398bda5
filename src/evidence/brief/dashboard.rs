//! A dashboard: its metrics over time, which way each of them goes, and whether one goes too far.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Number, Value, json};

use super::chart::{Chart, ChartKind, Point, Series, short, when};
use super::instant::{end, instant};
use super::listing::{Record, records, text, told, word};
use super::trend::{Asked, Trend, sparkline, trend};
use super::{Brief, Given, View, first};
use crate::core::text::excerpt;
use crate::evidence::doubt::Doubts;

/// Metrics and dashboards that the details name.
const MOST_DETAILS: usize = 8;
/// Points that say something, where the recipe does not say how many.
const FEWEST: u64 = 6;

/// The rule, for whoever reads the table.
const RULE: &str = "The mean of the second half of the points against the mean of the first; of an odd number the one in the \
                    middle is in neither. Worse is the way that the metric itself does not call better.";

/// A metric over time.
#[derive(Debug)]
struct Measured<'a> {
    id: &'a str,
    name: &'a str,
    unit: Option<&'a str>,
    better: Option<&'a str>,
    points: Vec<Point>,
    trend: Trend,
}

/// A metric with its trend, as files and tables have it.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: &'a str,
    name: &'a str,
    unit: Option<&'a str>,
    better: Option<&'a str>,
    points: usize,
    last: Option<Number>,
    last_at: Option<Timestamp>,
    first_half: Option<Number>,
    second_half: Option<Number>,
    change_percent: Option<Number>,
    worse_percent: Option<Number>,
    doubts: &'a [String],
}

/// The dashboards under `of`; where there is one, the `dashboard` with its `metrics` and their `series` from the day `from`
/// to the day `to`, and the trend of `metric`, for which there must be `fewest_points`.
///
/// # Errors
/// What the recipe says is lacking or has the wrong type.
pub fn dashboard(given: &Given<'_>) -> Result<Brief, String> {
    let said = |name: &str| given.with.get(name).and_then(Value::as_str);
    let from = said("from").and_then(instant).ok_or("`from` is no day, such as 2026-06-01")?;
    let to = said("to").and_then(end).ok_or("`to` is no day, such as 2026-11-20")?;
    if to <= from {
        return Err("`to` lies before `from`".to_owned());
    }
    let fewest = given.number("fewest_points")?.map_or(Ok(FEWEST), |number| {
        format!("{number}").parse().map_err(|_| "`fewest_points` is no whole number".to_owned())
    })?;
    let mut doubts = Doubts::default();
    let all = records("dashboards", given.of()?, &mut doubts);
    let mut brief = Brief::default();
    let listed: Vec<Value> = all
        .iter()
        .map(|one| json!({"id": one.id, "name": one.text("name"), "summary": one.text("summary")}))
        .collect();
    brief.put("dashboards", &listed)?;
    let Some(board) = given.from.get("dashboard").copied() else {
        return list(brief, &all, said("metric"), doubts);
    };
    let asked = Asked { better: None, fewest, from, to };
    let measured = measured(given, &asked, &mut doubts);
    let charts = charts(board, &measured, &asked, &mut doubts);
    let shown: Vec<&Measured<'_>> = measured.values().collect();
    brief.put("dashboard", json!({"id": board.get("id"), "name": board.get("name")}))?;
    brief.put("from", from)?;
    brief.put("to", to)?;
    brief.put("metrics", shown.iter().map(|one| one.shown()).collect::<Vec<_>>())?;
    brief.put("charts", charts.iter().map(|(_, chart)| chart).collect::<Vec<_>>())?;
    brief.put("trend", held(said("metric"), &measured))?;
    brief.summary = summary(board, &shown);
    brief.details = first(shown.iter().map(|one| one.line()), MOST_DETAILS, " metrics");
    brief.views = vec![trends().saying(RULE)];
    let of = "charts".to_owned();
    let drawn = charts.into_iter().enumerate();
    brief.views.extend(drawn.map(|(at, (title, _))| View::Chart { title, of: of.clone(), at }));
    brief.undecided = told(doubts);
    Ok(brief)
}

/// The list of dashboards, where none was named.
fn list(
    mut brief: Brief,
    all: &[Record<'_>],
    metric: Option<&str>,
    mut doubts: Doubts,
) -> Result<Brief, String> {
    if let Some(metric) = metric {
        doubts.push(format!(
            "the trend of {} is asked for, and no `dashboard` is named that shows it",
            word(metric)
        ));
    }
    brief.put("trend", held(None, &BTreeMap::new()))?;
    brief.summary = match all.len() {
        0 => "no dashboard is visible".to_owned(),
        1 => "one dashboard; name it with `dashboard`".to_owned(),
        many => format!("{many} dashboards; name one with `dashboard`"),
    };
    if all.is_empty() {
        doubts.push("no dashboard is visible to this caller".to_owned());
    }
    let line = |one: &Record<'_>| {
        let summary = one.text("summary").map(|summary| format!(" ({summary})")).unwrap_or_default();
        format!("{}: {}{summary}", one.id, one.text("name").unwrap_or(one.id))
    };
    brief.details = all.iter().take(MOST_DETAILS).map(line).collect();
    brief.views = vec![View::table(
        "Dashboards",
        "dashboards",
        &[("ID", "id"), ("Name", "name"), ("Summary", "summary")],
    )];
    brief.undecided = told(doubts);
    Ok(brief)
}

/// The metrics whose series came, by ID.
fn measured<'a>(
    given: &Given<'a>,
    asked: &Asked<'_>,
    doubts: &mut Doubts,
) -> BTreeMap<&'a str, Measured<'a>> {
    let Some(answer) = given.from.get("series").copied() else {
        doubts.push(
            "no metric of the dashboard was measured: it shows none, or its series are not there".to_owned(),
        );
        return BTreeMap::new();
    };
    if answer.get("complete").is_some_and(|complete| complete != true) {
        doubts.push("the series are not known to be complete".to_owned());
    }
    let described = given.from.get("metrics").map(|metrics| records("metrics", metrics, doubts));
    let described: HashMap<&str, Record<'a>> =
        described.unwrap_or_default().into_iter().map(|metric| (metric.id, metric)).collect();
    let series = answer.get("series").and_then(Value::as_array);
    if series.is_none() {
        doubts.push("there is no list of series".to_owned());
    }
    let mut measured = BTreeMap::new();
    for one in series.into_iter().flatten() {
        let Some(id) = text(one, "metric") else {
            doubts.push("there is a series that does not say of which metric it is".to_owned());
            continue;
        };
        let of = |name| described.get(id).and_then(|metric| metric.text(name));
        let better = of("better");
        let (mut points, bad) = points(one);
        let mut trend = trend(&mut points, &Asked { better, ..*asked });
        trend.doubts.splice(0..0, bad);
        let name = of("name").unwrap_or(id);
        if measured.insert(id, Measured { id, name, unit: of("unit"), better, points, trend }).is_some() {
            doubts.push(format!("the series of {} comes twice", word(id)));
        }
    }
    measured
}

/// The points of a series in their order, and what was wrong with any.
fn points(series: &Value) -> (Vec<Point>, Option<String>) {
    let Some(items) = series.get("points").and_then(Value::as_array) else {
        return (Vec::new(), Some("there is no list of points".to_owned()));
    };
    let point = |item: &Value| {
        let value = item.get("value")?.as_f64().filter(|value| value.is_finite())?;
        Some(Point { at: instant(text(item, "at")?)?, value, after_gap: false })
    };
    let mut points: Vec<Point> = items.iter().filter_map(point).collect();
    let understood = points.len();
    points.sort_by(|one, other| {
        (one.at, one.value).partial_cmp(&(other.at, other.value)).unwrap_or(one.at.cmp(&other.at))
    });
    points.dedup_by_key(|point| point.at);
    let bad = match (items.len() - understood, understood - points.len()) {
        (0, 0) => None,
        (0, twice) => Some(format!("{twice} points come at the same time as another")),
        (odd, _) => Some(format!("{odd} points have no time or no number")),
    };
    (points, bad)
}

/// The dashboard's charts in their order, one for each unit: numbers of two units have no common side.
fn charts<'a>(
    board: &'a Value,
    measured: &BTreeMap<&str, Measured<'a>>,
    asked: &Asked<'_>,
    doubts: &mut Doubts,
) -> Vec<(String, Chart)> {
    let wanted = board.get("charts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if wanted.is_empty() {
        doubts.push("the dashboard has no charts".to_owned());
    }
    let mut charts = Vec::new();
    for chart in wanted {
        let title = text(chart, "title").or(text(chart, "id")).unwrap_or("Chart");
        let kind = match text(chart, "kind") {
            Some("line") => ChartKind::Line,
            Some("bar") => ChartKind::Bar,
            // Whatever else it is, the numbers are what it shows.
            _ => ChartKind::Table,
        };
        let ids = chart.get("metrics").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut by_unit: Vec<(Option<&str>, Vec<Series>)> = Vec::new();
        for id in ids.iter().filter_map(Value::as_str) {
            let Some(metric) = measured.get(id) else {
                doubts.push(format!("the dashboard shows {}, of which nothing came", word(id)));
                continue;
            };
            let unit = if kind == ChartKind::Table { None } else { metric.unit };
            let of_table = metric.unit.filter(|_| kind == ChartKind::Table);
            let name = match of_table {
                Some(unit) => format!("{} ({unit})", metric.name),
                None => metric.name.to_owned(),
            };
            let series = Series { name, points: metric.points.clone() };
            match by_unit.iter_mut().find(|(known, _)| *known == unit) {
                Some((_, all)) => all.push(series),
                None => by_unit.push((unit, vec![series])),
            }
        }
        let several = by_unit.len() > 1;
        for (unit, series) in by_unit {
            let title = match unit.filter(|_| several) {
                Some(unit) => format!("{title} ({unit})"),
                None => title.to_owned(),
            };
            let unit = unit.map(str::to_owned);
            charts.push((title, Chart { kind, unit, from: asked.from, to: asked.to, series }));
        }
    }
    charts
}

/// What a gate holds to its limit: how much worse the metric got, in percent.
fn held(metric: Option<&str>, measured: &BTreeMap<&str, Measured<'_>>) -> Value {
    let Some(id) = metric else {
        return json!({"asked": false, "undecided": false, "worse_by": 0, "says": "No metric is held to a limit"});
    };
    let named = measured.get(id).map_or(id, |metric| metric.name);
    let named = format!("{} ({})", excerpt(named, 80), excerpt(id, 60));
    let undecided = |why: &str| json!({"asked": true, "undecided": true, "worse_by": 0, "says": format!("The trend of {named} is not known: {why}")});
    let Some(Measured { trend, .. }) = measured.get(id) else {
        return undecided("the dashboard does not show it");
    };
    match (trend.worse, trend.doubts.as_slice()) {
        (Some(worse), []) => {
            let says = format!("{named} {}", went(worse));
            json!({"asked": true, "undecided": false, "worse_by": worse, "says": says})
        }
        (_, doubts) => undecided(&doubts.join("; ")),
    }
}

/// A number as people write it.
fn rounded(number: f64) -> Option<Number> {
    short(number).parse().ok()
}

fn went(worse: f64) -> String {
    match worse {
        worse if worse > 0.0 => format!("got worse by {}%", short(worse)),
        worse if worse < 0.0 => format!("got better by {}%", short(-worse)),
        _ => "did not change".to_owned(),
    }
}

fn summary(board: &Value, shown: &[&Measured<'_>]) -> String {
    let name = text(board, "name").or(text(board, "id")).unwrap_or("the dashboard");
    let worse = shown.iter().filter(|one| one.trend.worse.is_some_and(|worse| worse > 0.0)).count();
    let doubtful = shown.iter().filter(|one| !one.trend.doubts.is_empty()).count();
    let metrics = if shown.len() == 1 { "1 metric".to_owned() } else { format!("{} metrics", shown.len()) };
    format!("{}: {metrics}, {worse} got worse, {doubtful} in doubt", excerpt(name, 80))
}

impl Measured<'_> {
    fn shown(&self) -> Shown<'_> {
        let Self { id, name, unit, better, points, trend } = self;
        let last = points.last();
        Shown {
            id,
            name,
            unit: *unit,
            better: *better,
            points: points.len(),
            last: last.and_then(|point| point.value.to_string().parse().ok()),
            last_at: last.map(|point| point.at),
            first_half: trend.halves.and_then(|(first, _)| rounded(first)),
            second_half: trend.halves.and_then(|(_, second)| rounded(second)),
            change_percent: trend.change.and_then(rounded),
            worse_percent: trend.worse.and_then(rounded),
            doubts: &trend.doubts,
        }
    }

    fn line(&self) -> String {
        let Self { id, name, unit, points, trend, .. } = self;
        let unit = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        let Some(last) = points.last() else { return format!("{name} ({id}): no values") };
        let bars = sparkline(points);
        let way = match (trend.worse, trend.doubts.first()) {
            (_, Some(doubt)) => format!("in doubt: {doubt}"),
            (Some(worse), None) => went(worse),
            (None, None) => "nobody says which way is better".to_owned(),
        };
        format!("{bars} {name} ({id}): {}{unit} on {}, {way}", short(last.value), when(last.at))
    }
}

fn trends() -> View {
    View::table(
        "Metrics",
        "metrics",
        &[
            ("Metric", "name"),
            ("ID", "id"),
            ("Unit", "unit"),
            ("Better", "better"),
            ("Last", "last"),
            ("First half", "first_half"),
            ("Second half", "second_half"),
            ("Worse by %", "worse_percent"),
            ("Doubts", "doubts"),
        ],
    )
}

#[cfg(test)]
mod tests;
