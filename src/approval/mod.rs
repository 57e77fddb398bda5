//! Approvals: who decided what about which effect, how they are known, and whether that is enough.
//!
//! A [`Record`] is a portable file; its presence proves nothing. Whether
//! an effect may happen is a pure decision over records, policy and time, which gives every reason at once.
//!
//! - [`v1`] is the wire format `loopgate.approval/1`, frozen.
//! - [`RecordId`] is a digest of the record.
//! - [`Draft`] becomes a [`Record`]; reading checks the same rules and the ID.
//! - [`read_approvals`] reads a folder, a file or a text of records; [`write_record`] adds one.
//! - [`armored`] makes a text of a record that a comment can carry; [`brought`] finds such in any text.
//! - [`sign()`] runs `ssh-keygen`; [`verify`] says who of the [`Signers`] signed.
//! - [`platform`] judges what a CI platform answered.
//! - [`Policy`] is what the trust settings ask for, [`Overlay`] what a recipe or a tool asks besides.
//! - [`decide`] and [`decide_resolution`] give the [`Verdict`].

mod armor;
mod decide;
mod filed;
mod folder;
mod id;
pub mod platform;
mod policy;
mod record;
#[cfg(test)]
pub(crate) mod sample;
mod sign;
mod signature;
mod signers;
mod standing;
pub mod v1;
mod verdict;

pub use armor::{BlockFlaw, Brought, TooManyBlocks, armored, brought, has_blocks};
pub use decide::{Question, decide, decide_resolution};
pub use filed::{ApprovalsError, MAX_SOURCE_BYTES};
pub use folder::{Source, read_approvals, write_record};
pub use id::{NotARecordId, RecordId};
pub use policy::{Overlay, Policy};
pub use record::{Draft, MAX_BYTES, RecordError, RecordFlaw};
pub use sign::{SignError, sign};
pub use signature::{NAMESPACE, SignatureError, verify};
pub use signers::{Signers, SignersError};
pub use v1::{Approver, Assurance, Decision, Filed, PlatformFact, Record, Resolution, json_schema};
pub use verdict::{Counted, Reason, ReasonCode, Verdict};
