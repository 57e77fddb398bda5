//! What a server is shown, so that it knows who asks.

use std::borrow::Cow;
use std::time::Duration;

use http::header::HeaderValue;

use super::client_credentials::ClientCredentials;
use super::no_token::NoToken;
use super::server::HttpServer;
use super::token::Token;

/// Where the bearer token for a server comes from. Nothing prints a secret of it.
#[derive(Debug, Clone)]
pub enum Credential {
    /// It is known.
    Token(Token),
    /// An issuer gives it.
    Client(ClientCredentials),
}

impl Credential {
    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        match self {
            Self::Token(token) => token.authorization(),
            Self::Client(client) => client.token()?.authorization(),
        }
    }

    /// `text` without what must not be shown, which a server may echo.
    pub(super) fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self {
            Self::Token(token) => token.concealed(text),
            Self::Client(client) => client.concealed(text),
        }
    }

    /// `text`, which may break off anywhere, without what may be the beginning of it at its end.
    pub(super) fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        match self {
            Self::Token(token) => token.without_beginning(text),
            Self::Client(client) => client.without_beginning(text),
        }
    }
}

impl HttpServer {
    /// Sees to it that the next request to it carries a token that is good, where it carries one. `connect` is for
    /// each connection to the issuer.
    pub(in crate::mcp) async fn signed_in(&self, connect: Duration) -> Result<(), NoToken> {
        match &self.token {
            Some(Credential::Client(client)) => client.fetched(self, connect).await,
            Some(Credential::Token(_)) | None => Ok(()),
        }
    }
}
