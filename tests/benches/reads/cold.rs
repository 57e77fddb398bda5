//! From the start of the process to its end: a shipped recipe beside the bare client that makes the same calls.

#![expect(clippy::indexing_slicing, reason = "a member that is not there is null")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bare::{Call, File, Roots, Script, Way};
use crate::measure::{Outcome, say, timed};
use crate::pairs::{Pairs, heads};
use crate::served::{PROGRAM, Served, TENANT, TOKEN};

const ROUNDS: usize = 40;
const RELEASE: &str = "REL-READY";
/// What the server is called in the settings.
const SERVER: &str = "measured";

pub fn measure(folder: &Path) -> Outcome<()> {
    heads("cold start to finished read", "bare rmcp")?;
    let stdio = folder.join("stdio");
    let arguments = ["sandbox", "serve", "--database"].map(str::to_owned);
    let arguments = [&arguments[..], &[stdio.join("child.db").display().to_string()]].concat();
    let settings = json!({"command": PROGRAM, "arguments": arguments});
    one(
        &stdio,
        "stdio, the server's start included",
        settings,
        Way::Child { program: PROGRAM.into(), arguments },
    )?;

    let http = folder.join("http");
    fs_err::create_dir_all(&http)?;
    let served = Served::start(&http)?;
    loopgate::core::file::replace(&http.join("token"), TOKEN.as_bytes())?;
    let settings = json!({"url": served.url, "token": {"file": "token"}});
    for (what, roots) in [
        ("HTTP, the server running", Roots::System),
        ("HTTP, beside one that loads no certificates", Roots::None),
    ] {
        let way = Way::Http { url: served.url.clone(), stateless: true, roots };
        one(&http, what, settings.clone(), way)?;
    }
    say("")
}

/// Measures one way to the server.
fn one(folder: &Path, what: &str, mut settings: Value, way: Way) -> Outcome<()> {
    fs_err::create_dir_all(folder)?;
    if let Some(settings) = settings.as_object_mut() {
        settings.extend([("profile".to_owned(), json!("loopiq")), ("tenant".to_owned(), json!(TENANT))]);
    }
    let settings = json!({"server": SERVER, "servers": {SERVER: settings}});
    loopgate::core::file::replace(&folder.join("loopgate.yaml"), settings.to_string().as_bytes())?;
    let script = script(folder, way)?;
    let path = folder.join("script.json");
    loopgate::core::file::replace(&path, &serde_json::to_vec(&script)?)?;
    // Each into a new folder, as a pipeline's runner has it.
    let out = |who: &str| -> Outcome<PathBuf> {
        Ok(tempfile::Builder::new().prefix(who).tempdir_in(folder)?.keep().join("out"))
    };
    let ours = || ended(recipe(folder, &out("ours")?));
    let bare = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.current_dir(folder).arg("bare").arg(&path).arg(out("bare")?);
        ended(command)
    };
    ours()?;
    bare()?;
    Pairs::of(ROUNDS, ours, bare)?.tell(what, 1.0)
}

fn recipe(folder: &Path, out: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).args(["certify-release", "--release", RELEASE, "--out"]).arg(out);
    command
}

/// How long a process takes, which must end well.
fn ended(mut command: Command) -> Outcome<Duration> {
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (time, status) = timed(|| Ok(command.status()?))?;
    if status.success() { Ok(time) } else { Err(format!("{command:?} ended with {status}").into()) }
}

/// What the bare client has to do: the calls that loopgate makes, and files like those that it leaves.
fn script(folder: &Path, way: Way) -> Outcome<Script> {
    let events = folder.join("events.jsonl");
    let out = folder.join("first");
    let mut command = recipe(folder, &out);
    command.arg("--report").arg(format!("events={}", events.display()));
    ended(command)?;
    let graph: Value = serde_json::from_slice(&fs_err::read(out.join("evidence-graph.json"))?)?;
    let mut calls = Vec::new();
    for line in fs_err::read_to_string(&events)?.lines() {
        let event: Value = serde_json::from_str(line)?;
        if event["event"] != "called" {
            continue;
        }
        let tool = event["tool"].as_str().ok_or("a call without a tool")?.to_owned();
        let arguments = match tool.as_str() {
            "loopiq_get_mcp_reliability_contract" => json!({}),
            "loopiq_get_release_certification" => json!({"releaseId": RELEASE}),
            "loopiq_get_release_certification_evidence_graph" => {
                json!({"certificationId": graph["certification"]})
            }
            other => return Err(format!("nobody knows the arguments of `{other}`").into()),
        };
        calls.push(Call { tool, arguments: arguments.as_object().cloned().unwrap_or_default() });
    }
    let mut writes = Vec::new();
    for file in fs_err::read_dir(&out)? {
        let file = file?;
        let bytes = usize::try_from(file.metadata()?.len())?;
        writes.push(File { name: file.file_name().into(), bytes });
    }
    if calls.len() < 3 || writes.len() < 4 {
        return Err("the recipe makes fewer calls or files than it did".into());
    }
    Ok(Script { way, calls, writes })
}
