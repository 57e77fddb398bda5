//! Servers that nobody here wrote, driven over stdio by small recipes and profiles that are only data.
//!
//! They are programs for Node.js; `LOOPGATE_TEST_NODE_MODULES` names the folder that they are installed in.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Folder, environment, has};

/// The entry point of a server, where it is installed.
fn server(name: &str) -> Option<PathBuf> {
    let installed = environment("LOOPGATE_TEST_NODE_MODULES").map(PathBuf::from);
    let entry = installed.map(|folder| folder.join("@modelcontextprotocol").join(name).join("dist/index.js"));
    let there = entry.as_ref().is_some_and(|entry| entry.exists());
    if has(&format!("the MCP server `{name}`"), there) { entry } else { None }
}

fn folder(name: &str, entry: &Path, arguments: &[&str]) -> Folder {
    let folder = Folder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign");
    for kind in ["profile", "recipe"] {
        let file = format!("{name}.{kind}.yaml");
        folder.write(&file, fs_err::read(fixtures.join(&file)).unwrap());
    }
    let mut all = vec![entry.to_str().unwrap()];
    all.extend(arguments);
    let settings = json!({ "servers": { name: {
        "command": "node", "arguments": all, "profile": format!("{name}.profile.yaml"),
    } } });
    folder.write("loopgate.yaml", settings.to_string());
    folder
}

#[test]
fn a_recipe_runs_against_the_everything_server() {
    let Some(entry) = server("server-everything") else { return };
    let folder = folder("everything", &entry, &[]);
    let recipe = "everything.recipe.yaml";
    folder.run(&["validate", recipe]).exits(0);
    let ran = folder.run(&["run", recipe, "--server", "everything", "--input", "city=Chicago"]).exits(0);
    assert!(ran.stdout.contains("degrees in Chicago"), "{}", ran.stdout);
    assert!(folder.json("loopgate-out/weather.json")["temperature"].is_number());
    folder.run(&["run", recipe, "--server", "everything", "--input", "city=Bern"]).exits(3);
}

#[test]
fn a_tool_that_only_hints_at_reading_is_not_read() {
    let Some(entry) = server("server-everything") else { return };
    let folder = folder("everything", &entry, &[]);
    folder.write("bare.yaml", "recipe: bare\nsummary: s\nsteps:\n  - id: e\n    read: echo\n    with: { message: hi }\n    emit: e.json\n");
    let ran = folder.run(&["run", "bare.yaml", "--server", "everything"]).exits(3);
    assert!(ran.stderr.contains("echo"), "{}", ran.stderr);
}

#[test]
fn a_plan_is_made_for_the_filesystem_server_and_nothing_is_written() {
    let Some(entry) = server("server-filesystem") else { return };
    let data = Folder::new();
    data.write("notes.txt", "ready\n");
    let root = fs_err::canonicalize(data.path()).unwrap();
    let root = root.to_str().unwrap();
    let folder = folder("filesystem", &entry, &[root]);
    let input = format!("folder={root}");
    let run =
        ["run", "filesystem.recipe.yaml", "--server", "filesystem", "--input", &input, "--detailed-exitcode"];
    folder.run(&run).exits(10);
    let operation = folder.json("loopgate-out/artifact.json")["operations"][0].clone();
    assert_eq!(operation["arguments"], json!({"path": format!("{root}/frozen.txt"), "content": "ready\n"}));
    assert_eq!(operation["idempotency"], "natural");
    assert_eq!(operation["server_validated"], false);
    assert_eq!(operation["reconcile"]["found"][0]["equals"], "ready\n");
    assert!(!data.exists("frozen.txt"));
    data.write("frozen.txt", "ready\n");
    folder.run(&run).exits(0);
    assert_eq!(folder.json("loopgate-out/artifact.json")["operations"], json!([]));
}
