//! Streamable HTTP: rmcp keeps the protocol's state (sessions, revisions, standard headers, resumption),
//! this module keeps the bytes: one pooled client that follows nothing and repeats nothing, and a
//! [`Fault`] by request for everything that is no answer.

mod address;
mod body;
mod client;
mod connection;
mod events;
mod fault;
mod reception;
mod retry_after;
mod server;
mod token;

pub use address::{AddressError, HttpAddress};
pub(super) use client::{HttpClient, RequestHeaders};
pub(super) use fault::{Fault, Faults};
pub use server::{HttpProxy, HttpServer, SetupError};
pub use token::{Token, TokenError};
