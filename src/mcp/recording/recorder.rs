//! Keeps what a session asks and is answered, as it happens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::read::{Recording, RecordingError};
use super::redaction::Redaction;
use super::v1::{Call, Connection, Document, DryRuns, Format, List, Profile, Seen, Server};
use crate::catalog::AllowList;
use crate::catalog::lock::LockedServer;
use crate::core::call::{self, TaskHandle, ToolCall, ToolDefinition};
use crate::core::{Digest, SecretText};
use crate::mcp::error::{ConnectError, ListError};
use crate::mcp::http::Credential;
use crate::mcp::live::Live;
use crate::mcp::secrets::Secrets;

/// Keeps the calls of every session whose endpoint it goes with; clones are the same.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    secrets: Vec<SecretText>,
    began: Timestamp,
    tape: Mutex<Tape>,
}

/// What was kept so far.
#[derive(Debug, Default)]
struct Tape {
    connections: Vec<Connection>,
    lists: Vec<List>,
    calls: Vec<Kept>,
    /// Calls that go on, by the server's name for them.
    tasks: BTreeMap<String, usize>,
    credentials: Vec<Credential>,
}

/// A call; nothing was seen of one that is under way.
#[derive(Debug)]
struct Kept {
    tool: String,
    tenant: Option<String>,
    arguments: Map<String, Value>,
    seen: Option<Seen>,
}

/// What a recording says of itself besides its calls.
#[derive(Debug, Clone)]
pub struct About {
    /// The server.
    pub server: Server,
    /// The tenant, where one was named.
    pub tenant: Option<String>,
    /// The profile.
    pub profile: Profile,
    /// The server's part of the tool lock.
    pub lock: Option<LockedServer>,
    /// Which tools could be called.
    pub allow: Option<AllowList>,
    /// How writes were tried out.
    pub dry_runs: DryRuns,
}

impl Recorder {
    /// One that has kept nothing yet; what it keeps shows none of `secrets`.
    #[must_use]
    pub fn new(secrets: Vec<SecretText>) -> Self {
        Self(Arc::new(Inner { secrets, began: Timestamp::now(), tape: Mutex::default() }))
    }

    /// What nothing that a server sends may show either: whoever plays the recording sees what was seen.
    pub(in crate::mcp) fn secrets(&self) -> impl Iterator<Item = &SecretText> {
        self.0.secrets.iter()
    }

    pub(in crate::mcp) fn connected(&self, connected: &Result<Live, ConnectError>) {
        let mut tape = self.tape();
        if let Ok(live) = connected {
            tape.credentials.extend(live.credential().cloned());
        }
        tape.connections.push(Connection::of(connected.as_ref().map(Live::facts)));
    }

    /// As if that server had been connected to.
    #[cfg(test)]
    pub(super) fn connected_to(&self, name: &str) {
        let (version, revision) = ("1".to_owned(), "2025-11-25".to_owned());
        self.tape().connections.push(Connection::Made { name: name.to_owned(), version, revision });
    }

    pub(in crate::mcp) fn listed(&self, listed: &Result<Vec<ToolDefinition>, ListError>) {
        self.tape().lists.push(List::of(listed));
    }

    /// Keeps a call that is about to be sent, and gives its place.
    pub(in crate::mcp) fn begin(&self, call: &ToolCall) -> usize {
        let arguments = call.lasting_arguments();
        let mut tape = self.tape();
        let (tool, tenant) = (call.tool.clone(), call.tenant.clone());
        tape.calls.push(Kept { tool, tenant, arguments, seen: None });
        tape.calls.len().saturating_sub(1)
    }

    /// Keeps what was seen of the call at that place.
    pub(in crate::mcp) fn end(&self, place: usize, seen: &call::Seen) {
        let mut tape = self.tape();
        if let call::Seen::Task(task) = seen {
            tape.tasks.insert(task.id.clone(), place);
        }
        if let Some(kept) = tape.calls.get_mut(place) {
            kept.seen = Seen::of(seen);
        }
    }

    /// Keeps what a call came to that went on as a task.
    pub(in crate::mcp) fn end_task(&self, task: &TaskHandle, seen: &call::Seen) {
        let place = self.tape().tasks.remove(&task.id);
        if let Some(place) = place {
            self.end(place, seen);
        }
    }

    /// The recording of all that was kept; none where there was no session.
    ///
    /// # Errors
    /// It is more than a recording holds.
    pub fn finish(&self, about: About) -> Result<Option<Recording>, RecordingError> {
        let mut tape = std::mem::take(&mut *self.tape());
        if !tape.connections.iter().any(|connection| matches!(connection, Connection::Made { .. })) {
            return Ok(None);
        }
        let calls: Vec<Call> = tape.calls.into_iter().map(Call::from).collect();
        let About { server, tenant, profile, lock, allow, dry_runs } = about;
        let document = Document {
            format: Format::V1,
            // Put there once all the rest is known.
            file_digest: Digest::of_bytes(b""),
            program: concat!("loopgate ", env!("CARGO_PKG_VERSION")).to_owned(),
            began: self.0.began,
            server,
            // Where nobody named one but the credential did, every call has been for it.
            tenant: tenant.or_else(|| calls.first()?.tenant.clone()),
            profile,
            lock,
            allow,
            dry_runs,
            connections: tape.connections,
            lists: tape.lists,
            calls,
        };
        let mut value = serde_json::to_value(document).unwrap_or_default();
        let credentials = std::mem::take(&mut tape.credentials);
        Redaction { secrets: Secrets::new(&self.0.secrets), credentials }.value(&mut value);
        Recording::of(value).map(Some)
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.0.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Kept> for Call {
    fn from(Kept { tool, tenant, arguments, seen }: Kept) -> Self {
        Self { tool, tenant, arguments, seen: seen.unwrap_or(Seen::Cancelled) }
    }
}
