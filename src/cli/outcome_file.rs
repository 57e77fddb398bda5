//! The file beside the artifact that tells what a run found out and could not record.

use std::path::{Path, PathBuf};

use super::output::Output;
use crate::core::file::{read_bounded, replace};
use crate::core::text::visible;
use crate::engine::ApplyResult;
use crate::ledger::{Ledger, OutcomeError, OutcomeKey, take_in};

/// What such a file has at the most.
const MOST: usize = 16 << 20;

/// Where it is: `artifact.outcome.json` beside `artifact.json`.
pub(super) fn beside(artifact: &Path) -> PathBuf {
    artifact.with_extension("outcome.json")
}

/// Leaves what could not be recorded, where something could not.
pub(super) fn leave(
    path: &Path,
    key: Option<&OutcomeKey>,
    ledger: &str,
    result: &ApplyResult,
    output: &Output,
) {
    if result.unrecorded.is_empty() {
        return;
    }
    let shown = path.display().to_string();
    let shown = visible(&shown);
    let state = &result.state;
    let file =
        key.and_then(|key| key.file(ledger, &state.chain, state.head.as_ref(), result.unrecorded.clone()));
    let Some(bytes) = file else { return };
    output.say(&match replace(path, &bytes) {
        Ok(()) => format!(
            "what it came to is in `{shown}`: keep it beside the artifact, and the next run takes it in"
        ),
        Err(error) => format!("what it came to could not be left in `{shown}`: {error}"),
    });
}

/// Takes in what an earlier run left, where it is what that run wrote and still fits. Whatever is wrong with the file is
/// said, and stops nobody: anybody may have put it there.
pub(super) fn take(
    path: &Path,
    chain: &crate::core::Digest,
    ledger: &mut Ledger,
    output: &Output,
) -> Result<(), crate::ledger::LedgerError> {
    if !fs_err::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    let shown = path.display().to_string();
    let shown = visible(&shown);
    let taken = match read_bounded(path, MOST) {
        Ok(bytes) => take_in(ledger, chain, &bytes),
        Err(_) => Err(OutcomeError::Form),
    };
    match taken {
        Ok(added) => {
            if added > 0 {
                output.say(&format!("recorded what an earlier run left in `{shown}`"));
            }
            let _ = fs_err::remove_file(path);
            Ok(())
        }
        Err(OutcomeError::Ledger(error)) => Err(error),
        Err(error) => {
            output.say(&format!("note: `{shown}` is not taken in: {error}"));
            Ok(())
        }
    }
}
