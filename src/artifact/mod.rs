//! The artifact: the JSON file with the payloads that `apply` will send, which a person approves.
//!
//! A [`Plan`] is built into an [`Artifact`], or an artifact is read from bytes; both ways lead through
//! the same rules and the same digests, so an `Artifact` in hand is consistent. Reading is building
//! again and comparing. Whether anybody approved it is not known here.
//!
//! - [`v1`] is the wire format `loopgate.artifact/1`, frozen.
//! - `effect` says what an approval names: the members that the effect digest covers.
//! - [`Key`] is the idempotency key of an operation.
//! - [`filled`] gives the arguments as they are sent, with the listed slots filled and nothing else.
//! - [`diff()`] says what two artifacts would do differently.

mod build;
mod diff;
mod effect;
mod fill;
mod key;
mod plan;
mod read;
mod rules;
#[cfg(test)]
pub(crate) mod sample;
pub mod v1;

pub use build::{Artifact, BuildError};
pub use diff::{Change, Difference, ItemDifference, Kind, Order, diff};
pub use fill::{FillError, Filling, fill, filled};
pub use key::{Key, NotAKey};
pub use plan::Plan;
pub use read::ReadError;
pub use rules::{Flaw, MAX_BYTES, MAX_ITEMS, REPLAY, SANDBOX};
pub use v1::json_schema;
