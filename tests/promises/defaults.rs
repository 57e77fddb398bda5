//! What the MCP library does unless it is told otherwise, and this program does not: one test for each.
//!
//! Those that concern a child process are in `mcp.rs`, those on answers, lists and streams in `bad_days.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use loopgate::core::ToolCall;
use loopgate::core::call::Seen;
use loopgate::mcp::{Endpoint, Era, HttpServer, Limits, Session};
use serde_json::{Map, Value, json};

use crate::hostile::{Hostile, Playing};
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
    ToolCall { tool: "look".into(), arguments: Map::new(), meta: Map::new(), headers: BTreeMap::new() }
}

async fn session(url: &str, limits: Limits) -> Session {
    Session::connect(Endpoint::Http(server(url)), limits).await.unwrap()
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
    let hostile = Hostile::new("look:stall=request", "2025-11-25");
    hostile.read().exits(50);
    let cancelled: Vec<Value> =
        hostile.log().into_iter().filter(|request| request["rpc"] == "notifications/cancelled").collect();
    assert_eq!(cancelled.len(), 2);
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
    assert!(asked.lines().all(|line| line == format!("CONNECT {target} HTTP/1.1")), "{asked}");
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
