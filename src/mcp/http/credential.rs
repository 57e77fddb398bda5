//! What a server is shown, so that it knows who asks.

use std::borrow::Cow;

use http::header::HeaderValue;
use serde_json::Value;

use super::client_credentials::ClientCredentials;
use super::federated::Federated;
use super::no_token::NoToken;
use super::server::HttpServer;
use super::token::Token;
use super::token_command::TokenCommand;
use super::tokens::Need;
use crate::core::Pointer;

/// Where the bearer token for a server comes from. Nothing prints a secret of it.
#[derive(Debug, Clone)]
pub enum Credential {
    /// It is known.
    Token(Token),
    /// An issuer gives it.
    Client(ClientCredentials),
    /// A program prints it.
    Command(TokenCommand),
    /// It is given for the pipeline's own identity.
    Federated(Federated),
}

impl Credential {
    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        match self {
            Self::Token(token) => token.authorization(),
            Self::Client(client) => client.token()?.authorization(),
            Self::Command(command) => command.token()?.authorization(),
            Self::Federated(federated) => federated.token()?.authorization(),
        }
    }

    /// What the token in use says of itself at that place, where it is a JWT that does. Nobody's signature is verified.
    pub(in crate::mcp) fn claim(&self, at: &Pointer) -> Option<Value> {
        let token = match self {
            Self::Token(token) => token.clone(),
            Self::Client(client) => client.token()?,
            Self::Command(command) => command.token()?,
            Self::Federated(federated) => federated.token()?,
        };
        at.get(&token.claims()?).cloned()
    }

    /// `text` without what must not be shown, which a server may echo.
    pub(in crate::mcp) fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self {
            Self::Token(token) => token.concealed(text),
            Self::Client(client) => client.concealed(text),
            Self::Command(command) => command.concealed(text),
            Self::Federated(federated) => federated.concealed(text),
        }
    }

    /// `text`, which may break off anywhere, without what may be the beginning of it at its end.
    pub(super) fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        match self {
            Self::Token(token) => token.without_beginning(text),
            Self::Client(client) => client.without_beginning(text),
            Self::Command(command) => command.without_beginning(text),
            Self::Federated(federated) => federated.without_beginning(text),
        }
    }
}

impl HttpServer {
    /// Sees to it that the next request to it carries a token that is good for as long as it needs, where it carries
    /// one.
    pub(in crate::mcp) async fn signed_in(&self, need: &Need) -> Result<(), NoToken> {
        match &self.token {
            Some(Credential::Client(client)) => client.fetched(self, need).await,
            Some(Credential::Command(command)) => command.fetched(need).await,
            Some(Credential::Federated(federated)) => federated.fetched(self, need).await,
            Some(Credential::Token(token)) => need.met_by(token.expires()),
            None => Ok(()),
        }
    }
}
