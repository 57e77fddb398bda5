use super::*;
use serde_json::json;

fn sprints() -> Value {
    let capacity = json!([{"user": "amara", "points": 13}, {"user": "jonas", "points": 10}, {"user": "li", "points": 10}]);
    let sprint = |id: &str, state: &str, starts: &str| json!({"id": id, "name": id, "team": "payments", "state": state, "status": state, "starts": starts, "ends": "2027-01-01", "capacity": capacity});
    json!({"team": "payments", "complete": true, "items": [
        sprint("S-8", "pass", "2026-10-26"),
        sprint("S-9", "pending", "2026-11-16"),
        sprint("S-10", "pending", "2026-12-07"),
        sprint("S-11", "pending", "2026-12-28"),
    ]})
}

fn item(id: &str, severity: Option<&str>, effort: Option<f64>, more: Value) -> Value {
    let mut item = json!({"id": id, "kind": "issue", "title": format!("Title of {id}"), "state": "pending", "status": "open", "severity": severity, "effort": effort, "version": 1});
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    item
}

fn planned(sprints: &Value, items: &[Value], with: Value) -> Brief {
    let backlog = json!({"complete": true, "items": items});
    let mut with = with.as_object().unwrap().clone();
    with.entry("as_of").or_insert(json!("2026-11-20"));
    sprint(&Given { of: Some(sprints), from: [("backlog", &backlog)].into(), with, ..Given::default() })
        .unwrap()
}

fn plan(items: &[Value]) -> Brief {
    planned(&sprints(), items, json!({}))
}

fn pairs(brief: &Brief, list: &str, one: &str, other: &str) -> Vec<String> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rows = brief.data[list].as_array().unwrap().iter();
    rows.map(|row| format!("{} {}", shown(&row[one]), shown(&row[other]))).collect()
}

#[test]
fn the_worst_comes_first_and_goes_where_the_least_room_is_enough() {
    let brief = plan(&[
        item("A", Some("low"), Some(3.0), json!({})),
        item("B", Some("high"), Some(8.0), json!({"due": "2026-12-02"})),
        item("C", Some("high"), Some(5.0), json!({"due": "2026-11-19"})),
        item("D", None, Some(13.0), json!({})),
        item("E", Some("critical"), Some(5.0), json!({})),
    ]);
    assert_eq!(brief.undecided, Vec::<String>::new());
    assert_eq!(pairs(&brief, "assignments", "id", "assignee"), ["E jonas", "D amara", "C jonas", "B li"]);
    assert_eq!(pairs(&brief, "unplanned", "id", "why"), ["A nobody has 3 points left; the most is 2"]);
    assert_eq!(brief.summary, "S-10: 4 proposed, 0 kept, 31 of 33 points; 1 not planned");
    assert_eq!(brief.data["plan"][2]["overdue"], true);
    assert_eq!((&brief.data["unplanned_critical"], &brief.data["unplanned_unknown"]), (&json!(0), &json!(0)));
}

#[test]
fn what_is_in_the_sprint_already_stays_and_is_counted_first() {
    let brief = plan(&[
        item("KEPT", Some("low"), Some(12.0), json!({"assignee": "jonas", "sprint": "S-10"})),
        item("GUEST", Some("low"), Some(1.0), json!({"assignee": "noor", "sprint": "S-10"})),
        item("LOOSE", Some("low"), None, json!({"assignee": "li", "sprint": "S-10"})),
        item("THEIRS", Some("high"), Some(9.0), json!({"assignee": "amara"})),
        item("FULL", Some("medium"), Some(9.0), json!({"assignee": "amara"})),
        item("NEW", Some("critical"), Some(9.0), json!({})),
    ]);
    assert_eq!(pairs(&brief, "assignments", "id", "assignee"), ["NEW li", "THEIRS amara"]);
    assert_eq!(pairs(&brief, "unplanned", "id", "why"), ["FULL `amara` has it and 4 points left"]);
    let people = pairs(&brief, "people", "person", "above");
    assert_eq!(people, ["amara false", "jonas true", "li false", "noor true"]);
    assert_eq!((&brief.data["above_capacity"], &brief.data["not_measured"]), (&json!(2), &json!(1)));
}

