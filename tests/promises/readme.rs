//! The README is true: its commands run, its recipe validates, its settings are read, its tables are the
//! program's own.

use std::path::{Path, PathBuf};

use loopgate::catalog::Profile;
use loopgate::cli::Exit;

use crate::agent::Agent;
use crate::support::{Folder, Ran, environment, has, settings};

fn readme() -> String {
    fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The contents of the fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_command_runs() {
    let folder = Folder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/evidence");
    let fixture = |extension: &str| {
        fs_err::read_dir(&fixtures)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|found| found == extension))
            .unwrap()
    };
    folder.write("results.sarif", fs_err::read(fixture("sarif")).unwrap());
    folder.write("junit.xml", fs_err::read(fixture("xml")).unwrap());
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--out", "one"]).exits(0);
    let digest = folder.json("one/artifact.json")["effect_digest"].as_str().unwrap()[..19].to_owned();
    folder.write("before.json", folder.read("one/artifact.json"));
    folder.write("after.json", folder.read("one/artifact.json"));

    let mut script = String::new();
    let (mut commands, mut not_run) = (Vec::new(), Vec::new());
    for line in blocks("console").iter().flat_map(|block| block.lines()) {
        let command = line.strip_prefix("$ ").unwrap().replace("cargo run --locked --", "loopgate");
        if command.starts_with("cargo ") {
            not_run.push(command);
            continue;
        }
        // What a reviewer copies from what was shown.
        let command = command.replace("DIGEST", &digest);
        script.push_str(&format!("{command}\necho $? >> codes\n"));
        commands.push(command);
    }
    let loopgate = Path::new(env!("CARGO_BIN_EXE_loopgate")).parent().unwrap();
    let path = format!("{}:{}", loopgate.display(), environment("PATH").unwrap());
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", path)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let codes = folder.read("codes");
    let codes: Vec<&str> = codes.lines().collect();
    assert_eq!(codes.len(), commands.len());
    for (command, code) in commands.iter().zip(codes) {
        let judged = command.contains("certify-release") && command.contains("REL-MINE");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(code == "0" || (judged && code == "4"), "{command}: {code}\n{stderr}");
    }
    let ran = commands.len();
    assert!(ran > 8);
    // These two are what runs this test, and what installs the program that it runs.
    assert_eq!(not_run, ["cargo test --locked", "cargo install --locked --path ."]);
}

#[test]
fn its_recipe_validates_and_its_settings_are_read() {
    let folder = Folder::new();
    let yaml = blocks("yaml");
    let recipe = yaml.iter().find(|block| block.starts_with("recipe:")).unwrap();
    folder.write("recipe.yaml", recipe);
    folder.run(&["validate", "recipe.yaml"]).exits(0);
    folder
        .run(&[
            "run",
            "recipe.yaml",
            "--server",
            "sandbox",
            "--tenant",
            "acme",
            "--input",
            "release=REL-READY",
        ])
        .exits(0);
    let written = yaml.iter().find(|block| block.starts_with("server:")).unwrap();
    let policy = yaml.iter().find(|block| block.starts_with("policy:")).unwrap();
    folder.write("loopgate.yaml", format!("{written}\n{policy}\n"));
    folder.write("allowed_signers", "");
    folder.write("files.yaml", Profile::shipped("loopiq").unwrap());
    // What it names is not there, which is found out only after the settings were understood.
    let ran = folder.run(&["certify-release", "--release", "R"]).exits(3);
    assert!(ran.stderr.contains("the variable `LOOPIQ_TOKEN` is not set"), "{}", ran.stderr);
    let ran =
        folder.run(&["certify-release", "--release", "R", "--server", "files", "--tenant", "t"]).exits(50);
    assert!(ran.stdout.contains("`mcp-server-files` cannot be started"), "{}", ran.stdout);
    let token = yaml.iter().find(|block| block.starts_with("token:")).unwrap();
    let given = "token: { environment: LOOPIQ_TOKEN }";
    assert!(written.contains(given));
    let fetched = written.replace(given, &token.trim_end().replace('\n', "\n    "));
    folder.write("loopgate.yaml", format!("{fetched}\n{policy}\n"));
    let ran = folder.run(&["certify-release", "--release", "R"]).exits(3);
    assert!(ran.stderr.contains("the variable `LOOPIQ_SECRET` is not set"), "{}", ran.stderr);
    let token = yaml.iter().find(|block| block.starts_with("token:\n  federated:")).unwrap();
    let exchanged = written.replace(given, &token.trim_end().replace('\n', "\n    "));
    folder.write("loopgate.yaml", format!("{exchanged}\n{policy}\n"));
    let ran = folder.run(&["certify-release", "--release", "R"]).exits(3);
    assert!(ran.stderr.contains("`ACTIONS_ID_TOKEN_REQUEST_URL` is not set"), "{}", ran.stderr);
}

