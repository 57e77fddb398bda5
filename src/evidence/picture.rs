//! The part of a graph that a picture shows.

use std::collections::BTreeSet;

use super::finding::{Cause, Finding, Findings};
use super::graph::{Edge, Graph};
use super::words::{EdgeKind, NodeKind, State};

/// Edges for each node: with very many nobody sees anything, and Mermaid refuses the diagram.
const EDGES_PER_NODE: usize = 4;

/// What a picture shows, and how much there is in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture<'a> {
    /// The nodes: each finding in its order, followed by what they block; where nothing blocks, the nodes in
    /// the order of their IDs.
    pub nodes: Vec<Shown<'a>>,
    /// The edges between them.
    pub edges: Vec<Drawn>,
    /// How many nodes the graph has.
    pub all_nodes: usize,
    /// How many edges the graph has.
    pub all_edges: usize,
}

/// A node that is shown; hostile text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Its ID.
    pub id: &'a str,
    /// Its title, or its ID where it has none.
    pub title: &'a str,
    /// What it is.
    pub kind: NodeKind,
    /// Its state.
    pub state: State,
    /// As it came.
    pub severity: Option<&'a str>,
    /// Why it blocks; none where it does not.
    pub cause: Option<Cause>,
}

/// An edge that is drawn, by the places of its ends in [`Picture::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// What it says.
    pub kind: EdgeKind,
}

impl Picture<'_> {
    /// Whether the graph has more than the picture.
    #[must_use]
    pub fn leaves_out(&self) -> bool {
        self.nodes.len() < self.all_nodes || self.edges.len() < self.all_edges
    }
}

impl Shown<'_> {
    /// What it is, or why it blocks, in words.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.cause.map_or_else(|| self.kind.word(), Cause::word)
    }
}

/// The picture of `graph` with at most `limit` nodes. The same graph gives the same picture.
#[must_use]
pub fn picture<'a>(graph: &Graph<'a>, findings: &Findings<'_>, limit: usize) -> Picture<'a> {
    let chosen = choose(graph, findings, limit);
    let mut place_of = vec![None; graph.nodes.len()];
    let mut nodes = Vec::with_capacity(chosen.len());
    for (place, finding) in chosen {
        if let (Some(shown_at), Some(node)) = (place_of.get_mut(place), graph.nodes.get(place)) {
            *shown_at = Some(nodes.len());
            nodes.push(Shown {
                id: node.id,
                title: node.title_or_id(),
                kind: node.kind,
                state: node.state,
                severity: node.severity(),
                cause: finding.map(|finding| finding.cause),
            });
        }
    }
    let shown_at = |place: usize| place_of.get(place).copied().flatten();
    let drawn =
        |edge: &Edge| Some(Drawn { from: shown_at(edge.from)?, to: shown_at(edge.to)?, kind: edge.kind });
    let edges = graph.edges.iter().filter_map(drawn).take(limit.saturating_mul(EDGES_PER_NODE)).collect();
    Picture { nodes, edges, all_nodes: graph.nodes.len(), all_edges: graph.edges.len() }
}

/// The places of the nodes to show, with what was found of them.
fn choose<'f>(
    graph: &Graph<'_>,
    findings: &'f Findings<'f>,
    limit: usize,
) -> Vec<(usize, Option<&'f Finding<'f>>)> {
    let places: Vec<(usize, &Finding<'_>)> = findings
        .blocking
        .iter()
        .filter_map(|finding| Some((graph.place_of(finding.id)?, finding)))
        .take(limit)
        .collect();
    let mut seen: BTreeSet<usize> = places.iter().map(|(place, _)| *place).collect();
    let mut shown: Vec<_> = places.iter().map(|(place, finding)| (*place, Some(*finding))).collect();
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
    shown
}
