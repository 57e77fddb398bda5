//! The files that a run leaves.

use super::fault::Fault;
use crate::core::OutputFolder;
use crate::core::file::WriteError;
use crate::core::printable::indented;
use crate::engine::RunResult;
use crate::report::{self, Written, WrittenKind};

/// The artifact's name in the output folder.
pub(super) const ARTIFACT: &str = "artifact.json";
/// The run report's name in the output folder.
pub(super) const REPORT: &str = "run.json";

/// Leaves the results in the output folder; the artifact last, so that it is there only with all the rest.
pub(super) fn write(result: &RunResult, out: &OutputFolder) -> Result<Vec<Written>, Fault> {
    let mut written = Vec::new();
    for emitted in &result.emitted {
        let path = out.leave(&emitted.name, &emitted.bytes).map_err(unwritten)?;
        written.push(Written::new(WrittenKind::Emitted, path, &emitted.bytes));
    }
    if let Some(artifact) = &result.artifact {
        written.push(Written::new(WrittenKind::Artifact, out.root().join(ARTIFACT), artifact.bytes()));
    }
    let report = format!("{}\n", indented(&report::run_json(result, &written)));
    let path = out.leave(REPORT, report.as_bytes()).map_err(unwritten)?;
    written.push(Written::new(WrittenKind::Run, path, report.as_bytes()));
    if let Some(artifact) = &result.artifact {
        out.write(ARTIFACT, artifact.bytes()).map_err(unwritten)?;
    }
    Ok(written)
}

fn unwritten(error: WriteError) -> Fault {
    match error {
        WriteError::Io(error) => Fault::internal(error),
        other => Fault::invalid(other),
    }
}
