//! Where the bearer token of a server comes from: a variable, a file, a program, an issuer, or an exchange.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::federated_settings::Identity;
use super::server_settings::{LARGEST, program_path};
use crate::core::file::read_bounded;
use crate::mcp::{
    ClientCredentials, ClientProof, Credential, Issuer, Secret, SigningKey, Token, TokenCommand, TokenProgram,
};

/// Where a bearer token comes from: exactly one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenSource {
    /// A variable of loopgate's environment.
    #[serde(default)]
    pub environment: Option<String>,
    /// A file, relative to the trust folder.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// A program prints it, in ten seconds at most: its path (relative to the trust folder) or name, and its arguments.
    /// It is started before the first request, and again when a token that says when it expires is about to.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// Variables of loopgate's own environment that the `command` gets, besides PATH, HOME, LANG and TMPDIR.
    #[serde(default)]
    pub variables: Vec<String>,
    /// An issuer gives it (OAuth 2.1 client credentials), before the first request and whenever it is about to expire.
    #[serde(default)]
    pub client_credentials: Option<Client>,
    /// It is given for the pipeline's own ID token, before the first request and whenever it is about to expire.
    #[serde(default)]
    pub federated: Option<Identity>,
}

/// A client at an issuer. Exactly one of `secret` and `key`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    /// The client's name at the issuer.
    pub client_id: String,
    /// The client's secret, which the `issuer` sees and nobody else (`client_secret_basic`).
    #[serde(default)]
    pub secret: Option<Place>,
    /// The client's private key, PKCS#8 in PEM on the curve P-256 (`private_key_jwt` with ES256).
    #[serde(default)]
    pub key: Option<Place>,
    /// The issuer's URL, letter by letter as its metadata have it: `https`, or `http` on this machine. Needed with
    /// a `secret`; with a `key` the server's metadata name it where it is left out.
    #[serde(default)]
    pub issuer: Option<String>,
    /// What the token is to be good for, separated by blanks [default: what the issuer gives by itself].
    #[serde(default)]
    pub scope: Option<String>,
}

/// Where a secret text is read from: exactly one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// A variable of loopgate's environment.
    #[serde(default)]
    pub environment: Option<String>,
    /// A file, relative to the trust folder.
    #[serde(default)]
    pub file: Option<PathBuf>,
}

impl TokenSource {
    /// What a server is shown. Reads the secrets; asks nobody yet. `name` is the server's, for the message.
    pub fn credential(
        &self,
        name: &str,
        folder: &Path,
        environment: &Environment,
    ) -> Result<Credential, Fault> {
        let invalid = |what: String| Fault::new(Exit::Invalid, format!("the token of `{name}`: {what}"));
        let Self { environment: variable, file, command, variables, client_credentials, federated } = self;
        if command.is_none() && !variables.is_empty() {
            return Err(invalid("`variables` are for a `command`, and there is none".to_owned()));
        }
        match (client_credentials, federated, command, variable.is_some() || file.is_some()) {
            (Some(client), None, None, false) => client.read(folder, environment).map(Credential::Client),
            (None, Some(identity), None, false) => {
                identity.read(folder, environment).map(Credential::Federated)
            }
            (None, None, Some(command), false) => match command.split_first() {
                Some((program, arguments)) if !program.is_empty() => {
                    Ok(Credential::Command(TokenCommand::new(TokenProgram {
                        program: program_path(program, folder),
                        arguments: arguments.to_vec(),
                        environment: environment.passed_on(variables),
                    })))
                }
                _ => Err("`command` names no program".to_owned()),
            },
            (None, None, None, true) => {
                let place = Place { environment: variable.clone(), file: file.clone() };
                place
                    .read(folder, environment, |text| Token::new(text).map_err(|error| error.to_string()))
                    .map(Credential::Token)
            }
            _ => Err("it has exactly one of `environment`, `file`, `command`, `client_credentials` and \
                     `federated`"
                .to_owned()),
        }
        .map_err(invalid)
    }
}

impl Client {
    fn read(&self, folder: &Path, environment: &Environment) -> Result<ClientCredentials, String> {
        let Self { client_id, secret, key, issuer, scope } = self;
        if client_id.is_empty() {
            return Err("`client_id` is empty".to_owned());
        }
        let issuer: Option<Issuer> = match issuer {
            Some(issuer) => Some(
                issuer.parse().map_err(|error| format!("the `issuer` `{issuer}` cannot be used: {error}"))?,
            ),
            None => None,
        };
        let proof = match (secret, key, issuer) {
            (Some(secret), None, Some(issuer)) => {
                let read = |text: &str| Secret::new(text).map_err(|error| error.to_string());
                ClientProof::Secret(secret.read(folder, environment, read)?, issuer)
            }
            (Some(_), None, None) => {
                return Err("a `secret` needs an `issuer`: else the server could name one of its own, and \
                            collect the secret"
                    .to_owned());
            }
            (None, Some(key), issuer) => {
                let read =
                    |text: &str| SigningKey::from_pem(text.as_bytes()).map_err(|error| error.to_string());
                ClientProof::Key(key.read(folder, environment, read)?, issuer)
            }
            _ => return Err("`client_credentials` have exactly one of `secret` and `key`".to_owned()),
        };
        Ok(ClientCredentials::new(client_id.clone(), proof, scope.clone()))
    }
}

