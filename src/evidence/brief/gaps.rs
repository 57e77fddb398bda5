//! Which evidence is lacking: missing, stale, not there yet or not understood; by control, provider, owner and age.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::given::{day, days};
use super::{Brief, Given, View, first};
use crate::evidence::graph::{Graph, Limits, Node};
use crate::evidence::links::Links;
use crate::evidence::words::{NodeKind, Severity, State};
use crate::evidence::{FindingKind, analyze};

/// Gaps that the summary's details name.
const MOST_DETAILS: usize = 6;

/// Evidence that is lacking.
#[derive(Debug, Serialize)]
struct Gap<'a> {
    id: &'a str,
    title: &'a str,
    node: NodeKind,
    kind: FindingKind,
    required: bool,
    severity: Option<&'a str>,
    provider: Option<&'a str>,
    owner: Option<&'a str>,
    /// The controls that wait for it.
    controls: Vec<&'a str>,
    due: Option<&'a str>,
    /// Days until it is due, below zero where that day has passed.
    due_in_days: Option<i32>,
    observed: Option<&'a str>,
    /// Days since it was last observed.
    age_days: Option<i32>,
}

/// How many gaps there are of what.
#[derive(Debug, Serialize)]
struct Group<'a> {
    name: &'a str,
    gaps: usize,
    required: usize,
}

/// The gaps of the evidence graph under `of`. `as_of` is the day that ages and due dates are counted from, and evidence
/// observed more than `stale_after_days` before it is stale, whatever its state says.
///
/// # Errors
/// `of` is no evidence graph, or what the recipe says has the wrong type.
pub fn gaps(given: &Given<'_>) -> Result<Brief, String> {
    let value = given.of()?;
    let today = given.day("as_of")?;
    let oldest = given.number("stale_after_days")?;
    if oldest.is_some() && today.is_none() {
        return Err("`stale_after_days` needs `as_of`: there is no clock here".to_owned());
    }
    let graph = Graph::read(value, &Limits::default()).map_err(|error| error.to_string())?;
    let (above, observed) = (Links::above(&graph), observed(value));
    let mut gaps: Vec<Gap<'_>> = Vec::new();
    for (place, node) in graph.nodes.iter().enumerate() {
        let observed = observed.get(node.id).copied();
        let age_days = since(observed, today);
        let is_old = age_days.zip(oldest).is_some_and(|(age, oldest)| f64::from(age) > oldest);
        let Some(kind) = lacking(node, is_old) else { continue };
        let controls = above.of(place).iter().filter_map(|above| graph.nodes.get(*above));
        gaps.push(Gap {
            id: node.id,
            title: node.title_or_id(),
            node: node.kind,
            kind,
            required: node.is_required(),
            severity: node.severity(),
            provider: node.provider(),
            owner: node.owner(),
            controls: controls
                .filter(|above| above.kind == NodeKind::Control)
                .map(|above| above.id)
                .collect(),
            due: node.due(),
            due_in_days: since(node.due(), today).map(|days| -days),
            observed,
            age_days,
        });
    }
    // What is required first, then the worst, then what is due first.
    gaps.sort_by_key(|gap| {
        let due = gap.due.unwrap_or("~");
        (!gap.required, Severity::of(gap.severity), due, gap.id)
    });
    brief(&gaps, analyze(&graph).undecided, today.is_some())
}

fn brief(gaps: &[Gap<'_>], undecided: Vec<String>, dated: bool) -> Result<Brief, String> {
    let required = gaps.iter().filter(|gap| gap.required).count();
    let overdue =
        gaps.iter().filter(|gap| gap.required && gap.due_in_days.is_some_and(|days| days < 0)).count();
    let mut brief = Brief { undecided, ..Brief::default() };
    brief.put("gaps", gaps)?;
    brief.put("required", required)?;
    brief.put("overdue", overdue)?;
    let groups = [
        ("by_kind", group(gaps, |gap| vec![gap.kind.word()])),
        ("by_control", group(gaps, |gap| gap.controls.clone())),
        ("by_provider", group(gaps, |gap| vec![gap.provider.unwrap_or("unknown")])),
        ("by_owner", group(gaps, |gap| vec![gap.owner.unwrap_or("nobody")])),
    ];
    for (name, groups) in groups {
        brief.put(name, groups)?;
    }
    brief.summary = match (gaps.len(), required) {
        (0, _) => "no evidence is lacking".to_owned(),
        (all, required) => format!("{all} lacking, {required} of them required, {overdue} of those overdue"),
    };
    if !dated {
        brief.not_proven.push("ages and due dates were not looked at: no day was given".to_owned());
    }
    brief.details = first(gaps.iter().map(line), MOST_DETAILS, "");
    brief.views = vec![
        View::table(
            "Lacking evidence",
            "gaps",
            &[
                ("Severity", "severity"),
                ("What", "kind"),
                ("Title", "title"),
                ("ID", "id"),
                ("Controls", "controls"),
                ("Provider", "provider"),
                ("Owner", "owner"),
                ("Due", "due"),
                ("Age in days", "age_days"),
                ("Required", "required"),
            ],
        ),
        View::table("By control", "by_control", GROUP),
        View::table("By provider", "by_provider", GROUP),
        View::table("By owner", "by_owner", GROUP),
    ];
    Ok(brief)
}

/// How groups are shown.
const GROUP: &[(&str, &str)] = &[("Name", "name"), ("Gaps", "gaps"), ("Required", "required")];

/// In which way a piece of evidence is lacking or a control is not decided; none where it is not.
fn lacking(node: &Node<'_>, is_old: bool) -> Option<FindingKind> {
    if !matches!(node.kind, NodeKind::Evidence | NodeKind::Control) {
        return None;
    }
    match node.state {
        State::Missing => Some(FindingKind::Missing),
        State::Stale => Some(FindingKind::Stale),
        State::Pending => Some(FindingKind::Pending),
        State::Unknown => Some(FindingKind::Unknown),
        State::Pass if is_old && node.kind == NodeKind::Evidence => Some(FindingKind::Stale),
        // Failed evidence is there: what it shows is another matter.
        State::Pass | State::Fail | State::Waived => None,
    }
}

/// When each node was last observed, as far as the graph says.
fn observed(graph: &Value) -> HashMap<&str, &str> {
    let nodes = graph.get("nodes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    nodes
        .iter()
        .filter_map(|node| Some((node.get("id")?.as_str()?, node.get("observed")?.as_str()?)))
        .collect()
}

fn since(text: Option<&str>, today: Option<Date>) -> Option<i32> {
    days(day(text?)?, today?)
}

/// The gaps by name, the most first.
fn group<'a>(gaps: &[Gap<'a>], names: impl Fn(&Gap<'a>) -> Vec<&'a str>) -> Vec<Group<'a>> {
    let mut counted: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for gap in gaps {
        for name in names(gap) {
            let (all, required) = counted.entry(name).or_default();
            *all += 1;
            *required += usize::from(gap.required);
        }
    }
    let mut groups: Vec<Group<'_>> =
        counted.into_iter().map(|(name, (gaps, required))| Group { name, gaps, required }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.gaps));
    groups
}

