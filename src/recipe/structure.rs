//! The shape of a recipe: a file ▸ a document, every deviation at once.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::diagnostic::{Diagnostic, did_you_mean};
use super::document::{Document, json_schema};
use super::source::Source;
use super::yaml::File;
use crate::catalog::{Schema, SchemaProblem, SchemaProblemKind};

static SCHEMA: LazyLock<Result<Schema, SchemaProblem>> = LazyLock::new(|| Schema::compile(&json_schema()));

/// A document and the steps of it, by index, of which only the name could be read.
pub(super) struct Shape {
    pub document: Document,
    pub broken: BTreeSet<usize>,
}

/// Reads the document out of a file. Unknown keys are reported and left out, and a step of another shape is
/// reduced to its name, so that the rest can be checked as well; anything else gives no document.
pub(super) fn document(file: &File, problems: &mut Vec<Diagnostic>) -> Option<Shape> {
    let before = problems.len();
    let mut value = file.value.clone();
    if !value.is_object() {
        let code = if value.is_null() { "empty-recipe" } else { "wrong-type" };
        let hint = Some("begin with `recipe: name`".to_owned());
        let message = "a recipe is a mapping".to_owned();
        let span = file.value_span("");
        problems.push(Diagnostic { code, message, source: file.source.name.clone(), span, hint });
        return None;
    }
    let mut unusable = false;
    let mut broken = BTreeSet::new();
    // To build the schema takes longer than all else at a start, and what is shipped is known to fit.
    let shipped = Source::shipped(&file.source.name).is_some_and(|shipped| shipped == file.source);
    match if shipped { None } else { Some(&*SCHEMA) } {
        None => {}
        Some(Ok(schema)) => {
            for problem in schema.problems(&value) {
                problems.push(explain(file, &problem));
                match (&problem.kind, step_of(&problem.pointer)) {
                    (SchemaProblemKind::UnknownProperty { .. }, _) => {}
                    (_, Some(step)) => {
                        broken.insert(step);
                    }
                    (_, None) => unusable = true,
                }
                if let SchemaProblemKind::UnknownProperty { name, .. } = &problem.kind
                    && let Some(Value::Object(members)) = value.pointer_mut(&problem.pointer)
                {
                    members.remove(name);
                }
            }
        }
        Some(Err(problem)) => {
            unusable = true;
            problems.push(explain(file, problem));
        }
    }
    if unusable {
        return None;
    }
    for index in &broken {
        if let Some(step) = value.pointer_mut(&format!("/steps/{index}")) {
            let id = step.get("id").and_then(Value::as_str).unwrap_or_default();
            *step = json!({ "id": id });
        }
    }
    match serde_json::from_value(value) {
        Ok(document) => Some(Shape { document, broken }),
        Err(error) if problems.len() == before => {
            let message = crate::core::text::visible(&error.to_string()).into_owned();
            let source = file.source.name.clone();
            problems.push(Diagnostic { code: "wrong-type", message, source, span: None, hint: None });
            None
        }
        Err(_) => None,
    }
}

/// The index of the step that a pointer leads into.
fn step_of(pointer: &str) -> Option<usize> {
    pointer.strip_prefix("/steps/")?.split('/').next()?.parse().ok()
}

fn explain(file: &File, problem: &SchemaProblem) -> Diagnostic {
    let SchemaProblem { pointer, message, kind } = problem;
    let at = file.value_span(pointer);
    let (code, span, hint) = match kind {
        SchemaProblemKind::UnknownProperty { name, known } => {
            let key = format!("{pointer}/{}", crate::core::pointer::escape(name));
            let hint = did_you_mean(name, known.iter().map(String::as_str));
            ("unknown-key", file.key_span(&key), hint)
        }
        SchemaProblemKind::Required { name } => ("missing-key", at, Some(format!("add `{name}:`"))),
        SchemaProblemKind::Type => ("wrong-type", at, None),
        SchemaProblemKind::Pattern => {
            let hint =
                "lower-case letters and digits, beginning with a letter, and `_` (in the recipe's name `-`)";
            ("bad-name", at, Some(hint.to_owned()))
        }
        SchemaProblemKind::Enum => ("unknown-value", at, None),
        SchemaProblemKind::Other | SchemaProblemKind::Schema => ("bad-value", at, None),
    };
    Diagnostic { code, message: message.clone(), source: file.source.name.clone(), span, hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::shipped;

    #[test]
    fn the_shipped_recipes_fit_the_schema_that_they_are_not_held_against() {
        let schema = SCHEMA.as_ref().unwrap();
        for (name, _) in shipped() {
            let file = File::read(Source::shipped(name).unwrap()).unwrap();
            assert_eq!(schema.problems(&file.value), [], "{name}");
        }
    }
}
