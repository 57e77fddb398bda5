//! A server on the network, and how to reach it.

use std::collections::BTreeMap;

use thiserror::Error;

use super::address::HttpAddress;
use super::credential::Credential;
use crate::mcp::era::Era;

/// A server that is reached over streamable HTTP.
#[derive(Debug, Clone)]
pub struct HttpServer {
    /// Its endpoint.
    pub address: HttpAddress,
    /// The credential, for this address alone.
    pub token: Option<Credential>,
    /// Headers that every request carries; no secrets.
    pub headers: BTreeMap<String, String>,
    /// PEM of certificates that are trusted besides the system's.
    pub authorities: Option<Vec<u8>>,
    /// The way out of this network, for `https` alone.
    pub proxy: Option<HttpProxy>,
    /// Which era of the protocol it speaks.
    pub era: Era,
}

/// A proxy that tunnels by CONNECT.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpProxy {
    /// Its URL; may hold a password.
    pub url: String,
    /// Hosts that are reached without it, as `NO_PROXY` lists them.
    pub bypass: Option<String>,
}

/// Without the URL, which may hold a password.
impl std::fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpProxy").field("bypass", &self.bypass).finish_non_exhaustive()
    }
}

/// Why a server on the network cannot even be tried.
#[derive(Debug, Error)]
pub enum SetupError {
    /// A configured header cannot travel.
    #[error("the header `{name}` cannot be sent: {why}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The configured authorities are no certificates.
    #[error("the configured certificates cannot be read: {0}")]
    Authorities(String),
    /// The system has no certificates to trust.
    #[error("the system's certificates cannot be used: {0}")]
    Roots(rustls::Error),
    /// The proxy cannot be used.
    #[error("the proxy cannot be used: its URL is not understood")]
    Proxy,
    /// The HTTP library refuses.
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}
