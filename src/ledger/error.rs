//! What can go wrong with a ledger.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use super::state::StateError;
use crate::core::Digest;
use crate::core::text::{excerpt, visible};

/// Why a ledger gives or takes nothing.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Nothing is there.
    #[error("there is no ledger at `{}`", shown(path))]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A new one was asked for, and something is there.
    #[error("`{}` exists already", shown(path))]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("`{}` is not a ledger", shown(path))]
    NotALedger {
        /// Where.
        path: PathBuf,
    },
    /// A later version of this program wrote it.
    #[error("the ledger `{}` is of version {found}, and this program knows {known}", shown(path))]
    Newer {
        /// Where it is.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest that this program knows.
        known: usize,
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
    Full(#[source] rusqlite::Error),
    /// Another process has been writing for longer than one waits.
    #[error("another process is writing to the ledger and does not come to an end")]
    Busy,
}

/// In which way a ledger is not what this program wrote.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damage {
    /// SQLite says so.
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
            (Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure), _) => Self::Full(error),
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

fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}
