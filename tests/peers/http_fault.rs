//! What the server over HTTP does instead of answering.

#![expect(clippy::indexing_slicing, reason = "a peer that panics fails the test that started it")]

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{Request, tool};

/// More than any limit.
const HUGE: usize = 200 << 20;

/// One thing that goes wrong.
pub struct Fault {
    /// The request that it befalls.
    pub on: String,
    pub what: String,
    value: String,
    /// How often.
    pub times: usize,
}

/// An HTTP reply.
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn json(value: &Value) -> Self {
        Self::of("application/json", value.to_string())
    }

    pub fn of(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200).with("content-type", kind) }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn head(&self, length: Option<usize>) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} As-Wanted\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(length) = length {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        format!("{head}\r\n").into_bytes()
    }

    /// Whether the connection goes on.
    pub fn send(&self, stream: &mut impl Write) -> bool {
        let whole = [self.head(Some(self.body.len())), self.body.clone()].concat();
        stream.write_all(&whole).and_then(|()| stream.flush()).is_ok()
    }
}

impl Fault {
    pub fn parse(text: &str) -> Option<Self> {
        let (on, what) = text.split_once(':')?;
        let (what, times) = what.split_once('*').unwrap_or((what, "1000000"));
        let (what, value) = what.split_once('=').unwrap_or((what, ""));
        Some(Self { on: on.into(), what: what.into(), value: value.into(), times: times.parse().ok()? })
    }

