//! The recipe format as it is written. Nothing here is checked beyond its shape.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value;

use super::analysis::Analysis;
use super::input::InputKind;
use crate::catalog::Idempotency;

/// A recipe for loopgate: typed inputs, and steps that read, decide, emit and propose writes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loopgate recipe")]
pub(super) struct Document {
    /// Its name.
    #[schemars(extend("pattern" = "^[a-z][a-z0-9-]{0,62}$"))]
    pub recipe: String,
    /// What it does, in one line.
    pub summary: String,
    /// The profile whose operations the steps name.
    pub profile: Option<String>,
    /// The server of the trust settings that it runs against.
    pub server: Option<String>,
    /// What it is given. Each input is a flag, with `-` for `_`.
    #[serde(default)]
    pub inputs: BTreeMap<String, WrittenInput>,
    /// What it does, in order. A step uses earlier ones only.
    pub steps: Vec<WrittenStep>,
}

/// One input.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenInput {
    /// What kind of value it is; `list` is a list of strings.
    #[serde(rename = "type")]
    pub kind: InputKind,
    /// Whether a run without it is refused.
    pub required: Option<bool>,
    /// Its value where none is given.
    pub default: Option<Value>,
    /// What it means, in one line.
    pub help: Option<String>,
    /// A regular expression that the whole value matches; for a list, each item.
    pub pattern: Option<String>,
    /// The values that are allowed; for a list, of its items.
    pub choices: Option<Vec<Value>>,
    /// The smallest number.
    pub min: Option<f64>,
    /// The largest number.
    pub max: Option<f64>,
    /// The fewest characters; for a list, of each item.
    pub min_length: Option<usize>,
    /// The most characters; for a list, of each item.
    pub max_length: Option<usize>,
}

/// One step: exactly one of `read`, `write`, `analyze`, `gate`, `include`, or an `emit` of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenStep {
    /// Its name, by which later steps use its result.
    #[schemars(extend("pattern" = "^[a-z][a-z0-9_]{0,62}$"))]
    pub id: String,
    /// An operation of the profile that changes nothing.
    pub read: Option<String>,
    /// An operation of the profile, or a tool by its own name, that changes something. It is proposed only.
    pub write: Option<String>,
    /// What is made of earlier results.
    pub analyze: Option<Analysis>,
    /// An `{{ expression }}` that must hold.
    pub gate: Option<String>,
    /// The file that receives the result: `.json`, `.txt`, `.md` or `.mmd`.
    pub emit: Option<String>,
    /// A shipped recipe by its name, or a file below this one's folder. Its steps run here.
    pub include: Option<String>,
    /// Arguments of a `read` or `write`, inputs of an `include`, what an `analyze` is told besides.
    #[serde(rename = "with")]
    pub arguments: Option<BTreeMap<String, Value>>,
    /// An `{{ expression }}`; where it is false, the step is left out.
    pub when: Option<String>,
    /// For `analyze`: the step whose result is looked at.
    pub of: Option<String>,
    /// For `analyze`: other steps whose results it takes, by the names that the analysis has for them.
    pub from: Option<BTreeMap<String, String>>,
    /// For `read`: how long to wait for the answer, such as `30s`.
    pub timeout: Option<String>,
    /// For `read`: what to do when no answer came.
    pub retry: Option<WrittenRetry>,
    /// For `read`: what stays unproven where the server does not offer this.
    pub optional: Option<String>,
    /// For `write`: why, for the approver.
    pub reason: Option<String>,
    /// For `write`: how it may be repeated, where that is stricter than the profile.
    #[schemars(with = "Option<String>", extend("enum" = ["none", "key", "natural"]))]
    pub idempotency: Option<Idempotency>,
    /// For `write`: the read that tells whether it happened.
    pub reconcile: Option<WrittenReconcile>,
    /// For `gate`: an `{{ expression }}`; where it is true, the gate is undecided.
    pub undecided: Option<String>,
    /// For `gate`: whether it only reports.
    pub advisory: Option<bool>,
    /// For `gate`: what it says, in one line.
    pub says: Option<String>,
    /// For an `emit` of its own: what the file receives.
    pub value: Option<Value>,
}

/// What to do when a read brings no answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRetry {
    /// How often to try, the first time included.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: Option<u32>,
    /// How long to wait in between, such as `1s`.
    pub delay: Option<String>,
}

/// The read that tells whether a write happened.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenReconcile {
    /// An operation of the profile that changes nothing.
    pub read: String,
    /// Its arguments, fixed when the write is planned.
    #[serde(rename = "with")]
    pub arguments: Option<BTreeMap<String, Value>>,
    /// What its result has when the write happened; all of it.
    #[schemars(length(min = 1))]
    pub found: Vec<WrittenExpectation>,
}

/// A value that a result has.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenExpectation {
    /// JSON pointer into the answer's structured content; `/text` where there is none.
    pub pointer: String,
    /// Equal as canonical JSON.
    pub equals: Value,
}

/// The JSON Schema of the recipe format (draft 2020-12), for editors and for the check of a recipe's shape.
#[must_use]
pub fn json_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    simplify(&mut schema);
    schema
}

/// A key without a value is a forgotten one: what may be left out may not be null.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| choice != &serde_json::json!({"type": "null"}));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    members.remove("anyOf");
                    members.extend(only);
                }
            }
            if let Some(Value::Array(choices)) = members.get("oneOf") {
                // One list of words says better what is wrong than as many forms as there are words.
                let words: Option<Vec<Value>> =
                    choices.iter().map(|choice| choice.get("const").cloned()).collect();
                if let Some(words) = words {
                    members.remove("oneOf");
                    members.insert("enum".to_owned(), Value::Array(words));
                }
            }
            members.retain(|name, member| name != "default" || !member.is_null());
            members.values_mut().for_each(simplify);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_format_is_described_and_none_may_be_null() {
        let schema = json_schema();
        let text = schema.to_string();
        assert!(!text.contains("\"null\""), "{text}");
        let definitions = schema["$defs"].as_object().unwrap();
        let objects = definitions.values().chain([&schema]).filter_map(|s| s["properties"].as_object());
        let mut keys = 0;
        for (name, property) in objects.flatten() {
            assert!(property["description"].is_string(), "`{name}` has no description: {property}");
            keys += 1;
        }
        assert!(keys > 35, "{keys}");
    }
}
