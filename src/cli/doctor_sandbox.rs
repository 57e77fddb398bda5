//! The embedded sandbox as a server on the network: over HTTP, on this machine alone, with a token that only this
//! process knows. What is seen of it is what a caller would see of any other.

use std::net::{Ipv4Addr, SocketAddr};

use super::fault::Fault;
use crate::core::id::RequestId;
use crate::mcp::{Credential, Endpoint, Era, HttpServer, Token};
use crate::sandbox::{Location, Sandbox};

/// A sandbox that serves for as long as the runtime runs.
pub(super) struct ServedSandbox(HttpServer);

impl ServedSandbox {
    /// Serves it at a port that is free. Runs inside the asynchronous runtime.
    pub async fn start(location: &Location) -> Result<Self, Fault> {
        let sandbox = Sandbox::open(location).map_err(Fault::invalid)?;
        // Two random UUIDs: nobody guesses them.
        let token = format!("{}{}", RequestId::new(), RequestId::new());
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listening = sandbox.listen(here, &token).await.map_err(Fault::internal)?;
        let server = HttpServer {
            address: listening.url().parse().map_err(Fault::internal)?,
            token: Some(Credential::Token(Token::new(&token).map_err(Fault::internal)?)),
            headers: Default::default(),
            authorities: None,
            proxy: None,
            era: Era::Either,
        };
        tokio::spawn(listening.serve(std::future::pending()));
        Ok(Self(server))
    }

    /// A connection to it that can be made.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Http(self.0.clone())
    }
}
