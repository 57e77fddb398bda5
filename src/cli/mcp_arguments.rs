//! The words of `loopgate mcp`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct McpArguments {
    /// What is served: recipes, folders of recipes, or names of shipped ones [default: the shipped recipes].
    #[arg(value_name = "FILE|DIR|RECIPE")]
    pub recipes: Vec<PathBuf>,
    /// The server that the recipes run against: `sandbox`, `sandbox:PATH`, `sandbox:memory`, or a name from loopgate.yaml.
    #[arg(long, value_name = "NAME", env = "LOOPGATE_SERVER", hide_env_values = true)]
    pub server: Option<String>,
    /// The tenant to act for.
    #[arg(long, value_name = "NAME", env = "LOOPGATE_TENANT")]
    pub tenant: Option<String>,
    /// The folder that receives a folder for each call, such as remediation-plan-0001.
    #[arg(long, value_name = "DIR", default_value = "loopgate-out", env = "LOOPGATE_OUT")]
    pub out: PathBuf,
    /// The ledger that says what took place already: `sqlite:PATH` or `postgres://HOST/DATABASE` [default:
    /// .loopgate/ledger.db, where it is there].
    #[arg(long, value_name = "LEDGER", env = "LOOPGATE_LEDGER", hide_env_values = true)]
    pub ledger: Option<String>,
    /// The folder with loopgate.yaml and what it names, or FOLDER@DIGEST, as `config show` prints it [default: the working
    /// folder, outside CI].
    #[arg(long, value_name = "DIR", env = "LOOPGATE_TRUST")]
    pub trust: Option<PathBuf>,
    /// How many independent reads of one call are under way at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub concurrency: u8,
}
