//! Reading rows, a few at a time.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::timeout;
use tokio_postgres::types::Type;

use super::line::{Line, Time};
use super::session::{Dial, Session};
use super::statement::{Value, silent};
use super::trouble::Trouble;
use super::worker::{Worker, gone};
use crate::ledger::error::{Damage, LedgerError};
use crate::ledger::row::{COLUMNS, Filed, Stored};

/// How many rows are read ahead.
const AHEAD: usize = 256;
/// How long the next row of a long answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which rows, with the values that the condition names.
#[derive(Clone)]
pub(super) enum Wanted {
    Chain(String, i64),
    All,
}

impl Worker {
    /// Gives rows to `f` until it breaks.
    pub fn each(
        &self,
        wanted: Wanted,
        f: &mut dyn FnMut(Stored) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        self.streamed(f, move |line, rows| {
            line.with(async |dial, session, _, time| {
                let of = match &wanted {
                    Wanted::Chain(..) => "WHERE chain = $1 AND sequence >= $2 ORDER BY sequence",
                    Wanted::All => "ORDER BY position",
                };
                let values: Vec<Value<'_>> = match &wanted {
                    Wanted::Chain(chain, from) => vec![(chain, Type::TEXT), (from, Type::INT8)],
                    Wanted::All => Vec::new(),
                };
                stream(dial, session, of, values, &rows, time).await.map(drop)
            })
        })
    }

    /// Gives all rows of one moment to `f` until it breaks, chain by chain. How many there are.
    pub fn check(
        &self,
        version: usize,
        f: &mut dyn FnMut(Stored) -> ControlFlow<()>,
    ) -> Result<u64, LedgerError> {
        self.streamed(f, move |line, rows| {
            line.with(async |dial, session, _, time| {
                let run = async |sql: &str| dial.run(&session.client, sql).await;
                run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
                let checked = moment(dial, session, version, &rows, time).await;
                // Whatever came of it, the session goes on.
                if !matches!(checked, Err(Trouble::Lost(_))) {
                    run("ROLLBACK").await?;
                }
                checked
            })
        })
    }

    fn streamed<T: Send + 'static>(
        &self,
        f: &mut dyn FnMut(Stored) -> ControlFlow<()>,
        job: impl FnOnce(&mut Line, SyncSender<Stored>) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (rows, coming) = sync_channel(AHEAD);
        let over = self.told(move |line| job(line, rows));
        for row in &coming {
            if f(row).is_break() {
                break;
            }
        }
        // Whoever sends learns that nobody listens any more.
        drop(coming);
        over.recv().map_err(|_| gone())?
    }
}

async fn moment(
    dial: &Dial,
    session: &Session,
    version: usize,
    rows: &SyncSender<Stored>,
    time: Time,
) -> Result<u64, Trouble> {
    let guarded = "
        SELECT count(*) FROM pg_catalog.pg_trigger
        WHERE tgname LIKE '%\\_never\\_changed' AND tgenabled = 'O' AND NOT tgisinternal AND tgrelid IN
          ('loopgate.meta'::regclass, 'loopgate.events'::regclass, 'loopgate.epochs'::regclass)";
    let triggers: i64 = dial.value(&dial.row(session, guarded, &[]).await?, 0)?;
    if triggers != 3 {
        return Err(Trouble::Said(Damage::Schema(version).into()));
    }
    stream(dial, session, "ORDER BY chain, sequence", Vec::new(), rows, time).await
}

/// Sends rows as they come, as long as somebody listens. How many came.
async fn stream(
    dial: &Dial,
    session: &Session,
    of: &str,
    values: Vec<Value<'_>>,
    rows: &SyncSender<Stored>,
    time: Time,
) -> Result<u64, Trouble> {
    let sql = format!("SELECT {COLUMNS} FROM loopgate.events {of}");
    let of_statement = |error: tokio_postgres::Error| Trouble::of(&dial.at, &error);
    let begun = timeout(PATIENCE, session.client.query_typed_raw(&sql, values)).await;
    let stream = begun.map_err(|_| silent(PATIENCE))?.map_err(of_statement)?;
    let mut stream = pin!(stream);
    let mut count = 0;
    while let Some(row) = timeout(PATIENCE, stream.next()).await.map_err(|_| silent(PATIENCE))? {
        let row = match row.map_err(of_statement) {
            // What was given is not given twice.
            Err(Trouble::Lost(why)) if count > 0 || time == Time::Again => {
                return Err(Trouble::Said(LedgerError::unreachable(why)));
            }
            row => stored(dial, &row?)?,
        };
        count += 1;
        if rows.send(row).is_err() {
            break;
        }
    }
    Ok(count)
}

fn stored(dial: &Dial, row: &tokio_postgres::Row) -> Result<Stored, Trouble> {
    Ok(Stored {
        position: dial.value(row, 0)?,
        digest: dial.value(row, 3)?,
        filed: Filed {
            chain: dial.value(row, 1)?,
            sequence: dial.value(row, 2)?,
            subject: dial.value(row, 4)?,
            key: dial.value(row, 5)?,
            record: dial.value(row, 6)?,
        },
        text: dial.value(row, 7)?,
    })
}
