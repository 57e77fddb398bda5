//! The command line's words.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub(super) use super::doctor_arguments::DoctorArguments;
pub(super) use super::effect_arguments::{Apply, Approve, Reconcile, Revoke, Status};
pub(super) use super::ledger_arguments::{AuditArguments, LedgerArguments};
pub(super) use super::lock_arguments::{LockArguments, LockFormat};
pub(super) use super::mcp_arguments::McpArguments;
pub(super) use super::profile_arguments::ProfileArguments;
use super::server::SANDBOX_DATABASE;

/// Plan, approve and apply for MCP tool calls.
///
/// Runs declarative YAML recipes against an MCP server. A run reads and never writes: what it would change
/// it leaves as a JSON artifact. Somebody approves that, and apply sends exactly that, once.
#[derive(Debug, Parser)]
#[command(name = "loopgate", version, propagate_version = true, subcommand_required = true)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub(super) struct Root {
    /// Say more on stderr; twice for diagnostics.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    verbose: u8,
}

/// What was asked for.
pub(super) enum Invocation {
    Recipe(Box<RecipeArguments>),
    Command(Box<Command>),
}

// What comes besides the recipes; a doc comment here would become the program's help.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a recipe from a file.
    Run(RunFile),
    /// Check recipes without a server: every problem at once, with its place.
    Validate(Validate),
    /// Show an artifact, or what a recipe does.
    Show(Show),
    /// Compare two artifacts: what would happen differently; or two recordings: where answers differ in shape.
    Diff(Diff),
    /// Approve an artifact: show all of it, and record the decision as a file.
    Approve(Approve),
    /// Take an approval back, or reject an artifact's effect for good.
    #[command(visible_alias = "reject")]
    Revoke(Revoke),
    /// Send what was approved, each operation at most once.
    Apply(Box<Apply>),
    /// Settle operations whose outcome is unknown.
    Reconcile(Box<Reconcile>),
    /// Say where an artifact stands, and what to do next.
    Status(Status),
    /// Make, list and check the ledger.
    Ledger(LedgerArguments),
    /// Build and check audit reports.
    Audit(AuditArguments),
    /// Print the JSON Schemas of the formats.
    Schema(Schema),
    /// List the shipped recipes and their inputs.
    List(List),
    /// Try recipes out on the cases beside them, each on a sandbox of its own or on a recording.
    Test(Test),
    /// Serve recipes to agents as the tools of an MCP server, over stdio: they read and plan, and nothing more.
    Mcp(McpArguments),
    /// Copy a shipped recipe into a project, to change it there; or set up a project's pipeline.
    Init(Init),
    /// Draft, show and check what is known of a server.
    Profile(ProfileArguments),
    /// Record a server's tools with their classes, for review, and hold them against what it offers now.
    Lock(LockArguments),
    /// Examine a server before production: the ten checks, and what else a caller wants to know of it.
    Doctor(DoctorArguments),
    /// Show the settings in force, and where each comes from.
    Config(ConfigArguments),
    /// The embedded stand-in for LoopIQ.
    Sandbox(Sandbox),
    /// Print a shell's completion script.
    Completions(Completions),
    /// Print the manual page, or write one for each subcommand.
    Man(Man),
}

/// How results are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// One JSON value.
    Json,
}

/// How `show` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// For people.
    Text,
    /// One JSON value.
    Json,
    /// For pull requests and wikis.
    Markdown,
}

