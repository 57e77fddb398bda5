//! A sprint filled with what is open: the worst first, each to somebody who has room for it.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::given::day;
use super::listing::{Record, records, text, told, word};
use super::points::Points;
use super::room::Room;
use super::{Brief, Given, View, first};
use crate::core::text::excerpt;
use crate::evidence::doubt::Doubts;
use crate::evidence::words::Severity;

/// People, and items without a place, that the details name.
const MOST_DETAILS: usize = 8;

/// The rule, for whoever reads the plan.
const RULE: &str = "What is in the sprint and has somebody stays and is counted first. Everything else that is open and in no \
                    other sprint is taken worst first (critical, then unknown, high, medium, low), then by due date, then \
                    the smaller, then by ID; it goes to the person who has it already, else to the one with the least room \
                    that is enough. What has no effort is never assigned, and what has open parts is planned by its parts.";

/// Somebody's sprint.
#[derive(Debug, Default, Serialize)]
struct Person<'a> {
    person: &'a str,
    /// None where the sprint states none.
    capacity: Option<Points>,
    /// What they have in the sprint already.
    kept: Points,
    /// What is proposed.
    proposed: Points,
    left: Points,
    items: usize,
    /// Items that they have in the sprint already and that nobody estimated.
    not_estimated: usize,
    above: bool,
}

/// An item with somebody who does it.
#[derive(Debug, Serialize)]
struct Planned<'a> {
    person: &'a str,
    /// Whether it is in the sprint already, or proposed for it.
    how: &'static str,
    #[serde(flatten)]
    item: Item<'a>,
}

/// An item without a place in the sprint.
#[derive(Debug, Serialize)]
struct Unplanned<'a> {
    why: String,
    #[serde(flatten)]
    item: Item<'a>,
}

/// An open item.
#[derive(Debug, Clone, Serialize)]
struct Item<'a> {
    id: &'a str,
    title: &'a str,
    kind: Option<&'a str>,
    severity: Option<&'a str>,
    due: Option<&'a str>,
    overdue: bool,
    effort: Option<Points>,
    assignee: Option<&'a str>,
    version: Option<u64>,
}

/// What is sent of an item.
#[derive(Debug, Serialize)]
struct Assignment<'a> {
    id: &'a str,
    version: u64,
    assignee: &'a str,
}

/// The plan of a team's sprint from its sprints under `of` and its open `backlog`: of the sprint with the ID `sprint`, or
/// of the first that begins on the day `as_of` or later.
///
/// # Errors
/// There is no day, or what the recipe says has the wrong type.
pub fn sprint(given: &Given<'_>) -> Result<Brief, String> {
    let today = given.day("as_of")?.ok_or("`as_of` is needed: there is no clock here")?;
    let backlog = given.from.get("backlog").copied().ok_or("there is no backlog")?;
    let mut doubts = Doubts::default();
    let sprints = records("sprints", given.of()?, &mut doubts);
    let wanted = given.with.get("sprint").and_then(Value::as_str);
    let chosen = choose(&sprints, wanted, today, &mut doubts);
    let items = records("items of the backlog", backlog, &mut doubts);
    let mut plan = Plan { today, sprint: chosen, ..Plan::default() };
    if let Some(chosen) = chosen {
        plan.people(&chosen, &mut doubts);
        let queue = plan.sort_out(&sprints, &items, &mut doubts);
        plan.fill(queue, &mut doubts);
    }
    plan.brief(doubts)
}

/// The sprint that is planned.
fn choose<'a>(
    sprints: &[Record<'a>],
    wanted: Option<&str>,
    today: Date,
    doubts: &mut Doubts,
) -> Option<Record<'a>> {
    let begins = |sprint: &Record<'_>| sprint.text("starts").and_then(day);
    let chosen = match wanted {
        Some(wanted) => sprints.iter().find(|sprint| sprint.id == wanted),
        None => {
            let open = sprints.iter().filter(|sprint| sprint.text("state") != Some("pass"));
            for sprint in open.clone().filter(|sprint| begins(sprint).is_none()) {
                doubts.push(format!("the sprint {} does not say when it begins", word(sprint.id)));
            }
            let next = open.filter_map(|sprint| Some((begins(sprint).filter(|day| *day >= today)?, sprint)));
            next.min_by_key(|(begins, sprint)| (*begins, sprint.id)).map(|(_, sprint)| sprint)
        }
    };
    match (chosen, wanted) {
        (Some(sprint), _) => match sprint.text("state") {
            Some("pending") => {}
            Some("pass") => doubts.push(format!("the sprint {} is over", word(sprint.id))),
            _ => doubts.push(unknown("sprint", sprint)),
        },
        (None, Some(wanted)) => doubts.push(format!("no sprint {} of this team is visible", word(wanted))),
        (None, None) => doubts.push(format!(
            "no sprint of this team that is visible begins on {today} or later: name one with `sprint`"
        )),
    }
    chosen.copied()
}

fn unknown(what: &str, record: &Record<'_>) -> String {
    let status = record.text("status").unwrap_or("nothing");
    format!("the {what} {} has a state that nobody knows: {}", word(record.id), word(status))
}

