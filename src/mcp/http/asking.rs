//! Requests that are not for the server: for metadata, and for a token. Each is sent once, none is redirected, and
//! none carries the server's token or its headers.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::{HeaderName, StatusCode};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::address::HttpAddress;
use super::body::{bounded, causes};
use super::connection::{Bare, bare};
use super::fault::Fault;
use super::no_token::NoToken;
use super::server::HttpServer;
use crate::core::json::parse_unambiguous;
use crate::core::text::excerpt;
use crate::mcp::error::is_passing;

/// The longest document, in bytes.
const MOST: usize = 256 * 1024;
/// How much of a stranger's text a message shows, in characters.
const SHOWN: usize = 200;

/// Asks in the way that a server's settings name: with its certificates, and through its proxy.
pub(super) struct Asking<'a> {
    server: &'a HttpServer,
    connect: Duration,
    /// Kept, because the system's certificates take a moment to read.
    encrypted: &'a mut Option<Client>,
}

/// What came back.
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl<'a> Asking<'a> {
    pub fn new(server: &'a HttpServer, connect: Duration, encrypted: &'a mut Option<Client>) -> Self {
        Self { server, connect, encrypted }
    }

    /// Asks for a document; `None` where there is none at that place.
    pub async fn document(&mut self, address: &HttpAddress) -> Result<Option<Value>, NoToken> {
        let get = self.client(address)?.get(address.url().clone()).header(ACCEPT, "application/json");
        let reply = sent(get, address).await?;
        Ok(reply.status.is_success().then(|| parse_unambiguous(&reply.body).ok()).flatten())
    }

    /// Asks for a document with a credential of its own, once.
    pub async fn signed(
        &mut self,
        address: &HttpAddress,
        authorization: HeaderValue,
    ) -> Result<Reply, NoToken> {
        let get = self.client(address)?.get(address.url().clone()).header(ACCEPT, "application/json");
        sent(get.header(AUTHORIZATION, authorization), address).await
    }

    /// The challenges that a server answers a stranger with.
    pub async fn challenges(&mut self, server: &HttpAddress) -> Result<Vec<String>, NoToken> {
        let get = self.client(server)?.get(server.url().clone()).header(ACCEPT, "text/event-stream");
        // What else it may say to a stranger can be without end.
        let response = get.send().await.map_err(|error| unreachable(server, &causes(&error)))?;
        let challenges = response.headers().get_all(http::header::WWW_AUTHENTICATE).iter();
        let challenges = challenges.filter_map(|value| value.to_str().ok()).map(str::to_owned);
        Ok(if response.status() == StatusCode::UNAUTHORIZED { challenges.collect() } else { Vec::new() })
    }

    /// Sends a form, once.
    pub async fn form(
        &mut self,
        address: &HttpAddress,
        authorization: Option<(HeaderName, HeaderValue)>,
        form: String,
    ) -> Result<Reply, NoToken> {
        let mut post = self
            .client(address)?
            .post(address.url().clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        if let Some((name, value)) = authorization {
            post = post.header(name, value);
        }
        sent(post, address).await
    }

    fn client(&mut self, address: &HttpAddress) -> Result<Client, NoToken> {
        let client = match (&self.encrypted, address.is_encrypted()) {
            (Some(client), true) => return Ok(client.clone()),
            (_, encrypted) => bare(self.server, &Bare { encrypted, connect: self.connect }),
        };
        let client = client.map_err(|error| NoToken::Unreachable(error.to_string()))?;
        if address.is_encrypted() {
            *self.encrypted = Some(client.clone());
        }
        Ok(client)
    }
}

/// Sends a request and reads all of its reply; trouble in passing is told from an answer.
async fn sent(request: RequestBuilder, address: &HttpAddress) -> Result<Reply, NoToken> {
    let response = request.send().await.map_err(|error| unreachable(address, &causes(&error)))?;
    let (status, headers) = (response.status(), response.headers().clone());
    if is_passing(status.as_u16()) {
        return Err(unreachable(address, &format!("HTTP status {status}")));
    }
    match bounded(response, MOST).await {
        Ok(body) => Ok(Reply { status, headers, body }),
        Err(fault @ Fault::TooLarge(_)) => Err(NoToken::Refused(format!("`{address}`: {fault}"))),
        Err(fault) => Err(unreachable(address, &fault.to_string())),
    }
}

fn unreachable(address: &HttpAddress, why: &str) -> NoToken {
    NoToken::Unreachable(format!("`{address}`: {why}"))
}

impl Reply {
    /// Where it leads to instead, as text.
    pub fn location(&self) -> Option<String> {
        let location = self.headers.get(LOCATION).filter(|_| self.status.is_redirection())?;
        Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
    }

    /// What it says that it holds.
    pub fn media(&self) -> String {
        let media = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        excerpt(media.unwrap_or("none"), SHOWN)
    }
}
