//! The ledger: what happened to each effect, append-only and hash-chained.
//!
//! - [`v1`] is the wire format `loopgate.event/1`, frozen.
//! - [`chain`] links events: one hash chain for each effect digest.
//! - [`State`] is what a chain's events come to, [`label()`] that in the words of LoopIQ.
//! - [`Ledger`] is the store for all chains: one SQLite file, or a PostgreSQL database that many runners share.
//! - [`Lock`] keeps all but one from writing to a server on the word of the same ledger: of all of it where it is a
//!   file, of what a [`Claim`] names where it is a database.

pub mod chain;
#[cfg(test)]
mod chain_tests;
mod claim;
#[cfg(test)]
#[path = "../../tests/promises/cluster.rs"]
mod cluster;
#[cfg(test)]
mod contract_tests;
mod error;
mod label;
mod operation;
mod outcome;
mod postgres;
mod read;
mod row;
#[cfg(test)]
pub(crate) mod sample;
mod sqlite;
mod state;
#[cfg(test)]
mod state_tests;
mod store;
pub mod v1;
mod verify;

pub use chain::{ChainError, Draft, Head};
pub use claim::{Claim, Holder, Lock, LockError, Wait};
pub use error::{Damage, LedgerError};
pub use label::{Label, label};
pub use operation::{Answered, Attempt, Look, OperationState, ReadBack, Status, Trial};
pub use outcome::{OutcomeError, OutcomeKey, take_in};
pub use postgres::{Access, Address, AddressError, Founded, Passwords};
pub use state::{RunState, State, StateError};
pub use store::Ledger;
pub use v1::{Event, Fact};
pub use verify::Verified;
