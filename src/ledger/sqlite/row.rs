//! A row as SQLite has it.

use rusqlite::{Connection, params};

use crate::ledger::row::{Filed, Row, Stored};

/// A row that was selected by [`COLUMNS`](crate::ledger::row::COLUMNS).
pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        position: row.get(0)?,
        digest: row.get(3)?,
        filed: Filed {
            chain: row.get(1)?,
            sequence: row.get(2)?,
            subject: row.get(4)?,
            key: row.get(5)?,
            record: row.get(6)?,
        },
        text: row.get(7)?,
    })
}

/// Adds a row.
pub(super) fn insert(connection: &Connection, row: &Row) -> rusqlite::Result<()> {
    let Row { digest, filed: Filed { chain, sequence, subject, key, record }, text } = row;
    connection
        .prepare_cached(
            "INSERT INTO events (chain, sequence, digest, subject, key, record, text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![chain, sequence, digest, subject, key, record, text])?;
    Ok(())
}
