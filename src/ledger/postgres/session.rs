//! A connection that is fit for a ledger: what is committed on it is durable, and it is one server's, which writes.

use std::cell::Cell;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::access::Access;
use super::address::Address;
use super::statement::silent;
use super::tls::tls;
use super::trouble::Trouble;
use crate::core::text::excerpt;
use crate::ledger::error::LedgerError;

/// The oldest server that is known to work, as `server_version_num` says it.
const OLDEST: i32 = 130_000;
/// How long a server may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Ends a session of the same role that is known to be one's own. No row once it is over.
const END: &str = "
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE pid = $1 AND backend_start::text = $2 AND usename = CURRENT_USER";
/// How often, and how long after another, a session is ended that is not over yet.
const ENDS: usize = 40;
const END_PAUSE: Duration = Duration::from_millis(50);

/// How connections are made.
pub(super) struct Dial {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    pub at: String,
    pub patience: Duration,
}

/// A connection.
pub(super) struct Session {
    pub client: Client,
    connection: JoinHandle<()>,
    /// The server's process for it.
    pub backend: i32,
    place: Place,
    /// Whether it was found to be one session all along.
    is_own: Cell<bool>,
}

/// A session on the server: its process, and when that began. Together they name no other.
#[derive(Clone)]
pub(super) struct Place {
    backend: i32,
    begun: String,
}

impl Dial {
    pub fn new(address: &Address, access: &Access) -> Result<Self, LedgerError> {
        let mut config = address.config.clone();
        config
            .user(&access.user)
            .application_name("loopgate")
            .connect_timeout(address.patience())
            .tcp_user_timeout(address.patience())
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .ssl_mode(if address.is_encrypted() { SslMode::Require } else { SslMode::Disable });
        if let Some(password) = &access.password {
            config.password(password.expose_secret());
        }
        let tls = address.is_encrypted().then(|| tls(access.authorities.as_deref())).transpose()?;
        Ok(Self { config, tls, at: address.to_string(), patience: address.patience() })
    }

    /// Connects, and makes sure of what must hold.
    pub async fn session(&self) -> Result<Session, Trouble> {
        let (client, connection) = self.connected().await?;
        let (backend, begun) = self.settled(&client).await?;
        let place = Place { backend, begun };
        Ok(Session { client, connection, backend, place, is_own: Cell::new(false) })
    }

    /// Ends a session of one's own that was lost, with what it holds: the server may not know yet.
    pub async fn end(&self, session: &Session, lost: &Place) -> Result<(), Trouble> {
        let values = [(&lost.backend as _, Type::INT4), (&lost.begun as _, Type::TEXT)];
        for _ in 0..ENDS {
            if self.rows(session, END, &values).await?.is_empty() {
                break;
            }
            sleep(END_PAUSE).await;
        }
        Ok(())
    }

