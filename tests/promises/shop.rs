//! A shop that takes a CI platform's word: a governed server with that in its trust settings, and what its jobs find.

use std::path::Path;

use loopgate::core::Digest;
use serde_json::{Value, json};

use crate::governed::{Governed, LEDGER};
use crate::platform_answers::key_set;
use crate::support::{Folder, environment};

pub struct Shop {
    pub governed: Governed,
}

impl Shop {
    /// Jobs of `workflow`, as the protected branch has it, may take GitHub's answer for its word.
    pub fn on_github(workflow: &str) -> Self {
        Self::with(&json!({"github": {"repository": "acme/shop", "environment": "production",
                                      "workflow": format!("{workflow}@refs/heads/main")}}))
    }

    /// A manual job into the environment counts, by the token that GitLab signs for it.
    pub fn on_gitlab() -> Self {
        let shop = Self::with(&json!({"gitlab": {
            "issuer": "https://gitlab.example.com", "audience": "loopgate", "keys": "keys.json",
            "project": "acme/shop", "environment": "production",
            "workflow": "gitlab.example.com/acme/shop//.gitlab-ci.yml@refs/heads/main"}}));
        shop.folder().write("keys.json", key_set());
        shop
    }

    fn with(platform: &Value) -> Self {
        let governed = Governed::new("");
        governed.settings(|settings| {
            settings["policy"] = json!({"approvals": {"accept": ["platform"]}, "platform": platform});
        });
        Self { governed }
    }

    pub fn folder(&self) -> &Folder {
        &self.governed.folder
    }

    pub fn make_ledger(&self) {
        self.folder().run(&["ledger", "init", "--ledger", &format!("sqlite:{LEDGER}")]).exits(0);
    }

    pub fn effect(&self, artifact: &str) -> Digest {
        self.folder().json(artifact)["effect_digest"].as_str().unwrap().parse().unwrap()
    }

    /// Puts a program where the shop's jobs find it before all others.
    pub fn program(&self, name: &str, text: &str) {
        let path = self.folder().write(&format!("bin/{name}"), text);
        assert!(self.folder().process("chmod").arg("+x").arg(path).status().unwrap().success());
    }

    /// Those programs, this build's own, and the system's.
    pub fn path(&self) -> String {
        let own = self.folder().path().join("bin");
        let loopgate = Path::new(env!("CARGO_BIN_EXE_loopgate")).parent().unwrap();
        format!("{}:{}:{}", own.display(), loopgate.display(), environment("PATH").unwrap())
    }
}

/// A minute ago, as a platform writes it, so that no approval is too old.
pub fn lately() -> String {
    let now = jiff::Timestamp::now().as_second() - 60;
    jiff::Timestamp::from_second(now).unwrap().to_string()
}
