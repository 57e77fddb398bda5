//! Plays a recording back, strictly: a call is answered as the same call was, in its order, and no other is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::mark::{fits, is_marked};
use super::nearest::nearest;
use super::read::Recording;
use super::redaction::Redaction;
use super::v1::{Call, Connection, Failed, List};
use crate::core::Digest;
use crate::core::call::{Seen, Silence, TaskHandle, ToolCall, ToolDefinition};
use crate::mcp::error::{ConnectError, ListError};
use crate::mcp::session::ServerFacts;

/// A recording on its way; clones go on together.
#[derive(Debug, Clone)]
pub struct Replay(Arc<Played>);

#[derive(Debug)]
struct Played {
    recording: Recording,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    connections: usize,
    lists: usize,
    /// The calls that were not made yet, by what they are looked for by.
    waiting: BTreeMap<Digest, VecDeque<usize>>,
    /// Those of them that something was taken out of, in their order.
    marked: Vec<(usize, Digest)>,
}

impl Replay {
    /// The recording from its beginning.
    #[must_use]
    pub fn new(recording: Recording) -> Self {
        let mut waiting: BTreeMap<Digest, VecDeque<usize>> = BTreeMap::new();
        let mut marked = Vec::new();
        for (index, call) in recording.document().calls.iter().enumerate() {
            let sought = sought(&call.tool, call.tenant.as_deref(), &call.arguments);
            if call.arguments.values().any(is_marked) {
                marked.push((index, sought.clone()));
            }
            waiting.entry(sought).or_default().push_back(index);
        }
        let state = Mutex::new(State { connections: 0, lists: 0, waiting, marked });
        Self(Arc::new(Played { recording, state }))
    }

    /// What is played.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        &self.0.recording
    }

    /// The calls that were recorded and not made so far, in their order.
    #[must_use]
    pub fn unmade(&self) -> Vec<&Call> {
        let mut places: Vec<usize> = self.state().waiting.values().flatten().copied().collect();
        places.sort_unstable();
        places.into_iter().filter_map(|place| self.0.recording.document().calls.get(place)).collect()
    }

    pub(in crate::mcp) fn connect(&self) -> Result<ServerFacts, ConnectError> {
        let connections = &self.0.recording.document().connections;
        let place = next(&mut self.state().connections);
        match connections.get(place) {
            Some(Connection::Made { name, version, revision }) => {
                Ok(ServerFacts { name: name.clone(), version: version.clone(), revision: revision.clone() })
            }
            Some(Connection::Failed(Failed { failure, says })) => {
                Err(ConnectError::Recorded { failure: *failure, says: says.clone() })
            }
            None => Err(ConnectError::NotRecorded(format!(
                "the recording has {}, and this is one more; record anew",
                counted(connections.len(), "connection")
            ))),
        }
    }

    /// The next list; the last one again where there is no other: nothing is known of a change.
    pub(in crate::mcp) fn tools(&self) -> Result<Vec<ToolDefinition>, ListError> {
        let lists = &self.0.recording.document().lists;
        let place = next(&mut self.state().lists);
        match lists.get(place).or_else(|| lists.last()) {
            Some(List::Tools(tools)) => Ok(tools.iter().map(|(name, tool)| tool.called(name)).collect()),
            Some(List::Failed(Failed { failure, says })) => {
                Err(ListError::Recorded { failure: *failure, says: says.clone() })
            }
            None => Err(ListError::NotRecorded("the recording has no list of tools; record anew".to_owned())),
        }
    }

    pub(in crate::mcp) fn call(&self, call: &ToolCall) -> Seen {
        let mut arguments = call.lasting_arguments();
        Redaction::default().members(&mut arguments);
        let sought = sought(&call.tool, call.tenant.as_deref(), &arguments);
        let calls = &self.0.recording.document().calls;
        let mut state = self.state();
        let place = state.take(&sought).or_else(|| {
            let made = Value::Object(arguments.clone());
            let fitting = state.marked.iter().find(|(place, _)| {
                calls.get(*place).is_some_and(|recorded| {
                    (&recorded.tool, &recorded.tenant) == (&call.tool, &call.tenant)
                        && fits(&Value::Object(recorded.arguments.clone()), &made)
                })
            });
            let sought = fitting.map(|(_, sought)| sought.clone())?;
            state.take(&sought)
        });
        drop(state);
        match place.and_then(|place| calls.get(place)) {
            Some(call) => call.seen.clone().into(),
            None => Seen::NotRecorded(nearest(&call.tool, call.tenant.as_deref(), &arguments, calls)),
        }
    }

    /// No recorded call goes on as a task.
    pub(in crate::mcp) fn task(&self, task: &TaskHandle) -> Seen {
        Seen::Silence(Silence::UnknownResult(format!("the recording has no task `{}`", task.id)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first call of those that is not made yet.
    fn take(&mut self, sought: &Digest) -> Option<usize> {
        let place = self.waiting.get_mut(sought)?.pop_front()?;
        self.marked.retain(|(marked, _)| *marked != place);
        Some(place)
    }
}

/// What a call is looked for by.
fn sought(tool: &str, tenant: Option<&str>, arguments: &Map<String, Value>) -> Digest {
    let call = json!({"tool": tool, "tenant": tenant, "arguments": arguments});
    Digest::of_foreign_json("loopgate.recorded-call/1", &call)
}

fn next(count: &mut usize) -> usize {
    let place = *count;
    *count = count.saturating_add(1);
    place
}

pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}
