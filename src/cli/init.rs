//! `loopgate init`: a shipped recipe or profile copied into a project, to be changed there; or a pipeline for it.

mod ci;

use std::path::Path;

use super::arguments::{Init, SchemaName};
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::schema;
use crate::catalog::Profile;
use crate::core::OutputFolder;
use crate::core::printable::indented;
use crate::recipe::{CASES, Source, shipped_beside, shipped_cases};

/// The schema's name beside the recipes.
const SCHEMA: &str = "loopgate-recipe.schema.json";

/// Copies a recipe with the schema that its first line names, so that editors complete it; or a profile.
pub(super) fn init(arguments: &Init, output: &Output) -> Result<Exit, Fault> {
    if let Some(platform) = arguments.ci {
        return ci::init(platform, arguments.to.as_deref().unwrap_or(Path::new(".")), output);
    }
    let folder = OutputFolder::new(arguments.to.as_deref().unwrap_or(Path::new("recipes")));
    let (name, text, next) = match (&arguments.recipe, &arguments.profile) {
        (Some(recipe), _) => {
            let source = Source::shipped(recipe).ok_or_else(|| {
                Fault::new(Exit::Invalid, format!("no shipped recipe is called `{recipe}`"))
                    .hint("`loopgate list` names them")
            })?;
            (format!("{recipe}.yaml"), with_schema(&source.text), "loopgate validate")
        }
        (None, profile) => {
            let profile = profile.as_deref().unwrap_or_default();
            let text = Profile::shipped(profile).ok_or_else(|| {
                Fault::new(Exit::Invalid, format!("no shipped profile is called `{profile}`"))
                    .hint("there are `loopiq` and `plain`")
            })?;
            (format!("{profile}.profile.yaml"), text.to_owned(), "name it in loopgate.yaml:")
        }
    };
    let path = folder.root().join(&name);
    if path.exists() && !arguments.force {
        return Err(
            Fault::new(Exit::Invalid, format!("`{}` exists", path.display())).hint("`--force` replaces it")
        );
    }
    if arguments.recipe.is_some() {
        folder.write(SCHEMA, recipe_schema()?.as_bytes()).map_err(Fault::invalid)?;
    }
    let path = folder.write(&name, text.as_bytes()).map_err(Fault::invalid)?;
    // What is changed there is not overwritten: cases are the project's own.
    for (name, text) in arguments.recipe.as_deref().into_iter().flat_map(cases) {
        if !folder.root().join(&name).exists() {
            folder.write(&name, text.as_bytes()).map_err(Fault::invalid)?;
        }
    }
    output.data(&format!("{}\n", path.display()))?;
    output.say(&format!("next: {next} {}", path.display()));
    Ok(Exit::Done)
}

/// The cases of a shipped recipe and the files that they name, each with the name of its file.
fn cases(recipe: &str) -> impl Iterator<Item = (String, &'static str)> {
    let cases = shipped_cases().iter().find(|(name, _)| *name == recipe).map(|(_, text)| *text);
    let named = move |(name, _): &&(&str, &str)| cases.is_some_and(|cases| cases.contains(*name));
    let beside = shipped_beside().iter().filter(named).map(|(name, text)| ((*name).to_owned(), *text));
    cases.map(|text| (format!("{recipe}{CASES}"), text)).into_iter().chain(beside)
}

/// A recipe whose first line names the schema beside it.
fn with_schema(text: &str) -> String {
    format!("# yaml-language-server: $schema={SCHEMA}\n{text}")
}

fn recipe_schema() -> Result<String, Fault> {
    Ok(format!("{}\n", indented(&schema::of(SchemaName::Recipe)?)))
}