/// A plan under construction.
#[derive(Default)]
struct Plan<'a> {
    today: Date,
    sprint: Option<Record<'a>>,
    people: BTreeMap<&'a str, Person<'a>>,
    planned: Vec<Planned<'a>>,
    unplanned: Vec<Unplanned<'a>>,
    assignments: Vec<Assignment<'a>>,
    /// Items in another sprint that is not over.
    elsewhere: usize,
    /// Items that are planned by their parts.
    split: usize,
}

impl<'a> Plan<'a> {
    fn people(&mut self, sprint: &Record<'a>, doubts: &mut Doubts) {
        for entry in sprint.list("capacity") {
            let points = entry.get("points").and_then(Value::as_f64).and_then(Points::of);
            let (Some(person), Some(points)) = (text(entry, "user"), points) else {
                doubts.push(format!("the sprint {} states a capacity that is none", word(sprint.id)));
                continue;
            };
            let stated = Person { person, capacity: Some(points), ..Person::default() };
            if self.people.insert(person, stated).is_some() {
                doubts.push(format!(
                    "the sprint {} states the capacity of {} twice",
                    word(sprint.id),
                    word(person)
                ));
            }
        }
    }

    /// Puts each item where it stands already, and gives those that want a place, in their order.
    fn sort_out(
        &mut self,
        sprints: &[Record<'a>],
        items: &[Record<'a>],
        doubts: &mut Doubts,
    ) -> Vec<Item<'a>> {
        let sprints: HashMap<&str, &Record<'a>> = sprints.iter().map(|sprint| (sprint.id, sprint)).collect();
        let open: Vec<&Record<'a>> = items.iter().filter(|item| item.text("state") != Some("pass")).collect();
        let parents: HashSet<&str> = open.iter().filter_map(|item| item.text("parent")).collect();
        let mut queue = Vec::new();
        for record in open {
            if record.text("state") != Some("pending") {
                doubts.push(unknown("item", record));
            }
            let item = Item::of(record, self.today);
            let sprint = record.text("sprint").map(|id| (id, sprints.get(id)));
            match (sprint, item.assignee) {
                (Some((id, Some(_))), Some(person)) if self.is(id) => self.keep(person, item),
                (Some((id, Some(other))), _) if !self.is(id) && other.text("state") != Some("pass") => {
                    if other.text("state") != Some("pending") {
                        doubts.push(unknown("sprint", other));
                    }
                    self.elsewhere += 1;
                }
                (Some((id, None)), _) => {
                    self.leave(item, format!("it is in the sprint {}, which is not visible here", word(id)));
                }
                (_, None) if parents.contains(item.id) => self.split += 1,
                _ if item.effort.is_none() => self.leave(item, "not estimated".to_owned()),
                _ => queue.push(item),
            }
        }
        queue.sort_by(|one, other| one.order().cmp(&other.order()));
        queue
    }

    fn is(&self, id: &str) -> bool {
        self.sprint.is_some_and(|sprint| sprint.id == id)
    }

    fn keep(&mut self, person: &'a str, item: Item<'a>) {
        let theirs = self.people.entry(person).or_insert_with(|| Person { person, ..Person::default() });
        theirs.items += 1;
        match item.effort {
            Some(effort) => theirs.kept = theirs.kept.plus(effort),
            None => theirs.not_estimated += 1,
        }
        self.planned.push(Planned { person, how: "kept", item });
    }

    fn leave(&mut self, item: Item<'a>, why: String) {
        self.unplanned.push(Unplanned { why, item });
    }

    /// Gives each item of the queue to somebody, where it fits.
    fn fill(&mut self, queue: Vec<Item<'a>>, doubts: &mut Doubts) {
        let stated = self.people.values().filter_map(|one| Some((one.person, one.capacity?.less(one.kept))));
        let mut room = Room::of(stated);
        for item in queue {
            let effort = item.effort.unwrap_or_default();
            match room.take(effort, item.assignee) {
                Err(why) => self.leave(item, why),
                Ok(person) => {
                    if let Some(theirs) = self.people.get_mut(person) {
                        theirs.proposed = theirs.proposed.plus(effort);
                        theirs.items += 1;
                    }
                    match item.version {
                        Some(version) => {
                            self.assignments.push(Assignment { id: item.id, version, assignee: person });
                        }
                        None => doubts.push(format!("{} has no version that could be read", word(item.id))),
                    }
                    self.planned.push(Planned { person, how: "proposed", item });
                }
            }
        }
    }

    fn brief(mut self, doubts: Doubts) -> Result<Brief, String> {
        for person in self.people.values_mut() {
            let used = person.kept.plus(person.proposed);
            let capacity = person.capacity.unwrap_or_default();
            person.left = capacity.less(used);
            person.above = used > capacity || (person.capacity.is_none() && person.items > 0);
        }
        self.planned
            .sort_by(|one, other| (one.person, one.item.order()).cmp(&(other.person, other.item.order())));
        self.unplanned.sort_by(|one, other| one.item.order().cmp(&other.item.order()));
        let people: Vec<&Person<'_>> = self.people.values().collect();
        let above = people.iter().filter(|one| one.above).count();
        let not_measured = people.iter().filter(|one| !one.above && one.not_estimated > 0).count();
        let worst = |severity| {
            let unplanned = self.unplanned.iter().map(|one| Severity::of(one.item.severity));
            unplanned.filter(|one| *one == severity).count()
        };
        let mut brief = Brief { undecided: told(doubts), summary: self.summary(), ..Brief::default() };
        let of = |name| self.sprint.and_then(|sprint| sprint.text(name));
        brief.put(
            "sprint",
            self.sprint.map(|sprint| {
                serde_json::json!({"id": sprint.id, "name": of("name"), "starts": of("starts"), "ends": of("ends")})
            }),
        )?;
        brief.put("people", &people)?;
        brief.put("plan", &self.planned)?;
        brief.put("unplanned", &self.unplanned)?;
        brief.put("assignments", &self.assignments)?;
        brief.put("unplanned_critical", worst(Severity::Critical))?;
        brief.put("unplanned_unknown", worst(Severity::Unknown))?;
        brief.put("above_capacity", above)?;
        brief.put("not_measured", not_measured)?;
        brief.put("in_other_sprints", self.elsewhere)?;
        brief.put("planned_by_their_parts", self.split)?;
        brief.details = self.details();
        brief.views = views();
        Ok(brief)
    }

    fn summary(&self) -> String {
        let Some(sprint) = self.sprint else { return "there is no sprint to plan".to_owned() };
        let people = self.people.values();
        let used: Points = people.clone().map(|one| one.kept.plus(one.proposed)).sum();
        let capacity: Points = people.filter_map(|one| one.capacity).sum();
        let id = excerpt(sprint.id, 60);
        format!(
            "{id}: {} proposed, {} kept, {} of {} points; {} not planned",
            self.assignments.len(),
            self.planned.len() - self.assignments.len(),
            used.shown(),
            capacity.shown(),
            self.unplanned.len()
        )
    }

    fn details(&self) -> Vec<String> {
        let mut items: HashMap<&str, Vec<&str>> = HashMap::new();
        for planned in &self.planned {
            items.entry(planned.person).or_default().push(planned.item.id);
        }
        let people = self.people.values().map(|one| {
            let capacity = one.capacity.map_or_else(|| "no".to_owned(), Points::shown);
            let items = items.get(one.person).map(Vec::as_slice).unwrap_or_default();
            let named: Vec<&str> = items.iter().take(MOST_DETAILS).copied().collect();
            let more = if items.len() > MOST_DETAILS { ", …" } else { "" };
            let above = if one.above { ", above capacity" } else { "" };
            let used = one.kept.plus(one.proposed).shown();
            let named = if named.is_empty() { "nothing".to_owned() } else { named.join(", ") };
            format!("{}: {used} of {capacity} points{above}: {named}{more}", one.person)
        });
        let unplanned = self.unplanned.iter().map(|Unplanned { why, item }| {
            let severity = item.severity.unwrap_or("unknown severity");
            let effort = item.effort.map(|effort| format!(", {} points", effort.shown())).unwrap_or_default();
            format!("not planned: {severity}: {} ({}{effort}): {why}", item.title, item.id)
        });
        let mut lines = first(people, MOST_DETAILS, " people");
        lines.extend(first(unplanned, MOST_DETAILS, " not planned"));
        lines
    }
}

impl<'a> Item<'a> {
    fn of(record: &Record<'a>, today: Date) -> Self {
        let due = record.text("due");
        Self {
            id: record.id,
            title: record.text("title").unwrap_or(record.id),
            kind: record.text("kind"),
            severity: record.text("severity"),
            due,
            overdue: due.and_then(day).is_some_and(|due| due < today),
            effort: record.number("effort").and_then(Points::of),
            assignee: record.text("assignee"),
            version: record.whole("version"),
        }
    }

    /// Worst first, then what is due first, then the smaller.
    fn order(&self) -> impl Ord {
        let due = self.due.and_then(day);
        let effort = self.effort;
        (Severity::of(self.severity), due.is_none(), due, effort.is_none(), effort, self.id)
    }
}

fn views() -> Vec<View> {
    let item: [(&str, &str); 5] =
        [("Severity", "severity"), ("Due", "due"), ("Points", "effort"), ("Title", "title"), ("ID", "id")];
    let plan = [[("Person", "person"), ("How", "how")].as_slice(), &item, &[("Overdue", "overdue")]].concat();
    let unplanned = [item.as_slice(), &[("Why", "why")]].concat();
    vec![
        View::table(
            "People",
            "people",
            &[
                ("Person", "person"),
                ("Capacity", "capacity"),
                ("Kept", "kept"),
                ("Proposed", "proposed"),
                ("Left", "left"),
                ("Items", "items"),
                ("Above capacity", "above"),
            ],
        ),
        View::table("Plan", "plan", &plan).saying(RULE),
        View::table("Not planned", "unplanned", &unplanned),
    ]
}

#[cfg(test)]
mod tests;
