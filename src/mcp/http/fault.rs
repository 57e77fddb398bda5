//! What came of a request over HTTP instead of an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::RequestId;
use thiserror::Error;

/// Why a request over HTTP has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(in crate::mcp) enum Fault {
    /// No byte of it left: there was no connection.
    #[error("{0}")]
    NeverSent(String),
    /// The answer is a status other than success.
    #[error("HTTP status {status}: {message}")]
    Status {
        status: u16,
        /// What came with it; hostile text.
        message: String,
        /// The code of the JSON-RPC error that came with it, if one did.
        code: Option<i32>,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The connection ended before the answer did.
    #[error("{0}")]
    Closed(String),
    /// What came is no answer.
    #[error("{0}")]
    Malformed(String),
    /// What came is beyond the limit.
    #[error("{0}")]
    TooLarge(String),
}

/// The faults of one connection by the request that they befell. rmcp passes on none of what they hold.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct Faults(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    of: HashMap<RequestId, Fault>,
    last: Option<Fault>,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what befell a request, or a message that waits for no answer.
    pub(super) fn note(&self, request: Option<&RequestId>, fault: &Fault) {
        let mut known = self.lock();
        known.last = Some(fault.clone());
        if let Some(request) = request {
            known.of.insert(request.clone(), fault.clone());
        }
    }

    /// What befell a request, which is over now.
    pub(in crate::mcp) fn take(&self, request: &RequestId) -> Option<Fault> {
        self.lock().of.remove(request)
    }

    /// The last thing that befell any message: for the handshake, whose requests nobody numbers.
    pub(in crate::mcp) fn last(&self) -> Option<Fault> {
        self.lock().last.clone()
    }
}
