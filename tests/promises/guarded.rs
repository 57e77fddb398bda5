//! The sandbox over HTTP behind a door that takes the tokens of `tests/peers/claims.rs`, and who uses it.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::governed::{ARTIFACT, Held, approve, held};
use crate::hostile::Playing;
use crate::served::{Served, TOKEN};
use crate::support::{Folder, Ran, peer};

/// A folder with settings for the server `guarded`.
pub struct Guarded {
    pub folder: Folder,
    /// The issuer's and the door's, out of the user's sight.
    pub backstage: Folder,
    pub url: String,
    _door: Playing,
    _served: Served,
}

impl Guarded {
    pub fn new() -> Self {
        Self::with(&[])
    }

    pub fn with(options: &[&str]) -> Self {
        let (folder, backstage) = (Folder::new(), Folder::new());
        backstage.write("issuer.key", "the issuer's own key, which nobody else has");
        let served = Served::start(&backstage, "guarded.db");
        let (here, address) = (backstage.path().to_str().unwrap(), served.address.to_string());
        let door = [["door", here, &address, TOKEN].as_slice(), options].concat();
        let door = Playing::start(&backstage, &door);
        let url = door.url.clone();
        let guarded = Self { folder, backstage, url, _door: door, _served: served };
        let settings = json!({
            "server": "guarded",
            "servers": {"guarded": {
                "url": guarded.url, "profile": "loopiq", "tenant": "acme",
                "time_limits": {"connect": "20s", "list": "20s", "call": "20s", "close": "2s"},
            }},
            "policy": {"approvals": {"accept": ["asserted"], "four_eyes": false}},
            "ledger": {"at": "sqlite:ledger.db"},
        });
        guarded.folder.write("loopgate.yaml", settings.to_string());
        guarded
    }

    /// Changes the settings of the server.
    pub fn settings(&self, change: impl FnOnce(&mut Value)) {
        let mut settings = self.folder.json("loopgate.yaml");
        change(&mut settings["servers"]["guarded"]);
        self.folder.write("loopgate.yaml", settings.to_string());
    }

    /// What the issuer's program is started with for a token.
    pub fn mint(&self, options: &[&str]) -> Vec<String> {
        let audience = format!("audience={}", self.url);
        let program = peer().to_str().unwrap().to_owned();
        let fixed =
            [program, "mint".to_owned(), self.backstage.path().to_str().unwrap().to_owned(), audience];
        fixed.into_iter().chain(options.iter().map(|option| (*option).to_owned())).collect()
    }

    /// A token in a file of that name.
    pub fn token(&self, file: &str, options: &[&str]) -> Value {
        let minted = self.mint(options);
        let output = std::process::Command::new(&minted[0]).args(&minted[1..]).output().unwrap();
        self.folder.write(file, output.stdout);
        json!({ "file": file })
    }

    /// Settings by which a command gives the token.
    pub fn by_command(&self, options: &[&str]) -> Value {
        json!({ "command": self.mint(options) })
    }

    pub fn plan(&self) -> Ran {
        self.folder.run(&["remediation-plan", "--release", "REL-BLOCKED"])
    }

    pub fn approved(&self) -> String {
        approve(&self.folder, ARTIFACT, "alice")
    }

    pub fn apply(&self, id: &str) -> Ran {
        self.folder.run(&["apply", ARTIFACT, "--approval-id", id])
    }

    /// Every request at the door.
    pub fn log(&self) -> Vec<Value> {
        self.lines("door.jsonl")
    }

    /// The claims of every token that the issuer was asked for.
    pub fn minted(&self) -> Vec<Value> {
        self.lines("minted.jsonl")
    }

    fn lines(&self, file: &str) -> Vec<Value> {
        let text = if self.backstage.exists(file) { self.backstage.read(file) } else { String::new() };
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Who called tools at the door, and whether as a dry run, each once.
    pub fn callers(&self) -> Vec<(String, Option<bool>)> {
        let log = self.log();
        let calls = log.iter().filter(|line| line["tool"].is_string());
        let mut callers: Vec<_> = calls
            .map(|line| (line["who"].as_str().unwrap_or("nobody").to_owned(), line["dry"].as_bool()))
            .collect();
        callers.sort();
        callers.dedup();
        callers
    }

    pub fn database(&self) -> PathBuf {
        self.backstage.path().join("guarded.db")
    }

    pub fn held(&self) -> Held {
        held(&self.database())
    }

    /// Checks that no token stands in any file of the user's folder but those named, or in `told`.
    pub fn nothing_shows(&self, told: &str, own: &[&str]) {
        let mut files = vec![("the streams".to_owned(), told.as_bytes().to_vec())];
        crate::tokens::all_files(self.folder.path(), &mut files);
        files.retain(|(name, _)| !own.contains(&name.as_str()));
        assert!(files.len() > 3, "{files:?}");
        for (name, bytes) in &files {
            let text = String::from_utf8_lossy(bytes);
            // How every token begins, `{"alg"` in Base64.
            assert!(!text.contains("eyJhbGci"), "`{name}` holds a token:\n{text}");
        }
    }
}
