//! `loopgate.call/1`: what a call of a recipe as a tool came to.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::run_v1::run_json;
use crate::core::text::visible;
use crate::report::agent::{CallView, PlanCommands, advice, is_verdict};
use crate::report::written::WrittenKind;

/// The most bytes of a run report within an answer.
const MOST_BYTES: usize = 128 * 1024;

/// What a call came to.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.call/1")]
struct CallV1<'a> {
    /// Always `loopgate.call/1`.
    format: &'static str,
    /// done, nothing-to-do, changes-planned, gate-fails or undecided; or, where there is none: invalid, moved, refused,
    /// unconfirmed-dry-run, needs-input, unreachable, sign-in-refused or interrupted.
    verdict: &'a str,
    /// Whether that is a verdict at all, whichever.
    decided: bool,
    /// The exit code that the command line would have given.
    exit_code: u8,
    /// What the exit code means.
    meaning: &'a str,
    /// What follows, in loopgate's own words.
    next: &'a str,
    /// Whether the server was the embedded sandbox, so that nothing here is about a real release.
    sandbox: bool,
    /// The plan that a person may approve, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PlanV1<'_>")]
    plan: Option<PlanV1<'a>>,
    /// The run report, `loopgate.run/1`: data from others, with what cannot be seen spelled out. Not where it is too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Map<String, Value>")]
    run: Option<Value>,
    /// Why the run report is not given here, and where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    left_out: Option<String>,
}

/// A plan that waits for a person.
#[derive(Serialize, JsonSchema)]
struct PlanV1<'a> {
    /// What an approval names.
    effect_digest: String,
    /// The file with the exact payloads.
    artifact: String,
    /// The folder that a person types the commands in.
    folder: &'a str,
    /// Shows all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    show: Option<&'a str>,
    /// Approves it; this server cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    approve: Option<&'a str>,
    /// Applies it under an approval; this server cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    apply: Option<&'a str>,
}

/// A call as `loopgate.call/1`.
#[must_use]
pub fn call_json(view: &CallView<'_>) -> Value {
    let CallView { result, exit: (exit_code, meaning), outputs, commands } = view;
    let run = seen(run_json(result, &outputs.written));
    let length = run.to_string().len();
    let (run, left_out) = match length > MOST_BYTES {
        false => (Some(run), None),
        true => (None, Some(format!("it has {length} bytes; all of it stands in run.json"))),
    };
    let plan = result.artifact.as_ref().zip(*commands).map(|(artifact, commands)| {
        let PlanCommands { folder, show, approve, apply } = commands;
        let path = outputs.path_of(WrittenKind::Artifact);
        PlanV1 {
            effect_digest: artifact.document().effect_digest.to_string(),
            artifact: path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
            folder,
            show: show.as_deref(),
            approve: approve.as_deref(),
            apply: apply.as_deref(),
        }
    });
    json!(CallV1 {
        format: "loopgate.call/1",
        verdict: result.conclusion.as_str(),
        decided: is_verdict(&result.conclusion),
        exit_code: *exit_code,
        meaning,
        next: advice(&result.conclusion),
        sandbox: result.target.sandbox,
        plan,
        run,
        left_out,
    })
}

/// The JSON Schema of `loopgate.call/1`.
#[must_use]
pub fn call_schema() -> Value {
    // Whole and without references, so that simple clients can read it.
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<CallV1<'_>>().to_value()
}

/// The value with every text and name made visible: whoever hands it to a language model hands on what a person sees.
fn seen(value: Value) -> Value {
    match value {
        Value::String(text) => visible(&text).into(),
        Value::Array(items) => items.into_iter().map(seen).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (visible(&name).into_owned(), seen(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample;

    fn call(result: &crate::engine::RunResult) -> Value {
        let commands = PlanCommands { folder: "/".into(), show: None, approve: None, apply: None };
        call_json(&CallView {
            result,
            exit: (4, "a gate does not hold"),
            outputs: &sample::outputs(),
            commands: Some(&commands),
        })
    }

    #[test]
    fn every_call_is_what_the_schema_says_and_hides_nothing() {
        let validator = jsonschema::validator_for(&call_schema()).unwrap();
        for result in sample::every_run() {
            let value = call(&result);
            assert!(validator.is_valid(&value), "{value:#}");
            let hidden = |value: &Value| value.as_str().is_some_and(|text| text.chars().any(is_hidden));
            fn any(value: &Value, hidden: &dyn Fn(&Value) -> bool) -> bool {
                let items = value.as_array().into_iter().flatten();
                hidden(value)
                    || items
                        .chain(value.as_object().into_iter().flat_map(Map::values))
                        .any(|value| any(value, hidden))
            }
            assert!(!any(&value, &hidden), "{value:#}");
        }
    }

    #[test]
    fn a_report_that_is_too_long_is_left_out_and_said_to_be() {
        let mut result = sample::blocked();
        result.not_proven = vec!["x".repeat(1000); 200];
        let value = call(&result);
        assert!(
            value.get("run").is_none() && value["left_out"].as_str().unwrap().ends_with("run.json"),
            "{value:#}"
        );
        assert_eq!(value["verdict"], "gate-fails");
    }
}
