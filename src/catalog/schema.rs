//! JSON Schema: whether a value fits, and what is wrong where it does not. The one file that names
//! `jsonschema`. Nothing is ever fetched.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value, json};

use super::schema_cost::check_cost;
use crate::core::text::excerpt;

/// Problems reported for one value. Who has more than these has enough to begin with.
const MOST_PROBLEMS: usize = 50;
/// Steps back that a pattern with look-around may take before it counts as not matching.
const BACKTRACK_LIMIT: usize = 100_000;
/// Bytes that a compiled pattern may take.
const PATTERN_SIZE: usize = 1 << 20;

/// A compiled schema of draft 2020-12 (where none is named), 2019-09, 7, 6 or 4.
pub struct Schema {
    validator: Validator,
    source: Value,
}

/// One way in which a value does not fit its schema, or a schema itself does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaProblem {
    /// JSON pointer into the value; into the schema for [`SchemaProblemKind::Schema`].
    pub pointer: String,
    /// In words, without the place and without the value; safe to print.
    pub message: String,
    /// What kind it is.
    pub kind: SchemaProblemKind,
}

/// The kinds of problems that a reader can be helped with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaProblemKind {
    /// A member that the schema does not have.
    UnknownProperty {
        /// Its name, as it came.
        name: String,
        /// The names that stand beside it in the schema.
        known: Vec<String>,
    },
    /// Another JSON type.
    Type,
    /// A member is missing.
    Required {
        /// Its name.
        name: String,
    },
    /// Text that the pattern does not match.
    Pattern,
    /// None of the allowed values.
    Enum,
    /// Anything else about the value.
    Other,
    /// The schema cannot be used.
    Schema,
}

/// Whether `arguments` fit a tool's input schema.
///
/// # Errors
/// Every problem up to a limit; one of kind [`SchemaProblemKind::Schema`] where the schema cannot be used.
pub fn check_arguments(schema: &Value, arguments: &Map<String, Value>) -> Result<(), Vec<SchemaProblem>> {
    let schema = Schema::compile(schema).map_err(|problem| vec![problem])?;
    let problems = schema.problems(&Value::Object(arguments.clone()));
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Makes ready what schemas themselves are held against. It takes a millisecond: for another thread, while this
/// one waits for a server.
pub fn prepare_schemas() {
    // Once made it stays. An empty schema would be held against nothing.
    let _ = Schema::compile(&json!({"type": "object"}));
}

impl Schema {
    /// Compiles a schema. `format` stays an annotation.
    ///
    /// # Errors
    /// It is no JSON Schema, refers to something outside of itself, or would take unreasonably long to
    /// check.
    pub fn compile(schema: &Value) -> Result<Self, SchemaProblem> {
        let unusable = |pointer: String, message: String| SchemaProblem {
            pointer,
            message,
            kind: SchemaProblemKind::Schema,
        };
        check_cost(schema).map_err(|message| unusable(String::new(), message))?;
        let validator = jsonschema::options()
            .offline()
            .should_validate_formats(false)
            .with_pattern_options(
                PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_LIMIT).size_limit(PATTERN_SIZE),
            )
            .build(schema)
            .map_err(|error| {
                let message = format!("is no JSON Schema: {}", short(&error.to_string()));
                unusable(error.instance_path().to_string(), message)
            })?;
        Ok(Self { validator, source: schema.clone() })
    }

    /// What does not fit in `value`, in the schema's order; at most fifty problems.
    #[must_use]
    pub fn problems(&self, value: &Value) -> Vec<SchemaProblem> {
        let mut problems = Vec::new();
        for error in self.validator.iter_errors(value) {
            self.explain(&error, &mut problems);
            if problems.len() >= MOST_PROBLEMS {
                problems.truncate(MOST_PROBLEMS);
                break;
            }
        }
        problems
    }

    /// What does not fit in a value in which only a run knows what stands at the pointers `unknown`: problems that hold
    /// whatever comes there.
    #[must_use]
    pub fn problems_of_known(&self, value: &Value, unknown: &[String]) -> Vec<SchemaProblem> {
        let mut problems = Vec::new();
        for error in self.validator.iter_errors(value).filter(|error| is_certain(error, unknown)) {
            self.explain(&error, &mut problems);
            if problems.len() >= MOST_PROBLEMS {
                problems.truncate(MOST_PROBLEMS);
                break;
            }
        }
        problems
    }

    fn explain(&self, error: &ValidationError<'_>, problems: &mut Vec<SchemaProblem>) {
        let mut add = |kind, message: String| {
            problems.push(SchemaProblem { pointer: error.instance_path().to_string(), message, kind });
        };
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let known = self.known_properties(error.schema_path().as_str());
                for name in unexpected {
                    let message = format!("`{}` is not known here", short(name));
                    add(
                        SchemaProblemKind::UnknownProperty { name: name.clone(), known: known.clone() },
                        message,
                    );
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().map_or_else(|| property.to_string(), str::to_owned);
                let message = format!("`{}` is missing", short(&name));
                add(SchemaProblemKind::Required { name }, message);
            }
            ValidationErrorKind::Type { kind } => {
                let wanted = match kind {
                    TypeKind::Single(one) => one.to_string(),
                    TypeKind::Multiple(many) => {
                        many.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or ")
                    }
                };
                let found = json_type(error.instance());
                add(SchemaProblemKind::Type, format!("is of type {found}, where {wanted} belongs"));
            }
            ValidationErrorKind::Pattern { pattern } => {
                add(SchemaProblemKind::Pattern, format!("does not match `{}`", short(pattern)));
            }
            ValidationErrorKind::Enum { options } => {
                add(SchemaProblemKind::Enum, format!("is none of `{}`", short(&options.to_string())));
            }
            ValidationErrorKind::Constant { expected_value } => {
                add(SchemaProblemKind::Enum, format!("is not `{}`", short(&expected_value.to_string())));
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                match meant(context, error.instance_path().as_str()) {
                    Some(branch) => branch.iter().for_each(|inner| self.explain(inner, problems)),
                    None => add(
                        SchemaProblemKind::Other,
                        format!("fits none of the {} forms it can have", context.len()),
                    ),
                }
            }
            _ => add(SchemaProblemKind::Other, short(&error.masked().to_string())),
        }
    }

    /// The members that the schema names beside the keyword at `keyword`.
    fn known_properties(&self, keyword: &str) -> Vec<String> {
        let above = keyword.rsplit_once('/').map_or("", |(above, _)| above);
        let properties = self.source.pointer(above).and_then(|schema| schema.get("properties"));
        properties.and_then(Value::as_object).map_or_else(Vec::new, |known| known.keys().cloned().collect())
    }
}

