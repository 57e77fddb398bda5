//! What can go wrong before a call is made.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

use super::child::epitaph;
use super::http::{Fault, NoToken, SetupError};
use super::recording::v1::Failure;
use crate::core::call::Silence;
use crate::core::text::{excerpt, visible};

/// How much of a server's words a message shows, in characters.
const SHOWN: usize = 500;

/// Why there is no session.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The program could not be started.
    #[error("the server `{}` cannot be started", visible(&program.to_string_lossy()))]
    Start {
        /// The program as it was named.
        program: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// What the settings say of the server cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// There is no connection.
    #[error("the server cannot be reached: {}", excerpt(why, SHOWN))]
    Unreachable {
        /// What the network says.
        why: String,
    },
    /// The connection ended during the handshake.
    #[error("the connection ended during the handshake: {}", excerpt(why, SHOWN))]
    CutOff {
        /// What the network says.
        why: String,
    },
    /// The credential was not accepted.
    #[error("the server refused the credential: HTTP status {status}: {}", excerpt(message, SHOWN))]
    SignIn {
        /// 401 or 403.
        status: u16,
        /// The server's words; hostile text.
        message: String,
    },
    /// There is no token to show, so that nothing was sent.
    #[error(transparent)]
    NoToken(#[from] NoToken),
    /// The server answered the handshake with another status than success.
    #[error("the server answered the handshake with HTTP status {status}: {}", excerpt(message, SHOWN))]
    Status {
        /// The status.
        status: u16,
        /// The server's words; hostile text.
        message: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server went away during the handshake.
    #[error("{} during the handshake", epitaph(*status, stderr))]
    Ended {
        /// How the child ended, where there is one and it did.
        status: Option<ExitStatus>,
        /// The end of what the child wrote to its standard error; hostile text.
        stderr: String,
    },
    /// The handshake took too long.
    #[error("the server did not finish the handshake within {} ms", limit.as_millis())]
    TimedOut {
        /// The time limit.
        limit: Duration,
        /// The end of what the child wrote to its standard error; hostile text.
        stderr: String,
    },
    /// What came is not the Model Context Protocol.
    #[error("the server does not speak MCP: {what}")]
    NotMcp {
        /// What came instead, made visible.
        what: String,
    },
    /// The recording has no such connection.
    #[error("{0}")]
    NotRecorded(String),
    /// There was none when it was recorded.
    #[error("{}", excerpt(says, SHOWN))]
    Recorded {
        /// In which sense.
        failure: Failure,
        /// Why, in words; hostile text.
        says: String,
    },
    /// The server speaks MCP and declined.
    #[error("the server refused the handshake: {} (JSON-RPC error {code})", excerpt(message, SHOWN))]
    Refused {
        /// The JSON-RPC code.
        code: i64,
        /// The server's words; hostile text.
        message: String,
    },
}

impl From<Fault> for ConnectError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NeverSent(why) => Self::Unreachable { why },
            Fault::Closed(why) => Self::CutOff { why },
            Fault::Malformed(what) => Self::NotMcp { what },
            Fault::TooLarge(what) => Self::NotMcp { what: format!("its answer is too large: {what}") },
            Fault::Status { status: status @ (401 | 403), message, .. } => Self::SignIn { status, message },
            Fault::Status { status, message, retry_after, .. } => {
                Self::Status { status, message, retry_after }
            }
        }
    }
}

impl ConnectError {
    /// Whether it may have passed in a moment, and how long the server asks to wait.
    pub(super) fn passing(&self) -> Option<Option<Duration>> {
        match self {
            Self::Unreachable { .. } | Self::CutOff { .. } | Self::NoToken(NoToken::Unreachable(_)) => {
                Some(None)
            }
            Self::Status { status, retry_after, .. } => is_passing(*status).then_some(*retry_after),
            _ => None,
        }
    }
}

/// Whether a status speaks of this moment rather than of the request.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// Why there is no list of tools.
#[derive(Debug, Error)]
pub enum ListError {
    /// The list could not be asked for: the connection was over.
    #[error("the tools cannot be asked for: {}", visible(.0))]
    NotConnected(String),
    /// The server refused.
    #[error("the server refused to list its tools: {} (JSON-RPC error {code})", excerpt(message, SHOWN))]
    Refused {
        /// The JSON-RPC code.
        code: i64,
        /// The server's words; hostile text.
        message: String,
    },
    /// The credential was not accepted.
    #[error("the server refused the credential: HTTP status {status}: {}", excerpt(message, SHOWN))]
    SignIn {
        /// 401 or 403.
        status: u16,
        /// The server's words; hostile text.
        message: String,
    },
    /// There was no token to show.
    #[error("the tools cannot be asked for: {}", visible(.0))]
    NoToken(String),
    /// The server answered with another status than success.
    #[error("the tools cannot be listed: HTTP status {status}: {}", excerpt(message, SHOWN))]
    Status {
        /// The status.
        status: u16,
        /// The server's words; hostile text.
        message: String,
    },
    /// The server asked for what this client has not, and gave no list.
    #[error("the tools cannot be listed: {}", visible(.0))]
    NeedsInput(String),
    /// No usable answer came.
    #[error("the tools cannot be listed: {}", visible(&.0.to_string()))]
    NoAnswer(Silence),
    /// The recording has no list.
    #[error("{0}")]
    NotRecorded(String),
    /// There was none when it was recorded.
    #[error("{}", excerpt(says, SHOWN))]
    Recorded {
        /// In which sense.
        failure: Failure,
        /// Why, in words; hostile text.
        says: String,
    },
    /// The server gave a cursor twice, so the list has no end.
    #[error("the list of tools has no end: the cursor `{}` came twice", excerpt(cursor, SHOWN))]
    RepeatedCursor {
        /// The cursor; hostile text.
        cursor: String,
    },
    /// The list has more pages than the limit.
    #[error("the list of tools has more than {limit} pages")]
    TooManyPages {
        /// The limit.
        limit: usize,
    },
    /// The list has more tools than the limit.
    #[error("the server lists more than {limit} tools")]
    TooManyTools {
        /// The limit.
        limit: usize,
    },
    /// Two tools have one name, so that nobody can say which of them a call would reach.
    #[error("the server lists two tools named `{}`", excerpt(name, SHOWN))]
    DuplicateTool {
        /// The name; hostile text.
        name: String,
    },
}
