//! Reaching a server: what it means to a run that there is no session, or no list of tools.

use super::result::Conclusion;
use super::run::with_causes;
use crate::mcp::recording::v1::Failure;
use crate::mcp::{ConnectError, ListError, NoToken};

/// What a run comes to without a session.
pub(super) fn no_session(error: &ConnectError) -> Conclusion {
    let said = with_causes(error);
    match error {
        ConnectError::Setup(_) => Conclusion::Invalid(said),
        ConnectError::NotRecorded(_) => Conclusion::Invalid(said),
        ConnectError::SignIn { .. } | ConnectError::Recorded { failure: Failure::SignIn, .. } => {
            Conclusion::SignIn(said)
        }
        ConnectError::NoToken(why) => no_token(why),
        _ => Conclusion::Unreachable(said),
    }
}

/// What a run comes to without a token.
pub(super) fn no_token(why: &NoToken) -> Conclusion {
    match why {
        NoToken::Unreachable(_) => Conclusion::Unreachable(why.to_string()),
        NoToken::Refused(_) | NoToken::Expired(_) => Conclusion::SignIn(why.to_string()),
    }
}

/// What a run comes to without the list of tools.
pub(super) fn no_tools(error: &ListError) -> Conclusion {
    let said = with_causes(error);
    match error {
        ListError::NotRecorded(_) => Conclusion::Invalid(said),
        ListError::NeedsInput(_) | ListError::Recorded { failure: Failure::NeedsInput, .. } => {
            Conclusion::NeedsInput(said)
        }
        ListError::SignIn { .. }
        | ListError::NoToken(_)
        | ListError::Recorded { failure: Failure::SignIn, .. } => Conclusion::SignIn(said),
        _ => Conclusion::Unreachable(said),
    }
}
