//! One connection to a server.

use std::error::Error as _;
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, MetaObject, ProtocolVersion, RequestMetaObject,
    ServerResult,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, PeerRequestOptions, RoleClient,
    RunningService, ServiceError,
};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout, timeout_at};

use super::child::Closing;
use super::client::Client;
use super::ending::End;
use super::endpoint::Endpoint;
use super::error::ConnectError;
use super::limits::Limits;
use super::link::{GRACE, Link};
use super::reply;
use super::wire::SendFailed;
use crate::core::call::{Seen, Silence, ToolCall};
use crate::core::text::excerpt;

/// A connection after its handshake. Dropping it kills the child; [`Session::close`] does it kindly.
#[derive(Debug)]
pub struct Session {
    service: RunningService<RoleClient, Client>,
    facts: ServerFacts,
    link: Link,
    limits: Limits,
}

/// What a server said of itself; hostile text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The revision of the protocol that is spoken, such as `2025-11-25`.
    pub revision: String,
}

/// Why a request has no result.
pub(super) enum NoResult {
    /// No byte of it went out.
    NeverSent(String),
    /// The answer is a JSON-RPC error.
    Refused { code: i64, message: String },
    /// No usable answer came.
    Silence(Silence),
}

impl Session {
    /// Connects and shakes hands, within [`Limits::connect`].
    ///
    /// # Errors
    /// The server cannot be started, goes away, is silent, refuses, or does not speak MCP. A child is
    /// killed then, with everything it started.
    pub async fn connect(endpoint: Endpoint, limits: Limits) -> Result<Self, ConnectError> {
        let (wire, link) = endpoint.open(&limits)?;
        let client = Client { asked: link.asked.clone() };
        let handshake = client.serve_with_lifecycle(wire, ClientLifecycleMode::Initialize);
        let service = match timeout(limits.connect, link.unless_over(handshake)).await {
            Ok(Some(Ok(service))) => service,
            Ok(Some(Err(error))) => return Err(refusal(&link, Some(error)).await),
            Ok(None) => return Err(refusal(&link, None).await),
            Err(_) => {
                let stderr = link.child.as_ref().map(|child| child.stderr()).unwrap_or_default();
                return Err(ConnectError::TimedOut { limit: limits.connect, stderr });
            }
        };
        let facts = facts(&service)?;
        Ok(Self { service, facts, link, limits })
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

    /// Whether the connection has ended, so that no further request can be made.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.link.ending.get().is_some()
    }

