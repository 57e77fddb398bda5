//! One live connection to a server.

use std::error::Error as _;
use std::time::Duration;

use jiff::SignedDuration;
use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, GetExtensions as _, MetaObject, ProtocolVersion,
    RequestMetaObject, ServerPeerInfo, ServerResult,
};
use rmcp::service::{
    ClientInitializeError, ClientServiceExt as _, PeerRequestOptions, RoleClient, RunningService,
    ServiceError,
};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout, timeout_at};

use super::child::Closing;
use super::client::Client;
use super::ending::End;
use super::endpoint::{Endpoint, Way};
use super::error::ConnectError;
use super::http::{Credential, Fault, Need, NoToken, RequestHeaders};
use super::limits::Limits;
use super::link::{GRACE, Link};
use super::patience::pause;
use super::reply;
use super::secrets::Secrets;
use super::session::ServerFacts;
use super::wire::SendFailed;
use crate::core::call::{Seen, Silence, ToolCall};
use crate::core::text::excerpt;

/// How long it takes at most from the token to the first byte of a write: what stands between is its intent, which is
/// made durable.
const KEPT: Duration = Duration::from_secs(5);

/// A connection after its handshake. Dropping it kills the child; [`Live::leave`] does it kindly.
#[derive(Debug)]
pub(super) struct Live {
    service: RunningService<RoleClient, Client>,
    facts: ServerFacts,
    link: Link,
    limits: Limits,
}

/// Why a request has no result.
pub(super) enum NoResult {
    /// No byte of it went out.
    NeverSent(String),
    /// No byte of it went out: the issuer gives no token.
    NoToken(String),
    /// The answer is a JSON-RPC error.
    Refused { code: i64, message: String },
    /// The answer is an HTTP status other than success.
    Status { status: u16, message: String, code: Option<i64>, retry_after: Option<Duration> },
    /// No usable answer came.
    Silence(Silence),
}

