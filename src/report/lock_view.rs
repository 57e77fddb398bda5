//! The tool lock beside what a server offers, as every output of it tells.

use crate::catalog::lock::v1::ClassBy;
use crate::catalog::lock::{Change, ChangeCode, LockedServer, TextPlace, place_of};

/// What was done with a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockDone {
    /// It was compared.
    Checked,
    /// It was written.
    Written,
}

/// A server's part of the lock, and the changes to what the server offers now.
#[derive(Debug)]
pub struct LockView<'a> {
    /// What the settings call the server.
    pub server: &'a str,
    /// The lock's file.
    pub file: &'a str,
    /// Its text, for places in it.
    pub text: &'a str,
    /// The server's part of it.
    pub locked: &'a LockedServer,
    /// That part before it was written anew, where there was one.
    pub before: Option<&'a LockedServer>,
    /// The changes from what was there before; of a new lock none.
    pub changes: &'a [Change],
    /// What was done with it.
    pub done: LockDone,
}

impl LockView<'_> {
    /// Whether the check fails.
    pub(super) fn fails(&self) -> bool {
        self.done == LockDone::Checked && self.changes.iter().any(|change| change.fails)
    }

    /// Where a change is told of in the file: at the tool, else at the server.
    pub(super) fn place(&self, change: &Change) -> Option<TextPlace> {
        let tool = change.tool.as_deref().filter(|_| change.code != ChangeCode::ToolNew);
        tool.and_then(|tool| place_of(self.text, &["servers", self.server, "tools", tool]))
            .or_else(|| place_of(self.text, &["servers", self.server]))
    }

    /// Classes that a person has set: kept although the tool is not what it was, and lost with a tool or because the
    /// server is another one.
    pub(super) fn set_by_people(&self) -> (Vec<&str>, Vec<&str>) {
        let set = self.before.iter().flat_map(|before| &before.tools);
        let set = set.filter(|(_, entry)| entry.class_by == ClassBy::Person);
        let is_set =
            |name: &str| self.locked.tools.get(name).is_some_and(|entry| entry.class_by == ClassBy::Person);
        let (kept, lost): (Vec<&str>, Vec<&str>) =
            set.map(|(name, _)| name.as_str()).partition(|name| is_set(name));
        let changed = |name: &&str| self.changes.iter().any(|change| change.tool.as_deref() == Some(*name));
        (kept.into_iter().filter(changed).collect(), lost)
    }
}
