//! A secret goes to the tool that may have it, and to nobody and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::governed::{ARTIFACT, approve};
use crate::support::{Folder, Ran, peer};

/// With what JSON and URLs escape, and long enough in each of its parts to be found anywhere.
const CANARY: &str = "kanarie/of-the-mine+\"ü\"\nsecond-line-of-it";
/// What the server was told, which it may keep.
const KEPT: &str = "server-saw.ndjson";

const PROFILE: &str = "
profile: hooks
summary: A server with webhooks
operations:
  hook:
    summary: Make a webhook
    tool: create_hook
    class: write
    basis: { tool: assumed, arguments: assumed, result: assumed }
    idempotency: none
    arguments:
      name: { at: /name }
      key: { at: /auth/key }
";

const RECIPE: &str = "
recipe: hook
summary: Makes a webhook
steps:
  - id: hook
    write: hook
    reason: to be told
    with: { name: builds, key: { from_secret: deploy_key } }
";

/// A folder with a server that gossips as `how` says, and the settings of one secret that may go to `at`.
fn folder(how: &str, at: &str) -> Folder {
    let folder = Folder::new();
    folder.write("hooks.yaml", PROFILE);
    folder.write("hook.yaml", RECIPE);
    let settings = json!({
        "server": "peer",
        "servers": {"peer": {
            "command": peer(), "arguments": ["gossip", how, KEPT], "profile": "hooks.yaml", "tenant": "acme",
            "time_limits": {"connect": "5s", "list": "5s", "call": "5s", "close": "2s"},
        }},
        "policy": {"approvals": {"accept": ["asserted"], "four_eyes": false}},
        "secrets": {"deploy_key": {
            "environment": "DEPLOY_KEY", "to": [{"server": "peer", "tool": "create_hook", "at": [at]}],
        }},
    });
    folder.write("loopgate.yaml", settings.to_string());
    folder
}

/// Runs a command that has the secret in its environment.
fn run(folder: &Folder, arguments: &[&str]) -> Ran {
    folder.command(arguments).env("DEPLOY_KEY", CANARY).output().unwrap().into()
}

fn planned(folder: &Folder) -> String {
    run(folder, &["run", "hook.yaml", "-vv"]).exits(0);
    approve(folder, ARTIFACT, "alice")
}

/// Whatever the canary may look like; its parts alone as well.
fn shapes() -> Vec<String> {
    [CANARY, "second-line", "of-the-mine", "kanarie"].into_iter().flat_map(shapes_of).collect()
}

/// A secret as it is, as URLs, forms and JSON hold it, in hexadecimal digits, and in Base64 wherever it begins in what
/// was encoded.
pub fn shapes_of(secret: &str) -> Vec<String> {
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let quoted = serde_json::Value::from(secret).to_string();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let plain = [secret, &form, &form.replace('+', "%20"), quoted.trim_matches('"'), &hex];
    let mut all: Vec<String> = plain.map(str::to_owned).into();
    for before in 0..3 {
        let bytes = [&[0; 3][..before], secret.as_bytes()].concat();
        // Of the first and the last sign some bits are those of the neighbours.
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            all.push(encoded[own.clone()].to_owned());
        }
    }
    all.sort();
    all.dedup();
    all
}

/// Every file below the folder but what the server kept, and what the commands said.
#[track_caller]
fn nowhere(folder: &Folder, ran: &[&Ran]) {
    let mut all: Vec<(String, Vec<u8>)> = ran
        .iter()
        .flat_map(|ran| [("standard output", &ran.stdout), ("standard error", &ran.stderr)])
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .collect();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with(KEPT) {
                all.push((path.display().to_string(), fs_err::read(&path).unwrap()));
            }
        }
    }
    assert!(all.len() > 6, "artifact, report, approval, ledger, audit are there");
    for (name, bytes) in all {
        let text = String::from_utf8_lossy(&bytes);
        for shape in shapes() {
            assert!(!text.contains(&shape), "{name} has {shape}:\n{text}");
        }
    }
}