impl Live {
    /// Connects and shakes hands, within [`Limits::connect`]. Over HTTP what may pass is waited for.
    pub(super) async fn connect(
        endpoint: Endpoint,
        limits: Limits,
        secrets: &Secrets,
    ) -> Result<Self, ConnectError> {
        let until = Instant::now() + limits.connect;
        let Endpoint::Http(server) = endpoint else {
            return Self::attempt(endpoint, limits, secrets, until).await;
        };
        let mut attempt = 1;
        loop {
            let endpoint = Endpoint::Http(server.clone());
            let error = match Self::attempt(endpoint, limits.clone(), secrets, until).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            let left = until.saturating_duration_since(Instant::now());
            let Some(wait) = error.passing().and_then(|asked| pause(attempt, asked, left)) else {
                return Err(error);
            };
            tracing::debug!(%error, ?wait, "tried again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(
        endpoint: Endpoint,
        limits: Limits,
        secrets: &Secrets,
        until: Instant,
    ) -> Result<Self, ConnectError> {
        let lifecycle = endpoint.era().lifecycle();
        let (way, link) = endpoint.open(&limits, secrets)?;
        // Nothing is begun with a token that does not last for a call.
        let need = Need { connect: limits.connect, lasts: limits.call, kept: Duration::ZERO };
        match timeout_at(until, link.signed_in(&need)).await {
            Ok(signed_in) => signed_in?,
            Err(_) => return Err(late(&limits).into()),
        }
        let handshake = async {
            match way {
                Way::Lines(wire) => Client.serve_with_lifecycle(wire, lifecycle).await,
                Way::Http(transport) => Client.serve_with_lifecycle(transport, lifecycle).await,
            }
        };
        let service = match timeout_at(until, link.unless_over(handshake)).await {
            Ok(Some(Ok(service))) => service,
            Ok(Some(Err(error))) => return Err(refusal(&link, Some(error)).await),
            Ok(None) => return Err(refusal(&link, None).await),
            Err(_) => {
                let stderr = link.child.as_ref().map(|child| child.stderr()).unwrap_or_default();
                return Err(ConnectError::TimedOut { limit: limits.connect, stderr });
            }
        };
        let facts = facts(service.peer_info().as_deref())?;
        Ok(Self { service, facts, link, limits })
    }

    pub(super) fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn clock_ahead(&self) -> Option<SignedDuration> {
        self.link.clock.ahead()
    }

    pub(super) fn is_over(&self) -> bool {
        self.link.ending.get().is_some()
    }

    pub(super) async fn stays_signed_in(&self, lasts: Duration) -> Result<(), NoToken> {
        let need = Need { connect: self.limits.connect, lasts, kept: KEPT };
        let signed_in = timeout(self.limits.connect, self.link.signed_in(&need)).await;
        signed_in.unwrap_or_else(|_| Err(late(&self.limits)))
    }

    /// With what it signs in, where it does.
    pub(super) fn credential(&self) -> Option<&Credential> {
        self.link.server.as_ref()?.token.as_ref()
    }

    /// Calls a tool once, and says what was seen of it by `deadline`.
    pub(super) async fn call(&self, call: &ToolCall, deadline: Duration) -> Seen {
        let ToolCall { tool, arguments, meta, headers, secrets, tenant: _, varying: _ } = call;
        let mut arguments = arguments.clone();
        for (at, secret) in secrets {
            if let Err(error) = at.set(&mut arguments, Value::from(secret.expose())) {
                return Seen::NeverSent(error.to_string());
            }
        }
        let parameters = CallToolRequestParams::new(tool.clone()).with_arguments(arguments);
        let mut request = CallToolRequest::new(parameters);
        if !headers.is_empty() {
            match RequestHeaders::new(headers.iter()) {
                Ok(headers) => request.extensions_mut().insert(headers),
                Err(error) => return Seen::NeverSent(error.to_string()),
            };
        }
        let request = ClientRequest::CallToolRequest(request);
        let before = self.asked_so_far();
        let seen = match self.request(request, meta, deadline).await {
            Ok(result) => reply::seen(result),
            Err(NoResult::NeverSent(why)) => Seen::NeverSent(why),
            Err(NoResult::NoToken(why)) => Seen::NoToken(why),
            Err(NoResult::Refused { code, message }) => Seen::RpcError { code, message },
            Err(NoResult::Status { status, message, code, retry_after }) => {
                Seen::HttpStatus { status, message, code, retry_after }
            }
            Err(NoResult::Silence(silence)) => Seen::Silence(silence),
        };
        match self.asked_since(before) {
            Some(asked) => explained(seen, asked),
            None => seen,
        }
    }

    /// How often the server has asked this client for something so far.
    pub(super) fn asked_so_far(&self) -> u64 {
        self.link.asked.count()
    }

    /// What the server asked for since then, in words, if anything.
    pub(super) fn asked_since(&self, before: u64) -> Option<String> {
        self.link.asked.since(before)
    }

    /// Ends the connection; see [`super::Session::leave`].
    pub(super) async fn leave(self) -> impl Future<Output = Closing> {
        let Self { mut service, facts: _, link, limits } = self;
        // Frees a message that is stuck half-way, which would hold the input open.
        link.ending.set(End::ByUs);
        let _ = service.close_with_timeout(GRACE).await;
        let closing = link.child.map(|child| child.close(limits.close));
        async move {
            match closing {
                Some(closing) => closing.await,
                None => Closing::default(),
            }
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
        let need = Need { connect: self.limits.connect, lasts: deadline, kept: Duration::ZERO };
        match timeout_at(until, self.link.signed_in(&need)).await {
            Ok(Ok(())) => {}
            Ok(Err(unreachable @ NoToken::Unreachable(_))) => {
                return Err(NoResult::NeverSent(unreachable.to_string()));
            }
            Ok(Err(refused)) => return Err(NoResult::NoToken(refused.to_string())),
            Err(_) => {
                return Err(NoResult::NeverSent("no token came within the time limit".to_owned()));
            }
        }
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
        let id = sent.id.clone();
        let answer = timeout_at(until, self.link.unless_over(&mut sent.rx)).await;
        // Taken in any case: what befell a stream that was taken up again is of no interest.
        let fault = self.link.faults.as_ref().and_then(|faults| faults.take(&id));
        match (answer, fault) {
            (Ok(Some(Ok(Ok(result)))), _) => Ok(result),
            (Ok(Some(Ok(Err(ServiceError::McpError(error))))), _) => Err(refused(error)),
            (Ok(_), Some(fault)) => Err(fault.into()),
            (Ok(Some(Ok(Err(error)))), None) => Err(self.failed(error).await),
            (Ok(Some(Err(_)) | None), None) => Err(NoResult::Silence(self.link.silence().await)),
            (Err(_), _) if self.link.ending.get().is_some() => {
                Err(NoResult::Silence(self.link.silence().await))
            }
            (Err(_), _) => {
                let _ = timeout(GRACE, sent.cancel(Some("time limit".to_owned()))).await;
                Err(NoResult::Silence(Silence::TimedOut))
            }
        }
    }

    async fn failed(&self, error: ServiceError) -> NoResult {
        match error {
            ServiceError::McpError(error) => refused(error),
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

fn late(limits: &Limits) -> NoToken {
    NoToken::Unreachable(format!("none came within {} ms", limits.connect.as_millis()))
}

fn refused(error: ErrorData) -> NoResult {
    NoResult::Refused { code: error.code.0.into(), message: error.message.into_owned() }
}

impl From<Fault> for NoResult {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NeverSent(why) => Self::NeverSent(why),
            Fault::Status { status, message, code, retry_after } => {
                Self::Status { status, message, code: code.map(i64::from), retry_after }
            }
            Fault::Closed(how) => Self::Silence(Silence::Closed(how)),
            Fault::Malformed(what) => Self::Silence(Silence::Malformed(what)),
            Fault::TooLarge(what) => Self::Silence(Silence::TooLarge(what)),
        }
    }
}

/// What was seen, where the server had asked for something meanwhile and was refused. Whatever error it gives
/// then is of a tool that had begun, even one that otherwise says that nothing did.
fn explained(seen: Seen, asked: String) -> Seen {
    match seen {
        Seen::ToolError(answer) => Seen::NeedsInput(format!("{asked}: {}", answer.text.join(" "))),
        Seen::RpcError { code, message } => {
            Seen::NeedsInput(format!("{asked}: {message} (JSON-RPC error {code})"))
        }
        Seen::Silence(silence @ (Silence::TimedOut | Silence::Closed(_))) => {
            Seen::NeedsInput(format!("{asked}: {silence}"))
        }
        other => other,
    }
}

fn facts(info: Option<&ServerPeerInfo>) -> Result<ServerFacts, ConnectError> {
    let not_mcp = |what: String| ConnectError::NotMcp { what };
    let info = info.ok_or_else(|| not_mcp("it said nothing of itself".to_owned()))?;
    if !ProtocolVersion::KNOWN_VERSIONS.contains(&info.protocol_version) {
        let revision = excerpt(info.protocol_version.as_str(), 100);
        return Err(not_mcp(format!("its revision `{revision}` is unknown")));
    }
    let (name, version) = match &info.server_info {
        Some(server) => (server.name.clone(), server.version.clone()),
        None => ("unnamed".to_owned(), "unversioned".to_owned()),
    };
    Ok(ServerFacts { name, version, revision: info.protocol_version.as_str().to_owned() })
}

/// Why the handshake failed: what the connection knows comes before what rmcp made of it.
async fn refusal(link: &Link, error: Option<ClientInitializeError>) -> ConnectError {
    let error = error.map(last);
    match (link.ending.get(), error) {
        (Some(End::Rubbish(what) | End::TooLong(what)), _) => ConnectError::NotMcp { what },
        (_, Some(ClientInitializeError::NoCompatibleProtocolVersion { server_supported, .. })) => {
            let offered: Vec<&str> = server_supported.iter().map(ProtocolVersion::as_str).collect();
            ConnectError::NotMcp {
                what: format!("it offers only the revisions `{}`", excerpt(&offered.join("`, `"), 200)),
            }
        }
        (_, Some(ClientInitializeError::JsonRpcError(error))) => {
            ConnectError::Refused { code: error.code.0.into(), message: error.message.into_owned() }
        }
        (_, Some(ClientInitializeError::ExpectedInitResult(_))) => {
            ConnectError::NotMcp { what: "its answer to the handshake has another shape".to_owned() }
        }
        (_, error) => match &link.faults {
            Some(faults) => faults.last().map_or_else(
                || ConnectError::CutOff { why: error.as_ref().map(ToString::to_string).unwrap_or_default() },
                ConnectError::from,
            ),
            None => {
                let (status, stderr) = link.last_of_child().await;
                ConnectError::Ended { status, stderr }
            }
        },
    }
}

/// Of a probe and a handshake that both failed, the handshake.
fn last(error: ClientInitializeError) -> ClientInitializeError {
    match error {
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => last(*fallback),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{Implementation, ServerCapabilities};

    #[test]
    fn a_server_may_keep_its_name_to_itself_and_no_revision_is_guessed() {
        let said = |revision| ServerPeerInfo::new(revision, ServerCapabilities::default());
        let called = |info: &ServerPeerInfo| {
            let ServerFacts { name, version, revision } = facts(Some(info)).unwrap();
            format!("{name} {version} {revision}")
        };
        let stateless = said(ProtocolVersion::V_2026_07_28);
        assert_eq!(called(&stateless), "unnamed unversioned 2026-07-28");
        let named = stateless.with_server_info(Implementation::new("stories", "2.1"));
        assert_eq!(called(&named), "stories 2.1 2026-07-28");
        let unknown = said(serde_json::from_value("2031-01-01".into()).unwrap());
        assert!(matches!(facts(Some(&unknown)), Err(ConnectError::NotMcp { .. })));
        assert!(matches!(facts(None), Err(ConnectError::NotMcp { .. })));
    }
}
