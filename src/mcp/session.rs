//! One connection to a server, or to the recording of one.
//!
//! A recording is made and played here, where a call has become what was seen of it: statuses, cut-offs and silences
//! are kept as exactly as answers are, and nothing above can tell whether a server was there.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

use super::child::Closing;
use super::endpoint::Endpoint;
use super::error::{ConnectError, ListError};
use super::http::NoToken;
use super::limits::Limits;
use super::live::Live;
use super::recording::{Recorder, Replay};
use super::secrets::Secrets;
use crate::core::call::{Seen, TaskHandle, ToolCall, ToolDefinition};
use crate::core::{Pointer, SecretText};

/// A connection after its handshake. Dropping it kills the child; [`Session::close`] does it kindly.
#[derive(Debug)]
pub struct Session {
    line: Line,
    facts: ServerFacts,
    limits: Limits,
    recorder: Option<Recorder>,
}

/// Who is at the other end.
#[derive(Debug)]
enum Line {
    Server(Box<Live>),
    Recording(Replay),
}

/// What a server said of itself; hostile text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its name; `unnamed` where it gives none, which revision 2026-07-28 leaves open.
    pub name: String,
    /// Its version; `unversioned` where it gives none.
    pub version: String,
    /// The revision of the protocol that is spoken, such as `2025-11-25`.
    pub revision: String,
}

impl Session {
    /// Connects and shakes hands, within [`Limits::connect`]. Over HTTP what may pass is waited for.
    ///
    /// # Errors
    /// The server cannot be started or reached, goes away, is silent, refuses, or does not speak MCP. A
    /// child is killed then, with everything it started.
    pub async fn connect(endpoint: Endpoint, limits: Limits) -> Result<Self, ConnectError> {
        Self::connect_with(endpoint, limits, &[]).await
    }

    /// Like [`Session::connect`], to a server that may be told `secrets`: whatever it sends does not show them.
    ///
    /// # Errors
    /// As for [`Session::connect`].
    pub async fn connect_with(
        endpoint: Endpoint,
        limits: Limits,
        secrets: &[SecretText],
    ) -> Result<Self, ConnectError> {
        let (endpoint, recorder) = match endpoint {
            Endpoint::Recorded(endpoint, recorder) => (*endpoint, Some(recorder)),
            other => (other, None),
        };
        let (line, facts) = match endpoint {
            Endpoint::Replay(replay) => {
                let facts = replay.connect()?;
                (Line::Recording(replay), facts)
            }
            endpoint => {
                let told = secrets.iter().chain(recorder.iter().flat_map(Recorder::secrets));
                let connected = Live::connect(endpoint, limits.clone(), &Secrets::new(told)).await;
                if let Some(recorder) = &recorder {
                    recorder.connected(&connected);
                }
                let live = connected?;
                let facts = live.facts().clone();
                (Line::Server(Box::new(live)), facts)
            }
        };
        Ok(Self { line, facts, limits, recorder })
    }

    /// What the server said of itself.
    #[must_use]
    pub fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    /// The limits that the session was opened with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// By how much the server's clock was ahead of this machine's at its last answer over HTTP, to the second, where
    /// that said (negative: behind).
    #[must_use]
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        match &self.line {
            Line::Server(live) => live.clock_ahead(),
            Line::Recording(_) => None,
        }
    }

    /// Whether the connection has ended, so that no further request can be made.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.line {
            Line::Server(live) => live.is_over(),
            Line::Recording(_) => false,
        }
    }

    /// Sees to it that a call that is made now, and may take so long, needs no other token than the one that is held
    /// then: what follows is between a write's intent and its outcome.
    ///
    /// # Errors
    /// There is none that is good for so long.
    pub async fn stays_signed_in(&self, lasts: Duration) -> Result<(), NoToken> {
        match &self.line {
            Line::Server(live) => live.stays_signed_in(lasts).await,
            Line::Recording(_) => Ok(()),
        }
    }

    /// What the token in use says of itself at that place, where it is a JWT that does. Nobody's signature is verified:
    /// it is our own token.
    #[must_use]
    pub fn claim(&self, at: &Pointer) -> Option<Value> {
        match &self.line {
            Line::Server(live) => live.credential()?.claim(at),
            Line::Recording(_) => None,
        }
    }

    /// All tools that the server offers now, sorted by name. Asks anew each time.
    ///
    /// # Errors
    /// The list does not end, is beyond a limit, names a tool twice, or does not come.
    pub async fn tools(&self) -> Result<Vec<ToolDefinition>, ListError> {
        match &self.line {
            Line::Recording(replay) => replay.tools(),
            Line::Server(live) => {
                let listed = live.tools().await;
                if let Some(recorder) = &self.recorder {
                    recorder.listed(&listed);
                }
                listed
            }
        }
    }

    /// Calls a tool once, and says what was seen of it by `deadline`.
    pub async fn call(&self, call: &ToolCall, deadline: Duration) -> Seen {
        match &self.line {
            Line::Recording(replay) => replay.call(call),
            Line::Server(live) => {
                let begun = self.recorder.as_ref().map(|recorder| (recorder, recorder.begin(call)));
                let seen = live.call(call, deadline).await;
                if let Some((recorder, begun)) = begun {
                    recorder.end(begun, &seen);
                }
                seen
            }
        }
    }

    /// What a task came to by `deadline` from now. What may pass does not end the waiting.
    pub async fn ended(&self, task: &TaskHandle, deadline: Duration) -> Seen {
        match &self.line {
            // A recording has what came of it in place of the task.
            Line::Recording(replay) => replay.task(task),
            Line::Server(live) => {
                let seen = live.ended(task, deadline).await;
                if let Some(recorder) = &self.recorder {
                    recorder.end_task(task, &seen);
                }
                seen
            }
        }
    }

    /// Ends the connection: the child's input is closed, it has [`Limits::close`] to end by itself, then
    /// it is told to, then it is killed with everything it started. Takes at most about five seconds
    /// more than that limit.
    pub async fn close(self) -> Closing {
        self.leave().await.await
    }

    /// Like [`Session::close`], but waits for a child only in what is returned, so that there is something else to
    /// do while it ends. Dropping that kills the child.
    pub async fn leave(self) -> impl Future<Output = Closing> {
        let closing = match self.line {
            Line::Server(live) => Some(live.leave().await),
            Line::Recording(_) => None,
        };
        async move {
            match closing {
                Some(closing) => closing.await,
                None => Closing::default(),
            }
        }
    }
}
