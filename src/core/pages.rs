//! How a long answer goes on in further ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pointer::Pointer;

/// How a read whose answer is too long for one goes on: the same call again, with the cursor that the answer before gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// Where the cursor goes, in the arguments.
    pub cursor: Pointer,
    /// Where the next cursor stands, in the answer's content; the last answer has none, null or an empty text there.
    pub next: Pointer,
    /// The list that goes on, in the answer's content.
    pub items: Pointer,
}
