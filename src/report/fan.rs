//! One stream of events for several who want them.

use crate::engine::{Event, Events};

/// Hands every event to each in turn.
pub struct Fan<'a>(pub Vec<&'a dyn Events>);

impl Events for Fan<'_> {
    fn emit(&self, event: &Event) {
        for events in &self.0 {
            events.emit(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    struct Heard(RefCell<Vec<Event>>);

    impl Events for Heard {
        fn emit(&self, event: &Event) {
            self.0.borrow_mut().push(event.clone());
        }
    }

    #[test]
    fn everybody_hears_everything_in_order() {
        let (one, two) = (Heard(RefCell::default()), Heard(RefCell::default()));
        let events = [
            Event::Connected { server: "s".into(), tools: 1 },
            Event::StepStarted { step: "a".into(), kind: "read" },
        ];
        let fan = Fan(vec![&one, &two]);
        for event in &events {
            fan.emit(event);
        }
        assert_eq!(*one.0.borrow(), events);
        assert_eq!(*two.0.borrow(), events);
    }
}
