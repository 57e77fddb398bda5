use serde_json::{Value, json};

use super::v1::{ClassBy, json_schema};
use super::*;
use crate::catalog::{ClassReason, Profile, Schema, class_in};
use crate::core::{Class, Digest, ToolDefinition};

const READ: &str = "loopiq_get_release_certification";
const WRITE: &str = "loopiq_create_remediation_work_package";
const OTHER: &str = "anything";

fn tool(name: &str) -> ToolDefinition {
    ToolDefinition {
        name: name.to_owned(),
        description: Some("d\u{1b}[31m".to_owned()),
        input_schema: json!({"type": "object", "properties": {"n": {"type": "number", "maximum": 0.1}}}),
        output_schema: None,
        annotations: None,
    }
}

fn tools() -> Vec<ToolDefinition> {
    vec![tool(OTHER), tool(WRITE), tool(READ)]
}

fn listed(tools: &[ToolDefinition]) -> Listed<'_> {
    Listed { identity: "https://a/mcp", name: "a", version: "1", role: Role::Read, tools }
}

fn profile() -> Profile {
    Profile::clone(&Profile::loopiq().unwrap())
}

fn locked(tools: &[ToolDefinition]) -> Lock {
    let mut lock = Lock::empty();
    lock.servers.insert("own".to_owned(), take(None, &profile(), &listed(tools)));
    lock
}

/// The lock's text after an edit of one tool's entry.
fn edited(edit: impl Fn(&mut Value)) -> Result<Lock, LockError> {
    let mut lock: Value = serde_json::from_str(&locked(&tools()).text().unwrap()).unwrap();
    edit(&mut lock["servers"]["own"]["tools"][OTHER]);
    Lock::parse("l", &format!("{lock:#}"))
}

fn changes(now: &[ToolDefinition], asked: &Asked) -> Vec<(&'static str, Option<String>, bool)> {
    let lock = locked(&tools());
    let found = compare(&lock.servers["own"], &profile(), &listed(now), asked);
    found.into_iter().map(|change| (change.code.as_str(), change.tool, change.fails)).collect()
}

fn every() -> Asked {
    Asked::Profile([READ, WRITE].map(str::to_owned).into())
}

#[test]
fn a_lock_is_written_a_key_a_line_and_read_back_as_it_was() {
    let mut odd = tool(OTHER);
    odd.input_schema = json!({"maximum": u64::MAX, "minimum": 1e-7, "multipleOf": 0.300_000_000_000_000_04});
    odd.annotations = Some(json!({"readOnlyHint": true, "title": "t\u{202e}"}));
    let lock = locked(&[odd, tool(READ)]);
    let text = lock.text().unwrap();
    assert_eq!(Lock::parse("l", &text).unwrap(), lock);
    assert_eq!(Lock::parse("l", &text).unwrap().text().unwrap(), text);
    assert!(!text.contains(['\u{1b}', '\u{202e}']));
    for line in text.lines() {
        assert!(line.matches("\":").count() <= 1, "{line}");
    }
    let schema = Schema::compile(&json_schema()).unwrap();
    assert_eq!(schema.problems(&serde_json::to_value(&lock).unwrap()), []);
}

#[test]
fn a_schema_that_could_not_be_read_again_is_not_written() {
    let mut deep = tool(OTHER);
    deep.input_schema = (0..130).fold(json!({}), |inner, _| json!({ "not": inner }));
    assert!(matches!(locked(&[deep]).text(), Err(LockError::Unwritable(_))));
}

