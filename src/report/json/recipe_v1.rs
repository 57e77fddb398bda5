//! `loopgate.recipe-summary/1`: what a recipe does.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::catalog::Profile;
use crate::recipe::{Input, Recipe};
use crate::report::recipe_steps::{ToldStep, ToldTool, ToldWrite, told_steps};

/// What a recipe does.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.recipe-summary/1")]
struct RecipeSummaryV1<'a> {
    /// Always `loopgate.recipe-summary/1`.
    format: &'static str,
    /// Its name.
    name: &'a str,
    /// One line.
    summary: &'a str,
    /// The profile that it was read with.
    profile: &'a str,
    /// Digest of it and all it includes.
    digest: String,
    /// Its inputs, in the order of the file.
    inputs: Vec<InputV1<'a>>,
    /// Its steps in order, included ones behind their `include`.
    steps: Vec<StepV1>,
    /// What only a run can know.
    later: &'a [String],
}

/// One input.
#[derive(Serialize, JsonSchema)]
struct InputV1<'a> {
    /// Its name.
    name: &'a str,
    /// Its flag, without the dashes in front.
    flag: String,
    /// What kind of value it is.
    kind: String,
    /// Whether a run without it is refused.
    required: bool,
    /// Its value where none is given.
    default: Option<&'a Value>,
    /// The values that are allowed; empty for any.
    choices: &'a [Value],
    /// What it means.
    help: Option<&'a str>,
}

/// One step.
#[derive(Serialize, JsonSchema)]
struct StepV1 {
    /// Its dotted ID.
    id: String,
    /// read, write, analyze, gate, emit or include.
    kind: &'static str,
    /// What it names, or the gate's expression.
    subject: String,
    /// For a read or write: the tool.
    tool: Option<ToolV1>,
    /// Its conditions, as written.
    when: Vec<String>,
    /// What it uses of earlier steps, as `step.member`.
    uses: Vec<String>,
    /// The file that it emits.
    emits: Option<String>,
    /// What a reader should know besides.
    remarks: Vec<String>,
    /// For a write: what would be sent.
    write: Option<WriteV1>,
}

/// A tool.
#[derive(Serialize, JsonSchema)]
struct ToolV1 {
    /// Its name.
    name: String,
    /// read or write.
    class: String,
    /// What the profile's entry stands on, part by part; null where the profile has none.
    basis: Option<String>,
}

/// What a write would send.
#[derive(Serialize, JsonSchema)]
struct WriteV1 {
    /// Why, as a template.
    reason: String,
    /// The arguments with the templates in their leaves.
    arguments: Value,
    /// How it may be repeated: key, natural or none.
    idempotency: String,
    /// The operation that tells whether it happened.
    reconcile: Option<String>,
}

/// The recipe as `loopgate.recipe-summary/1`, its tools as `profile` knows them.
#[must_use]
pub fn recipe_json(recipe: &Recipe, profile: &Profile) -> Value {
    json!(RecipeSummaryV1 {
        format: "loopgate.recipe-summary/1",
        name: &recipe.name,
        summary: &recipe.summary,
        profile: &profile.profile,
        digest: recipe.digest.to_string(),
        inputs: recipe.inputs.iter().map(input).collect(),
        steps: told_steps(recipe, profile).into_iter().map(step).collect(),
        later: &recipe.later,
    })
}

/// The JSON Schema of `loopgate.recipe-summary/1`.
#[must_use]
pub fn recipe_schema() -> Value {
    schema_for!(RecipeSummaryV1<'_>).to_value()
}

fn input(input: &Input) -> InputV1<'_> {
    InputV1 {
        name: &input.name,
        flag: input.flag(),
        kind: input.kind.to_string(),
        required: input.required,
        default: input.default.as_ref(),
        choices: &input.choices,
        help: input.help.as_deref(),
    }
}

fn step(step: ToldStep) -> StepV1 {
    let ToldStep { id, kind, subject, tool, when, uses, emits, remarks, write } = step;
    let tool = tool.map(|ToldTool { name, class, basis }| ToolV1 { name, class: class.to_string(), basis });
    let write = write.map(|ToldWrite { reason, arguments, idempotency, reconcile }| WriteV1 {
        reason,
        arguments,
        idempotency,
        reconcile,
    });
    StepV1 { id, kind, subject, tool, when, uses, emits, remarks, write }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_summary_is_what_the_schema_says() {
        let (recipe, profile) = sample::recipe();
        let value = recipe_json(&recipe, &profile);
        assert!(jsonschema::validator_for(&recipe_schema()).unwrap().is_valid(&value), "{value:#}");
        let write = value["steps"].as_array().unwrap().iter().find(|step| step["kind"] == "write").unwrap();
        assert_eq!(write["tool"]["class"], "write");
        assert_eq!(write["write"]["arguments"]["parent"]["title"], "Unblock {{ inputs.release }}");
    }
}
