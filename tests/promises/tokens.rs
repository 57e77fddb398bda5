//! Tokens that an issuer gives: fetched before a request is sent, for a secret or a key that nobody else sees.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use loopgate::core::ToolCall;
use loopgate::core::call::Seen;
use loopgate::mcp::{
    ClientCredentials, ClientProof, Credential, Endpoint, Era, HttpServer, Limits, Secret, Session,
};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Map, Value, json};

use crate::governed::{ARTIFACT, approve};
use crate::hostile::{Hostile, Playing};
use crate::support::Folder;

/// The client's secret, with everything in it that is written otherwise in a form, in JSON and in Base64.
const SECRET: &str = "canary/secret +1\"&=%";
/// How every token of the issuer begins.
const ISSUED: &str = "canary-issued-";
const TWO_READS: &str = "
recipe: read-twice
summary: Two reads.
steps:
  - id: first
    read: look
    with: { q: x }
  - id: second
    read: look
    with: { q: '{{ first.id }}' }
    emit: second.json
";

/// A server that takes the tokens of an issuer only, the issuer, and who uses them.
pub struct Signed {
    pub hostile: Hostile,
    /// What the issuer keeps, out of the user's sight.
    pub backstage: Folder,
    pub issuer: Playing,
    key: KeyPair,
}

impl Signed {
    /// `issuer` is what it does, with its options; `token` makes the settings of its URL.
    pub fn new(issuer: &[&str], faults: &str, protocol: &str, token: impl FnOnce(&str) -> Value) -> Self {
        let backstage = Folder::new();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        backstage.write("secret", SECRET);
        backstage.write("public", key.public_key_raw());
        let here = backstage.path().to_str().unwrap().to_owned();
        let (what, options) = issuer.split_first().unwrap();
        let playing = Playing::start(&backstage, &[["issuer", what, &here].as_slice(), options].concat());
        let file = |option: &str, name: &str| format!("{option}={}", backstage.path().join(name).display());
        let (takes, metadata) = (file("takes", "tokens.jsonl"), file("metadata", "metadata.json"));
        let hostile = Hostile::with(faults, protocol, &[&takes, &metadata]);
        hostile.folder.write("secret", format!("{SECRET}\n"));
        hostile.folder.write("key.pem", key.serialize_pem());
        fs_err::remove_file(hostile.folder.path().join("token")).unwrap();
        let signed = Self { hostile, backstage, issuer: playing, key };
        signed.publish(&signed.hostile.server.url, &signed.issuer.url);
        signed.with(token(&signed.issuer.url));
        signed
    }

    /// With its secret, for the issuer that the settings name.
    fn by_secret(issuer: &[&str], faults: &str) -> Self {
        Self::new(issuer, faults, "auto", by_secret)
    }

    fn with(&self, token: Value) {
        self.hostile.settings(|server| server["token"] = json!({"client_credentials": token}));
    }

    /// What the server says of itself.
    fn publish(&self, resource: &str, issuer: &str) {
        let metadata = json!({"resource": resource, "authorization_servers": [issuer]});
        self.backstage.write("metadata.json", metadata.to_string());
    }

    /// Every request that the issuer got at that path.
    pub fn asked(&self, path: &str) -> Vec<Value> {
        let log = if self.backstage.exists("issuer.jsonl") {
            self.backstage.read("issuer.jsonl")
        } else {
            String::new()
        };
        let all = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|request| request["path"] == path).collect()
    }

    /// The tokens that the server was shown with requests of that method.
    pub fn shown(&self, rpc: &str) -> Vec<String> {
        let log = self.hostile.log();
        let requests = log.iter().filter(|request| request["rpc"] == rpc);
        requests.map(|request| request["headers"]["authorization"].as_str().unwrap().to_owned()).collect()
    }

    /// Everything that must not be seen, as it may be written.
    fn secrets(&self) -> Vec<String> {
        let form = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect::<String>();
        let quoted = serde_json::to_string(SECRET).unwrap();
        let pem = self.key.serialize_pem();
        let mut secrets: Vec<String> = pem.lines().map(str::to_owned).collect();
        secrets.extend([
            SECRET.to_owned(),
            STANDARD.encode(format!("pipeline:{form}")),
            form,
            quoted.trim_matches('"').to_owned(),
            ISSUED.to_owned(),
            "eyJ".to_owned(),
            "canary-request".to_owned(),
        ]);
        secrets
    }

    /// Checks that none of it stands in any file that the program left, or in `told`.
    pub fn nothing_shows(&self, told: &str) {
        let mut files = Vec::new();
        all_files(self.hostile.folder.path(), &mut files);
        let own = ["secret", "key.pem", "log.jsonl"];
        files.retain(|(name, _)| !own.contains(&name.as_str()));
        assert!(files.len() > 3, "{files:?}");
        files.push(("the streams".to_owned(), told.as_bytes().to_vec()));
        for (name, bytes) in &files {
            let text = String::from_utf8_lossy(bytes);
            for secret in self.secrets() {
                assert!(!text.contains(&secret), "`{name}` holds `{secret}`:\n{text}");
            }
        }
    }
}

