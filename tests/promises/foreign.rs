//! Servers that nobody here wrote, driven over stdio and HTTP by small recipes and profiles that are only data.
//!
//! Some are programs for Node.js; `LOOPGATE_TEST_NODE_MODULES` names the folder that they are installed in. Some are
//! modules of Python; `LOOPGATE_TEST_PYTHON` names an interpreter that finds them.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Folder, environment, has};

/// The tenant of every server here; none of them knows any.
const TENANT: &str = "here";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign")
}

/// The command of a server for Node.js, where it is installed.
pub fn node(name: &str) -> Option<Vec<String>> {
    let installed = environment("LOOPGATE_TEST_NODE_MODULES").map(PathBuf::from);
    let entry = installed.map(|folder| folder.join("@modelcontextprotocol").join(name).join("dist/index.js"));
    let entry = entry.filter(|entry| entry.exists());
    has(&format!("the MCP server `{name}`"), entry.is_some());
    Some(vec!["node".to_owned(), entry?.to_str().unwrap().to_owned()])
}

/// The command of a server that is a Python module, where it is installed.
pub fn python(module: &str) -> Option<Vec<String>> {
    let finds = format!("import importlib.util, sys; sys.exit(not importlib.util.find_spec('{module}'))");
    let python = environment("LOOPGATE_TEST_PYTHON").filter(|python| {
        let looked = Folder::new().process(python).args(["-c", &finds]).status();
        looked.is_ok_and(|status| status.success())
    });
    has(&format!("the MCP server `{module}`"), python.is_some());
    Some(vec![python?, "-m".to_owned(), module.to_owned()])
}

/// The settings of a server that is this program with these arguments.
pub fn program(command: &[String], arguments: &[&str]) -> Value {
    let (program, first) = command.split_first().unwrap();
    let arguments: Vec<&str> = first.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
    json!({ "command": program, "arguments": arguments })
}

/// A folder with the profile and the recipe of that name, and with a server of these settings.
pub fn folder(name: &str, mut server: Value) -> Folder {
    let folder = Folder::new();
    for kind in ["profile", "recipe"] {
        let file = format!("{name}.{kind}.yaml");
        folder.write(&file, fs_err::read(fixtures().join(&file)).unwrap());
    }
    server["profile"] = json!(format!("{name}.profile.yaml"));
    server["tenant"] = json!(TENANT);
    let settings = json!({
        "server": name,
        "servers": { name: server },
        "policy": {"approvals": {"accept": ["asserted"], "four_eyes": false}},
        "ledger": {"at": "sqlite:ledger.db"},
    });
    folder.write("loopgate.yaml", settings.to_string());
    folder
}

/// The revision of the protocol that the last run spoke.
fn spoken(folder: &Folder) -> Value {
    folder.json("loopgate-out/run.json")["target"]["protocol"].clone()
}

/// The server `everything` over HTTP, for this machine alone; it ends with this.
struct Everything {
    child: Child,
    address: SocketAddr,
    _folder: Folder,
}

impl Everything {
    fn start(command: &[String]) -> Self {
        let folder = Folder::new();
        let mut child = folder
            .process(&command[0])
            .arg("--require")
            .arg(fixtures().join("loopback.cjs"))
            .args(&command[1..])
            .arg("streamableHttp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, told) = mpsc::channel();
        // It says something of every request, and would end where nobody reads that.
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix("listens on ") {
                    let _ = tell.send(address.parse().unwrap());
                }
            }
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self { child, address: nowhere, _folder: folder };
        server.address = told.recv_timeout(Duration::from_secs(60)).unwrap();
        server
    }

    fn settings(&self, protocol: &str) -> Value {
        json!({ "url": format!("http://{}/mcp", self.address), "protocol": protocol })
    }
}

impl Drop for Everything {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reads_everything(folder: &Folder) {
    let run = |city| {
        let input = format!("city={city}");
        folder.run(&["run", "everything.recipe.yaml", "--input", &input])
    };
    folder.run(&["validate", "everything.recipe.yaml"]).exits(0);
    let ran = run("Chicago").exits(0);
    assert!(ran.stdout.contains("degrees in Chicago"), "{}", ran.stdout);
    assert!(folder.json("loopgate-out/weather.json")["temperature"].is_number());
    assert_eq!(spoken(folder), "2025-11-25");
    run("Bern").exits(3);
}

#[test]
fn a_recipe_runs_against_the_everything_server() {
    let Some(command) = node("server-everything") else { return };
    reads_everything(&folder("everything", program(&command, &[])));
}

#[test]
fn the_same_recipe_runs_against_the_everything_server_over_http() {
    let Some(command) = node("server-everything") else { return };
    let server = Everything::start(&command);
    assert!(server.address.ip().is_loopback());
    // Where a server listens on every address, this one leads to it, too.
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], server.address.port()));
    assert!(TcpStream::connect_timeout(&elsewhere, Duration::from_secs(1)).is_err());
    for protocol in ["auto", "2025-11-25"] {
        reads_everything(&folder("everything", server.settings(protocol)));
    }
    // It knows no later revision.
    let later = folder("everything", server.settings("2026-07-28"));
    later.run(&["run", "everything.recipe.yaml", "--input", "city=Chicago"]).exits(50);
}

#[test]
fn a_recipe_runs_against_the_time_server_in_both_eras_of_the_protocol() {
    let Some(command) = python("mcp_server_time") else { return };
    for (protocol, revision) in [
        (None, "2025-11-25"),
        (Some("auto"), "2026-07-28"),
        (Some("2025-11-25"), "2025-11-25"),
        (Some("2026-07-28"), "2026-07-28"),
    ] {
        let mut server = program(&command, &[]);
        if let Some(protocol) = protocol {
            server["protocol"] = json!(protocol);
        }
        let folder = folder("time", server);
        let run = |zone: &str| folder.run(&["run", "time.recipe.yaml", "--input", &format!("zone={zone}")]);
        // Its clocks are never changed.
        let ran = run("Asia/Kolkata").exits(0);
        assert!(ran.told().contains("opens at 15:00 in Asia/Kolkata"), "{}", ran.stdout);
        assert_eq!(folder.json("loopgate-out/opens.json")["difference"], "+5.5h");
        assert_eq!(spoken(&folder), revision, "{protocol:?}");
        if protocol == Some("2026-07-28") {
            run("Asia/Tokyo").exits(4);
            run("Asia/Nowhere").exits(30);
        }
    }
}

#[test]
fn a_tool_that_only_hints_at_reading_is_not_read() {
    let Some(command) = node("server-everything") else { return };
    let folder = folder("everything", program(&command, &[]));
    folder.write("bare.yaml", "recipe: bare\nsummary: s\nsteps:\n  - id: e\n    read: echo\n    with: { message: hi }\n    emit: e.json\n");
    let ran = folder.run(&["run", "bare.yaml"]).exits(3);
    assert!(ran.stderr.contains("echo"), "{}", ran.stderr);
}
