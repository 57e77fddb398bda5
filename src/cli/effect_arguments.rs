//! The words of the commands that are about one effect: approve, revoke, apply, reconcile, status.

use std::path::PathBuf;

use clap::Args;

use super::arguments::Format;
use super::period::Period;
use super::platform::PlatformArguments;
use crate::core::Digest;

/// The artifact where none is named.
pub(super) const ARTIFACT: &str = "loopgate-out/artifact.json";

#[derive(Debug, Args)]
pub(super) struct Approve {
    /// The artifact.
    #[arg(default_value = ARTIFACT)]
    pub artifact: PathBuf,
    /// Who decides [default with `--sign`: the name of the key, where the policy names signers].
    #[arg(long = "as", value_name = "NAME", required_unless_present_any = ["sign", "from"], conflicts_with = "from")]
    pub name: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT", required_unless_present = "from", conflicts_with = "from")]
    pub reason: Option<String>,
    /// Sign with an SSH key, by `ssh-keygen` [default: git's `user.signingkey`].
    #[arg(long, value_name = "KEYFILE", num_args = 0..=1, conflicts_with = "from")]
    pub sign: Option<Option<PathBuf>>,
    #[command(flatten)]
    pub platform: PlatformArguments,
    /// Confirm without a terminal: the first 12 hex digits, or more, of the effect digest that was reviewed.
    #[arg(long, value_name = "PREFIX", conflicts_with = "from")]
    pub digest: Option<String>,
    /// The approval ID that the service issued, which is then what is sent.
    #[arg(long, value_name = "ID", conflicts_with = "from")]
    pub external_id: Option<String>,
    /// Print the record with its signature as one block of text that a comment can carry, instead of its ID.
    #[arg(long, conflicts_with = "from")]
    pub armor: bool,
    /// For how long it may be used, such as `36h`.
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    pub expires_in: Period,
    /// The folder that receives the record [default: `approvals` beside the artifact].
    #[arg(long, value_name = "DIR")]
    pub approvals: Option<PathBuf>,
    /// The folder with loopgate.yaml and what it names, or FOLDER@DIGEST, as `config show` prints it [default: the working
    /// folder, outside CI].
    #[arg(long, value_name = "DIR", env = "LOOPGATE_TRUST")]
    pub trust: Option<PathBuf>,
}

/// Who decides, why, and how that is shown.
#[derive(Debug, Args)]
pub(super) struct Who {
    /// Who decides [default with `--sign`: the name of the key, where the policy names signers].
    #[arg(long = "as", value_name = "NAME", required_unless_present = "sign")]
    pub name: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Sign with an SSH key, by `ssh-keygen` [default: git's `user.signingkey`].
    #[arg(long, value_name = "KEYFILE", num_args = 0..=1)]
    pub sign: Option<Option<PathBuf>>,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The ID of an approval or a resolution; or an artifact, whose effect is then rejected for good, whoever approves it.
    #[arg(value_name = "ID|ARTIFACT")]
    pub subject: String,
    #[command(flatten)]
    pub who: Who,
    /// The folder with the records, which receives this one [default: `approvals` beside the artifact].
    #[arg(long, value_name = "DIR")]
    pub approvals: Option<PathBuf>,
    /// The ledger that is told, too: `sqlite:PATH` or `postgres://HOST/DATABASE` [default: .loopgate/ledger.db, where it is
    /// there].
    #[arg(long, value_name = "LEDGER", env = "LOOPGATE_LEDGER", hide_env_values = true)]
    pub ledger: Option<String>,
    /// The folder with loopgate.yaml and what it names, or FOLDER@DIGEST, as `config show` prints it [default: the working
    /// folder, outside CI].
    #[arg(long, value_name = "DIR", env = "LOOPGATE_TRUST")]
    pub trust: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    pub effect: Effect,
    /// The approval that is sent: a record's ID, or the one that the service issued.
    #[arg(long, value_name = "ID")]
    pub approval_id: String,
    #[command(flatten)]
    pub running: Running,
}

#[derive(Debug, Args)]
pub(super) struct Reconcile {
    #[command(flatten)]
    pub effect: Effect,
    #[command(flatten)]
    pub running: Running,
    /// The operation that a person settles, by its ID in the plan.
    #[arg(long, value_name = "ID", requires = "resolve")]
    pub op: Option<String>,
    /// What a person found out about it.
    #[arg(long, value_enum, requires_all = ["op", "reason"])]
    pub resolve: Option<Resolve>,
    /// What was created, as KEY=ID; again for each.
    #[arg(long, value_name = "KEY=ID", requires = "resolve")]
    pub created: Vec<String>,
    /// Why that is known.
    #[arg(long, value_name = "TEXT", requires = "resolve")]
    pub reason: Option<String>,
    /// Who found it out [default with `--sign`: the name of the key, where the policy names signers].
    #[arg(long = "as", value_name = "NAME", requires = "resolve")]
    pub name: Option<String>,
    /// Sign with an SSH key, by `ssh-keygen` [default: git's `user.signingkey`].
    #[arg(long, value_name = "KEYFILE", num_args = 0..=1, requires = "resolve")]
    pub sign: Option<Option<PathBuf>>,
}

/// What a person found out about an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Resolve {
    /// It took place.
    Applied,
    /// It did not take place and will not.
    NotApplied,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    pub effect: Effect,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// An effect and where everything about it is kept.
#[derive(Debug, Args)]
pub(super) struct Effect {
    /// The artifact.
    #[arg(default_value = ARTIFACT)]
    pub artifact: PathBuf,
    /// The records: a folder, a file, or `-` for stdin: records, or any text with blocks of `approve --armor` in it
    /// [default: `approvals` beside the artifact].
    #[arg(long, value_name = "PATH")]
    pub approvals: Option<PathBuf>,
    /// The ledger: `sqlite:PATH` or `postgres://HOST/DATABASE` [default: .loopgate/ledger.db, outside CI].
    #[arg(long, value_name = "LEDGER", env = "LOOPGATE_LEDGER", hide_env_values = true)]
    pub ledger: Option<String>,
    /// The server: `sandbox`, `sandbox:PATH`, `sandbox:memory`, or a name from loopgate.yaml.
    #[arg(long, value_name = "NAME", env = "LOOPGATE_SERVER", hide_env_values = true)]
    pub server: Option<String>,
    /// The folder with loopgate.yaml and what it names, or FOLDER@DIGEST, as `config show` prints it [default: the working
    /// folder, outside CI].
    #[arg(long, value_name = "DIR", env = "LOOPGATE_TRUST")]
    pub trust: Option<PathBuf>,
    #[command(flatten)]
    pub platform: PlatformArguments,
}

/// How what writes is run.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// The file that receives the audit report [default: `audit.json` beside the artifact].
    #[arg(long, value_name = "PATH")]
    pub audit: Option<PathBuf>,
    /// Wait for another runner instead of giving up, for no longer than this [default with `--wait`: 10m].
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "10m")]
    pub wait: Option<Period>,
    /// One more output, again for each: json, events (NDJSON), junit, sarif, markdown or html, as FORMAT=PATH; or
    /// `github`, for annotations, outputs and summary of a step of GitHub Actions.
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub report: Vec<String>,
    /// The digest of an event that the ledger must have, as the last run told it.
    #[arg(long, value_name = "DIGEST")]
    pub expect_head: Option<Digest>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Nothing on stderr but errors.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}
