//! A client that gets its token from an issuer, for a secret or for what it signs (OAuth 2.1 client credentials, MCP's
//! extension for them).
//!
//! A token is asked for before a request is sent, never after one was refused: what was sent is not sent again.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Client;
use tokio::time::timeout;

use super::address::HttpAddress;
use super::asking::Asking;
use super::assertion::SigningKey;
use super::grant::{Request, Wanted};
use super::metadata::{Issuer, Protected, named, pointed_to, resource};
use super::no_token::NoToken;
use super::secret::Secret;
use super::server::HttpServer;
use super::token::Token;

/// A token that is good for less than this is fetched anew: a request waits for its turn, and clocks differ.
const MARGIN: Duration = Duration::from_secs(60);
/// How many tokens are remembered, so that none is shown: as many as requests may be under way.
const REMEMBERED: usize = 64;
/// For how long a server may think about what it says to a stranger; its metadata are looked for all the same.
const CHALLENGE: Duration = Duration::from_secs(5);

/// A client at an issuer, and the tokens that it got. Clones are the same client.
#[derive(Clone)]
pub struct ClientCredentials(Arc<Inner>);

/// How a client shows who it is.
#[derive(Debug)]
pub enum ClientProof {
    /// With a secret, which only the named issuer ever sees.
    Secret(Secret, Issuer),
    /// With an assertion that is good for one issuer alone: the named one, or the one that the server names.
    Key(SigningKey, Option<Issuer>),
}

struct Inner {
    client: String,
    proof: ClientProof,
    scope: Option<String>,
    /// Locked while a token is fetched, so that one fetch is for all who wait.
    state: tokio::sync::Mutex<State>,
    /// The last tokens; the last of them is the one in use.
    tokens: Mutex<Vec<Token>>,
}

#[derive(Default)]
struct State {
    /// Whether a token is held, and until when it is good.
    held: Option<Until>,
    /// Where tokens are given, once that is known.
    place: Option<Place>,
    /// Why the issuer gives none: it is not asked again.
    refused: Option<NoToken>,
    encrypted: Option<Client>,
}

/// Until when a token is good.
#[derive(Clone, Copy)]
enum Until {
    /// The server refuses it: the issuer did not say.
    Told,
    Then(Instant),
}

#[derive(Clone)]
struct Place {
    issuer: Issuer,
    endpoint: HttpAddress,
    resource: String,
}

