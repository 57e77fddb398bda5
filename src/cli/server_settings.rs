//! One server in the trust settings: a program to start, or a URL.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::role_settings::Instead;
use super::tenant_settings::TenantSettings;
use super::token_settings::TokenSource;
use crate::catalog::AllowList;
use crate::core::file::read_bounded;
use crate::mcp::{ChildCommand, Endpoint, Era, HttpAddress, HttpProxy, HttpServer, Limits};

/// The longest time limit: nothing in a pipeline waits longer.
const LONGEST_LIMIT: Duration = Duration::from_secs(60 * 60);
/// The largest file of a token, a secret, a key or certificates, in bytes.
pub(super) const LARGEST: usize = 1 << 20;

/// A server: `command` is started as a child process and spoken to over its standard input and output; `url`
/// is spoken to over streamable HTTP. Exactly one of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    /// The program; looked up in the PATH that the child gets, or relative to the trust folder.
    #[serde(default)]
    pub command: Option<String>,
    /// The program's arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The program's working folder, relative to the trust folder [default: where loopgate was started].
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// Variables of loopgate's own environment that the program gets, besides PATH, HOME, LANG and TMPDIR.
    #[serde(default)]
    pub environment: Vec<String>,
    /// The MCP endpoint: `https`, or `http` on this machine.
    #[serde(default)]
    pub url: Option<String>,
    /// The bearer token for that URL, and for nobody else.
    #[serde(default)]
    pub token: Option<TokenSource>,
    /// Headers that every request to that URL carries; no secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// PEM file of certificates that are trusted for that URL besides the system's, relative to the trust folder.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Which revision of MCP is spoken first [default: `auto` for a URL, `2025-11-25` for a program].
    #[serde(default)]
    pub protocol: Option<Protocol>,
    /// `loopiq`, `plain`, or a profile's file, relative to the trust folder.
    #[serde(default = "plain")]
    pub profile: String,
    /// The tenant on this server.
    #[serde(default)]
    pub tenant: Option<String>,
    /// For which tenants this server may be used, and how they must be known.
    #[serde(default)]
    pub tenants: Option<TenantSettings>,
    /// Whether the credential, or what the program is started with, is meant for dry runs of writes.
    #[serde(default)]
    pub dry_runs: bool,
    /// The tools and families of operations that may be called, and no others [default: all but generic records and raw routes].
    #[serde(default)]
    pub allow: Option<AllowList>,
    /// What dry runs of writes are made with instead.
    #[serde(default)]
    pub dry_run: Option<Instead>,
    /// What `apply` and `reconcile` use instead, for all that they do; nothing else reads it [default: they use what
    /// reads do].
    #[serde(default)]
    pub write: Option<Instead>,
    /// Time limits.
    #[serde(default)]
    pub time_limits: TimeLimits,
    /// The longest reply, in bytes.
    #[serde(default)]
    pub reply_limit: Option<usize>,
    /// The folder that files are relative to.
    #[serde(skip)]
    pub home: PathBuf,
}

/// Which revision of MCP is spoken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum Protocol {
    /// The server is asked which it speaks. Some old programs end when they are asked.
    #[serde(rename = "auto")]
    Auto,
    /// With `initialize` and sessions.
    #[serde(rename = "2025-11-25")]
    Sessions,
    /// Stateless.
    #[serde(rename = "2026-07-28")]
    Stateless,
}

/// Time limits, such as `30s`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeLimits {
    /// For the handshake.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub connect: Option<jiff::SignedDuration>,
    /// For listing all tools.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub list: Option<jiff::SignedDuration>,
    /// For one call.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub call: Option<jiff::SignedDuration>,
    /// For the server to end.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub close: Option<jiff::SignedDuration>,
}

fn plain() -> String {
    "plain".to_owned()
}

/// How a server of the settings is reached.
#[derive(Debug, Clone)]
pub(super) enum Reached<'a> {
    /// By starting this program.
    Program(&'a str),
    /// At this address.
    Address(HttpAddress),
}