#[test]
fn other_sprints_are_left_alone_and_what_is_left_over_or_in_parts_is_planned() {
    let brief = plan(&[
        item("NOW", Some("critical"), Some(1.0), json!({"sprint": "S-9"})),
        item("OVER", Some("high"), Some(1.0), json!({"sprint": "S-8"})),
        item("OURS", Some("high"), Some(2.0), json!({"sprint": "S-10"})),
        item("STRANGE", Some("critical"), Some(1.0), json!({"sprint": "X"})),
        item("WHOLE", Some("high"), Some(99.0), json!({})),
        item("PART", Some("high"), Some(3.0), json!({"parent": "WHOLE"})),
        item("VAGUE", Some("critical"), None, json!({})),
        item("DONE", Some("critical"), Some(1.0), json!({"state": "pass"})),
    ]);
    assert_eq!(pairs(&brief, "assignments", "id", "assignee"), ["OVER jonas", "OURS jonas", "PART jonas"]);
    let unplanned = pairs(&brief, "unplanned", "id", "why");
    let strange = "STRANGE it is in the sprint `X`, which is not visible here";
    assert_eq!(unplanned, [strange, "VAGUE not estimated"]);
    let counts = ["unplanned_critical", "in_other_sprints", "planned_by_their_parts"];
    assert_eq!(counts.map(|name| brief.data[name].clone()), [json!(2), json!(1), json!(1)]);
}

#[test]
fn the_sprint_is_the_next_or_the_one_that_is_named() {
    let of = |with: Value| planned(&sprints(), &[], with);
    let id = |brief: &Brief| brief.data["sprint"]["id"].clone();
    assert_eq!(id(&of(json!({}))), "S-10");
    assert_eq!(id(&of(json!({"as_of": "2026-12-07"}))), "S-10");
    assert_eq!(id(&of(json!({"as_of": "2026-12-08"}))), "S-11");
    assert_eq!(id(&of(json!({"sprint": "S-9"}))), "S-9");
    for (with, says) in [
        (json!({"as_of": "2027-06-01"}), "no sprint of this team that is visible begins on 2027-06-01"),
        (json!({"sprint": "S-99"}), "no sprint `S-99` of this team is visible"),
        (json!({"sprint": "S-8"}), "the sprint `S-8` is over"),
    ] {
        let brief = of(with);
        assert!(brief.undecided[0].contains(says), "{:?}", brief.undecided);
        assert_eq!(brief.data["assignments"], json!([]));
    }
    assert!(sprint(&Given { of: Some(&sprints()), ..Given::default() }).is_err());
}

#[test]
fn what_is_not_understood_decides_nothing() {
    let fine = item("A", Some("high"), Some(1.0), json!({}));
    for (name, value, says) in [
        ("state", json!("unknown"), "has a state that nobody knows: `open`"),
        ("state", json!(null), "has a state that nobody knows"),
        ("version", json!(null), "`A` has no version"),
        ("version", json!("7"), "`A` has no version"),
        ("id", json!(""), "has no ID"),
    ] {
        let mut item = fine.clone();
        item[name] = value;
        let undecided = plan(&[item]).undecided;
        assert!(undecided.len() == 1 && undecided[0].contains(says), "{name}: {undecided:?}");
    }
    for (at, value, says) in [
        ("/complete", json!(false), "the list of sprints is not known to be complete"),
        ("/items/2/state", json!("unknown"), "the sprint `S-10` has a state that nobody knows"),
        ("/items/2/starts", json!("soon"), "the sprint `S-10` does not say when it begins"),
        ("/items/2/capacity/0/points", json!(-1), "states a capacity that is none"),
        ("/items/2/capacity/1/user", json!("amara"), "states the capacity of `amara` twice"),
    ] {
        let mut sprints = sprints();
        *sprints.pointer_mut(at).unwrap() = value;
        let undecided = planned(&sprints, std::slice::from_ref(&fine), json!({})).undecided;
        assert!(undecided.iter().any(|doubt| doubt.contains(says)), "{at}: {undecided:?}");
    }
    // Efforts that are none are not estimated, and no more than that.
    for effort in [json!(-1), json!("5"), json!(1e300), json!(null)] {
        let mut item = fine.clone();
        item["effort"] = effort;
        let brief = plan(&[item]);
        assert_eq!(
            (pairs(&brief, "unplanned", "id", "why"), brief.undecided),
            (vec!["A not estimated".to_owned()], vec![])
        );
    }
}

#[test]
fn many_items_and_people_are_planned_the_same_whatever_their_order() {
    let mut sprints = sprints();
    let people: Vec<Value> =
        (0..10_000).map(|n| json!({"user": format!("user-{n}"), "points": n % 13})).collect();
    sprints["items"][2]["capacity"] = Value::from(people);
    let severities = ["critical", "high", "medium", "low", "grave"];
    let mut items: Vec<Value> = (0..10_000)
        .map(|n| item(&format!("I-{n}"), severities.get(n % 5).copied(), Some((n % 8) as f64), json!({})))
        .collect();
    let one = plan_of(&sprints, &items);
    items.reverse();
    assert_eq!(one, plan_of(&sprints, &items));
    assert!(one["assignments"].as_array().unwrap().len() > 5000);
}

fn plan_of(sprints: &Value, items: &[Value]) -> Value {
    planned(sprints, items, json!({})).into_value().unwrap()
}
