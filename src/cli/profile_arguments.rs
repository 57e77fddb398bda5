//! The words of `loopgate profile`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::Format;

#[derive(Debug, Args)]
pub(super) struct ProfileArguments {
    #[command(subcommand)]
    pub command: ProfileCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfileCommand {
    /// Draft a profile from what a server says of its tools.
    Init(ProfileInit),
    /// Show a profile, and beside a server what each of its tools is to it.
    Show(ProfileShow),
    /// Hold a profile against a server's tools: what does not fit the recipes, and the lines to change.
    Check(ProfileCheck),
}

/// Which server is asked.
#[derive(Debug, Args)]
pub(super) struct AskedServer {
    /// The server: `sandbox`, `sandbox:PATH`, `sandbox:memory`, a name from loopgate.yaml, or `replay:FILE`, a
    /// recording in a server's place.
    #[arg(long, value_name = "NAME", env = "LOOPGATE_SERVER", hide_env_values = true)]
    pub server: Option<String>,
    /// The folder with loopgate.yaml and what it names, or FOLDER@DIGEST, as `config show` prints it [default: the working
    /// folder, outside CI].
    #[arg(long, value_name = "DIR", env = "LOOPGATE_TRUST")]
    pub trust: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ProfileInit {
    #[command(flatten)]
    pub asked: AskedServer,
    /// Take only this tool; may be repeated.
    #[arg(long = "tool", value_name = "NAME")]
    pub tools: Vec<String>,
    /// The folder that NAME.profile.yaml goes to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub to: PathBuf,
    /// Replace what is there.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(super) struct ProfileShow {
    /// `loopiq`, `plain`, or a file [default: with --server, the server's, as the settings say].
    #[arg(value_name = "PROFILE", required_unless_present = "server")]
    pub profile: Option<String>,
    #[command(flatten)]
    pub asked: AskedServer,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ProfileCheck {
    /// The recipes that it must do for [default: the shipped ones that name it; without any, all operations].
    #[arg(value_name = "RECIPE")]
    pub recipes: Vec<PathBuf>,
    #[command(flatten)]
    pub asked: AskedServer,
    /// The tenant to make the samples for.
    #[arg(long, value_name = "NAME", env = "LOOPGATE_TENANT")]
    pub tenant: Option<String>,
    /// `loopiq`, `plain`, or a file [default: the server's, as the settings say].
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Make this read and hold its answer against the profile, as OPERATION or OPERATION={"argument": "value"}; may
    /// be repeated. Without one, results and states are known only as far as the server declares them.
    #[arg(long = "sample", value_name = "OPERATION=JSON")]
    pub samples: Vec<String>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