    async fn connected(&self) -> Result<(Client, JoinHandle<()>), Trouble> {
        let connecting = async {
            match &self.tls {
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    Ok((client, tokio::spawn(async move { over(connection.await) })))
                }
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    Ok((client, tokio::spawn(async move { over(connection.await) })))
                }
            }
        };
        match timeout(self.patience, connecting).await {
            Ok(connected) => connected.map_err(|error| Trouble::of(&self.at, &error)),
            Err(_) => Err(silent(self.patience)),
        }
    }

    async fn settled(&self, client: &Client) -> Result<(i32, String), Trouble> {
        let unsuited = |why: String| Trouble::Said(LedgerError::Unsuited { at: self.at.clone(), why });
        // Stronger than what is asked for is left as it is. The locks of a machine that is gone are free within a minute.
        self.one(
            client,
            "SELECT pg_catalog.set_config('search_path', 'pg_catalog', false),
               pg_catalog.set_config('lock_timeout', '10s', false),
               pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', false),
               pg_catalog.set_config('tcp_keepalives_idle', '15', false),
               pg_catalog.set_config('tcp_keepalives_interval', '5', false),
               pg_catalog.set_config('tcp_keepalives_count', '3', false),
               pg_catalog.set_config('synchronous_commit',
                 CASE WHEN pg_catalog.current_setting('synchronous_commit') = 'remote_apply'
                   THEN 'remote_apply' ELSE 'on' END, false)",
        )
        .await?;
        let row = self
            .one(
                client,
                "SELECT pg_backend_pid(), current_setting('server_version_num')::int, pg_is_in_recovery(),
                   current_setting('transaction_read_only'), current_setting('synchronous_commit'),
                   current_setting('fsync'), current_setting('server_encoding'),
                   (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid())",
            )
            .await?;
        let version: i32 = self.value(&row, 1)?;
        let [read_only, commit, fsync, encoding] = [3, 4, 5, 6].map(|at| self.value::<String>(&row, at));
        let (read_only, commit, fsync, encoding) = (read_only?, commit?, fsync?, encoding?);
        let why = if version < OLDEST {
            format!("it is older than PostgreSQL {}", OLDEST / 10_000)
        } else if self.value::<bool>(&row, 2)? {
            "it is a standby, which takes no writes: name the primary server".to_owned()
        } else if read_only != "off" {
            "it takes no writes: its transactions are read-only".to_owned()
        } else if !["on", "remote_apply"].contains(&commit.as_str()) {
            format!(
                "it does not wait for the disk: synchronous_commit is `{}` and cannot be set to `on`",
                excerpt(&commit, 40)
            )
        } else if fsync != "on" {
            "it does not wait for the disk: fsync is off".to_owned()
        } else if encoding != "UTF8" {
            format!("its database has the encoding {}, and UTF8 is needed", excerpt(&encoding, 40))
        } else {
            let begun: Option<String> = self.value(&row, 7)?;
            return Ok((self.value(&row, 0)?, begun.unwrap_or_default()));
        };
        Err(unsuited(why))
    }

    async fn one(&self, client: &Client, sql: &str) -> Result<tokio_postgres::Row, Trouble> {
        match timeout(self.patience, client.query_typed(sql, &[])).await {
            Ok(Ok(rows)) => rows.into_iter().next().ok_or_else(|| self.odd("no row")),
            Ok(Err(error)) => Err(Trouble::of(&self.at, &error)),
            Err(_) => Err(silent(self.patience)),
        }
    }

    /// A column of a row.
    pub fn value<'r, T: tokio_postgres::types::FromSql<'r>>(
        &self,
        row: &'r tokio_postgres::Row,
        at: usize,
    ) -> Result<T, Trouble> {
        row.try_get(at).map_err(|error| self.odd(&error.to_string()))
    }

    /// An answer that is not what was asked for.
    pub fn odd(&self, why: &str) -> Trouble {
        Trouble::Said(crate::ledger::error::Damage::Database(excerpt(why, 200)).into())
    }

    /// Whether transactions on one connection are given to different sessions of the server, as a transaction pooler
    /// does: then nothing that a session holds is held. Asked once of a connection.
    pub async fn is_pooled(&self, session: &Session) -> Result<bool, Trouble> {
        if session.is_own.get() {
            return Ok(false);
        }
        let pid = "SELECT pg_catalog.pg_backend_pid()";
        let (other, connection) = self.connected().await?;
        let mut pooled = false;
        for _ in 0..3 {
            // While the other one is in a transaction, whatever served it serves nobody else.
            self.run(&other, "BEGIN").await?;
            let theirs: i32 = self.value(&self.one(&other, pid).await?, 0)?;
            let ours: i32 = self.value(&self.one(&session.client, pid).await?, 0)?;
            self.run(&other, "COMMIT").await?;
            pooled |= theirs == session.backend || ours != session.backend;
        }
        drop(other);
        let _ = timeout(GOODBYE, connection).await;
        session.is_own.set(!pooled);
        Ok(pooled)
    }
}

impl Session {
    /// Whether the connection is over, as far as this machine was told.
    pub async fn is_over(&self) -> bool {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.client.is_closed() || self.connection.is_finished()
    }

    /// Where it is on the server; none where that may be somebody else's, behind a pooler.
    pub fn place(&self) -> Option<Place> {
        self.is_own.get().then(|| self.place.clone())
    }

    /// Says goodbye.
    pub async fn close(self) {
        let Self { client, connection, .. } = self;
        drop(client);
        let _ = timeout(GOODBYE, connection).await;
    }
}

fn over(end: Result<(), tokio_postgres::Error>) {
    if let Err(error) = end {
        tracing::debug!(%error, "the connection to the ledger ended");
    }
}
