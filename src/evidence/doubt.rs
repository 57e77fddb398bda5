//! Why a graph decides nothing.

use super::cycle::find_cycle;
use super::graph::{Graph, Node};
use super::links::Links;
use super::words::{NodeKind, State};
use crate::core::text::excerpt;

/// Reasons given of one sort. Who has more than these has enough to begin with.
const MOST_OF_A_SORT: usize = 10;
/// Nodes of a cycle that are shown.
const MOST_OF_A_CYCLE: usize = 8;

/// Every reason why `graph` decides nothing, sort by sort; empty where it decides.
pub(super) fn doubts(graph: &Graph<'_>, below: &Links, above: &Links, blocks: &[bool]) -> Vec<String> {
    let mut doubts = Doubts::default();
    let gaps = &graph.gaps;
    doubts.check(graph.certification.is_none(), "the graph does not say which certification it belongs to");
    doubts.check(gaps.no_nodes, "the graph has no list of nodes");
    doubts.check(gaps.no_edges, "the graph has no list of edges");
    doubts.check(graph.nodes.is_empty(), "the graph is empty");
    let is_required_control = |node: &Node<'_>| node.kind == NodeKind::Control && node.is_required();
    doubts.check(!graph.nodes.iter().any(is_required_control), "no control is required");
    doubts.count(gaps.nodes_without_id, "node without an ID", "nodes without an ID");
    doubts.count(gaps.edges_without_end, "edge without two ends", "edges without two ends");
    doubts.add(graph.nodes.iter().filter(|node| node.kind == NodeKind::Unknown), |node| {
        match node.text("kind") {
            Some(word) => format!("`{}` is of unknown kind `{}`", name(node.id), name(word)),
            None => format!("`{}` is of no kind", name(node.id)),
        }
    });
    doubts.add(gaps.duplicates.iter(), |id| format!("more than one node has the ID `{}`", name(id)));
    doubts.add(gaps.unknown_edges.iter(), |(word, from, to)| match word {
        Some(word) => {
            format!("the edge `{}` → `{}` is of unknown kind `{}`", name(from), name(to), name(word))
        }
        None => format!("the edge `{}` → `{}` is of no kind", name(from), name(to)),
    });
    doubts.add(gaps.dangling.iter(), |(from, to)| {
        format!("the edge `{}` → `{}` does not join two nodes", name(from), name(to))
    });
    doubts.0.extend(find_cycle(graph.nodes.len(), below, above).map(|cycle| describe_cycle(graph, &cycle)));
    let nodes = || graph.nodes.iter().enumerate();
    doubts.add(
        nodes().filter(|(place, node)| is_unclear(node, blocks.get(*place) == Some(&true))),
        |(_, node)| format!("nobody can say whether {} `{}` is settled", node.kind.word(), name(node.id)),
    );
    doubts.add(nodes().filter(|(place, node)| passes_on_nothing(graph, below, *place, node)), |(_, node)| {
        format!("control `{}` passes without any evidence", name(node.id))
    });
    doubts.0
}

/// A state that means neither settled nor open for what the node is. Gaps in evidence are clear: they block.
fn is_unclear(node: &Node<'_>, blocks: bool) -> bool {
    match node.kind {
        NodeKind::Control => node.is_required() && node.state == State::Unknown,
        NodeKind::Finding | NodeKind::ProviderBlocker => is_unclear_issue(node.state),
        NodeKind::Risk => blocks && is_unclear_issue(node.state),
        NodeKind::Evidence | NodeKind::Release | NodeKind::Certification | NodeKind::Unknown => false,
    }
}

fn is_unclear_issue(state: State) -> bool {
    matches!(state, State::Unknown | State::Missing | State::Stale)
}

/// Whether a required control passes though neither a control nor any evidence stands beneath it that is
/// there or whose absence blocks by itself.
fn passes_on_nothing(graph: &Graph<'_>, below: &Links, place: usize, node: &Node<'_>) -> bool {
    let carries = |node: &Node<'_>| match node.kind {
        NodeKind::Control => true,
        NodeKind::Evidence => node.is_required() || matches!(node.state, State::Pass | State::Waived),
        _ => false,
    };
    node.kind == NodeKind::Control
        && node.is_required()
        && node.state == State::Pass
        && !below.of(place).iter().filter_map(|below| graph.nodes.get(*below)).any(carries)
}

fn describe_cycle(graph: &Graph<'_>, cycle: &[usize]) -> String {
    let ids = |places: &[usize]| -> Vec<String> {
        places
            .iter()
            .filter_map(|place| graph.nodes.get(*place))
            .map(|n| format!("`{}`", name(n.id)))
            .collect()
    };
    let (first, shown) = (cycle.get(..1).unwrap_or_default(), cycle.get(..MOST_OF_A_CYCLE).unwrap_or(cycle));
    let mut way = ids(shown);
    if let Some(more) = cycle.len().checked_sub(shown.len()).filter(|more| *more > 0) {
        way.push(format!("… {more} more …"));
    }
    way.extend(ids(first));
    format!("nodes depend on each other in a cycle: {}", way.join(" → "))
}

fn name(text: &str) -> String {
    excerpt(text, 80)
}

/// Reasons why something decides nothing.
#[derive(Debug, Default)]
pub(super) struct Doubts(pub Vec<String>);

impl Doubts {
    /// Adds a reason, which is safe to print.
    pub fn push(&mut self, reason: String) {
        self.0.push(reason);
    }

    /// Adds a reason where it holds.
    pub fn check(&mut self, holds: bool, reason: &str) {
        if holds {
            self.0.push(reason.to_owned());
        }
    }

    fn count(&mut self, count: usize, one: &str, many: &str) {
        match count {
            0 => {}
            1 => self.0.push(format!("1 {one}")),
            count => self.0.push(format!("{count} {many}")),
        }
    }

    /// Adds a reason for each thing that was found; of many, the first, and how many more there are.
    pub fn add<T>(&mut self, mut found: impl Iterator<Item = T>, say: impl Fn(T) -> String) {
        self.0.extend(found.by_ref().take(MOST_OF_A_SORT).map(say));
        let more = found.count();
        if more > 0 {
            self.0.push(format!("and {more} more like that"));
        }
    }
}
