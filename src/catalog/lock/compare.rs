//! Where what a server offers now differs from the lock, and which of that fails a check.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use super::definition::without_wording;
use super::take::{Listed, class_by};
use super::v1::{ClassBy, LockedServer, LockedTool};
use crate::catalog::profile::Profile;
use crate::core::ToolDefinition;
use crate::core::difference::{Difference, differences};
use crate::core::json::same;
use crate::core::text::{excerpt, visible};

/// Places that are told of one change.
const MOST_PLACES: usize = 20;
/// How much of a value a message shows, in characters.
const SHOWN: usize = 80;

/// What is used, and so must be what the lock says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Tools that the profile's operations call. Any tool that is missing fails as well.
    Profile(BTreeSet<String>),
    /// Tools that recipes call: these alone, and they must be in the lock.
    Recipes(BTreeSet<String>),
}

impl Asked {
    fn uses(&self, tool: &str) -> bool {
        match self {
            Self::Profile(tools) | Self::Recipes(tools) => tools.contains(tool),
        }
    }
}

/// What has changed. Its name in reports is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeCode {
    /// The lock is about another server.
    ServerMoved,
    /// A locked tool is not offered.
    ToolMissing,
    /// A schema of a tool.
    SchemaChanged,
    /// A hint of the server about a tool.
    AnnotationChanged,
    /// The class of a tool that no person has set.
    ClassChanged,
    /// A tool that is offered and not locked.
    ToolNew,
    /// Words alone.
    WordingChanged,
    /// The server's own name or version.
    VersionChanged,
}

impl ChangeCode {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ServerMoved,
        Self::ToolMissing,
        Self::SchemaChanged,
        Self::AnnotationChanged,
        Self::ClassChanged,
        Self::ToolNew,
        Self::WordingChanged,
        Self::VersionChanged,
    ];

    /// Its name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerMoved => "server-moved",
            Self::ToolMissing => "tool-missing",
            Self::SchemaChanged => "schema-changed",
            Self::AnnotationChanged => "annotation-changed",
            Self::ClassChanged => "class-changed",
            Self::ToolNew => "tool-new",
            Self::WordingChanged => "wording-changed",
            Self::VersionChanged => "version-changed",
        }
    }

    /// One line on what it means.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ServerMoved => "The lock was taken from another server.",
            Self::ToolMissing => "The server no longer offers a tool of the lock.",
            Self::SchemaChanged => "A tool takes or gives something else than the lock says.",
            Self::AnnotationChanged => "The server's hints about a tool are others than the lock says.",
            Self::ClassChanged => "A tool has another class than the lock says.",
            Self::ToolNew => "The server offers a tool that the lock does not have.",
            Self::WordingChanged => "The server describes a tool in other words.",
            Self::VersionChanged => "The server calls itself, or its version, something else.",
        }
    }
}

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What has changed.
    pub code: ChangeCode,
    /// The tool that it is about, if it is about one; hostile text.
    pub tool: Option<String>,
    /// Whether the tool is used.
    pub used: bool,
    /// Whether it fails a check.
    pub fails: bool,
    /// Where it differs, by JSON pointers into the tool's entry, or into the server's: the lock's value, and the
    /// server's.
    pub places: Vec<Difference>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tool = visible(self.tool.as_deref().unwrap_or_default());
        match self.code {
            ChangeCode::ServerMoved => f.write_str("the lock was taken from another server")?,
            ChangeCode::ToolMissing => write!(f, "the server no longer offers `{tool}`")?,
            ChangeCode::SchemaChanged => write!(f, "the schemas of `{tool}` have changed")?,
            ChangeCode::AnnotationChanged => write!(f, "the server's hints about `{tool}` have changed")?,
            ChangeCode::ClassChanged => write!(f, "the class of `{tool}` has changed")?,
            ChangeCode::ToolNew => write!(f, "the server offers `{tool}`, which the lock does not have")?,
            ChangeCode::WordingChanged => write!(f, "the server describes `{tool}` in other words")?,
            ChangeCode::VersionChanged => f.write_str("the server calls itself something else")?,
        }
        let shown = |value: &Option<Value>| match value {
            Some(value) => excerpt(&value.to_string(), SHOWN),
            None => "not there".to_owned(),
        };
        for (index, Difference { at, one, other }) in self.places.iter().enumerate() {
            let joint = if index == 0 { ": " } else { "; " };
            write!(f, "{joint}`{}` was {} and is {}", excerpt(at, 200), shown(one), shown(other))?;
        }
        Ok(())
    }
}

