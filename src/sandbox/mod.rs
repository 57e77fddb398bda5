//! The sandbox: a stand-in for LoopIQ that is a real MCP server over a SQLite store.
//!
//! It offers the seven tools that LoopIQ documents, with argument and result shapes that are assumptions,
//! and others for what LoopIQ names without a tool, which are its own choice. [`Sandbox::import`] brings real evidence
//! into it, [`Sandbox::load`] made-up records. Nothing in it reaches the network.

mod caller;
mod data;
mod error;
mod graph;
mod http;
mod import;
mod refusal;
mod server;
mod store;
mod tools;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rmcp::service::{QuitReason, RoleServer, ServerInitializeError};
use rmcp::transport::IntoTransport;
use rmcp::transport::async_rw::DEFAULT_MAX_LINE_LENGTH;
use rusqlite::Connection;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

pub use data::{DataError, DataFile, Loaded};
pub use error::SandboxError;
pub use http::Listening;
pub use import::{Controls, EvidenceError, Format, Import, Imported, Place};
pub use store::Location;

use crate::core::lines::{LineFault, Lines};

/// The stand-in for LoopIQ. Clones share one connection to one store.
#[derive(Clone)]
pub struct Sandbox {
    connection: Arc<Mutex<Connection>>,
    clock: fn() -> Timestamp,
}

impl Sandbox {
    /// Opens the store; a new one is made and filled with the seed, an old one brought forward.
    ///
    /// # Errors
    /// The file cannot be opened, is a symbolic link or no sandbox database, or comes from a newer version.
    pub fn open(location: &Location) -> Result<Self, SandboxError> {
        let connection = Arc::new(Mutex::new(store::open(location)?));
        Ok(Self { connection, clock: Timestamp::now })
    }

    /// Serves MCP over a stream of this process until the peer closes it.
    ///
    /// # Errors
    /// The peer does not speak MCP.
    pub async fn serve(&self, stream: DuplexStream) -> Result<(), SandboxError> {
        self.run(stream).await
    }

    /// Serves MCP over standard input and output until standard input ends.
    ///
    /// # Errors
    /// The peer does not speak MCP, or sends a line that is too long (16 MiB) or not UTF-8, which ends
    /// the connection.
    pub async fn serve_stdio(&self) -> Result<(), SandboxError> {
        let (read, write) = rmcp::transport::io::stdio_pipes();
        self.serve_lines(read, write).await
    }

    async fn serve_lines<R, W>(&self, read: R, write: W) -> Result<(), SandboxError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let fault = LineFault::default();
        let served = self.run((Lines::new(read, DEFAULT_MAX_LINE_LENGTH, Arc::clone(&fault)), write)).await;
        match fault.get() {
            Some(problem) => Err(SandboxError::Connection(problem.clone())),
            None => served,
        }
    }

    /// Brings an evidence file into a release's certification, in one transaction.
    ///
    /// # Errors
    /// The file is refused whole, the tenant does not exist, or the store fails; nothing is changed then.
    pub fn import(&self, imports: &[Import]) -> Result<Vec<Imported>, SandboxError> {
        import::import(&mut self.connection(), imports, (self.clock)())
    }

    /// Adds the records of data files, in one transaction.
    ///
    /// # Errors
    /// A file is refused, or the store fails; nothing is changed then.
    pub fn load(&self, files: &[DataFile]) -> Result<Vec<Loaded>, SandboxError> {
        data::load(&mut self.connection(), files)
    }

    async fn run<T, E, A>(&self, transport: T) -> Result<(), SandboxError>
    where
        T: IntoTransport<RoleServer, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let service = match rmcp::serve_server(self.clone(), transport).await {
            // A peer that goes away before it says anything has closed the stream, too.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            other => other.map_err(|error| SandboxError::Connection(error.to_string()))?,
        };
        match service.waiting().await {
            Ok(QuitReason::JoinError(error)) | Err(error) => Err(SandboxError::Connection(error.to_string())),
            Ok(_) => Ok(()),
        }
    }

    /// The connection. A call that panicked has left no transaction behind: dropping one rolls it back.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