/// The first block of one language in a chapter, or in one of its parts.
fn block_of(chapter: &str, language: &str) -> String {
    let text = readme();
    let chapter = text.split(&format!("\n{chapter}\n")).nth(1).unwrap();
    let block = chapter.split(&format!("```{language}\n")).nth(1).unwrap();
    block.split("\n```").next().unwrap().to_owned()
}

fn shell(folder: &Folder, shell: &str, script: &str) -> Ran {
    let loopgate = Path::new(env!("CARGO_BIN_EXE_loopgate")).parent().unwrap();
    let mut process = folder.process(shell);
    process.args(["-c", script]).env("RELEASE", "REL-READY");
    process.env("PATH", format!("{}:{}", loopgate.display(), environment("PATH").unwrap()));
    process.output().unwrap().into()
}

#[test]
fn its_script_survives_a_strict_shell() {
    if !has("bash", std::process::Command::new("bash").arg("--version").output().is_ok()) {
        return;
    }
    let script = block_of("## In a pipeline", "sh");
    assert!(script.starts_with("set -euo pipefail\n"));
    let folder = Folder::new();
    shell(&folder, "bash", &script).exits(0);
    assert!(folder.read("plan.md").contains("loopiq_create_remediation_work_package"));
    shell(&Folder::new(), "bash", &script.replace("REL-READY", "REL-BLOCKED")).exits(4);
    let ran = shell(&Folder::new(), "bash", &script.replace("REL-BLOCKED", "REL-READY")).exits(0);
    assert!(ran.stdout.ends_with("nothing to change\n"), "{}", ran.stdout);
    shell(&Folder::new(), "bash", &script.replace("--release REL-BLOCKED", "--release REL-NONE")).exits(5);
}

#[test]
fn its_way_from_an_empty_repository_leads_to_an_applied_plan_in_four_commands() {
    if !has("git", std::process::Command::new("git").arg("--version").output().is_ok()) {
        return;
    }
    let script = block_of("### GitHub", "sh");
    assert_eq!(script.matches("loopgate ").count(), 4);
    let folder = Folder::new();
    shell(&folder, "sh", &format!("set -eu\n{script}")).exits(0);
    folder.run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
}