#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// The server: `sandbox`, `sandbox:PATH`, `sandbox:memory`, a name from loopgate.yaml, or `replay:FILE`, a
    /// recording in a server's place.
    #[arg(long, value_name = "NAME", env = "LOOPGATE_SERVER", hide_env_values = true)]
    pub server: Option<String>,
    /// Keep the session's calls and answers in this file, for `--server replay:FILE`. What this program knows to be
    /// secret or what looks like a credential is taken out; all else of the answers stays, so look through it.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// The tenant to act for.
    #[arg(long, value_name = "NAME", env = "LOOPGATE_TENANT")]
    pub tenant: Option<String>,
    /// The folder that receives artifact.json, run.json and what the recipe emits.
    #[arg(long, value_name = "DIR", default_value = "loopgate-out", env = "LOOPGATE_OUT")]
    pub out: PathBuf,
    /// The ledger that says what took place already: `sqlite:PATH` or `postgres://HOST/DATABASE` [default:
    /// .loopgate/ledger.db, where it is there].
    #[arg(long, value_name = "LEDGER", env = "LOOPGATE_LEDGER", hide_env_values = true)]
    pub ledger: Option<String>,
    /// An input, as name=value.
    #[arg(long = "input", value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// A YAML or JSON file with inputs.
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
    /// The folder with loopgate.yaml and what it names, or FOLDER@DIGEST, as `config show` prints it [default: the working
    /// folder, outside CI].
    #[arg(long, value_name = "DIR", env = "LOOPGATE_TRUST")]
    pub trust: Option<PathBuf>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// One more output, again for each: json, events (NDJSON), junit, sarif, markdown or html, as FORMAT=PATH; or
    /// `github`, for annotations, outputs and summary of a step of GitHub Actions.
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub report: Vec<String>,
    /// Nothing on stderr but errors.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Exit 10 where changes are planned.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// How many independent reads are under way at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub concurrency: u8,
    /// Which time the same effect is wanted, to do it again on purpose.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub occurrence: u32,
}

#[derive(Debug, Args)]
pub(super) struct RunFile {
    /// The recipe.
    #[arg(value_name = "FILE")]
    pub recipe: PathBuf,
    #[command(flatten)]
    pub options: RunOptions,
}

/// A shipped recipe and the flags that were given for its inputs.
#[derive(Debug)]
pub(super) struct RecipeArguments {
    pub name: String,
    pub flags: BTreeMap<String, String>,
    pub options: RunOptions,
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The recipes.
    #[arg(value_name = "FILE", required = true)]
    pub recipes: Vec<PathBuf>,
    /// The profile to check against [default: the one that the recipe names].
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// The server whose locked tools and allow-list to check against [default: the recipe's, the settings', or the
    /// only one that the lock has].
    #[arg(long, value_name = "NAME", env = "LOOPGATE_SERVER")]
    pub server: Option<String>,
    /// The folder with loopgate.yaml, the tool lock and profiles [default: the working folder].
    #[arg(long, value_name = "DIR", env = "LOOPGATE_TRUST")]
    pub trust: Option<PathBuf>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// Files with cases, or folders that have such files (`*.cases.yaml`) somewhere below.
    #[arg(value_name = "PATH", default_value = "recipes")]
    pub paths: Vec<PathBuf>,
    /// One more output, again for each: json, junit, sarif or markdown, as FORMAT=PATH; or `github`, for annotations,
    /// outputs and summary of a step of GitHub Actions.
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub report: Vec<String>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// An artifact, a recipe, or the name of a shipped recipe.
    #[arg(value_name = "FILE|RECIPE")]
    pub subject: PathBuf,
    /// For a recipe: the profile to read it with [default: the one that it names].
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t = ShowFormat::Text)]
    pub format: ShowFormat,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The earlier artifact, or a recording.
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// The later artifact, or another recording.
    #[arg(value_name = "B")]
    pub after: PathBuf,
    /// Exit 10 where the effect differs, or the shape of an answer.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Which one [default: all of them, by name].
    #[arg(value_enum)]
    pub name: Option<SchemaName>,
}

/// The formats that have a JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaName {
    /// Recipes.
    Recipe,
    /// The cases of a recipe.
    Cases,
    /// `test --format json`.
    Test,
    /// `loopgate.artifact/1`.
    Artifact,
    /// `loopgate.approval/1`.
    Approval,
    /// `loopgate.audit/1`.
    Audit,
    /// `status --format json`.
    Status,
    /// `ledger log --format json`.
    LedgerLog,
    /// `loopgate.run/1`.
    Run,
    /// `loopgate.recording/1`, what `--record` keeps.
    Recording,
    /// The structured answer of a tool of `loopgate mcp`.
    Call,
    /// A line of `--report events=FILE`.
    RunEvent,
    /// Profiles.
    Profile,
    /// loopgate.yaml.
    Settings,
    /// `show RECIPE --format json`.
    RecipeSummary,
    /// `diff --format json`.
    Difference,
    /// `diff --format json` of two recordings.
    Shapes,
    /// `loopgate.package/1`, the manifest that `compliance-package` leaves.
    Package,
    /// `loopgate.lock/1`, the tool lock.
    Lock,
    /// `lock --format json`.
    LockCheck,
    /// `doctor --format json`.
    Doctor,
    /// The problems of a recipe.
    Problems,
    /// `config show --format json`.
    Config,
    /// `profile show --format json`.
    ProfileSummary,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArguments {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Every setting with its file and line, and the digest that a trust folder can be pinned by.
    Show(ConfigShow),
}

