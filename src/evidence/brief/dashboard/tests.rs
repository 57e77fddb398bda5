use super::*;

fn boards() -> Value {
    json!({"complete": true, "items": [{"id": "D-1", "name": "Releases", "summary": "How fast"}, {"id": "D-2", "name": "Quality"}]})
}

fn board() -> Value {
    json!({"id": "D-1", "name": "Releases", "charts": [
        {"id": "C-1", "title": "Lead time", "kind": "line", "metrics": ["lead"]},
        {"id": "C-2", "title": "Failure and recovery", "kind": "bar", "metrics": ["fail", "restore", "lead"]},
        {"id": "C-3", "title": "All", "kind": "table", "metrics": ["lead", "fail"]},
    ]})
}

fn metrics() -> Value {
    json!({"complete": true, "items": [
        {"id": "lead", "name": "Lead time", "unit": "hours", "better": "lower"},
        {"id": "fail", "name": "Failures", "unit": "percent", "better": "lower"},
        {"id": "restore", "name": "Restore", "unit": "hours"},
    ]})
}

fn series(metric: &str, values: &[f64]) -> Value {
    let point =
        |(week, value): (usize, &f64)| json!({"at": format!("2026-06-{:02}", 1 + week * 4), "value": value});
    json!({"metric": metric, "points": values.iter().enumerate().map(point).collect::<Vec<_>>()})
}

fn all_series() -> Value {
    let lead = series("lead", &[10.0, 10.0, 10.0, 12.0, 12.0, 12.0]);
    json!({"from": "2026-06-01", "to": "2026-06-24", "series": [lead, series("fail", &[5.0; 6]), series("restore", &[5.0; 6])]})
}

fn told(from: &[(&'static str, &Value)], with: Value) -> Result<Brief, String> {
    let mut all = json!({"from": "2026-06-01", "to": "2026-06-24"});
    all.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    let boards = boards();
    let from = from.iter().copied().collect();
    dashboard(&Given { of: Some(&boards), from, with: all.as_object().unwrap().clone(), ..Given::default() })
}

fn shown(board: &Value, metrics: &Value, series: &Value, metric: &str) -> Brief {
    told(&[("dashboard", board), ("metrics", metrics), ("series", series)], json!({ "metric": metric }))
        .unwrap()
}

#[test]
fn a_metric_is_held_to_its_own_direction_and_charts_have_one_unit_each() {
    let brief = shown(&board(), &metrics(), &all_series(), "lead");
    assert_eq!(brief.undecided, Vec::<String>::new());
    let trend = &brief.data["trend"];
    assert_eq!(
        (&trend["worse_by"], &trend["says"]),
        (&json!(20.0), &json!("Lead time (lead) got worse by 20%"))
    );
    assert_eq!(brief.summary, "Releases: 3 metrics, 1 got worse, 1 in doubt");
    let titles: Vec<String> = brief
        .views
        .iter()
        .filter_map(|view| match view {
            View::Chart { title, .. } => Some(title.clone()),
            View::Table { .. } => None,
        })
        .collect();
    assert_eq!(
        titles,
        ["Lead time", "Failure and recovery (percent)", "Failure and recovery (hours)", "All"]
    );
    let chart = |at| super::super::chart::chart(&json!(brief.data), "charts", at).unwrap();
    assert_eq!((chart(2).series.len(), chart(2).unit.as_deref()), (2, Some("hours")));
    assert_eq!(chart(3).rows().0, ["When", "Lead time (hours)", "Failures (percent)"]);
    assert!(
        brief
            .details
            .iter()
            .any(|line| line.starts_with("▁▁▁███ Lead time (lead): 12 hours on 2026-06-21, got worse"))
    );
}

#[test]
fn a_trend_that_nobody_can_tell_is_undecided_and_the_rest_is_shown() {
    let undecided = |metrics: &Value, series: &Value, metric: &str| {
        let brief = shown(&board(), metrics, series, metric);
        let trend = &brief.data["trend"];
        assert_eq!(trend["undecided"], true, "{trend}");
        trend["says"].as_str().unwrap().to_owned()
    };
    assert!(undecided(&metrics(), &all_series(), "restore").contains("nobody says whether higher"));
    assert!(undecided(&metrics(), &all_series(), "other").contains("does not show it"));
    for (at, value, says) in [
        ("/series/0/points", json!([]), "0 of at least 6 points"),
        ("/series/0/points", json!(null), "no list of points"),
        ("/series/0/points/2/value", json!("12"), "1 points have no time or no number"),
        ("/series/0/points/2/at", json!("soon"), "1 points have no time or no number"),
        ("/series/0/points/2/at", json!("2026-06-05"), "come at the same time"),
        ("/series/0/points/5/at", json!("2026-06-24T20:00:00Z"), "missing between 2026-06-17 and"),
    ] {
        let mut series = all_series();
        *series.pointer_mut(at).unwrap() = value;
        let told = undecided(&metrics(), &series, "lead");
        assert!(told.contains(says), "{says}: {told}");
    }
}

#[test]
fn what_is_not_whole_decides_nothing() {
    for (board, metrics, series, says) in [
        (json!({"id": "D-1", "charts": []}), metrics(), all_series(), "has no charts"),
        (board(), metrics(), json!({"series": []}), "`lead`, of which nothing came"),
        (
            board(),
            metrics(),
            json!({"complete": false, "series": []}),
            "the series are not known to be complete",
        ),
        (board(), metrics(), json!({}), "there is no list of series"),
        (
            board(),
            json!({"complete": false, "items": []}),
            all_series(),
            "the list of metrics is not known to be complete",
        ),
    ] {
        let undecided = shown(&board, &metrics, &series, "lead").undecided;
        assert!(undecided.iter().any(|doubt| doubt.contains(says)), "{says}: {undecided:?}");
    }
    let nothing = told(&[("dashboard", &board())], json!({})).unwrap();
    assert!(nothing.undecided[0].contains("no metric of the dashboard was measured"));
}

#[test]
fn without_a_dashboard_they_are_listed_and_hold_nothing_to_a_limit() {
    let brief = told(&[], json!({})).unwrap();
    assert_eq!(brief.summary, "2 dashboards; name one with `dashboard`");
    assert_eq!((&brief.data["trend"]["undecided"], brief.undecided), (&json!(false), vec![]));
    assert!(told(&[], json!({"metric": "lead"})).unwrap().undecided[0].contains("no `dashboard` is named"));
    for bad in [json!({"from": "soon"}), json!({"to": "2026-05-01"}), json!({"fewest_points": 1.5})] {
        assert!(told(&[], bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn two_hundred_thousand_points_are_measured() {
    let start: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let point = |minute: i64| json!({"at": (start + jiff::SignedDuration::from_secs(minute * 9)).to_string(), "value": minute % 7});
    let series =
        json!({"series": [{"metric": "lead", "points": (0..200_000).rev().map(point).collect::<Vec<_>>()}]});
    let board =
        json!({"id": "D-1", "charts": [{"id": "C", "title": "t", "kind": "line", "metrics": ["lead"]}]});
    let brief = told(
        &[("dashboard", &board), ("metrics", &metrics()), ("series", &series)],
        json!({"metric": "lead", "to": "2026-06-21"}),
    )
    .unwrap();
    assert_eq!(
        (&brief.data["trend"]["worse_by"], &brief.data["metrics"][0]["points"]),
        (&json!(0.0), &json!(200_000))
    );
}
