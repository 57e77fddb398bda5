//! What the hash chain holds together.

use super::chain::{ChainError, check, follow};
use super::sample::{self, events};
use super::state::State;
use super::v1::Event;
use crate::core::Digest;
use crate::core::json::parse_strict;

fn chain() -> Digest {
    sample::document().effect_digest
}

#[test]
fn linked_events_are_a_chain_with_the_head_of_the_last() {
    let events = events();
    let head = check(&chain(), &events).unwrap().unwrap();
    assert_eq!(head.count, 19);
    assert_eq!(head.digest, events[18].digest().unwrap());
    assert_eq!(check(&chain(), []), Ok(None));
}

#[test]
fn the_digest_is_of_the_canonical_text_under_its_tag() {
    for event in events() {
        let text = format!("[\"loopgate.event/1\",{}]", event.text().unwrap());
        assert_eq!(event.digest().unwrap(), Digest::of_bytes(text.as_bytes()));
    }
}

#[test]
fn every_event_is_read_again_as_it_was_written() {
    let more = sample::draft(20, "third", sample::compared(vec![sample::moved()]));
    for event in events().into_iter().chain(sample::linked(&chain(), vec![more])) {
        let text = event.text().unwrap();
        let read: Event = serde_json::from_value(parse_strict(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(read, event);
        assert_eq!(read.text().unwrap(), text);
    }
}

#[test]
fn what_does_not_follow_is_told_apart() {
    let events = events();
    let head = check(&chain(), &events[..3]).unwrap();
    let follows = |event: &Event| follow(&chain(), head.as_ref(), event).unwrap_err();

    let other = Digest::of_bytes(b"other");
    let stranger = Event { chain: other.clone(), ..events[3].clone() };
    assert_eq!(
        follows(&stranger),
        ChainError::OtherChain { sequence: 3, chain: chain(), found: other.clone() }
    );
    assert_eq!(follows(&events[4]), ChainError::OutOfOrder { expected: 3, found: 4 });
    for previous in [None, Some(other)] {
        let cut = Event { previous, ..events[3].clone() };
        assert_eq!(follows(&cut), ChainError::Broken { sequence: 3 });
    }
    let second = Event { previous: Some(chain()), ..events[0].clone() };
    assert_eq!(follow(&chain(), None, &second), Err(ChainError::Broken { sequence: 0 }));
    assert!(follow(&chain(), head.as_ref(), &events[3]).is_ok());
}

#[test]
fn an_event_removed_added_or_moved_is_found() {
    let events = events();
    for place in 0..events.len() {
        let mut fewer = events.clone();
        fewer.remove(place);
        // The last one's absence is seen by its head alone.
        assert_eq!(State::fold(&chain(), &fewer).is_ok(), place == events.len() - 1, "{place} removed");
        let mut more = events.clone();
        more.insert(place, events[place].clone());
        assert!(State::fold(&chain(), &more).is_err(), "{place} twice");
        for other in (0..place).step_by(5) {
            let mut moved = events.clone();
            moved.swap(place, other);
            assert!(State::fold(&chain(), &moved).is_err(), "{place} and {other} swapped");
        }
    }
}

/// The event that a changed text gives, if it still is one.
fn read(text: &[u8]) -> Option<Event> {
    serde_json::from_value(parse_strict(text).ok()?).ok()
}

#[test]
fn a_changed_byte_breaks_the_chain_or_gives_another_head() {
    let events = events();
    let head = check(&chain(), &events).unwrap();
    let mut survivors = 0;
    for (place, event) in events.iter().enumerate() {
        let before = check(&chain(), &events[..place]).unwrap();
        let text = event.text().unwrap().into_bytes();
        // Every 67th byte, from another one on in each event: all of them take minutes.
        for at in (place..text.len()).step_by(67) {
            let mut changed = text.clone();
            changed[at] ^= 1;
            let Some(read) = read(&changed) else { continue };
            // Another spelling of the same event is refused by who compares its text.
            if read == *event {
                assert_ne!(read.text().unwrap().as_bytes(), changed);
                continue;
            }
            let Ok(next) = follow(&chain(), before.as_ref(), &read) else { continue };
            survivors += 1;
            assert_ne!(next.digest, event.digest().unwrap(), "byte {at} of event {place}");
            match events.get(place + 1) {
                Some(behind) => assert!(follow(&chain(), Some(&next), behind).is_err()),
                None => assert_ne!(Some(next), head),
            }
        }
    }
    assert!(survivors > 50, "{survivors}");
}
