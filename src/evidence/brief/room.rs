//! The room that people have in a sprint, and who gets what.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::word;
use super::points::Points;

/// What is left of everybody's capacity.
#[derive(Debug, Default)]
pub(super) struct Room<'a> {
    left: BTreeMap<&'a str, Points>,
    by_room: BTreeSet<(Points, &'a str)>,
}

impl<'a> Room<'a> {
    /// Of these people.
    pub fn of(people: impl Iterator<Item = (&'a str, Points)>) -> Self {
        let left: BTreeMap<&'a str, Points> = people.collect();
        let by_room = left.iter().map(|(person, left)| (*left, *person)).collect();
        Self { left, by_room }
    }

    /// Finds somebody for `effort`: the person who has it already, else the one with the least room that is enough, so
    /// that room for large items stays; of equals the first by ID.
    ///
    /// # Errors
    /// Nobody has the room, in words.
    pub fn take(&mut self, effort: Points, assignee: Option<&'a str>) -> Result<&'a str, String> {
        let (person, left) = match assignee {
            Some(person) => match self.left.get(person) {
                None => return Err(format!("{} has it and no capacity in this sprint", word(person))),
                Some(left) if *left < effort => {
                    return Err(format!("{} has it and {} points left", word(person), left.shown()));
                }
                Some(left) => (person, *left),
            },
            None => match self.by_room.range((effort, "")..).next() {
                Some((left, person)) => (*person, *left),
                None => return Err(self.nobody(effort)),
            },
        };
        self.by_room.remove(&(left, person));
        self.by_room.insert((left.less(effort), person));
        self.left.insert(person, left.less(effort));
        Ok(person)
    }

    fn nobody(&self, effort: Points) -> String {
        match self.by_room.last() {
            None => "nobody has capacity in this sprint".to_owned(),
            Some((most, _)) => {
                format!("nobody has {} points left; the most is {}", effort.shown(), most.shown())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(number: f64) -> Points {
        Points::of(number).unwrap()
    }

    #[test]
    fn an_item_goes_where_the_least_room_is_enough() {
        let people = [("li", 10.0), ("amara", 13.0), ("jonas", 10.0)];
        let mut room = Room::of(people.into_iter().map(|(person, room)| (person, points(room))));
        for (effort, person) in [(5.0, "jonas"), (13.0, "amara"), (5.0, "jonas"), (8.0, "li"), (0.0, "amara")]
        {
            assert_eq!(room.take(points(effort), None).as_deref(), Ok(person), "{effort}");
        }
        let nobody = room.take(points(3.0), None).unwrap_err();
        assert_eq!(nobody, "nobody has 3 points left; the most is 2");
    }

    #[test]
    fn what_somebody_has_stays_with_them_or_does_not_fit() {
        let mut room = Room::of([("amara", points(5.0)), ("li", points(50.0))].into_iter());
        assert_eq!(room.take(points(3.0), Some("amara")), Ok("amara"));
        assert_eq!(room.take(points(3.0), Some("amara")).unwrap_err(), "`amara` has it and 2 points left");
        assert!(room.take(points(1.0), Some("noor")).unwrap_err().contains("no capacity"));
        assert!(Room::default().take(points(1.0), None).unwrap_err().contains("nobody has capacity"));
    }
}
