//! An issuer of tokens for the client `pipeline`, by its secret or by what it signs: `issuer WHAT FOLDER [tls=KIND]
//! [expires=SECONDS] [grants=TIMES] [tenants=A,B]`. It prints its URL, and ends with its standard input. At `/idtoken` it is
//! a runner's service that gives ID tokens to whoever shows `canary-request`, at `/exchange` it exchanges them.
//!
//! WHAT it does: `good`, `refuses`, `html`, `redirects`, `down`, `silent`, `other` (its metadata name another issuer),
//! `none` (it has no metadata), `moved` (its ID tokens are elsewhere), `openid` (they stand where OpenID Connect has them), `huge` (they have no end).
//! It refuses after so many `grants`. For `tenants` its tokens are JWTs that name them as `org_id`, and it leaves it to
//! them to say when they expire. FOLDER has the client's `secret` and `public` key, and receives `issuer.jsonl`,
//! one line for each request, `tokens.jsonl`, and `ca.pem`.

#![expect(clippy::indexing_slicing, reason = "a peer that panics fails the test that started it")]

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::http::Request;
use crate::http_fault::Reply;
use crate::{claims, http_tls};

type Form = BTreeMap<String, String>;

struct Issuer {
    what: String,
    folder: PathBuf,
    url: String,
    expires: i64,
    grants: usize,
    tenants: Option<Vec<String>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    granted: usize,
    /// The assertions that it has seen.
    seen: Vec<Value>,
}

/// Plays `issuer`.
pub fn play(mode: &str, arguments: &[String]) -> Option<ExitCode> {
    if mode != "issuer" {
        return None;
    }
    let [what, folder, rest @ ..] = arguments else { return Some(ExitCode::from(64)) };
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return Some(ExitCode::from(65)) };
    let Ok(address) = listener.local_addr() else { return Some(ExitCode::from(65)) };
    let option = |name: &str| rest.iter().find_map(|option| option.strip_prefix(name));
    let tls = option("tls=").map(|kind| http_tls::server(kind, Path::new(folder)));
    let issuer = Arc::new(Issuer {
        what: what.clone(),
        folder: folder.into(),
        url: format!("{}://{address}", if tls.is_some() { "https" } else { "http" }),
        expires: option("expires=").and_then(|seconds| seconds.parse().ok()).unwrap_or(3600),
        grants: option("grants=").and_then(|times| times.parse().ok()).unwrap_or(usize::MAX),
        tenants: option("tenants=").map(|tenants| tenants.split(',').map(str::to_owned).collect()),
        state: Mutex::default(),
    });
    let _ = writeln!(std::io::stdout(), "{}", issuer.url).and_then(|()| std::io::stdout().flush());
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let (issuer, tls) = (Arc::clone(&issuer), tls.clone());
            thread::spawn(move || match tls {
                Some(config) => {
                    if let Ok(connection) = rustls::ServerConnection::new(config) {
                        issuer.converse(rustls::StreamOwned::new(connection, stream));
                    }
                }
                None => issuer.converse(stream),
            });
        }
    });
    // Ends with whoever holds the other end.
    let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    Some(ExitCode::SUCCESS)
}

/// Whether that `Authorization` shows a token that an issuer gave and that has not expired.
pub fn is_good(tokens: &Path, authorization: Option<&str>) -> bool {
    let Some(token) = authorization.and_then(|value| value.strip_prefix("Bearer ")) else { return false };
    let tokens = std::fs::read_to_string(tokens).unwrap_or_default();
    let tokens = tokens.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let now = Timestamp::now().as_millisecond();
    tokens.into_iter().any(|known| known["token"] == token && known["until"].as_i64() > Some(now))
}

