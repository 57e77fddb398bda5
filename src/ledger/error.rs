//! What can go wrong with a ledger.

use std::error::Error as StdError;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::ErrorCode;
use thiserror::Error;

use super::state::StateError;
use crate::core::Digest;
use crate::core::text::{excerpt, visible};

/// Why a ledger gives or takes nothing.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Nothing is there.
    #[error("there is no ledger at `{at}`")]
    Missing {
        /// Where it should be.
        at: String,
    },
    /// A new one was asked for, and something is there.
    #[error("`{at}` exists already")]
    Exists {
        /// Where.
        at: String,
    },
    /// Something else is there.
    #[error("`{at}` is not a ledger")]
    NotALedger {
        /// Where.
        at: String,
    },
    /// A later version of this program wrote it.
    #[error("the ledger `{at}` is of version {found}, and this program knows {known}")]
    Newer {
        /// Where it is.
        at: String,
        /// Its version.
        found: usize,
        /// The newest that this program knows.
        known: usize,
    },
    /// An earlier version of this program wrote it, and who opens it may not change its tables.
    #[error("the ledger `{at}` is of version {found}, and this program needs {known}")]
    Older {
        /// Where it is.
        at: String,
        /// Its version.
        found: usize,
        /// The one that this program needs.
        known: usize,
    },
    /// The server is none that can hold a ledger, or not for who signed in.
    #[error("the server at `{at}` cannot hold the ledger: {why}")]
    Unsuited {
        /// Where it is.
        at: String,
        /// Why; free of escapes.
        why: String,
    },
    /// Another run has taken the lock over since; nothing was written.
    #[error("another run has taken over the lock that this one held")]
    Passed,
    /// The moment has passed before which it was to be sent.
    #[error("it was to be sent before {before}, and that may have passed")]
    Late {
        /// When, by the clock of the ledger's server.
        before: Timestamp,
    },
    /// It does not hold what this program wrote.
    #[error("the ledger is broken")]
    Broken(#[from] Damage),
    /// It cannot be opened, read or written.
    #[error("the ledger cannot be reached")]
    Unreachable(#[source] Box<dyn StdError + Send + Sync>),
    /// The chain does not end where the caller says; nothing was written.
    #[error("chain {chain} does not end where it did")]
    Moved {
        /// The chain.
        chain: Digest,
    },
    /// An event that could not be read again; nothing was written.
    #[error("an event of chain {chain} cannot be stored: {problem}")]
    Unfit {
        /// The chain.
        chain: Digest,
        /// Why; free of escapes.
        problem: String,
    },
    /// The disk is full or fails; nothing was written.
    #[error("the disk of the ledger is full or fails")]
    Full(#[source] Box<dyn StdError + Send + Sync>),
    /// Another process has been writing for longer than one waits.
    #[error("another process is writing to the ledger and does not come to an end")]
    Busy,
}

/// In which way a ledger is not what this program wrote.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damage {
    /// The engine says so.
    #[error("the database is damaged: {0}")]
    Database(String),
    /// A migration that was not this program's.
    #[error("migration {0} is another than this program's")]
    Migration(usize),
    /// Other tables, indices or triggers than the migrations make.
    #[error("its tables are not those of version {0}")]
    Schema(usize),
    /// No ID, or none of the right form.
    #[error("it has no ID")]
    NoId,
    /// A row whose text is no event in canonical form.
    #[error("what stands at position {position} is no event: {problem}")]
    NoEvent {
        /// Where, from 1.
        position: i64,
        /// Why.
        problem: String,
    },
    /// A row whose other columns are not what its event says.
    #[error("the event at position {position} is filed under what it does not say")]
    Misfiled {
        /// Where, from 1.
        position: i64,
    },
    /// Events that are no chain, or cannot follow each other.
    #[error("chain {chain} does not hold")]
    Chain {
        /// The chain.
        chain: Digest,
        /// Why.
        source: StateError,
    },
    /// A chain that is shorter than it was.
    #[error("chain {chain} has lost its event {sequence}")]
    Lost {
        /// The chain.
        chain: Digest,
        /// The first event that is missed.
        sequence: u64,
    },
    /// Events missing between others.
    #[error("{found} events stand at {positions} positions")]
    Gap {
        /// How many there are.
        found: i64,
        /// How many there should be.
        positions: i64,
    },
    /// Other rows than the engine counts.
    #[error("the database counts {found} events and lists {listed}")]
    Counted {
        /// As it counts them.
        found: u64,
        /// As it lists them.
        listed: u64,
    },
    /// A run that wrote to another ledger.
    #[error("chain {chain} was written to the ledger `{}`", excerpt(ledger, 60))]
    Foreign {
        /// The chain.
        chain: Digest,
        /// The ledger that its run names.
        ledger: String,
    },
}

impl LedgerError {
    pub(super) fn unreachable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unreachable(source.into())
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error;
        match (error.sqlite_error_code(), &error) {
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => Self::Busy,
            (Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure), _) => Self::Full(error.into()),
            (
                Some(
                    ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    // The tables are not as the program knows them, or rows stand where none should.
                    | ErrorCode::Unknown
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch,
                ),
                _,
            )
            | (
                None,
                Error::FromSqlConversionFailure(..)
                | Error::IntegralValueOutOfRange(..)
                | Error::Utf8Error(..)
                | Error::InvalidColumnType(..),
            ) => Damage::Database(excerpt(&error.to_string(), 200)).into(),
            _ => Self::unreachable(error),
        }
    }
}

/// A path as a message names it.
pub(super) fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}
