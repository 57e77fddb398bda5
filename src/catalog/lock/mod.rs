//! The tool lock: a server's tools as they were reviewed, with their classes, and where what it offers now differs.

mod compare;
mod definition;
mod place;
mod read;
mod take;
#[cfg(test)]
mod tests;
pub mod v1;

pub use compare::{Asked, Change, ChangeCode, compare};
pub use place::{TextPlace, place_of};
pub use read::LockError;
pub use take::{Listed, take};
pub use v1::{Lock, LockedServer, LockedTool, Role};
