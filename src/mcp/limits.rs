//! How long a session waits, and how much it takes.

use std::time::Duration;

/// How long a session waits for each thing, and how much it takes from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// For the start and the handshake together.
    pub connect: Duration,
    /// For all pages of the tool list together.
    pub list: Duration,
    /// For a call of which nothing else is said.
    pub call: Duration,
    /// For a child to end by itself after its input was closed; then it is told to, then killed.
    pub close: Duration,
    /// The longest message, in bytes.
    pub reply_bytes: usize,
    /// The most tools that a server may list.
    pub tools: usize,
    /// The most pages that it may list them on.
    pub pages: usize,
    /// The most requests at once over HTTP.
    pub at_once: usize,
    /// The most event streams that are opened over HTTP besides those of replies, in a session.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            list: Duration::from_secs(30),
            call: Duration::from_secs(60),
            close: Duration::from_secs(5),
            reply_bytes: 16 * 1024 * 1024,
            tools: 5_000,
            pages: 200,
            at_once: 64,
            streams: 100,
        }
    }
}