#[test]
fn its_client_configuration_starts_a_server_for_agents() {
    let configuration: serde_json::Value =
        serde_json::from_str(&block_of("## For agents that write", "json")).unwrap();
    let server = &configuration["mcpServers"]["release-governance"];
    assert_eq!(server["command"], "loopgate");
    let arguments: Vec<&str> =
        server["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    assert_eq!(arguments[0], "mcp");
    let folder = Folder::new();
    let mut agent = Agent::start(&folder, &arguments[1..]);
    agent.call("remediation-plan", serde_json::json!({"release": "REL-BLOCKED"}));
    assert!(folder.exists("plans/remediation-plan-0001/artifact.json"));
}

#[test]
fn its_other_pipelines_run_a_command_that_there_is() {
    let text = readme();
    let chapter = text.split("\n### Others\n").nth(1).unwrap().split("\n### ").next().unwrap();
    let commands = chapter.lines().filter_map(|line| line.split_once("loopgate certify-release"));
    let mut ran = 0;
    for (_, arguments) in commands {
        let (arguments, report) = arguments.split_once(" --report ").unwrap();
        assert!(report.starts_with("junit=junit.xml"), "{report}");
        let arguments = arguments.replace("$$", "$").replace("--server loopiq", "--server sandbox");
        let folder = Folder::new();
        shell(&folder, "sh", &format!("loopgate certify-release{arguments} --report junit=junit.xml"))
            .exits(0);
        assert!(folder.read("junit.xml").contains("<testsuite "));
        ran += 1;
    }
    assert_eq!(ran, 3);
}

#[test]
fn in_ci_a_server_wants_its_settings_named() {
    let folder = Folder::new();
    folder.write("loopgate.yaml", settings(&crate::support::peer(), &["loopiq", "honest"], "loopiq"));
    let run = ["certify-release", "--server", "peer", "--tenant", "acme", "--release", "REL-1"];
    let code = |name: &str, value: &str| {
        let output = folder.command(&run).env("CI", "true").env(name, value).output().unwrap();
        output.status.code().unwrap()
    };
    assert_eq!(code("UNRELATED", ""), 3);
    assert_eq!(code("LOOPGATE_TRUST", "."), 4);
    let output = folder
        .command(&["certify-release", "--server", "sandbox", "--tenant", "acme", "--release", "REL-READY"])
        .env("CI", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "the sandbox needs no settings");
}

#[test]
fn its_exit_codes_are_the_programs() {
    let text = readme();
    let table =
        text.split("<!-- exit codes -->\n").nth(1).unwrap().split("<!-- /exit codes -->").next().unwrap();
    let mut expected = "| code | meaning |\n|---|---|\n".to_owned();
    for exit in Exit::ALL {
        expected.push_str(&format!("| {} | {} |\n", exit.code(), exit.meaning()));
    }
    assert_eq!(table, expected);
}

#[test]
fn its_reference_is_the_programs() {
    let text = readme();
    let part =
        text.split("<!-- reference -->\n").nth(1).unwrap().split("<!-- /reference -->").next().unwrap();
    let printed = Folder::new().run(&["man", "--markdown"]).exits(0).stdout;
    for (line, (one, other)) in part.lines().zip(printed.lines()).enumerate() {
        assert_eq!(one, other, "line {line}: put there what `loopgate man --markdown` prints");
    }
    assert_eq!(part, printed, "put there what `loopgate man --markdown` prints");
}

/// The chapter's files are written and its commands run, as somebody would who reads it from the top.
#[test]
fn its_way_to_a_server_of_your_own_leads_there() {
    let python = environment("LOOPGATE_TEST_PYTHON").map(PathBuf::from);
    let programs = python.as_ref().and_then(|python| python.parent()).map(Path::to_owned);
    let there = programs.as_ref().is_some_and(|folder| folder.join("mcp-server-git").exists());
    let Some(programs) = programs.filter(|_| has("the MCP server `mcp-server-git`", there)) else { return };
    let folder = Folder::new();
    let text = readme();
    let chapter = text.split("### A server of your own\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let loopgate = Path::new(env!("CARGO_BIN_EXE_loopgate")).parent().unwrap();
    let path = format!("{}:{}:{}", loopgate.display(), programs.display(), environment("PATH").unwrap());
    let (mut files, mut told) = (0, String::new());
    for block in chapter.split("```").skip(1).step_by(2) {
        let (language, content) = block.split_once('\n').unwrap();
        match language {
            "yaml" => {
                let name = content.lines().next().unwrap().strip_prefix("# ").unwrap();
                folder.write(name, content);
                files += 1;
            }
            _ => {
                let git =
                    "set -eu; git() { command git -c user.name=me -c user.email=me@localhost \"$@\"; }\n";
                let mut shell = folder.process("sh");
                shell.args(["-c", &format!("{git}{content}")]).env("PATH", &path);
                shell.env("GIT_CONFIG_GLOBAL", "/dev/null");
                for name in
                    ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"]
                {
                    shell.env(name, "me");
                }
                let ran: Ran = shell.output().unwrap().into();
                told.push_str(&ran.exits(0).stdout);
            }
        }
    }
    assert_eq!(files, 3);
    let commits = told.lines().filter(|line| line.ends_with("release R-1") && !line.contains(':')).count();
    assert_eq!(commits, 1, "{told}");
}