pub fn all_files(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all_files(&path, files),
            false => {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                files.push((name, fs_err::read(&path).unwrap()));
            }
        }
    }
}

fn by_secret(issuer: &str) -> Value {
    json!({"client_id": "pipeline", "secret": {"file": "secret"}, "issuer": issuer, "scope": "read write"})
}

fn by_key(issuer: &str) -> Value {
    json!({"client_id": "pipeline", "key": {"file": "key.pem"}, "issuer": issuer, "scope": "read write"})
}

fn by_key_alone(_: &str) -> Value {
    json!({"client_id": "pipeline", "key": {"file": "key.pem"}, "scope": "read write"})
}

#[test]
fn a_recipe_runs_with_a_token_that_an_issuer_gives_for_a_secret_or_a_key() {
    let ways: [fn(&str) -> Value; 3] = [by_secret, by_key, by_key_alone];
    for (way, protocol) in
        ways.into_iter().flat_map(|way| ["auto", "2025-11-25"].map(|protocol| (way, protocol)))
    {
        let signed = Signed::new(&["good"], "", protocol, way);
        signed.hostile.read().exits(0);
        let asked = signed.asked("/token");
        assert_eq!(asked.len(), 1, "one token for all of a run");
        let (form, headers) = (&asked[0]["form"], &asked[0]["headers"]);
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["scope"], "read write");
        assert_eq!(form["resource"], signed.hostile.server.url.as_str());
        assert!(headers["x-team"].is_null(), "a header for the server alone");
        let is_secret = way("x")["secret"].is_object();
        assert_eq!(headers["authorization"].is_string(), is_secret, "{headers}");
        assert_eq!(form["client_assertion"].is_string(), !is_secret);
        assert!(signed.shown("tools/call").iter().all(|token| token == "Bearer canary-issued-1"));
        let asks_server = signed
            .hostile
            .log()
            .iter()
            .any(|request| request["path"].as_str().unwrap().starts_with("/.well-known"));
        assert_eq!(asks_server, way("x")["issuer"].is_null(), "only where no issuer is named");
        // No stranger is at the server, but the one who asks for its metadata.
        let strangers = signed
            .hostile
            .log()
            .iter()
            .filter(|request| request["rpc"].is_string() && request["headers"]["authorization"].is_null())
            .count();
        assert_eq!(strangers, 0);
    }
}

#[test]
fn an_issuer_that_only_speaks_openid_connect_is_understood() {
    let signed = Signed::by_secret(&["openid"], "");
    signed.hostile.read().exits(0);
}

#[test]
fn a_token_that_expires_in_mid_run_is_renewed_before_the_next_request() {
    // It is renewed a minute before its end.
    let signed = Signed::by_secret(&["good", "expires=62"], "look:late=2500*1");
    signed.hostile.settings(|server| server["time_limits"]["call"] = json!("10s"));
    signed.hostile.folder.write("twice.yaml", TWO_READS);
    signed.hostile.folder.run(&["run", "twice.yaml"]).exits(0);
    assert_eq!(signed.shown("tools/call"), ["Bearer canary-issued-1", "Bearer canary-issued-2"]);
    assert_eq!(signed.asked("/token").len(), 2);
}

