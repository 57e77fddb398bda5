//! Writes on servers that nobody here wrote: planned, approved, applied once, accounted for.

use serde_json::{Value, json};

use crate::foreign::{folder, node, program, python};
use crate::governed::{ARTIFACT, approve};
use crate::support::Folder;

/// What the recipe for the filesystem server writes.
pub const NOTES: &str = "ready\n";
/// The message of the commit that the recipe for the Git server makes.
pub const MESSAGE: &str = "release 1.4.2";

/// A server over the folder `data`, which holds notes and nothing else.
pub fn files(mut server: Value) -> Folder {
    server["arguments"].as_array_mut().unwrap().push(json!("data"));
    let folder = folder("filesystem", server);
    folder.write("data/notes.txt", NOTES);
    folder
}

/// What stands in the file that is to be written.
pub fn frozen(folder: &Folder) -> Option<String> {
    folder.exists("data/frozen.txt").then(|| folder.read("data/frozen.txt"))
}

/// A server over the repository `repo`, where a release is staged.
pub fn repository(mut server: Value) -> Folder {
    server["arguments"].as_array_mut().unwrap().extend([json!("--repository"), json!("repo")]);
    let folder = folder("git", server);
    fs_err::create_dir(folder.path().join("repo")).unwrap();
    git(&folder, &["init", "--quiet", "--initial-branch=main"]);
    git(&folder, &["config", "user.name", "Anna"]);
    git(&folder, &["config", "user.email", "anna@example.com"]);
    stage(&folder, "release.json", r#"{"release": "1.4.1"}"#);
    git(&folder, &["commit", "--quiet", "--message", "release 1.4.1"]);
    stage(&folder, "release.json", r#"{"release": "1.4.2"}"#);
    folder
}

/// A Git server's program, away from whatever this machine has configured.
pub fn unconfigured(command: &[String]) -> Vec<String> {
    let before = ["env", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"];
    before.into_iter().map(str::to_owned).chain(command.iter().cloned()).collect()
}

fn git(folder: &Folder, arguments: &[&str]) -> String {
    let output = folder
        .process("git")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-C", "repo"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Stages a file: the server refuses a commit of nothing, and takes the same one again where there is something.
pub fn stage(folder: &Folder, name: &str, content: &str) {
    folder.write(&format!("repo/{name}"), content);
    git(folder, &["add", name]);
}

/// How many commits there are with the planned message. Nobody else's is there but the first.
pub fn made(folder: &Folder) -> usize {
    let log = git(folder, &["log", "--all", "--format=%s"]);
    let (made, others): (Vec<_>, Vec<_>) = log.lines().partition(|subject| *subject == MESSAGE);
    assert_eq!(others, ["release 1.4.1"]);
    made.len()
}

/// Plans what the recipe says, which writes nothing, and approves it; the approval's ID.
fn approved(folder: &Folder, recipe: &str, inputs: &[&str]) -> String {
    let mut run = vec!["run", recipe, "--detailed-exitcode"];
    run.extend(inputs.iter().flat_map(|input| ["--input", input]));
    folder.run(&run).exits(10);
    approve(folder, ARTIFACT, "alice")
}

pub fn approved_files(folder: &Folder) -> String {
    approved(folder, "filesystem.recipe.yaml", &["folder=."])
}

pub fn approved_commit(folder: &Folder) -> String {
    approved(folder, "git.recipe.yaml", &["repository=repo", "release=1.4.2"])
}

/// The audit report says that it took place, and holds.
pub fn accounted_for(folder: &Folder) {
    let audit = folder.json("loopgate-out/audit.json");
    assert_eq!(audit["operations"][0]["outcome"], "applied");
    folder.run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
}

#[test]
fn a_plan_is_made_for_the_filesystem_server_and_nothing_is_written() {
    let Some(command) = node("server-filesystem") else { return };
    let folder = files(program(&command, &[]));
    approved_files(&folder);
    let operation = folder.json(ARTIFACT)["operations"][0].clone();
    assert_eq!(operation["arguments"], json!({"path": "./frozen.txt", "content": NOTES}));
    assert_eq!(operation["idempotency"], "natural");
    assert_eq!(operation["server_validated"], false);
    assert_eq!(operation["reconcile"]["found"][0]["equals"], NOTES);
    assert_eq!(frozen(&folder), None);
    folder.write("data/frozen.txt", NOTES);
    let run = ["run", "filesystem.recipe.yaml", "--input", "folder=.", "--detailed-exitcode"];
    folder.run(&run).exits(0);
    assert_eq!(folder.json(ARTIFACT)["operations"], json!([]));
}

#[test]
fn an_approved_file_is_written_once_and_accounted_for() {
    let Some(command) = node("server-filesystem") else { return };
    let folder = files(program(&command, &[]));
    let id = approved_files(&folder);
    let apply = ["apply", ARTIFACT, "--approval-id", &id];
    folder.run(&["apply", ARTIFACT, "--approval-id", "APR-1"]).exits(20);
    assert_eq!(frozen(&folder), None);
    folder.run(&apply).exits(0);
    assert_eq!(frozen(&folder).as_deref(), Some(NOTES));
    accounted_for(&folder);
    folder.write("data/frozen.txt", "written by somebody else since");
    folder.run(&apply).exits(0);
    assert_eq!(frozen(&folder).as_deref(), Some("written by somebody else since"));
    accounted_for(&folder);
}

#[test]
fn a_file_of_other_notes_than_were_approved_is_not_written() {
    let Some(command) = node("server-filesystem") else { return };
    let folder = files(program(&command, &[]));
    let id = approved_files(&folder);
    folder.write("data/notes.txt", "not so ready\n");
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(21);
    assert_eq!(frozen(&folder), None);
}

#[test]
fn an_approved_commit_is_made_once_in_both_eras_of_the_protocol() {
    let Some(command) = python("mcp_server_git") else { return };
    for protocol in ["2025-11-25", "2026-07-28"] {
        let mut server = program(&unconfigured(&command), &[]);
        server["protocol"] = json!(protocol);
        let folder = repository(server);
        let id = approved_commit(&folder);
        assert_eq!(folder.json("loopgate-out/run.json")["target"]["protocol"], protocol);
        let operation = folder.json(ARTIFACT)["operations"][0].clone();
        assert_eq!(operation["arguments"], json!({"repo_path": "repo", "message": MESSAGE}));
        assert_eq!(operation["idempotency"], "none");
        assert_eq!(made(&folder), 0);
        for _ in 0..2 {
            folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
            assert_eq!(made(&folder), 1);
            accounted_for(&folder);
            stage(&folder, "next.txt", "a commit is possible again");
        }
        // A plan made now has nothing to do.
        let inputs = ["--input", "repository=repo", "--input", "release=1.4.2", "--out", "now"];
        folder.run(&[["run", "git.recipe.yaml"].as_slice(), &inputs].concat()).exits(0);
        assert_eq!(folder.json("now/artifact.json")["operations"], json!([]));
    }
}
