//! What was changed shortly before something, and how near that is.
//!
//! The score is a plain sum: from 0 to 99 for how short before (99 is at the same time, 0 is as long before as is looked
//! back), 100 more for the same application, and 200 more instead for the same service. So what touched the same service
//! comes first, then the same application, then everything else, and in each the nearest first.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

/// What is near, at the most.
pub(super) const MOST_NEAR: usize = 3;
/// What the same application and the same service are worth.
pub(super) const SAME_APPLICATION: i64 = 100;
const SAME_SERVICE: i64 = 200;

/// A change of any kind: from when to when, and of what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Changed<'a> {
    pub id: &'a str,
    pub begins: Timestamp,
    pub ends: Timestamp,
    pub application: Option<&'a str>,
    pub service: Option<&'a str>,
}

/// A moment, and what it is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    pub at: Timestamp,
    pub application: Option<&'a str>,
    pub service: Option<&'a str>,
}

/// How near a change is to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Near<'a> {
    pub id: &'a str,
    pub score: i64,
    /// Whole hours from its end to the moment; 0 where it was still going on.
    pub hours_before: i64,
    pub same: &'static str,
}

/// What a change and a moment can have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Group<'a> {
    Any,
    Application(&'a str),
    Service(&'a str),
}

/// The changes of one group, at a moment.
#[derive(Debug, Default)]
struct Changes {
    /// Going on: the last to begin first.
    active: BTreeSet<(Reverse<Timestamp>, usize)>,
    /// Over, in the order in which they ended.
    over: Vec<usize>,
}

/// What is near each of the moments, nearest first, at most [`MOST_NEAR`] each: what was going on then, or ended no more
/// than `hours` before.
///
/// It goes through time once, so that many moments and many changes cost no more than their sum.
pub(super) fn near<'a>(changes: &[Changed<'a>], moments: &[Moment<'a>], hours: i64) -> Vec<Vec<Near<'a>>> {
    let mut changes = changes.to_vec();
    changes.sort_by_key(|change| change.id);
    let changes = changes.as_slice();
    let mut by_begin: Vec<usize> = (0..changes.len()).collect();
    by_begin.sort_by_key(|place| changes.get(*place).map(|change| change.begins));
    let mut by_end: Vec<usize> = (0..changes.len()).collect();
    // Of what ends at once the first by ID is last, so that it is found first on the way back.
    by_end.sort_by_key(|place| (changes.get(*place).map(|change| change.ends), Reverse(*place)));
    let mut order: Vec<usize> = (0..moments.len()).collect();
    order.sort_by_key(|place| moments.get(*place).map(|moment| moment.at));
    let (mut begun, mut ended) = (by_begin.iter().peekable(), by_end.iter().peekable());
    let mut groups: HashMap<Group<'a>, Changes> = HashMap::new();
    let mut found = vec![Vec::new(); moments.len()];
    for place in order {
        let Some((moment, found)) = moments.get(place).zip(found.get_mut(place)) else { continue };
        let of = |place: &usize| changes.get(*place);
        while let Some(place) = begun.next_if(|place| of(place).is_some_and(|one| one.begins <= moment.at)) {
            for group in of(place).into_iter().flat_map(groups_of) {
                let begins = of(place).map(|one| Reverse(one.begins));
                groups.entry(group).or_default().active.extend(begins.map(|begins| (begins, *place)));
            }
        }
        while let Some(place) = ended.next_if(|place| of(place).is_some_and(|one| one.ends < moment.at)) {
            for group in of(place).into_iter().flat_map(groups_of) {
                let changes = groups.entry(group).or_default();
                if let Some(one) = of(place) {
                    changes.active.remove(&(Reverse(one.begins), *place));
                }
                changes.over.push(*place);
            }
        }
        *found = nearest(changes, moment, hours, &groups);
    }
    found
}

fn groups_of<'a>(change: &Changed<'a>) -> impl Iterator<Item = Group<'a>> + use<'a> {
    let application = change.application.map(Group::Application);
    [Some(Group::Any), application, change.service.map(Group::Service)].into_iter().flatten()
}