#[test]
fn classes_come_from_a_person_else_the_profile_else_they_are_write() {
    let by = |lock: &LockedServer, name: &str| (lock.tools[name].class, lock.tools[name].class_by);
    let first = take(None, &profile(), &listed(&tools()));
    assert_eq!(by(&first, READ), (Class::Read, ClassBy::Profile));
    assert_eq!(by(&first, WRITE), (Class::Write, ClassBy::Profile));
    assert_eq!(by(&first, OTHER), (Class::Write, ClassBy::Default));
    let mut set = first.clone();
    for (name, class) in [(OTHER, Class::Read), (READ, Class::Write)] {
        let entry = set.tools.get_mut(name).unwrap();
        (entry.class, entry.class_by) = (class, ClassBy::Person);
    }
    let again = take(Some(&set), &profile(), &listed(&tools()));
    assert_eq!(by(&again, OTHER), (Class::Read, ClassBy::Person));
    assert_eq!(by(&again, READ), (Class::Write, ClassBy::Person));
    // What was said of one server is not said of another.
    let moved = Listed { identity: "https://b/mcp", ..listed(&[]) };
    let tools = tools();
    let moved = take(Some(&set), &profile(), &Listed { tools: &tools, ..moved });
    assert_eq!(by(&moved, OTHER), (Class::Write, ClassBy::Default));
    let mut hinted = tool(READ);
    hinted.annotations = Some(json!({"destructiveHint": true}));
    let raised = take(None, &profile(), &listed(&[hinted]));
    assert_eq!(by(&raised, READ), (Class::Write, ClassBy::Server));
}

#[test]
fn a_person_edits_the_class_and_says_so_and_nothing_else() {
    let person = edited(|entry| {
        entry["class"] = json!("read");
        entry["class_by"] = json!("person");
    });
    assert_eq!(person.unwrap().servers["own"].tools[OTHER].class, Class::Read);
    let silent = edited(|entry| entry["class"] = json!("read")).unwrap_err();
    assert!(matches!(silent, LockError::Edited { .. }) && silent.hint().unwrap().contains("person"));
    assert!(silent.to_string().contains("line "), "{silent}");
    let as_profile = edited(|entry| {
        entry["class"] = json!("read");
        entry["class_by"] = json!("profile");
    });
    assert!(matches!(as_profile, Err(LockError::Edited { .. })));
    for (member, value) in [
        ("description", json!("another")),
        ("input_schema", json!({"type": "object"})),
        ("output_schema", json!({})),
        ("annotations", json!({"readOnlyHint": true})),
        ("digest", json!(Digest::of_bytes(b"x"))),
    ] {
        for by in ["default", "person"] {
            let damaged = edited(|entry| {
                entry[member] = value.clone();
                entry["class_by"] = json!(by);
            });
            assert!(matches!(damaged, Err(LockError::Damaged { .. })), "{member} {by}");
        }
    }
}

