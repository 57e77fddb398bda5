//! A sandbox that serves over HTTP, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::measure::Outcome;

/// The program that is measured, built as this one is.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_loopgate");
/// The bearer token of every served sandbox.
pub const TOKEN: &str = "measured";
/// The tenant that is asked for.
pub const TENANT: &str = "acme";

/// Killed when it is dropped.
pub struct Served {
    child: Child,
    pub url: String,
}

impl Served {
    pub fn start(folder: &Path) -> Outcome<Self> {
        let mut child = Command::new(PROGRAM)
            .current_dir(folder)
            .env_clear()
            .env("LOOPGATE_SANDBOX_TOKEN", TOKEN)
            .args(["sandbox", "serve", "--http", "127.0.0.1:0", "--database", "served.db"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let read = match child.stdout.take() {
            Some(stdout) => BufReader::new(stdout).read_line(&mut line),
            None => Ok(0),
        };
        let served = Self { child, url: line.trim().to_owned() };
        if read? == 0 { Err("the sandbox does not serve".into()) } else { Ok(served) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
