//! A door before the sandbox over HTTP, which only who shows a token of `claims.rs` for this door passes, as far as it
//! says what they may and for which tenants: `door FOLDER ADDRESS TOKEN [alters=WHO] [late=MS] [careless] [clock=S]`. The sandbox
//! is at ADDRESS and takes TOKEN. It prints its URL, and ends with its standard input.
//!
//! FOLDER has the issuer's key, and receives `door.jsonl`: who came, for which tool, and what they were told. To WHO the
//! tools look otherwise than to others; a write that is no dry run is answered so late. A careless door lets in whoever has no
//! token that counts; the clock in the answers is so many seconds ahead.

#![expect(clippy::indexing_slicing, reason = "a peer that panics fails the test that started it")]

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::claims::checked;
use crate::http::Request;
use crate::http_fault::Reply;

struct Door {
    folder: PathBuf,
    url: String,
    sandbox: String,
    token: String,
    alters: Option<String>,
    late: Duration,
    careless: bool,
    clock: i64,
    log: Mutex<()>,
}

/// Plays `door`.
pub fn play(mode: &str, arguments: &[String]) -> Option<ExitCode> {
    if mode != "door" {
        return None;
    }
    let [folder, sandbox, token, rest @ ..] = arguments else { return Some(ExitCode::from(64)) };
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return Some(ExitCode::from(65)) };
    let Ok(address) = listener.local_addr() else { return Some(ExitCode::from(65)) };
    let late = rest.iter().find_map(|option| option.strip_prefix("late="));
    let door = Arc::new(Door {
        folder: folder.into(),
        url: format!("http://{address}/mcp"),
        sandbox: sandbox.clone(),
        token: token.clone(),
        alters: rest.iter().find_map(|option| option.strip_prefix("alters=")).map(str::to_owned),
        late: Duration::from_millis(late.and_then(|late| late.parse().ok()).unwrap_or_default()),
        careless: rest.iter().any(|option| option == "careless"),
        clock: rest
            .iter()
            .find_map(|option| option.strip_prefix("clock="))
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or_default(),
        log: Mutex::default(),
    });
    let _ = writeln!(std::io::stdout(), "{}", door.url).and_then(|()| std::io::stdout().flush());
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let door = Arc::clone(&door);
            thread::spawn(move || door.converse(stream));
        }
    });
    // Ends with whoever holds the other end.
    let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    Some(ExitCode::SUCCESS)
}

impl Door {
    fn converse(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream) {
            let mut claims = checked(&self.folder, request.header("authorization"), &self.url);
            if self.careless && claims.is_err() {
                claims = Ok(json!({"sub": "anybody", "may": ["read"], "org_id": "acme"}));
            }
            let who = claims.as_ref().map(|claims| claims["sub"].clone()).unwrap_or_default();
            let passed = match claims {
                Err(why) => Err((401, why)),
                Ok(claims) => allowed(&request, &claims).map_err(|why| (403, why)),
            };
            let told = passed.err().map(|(status, _)| status);
            self.note(&json!({
                "who": who, "rpc": request.body["method"], "tool": request.body["params"]["name"],
                "dry": request.body["params"]["arguments"]["dryRun"], "refused": told,
            }));
            match passed {
                // The older era's stream of its own, which nobody needs here.
                Ok(()) if request.method == "GET" => {
                    if !Reply::status(405).send(stream.get_mut()) {
                        return;
                    }
                }
                Ok(()) => {
                    let mut answer = self.asked(&request).unwrap_or_default();
                    if needed(&request) == "write" {
                        thread::sleep(self.late);
                    }
                    if self.alters.as_deref().is_some_and(|altered| who == altered) {
                        answer = altered(answer);
                    }
                    let _ = stream.get_mut().write_all(&dated(answer, self.clock));
                    return;
                }
                Err((status, why)) => {
                    let error =
                        json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32001, "message": why}});
                    let mut reply = Reply::json(&error);
                    reply.status = status;
                    if !reply.send(stream.get_mut()) {
                        return;
                    }
                }
            }
        }
    }

    fn note(&self, line: &Value) {
        let _one_at_a_time = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("door.jsonl"));
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }

    /// What the sandbox answers.
    fn asked(&self, request: &Request) -> Option<Vec<u8>> {
        const OWN: [&str; 4] = ["authorization", "host", "connection", "content-length"];
        let mut there = TcpStream::connect(&self.sandbox).ok()?;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            request.method,
            request.path,
            self.sandbox,
            self.token,
            request.raw.len()
        );
        for (name, value) in request.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        there.write_all(&[head.as_bytes(), b"\r\n", &request.raw].concat()).ok()?;
        let mut answer = Vec::new();
        there.read_to_end(&mut answer).ok()?;
        Some(answer)
    }
}

/// What it takes for that request.
fn needed(request: &Request) -> &'static str {
    let parameters = &request.body["params"];
    let is_write = parameters["name"].as_str().is_some_and(|tool| tool.starts_with("loopiq_create"));
    match (is_write, &parameters["arguments"]["dryRun"]) {
        (false, _) => "read",
        (true, Value::Bool(true)) => "dry_run",
        (true, _) => "write",
    }
}

/// Whether that request is one of those that the claims allow.
fn allowed(request: &Request, claims: &Value) -> Result<(), &'static str> {
    let parameters = &request.body["params"];
    let held = |list: &Value, item: &str| match list {
        Value::Array(items) => items.iter().any(|one| one == item),
        other => other == item,
    };
    if !held(&claims["may"], needed(request)) {
        return Err("the token is for something else");
    }
    match parameters["_meta"]["loopiq/tenant"].as_str() {
        Some(tenant) if !held(&claims["org_id"], tenant) => Err("the token is for another tenant"),
        _ => Ok(()),
    }
}

/// The same length, and another time of day.
fn dated(answer: Vec<u8>, ahead: i64) -> Vec<u8> {
    const HEADER: &[u8] = b"\r\ndate: ";
    let found = answer.windows(HEADER.len()).position(|window| window.eq_ignore_ascii_case(HEADER));
    let Some(start) = found.map(|at| at + HEADER.len()).filter(|_| ahead != 0) else { return answer };
    let then = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead);
    let date =
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&then).unwrap_or_default();
    let end = start + date.len();
    [&answer[..start], date.as_bytes(), answer.get(end..).unwrap_or_default()].concat()
}

/// The same length, and other schemas.
fn altered(answer: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&answer);
    text.replace("\"type\":\"boolean\"", "\"type\":\"integer\"").into_bytes()
}
