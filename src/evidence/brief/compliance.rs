//! What a release was certified on: each control with its evidence, and whether that is all of it.
//!
//! Complete is another thing than good: failed evidence is there. A required control is complete where evidence for it
//! is there and none that is required is lacking, or where it was waived.

use serde::Serialize;
use serde_json::{Value, json};

use super::listing::{Listed, state, text};
use super::package_v1::{Entry, Format, Manifest};
use super::{Brief, Given, View, first};
use crate::core::text::excerpt;
use crate::evidence::analyze;
use crate::evidence::doubt::Doubts;
use crate::evidence::graph::{Graph, Limits, Node};
use crate::evidence::links::Links;
use crate::evidence::words::{NodeKind, State};

/// Incomplete controls that the summary's details name.
const MOST_DETAILS: usize = 6;

/// A control with its evidence.
#[derive(Debug, Serialize)]
struct Control<'a> {
    id: &'a str,
    title: &'a str,
    state: State,
    required: bool,
    severity: Option<&'a str>,
    owner: Option<&'a str>,
    /// Its evidence that is there, and that is not.
    evidence: Vec<&'a str>,
    lacking: Vec<&'a str>,
    complete: bool,
}

/// A piece of evidence.
#[derive(Debug, Serialize)]
struct Piece<'a> {
    id: &'a str,
    title: &'a str,
    state: State,
    required: bool,
    provider: Option<&'a str>,
    owner: Option<&'a str>,
    observed: Option<&'a str>,
    /// Of the file that it was made of.
    digest: Option<&'a str>,
    link: Option<&'a str>,
}

/// The controls and evidence of the graph under `of`, with the `certification`; with `checks` and `rollback` decisions
/// where the server has them.
///
/// # Errors
/// `of` is no evidence graph.
pub fn compliance(given: &Given<'_>) -> Result<Brief, String> {
    let graph = Graph::read(given.of()?, &Limits::default()).map_err(|error| error.to_string())?;
    let certification = given.from.get("certification").copied().unwrap_or(&Value::Null);
    let mut doubts = Doubts(analyze(&graph).undecided);
    doubts.check(
        text(certification, "id").is_none() || state(certification) == State::Unknown,
        "nobody can say how the certification stands",
    );
    for (name, what) in [("checks", "release checks"), ("rollback", "rollback decisions")] {
        let listed = given.from.get(name).copied().map(Listed::read);
        let incomplete = listed.as_ref().is_some_and(|listed| !listed.is_complete);
        doubts.check(incomplete, &format!("the list of {what} is not complete"));
        let unknown =
            listed.iter().flat_map(|listed| listed.items).filter(|item| state(item) == State::Unknown);
        doubts.add(unknown, |item| {
            format!(
                "`{}` of the {what} is in no known state",
                excerpt(text(item, "id").unwrap_or_default(), 80)
            )
        });
    }
    let unknown = |node: &&Node<'_>| node.kind == NodeKind::Evidence && node.state == State::Unknown;
    doubts.add(graph.nodes.iter().filter(unknown), |node| {
        format!("evidence `{}` is in no known state", excerpt(node.id, 80))
    });
    let below = Links::below(&graph);
    let nodes = graph.nodes.iter().enumerate();
    let controls: Vec<Control<'_>> = nodes
        .filter(|(_, node)| node.kind == NodeKind::Control)
        .map(|(place, node)| control(&graph, &below, place, node))
        .collect();
    let evidence: Vec<Piece<'_>> =
        graph.nodes.iter().filter(|node| node.kind == NodeKind::Evidence).map(piece).collect();
    brief(certification, &controls, &evidence, doubts.0)
}

fn control<'a>(graph: &Graph<'a>, below: &Links, place: usize, node: &Node<'a>) -> Control<'a> {
    let beneath = || below.of(place).iter().filter_map(|below| graph.nodes.get(*below));
    let evidence = || beneath().filter(|node| node.kind == NodeKind::Evidence);
    // Failed evidence is there: what it shows is another matter.
    let is_there = |node: &&Node<'_>| matches!(node.state, State::Pass | State::Fail | State::Waived);
    let there: Vec<&str> = evidence().filter(is_there).map(|node| node.id).collect();
    let lacking: Vec<&str> =
        evidence().filter(|node| node.is_required() && !is_there(node)).map(|node| node.id).collect();
    let complete = node.state == State::Waived || !there.is_empty() && lacking.is_empty();
    Control {
        id: node.id,
        title: node.title_or_id(),
        state: node.state,
        required: node.is_required(),
        severity: node.severity(),
        owner: node.owner(),
        evidence: there,
        lacking,
        complete,
    }
}

