//! `loopgate diff`: what would happen differently.

use super::arguments::{Diff, Format};
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::show::read_artifact;
use crate::artifact;
use crate::report;

/// Compares two artifacts.
pub(super) fn diff(arguments: &Diff, output: &Output) -> Result<Exit, Fault> {
    let difference = artifact::diff(&read_artifact(&arguments.before)?, &read_artifact(&arguments.after)?);
    match arguments.format {
        Format::Text => output.data(&report::difference_text(&difference, &output.stdout))?,
        Format::Json => output.json(&report::difference_json(&difference))?,
    }
    let differs = arguments.detailed_exitcode && !difference.same_effect;
    Ok(if differs { Exit::ChangesPlanned } else { Exit::Done })
}
