//! A governed server for the tests of `apply`: the real sandbox as a process of its own, with the faults of
//! `tests/peers/between.rs` before it, and trust settings that accept asserted approvals in writing.

use std::net::SocketAddr;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::served::{Served, TOKEN};
use crate::support::{Folder, Ran, peer};

pub const ARTIFACT: &str = "loopgate-out/artifact.json";
pub const LEDGER: &str = "ledger.db";
pub const DATABASE: &str = "governed.db";

/// A folder with settings for the server `governed`.
pub struct Governed {
    pub folder: Folder,
}

/// How the server treats keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Honoured,
    /// The server forgets every key, and the profile says so.
    Forgotten,
}

/// What a sandbox holds besides what it was made with: everything but IDs and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub stories: Vec<String>,
    pub tasks: Vec<String>,
}

impl Governed {
    pub fn new(faults: &str) -> Self {
        Self::with(faults, Keys::Honoured, true)
    }

    pub fn with(faults: &str, keys: Keys, dry_runs: bool) -> Self {
        let folder = Folder::new();
        let mut all: Vec<&str> = faults.split(',').filter(|fault| !fault.is_empty()).collect();
        let mut profile = "loopiq".to_owned();
        if keys == Keys::Forgotten {
            all.push("forget");
            let text = loopgate::catalog::Profile::shipped("loopiq").unwrap();
            let unkeyed = text
                .replace("idempotency: key\n", "idempotency: none\n")
                .replace("    key_retention: PT24H\n", "");
            assert_ne!(unkeyed, text);
            folder.write("unkeyed.yaml", unkeyed);
            profile = "unkeyed.yaml".to_owned();
        }
        let governed = Self { folder };
        let between = ["between", &all.join(","), "memory", env!("CARGO_BIN_EXE_loopgate")];
        let serve = ["sandbox", "serve", "--database", DATABASE];
        let arguments = [between.as_slice(), serve.as_slice()].concat();
        governed.folder.write(
            "loopgate.yaml",
            json!({
                "server": "governed",
                "servers": {"governed": {
                    "command": peer(), "arguments": arguments, "profile": profile,
                    "tenant": "acme", "dry_runs": dry_runs,
                    "time_limits": {"connect": "20s", "list": "20s", "call": "20s", "close": "2s"},
                }},
                "policy": {"approvals": {"accept": ["asserted"], "four_eyes": false}},
                "ledger": {"at": format!("sqlite:{LEDGER}")},
            })
            .to_string(),
        );
        governed
    }

    /// The sandbox over HTTP at that address, without anything before it.
    pub fn served(address: SocketAddr) -> Self {
        let folder = Folder::new();
        folder.write("token", TOKEN);
        folder.write("loopgate.yaml", Served::settings(address, "auto").to_string());
        Self { folder }
    }

    /// Changes the settings.
    pub fn settings(&self, change: impl FnOnce(&mut Value)) {
        let mut settings = self.folder.json("loopgate.yaml");
        change(&mut settings);
        self.folder.write("loopgate.yaml", settings.to_string());
    }

    pub fn plan(&self) {
        self.folder.run(&["remediation-plan", "--release", "REL-BLOCKED"]).exits(0);
    }

    pub fn approve(&self, who: &str) -> String {
        approve(&self.folder, ARTIFACT, who)
    }

    pub fn apply(&self, id: &str, more: &[&str]) -> Ran {
        self.folder.run(&[["apply", ARTIFACT, "--approval-id", id].as_slice(), more].concat())
    }

    /// Planned and approved, ready to be applied.
    pub fn ready(faults: &str, keys: Keys) -> (Self, String) {
        let governed = Self::with(faults, keys, true);
        governed.plan();
        let id = governed.approve("alice");
        (governed, id)
    }

    pub fn held(&self) -> Held {
        held(&self.folder.path().join(DATABASE))
    }

    /// Makes the plan one of two packages, the second for another team.
    pub fn double(&self) {
        double(&self.folder);
    }

    pub fn audit(&self) -> Value {
        self.folder.json("loopgate-out/audit.json")
    }
}

/// Makes the plan in a folder one of two packages, the second for another team.
pub fn double(folder: &Folder) {
    let document: loopgate::artifact::v1::Document = serde_json::from_str(&folder.read(ARTIFACT)).unwrap();
    let mut plan = loopgate::artifact::Plan::from(document);
    let mut second = plan.operations[0].clone();
    second.id = "second".to_owned();
    second.arguments["parent"]["owner"] = json!("another team");
    plan.operations.push(second);
    let artifact = loopgate::artifact::Artifact::build(plan).unwrap();
    folder.write(ARTIFACT, artifact.bytes());
}

/// Approves an artifact, and gives the approval's ID.
pub fn approve(folder: &Folder, artifact: &str, who: &str) -> String {
    let digest = folder.json(artifact)["effect_digest"].as_str().unwrap().to_owned();
    let ran =
        folder.run(&["approve", artifact, "--as", who, "--reason", "tested", "--digest", &digest]).exits(0);
    ran.stdout.trim_end().to_owned()
}

/// What a sandbox's database holds.
pub fn held(database: &std::path::Path) -> Held {
    let connection = Connection::open(database).unwrap();
    let rows = |query: &str| -> Vec<String> {
        let mut statement = connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    Held {
        stories: rows(
            "SELECT json_array(tenant_id, release_id, certification_id, title, description, owner, status, reason)
             FROM work_items WHERE type = 'story' ORDER BY 1",
        ),
        tasks: rows(
            "SELECT json_array(t.tenant_id, s.title, t.title, t.description, t.owner, t.status, t.severity,
                 r.reference)
             FROM work_items t JOIN work_items s ON s.tenant_id = t.tenant_id AND s.id = t.parent_id
             LEFT JOIN work_references r ON r.tenant_id = t.tenant_id AND r.item_id = t.id
             WHERE t.type = 'task' ORDER BY 1",
        ),
    }
}
