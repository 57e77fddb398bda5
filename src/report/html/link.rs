//! Links that came from elsewhere.

/// The longest address that is linked.
const LONGEST: usize = 2000;

/// An address that a page may link to: `https`, without credentials, and nothing in it that two programs read
/// differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link<'a> {
    address: &'a str,
    host: &'a str,
}

impl<'a> Link<'a> {
    /// Of an address as it came; none where it is no such link.
    pub fn new(address: &'a str) -> Option<Self> {
        let rest = address.strip_prefix("https://")?;
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&byte);
        let host = rest.split(['/', '?', '#']).next()?;
        let (name, port) = host.split_once(':').unwrap_or((host, ""));
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let well_formed = address.len() <= LONGEST
            && address.bytes().all(plain)
            && name.bytes().any(|byte| byte.is_ascii_alphanumeric())
            && name.bytes().all(named)
            && port.bytes().all(|byte| byte.is_ascii_digit());
        well_formed.then_some(Self { address, host })
    }

    /// The address, whole.
    pub fn address(&self) -> &'a str {
        self.address
    }

    /// Where it leads: the host, with its port where one is named.
    pub fn host(&self) -> &'a str {
        self.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_host_that_it_names() {
        let link = Link::new("https://scan.acme.example:8443/a?b=c#d").unwrap();
        assert_eq!(link.host(), "scan.acme.example:8443");
        assert_eq!(link.address(), "https://scan.acme.example:8443/a?b=c#d");
    }

    #[test]
    fn what_is_no_plain_https_address_is_no_link() {
        for address in [
            "",
            "https://",
            "https:///a",
            "http://a.example",
            "HTTPS://a.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "//a.example",
            "https:a.example",
            "https://user:secret@a.example/",
            "https://a.example@b.example/",
            "https://a.example\\@b.example/",
            "https://a.example/\u{202e}",
            "https://аcme.example/",
            "https://a.example/ b",
            "https://a.example/\n",
            "https://a.example/\"onclick=x",
            "https://[::1]/",
            "https://a.example:x/",
            "https://%61.example/",
            " https://a.example",
        ] {
            assert_eq!(Link::new(address), None, "{address}");
        }
        assert_eq!(Link::new(&format!("https://a.example/{}", "x".repeat(LONGEST))), None);
    }
}
