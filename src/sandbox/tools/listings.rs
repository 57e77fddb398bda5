//! What a client asks for before anything else: the contract, and the list of resources.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Call;
use super::resources::RESOURCES;
use crate::sandbox::caller::USER;
use crate::sandbox::refusal::Failure;

/// How long a key is kept.
pub(super) const RETENTION_HOURS: i64 = 24;

/// No arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Serialize, JsonSchema)]
pub(super) struct ContractAnswer {
    contract: Contract,
}

/// What this server guarantees.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Contract {
    /// True: nothing here is the live service.
    sandbox: bool,
    /// The tenant of this call.
    tenant: Named,
    /// The user that the connection acts as.
    user: Named,
    /// The user's roles in the tenant.
    roles: Vec<String>,
    dry_run: DryRun,
    idempotency: Idempotency,
    approval: Approval,
    transactions: Transactions,
    audit: Audit,
}

#[derive(Serialize, JsonSchema)]
struct Named {
    id: String,
    name: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DryRun {
    /// The tools that take `dryRun`.
    supported_by: Vec<String>,
    /// Whether a dry run writes anything, audit records included.
    writes_nothing: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Idempotency {
    /// Whether the same key and payload give the same result again.
    honored: bool,
    /// The tools that take `idempotencyKey`.
    supported_by: Vec<String>,
    /// How long a key is kept.
    retention_hours: i64,
    /// Within what a key is unique.
    scope: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Approval {
    /// The tools that want `approvalId`.
    required_by: Vec<String>,
    /// Whether the server issued the ID itself and looks it up.
    verified: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Transactions {
    /// The tools that do all or nothing.
    atomic: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Audit {
    /// What is kept of every write.
    fields: Vec<String>,
}

/// The guarantees, with the tenant, user and roles as this call sees them.
pub(super) fn contract(call: &mut Call<'_>, _: Nothing) -> Result<ContractAnswer, Failure> {
    let user = call
        .connection
        .prepare_cached("SELECT name FROM users WHERE id = ?1")?
        .query_row([USER], |row| row.get(0))?;
    let writes = || super::governed_tools().map(str::to_owned).collect::<Vec<_>>();
    let fields = ["userId", "approvalId", "idempotencyKey", "requestId", "workflow", "traceparent", "at"];
    Ok(ContractAnswer {
        contract: Contract {
            sandbox: true,
            tenant: Named { id: call.caller.tenant.clone(), name: call.caller.tenant_name.clone() },
            user: Named { id: USER.to_owned(), name: user },
            roles: call.caller.roles.clone(),
            dry_run: DryRun { supported_by: writes(), writes_nothing: true },
            idempotency: Idempotency {
                honored: true,
                supported_by: writes(),
                retention_hours: RETENTION_HOURS,
                scope: "tenant".to_owned(),
            },
            approval: Approval { required_by: writes(), verified: false },
            transactions: Transactions { atomic: writes() },
            audit: Audit { fields: fields.map(str::to_owned).to_vec() },
        },
    })
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Resources {
    resources: Vec<Listed>,
}

/// A kind of record.
#[derive(Serialize, JsonSchema)]
struct Listed {
    name: &'static str,
    description: &'static str,
    /// Whether generic operations may change it.
    writable: bool,
}

/// The kinds of records.
pub(super) fn resources(_: &mut Call<'_>, _: Nothing) -> Result<Resources, Failure> {
    let listed = RESOURCES.iter().map(|resource| Listed {
        name: resource.name,
        description: resource.description,
        writable: resource.is_writable(),
    });
    Ok(Resources { resources: listed.collect() })
}
