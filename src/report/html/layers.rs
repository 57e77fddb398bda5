//! Where the nodes of a picture stand: in columns, from what holds back on the left to what is held back on the right.
//!
//! Sizes are CSS pixels. The same picture gives the same places.

use crate::evidence::{Drawn, EdgeKind};

/// How wide and how high a node is.
pub(super) const WIDTH: usize = 216;
pub(super) const HEIGHT: usize = 74;
/// What is free around a picture.
const MARGIN: usize = 8;
/// What is free between two columns, and between two nodes of one.
const BETWEEN_COLUMNS: usize = 44;
const BETWEEN_NODES: usize = 12;
/// How high the passage of a line through a column is.
const PASSAGE: usize = 4;

/// The upper left corner of a node, or a point of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Point {
    pub x: usize,
    pub y: usize,
}

/// Where everything stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The upper left corner of each node, in their order.
    pub nodes: Vec<Point>,
    /// The points of each line, from what holds back to what is held back.
    pub lines: Vec<Vec<Point>>,
    /// How wide it is.
    pub width: usize,
    /// How high it is.
    pub height: usize,
}

/// The two ends of an edge: what holds back, and what is held back.
pub(super) fn ends(edge: &Drawn) -> (usize, usize) {
    match edge.kind {
        EdgeKind::Requires | EdgeKind::DependsOn => (edge.to, edge.from),
        EdgeKind::Supports | EdgeKind::Violates | EdgeKind::Blocks | EdgeKind::Unknown => {
            (edge.from, edge.to)
        }
    }
}

/// Something that takes room in a column: a node, or the passage of a line.
struct Place {
    rank: usize,
    height: usize,
    y: usize,
}

/// What a column's places are drawn towards.
type Segments = [(usize, usize)];

/// Places `count` nodes with `edges` between them.
pub(super) fn layout(count: usize, edges: &[Drawn]) -> Layout {
    let mut flows: Vec<(usize, usize)> = edges.iter().map(ends).filter(|(from, to)| from != to).collect();
    flows.sort_unstable();
    flows.dedup();
    let ranks = ranks(count, &flows);
    let last = ranks.iter().copied().max().unwrap_or_default();
    let mut places: Vec<Place> =
        ranks.iter().map(|rank| Place { rank: *rank, height: HEIGHT, y: 0 }).collect();
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); last.saturating_add(1)];
    let mut ways: Vec<Vec<usize>> = Vec::with_capacity(flows.len());
    // A line that goes by a column has its passage there, next to the node that it comes from.
    for node in 0..count {
        push(&mut columns, rank(&places, node), node);
        for (from, to) in flows.iter().filter(|(from, _)| *from == node) {
            let between = (rank(&places, *to).saturating_add(1)..rank(&places, *from)).rev();
            let mut way = vec![*from];
            for rank in between {
                push(&mut columns, rank, places.len());
                way.push(places.len());
                places.push(Place { rank, height: PASSAGE, y: 0 });
            }
            way.push(*to);
            ways.push(way);
        }
    }
    let segments: Vec<(usize, usize)> =
        ways.iter().flat_map(|way| way.iter().copied().zip(way.iter().copied().skip(1))).collect();
    sort(&mut columns, &segments);
    set(&columns, &mut places, &segments);
    let x = |rank: usize| MARGIN + last.saturating_sub(rank) * (WIDTH + BETWEEN_COLUMNS);
    let corner = |place: &Place| Point { x: x(place.rank), y: place.y };
    let point = |index: &usize| places.get(*index).map(|place| (corner(place), place.height / 2));
    let lines = ways.iter().map(|way| {
        let mut points: Vec<Point> = Vec::new();
        for (index, (corner, half)) in way.iter().filter_map(point).enumerate() {
            let y = corner.y + half;
            if index > 0 {
                points.push(Point { x: corner.x, y });
            }
            if index + 1 < way.len() {
                points.push(Point { x: corner.x + WIDTH, y });
            }
        }
        points
    });
    Layout {
        nodes: places.iter().take(count).map(corner).collect(),
        lines: lines.collect(),
        width: x(0) + WIDTH + MARGIN,
        height: places.iter().map(|place| place.y + place.height).max().unwrap_or_default() + MARGIN,
    }
}

fn rank(places: &[Place], index: usize) -> usize {
    places.get(index).map_or(0, |place| place.rank)
}

fn push(columns: &mut [Vec<usize>], rank: usize, index: usize) {
    if let Some(column) = columns.get_mut(rank) {
        column.push(index);
    }
}

