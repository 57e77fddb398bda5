//! The ledger in a PostgreSQL database that many runners share.
//!
//! One statement adds events, where the chain ends as the caller knows it. Locks are the session's; a connection that is
//! lost is made again within limits, and the locks with it, where nobody took them meanwhile.

mod access;
mod address;
mod append;
mod clock;
mod line;
mod migrate;
mod read;
mod session;
mod statement;
mod tenure;
#[cfg(test)]
mod tests;
mod tls;
mod trouble;
mod worker;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_postgres::types::Type;

pub use access::{Access, Passwords};
pub use address::{Address, AddressError};
pub use migrate::Founded;

use self::append::Addition;
use self::clock::{Moment, Reading};
use self::line::Line;
use self::migrate::MIGRATIONS;
use self::read::Wanted;
use self::session::Dial;
use self::tenure::Tenure;
use self::trouble::Trouble;
use self::worker::{Errand, Worker};
use super::chain::Head;
use super::claim::{Claim, Holder, Lock, LockError, Wait};
use super::error::LedgerError;
use super::row::{Row, Stored, place};
use super::store::{Column, End, Store, Which};
use crate::core::Digest;

/// How long between two looks at locks of which another holds one. They are not waited for on the server: those that are
/// free would be held meanwhile, against others that want only them, and who waits there cannot tell silence from waiting.
const PAUSE: Duration = Duration::from_millis(100);
/// How old an answer of the server may be for its locks to be taken as held.
const FRESH: Duration = Duration::from_secs(1);

/// A ledger in a database.
pub(super) struct Postgres {
    worker: Worker,
    at: String,
    id: String,
    clock: Clock,
}

/// What the server's clock said last.
type Clock = Arc<Mutex<Option<Reading>>>;

/// Locks that are given up when it is dropped.
struct Held(Errand);

impl Postgres {
    pub fn open(address: &Address, access: &Access) -> Result<Self, LedgerError> {
        Self::open_of(address, access, MIGRATIONS)
    }

    pub fn found(address: &Address, access: &Access) -> Result<(Self, Founded), LedgerError> {
        Self::found_of(address, access, MIGRATIONS)
    }

    fn open_of(
        address: &Address,
        access: &Access,
        steps: &'static [&'static str],
    ) -> Result<Self, LedgerError> {
        let worker = worker(address, access)?;
        let id = worker.ask(move |line| {
            line.with(async |dial, session, _, _| migrate::id(dial, session, steps).await)
        })?;
        Ok(Self { worker, at: address.to_string(), id, clock: Clock::default() })
    }

    fn found_of(
        address: &Address,
        access: &Access,
        steps: &'static [&'static str],
    ) -> Result<(Self, Founded), LedgerError> {
        let worker = worker(address, access)?;
        let founded = worker.ask(move |line| {
            line.with(async |dial, session, _, _| migrate::found(dial, session, steps).await)
        })?;
        drop(worker);
        Ok((Self::open_of(address, access, steps)?, founded))
    }

    fn reading(&self) -> Option<Reading> {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self, holder: &Holder, locks: &[i64]) -> Result<bool, LedgerError> {
        let said = serde_json::to_string(holder).unwrap_or_default();
        let (locks, clock) = (locks.to_vec(), Arc::clone(&self.clock));
        self.worker.ask(move |line| {
            line.take(async |dial, session| {
                // First: what a pooler's session holds, nobody gives up.
                if dial.is_pooled(session).await? {
                    return Err(Trouble::Said(dial.pooled()));
                }
                let asked = Moment::now();
                let Some((tenure, said)) = Tenure::begin(dial, session, &locks, &said).await? else {
                    return Ok(None);
                };
                set(&clock, said, asked);
                Ok(Some(tenure))
            })
        })
    }
}

impl Store for Postgres {
    fn id(&self) -> &str {
        &self.id
    }

    fn place(&self) -> String {
        self.at.clone()
    }

    fn append(&mut self, chain: &Digest, after: Option<&Head>, rows: Vec<Row>) -> Result<(), LedgerError> {
        let addition = Addition { chain: chain.clone(), after: after.cloned(), rows };
        let clock = Arc::clone(&self.clock);
        self.worker.ask(move |line| {
            line.with(async |dial, session, tenure, time| {
                let asked = Moment::now();
                if let Some(said) = addition.add(dial, session, tenure, time).await? {
                    set(&clock, said, asked);
                }
                Ok(())
            })
        })
    }

    fn each(
        &self,
        which: Which<'_>,
        f: &mut dyn FnMut(Stored) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        let wanted = match which {
            Which::Chain(chain, from) => Wanted::Chain(chain.to_string(), place(from)),
            Which::All => Wanted::All,
        };
        self.worker.each(wanted, f)
    }