/// Promise 11: whatever the server does with it, the secret stands in no file, no row and no stream of ours.
#[test]
fn a_secret_reaches_its_tool_and_nothing_else() {
    for (how, code) in
        [("answers", 0), ("fails", 31), ("refuses", 30), ("breaks", 31), ("babbles", 31), ("dies", 31)]
    {
        let folder = folder(how, "/auth/key");
        let id = planned(&folder);
        assert!(!folder.exists(KEPT), "nothing was sent when it was planned");
        let show = run(&folder, &["show", ARTIFACT]).exits(0);
        assert!(show.told().contains("the secret `deploy_key`"), "{}", show.stdout);
        let apply = ["apply", ARTIFACT, "--approval-id", &id, "-vv", "--ledger", "sqlite:ledger.db"];
        let applied = run(&folder, &apply).exits(code);
        let sent: serde_json::Value = serde_json::from_str(folder.read(KEPT).trim()).unwrap();
        assert_eq!(sent, json!({"name": "builds", "auth": {"key": CANARY}}), "{how}");
        let log = run(&folder, &["ledger", "log", "--ledger", "sqlite:ledger.db"]).exits(0);
        let status = run(&folder, &["status", "--ledger", "sqlite:ledger.db"]);
        nowhere(&folder, &[&show, &applied, &log, &status]);
        let said = format!("{}{}", applied.stderr, log.stdout);
        assert!(said.contains("(a secret)"), "{how}: it shows that something was left out:\n{said}");
    }
}

/// What is locked is checked where it is known, and a secret is not.
#[test]
fn a_secret_fits_a_locked_schema_that_only_its_value_can_meet() {
    let folder = folder("answers", "/auth/key");
    folder.run(&["lock", "--server", "peer"]).exits(0);
    folder.run(&["validate", "hook.yaml", "--server", "peer", "--profile", "hooks.yaml"]).exits(0);
    let shown = folder.run(&["show", "hook.yaml", "--profile", "hooks.yaml"]).exits(0);
    assert!(shown.told().contains("from_secret"), "{}", shown.stdout);
    planned(&folder);
}

#[test]
fn an_apply_without_its_secret_sends_nothing() {
    let folder = folder("answers", "/auth/key");
    let id = planned(&folder);
    let apply = ["apply", ARTIFACT, "--approval-id", &id, "--ledger", "sqlite:ledger.db"];
    let ran = folder.run(&apply).exits(3);
    assert!(ran.told().contains("`DEPLOY_KEY` is not set"), "{}", ran.told());
    assert!(!folder.exists(KEPT));
    run(&folder, &apply).exits(0);
    // Done is done: nothing is sent, so nothing is needed.
    folder.run(&apply).exits(0);
}

#[test]
fn a_secret_goes_to_no_other_place_than_the_settings_have() {
    let folder = folder("answers", "/name");
    let id = planned(&folder);
    let apply = ["apply", ARTIFACT, "--approval-id", &id, "--ledger", "sqlite:ledger.db"];
    let ran = run(&folder, &apply).exits(3);
    assert!(ran.told().contains("`/auth/key` of `create_hook`"), "{}", ran.told());
    assert!(!folder.exists(KEPT));
}

#[test]
fn a_secret_stands_in_the_arguments_of_a_write_alone() {
    for (with, says) in [
        ("{ name: [{ from_secret: k }], key: x }", "into no list"),
        ("{ name: { from_secret: K }, key: x }", "stands alone"),
        ("{ name: { from_secret: k, and: more }, key: x }", "stands alone"),
    ] {
        let folder = folder("answers", "/auth/key");
        folder.write("hook.yaml", RECIPE.replace("{ name: builds, key: { from_secret: deploy_key } }", with));
        let ran = folder.run(&["validate", "hook.yaml", "--profile", "hooks.yaml"]).exits(3);
        assert!(ran.told().contains(says), "{with}: {}", ran.told());
    }
}

/// A credential that is written out is neither planned nor shown.
#[test]
fn a_literal_that_looks_like_a_credential_refuses_the_plan() {
    let token = format!("ghp_{}", "kanarie0".repeat(5));
    let folder = folder("answers", "/auth/key");
    folder.write("hook.yaml", RECIPE.replace("{ from_secret: deploy_key }", &token));
    let validated = folder.run(&["validate", "hook.yaml", "--profile", "hooks.yaml"]).exits(3);
    let ran = folder.run(&["run", "hook.yaml"]).exits(3);
    assert!(validated.told().contains("looks like a GitHub token"), "{}", validated.told());
    let recipe = RECIPE.replace("{ from_secret: deploy_key }", "\"{{ inputs.key }}\"");
    folder.write(
        "hook.yaml",
        recipe.replace("steps:", "inputs: { key: { type: string, required: true } }\nsteps:"),
    );
    let given = folder.command(&["run", "hook.yaml"]).env("LOOPGATE_INPUT_KEY", &token).output().unwrap();
    let given = Ran::from(given).exits(3);
    assert!(given.told().contains("looks like a GitHub token"), "{}", given.told());
    for ran in [&validated, &ran, &given] {
        assert!(!ran.told().contains("kanarie"), "{}", ran.told());
    }
    assert!(!folder.exists(ARTIFACT));
    assert!(
        !folder.exists("loopgate-out/run.json") || !folder.read("loopgate-out/run.json").contains("kanarie")
    );
}
