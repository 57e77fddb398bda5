//! A Mermaid flowchart of what blocks.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::finding::{Cause, Finding, Findings};
use super::graph::{Graph, Node};
use super::words::State;
use crate::core::text::excerpt;

/// Characters of a title that are shown.
const MOST_OF_A_TITLE: usize = 80;
/// Edges for each node: Mermaid refuses a diagram with very many.
const EDGES_PER_NODE: usize = 4;

/// A flowchart with at most `limit` nodes: each finding in its order, followed by what it blocks; where
/// nothing blocks, the nodes in the order of their IDs. What is left out is counted in a node of its own.
/// The same graph gives the same bytes. No label can end its quotes, start another statement or carry
/// markup: all but letters, digits and a few harmless characters are written as entities.
#[must_use]
pub fn mermaid(graph: &Graph<'_>, findings: &Findings<'_>, limit: usize) -> String {
    let (shown, blocking) = choose(graph, findings, limit);
    let mut diagram = String::from("flowchart LR\n");
    let mut names = vec![None; graph.nodes.len()];
    for (number, (place, finding)) in shown.iter().enumerate() {
        if let (Some(name), Some(node)) = (names.get_mut(*place), graph.nodes.get(*place)) {
            *name = Some(number);
            // Writing to a string does not fail.
            let _ = writeln!(diagram, "  n{number}[\"{}\"]", escaped(&label(node, *finding)));
        }
    }
    let name_of = |place: usize| names.get(place).copied().flatten();
    let mut drawn = 0;
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (name_of(edge.from), name_of(edge.to)) else { continue };
        if drawn == limit.saturating_mul(EDGES_PER_NODE) {
            break;
        }
        drawn += 1;
        let _ = writeln!(diagram, "  n{from} -->|{}| n{to}", edge.kind.word());
    }
    let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
    if shown.len() < nodes || drawn < edges {
        let _ = writeln!(
            diagram,
            "  left_out[\"left out, {} of {nodes} nodes and {} of {edges} edges\"]",
            nodes - shown.len(),
            edges - drawn
        );
    }
    if blocking > 0 {
        let _ = writeln!(diagram, "  classDef blocking stroke-width:3px");
        let names: Vec<String> = shown
            .iter()
            .enumerate()
            .filter(|(_, (_, finding))| finding.is_some())
            .map(|(number, _)| format!("n{number}"))
            .collect();
        let _ = writeln!(diagram, "  class {} blocking", names.join(","));
    }
    diagram
}

type Shown<'f> = Vec<(usize, Option<&'f Finding<'f>>)>;