#[test]
fn a_token_that_an_issuer_gives_says_itself_for_which_tenant_and_until_when() {
    for (tenants, expires, code, asked) in [
        ("tenants=acme", "expires=3600", 0, 1),
        // Each request wants one that lasts for a minute.
        ("tenants=acme,globex", "expires=30", 0, 3),
        ("tenants=acme", "expires=1", 51, 1),
        ("tenants=globex", "expires=3600", 51, 1),
    ] {
        let signed = Signed::by_secret(&["good", tenants, expires], "");
        signed.backstage.write("issuer.key", "k");
        signed.hostile.settings(|server| server["tenants"] = json!({"claim": "/org_id"}));
        signed.hostile.read().exits(code);
        assert_eq!(signed.asked("/token").len(), asked, "{tenants} {expires}");
        let target = &signed.hostile.folder.json("loopgate-out/run.json")["target"];
        assert_eq!(target["tenant_known_by"], if code == 0 { "claim" } else { "asserted" });
        assert_eq!(signed.hostile.calls("look"), usize::from(code == 0));
    }
}

#[test]
fn a_write_with_tokens_that_hardly_last_is_sent_once() {
    for seconds in ["0", "1", "60"] {
        let signed = Signed::by_secret(&["good", &format!("expires={seconds}")], "");
        // One that a call may outlive is not used, however fresh it is.
        let code = if seconds == "60" { 0 } else { 51 };
        let told = signed.hostile.folder.run(&["run", "write.yaml"]).exits(code).told();
        if code == 51 {
            assert!(told.contains("the token expire"), "{told}");
            assert_eq!(signed.hostile.log().len(), 0, "{:?}", signed.hostile.log());
            continue;
        }
        let id = approve(&signed.hostile.folder, ARTIFACT, "alice");
        signed.hostile.apply(&id).exits(0);
        assert_eq!(signed.hostile.calls("make"), 1);
        let mut shown = signed.shown("tools/call");
        shown.extend(signed.shown("tools/list"));
        let count = shown.len();
        shown.sort();
        shown.dedup();
        assert_eq!(shown.len(), count, "each has a token of its own");
    }
}

#[test]
fn a_token_that_the_server_refuses_is_not_fetched_anew_and_nothing_is_sent_again() {
    let signed = Signed::by_secret(&["good"], "make:status=401");
    let id = signed.hostile.approved();
    let before = signed.asked("/token").len();
    signed.hostile.apply(&id).exits(51);
    assert_eq!(signed.hostile.calls("make"), 1);
    assert_eq!(signed.asked("/token").len(), before + 1);
}

#[test]
fn a_client_that_the_issuer_refuses_is_a_refused_sign_in_and_nothing_is_called() {
    for (way, hides) in [(by_secret as fn(&str) -> Value, "(the secret)"), (by_key, "(the assertion)")] {
        let signed = Signed::new(&["refuses"], "", "auto", way);
        let ran = signed.hostile.folder.run(&["run", "read.yaml", "-vvv"]).exits(51);
        let told = ran.told();
        assert!(told.contains("HTTP status 401") && told.contains("invalid_client: who is"), "{told}");
        assert!(told.contains(hides), "{told}");
        assert_eq!(signed.hostile.log().len(), 0, "{:?}", signed.hostile.log());
        assert_eq!(signed.asked("/token").len(), 1);
        signed.nothing_shows(&told);
    }
}

#[test]
fn an_issuer_that_does_not_behave_gets_the_secret_once_or_never() {
    for (what, asked, says) in [
        ("redirects", 1, "which is not followed"),
        ("html", 1, "content of the type `text/html`"),
        ("other", 0, "name the issuer `https://evil.example`"),
        ("none", 0, "has no metadata at"),
        ("huge", 0, "more than 262144 bytes"),
    ] {
        let signed = Signed::by_secret(&[what], "");
        let told = signed.hostile.read().exits(51).told();
        assert!(told.contains(says), "{what}: {told}");
        assert_eq!(signed.asked("/token").len(), asked, "{what}");
        assert_eq!(signed.asked("/elsewhere").len(), 0, "{what}");
        assert_eq!(signed.hostile.log().len(), 0, "{what}");
        signed.nothing_shows(&told);
    }
}

