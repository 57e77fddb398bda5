//! `loopgate mcp` before the official conformance suite's server side, at both revisions of the protocol.
//!
//! The suite asks over HTTP, and this server speaks over standard input and output: a carrier stands between them that
//! knows nothing of MCP but which answer has which ID. So what the suite checks of HTTP itself (headers, statuses,
//! sessions, streams) would be about the carrier, and is left out. So is what wants tools, prompts or resources of given
//! names, as of the suite's own example server, and what is not offered here: completion, logging, subscriptions,
//! sampling, elicitation, tasks.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::conformance::Suite;
use crate::support::Folder;

const SESSIONS: [&str; 5] = ["server-initialize", "ping", "tools-list", "resources-list", "prompts-list"];
const STATELESS: [&str; 5] =
    ["tools-list", "resources-list", "prompts-list", "sep-2164-resource-not-found", "caching"];

type Waiting = Arc<Mutex<HashMap<String, Sender<String>>>>;

/// Carries requests over HTTP to a server's standard input, and its answers back.
struct Carrier {
    child: Child,
    address: SocketAddr,
}

impl Carrier {
    fn start(folder: &Folder) -> Self {
        let mut process = folder.process(env!("CARGO_BIN_EXE_loopgate"));
        process.args(["mcp", "--server", "sandbox", "--tenant", "acme"]);
        let process = process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = process.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let waiting = Waiting::default();
        let answers = Arc::clone(&waiting);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let message: Value = serde_json::from_str(&line).unwrap();
                if let Some(asker) =
                    message.get("id").and_then(|id| answers.lock().unwrap().remove(&id.to_string()))
                {
                    let _ = asker.send(line);
                }
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stdin = Arc::new(Mutex::new(stdin));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (stdin, waiting) = (Arc::clone(&stdin), Arc::clone(&waiting));
                thread::spawn(move || {
                    let body = read(&stream)?;
                    let message: Value = serde_json::from_slice(&body).ok()?;
                    let answer = message.get("id").map(|id| {
                        let (tell, told) = channel();
                        waiting.lock().unwrap().insert(id.to_string(), tell);
                        told
                    });
                    writeln!(stdin.lock().unwrap(), "{message}").ok()?;
                    let said = match answer {
                        None => "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                            .to_owned(),
                        Some(answer) => {
                            let line = answer.recv_timeout(Duration::from_secs(60)).ok()?;
                            let length = line.len();
                            format!(
                                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{line}"
                            )
                        }
                    };
                    (&stream).write_all(said.as_bytes()).ok()
                });
            }
        });
        Self { child, address }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of a POST; anything else is not allowed.
fn read(stream: &TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length, mut is_post) = (String::new(), 0, None);
    while reader.read_line(&mut line).ok()? > 2 {
        is_post.get_or_insert(line.starts_with("POST "));
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        line.clear();
    }
    if is_post != Some(true) {
        let refused = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let mut stream = stream;
        stream.write_all(refused).ok()?;
        return None;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn passes(revision: &str, scenarios: &[&str]) {
    let Some(suite) = Suite::find() else { return };
    for scenario in scenarios {
        let folder = Folder::new();
        let carrier = Carrier::start(&folder);
        let url = format!("http://{}/mcp", carrier.address);
        let ran = suite
            .run(&folder, &["server", "--url", &url, "--scenario", scenario, "--spec-version", revision]);
        let told = ran.told();
        assert_eq!(ran.code, 0, "{revision} {scenario}: {told}");
        let counted =
            told.split("Passed: ").nth(1).unwrap_or_else(|| panic!("{scenario} has checked nothing: {told}"));
        assert!(!counted.starts_with('0'), "{revision} {scenario}: {told}");
        assert!(counted.contains(" 0 failed, 0 warnings"), "{revision} {scenario}: {told}");
    }
}

#[test]
fn what_applies_of_the_official_server_suite_passes_at_2025_11_25() {
    passes("2025-11-25", &SESSIONS);
}

#[test]
fn what_applies_of_the_official_server_suite_passes_at_2026_07_28() {
    passes("2026-07-28", &STATELESS);
}