/// How many steps each node is from the end. In a circle, what is shown last counts as the end.
fn ranks(count: usize, flows: &[(usize, usize)]) -> Vec<usize> {
    let mut ranks: Vec<Option<usize>> = vec![None; count];
    let rank_of = |ranks: &[Option<usize>], node: usize| ranks.get(node).copied().flatten();
    for _ in 0..count {
        let open = |node: &usize| rank_of(&ranks, *node).is_none();
        let waits = |node: &usize| flows.iter().any(|(from, to)| from == node && open(to));
        let next = (0..count).rev().filter(open).find(|node| !waits(node));
        let Some(node) = next.or_else(|| (0..count).rev().find(open)) else { break };
        let behind = flows.iter().filter(|(from, _)| *from == node);
        let rank = behind.filter_map(|(_, to)| rank_of(&ranks, *to)).map(|rank| rank + 1).max();
        if let Some(place) = ranks.get_mut(node) {
            *place = Some(rank.unwrap_or_default());
        }
    }
    ranks.into_iter().map(Option::unwrap_or_default).collect()
}

/// Sorts each column by where its lines lead to; what leads to the same keeps its order.
fn sort(columns: &mut [Vec<usize>], segments: &Segments) {
    let mut right: Vec<usize> = Vec::new();
    for column in columns {
        let position = |index: usize| right.iter().position(|other| *other == index);
        column.sort_by_cached_key(|index| {
            let leads_to = segments.iter().filter(|(from, _)| from == index);
            mean(leads_to.filter_map(|(_, to)| position(*to)).map(|position| position * 100))
        });
        right.clone_from(column);
    }
}

/// Sets each column: the fullest from top to bottom, all others beside what they are joined with.
fn set(columns: &[Vec<usize>], places: &mut [Place], segments: &Segments) {
    let full = |column: &Vec<usize>| -> usize {
        column.iter().filter_map(|index| places.get(*index)).map(|place| place.height + BETWEEN_NODES).sum()
    };
    let fullest = columns.iter().enumerate().max_by_key(|(_, column)| full(column));
    let fullest = fullest.map_or(0, |(rank, _)| rank);
    let left = (fullest..columns.len()).map(|rank| (rank, false));
    let right = (0..fullest).rev().map(|rank| (rank, true));
    for (rank, to_the_right) in left.chain(right) {
        let mut free = MARGIN;
        for index in columns.get(rank).into_iter().flatten() {
            let others = segments.iter().filter_map(|(from, to)| match to_the_right {
                true => (to == index).then_some(*from),
                false => (from == index).then_some(*to),
            });
            let middle = |place: &Place| place.y + place.height / 2;
            let wanted = match rank == fullest {
                true => None,
                false => mean(others.filter_map(|other| places.get(other)).map(middle)),
            };
            if let Some(place) = places.get_mut(*index) {
                place.y = wanted.unwrap_or_default().saturating_sub(place.height / 2).max(free);
                free = place.y + place.height + BETWEEN_NODES;
            }
        }
    }
}

fn mean(values: impl Iterator<Item = usize>) -> Option<usize> {
    let (sum, count) = values.fold((0_usize, 0_usize), |(sum, count), value| (sum + value, count + 1));
    sum.checked_div(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edge(from: usize, to: usize, kind: EdgeKind) -> Drawn {
        Drawn { from, to, kind }
    }

    #[test]
    fn what_is_held_back_stands_to_the_right_of_what_holds_it_back() {
        // A finding violates a control, which a release requires; it blocks the release, too.
        let edges =
            [edge(0, 1, EdgeKind::Violates), edge(2, 1, EdgeKind::Requires), edge(0, 2, EdgeKind::Blocks)];
        let Layout { nodes, lines, .. } = layout(3, &edges);
        assert!(nodes[0].x < nodes[1].x && nodes[1].x < nodes[2].x);
        // The line that goes by the control has a passage of its own.
        let passing = lines.iter().find(|line| line.len() == 4).unwrap();
        assert!(passing[1].y < nodes[1].y || passing[1].y > nodes[1].y + HEIGHT);
    }

    #[test]
    fn a_circle_and_an_edge_to_itself_are_drawn_all_the_same() {
        let edges =
            [edge(0, 1, EdgeKind::Blocks), edge(1, 0, EdgeKind::Blocks), edge(1, 1, EdgeKind::Blocks)];
        let Layout { nodes, lines, .. } = layout(2, &edges);
        assert_ne!(nodes[0], nodes[1]);
        assert_eq!(lines.len(), 2);
        assert_eq!(layout(0, &[]).nodes, []);
    }

    proptest! {
        #[test]
        fn no_two_nodes_share_a_place_and_all_stand_within(
            count in 1..24_usize,
            edges in prop::collection::vec((0..24_usize, 0..24_usize), 0..60),
        ) {
            let edges: Vec<Drawn> = edges.iter().map(|(from, to)| edge(from % count, to % count, EdgeKind::Blocks)).collect();
            let Layout { nodes, lines, width, height } = layout(count, &edges);
            prop_assert_eq!(nodes.len(), count);
            for (index, node) in nodes.iter().enumerate() {
                prop_assert!(node.x + WIDTH <= width && node.y + HEIGHT <= height);
                for other in &nodes[..index] {
                    prop_assert!(node.x != other.x || node.y.abs_diff(other.y) >= HEIGHT);
                }
            }
            prop_assert!(lines.iter().flatten().all(|point| point.x <= width && point.y <= height));
        }
    }
}