fn line(gap: &Gap<'_>) -> String {
    let severity = gap.severity.map(|severity| format!("{severity}: ")).unwrap_or_default();
    let owner = gap.owner.map(|owner| format!(", {owner}")).unwrap_or_default();
    format!("{severity}{} is {} ({}{owner})", gap.title, gap.kind.word(), gap.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn graph() -> Value {
        json!({"certification": "C", "nodes": [
            {"id": "CTL", "kind": "control", "title": "Tests pass", "state": "pass", "required": true},
            {"id": "E1", "kind": "evidence", "title": "Run", "state": "pass", "required": true, "observed": "2026-08-01T00:00:00Z", "owner": "quality"},
            {"id": "E2", "kind": "evidence", "title": "Report", "state": "missing", "required": true, "severity": "high", "due": "2026-11-19", "owner": "quality"},
            {"id": "E3", "kind": "evidence", "title": "Survey", "state": "missing", "required": false, "severity": "critical"},
            {"id": "E4", "kind": "evidence", "title": "Scan", "state": "fail", "required": true},
        ], "edges": [
            {"from": "E1", "to": "CTL", "kind": "supports"}, {"from": "E2", "to": "CTL", "kind": "supports"},
        ]})
    }

    fn of(graph: &Value, with: Value) -> Result<Brief, String> {
        gaps(&Given {
            of: Some(graph),
            with: with.as_object().cloned().unwrap_or_default(),
            ..Given::default()
        })
    }

    fn ids(brief: &Brief) -> Vec<&str> {
        brief.data["gaps"].as_array().unwrap().iter().map(|gap| gap["id"].as_str().unwrap()).collect()
    }

    #[test]
    fn what_is_lacking_comes_with_what_is_required_first_and_its_age() {
        let graph = graph();
        let brief = of(&graph, json!({"as_of": "2026-11-20", "stale_after_days": 90})).unwrap();
        assert_eq!(ids(&brief), ["E1", "E2", "E3"]);
        let gaps = &brief.data["gaps"];
        assert_eq!((&gaps[0]["kind"], &gaps[0]["age_days"]), (&json!("stale"), &json!(111)));
        assert_eq!((&gaps[1]["due_in_days"], &gaps[1]["controls"]), (&json!(-1), &json!(["CTL"])));
        assert_eq!(brief.summary, "3 lacking, 2 of them required, 1 of those overdue");
        assert_eq!(brief.data["by_owner"][0], json!({"name": "quality", "gaps": 2, "required": 2}));
        assert_eq!((brief.undecided, brief.not_proven), (vec![], vec![]));
    }

    #[test]
    fn without_a_day_nothing_is_old_and_that_is_said() {
        let graph = graph();
        let brief = of(&graph, json!({})).unwrap();
        assert_eq!(ids(&brief), ["E2", "E3"]);
        assert_eq!(brief.not_proven.len(), 1);
        assert!(of(&graph, json!({"stale_after_days": 90})).unwrap_err().contains("as_of"));
    }

    #[test]
    fn an_unknown_state_is_a_gap_and_an_empty_graph_decides_nothing() {
        let mut unknown = graph();
        unknown["nodes"][1]["state"] = json!("odd");
        let brief = of(&unknown, json!({})).unwrap();
        assert_eq!(brief.data["gaps"][0]["kind"], "unknown");
        let empty = json!({"certification": "C", "nodes": [], "edges": []});
        assert!(!of(&empty, json!({})).unwrap().undecided.is_empty());
        assert!(of(&json!({"nodes": 1}), json!({})).is_err());
    }
}
