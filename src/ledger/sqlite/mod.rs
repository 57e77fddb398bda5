//! The ledger as one SQLite file that holds all chains.

mod file;
mod lock;
mod migrate;
mod row;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::chain::Head;
use super::claim::{Claim, Holder, Lock, LockError, Wait};
use super::error::{Damage, LedgerError, shown};
use super::row::{COLUMNS, Row, Stored, place};
use super::store::{Column, End, Store, Which};
use crate::core::Digest;
use crate::core::text::excerpt;

/// A ledger in a file.
pub(super) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    /// The file that was opened, whatever stands at the path later.
    file: file::Identity,
    /// Its write-ahead log, which nobody removes while the ledger is open.
    log: Option<file::Identity>,
    id: String,
}

impl Sqlite {
    pub fn create(path: &Path) -> Result<Self, LedgerError> {
        file::create(path)?;
        Self::open(path)
    }

    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let file = match file::identity(path) {
            Ok(file) => file,
            // Not looked for again: another process may be making it just now.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LedgerError::Missing { at: shown(path) });
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
}

impl Store for Sqlite {
    fn id(&self) -> &str {
        &self.id
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn append(&mut self, chain: &Digest, after: Option<&Head>, rows: Vec<Row>) -> Result<(), LedgerError> {
        self.is_there()?;
        // Others write from its begin to its end only, so what was hashed before costs them no time.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let end: Option<(i64, String)> = transaction
            .prepare_cached(
                "SELECT sequence, digest FROM events WHERE chain = ?1 ORDER BY sequence DESC LIMIT 1",
            )?
            .query_row([chain.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let known = after.map(|head| (place(head.count) - 1, head.digest.to_string()));
        if end != known {
            return Err(LedgerError::Moved { chain: chain.clone() });
        }
        for row in &rows {
            row::insert(&transaction, row)?;
        }
        transaction.commit()?;
        self.is_there()
    }

    fn each(
        &self,
        which: Which<'_>,
        f: &mut dyn FnMut(Stored) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        let (of, values) = match which {
            Which::Chain(chain, from) => (
                "WHERE chain = ?1 AND sequence >= ?2 ORDER BY sequence",
                Some((chain.to_string(), place(from))),
            ),
            Which::All => ("ORDER BY position", None),
        };
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM events {of}"))?;
        let mut rows = match values {
            Some((chain, from)) => statement.query(params![chain, from])?,
            None => statement.query([])?,
        };
        while let Some(row) = rows.next()? {
            if f(row::read(row)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn chains_where(&self, column: Column, value: &str) -> Result<Vec<(i64, String)>, LedgerError> {
        let column = column.name();
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT min(position), chain FROM events WHERE {column} = ?1 GROUP BY chain ORDER BY 1"
        ))?;
        let chains = statement.query_map([value], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(chains.collect::<Result<_, _>>()?)
    }

    fn contains(&self, digest: &Digest) -> Result<bool, LedgerError> {
        let mut statement = self.connection.prepare_cached("SELECT 1 FROM events WHERE digest = ?1")?;
        Ok(statement.exists([digest.to_string()])?)
    }

    fn ends(&self) -> Result<Vec<End>, LedgerError> {
        // With a lone `max`, SQLite takes the other columns from the row that has it.
        let mut statement = self.connection.prepare_cached(
            "SELECT position, chain, max(sequence), digest FROM events GROUP BY chain ORDER BY chain",
        )?;
        let ends = statement.query_map([], |row| {
            Ok(End { position: row.get(0)?, chain: row.get(1)?, sequence: row.get(2)?, digest: row.get(3)? })
        })?;
        Ok(ends.collect::<Result<_, _>>()?)
    }

    fn check(&self, f: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<u64, LedgerError> {
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
        let mut statement =
            moment.prepare(&format!("SELECT {COLUMNS} FROM events ORDER BY chain, sequence"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if f(row::read(row)?).is_break() {
                break;
            }
        }
        match u64::try_from(found) {
            Ok(count) if found == positions => Ok(count),
            _ => Err(Damage::Gap { found, positions }.into()),
        }
    }

    fn lock(&self, holder: &Holder, _: &Claim, wait: Wait) -> Result<Lock, LockError> {
        lock::take(&self.path, holder, wait)
    }

    fn holder(&self, _: &Claim) -> Option<Holder> {
        lock::holder(&self.path)
    }
}
