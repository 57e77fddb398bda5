//! A server's tools become its part of the lock; what a person has set in the old one is kept.

use std::collections::BTreeMap;

use super::v1::{ClassBy, LockedServer, LockedTool, Role};
use crate::catalog::class::{ClassReason, class_of};
use crate::catalog::profile::Profile;
use crate::core::{Class, ToolDefinition};

/// What a server offers, and what is known of itself.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// What approvals call it.
    pub identity: &'a str,
    /// Its own name.
    pub name: &'a str,
    /// Its own version.
    pub version: &'a str,
    /// Which credential the list was taken with.
    pub role: Role,
    /// The tools.
    pub tools: &'a [ToolDefinition],
}

/// The server's part of the lock. Classes that a person has set in `old` are kept, where that is about the same server;
/// known ones come from the profile, raised by the server's hints; the rest is a write.
#[must_use]
pub fn take(old: Option<&LockedServer>, profile: &Profile, listed: &Listed<'_>) -> LockedServer {
    let Listed { identity, name, version, role, tools } = *listed;
    let old = old.filter(|old| old.identity == identity);
    let tools: BTreeMap<String, LockedTool> = tools
        .iter()
        .map(|tool| {
            let set = old.and_then(|old| old.tools.get(&tool.name));
            let (class, by) = match set.filter(|entry| entry.class_by == ClassBy::Person) {
                Some(entry) => (entry.class, ClassBy::Person),
                None => class_by(profile, tool),
            };
            (tool.name.clone(), LockedTool::of(tool, class, by))
        })
        .collect();
    LockedServer {
        identity: identity.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        role,
        tools,
    }
}

/// The class that a tool has without a person, and who says so.
pub(super) fn class_by(profile: &Profile, tool: &ToolDefinition) -> (Class, ClassBy) {
    let known = class_of(profile, tool);
    let by = match known.why {
        ClassReason::Profile => ClassBy::Profile,
        ClassReason::HintWrites | ClassReason::HintDestroys => ClassBy::Server,
        _ => ClassBy::Default,
    };
    (known.class, by)
}
