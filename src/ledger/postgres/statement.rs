//! Statements on a connection, each within its time.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::session::{Dial, Session};
use super::trouble::Trouble;

/// A value with its type: with it a statement is one round trip.
pub(super) type Value<'v> = (&'v (dyn ToSql + Sync), Type);

impl Dial {
    /// Has statements done that take no values and give nothing.
    pub async fn run(&self, client: &Client, sql: &str) -> Result<(), Trouble> {
        match timeout(self.patience, client.batch_execute(sql)).await {
            Ok(done) => done.map_err(|error| Trouble::of(&self.at, &error)),
            Err(_) => Err(silent(self.patience)),
        }
    }

    /// The rows that a statement gives.
    pub async fn rows(
        &self,
        session: &Session,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Trouble> {
        match timeout(self.patience, session.client.query_typed(sql, values)).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => Err(Trouble::of(&self.at, &error)),
            Err(_) => Err(silent(self.patience)),
        }
    }

    /// The one row that a statement gives.
    pub async fn row(&self, session: &Session, sql: &str, values: &[Value<'_>]) -> Result<Row, Trouble> {
        let rows = self.rows(session, sql, values).await?;
        rows.into_iter().next().ok_or_else(|| self.odd("a statement gave no row"))
    }
}

/// A connection on which no answer comes is lost: whatever comes later is not waited for.
pub(super) fn silent(waited: Duration) -> Trouble {
    Trouble::Lost(format!("no answer came within {} s", waited.as_secs()))
}
