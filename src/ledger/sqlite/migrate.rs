//! The versions of a ledger's tables: only ever forward, each step known by its checksum.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, TransactionBehavior, params};
use uuid::Uuid;

use crate::core::Digest;
use crate::ledger::error::{Damage, LedgerError, shown};

/// "LGLE": marks a database as a ledger (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x4c47_4c45;

/// What begins a ledger's ID.
const PREFIX: &str = "lgl-";

/// What brings a ledger of version N to version N + 1; only ever added to.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// Fills an empty database: the tables and an ID.
pub(super) fn create(connection: &mut Connection) -> Result<(), LedgerError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    run(&transaction, MIGRATIONS, 0)?;
    let id = format!("{PREFIX}{}", Uuid::new_v4());
    transaction.execute("INSERT INTO meta VALUES ('id', ?1)", [id])?;
    Ok(transaction.commit()?)
}

/// The version of the ledger at `path`; refuses what is none, newer, or has other tables than its
/// migrations make.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<usize, LedgerError> {
    check_against(connection, path, MIGRATIONS)
}

/// Brings a ledger that was checked to the newest version.
pub(super) fn upgrade(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    upgrade_to(connection, path, MIGRATIONS)
}

/// The ledger's ID.
pub(super) fn id(connection: &Connection) -> Result<String, LedgerError> {
    let id: Option<String> =
        connection.query_row("SELECT value FROM meta WHERE name = 'id'", [], |row| row.get(0)).optional()?;
    let is_one = |id: &String| {
        id.strip_prefix(PREFIX).is_some_and(|text| {
            Uuid::try_parse(text).is_ok_and(|uuid| uuid.get_version_num() == 4 && uuid.to_string() == text)
        })
    };
    id.filter(is_one).ok_or_else(|| Damage::NoId.into())
}

fn check_against(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<usize, LedgerError> {
    let not_a_ledger = || LedgerError::NotALedger { at: shown(path) };
    let application: i64 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(|error| {
            match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => not_a_ledger(),
                _ => error.into(),
            }
        })?;
    if application != APPLICATION_ID {
        return Err(not_a_ledger());
    }
    let mut statement = connection.prepare("SELECT version, checksum FROM migrations ORDER BY version")?;
    let steps: Vec<(i64, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let version = steps.len();
    if version > migrations.len() {
        return Err(LedgerError::Newer { at: shown(path), found: version, known: migrations.len() });
    }
    for (place, ((number, checksum), migration)) in (1..).zip(steps.iter().zip(migrations)) {
        if usize::try_from(*number) != Ok(place) || *checksum != sum(migration) {
            return Err(Damage::Migration(place).into());
        }
    }
    let fresh = Connection::open_in_memory()?;
    run(&fresh, migrations.get(..version).unwrap_or_default(), 0)?;
    if version == 0 || schema(connection)? != schema(&fresh)? {
        return Err(Damage::Schema(version).into());
    }
    Ok(version)
}

fn upgrade_to(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), LedgerError> {
    if check_against(connection, path, migrations)? == migrations.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it while we waited.
    let version = check_against(&transaction, path, migrations)?;
    run(&transaction, migrations, version)?;
    Ok(transaction.commit()?)
}

fn run(connection: &Connection, migrations: &[&str], done: usize) -> Result<(), LedgerError> {
    for (version, migration) in (1_i64..).zip(migrations).skip(done) {
        connection.execute_batch(migration)?;
        connection.execute("INSERT INTO migrations VALUES (?1, ?2)", params![version, sum(migration)])?;
    }
    Ok(())
}

fn sum(migration: &str) -> String {
    Digest::of_bytes(migration.as_bytes()).to_string()
}

/// Every table, index and trigger with the text that made it.
fn schema(connection: &Connection) -> rusqlite::Result<Vec<[Option<String>; 4]>> {
    connection
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?
        .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?
        .collect()
}
