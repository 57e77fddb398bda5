//! The locks of those who write: advisory locks of the session, gone with it, and the epoch in which they were taken.
//!
//! A lock says that nobody else is at work. An epoch says who took it last, so that one who lost his session, or was
//! stopped while it ended, adds nothing after another.

use tokio_postgres::types::Type;

use super::session::{Dial, Session};
use super::trouble::Trouble;

/// Takes the locks in their order, up to the first that another session holds. Whether all were free.
const TAKE: &str = "
WITH RECURSIVE taken(place, got) AS (
  SELECT 1, pg_catalog.pg_try_advisory_lock($1[1])
  UNION ALL
  SELECT place + 1, pg_catalog.pg_try_advisory_lock($1[place + 1])
  FROM taken WHERE got AND place < pg_catalog.cardinality($1)
)
SELECT pg_catalog.bool_and(got) FROM taken";

/// Begins an epoch. Its number, and the server's clock.
const BEGIN: &str = "
INSERT INTO loopgate.epochs (locks, backend, holder) VALUES ($1, pg_catalog.pg_backend_pid(), $2)
RETURNING epoch, (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint";

/// Whether a later epoch has one of the locks, and the server's clock.
const PASSED: &str = "
SELECT EXISTS (SELECT FROM loopgate.epochs WHERE epoch > $1 AND locks && $2),
  (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint";

/// What the session says that holds one of the locks.
const HOLDER: &str = "
SELECT holder FROM loopgate.epochs
WHERE locks && $1 AND backend IN (
  SELECT pid FROM pg_catalog.pg_locks
  WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    AND ((classid::bigint << 32) | objid::bigint) = ANY ($1)
)
ORDER BY epoch DESC LIMIT 1";

/// Locks that are held.
#[derive(Debug, Clone)]
pub(super) struct Tenure {
    pub locks: Vec<i64>,
    pub epoch: i64,
    /// The session that holds them.
    pub backend: i32,
    /// Whether another has taken them since.
    pub is_passed: bool,
}

impl Tenure {
    /// Takes the locks, where nobody holds one of them, in the name of `holder`. With it comes the server's clock.
    pub async fn begin(
        dial: &Dial,
        session: &Session,
        locks: &[i64],
        holder: &str,
    ) -> Result<Option<(Self, i64)>, Trouble> {
        if !take(dial, session, locks).await? {
            return Ok(None);
        }
        let row = dial.row(session, BEGIN, &[(&locks, Type::INT8_ARRAY), (&holder, Type::TEXT)]).await?;
        let tenure = Self {
            locks: locks.to_vec(),
            epoch: dial.value(&row, 0)?,
            backend: session.backend,
            is_passed: false,
        };
        Ok(Some((tenure, dial.value(&row, 1)?)))
    }

    /// Takes them again on a new session, where nobody took one of them since. Where somebody did, the session may still
    /// read.
    pub async fn resume(&mut self, dial: &Dial, session: &Session) -> Result<(), Trouble> {
        self.is_passed = self.is_passed || self.has_passed(dial, session).await?.0;
        if self.is_passed {
            return Ok(());
        }
        if !take(dial, session, &self.locks).await? {
            return Err(Trouble::NotYet("the locks of the lost session are not free yet".to_owned()));
        }
        // Only now nobody else can begin an epoch.
        self.is_passed = self.has_passed(dial, session).await?.0;
        if self.is_passed {
            dial.rows(session, "SELECT pg_catalog.pg_advisory_unlock_all()::text", &[]).await?;
        }
        self.backend = session.backend;
        Ok(())
    }

    /// Whether another has taken them since; with it comes the server's clock.
    pub async fn has_passed(&self, dial: &Dial, session: &Session) -> Result<(bool, i64), Trouble> {
        let values = [(&self.epoch as _, Type::INT8), (&self.locks as _, Type::INT8_ARRAY)];
        let row = dial.row(session, PASSED, &values).await?;
        Ok((dial.value(&row, 0)?, dial.value(&row, 1)?))
    }
}

/// What the session says that holds one of the locks.
pub(super) async fn holder(dial: &Dial, session: &Session, locks: &[i64]) -> Result<Option<String>, Trouble> {
    let rows = dial.rows(session, HOLDER, &[(&locks, Type::INT8_ARRAY)]).await?;
    rows.first().map(|row| dial.value(row, 0)).transpose()
}

async fn take(dial: &Dial, session: &Session, locks: &[i64]) -> Result<bool, Trouble> {
    let row = dial.row(session, TAKE, &[(&locks, Type::INT8_ARRAY)]).await?;
    let all: Option<bool> = dial.value(&row, 0)?;
    if all == Some(true) {
        return Ok(true);
    }
    dial.rows(session, "SELECT pg_catalog.pg_advisory_unlock_all()::text", &[]).await?;
    Ok(false)
}
