//! `loopgate man --markdown`: commands, settings, variables and formats on one page, from the definitions that the program runs by.

use std::fmt::Write as _;

use clap::ValueEnum as _;
use clap::builder::StyledStr;
use serde_json::Value;

use super::arguments::SchemaName;
use super::command::{INPUTS, command};
use super::fault::Fault;
use super::schema;
use crate::recipe::Recipe;
use crate::report::markdown::code;

/// What of the surrounding is read, besides the variables that belong to a flag and those that settings name.
const ENVIRONMENT: [(&str, &str); 12] = [
    ("LOOPGATE_INPUT_NAME", "the recipe's input `name`, where no flag, option or file gives it"),
    ("LOOPGATE_ID_TOKEN", "the pipeline's own identity on GitLab, for `token: { federated: … }`"),
    ("LOOPGATE_SANDBOX_TOKEN", "what clients of `sandbox serve --http` must show"),
    (
        "CI, TF_BUILD",
        "that this is a pipeline: nothing of a checkout is trusted then, and the ledger must be named",
    ),
    (
        "GITHUB_*, GITLAB_CI, GITLAB_USER_LOGIN, CI_*, BUILDKITE_*, BUILD_*, SYSTEM_*",
        "who planned and which pipeline ran it, for reports; nothing is trusted on their word but what the chapter on \
         the CI platform says",
    ),
    (
        "GITHUB_ACTIONS, GITHUB_OUTPUT, GITHUB_STEP_SUMMARY, ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "where `--report github` goes, and where the pipeline's own identity comes from",
    ),
    (
        "PGUSER, PGPASSWORD, PGPASSFILE, PGSSLROOTCERT",
        "what libpq takes them for, where the ledger is in PostgreSQL",
    ),
    ("TRACEPARENT, TRACESTATE", "the trace that the calls belong to (W3C Trace Context)"),
    ("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "the proxy to an HTTPS server, in lower case too"),
    ("NO_COLOR, CLICOLOR_FORCE, TERM, COLUMNS, LC_ALL, LC_CTYPE, LANG", "what the terminal can show"),
    ("USER, LOGNAME, USERNAME, HOSTNAME", "who ran it and where, in reports, where no pipeline says it"),
    (
        "PATH, HOME, LANG, TMPDIR",
        "what every program that is started gets; more only where the settings name it",
    ),
];

/// The page as Markdown.
pub(super) fn reference(recipes: &[Recipe]) -> Result<String, Fault> {
    let mut root = command(recipes);
    root.build();
    let mut page = String::from("### Commands\n");
    commands(&mut page, "loopgate", &root);
    page.push_str("\n### Settings\n\n`loopgate.yaml`, as `loopgate schema settings` has it in full.\n\n");
    settings(&mut page)?;
    page.push_str("\n### Environment variables\n\n| variable | says |\n|---|---|\n");
    for (name, says) in ENVIRONMENT {
        row(&mut page, &[&code(name), says]);
    }
    page.push_str(
        "\n### Formats\n\n`loopgate schema NAME` prints the JSON Schema.\n\n| schema | of |\n|---|---|\n",
    );
    for name in SchemaName::value_variants() {
        if let Some(value) = name.to_possible_value() {
            row(&mut page, &[&code(value.get_name()), &one_line(value.get_help())]);
        }
    }
    Ok(page)
}

/// A section for the command and each below it.
fn commands(page: &mut String, name: &str, command: &clap::Command) {
    let subcommands: Vec<&clap::Command> =
        command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()).collect();
    let flags: Vec<&clap::Arg> = command
        .get_arguments()
        .filter(|argument| !["help", "version", "verbose"].contains(&argument.get_id().as_str()))
        .collect();
    // A recipe's subcommand has its inputs and all that `run` has.
    let is_input = |argument: &&clap::Arg| argument.get_help_heading() == Some(INPUTS);
    let is_recipe = flags.iter().any(&is_input);
    let flags: Vec<&clap::Arg> =
        flags.into_iter().filter(|argument| !is_recipe || is_input(argument)).collect();
    if subcommands.is_empty() || !flags.is_empty() {
        let about = one_line(command.get_about());
        // Writing to a string does not fail.
        let beside =
            if is_recipe { "; besides its inputs it takes the options of `loopgate run`" } else { "" };
        let _ = write!(page, "\n**{}** {}{beside}\n", code(name), about.trim_end_matches('.'));
        if !flags.is_empty() {
            page.push_str("\n| argument | says | variable |\n|---|---|---|\n");
        }
        for argument in flags {
            let says = says(argument);
            let variable = argument.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default();
            row(page, &[&written(argument), &says, &variable]);
        }
    }
    for sub in subcommands {
        commands(page, &format!("{name} {}", sub.get_name()), sub);
    }
}

