//! Where a server is, and how to reach it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rmcp::transport::streamable_http_client::StreamableHttpClientTransport;
use tokio::io::DuplexStream;

use super::asked::Asked;
use super::child::Child;
use super::ending::Ending;
use super::era::Era;
use super::error::ConnectError;
use super::http::{Clock, Faults, HttpClient, HttpServer};
use super::limits::Limits;
use super::link::Link;
use super::recording::{Recorder, Replay};
use super::secrets::Secrets;
use super::wire::Wire;

/// A server that can be connected to.
#[derive(Debug)]
pub enum Endpoint {
    /// A server in this process; this is our end of its stream.
    Stream(DuplexStream),
    /// A program that is started and spoken to over its standard input and output.
    Child(ChildCommand),
    /// A server on the network.
    Http(HttpServer),
    /// A server whose calls and answers are kept.
    Recorded(Box<Self>, Recorder),
    /// What was kept of a server, in its place.
    Replay(Replay),
}

/// What carries the messages.
pub(super) enum Way {
    Lines(Wire),
    Http(StreamableHttpClientTransport<HttpClient>),
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
    /// Which era of the protocol it speaks. To be asked ends some old servers.
    pub era: Era,
}

/// Shows the names of the variables only, because their values may be secrets.
impl std::fmt::Debug for ChildCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { program, arguments, folder, environment, era } = self;
        f.debug_struct("ChildCommand")
            .field("program", program)
            .field("arguments", arguments)
            .field("folder", folder)
            .field("environment", &environment.keys())
            .field("era", era)
            .finish()
    }
}

impl Endpoint {
    /// Opens the way to the server, and says nothing on it yet.
    pub(super) fn open(self, limits: &Limits, secrets: &Secrets) -> Result<(Way, Link), ConnectError> {
        let (ending, asked, mut faults) = (Ending::default(), Asked::default(), None);
        let (mut to, clock) = (None, Clock::default());
        let most = limits.reply_bytes;
        let (way, child) = match self {
            Self::Stream(stream) => {
                let (read, write) = tokio::io::split(stream);
                let wire = Wire::new(Box::new(read), Box::new(write), most, ending.clone(), asked.clone());
                (Way::Lines(wire.concealing(secrets.clone())), None)
            }
            Self::Child(command) => {
                let (child, read, write) = Child::start(&command, secrets.clone())
                    .map_err(|source| ConnectError::Start { program: command.program, source })?;
                let wire = Wire::new(Box::new(read), Box::new(write), most, ending.clone(), asked.clone());
                (Way::Lines(wire.concealing(secrets.clone())), Some(child))
            }
            Self::Http(server) => {
                let transport = HttpClient::transport(
                    &server,
                    limits,
                    faults.insert(Faults::default()).clone(),
                    asked.clone(),
                    secrets.clone(),
                    clock.clone(),
                )?;
                to = Some(server);
                (Way::Http(transport), None)
            }
            Self::Recorded(endpoint, _) => return endpoint.open(limits, secrets),
            Self::Replay(_) => {
                return Err(ConnectError::NotMcp { what: "a recording is played, not spoken to".to_owned() });
            }
        };
        Ok((way, Link { ending, child, faults, asked, server: to, clock }))
    }

    /// Which era of the protocol the server speaks.
    pub(super) fn era(&self) -> Era {
        match self {
            Self::Stream(_) | Self::Replay(_) => Era::Sessions,
            Self::Recorded(endpoint, _) => endpoint.era(),
            Self::Child(command) => command.era,
            Self::Http(server) => server.era,
        }
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
            era: Era::Sessions,
        };
        let shown = format!("{:?}", Endpoint::Child(command));
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }
}
