//! A locked tool beside what a server says of it: the digest of an entry, and what of a schema is only wording.

use serde_json::{Map, Value, json};

use super::v1::{ClassBy, LockedTool};
use crate::core::{Class, Digest, ToolDefinition};

impl LockedTool {
    /// The entry of a tool that a server offers.
    pub(super) fn of(tool: &ToolDefinition, class: Class, class_by: ClassBy) -> Self {
        let mut entry = Self {
            class,
            class_by,
            digest: Digest::of_bytes(b""),
            description: tool.description.clone(),
            input_schema: tool.input_schema.clone(),
            output_schema: tool.output_schema.clone(),
            annotations: tool.annotations.clone(),
        };
        entry.digest = entry.computed(class, class_by);
        entry
    }

    /// The tool as the server described it.
    #[must_use]
    pub fn definition(&self, name: &str) -> ToolDefinition {
        ToolDefinition {
            name: name.to_owned(),
            description: self.description.clone(),
            input_schema: self.input_schema.clone(),
            output_schema: self.output_schema.clone(),
            annotations: self.annotations.clone(),
        }
    }

    /// The digest that the entry would have with that class.
    pub(super) fn computed(&self, class: Class, class_by: ClassBy) -> Digest {
        let Self { class: _, class_by: _, digest: _, description, input_schema, output_schema, annotations } =
            self;
        Digest::of_foreign_json(
            "loopgate.locked-tool/1",
            &json!({
                "class": class,
                "class_by": class_by,
                "description": description,
                "input_schema": input_schema,
                "output_schema": output_schema,
                "annotations": annotations,
            }),
        )
    }
}

/// Keywords whose value is one schema.
const ONE: [&str; 11] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas.
const LIST: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
/// Keywords whose value has schemas by names of their own.
const NAMED: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// A schema without what is only said to readers: `title`, `description` and `$comment`, where they are keywords and no
/// names of members.
pub(super) fn without_wording(schema: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut plain = Map::new();
    for (keyword, value) in members {
        let name = keyword.as_str();
        let value = match value {
            Value::String(_) if ["title", "description", "$comment"].contains(&name) => continue,
            Value::Object(_) if ONE.contains(&name) => without_wording(value),
            Value::Array(schemas) if LIST.contains(&name) => {
                Value::Array(schemas.iter().map(without_wording).collect())
            }
            Value::Object(schemas) if NAMED.contains(&name) => Value::Object(
                schemas.iter().map(|(name, schema)| (name.clone(), without_wording(schema))).collect(),
            ),
            other => other.clone(),
        };
        plain.insert(keyword.clone(), value);
    }
    Value::Object(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wording_is_only_what_stands_where_a_keyword_does() {
        let schema = json!({
            "title": "t", "description": {"odd": 1},
            "properties": {"title": {"type": "string", "description": "d"}, "description": true},
            "items": [{"$comment": "c"}], "anyOf": [{"title": "t", "const": {"title": "kept"}}],
            "if": {"description": "d"}, "default": {"title": "kept"}, "enum": ["title"],
        });
        let plain = json!({
            "description": {"odd": 1},
            "properties": {"title": {"type": "string"}, "description": true},
            "items": [{}], "anyOf": [{"const": {"title": "kept"}}],
            "if": {}, "default": {"title": "kept"}, "enum": ["title"],
        });
        assert_eq!(without_wording(&schema), plain);
    }
}
