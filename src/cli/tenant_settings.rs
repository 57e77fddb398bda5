//! For which tenants a server may be used, and how they must be known.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::fault::Fault;
use super::server_settings::Server;
use crate::core::Pointer;
use crate::engine::{TenantKnownBy, TenantRules};

/// For which tenants a server may be used, and how they must be known.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantSettings {
    /// Those that may be acted for [default: any].
    #[serde(default)]
    pub allow: Option<BTreeSet<String>>,
    /// What suffices for `apply`; of several that hold the first stands in the reports [default: any of them].
    #[serde(default)]
    pub known_by: Option<Vec<KnownBy>>,
    /// Those that hold nothing of value, so that `doctor --allow-writes` may leave records there [default: none].
    #[serde(default)]
    pub test: BTreeSet<String>,
    /// Where the claims of the token, a JWT, name the tenant: a JSON pointer to its name, or to a list of names of which
    /// `--tenant` chooses one.
    #[serde(default)]
    pub claim: Option<Pointer>,
}

/// How a tenant is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum KnownBy {
    /// The token claims it.
    Claim,
    /// A tool of the server names it.
    Tool,
    /// The command line or the settings say so.
    Asserted,
}

impl TenantSettings {
    /// What the run goes by; `name` is the server's, for the message.
    pub fn rules(&self, server: &Server, name: &str) -> Result<TenantRules, Fault> {
        let Self { allow, known_by, test, claim } = self;
        let wrong = |what: &str| {
            Err(Fault::new(Exit::Invalid, format!("`tenants` in the settings of `{name}` {what}")))
        };
        let credentials = [&server.dry_run, &server.write].into_iter().flatten();
        let has_token = server.token.is_some() || credentials.into_iter().any(|role| role.token.is_some());
        if claim.is_some() && !has_token {
            return wrong("have a `claim`, and there is no `token` that could claim anything");
        }
        if allow.as_ref().is_some_and(BTreeSet::is_empty) {
            return wrong("allow nobody: `allow` is empty");
        }
        let barred = |name: &&String| allow.as_ref().is_some_and(|allow| !allow.contains(*name));
        if let Some(other) = test.iter().find(barred) {
            return wrong(&format!("have the test tenant `{other}`, which `allow` has not"));
        }
        if known_by.as_ref().is_some_and(Vec::is_empty) {
            return wrong("let nothing suffice: `known_by` is empty");
        }
        let known_by = known_by.as_deref().unwrap_or_default();
        if known_by.contains(&KnownBy::Claim) && claim.is_none() {
            return wrong("have `claim` in `known_by`, and no `claim` that says where it stands");
        }
        let known_by = known_by.iter().map(|how| match how {
            KnownBy::Claim => TenantKnownBy::Claim,
            KnownBy::Tool => TenantKnownBy::Tool,
            KnownBy::Asserted => TenantKnownBy::Asserted,
        });
        let (allow, test, claim) = (allow.clone(), test.clone(), claim.clone());
        Ok(TenantRules { allow, known_by: known_by.collect(), test, claim })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rules(tenants: Value, token: Value) -> Result<TenantRules, Fault> {
        let server: Server =
            serde_json::from_value(json!({"url": "https://a/", "tenants": tenants, "token": token})).unwrap();
        server.tenants.clone().unwrap_or_default().rules(&server, "x")
    }

    #[test]
    fn rules_that_nothing_could_meet_are_refused() {
        let token = json!({"file": "t"});
        for (tenants, token, says) in [
            (json!({"claim": "/org_id"}), Value::Null, "no `token` that could claim"),
            (json!({"allow": []}), token.clone(), "allow nobody"),
            (json!({"known_by": []}), token.clone(), "let nothing suffice"),
            (json!({"allow": ["a"], "test": ["b"]}), token.clone(), "the test tenant `b`"),
            (json!({"known_by": ["claim"]}), token.clone(), "no `claim` that says where"),
        ] {
            let fault = rules(tenants.clone(), token).unwrap_err();
            assert!(format!("{fault:?}").contains(says), "{tenants}: {fault:?}");
            assert_eq!(fault.exit, Exit::Invalid);
        }
        let given = rules(json!({"claim": "/org_id", "known_by": ["claim", "tool"]}), token).unwrap();
        assert_eq!(given.known_by, [TenantKnownBy::Claim, TenantKnownBy::Tool]);
        assert_eq!(rules(Value::Null, Value::Null).unwrap(), TenantRules::default());
    }
}
