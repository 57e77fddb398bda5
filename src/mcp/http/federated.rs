//! A pipeline that shows whose it is: the ID token of its CI platform, exchanged for a token of the service (OAuth 2.0
//! Token Exchange, RFC 8693).
//!
//! The ID token is shown to the one who exchanges it and to nobody else, and only where it is for them.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::Client;
use serde_json::Value;

use super::address::HttpAddress;
use super::asking::{Asking, Reply};
use super::grant::{Request, Wanted};
use super::kept::Kept;
use super::metadata::resource;
use super::no_token::NoToken;
use super::server::HttpServer;
use super::token::Token;
use super::tokens::{Held, Need};
use crate::core::file::read_bounded;
use crate::core::json::parse_unambiguous;
use crate::core::text::excerpt;

/// The largest file with an ID token, in bytes.
const LARGEST: usize = 64 * 1024;
/// How much of a claim a message shows, in characters.
const SHOWN: usize = 200;

/// A pipeline with an identity, and the tokens that it got for it. Clones are the same.
#[derive(Clone)]
pub struct Federated(Arc<Inner>);

/// Who exchanges what for which token.
#[derive(Debug)]
pub struct Exchange {
    /// Where the ID token comes from.
    pub from: IdToken,
    /// Whom it is for, so that a token for somebody else is not shown to the one who exchanges.
    pub audience: String,
    /// Where tokens are exchanged.
    pub endpoint: HttpAddress,
    /// The client's name there, where it has one.
    pub client: Option<String>,
    /// What the service is called there; its URL where it has no other name.
    pub service: Option<String>,
    /// What the token is to be good for, separated by blanks.
    pub scope: Option<String>,
}

/// Where a pipeline's ID token comes from.
#[derive(Debug)]
pub enum IdToken {
    /// It is known.
    Known(Token),
    /// It stands in a file, which the platform may renew.
    File(PathBuf),
    /// A GitHub runner's service gives one to whoever shows the job's request token.
    Runner {
        /// The service.
        address: HttpAddress,
        /// The request token, which nobody else is shown.
        request: Token,
    },
}

struct Inner {
    exchange: Exchange,
    encrypted: tokio::sync::Mutex<Option<Client>>,
    kept: Kept,
}

impl Federated {
    /// A pipeline that has asked for nothing yet.
    #[must_use]
    pub fn new(exchange: Exchange) -> Self {
        Self(Arc::new(Inner { exchange, encrypted: tokio::sync::Mutex::default(), kept: Kept::default() }))
    }

    /// Sees to it that a token is held that the next request can do with.
    pub(super) async fn fetched(&self, server: &HttpServer, need: &Need) -> Result<(), NoToken> {
        self.0.kept.fetched(need, self.exchanged(server, need)).await
    }

    async fn exchanged(&self, server: &HttpServer, need: &Need) -> Result<(Token, Held), NoToken> {
        let mut encrypted = self.0.encrypted.lock().await;
        let mut asking = Asking::new(server, need.connect, &mut encrypted);
        let Exchange { from, audience, endpoint, client, service, scope } = &self.0.exchange;
        let shown = from.token(&mut asking, audience).await?;
        is_for(&shown, audience).map_err(NoToken::Refused)?;
        let resource = resource(&server.address);
        let wanted = Wanted { resource: &resource, scope: scope.as_deref() };
        let request = Request::with_subject(&wanted, shown.expose(), client.as_deref(), service.as_deref());
        let asked = Timestamp::now();
        let reply = asking.form(endpoint, None, request.form.clone()).await?;
        let given = request.given(&reply);
        let given = given.map_err(|why| NoToken::Refused(format!("the exchange `{endpoint}`: {why}")))?;
        tracing::debug!(exchange = %endpoint, lifetime = ?given.lifetime, "fetched a token");
        Ok((given.token.clone(), Held::given(&given.token, asked, given.lifetime)))
    }

    /// The token in use.
    pub(super) fn token(&self) -> Option<Token> {
        self.0.kept.token()
    }

    /// `text` without the tokens, which a server may echo.
    pub(super) fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.kept.concealed(Cow::Borrowed(text))
    }

    pub(super) fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        self.0.kept.without_beginning(text)
    }
}

