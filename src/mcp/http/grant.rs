//! One token request of a client that speaks for itself (RFC 6749, section 4.4), or of a pipeline that shows an ID token
//! (RFC 8693), and what its reply comes to.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::{Serializer, byte_serialize};
use http::HeaderName;
use http::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::asking::Reply;
use super::concealed::concealed;
use super::token::Token;
use crate::core::json::parse_unambiguous;
use crate::core::text::excerpt;

/// How much of an issuer's words a message shows, in characters.
const SHOWN: usize = 300;
/// Longer than any run; the sum with a clock stays in range.
const LONGEST: u64 = 366 * 24 * 60 * 60;
/// What a signed assertion is called.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a pipeline exchanges.
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What is asked for.
pub(super) struct Wanted<'a> {
    pub resource: &'a str,
    pub scope: Option<&'a str>,
}

/// A request for a token. Its words are shown to the issuer alone.
pub(super) struct Request {
    pub authorization: Option<(HeaderName, HeaderValue)>,
    pub form: String,
    /// What must not be shown of what comes back, and what stands there instead.
    hidden: Vec<(SecretString, &'static str)>,
}

/// A token, and for how long it is good from when it was asked for.
#[derive(Debug)]
pub(super) struct Given {
    pub token: Token,
    /// `None` where the issuer does not say.
    pub lifetime: Option<Duration>,
}

impl Request {
    /// With `client_secret_basic`; `None` where the header cannot be made.
    pub fn with_secret(wanted: &Wanted<'_>, client: &str, secret: &str) -> Option<Self> {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = STANDARD.encode(format!("{}:{}", encoded(client), encoded(secret)));
        let mut header = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
        header.set_sensitive(true);
        let hidden = [secret.to_owned(), encoded(secret), pair];
        Some(Self {
            authorization: Some((AUTHORIZATION, header)),
            form: wanted.form("client_credentials").finish(),
            hidden: hidden.map(|text| (SecretString::from(text), "(the secret)")).into(),
        })
    }

    /// With `private_key_jwt`.
    pub fn with_assertion(wanted: &Wanted<'_>, assertion: String) -> Self {
        let mut form = wanted.form("client_credentials");
        form.append_pair("client_assertion_type", ASSERTION).append_pair("client_assertion", &assertion);
        let hidden = vec![(SecretString::from(assertion), "(the assertion)")];
        Self { authorization: None, form: form.finish(), hidden }
    }

    /// With an ID token that is exchanged, for the service of that name, where it has one there.
    pub fn with_subject(
        wanted: &Wanted<'_>,
        token: &str,
        client: Option<&str>,
        service: Option<&str>,
    ) -> Self {
        let mut form = wanted.form(EXCHANGE);
        form.append_pair("subject_token_type", JWT).append_pair("subject_token", token);
        form.append_pair("requested_token_type", ACCESS_TOKEN);
        for (name, value) in [("client_id", client), ("audience", service)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let hidden = vec![(SecretString::from(token), "(the ID token)")];
        Self { authorization: None, form: form.finish(), hidden }
    }

    /// What the reply gives, or why it gives nothing.
    pub fn given(&self, reply: &Reply) -> Result<Given, String> {
        let document = parse_unambiguous(&reply.body).ok();
        if reply.status.is_success() {
            // Of what should hold a token nothing is shown.
            let document = document.ok_or_else(|| {
                format!(
                    "its answer is no unambiguous JSON, but content of the type `{}`",
                    self.said(&reply.media())
                )
            })?;
            return given(&document).map_err(str::to_owned);
        }
        let mut why = format!("HTTP status {}", reply.status);
        if let Some(location) = reply.location() {
            why += &format!("; it redirects to `{}`, which is not followed", self.said(&location));
        }
        let member = |name: &str| document.as_ref()?.get(name)?.as_str();
        match (member("error"), member("error_description")) {
            (Some(error), Some(words)) => why += &format!(": {}: {}", self.said(error), self.said(words)),
            (Some(error), None) => why += &format!(": {}", self.said(error)),
            (None, _) => why += &format!(": {}", self.said(String::from_utf8_lossy(&reply.body).trim())),
        }
        Err(why)
    }

    /// The issuer's words without our own secrets in them, bounded.
    fn said(&self, words: &str) -> String {
        let mut words = Cow::Borrowed(words);
        for (secret, instead) in &self.hidden {
            if let Cow::Owned(without) = concealed(&words, secret.expose_secret(), instead) {
                words = Cow::Owned(without);
            }
        }
        excerpt(&words, SHOWN)
    }
}

impl Wanted<'_> {
    fn form(&self, grant: &str) -> Serializer<'static, String> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", grant).append_pair("resource", self.resource);
        if let Some(scope) = self.scope {
            form.append_pair("scope", scope);
        }
        form
    }
}

