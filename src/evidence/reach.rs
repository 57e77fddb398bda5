//! What a node holds back.

use super::graph::{Graph, Node};
use super::links::Links;
use super::words::NodeKind;

/// IDs listed for one node.
const MOST_LISTED: usize = 20;
/// Nodes looked at for one node: with many findings, more would not be linear.
const MOST_VISITED: usize = 64;

/// Finds what depends on a node, nearest first.
pub(super) struct Reach<'g, 'a> {
    graph: &'g Graph<'a>,
    above: &'g Links,
    /// In which search a node was seen last.
    seen: Vec<usize>,
    search: usize,
    queue: Vec<usize>,
}

impl<'g, 'a> Reach<'g, 'a> {
    pub fn new(graph: &'g Graph<'a>, above: &'g Links) -> Self {
        Self { graph, above, seen: vec![0; graph.nodes.len()], search: 0, queue: Vec::new() }
    }

    /// Controls, releases and certifications above `start`, and whether there may be more of them.
    pub fn held_back_by(&mut self, start: usize) -> (Vec<&'a str>, bool) {
        self.search += 1;
        self.queue.clear();
        self.queue.push(start);
        if let Some(seen) = self.seen.get_mut(start) {
            *seen = self.search;
        }
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(here) = self.queue.get(next).copied() {
            next += 1;
            for above in self.above.of(here) {
                let Some(seen) = self.seen.get_mut(*above).filter(|seen| **seen != self.search) else {
                    continue;
                };
                *seen = self.search;
                if self.queue.len() > MOST_VISITED || found.len() == MOST_LISTED {
                    return (found, true);
                }
                self.queue.push(*above);
                found.extend(self.graph.nodes.get(*above).filter(|node| is_held_back(node)).map(|n| n.id));
            }
        }
        (found, false)
    }
}

fn is_held_back(node: &Node<'_>) -> bool {
    matches!(node.kind, NodeKind::Control | NodeKind::Release | NodeKind::Certification)
}
