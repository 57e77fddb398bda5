//! What a run gives to be built into an artifact.

use std::num::NonZeroU32;

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::v1::{
    Contract, Created, Document, Expectation, Gate, Idempotency, Operation, PlannedBy, Precondition, Profile,
    Recipe, Reconcile, Server, Slot, Target, TenantKnownBy,
};
use crate::core::{Class, Digest};

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
    /// What is proposed, in order.
    pub operations: Vec<PlannedOperation>,
    /// The reads that payloads, conditions and gates really used.
    pub preconditions: Vec<Precondition>,
    /// The gates as they stood.
    pub gates: Vec<Gate>,
    /// One line: how many operations and what they do, or `nothing to do` and why.
    pub summary: String,
    /// What could not be checked, in words.
    pub not_proven: Vec<String>,
}

/// An operation without its key. The members are those of [`Operation`].
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedOperation {
    /// The step of the recipe.
    pub id: String,
    /// The profile's name for it, or the tool's.
    pub operation: String,
    /// The tool.
    pub tool: String,
    /// What the tool may do.
    pub class: Class,
    /// The digest of the tool as it was seen.
    pub tool_digest: Digest,
    /// The arguments without the slots; context that travels as an argument is among them.
    pub arguments: Map<String, Value>,
    /// The places that are filled when it is called.
    pub slots: Vec<Slot>,
    /// How it may be repeated.
    pub idempotency: Idempotency,
    /// How long the server keeps the key, where somebody said.
    pub key_retention: Option<SignedDuration>,
    /// Whether the tool does all or nothing.
    pub one_transaction: bool,
    /// Why.
    pub reason: String,
    /// Whether the server confirmed a dry run.
    pub server_validated: bool,
    /// How it was validated, or why not.
    pub server_validated_why: String,
    /// Where the answer names what was created.
    pub created: Option<Created>,
    /// What the answer to a dry run must say.
    pub dry_run_confirmed: Vec<Expectation>,
    /// The read that settles an unknown outcome.
    pub reconcile: Option<Reconcile>,
}

impl PlannedBy {
    /// This program.
    #[must_use]
    pub fn this_program() -> Self {
        Self { version: concat!("loopgate ", env!("CARGO_PKG_VERSION")).to_owned() }
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
            operations: operations.into_iter().map(PlannedOperation::from).collect(),
            preconditions,
            gates,
            summary,
            not_proven,
        }
    }
}

impl From<Operation> for PlannedOperation {
    fn from(operation: Operation) -> Self {
        let Operation {
            id,
            operation,
            tool,
            class,
            tool_digest,
            arguments,
            slots,
            idempotency,
            key_retention,
            one_transaction,
            idempotency_key: _,
            reason,
            server_validated,
            server_validated_why,
            created,
            dry_run_confirmed,
            reconcile,
        } = operation;
        Self {
            id,
            operation,
            tool,
            class,
            tool_digest,
            arguments,
            slots,
            idempotency,
            key_retention,
            one_transaction,
            reason,
            server_validated,
            server_validated_why,
            created,
            dry_run_confirmed,
            reconcile,
        }
    }
}