fn nearest<'a>(
    changes: &[Changed<'a>],
    moment: &Moment<'a>,
    hours: i64,
    groups: &HashMap<Group<'a>, Changes>,
) -> Vec<Near<'a>> {
    let application = moment.application.map(Group::Application);
    let asked = [Some(Group::Any), application, moment.service.map(Group::Service)];
    let mut places = HashSet::new();
    for group in asked.into_iter().flatten().filter_map(|group| groups.get(&group)) {
        places.extend(group.active.iter().map(|(_, place)| *place).take(MOST_NEAR));
        places.extend(group.over.iter().rev().copied().take(MOST_NEAR));
    }
    let near = places.into_iter().filter_map(|place| changes.get(place));
    let mut near: Vec<(i64, Reverse<Timestamp>, Near<'a>)> = near
        .filter_map(|change| {
            let seconds = change.ends.min(moment.at).duration_until(moment.at).as_secs();
            let near = score(change, moment, seconds, hours)?;
            Some((seconds, Reverse(change.begins), near))
        })
        .collect();
    near.sort_by_key(|(seconds, begins, near)| (Reverse(near.score), *seconds, *begins, near.id));
    near.truncate(MOST_NEAR);
    near.into_iter().map(|(.., near)| near).collect()
}

/// None where it lies too far before.
fn score<'a>(change: &Changed<'a>, moment: &Moment<'a>, seconds: i64, hours: i64) -> Option<Near<'a>> {
    let whole = hours.saturating_mul(3600);
    let left = whole.checked_sub(seconds).filter(|left| *left >= 0)?;
    let nearness = if whole == 0 { 99 } else { (left.saturating_mul(100) / whole).min(99) };
    let is = |one: Option<&str>, other: Option<&str>| one.is_some() && one == other;
    let (same, more) = match (is(change.service, moment.service), is(change.application, moment.application))
    {
        (true, _) => ("service", SAME_SERVICE),
        (false, true) => ("application", SAME_APPLICATION),
        (false, false) => ("", 0),
    };
    Some(Near { id: change.id, score: nearness + more, hours_before: seconds / 3600, same })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    fn changed<'a>(id: &'a str, begins: &str, ends: &str, of: [&'a str; 2]) -> Changed<'a> {
        let of = of.map(|name| Some(name).filter(|name| !name.is_empty()));
        Changed { id, begins: at(begins), ends: at(ends), application: of[0], service: of[1] }
    }

    fn found(changes: &[Changed<'_>], moment: Moment<'_>) -> Vec<(String, i64, i64)> {
        let near = near(changes, &[moment], 72).remove(0);
        near.iter().map(|one| (one.id.to_owned(), one.score, one.hours_before)).collect()
    }

    #[test]
    fn the_same_service_comes_first_then_the_same_application_then_the_nearest() {
        let changes = [
            changed("FAR", "17T12:00", "17T12:39", ["payments", "queue"]),
            changed("LONG", "10T00:00", "30T00:00", ["search", "index"]),
            changed("SERVICE", "18T12:00", "18T12:40", ["platform", "queue"]),
            changed("APPLICATION", "19T12:00", "20T00:40", ["payments", "ledger"]),
            changed("NOW", "20T12:40", "20T12:40", ["search", ""]),
            changed("LATER", "20T12:41", "20T13:00", ["payments", "queue"]),
        ];
        let moment = Moment { at: at("20T12:40"), application: Some("payments"), service: Some("queue") };
        let expected = [("SERVICE", 233, 48), ("APPLICATION", 183, 12), ("NOW", 99, 0)];
        assert_eq!(found(&changes, moment), expected.map(|(id, score, hours)| (id.to_owned(), score, hours)));
        let nothing = Moment { at: at("09T00:00"), application: None, service: None };
        assert_eq!(found(&changes, nothing), []);
    }

    #[test]
    fn whatever_is_near_is_found_among_many_and_the_first_by_id_where_nothing_else_tells() {
        let ids: Vec<String> = (0..30_000).map(|n| format!("C-{n:06}")).collect();
        let changes: Vec<Changed<'_>> =
            ids.iter().rev().map(|id| changed(id, "19T00:00", "19T01:00", ["a", "b"])).collect();
        let moments = vec![Moment { at: at("20T00:00"), application: Some("a"), service: None }; 30_000];
        let near = near(&changes, &moments, 72);
        let first: Vec<&str> = near[29_999].iter().map(|one| one.id).collect();
        assert_eq!(first, ["C-000000", "C-000001", "C-000002"]);
    }
}