fn given(document: &Value) -> Result<Given, &'static str> {
    let text = |member: &str| document.get(member).and_then(Value::as_str);
    if !text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err("its token is no bearer token");
    }
    let token = text("access_token").ok_or("its answer has no `access_token`")?;
    let token = Token::new(token).map_err(|_| "its token is none that a header carries")?;
    let lifetime = match document.get("expires_in") {
        None | Some(Value::Null) => None,
        // Some issuers write numbers as text.
        Some(Value::String(text)) => Some(text.parse().map_err(|_| "its `expires_in` is no number")?),
        Some(number) => Some(number.as_f64().ok_or("its `expires_in` is no number")?),
    };
    let lifetime = lifetime.map(|seconds| {
        Duration::try_from_secs_f64(seconds.max(0.0))
            .unwrap_or(Duration::MAX)
            .min(Duration::from_secs(LONGEST))
    });
    Ok(Given { token, lifetime })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    const WANTED: Wanted<'_> = Wanted { resource: "https://a.example/mcp", scope: Some("read write") };

    fn reply(status: u16, body: &str) -> Reply {
        let status = StatusCode::from_u16(status).unwrap();
        Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_secret_travels_encoded_and_in_the_header_alone() {
        let request = Request::with_secret(&WANTED, "pipe:line", "canary/1 ü+abc").unwrap();
        let (_, header) = request.authorization.as_ref().unwrap();
        let pair = STANDARD.decode(header.to_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "pipe%3Aline:canary%2F1+%C3%BC%2Babc");
        assert_eq!(
            request.form,
            "grant_type=client_credentials&resource=https%3A%2F%2Fa.example%2Fmcp&scope=read+write"
        );
        assert!(!format!("{header:?}").contains("Basic"));
    }

    #[test]
    fn an_issuers_words_are_shown_without_what_it_was_shown() {
        let request = Request::with_secret(&WANTED, "pipeline", "s3/cr").unwrap();
        let pair = STANDARD.encode("pipeline:s3%2Fcr");
        for words in ["s3/cr", "s3\\/cr", "s3%2Fcr", &pair] {
            let body = json!({"error": "invalid_client", "error_description": format!("is it {words}?")});
            for body in [body.to_string(), format!("<p>is it {words}?")] {
                let why = request.given(&reply(401, &body)).unwrap_err();
                assert!(why.contains("HTTP status 401") && why.contains("is it (the secret)?"), "{why}");
            }
        }
        let request = Request::with_assertion(&WANTED, "a.b.c".to_owned());
        assert!(request.form.ends_with("jwt-bearer&client_assertion=a.b.c"));
        assert!(request.given(&reply(400, "a.b.c")).unwrap_err().ends_with(": (the assertion)"));
    }

    #[test]
    fn an_id_token_is_exchanged_by_the_rules_and_not_shown_again() {
        let request = Request::with_subject(&WANTED, "a.b.c", Some("ci"), Some("loopiq"));
        let form: Vec<(String, String)> =
            form_urlencoded::parse(request.form.as_bytes()).into_owned().collect();
        let expected = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("resource", "https://a.example/mcp"),
            ("scope", "read write"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", "a.b.c"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("client_id", "ci"),
            ("audience", "loopiq"),
        ];
        assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(request.authorization.is_none());
        assert!(request.given(&reply(400, "what is a.b.c")).unwrap_err().ends_with("what is (the ID token)"));
    }

    #[test]
    fn only_a_bearer_token_with_a_lifetime_that_is_understood_is_taken() {
        let request = Request::with_assertion(&WANTED, "a.b.c".to_owned());
        let given = |body: Value| request.given(&reply(200, &body.to_string()));
        for (lifetime, seconds) in [
            (json!(null), None),
            (json!(0), Some(0)),
            (json!(-5), Some(0)),
            (json!("3600"), Some(3600)),
            (json!(3600.0), Some(3600)),
            (json!(1e300), Some(LONGEST)),
        ] {
            let body = json!({"access_token": "t", "token_type": "bearer", "expires_in": lifetime});
            assert_eq!(given(body).unwrap().lifetime, seconds.map(Duration::from_secs));
        }
        for body in [
            json!({"access_token": "canary"}),
            json!({"access_token": "canary", "token_type": "DPoP"}),
            json!({"access_token": "canary canary", "token_type": "Bearer"}),
            json!({"token_type": "Bearer", "refresh_token": "canary"}),
            json!({"access_token": "canary", "token_type": "Bearer", "expires_in": "canary"}),
            json!({"access_token": "canary", "token_type": "Bearer", "expires_in": [1]}),
            json!("canary"),
        ] {
            let why = given(body.clone()).unwrap_err();
            assert!(!why.contains("canary"), "{body}: {why}");
        }
        let twice = r#"{"access_token":"canary","access_token":"canary2","token_type":"Bearer"}"#;
        assert!(!request.given(&reply(200, twice)).unwrap_err().contains("canary"));
    }
}
