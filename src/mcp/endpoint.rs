//! Where a server is, and how to reach it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::io::DuplexStream;

use super::child::Child;
use super::client::Asked;
use super::ending::Ending;
use super::error::ConnectError;
use super::limits::Limits;
use super::link::Link;
use super::wire::Wire;

/// A server that can be connected to.
#[derive(Debug)]
pub enum Endpoint {
    /// A server in this process; this is our end of its stream.
    Stream(DuplexStream),
    /// A program that is started and spoken to over its standard input and output.
    Child(ChildCommand),
}

/// A program to start.
#[derive(Clone, PartialEq, Eq)]
pub struct ChildCommand {
    /// Its path, or a name that is looked up in the `PATH` of `environment`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its working folder; this process's own where none is named.
    pub folder: Option<PathBuf>,
    /// Its environment, complete: it inherits nothing.
    pub environment: BTreeMap<String, String>,
}

/// Shows the names of the variables only, because their values may be secrets.
impl std::fmt::Debug for ChildCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { program, arguments, folder, environment } = self;
        f.debug_struct("ChildCommand")
            .field("program", program)
            .field("arguments", arguments)
            .field("folder", folder)
            .field("environment", &environment.keys())
            .finish()
    }
}

impl Endpoint {
    /// Opens the way to the server, and says nothing on it yet.
    pub(super) fn open(self, limits: &Limits) -> Result<(Wire, Link), ConnectError> {
        let ending = Ending::default();
        let (wire, child) = match self {
            Self::Stream(stream) => {
                let (read, write) = tokio::io::split(stream);
                (Wire::new(Box::new(read), Box::new(write), limits.reply_bytes, ending.clone()), None)
            }
            Self::Child(command) => {
                let (child, read, write) = Child::start(&command)
                    .map_err(|source| ConnectError::Start { program: command.program, source })?;
                (Wire::new(Box::new(read), Box::new(write), limits.reply_bytes, ending.clone()), Some(child))
            }
        };
        Ok((wire, Link { ending, child, asked: Asked::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_shown_by_its_name_only() {
        let command = ChildCommand {
            program: "server".into(),
            arguments: Vec::new(),
            folder: None,
            environment: BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]),
        };
        let shown = format!("{:?}", Endpoint::Child(command));
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }
}
