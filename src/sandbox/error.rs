//! What can go wrong with the sandbox itself; refused tool calls are answers, not errors.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use super::data::DataError;
use super::import::EvidenceError;
use crate::core::text::visible;

/// Why the sandbox cannot do what it was asked.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The database's file or folder cannot be made or read.
    #[error("cannot open the sandbox database `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The file is something else than a database that the sandbox made; nothing was changed.
    #[error("`{}` is no sandbox database", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The database was written by a newer version of this program; nothing was changed.
    #[error("the sandbox database `{}` has version {found}, and this program knows versions up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// SQLite refused.
    #[error("the sandbox database failed")]
    Store(#[from] rusqlite::Error),
    /// It cannot listen there.
    #[error("the sandbox cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The MCP connection could not be set up or broke down.
    #[error("the sandbox's connection failed: {0}")]
    Connection(String),
    /// Evidence was to be imported for a tenant that does not exist.
    #[error("the sandbox has no tenant `{}`", visible(tenant))]
    UnknownTenant {
        /// As it was given.
        tenant: String,
    },
    /// A release name that is empty, longer than 200 bytes, or has characters that cannot be seen.
    #[error("`{}` is no name for a release", visible(release))]
    InvalidRelease {
        /// As it was given.
        release: String,
    },
    /// A data file is refused whole; the shipped seed never is, which a test makes sure of.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The evidence file is refused whole.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}
