//! The words of the commands that read the ledger: ledger and audit.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::Format;
use super::effect_arguments::ARTIFACT;
use super::moment::{Since, Until};
use crate::core::Digest;

#[derive(Debug, Args)]
pub(super) struct LedgerArguments {
    #[command(subcommand)]
    pub command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Make a new ledger, and print its ID.
    Init(LedgerPlace),
    /// List what happened: records, decisions, intents, outcomes.
    Log(LedgerLog),
    /// Say what is open, unknown and done in all of it, for whoever watches over it.
    Status(LedgerStatus),
    /// Check all of it: that every event is what was written, and follows the one before it.
    Verify(LedgerVerify),
}

/// Which ledger.
#[derive(Debug, Args)]
pub(super) struct LedgerPlace {
    /// The ledger: `sqlite:PATH` or `postgres://HOST/DATABASE` [default: .loopgate/ledger.db, outside CI].
    #[arg(long, value_name = "LEDGER", env = "LOOPGATE_LEDGER", hide_env_values = true)]
    pub ledger: Option<String>,
    /// The folder with loopgate.yaml and what it names, or FOLDER@DIGEST, as `config show` prints it [default: the working
    /// folder, outside CI].
    #[arg(long, value_name = "DIR", env = "LOOPGATE_TRUST")]
    pub trust: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct LedgerLog {
    #[command(flatten)]
    pub place: LedgerPlace,
    /// Only effects of which an input has this text, such as a release.
    #[arg(long, value_name = "TEXT")]
    pub release: Option<String>,
    /// Only what this person recorded, or was counted for.
    #[arg(long, value_name = "NAME")]
    pub approver: Option<String>,
    /// Only from this time or day on (RFC 3339; a day is UTC's).
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// Only before this time, or to the end of this day.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Until>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct LedgerStatus {
    #[command(flatten)]
    pub place: LedgerPlace,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct LedgerVerify {
    #[command(flatten)]
    pub place: LedgerPlace,
    /// The digest of an event that the ledger must have, kept from an earlier run.
    #[arg(long, value_name = "DIGEST")]
    pub expect_head: Option<Digest>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct AuditArguments {
    #[command(subcommand)]
    pub command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Build the audit report of an effect, from the ledger alone.
    Report(AuditReport),
    /// Check a report or a bundle offline.
    Verify(AuditVerify),
    /// Pack the report with the artifact, the records and the signers as files.
    Bundle(AuditBundle),
    /// Print the report as an in-toto statement, for any signer.
    Statement(AuditStatement),
}

#[derive(Debug, Args)]
pub(super) struct AuditReport {
    /// The artifact, whose effect selects the chain.
    #[arg(default_value = ARTIFACT)]
    pub artifact: PathBuf,
    /// The report as it was when this event was the last.
    #[arg(long, value_name = "HEAD")]
    pub at: Option<Digest>,
    #[command(flatten)]
    pub place: LedgerPlace,
    /// The file that receives it [default: stdout].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct AuditVerify {
    /// The report or the bundle.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The digest of an event that was kept elsewhere: the chain must have it.
    #[arg(long, value_name = "HEAD")]
    pub anchor: Option<Digest>,
    /// Who may sign: an `allowed_signers` file.
    #[arg(long, value_name = "FILE")]
    pub signers: Option<PathBuf>,
    /// How the result is given on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct AuditBundle {
    /// The artifact, whose effect selects the chain.
    #[arg(default_value = ARTIFACT)]
    pub artifact: PathBuf,
    /// The file that receives it.
    #[arg(long, value_name = "FILE", required_unless_present = "package")]
    pub out: Option<PathBuf>,
    /// A package that `compliance-package` left: the bundle is added to it and to its manifest.
    #[arg(long, value_name = "DIR")]
    pub package: Option<PathBuf>,
    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Args)]
pub(super) struct AuditStatement {
    /// The artifact, whose effect selects the chain; or an audit report.
    #[arg(default_value = ARTIFACT, value_name = "ARTIFACT|REPORT")]
    pub subject: PathBuf,
    #[command(flatten)]
    pub place: LedgerPlace,
}
