//! The environment, read once.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::trust_folder::TrustFolder;
use crate::report::TerminalFacts;

/// Variables that every program gets, where they are set.
pub(super) const ALWAYS: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// What the process was started with.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// Variables whose names and values are Unicode.
    pub variables: BTreeMap<String, String>,
    /// Names of loopgate's own variables whose values are not.
    pub unreadable: Vec<String>,
    pub stdin_is_terminal: bool,
    pub stdout_is_terminal: bool,
    pub stderr_is_terminal: bool,
    /// The terminal's width, where one is at hand.
    pub columns: Option<u16>,
}

impl Environment {
    pub fn capture() -> Self {
        Self {
            unreadable: std::env::vars_os()
                .filter(|(_, value)| value.to_str().is_none())
                .filter_map(|(name, _)| name.into_string().ok())
                .filter(|name| name.starts_with("LOOPGATE_"))
                .collect(),
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            columns: terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns),
        }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What a program gets of it: the variables that every program needs, and those that are named, where they are set.
    pub fn passed_on(&self, named: &[String]) -> BTreeMap<String, String> {
        let named = ALWAYS.iter().copied().chain(named.iter().map(String::as_str));
        named.filter_map(|name| Some((name.to_owned(), self.variables.get(name)?.clone()))).collect()
    }

    /// Whether this is a pipeline: `CI` is set, and not to `false` or `0`; or, where it is not set, `TF_BUILD`
    /// is, by which Azure Pipelines alone says so.
    pub fn is_ci(&self) -> bool {
        self.get("CI").or_else(|| self.get("TF_BUILD")).is_some_and(|value| !matches!(value, "false" | "0"))
    }

    /// Who started this, in the words of the pipeline or the machine; nobody vouches for them.
    pub fn person(&self) -> Option<String> {
        const NAMES: [&str; 7] = [
            "GITHUB_ACTOR",
            "GITLAB_USER_LOGIN",
            "BUILD_REQUESTEDFOREMAIL",
            "BUILDKITE_BUILD_CREATOR",
            "USER",
            "LOGNAME",
            "USERNAME",
        ];
        NAMES.iter().find_map(|name| self.get(name)).map(str::to_owned)
    }

    /// The machine's name: `HOSTNAME`, else what Linux says.
    pub fn host(&self) -> Option<String> {
        self.get("HOSTNAME").map(str::to_owned).or_else(|| {
            let name = fs_err::read_to_string("/proc/sys/kernel/hostname").ok()?;
            Some(name.trim().to_owned()).filter(|name| !name.is_empty())
        })
    }

    /// What decides how a stream is written to.
    pub fn terminal(&self, is_terminal: bool) -> TerminalFacts {
        let variable = |name: &str| self.variables.get(name).cloned();
        TerminalFacts {
            is_terminal,
            columns: self.columns,
            no_color: variable("NO_COLOR"),
            clicolor_force: variable("CLICOLOR_FORCE"),
            term: variable("TERM"),
            ci: variable("CI"),
            locale: ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| self.get(name)).map(str::to_owned),
        }
    }

    /// The folder of the trust settings, where one is named, and it says what it is to say.
    pub fn trust(&self, named: Option<&Path>) -> Result<Option<PathBuf>, Fault> {
        let named = named.or_else(|| self.get("LOOPGATE_TRUST").map(Path::new));
        named.map(|named| TrustFolder::from(named).checked()).transpose()
    }
}
