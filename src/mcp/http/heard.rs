//! What bytes are as an answer over HTTP, without any server; see [`crate::mcp::heard`].

use std::convert::Infallible;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::address::HttpAddress;
use super::asking::Reply;
use super::claims::{claims, expiry};
use super::fault::Faults;
use super::grant::{Request, Wanted};
use super::metadata::{Issuer, Protected, pointed_to};
use super::reception::Reception;
use crate::core::json::parse_unambiguous;
use crate::mcp::asked::Asked;
use crate::mcp::limits::Limits;
use crate::mcp::secrets::Secrets;

/// The data of each event of a stream that comes in such pieces, up to the first that is none of a message, in words
/// that are visible.
#[must_use]
pub fn events(pieces: &[&[u8]]) -> Vec<Result<Option<String>, String>> {
    let pieces: Vec<Result<Vec<u8>, Infallible>> = pieces.iter().map(|piece| Ok(piece.to_vec())).collect();
    let body = reqwest::Body::wrap_stream(stream::iter(pieces));
    let (faults, asked) = (Faults::default(), Asked::default());
    let reception = Reception::new(&Limits::default(), faults.clone(), asked, None, Secrets::default());
    let response = http::Response::new(body).into();
    let mut heard = Vec::new();
    let all = super::events::events(response, None, reception).for_each(|event| {
        heard.push(match event {
            Ok(event) => Ok(event.data),
            Err(_) => Err(faults.last().map(|fault| fault.to_string()).unwrap_or_default()),
        });
        std::future::ready(())
    });
    // All of it is there already.
    let _ = all.now_or_never();
    let good = heard.iter().take_while(|event| event.is_ok()).count();
    heard.truncate(good + 1);
    heard
}

/// For how long a token is good that an issuer gave to a client with this secret, where it says so.
///
/// # Errors
/// It gave none, in words that are visible.
pub fn token_given(secret: &str, status: u16, body: &[u8]) -> Result<Option<Duration>, String> {
    let wanted = Wanted { resource: "https://mcp.example.org/mcp", scope: None };
    let request = Request::with_secret(&wanted, "client", secret).ok_or("no header can hold that secret")?;
    let status = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
    let reply = Reply { status, headers: HeaderMap::new(), body: body.to_vec() };
    request.given(&reply).map(|given| given.lifetime)
}

/// The issuer that the metadata of `server` lead to.
///
/// # Errors
/// To none, in words that are visible.
pub fn issuer_named(server: &HttpAddress, metadata: &[u8]) -> Result<Issuer, String> {
    let metadata = parse_unambiguous(metadata).map_err(|error| error.to_string())?;
    Protected::read(server, &metadata).map(|protected| protected.issuer)
}

/// Where `issuer` gives tokens, by its metadata.
///
/// # Errors
/// Nowhere, in words that are visible.
pub fn token_endpoint(issuer: &Issuer, metadata: &[u8]) -> Result<HttpAddress, String> {
    let metadata = parse_unambiguous(metadata).map_err(|error| error.to_string())?;
    issuer.token_endpoint(&metadata)
}

/// Where a challenge says that the metadata are.
#[must_use]
pub fn challenged(challenge: &str) -> Option<&str> {
    pointed_to(challenge)
}

/// What a token says of itself, and when it expires by that.
#[must_use]
pub fn claimed(token: &str) -> Option<(Value, Option<Timestamp>)> {
    let claims = claims(token)?;
    let expires = expiry(&claims);
    Some((claims, expires))
}