#[test]
fn what_is_no_lock_is_told_with_its_place() {
    let said = |text: &str| Lock::parse("l", text).unwrap_err().to_string();
    assert!(said("{").contains("line 1"));
    assert!(said("{}").contains("the format `none`"));
    assert!(said(r#"{"format": "loopgate.lock/2", "servers": {}}"#).contains("loopgate.lock/2"));
    let text = "{\"format\": \"loopgate.lock/1\",\n\"server\": {}}";
    assert!(said(text).contains("unknown field `server`") && said(text).contains("line 2"), "{}", said(text));
    assert!(said("{\"format\": \"loopgate.lock/1\", \"servers\": {}, \"servers\": {}}").contains("servers"));
}

#[test]
fn what_a_lock_has_is_the_class_and_a_hint_only_raises_it() {
    let mut lock = locked(&tools()).servers.remove("own").unwrap();
    let class = |lock: &LockedServer, tool: &ToolDefinition| {
        let class = class_in(Some(lock), &profile(), tool);
        (class.class, class.why)
    };
    assert_eq!(class(&lock, &tool(READ)), (Class::Read, ClassReason::Locked));
    assert_eq!(class(&lock, &tool("new")), (Class::Write, ClassReason::Unlocked));
    // The profile knows it, and still it was not reviewed.
    assert_eq!(class(&lock, &tool("loopiq_list_routes")), (Class::Write, ClassReason::Unlocked));
    let entry = lock.tools.get_mut(OTHER).unwrap();
    (entry.class, entry.class_by) = (Class::Read, ClassBy::Person);
    assert_eq!(class(&lock, &tool(OTHER)), (Class::Read, ClassReason::Person));
    for hints in [json!({"readOnlyHint": false}), json!({"destructiveHint": true})] {
        let raised = ToolDefinition { annotations: Some(hints), ..tool(OTHER) };
        assert_eq!(class(&lock, &raised), (Class::Write, ClassReason::HintAgainstLock));
    }
    let lowered = ToolDefinition { annotations: Some(json!({"readOnlyHint": true})), ..tool(WRITE) };
    assert_eq!(class(&lock, &lowered).0, Class::Write);
}

#[test]
fn what_is_as_it_was_locked_has_no_changes() {
    assert_eq!(changes(&tools(), &every()), []);
}

#[test]
fn changes_of_used_tools_fail_and_words_and_new_tools_are_told() {
    let some = |name: &str| Some(name.to_owned());
    let with = |name: &str, change: &dyn Fn(&mut ToolDefinition)| {
        let mut tools = tools();
        change(tools.iter_mut().find(|tool| tool.name == name).unwrap());
        changes(&tools, &every())
    };
    let retyped = |tool: &mut ToolDefinition| tool.input_schema["properties"]["n"]["type"] = json!("string");
    assert_eq!(with(READ, &retyped), [("schema-changed", some(READ), true)]);
    assert_eq!(with(OTHER, &retyped), [("schema-changed", some(OTHER), false)]);
    let gives = |tool: &mut ToolDefinition| tool.output_schema = Some(json!({}));
    assert_eq!(with(READ, &gives), [("schema-changed", some(READ), true)]);
    let hinted = |tool: &mut ToolDefinition| tool.annotations = Some(json!({"idempotentHint": true}));
    assert_eq!(with(READ, &hinted), [("annotation-changed", some(READ), true)]);
    let writes = |tool: &mut ToolDefinition| tool.annotations = Some(json!({"readOnlyHint": false}));
    let both = [("annotation-changed", some(READ), true), ("class-changed", some(READ), true)];
    assert_eq!(with(READ, &writes), both);
    for words in [
        (|tool: &mut ToolDefinition| tool.description = None) as fn(&mut ToolDefinition),
        |tool| tool.input_schema["properties"]["n"]["description"] = json!("x"),
        |tool| tool.annotations = Some(json!({"title": "x"})),
    ] {
        assert_eq!(with(READ, &words), [("wording-changed", some(READ), false)]);
    }
    let mut more = tools();
    more.push(tool("new"));
    assert_eq!(changes(&more, &every()), [("tool-new", some("new"), false)]);
    let asked = Asked::Recipes(["new".to_owned()].into());
    assert_eq!(changes(&more, &asked), [("tool-new", some("new"), true)]);
}

#[test]
fn a_missing_tool_fails_unless_recipes_are_named_that_do_not_use_it() {
    let missing = [tool(READ), tool(WRITE)];
    let fails = |asked: &Asked| changes(&missing, asked)[0].2;
    assert!(fails(&every()));
    assert!(fails(&Asked::Recipes([OTHER.to_owned()].into())));
    assert!(!fails(&Asked::Recipes([READ.to_owned()].into())));
}

#[test]
fn another_server_fails_and_another_version_is_told() {
    let lock = locked(&tools()).servers.remove("own").unwrap();
    let codes = |now: Listed<'_>| -> Vec<(&str, bool)> {
        let found = compare(&lock, &profile(), &now, &every());
        found.into_iter().map(|change| (change.code.as_str(), change.fails)).collect()
    };
    let tools = tools();
    assert_eq!(codes(Listed { identity: "https://b/mcp", ..listed(&tools) }), [("server-moved", true)]);
    assert_eq!(codes(Listed { version: "2", ..listed(&tools) }), [("version-changed", false)]);
}

#[test]
fn a_class_that_only_the_profile_changed_is_a_change_and_a_persons_is_none() {
    let mut profile = profile();
    let lock = locked(&tools()).servers.remove("own").unwrap();
    profile.operations.get_mut("certification").unwrap().class = Class::Write;
    let tools = tools();
    let classes = |lock: &LockedServer| {
        let found = compare(lock, &profile, &listed(&tools), &every());
        found.iter().map(|change| change.code.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(classes(&lock), ["class-changed"]);
    let mut set = lock.clone();
    set.tools.get_mut(READ).unwrap().class_by = ClassBy::Person;
    assert_eq!(classes(&set), [""; 0]);
}
