//! The protocol by hand: one JSON value a line.

use std::io::{BufRead as _, Write as _};

use serde_json::{Value, json};

/// A request of the client.
pub struct Request {
    /// As it came.
    pub id: Value,
    /// Such as `tools/call`.
    pub method: String,
    /// `null` where there are none.
    pub params: Value,
}

/// The client, seen from the server.
#[derive(Default)]
pub struct Client;

impl Client {
    /// The next request. Notifications and answers are left out; `None` at the end of the input.
    pub fn request(&mut self) -> Option<Request> {
        loop {
            let message = self.message()?;
            let (Some(id), Some(method)) = (message.get("id"), message.get("method")) else { continue };
            return Some(Request {
                id: id.clone(),
                method: method.as_str().unwrap_or_default().to_owned(),
                params: message.get("params").cloned().unwrap_or_default(),
            });
        }
    }

    /// The next message of any kind.
    pub fn message(&mut self) -> Option<Value> {
        let mut line = String::new();
        let count = std::io::stdin().lock().read_line(&mut line).ok()?;
        if count == 0 { None } else { serde_json::from_str(&line).ok() }
    }

    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        // The client may be gone, which the next read will say.
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// Sends one message.
    pub fn send(&mut self, message: &Value) {
        self.raw(format!("{message}\n").as_bytes());
    }

    /// Answers a request with a result.
    pub fn answer(&mut self, request: &Request, result: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": request.id, "result": result}));
    }

    /// Answers a request with a JSON-RPC error.
    pub fn refuse(&mut self, request: &Request, code: i64, message: &str) {
        let error = json!({"code": code, "message": message});
        self.send(&json!({"jsonrpc": "2.0", "id": request.id, "error": error}));
    }

    /// Serves until the client is gone. `own` handles a request and gives true, or leaves it to
    /// [`Client::good_manners`].
    pub fn serve(&mut self, mut own: impl FnMut(&mut Self, &Request) -> bool) {
        while let Some(request) = self.request() {
            if !own(self, &request) {
                self.good_manners(&request);
            }
        }
    }

    /// Serves well until a tool is called, and gives that request.
    pub fn serve_until_call(&mut self) -> Option<Request> {
        loop {
            let request = self.request()?;
            if request.method == "tools/call" {
                return Some(request);
            }
            self.good_manners(&request);
        }
    }

    /// What a good server says: a handshake, one tool named `echo`, and `ok` to every call.
    pub fn good_manners(&mut self, request: &Request) {
        match request.method.as_str() {
            "initialize" => self.answer(
                request,
                &json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "peer", "version": "1"},
                }),
            ),
            "tools/list" => self.answer(request, &json!({"tools": [tool("echo")]})),
            "tools/call" => self.answer(request, &text("ok")),
            "ping" => self.answer(request, &json!({})),
            _ => self.refuse(request, -32601, "unknown method"),
        }
    }
}

/// A tool that takes anything.
pub fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}

/// A tool's result with one text block.
pub fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}
