//! Which node depends on which, in both directions.

use super::graph::{Edge, Graph};
use super::words::EdgeKind;

/// For every node the nodes on the other side of its edges, in the order of their IDs.
pub(super) struct Links {
    /// Where the neighbours of each node begin; one more at the end.
    starts: Vec<usize>,
    neighbours: Vec<usize>,
}

impl Links {
    /// What each node depends on.
    pub fn below(graph: &Graph<'_>) -> Self {
        Self::new(graph.nodes.len(), graph.edges.iter().filter_map(dependency))
    }

    /// What depends on each node.
    pub fn above(graph: &Graph<'_>) -> Self {
        let turned = graph.edges.iter().filter_map(dependency).map(|(above, below)| (below, above));
        Self::new(graph.nodes.len(), turned)
    }

    fn new(count: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut pairs: Vec<(usize, usize)> = pairs.collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = Vec::with_capacity(count + 1);
        let mut next = 0;
        for node in 0..=count {
            while pairs.get(next).is_some_and(|(from, _)| *from < node) {
                next += 1;
            }
            starts.push(next);
        }
        Self { starts, neighbours: pairs.into_iter().map(|(_, to)| to).collect() }
    }

    /// The neighbours of a node.
    pub fn of(&self, node: usize) -> &[usize] {
        let start = self.starts.get(node).copied().unwrap_or_default();
        let end = self.starts.get(node + 1).copied().unwrap_or_default();
        self.neighbours.get(start..end).unwrap_or_default()
    }
}

/// Who depends on whom by an edge, the dependent first; an edge that nobody understands says nothing of that.
pub(super) fn dependency(edge: &Edge) -> Option<(usize, usize)> {
    match edge.kind {
        EdgeKind::Requires | EdgeKind::DependsOn => Some((edge.from, edge.to)),
        EdgeKind::Supports | EdgeKind::Violates | EdgeKind::Blocks => Some((edge.to, edge.from)),
        EdgeKind::Unknown => None,
    }
}
