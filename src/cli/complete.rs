//! `loopgate completions` and `loopgate man`: from the same definition as the command line itself.

use std::path::Path;

use super::arguments::{Completions, Man};
use super::command::command;
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::reference::reference;
use crate::core::OutputFolder;
use crate::recipe::Recipe;

/// Prints a shell's completion script.
pub(super) fn completions(
    arguments: &Completions,
    recipes: &[Recipe],
    output: &Output,
) -> Result<Exit, Fault> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(recipes), "loopgate", &mut script);
    output.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Prints the manual page, or writes one for each subcommand.
pub(super) fn man(arguments: &Man, recipes: &[Recipe], output: &Output) -> Result<Exit, Fault> {
    match &arguments.to {
        None if arguments.markdown => output.data(&reference(recipes)?)?,
        None => output.data(&String::from_utf8_lossy(&page(command(recipes))?))?,
        Some(folder) => pages(folder, recipes)?,
    }
    Ok(Exit::Done)
}

fn pages(folder: &Path, recipes: &[Recipe]) -> Result<(), Fault> {
    let mut root = command(recipes);
    root.build();
    write_pages(&OutputFolder::new(folder), "loopgate", &root)
}

/// A page for the command, and one for each below it: `loopgate-sandbox-import.1`.
fn write_pages(folder: &OutputFolder, name: &str, command: &clap::Command) -> Result<(), Fault> {
    let bytes = page(command.clone().name(name.to_owned()))?;
    folder.write(&format!("{name}.1"), &bytes).map_err(Fault::invalid)?;
    command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
        .try_for_each(|sub| write_pages(folder, &format!("{name}-{}", sub.get_name()), sub))
}

fn page(command: clap::Command) -> Result<Vec<u8>, Fault> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(Fault::internal)?;
    Ok(page)
}
