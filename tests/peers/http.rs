//! A server over streamable HTTP that misbehaves: `http FAULTS FOLDER [tls=KIND] [takes=FILE] [metadata=FILE]`. It speaks both eras by hand, on a
//! free port of this machine, prints its URL, and ends with its standard input.
//!
//! FAULTS are separated by commas, each `ON:WHAT` or `ON:WHAT*TIMES`. ON is the tool `look` (a read) or `make` (a
//! write), a method (`list`, `discover`, `initialize`, `task`), `get`, `delete`, or `any`; WHAT is in
//! `http_fault.rs`. FOLDER receives `log.jsonl`, one line for each request, and `ca.pem`. With `takes` only who shows
//! a token that is good by that file (`issuer.rs` writes it) comes in; `metadata` are what it publishes of itself.

#![expect(clippy::indexing_slicing, reason = "a peer that panics fails the test that started it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

use crate::http_fault::{Fault, Reply};
use crate::{http_tls, issuer};

/// It hangs up on a longer request in the middle of it.
const LARGEST: usize = 200_000;

/// Plays `http`.
pub fn play(mode: &str, arguments: &[String]) -> Option<ExitCode> {
    if mode != "http" {
        return None;
    }
    let [faults, folder, rest @ ..] = arguments else { return Some(ExitCode::from(64)) };
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return Some(ExitCode::from(65)) };
    let Ok(address) = listener.local_addr() else { return Some(ExitCode::from(65)) };
    let tls = rest.iter().find_map(|option| option.strip_prefix("tls="));
    // A certificate nobody ever sees, because the connection ends in the middle of the handshake.
    let hangs_up = tls == Some("cut");
    let tls = tls.map(|kind| http_tls::server(kind, &PathBuf::from(folder)));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let _ = writeln!(std::io::stdout(), "{scheme}://{address}/mcp").and_then(|()| std::io::stdout().flush());
    let option = |name: &str| rest.iter().find_map(|option| option.strip_prefix(name)).map(PathBuf::from);
    let server = Arc::new(Server {
        takes: option("takes="),
        metadata: option("metadata="),
        faults: faults
            .split(',')
            .filter_map(Fault::parse)
            .map(|fault| (fault, AtomicUsize::new(0)))
            .collect(),
        log: Mutex::new(PathBuf::from(folder).join("log.jsonl")),
        connections: AtomicUsize::new(0),
    });
    thread::spawn(move || {
        if server.faults.iter().any(|(fault, _)| fault.what == "never-accepts") {
            thread::park();
        }
        for stream in listener.incoming().filter_map(Result::ok) {
            if hangs_up {
                let _ = (&stream).read(&mut [0; 16]);
                continue;
            }
            let (server, tls) = (Arc::clone(&server), tls.clone());
            thread::spawn(move || {
                let _ = stream.set_nodelay(true);
                match tls {
                    Some(config) => {
                        if let Ok(connection) = rustls::ServerConnection::new(config) {
                            server.converse(rustls::StreamOwned::new(connection, stream));
                        }
                    }
                    None => server.converse(stream),
                }
            });
        }
    });
    // Ends with whoever holds the other end.
    let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    Some(ExitCode::SUCCESS)
}

struct Server {
    /// Each with how often it has struck.
    faults: Vec<(Fault, AtomicUsize)>,
    log: Mutex<PathBuf>,
    connections: AtomicUsize,
    /// The tokens that it takes.
    takes: Option<PathBuf>,
    metadata: Option<PathBuf>,
}

/// A request as it came.
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
    /// The body as it came.
    pub raw: Vec<u8>,
}

impl Request {
    /// Reads one; `None` where the client is gone.
    pub fn read(stream: &mut impl BufRead) -> Option<Self> {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { method, path, headers, body: Value::Null, raw: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if length > LARGEST {
            stream.read_exact(&mut [0; 1000]).ok()?;
            return None;
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        request.body = serde_json::from_slice(&body).unwrap_or_default();
        request.raw = body;
        Some(request)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The words by which a fault names it.
    fn names(&self) -> Vec<String> {
        let rpc = self.body.get("method").and_then(Value::as_str).unwrap_or_default();
        let tool = self.body.pointer("/params/name").and_then(Value::as_str).unwrap_or_default();
        let method = match rpc {
            "tools/list" => "list",
            "server/discover" => "discover",
            "tasks/get" => "task",
            other => other,
        };
        vec![self.method.to_lowercase(), method.to_owned(), tool.to_owned(), "any".to_owned()]
    }

    fn is_modern(&self) -> bool {
        self.header("mcp-protocol-version") == Some("2026-07-28")
    }
}

impl Server {
    fn converse<S: Read + Write>(&self, stream: S) {
        let number = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream) {
            self.note(number, &request);
            let names = request.names();
            let fault = self.faults.iter().find(|(fault, struck)| {
                names.contains(&fault.on) && struck.fetch_add(1, Ordering::SeqCst) < fault.times
            });
            let reply = self.usual(&request);
            let goes_on = match fault {
                Some((fault, struck)) => {
                    fault.play(&request, reply, struck.load(Ordering::SeqCst), stream.get_mut())
                }
                None => reply.send(stream.get_mut()),
            };
            if !goes_on {
                if fault.is_some_and(|(fault, _)| fault.what == "stall") {
                    let _ = std::io::copy(&mut stream, &mut std::io::sink());
                    self.write(&json!({"connection": number, "ended_by_client": true}));
                }
                return;
            }
        }
    }

    fn note(&self, connection: usize, request: &Request) {
        let headers: serde_json::Map<String, Value> =
            request.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let line = json!({
            "connection": connection, "method": request.method, "path": request.path, "rpc": request.body["method"],
            "tool": request.body.pointer("/params/name"), "headers": headers, "body": request.body,
        });
        self.write(&line);
    }

    fn write(&self, line: &Value) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&*log);
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }

    fn published(&self, path: &str) -> Option<Reply> {
        let metadata = std::fs::read(self.metadata.as_ref()?).ok()?;
        let metadata = serde_json::from_slice(&metadata).ok()?;
        (path == "/.well-known/oauth-protected-resource/mcp").then(|| Reply::json(&metadata))
    }

    /// What a server that behaves would answer.
    fn usual(&self, request: &Request) -> Reply {
        if request.path.starts_with("/.well-known/") {
            return self.published(&request.path).unwrap_or_else(|| Reply::status(404));
        }
        if self.takes.as_ref().is_some_and(|file| !issuer::is_good(file, request.header("authorization"))) {
            return Reply::status(401).with("www-authenticate", "Bearer error=\"invalid_token\"");
        }
        let id = &request.body["id"];
        let result = |result: Value| Reply::json(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
        let complete = |mut value: Value| {
            if request.is_modern() {
                value["resultType"] = json!("complete");
            }
            result(value)
        };
        let era = json!({"name": "peer", "version": "1"});
        match (request.method.as_str(), request.body["method"].as_str().unwrap_or_default()) {
            ("GET", _) => Reply::status(405),
            ("DELETE", _) => Reply::status(200),
            (_, "initialize") => result(json!({
                "protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": era,
            }))
            .with("mcp-session-id", "session-1"),
            (_, "server/discover") => complete(json!({
                "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                "ttlMs": 3_600_000, "cacheScope": "private",
                "_meta": {"io.modelcontextprotocol/serverInfo": era},
            })),
            (_, "tools/list") => complete(json!({
                "tools": [tool("look", true), tool("make", false)], "ttlMs": 3_600_000, "cacheScope": "private",
            })),
            (_, "tools/call") => complete(json!({
                "content": [{"type": "text", "text": "done"}], "structuredContent": {"id": "R-1", "state": "good"},
            })),
            (_, method) if method.starts_with("notifications/") => Reply::status(202),
            _ => Reply::json(
                &json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "unknown"}}),
            ),
        }
    }
}

pub fn tool(name: &str, read_only: bool) -> Value {
    json!({
        "name": name, "annotations": {"readOnlyHint": read_only},
        "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}},
    })
}

/// A proxy that tunnels by CONNECT: `proxy FOLDER [refuse]`. FOLDER receives `proxy.log`, the head of each request.
pub fn play_proxy(mode: &str, arguments: &[String]) -> Option<ExitCode> {
    if mode != "proxy" {
        return None;
    }
    let [folder, rest @ ..] = arguments else { return Some(ExitCode::from(64)) };
    let (log, refuses) = (PathBuf::from(folder).join("proxy.log"), !rest.is_empty());
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return Some(ExitCode::from(65)) };
    let Ok(address) = listener.local_addr() else { return Some(ExitCode::from(65)) };
    let _ = writeln!(std::io::stdout(), "http://{address}").and_then(|()| std::io::stdout().flush());
    thread::spawn(move || {
        for here in listener.incoming().filter_map(Result::ok) {
            let log = log.clone();
            thread::spawn(move || tunnel(here, &log, refuses));
        }
    });
    let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    Some(ExitCode::SUCCESS)
}

fn tunnel(here: TcpStream, log: &PathBuf, refuses: bool) -> Option<()> {
    let mut head = BufReader::new(here.try_clone().ok()?);
    let mut asked = String::new();
    head.read_line(&mut asked).ok()?;
    let (mut line, mut whole) = (String::new(), format!("{}\n", asked.trim()));
    while head.read_line(&mut line).ok()? > 2 {
        whole.push_str(&format!("  {}\n", line.trim()));
        line.clear();
    }
    let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
    let _ = file.and_then(|mut file| file.write_all(whole.as_bytes()));
    let mut here = here;
    let target = asked.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let Some(target) = target.filter(|target| !refuses && target.starts_with("127.0.0.1:")) else {
        return here
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            .ok();
    };
    let mut there = TcpStream::connect(target).ok()?;
    here.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
    let (mut back, mut from) = (here.try_clone().ok()?, there.try_clone().ok()?);
    thread::spawn(move || std::io::copy(&mut from, &mut back));
    std::io::copy(&mut here, &mut there).ok().map(drop)
}