    fn chains_where(&self, column: Column, value: &str) -> Result<Vec<(i64, String)>, LedgerError> {
        let (column, value) = (column.name(), value.to_owned());
        self.worker.ask(move |line| {
            let sql = format!(
                "SELECT min(position), chain FROM loopgate.events WHERE {column} = $1 GROUP BY chain ORDER BY 1"
            );
            line.with(async |dial, session, _, _| {
                let rows = dial.rows(session, &sql, &[(&value, Type::TEXT)]).await?;
                rows.iter().map(|row| Ok((dial.value(row, 0)?, dial.value(row, 1)?))).collect()
            })
        })
    }

    fn contains(&self, digest: &Digest) -> Result<bool, LedgerError> {
        let digest = digest.to_string();
        self.worker.ask(move |line| {
            line.with(async |dial, session, _, _| {
                let sql = "SELECT EXISTS (SELECT FROM loopgate.events WHERE digest = $1)";
                dial.value(&dial.row(session, sql, &[(&digest, Type::TEXT)]).await?, 0)
            })
        })
    }

    fn ends(&self) -> Result<Vec<End>, LedgerError> {
        self.worker.ask(|line| {
            line.with(async |dial, session, _, _| {
                let sql = "SELECT DISTINCT ON (chain) position, chain, sequence, digest FROM loopgate.events
                    ORDER BY chain, sequence DESC";
                let rows = dial.rows(session, sql, &[]).await?;
                let end = |row: &tokio_postgres::Row| {
                    Ok(End {
                        position: dial.value(row, 0)?,
                        chain: dial.value(row, 1)?,
                        sequence: dial.value(row, 2)?,
                        digest: dial.value(row, 3)?,
                    })
                };
                rows.iter().map(end).collect()
            })
        })
    }

    fn check(&self, f: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<u64, LedgerError> {
        self.worker.check(MIGRATIONS.len(), f)
    }

    fn lock(&self, holder: &Holder, claim: &Claim, wait: Wait) -> Result<Lock, LockError> {
        let unreachable = |error| LockError::Unreachable(Box::new(error));
        let locks = claim.numbers();
        let begun = Instant::now();
        loop {
            if self.try_lock(holder, &locks).map_err(unreachable)? {
                return Ok(Lock::new(Held(self.worker.errand())));
            }
            match wait {
                Wait::AtMost(most) if begun.elapsed() < most => std::thread::sleep(PAUSE),
                _ => return Err(LockError::Held(self.holder(claim))),
            }
        }
    }

    fn holder(&self, claim: &Claim) -> Option<Holder> {
        let locks = claim.numbers();
        let told = self.worker.ask(move |line: &mut Line| {
            line.with(async |dial, session, _, _| tenure::holder(dial, session, &locks).await)
        });
        serde_json::from_str(&told.ok()??).ok()
    }

    fn send_before(&self) -> Option<Timestamp> {
        Some(self.reading()?.send_before(Moment::now()))
    }

    fn may_send(&self, before: Timestamp) -> Result<(), LedgerError> {
        let is_fresh = self.reading().is_some_and(|reading| reading.age(Moment::now()) < FRESH);
        let clock = Arc::clone(&self.clock);
        self.worker.ask(move |line| {
            // On a connection that is over, the locks are taken again first, or not.
            line.with(async |dial, session, tenure, _| {
                let Some(tenure) = tenure.filter(|tenure| tenure.is_passed || !is_fresh) else {
                    return Ok(());
                };
                let asked = Moment::now();
                let (passed, said) = tenure.has_passed(dial, session).await?;
                set(&clock, said, asked);
                if passed || tenure.is_passed { Err(Trouble::Said(LedgerError::Passed)) } else { Ok(()) }
            })
        })?;
        match self.reading() {
            Some(reading) if reading.at_most(Moment::now()) < before => Ok(()),
            _ => Err(LedgerError::Late { before }),
        }
    }

    fn warning(&self) -> Option<String> {
        let may = self.worker.ask(|line| {
            line.with(async |dial, session, _, _| {
                let sql = "SELECT has_table_privilege('loopgate.events', 'UPDATE, DELETE, TRUNCATE'), CURRENT_USER::text";
                let row = dial.row(session, sql, &[]).await?;
                Ok((dial.value::<bool>(&row, 0)?, dial.value::<String>(&row, 1)?))
            })
        });
        let (_, user) = may.ok().filter(|(may, _)| *may)?;
        let user = crate::core::text::excerpt(&user, 60);
        Some(format!(
            "the role `{user}` may change and remove events: give runners one that is granted `loopgate_runner` alone"
        ))
    }

    fn now_at_least(&self) -> Timestamp {
        self.reading().map_or(Timestamp::MIN, |reading| reading.at_least(Moment::now()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.run(Line::release);
    }
}

fn worker(address: &Address, access: &Access) -> Result<Worker, LedgerError> {
    let dial = Dial::new(address, access)?;
    Worker::start(move || Line::open(dial))
}

fn set(clock: &Clock, said: i64, asked: Moment) {
    *clock.lock().unwrap_or_else(PoisonError::into_inner) = Reading::new(said, asked);
}
