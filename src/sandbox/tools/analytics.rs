//! Analytics: metrics, their series, and dashboards that show them.

use rusqlite::OptionalExtension as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::listings::Nothing;
use super::planning::from_json;
use super::select::{Items, MOST, Select, number};
use super::{Call, not_visible};
use crate::sandbox::refusal::Failure;
use crate::sandbox::store;

/// Filters; a metric fits all that are given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricQuery {
    /// Metrics of this team.
    #[schemars(length(min = 1, max = 200))]
    team: Option<String>,
}

/// A metric.
#[derive(Serialize, JsonSchema)]
pub(super) struct Metric {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// Which way is good: `higher` or `lower`.
    #[serde(skip_serializing_if = "Option::is_none")]
    better: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
}

/// The metrics that fit, by ID.
pub(super) fn metrics(call: &mut Call<'_>, query: MetricQuery) -> Result<Items<Metric>, Failure> {
    let select = "SELECT id, name, unit, better, team FROM metrics";
    Ok(Select::of(select, &call.caller.tenant).and_if("team = @", query.team).items(
        call.connection,
        "id",
        |row| {
            Ok(Metric {
                id: row.get(0)?,
                name: row.get(1)?,
                unit: row.get(2)?,
                better: row.get(3)?,
                team: row.get(4)?,
            })
        },
    )?)
}

/// Metrics and a time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SeriesQuery {
    /// Their IDs.
    #[schemars(length(min = 1, max = 200), inner(length(min = 1, max = 200)))]
    metrics: Vec<String>,
    /// A date or an instant.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T[0-9:.]+Z)?$"))]
    from: String,
    /// A date, which counts as a whole, or an instant.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T[0-9:.]+Z)?$"))]
    to: String,
}

/// Series, in the order in which they were asked for.
#[derive(Serialize, JsonSchema)]
pub(super) struct SeriesAnswer {
    from: String,
    to: String,
    /// False where there are more points than an answer holds.
    complete: bool,
    series: Vec<Series>,
}

/// The values of a metric, oldest first.
#[derive(Serialize, JsonSchema)]
struct Series {
    metric: String,
    points: Vec<Point>,
}

#[derive(Serialize, JsonSchema)]
struct Point {
    /// A date or an instant.
    at: String,
    value: Number,
}

/// The series of metrics. One that is not visible is refused: a series without points is a metric that nobody measured.
pub(super) fn series(call: &mut Call<'_>, query: SeriesQuery) -> Result<SeriesAnswer, Failure> {
    let tenant = &call.caller.tenant;
    let SeriesQuery { metrics, from, to } = query;
    let reading = call.connection.transaction()?;
    let (mut series, mut complete, mut room) = (Vec::with_capacity(metrics.len()), true, MOST);
    for metric in metrics {
        if !store::has(&reading, "metrics", tenant, &metric)? {
            return Err(not_visible("metric", &metric).into());
        }
        let found = Select::of("SELECT at, value FROM metric_points", tenant)
            .and("metric_id = @", metric.clone())
            .between(&["at"], Some(&from), Some(&to))
            .items(&reading, "at", |row| Ok(Point { at: row.get(0)?, value: number(row.get(1)?) }))?;
        let mut points = found.items;
        complete = complete && found.complete && points.len() <= room;
        points.truncate(room);
        room -= points.len();
        series.push(Series { metric, points });
    }
    Ok(SeriesAnswer { from, to, complete, series })
}

/// A dashboard.
#[derive(Serialize, JsonSchema)]
pub(super) struct Named {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
}

/// All dashboards, by ID.
pub(super) fn dashboards(call: &mut Call<'_>, _: Nothing) -> Result<Items<Named>, Failure> {
    let select = "SELECT id, name, summary FROM dashboards";
    Ok(Select::of(select, &call.caller.tenant).items(call.connection, "id", |row| {
        Ok(Named { id: row.get(0)?, name: row.get(1)?, summary: row.get(2)? })
    })?)
}

/// A dashboard.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DashboardQuery {
    /// The dashboard.
    #[schemars(length(min = 1, max = 200))]
    dashboard_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct DashboardAnswer {
    dashboard: Dashboard,
}

/// A dashboard with what it shows.
#[derive(Serialize, JsonSchema)]
struct Dashboard {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    /// In their order.
    charts: Vec<Chart>,
}

/// A chart.
#[derive(Serialize, JsonSchema)]
struct Chart {
    id: String,
    title: String,
    /// `line`, `bar` or `table`; another word is somebody's own.
    kind: String,
    /// IDs of the metrics that it shows.
    metrics: Vec<String>,
}

/// A dashboard.
pub(super) fn dashboard(call: &mut Call<'_>, query: DashboardQuery) -> Result<DashboardAnswer, Failure> {
    let tenant = &call.caller.tenant;
    let DashboardQuery { dashboard_id: id } = query;
    let reading = call.connection.transaction()?;
    let (name, summary) = reading
        .prepare_cached("SELECT name, summary FROM dashboards WHERE tenant_id = ?1 AND id = ?2")?
        .query_row([tenant, &id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(|| not_visible("dashboard", &id))?;
    let charts = Select::of("SELECT id, title, kind, metrics FROM charts", tenant)
        .and("dashboard_id = @", id.clone())
        .items(&reading, "position", |row| {
            Ok(Chart {
                id: row.get(0)?,
                title: row.get(1)?,
                kind: row.get(2)?,
                metrics: from_json(row, "metrics")?,
            })
        })?;
    Ok(DashboardAnswer { dashboard: Dashboard { id, name, summary, charts: charts.items } })
}