impl Place {
    /// What `take` makes of the text there. No message holds any of it.
    pub fn read<T>(
        &self,
        folder: &Path,
        environment: &Environment,
        take: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let (text, place) = match (&self.environment, &self.file) {
            (Some(variable), None) => {
                let text = environment.get(variable).map(str::to_owned);
                let text = text.ok_or_else(|| {
                    format!("the variable `{variable}` is not set; export it, or name another")
                })?;
                (text, format!("the variable `{variable}`"))
            }
            (None, Some(file)) => {
                let path = folder.join(file);
                let bytes = read_bounded(&path, LARGEST).map_err(|error| error.to_string())?;
                let place = format!("the file `{}`", path.display());
                let text = String::from_utf8(bytes).map_err(|_| format!("{place} is not UTF-8"))?;
                (text, place)
            }
            _ => return Err("a secret has exactly one of `environment` and `file`".to_owned()),
        };
        take(&text).map_err(|error| format!("{place}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value, environment: &Environment) -> Result<Credential, Fault> {
        let source: TokenSource = serde_json::from_value(value).unwrap();
        source.credential("x", Path::new("."), environment)
    }

    #[test]
    fn a_token_comes_from_one_place_and_is_not_quoted() {
        let mut environment = Environment::default();
        assert!(read(json!({"environment": "T"}), &environment).is_err(), "it is not set");
        environment.variables.insert("T".into(), "canary 1".into());
        let fault = read(json!({"environment": "T"}), &environment).unwrap_err();
        assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
        environment.variables.insert("T".into(), "canary".into());
        let credential = read(json!({"environment": "T"}), &environment).unwrap();
        assert!(!format!("{credential:?}").contains("canary"));
        assert!(read(json!({}), &environment).is_err());
        assert!(read(json!({"environment": "T", "file": "t"}), &environment).is_err());
        assert!(read(json!({"environment": "T", "variables": ["A"]}), &environment).is_err());
        for command in [json!([]), json!([""])] {
            assert!(read(json!({"command": command}), &environment).is_err());
        }
        assert!(read(json!({"command": ["vault"], "file": "t"}), &environment).is_err());
        let command =
            read(json!({"command": ["vault", "canary"], "variables": ["T"]}), &environment).unwrap();
        assert!(!format!("{command:?}").contains("canary"), "{command:?}");
    }

    #[test]
    fn a_client_has_a_secret_for_a_named_issuer_or_a_key() {
        let mut environment = Environment::default();
        environment.variables.insert("S".into(), "canary 1".into());
        environment.variables.insert("BAD".into(), "canary\u{7}".into());
        let client = |value: Value| read(json!({"client_credentials": value}), &environment);
        let (secret, issuer) = (json!({"environment": "S"}), "https://login.example.com");
        let credential = client(json!({"client_id": "c", "secret": secret, "issuer": issuer})).unwrap();
        assert!(!format!("{credential:?}").contains("canary"), "{credential:?}");
        for (value, says) in [
            (json!({"client_id": "c", "secret": secret}), "needs an `issuer`"),
            (json!({"client_id": "c", "issuer": issuer}), "exactly one of `secret` and `key`"),
            (json!({"client_id": "c", "secret": secret, "key": secret, "issuer": issuer}), "exactly one of"),
            (json!({"client_id": "", "secret": secret, "issuer": issuer}), "`client_id` is empty"),
            (json!({"client_id": "c", "secret": secret, "issuer": "http://a.example"}), "to another machine"),
            (json!({"client_id": "c", "secret": secret, "issuer": "https://a.example/?b"}), "no query"),
            (
                json!({"client_id": "c", "secret": {"environment": "BAD"}, "issuer": issuer}),
                "control character",
            ),
            (json!({"client_id": "c", "secret": {}, "issuer": issuer}), "exactly one of"),
            (json!({"client_id": "c", "key": secret}), "no `PRIVATE KEY`"),
        ] {
            let fault = client(value.clone()).unwrap_err();
            assert!(format!("{fault:?}").contains(says), "{value}: {fault:?}");
            assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
            assert_eq!(fault.exit, Exit::Invalid);
        }
        let both = json!({"environment": "S", "client_credentials": {"client_id": "c", "key": secret}});
        assert!(read(both, &environment).is_err());
    }
}
