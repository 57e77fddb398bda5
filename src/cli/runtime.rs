//! The asynchronous runtime that commands run in: one thread, as they do one thing at a time.

use tokio::runtime::{Builder, Runtime};

use super::fault::Fault;

/// A runtime with everything that a connection needs.
pub(super) fn runtime() -> Result<Runtime, Fault> {
    Builder::new_current_thread().enable_all().build().map_err(Fault::internal)
}
