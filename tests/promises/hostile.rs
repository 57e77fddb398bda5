//! A hostile server over HTTP, and the folder of somebody who uses it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::governed::{ARTIFACT, approve};
use crate::support::{Folder, Ran, peer};

const PROFILE: &str = "
profile: hostile
summary: Two tools
context:
  trace: { meta: traceparent, basis: protocol }
  request_id: { header: X-Request-Id, basis: assumed }
operations:
  look:
    summary: A record
    tool: look
    class: read
    basis: { tool: observed, arguments: observed, result: observed }
    arguments: { q: /q }
    result: { id: /id, state: /state }
  make:
    summary: A record, made
    tool: make
    class: write
    basis: { tool: observed, arguments: observed, result: observed, repetition: observed }
    arguments: { q: /q }
    idempotency: none
";
const READ: &str = "
recipe: read-it
summary: One read.
steps:
  - id: seen
    read: look
    with: { q: x }
    retry: { attempts: 2, delay: 10ms }
    emit: seen.json
";
const WRITE: &str = "
recipe: write-it
summary: One write.
steps:
  - id: made
    write: make
    with: { q: x }
    reason: The test wants it
";

/// A peer that plays a server or a proxy; killed when it is dropped.
pub struct Playing {
    child: Child,
    pub url: String,
}

impl Playing {
    pub fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut child = folder
            .process(peer().to_str().unwrap())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with settings for a hostile server, and the server.
pub struct Hostile {
    pub folder: Folder,
    pub server: Playing,
}

impl Hostile {
    pub fn new(faults: &str, protocol: &str) -> Self {
        Self::with(faults, protocol, &[])
    }

    pub fn with(faults: &str, protocol: &str, options: &[&str]) -> Self {
        let folder = Folder::new();
        let here = folder.path().to_str().unwrap().to_owned();
        let server = Playing::start(&folder, &[["http", faults, &here].as_slice(), options].concat());
        folder.write("hostile.yaml", PROFILE);
        folder.write("read.yaml", READ);
        folder.write("write.yaml", WRITE);
        folder.write("token", "canary-token-3");
        let settings = json!({
            "server": "hostile",
            "servers": {"hostile": {
                "url": server.url, "token": {"file": "token"}, "headers": {"X-Team": "payments"},
                "protocol": protocol, "profile": "hostile.yaml", "tenant": "acme", "reply_limit": 1_048_576,
                "time_limits": {"connect": "1500ms", "list": "1500ms", "call": "1500ms", "close": "1s"},
            }},
            "policy": {"approvals": {"accept": ["asserted"], "four_eyes": false}},
            "ledger": {"at": "sqlite:ledger.db"},
        });
        folder.write("loopgate.yaml", settings.to_string());
        Self { folder, server }
    }

    /// Changes the settings of the server.
    pub fn settings(&self, change: impl FnOnce(&mut Value)) {
        let mut settings = self.folder.json("loopgate.yaml");
        change(&mut settings["servers"]["hostile"]);
        self.folder.write("loopgate.yaml", settings.to_string());
    }

    /// Runs the recipe with one read.
    pub fn read(&self) -> Ran {
        self.folder.run(&["run", "read.yaml"])
    }

    /// Plans and approves the recipe with one write, and applies it.
    pub fn write(&self) -> Ran {
        let id = self.approved();
        self.apply(&id)
    }

    pub fn approved(&self) -> String {
        self.folder.run(&["run", "write.yaml"]).exits(0);
        approve(&self.folder, ARTIFACT, "alice")
    }

    pub fn apply(&self, id: &str) -> Ran {
        self.folder.run(&["apply", ARTIFACT, "--approval-id", id])
    }

    /// Every request that the server got.
    pub fn log(&self) -> Vec<Value> {
        let log = if self.folder.exists("log.jsonl") { self.folder.read("log.jsonl") } else { String::new() };
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How often the server was called for that tool.
    pub fn calls(&self, tool: &str) -> usize {
        self.log().iter().filter(|request| request["tool"] == tool).count()
    }
}
