//! What a run gives to be built into an artifact.

use std::num::NonZeroU32;

use super::v1::{
    Contract, Document, Gate, Operation, PlannedBy, PlannedIn, Precondition, Profile, Recipe, Server, Target,
    TenantKnownBy,
};

/// An artifact without what is derived: digests, keys, subject and the sandbox mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The server.
    pub server: Server,
    /// The organization, where one is known.
    pub tenant: Option<String>,
    /// How it is known.
    pub tenant_known_by: TenantKnownBy,
    /// The profile.
    pub profile: Profile,
    /// The server's reliability contract, where it gave one.
    pub contract: Option<Contract>,
    /// The recipe and its inputs.
    pub recipe: Recipe,
    /// 1, or more where the same is done again on purpose.
    pub occurrence: NonZeroU32,
    /// The program.
    pub planned_by: PlannedBy,
    /// What is proposed, in order. The keys are computed anew when it is built.
    pub operations: Vec<Operation>,
    /// The reads that payloads, conditions and gates really used.
    pub preconditions: Vec<Precondition>,
    /// The gates as they stood.
    pub gates: Vec<Gate>,
    /// One line: how many operations and what they do, or `nothing to do` and why.
    pub summary: String,
    /// What could not be checked, in words.
    pub not_proven: Vec<String>,
}

impl PlannedBy {
    /// This program, run by `who` where somebody says who that is, in `pipeline` where it is one that is known.
    #[must_use]
    pub fn this_program(who: Option<String>, pipeline: Option<PlannedIn>) -> Self {
        Self { version: concat!("loopgate ", env!("CARGO_PKG_VERSION")).to_owned(), who, pipeline }
    }
}

/// What a document says, less what is derived.
impl From<Document> for Plan {
    fn from(document: Document) -> Self {
        let Document {
            format: _,
            effect_digest: _,
            file_digest: _,
            target: Target { server, sandbox: _, tenant, tenant_known_by, profile, contract },
            recipe,
            subject: _,
            occurrence,
            planned_by,
            operations,
            preconditions,
            gates,
            summary,
            not_proven,
        } = document;
        Self {
            server,
            tenant,
            tenant_known_by,
            profile,
            contract,
            recipe,
            occurrence,
            planned_by,
            operations,
            preconditions,
            gates,
            summary,
            not_proven,
        }
    }
}