impl IdToken {
    async fn token(&self, asking: &mut Asking<'_>, audience: &str) -> Result<Token, NoToken> {
        match self {
            Self::Known(token) => Ok(token.clone()),
            Self::File(path) => read(path).map_err(NoToken::Refused),
            Self::Runner { address, request } => {
                let refused =
                    |why: String| NoToken::Refused(format!("the runner's service `{address}`: {why}"));
                let authorization =
                    request.authorization().ok_or_else(|| refused("it cannot be asked".to_owned()))?;
                let asked = address.with_query("audience", audience);
                let reply = asking.signed(&asked, authorization).await?;
                given(&reply).map_err(refused)
            }
        }
    }
}

fn read(path: &Path) -> Result<Token, String> {
    let bytes = read_bounded(path, LARGEST).map_err(|error| error.to_string())?;
    Token::new(&String::from_utf8_lossy(&bytes)).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// The ID token in an answer of a runner's service; nothing of the answer is shown.
fn given(reply: &Reply) -> Result<Token, String> {
    if let Some(location) = reply.location() {
        return Err(format!("it redirects to `{}`, which is not followed", excerpt(&location, SHOWN)));
    }
    if !reply.status.is_success() {
        return Err(format!("HTTP status {}", reply.status));
    }
    let document = parse_unambiguous(&reply.body).ok();
    let value = document.as_ref().and_then(|document| document.get("value")?.as_str());
    let value = value.ok_or("its answer has no `value`")?;
    Token::new(value).map_err(|error| error.to_string())
}

/// Whether an ID token is for `audience`, and still good; or why it is shown to nobody.
fn is_for(token: &Token, audience: &str) -> Result<(), String> {
    let claims = token.claims().ok_or("the ID token is no JWT")?;
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audiences.contains(&audience) {
        let found = excerpt(&audiences.join("`, `"), SHOWN);
        return Err(format!("the ID token is for `{found}`, and not for `{audience}`"));
    }
    match token.expires() {
        Some(expires) if expires <= Timestamp::now() => Err(format!("the ID token expired at {expires:.0}")),
        _ => Ok(()),
    }
}

/// Shows no token.
impl fmt::Debug for Federated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Federated").field("exchange", &self.0.exchange).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::header::LOCATION;
    use http::{HeaderMap, HeaderValue, StatusCode};
    use serde_json::json;

    fn jwt(claims: &Value) -> Token {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        Token::new(&format!("{}.{}.canary", part(&json!({"alg": "RS256"})), part(claims))).unwrap()
    }

    #[test]
    fn an_id_token_is_shown_to_whom_it_is_for_while_it_is_good() {
        let later = Timestamp::now().as_second() + 60;
        assert_eq!(is_for(&jwt(&json!({"aud": "us", "exp": later})), "us"), Ok(()));
        assert_eq!(is_for(&jwt(&json!({"aud": ["them", "us"]})), "us"), Ok(()));
        for (claims, says) in [
            (json!({"aud": "them", "exp": later}), "is for `them`, and not for `us`"),
            (json!({"aud": ["them", "others"]}), "is for `them`, `others`"),
            (json!({"exp": later}), "is for ``"),
            (json!({"aud": {"us": 1}}), "is for ``"),
            (json!({"aud": "us", "exp": later - 120}), "expired at"),
        ] {
            let why = is_for(&jwt(&claims), "us").unwrap_err();
            assert!(why.contains(says) && !why.contains("canary"), "{why}");
        }
        assert_eq!(is_for(&Token::new("canary").unwrap(), "us").unwrap_err(), "the ID token is no JWT");
    }

    #[test]
    fn of_a_runners_answer_nothing_is_shown() {
        let reply = |status: u16, body: &str| Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        assert!(given(&reply(200, r#"{"count":1,"value":"a.b.c"}"#)).is_ok());
        for (status, body, says) in [
            (403, "canary", "HTTP status 403"),
            (200, "canary", "no `value`"),
            (200, r#"{"value":"canary canary"}"#, "has a blank"),
            (200, r#"{"value":"canary1","value":"canary2"}"#, "no `value`"),
        ] {
            let why = given(&reply(status, body)).unwrap_err();
            assert!(why.contains(says) && !why.contains("canary"), "{why}");
        }
        let mut moved = reply(307, "");
        moved.headers.insert(LOCATION, HeaderValue::from_static("https://evil.example/"));
        assert!(given(&moved).unwrap_err().contains("is not followed"));
    }
}