    /// Plays it where `usual` would be the answer; `struck` counts from 1. Whether the connection goes on.
    pub fn play(&self, request: &Request, usual: Reply, struck: usize, stream: &mut impl Write) -> bool {
        let id = &request.body["id"];
        let result = |result: Value| Reply::json(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
        let body = String::from_utf8_lossy(&usual.body).into_owned();
        match self.what.as_str() {
            "status" => self.status(stream),
            "stall" | "cut" => self.half_way(&usual, stream),
            "drip" => drip(&usual, stream),
            "huge" => huge(&usual, self.value == "length", stream),
            "closes" => {
                usual.send(stream);
                false
            }
            "late" => {
                sleep(Duration::from_millis(self.value.parse().unwrap_or(0)));
                usual.send(stream)
            }
            // Points a stranger to the server's own metadata, or elsewhere.
            "challenge" => {
                let host = request.header("host").unwrap_or_default();
                let place = match self.value.as_str() {
                    "" => format!("http://{host}/.well-known/oauth-protected-resource/mcp"),
                    place => place.replace(';', ":").replace('+', "/"),
                };
                let challenge = format!("Bearer error=\"invalid_token\", resource_metadata=\"{place}\"");
                Reply::status(401).with("www-authenticate", &challenge).send(stream)
            }
            "html" => Reply::of("text/html", "<html><title>Please sign in</title></html>").send(stream),
            "type" => Reply::of(&self.value.replace('+', "/"), body).send(stream),
            "untyped" => Reply { body: body.into_bytes(), ..Reply::status(200) }.send(stream),
            "empty" => Reply::of("application/json", "").send(stream),
            "short" => {
                // Promises more than it gives.
                let head = usual.head(Some(usual.body.len() + 10));
                let _ = stream.write_all(&[head, usual.body].concat()).and_then(|()| stream.flush());
                false
            }
            "cut-json" => Reply::of("application/json", body.get(..body.len() / 2).unwrap_or_default()).send(stream),
            "not-utf8" => Reply::of("application/json", [usual.body, vec![0xff]].concat()).send(stream),
            "wrong-id" => Reply::json(&json!({"jsonrpc": "2.0", "id": 4242, "result": {}})).send(stream),
            "string-id" => Reply::of("application/json", body.replace(&format!("\"id\":{id}"), &format!("\"id\":\"{id}\"")))
                .send(stream),
            "no-id" => Reply::json(&json!({"jsonrpc": "2.0", "error": {"code": -32000, "message": "whose?"}})).send(stream),
            "both" => {
                let mut both: Value = serde_json::from_str(&body).unwrap_or_default();
                both["error"] = json!({"code": -32602, "message": "no"});
                Reply::json(&both).send(stream)
            }
            "no-items" => Reply::of("application/json", body.replace("\"id\":\"R-1\"", "\"items\":[]")).send(stream),
            "null" => result(Value::Null).send(stream),
            "twice" => Reply::of("application/json", body.replacen('{', "{\"id\":77,", 1)).send(stream),
            "batch" => Reply::of("application/json", format!("[{body}]")).send(stream),
            "rpc" => {
                let (code, status) = self.value.split_once('@').unwrap_or((&self.value, "200"));
                let error = json!({"code": code.parse::<i64>().unwrap_or(-1), "message": "as wanted"});
                let reply = Reply::json(&json!({"jsonrpc": "2.0", "id": id, "error": error}));
                Reply { status: status.parse().unwrap_or(599), ..reply }.send(stream)
            }
            "echo" => {
                let said = request.header("authorization").unwrap_or_default();
                match self.value.as_str() {
                    "error" => {
                        let error = json!({"code": -32000, "message": format!("who is {said}?")});
                        Reply::json(&json!({"jsonrpc": "2.0", "id": id, "error": error})).send(stream)
                    }
                    "answer" => Reply::of("application/json", body.replace("\"good\"", &format!("\"{said}\""))).send(stream),
                    "header" => Reply::status(401).with("www-authenticate", said).send(stream),
                    _ => Reply { status: 500, ..Reply::of("text/plain", said) }.send(stream),
                }
            }
            "odd" => result(json!({"resultType": "later", "content": [{"type": "hologram"}]})).send(stream),
            "hologram" => result(json!({
                "resultType": "complete", "content": [{"type": "hologram"}], "structuredContent": {"id": "R-1", "state": "good"},
            }))
            .send(stream),
            "big-number" => {
                Reply::of("application/json", body.replace("\"good\"", "123456789012345678901234567890")).send(stream)
            }
            "input" => result(json!({"resultType": "input_required", "requestState": "s", "inputRequests": {
                "who": {"method": "elicitation/create", "params": {"message": "who?", "requestedSchema": {"type": "object", "properties": {}}}},
            }}))
            .send(stream),
            "task" => result(json!({
                "resultType": "task", "taskId": "task-1", "status": "working", "createdAt": "2026-01-01T00:00:00Z",
                "lastUpdatedAt": "2026-01-01T00:00:00Z", "ttlMs": 60_000, "pollIntervalMs": 50,
            }))
            .send(stream),
            "polled" => self.polled(id, struck).send(stream),
            "pages" => result(self.page(struck)).send(stream),
            what if what.starts_with("sse") => self.events(request, &body, stream),
            _ => Reply::status(599).send(stream),
        }
    }

    /// `status=CODE` or `status=CODE/RETRY-AFTER` or `status=CODE@LOCATION`.
    fn status(&self, stream: &mut impl Write) -> bool {
        let (status, after) = self.value.split_once('/').unwrap_or((&self.value, ""));
        let (status, location) = status.split_once('@').unwrap_or((status, ""));
        let words = format!("<h1>status {status}</h1>");
        let mut reply = Reply { status: status.parse().unwrap_or(599), ..Reply::of("text/html", words) };
        if !location.is_empty() {
            reply = reply.with("location", &location.replace('+', "/").replace(';', ":"));
        } else if !after.is_empty() {
            reply = reply.with("retry-after", after);
        }
        reply.send(stream)
    }

    /// `cut=WHERE` ends the connection there, `stall=WHERE` sends nothing more and waits for the client to end it: `request` (it was read), `head`,
    /// `half` of the body.
    fn half_way(&self, usual: &Reply, stream: &mut impl Write) -> bool {
        let head = usual.head(Some(usual.body.len()));
        let sent = match self.value.as_str() {
            "request" => Vec::new(),
            "status-line" => head.get(..12).unwrap_or_default().to_vec(),
            "head" => head,
            _ => [head.as_slice(), usual.body.get(..usual.body.len() / 2).unwrap_or_default()].concat(),
        };
        let _ = stream.write_all(&sent).and_then(|()| stream.flush());
        false
    }

    /// The task has ended after two polls, as the value says.
    fn polled(&self, id: &Value, struck: usize) -> Reply {
        let mut task = json!({
            "resultType": "complete", "taskId": "task-1", "status": "working", "createdAt": "2026-01-01T00:00:00Z",
            "lastUpdatedAt": "2026-01-01T00:00:00Z", "ttlMs": 60_000, "pollIntervalMs": 50,
        });
        if self.value == "other" {
            task["taskId"] = json!("task-2");
        }
        if struck > 2 && self.value != "never" {
            task["status"] = json!(self.value);
            task["result"] = json!({"content": [], "structuredContent": {"id": "R-1", "state": "good"}});
            task["error"] = json!({"code": -32000, "message": "the task broke"});
            task["inputRequests"] = json!({});
        }
        Reply::json(&json!({"jsonrpc": "2.0", "id": id, "result": task}))
    }

    /// A list of tools on pages that do not fit together.
    fn page(&self, number: usize) -> Value {
        let common = |tools: Value, next: Option<String>| {
            let mut page =
                json!({"resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private"});
            if let Some(next) = next {
                page["nextCursor"] = json!(next);
            }
            page
        };
        let both = json!([tool("look", true), tool("make", false)]);
        match (self.value.as_str(), number) {
            ("again", _) => common(json!([tool(&format!("t{number}"), true)]), Some("same".into())),
            ("endless", _) => common(json!([tool(&format!("t{number}"), true)]), Some(format!("c{number}"))),
            // While it is listed, a read becomes another tool of the same name.
            ("changes", 1) => common(both, Some("next".into())),
            ("changes", _) => common(json!([tool("look", false)]), None),
            (_, 1) => common(json!([tool("make", false)]), Some("next".into())),
            (_, _) => common(json!([tool("look", true)]), None),
        }
    }

    /// Answers as a stream of events.
    fn events(&self, request: &Request, body: &str, stream: &mut impl Write) -> bool {
        let event = |data: &str| format!("data: {data}\n\n");
        let note = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#;
        // Where a stream is taken up again says whose answer is missing.
        let resumable = format!("id: {}\nretry: 1\ndata:\n\n", request.body["id"]);
        let asks =
            |method: &str| json!({"jsonrpc": "2.0", "id": "s1", "method": method, "params": {}}).to_string();
        let refused = json!({"jsonrpc": "2.0", "id": request.body["id"], "error": {"code": -32602, "message": "then not"}});
        let resumed = request.header("last-event-id").and_then(|id| id.parse::<i64>().ok());
        let text = match self.what.as_str() {
            "sse" => event(note) + &event(body),
            "sse-notes" => event(note),
            "sse-noise" => event(body),
            // Odd, and valid.
            "sse-field" => format!("x-region: eu\rretry: 1.5\rid: 1\rid: 2\rdata:\u{feff}{body}\r\r"),
            "sse-cut" => event(note),
            // The answer comes once the stream is taken up again.
            "sse-resume" if resumed.is_some() => {
                let result = json!({"content": [], "structuredContent": {"id": "R-1", "state": "good"}});
                event(&json!({"jsonrpc": "2.0", "id": resumed, "result": result}).to_string())
            }
            // All of it at once, so that the answer is there before anybody has looked at what was asked.
            "sse-burst" => {
                let asked = event(&asks(&self.value.replace('+', "/")));
                event(note).repeat(200) + &asked + &event(&refused.to_string())
            }
            "sse-flood" => {
                let ping = |id| event(&json!({"jsonrpc": "2.0", "id": id, "method": "ping"}).to_string());
                (1_000..21_000).map(ping).collect()
            }
            "sse-resume" | "sse-endless" => resumable,
            "sse-garbage" => event("{\"jsonrpc\":\"2.0\",\"id\":"),
            "sse-wrong-id" => event(&json!({"jsonrpc": "2.0", "id": 4242, "result": {}}).to_string()),
            "sse-huge" => format!("data: {}", "x".repeat(3 << 20)),
            _ => event(&asks(&self.value.replace('+', "/"))),
        };
        let head = Reply::status(200)
            .with("content-type", "text/event-stream")
            .with("connection", "close")
            .head(None);
        let noise: &[u8] = if self.what == "sse-noise" { b"data: \xff\n\n" } else { b"" };
        let _ = stream.write_all(&[&head, text.as_bytes(), noise].concat()).and_then(|()| stream.flush());
        if self.what == "sse-asks" {
            // It gets its answer over another connection.
            sleep(Duration::from_millis(300));
            let _ = stream.write_all(event(&refused.to_string()).as_bytes()).and_then(|()| stream.flush());
        }
        while self.what == "sse-notes" && stream.write_all(event(note).repeat(100).as_bytes()).is_ok() {}
        false
    }
}

fn drip(usual: &Reply, stream: &mut impl Write) -> bool {
    let _ = stream.write_all(&usual.head(Some(1_000_000))).and_then(|()| stream.flush());
    while stream.write_all(b" ").and_then(|()| stream.flush()).is_ok() {
        sleep(Duration::from_millis(50));
    }
    false
}

fn huge(usual: &Reply, told: bool, stream: &mut impl Write) -> bool {
    if told {
        let _ = stream.write_all(&usual.head(Some(HUGE)));
    } else {
        let endless = Reply::status(200).with("content-type", "application/json").with("connection", "close");
        let _ = stream.write_all(&endless.head(None));
    }
    let megabyte = vec![b' '; 1 << 20];
    for _ in 0..HUGE >> 20 {
        if stream.write_all(&megabyte).is_err() {
            break;
        }
    }
    false
}
