//! What issuers and servers publish of themselves, and what of it is believed: where an issuer gives tokens (RFC 8414
//! and OpenID Connect Discovery), and which issuer a server takes tokens from (RFC 9728).

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::address::{AddressError, HttpAddress};
use crate::core::text::excerpt;

/// How much of a stranger's text a message shows, in characters.
const SHOWN: usize = 200;

/// Who gives tokens. Its name is compared letter by letter, as RFC 8414 wants it.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    name: String,
    address: HttpAddress,
}

impl Issuer {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where its metadata may stand, in the order in which that is tried.
    pub(super) fn documents(&self) -> Vec<HttpAddress> {
        let path = self.address.url().path().trim_end_matches('/');
        let mut documents = vec![
            self.address.at(&format!("/.well-known/oauth-authorization-server{path}")),
            self.address.at(&format!("/.well-known/openid-configuration{path}")),
        ];
        if !path.is_empty() {
            documents.push(self.address.at(&format!("{path}/.well-known/openid-configuration")));
        }
        documents
    }

    /// Where it gives tokens, as its metadata say.
    pub(super) fn token_endpoint(&self, metadata: &Value) -> Result<HttpAddress, String> {
        let text = |member: &str| metadata.get(member).and_then(Value::as_str);
        match text("issuer") {
            Some(name) if name == self.name => {}
            Some(other) => return Err(format!("its metadata name the issuer `{}`", excerpt(other, SHOWN))),
            None => return Err("its metadata name no issuer".to_owned()),
        }
        let endpoint = text("token_endpoint").ok_or("its metadata name no `token_endpoint`")?;
        named(endpoint, &self.address).map_err(|why| format!("its `token_endpoint` cannot be used: {why}"))
    }
}

impl FromStr for Issuer {
    type Err = AddressError;

    fn from_str(name: &str) -> Result<Self, AddressError> {
        let address: HttpAddress = name.parse()?;
        if address.url().query().is_some() {
            return Err(AddressError::Query);
        }
        Ok(Self { name: name.to_owned(), address })
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.name)
    }
}

/// What a server publishes of how it is signed in to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Protected {
    /// The first issuer whose tokens it takes.
    pub issuer: Issuer,
    /// What it calls itself, letter by letter.
    pub resource: String,
}

impl Protected {
    /// Where a server's own metadata may stand, in the order in which that is tried.
    pub fn documents(server: &HttpAddress) -> Vec<HttpAddress> {
        const PLACE: &str = "/.well-known/oauth-protected-resource";
        let path = server.url().path().trim_end_matches('/');
        let root = server.at(PLACE);
        if path.is_empty() { vec![root] } else { vec![server.at(&format!("{PLACE}{path}")), root] }
    }

    /// Reads a server's own metadata.
    pub fn read(server: &HttpAddress, metadata: &Value) -> Result<Self, String> {
        let resource = metadata.get("resource").and_then(Value::as_str).ok_or("they name no `resource`")?;
        if !covers(resource, server) {
            return Err(format!("they are of another server, `{}`", excerpt(resource, SHOWN)));
        }
        let issuers = metadata.get("authorization_servers").and_then(Value::as_array);
        let first = issuers.and_then(|issuers| issuers.first()).and_then(Value::as_str);
        let first = first.ok_or("they name no issuer in `authorization_servers`")?;
        named(first, server)
            .and_then(|_| first.parse().map_err(|error: AddressError| error.to_string()))
            .map(|issuer| Self { issuer, resource: resource.to_owned() })
            .map_err(|why| format!("their issuer `{}` cannot be used: {why}", excerpt(first, SHOWN)))
    }
}

/// What a server is called where it has not said so: its URL, without a slash that is the whole path.
pub(super) fn resource(server: &HttpAddress) -> String {
    let identity = server.identity();
    match identity.strip_suffix('/') {
        Some(bare) if server.url().path() == "/" => bare.to_owned(),
        _ => identity,
    }
}

/// An address that one party names: not on a plainer way than the party itself is reached on.
pub(super) fn named(text: &str, by: &HttpAddress) -> Result<HttpAddress, String> {
    let address: HttpAddress = text.parse().map_err(|error: AddressError| error.to_string())?;
    if by.is_encrypted() && !address.is_encrypted() {
        return Err(format!("`{address}` is not encrypted, and who names it is"));
    }
    Ok(address)
}

