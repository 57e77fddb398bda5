//! `loopgate config show`: the settings in force, and where each of them comes from.

use std::path::{Path, PathBuf};

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::Value;

use super::arguments::{ConfigArguments, ConfigCommand, ConfigShow, Format};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::layers::chain;
use super::output::Output;
use super::policy::trust_for;
use super::settings::{FILE_NAME, Settings, text};
use super::trust_folder::digest;
use crate::catalog::read_yaml;
use crate::core::Digest;
use crate::core::pointer::escape;
use crate::core::text::visible;
use crate::recipe::{Source, YamlPlaces};

/// What `config show --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "loopgate settings in force, version 1")]
pub(super) struct Config {
    /// `loopgate.config/1`.
    format: &'static str,
    /// The folders with settings, the one that is trusted first, then what it extends.
    folders: Vec<Folder>,
    /// Every setting, by its place.
    values: Vec<Setting>,
}

/// A folder with settings.
#[derive(Debug, Serialize, JsonSchema)]
struct Folder {
    /// Where it is.
    path: String,
    /// What it says, in one digest: `PATH@DIGEST` is that folder only as long as it says that.
    digest: Digest,
}

/// A setting in force.
#[derive(Debug, Serialize, JsonSchema)]
struct Setting {
    /// Its place in loopgate.yaml, as a JSON pointer. Of a policy that several folders have, all of them count.
    key: String,
    /// What it is set to.
    value: Value,
    /// The file, or the variable of the environment.
    from: String,
    /// Its line in that file, from 1, where it is known.
    line: Option<usize>,
}

/// The variables that are taken before what the settings say, and the settings' places for them.
const VARIABLES: [(&str, &str); 3] =
    [("/server", "LOOPGATE_SERVER"), ("/tenant", "LOOPGATE_TENANT"), ("/ledger/at", "LOOPGATE_LEDGER")];

/// Does what was asked about the settings.
pub(super) fn config(
    arguments: &ConfigArguments,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let ConfigCommand::Show(ConfigShow { trust, format }) = &arguments.command;
    let folder = trust_for(trust.as_deref(), environment)?.ok_or_else(|| {
        Fault::new(
            Exit::Invalid,
            "in CI the settings of a checkout are not trusted, because a pull request can change them",
        )
        .hint("name a folder from the protected branch: `--trust DIR` or LOOPGATE_TRUST")
    })?;
    let config = in_force(&folder, environment)?;
    match format {
        Format::Json => output.json(&serde_json::to_value(&config).map_err(Fault::internal)?)?,
        Format::Text => output.data(&in_words(&config))?,
    }
    Ok(Exit::Done)
}

/// The JSON Schema of what is printed as JSON.
pub(super) fn json_schema() -> Value {
    schema_for!(Config).to_value()
}

fn in_force(folder: &Path, environment: &Environment) -> Result<Config, Fault> {
    // All of it together, which is refused where the folders contradict each other.
    if Settings::read(folder)?.is_none() {
        let path = folder.join(FILE_NAME);
        return Err(Fault::new(Exit::Invalid, format!("`{}` does not exist", path.display())));
    }
    let folders = chain(folder)?;
    let mut values: Vec<Setting> = Vec::new();
    for folder in folders.iter().rev() {
        for setting in settings(folder)? {
            // Who extends others chooses server and tenant; all else is added.
            values.retain(|above| {
                !["/server", "/tenant"].contains(&above.key.as_str()) || above.key != setting.key
            });
            values.push(setting);
        }
    }
    for (key, variable) in VARIABLES {
        if let Some(value) = environment.get(variable).filter(|value| !value.is_empty()) {
            values.retain(|setting| setting.key != key);
            let (key, value, from) = (key.to_owned(), Value::from(value), variable.to_owned());
            values.push(Setting { key, value, from, line: None });
        }
    }
    values.sort_by(|one, other| one.key.cmp(&other.key));
    let folders = folders
        .iter()
        .map(|folder| Ok(Folder { path: folder.display().to_string(), digest: digest(folder)? }))
        .collect::<Result<_, Fault>>()?;
    Ok(Config { format: "loopgate.config/1", folders, values })
}

/// What one folder's file says.
fn settings(folder: &Path) -> Result<Vec<Setting>, Fault> {
    let path: PathBuf = folder.join(FILE_NAME);
    let (from, text) = (path.display().to_string(), text(&path)?);
    let all: Value =
        read_yaml(&text).map_err(|error| Fault::new(Exit::Invalid, format!("`{from}`: {error}")))?;
    let places = YamlPlaces::read(&Source { name: from.clone(), text });
    let mut leaves = Vec::new();
    walk(&all, String::new(), &mut leaves);
    let setting = |(key, value): (String, Value)| {
        let line = places.as_ref().and_then(|places| places.nearest(&key)).map(|span| span.line);
        Setting { key, value, from: from.clone(), line }
    };
    Ok(leaves.into_iter().map(setting).collect())
}

/// Every value that is no object, by its place.
fn walk(value: &Value, at: String, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| walk(member, format!("{at}/{}", escape(name)), leaves));
        }
        Value::Null if at.is_empty() => {}
        leaf => leaves.push((at, leaf.clone())),
    }
}

fn in_words(config: &Config) -> String {
    let mut text = String::new();
    for (folder, what) in
        config.folders.iter().zip(std::iter::once("trusted").chain(std::iter::repeat("extended")))
    {
        text.push_str(&format!("{what}: {}@{}\n", visible(&folder.path), folder.digest));
    }
    let shown = |setting: &Setting| {
        let key = setting.key.trim_start_matches('/').replace('/', ".");
        (visible(&key).into_owned(), visible(&setting.value.to_string()).into_owned())
    };
    let lines: Vec<(String, String)> = config.values.iter().map(shown).collect();
    let width = lines.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
    for ((key, value), setting) in lines.iter().zip(&config.values) {
        let line = setting.line.map(|line| format!(":{line}")).unwrap_or_default();
        text.push_str(&format!("{key:width$}  {value}  ({}{line})\n", visible(&setting.from)));
    }
    text
}
