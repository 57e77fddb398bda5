//! The other side: this program as an MCP server over standard input and output, of whatever an [`Offer`] offers.
//!
//! Both eras of the protocol are spoken, as the client begins. Nothing but the protocol reaches standard output.

mod handler;
mod offer;

use std::pin::pin;
use std::sync::Arc;

use rmcp::service::{QuitReason, ServerInitializeError};
use rmcp::transport::async_rw::DEFAULT_MAX_LINE_LENGTH;
use thiserror::Error;

use crate::core::lines::{LineFault, Lines};
use crate::core::text::excerpt;
use handler::Handler;
pub use offer::{
    Answer, Call, Later, Offer, OfferedPrompt, OfferedResource, OfferedTool, Progress, ResourceText, Unread,
};

/// The most characters of what a client says in an error.
const SHOWN: usize = 300;

/// Why the connection ended other than by its client.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The client does not speak MCP, or sent what cannot be read.
    #[error("the client does not speak MCP as a server can read it: {0}")]
    Client(String),
    /// A part of the program failed.
    #[error("the connection broke off: {0}")]
    Broken(String),
}

/// Serves over standard input and output until the client closes standard input, or until `stop` comes. Calls that are
/// under way then have a few seconds to be answered, and are told that nobody waits any more.
///
/// # Errors
/// The client does not speak MCP, or sends a line that is too long (16 MiB) or not UTF-8, which ends the connection.
pub async fn serve_stdio(offer: Arc<dyn Offer>, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
    let (read, write) = rmcp::transport::io::stdio_pipes();
    let fault = LineFault::default();
    let lines = Lines::new(read, DEFAULT_MAX_LINE_LENGTH, Arc::clone(&fault));
    let served = serve(Handler(offer), (lines, write), stop).await;
    match fault.get() {
        Some(problem) => Err(ServeError::Client(problem.clone())),
        None => served,
    }
}

async fn serve<R, W>(
    handler: Handler,
    lines: (Lines<R>, W),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    R: tokio::io::AsyncRead + Send + Unpin + 'static,
    W: tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let mut stop = pin!(stop);
    let begun = tokio::select! {
        biased;
        () = &mut stop => return Ok(()),
        begun = rmcp::serve_server(handler, lines) => begun,
    };
    let service = match begun {
        // A client that goes away before it says anything has closed the stream, too.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        other => other.map_err(|error| ServeError::Client(excerpt(&error.to_string(), SHOWN)))?,
    };
    let cancel = service.cancellation_token();
    let mut ended = pin!(service.waiting());
    let ended = tokio::select! {
        biased;
        ended = &mut ended => ended,
        () = stop => {
            cancel.cancel();
            ended.await
        }
    };
    match ended {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(ServeError::Broken(error.to_string())),
        Ok(_) => Ok(()),
    }
}