fn piece<'a>(node: &Node<'a>) -> Piece<'a> {
    Piece {
        id: node.id,
        title: node.title_or_id(),
        state: node.state,
        required: node.is_required(),
        provider: node.provider(),
        owner: node.owner(),
        observed: node.text("observed"),
        digest: node.text("digest"),
        link: node.link(),
    }
}

fn brief(
    certification: &Value,
    controls: &[Control<'_>],
    evidence: &[Piece<'_>],
    undecided: Vec<String>,
) -> Result<Brief, String> {
    let required = || controls.iter().filter(|control| control.required);
    let incomplete: Vec<&Control<'_>> = required().filter(|control| !control.complete).collect();
    let complete = undecided.is_empty() && incomplete.is_empty();
    let mut brief = Brief { undecided, ..Brief::default() };
    brief.summary = match (brief.undecided.is_empty(), incomplete.len()) {
        (false, _) => "undecided whether the package is complete".to_owned(),
        (true, 0) => format!(
            "complete: {} required controls with their evidence, {} pieces of evidence",
            required().count(),
            evidence.len()
        ),
        (true, count) => {
            format!("incomplete: {count} of {} required controls lack evidence", required().count())
        }
    };
    brief.put("certification", certification)?;
    brief.put("complete", complete)?;
    brief.put("incomplete", incomplete.iter().map(|control| control.id).collect::<Vec<_>>())?;
    brief.put("controls", controls)?;
    brief.put("evidence", evidence)?;
    brief.details = first(incomplete.iter().map(|control| line(control)), MOST_DETAILS, "");
    brief.put("about", about(certification))?;
    brief.views = vec![
        View::table("Certification", "about", &[("What", "what"), ("Says", "says")]),
        View::table(
            "Controls",
            "controls",
            &[
                ("ID", "id"),
                ("Title", "title"),
                ("State", "state"),
                ("Required", "required"),
                ("Evidence", "evidence"),
                ("Lacking", "lacking"),
                ("Complete", "complete"),
                ("Owner", "owner"),
            ],
        ),
        View::table(
            "Evidence",
            "evidence",
            &[
                ("ID", "id"),
                ("Title", "title"),
                ("State", "state"),
                ("Provider", "provider"),
                ("Observed", "observed"),
                ("Digest of its file", "digest"),
                ("Owner", "owner"),
            ],
        ),
    ];
    Ok(brief)
}

/// What the certification says of itself.
fn about(certification: &Value) -> Vec<Value> {
    ["id", "release", "release_name", "application", "team", "status", "summary"]
        .into_iter()
        .filter_map(|name| Some(json!({"what": name, "says": text(certification, name)?})))
        .collect()
}

fn line(control: &Control<'_>) -> String {
    let lacks = match control.lacking.is_empty() {
        true => "any evidence".to_owned(),
        false => control.lacking.join(", "),
    };
    format!("{} lacks {lacks}: {} ({})", control.id, control.title, control.owner.unwrap_or("nobody owns it"))
}

/// The manifest of a package: what it is about, whether it is complete, and each of its files with its digest. The same
/// files give the same bytes.
///
/// # Errors
/// `of` is nothing that a package is made of.
pub fn manifest(given: &Given<'_>) -> Result<Value, String> {
    let package = given.of()?;
    let certification = package.get("certification").ok_or("it has no certification")?;
    let complete =
        package.get("complete").and_then(Value::as_bool).ok_or("it does not say whether it is complete")?;
    let text = |name: &str| text(certification, name).map(str::to_owned);
    let (release, certification) = (text("release"), text("id"));
    let mut manifest = Manifest { format: Format::V1, release, certification, complete, files: Vec::new() };
    given.files.iter().for_each(|(name, bytes)| manifest.list(Entry::new(name, bytes)));
    serde_json::to_value(manifest).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Value {
        json!({"certification": "CERT-1", "nodes": [
            {"id": "CTL-1", "kind": "control", "title": "Tests pass", "state": "fail", "required": true},
            {"id": "CTL-2", "kind": "control", "title": "Trained", "state": "waived", "required": true},
            {"id": "CTL-3", "kind": "control", "title": "Translated", "state": "fail", "required": false},
            {"id": "EVD-1", "kind": "evidence", "title": "Run", "state": "fail", "required": true,
             "observed": "2026-11-20T00:00:00Z", "digest": "sha256:00"},
            {"id": "EVD-2", "kind": "evidence", "title": "Survey", "state": "missing", "required": false},
        ], "edges": [
            {"from": "EVD-1", "to": "CTL-1", "kind": "supports"}, {"from": "CTL-1", "to": "EVD-2", "kind": "requires"},
        ]})
    }

    fn with(change: impl FnOnce(&mut Value, &mut Value, &mut Value)) -> Brief {
        let mut certification =
            json!({"id": "CERT-1", "release": "REL-1", "state": "fail", "status": "blocked"});
        let mut checks = json!({"complete": true, "items": [{"id": "CHK-1", "state": "fail"}]});
        let mut graph = graph();
        change(&mut graph, &mut certification, &mut checks);
        let mut given = Given { of: Some(&graph), ..Given::default() };
        given.from.insert("certification", &certification);
        given.from.insert("checks", &checks);
        compliance(&given).unwrap()
    }

    fn stands(brief: &Brief) -> (bool, &Value, bool) {
        (brief.undecided.is_empty(), &brief.data["incomplete"], brief.data["complete"] == true)
    }

    #[test]
    fn a_package_is_complete_where_each_required_control_has_its_evidence_good_or_bad() {
        let brief = with(|_, _, _| ());
        assert_eq!(stands(&brief), (true, &json!([]), true));
        assert_eq!(brief.summary, "complete: 2 required controls with their evidence, 2 pieces of evidence");
        assert_eq!(brief.data["controls"][0]["evidence"], json!(["EVD-1"]));
        assert_eq!(brief.data["evidence"][0]["digest"], "sha256:00");
    }

    #[test]
    fn required_evidence_that_is_not_there_makes_it_incomplete() {
        for state in ["missing", "stale", "pending"] {
            let brief = with(|graph, _, _| graph["nodes"][3]["state"] = json!(state));
            assert_eq!(stands(&brief), (true, &json!(["CTL-1"]), false), "{state}");
            assert_eq!(brief.details, ["CTL-1 lacks EVD-1: Tests pass (nobody owns it)"]);
        }
        let brief = with(|graph, _, _| {
            graph["nodes"][4]["required"] = json!(true);
        });
        assert_eq!(stands(&brief), (true, &json!(["CTL-1"]), false));
        let brief = with(|graph, _, _| graph["edges"] = json!([]));
        assert_eq!(brief.details, ["CTL-1 lacks any evidence: Tests pass (nobody owns it)"]);
    }

    #[test]
    fn what_is_not_known_is_undecided() {
        type Change = fn(&mut Value, &mut Value, &mut Value);
        let changes: [(&str, Change); 7] = [
            ("`EVD-1` is in no known state", |graph, _, _| graph["nodes"][3]["state"] = json!("odd")),
            ("CTL-1", |graph, _, _| graph["nodes"][0]["state"] = json!("odd")),
            ("empty", |graph, _, _| graph["nodes"] = json!([])),
            ("certification stands", |_, certification, _| certification["state"] = json!("unknown")),
            ("certification stands", |_, certification, _| certification["id"] = json!(null)),
            ("checks is not complete", |_, _, checks| checks["complete"] = json!(false)),
            ("`CHK-1` of the release checks", |_, _, checks| checks["items"][0]["state"] = json!("unknown")),
        ];
        for (reason, change) in changes {
            let brief = with(change);
            assert!(!brief.undecided.is_empty() && brief.data["complete"] == false, "{reason}");
            assert!(
                brief.undecided.iter().any(|said| said.contains(reason)),
                "{reason}: {:?}",
                brief.undecided
            );
        }
    }

    #[test]
    fn a_manifest_has_each_file_with_its_digest_in_the_order_of_their_names() {
        let package = with(|_, _, _| ()).into_value().unwrap();
        let given = Given { of: Some(&package), files: vec![("b", b"x"), ("a", b"")], ..Given::default() };
        let manifest = manifest(&given).unwrap();
        let expected = json!({
            "format": "loopgate.package/1", "release": "REL-1", "certification": "CERT-1", "complete": true,
            "files": [
                {"name": "a", "bytes": 0,
                 "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                {"name": "b", "bytes": 1,
                 "digest": "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"},
            ],
        });
        assert_eq!(manifest, expected);
        let schema = crate::catalog::Schema::compile(&super::super::package_v1::json_schema()).unwrap();
        assert_eq!(schema.problems(&manifest), []);
        assert_eq!(schema.problems(&json!({"format": "loopgate.package/1", "complete": true})).len(), 3);
        assert!(super::manifest(&Given { of: Some(&json!({})), ..Given::default() }).is_err());
    }

    #[test]
    fn ten_thousand_controls_are_packed_in_any_order_alike() {
        let many = |turned: bool| {
            with(|graph, _, _| {
                let nodes = graph["nodes"].as_array_mut().unwrap();
                for id in 0..10_000 {
                    nodes.push(
                        json!({"id": format!("CTL-X{id}"), "kind": "control", "title": "t", "state": "fail"}),
                    );
                }
                if turned {
                    nodes.reverse();
                }
            })
        };
        let one = many(false);
        assert_eq!(one.data["incomplete"].as_array().unwrap().len(), 10_000);
        assert!(one == many(true));
    }
}
