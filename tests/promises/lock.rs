//! Promises 9 and 10: a tool is what the lock says, what moved is refused and explained, and what the settings do not
//! allow is not called.

use serde_json::{Value, json};

use crate::support::{Folder, Ran, peer};

const PROFILE: &str = "profile: own
summary: s
operations:
  things:
    summary: s
    tool: list_things
    class: read
    basis: { tool: assumed, arguments: assumed, result: assumed }
    arguments: { kind: { at: /kind, optional: true } }
    result: { total: /total }
  make:
    summary: s
    tool: make_thing
    class: write
    basis: { tool: assumed, arguments: assumed, result: assumed, control: assumed }
    arguments: { title: /title, size: { at: /size, optional: true } }
    control: { dry_run: { at: /dryRun, dry: true, real: false } }
    idempotency: none
  call_route:
    summary: s
    tool: call_route
    class: write
    family: routes
    listed_by: things
    basis: { tool: assumed, arguments: assumed, result: assumed }
    arguments: { path: /path }
    idempotency: none
";

const RECIPE: &str = "recipe: r
summary: s
profile: own.yaml
steps:
  - id: things
    read: things
  - id: made
    write: make
    when: \"{{ things.total > 0 }}\"
    reason: r
    with: { title: t, size: 3 }
";

/// A folder with a server of its own, whose tools stand in `offers.json`.
pub fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("own.yaml", PROFILE);
    folder.write("r.yaml", RECIPE);
    settings(&folder, json!({}));
    offer(&folder, |_| {});
    folder
}

/// Settings with more for the server.
pub fn settings(folder: &Folder, more: Value) {
    let mut server = json!({
        "command": peer(), "arguments": ["offers", "offers.json"], "profile": "own.yaml", "tenant": "acme",
    });
    server.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let policy = json!({"approvals": {"accept": ["asserted"], "four_eyes": false}});
    folder.write(
        "loopgate.yaml",
        json!({"server": "own", "servers": {"own": server}, "policy": policy}).to_string(),
    );
}

/// Offers the usual tools after a change.
pub fn offer(folder: &Folder, change: impl Fn(&mut Value)) {
    let tool = |name: &str, properties: Value, required: Value| {
        json!({
            "name": name, "description": format!("Says {name}"),
            "inputSchema": {
                "type": "object", "properties": properties, "required": required, "additionalProperties": false,
            },
        })
    };
    let mut offers = json!({
        "tools": [
            tool("list_things", json!({"kind": {"enum": ["a", "b"]}}), json!([])),
            tool(
                "make_thing",
                json!({"title": {"type": "string"}, "size": {"type": "integer", "maximum": 9}, "dryRun": {"type": "boolean"}}),
                json!(["title", "dryRun"]),
            ),
            tool("call_route", json!({"path": {"type": "string"}}), json!(["path"])),
            tool("odd_tool", json!({"x": {"type": "integer"}}), json!(["x"])),
        ],
        "answers": {"list_things": {"total": 1}},
    });
    change(&mut offers);
    folder.write("offers.json", offers.to_string());
}

pub fn lock(folder: &Folder) -> Ran {
    folder.run(&["lock", "--server", "own"]).exits(0)
}

/// Edits a tool's entry in the lock.
pub fn edit(folder: &Folder, tool: &str, changes: &[(&str, &str)]) {
    let mut lock = folder.json("loopgate.lock");
    for (member, value) in changes {
        lock["servers"]["own"]["tools"][tool][member] = json!(value);
    }
    folder.write("loopgate.lock", format!("{lock:#}"));
}

fn run(folder: &Folder) -> Ran {
    folder.run(&["run", "r.yaml"])
}

fn codes(checked: &Value) -> Vec<(String, String, bool)> {
    let changes = checked["changes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    changes.map(|one| (text(&one["code"]), text(&one["tool"]), one["fails"] == true)).collect()
}

fn code(code: &str, tool: &str, fails: bool) -> (String, String, bool) {
    (code.to_owned(), tool.to_owned(), fails)
}

#[test]
fn a_lock_has_every_tool_with_its_class_and_keeps_what_a_person_set() {
    let folder = folder();
    lock(&folder);
    let server = folder.json("loopgate.lock")["servers"]["own"].clone();
    assert_eq!((&server["identity"], &server["role"]), (&json!("own"), &json!("read")));
    let class = |name: &str| {
        let tool = folder.json("loopgate.lock")["servers"]["own"]["tools"][name].clone();
        assert!(tool["digest"].as_str().unwrap().starts_with("sha256:"));
        assert_eq!(tool["description"], json!(format!("Says {name}")));
        assert_eq!(tool["input_schema"]["type"], "object");
        (tool["class"].as_str().unwrap().to_owned(), tool["class_by"].as_str().unwrap().to_owned())
    };
    let is = |class: &str, by: &str| (class.to_owned(), by.to_owned());
    assert_eq!(class("list_things"), is("read", "profile"));
    assert_eq!(class("make_thing"), is("write", "profile"));
    assert_eq!(class("odd_tool"), is("write", "default"));
    edit(&folder, "odd_tool", &[("class", "read"), ("class_by", "person")]);
    lock(&folder);
    assert_eq!(class("odd_tool"), is("read", "person"));
    let written = folder.read("loopgate.lock");
    lock(&folder);
    assert_eq!(folder.read("loopgate.lock"), written, "the same tools give the same bytes");
    let schema = folder.run(&["schema", "lock"]).exits(0).json();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&folder.json("loopgate.lock")));
}

