//! An agent's side of `loopgate mcp`, by hand: one line a message. Whatever else stands on standard output fails the
//! test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Folder;

/// What nothing here takes by far.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    next: u64,
    /// The notifications so far.
    pub told: Vec<Value>,
    /// Answers that came before they were waited for.
    early: Vec<Value>,
    /// What the newer revision wants in every request.
    meta: Value,
    /// What the server said of itself.
    pub greeting: Value,
}

impl Agent {
    /// Starts it in the folder and shakes hands at revision 2025-11-25. Its standard error goes to the file `stderr`.
    pub fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut agent = Self::spawned(folder, arguments);
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}});
        agent.greeting = agent.ask("initialize", hello)["result"].take();
        agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        agent
    }

    /// The same at revision 2026-07-28, which has no handshake.
    pub fn stateless(folder: &Folder, arguments: &[&str]) -> Self {
        let mut agent = Self::spawned(folder, arguments);
        agent.meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "agent", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        agent.greeting = agent.ask("server/discover", json!({}))["result"].take();
        agent
    }

    fn spawned(folder: &Folder, arguments: &[&str]) -> Self {
        let errors = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let mut child = folder
            .process(env!("CARGO_BIN_EXE_loopgate"))
            .arg("mcp")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let (tell, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line)
                    .unwrap_or_else(|error| json!({"rubbish": line, "error": error.to_string()}));
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let (told, early) = (Vec::new(), Vec::new());
        Self { child, stdin, lines, next: 0, told, early, meta: json!({}), greeting: Value::Null }
    }

    pub fn send(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Sends a request and gives its ID.
    pub fn request(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next;
        self.next += 1;
        let mut params = params;
        for (name, value) in self.meta.as_object().unwrap() {
            params["_meta"][name] = value.clone();
        }
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The next message, or none where the server has closed its side.
    pub fn heard(&mut self) -> Option<Value> {
        let message = self.lines.recv_timeout(PATIENCE);
        let message = match message {
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
            other => other.expect("the server says nothing"),
        };
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        Some(message)
    }

    /// Waits for the answer of that ID.
    pub fn answer(&mut self, id: u64) -> Value {
        if let Some(at) = self.early.iter().position(|early| early["id"] == id) {
            return self.early.remove(at);
        }
        loop {
            let message = self.heard().expect("the server has closed");
            match message.get("id") {
                Some(other) if *other == id => return message,
                Some(_) => self.early.push(message),
                None => self.told.push(message),
            }
        }
    }

    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.answer(id)
    }

    /// Begins a call.
    pub fn begin(&mut self, tool: &str, arguments: Value) -> u64 {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Calls a tool and gives its result.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.begin(tool, arguments);
        let mut answer = self.answer(id);
        assert_eq!(answer.get("error"), None, "{answer}");
        answer["result"].take()
    }

    /// The server's own process ends, and gives its exit code.
    pub fn code(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().unwrap().code()
    }

    /// Tells the process something, as an operating system does, and gives the exit code.
    pub fn told_to(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([format!("-{signal}"), pid]).status().unwrap().success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Told, and not killed, it ends the servers that it has started.
        drop(self.stdin.take());
        let _ = std::process::Command::new("kill").arg(self.child.id().to_string()).status();
        for _ in 0..1_000 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The texts of a result, one for each block.
pub fn texts(result: &Value) -> Vec<String> {
    let blocks = result["content"].as_array().unwrap().iter();
    blocks.filter_map(|block| Some(block["text"].as_str()?.to_owned())).collect()
}
