//! Checking all of a ledger.

use super::Ledger;
use super::read::take;
use super::row::{COLUMNS, Stored};
use crate::core::text::excerpt;
use crate::ledger::error::{Damage, LedgerError};
use crate::ledger::state::State;
use crate::ledger::v1::Fact;

/// What was checked and found whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many chains.
    pub chains: u64,
    /// How many events, in all of them.
    pub events: u64,
}

impl Ledger {
    /// Checks everything: the database file, that no event is missing between others, that each is what was
    /// written, the next of its chain, possible after what happened before, and of this ledger.
    ///
    /// Events cut off at the end of the whole ledger are found by none of this: that takes a head from
    /// elsewhere.
    ///
    /// # Errors
    /// [`LedgerError::Broken`] for the first thing that does not hold; SQLite fails.
    pub fn verify(&self) -> Result<Verified, LedgerError> {
        // All that is asked is asked of one moment, whoever writes meanwhile.
        let moment = self.connection.unchecked_transaction()?;
        let integrity: String = moment.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if integrity != "ok" {
            return Err(Damage::Database(excerpt(&integrity, 200)).into());
        }
        let (found, positions): (i64, i64) = moment.query_row(
            "SELECT count(*), coalesce(max(position), 0) FROM events NOT INDEXED WHERE position > 0",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut verified = Verified { chains: 0, events: 0 };
        let mut state: Option<State> = None;
        let mut last = 0;
        let mut statement =
            moment.prepare(&format!("SELECT {COLUMNS} FROM events ORDER BY chain, sequence"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let row = Stored::read(row)?;
            let event = row.event()?;
            let mut of_chain = match state.take() {
                Some(state) if state.chain == event.chain => state,
                _ => {
                    verified.chains += 1;
                    last = 0;
                    State::new(event.chain.clone())
                }
            };
            take(&mut of_chain, &row, &event)?;
            if row.position <= last {
                return Err(Damage::Misfiled { position: row.position }.into());
            }
            if let Fact::Began(began) = &event.fact
                && began.ledger != self.id
            {
                return Err(Damage::Foreign { chain: event.chain, ledger: began.ledger.clone() }.into());
            }
            last = row.position;
            verified.events += 1;
            state = Some(of_chain);
        }
        if found != positions || u64::try_from(found) != Ok(verified.events) {
            return Err(Damage::Gap { found, positions }.into());
        }
        Ok(verified)
    }
}
