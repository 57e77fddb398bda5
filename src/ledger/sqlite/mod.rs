//! The ledger as one SQLite file that holds all chains.
//!
//! What is read is checked, whatever the database says of itself: each text is an event in canonical form,
//! each column what the event says, each event the next of its chain.

mod file;
mod migrate;
mod read;
mod row;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

pub(super) use file::link;
pub use verify::Verified;

use super::chain::{self, Draft, Head};
use super::error::LedgerError;
use super::v1::Event;
use crate::core::Digest;

/// A ledger that is open.
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
    /// The file that was opened, whatever stands at the path later.
    file: file::Identity,
    /// Its write-ahead log, which nobody removes while the ledger is open.
    log: Option<file::Identity>,
    id: String,
}

impl Ledger {
    /// Makes a new ledger: a file that only its owner reads (0600), in a folder that is there or is named by
    /// a relative path (made with 0700). A symbolic link is refused.
    ///
    /// # Errors
    /// Something is there already, or the disk refuses; nothing is left behind then.
    pub fn create(path: &Path) -> Result<Self, LedgerError> {
        file::create(path)?;
        Self::open(path)
    }

    /// Opens the ledger at `path`, and brings one of an older version to this program's.
    ///
    /// # Errors
    /// There is none, it is something else, newer or broken, or it cannot be reached.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let file = match file::identity(path) {
            Ok(file) => file,
            // Not looked for again: another process may be making it just now.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LedgerError::Missing { path: path.to_owned() });
            }
            Err(error) => return Err(LedgerError::unreachable(error)),
        };
        let connection = file::open(path)?;
        let id = migrate::id(&connection)?;
        let log = file::identity(&file::log(path)).ok();
        let ledger = Self { connection, path: path.to_owned(), file, log, id };
        ledger.is_there()?;
        Ok(ledger)
    }

    /// Opens the ledger at `path`, or makes it where nothing is there.
    ///
    /// # Errors
    /// As [`Ledger::open`] and [`Ledger::create`].
    pub fn open_or_create(path: &Path) -> Result<Self, LedgerError> {
        match Self::open(path) {
            Err(LedgerError::Missing { .. }) => match file::create(path) {
                // Another process may have made it meanwhile.
                Ok(()) | Err(LedgerError::Exists { .. }) => Self::open(path),
                Err(error) => Err(error),
            },
            other => other,
        }
    }

    /// Whether the path still names the file that is open: what is written to another reaches nobody.
    fn is_there(&self) -> Result<(), LedgerError> {
        match file::identity(&self.path) {
            Ok(found) if found == self.file && file::identity(&file::log(&self.path)).ok() == self.log => {
                Ok(())
            }
            Ok(_) => Err(LedgerError::unreachable("another file was put in its place while it was in use")),
            Err(error) => Err(LedgerError::unreachable(error)),
        }
    }

    /// Its ID: `lgl-` and a random UUID, given when it was made.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it is, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds `drafts` behind `after`, the end of the chain as the caller knows it (none where it has no event
    /// yet), all or none. They are durable on return, with one sync.
    ///
    /// Whether they can follow what happened is [`State::take`](super::State::take)'s to say.
    ///
    /// # Errors
    /// [`LedgerError::Moved`] where the chain does not end there; [`LedgerError::Unfit`] for an event that
    /// could not be read again; the disk or SQLite refuses. Nothing is written then.
    pub fn append(
        &mut self,
        chain: &Digest,
        after: Option<&Head>,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Event>, LedgerError> {
        let unfit = |problem| LedgerError::Unfit { chain: chain.clone(), problem };
        let mut head = after.cloned();
        let mut linked = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let (event, next) = chain::link(chain, head.as_ref(), draft)
                .map_err(|problem| unfit(crate::core::text::excerpt(&problem.to_string(), 200)))?;
            let text = row::text(&event).map_err(unfit)?;
            linked.push((event, next.digest.clone(), text));
            head = Some(next);
        }
        self.is_there()?;
        // Others write from its begin to its end only, so what was hashed before costs them no time.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let end: Option<(i64, String)> = transaction
            .prepare_cached(
                "SELECT sequence, digest FROM events WHERE chain = ?1 ORDER BY sequence DESC LIMIT 1",
            )?
            .query_row([chain.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let known = after.map(|head| (row::place(head.count) - 1, head.digest.to_string()));
        if end != known {
            return Err(LedgerError::Moved { chain: chain.clone() });
        }
        for (event, digest, text) in &linked {
            row::insert(&transaction, event, digest, text)?;
        }
        transaction.commit()?;
        self.is_there()?;
        Ok(linked.into_iter().map(|(event, _, _)| event).collect())
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("path", &self.path).field("id", &self.id).finish_non_exhaustive()
    }
}
