//! A client that gets its token from an issuer, for a secret or for what it signs (OAuth 2.1 client credentials, MCP's
//! extension for them).
//!
//! A token is asked for before a request is sent, never after one was refused: what was sent is not sent again.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use tokio::time::timeout;

use super::address::HttpAddress;
use super::asking::Asking;
use super::assertion::SigningKey;
use super::grant::{Request, Wanted};
use super::kept::Kept;
use super::metadata::{Issuer, Protected, named, pointed_to, resource};
use super::no_token::NoToken;
use super::secret::Secret;
use super::server::HttpServer;
use super::token::Token;
use super::tokens::{Held, Need};

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
    found: tokio::sync::Mutex<Found>,
    kept: Kept,
}

/// What was found out on the way to a token.
#[derive(Default)]
struct Found {
    /// Where tokens are given, once that is known.
    place: Option<Place>,
    encrypted: Option<Client>,
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
        let (found, kept) = (tokio::sync::Mutex::default(), Kept::default());
        Self(Arc::new(Inner { client, proof, scope, found, kept }))
    }

    /// Sees to it that a token is held that the next request can do with.
    pub(super) async fn fetched(&self, server: &HttpServer, need: &Need) -> Result<(), NoToken> {
        self.0.kept.fetched(need, self.given(server, need)).await
    }

    async fn given(&self, server: &HttpServer, need: &Need) -> Result<(Token, Held), NoToken> {
        let mut found = self.0.found.lock().await;
        let Found { place, encrypted } = &mut *found;
        let Inner { client, proof, scope, .. } = self.0.as_ref();
        let mut asking = Asking::new(server, need.connect, encrypted);
        let place = match place {
            Some(place) => place.clone(),
            None => place.insert(self.place(&mut asking, server).await?).clone(),
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
        let asked = Timestamp::now();
        let reply = asking.form(&place.endpoint, request.authorization.clone(), request.form.clone()).await?;
        let given = request.given(&reply).map_err(|why| refused(&why))?;
        tracing::debug!(issuer = name, lifetime = ?given.lifetime, "fetched a token");
        let held = Held::given(&given.token, asked, given.lifetime);
        Ok((given.token, held))
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
        self.0.kept.token()
    }

    /// `text` without the tokens and the secret, which a server may echo.
    pub(super) fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.kept.concealed(match &self.0.proof {
            ClientProof::Secret(secret, _) => secret.concealed(text),
            ClientProof::Key(..) => Cow::Borrowed(text),
        })
    }

    pub(super) fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        self.0.kept.without_beginning(text)
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
