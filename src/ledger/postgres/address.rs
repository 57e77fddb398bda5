//! Where a PostgreSQL ledger is: the part of a connection URL that changes nothing about what is promised.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio_postgres::config::{Config, Host};

use crate::core::text::{excerpt, visible};

/// How long a connection may take, and how long a lost one is looked for again, where the URL does not say.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that a URL may ask for, in seconds.
const LONGEST: u64 = 300;

/// Where a PostgreSQL ledger is.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) config: Config,
    encrypted: bool,
    root: Option<PathBuf>,
    patience: Duration,
    shown: String,
}

/// Why a URL names no ledger. None repeats the URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It is no such URL.
    #[error("it is no `postgres://[USER@]HOST[:PORT]/DATABASE`")]
    Form,
    /// It names more hosts than one.
    #[error("it names more than one server, and a ledger is in one")]
    Hosts,
    /// It names no database.
    #[error("it names no database")]
    Database,
    /// It has a password in it.
    #[error("it has a password in it")]
    Password,
    /// A parameter that is not known here.
    #[error("it sets `{0}`, and only `sslmode`, `sslrootcert`, `connect_timeout` and `host` may be set")]
    Parameter(String),
    /// A parameter's value that is not taken.
    #[error("its `{name}` is not {wanted}")]
    Value {
        /// Which.
        name: &'static str,
        /// What it may be.
        wanted: &'static str,
    },
    /// The connection would not be encrypted on its way to another machine.
    #[error("it turns TLS off, which is taken on this machine only")]
    Plain,
}

impl Address {
    /// Whether `name` is a URL of PostgreSQL's.
    #[must_use]
    pub fn is_one(name: &str) -> bool {
        name.starts_with("postgres://") || name.starts_with("postgresql://")
    }

    /// Reads `postgres://[USER@]HOST[:PORT]/DATABASE[?PARAMETER=VALUE&…]`.
    ///
    /// # Errors
    /// It is none, or asks for something that would change what a ledger promises.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        if !Self::is_one(url) || url.contains('#') {
            return Err(AddressError::Form);
        }
        let mut config: Config = base.parse().map_err(|_| AddressError::Form)?;
        let (mut mode, mut root, mut patience) = (None, None, PATIENCE);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" if !value.is_empty() => root = Some(PathBuf::from(value.as_ref())),
                "connect_timeout" => patience = seconds(&value)?,
                "host" if value.starts_with('/') => {
                    config.host_path(Path::new(value.as_ref()));
                }
                "host" | "sslrootcert" => {
                    let name = if name == "host" { "host" } else { "sslrootcert" };
                    return Err(AddressError::Value { name, wanted: "an absolute path" });
                }
                "password" => return Err(AddressError::Password),
                other => return Err(AddressError::Parameter(excerpt(other, 40))),
            }
        }
        if config.get_password().is_some() {
            return Err(AddressError::Password);
        }
        let [host] = config.get_hosts() else {
            return Err(if config.get_hosts().is_empty() { AddressError::Form } else { AddressError::Hosts });
        };
        let (name, here) = (host_name(host), is_here(host));
        let Some(database) = config.get_dbname().filter(|name| !name.is_empty()) else {
            return Err(AddressError::Database);
        };
        let encrypted = match (mode.as_deref(), here) {
            (None, here) => !here,
            (Some("verify-full"), _) => !is_socket(host),
            (Some("disable"), true) => false,
            (Some("disable"), false) => return Err(AddressError::Plain),
            (Some(_), _) => {
                return Err(AddressError::Value { name: "sslmode", wanted: "`verify-full` or `disable`" });
            }
        };
        let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
        let port = config.get_ports().first().filter(|port| **port != 5432);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let shown = visible(&format!("postgres://{user}{name}{port}/{database}")).into_owned();
        Ok(Self { config, encrypted, root, patience, shown })
    }

    /// The user whom it names.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// The host, the port and the database, as a file of passwords names them.
    #[must_use]
    pub fn target(&self) -> (String, u16, String) {
        let host = self.config.get_hosts().first();
        let host = host.map_or_else(String::new, |host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(_) => "localhost".to_owned(),
        });
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        (host, port, self.config.get_dbname().unwrap_or_default().to_owned())
    }

    /// The file with the certificate authorities that it names.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }
}

fn seconds(text: &str) -> Result<Duration, AddressError> {
    let wanted = "a number of seconds from 1 to 300";
    match text.parse() {
        Ok(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        _ => Err(AddressError::Value { name: "connect_timeout", wanted }),
    }
}

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) if name.contains(':') => format!("[{name}]"),
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

fn is_socket(host: &Host) -> bool {
    !matches!(host, Host::Tcp(_))
}

/// Whether what is sent there stays on this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_one_database_on_one_server() {
        for (url, shown, encrypted) in [
            ("postgres://db.example.com/ledger", "postgres://db.example.com/ledger", true),
            ("postgresql://ci@db:6432/ledger", "postgres://ci@db:6432/ledger", true),
            ("postgres://10.0.0.7/ledger?sslmode=verify-full", "postgres://10.0.0.7/ledger", true),
            ("postgres://localhost/ledger", "postgres://localhost/ledger", false),
            ("postgres://127.0.0.1:5433/l", "postgres://127.0.0.1:5433/l", false),
            ("postgres://localhost/l?sslmode=verify-full", "postgres://localhost/l", true),
            ("postgres://%2Frun%2Fpg/l", "postgres:///run/pg/l", false),
            ("postgres:///l?host=/run/pg&connect_timeout=2", "postgres:///run/pg/l", false),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.to_string().as_str(), address.is_encrypted()), (shown, encrypted), "{url}");
            assert_eq!(Address::parse(&address.to_string()).is_ok(), !shown.contains("///"), "{url}");
        }
    }

    #[test]
    fn what_would_change_what_is_promised_is_refused_and_not_repeated() {
        use AddressError as E;
        let value = |name, wanted| E::Value { name, wanted };
        let seconds = "a number of seconds from 1 to 300";
        for (url, error) in [
            ("postgres://", E::Form),
            ("mysql://h/d", E::Form),
            ("postgres://h/d#x", E::Form),
            ("postgres://h:port/d", E::Form),
            ("postgres://a,b/d", E::Hosts),
            ("postgres://h", E::Database),
            ("postgres://h/", E::Database),
            ("postgres://u:pw@h/d", E::Password),
            ("postgres://h/d?password=pw", E::Password),
            ("postgres://h/d?options=-csynchronous_commit%3Doff", E::Parameter("options".into())),
            ("postgres://h/d?target_session_attrs=any", E::Parameter("target_session_attrs".into())),
            ("postgres://h/d?sslmode=disable", E::Plain),
            ("postgres://h/d?sslmode=require", value("sslmode", "`verify-full` or `disable`")),
            ("postgres://h/d?sslmode=prefer", value("sslmode", "`verify-full` or `disable`")),
            ("postgres://h/d?connect_timeout=0", value("connect_timeout", seconds)),
            ("postgres://h/d?connect_timeout=301", value("connect_timeout", seconds)),
            ("postgres://h/d?host=other", value("host", "an absolute path")),
            ("postgres://h/d?host=/run/pg", E::Hosts),
        ] {
            let found = Address::parse(url).unwrap_err();
            assert_eq!(found, error, "{url}");
            assert!(!found.to_string().contains("pw"));
        }
    }
}
