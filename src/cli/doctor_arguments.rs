//! The words of `loopgate doctor`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::Format;
use super::profile_arguments::AskedServer;

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    #[command(flatten)]
    pub asked: AskedServer,
    /// The tenant to act for.
    #[arg(long, value_name = "NAME", env = "LOOPGATE_TENANT")]
    pub tenant: Option<String>,
    /// Make this read, as OPERATION or OPERATION={"argument": "value"}; may be repeated [default: the profile's reads that
    /// need no argument, and of the sandbox a certification with its evidence].
    #[arg(long = "sample", value_name = "OPERATION=JSON")]
    pub samples: Vec<String>,
    /// A tenant that exists and must be refused [default: one that nobody has].
    #[arg(long, value_name = "NAME")]
    pub foreign_tenant: Option<String>,
    /// Make the checks that write: on the sandbox, or for a tenant that the trust settings list as `tenants.test`.
    #[arg(long)]
    pub allow_writes: bool,
    /// The recipe with the write, which must be offered in any case [default: one of its own for the `loopiq` profile].
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// An input of that recipe, as name=value. Where it has one called `mark`, it gets a value that nobody else has.
    #[arg(long = "input", value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// One more output, again for each: json, junit, sarif, markdown or html, as FORMAT=PATH; or `github`, for
    /// annotations, outputs and summary of a step of GitHub Actions.
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub report: Vec<String>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