#[test]
fn a_check_fails_for_what_is_used_and_tells_the_rest() {
    let folder = folder();
    let check = |more: &[&str]| folder.run(&[&["lock", "--check", "--format", "json"], more].concat());
    assert_eq!(check(&[]).code, 3, "there is no lock yet");
    lock(&folder);
    let same = check(&[]).exits(0).json();
    assert_eq!((codes(&same), &same["fails"]), (vec![], &json!(false)));
    let schema = folder.run(&["schema", "lock-check"]).exits(0).json();
    let schema = jsonschema::validator_for(&schema).unwrap();

    offer(&folder, |offers| {
        offers["tools"][0]["description"] = json!("in other words");
        offers["tools"][3]["inputSchema"]["properties"]["x"]["type"] = json!("string");
        offers["tools"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "newer", "inputSchema": {"type": "object"}}));
    });
    let told = check(&[]).exits(0).json();
    let expected = vec![
        code("wording-changed", "list_things", false),
        code("tool-new", "newer", false),
        code("schema-changed", "odd_tool", false),
    ];
    assert_eq!(codes(&told), expected);
    assert!(schema.is_valid(&told));

    offer(&folder, |offers| {
        offers["tools"][0]["annotations"] = json!({"readOnlyHint": false});
        offers["tools"][1]["inputSchema"]["properties"]["size"]["maximum"] = json!(8);
        offers["tools"].as_array_mut().unwrap().remove(3);
    });
    let moved = check(&[]).exits(21).json();
    let expected = vec![
        code("annotation-changed", "list_things", true),
        code("class-changed", "list_things", true),
        code("schema-changed", "make_thing", true),
        code("tool-missing", "odd_tool", true),
    ];
    assert_eq!(codes(&moved), expected);
    assert!(schema.is_valid(&moved));
    let place = &moved["changes"][2]["places"][0];
    assert_eq!(place["at"], "/input_schema/properties/size/maximum");
    assert_eq!((&place["locked"], &place["live"]), (&json!(9), &json!(8)));
    let text = folder.run(&["lock", "--check"]).exits(21).told();
    assert!(text.contains("fails [schema-changed] loopgate.lock:"), "{text}");
    assert!(text.contains("`/input_schema/properties/size/maximum` was 9 and is 8"), "{text}");

    // A recipe that reads alone has nothing to do with the write, or with what is gone.
    folder.write(
        "reads.yaml",
        "recipe: r\nsummary: s\nprofile: own.yaml\nsteps:\n  - { id: a, read: things, emit: a.json }\n",
    );
    offer(&folder, |offers| {
        offers["tools"].as_array_mut().unwrap().truncate(1);
    });
    folder.run(&["lock", "--check"]).exits(21);
    folder.run(&["lock", "--check", "r.yaml"]).exits(21);
    folder.run(&["lock", "--check", "reads.yaml"]).exits(0);
}