impl Server {
    /// How it is reached; `name` is for the message.
    pub fn reached(&self, name: &str) -> Result<Reached<'_>, Fault> {
        let Self { command, arguments, folder, environment, url, token, headers, ca, .. } = self;
        let wrong = |what: &str| Err(Fault::new(Exit::Invalid, format!("the settings of `{name}` {what}")));
        match (command, url) {
            (Some(_), _) if token.is_some() || !headers.is_empty() || ca.is_some() => {
                wrong("have `token`, `headers` or `ca` for a program, which only a `url` has")
            }
            (Some(command), None) => Ok(Reached::Program(command)),
            (None, Some(_)) if !arguments.is_empty() || folder.is_some() || !environment.is_empty() => {
                wrong("have `arguments`, `folder` or `environment` for a URL, which only a `command` has")
            }
            (None, Some(url)) => match url.parse() {
                Ok(address) => Ok(Reached::Address(address)),
                Err(error) => wrong(&format!("have a `url` that cannot be used: {error}")),
            },
            (None, None) | (Some(_), Some(_)) => wrong("must have one of `command` and `url`"),
        }
    }

    /// What an approval calls it: a program's configured name, or the URL.
    pub fn identity(&self, name: &str) -> Result<String, Fault> {
        Ok(match self.reached(name)? {
            Reached::Program(_) => name.to_owned(),
            Reached::Address(address) => address.identity(),
        })
    }

    /// What is connected to. Reads the credential.
    pub fn endpoint(&self, name: &str, folder: &Path, environment: &Environment) -> Result<Endpoint, Fault> {
        Ok(match self.reached(name)? {
            Reached::Program(program) => Endpoint::Child(self.child(program, folder, environment)),
            Reached::Address(address) => Endpoint::Http(HttpServer {
                address,
                token: self
                    .token
                    .as_ref()
                    .map(|source| source.credential(name, folder, environment))
                    .transpose()?,
                headers: self.headers.clone(),
                authorities: self
                    .ca
                    .as_ref()
                    .map(|file| read_bounded(&folder.join(file), LARGEST).map_err(Fault::invalid))
                    .transpose()?,
                proxy: proxy(environment),
                era: self.era(Era::Either),
            }),
        })
    }

    fn era(&self, usual: Era) -> Era {
        self.protocol.map_or(usual, |protocol| match protocol {
            Protocol::Auto => Era::Either,
            Protocol::Sessions => Era::Sessions,
            Protocol::Stateless => Era::Stateless,
        })
    }

    fn child(&self, program: &str, folder: &Path, environment: &Environment) -> ChildCommand {
        ChildCommand {
            program: program_path(program, folder),
            arguments: self.arguments.clone(),
            folder: self.folder.as_ref().map(|inner| folder.join(inner)),
            environment: environment.passed_on(&self.environment),
            era: self.era(Era::Sessions),
        }
    }

    /// Its limits, where they are not the usual ones.
    pub fn limits(&self) -> Result<Limits, Fault> {
        let mut limits = Limits::default();
        let given = &self.time_limits;
        for (limit, given, name) in [
            (&mut limits.connect, given.connect, "connect"),
            (&mut limits.list, given.list, "list"),
            (&mut limits.call, given.call, "call"),
            (&mut limits.close, given.close, "close"),
        ] {
            if let Some(given) = given {
                let usable = |limit: &Duration| !limit.is_zero() && *limit <= LONGEST_LIMIT;
                *limit = Duration::try_from(given).ok().filter(usable).ok_or_else(|| {
                    let what = "must be longer than nothing, and an hour at most";
                    Fault::new(Exit::Invalid, format!("`time_limits.{name}` {what}"))
                })?;
            }
        }
        if let Some(bytes) = self.reply_limit {
            limits.reply_bytes = bytes;
        }
        Ok(limits)
    }
}

/// Where a program is: a path is relative to the trust folder, a name is looked up.
pub(super) fn program_path(program: &str, folder: &Path) -> PathBuf {
    let program = Path::new(program);
    if program.components().count() > 1 { folder.join(program) } else { program.to_owned() }
}

/// The proxy that the environment names for `https`, as most tools read it.
fn proxy(environment: &Environment) -> Option<HttpProxy> {
    let either = |names: [&str; 2]| names.iter().find_map(|name| environment.get(name)).map(str::to_owned);
    Some(HttpProxy { url: either(["HTTPS_PROXY", "https_proxy"])?, bypass: either(["NO_PROXY", "no_proxy"]) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn server(value: Value) -> Server {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_server_is_a_program_or_a_url_and_never_half_of_each() {
        for (value, says) in [
            (json!({}), "one of `command` and `url`"),
            (json!({"command": "a", "url": "https://a/"}), "one of `command` and `url`"),
            (json!({"command": "a", "headers": {"x": "y"}}), "only a `url` has"),
            (json!({"command": "a", "token": {"file": "t"}}), "only a `url` has"),
            (json!({"url": "https://a/", "environment": ["X"]}), "only a `command` has"),
            (json!({"url": "http://ai.example.com/mcp"}), "to another machine"),
            (json!({"url": "https://me:pw@ai.example.com/mcp"}), "user name or a password"),
        ] {
            let fault = server(value.clone()).reached("x").unwrap_err();
            assert!(format!("{fault:?}").contains(says), "{value}: {fault:?}");
            assert_eq!(fault.exit, Exit::Invalid);
        }
        assert_eq!(server(json!({"command": "a"})).identity("x").unwrap(), "x");
        assert_eq!(server(json!({"url": "https://a:443/mcp?k=1"})).identity("x").unwrap(), "https://a/mcp");
    }
}
