//! Streamable HTTP: rmcp keeps the protocol's state (sessions, revisions, standard headers, resumption),
//! this module keeps the bytes: one pooled client that follows nothing and repeats nothing, and a
//! [`Fault`] by request for everything that is no answer. Where the token comes from an issuer, it is fetched here,
//! before a request is sent.

mod address;
mod asking;
mod assertion;
mod body;
mod claims;
mod client;
mod client_credentials;
mod clock;
mod concealed;
mod connection;
mod credential;
mod events;
mod fault;
mod federated;
mod grant;
pub(super) mod heard;
mod kept;
mod metadata;
mod no_token;
mod reception;
mod retry_after;
mod secret;
mod server;
mod token;
mod token_command;
mod tokens;

pub use address::{AddressError, HttpAddress};
pub use assertion::{KeyError, SigningKey};
pub(super) use client::{HttpClient, RequestHeaders};
pub use client_credentials::{ClientCredentials, ClientProof};
pub(super) use clock::Clock;
pub(super) use concealed::{encoded, without_beginning};
pub use credential::Credential;
pub(super) use fault::{Fault, Faults};
pub use federated::{Exchange, Federated, IdToken};
pub use metadata::Issuer;
pub use no_token::NoToken;
pub use secret::{Secret, SecretError};
pub use server::{HttpProxy, HttpServer, SetupError};
pub use token::{Token, TokenError};
pub use token_command::{TokenCommand, TokenProgram};
pub(super) use tokens::Need;
