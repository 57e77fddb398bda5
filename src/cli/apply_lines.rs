//! What `apply` and `reconcile` say while they work: a line for each event that is durable, and what goes on.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::output::Output;
use crate::approval::Resolution;
use crate::artifact::v1::Document;
use crate::engine::Watch;
use crate::ledger::v1::{Result as Came, Settlement};
use crate::ledger::{Event, Fact, State, Status};
use crate::report::{self, EventFile, Pace};

/// What the pace counts.
const OPERATION: &str = "operation";

/// One line on standard error for each event that is durable.
pub(super) struct Lines<'a> {
    document: &'a Document,
    output: &'a Output,
    quiet: bool,
    /// Whether a write is under way, for the end that a second signal makes.
    writing: Arc<AtomicBool>,
    /// What else is told.
    files: Vec<EventFile>,
    /// What was told last, and when.
    last: RefCell<Option<(String, Instant)>>,
    /// How far the operations are.
    pace: RefCell<Pace>,
}

impl<'a> Lines<'a> {
    /// Of the plan `document`, of which the ledger knew `known`.
    pub fn new(
        document: &'a Document,
        known: Option<&State>,
        writing: Arc<AtomicBool>,
        files: Vec<EventFile>,
        output: &'a Output,
        quiet: bool,
    ) -> Self {
        let pace = RefCell::new(pace(document, known));
        Self { document, output, quiet, writing, files, last: RefCell::default(), pace }
    }

    /// What was told besides, to be finished.
    pub fn into_files(self) -> Vec<EventFile> {
        self.files
    }

    /// Says how long ago the last thing happened, how much is done, and about how long the rest takes.
    pub fn still(&self) {
        if let Some((line, at)) = &*self.last.borrow()
            && !self.quiet
        {
            let done = self.pace.borrow().words("operation", "operations", Instant::now());
            let done = done.map_or_else(String::new, |done| format!("; {done}"));
            self.output.say(&format!("{line} ({} s ago{done})", at.elapsed().as_secs()));
        }
    }
}

impl Watch for Lines<'_> {
    fn appended(&self, event: &Event) {
        match event.fact {
            Fact::Intent { .. } => self.writing.store(true, Ordering::SeqCst),
            Fact::Outcome { ref result, .. } => {
                self.writing.store(matches!(result, Came::Unknown { .. }), Ordering::SeqCst);
            }
            Fact::Settled { .. } => self.writing.store(false, Ordering::SeqCst),
            _ => {}
        }
        count(&mut self.pace.borrow_mut(), event, Instant::now());
        self.files.iter().for_each(|file| file.appended(event));
        if self.quiet {
            return;
        }
        if let Some(line) = report::apply_line(event, self.document, &self.output.stderr) {
            self.output.say(&line);
            self.last.replace(Some((line, Instant::now())));
        }
    }
}

/// The operations, of which some may have taken place before.
fn pace(document: &Document, known: Option<&State>) -> Pace {
    let all = document.operations.len();
    let mut pace = Pace::new(all, &[(OPERATION, all)]);
    for operation in &document.operations {
        let status = known.map(|state| state.status(&operation.idempotency_key));
        if matches!(status, Some(Status::Applied { .. })) {
            pace.skips(OPERATION);
        }
    }
    pace
}

/// Counts what took place, and from when it was sent.
fn count(pace: &mut Pace, event: &Event, now: Instant) {
    match event.fact {
        Fact::Intent { .. } => pace.begins(OPERATION, now),
        Fact::Outcome { result: Came::Applied { .. }, .. } => pace.ends(OPERATION, now),
        // It is sent again.
        Fact::Settled { by: Settlement::People { resolution: Resolution::NotApplied {}, .. }, .. } => {}
        Fact::Settled { .. } => pace.skips(OPERATION),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sample;

    #[test]
    fn each_operation_that_took_place_is_counted_once_whichever_way_that_is_known() {
        let events = sample::events();
        let document = sample::document();
        let mut pace = pace(&document, None);
        let mut counts = vec![pace.counts()];
        for event in &events {
            count(&mut pace, event, Instant::now());
            counts.push(pace.counts());
        }
        counts.dedup();
        assert_eq!(counts, [(0, 2), (1, 2), (2, 2)]);
        // Another run of it knows that.
        let known = State::fold(&document.effect_digest, &events).unwrap();
        assert_eq!(super::pace(&document, Some(&known)).counts(), (2, 2));
    }
}
