//! What the MCP library does unless it is told otherwise, and this program does not: one test for each.
//!
//! Those that concern a child process are in `mcp.rs`, those on answers, lists and streams in `bad_days.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use loopgate::core::ToolCall;
use loopgate::core::call::{Seen, Silence};
use loopgate::mcp::{Endpoint, Era, HttpServer, Limits, Session};
use serde_json::{Map, Value, json};

use crate::hostile::{Hostile, Playing};
use crate::killed::has_strace;
use crate::support::Folder;

fn server(url: &str) -> HttpServer {
    HttpServer {
        address: url.parse().unwrap(),
        token: None,
        headers: BTreeMap::new(),
        authorities: None,
        proxy: None,
        era: Era::Stateless,
    }
}

fn look() -> ToolCall {
    ToolCall {
        tool: "look".into(),
        arguments: Map::new(),
        meta: Map::new(),
        headers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        tenant: None,
        varying: Vec::new(),
    }
}

async fn session(url: &str, limits: Limits) -> Session {
    session_of(url, Era::Stateless, limits).await
}

async fn session_of(url: &str, era: Era, limits: Limits) -> Session {
    Session::connect(Endpoint::Http(HttpServer { era, ..server(url) }), limits).await.unwrap()
}

/// Every request that a peer got.
fn log(folder: &Folder) -> Vec<Value> {
    folder.read("log.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A peer over HTTP, with the folder that it writes to.
fn peer(faults: &str) -> (Folder, Playing) {
    let folder = Folder::new();
    let path = folder.path().to_str().unwrap().to_owned();
    let playing = Playing::start(&folder, &["http", faults, &path]);
    (folder, playing)
}

#[test]
fn initialize_offers_the_revision_that_has_it() {
    let hostile = Hostile::new("", "2025-11-25");
    hostile.read().exits(0);
    let log = hostile.log();
    assert_eq!(log[0]["rpc"], "initialize");
    assert_eq!(log[0]["body"]["params"]["protocolVersion"], "2025-11-25");
}

#[test]
fn a_server_of_the_older_era_is_offered_the_revision_that_has_initialize() {
    let hostile = Hostile::new("discover:status=400", "auto");
    hostile.read().exits(0);
    let log = hostile.log();
    let offered = log.iter().find(|request| request["rpc"] == "initialize").unwrap();
    assert_eq!(offered["body"]["params"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn a_stream_that_cannot_be_taken_up_again_is_given_up() {
    let (folder, playing) = peer("look:sse-resume,get:status=503");
    let session = session_of(&playing.url, Era::Sessions, Limits::default()).await;
    let seen = session.call(&look(), Duration::from_secs(120)).await;
    assert!(!matches!(seen, Seen::Answer(_) | Seen::Silence(Silence::TimedOut)), "{seen:?}");
    let tries = log(&folder).iter().filter(|request| !request["headers"]["last-event-id"].is_null()).count();
    assert!((2..=6).contains(&tries), "{tries}");
}

#[tokio::test]
async fn a_server_that_answers_over_streams_is_called_as_often_as_anybody_likes() {
    let (_folder, playing) = peer("look:sse-resume,get:sse-resume");
    let limits = Limits { streams: 5, ..Limits::default() };
    let session = session_of(&playing.url, Era::Sessions, limits).await;
    for _ in 0..20 {
        let seen = session.call(&look(), Duration::from_secs(60)).await;
        assert!(matches!(seen, Seen::Answer(_)), "{seen:?}");
    }
    session.close().await;
}

#[tokio::test]
async fn a_session_that_the_server_does_not_end_is_left() {
    let (folder, playing) = peer("delete:stall=request");
    let session = session_of(&playing.url, Era::Sessions, Limits::default()).await;
    let closed = tokio::time::timeout(Duration::from_secs(60), session.close()).await;
    assert!(closed.is_ok(), "the library's own default waits for ever");
    assert!(log(&folder).iter().any(|request| request["method"] == "DELETE"));
}

#[cfg(target_os = "linux")]
#[test]
fn client_and_served_sandbox_send_without_waiting_for_an_acknowledgement() {
    if !has_strace() {
        return;
    }
    let (folder, served) = crate::http::folder("auto");
    let traced = folder
        .process("strace")
        .args(["-f", "-o", "trace", "-e", "trace=setsockopt", env!("CARGO_BIN_EXE_loopgate")])
        .args(["certify-release", "--release", "REL-READY"])
        .output()
        .unwrap();
    assert_eq!(traced.status.code(), Some(0));
    assert!(folder.read("trace").contains("TCP_NODELAY, [1]"), "{}", folder.read("trace"));
    let mut strace = folder.process("strace");
    strace.args(["-f", "-o", "served", "-e", "trace=setsockopt", "-p", &served.pid().to_string()]);
    let mut strace = strace.stderr(std::process::Stdio::piped()).spawn().unwrap();
    // It says so once it is attached.
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(strace.stderr.take().unwrap()), &mut said)
        .unwrap();
    folder.run(&["certify-release", "--release", "REL-READY"]).exits(0);
    drop(served);
    strace.wait().unwrap();
    assert!(folder.read("served").contains("TCP_NODELAY, [1]"), "{}", folder.read("served"));
}

#[test]
fn an_expired_session_is_not_opened_again_to_send_the_call_twice() {
    for (tool, run) in [("look", Hostile::read as fn(&Hostile) -> _), ("make", Hostile::write)] {
        let hostile = Hostile::new(&format!("{tool}:status=404"), "2025-11-25");
        let ran = run(&hostile).exits(30);
        assert!(ran.told().contains("session may have expired"), "{}", ran.stdout);
        assert_eq!(hostile.calls(tool), 1, "{tool}");
    }
}

#[test]
fn a_refused_token_is_not_renewed_to_send_the_call_twice() {
    let hostile = Hostile::new("make:status=401*1", "auto");
    hostile.write().exits(51);
    assert_eq!(hostile.calls("make"), 1);
}

#[test]
fn no_redirect_is_followed_with_token_and_body() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Hostile::new("", "auto");
        let there = elsewhere.server.url.replace('/', "+").replace(':', ";");
        for (tool, code) in [("look", 30), ("make", 31)] {
            for target in [&there, "+mcp"] {
                let hostile = Hostile::new(&format!("{tool}:status={status}@{target}"), "auto");
                let ran = if tool == "look" { hostile.read() } else { hostile.write() }.exits(code);
                assert!(ran.told().contains("not followed"), "{}", ran.stdout);
                assert_eq!(hostile.calls("make"), usize::from(tool == "make"));
            }
        }
        assert_eq!(elsewhere.log(), Vec::<Value>::new(), "{status}");
    }
}

#[tokio::test]
async fn calls_in_a_row_share_one_connection() {
    let (folder, playing) = peer("");
    let session = session(&playing.url, Limits::default()).await;
    for _ in 0..10 {
        assert!(matches!(session.call(&look(), Duration::from_secs(60)).await, Seen::Answer(_)));
    }
    session.close().await;
    let connections: Vec<Value> = log(&folder).iter().map(|request| request["connection"].clone()).collect();
    assert_eq!(connections.len(), 11);
    assert!(connections.iter().all(|connection| *connection == 1), "{connections:?}");
}

#[tokio::test]
async fn a_connection_that_is_closed_behind_an_answer_costs_no_second_request() {
    let (folder, playing) = peer("look:closes");
    let session = session(&playing.url, Limits::default()).await;
    for _ in 0..10 {
        assert!(matches!(session.call(&look(), Duration::from_secs(60)).await, Seen::Answer(_)));
        // So that the client sees the end before the next call, or in the middle of it.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    session.close().await;
    let calls = log(&folder).iter().filter(|request| request["tool"] == "look").count();
    assert_eq!(calls, 10);
}

#[tokio::test]
async fn as_many_calls_as_the_limit_says_are_under_way_at_once() {
    // More than the sixteen that the library sends; none is answered.
    const AT_ONCE: usize = 40;
    let (folder, playing) = peer("look:stall=request");
    let session = session(&playing.url, Limits { at_once: AT_ONCE, ..Limits::default() }).await;
    let call = look();
    let calls = (0..AT_ONCE).map(|_| session.call(&call, Duration::from_secs(60)));
    let all_came = async {
        while log(&folder).iter().filter(|request| request["tool"] == "look").count() < AT_ONCE {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = futures_util::future::join_all(calls) => panic!("a call that is never answered ended"),
        () = all_came => {}
    }
}

#[tokio::test]
async fn the_list_of_tools_is_asked_for_anew_whatever_the_server_says_of_its_freshness() {
    let (folder, playing) = peer("");
    let session = session(&playing.url, Limits::default()).await;
    session.tools().await.unwrap();
    session.tools().await.unwrap();
    session.close().await;
    assert_eq!(log(&folder).iter().filter(|request| request["rpc"] == "tools/list").count(), 2);
}

#[tokio::test]
async fn an_answer_with_a_number_beyond_64_bits_is_taken_as_it_was_parsed() {
    let (_folder, playing) = peer("look:big-number");
    let session = session(&playing.url, Limits::default()).await;
    let Seen::Answer(answer) = session.call(&look(), Duration::from_secs(60)).await else { panic!() };
    assert_eq!(answer.structured.unwrap()["state"], json!(123_456_789_012_345_678_901_234_567_890_f64));
}

#[test]
fn a_request_carries_the_token_and_the_headers_that_settings_and_profile_want() {
    let hostile = Hostile::new("", "auto");
    hostile.read().exits(0);
    let log = hostile.log();
    for request in &log {
        assert_eq!(request["headers"]["authorization"], "Bearer canary-token-3", "{request}");
        assert_eq!(request["headers"]["x-team"], "payments", "{request}");
    }
    let call = log.iter().find(|request| request["tool"] == "look").unwrap();
    let calls = hostile.folder.json("loopgate-out/run.json")["steps"][0]["calls"].clone();
    assert_eq!(call["headers"]["x-request-id"], calls[0]["request_id"]);
    assert_eq!(call["headers"]["mcp-name"], "look");
    assert_eq!(call["headers"]["mcp-method"], "tools/call");
}

#[test]
fn a_profile_that_sends_headers_does_not_go_with_a_program() {
    let hostile = Hostile::new("", "auto");
    let settings = json!({"server": "p", "servers": {"p": {"command": "true", "profile": "hostile.yaml"}}});
    hostile.folder.write("loopgate.yaml", settings.to_string());
    let ran = hostile.read().exits(3);
    assert!(ran.stderr.contains("sends headers"), "{}", ran.stderr);
}

#[test]
fn a_call_that_is_given_up_is_cancelled() {
    for protocol in ["2025-11-25", "2026-07-28"] {
        let hostile = Hostile::new("look:stall=request", protocol);
        hostile.read().exits(50);
        let log = hostile.log();
        let ended = |request: &&Value| request["ended_by_client"] == true;
        let told = |request: &&Value| request["rpc"] == "notifications/cancelled";
        // To end the request is what cancels it in the newer era.
        let cancelled = if protocol == "2025-11-25" {
            log.iter().filter(told).count()
        } else {
            log.iter().filter(ended).count()
        };
        assert_eq!(cancelled, 2, "{protocol}: {log:?}");
    }
}

#[test]
fn the_systems_certificates_are_trusted() {
    let hostile = Hostile::with("", "auto", &["tls=good"]);
    let mut command = hostile.folder.command(&["run", "read.yaml"]);
    // Where OpenSSL's own programs, and most others, look for the system's.
    let output = command.env("SSL_CERT_FILE", hostile.folder.path().join("ca.pem")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_write_to_whom_nobody_vouches_for_any_more_is_not_sent() {
    let hostile = Hostile::with("", "auto", &["tls=good"]);
    hostile.settings(|server| server["ca"] = json!("ca.pem"));
    let id = hostile.approved();
    let other = Hostile::with("", "auto", &["tls=good"]);
    hostile.folder.write("ca.pem", other.folder.read("ca.pem"));
    hostile.apply(&id).exits(50);
    assert_eq!(hostile.calls("make"), 0);
    assert_eq!(hostile.folder.json("loopgate-out/audit.json")["operations"][0]["attempts"], json!([]));
}

#[test]
fn only_a_certificate_that_verifies_gets_the_token() {
    for (kind, code, words) in [
        ("good", 0, "done"),
        ("expired", 50, "expired"),
        ("wrong-host", 50, "not valid for name"),
        ("unknown", 50, "invalid peer certificate"),
    ] {
        let hostile = Hostile::with("", "auto", &[&format!("tls={kind}")]);
        hostile.settings(|server| server["ca"] = json!("ca.pem"));
        let ran = hostile.read();
        let told = ran.told();
        assert_eq!(ran.code, code, "{kind}: {told}");
        assert!(told.to_lowercase().contains(&words.to_lowercase()), "{kind}: {told}");
        assert_eq!(hostile.log().is_empty(), code != 0, "{kind}");
    }
}

#[test]
fn a_certificate_of_nobody_that_the_system_knows_is_refused() {
    let hostile = Hostile::with("", "auto", &["tls=good"]);
    let ran = hostile.read().exits(50);
    assert!(ran.stdout.contains("UnknownIssuer"), "{}", ran.stdout);
    assert_eq!(hostile.log(), Vec::<Value>::new());
}

#[test]
fn a_proxy_is_asked_to_connect_to_the_configured_server_and_sees_no_token() {
    let hostile = Hostile::with("", "auto", &["tls=good"]);
    hostile.settings(|server| server["ca"] = json!("ca.pem"));
    let here = hostile.folder.path().to_str().unwrap().to_owned();
    let proxy = Playing::start(&hostile.folder, &["proxy", &here]);
    let through = |bypass: &str| {
        let mut command = hostile.folder.command(&["run", "read.yaml"]);
        command.env("HTTPS_PROXY", &proxy.url).env("HTTP_PROXY", &proxy.url).env("NO_PROXY", bypass);
        command.output().unwrap().status.code()
    };
    assert_eq!(through(""), Some(0));
    let target = hostile.server.url.trim_start_matches("https://").trim_end_matches("/mcp").to_owned();
    let asked = hostile.folder.read("proxy.log");
    assert!(!asked.is_empty());
    let requests: Vec<&str> = asked.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(requests.iter().all(|line| *line == format!("CONNECT {target} HTTP/1.1")), "{asked}");
    assert!(!asked.contains("canary") && !asked.to_lowercase().contains("authorization"), "{asked}");
    assert!(hostile.log().iter().all(|request| request["headers"]["proxy-authorization"].is_null()));
    assert_eq!(through("127.0.0.1"), Some(0));
    assert_eq!(hostile.folder.read("proxy.log"), asked, "the bypass was not used");

    let refusing = Playing::start(&hostile.folder, &["proxy", &here, "refuse"]);
    let mut command = hostile.folder.command(&["run", "read.yaml"]);
    let output = command.env("HTTPS_PROXY", &refusing.url).output().unwrap();
    assert_eq!(output.status.code(), Some(50));
}

#[test]
fn what_is_not_encrypted_goes_through_no_proxy() {
    let hostile = Hostile::new("", "auto");
    let here = hostile.folder.path().to_str().unwrap().to_owned();
    let proxy = Playing::start(&hostile.folder, &["proxy", &here]);
    let mut command = hostile.folder.command(&["run", "read.yaml"]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
        command.env(name, &proxy.url);
    }
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    assert!(!hostile.folder.exists("proxy.log"));
}
