//! The words everything else is written in: canonical JSON, digests, pointers, IDs, files that are
//! replaced whole, lines and text from strangers, and a tool call with what came back of it.
//!
//! Nothing here knows a recipe, a server or a person.

pub mod call;
pub mod difference;
pub mod digest;
pub mod file;
pub mod id;
pub mod json;
pub mod lines;
mod pages;
pub mod pointer;
pub mod printable;
pub mod projection;
pub mod schema;
pub mod secret;
mod strict;
pub mod text;
pub mod token_shape;
pub mod yaml;

pub use call::{Class, Outcome, Seen, ToolAnswer, ToolCall, ToolDefinition};
pub use digest::Digest;
pub use file::OutputFolder;
pub use pages::Pages;
pub use pointer::Pointer;
pub use projection::Projection;
pub use secret::SecretText;
