//! The HTTP client that rmcp's transport drives.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response};
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, GetExtensions as _, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage, ServerResult,
};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
    StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::Sse;

use super::body::{Kind, answer, causes, kind, start, whole, words};
use super::clock::Clock;
use super::connection::{connection, header};
use super::credential::Credential;
use super::events::events;
use super::fault::{Fault, Faults};
use super::reception::Reception;
use super::retry_after::retry_after;
use super::server::{HttpServer, SetupError};
use crate::core::text::excerpt;
use crate::mcp::asked::Asked;
use crate::mcp::era::Era;
use crate::mcp::limits::Limits;
use crate::mcp::message::message;
use crate::mcp::reconnects::Reconnects;
use crate::mcp::secrets::Secrets;

/// Where the session of the protocol's older era travels.
const SESSION: &str = "mcp-session-id";
/// Where a stream is taken up again.
const LAST_EVENT: &str = "last-event-id";
/// What we read.
const ACCEPTED: &str = "application/json, text/event-stream";
/// How much of a header a message shows, in characters.
const SHOWN: usize = 200;

type Refused = StreamableHttpError<Fault>;

/// One server's HTTP client; clones share its connections.
#[derive(Debug, Clone)]
pub(in crate::mcp) struct HttpClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    era: Era,
    /// Asked for each request: it may have been renewed.
    token: Option<Credential>,
    reception: Reception,
    clock: Clock,
}

/// Headers that one request carries besides; they travel beside the message and are never part of it.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct RequestHeaders(HeaderMap);

impl RequestHeaders {
    pub(in crate::mcp) fn new<'a>(
        headers: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Result<Self, SetupError> {
        headers.map(|(name, value)| header(name, value)).collect::<Result<_, _>>().map(Self)
    }
}

impl HttpClient {
    /// The transport for one session with a server.
    pub(in crate::mcp) fn transport(
        server: &HttpServer,
        limits: &Limits,
        faults: Faults,
        asked: Asked,
        secrets: Secrets,
        clock: Clock,
    ) -> Result<StreamableHttpClientTransport<Self>, SetupError> {
        let inner = Inner {
            http: connection(server, limits.connect, limits.at_once)?,
            era: server.era,
            token: server.token.clone(),
            reception: Reception::new(limits, faults, asked, server.token.clone(), secrets),
            clock,
        };
        let mut config = StreamableHttpClientTransportConfig::with_uri(server.address.url().as_str())
            // Else an expired session sends the call again, a write too.
            .reinit_on_expired_session(false)
            .max_concurrent_requests(limits.at_once);
        config.retry_config = Arc::new(Reconnects);
        Ok(StreamableHttpClientTransport::with_client(Self(Arc::new(inner)), config))
    }

    /// The request with the token, where there is one.
    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match self.0.token.as_ref().and_then(Credential::authorization) {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }

    async fn post(
        &self,
        uri: &str,
        message: &ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Fault> {
        let reception = &self.0.reception;
        let request = request_id(message);
        let body = serde_json::to_vec(message)
            .map_err(|error| Fault::NeverSent(format!("the message cannot be written: {error}")))?;
        let post = self.0.http.post(uri).header(ACCEPT, ACCEPTED).header(CONTENT_TYPE, "application/json");
        let mut post = self.signed(post);
        if let Some(session) = &session {
            post = post.header(SESSION, session.as_ref());
        }
        let own = own_headers(message);
        let mut response = post
            .headers(headers.into_iter().collect())
            .headers(own)
            .body(body)
            .send()
            .await
            .map_err(unsent)?;
        self.0.clock.note(response.headers());
        let status = response.status();
        if !status.is_success() {
            let said = start(&mut response, reception).await;
            return match handshake_refusal(message, status, session.is_some(), &said) {
                Some(refusal) => Ok(StreamableHttpPostResponse::Json(refusal, None)),
                None => Err(self.refusal(&response, session.is_some(), &said)),
            };
        }
        let Some(request) = request else {
            // Nobody waits for what may stand here.
            return Ok(StreamableHttpPostResponse::Accepted);
        };
        let new_session = response.headers().get(SESSION).and_then(|value| value.to_str().ok());
        let new_session = new_session.map(str::to_owned);
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            return Err(Fault::Malformed(format!("HTTP status {status}, which is no answer")));
        }
        match kind(&response) {
            Kind::Json => {
                let body = whole(response, reception).await?;
                let answer = answer(&body, &request, reception)?;
                let answer = match self.0.era {
                    Era::Either => discovered(message, answer),
                    Era::Sessions | Era::Stateless => answer,
                };
                Ok(StreamableHttpPostResponse::Json(answer, new_session))
            }
            Kind::Events => {
                let events = events(response, Some(request), reception.clone());
                Ok(StreamableHttpPostResponse::Sse(events.boxed(), new_session))
            }
            Kind::Other => {
                let media = response
                    .headers()
                    .get(CONTENT_TYPE)
                    .map(|value| excerpt(&reception.text(value.as_bytes()), SHOWN));
                let (said, _) = words(&start(&mut response, reception).await);
                Err(Fault::Malformed(match media {
                    Some(media) => format!("content of the type `{media}`: `{said}`"),
                    None => format!("content without a type: `{said}`"),
                }))
            }
        }
    }

