//! `loopgate mcp` with clients that it does not control: the official Inspector's command line, and loopgate itself.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Folder, Ran, environment, has};

/// The Inspector, where it is installed, with a Node.js for it.
fn inspector() -> Option<(PathBuf, PathBuf)> {
    let node = environment("LOOPGATE_TEST_NODE").map(PathBuf::from);
    let modules = environment("LOOPGATE_TEST_NODE_MODULES").map(PathBuf::from);
    let entry =
        modules.map(|folder| folder.join("@modelcontextprotocol/inspector/clients/launcher/build/index.js"));
    let both = node.zip(entry);
    let there = both.as_ref().is_some_and(|(node, entry)| node.exists() && entry.exists());
    both.filter(|_| has("the official MCP Inspector, or a Node.js for it,", there))
}

/// Asks by the Inspector in one era, with the client configuration of the README.
fn inspected(folder: &Folder, (node, entry): &(PathBuf, PathBuf), era: &str, more: &[&str]) -> Ran {
    let mut command: Command = folder.process(node.to_str().unwrap());
    command.arg(entry).args([
        "--cli",
        "--config",
        "client.json",
        "--server",
        "loopgate",
        "--protocol-era",
        era,
        "--quiet",
    ]);
    command.env("MCP_INSPECTOR_SECRET_STORE", "memory").env("HOME", folder.path()).args(more);
    assert_cmd::Command::from_std(command).timeout(Duration::from_secs(120)).output().unwrap().into()
}

#[test]
fn the_official_inspector_lists_calls_and_reads_in_both_eras() {
    let Some(inspector) = inspector() else { return };
    for era in ["legacy", "modern"] {
        let folder = Folder::new();
        let server = json!({
            "command": env!("CARGO_BIN_EXE_loopgate"), "args": ["mcp", "--server", "sandbox", "--tenant", "acme"],
            "cwd": folder.path(),
        });
        folder.write("client.json", json!({"mcpServers": {"loopgate": server}}).to_string());
        let ask = |more: &[&str]| inspected(&folder, &inspector, era, more);
        // Without `--quiet` it would say how many of its rules for portable schemas are broken.
        let listed = ask(&["--method", "tools/list", "--strict"]).exits(0);
        assert!(
            !listed.stderr.contains("Warning") && !listed.stderr.contains("Error"),
            "{era}: {}",
            listed.stderr
        );
        assert_eq!(listed.json()["tools"].as_array().unwrap().len(), 10);
        let call = |tool: &str, release: &str| {
            let release = format!("release={release}");
            ask(&["--method", "tools/call", "--tool-name", tool, "--tool-arg", &release])
        };
        let answer = call("certify-release", "REL-BLOCKED").exits(0).json();
        assert_eq!(answer["structuredContent"]["verdict"], "gate-fails", "{era}");
        let planned = call("remediation-plan", "REL-BLOCKED").exits(0).json();
        assert_eq!(planned["structuredContent"]["verdict"], "changes-planned", "{era}");
        let prompt = ask(&["--method", "prompts/get", "--prompt-name", "release-governance"]).exits(0).json();
        assert_eq!(prompt["messages"][0]["role"], "user");
        let recipe =
            ask(&["--method", "resources/read", "--uri", "loopgate://recipes/certify-release"]).exits(0);
        assert!(recipe.stdout.contains("certify-release"));
        assert_ne!(call("apply", "REL-BLOCKED").code, 0, "{era}");
        let missing = ask(&["--method", "tools/call", "--tool-name", "certify-release"]);
        assert!(missing.told().contains("is required and not given"), "{era}: {}", missing.told());
    }
}

#[test]
fn loopgate_is_a_client_of_itself_in_both_eras() {
    for protocol in ["2025-11-25", "2026-07-28", "auto"] {
        let folder = Folder::new();
        let arguments = ["mcp", "--server", "sandbox", "--tenant", "acme", "--out", "inner"];
        let settings = json!({
            "server": "agent",
            "servers": {"agent": {
                "command": env!("CARGO_BIN_EXE_loopgate"), "arguments": arguments, "profile": "agent.yaml", "protocol": protocol,
            }},
        });
        folder.write("loopgate.yaml", settings.to_string());
        folder.write(
            "agent.yaml",
            "profile: agent\nsummary: Recipes as tools.\noperations:\n  certify:\n    summary: Certify.\n    \
             tool: certify-release\n    class: read\n    basis: { tool: observed, arguments: observed, result: observed }\n    \
             arguments: { release: { at: /release } }\n    result: { verdict: /verdict, code: /exit_code }\n",
        );
        folder.write(
            "r.yaml",
            "recipe: outer\nsummary: Ask the inner one.\ninputs:\n  release: { type: string, required: true }\nsteps:\n  \
             - id: inner\n    read: certify\n    with: { release: \"{{ inputs.release }}\" }\n    emit: inner.json\n  \
             - id: certified\n    gate: \"{{ inner.verdict == 'done' }}\"\n    says: \"The inner one says {{ inner.verdict }}\"\n",
        );
        let run = |release: &str| folder.run(&["run", "r.yaml", "--input", &format!("release={release}")]);
        run("REL-READY").exits(0);
        let blocked = run("REL-BLOCKED").exits(4);
        assert!(blocked.stdout.contains("The inner one says gate-fails"), "{protocol}: {}", blocked.stdout);
        let inner: Value = folder.json("loopgate-out/inner.json");
        assert_eq!(inner["code"], 4, "{inner}");
        assert!(folder.exists("inner/certify-release-0002/run.json"));
    }
}
