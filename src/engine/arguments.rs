//! From what a recipe gives to what a tool gets.

use serde_json::{Map, Value};

use super::ended::{Ended, invalid, template_failed};
use super::target::{Caller, Tools};
use crate::catalog::{Operation, SchemaProblem, check_arguments};
use crate::core::text::visible;
use crate::core::{Class, ToolDefinition};
use crate::recipe::{Scope, Step, Tree};

/// Whether the server offers the tool of an operation, or the tool of that name.
pub(super) fn offered(operation: Option<&Operation>, name: &str, tools: &Tools) -> bool {
    tools.get(operation.map_or(name, |operation| operation.tool.as_str())).is_some()
}

/// The tool and arguments of a read that a recipe wants.
pub(super) fn readable<'t>(
    step: &Step,
    name: &str,
    operation: Option<&Operation>,
    given: &Tree,
    scope: &Scope,
    caller: &Caller<'_>,
    tools: &'t Tools,
) -> Result<(&'t ToolDefinition, Map<String, Value>), Ended> {
    let tool = operation.map_or(name, |operation| operation.tool.as_str());
    let arguments = arguments(step, given, scope, operation)?;
    let arguments = caller.settled(arguments).map_err(|problem| invalid(step, &problem))?;
    let tool = read_tool(tools, tool, &arguments).map_err(|problem| invalid(step, &problem))?;
    Ok((tool, arguments))
}

/// A tool that may be called as a read: offered, allowed, of class read, and fit for these arguments.
///
/// # Errors
/// Why it may not, in words.
pub(super) fn read_tool<'t>(
    tools: &'t Tools,
    name: &str,
    arguments: &Map<String, Value>,
) -> Result<&'t ToolDefinition, String> {
    let (tool, class) = tools.get(name).ok_or_else(|| not_offered(name))?;
    tools.permitted(name)?;
    if class.class == Class::Write {
        return Err(tools.not_read(name, class));
    }
    check_arguments(&tool.input_schema, arguments).map_err(|problems| {
        format!("the arguments do not fit `{}`: {}", visible(name), in_words(&problems))
    })?;
    Ok(tool)
}

/// What is said where the server has no such tool.
pub(super) fn not_offered(tool: &str) -> String {
    format!("the server does not offer the tool `{}`", visible(tool))
}

/// The tool's arguments from what the recipe gives.
pub(super) fn arguments(
    step: &Step,
    given: &Tree,
    scope: &Scope,
    operation: Option<&Operation>,
) -> Result<Map<String, Value>, Ended> {
    let given = match given.evaluate(scope) {
        Ok(Value::Object(given)) => given,
        Ok(other) => {
            return Err(invalid(step, &format!("`with` gives `{other}` instead of named arguments")));
        }
        Err(error) => return Err(template_failed(step, error)),
    };
    match operation {
        None => Ok(given),
        Some(operation) => operation.tool_arguments(&given.into_iter().collect()).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            invalid(step, &problems.join("; "))
        }),
    }
}

/// Schema problems on one line.
pub(super) fn in_words(problems: &[SchemaProblem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| format!("at `{}`: {}", visible(&problem.pointer), problem.message))
        .collect();
    lines.join("; ")
}
