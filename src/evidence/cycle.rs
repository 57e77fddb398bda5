//! Cycles among dependencies.

use super::links::Links;

/// The first cycle in the order of IDs, beginning with its first node; `None` where there is none. Takes
/// time in proportion to nodes and edges, and no stack.
pub(super) fn find_cycle(count: usize, below: &Links, above: &Links) -> Option<Vec<usize>> {
    // Takes away what depends on nothing that is left, again and again. Who then is left depends on
    // somebody who is left too.
    let mut open: Vec<usize> = (0..count).map(|node| below.of(node).len()).collect();
    let mut settled: Vec<usize> = (0..count).filter(|node| below.of(*node).is_empty()).collect();
    while let Some(node) = settled.pop() {
        for dependent in above.of(node) {
            if let Some(open) = open.get_mut(*dependent) {
                *open -= 1;
                if *open == 0 {
                    settled.push(*dependent);
                }
            }
        }
    }
    let is_left = |node: &usize| open.get(*node).is_some_and(|open| *open > 0);
    let mut here = (0..count).find(is_left)?;
    let mut path = Vec::new();
    let mut position = vec![None; count];
    loop {
        match position.get_mut(here) {
            Some(Some(start)) => {
                let mut cycle = path.split_off(*start);
                let first = cycle.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(at, _)| at);
                cycle.rotate_left(first);
                return Some(cycle);
            }
            Some(unseen) => *unseen = Some(path.len()),
            None => return None,
        }
        path.push(here);
        here = below.of(here).iter().copied().find(is_left)?;
    }
}