impl ClientCredentials {
    /// A client with that ID, which asks for that scope, or for whatever the issuer gives by itself.
    #[must_use]
    pub fn new(client: String, proof: ClientProof, scope: Option<String>) -> Self {
        let (state, tokens) = (tokio::sync::Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { client, proof, scope, state, tokens }))
    }

    /// Sees to it that a token is held that will not expire soon.
    pub(super) async fn fetched(&self, server: &HttpServer, connect: Duration) -> Result<(), NoToken> {
        let mut state = self.0.state.lock().await;
        if let Some(refused) = &state.refused {
            return Err(refused.clone());
        }
        let soon = Instant::now().checked_add(MARGIN);
        match state.held {
            Some(Until::Told) => return Ok(()),
            Some(Until::Then(until)) if soon.is_some_and(|soon| until > soon) => return Ok(()),
            _ => {}
        }
        let fetched = self.fetch(&mut state, server, connect).await;
        if let Err(refused @ NoToken::Refused(_)) = &fetched {
            state.refused = Some(refused.clone());
        }
        fetched
    }

    async fn fetch(&self, state: &mut State, server: &HttpServer, connect: Duration) -> Result<(), NoToken> {
        let Inner { client, proof, scope, .. } = self.0.as_ref();
        let mut asking = Asking::new(server, connect, &mut state.encrypted);
        let place = match &state.place {
            Some(place) => place.clone(),
            None => state.place.insert(self.place(&mut asking, server).await?).clone(),
        };
        let name = place.issuer.name();
        let refused = |why: &str| NoToken::Refused(format!("the issuer `{name}`: {why}"));
        let wanted = Wanted { resource: &place.resource, scope: scope.as_deref() };
        let request = match proof {
            ClientProof::Secret(secret, _) => Request::with_secret(&wanted, client, secret.expose()),
            ClientProof::Key(key, _) => key
                .assertion(client, name, Timestamp::now())
                .map(|assertion| Request::with_assertion(&wanted, assertion)),
        };
        let request = request.ok_or_else(|| refused("the request cannot be made"))?;
        let asked = Instant::now();
        let reply = asking.form(&place.endpoint, request.authorization.clone(), request.form.clone()).await?;
        let given = request.given(&reply).map_err(|why| refused(&why))?;
        tracing::debug!(issuer = name, lifetime = ?given.lifetime, "fetched a token");
        let mut tokens = self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= REMEMBERED {
            tokens.remove(0);
        }
        tokens.push(given.token);
        state.held = Some(match given.lifetime.and_then(|lifetime| asked.checked_add(lifetime)) {
            Some(until) => Until::Then(until),
            None => Until::Told,
        });
        Ok(())
    }

    /// Finds out where tokens are given. Where the issuer is named, the server is not asked.
    async fn place(&self, asking: &mut Asking<'_>, server: &HttpServer) -> Result<Place, NoToken> {
        let (issuer, resource) = match &self.0.proof {
            ClientProof::Secret(_, issuer) | ClientProof::Key(_, Some(issuer)) => {
                (issuer.clone(), resource(&server.address))
            }
            ClientProof::Key(_, None) => {
                let Protected { issuer, resource } = protected(asking, &server.address).await?;
                (issuer, resource)
            }
        };
        let name = issuer.name();
        for place in issuer.documents() {
            let Some(metadata) = asking.document(&place).await? else { continue };
            let endpoint = issuer.token_endpoint(&metadata);
            let endpoint = endpoint.map_err(|why| NoToken::Refused(format!("the issuer `{name}`: {why}")))?;
            return Ok(Place { endpoint, resource, issuer });
        }
        let places: Vec<String> = issuer.documents().iter().map(|place| format!("`{place}`")).collect();
        Err(NoToken::Refused(format!("the issuer `{name}` has no metadata at {}", places.join(" or "))))
    }

    /// The token in use.
    pub(super) fn token(&self) -> Option<Token> {
        self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    /// `text` without the tokens and the secret, which a server may echo.
    pub(super) fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut concealed = match &self.0.proof {
            ClientProof::Secret(secret, _) => secret.concealed(text),
            ClientProof::Key(..) => Cow::Borrowed(text),
        };
        for token in self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Cow::Owned(without) = token.concealed(&concealed) {
                concealed = Cow::Owned(without);
            }
        }
        concealed
    }

    pub(super) fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        let tokens = self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().fold(text, |text, token| token.without_beginning(text))
    }
}

/// What a server publishes of its issuer: where its challenge points to, else at the usual places.
async fn protected(asking: &mut Asking<'_>, server: &HttpAddress) -> Result<Protected, NoToken> {
    let refused = |why: String| {
        NoToken::Refused(format!("the server's metadata do not say which issuer it takes tokens from: {why}"))
    };
    let challenges = match timeout(CHALLENGE, asking.challenges(server)).await {
        Ok(challenges) => challenges?,
        Err(_) => Vec::new(),
    };
    let places = match challenges.iter().find_map(|challenge| pointed_to(challenge)) {
        Some(place) => {
            let place = named(place, server).map_err(refused)?;
            if !place.is_beside(server) {
                return Err(refused(format!("they would be elsewhere, at `{place}`")));
            }
            vec![place]
        }
        None => Protected::documents(server),
    };
    for place in &places {
        if let Some(metadata) = asking.document(place).await? {
            return Protected::read(server, &metadata).map_err(refused);
        }
    }
    let places: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
    Err(refused(format!("there are none at {}; name the `issuer` in the settings", places.join(" or "))))
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { client, proof, scope, .. } = self.0.as_ref();
        f.debug_struct("ClientCredentials")
            .field("client", client)
            .field("proof", proof)
            .field("scope", scope)
            .finish_non_exhaustive()
    }
}
