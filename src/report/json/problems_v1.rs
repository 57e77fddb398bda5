//! `loopgate.problems/1`: what is wrong with a recipe.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::recipe::{Diagnostic, Problems, Span};

/// What is wrong with a recipe and what it includes.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.problems/1")]
struct ProblemsV1<'a> {
    /// Always `loopgate.problems/1`.
    format: &'static str,
    /// All of them, in the order in which they were found.
    problems: Vec<ProblemV1<'a>>,
}

/// One problem.
#[derive(Serialize, JsonSchema)]
struct ProblemV1<'a> {
    /// Stable, in kebab case.
    code: &'a str,
    /// In words; may hold text from the recipe.
    message: &'a str,
    /// The file, or the name of a shipped recipe.
    source: &'a str,
    /// Where in the file, if that could be found.
    place: Option<PlaceV1>,
    /// What to do about it.
    hint: Option<&'a str>,
}

/// Where something stands.
#[derive(Serialize, JsonSchema)]
struct PlaceV1 {
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    /// First byte, from 0.
    start: usize,
    /// First byte after it.
    end: usize,
}

/// The problems as `loopgate.problems/1`.
#[must_use]
pub fn problems_json(problems: &Problems) -> Value {
    let format = "loopgate.problems/1";
    let problems = problems.diagnostics.iter().map(problem).collect();
    json!(ProblemsV1 { format, problems })
}

/// The JSON Schema of `loopgate.problems/1`.
#[must_use]
pub fn problems_schema() -> Value {
    schema_for!(ProblemsV1<'_>).to_value()
}

fn problem(diagnostic: &Diagnostic) -> ProblemV1<'_> {
    let Diagnostic { code, message, source, span, hint } = diagnostic;
    ProblemV1 { code, message, source, place: span.as_ref().map(place), hint: hint.as_deref() }
}

fn place(span: &Span) -> PlaceV1 {
    let Span { start, end, line, column } = span;
    PlaceV1 { line: *line, column: *column, start: *start, end: *end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_what_the_schema_says() {
        let span = Some(Span { start: 3, end: 5, line: 1, column: 4 });
        let problem = |span| Diagnostic {
            code: "unknown-key",
            message: "m".into(),
            source: "a.yaml".into(),
            span,
            hint: None,
        };
        let problems = Problems { diagnostics: vec![problem(span), problem(None)], sources: vec![] };
        let value = problems_json(&problems);
        assert!(jsonschema::validator_for(&problems_schema()).unwrap().is_valid(&value));
        assert_eq!(
            value,
            json!({"format": "loopgate.problems/1", "problems": [
                {"code": "unknown-key", "message": "m", "source": "a.yaml",
                 "place": {"line": 1, "column": 4, "start": 3, "end": 5}, "hint": null},
                {"code": "unknown-key", "message": "m", "source": "a.yaml", "place": null, "hint": null}
            ]})
        );
    }
}
