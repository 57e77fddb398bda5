//! The MCP client: connects to a server, lists its tools, calls one, says exactly what was seen, and
//! says by rule what that means. And, in [`serve`], the program as a server.
//!
//! [`Session`] is one connection: in process, to a child process, or over HTTP; everything it waits for has
//! a limit. What it sees can be kept as a [`recording`], which then stands in for the server. [`classify`] is pure and turns what was seen of a call into one of the three outcomes.
//! `rmcp` is named in this module only; its traces carry arguments, so they are never to be logged.

mod asked;
mod child;
mod classify;
mod client;
mod ending;
mod endpoint;
mod era;
mod error;
pub mod heard;
mod http;
mod limits;
mod link;
mod live;
mod message;
mod patience;
mod reconnects;
pub mod recording;
mod reply;
mod secrets;
pub mod serve;
mod session;
mod task;
mod tools;
mod wire;

pub use child::Closing;
pub use classify::classify;
pub use endpoint::{ChildCommand, Endpoint};
pub use era::Era;
pub use error::{ConnectError, ListError};
pub use http::{
    AddressError, ClientCredentials, ClientProof, Credential, Exchange, Federated, HttpAddress, HttpProxy,
    HttpServer, IdToken, Issuer, KeyError, NoToken, Secret, SecretError, SetupError, SigningKey, Token,
    TokenCommand, TokenError, TokenProgram,
};
pub use limits::Limits;
pub use recording::{Recorder, Recording, Replay};
pub use session::{ServerFacts, Session};