/// The nodes to show with what was found of them, and how many of them block.
fn choose<'f>(graph: &Graph<'_>, findings: &'f Findings<'f>, limit: usize) -> (Shown<'f>, usize) {
    let places: Vec<(usize, &Finding<'_>)> = findings
        .blocking
        .iter()
        .filter_map(|finding| Some((graph.place_of(finding.id)?, finding)))
        .take(limit)
        .collect();
    let blocking: BTreeSet<usize> = places.iter().map(|(place, _)| *place).collect();
    let mut shown: Shown<'f> = places.iter().map(|(place, finding)| (*place, Some(*finding))).collect();
    let mut seen = blocking.clone();
    let held_back =
        places.iter().flat_map(|(_, finding)| &finding.blocks).filter_map(|id| graph.place_of(id));
    let others = if places.is_empty() { 0..graph.nodes.len() } else { 0..0 };
    for place in held_back.chain(others) {
        if shown.len() >= limit {
            break;
        }
        if seen.insert(place) {
            shown.push((place, None));
        }
    }
    (shown, blocking.len())
}

fn label(node: &Node<'_>, finding: Option<&Finding<'_>>) -> String {
    let what = match finding.map(|finding| finding.cause) {
        Some(Cause::FailedControl) => "failed control",
        Some(Cause::EvidenceGap) => "evidence gap",
        Some(Cause::ProviderBlocker) => "provider blocker",
        Some(Cause::OpenFinding) => "open finding",
        None => node.kind.word(),
    };
    let more = match (finding, node.severity) {
        (Some(_), Some(severity)) => excerpt(severity, 20),
        (Some(_), None) => "severity unknown".to_owned(),
        (None, _) => match node.state {
            State::Pass => "pass",
            State::Fail => "fail",
            State::Missing => "missing",
            State::Stale => "stale",
            State::Waived => "waived",
            State::Pending => "pending",
            State::Unknown => "unknown",
        }
        .to_owned(),
    };
    let title = excerpt(node.title_or_id(), MOST_OF_A_TITLE);
    format!("{what}, {more}, {title} ({})", excerpt(node.id, MOST_OF_A_TITLE))
}

/// Text for a quoted label, with Mermaid's entity codes (`#34;` for a quote).
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        // `ﬂ` is a letter, and the sign by which Mermaid itself marks an entity while it works.
        if (c.is_alphanumeric() && c != 'ﬂ') || matches!(c, ' ' | ',' | '_') {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Limits, analyze};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn draw(value: &Value, limit: usize) -> String {
        let graph = Graph::read(value, &Limits::default()).unwrap();
        mermaid(&graph, &analyze(&graph), limit)
    }

    fn failed(title: &str) -> Value {
        json!({"certification": "C", "nodes": [
            {"id": "CTL", "kind": "control", "state": "fail", "title": title, "severity": "high"},
            {"id": "REL", "kind": "release", "state": "fail", "title": "Release"},
            {"id": "ZZZ", "kind": "control", "state": "pass", "title": "Other"},
        ], "edges": [{"from": "REL", "to": "CTL", "kind": "requires"}, {"from": "REL", "to": "ZZZ", "kind": "requires"}]})
    }

    #[test]
    fn what_blocks_comes_first_and_what_is_left_out_is_said() {
        assert_eq!(
            draw(&failed("All pass"), 10),
            "flowchart LR
  n0[\"failed control, high, All pass #40;CTL#41;\"]
  n1[\"release, fail, Release #40;REL#41;\"]
  n1 -->|requires| n0
  left_out[\"left out, 1 of 3 nodes and 1 of 2 edges\"]
  classDef blocking stroke-width:3px
  class n0 blocking
"
        );
    }

    #[test]
    fn where_nothing_blocks_the_graph_itself_is_drawn() {
        let value = json!({"certification": "C", "nodes": [{"id": "A", "kind": "release"}], "edges": []});
        assert_eq!(draw(&value, 10), "flowchart LR\n  n0[\"release, unknown, A #40;A#41;\"]\n");
        assert_eq!(draw(&json!({}), 10), "flowchart LR\n");
    }

    proptest! {
        #[test]
        fn no_title_breaks_out_of_its_label(title in "[\"\\]#;`<>&%{}|ﬂ°¶ß:\\\\\n\r-]{0,8}|\\PC{0,20}|.{0,20}") {
            let plain = draw(&failed("x"), 10);
            let drawn = draw(&failed(&title), 10);
            prop_assert_eq!(plain.lines().count(), drawn.lines().count());
            let line = drawn.lines().nth(1).unwrap();
            let label = line.strip_prefix("  n0[\"").and_then(|rest| rest.strip_suffix("\"]")).unwrap();
            let broken = label.contains(['"', '<', '>', '&', '`', '[', ']', '{', '}', '|', '\\', ':', 'ﬂ', '°']);
            prop_assert!(!broken);
            for entity in label.split('#').skip(1) {
                let (number, _) = entity.split_once(';').unwrap();
                prop_assert!(number.parse::<u32>().is_ok());
            }
        }

        #[test]
        fn a_diagram_has_no_more_nodes_than_the_limit(limit in 0usize..5) {
            let nodes = draw(&failed("x"), limit).lines().filter(|line| line.starts_with("  n") && line.contains('[')).count();
            prop_assert!(nodes <= limit);
        }
    }
}
