//! What every output says that is not about a real server: the sandbox was used, or a recording was played.

use crate::artifact::REPLAY;

/// What is said of the replay of a recording.
pub(super) const REPLAY_RUN: &str = "this run is the replay of a recording: no server was asked, and nothing of it can be approved or applied";
pub(super) const REPLAY_ARTIFACT: &str =
    "this plan is from the replay of a recording: it can be neither approved nor applied";
pub(super) const REPLAY_DIFFERENCE: &str = "at least one of the two plans is from the replay of a recording, and can be neither approved nor applied";
pub(super) const REPLAY_EXAMINED: &str = "this was the replay of a recording: no server was asked";
pub(super) const CASES_REPLAYED: &str =
    "these cases ran on the embedded sandbox or on recordings: no other server was asked";

/// What stood in for a server, and what is said of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StandIn {
    /// `sandbox` or `replay`.
    pub what: &'static str,
    /// The same as a heading.
    pub title: &'static str,
    /// In a sentence.
    pub says: &'static str,
}

impl StandIn {
    /// The sandbox, of which this is said.
    pub fn sandbox(says: &'static str) -> Self {
        Self { what: "sandbox", title: "Sandbox", says }
    }

    /// What stood in for the server of that identity, if anything did.
    pub fn of(
        sandbox: bool,
        identity: &str,
        of_sandbox: &'static str,
        of_replay: &'static str,
    ) -> Option<Self> {
        match sandbox {
            true => Some(Self::sandbox(of_sandbox)),
            false if is_replay(identity) => Some(Self { what: "replay", title: "Replay", says: of_replay }),
            false => None,
        }
    }
}

/// Whether that is the identity of a recording that is played.
pub(super) fn is_replay(identity: &str) -> bool {
    identity.starts_with(REPLAY)
}

/// What a server is called among words.
pub(super) fn server_name(sandbox: bool, identity: &str) -> &str {
    match sandbox {
        true => "the sandbox",
        false if is_replay(identity) => "a replay",
        false => identity,
    }
}
