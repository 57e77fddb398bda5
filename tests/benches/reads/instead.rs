//! Beside what people would use instead, for one read of the protocol's own *everything* server over HTTP, from the
//! start of a process to its end: the command line of MCP Inspector, and a script on the official Python SDK.
//!
//! They and the server are found as the tests find them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::measure::{Outcome, say, timed};
use crate::pairs::{Pairs, heads};
use crate::served::PROGRAM;

const ROUNDS: usize = 5;
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/foreign");
const RECIPE: &str = "
recipe: one-read
summary: One read.
steps:
  - id: sum
    read: sum
    with: { a: 20, b: 22 }
    emit: sum.json
";
/// The same read: connect, list the tools, call one, and print what it gives.
const SCRIPT: &str = "
import asyncio, sys
from mcp import Client

async def main(url):
    async with Client(url) as client:
        await client.list_tools()
        result = await client.call_tool('get-sum', {'a': 20, 'b': 22})
        print(result.content[0].text)

asyncio.run(main(sys.argv[1]))
";

pub fn measure(folder: &Path) -> Outcome<()> {
    heads("one read over HTTP", "the other")?;
    let modules = variable("LOOPGATE_TEST_NODE_MODULES").map(|folder| folder.join("@modelcontextprotocol"));
    let entry = modules.as_ref().map(|folder| folder.join("server-everything/dist/index.js"));
    let Some(entry) = entry.filter(|entry| entry.exists()) else {
        say("not measured: the server `server-everything` is not there")?;
        return say("");
    };
    let server = Everything::start(&entry)?;
    let folder = folder.join("instead");
    fs_err::create_dir_all(&folder)?;
    let write = |name: &str, text: &str| loopgate::core::file::replace(&folder.join(name), text.as_bytes());
    let settings = format!(
        "server: everything\nservers:\n  everything: {{ url: \"{}\", profile: everything.yaml }}\n",
        server.url
    );
    write("loopgate.yaml", &settings)?;
    write("everything.yaml", &fs_err::read_to_string(Path::new(FIXTURES).join("everything.profile.yaml"))?)?;
    write("one-read.yaml", RECIPE)?;
    write("one-read.py", SCRIPT)?;

    let inspector = modules.map(|folder| folder.join("inspector/clients/launcher/build/index.js"));
    let inspector = inspector.filter(|cli| cli.exists()).map(|cli| {
        let mut command = node();
        command.env("MCP_INSPECTOR_SECRET_STORE", "memory").env("HOME", &folder);
        command.arg(cli).args(["--cli", &server.url, "--transport", "http", "--method", "tools/call"]);
        command.args(["--tool-name", "get-sum", "--tool-arg", "a=20", "b=22"]);
        command
    });
    let script = variable("LOOPGATE_TEST_PYTHON").filter(|python| python.exists()).map(|python| {
        let mut command = Command::new(python);
        command.arg(folder.join("one-read.py")).arg(&server.url);
        command
    });
    for (what, other) in [("MCP Inspector's command line", inspector), ("a script on the Python SDK", script)]
    {
        let Some(mut other) = other else {
            say(&format!("{what}: not measured, it is not there"))?;
            continue;
        };
        let ours = || {
            let mut command = Command::new(PROGRAM);
            ended(command.current_dir(&folder).env_clear().args(["run", "one-read.yaml"]))
        };
        Pairs::of(ROUNDS, ours, || ended(&mut other))?.tell(what, 1.0)?;
    }
    say("")
}

/// The server, on this machine alone; killed when it is dropped.
struct Everything {
    child: Child,
    url: String,
}

impl Everything {
    fn start(entry: &Path) -> Outcome<Self> {
        let mut command = node();
        command
            .arg("--require")
            .arg(Path::new(FIXTURES).join("loopback.cjs"))
            .arg(entry)
            .arg("streamableHttp");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let stdout = child.stdout.take();
        let mut server = Self { child, url: String::new() };
        let mut lines = BufReader::new(stdout.ok_or("no pipe")?).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listens on ").map(str::to_owned));
        server.url = format!("http://{}/mcp", address.ok_or("the server does not listen")?);
        // It says something of every request, and would end where nobody reads that.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(server)
    }
}

impl Drop for Everything {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn node() -> Command {
    Command::new(variable("LOOPGATE_TEST_NODE").unwrap_or_else(|| "node".into()))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark finds the programs that it starts")]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var(name).ok().map(PathBuf::from)
}

/// How long a process takes, which must end well and print what it read.
fn ended(command: &mut Command) -> Outcome<Duration> {
    let (time, output) = timed(|| Ok(command.stdin(Stdio::null()).output()?))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && !said.trim().is_empty() {
        Ok(time)
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?} ended with {}: {said}{complaint}", output.status).into())
    }
}
