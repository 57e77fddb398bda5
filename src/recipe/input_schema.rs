//! A recipe's inputs as a JSON Schema, for callers that ask what they may give.

use serde_json::{Map, Value, json};

use super::input::{Input, InputKind, LONGEST_LIST};

/// The JSON Schema (2020-12) of an object with the inputs as members. It allows all that the inputs allow; what it
/// cannot say as they do, such as a pattern in Rust's syntax, stands in the descriptions and is checked all the same.
#[must_use]
pub fn inputs_schema(inputs: &[Input]) -> Map<String, Value> {
    let properties: Map<String, Value> =
        inputs.iter().map(|input| (input.name.clone(), property(input))).collect();
    let required: Vec<&str> =
        inputs.iter().filter(|input| input.required).map(|input| input.name.as_str()).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), json!(required));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn property(input: &Input) -> Value {
    let mut single = Map::new();
    let kind = match input.kind {
        InputKind::String | InputKind::List => "string",
        InputKind::Integer => "integer",
        InputKind::Number => "number",
        InputKind::Boolean => "boolean",
    };
    single.insert("type".to_owned(), json!(kind));
    if !input.choices.is_empty() {
        single.insert("enum".to_owned(), json!(input.choices));
    }
    let bounds = [("minimum", input.min), ("maximum", input.max)];
    for (name, bound) in bounds.into_iter().filter_map(|(name, bound)| Some((name, bound?))) {
        single.insert(name.to_owned(), json!(bound));
    }
    let lengths = [("minLength", input.min_length), ("maxLength", input.max_length)];
    for (name, length) in lengths.into_iter().filter_map(|(name, length)| Some((name, length?))) {
        single.insert(name.to_owned(), json!(length));
    }
    let mut property = match input.kind {
        InputKind::List => Map::from_iter([
            ("type".to_owned(), json!("array")),
            ("items".to_owned(), Value::Object(single)),
            ("maxItems".to_owned(), json!(LONGEST_LIST)),
        ]),
        _ => single,
    };
    if let Some(default) = &input.default {
        property.insert("default".to_owned(), default.clone());
    }
    let pattern = input.pattern.as_ref().map(|pattern| format!("matches `{pattern}` as a whole"));
    let words: Vec<String> = input.help.clone().into_iter().chain(pattern).collect();
    if !words.is_empty() {
        property.insert("description".to_owned(), json!(words.join("; ")));
    }
    Value::Object(property)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(kind: InputKind) -> Input {
        Input::plain("it", kind)
    }

    #[test]
    fn the_schema_says_what_an_input_says() {
        let inputs = [
            Input {
                name: "release".into(),
                required: true,
                help: Some("Release to certify".into()),
                pattern: Some("REL-[0-9]+".into()),
                min_length: Some(1),
                max_length: Some(9),
                ..input(InputKind::String)
            },
            Input {
                name: "days".into(),
                default: Some(json!(7)),
                min: Some(1.0),
                ..input(InputKind::Integer)
            },
            Input { name: "teams".into(), choices: vec![json!("a"), json!("b")], ..input(InputKind::List) },
        ];
        assert_eq!(
            Value::Object(inputs_schema(&inputs)),
            json!({
                "type": "object",
                "properties": {
                    "release": {
                        "type": "string", "minLength": 1, "maxLength": 9,
                        "description": "Release to certify; matches `REL-[0-9]+` as a whole",
                    },
                    "days": { "type": "integer", "minimum": 1.0, "default": 7 },
                    "teams": { "type": "array", "items": { "type": "string", "enum": ["a", "b"] }, "maxItems": 10_000 },
                },
                "required": ["release"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn the_schema_refuses_nothing_that_the_input_takes() {
        let inputs = [
            Input { min_length: Some(2), max_length: Some(3), ..input(InputKind::String) },
            Input { min: Some(-1.5), max: Some(2.0), ..input(InputKind::Number) },
            Input { choices: vec![json!(1), json!(2)], ..input(InputKind::Integer) },
            input(InputKind::Boolean),
            Input { max_length: Some(1), ..input(InputKind::List) },
        ];
        let values = [
            json!("ab"),
            json!("東京都"),
            json!("a"),
            json!(2),
            json!(2.5),
            json!(true),
            json!(["a"]),
            json!(["ab"]),
            json!(null),
        ];
        for input in inputs {
            let schema = Value::Object(inputs_schema(std::slice::from_ref(&input)));
            let validator = jsonschema::validator_for(&schema).unwrap();
            for value in &values {
                assert_eq!(
                    validator.is_valid(&json!({ "it": value })),
                    input.check(value).is_ok(),
                    "{schema} {value}"
                );
            }
        }
    }
}
