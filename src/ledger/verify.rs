//! Checking all of a ledger.

use std::ops::ControlFlow;

use super::error::{Damage, LedgerError};
use super::read::take;
use super::row::Stored;
use super::state::State;
use super::store::Ledger;
use super::v1::Fact;

/// What was checked and found whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many chains.
    pub chains: u64,
    /// How many events, in all of them.
    pub events: u64,
}

impl Ledger {
    /// Checks everything: what the engine says of its rows, that no event is missing between others, that each is
    /// what was written, the next of its chain, possible after what happened before, and of this ledger.
    ///
    /// Events cut off at the end of the whole ledger, or in PostgreSQL at the end of a chain, are found by none of
    /// this: that takes a head from elsewhere.
    ///
    /// # Errors
    /// [`LedgerError::Broken`] for the first thing that does not hold; the engine fails.
    pub fn verify(&self) -> Result<Verified, LedgerError> {
        let mut verified = Verified { chains: 0, events: 0 };
        let mut course = Course { state: None, last: 0 };
        let mut failed = None;
        let found = self.store.check(&mut |row| match self.follows(&mut course, &mut verified, &row) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        match (failed, found) {
            (Some(error), _) => Err(error),
            (None, Ok(found)) if found != verified.events => {
                Err(Damage::Counted { found, listed: verified.events }.into())
            }
            (None, found) => found.map(|_| verified),
        }
    }

    fn follows(&self, course: &mut Course, verified: &mut Verified, row: &Stored) -> Result<(), LedgerError> {
        let event = row.event()?;
        let mut of_chain = match course.state.take() {
            Some(state) if state.chain == event.chain => state,
            _ => {
                verified.chains += 1;
                course.last = 0;
                State::new(event.chain.clone())
            }
        };
        take(&mut of_chain, row, &event)?;
        if row.position <= course.last {
            return Err(Damage::Misfiled { position: row.position }.into());
        }
        if let Fact::Began(began) = &event.fact
            && began.ledger != self.id()
        {
            return Err(Damage::Foreign { chain: event.chain, ledger: began.ledger.clone() }.into());
        }
        course.last = row.position;
        verified.events += 1;
        course.state = Some(of_chain);
        Ok(())
    }
}

/// How far a check has come: the chain that it is in, and the position of the last event.
struct Course {
    state: Option<State>,
    last: i64,
}
