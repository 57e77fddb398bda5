//! The sandbox over HTTP as a process of its own, and an address that stays while what is behind it changes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Folder;

/// The bearer token of every served sandbox.
pub const TOKEN: &str = "canary-token-1";

/// A sandbox that serves; killed when it is dropped.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
}

impl Served {
    /// Serves the database of that name in the folder.
    pub fn start(folder: &Folder, database: &str) -> Self {
        let mut child = folder
            .process(env!("CARGO_BIN_EXE_loopgate"))
            .args(["sandbox", "serve", "--http", "127.0.0.1:0", "--database", database])
            .env("LOOPGATE_SANDBOX_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix("/mcp"));
        Self { child, address: address.unwrap_or_else(|| panic!("`{line}`")).parse().unwrap() }
    }

    /// The settings of a server at that address.
    pub fn settings(address: SocketAddr, protocol: &str) -> Value {
        json!({
            "server": "served",
            "servers": {"served": {
                "url": format!("http://{address}/mcp"), "token": {"file": "token"}, "protocol": protocol,
                "profile": "loopiq", "tenant": "acme", "dry_runs": true,
                "time_limits": {"connect": "20s", "list": "20s", "call": "20s", "close": "2s"},
            }},
            "policy": {"approvals": {"accept": ["asserted"], "four_eyes": false}},
            "ledger": {"at": "sqlite:ledger.db"},
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for it to end by itself, and gives its exit code.
    pub fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Sends bytes over a connection of its own, and gives all that comes back until it is closed.
    pub fn said(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // It may be refused before it is read.
        let _ = stream.write_all(request.as_bytes());
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this test's own, that leads to whatever is behind it at the moment.
pub struct Relay {
    pub address: SocketAddr,
    behind: Arc<Mutex<SocketAddr>>,
}

impl Relay {
    pub fn to(first: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let behind = Arc::new(Mutex::new(first));
        let target = Arc::clone(&behind);
        thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                let target = *target.lock().unwrap();
                if let Ok(there) = TcpStream::connect(target) {
                    pump(here.try_clone().unwrap(), there.try_clone().unwrap());
                    pump(there, here);
                }
            }
        });
        Self { address, behind }
    }

    pub fn lead_to(&self, address: SocketAddr) {
        *self.behind.lock().unwrap() = address;
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _ = to.set_nodelay(true);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
