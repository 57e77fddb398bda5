//! `loopgate apply`: executes exactly what was approved, once.

use super::applying::{Told, execute};
use super::effect_arguments::Apply;
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use crate::ledger::v1::Command;

/// Applies an artifact under an approval.
pub(super) fn apply(arguments: Apply, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let Apply { effect, approval_id, running } = arguments;
    let told =
        Told { command: Command::Apply, effect: &effect, asked: Some(&approval_id), running: &running };
    execute(told.job(environment, output)?, None, environment, output)
}
