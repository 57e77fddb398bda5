//! A token for the pipeline's own identity: where its ID token comes from, and who exchanges it.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::token_settings::Place;
use crate::mcp::{Exchange, Federated, HttpAddress, IdToken, Token};

/// The variable that GitLab's `id_tokens` are expected in.
const GITLAB: &str = "LOOPGATE_ID_TOKEN";
/// What a GitHub runner sets in a job that may have ID tokens.
const RUNNER: [&str; 2] = ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"];

/// The ID token of a CI platform, exchanged for a token of the service (RFC 8693).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    /// Where the ID token comes from: `github`, which is asked for one whenever it is needed; `gitlab`, the variable
    /// LOOPGATE_ID_TOKEN; or the `environment` variable or `file` that is named.
    pub from: Origin,
    /// Whom the ID token is for. One for somebody else is shown to nobody.
    pub audience: String,
    /// The URL where tokens are exchanged: `https`, or `http` on this machine.
    pub exchange: String,
    /// The client's name there, where it wants one.
    #[serde(default)]
    pub client_id: Option<String>,
    /// What the service is called there, which is sent as `audience` [default: its URL alone, as `resource`].
    #[serde(default)]
    pub service: Option<String>,
    /// What the token is to be good for, separated by blanks [default: what is given by itself].
    #[serde(default)]
    pub scope: Option<String>,
}

/// Where an ID token comes from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Origin {
    /// A CI platform.
    Platform(Platform),
    /// A variable or a file.
    Place(Place),
}

/// A CI platform that gives ID tokens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Platform {
    /// GitHub Actions.
    Github,
    /// GitLab.
    Gitlab,
}

impl Identity {
    /// Reads what is known; asks nobody yet.
    pub fn read(&self, folder: &Path, environment: &Environment) -> Result<Federated, String> {
        let Self { from, audience, exchange, client_id, service, scope } = self;
        if audience.is_empty() {
            return Err("`audience` is empty".to_owned());
        }
        let endpoint: HttpAddress = exchange
            .parse()
            .map_err(|error| format!("the `exchange` `{exchange}` cannot be used: {error}"))?;
        let known = |place: &Place| {
            let read = |text: &str| Token::new(text).map_err(|error| error.to_string());
            place.read(folder, environment, read).map(IdToken::Known)
        };
        let from = match from {
            Origin::Platform(Platform::Github) => runner(environment)?,
            Origin::Platform(Platform::Gitlab) => {
                known(&Place { environment: Some(GITLAB.to_owned()), file: None })?
            }
            // A file is read whenever it is needed: platforms renew it.
            Origin::Place(Place { environment: None, file: Some(file) }) => IdToken::File(folder.join(file)),
            Origin::Place(place) => known(place)?,
        };
        Ok(Federated::new(Exchange {
            from,
            audience: audience.clone(),
            endpoint,
            client: client_id.clone(),
            service: service.clone(),
            scope: scope.clone(),
        }))
    }
}

fn runner(environment: &Environment) -> Result<IdToken, String> {
    let [address, request] = RUNNER.map(|name| {
        environment.get(name).ok_or_else(|| {
            format!("the variable `{name}` is not set: the job needs `permissions: {{ id-token: write }}`")
        })
    });
    let [named, _] = RUNNER;
    Ok(IdToken::Runner {
        address: address?.parse().map_err(|error| format!("`{named}` cannot be used: {error}"))?,
        request: Token::new(request?).map_err(|error| error.to_string())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::read_yaml;
    use serde_json::{Value, json};

    fn read(value: &Value, variables: &[(&str, &str)]) -> Result<Federated, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = Environment { variables: variables.collect(), ..Environment::default() };
        let identity: Identity = read_yaml(&value.to_string()).unwrap();
        identity.read(Path::new("."), &environment)
    }

    fn identity(from: Value) -> Value {
        json!({"from": from, "audience": "us", "exchange": "https://login.example.com/token?x=y"})
    }

    #[test]
    fn an_id_token_comes_from_a_platform_a_variable_or_a_file_and_is_not_quoted() {
        let runner = [(RUNNER[0], "https://runner.example/id?v=2"), (RUNNER[1], "canary-request")];
        let all = [&runner[..], &[(GITLAB, "canary-id"), ("MINE", "canary-mine")]].concat();
        for from in [json!("github"), json!("gitlab"), json!({"environment": "MINE"}), json!({"file": "id"})]
        {
            let federated = read(&identity(from.clone()), &all).unwrap();
            assert!(!format!("{federated:?}").contains("canary"), "{federated:?}");
            // A file is read only when it is needed.
            assert_eq!(read(&identity(from.clone()), &[]).is_ok(), from["file"].is_string(), "{from}");
        }
        let why = read(&identity(json!("github")), &runner[..1]).unwrap_err();
        assert!(why.contains("id-token: write"), "{why}");
        let plain = [("ACTIONS_ID_TOKEN_REQUEST_URL", "http://runner.example/id"), runner[1]];
        let why = read(&identity(json!("github")), &plain).unwrap_err();
        assert!(why.contains("to another machine") && !why.contains("canary"), "{why}");
    }

    #[test]
    fn tokens_are_exchanged_where_nobody_listens() {
        let all = [(GITLAB, "canary-id")];
        for (member, value, says) in [
            ("exchange", json!("http://login.example.com/token"), "to another machine"),
            ("exchange", json!("https://me:pw@login.example.com"), "a user name or a password"),
            ("exchange", json!("login"), "it is no URL"),
            ("audience", json!(""), "`audience` is empty"),
        ] {
            let mut settings = identity(json!("gitlab"));
            settings[member] = value;
            let why = read(&settings, &all).unwrap_err();
            assert!(why.contains(says) && !why.contains("canary"), "{why}");
        }
        for other in [json!("azure"), json!({"variable": "X"})] {
            assert!(read_yaml::<Identity>(&identity(other).to_string()).is_err());
        }
        assert!(read(&identity(json!({})), &all).is_err());
    }
}