/// An argument as it is typed.
fn written(argument: &clap::Arg) -> String {
    let values: Vec<String> =
        argument.get_value_names().into_iter().flatten().map(|name| format!("<{name}>")).collect();
    let takes = argument.get_action().takes_values();
    let value = if takes { values.join(" ") } else { String::new() };
    let flag = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => String::new(),
    };
    code(format!("{flag} {value}").trim()).replace('|', "\\|")
}

/// What an argument says of itself, with its choices and its default.
fn says(argument: &clap::Arg) -> String {
    let mut text = one_line(argument.get_help());
    let choices: Vec<String> =
        argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if argument.get_action().takes_values() && !choices.is_empty() && choices != ["true", "false"] {
        let _ = write!(text, " [one of: {}]", choices.join(", "));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        let _ = write!(text, " [default: {}]", defaults.join(", "));
    }
    text.replace('|', "\\|")
}

fn one_line(text: Option<&StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn row(page: &mut String, cells: &[&str]) {
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

/// A row for each setting, by its dotted name.
fn settings(page: &mut String) -> Result<(), Fault> {
    let schema = schema::of(SchemaName::Settings)?;
    page.push_str("| setting | says |\n|---|---|\n");
    members(page, &schema, &schema, "", 0);
    Ok(())
}

/// How deep settings stand in each other at the most: a schema may refer to itself.
const DEEPEST: usize = 6;

fn members(page: &mut String, root: &Value, schema: &Value, prefix: &str, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    for part in alternatives(root, schema) {
        if let Some(properties) = part.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                let name = format!("{prefix}{name}");
                let says = property.get("description").or_else(|| {
                    alternatives(root, property).into_iter().find_map(|part| part.get("description"))
                });
                let says = says.and_then(Value::as_str).unwrap_or_default();
                let says = says.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
                row(page, &[&code(&name), &says]);
                members(page, root, property, &format!("{name}."), depth + 1);
            }
        }
        if let Some(each) = part.get("additionalProperties").filter(|each| each.is_object()) {
            members(page, root, each, &format!("{}NAME.", prefix), depth + 1);
        }
        if let Some(each) = part.get("items").filter(|each| each.is_object()) {
            members(page, root, each, prefix, depth + 1);
        }
    }
}

/// The schema behind its references, in each of its forms.
fn alternatives<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map(|target| alternatives(root, target)).unwrap_or_default();
    }
    let forms = ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| schema.get(word)?.as_array());
    let mut found: Vec<&Value> = forms.flatten().flat_map(|form| alternatives(root, form)).collect();
    found.insert(0, schema);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Names of variables that the command line's sources read by name.
    fn read_by_name(folder: &Path) -> Vec<String> {
        let mut names = Vec::new();
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names.extend(read_by_name(&path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs_err::read_to_string(path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                names.extend(
                    code.split("get(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
                );
            }
        }
        names.retain(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        names
    }

    #[test]
    fn every_variable_that_is_read_is_told() {
        let told: Vec<&str> = ENVIRONMENT.iter().flat_map(|(names, _)| names.split(", ")).collect();
        let flags = reference(&[]).unwrap();
        let names = read_by_name(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli"));
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            let is_told = |told: &&str| {
                *told == name || told.strip_suffix('*').is_some_and(|start| name.starts_with(start))
            };
            assert!(told.iter().any(is_told) || flags.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn settings_are_told_by_their_dotted_names() {
        let page = reference(&[]).unwrap();
        for name in [
            "`server`",
            "`servers.NAME.url`",
            "`policy.approvals.minimum`",
            "`servers.NAME.token.environment`",
        ] {
            assert!(page.contains(&format!("| {name} | ")), "{name} in\n{page}");
        }
    }

    #[test]
    fn a_cell_says_nothing_that_a_table_takes_for_its_end() {
        for line in reference(&[]).unwrap().lines().filter(|line| line.starts_with('|')) {
            let bars = line.replace("\\|", "").matches('|').count();
            assert!((3..=4).contains(&bars), "{line}");
        }
    }
}