#[derive(Debug, Args)]
pub(super) struct ConfigShow {
    /// The folder with loopgate.yaml and what it names, or FOLDER@DIGEST, as `config show` prints it [default: the working
    /// folder, outside CI].
    #[arg(long, value_name = "DIR", env = "LOOPGATE_TRUST")]
    pub trust: Option<PathBuf>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The shipped recipe; `loopgate list` names them.
    #[arg(required_unless_present_any = ["profile", "ci"])]
    pub recipe: Option<String>,
    /// Copy a shipped profile instead, for a service that names things otherwise.
    #[arg(long, value_name = "NAME", conflicts_with = "recipe")]
    pub profile: Option<String>,
    /// Write the pipeline of a CI platform instead, with settings, a recipe and .gitignore; what is there stays.
    #[arg(long, value_name = "PLATFORM", value_enum, conflicts_with_all = ["recipe", "profile", "force"])]
    pub ci: Option<CiPlatform>,
    /// The folder it goes to [default: recipes; with `--ci` the working folder].
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Replace what is there.
    #[arg(long)]
    pub force: bool,
}

/// A CI platform whose pipeline `init` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CiPlatform {
    /// An action and workflows of GitHub.
    Github,
    /// Jobs of GitLab.
    Gitlab,
}

#[derive(Debug, Args)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    pub command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SandboxCommand {
    /// Serve the sandbox as any MCP server, over stdio or HTTP.
    Serve(SandboxServe),
    /// Turn SARIF, JUnit, CycloneDX and in-toto files into evidence for a release.
    Import(SandboxImport),
    /// Add made-up records: releases with their evidence, work, incidents, metrics and more.
    Load(SandboxLoad),
}

#[derive(Debug, Args)]
pub(super) struct SandboxServe {
    /// Its database, or `memory`.
    #[arg(long, value_name = "PATH", default_value = SANDBOX_DATABASE)]
    pub database: String,
    /// Listen at this address of this machine, such as 127.0.0.1:8080, and print the URL on stdout; port 0 is any
    /// that is free. Clients need the bearer token that LOOPGATE_SANDBOX_TOKEN holds.
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    pub http: Option<SocketAddr>,
}

/// An address and port of this machine: the sandbox has no TLS.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "it is no IP address with a port".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("the sandbox is for this machine alone: 127.0.0.1:PORT or [::1]:PORT".to_owned())
    }
}

#[derive(Debug, Args)]
pub(super) struct SandboxImport {
    /// SARIF 2.1.0, JUnit XML, CycloneDX (JSON) or in-toto provenance files.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The release that they are evidence for; made where it does not exist.
    #[arg(long, value_name = "ID")]
    pub release: String,
    /// The tenant that the release belongs to.
    #[arg(long, value_name = "NAME", env = "LOOPGATE_TENANT")]
    pub tenant: String,
    /// The sandbox's database.
    #[arg(long, value_name = "PATH", default_value = SANDBOX_DATABASE)]
    pub database: PathBuf,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct SandboxLoad {
    /// Data files, in YAML or JSON.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The sandbox's database.
    #[arg(long, value_name = "PATH", default_value = SANDBOX_DATABASE)]
    pub database: PathBuf,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write one page a subcommand into this folder instead.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Print all of it as one Markdown page instead: commands, settings, variables and formats.
    #[arg(long, conflicts_with = "to")]
    pub markdown: bool,
}
