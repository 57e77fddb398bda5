//! The class of a tool: what is known of it, raised by what the server says itself.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::lock::LockedServer;
use super::lock::v1::ClassBy;
use super::profile::Profile;
use crate::core::{Class, ToolDefinition};

/// What a tool may do, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ToolClass {
    /// What it may do.
    pub class: Class,
    /// Why it has that class.
    pub why: ClassReason,
}

/// Why a tool has its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassReason {
    /// The profile names it.
    Profile,
    /// Nothing names it, so it is a write.
    Unnamed,
    /// The profile says read, the server's `readOnlyHint: false` says otherwise.
    HintWrites,
    /// The profile says read, the server's `destructiveHint: true` says otherwise.
    HintDestroys,
    /// The lock has it, by the word of a person.
    Person,
    /// The lock has it.
    Locked,
    /// There is a lock, and it does not have the tool, so it is a write.
    Unlocked,
    /// The lock says read, the server's hints say otherwise.
    HintAgainstLock,
}

impl fmt::Display for ClassReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Profile => "the profile says so",
            Self::Unnamed => "no profile names the tool",
            Self::HintWrites => "the profile says read, but the server says `readOnlyHint: false`",
            Self::HintDestroys => "the profile says read, but the server says `destructiveHint: true`",
            Self::Person => "a person has set its class in the tool lock",
            Self::Locked => "the tool lock says so",
            Self::Unlocked => "the tool lock does not have it",
            Self::HintAgainstLock => "the tool lock says read, but the server's hints say that it writes",
        })
    }
}

/// The class of `tool`: the profile's, raised where the server's hints say more; write where the profile
/// does not name it. A hint never lowers a class.
#[must_use]
pub fn class_of(profile: &Profile, tool: &ToolDefinition) -> ToolClass {
    let (class, why) = match profile.class_of(&tool.name) {
        None => (Class::Write, ClassReason::Unnamed),
        Some(Class::Read) if tool.hints_write() => (Class::Write, ClassReason::HintWrites),
        Some(Class::Read) if hints_destruction(tool) => (Class::Write, ClassReason::HintDestroys),
        Some(class) => (class, ClassReason::Profile),
    };
    ToolClass { class, why }
}

/// The class of `tool` on a server: the lock's where there is one, raised where the server's hints say more, and write
/// where it does not have the tool; without a lock, that of [`class_of`].
#[must_use]
pub fn class_in(lock: Option<&LockedServer>, profile: &Profile, tool: &ToolDefinition) -> ToolClass {
    let Some(lock) = lock else { return class_of(profile, tool) };
    let (class, why) = match lock.tools.get(&tool.name) {
        None => (Class::Write, ClassReason::Unlocked),
        Some(entry) if entry.class == Class::Read && (tool.hints_write() || hints_destruction(tool)) => {
            (Class::Write, ClassReason::HintAgainstLock)
        }
        Some(entry) if entry.class_by == ClassBy::Person => (entry.class, ClassReason::Person),
        Some(entry) => (entry.class, ClassReason::Locked),
    };
    ToolClass { class, why }
}

/// Beside `readOnlyHint: true` the protocol gives this hint no meaning; whoever says both is not believed to only read.
fn hints_destruction(tool: &ToolDefinition) -> bool {
    let hint = tool.annotations.as_ref().and_then(|hints| hints.get("destructiveHint"));
    hint == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const READ: &str = "loopiq_get_release_certification";
    const WRITE: &str = "loopiq_create_remediation_work_package";

    fn class(name: &str, annotations: Option<Value>) -> (Class, ClassReason) {
        let tool = ToolDefinition {
            name: name.to_owned(),
            description: None,
            input_schema: json!({}),
            output_schema: None,
            annotations,
        };
        let ToolClass { class, why } = class_of(&Profile::loopiq().unwrap(), &tool);
        (class, why)
    }

    #[test]
    fn a_tool_that_nobody_names_is_a_write() {
        assert_eq!(class("anything", None), (Class::Write, ClassReason::Unnamed));
        let hint = json!({"readOnlyHint": true});
        assert_eq!(class("anything", Some(hint)), (Class::Write, ClassReason::Unnamed));
    }

    #[test]
    fn a_hint_raises_a_class() {
        assert_eq!(class(READ, None), (Class::Read, ClassReason::Profile));
        let (writes, destroys) = (json!({"readOnlyHint": false}), json!({"destructiveHint": true}));
        assert_eq!(class(READ, Some(writes)), (Class::Write, ClassReason::HintWrites));
        assert_eq!(class(READ, Some(destroys)), (Class::Write, ClassReason::HintDestroys));
        let both = json!({"readOnlyHint": true, "destructiveHint": true});
        assert_eq!(class(READ, Some(both)), (Class::Write, ClassReason::HintDestroys));
    }

    #[test]
    fn a_hint_never_lowers_a_class() {
        let hint = json!({"readOnlyHint": true, "destructiveHint": false});
        assert_eq!(class(WRITE, Some(hint)), (Class::Write, ClassReason::Profile));
    }
}
