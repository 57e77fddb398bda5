//! The ledger: what happened to each effect, append-only and hash-chained.
//!
//! - [`v1`] is the wire format `loopgate.event/1`, frozen.
//! - [`chain`] links events: one hash chain for each effect digest.
//! - [`State`] is what a chain's events come to, [`label()`] that in the words of LoopIQ.
//! - [`Ledger`] is the store: one SQLite file for all chains.
//! - [`Lock`] keeps all but one from writing to a server on the word of the same ledger.

pub mod chain;
#[cfg(test)]
mod chain_tests;
mod error;
mod label;
mod lock;
mod operation;
#[cfg(test)]
pub(crate) mod sample;
mod sqlite;
mod state;
#[cfg(test)]
mod state_tests;
pub mod v1;

pub use chain::{ChainError, Draft, Head};
pub use error::{Damage, LedgerError};
pub use label::{Label, label};
pub use lock::{Holder, Lock, LockError, Wait};
pub use operation::{Answered, Attempt, Look, OperationState, ReadBack, Status, Trial};
pub use sqlite::{Ledger, Verified};
pub use state::{RunState, State, StateError};
pub use v1::{Event, Fact};
