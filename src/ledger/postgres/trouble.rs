//! What went wrong with a statement, as far as it decides what to do next.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

use crate::core::text::excerpt;
use crate::ledger::error::{Damage, LedgerError};

/// Why a statement gave nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is lost, and nobody knows what became of the statement. Why.
    Lost(String),
    /// The server takes no connections just now. Its words.
    NotYet(String),
    /// A row is there already.
    Taken,
    /// Anything else.
    Said(LedgerError),
}

impl Trouble {
    /// What is said of it once nothing more is tried.
    pub fn given_up(self) -> LedgerError {
        match self {
            Self::Lost(why) | Self::NotYet(why) => LedgerError::unreachable(why),
            Self::Taken => Damage::Database("a row is there twice".to_owned()).into(),
            Self::Said(error) => error,
        }
    }

    /// Reads what a statement at `at` failed with.
    pub fn of(at: &str, error: &tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            return Self::Lost(in_words(error));
        };
        let words = excerpt(said.message(), 300);
        let state = said.code();
        let full = [SqlState::DISK_FULL, SqlState::OUT_OF_MEMORY, SqlState::IO_ERROR];
        let gone = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::IDLE_SESSION_TIMEOUT,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ];
        let missing = [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_COLUMN];
        let damaged = [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED];
        if gone.contains(state) || state.code().starts_with("08") {
            Self::Lost(words)
        } else if *state == SqlState::CANNOT_CONNECT_NOW || *state == SqlState::TOO_MANY_CONNECTIONS {
            Self::NotYet(words)
        } else if *state == SqlState::UNIQUE_VIOLATION {
            Self::Taken
        } else if full.contains(state) {
            Self::Said(LedgerError::Full(words.into()))
        } else if damaged.contains(state) {
            Self::Said(Damage::Database(words).into())
        } else if missing.contains(state) {
            Self::Said(LedgerError::Missing { at: at.to_owned() })
        } else if [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED].contains(state) {
            Self::Said(LedgerError::Busy)
        } else if [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::READ_ONLY_SQL_TRANSACTION].contains(state) {
            Self::Said(LedgerError::Unsuited { at: at.to_owned(), why: words })
        } else {
            Self::Said(LedgerError::unreachable(words))
        }
    }
}

/// An error with what caused it, made visible.
fn in_words(error: &tokio_postgres::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    excerpt(&words, 300)
}
