//! The same recipes over standard input and output.

use std::path::Path;

use crate::support::{Folder, settings};

fn over_stdio(folder: &Folder) {
    let binary = Path::new(env!("CARGO_BIN_EXE_loopgate"));
    folder.write("loopgate.yaml", settings(binary, &["sandbox", "serve", "--database", "memory"], "loopiq"));
}

#[test]
fn every_shipped_recipe_gives_the_same_in_process_and_over_stdio() {
    for recipe in ["certify-release", "evidence-graph", "remediation-plan"] {
        for release in ["REL-READY", "REL-BLOCKED", "REL-EMPTY"] {
            let (inside, outside) = (Folder::new(), Folder::new());
            let one = inside.sandbox(recipe, release, &[]);
            over_stdio(&outside);
            let two = outside.run(&[recipe, "--server", "peer", "--tenant", "acme", "--release", release]);
            assert_eq!(one.code, two.code, "{recipe} {release}: {}", two.stderr);
            for name in ["evidence-graph.json", "findings.json", "evidence-graph.mmd", "work.json"] {
                let name = format!("loopgate-out/{name}");
                assert_eq!(inside.exists(&name), outside.exists(&name), "{name}");
                if inside.exists(&name) {
                    assert_eq!(inside.read(&name), outside.read(&name), "{name}");
                }
            }
            if inside.exists("loopgate-out/artifact.json") {
                let (one, two) =
                    (inside.json("loopgate-out/artifact.json"), outside.json("loopgate-out/artifact.json"));
                assert_eq!(one["preconditions"], two["preconditions"]);
                assert_ne!(one["effect_digest"], two["effect_digest"], "another server is another effect");
                let payloads = |artifact: &serde_json::Value| -> Vec<serde_json::Value> {
                    let operations = artifact["operations"].as_array().unwrap();
                    operations.iter().map(|operation| operation["arguments"].clone()).collect()
                };
                assert_eq!(payloads(&one), payloads(&two));
            }
        }
    }
}

#[test]
fn a_server_that_cannot_be_started_or_says_rubbish_is_unreachable() {
    let folder = Folder::new();
    folder.write("loopgate.yaml", settings(Path::new("no-such-program"), &[], "loopiq"));
    let run = ["certify-release", "--server", "peer", "--tenant", "acme", "--release", "R"];
    let ran = folder.run(&run).exits(50);
    assert!(ran.stdout.contains("no-such-program"), "{}", ran.stdout);
    for mode in ["dies-at-start", "dies-in-handshake", "rubbish", "refuses-handshake"] {
        folder.write("loopgate.yaml", settings(&crate::support::peer(), &[mode], "loopiq"));
        let ran = folder.run(&run).exits(50);
        assert!(!ran.stdout.contains('\u{1b}'), "{mode}");
        assert_eq!(folder.json("loopgate-out/run.json")["conclusion"]["word"], "unreachable", "{mode}");
    }
}

#[test]
fn a_child_gets_the_environment_that_the_settings_name_and_no_more() {
    let folder = Folder::new();
    let mut all: serde_json::Value =
        serde_json::from_str(&settings(&crate::support::peer(), &["echo"], "plain")).unwrap();
    all["servers"]["peer"]["environment"] = serde_json::json!(["PASSED_ON"]);
    all["servers"]["peer"]["profile"] = serde_json::json!("echo.yaml");
    folder.write("loopgate.yaml", all.to_string());
    folder.write(
        "echo.yaml",
        "profile: echo\nsummary: s\noperations:\n  echo:\n    summary: s\n    tool: echo\n    class: read\n    \
         basis: { tool: observed, arguments: observed, result: observed }\n    result: { environment: /environment }\n",
    );
    folder.write("r.yaml", "recipe: r\nsummary: s\nsteps:\n  - id: e\n    read: echo\n    emit: e.json\n");
    let mut command = folder.command(&["run", "r.yaml", "--server", "peer"]);
    let ran: crate::support::Ran =
        command.env("PASSED_ON", "yes").env("SECRET", "no").output().unwrap().into();
    ran.exits(0);
    let seen = folder.json("loopgate-out/e.json")["environment"].clone();
    assert_eq!(seen["PASSED_ON"], "yes");
    assert_eq!(seen.get("SECRET"), None);
}

#[cfg(unix)]
#[test]
fn a_stopped_run_leaves_no_child_behind() {
    use std::process::{Command, Stdio};
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 143)] {
        let folder = Folder::new();
        let pid_file = folder.path().join("pid");
        let peer = crate::support::peer();
        folder.write(
            "loopgate.yaml",
            settings(&peer, &["hangs-in-handshake", pid_file.to_str().unwrap()], "loopiq"),
        );
        let child = Command::new(env!("CARGO_BIN_EXE_loopgate"))
            .args(["certify-release", "--server", "peer", "--tenant", "acme", "--release", "R"])
            .current_dir(folder.path())
            .env_remove("CI")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = loop {
            match fs_err::read_to_string(&pid_file).ok().and_then(|text| text.trim().parse::<u32>().ok()) {
                Some(pid) => break pid,
                None => std::thread::sleep(std::time::Duration::from_millis(10)),
            }
        };
        let kill =
            Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        // What is killed takes a moment to be gone.
        let stat = || fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let runs = || stat().contains(") S") || stat().contains(") R");
        for _ in 0..1_000 {
            if runs() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
        assert!(!runs(), "the child still runs: {}", stat());
    }
}
