//! `loopgate mcp`: recipes as the tools of an MCP server, for agents.
//!
//! Everything but the inputs is fixed when it starts. No tool approves, applies or changes a setting, because none is
//! made of those commands: a tool is a recipe, and a run writes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{load, recipe_source};
use super::mcp_arguments::McpArguments;
use super::mcp_left::Left;
use super::mcp_offer::{Recipes, Served};
use super::output::Output;
use super::role_settings::Role;
use super::runtime::runtime;
use super::server::{Wanted, find};
use super::signals::Stop;
use crate::core::text::visible;
use crate::mcp::serve::{ServeError, serve_stdio};
use crate::recipe::{self, CASES, Source};

/// Serves until standard input ends or a signal comes.
pub(super) fn mcp(
    arguments: McpArguments,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let mut served: Vec<Served> = Vec::new();
    for source in sources(&arguments.recipes)? {
        let one = read(source, &arguments, environment)?;
        if served.iter().any(|other| other.recipe.name == one.recipe.name) {
            let message = format!("two recipes are called `{}`, and a tool has one name", one.recipe.name);
            return Err(Fault::new(Exit::Invalid, message));
        }
        served.push(one);
    }
    let left = Left::at(&arguments.out)?;
    let stop = Stop::listen()?;
    let runtime = runtime()?;
    let offer = Recipes::new(served, left, arguments, environment, output.verbose, stop.clone())?;
    output.say(&offer.about());
    let offer = Arc::new(offer);
    let told = stop.clone();
    let ended = runtime.block_on(async {
        let until_told = async move {
            let _ = told.wait().await;
        };
        let ended = serve_stdio(Arc::<Recipes>::clone(&offer), until_told).await;
        offer.idle().await;
        ended
    });
    // A thread that still waits for standard input would hold the process up.
    runtime.shutdown_background();
    ended.map_err(|error| match error {
        ServeError::Client(_) => Fault::invalid(error),
        ServeError::Broken(_) => Fault::internal(error),
    })?;
    Ok(stop.told().map_or(Exit::Done, Exit::of_signal))
}

/// The recipes that are named: files, those of folders, shipped ones; all shipped ones where nothing is named.
fn sources(named: &[PathBuf]) -> Result<Vec<Source>, Fault> {
    if named.is_empty() {
        return Ok(recipe::shipped().iter().filter_map(|(name, _)| Source::shipped(name)).collect());
    }
    let mut sources = Vec::new();
    for path in named {
        if !path.is_dir() {
            sources.push(recipe_source(path)?);
            continue;
        }
        let files = in_folder(path)?;
        if files.is_empty() {
            let shown = path.display().to_string();
            return Err(Fault::new(Exit::Invalid, format!("the folder `{}` has no recipe", visible(&shown))));
        }
        for file in files {
            sources.push(Source::read(&file).map_err(Fault::invalid)?);
        }
    }
    Ok(sources)
}

/// The recipes that stand in a folder itself, by name; not their cases, and nothing that a link leads to.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(Fault::invalid)? {
        let entry = entry.map_err(Fault::invalid)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_recipe = (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.ends_with(CASES);
        if is_recipe && !name.starts_with('.') && entry.file_type().map_err(Fault::invalid)?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a recipe for the server that it runs against.
fn read(source: Source, arguments: &McpArguments, environment: &Environment) -> Result<Served, Fault> {
    let named = recipe::declared_server(&source);
    let wanted = Wanted {
        server: arguments.server.as_deref(),
        recipe: named.as_deref(),
        tenant: arguments.tenant.as_deref(),
        profile: None,
        trust: arguments.trust.as_deref(),
        role: Role::Plan,
    };
    let server = find(&wanted, environment)?;
    let name = source.name.clone();
    let recipe = load(source, &server.target.profile, &server.target.agreed)?;
    Ok(Served { recipe, source: name, server })
}
