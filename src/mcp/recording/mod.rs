//! Recordings: what a session asked and was answered, kept in one file, and played back in the server's place.
//!
//! A [`Recorder`] goes with an endpoint and leaves a [`Recording`]; a [`Replay`] is an endpoint made of one. Both stand
//! above the protocol, at [`super::Session`]: a status, a cut-off or a silence that no server would give again on demand
//! is kept as it was seen.

mod mark;
mod nearest;
mod read;
mod recorder;
mod redaction;
mod replay;
mod seen;
mod shape;
#[cfg(test)]
mod tests;
pub mod v1;

pub use read::{MAX_BYTES, Recording, RecordingError};
pub use recorder::{About, Recorder};
pub use replay::Replay;
pub use shape::{ShapeDifference, ToolShapes, shapes_compared};
