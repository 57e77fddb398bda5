//! `loopgate list`: the shipped recipes.

use serde_json::{Value, json};

use super::arguments::{Format, List};
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use crate::recipe::Recipe;

/// Lists the shipped recipes and their inputs.
pub(super) fn list(arguments: &List, recipes: &[Recipe], output: &Output) -> Result<Exit, Fault> {
    match arguments.format {
        Format::Json => {
            let all: Vec<Value> = recipes
                .iter()
                .map(|recipe| {
                    json!({
                        "recipe": recipe.name, "summary": recipe.summary, "digest": recipe.digest,
                        "inputs": recipe.inputs.iter().map(|input| json!({
                            "name": input.name, "required": input.required, "default": input.default,
                            "help": input.help,
                        })).collect::<Vec<_>>(),
                    })
                })
                .collect();
            output.json(&json!({ "format": "loopgate.list/1", "recipes": all }))?;
        }
        Format::Text => {
            let width = recipes.iter().map(|recipe| recipe.name.len()).max().unwrap_or_default();
            let mut text = String::new();
            for recipe in recipes {
                text.push_str(&format!("{:width$}  {}\n", recipe.name, recipe.summary));
                for input in &recipe.inputs {
                    let flag = format!("--{}", input.name.replace('_', "-"));
                    let help = input.help.as_deref().unwrap_or_default();
                    let mark = if input.required { " (required)" } else { "" };
                    text.push_str(&format!("{:width$}    {flag}  {help}{mark}\n", ""));
                }
            }
            output.data(&text)?;
        }
    }
    Ok(Exit::Done)
}
