//! The trust settings: `loopgate.yaml` and what it names. They alone say which programs are started, with
//! which environment, and what a server's words mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::fault::Fault;
use crate::catalog::{Profile, read_yaml};
use crate::core::file::read_bounded;

/// The name of the settings file in the trust folder.
pub(super) const FILE_NAME: &str = "loopgate.yaml";
/// The largest settings or profile file, in bytes.
const LARGEST: usize = 4 << 20;

/// `loopgate.yaml`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// The server where the command line names none.
    #[serde(default)]
    pub server: Option<String>,
    /// The tenant where the command line names none.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Servers by the names that recipes and the command line use.
    #[serde(default)]
    pub servers: BTreeMap<String, Server>,
}

/// A server that is started as a child process and spoken to over its standard input and output.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    /// The program; looked up in the PATH that the child gets, or relative to the trust folder.
    pub command: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Its working folder, relative to the trust folder [default: where loopgate was started].
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// Variables of loopgate's own environment that the child gets, besides PATH, HOME, LANG and TMPDIR.
    #[serde(default)]
    pub environment: Vec<String>,
    /// `loopiq`, `plain`, or a profile's file, relative to the trust folder.
    #[serde(default = "plain")]
    pub profile: String,
    /// The tenant on this server.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Whether what the child is started with is meant for dry runs of writes.
    #[serde(default)]
    pub dry_runs: bool,
    /// Time limits.
    #[serde(default)]
    pub time_limits: TimeLimits,
    /// The longest reply, in bytes.
    #[serde(default)]
    pub reply_limit: Option<usize>,
}

/// Time limits, such as `30s`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeLimits {
    /// For the handshake.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub connect: Option<jiff::SignedDuration>,
    /// For listing all tools.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub list: Option<jiff::SignedDuration>,
    /// For one call.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub call: Option<jiff::SignedDuration>,
    /// For the server to end.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub close: Option<jiff::SignedDuration>,
}

fn plain() -> String {
    "plain".to_owned()
}

impl Settings {
    /// Reads the settings of a trust folder; none where it has no settings file.
    pub fn read(folder: &Path) -> Result<Option<Self>, Fault> {
        let path = folder.join(FILE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        read_yaml(&text(&path)?)
            .map(Some)
            .map_err(|error| Fault::new(Exit::Invalid, format!("`{}`: {error}", path.display())))
    }
}

/// A profile by its name or file; a file is relative to `folder`.
pub(super) fn profile(name: &str, folder: &Path) -> Result<Profile, Fault> {
    match name {
        "loopiq" => Profile::loopiq().map_err(Fault::internal),
        "plain" => Profile::plain().map_err(Fault::internal),
        file if is_file_name(file) => {
            let path = folder.join(file);
            Profile::parse(&path.display().to_string(), &text(&path)?).map_err(Fault::invalid)
        }
        other => Err(Fault::new(Exit::Invalid, format!("no profile is called `{other}`"))
            .hint("profiles are `loopiq`, `plain`, or a file whose name ends in .yaml")),
    }
}

fn text(path: &Path) -> Result<String, Fault> {
    String::from_utf8(read_bounded(path, LARGEST).map_err(Fault::invalid)?)
        .map_err(|_| Fault::new(Exit::Invalid, format!("`{}` is not UTF-8", path.display())))
}

fn is_file_name(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}
