//! What was agreed on for one server besides its profile: its tools as they were reviewed, and which may be called.

use super::allow::Allowed;
use super::lock::LockedServer;
use super::profile::Profile;
use crate::core::text::visible;

/// What was agreed on for one server; by default nothing, which leaves all but generic records and raw routes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Agreed {
    /// What the settings and the lock call the server; `sandbox` for the embedded one, empty where nobody knows.
    pub server: String,
    /// Its part of the tool lock, where there is one.
    pub lock: Option<LockedServer>,
    /// Which of its tools may be called.
    pub allowed: Allowed,
}

impl Agreed {
    /// Why `tool` may not be called, and what to add to the settings, if so.
    #[must_use]
    pub fn forbids(&self, profile: &Profile, tool: &str) -> Option<(String, String)> {
        let forbidden = self.allowed.forbids(profile, tool)?;
        Some((forbidden.to_string(), forbidden.hint(&self.server)))
    }

    /// The command that takes the server's tools into the lock.
    #[must_use]
    pub fn lock_command(&self) -> String {
        format!("loopgate lock --server {}", visible(&self.server))
    }
}