/// Whether a problem is one whatever stands at the pointers `unknown`.
fn is_certain(error: &ValidationError<'_>, unknown: &[String]) -> bool {
    let at = error.instance_path().as_str();
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if unknown.iter().any(|place| within(at, place)) {
        return false;
    }
    // What holds only where something else does.
    let conditional = ["then", "else", "dependentSchemas", "dependentRequired", "dependencies"];
    let keywords = error.schema_path().as_str();
    if !unknown.is_empty() && keywords.split('/').any(|keyword| conditional.contains(&keyword)) {
        return false;
    }
    // Of what holds something unknown, only its type and the names of its members are known.
    !unknown.iter().any(|place| within(place, at))
        || matches!(
            error.kind(),
            ValidationErrorKind::AdditionalProperties { .. }
                | ValidationErrorKind::Required { .. }
                | ValidationErrorKind::Type { .. }
        )
}

/// The one form that the writer most likely meant: of those whose type fits, the one with the fewest
/// problems, if a single one has the fewest.
fn meant<'a>(
    forms: &'a [Vec<ValidationError<'static>>],
    here: &str,
) -> Option<&'a Vec<ValidationError<'static>>> {
    let other_type = |error: &ValidationError<'_>| {
        matches!(error.kind(), ValidationErrorKind::Type { .. }) && error.instance_path().as_str() == here
    };
    let weight = |error: &ValidationError<'_>| match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected.len(),
        _ => 1,
    };
    let mut weighed: Vec<(usize, &Vec<_>)> = forms
        .iter()
        .filter(|errors| !errors.iter().any(other_type))
        .map(|errors| (errors.iter().map(weight).sum(), errors))
        .collect();
    weighed.sort_by_key(|(weight, _)| *weight);
    match weighed.as_slice() {
        [(_, only)] => Some(only),
        [(first, best), (second, _), ..] if first < second => Some(best),
        _ => None,
    }
}