    async fn get(
        &self,
        uri: &str,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Refused> {
        let reception = &self.0.reception;
        if !reception.may_open() {
            tracing::debug!("no more streams are opened on this session");
            return Err(Refused::ServerDoesNotSupportSse);
        }
        let get = self.0.http.get(uri).header(ACCEPT, ACCEPTED).headers(headers.into_iter().collect());
        let mut get = self.signed(get);
        for (name, value) in [(SESSION, session.as_deref()), (LAST_EVENT, last_event.as_deref())] {
            if let Some(value) = value {
                get = get.header(name, value);
            }
        }
        let mut response = get.send().await.map_err(|error| Refused::Client(unsent(error)))?;
        let status = response.status();
        // What is refused for good is not asked for again.
        if status.is_client_error() && !matches!(status.as_u16(), 408 | 429) {
            return Err(Refused::ServerDoesNotSupportSse);
        }
        if !status.is_success() || kind(&response) != Kind::Events {
            let said = start(&mut response, reception).await;
            return Err(Refused::Client(self.refusal(&response, session.is_some(), &said)));
        }
        Ok(events(response, None, reception.clone()).boxed())
    }

    /// A status other than success, in words.
    fn refusal(&self, response: &Response, had_session: bool, said: &[u8]) -> Fault {
        let status = response.status();
        let header = |name: HeaderName| {
            let value = response.headers().get(name)?;
            Some(self.0.reception.text(value.as_bytes()))
        };
        let (mut message, code) = words(said);
        let mut add = |more: String| {
            message = if message.is_empty() { more } else { format!("{message}; {more}") };
        };
        if let Some(location) = header(LOCATION).filter(|_| status.is_redirection()) {
            add(format!("it redirects to `{}`, which is not followed", excerpt(&location, SHOWN)));
        }
        if let Some(challenge) = header(WWW_AUTHENTICATE) {
            add(format!("it wants `{}`", excerpt(&challenge, SHOWN)));
        }
        if status == StatusCode::NOT_FOUND && had_session {
            add("the session may have expired".to_owned());
        }
        if message.is_empty() {
            status.canonical_reason().unwrap_or("no reason given").clone_into(&mut message);
        }
        let retry_after = header(RETRY_AFTER).and_then(|value| retry_after(&value, Timestamp::now()));
        Fault::Status { status: status.as_u16(), message, code, retry_after }
    }
}

impl StreamableHttpClient for HttpClient {
    type Error = Fault;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Refused> {
        let posted = self.post(&uri, &message, session, headers).await;
        self.0.reception.went(&message);
        posted.map_err(|fault| {
            self.0.reception.note(request_id(&message).as_ref(), &fault);
            Refused::Client(fault)
        })
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Refused> {
        let delete = self.signed(self.0.http.delete(uri.as_ref()).header(SESSION, session.as_ref()));
        // A server may keep its sessions; nothing is left to do then.
        let sent = delete.headers(headers.into_iter().collect()).send().await;
        sent.map(drop).map_err(|error| Refused::Client(unsent(error)))
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Refused> {
        self.get(&uri, session, last_event, headers).await
    }
}

fn request_id(message: &ClientJsonRpcMessage) -> Option<RequestId> {
    match message {
        JsonRpcMessage::Request(request) => Some(request.id.clone()),
        _ => None,
    }
}

fn own_headers(message: &ClientJsonRpcMessage) -> HeaderMap {
    let JsonRpcMessage::Request(request) = message else { return HeaderMap::new() };
    let ClientRequest::CallToolRequest(call) = &request.request else { return HeaderMap::new() };
    call.extensions().get::<RequestHeaders>().map(|headers| headers.0.clone()).unwrap_or_default()
}

/// A request that got no status. Without a connection none of it was sent; all else may have arrived.
fn unsent(error: reqwest::Error) -> Fault {
    let why = causes(&error);
    if error.is_connect() || error.is_builder() { Fault::NeverSent(why) } else { Fault::Closed(why) }
}

/// The refusal of a handshake as the JSON-RPC error that it is, so that the protocol's era can be found out:
/// what refuses `server/discover` without a session is a server of the older era, whatever its words.
fn handshake_refusal(
    message: &ClientJsonRpcMessage,
    status: StatusCode,
    had_session: bool,
    said: &[u8],
) -> Option<ServerJsonRpcMessage> {
    let JsonRpcMessage::Request(request) = message else { return None };
    let discovering = match request.request {
        ClientRequest::DiscoverRequest(_) => true,
        ClientRequest::InitializeRequest(_) => false,
        _ => return None,
    };
    let passing = matches!(status.as_u16(), 401 | 403 | 408 | 429 | 502 | 503 | 504);
    let error = match self::message(said, "a body") {
        _ if passing || had_session => return None,
        Ok(Some(JsonRpcMessage::Error(error))) => error.error,
        _ if discovering && status.is_client_error() => {
            ErrorData::invalid_request(format!("HTTP status {status}: {}", words(said).0), None)
        }
        _ => return None,
    };
    Some(JsonRpcMessage::error(error, Some(request.id.clone())))
}

/// The answer to a message; one to `server/discover` that discovers nothing as a refusal: some servers of the
/// older era have an empty result for whatever they do not know.
fn discovered(message: &ClientJsonRpcMessage, answer: ServerJsonRpcMessage) -> ServerJsonRpcMessage {
    let JsonRpcMessage::Request(request) = message else { return answer };
    let discovering = matches!(request.request, ClientRequest::DiscoverRequest(_));
    match &answer {
        JsonRpcMessage::Response(response)
            if discovering && !matches!(response.result, ServerResult::DiscoverResult(_)) =>
        {
            let nothing = ErrorData::invalid_request("a result that discovers nothing", None);
            JsonRpcMessage::error(nothing, Some(request.id.clone()))
        }
        _ => answer,
    }
}
