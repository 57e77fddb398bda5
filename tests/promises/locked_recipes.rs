//! A recipe is held against the tool lock and the allow-list before any server is asked, with file, line and column.

use serde_json::json;

use crate::lock::{edit, folder, lock, offer, settings};
use crate::support::{Folder, Ran};

/// Each problem of the only recipe: its code, and what stands at its place.
fn problems(folder: &Folder, ran: &Ran) -> Vec<(String, String)> {
    let validated = ran.json();
    let problems = validated["recipes"][0]["problems"].as_array().unwrap().iter().map(|problem| {
        let text = folder.read(problem["source"].as_str().unwrap());
        let at = |name: &str| usize::try_from(problem["place"][name].as_u64().unwrap()).unwrap();
        let line = text.lines().nth(at("line") - 1).unwrap();
        (problem["code"].as_str().unwrap().to_owned(), line[at("column") - 1..].trim().to_owned())
    });
    problems.collect()
}

fn validate(folder: &Folder, steps: &str) -> Ran {
    let head = "recipe: r\nsummary: s\nprofile: own.yaml\ninputs:\n  n: { type: integer, default: 1 }\n  t: { type: string, default: t }\nsteps:\n";
    folder.write("v.yaml", format!("{head}  - {{ id: things, read: things }}\n{steps}"));
    folder.run(&["validate", "v.yaml", "--format", "json"])
}

fn write(with: &str) -> String {
    format!(
        "  - id: made\n    write: make\n    when: \"{{{{ things.total > 0 }}}}\"\n    reason: r\n    with:\n{with}"
    )
}

#[test]
fn constant_arguments_fit_the_locked_schema_or_are_told_at_their_place() {
    let folder = folder();
    let large = write("      title: t\n      size: 12\n");
    validate(&folder, &large).exits(0);
    lock(&folder);
    let found = |problems: Vec<(String, String)>| problems;
    let is = |at: &str| ("unfit-argument".to_owned(), at.to_owned());
    let ran = validate(&folder, &large).exits(3);
    assert_eq!(found(problems(&folder, &ran)), [is("12")]);
    let message = ran.json()["recipes"][0]["problems"][0]["message"].clone();
    assert!(message.as_str().unwrap().contains("`make_thing` does not take this at `/size`"), "{message}");
    let ran = validate(&folder, &write("      title: 7\n      size: \"{{ inputs.n }}\"\n")).exits(3);
    assert_eq!(problems(&folder, &ran), [is("7")]);
    let ran = validate(&folder, &write("      title: \"{{ 'a' }}\"\n      size: \"{{ 3 + 9 }}\"\n")).exits(3);
    assert_eq!(problems(&folder, &ran), [is("\"{{ 3 + 9 }}\"")]);
    // The control argument is required, and filled in later; an expression is only known in a run.
    for fits in [
        "      title: t\n      size: 3\n",
        "      title: \"{{ inputs.t }}\"\n      size: \"{{ inputs.n }}\"\n",
        "      title: t\n",
    ] {
        validate(&folder, &write(fits)).exits(0);
    }
    // Without a server as well as before one: a run says the same.
    validate(&folder, &large).exits(3);
    let told = folder.run(&["run", "v.yaml"]).exits(3).told();
    assert!(told.contains("v.yaml:") && told.contains("does not take this at `/size`"), "{told}");
}