#[test]
fn an_issuer_that_cannot_be_reached_is_told_from_one_that_refuses() {
    for what in ["down", "silent"] {
        let signed = Signed::by_secret(&[what], "");
        let told = signed.hostile.read().exits(50).told();
        let says = if what == "down" { "HTTP status 503" } else { "none came within 1500 ms" };
        assert!(told.contains(says), "{what}: {told}");
        assert_eq!(signed.hostile.log().len(), 0, "{what}");
    }
    let signed = Signed::by_secret(&["good"], "");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    signed.with(by_secret(&format!("http://{free}")));
    let told = signed.hostile.read().exits(50).told();
    assert!(told.contains("no token could be fetched") && told.contains(&free.to_string()), "{told}");
    assert_eq!(signed.hostile.log().len(), 0);
}

#[test]
fn a_server_names_an_issuer_for_itself_only() {
    let other = "https://other.example/mcp";
    for (resource, issuer, says) in [
        (Some(other), None, "they are of another server"),
        (None, Some("http://login.example.com"), "to another machine"),
        (None, Some("login"), "it is no URL"),
    ] {
        let signed = Signed::new(&["good"], "", "auto", by_key_alone);
        signed.publish(resource.unwrap_or(&signed.hostile.server.url), issuer.unwrap_or(&signed.issuer.url));
        let told = signed.hostile.read().exits(51).told();
        assert!(told.contains(says), "{told}");
        assert_eq!(signed.asked("/token").len(), 0);
    }
}

#[test]
fn a_servers_challenge_leads_to_its_own_metadata_and_nowhere_else() {
    // The peer answers a stranger with what it was shown, which is nothing; so the challenge is the fault.
    let signed = Signed::new(&["good"], "get:challenge=http://127.0.0.1:9/elsewhere", "auto", by_key_alone);
    let told = signed.hostile.read().exits(51).told();
    assert!(told.contains("they would be elsewhere"), "{told}");
    assert_eq!(signed.asked("/token").len(), 0);
    let signed = Signed::new(&["good"], "get:challenge=*1", "auto", by_key_alone);
    signed.hostile.read().exits(0);
    let asked = signed.hostile.log();
    let asked: Vec<&str> = asked.iter().map(|request| request["path"].as_str().unwrap()).take(2).collect();
    assert_eq!(asked, ["/mcp", "/.well-known/oauth-protected-resource/mcp"]);
}

#[test]
fn a_secret_a_key_and_a_token_stand_in_no_file_and_no_stream() {
    let ways: [fn(&str) -> Value; 3] = [by_secret, by_key, by_key_alone];
    for way in ways {
        // The server echoes the token in an answer, and in an error.
        let signed = Signed::new(&["good"], "look:echo=answer,make:echo=error", "auto", way);
        let folder = &signed.hostile.folder;
        let mut told = folder.run(&["run", "read.yaml", "-vvv"]).exits(0).told();
        assert_eq!(folder.json("loopgate-out/seen.json")["state"], "Bearer (the token)");
        told +=
            &folder.run(&["run", "write.yaml", "-vvv", "--report", "events=events.jsonl"]).exits(0).told();
        let id = approve(folder, ARTIFACT, "alice");
        told += &folder.run(&["apply", ARTIFACT, "--approval-id", &id, "-vvv"]).exits(31).told();
        told += &folder.run(&["config", "show"]).told();
        assert!(told.contains("fetched a token"), "{told}");
        signed.nothing_shows(&told);
    }
}

#[test]
fn a_secret_wants_an_issuer_that_is_named_and_encrypted() {
    let signed = Signed::by_secret(&["good"], "");
    for (issuer, says) in [
        (Value::Null, "a `secret` needs an `issuer`"),
        (json!("http://login.example.com"), "to another machine"),
        (json!("https://me:pw@login.example.com"), "a user name or a password"),
        (json!("ftp://login.example.com"), "its scheme is `ftp`"),
    ] {
        let mut token = by_secret("");
        token["issuer"] = issuer;
        signed.with(token);
        let told = signed.hostile.read().exits(3).told();
        assert!(told.contains(says), "{told}");
    }
    assert_eq!(signed.asked("/token").len() + signed.hostile.log().len(), 0);
}

#[test]
fn an_issuers_certificate_is_verified_as_the_servers_is() {
    let signed = Signed::by_secret(&["good", "tls=good"], "");
    signed.hostile.read().exits(50);
    assert_eq!(signed.asked("/token").len(), 0);
    signed.hostile.folder.write("ca.pem", signed.backstage.read("ca.pem"));
    signed.hostile.settings(|server| server["ca"] = json!("ca.pem"));
    signed.hostile.read().exits(0);
}

