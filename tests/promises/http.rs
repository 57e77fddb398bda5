//! The sandbox over HTTP: who comes in, and the whole way from plan to audit, in both eras of the protocol.

use crate::governed::{ARTIFACT, approve, held};
use crate::served::{Served, TOKEN};
use crate::support::Folder;

const PROTOCOLS: [&str; 3] = ["auto", "2025-11-25", "2026-07-28"];

/// A folder with settings for a sandbox that serves its `served.db`.
pub fn folder(protocol: &str) -> (Folder, Served) {
    let folder = Folder::new();
    let served = Served::start(&folder, "served.db");
    folder.write("token", format!("{TOKEN}\n"));
    folder.write("loopgate.yaml", Served::settings(served.address, protocol).to_string());
    (folder, served)
}

#[test]
fn the_shipped_recipes_end_over_http_as_they_do_elsewhere() {
    for protocol in PROTOCOLS {
        let (folder, _served) = folder(protocol);
        for (recipe, release, code) in [
            ("certify-release", "REL-READY", 0),
            ("certify-release", "REL-BLOCKED", 4),
            ("evidence-graph", "REL-BLOCKED", 0),
            ("remediation-plan", "REL-BLOCKED", 0),
            ("remediation-plan", "REL-EMPTY", 5),
        ] {
            folder.run(&[recipe, "--release", release]).exits(code);
            let run = folder.json("loopgate-out/run.json");
            let spoken = if protocol == "2025-11-25" { "2025-11-25" } else { "2026-07-28" };
            assert_eq!(run["target"]["protocol"], spoken, "{protocol}");
        }
    }
}

#[test]
fn a_plan_is_approved_applied_and_accounted_for_over_http() {
    for protocol in PROTOCOLS {
        let (folder, served) = folder(protocol);
        folder.run(&["remediation-plan", "--release", "REL-BLOCKED"]).exits(0);
        let url = format!("http://{}/mcp", served.address);
        assert_eq!(folder.json(ARTIFACT)["target"]["server"]["identity"], url.as_str());
        let before = held(&folder.path().join("served.db"));
        let id = approve(&folder, ARTIFACT, "alice");
        for _ in 0..2 {
            folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
        }
        let after = held(&folder.path().join("served.db"));
        assert_eq!(after.stories.len(), before.stories.len() + 1, "{protocol}");
        folder.run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
        for file in ["loopgate-out/audit.json", "loopgate-out/run.json", ARTIFACT, "ledger.db"] {
            let bytes = fs_err::read(folder.path().join(file)).unwrap();
            let found = bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
            assert!(!found, "`{file}` holds the token");
        }
    }
}

#[test]
fn an_artifact_for_one_url_is_not_applied_at_another() {
    let (folder, _served) = folder("auto");
    folder.run(&["remediation-plan", "--release", "REL-BLOCKED"]).exits(0);
    let id = approve(&folder, ARTIFACT, "alice");
    let other = Served::start(&folder, "other.db");
    folder.write("loopgate.yaml", Served::settings(other.address, "auto").to_string());
    let before = held(&folder.path().join("other.db"));
    folder.run(&["apply", ARTIFACT, "--approval-id", &id, "--server", "served"]).exits(21);
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(3);
    assert_eq!(held(&folder.path().join("other.db")), before);
}

#[test]
fn a_wrong_token_is_a_refused_sign_in_and_is_not_shown() {
    let (folder, _served) = folder("auto");
    folder.write("token", "canary-token-2");
    let ran = folder.run(&["certify-release", "--release", "REL-READY"]).exits(51);
    assert!(ran.stdout.contains("HTTP status 401"), "{}", ran.stdout);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("canary"));
}

#[test]
fn only_who_shows_the_token_to_this_machine_comes_in() {
    let (_folder, served) = folder("auto");
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let request = |head: &str, path: &str| {
        served.said(&format!(
            "POST {path} HTTP/1.1\r\n{head}Connection: close\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{ping}",
            ping.len()
        ))
    };
    let host = format!("Host: {}\r\n", served.address);
    let shown = format!("Authorization: Bearer {TOKEN}\r\n");
    for (head, path, answer) in [
        (host.clone(), "/mcp", "401"),
        (format!("{host}Authorization: Bearer {TOKEN}x\r\n"), "/mcp", "401"),
        (format!("{host}Authorization: bearer {TOKEN}\r\n"), "/mcp", "401"),
        (format!("{host}{shown}"), "/other", "404"),
        (format!("Host: evil.example\r\n{shown}"), "/mcp", "403"),
        (format!("{host}{shown}Origin: https://evil.example\r\n"), "/mcp", "403"),
    ] {
        let said = request(&head, path);
        assert!(said.starts_with(&format!("HTTP/1.1 {answer}")), "{head}{path}: {said}");
    }
    let large = format!(
        "POST /mcp HTTP/1.1\r\n{host}{shown}Connection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: 17000000\r\n\r\n{}",
        " ".repeat(17_000_000)
    );
    let said = served.said(&large);
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
}

#[test]
fn a_served_sandbox_wants_a_token_and_this_machine() {
    let folder = Folder::new();
    let serve = |address: &str, token: Option<&str>| {
        let mut command = folder.command(&["sandbox", "serve", "--http", address, "--database", "memory"]);
        if let Some(token) = token {
            command.env("LOOPGATE_SANDBOX_TOKEN", token);
        }
        command.output().unwrap()
    };
    for (address, token, code) in [
        ("0.0.0.0:0", Some("t"), 2),
        ("192.0.2.1:80", Some("t"), 2),
        ("localhost:80", Some("t"), 2),
        ("127.0.0.1:0", None, 3),
        ("127.0.0.1:0", Some(""), 3),
        ("127.0.0.1:0", Some("two words"), 3),
    ] {
        let output = serve(address, token);
        assert_eq!(output.status.code(), Some(code), "{address} {token:?}");
        assert!(output.stdout.is_empty());
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output = serve(&taken.local_addr().unwrap().to_string(), Some("t"));
    assert_eq!(output.status.code(), Some(3));
}

#[cfg(unix)]
#[test]
fn a_served_sandbox_ends_when_it_is_told_to() {
    let (_folder, served) = folder("auto");
    let held_open = std::net::TcpStream::connect(served.address).unwrap();
    std::process::Command::new("kill").args(["-TERM", &served.pid().to_string()]).status().unwrap();
    assert_eq!(served.ended(), Some(143));
    drop(held_open);
}
