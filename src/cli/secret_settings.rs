//! The secrets that writes carry: where each is read from, and which places of which tools may receive it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::policy::Trusted;
use super::settings::FILE_NAME;
use super::token_settings::Place;
use crate::artifact::Artifact;
use crate::artifact::v1::{Operation, Slot};
use crate::core::text::visible;
use crate::core::{Pointer, SecretText};

/// A secret: exactly one of `environment` and `file`, and who may receive it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretSettings {
    /// A variable of loopgate's environment.
    #[serde(default)]
    pub environment: Option<String>,
    /// A file, relative to the trust folder.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Who may receive it, and nobody else.
    pub to: Vec<Receiver>,
    /// The folder that `file` is relative to.
    #[serde(skip)]
    pub home: PathBuf,
}

/// A tool that may receive a secret.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Receiver {
    /// The server, by its name in these settings; `sandbox` is the sandbox.
    pub server: String,
    /// The tool's own name.
    pub tool: String,
    /// JSON pointers of the places in its arguments.
    pub at: BTreeSet<Pointer>,
}

impl SecretSettings {
    fn may_go(&self, server: &str, operation: &Operation, at: &Pointer) -> bool {
        let receives = |to: &Receiver| to.server == server && to.tool == operation.tool && to.at.contains(at);
        self.to.iter().any(receives)
    }

    pub(super) fn read(&self, name: &str, environment: &Environment) -> Result<SecretText, Fault> {
        let place = Place { environment: self.environment.clone(), file: self.file.clone() };
        let take = |text: &str| SecretText::new(text).map_err(|error| error.to_string());
        let read = place.read(&self.home, environment, take);
        read.map_err(|what| Fault::new(Exit::Invalid, format!("the secret `{name}`: {what}")))
    }
}

/// The secrets that `artifact` names, read; each is one that the settings let go to its place on `server`.
pub(super) fn secrets_for(
    artifact: &Artifact,
    server: &str,
    trusted: Option<&Trusted>,
    environment: &Environment,
) -> Result<BTreeMap<String, SecretText>, Fault> {
    let mut secrets = BTreeMap::new();
    for operation in artifact.operations() {
        for slot in &operation.slots {
            let Slot::Secret { at, name } = slot else { continue };
            let settings = trusted.and_then(|trusted| trusted.settings.secrets.get(name));
            let settings = settings
                .filter(|settings| settings.may_go(server, operation, at))
                .ok_or_else(|| refused(operation, name, at, server))?;
            if !secrets.contains_key(name) {
                secrets.insert(name.clone(), settings.read(name, environment)?);
            }
        }
    }
    Ok(secrets)
}

fn refused(operation: &Operation, name: &str, at: &Pointer, server: &str) -> Fault {
    let (id, tool, at) = (visible(&operation.id), visible(&operation.tool), visible(at.as_str()));
    Fault::new(
        Exit::Invalid,
        format!("operation `{id}` wants the secret `{name}` at `{at}` of `{tool}`, where the settings do not let it go"),
    )
    .hint(format!(
        "if it may: in the trust folder's {FILE_NAME}, under `secrets: {name}: to:`, add `{{ server: {}, tool: {tool}, \
         at: [{at}] }}`",
        visible(server)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::sample;
    use crate::catalog::read_yaml;
    use crate::cli::settings::Settings;

    const CANARY: &str = "canary-canary-canary";

    fn artifact() -> Artifact {
        let mut plan = sample::plan();
        let slot = Slot::Secret { at: "/auth/key".parse().unwrap(), name: "deploy_key".to_owned() };
        plan.operations[0].slots.push(slot);
        Artifact::build(plan).unwrap()
    }

    fn secrets(yaml: &str, server: &str) -> Result<BTreeMap<String, SecretText>, Fault> {
        let settings: Settings = read_yaml(yaml).unwrap();
        let trusted = Trusted { settings };
        let mut environment = Environment::default();
        environment.variables.insert("KEY".into(), CANARY.into());
        environment.variables.insert("SHORT".into(), "hunter2".into());
        secrets_for(&artifact(), server, Some(&trusted), &environment)
    }

    fn settings(source: &str, tool: &str, at: &str) -> String {
        format!("secrets: {{ deploy_key: {{ {source}, to: [{{ server: s, tool: {tool}, at: [{at}] }}] }} }}")
    }

    #[test]
    fn a_secret_goes_where_the_settings_say_and_nowhere_else() {
        let tool = artifact().operations()[0].tool.clone();
        let given = secrets(&settings("environment: KEY", &tool, "/auth/key"), "s").unwrap();
        assert_eq!(given["deploy_key"].expose(), CANARY);
        for (yaml, server) in [
            (settings("environment: KEY", &tool, "/auth/key"), "other"),
            (settings("environment: KEY", "other_tool", "/auth/key"), "s"),
            (settings("environment: KEY", &tool, "/auth"), "s"),
            (settings("environment: KEY", &tool, "/auth/key").replace("deploy_key", "other"), "s"),
            ("{}".to_owned(), "s"),
        ] {
            let fault = secrets(&yaml, server).unwrap_err();
            assert_eq!(fault.exit, Exit::Invalid, "{yaml}");
            assert!(fault.hint.unwrap().contains("/auth/key"), "{yaml}");
        }
        assert!(secrets_for(&artifact(), "s", None, &Environment::default()).is_err());
    }

    #[test]
    fn one_that_cannot_be_read_or_is_a_word_is_refused_and_not_shown() {
        let tool = artifact().operations()[0].tool.clone();
        for source in ["environment: NONE", "environment: SHORT", "file: key", "environment: KEY, file: key"]
        {
            let fault = secrets(&settings(source, &tool, "/auth/key"), "s").unwrap_err();
            let said = format!("{fault:?}");
            assert!(!said.contains("hunter2") && !said.contains(CANARY), "{said}");
        }
    }
}
