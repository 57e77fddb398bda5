//! Who calls: the sandbox's one user, in the tenant that the call names.

use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Map, Value};

use super::refusal::{Code, Failure, Refusal};
use crate::core::text::visible;

/// The user that every connection to the sandbox acts as.
pub(super) const USER: &str = "svc-release-pipeline";

/// The role that may write.
const WRITER: &str = "release_manager";

/// Longest value of `_meta` that is looked at, in bytes.
const LONGEST: usize = 512;

/// A user in a tenant, and what the call says of itself.
#[derive(Debug)]
pub(super) struct Caller {
    pub tenant: String,
    pub tenant_name: String,
    pub roles: Vec<String>,
    pub request_id: Option<String>,
    pub workflow: Option<String>,
    pub traceparent: Option<String>,
}

impl Caller {
    /// Reads the call's `_meta` and looks the user up in the tenant that it names.
    pub(super) fn identify(connection: &Connection, meta: &Map<String, Value>) -> Result<Self, Failure> {
        let text = |key: &str| {
            let value = meta.get(key).and_then(Value::as_str);
            value.filter(|text| !text.is_empty() && text.len() <= LONGEST).map(str::to_owned)
        };
        let tenant = text("loopiq/tenant").ok_or_else(|| {
            Refusal::new(
                Code::TenantRequired,
                "name the tenant of this call in `_meta` under `loopiq/tenant`",
            )
        })?;
        let refused = || {
            let message = format!("`{}` is no tenant that you belong to", visible(&tenant));
            Refusal::new(Code::TenantRefused, message)
        };
        let tenant_name = connection
            .prepare_cached("SELECT name FROM tenants WHERE id = ?1")?
            .query_row([&tenant], |row| row.get(0))
            .optional()?
            .ok_or_else(refused)?;
        let roles: Vec<String> = connection
            .prepare_cached("SELECT role FROM roles WHERE tenant_id = ?1 AND user_id = ?2 ORDER BY role")?
            .query_map([tenant.as_str(), USER], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if roles.is_empty() {
            return Err(refused().into());
        }
        Ok(Self {
            tenant_name,
            roles,
            request_id: text("loopiq/requestId"),
            workflow: text("loopiq/workflow"),
            traceparent: text("traceparent"),
            tenant,
        })
    }

    /// Refuses a user who may only read.
    pub(super) fn may_write(&self) -> Result<(), Refusal> {
        if self.roles.iter().any(|role| role == WRITER) {
            return Ok(());
        }
        let message = format!("writing in `{}` needs the role `{WRITER}`", visible(&self.tenant));
        Err(Refusal::new(Code::NotPermitted, message))
    }
}