/// Whether what a server calls itself is its URL, or a path above that on the same host.
fn covers(resource: &str, server: &HttpAddress) -> bool {
    let Ok(resource) = resource.parse::<HttpAddress>() else { return false };
    let above = resource.url().path().trim_end_matches('/');
    let rest = server.url().path().strip_prefix(above);
    resource.is_beside(server) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where a `WWW-Authenticate` header says that the server's own metadata are.
pub(super) fn pointed_to(challenge: &str) -> Option<&str> {
    const NAME: &str = "resource_metadata=";
    let at = challenge.to_ascii_lowercase().match_indices(NAME).map(|(at, _)| at).find(|at| {
        let before = challenge.get(..*at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| c == ',' || c.is_ascii_whitespace())
    })?;
    let value = challenge.get(at.saturating_add(NAME.len())..)?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').map(|(value, _)| value),
        None => value.split([',', ' ']).next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn issuer(name: &str) -> Issuer {
        name.parse().unwrap()
    }

    fn shown(documents: Vec<HttpAddress>) -> Vec<String> {
        documents.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn metadata_stand_where_the_standards_say() {
        assert_eq!(
            shown(issuer("https://a.example").documents()),
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            shown(issuer("https://a.example/t/1/").documents()),
            [
                "https://a.example/.well-known/oauth-authorization-server/t/1",
                "https://a.example/.well-known/openid-configuration/t/1",
                "https://a.example/t/1/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            shown(Protected::documents(&"https://a.example/mcp?k=1".parse().unwrap())),
            [
                "https://a.example/.well-known/oauth-protected-resource/mcp",
                "https://a.example/.well-known/oauth-protected-resource",
            ]
        );
    }

    #[test]
    fn an_issuer_is_believed_of_itself_only_and_leads_to_nothing_plainer() {
        let issuer = issuer("https://a.example");
        let endpoint = |name: &str, endpoint: &str| {
            issuer.token_endpoint(&json!({"issuer": name, "token_endpoint": endpoint}))
        };
        assert_eq!(
            endpoint("https://a.example", "https://b.example/t").unwrap().identity(),
            "https://b.example/t"
        );
        for (name, place) in [
            ("https://a.example/", "https://a.example/t"),
            ("https://evil.example", "https://a.example/t"),
            ("https://a.example", "http://127.0.0.1/t"),
            ("https://a.example", "http://b.example/t"),
            ("https://a.example", "/t"),
        ] {
            assert!(endpoint(name, place).is_err(), "{name} {place}");
        }
        assert!("https://a.example/?x=1".parse::<Issuer>().is_err());
        assert!("http://a.example".parse::<Issuer>().is_err());
    }

    #[test]
    fn a_server_is_believed_of_itself_only() {
        let server: HttpAddress = "https://a.example/mcp/v1".parse().unwrap();
        let read = |resource: &str, issuer: &str| {
            Protected::read(&server, &json!({"resource": resource, "authorization_servers": [issuer]}))
        };
        for resource in ["https://a.example/mcp/v1", "https://a.example/mcp", "https://a.example"] {
            assert_eq!(read(resource, "https://i.example").unwrap().resource, resource);
        }
        for (resource, issuer) in [
            ("https://evil.example/mcp/v1", "https://i.example"),
            ("https://a.example/mcp/v", "https://i.example"),
            ("https://a.example:8443/mcp/v1", "https://i.example"),
            ("http://a.example/mcp/v1", "https://i.example"),
            ("https://a.example/mcp/v1", "http://127.0.0.1"),
            ("https://a.example/mcp/v1", "i.example"),
        ] {
            assert!(read(resource, issuer).is_err(), "{resource} {issuer}");
        }
        assert!(Protected::read(&server, &json!({"resource": "https://a.example"})).is_err());
        assert_eq!(resource(&"https://a.example/?q=1".parse().unwrap()), "https://a.example");
        assert_eq!(resource(&"https://a.example/mcp".parse().unwrap()), "https://a.example/mcp");
    }

    #[test]
    fn a_challenge_points_to_metadata() {
        for (challenge, place) in [
            (r#"Bearer error="x", resource_metadata="https://a/b", scope="c""#, Some("https://a/b")),
            ("Bearer Resource_Metadata=https://a/b, x=y", Some("https://a/b")),
            (r#"Bearer other_resource_metadata="https://a/b""#, None),
            (r#"Bearer resource_metadata="https://a/b"#, None),
            ("Bearer", None),
        ] {
            assert_eq!(pointed_to(challenge), place, "{challenge}");
        }
    }
}
