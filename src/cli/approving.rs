//! What both ways to approve begin with: the artifact, the policy for it, and what was recorded before.

use std::path::PathBuf;

use super::effect_arguments::Approve;
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::policy::{Trusted, in_force};
use super::records::{beside, must_be_folder, refusals};
use super::show::read_real_artifact;
use crate::approval::{Filed, Policy, Record, Source, read_approvals};
use crate::artifact::Artifact;

/// What is to be approved, and under which policy.
pub(super) struct Subject {
    pub artifact: Artifact,
    pub trusted: Option<Trusted>,
    pub policy: Option<Policy>,
    /// The folder of records.
    pub folder: PathBuf,
}

impl Subject {
    /// Reads it, once, with the records that are there.
    pub fn read(arguments: &Approve, environment: &Environment) -> Result<(Self, Vec<Filed>), Fault> {
        must_be_folder(arguments.approvals.as_deref())?;
        let artifact = read_real_artifact(&arguments.artifact)?;
        if artifact.operations().is_empty() {
            return Err(Fault::new(
                Exit::Invalid,
                "the artifact has no operation: there is nothing to approve",
            ));
        }
        let trusted = Trusted::read(arguments.trust.as_deref(), environment)?;
        let policy = in_force(&artifact, trusted.as_ref())?;
        let folder = arguments.approvals.clone().unwrap_or_else(|| beside(&arguments.artifact));
        let others = read_approvals(&Source::Folder(folder.clone()))?;
        Ok((Self { artifact, trusted, policy, folder }, others))
    }

    /// Refuses a record that can approve nothing any more beside the others.
    pub fn may_be_approved(&self, record: &Record, others: &[Filed]) -> Result<(), Fault> {
        let refused = refusals(&self.artifact, record, others, self.trusted.as_ref());
        if refused.is_empty() {
            return Ok(());
        }
        Err(Fault::new(Exit::Rejected, refused.join("; "))
            .hint("nothing was written; plan anew, so that there is another effect to approve"))
    }
}