#[test]
fn an_encrypted_server_leads_to_no_issuer_that_is_not() {
    let signed = Signed::new(&["good"], "", "auto", by_key_alone);
    let here = signed.backstage.path().to_str().unwrap();
    let metadata = format!("metadata={here}/metadata.json");
    let server = Playing::start(&signed.backstage, &["http", "", here, "tls=good", &metadata]);
    signed.publish(&server.url, &signed.issuer.url);
    signed.hostile.folder.write("ca.pem", signed.backstage.read("ca.pem"));
    signed.hostile.settings(|settings| {
        settings["url"] = json!(server.url);
        settings["ca"] = json!("ca.pem");
    });
    let told = signed.hostile.read().exits(51).told();
    assert!(told.contains("is not encrypted, and who names it is"), "{told}");
    assert_eq!(signed.asked("/token").len(), 0);
}

#[test]
fn an_issuer_is_reached_through_the_proxy_which_sees_no_secret() {
    let signed = Signed::by_secret(&["good", "tls=good"], "");
    let folder = &signed.hostile.folder;
    folder.write("ca.pem", signed.backstage.read("ca.pem"));
    signed.hostile.settings(|server| server["ca"] = json!("ca.pem"));
    let proxy = Playing::start(folder, &["proxy", folder.path().to_str().unwrap()]);
    let mut command = folder.command(&["run", "read.yaml"]);
    assert_eq!(command.env("HTTPS_PROXY", &proxy.url).output().unwrap().status.code(), Some(0));
    let asked = folder.read("proxy.log");
    let target = signed.issuer.url.trim_start_matches("https://");
    assert!(asked.starts_with(&format!("CONNECT {target} HTTP/1.1\n")), "{asked}");
    assert!(!asked.to_lowercase().contains("authorization:"), "{asked}");
    signed.nothing_shows(&asked);
}

/// A session of this process, with the client that the issuer knows.
async fn session(signed: &Signed) -> Session {
    let proof = ClientProof::Secret(Secret::new(SECRET).unwrap(), signed.issuer.url.parse().unwrap());
    let client = ClientCredentials::new("pipeline".to_owned(), proof, None);
    let server = HttpServer {
        address: signed.hostile.server.url.parse().unwrap(),
        token: Some(Credential::Client(client)),
        headers: Default::default(),
        authorities: None,
        proxy: None,
        era: Era::Stateless,
    };
    let limits = Limits { call: Duration::from_secs(20), ..Limits::default() };
    Session::connect(Endpoint::Http(server), limits).await.unwrap()
}

async fn looks(session: &Session, times: usize) -> Vec<Seen> {
    let look = ToolCall {
        tool: "look".into(),
        arguments: Map::new(),
        meta: Map::new(),
        headers: Default::default(),
        secrets: Default::default(),
        tenant: None,
        varying: Vec::new(),
    };
    join_all((0..times).map(|_| session.call(&look, Duration::from_secs(20)))).await
}

#[tokio::test]
async fn many_who_wait_for_a_token_wait_for_one_fetch() {
    let signed = Signed::by_secret(&["good", "expires=62"], "");
    let session = session(&signed).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let seen = looks(&session, 16).await;
    assert!(seen.iter().all(|seen| matches!(seen, Seen::Answer(_))), "{seen:?}");
    assert_eq!(signed.asked("/token").len(), 2);
    assert!(signed.shown("tools/call").iter().all(|token| token == "Bearer canary-issued-2"));
    session.close().await;
}

#[tokio::test]
async fn many_who_are_refused_a_token_have_asked_once() {
    let signed = Signed::by_secret(&["good", "expires=30", "grants=1"], "");
    let session = session(&signed).await;
    let seen = looks(&session, 16).await;
    let refused = |seen: &Seen| matches!(seen, Seen::NoToken(why) if why.contains("the client was removed"));
    assert!(seen.iter().all(refused), "{seen:?}");
    assert_eq!(signed.asked("/token").len(), 2);
    assert_eq!(signed.hostile.calls("look"), 0);
    session.close().await;
}
