//! Which era of the protocol a server speaks.

use rmcp::model::ProtocolVersion;
use rmcp::service::ClientLifecycleMode;

/// The era of the protocol that a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Asks: `server/discover` first, and `initialize` where the server does not know that.
    Either,
    /// With a handshake, `initialize`, and sessions: revision 2025-11-25 and before.
    Sessions,
    /// Without: revision 2026-07-28.
    Stateless,
}

impl Era {
    pub(super) fn lifecycle(self) -> ClientLifecycleMode {
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        match self {
            Self::Either => ClientLifecycleMode::Auto {
                preferred_versions,
                legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
            },
            Self::Sessions => ClientLifecycleMode::Initialize,
            Self::Stateless => ClientLifecycleMode::Discover { preferred_versions },
        }
    }
}