#[test]
fn an_argument_in_depth_is_told_where_it_stands_and_what_may_yet_fit_is_not_told() {
    let folder = folder();
    let schema = json!({
        "type": "object", "required": ["title", "dryRun"],
        "properties": {
            "dryRun": {"type": "boolean"}, "size": {"type": "integer"},
            "title": {"type": "object", "additionalProperties": false, "required": ["text", "by"], "properties": {
                "text": {"type": "string"}, "by": {"enum": ["a", "b"]},
                "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            }},
        },
        "anyOf": [{"properties": {"size": {"const": 1}}}, {"required": ["size"]}],
    });
    offer(&folder, |offers| offers["tools"][1]["inputSchema"] = schema.clone());
    lock(&folder);
    let title = |members: &str| write(&format!("      title: {{ {members} }}\n"));
    let at = |steps: String| {
        let ran = validate(&folder, &steps).exits(3);
        problems(&folder, &ran).into_iter().map(|(_, at)| at).collect::<Vec<_>>()
    };
    assert_eq!(at(title("text: x, by: c")), ["c }"]);
    assert_eq!(at(title("text: x, by: a, tags: [x, 2]")), ["2] }"]);
    assert_eq!(at(title("text: x, by: a, tgs: [x, y]")), ["[x, y] }"]);
    assert_eq!(at(title("text: \"{{ inputs.t }}\"")), ["{ text: \"{{ inputs.t }}\" }"]);
    for fits in [
        "text: x, by: \"{{ inputs.t }}\"",
        "text: x, by: a, tags: [\"{{ inputs.t }}\", x]",
        "text: x, by: a, tags: { for_each: \"{{ things.total }}\", as: one, give: \"{{ one }}\" }",
    ] {
        validate(&folder, &title(fits)).exits(0);
    }
}

#[test]
fn a_tool_that_the_lock_lacks_and_one_that_it_calls_a_write_are_told() {
    let folder = folder();
    offer(&folder, |offers| {
        offers["tools"].as_array_mut().unwrap().remove(1);
    });
    lock(&folder);
    let steps = write("      title: t\n");
    let ran = validate(&folder, &steps).exits(3);
    assert_eq!(problems(&folder, &ran), [("not-locked".to_owned(), "make".to_owned())]);
    assert!(ran.stdout.contains("loopgate lock --server own"), "{}", ran.stdout);
    // What a recipe reads only where it is offered may be missing.
    folder.write("own.yaml", folder.read("own.yaml").replace("tool: list_things", "tool: gone"));
    folder.write(
        "optional.yaml",
        "recipe: r\nsummary: s\nprofile: own.yaml\nsteps:\n  - { id: a, read: things, optional: things, emit: a.json }\n",
    );
    folder.run(&["validate", "optional.yaml"]).exits(0);
    folder.write("own.yaml", folder.read("own.yaml").replace("tool: gone", "tool: list_things"));
    offer(&folder, |_| {});
    lock(&folder);
    validate(&folder, &steps).exits(0);
    edit(&folder, "list_things", &[("class", "write"), ("class_by", "person")]);
    let ran = validate(&folder, &steps).exits(3);
    assert!(
        problems(&folder, &ran).iter().any(|(code, at)| code == "locked-class" && at.starts_with("things"))
    );
}

#[test]
fn a_tool_by_its_own_name_is_read_where_a_person_has_set_it() {
    let folder = folder();
    settings(&folder, json!({"profile": "plain"}));
    let recipe = |x: &str| {
        format!(
            "recipe: r\nsummary: s\nsteps:\n  - {{ id: odd, read: odd_tool, with: {{ x: {x} }}, emit: odd.json }}\n"
        )
    };
    folder.write("raw.yaml", recipe("1"));
    folder.run(&["run", "raw.yaml"]).exits(3);
    lock(&folder);
    folder.run(&["validate", "raw.yaml"]).exits(3);
    edit(&folder, "odd_tool", &[("class", "read"), ("class_by", "person")]);
    for command in [
        &["validate", "raw.yaml"][..],
        &["show", "raw.yaml"],
        &["run", "raw.yaml"],
        &["lock", "--check", "raw.yaml"],
    ] {
        folder.run(command).exits(0);
    }
    let shown = folder.run(&["profile", "show", "--server", "own"]).exits(0).told();
    assert!(shown.contains("odd_tool, but read: a person has set its class in the tool lock"), "{shown}");
    folder.write("raw.yaml", recipe("one"));
    let told = folder.run(&["validate", "raw.yaml"]).exits(3).told();
    assert!(told.contains("does not take this at `/x`"), "{told}");
    folder.write("raw.yaml", recipe("1"));
    // Of a server without operations every locked tool may be used.
    offer(&folder, |offers| offers["tools"][3]["inputSchema"]["properties"]["x"]["type"] = json!("number"));
    folder.run(&["lock", "--check"]).exits(21);
    folder.run(&["run", "raw.yaml"]).exits(21);
}

#[test]
fn a_recipe_that_uses_what_the_settings_do_not_allow_is_not_valid() {
    let folder = folder();
    let steps = "  - { id: go, write: call_route, reason: r, with: { path: /x } }\n";
    let not_allowed = |ran: &Ran| {
        let found = problems(&folder, ran);
        assert!(found.iter().any(|(code, _)| code == "not-allowed"), "{found:?}");
        assert!(ran.stdout.contains("allow.families"), "{}", ran.stdout);
    };
    not_allowed(&validate(&folder, steps).exits(3));
    let shown = folder.run(&["profile", "show", "own.yaml"]).exits(0).told();
    assert!(shown.contains("family routes, listed by things"), "{shown}");
    settings(&folder, json!({"allow": {"families": ["semantic", "routes"]}}));
    validate(&folder, steps).exits(0);
    settings(&folder, json!({"allow": {"families": ["routes"]}}));
    not_allowed(&validate(&folder, steps).exits(3));
    // The trust folder that is named counts, not the checkout's.
    settings(&folder, json!({}));
    folder.write("trust/loopgate.yaml", folder.read("loopgate.yaml"));
    folder.write("trust/own.yaml", folder.read("own.yaml"));
    settings(&folder, json!({"allow": {"families": ["semantic", "routes"]}}));
    folder.run(&["validate", "v.yaml"]).exits(0);
    folder.run(&["validate", "v.yaml", "--trust", "trust"]).exits(3);
}

#[test]
fn shipped_recipes_fit_the_lock_of_the_sandbox() {
    let folder = Folder::new();
    folder.run(&["lock", "--server", "sandbox"]).exits(0);
    for recipe in ["certify-release", "evidence-graph", "remediation-plan"] {
        folder.run(&["validate", recipe]).exits(0);
        folder.sandbox(recipe, "REL-READY", &[]).exits(0);
    }
    let server = folder.json("loopgate.lock")["servers"]["sandbox"].clone();
    assert_eq!((&server["identity"], &server["role"]), (&json!("sandbox"), &json!("read")));
    let tools = server["tools"].as_object().unwrap();
    let writes: Vec<&str> =
        tools.iter().filter(|(_, tool)| tool["class"] == "write").map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        writes,
        [
            "loopiq_assign_work",
            "loopiq_create_remediation_work_package",
            "loopiq_invoke_route",
            "loopiq_run_ai_ml_agent",
            "loopiq_triage_incident",
            "loopiq_update_record",
        ]
    );
}