/// Hostile text for a message.
fn short(text: &str) -> String {
    excerpt(text, 200)
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(schema: Value, value: Value) -> Vec<(String, String)> {
        let found = Schema::compile(&schema).unwrap().problems(&value);
        found.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
    }

    fn said(pointer: &str, message: &str) -> (String, String) {
        (pointer.to_owned(), message.to_owned())
    }

    #[test]
    fn every_problem_is_named_with_its_place() {
        let schema = json!({
            "type": "object", "required": ["title"], "additionalProperties": false,
            "properties": {
                "title": {"type": "string"}, "count": {"type": ["integer", "null"]},
                "key": {"pattern": "^[A-Z]+$"}, "size": {"enum": ["S", "L"]},
            },
        });
        let value = json!({"titel": "x", "count": "many", "key": "a\u{1b}", "size": "M"});
        let mut found = problems(schema, value);
        found.sort();
        assert_eq!(
            found,
            [
                said("", "`titel` is not known here"),
                said("", "`title` is missing"),
                said("/count", "is of type string, where null or integer belongs"),
                said("/key", "does not match `^[A-Z]+$`"),
                said("/size", "is none of `[\"S\",\"L\"]`"),
            ]
        );
    }

    #[test]
    fn an_unknown_member_comes_with_the_known_ones_also_behind_a_reference() {
        let schema = json!({
            "properties": {"steps": {"items": {"$ref": "#/$defs/step"}}},
            "$defs": {"step": {"properties": {"id": {}, "read": {}}, "additionalProperties": false}},
        });
        let found = Schema::compile(&schema).unwrap().problems(&json!({"steps": [{"raed": 1}]}));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].pointer, "/steps/0");
        assert_eq!(
            found[0].kind,
            SchemaProblemKind::UnknownProperty {
                name: "raed".to_owned(),
                known: vec!["id".to_owned(), "read".to_owned()],
            }
        );
    }

    #[test]
    fn of_several_forms_the_one_that_was_meant_is_explained() {
        let schema = json!({"anyOf": [
            {"type": "string"},
            {"type": "object", "required": ["at"], "additionalProperties": false,
             "properties": {"at": {"type": "string"}, "optional": {"type": "boolean"}}},
        ]});
        assert_eq!(
            problems(schema.clone(), json!({"at": "/a", "optional": "yes"})),
            [said("/optional", "is of type string, where boolean belongs")]
        );
        assert_eq!(problems(schema, json!(7)), [said("", "fits none of the 2 forms it can have")]);
    }

    #[test]
    fn an_unusable_schema_is_a_problem_and_nothing_is_fetched() {
        for schema in [
            json!({"type": "strin"}),
            json!("text"),
            json!({"pattern": "("}),
            json!({"$ref": "https://example.com/s.json"}),
            json!({"$ref": "#/$defs/none"}),
            json!({"$schema": "https://example.com/own-dialect"}),
        ] {
            let found = check_arguments(&schema, &Map::new()).unwrap_err();
            assert!(matches!(found.as_slice(), [SchemaProblem { kind: SchemaProblemKind::Schema, .. }]));
        }
    }

    #[test]
    fn draft_7_and_2020_12_are_read_each_as_itself() {
        let tuple = json!([1, "x"]);
        let draft7 = json!({"$schema": "http://json-schema.org/draft-07/schema#",
                            "items": [{"type": "string"}]});
        let newest = json!({"prefixItems": [{"type": "string"}]});
        assert_eq!(problems(draft7, tuple.clone()).len(), 1);
        assert_eq!(problems(newest, tuple).len(), 1);
    }

    #[test]
    fn the_number_of_problems_is_bounded() {
        let many: Vec<Value> = (0..1000).map(Value::from).collect();
        let schema = json!({"items": {"type": "string"}});
        assert_eq!(problems(schema, Value::Array(many)).len(), MOST_PROBLEMS);
    }

    #[test]
    fn a_value_is_never_repeated_in_a_message() {
        let schema = json!({"properties": {"a": {"maxLength": 3}, "b": {"not": {}}, "c": {"type": "null"}}});
        let value = json!({"a": "s3cret", "b": "s3cret", "c": "s3cret"});
        let found = problems(schema, value);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|(_, message)| !message.contains("s3cret")), "{found:?}");
    }
}