/// Every change from `locked` to what the server offers now, under that profile: those that fail first, then by tool.
#[must_use]
pub fn compare(locked: &LockedServer, profile: &Profile, now: &Listed<'_>, asked: &Asked) -> Vec<Change> {
    let mut found = Vec::new();
    let mut whole = |code, fails, one: Value, other: Value| {
        let places = differences(&one, &other, MOST_PLACES);
        if !places.is_empty() {
            found.push(Change { code, tool: None, used: fails, fails, places });
        }
    };
    whole(
        ChangeCode::ServerMoved,
        true,
        json!({"identity": locked.identity}),
        json!({"identity": now.identity}),
    );
    whole(
        ChangeCode::VersionChanged,
        false,
        json!({"name": locked.name, "version": locked.version}),
        json!({"name": now.name, "version": now.version}),
    );
    let offered: BTreeMap<&str, &ToolDefinition> =
        now.tools.iter().map(|tool| (tool.name.as_str(), tool)).collect();
    for (name, entry) in &locked.tools {
        let used = asked.uses(name);
        match offered.get(name.as_str()) {
            None => {
                let fails = used || matches!(asked, Asked::Profile(_));
                let (code, tool, places) = (ChangeCode::ToolMissing, Some(name.clone()), Vec::new());
                found.push(Change { code, tool, used, fails, places });
            }
            Some(tool) => {
                for (code, places) in tool_changes(entry, profile, tool) {
                    let fails = used && code != ChangeCode::WordingChanged;
                    found.push(Change { code, tool: Some(name.clone()), used, fails, places });
                }
            }
        }
    }
    for name in offered.keys().filter(|name| !locked.tools.contains_key(**name)) {
        let used = asked.uses(name);
        let fails = used && matches!(asked, Asked::Recipes(_));
        let (code, tool, places) = (ChangeCode::ToolNew, Some((*name).to_owned()), Vec::new());
        found.push(Change { code, tool, used, fails, places });
    }
    found.sort_by(|a, b| (!a.fails, &a.tool, a.code).cmp(&(!b.fails, &b.tool, b.code)));
    found
}

fn tool_changes(
    entry: &LockedTool,
    profile: &Profile,
    tool: &ToolDefinition,
) -> Vec<(ChangeCode, Vec<Difference>)> {
    let plain = |schema: &Option<Value>| schema.as_ref().map(without_wording);
    let schemas = |input: &Value, output: &Option<Value>| {
        let mut members = json!({"input_schema": without_wording(input)});
        if let (Some(output), Some(members)) = (plain(output), members.as_object_mut()) {
            members.insert("output_schema".to_owned(), output);
        }
        members
    };
    let mut found = Vec::new();
    let mut add = |code, one: &Value, other: &Value| {
        let places = differences(one, other, MOST_PLACES);
        if !places.is_empty() {
            found.push((code, places));
        }
    };
    let before = schemas(&entry.input_schema, &entry.output_schema);
    let now = schemas(&tool.input_schema, &tool.output_schema);
    add(ChangeCode::SchemaChanged, &before, &now);
    add(ChangeCode::AnnotationChanged, &hints(&entry.annotations), &hints(&tool.annotations));
    if entry.class_by != ClassBy::Person {
        let (class, _) = class_by(profile, tool);
        add(ChangeCode::ClassChanged, &json!({"class": entry.class}), &json!({"class": class}));
    }
    let words =
        |description: &Option<String>, input: &Value, output: &Option<Value>, hints: &Option<Value>| {
            json!({
                "description": description, "input_schema": input, "output_schema": output,
                "annotations": {"title": hints.as_ref().and_then(|hints| hints.get("title"))},
            })
        };
    let before = words(&entry.description, &entry.input_schema, &entry.output_schema, &entry.annotations);
    let now = words(&tool.description, &tool.input_schema, &tool.output_schema, &tool.annotations);
    if found.iter().all(|(code, _)| *code != ChangeCode::SchemaChanged) && !same(&before, &now) {
        found.push((ChangeCode::WordingChanged, differences(&before, &now, MOST_PLACES)));
    }
    found
}

/// The hints that say something of what a tool does.
fn hints(annotations: &Option<Value>) -> Value {
    let mut hints = annotations.clone().unwrap_or_else(|| json!({}));
    if let Some(members) = hints.as_object_mut() {
        members.remove("title");
        members.retain(|_, value| !value.is_null());
    }
    json!({ "annotations": hints })
}
