//! The audit report: JSON that is built from the ledger's events alone, so that anybody can build it again.
//!
//! A [`Report`] is a pure function of one chain's events: the same events always give the same bytes. To
//! [`verify`] one is to take the events out of it, check them, build the report again and compare. So the
//! sentences that stand in a report are part of the format and stay as they are.
//!
//! - [`v1`] is the wire format `loopgate.audit/1`, frozen.
//! - [`bundle()`] packs a report with everything in it that is a file of its own.
//! - [`statement()`] is the report for in-toto, without the events.

mod build;
mod bundle;
mod check;
mod not_proven;
mod operation;
#[cfg(test)]
pub(crate) mod sample;
mod statement;
pub mod v1;
mod verify;
mod word;

pub use build::{AuditError, MAX_BYTES, Report};
pub use bundle::{MAX_BUNDLE_BYTES, bundle};
pub use statement::{PREDICATE_TYPE, statement};
pub use v1::json_schema;
pub use verify::{FaultKind, Verified, VerifyError, VerifyOptions, verify};
