//! `loopgate diff`: what would happen differently, or what is answered otherwise.

use super::arguments::{Diff, Format};
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::record::is_recording;
use super::replay::read_recording;
use super::show::read_artifact;
use crate::artifact;
use crate::mcp::recording::shapes_compared;
use crate::report;

/// Compares two artifacts, or the shapes of the answers in two recordings.
pub(super) fn diff(arguments: &Diff, output: &Output) -> Result<Exit, Fault> {
    let differs = match (is_recording(&arguments.before), is_recording(&arguments.after)) {
        (false, false) => artifacts(arguments, output)?,
        (true, true) => recordings(arguments, output)?,
        _ => {
            return Err(Fault::new(Exit::Usage, "one of the two is a recording, and the other is not")
                .hint("name two artifacts, or two recordings"));
        }
    };
    Ok(if differs && arguments.detailed_exitcode { Exit::ChangesPlanned } else { Exit::Done })
}

fn artifacts(arguments: &Diff, output: &Output) -> Result<bool, Fault> {
    let difference = artifact::diff(&read_artifact(&arguments.before)?, &read_artifact(&arguments.after)?);
    match arguments.format {
        Format::Text => output.data(&report::difference_text(&difference, &output.stdout))?,
        Format::Json => output.json(&report::difference_json(&difference))?,
    }
    Ok(!difference.same_effect)
}

fn recordings(arguments: &Diff, output: &Output) -> Result<bool, Fault> {
    let (before, after) = (read_recording(&arguments.before)?, read_recording(&arguments.after)?);
    let tools = shapes_compared(before.document(), after.document());
    match arguments.format {
        Format::Text => output.data(&report::shapes_text(&tools, &output.stdout))?,
        Format::Json => output.json(&report::shapes_json(&tools))?,
    }
    Ok(tools.iter().any(|tool| !tool.differences.is_empty()))
}
