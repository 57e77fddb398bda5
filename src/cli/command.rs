//! The command line as clap sees it. Shipped recipes become subcommands whose flags are their inputs.

use std::ffi::OsStr;

use clap::{Arg, ArgMatches, Args as _, FromArgMatches as _, Subcommand as _};

use super::arguments::{Command, Format, LockFormat, RecipeArguments, Root, RunOptions, ShowFormat};
use super::exit::Exit;
use super::fault::Fault;
use crate::catalog::Profile;
use crate::recipe::{self, InputKind, Recipe, ShippedLibrary, Source};

/// The subcommands that show shipped recipes.
const SHOWING_RECIPES: [&str; 3] = ["list", "completions", "man"];

/// The heading of a recipe's inputs.
pub(super) const INPUTS: &str = "Inputs";

/// The whole command line, shipped recipes included.
pub(super) fn command(recipes: &[Recipe]) -> clap::Command {
    let root = <Root as clap::CommandFactory>::command();
    let root = Command::augment_subcommands(root)
        .after_help(exit_codes())
        .subcommand_help_heading("Commands")
        .mut_subcommand("run", |run| run.after_help(exit_codes()));
    with_recipes(root, recipes)
}

/// As much of the command line as its `first` argument asks for: of a shipped recipe's nothing but that.
pub(super) fn command_for(first: Option<&OsStr>, recipes: &[Recipe]) -> clap::Command {
    match recipes {
        [recipe] if first.is_some_and(|first| *first == *recipe.name) => {
            with_recipes(<Root as clap::CommandFactory>::command(), recipes)
        }
        _ => command(recipes),
    }
}

fn with_recipes(root: clap::Command, recipes: &[Recipe]) -> clap::Command {
    recipes.iter().fold(root, |root, recipe| root.subcommand(recipe_command(recipe)))
}

/// The shipped recipes that the command line is about, by its `first` argument, validated against the profile
/// that they name: the one that it names, none where it names a subcommand that shows no recipes, else all.
pub(super) fn shipped_recipes(first: Option<&OsStr>) -> Result<Vec<Recipe>, Fault> {
    let first = first.and_then(OsStr::to_str).unwrap_or_default();
    let names = recipe::shipped().iter().map(|(name, _)| *name);
    let names: Vec<&str> = match names.clone().find(|name| *name == first) {
        Some(name) => vec![name],
        None if Command::has_subcommand(first) && !SHOWING_RECIPES.contains(&first) => return Ok(Vec::new()),
        None => names.collect(),
    };
    let profile = Profile::loopiq().map_err(Fault::internal)?;
    names
        .into_iter()
        .filter_map(Source::shipped)
        .map(|source| recipe::load(source, &ShippedLibrary, &profile).map_err(Fault::from))
        .collect()
}

/// Whether the result is wanted as one JSON value.
pub(super) fn wants_json(matches: &ArgMatches) -> bool {
    let Some((_, sub)) = matches.subcommand() else { return false };
    if sub.subcommand().is_some() {
        return wants_json(sub);
    }
    let plain = sub.try_get_one::<Format>("format").ok().flatten() == Some(&Format::Json);
    let lock = sub.try_get_one::<LockFormat>("format").ok().flatten() == Some(&LockFormat::Json);
    plain || lock || sub.try_get_one::<ShowFormat>("format").ok().flatten() == Some(&ShowFormat::Json)
}

/// What was given to a shipped recipe's subcommand; `None` where `name` is none.
pub(super) fn shipped_recipe(
    name: &str,
    matches: &ArgMatches,
    recipes: &[Recipe],
) -> Result<Option<RecipeArguments>, Fault> {
    let Some(recipe) = recipes.iter().find(|recipe| recipe.name == name) else {
        return Ok(None);
    };
    let options =
        RunOptions::from_arg_matches(matches).map_err(|error| Fault::new(Exit::Usage, error.to_string()))?;
    let flags = recipe
        .inputs
        .iter()
        .filter_map(|input| {
            Some((input.name.clone(), matches.get_one::<String>(&input_id(&input.name))?.clone()))
        })
        .collect();
    Ok(Some(RecipeArguments { name: recipe.name.clone(), flags, options }))
}

fn recipe_command(recipe: &Recipe) -> clap::Command {
    let inputs = recipe.inputs.iter().map(|input| {
        let mut help = input.help.clone().unwrap_or_default();
        if input.required {
            help.push_str(" [required]");
        }
        if let Some(default) = &input.default {
            let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            help.push_str(&format!(" [default: {default}]"));
        }
        if !input.choices.is_empty() {
            let choices: Vec<String> = input
                .choices
                .iter()
                .map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned))
                .collect();
            help.push_str(&format!(" [one of: {}]", choices.join(", ")));
        }
        help.push_str(&format!(" [env: {}]", recipe::variable(&input.name)));
        Arg::new(input_id(&input.name))
            .long(input.name.replace('_', "-"))
            .value_name(match input.kind {
                InputKind::String => "TEXT",
                InputKind::Integer | InputKind::Number => "N",
                InputKind::Boolean => "true|false",
                InputKind::List => "A,B",
            })
            .help(help.trim().to_owned())
            .help_heading(INPUTS)
    });
    RunOptions::augment_args(
        clap::Command::new(recipe.name.clone()).about(recipe.summary.clone()).args(inputs),
    )
    .after_help(exit_codes())
}

/// An input's ID among the arguments; a recipe cannot name one that clashes.
fn input_id(name: &str) -> String {
    format!("input:{name}")
}

fn exit_codes() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for exit in Exit::ALL {
        text.push_str(&format!("  {:>3}  {}\n", exit.code(), exit.meaning()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command(&shipped_recipes(None).unwrap()).debug_assert();
    }

    #[test]
    fn no_input_can_be_named_like_a_flag() {
        let root = command(&[]);
        let run = root.find_subcommand("run").unwrap();
        for argument in run.get_arguments().chain(root.get_arguments()) {
            if let Some(long) = argument.get_long() {
                assert!(
                    recipe::RESERVED_INPUTS.contains(&long.replace('-', "_").as_str()),
                    "`{long}` is a flag and not reserved"
                );
            }
        }
    }
}