    /// Calls a tool once, and says what was seen of it by `deadline`.
    pub async fn call(&self, call: &ToolCall, deadline: Duration) -> Seen {
        let ToolCall { tool, arguments, meta } = call;
        let parameters = CallToolRequestParams::new(tool.clone()).with_arguments(arguments.clone());
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(parameters));
        let before = self.link.asked.count();
        let seen = match self.request(request, meta, deadline).await {
            Ok(result) => reply::seen(result),
            Err(NoResult::NeverSent(why)) => Seen::NeverSent(why),
            Err(NoResult::Refused { code, message }) => Seen::RpcError { code, message },
            Err(NoResult::Silence(silence)) => Seen::Silence(silence),
        };
        match self.link.asked.since(before) {
            Some(asked) => explained(seen, asked),
            None => seen,
        }
    }

    /// Ends the connection: the child's input is closed, it has [`Limits::close`] to end by itself, then
    /// it is told to, then it is killed with everything it started. Takes at most about five seconds
    /// more than that limit.
    pub async fn close(self) -> Closing {
        let Self { mut service, facts: _, link, limits } = self;
        // Frees a message that is stuck half-way, which would hold the input open.
        link.ending.set(End::ByUs);
        let _ = service.close_with_timeout(GRACE).await;
        match link.child {
            Some(child) => child.close(limits.close).await,
            None => Closing::default(),
        }
    }

    /// Sends one request and waits for its result.
    pub(super) async fn request(
        &self,
        request: ClientRequest,
        meta: &Map<String, Value>,
        deadline: Duration,
    ) -> Result<ServerResult, NoResult> {
        if self.link.ending.get().is_some() {
            return Err(NoResult::NeverSent(self.link.silence().await.to_string()));
        }
        let until = Instant::now() + deadline;
        // The time limit is ours: rmcp's own waits, after it, until a cancellation is written, and that
        // never happens with a server that reads no more.
        let options = PeerRequestOptions::no_options().with_meta(RequestMetaObject(MetaObject(meta.clone())));
        let mut sent = match timeout_at(until, self.service.send_cancellable_request(request, options)).await
        {
            Ok(Ok(sent)) => sent,
            // The queue to the connection took nothing.
            Ok(Err(error)) => return Err(NoResult::NeverSent(error.to_string())),
            Err(_) => return Err(NoResult::NeverSent(Silence::TimedOut.to_string())),
        };
        match timeout_at(until, self.link.unless_over(&mut sent.rx)).await {
            Ok(Some(Ok(Ok(result)))) => Ok(result),
            Ok(Some(Ok(Err(error)))) => Err(self.failed(error).await),
            Ok(Some(Err(_)) | None) => Err(NoResult::Silence(self.link.silence().await)),
            Err(_) if self.link.ending.get().is_some() => Err(NoResult::Silence(self.link.silence().await)),
            Err(_) => {
                let _ = timeout(GRACE, sent.cancel(Some("time limit".to_owned()))).await;
                Err(NoResult::Silence(Silence::TimedOut))
            }
        }
    }

    async fn failed(&self, error: ServiceError) -> NoResult {
        match error {
            ServiceError::McpError(error) => {
                NoResult::Refused { code: error.code.0.into(), message: error.message.into_owned() }
            }
            ServiceError::TransportSend(error) => match error.source().and_then(|e| e.downcast_ref()) {
                Some(SendFailed { begun: false, .. }) => {
                    NoResult::NeverSent(self.link.silence().await.to_string())
                }
                _ => NoResult::Silence(self.link.silence().await),
            },
            ServiceError::TransportClosed => NoResult::Silence(self.link.silence().await),
            other => NoResult::Silence(Silence::Malformed(other.to_string())),
        }
    }
}

/// What was seen, with what the server had asked for meanwhile and was refused.
fn explained(seen: Seen, asked: String) -> Seen {
    match seen {
        Seen::ToolError(mut answer) => {
            answer.text.push(asked);
            Seen::ToolError(answer)
        }
        Seen::RpcError { code, message } => Seen::RpcError { code, message: format!("{message}; {asked}") },
        Seen::Silence(Silence::TimedOut) => Seen::NeedsInput(asked),
        other => other,
    }
}

fn facts(service: &RunningService<RoleClient, Client>) -> Result<ServerFacts, ConnectError> {
    let not_mcp = |what: String| ConnectError::NotMcp { what };
    let info = service.peer_info().ok_or_else(|| not_mcp("it said nothing of itself".to_owned()))?;
    let server = info.server_info.as_ref().ok_or_else(|| not_mcp("it gave no name".to_owned()))?;
    if !ProtocolVersion::KNOWN_VERSIONS.contains(&info.protocol_version) {
        let revision = excerpt(info.protocol_version.as_str(), 100);
        return Err(not_mcp(format!("its revision `{revision}` is unknown")));
    }
    Ok(ServerFacts {
        name: server.name.clone(),
        version: server.version.clone(),
        revision: info.protocol_version.as_str().to_owned(),
    })
}

/// Why the handshake failed: what the connection knows comes before what rmcp made of it.
async fn refusal(link: &Link, error: Option<ClientInitializeError>) -> ConnectError {
    match (link.ending.get(), error) {
        (Some(End::Rubbish(what) | End::TooLong(what)), _) => ConnectError::NotMcp { what },
        (_, Some(ClientInitializeError::JsonRpcError(error))) => {
            ConnectError::Refused { code: error.code.0.into(), message: error.message.into_owned() }
        }
        (_, Some(ClientInitializeError::ExpectedInitResult(_))) => {
            ConnectError::NotMcp { what: "its answer to `initialize` has another shape".to_owned() }
        }
        _ => {
            let (status, stderr) = link.last_of_child().await;
            ConnectError::Ended { status, stderr }
        }
    }
}
