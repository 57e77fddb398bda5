//! One pooled HTTP client for one server: it follows no redirect, repeats no request and asks no cookie.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, NoProxy, Proxy};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;

use super::server::{HttpServer, SetupError};

/// Headers that HTTP or MCP set; settings and profiles may not.
const RESERVED: [&str; 21] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a client has of its own that is not a server's.
pub(super) struct Bare {
    /// Whether it speaks encrypted, and in no other way.
    pub encrypted: bool,
    /// The time limit for a connection.
    pub connect: Duration,
}

/// Makes the client; nothing is sent yet.
pub(super) fn connection(
    server: &HttpServer,
    connect: Duration,
    at_once: usize,
) -> Result<Client, SetupError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &server.headers {
        let (name, value) = header(name, value)?;
        headers.insert(name, value);
    }
    let bare = Bare { encrypted: server.address.is_encrypted(), connect };
    made(builder(server, &bare)?.default_headers(headers).pool_max_idle_per_host(at_once))
}

/// Makes a client that reaches the network as the one for `server` does, and is for somebody else: it carries none
/// of the server's headers.
pub(super) fn bare(server: &HttpServer, bare: &Bare) -> Result<Client, SetupError> {
    made(builder(server, bare)?)
}

fn made(builder: ClientBuilder) -> Result<Client, SetupError> {
    builder.build().map_err(|error| SetupError::Client(error.to_string()))
}

fn builder(server: &HttpServer, &Bare { encrypted, connect }: &Bare) -> Result<ClientBuilder, SetupError> {
    let builder = Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // What the settings do not name is not used: HTTP_PROXY and the like are read by the command line.
        .no_proxy()
        .https_only(encrypted)
        // Else each pooled request waits 40 ms for an acknowledgement.
        .tcp_nodelay(true)
        .connect_timeout(connect)
        .tls_backend_preconfigured(tls(server, encrypted)?);
    if let Some(proxy) = server.proxy.as_ref().filter(|_| encrypted) {
        let bypass = proxy.bypass.as_deref().and_then(NoProxy::from_string);
        let proxy = Proxy::https(&proxy.url).map_err(|_| SetupError::Proxy)?;
        return Ok(builder.proxy(proxy.no_proxy(bypass)));
    }
    Ok(builder)
}

/// A header that the settings or a profile set.
pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), SetupError> {
    let refused = |why| SetupError::Header { name: name.to_owned(), why };
    let header: HeaderName = name.parse().map_err(|_| refused("it is no header's name"))?;
    if RESERVED.contains(&header.as_str()) || header.as_str().starts_with("mcp-param-") {
        return Err(refused("it is HTTP's or MCP's own; a credential is a `token`"));
    }
    let value = value.parse().map_err(|_| refused("its value has a character that no header carries"))?;
    Ok((header, value))
}

/// TLS with the system's roots, and the configured ones besides. Without encryption nothing is loaded.
fn tls(server: &HttpServer, encrypted: bool) -> Result<ClientConfig, SetupError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Client(error.to_string()))?;
    if !encrypted {
        let nobody = rustls::RootCertStore::empty();
        return Ok(builder.with_root_certificates(nobody).with_no_client_auth());
    }
    let verifier = verifier(server, provider)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn verifier(server: &HttpServer, provider: Arc<CryptoProvider>) -> Result<Verifier, SetupError> {
    let Some(pem) = &server.authorities else {
        return Verifier::new(provider).map_err(SetupError::Roots);
    };
    let bad = |error: &dyn std::fmt::Display| SetupError::Authorities(error.to_string());
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| bad(&error))?;
    if certificates.is_empty() {
        return Err(bad(&"there is none in the file"));
    }
    Verifier::new_with_extra_roots(certificates, provider).map_err(|error| bad(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_http_or_mcp_is_nobodys_to_set() {
        for name in ["Authorization", "HOST", "mcp-session-id", "Mcp-Param-Tenant", "", "a b"] {
            assert!(matches!(header(name, "x"), Err(SetupError::Header { .. })), "{name}");
        }
        assert!(header("X-Team", "a\r\nX-Other: b").is_err());
        assert_eq!(header("X-Team", "payments").unwrap().0, "x-team");
    }
}
