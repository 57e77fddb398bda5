//! Adding events: one statement, which is one transaction and one round trip.

use tokio_postgres::types::Type;

use super::line::Time;
use super::session::{Dial, Session};
use super::tenure::Tenure;
use super::trouble::Trouble;
use crate::core::Digest;
use crate::ledger::chain::Head;
use crate::ledger::error::LedgerError;
use crate::ledger::row::{Row, place};

/// Adds rows where the chain ends as the caller says, he has been passed by nobody, and this is the session that holds
/// his locks. Which of these hold, how many rows were added, and the server's clock.
const APPEND: &str = "
WITH tail AS (
  SELECT sequence, digest FROM loopgate.events WHERE chain = $1 ORDER BY sequence DESC LIMIT 1
), state AS (
  SELECT CASE WHEN $2 IS NULL THEN NOT EXISTS (SELECT FROM tail)
      ELSE EXISTS (SELECT FROM tail WHERE sequence = $2 AND digest = $3) END AS fits,
    EXISTS (SELECT FROM loopgate.epochs WHERE epoch > $4 AND locks && $5) AS passed,
    coalesce(pg_catalog.pg_backend_pid() <> $6, false) AS elsewhere
), added AS (
  INSERT INTO loopgate.events (chain, sequence, digest, subject, key, record, text)
  SELECT $1, row.* FROM state,
    unnest($7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
      AS row(sequence, digest, subject, key, record, text)
  WHERE fits AND NOT passed AND NOT elsewhere
  ORDER BY row.sequence
  RETURNING 1
)
SELECT fits, passed, elsewhere, (SELECT count(*) FROM added),
  (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint
FROM state";

/// The digests that a chain has from a sequence on.
const FROM: &str = "
SELECT digest FROM loopgate.events WHERE chain = $1 AND sequence >= $2 ORDER BY sequence LIMIT $3";

/// What is to be added, and behind which end.
pub(super) struct Addition {
    pub chain: Digest,
    pub after: Option<Head>,
    pub rows: Vec<Row>,
}

impl Addition {
    /// Adds the rows; with it comes the server's clock, where it was asked.
    pub async fn add(
        &self,
        dial: &Dial,
        session: &Session,
        tenure: Option<&Tenure>,
        time: Time,
    ) -> Result<Option<i64>, Trouble> {
        if tenure.is_some_and(|tenure| tenure.is_passed) {
            return Err(Trouble::Said(LedgerError::Passed));
        }
        // What was lost may have been the word that it was done.
        if time == Time::Again && self.is_there(dial, session).await? {
            return Ok(None);
        }
        let chain = self.chain.to_string();
        let last = self.after.as_ref().map(|head| place(head.count) - 1);
        let digest = self.after.as_ref().map(|head| head.digest.to_string());
        let epoch = tenure.map(|tenure| tenure.epoch);
        let locks = tenure.map(|tenure| tenure.locks.as_slice());
        let backend = tenure.map(|tenure| tenure.backend);
        let sequences: Vec<i64> = self.rows.iter().map(|row| row.filed.sequence).collect();
        let column = |of: fn(&Row) -> Option<&str>| self.rows.iter().map(of).collect::<Vec<_>>();
        let digests = column(|row| Some(&row.digest));
        let subjects = column(|row| row.filed.subject.as_deref());
        let keys = column(|row| row.filed.key.as_deref());
        let records = column(|row| row.filed.record.as_deref());
        let texts = column(|row| Some(&row.text));
        let added = dial
            .row(
                session,
                APPEND,
                &[
                    (&chain, Type::TEXT),
                    (&last, Type::INT8),
                    (&digest, Type::TEXT),
                    (&epoch, Type::INT8),
                    (&locks, Type::INT8_ARRAY),
                    (&backend, Type::INT4),
                    (&sequences, Type::INT8_ARRAY),
                    (&digests, Type::TEXT_ARRAY),
                    (&subjects, Type::TEXT_ARRAY),
                    (&keys, Type::TEXT_ARRAY),
                    (&records, Type::TEXT_ARRAY),
                    (&texts, Type::TEXT_ARRAY),
                ],
            )
            .await;
        let moved = || Trouble::Said(LedgerError::Moved { chain: self.chain.clone() });
        let row = match added {
            // Somebody added at the same moment.
            Err(Trouble::Taken) => return Err(moved()),
            other => other?,
        };
        let [fits, passed, elsewhere] = [0, 1, 2].map(|at| dial.value::<bool>(&row, at));
        let count: i64 = dial.value(&row, 3)?;
        if passed? {
            return Err(Trouble::Said(LedgerError::Passed));
        }
        if elsewhere? {
            return Err(Trouble::Said(dial.pooled()));
        }
        if !fits? {
            return Err(moved());
        }
        if usize::try_from(count) != Ok(self.rows.len()) {
            return Err(dial.odd("other rows were added than were given"));
        }
        Ok(Some(dial.value(&row, 4)?))
    }

    async fn is_there(&self, dial: &Dial, session: &Session) -> Result<bool, Trouble> {
        let Some(first) = self.rows.first() else { return Ok(true) };
        let (chain, from, most) =
            (self.chain.to_string(), first.filed.sequence, place(self.rows.len() as u64));
        let values = [(&chain as _, Type::TEXT), (&from as _, Type::INT8), (&most as _, Type::INT8)];
        let rows = dial.rows(session, FROM, &values).await?;
        let found: Vec<String> = rows.iter().map(|row| dial.value(row, 0)).collect::<Result<_, _>>()?;
        Ok(found.iter().eq(self.rows.iter().map(|row| &row.digest)))
    }
}

impl Dial {
    /// What is said of a transaction pooler.
    pub fn pooled(&self) -> LedgerError {
        LedgerError::Unsuited {
            at: self.at.clone(),
            why: "a transaction pooler is between, which gives each transaction to another session, so that no lock \
                  holds: name the server itself, or a pool of sessions"
                .to_owned(),
        }
    }
}
