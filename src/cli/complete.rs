//! `loopgate completions` and `loopgate man`: from the same definition as the command line itself.

use std::path::Path;

use super::arguments::{Completions, Man, command};
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use crate::core::OutputFolder;

/// Prints a shell's completion script.
pub(super) fn completions(arguments: &Completions, output: &Output) -> Result<Exit, Fault> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "loopgate", &mut script);
    output.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Prints the manual page, or writes one for each subcommand.
pub(super) fn man(arguments: &Man, output: &Output) -> Result<Exit, Fault> {
    match &arguments.to {
        None => output.data(&String::from_utf8_lossy(&page(command())?))?,
        Some(folder) => pages(folder)?,
    }
    Ok(Exit::Done)
}

fn pages(folder: &Path) -> Result<(), Fault> {
    let folder = OutputFolder::new(folder);
    let mut root = command();
    root.build();
    for sub in root.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("loopgate-{}", sub.get_name());
        let page = page(sub.clone().name(name.clone()))?;
        folder.write(&format!("{name}.1"), &page).map_err(Fault::invalid)?;
    }
    folder.write("loopgate.1", &page(root)?).map_err(Fault::invalid)?;
    Ok(())
}

fn page(command: clap::Command) -> Result<Vec<u8>, Fault> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(Fault::internal)?;
    Ok(page)
}