#[test]
fn a_difference_is_sarif_with_its_place_in_the_lock_and_nothing_in_it_is_markup() {
    let folder = folder();
    let hostile = "[x](http://evil) {0} <b>\u{1b}[31m";
    offer(&folder, |offers| {
        offers["tools"][3]["name"] = json!(hostile);
    });
    lock(&folder);
    offer(&folder, |offers| {
        offers["tools"][1]["inputSchema"]["properties"]["size"]["maximum"] = json!(8);
    });
    let ran = folder.run(&["lock", "--check", "--format", "sarif"]).exits(21);
    let log = ran.json();
    assert_eq!((&log["version"], log["runs"].as_array().unwrap().len()), (&json!("2.1.0"), 1));
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    let ids: Vec<&str> = results.iter().map(|one| one["ruleId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["tool-missing", "schema-changed", "tool-new"], "{results:#?}");
    let lines: Vec<String> = folder.read("loopgate.lock").lines().map(str::to_owned).collect();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(result["message"].as_object().unwrap().keys().collect::<Vec<_>>(), ["text"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "loopgate.lock");
        let line = usize::try_from(place["region"]["startLine"].as_u64().unwrap()).unwrap();
        let column = usize::try_from(place["region"]["startColumn"].as_u64().unwrap()).unwrap();
        let key = match result["ruleId"].as_str().unwrap() {
            "schema-changed" => "\"make_thing\": {",
            "tool-missing" => "\"[x](http://evil)",
            _ => "\"own\": {",
        };
        assert!(lines[line - 1][column - 1..].starts_with(key), "{}", lines[line - 1]);
    }
    assert_eq!(results[2]["level"], "note");
    let message = results[0]["message"]["text"].as_str().unwrap();
    assert!(message.contains("\\[x\\](http://evil) {{0}}"), "{message}");
    assert!(!ran.stdout.contains('\u{1b}'));
    // What reads SARIF here reads it, too.
    folder.write("lock.sarif", &ran.stdout);
    folder.run(&["sandbox", "import", "lock.sarif", "--tenant", "acme", "--release", "REL-LOCK"]).exits(0);
    let ran = folder.sandbox("certify-release", "REL-LOCK", &[]).exits(4);
    assert!(ran.stdout.contains("loopgate"), "{}", ran.stdout);
}

#[test]
fn a_used_tool_that_is_not_what_the_lock_says_stops_a_run_and_is_explained() {
    let folder = folder();
    run(&folder).exits(0);
    lock(&folder);
    run(&folder).exits(0);
    for (change, says) in [
        (
            (|offers: &mut Value| {
                offers["tools"][1]["inputSchema"]["properties"]["size"]["maximum"] = json!(8);
            }) as fn(&mut Value),
            "`/input_schema/properties/size/maximum` was 9 and is 8",
        ),
        (|offers| offers["tools"][0]["outputSchema"] = json!({"type": "object"}), "/output_schema"),
        (|offers| offers["tools"][0]["annotations"] = json!({"openWorldHint": true}), "openWorldHint"),
        (
            |offers| offers["tools"][0]["annotations"] = json!({"readOnlyHint": false}),
            "the class of `list_things`",
        ),
        (
            |offers| {
                offers["tools"].as_array_mut().unwrap().remove(1);
            },
            "no longer offers `make_thing`",
        ),
    ] {
        offer(&folder, change);
        let ran = run(&folder).exits(21);
        let told = ran.told();
        assert!(told.contains(says) && told.contains("loopgate lock --server own --check"), "{told}");
        assert!(!folder.exists("loopgate-out/artifact.json"));
        assert_eq!(folder.json("loopgate-out/run.json")["conclusion"]["word"], "moved");
    }
    // What the recipe does not use, and words, stop nothing.
    offer(&folder, |offers| {
        offers["tools"][0]["description"] = json!("x");
        offers["tools"].as_array_mut().unwrap().truncate(2);
    });
    run(&folder).exits(0);
}

#[test]
fn what_moved_since_the_lock_stops_an_apply() {
    let folder = folder();
    lock(&folder);
    run(&folder).exits(0);
    let digest = folder.json("loopgate-out/artifact.json")["effect_digest"].as_str().unwrap().to_owned();
    let approve = ["approve", "--as", "me", "--reason", "r", "--digest", &digest];
    let id = folder.run(&approve).exits(0).stdout.trim().to_owned();
    // No schema differs, so nobody but the lock sees it.
    offer(&folder, |offers| offers["tools"][1]["annotations"] = json!({"idempotentHint": true}));
    let ran = folder.run(&["apply", "--approval-id", &id]).exits(21);
    assert!(ran.told().contains("hints about `make_thing`"), "{}", ran.told());
    offer(&folder, |_| {});
    settings(&folder, json!({"allow": {"tools": ["list_things"]}}));
    let ran = folder.run(&["apply", "--approval-id", &id]).exits(3);
    assert!(ran.told().contains("add `semantic` to `allow.families` of the server `own`"), "{}", ran.told());
    settings(&folder, json!({}));
    folder.run(&["apply", "--approval-id", &id]).exits(0);
}

#[test]
fn what_the_lock_lacks_is_a_write_and_is_not_read() {
    let folder = folder();
    offer(&folder, |offers| {
        offers["tools"].as_array_mut().unwrap().remove(0);
    });
    lock(&folder);
    offer(&folder, |_| {});
    let ran = run(&folder).exits(3);
    let told = ran.told();
    assert!(told.contains("list_things") && told.contains("loopgate lock --server own"), "{told}");
    let ran = folder.run(&["profile", "check", "--sample", "things={}"]).exits(3);
    assert!(ran.told().contains("the tool lock does not have it"), "{}", ran.told());
}

#[test]
fn a_persons_class_counts_and_a_hint_of_the_server_only_raises_it() {
    let folder = folder();
    lock(&folder);
    edit(&folder, "list_things", &[("class", "write"), ("class_by", "person")]);
    assert!(run(&folder).exits(3).told().contains("person"));
    edit(&folder, "list_things", &[("class", "read")]);
    run(&folder).exits(0);
    offer(&folder, |offers| offers["tools"][0]["annotations"] = json!({"readOnlyHint": false}));
    lock(&folder);
    assert_eq!(folder.json("loopgate.lock")["servers"]["own"]["tools"]["list_things"]["class"], "read");
    let told = run(&folder).exits(3).told();
    assert!(told.contains("the server's hints say that it writes"), "{told}");
}

#[test]
fn a_class_that_nobody_set_and_a_damaged_entry_are_refused_everywhere() {
    let folder = folder();
    lock(&folder);
    let commands: [&[&str]; 5] = [
        &["run", "r.yaml"],
        &["validate", "r.yaml"],
        &["lock", "--server", "own"],
        &["lock", "--check"],
        &["profile", "check"],
    ];
    let whole = folder.read("loopgate.lock");
    for (change, code, says) in [
        ([("class", "read")], 3, "write `\"class_by\": \"person\"`"),
        ([("description", "x")], 22, "is not what was written"),
    ] {
        folder.write("loopgate.lock", &whole);
        edit(&folder, "make_thing", &change);
        for command in commands {
            let told = folder.run(command).exits(code).told();
            assert!(told.contains(says) && told.contains("loopgate.lock"), "{command:?}: {told}");
        }
    }
    folder.write("loopgate.lock", "{");
    folder.run(&["run", "r.yaml"]).exits(3);
}

#[test]
fn the_settings_say_where_the_lock_is_and_one_that_they_name_is_there() {
    let folder = folder();
    let named = folder.json("loopgate.yaml");
    let mut settings = named.clone();
    settings["lock"] = json!("locks/tools.lock");
    folder.write("loopgate.yaml", settings.to_string());
    folder.write("locks/keep", "");
    let told = run(&folder).exits(3).told();
    assert!(told.contains("there is no tool lock `locks/tools.lock`"), "{told}");
    lock(&folder);
    assert!(folder.exists("locks/tools.lock") && !folder.exists("loopgate.lock"));
    run(&folder).exits(0);
    // In a pipeline nothing of a checkout is a lock.
    let command = ["lock", "--server", "sandbox"];
    let output = folder.command(&command).env("CI", "true").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let output = folder.command(&["lock", "--server", "sandbox", "--trust", "."]).env("CI", "true").output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    assert_eq!(folder.json("locks/tools.lock")["servers"].as_object().unwrap().len(), 2);
    folder.sandbox("certify-release", "REL-READY", &[]).exits(0);
    folder.run(&["lock", "--check", "--server", "sandbox"]).exits(0);
    folder.run(&["lock", "--format", "sarif"]).exits(2);
    folder.run(&["lock", "r.yaml"]).exits(2);
}

#[test]
fn a_tool_that_the_settings_do_not_allow_is_not_called() {
    let folder = folder();
    let routes = "recipe: r\nsummary: s\nprofile: own.yaml\nsteps:\n  - { id: things, read: things }\n  - id: go\n    \
                  write: call_route\n    reason: r\n    with: { path: /x }\n";
    folder.write("routes.yaml", routes);
    let told = |folder: &Folder, file: &str| folder.run(&["run", file]).exits(3).told();
    let usual = told(&folder, "routes.yaml");
    assert!(usual.contains("add `routes` to `allow.families` of the server `own`"), "{usual}");
    settings(&folder, json!({"allow": {"families": ["semantic", "routes"]}}));
    folder.run(&["run", "routes.yaml"]).exits(0);
    settings(&folder, json!({"allow": {"families": ["routes"]}}));
    assert!(told(&folder, "r.yaml").contains("list_things"));
    let sample = folder.run(&["profile", "check", "--sample", "things={}"]).exits(3).told();
    assert!(sample.contains("do not allow the tool `list_things`"), "{sample}");
    let raw = "recipe: r\nsummary: s\nsteps:\n  - { id: a, write: odd_tool, reason: r, with: { x: 1 } }\n";
    folder.write("raw.yaml", raw);
    assert!(told(&folder, "raw.yaml").contains("add `odd_tool` to `allow.tools`"));
    settings(&folder, json!({"allow": {"tools": ["odd_tool"]}}));
    folder.run(&["run", "raw.yaml"]).exits(0);
    settings(&folder, json!({"allow": {"famlies": []}}));
    assert!(told(&folder, "raw.yaml").contains("famlies"));
}
