//! The words of `loopgate lock`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::profile_arguments::AskedServer;

#[derive(Debug, Args)]
pub(super) struct LockArguments {
    /// The recipes whose tools must be what the lock says [default: all operations of the server's profile].
    #[arg(value_name = "RECIPE", requires = "check")]
    pub recipes: Vec<PathBuf>,
    #[command(flatten)]
    pub asked: AskedServer,
    /// Write nothing: exit 21 where a tool that is used is not what the lock says, or is missing.
    #[arg(long)]
    pub check: bool,
    /// One more output, again for each: json, junit, sarif, markdown or html, as FORMAT=PATH; or `github`, for
    /// annotations, outputs and summary of a step of GitHub Actions.
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub report: Vec<String>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = LockFormat::Text)]
    pub format: LockFormat,
}

/// How `lock` tells what differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LockFormat {
    /// For people.
    Text,
    /// One JSON value.
    Json,
    /// SARIF 2.1.0, with the places in the lock.
    Sarif,
}
