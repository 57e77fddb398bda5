//! What a server is shown instead where something else is asked of it than reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::fault::Fault;
use super::server_settings::{Reached, Server};
use super::token_settings::TokenSource;

/// A credential that takes the place of the server's own: of a `url` its `token`, of a `command` its `environment`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Instead {
    /// The bearer token for the server's URL, and for nobody else.
    #[serde(default)]
    pub token: Option<TokenSource>,
    /// Variables of loopgate's own environment that the program gets, besides PATH, HOME, LANG and TMPDIR.
    #[serde(default)]
    pub environment: Option<Vec<String>>,
}

/// What a server is asked for. Each has a credential of its own where the settings name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// To read, and perhaps to dry-run.
    Plan,
    /// To write what was approved.
    Write,
}

impl Server {
    /// The server as that role sees it; `name` is for the message.
    pub fn playing(&self, role: Role, name: &str) -> Result<Self, Fault> {
        match (role, &self.write) {
            (Role::Write, Some(instead)) => self.with(instead, "write", name),
            (Role::Write, None) | (Role::Plan, _) => Ok(self.clone()),
        }
    }

    /// The server as dry runs see it, where they have a credential of their own; `name` is for the message.
    pub fn dry_running(&self, name: &str) -> Result<Option<Self>, Fault> {
        match (&self.dry_run, self.dry_runs) {
            (Some(_), true) => Err(Fault::new(
                Exit::Invalid,
                format!(
                    "the settings of `{name}` have both `dry_runs: true` and `dry_run`: which credential is meant \
                     for dry runs?"
                ),
            )
            .hint("leave `dry_runs` out where they have a credential of their own")),
            (Some(instead), false) => self.with(instead, "dry_run", name).map(Some),
            (None, _) => Ok(None),
        }
    }

    fn with(&self, instead: &Instead, block: &str, name: &str) -> Result<Self, Fault> {
        let Instead { token, environment } = instead;
        let wrong = |what: &str| {
            Err(Fault::new(Exit::Invalid, format!("`{block}` in the settings of `{name}` {what}")))
        };
        let mut server = self.clone();
        match (self.reached(name)?, token, environment) {
            (_, None, None) => return wrong("names no credential"),
            (Reached::Program(_), Some(_), _) => return wrong("has a `token`, which only a `url` has"),
            (Reached::Address(_), _, Some(_)) => {
                return wrong("has an `environment`, which only a `command` has");
            }
            (Reached::Program(_), None, Some(environment)) => server.environment.clone_from(environment),
            (Reached::Address(_), Some(token), None) => server.token = Some(token.clone()),
        }
        Ok(server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn server(value: Value) -> Server {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_role_takes_its_own_credential_and_else_the_servers() {
        let both = json!({"command": "a", "environment": ["READ"], "write": {"environment": ["WRITE"]}});
        let environment = |role| server(both.clone()).playing(role, "x").unwrap().environment;
        assert_eq!(
            (environment(Role::Plan), environment(Role::Write)),
            (vec!["READ".into()], vec!["WRITE".into()])
        );
        let one = server(json!({"command": "a", "environment": ["ONE"]}));
        assert_eq!(one.playing(Role::Write, "x").unwrap().environment, ["ONE"]);
        assert!(one.dry_running("x").unwrap().is_none());
    }

    #[test]
    fn a_role_names_what_its_server_can_be_shown() {
        let token = json!({"environment": "T"});
        for (value, says) in [
            (json!({"command": "a", "write": {}}), "`write` in the settings of `x` names no credential"),
            (json!({"command": "a", "write": {"token": token}}), "which only a `url` has"),
            (json!({"url": "https://a/", "write": {"environment": ["T"]}}), "which only a `command` has"),
        ] {
            let fault = server(value.clone()).playing(Role::Write, "x").unwrap_err();
            assert!(format!("{fault:?}").contains(says), "{value}: {fault:?}");
        }
        let twice = json!({"url": "https://a/", "dry_runs": true, "dry_run": {"token": token}});
        let fault = server(twice).dry_running("x").unwrap_err();
        assert!(format!("{fault:?}").contains("both `dry_runs: true` and `dry_run`"), "{fault:?}");
        assert_eq!(fault.exit, Exit::Invalid);
    }
}
