//! A Mermaid flowchart of what blocks.

use std::fmt::Write as _;

use super::finding::Findings;
use super::graph::Graph;
use super::picture::{Shown, picture};
use crate::core::text::excerpt;

/// Characters of a title that are shown.
const MOST_OF_A_TITLE: usize = 80;

/// A flowchart of the [`picture`] with at most `limit` nodes. What is left out is counted in a node of its own.
/// The same graph gives the same bytes. No label can end its quotes, start another statement or carry
/// markup: all but letters, digits and a few harmless characters are written as entities.
#[must_use]
pub fn mermaid(graph: &Graph<'_>, findings: &Findings<'_>, limit: usize) -> String {
    let picture = picture(graph, findings, limit);
    let mut diagram = String::from("flowchart LR\n");
    for (number, node) in picture.nodes.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = writeln!(diagram, "  n{number}[\"{}\"]", escaped(&label(node)));
    }
    for edge in &picture.edges {
        let _ = writeln!(diagram, "  n{} -->|{}| n{}", edge.from, edge.kind.word(), edge.to);
    }
    if picture.leaves_out() {
        let _ = writeln!(
            diagram,
            "  left_out[\"left out, {} of {} nodes and {} of {} edges\"]",
            picture.all_nodes - picture.nodes.len(),
            picture.all_nodes,
            picture.all_edges - picture.edges.len(),
            picture.all_edges
        );
    }
    let blocking: Vec<String> = picture
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.cause.is_some())
        .map(|(number, _)| format!("n{number}"))
        .collect();
    if !blocking.is_empty() {
        let _ = writeln!(diagram, "  classDef blocking stroke-width:3px");
        let _ = writeln!(diagram, "  class {} blocking", blocking.join(","));
    }
    diagram
}

fn label(node: &Shown<'_>) -> String {
    let more = match (node.cause, node.severity) {
        (Some(_), Some(severity)) => excerpt(severity, 20),
        (Some(_), None) => "severity unknown".to_owned(),
        (None, _) => node.state.word().to_owned(),
    };
    let title = excerpt(node.title, MOST_OF_A_TITLE);
    format!("{}, {more}, {title} ({})", node.what(), excerpt(node.id, MOST_OF_A_TITLE))
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