impl Issuer {
    fn converse<S: Read + Write>(&self, stream: S) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream) {
            let form: Form = form_urlencoded::parse(&request.raw).into_owned().collect();
            let headers: BTreeMap<&String, &String> =
                request.headers.iter().map(|(name, value)| (name, value)).collect();
            let line = json!({
                "method": request.method, "path": request.path, "headers": headers, "form": form,
            });
            self.write("issuer.jsonl", &line);
            if self.what == "silent" {
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
                return;
            }
            let reply = match request.path.as_str() {
                "/token" | "/exchange" => self.token(&request, &form),
                path if path.starts_with("/idtoken?") => self.id_token(&request),
                "/elsewhere" => self.granted(),
                path => self.metadata(path),
            };
            if !reply.send(stream.get_mut()) {
                return;
            }
        }
    }

    fn write(&self, file: &str, line: &Value) {
        let _one_at_a_time = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join(file));
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }

    fn metadata(&self, path: &str) -> Reply {
        let place = if self.what == "openid" { "openid-configuration" } else { "oauth-authorization-server" };
        if self.what == "none" || path != format!("/.well-known/{place}") {
            return Reply::status(404);
        }
        let name = if self.what == "other" { "https://evil.example" } else { &self.url };
        let mut metadata = json!({"issuer": name, "token_endpoint": format!("{}/token", self.url)});
        if self.what == "huge" {
            metadata["padding"] = json!("x".repeat(4 << 20));
        }
        Reply::json(&metadata)
    }

    fn token(&self, request: &Request, form: &Form) -> Reply {
        let shown = request.header("authorization").unwrap_or_default();
        let refusal = |why: String| {
            let body = json!({"error": "invalid_client", "error_description": why});
            let mut reply = Reply::json(&body);
            reply.status = 401;
            reply
        };
        match self.what.as_str() {
            "html" => return Reply::of("text/html", format!("<p>Please sign in, {shown}</p>")),
            "redirects" => return Reply::status(307).with("location", &format!("{}/elsewhere", self.url)),
            "down" => return Reply::status(503),
            // It repeats what it was shown.
            "refuses" => {
                let secret = if shown.is_empty() { String::new() } else { self.secret() };
                let assertion = form.get("client_assertion").or(form.get("subject_token"));
                let assertion = assertion.map_or("", String::as_str);
                return refusal(format!("who is {shown} {secret} {assertion} ?"));
            }
            _ => {}
        }
        let spent = self.state.lock().unwrap_or_else(PoisonError::into_inner).granted >= self.grants;
        let may =
            if request.path == "/exchange" { self.is_exchange(form) } else { self.is_client(shown, form) };
        match may {
            Ok(()) if !spent => self.granted(),
            Ok(()) => refusal("the client was removed".to_owned()),
            Err(why) => refusal(why.to_owned()),
        }
    }

    /// What a runner's service gives: a token for whom it is asked.
    fn id_token(&self, request: &Request) -> Reply {
        let query = request.path.split_once('?').map_or("", |(_, query)| query);
        let query: Form = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if self.what == "moved" {
            return Reply::status(307).with("location", &format!("{}/elsewhere", self.url));
        }
        if request.header("authorization") != Some("Bearer canary-request") {
            return Reply::status(403);
        }
        let expires = Timestamp::now().as_second() + 300;
        let said =
            json!({"iss": self.url, "aud": query.get("audience"), "exp": expires, "sub": "repo:acme/shop"});
        Reply::json(&json!({"count": 1, "value": claims::signed(&self.folder, &said)}))
    }

    /// Whether it is an ID token that is exchanged as RFC 8693 says.
    fn is_exchange(&self, form: &Form) -> Result<(), &'static str> {
        let of = |name: &str| form.get(name).map_or("", String::as_str);
        match () {
            () if of("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" => {
                Err("another grant")
            }
            () if of("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt" => Err("another type"),
            () => {
                let shown = format!("Bearer {}", of("subject_token"));
                claims::checked(&self.folder, Some(&shown), "exchange").map(drop)
            }
        }
    }

    fn granted(&self) -> Reply {
        let number = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.granted += 1;
            state.granted
        };
        let expires = Timestamp::now().as_second() + self.expires;
        let token = match &self.tenants {
            Some(tenants) => {
                let said = json!({"jti": number, "iss": self.url, "org_id": tenants, "exp": expires});
                claims::signed(&self.folder, &said)
            }
            None => format!("canary-issued-{number}"),
        };
        let until = Timestamp::now().as_millisecond() + self.expires * 1_000;
        self.write("tokens.jsonl", &json!({"token": token, "until": until}));
        let lifetime = self.tenants.is_none().then_some(self.expires);
        Reply::json(&json!({"access_token": token, "token_type": "Bearer", "expires_in": lifetime}))
    }

    fn secret(&self) -> String {
        std::fs::read_to_string(self.folder.join("secret")).unwrap_or_default()
    }

    fn is_client(&self, shown: &str, form: &Form) -> Result<(), &'static str> {
        if form.get("grant_type").is_none_or(|grant| grant != "client_credentials") {
            return Err("another grant");
        }
        match form.get("client_assertion") {
            Some(assertion) => self.has_signed(assertion, form),
            None => self.has_secret(shown),
        }
    }

    fn has_secret(&self, shown: &str) -> Result<(), &'static str> {
        let pair = shown.strip_prefix("Basic ").and_then(|pair| STANDARD.decode(pair).ok());
        let pair = pair.and_then(|pair| String::from_utf8(pair).ok()).ok_or("no Basic")?;
        let (client, secret) = pair.split_once(':').ok_or("no pair")?;
        let decoded =
            |text: &str| form_urlencoded::parse(text.as_bytes()).map(|(text, _)| text.into_owned()).next();
        let is_it = decoded(client).as_deref() == Some("pipeline") && decoded(secret) == Some(self.secret());
        if is_it { Ok(()) } else { Err("another secret") }
    }

    fn has_signed(&self, assertion: &str, form: &Form) -> Result<(), &'static str> {
        let kind = form.get("client_assertion_type").map(String::as_str);
        if kind != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
            return Err("another kind of assertion");
        }
        let (signed, signature) = assertion.rsplit_once('.').ok_or("no JWT")?;
        let (header, claims) = signed.split_once('.').ok_or("no JWT")?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "no base64url");
        let read = |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).map_err(|_| "no JSON");
        let (header, claims) = (read(header)?, read(claims)?);
        let public = std::fs::read(self.folder.join("public")).map_err(|_| "no key is known")?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
            .verify(signed.as_bytes(), &decoded(signature)?)
            .map_err(|_| "another signature")?;
        let now = Timestamp::now().as_second();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !state.seen.contains(&claims["jti"]);
        state.seen.push(claims["jti"].clone());
        match () {
            () if header["alg"] != "ES256" => Err("another algorithm"),
            () if claims["aud"] != self.url.as_str() => Err("another audience"),
            () if claims["iss"] != "pipeline" || claims["sub"] != "pipeline" => Err("another client"),
            () if claims["exp"].as_i64() <= Some(now) || claims["exp"].as_i64() > Some(now + 300) => {
                Err("another time")
            }
            () if !is_new => Err("seen before"),
            () => Ok(()),
        }
    }
}
