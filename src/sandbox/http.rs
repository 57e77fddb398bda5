//! The sandbox over streamable HTTP, for this machine alone.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Sandbox, SandboxError};
use crate::core::Digest;

/// Where the endpoint is on the server.
const PATH: &str = "/mcp";
/// The longest request, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;
/// How long a client has for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// How long calls have to finish once the server is told to stop.
const CLOSING: Duration = Duration::from_secs(2);
/// How long the server rests when the operating system gives it no connection.
const REST: Duration = Duration::from_millis(100);

type Service = StreamableHttpService<Sandbox, LocalSessionManager>;
type Answer = Response<http_body_util::combinators::BoxBody<hyper::body::Bytes, Infallible>>;

/// A sandbox that listens, and has not accepted anybody yet.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    door: Arc<Door>,
}

/// Who may come in, and to whom.
struct Door {
    /// Of the whole `Authorization` header: equal digests take no longer to compare where more is right.
    expected: Digest,
    service: Service,
}

impl Sandbox {
    /// Listens at `address`, a port 0 being any that is free. Every request must carry the bearer `token`.
    ///
    /// # Errors
    /// The address is in use or cannot be had.
    pub async fn listen(&self, address: SocketAddr, token: &str) -> Result<Listening, SandboxError> {
        let cannot = |source| SandboxError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let sandbox = self.clone();
        let service = StreamableHttpService::new(
            move || Ok(sandbox.clone()),
            Arc::new(LocalSessionManager::default()),
            // No browser has business here. The hosts are those of this machine, by rmcp's default.
            StreamableHttpServerConfig::default()
                .with_max_request_body_bytes(LONGEST)
                .enforce_origin_validation(),
        );
        let door = Door { expected: Digest::of_bytes(format!("Bearer {token}").as_bytes()), service };
        Ok(Listening { listener, address, door: Arc::new(door) })
    }
}

impl Listening {
    /// The endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Serves until `stop`; what is under way then has two seconds to finish.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Self { listener, address: _, door } = self;
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&door)));
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
        drop(listener);
        // Streams of the older era have no end of their own.
        let _ = timeout(CLOSING, async { while connections.join_next().await.is_some() {} }).await;
    }
}

async fn converse(stream: TcpStream, door: Arc<Door>) {
    // Else each answer on a kept connection waits 40 ms for an acknowledgement.
    let prompt: io::Result<()> = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let ended = connection.await;
    tracing::debug!(?prompt, ?ended, "a connection ended");
}

impl Door {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if request.uri().path() != PATH {
            return refusal(StatusCode::NOT_FOUND, "the endpoint is /mcp");
        }
        let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        if Digest::of_bytes(shown) != self.expected {
            let mut refused = refusal(StatusCode::UNAUTHORIZED, "the bearer token is missing or wrong");
            refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refused;
        }
        self.service.handle(request).await
    }
}

fn refusal(status: StatusCode, why: &'static str) -> Answer {
    let error =
        serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000, "message": why } });
    let mut response = Response::new(Full::from(error.to_string()).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
