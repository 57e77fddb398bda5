//! Why there is no token to send.

use thiserror::Error;

use crate::core::text::excerpt;

/// How much of an issuer's words a message shows, in characters.
const SHOWN: usize = 500;

/// Why there is no token, so that nothing of a request went out. The texts hold hostile words, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoToken {
    /// The issuer, or who would have named it, cannot be reached at this moment.
    #[error("no token could be fetched: {}", excerpt(.0, SHOWN))]
    Unreachable(String),
    /// The one at hand is not good for as long as a request may take, or not any more.
    #[error(
        "the token {0}: get a fresh one, or have it fetched by a `command`, for `client_credentials`, or `federated`"
    )]
    Expired(String),
    /// The issuer or the program gave none, or the issuer is not to be trusted with the client's credentials.
    #[error("no token was given: {}", excerpt(.0, SHOWN))]
    Refused(String),
}
