//! Whether a run is what its case expects.

use serde_json::Value;

use super::result::RunResult;
use crate::core::json::same;
use crate::evidence::{Graph, Limits, analyze};
use crate::recipe::{At, Expected};

/// What is not as expected, a sentence each; may hold hostile text. Nothing where all is.
#[must_use]
pub fn judge(expected: &Expected, result: &RunResult) -> Vec<String> {
    let Expected { verdict, says, steps, blocking, files, operations } = expected;
    let mut wrong = Vec::new();
    let (word, message) = (result.conclusion.as_str(), result.conclusion.message());
    if word != verdict {
        wrong.push(format!("the verdict is `{word}`, not `{verdict}`: {message}"));
    }
    if let Some(says) = says.as_ref().filter(|says| !message.contains(says.as_str())) {
        wrong.push(format!("it does not say `{says}`: {message}"));
    }
    for (id, wanted) in steps {
        match result.steps.iter().find(|step| step.id == *id) {
            None => wrong.push(format!("there is no step `{id}`")),
            Some(step) if step.status.as_str() != wanted => {
                wrong.push(format!("step `{id}` is `{}`, not `{wanted}`", step.status.as_str()));
            }
            Some(_) => {}
        }
    }
    if let Some(blocking) = blocking {
        let found = found(result);
        if found.as_ref() != Some(blocking) {
            let found = found.map_or("no evidence was analyzed".to_owned(), |found| found.join(", "));
            wrong.push(format!("what blocks is not {}: {found}", blocking.join(", ")));
        }
    }
    for (name, values) in files {
        match result.emitted.iter().find(|file| file.name == *name) {
            None => wrong.push(format!("there is no file `{name}`")),
            Some(file) => match serde_json::from_slice(&file.bytes) {
                Ok(value) => differ(name, &value, values, &mut wrong),
                Err(_) => wrong.push(format!("`{name}` is no JSON, so no value in it can be expected")),
            },
        }
    }
    if let Some(operations) = operations {
        let planned = result.artifact.iter().flat_map(|artifact| artifact.operations());
        let planned: Vec<_> = planned.collect();
        let (ids, wanted): (Vec<&str>, Vec<&str>) = (
            planned.iter().map(|operation| operation.id.as_str()).collect(),
            operations.iter().map(|operation| operation.id.as_str()).collect(),
        );
        if ids != wanted {
            wrong.push(format!("what is planned is not [{}]: [{}]", wanted.join(", "), ids.join(", ")));
        }
        for wanted in operations {
            if let Some(operation) = planned.iter().find(|operation| operation.id == wanted.id) {
                let payload = Value::Object(operation.arguments.clone());
                differ(&wanted.id, &payload, &wanted.payload, &mut wrong);
            }
        }
    }
    wrong
}

/// The IDs of what blocks.
fn found(result: &RunResult) -> Option<Vec<String>> {
    let graph = Graph::read(&result.evidence.as_ref()?.value, &Limits::default()).ok()?;
    Some(analyze(&graph).blocking.iter().map(|finding| finding.id.to_owned()).collect())
}

/// The values that do not stand where they should.
fn differ(name: &str, value: &Value, wanted: &[At], wrong: &mut Vec<String>) {
    for At { at, equals } in wanted {
        let found = at.get(value).unwrap_or(&Value::Null);
        if !same(found, equals) {
            wrong.push(format!("{name}: at `{at}` stands {found}, not {equals}"));
        }
    }
}
