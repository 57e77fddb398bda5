//! Where a server is on the network.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;
use thiserror::Error;

/// The URL of a server's MCP endpoint: `https`, or `http` on this machine alone.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAddress(Url);

/// Why a URL is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It is no URL.
    #[error("it is no URL: {0}")]
    NoUrl(String),
    /// It has a user name or a password, which belong into a token.
    #[error("a URL must not carry a user name or a password")]
    Credentials,
    /// Its scheme is something else.
    #[error("its scheme is `{0}`, and only `https` and, on this machine, `http` will do")]
    Scheme(String),
    /// It is on another machine and not encrypted.
    #[error("`http` to another machine would show the credential to the network")]
    Plain,
    /// It has no host.
    #[error("it names no host")]
    NoHost,
    /// It has a fragment, which never reaches a server.
    #[error("it has a fragment, `#…`, which never reaches a server")]
    Fragment,
    /// It has a query, which the URL of an issuer has not.
    #[error("an issuer's URL has no query")]
    Query,
}

impl HttpAddress {
    /// What an approval calls the server: scheme, host, port where it is not the scheme's own, and path.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.to_string()
    }

    /// The same place with one more parameter in its query.
    pub(super) fn with_query(&self, name: &str, value: &str) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair(name, value);
        Self(url)
    }

    /// The whole URL.
    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// Another path on the same host, without a query.
    pub(super) fn at(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(path);
        url.set_query(None);
        Self(url)
    }

    /// Whether the other is on the same host and port, in the same scheme.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// Whether it is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for HttpAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|error| AddressError::NoUrl(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(AddressError::Fragment);
        }
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return Err(AddressError::NoHost);
        };
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback(host) => Ok(Self(url)),
            "http" => Err(AddressError::Plain),
            other => Err(AddressError::Scheme(other.to_owned())),
        }
    }
}

/// Whether packets to `host` never leave this machine.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Without its query, which may hold what is nobody's business.
impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.identity())
    }
}

impl fmt::Debug for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_scheme_host_port_and_path() {
        let identity = |text: &str| text.parse::<HttpAddress>().unwrap().identity();
        assert_eq!(identity("https://AI.example.com:443/mcp?key=1"), "https://ai.example.com/mcp");
        assert_eq!(identity("https://ai.example.com"), "https://ai.example.com/");
        assert_eq!(identity("http://127.0.0.1:8080/mcp"), "http://127.0.0.1:8080/mcp");
        assert_eq!(identity("http://[::1]:8080/mcp"), "http://[::1]:8080/mcp");
        assert_eq!(format!("{:?}", "https://a/b?t=1".parse::<HttpAddress>()), "Ok(HttpAddress(https://a/b))");
    }

    #[test]
    fn what_would_show_a_credential_is_refused() {
        for (text, why) in [
            ("http://ai.example.com/mcp", AddressError::Plain),
            ("http://127.0.0.1.example.com/", AddressError::Plain),
            ("http://10.0.0.1/", AddressError::Plain),
            ("https://me:pw@ai.example.com/", AddressError::Credentials),
            ("ftp://localhost/", AddressError::Scheme("ftp".into())),
            ("https://a/#x", AddressError::Fragment),
        ] {
            assert_eq!(text.parse::<HttpAddress>(), Err(why), "{text}");
        }
        assert!(matches!("mcp".parse::<HttpAddress>(), Err(AddressError::NoUrl(_))));
    }
}
