//! `loopgate validate`: every problem at once, without a server.

use serde_json::json;

use super::arguments::{Format, Validate};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{agreed_for, load, profile_for, recipe_source};
use super::output::Output;
use crate::core::text::visible;

/// Checks each recipe; the result says what only a run can know.
pub(super) fn validate(
    arguments: &Validate,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let mut exit = Exit::Done;
    let mut results = Vec::new();
    for path in &arguments.recipes {
        let file = path.display().to_string();
        let checked = recipe_source(path).and_then(|source| {
            let profile =
                profile_for(&source, arguments.profile.as_deref(), arguments.trust.as_ref(), environment)?;
            let (server, trust) = (arguments.server.as_deref(), arguments.trust.as_ref());
            let agreed = agreed_for(&source, server, trust, environment)?;
            load(source, &profile, &agreed)
        });
        match checked {
            Ok(recipe) => {
                if arguments.format == Format::Text {
                    let mut text = format!("{}: valid\n", visible(&file));
                    for later in &recipe.later {
                        text.push_str(&format!("  known only in a run: {}\n", visible(later)));
                    }
                    output.data(&text)?;
                }
                results.push(json!({
                    "file": file, "recipe": recipe.name, "valid": true, "digest": recipe.digest,
                    "problems": [], "known_only_in_a_run": recipe.later,
                }));
            }
            Err(fault) => {
                exit = exit.max(fault.exit);
                if arguments.format == Format::Text {
                    output.fault(&fault);
                }
                let problems = match &fault.problems {
                    Some(_) => fault.problems_json(),
                    None => json!([{ "code": "unreadable", "message": format!("{:#}", fault.error) }]),
                };
                results.push(json!({ "file": file, "valid": false, "problems": problems }));
            }
        }
    }
    if arguments.format == Format::Json {
        output.json(&json!({ "format": "loopgate.validation/1", "recipes": results }))?;
    }
    Ok(exit)
}
