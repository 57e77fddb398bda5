//! The versions of the tables: only ever forward, each step known by its checksum, one process at a time.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::session::{Dial, Session};
use super::trouble::Trouble;
use crate::core::Digest;
use crate::core::text::excerpt;
use crate::ledger::error::{Damage, LedgerError};

/// What brings a ledger of version N to version N + 1; only ever added to.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// What begins a ledger's ID.
const PREFIX: &str = "lgl-";

/// "LGLE": only one process at a time changes the tables of a database.
const LOCK: i64 = 0x4c47_4c45;

/// The role that the tables are open to, as far as a runner needs them.
const ROLE: &str = "loopgate_runner";

/// What a runner's role may do.
const GRANTS: &str = "
GRANT USAGE ON SCHEMA loopgate TO loopgate_runner;
GRANT SELECT ON ALL TABLES IN SCHEMA loopgate TO loopgate_runner;
GRANT INSERT ON loopgate.events, loopgate.epochs TO loopgate_runner;";

/// What making a ledger came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founded {
    /// The version that it had before; none where there was none.
    pub before: Option<usize>,
    /// Its version now.
    pub version: usize,
    /// The role that has what a runner needs; else why there is none, in the server's words.
    pub role: Result<&'static str, String>,
}

impl Founded {
    /// The statements that make the role, for whoever may.
    #[must_use]
    pub fn statements() -> String {
        format!("CREATE ROLE {ROLE} NOLOGIN;{GRANTS}")
    }
}

/// The version of the ledger that is there; none where there is none.
pub(super) async fn version(
    dial: &Dial,
    session: &Session,
    steps: &[&str],
) -> Result<Option<usize>, Trouble> {
    let there = "SELECT to_regclass('loopgate.migrations') IS NOT NULL,
        (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('loopgate'))";
    let row = dial.row(session, there, &[]).await?;
    match (dial.value(&row, 0)?, dial.value::<i64>(&row, 1)?) {
        (true, _) => {}
        (false, 0) => return Ok(None),
        (false, _) => {
            return Err(Trouble::Said(LedgerError::NotALedger {
                at: format!("{}, schema loopgate", dial.at),
            }));
        }
    }
    let done = "SELECT version, checksum FROM loopgate.migrations ORDER BY version";
    let done = dial.rows(session, done, &[]).await?;
    if done.len() > steps.len() {
        let (found, known) = (done.len(), steps.len());
        return Err(Trouble::Said(LedgerError::Newer { at: dial.at.clone(), found, known }));
    }
    for (place, (row, step)) in (1..).zip(done.iter().zip(steps)) {
        let (number, checksum): (i32, String) = (dial.value(row, 0)?, dial.value(row, 1)?);
        if usize::try_from(number) != Ok(place) || checksum != sum(step) {
            return Err(Trouble::Said(Damage::Migration(place).into()));
        }
    }
    Ok(Some(done.len()))
}

/// The ID of a ledger of the newest version.
pub(super) async fn id(dial: &Dial, session: &Session, steps: &[&str]) -> Result<String, Trouble> {
    match version(dial, session, steps).await? {
        None => return Err(Trouble::Said(LedgerError::Missing { at: dial.at.clone() })),
        Some(found) if found < steps.len() => {
            let known = steps.len();
            return Err(Trouble::Said(LedgerError::Older { at: dial.at.clone(), found, known }));
        }
        Some(_) => {}
    }
    let rows = dial.rows(session, "SELECT value FROM loopgate.meta WHERE name = 'id'", &[]).await?;
    let id: Option<String> = rows.first().map(|row| dial.value(row, 0)).transpose()?;
    let is_one = |id: &String| {
        id.strip_prefix(PREFIX).is_some_and(|text| {
            Uuid::try_parse(text).is_ok_and(|uuid| uuid.get_version_num() == 4 && uuid.to_string() == text)
        })
    };
    id.filter(is_one).ok_or_else(|| Trouble::Said(Damage::NoId.into()))
}

/// Makes the tables, or brings them to the newest version, all or nothing.
pub(super) async fn found(dial: &Dial, session: &Session, steps: &[&str]) -> Result<Founded, Trouble> {
    let run = async |sql: &str| dial.run(&session.client, sql).await;
    run("BEGIN").await?;
    let before = match migrated(dial, session, steps).await {
        Ok(before) => {
            run("COMMIT").await?;
            before
        }
        Err(trouble) => {
            if !matches!(trouble, Trouble::Lost(_)) {
                run("ROLLBACK").await?;
            }
            return Err(trouble);
        }
    };
    let make = format!(
        "DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         {GRANTS}"
    );
    let role = match run(&make).await {
        Ok(()) => Ok(ROLE),
        Err(trouble @ Trouble::Lost(_)) => return Err(trouble),
        Err(trouble) => Err(words(&trouble.given_up())),
    };
    Ok(Founded { before, version: steps.len(), role })
}

async fn migrated(dial: &Dial, session: &Session, steps: &[&str]) -> Result<Option<usize>, Trouble> {
    let lock = "SELECT pg_catalog.pg_advisory_xact_lock($1)::text";
    dial.rows(session, lock, &[(&LOCK, Type::INT8)]).await?;
    let before = version(dial, session, steps).await?;
    if before == Some(steps.len()) {
        return Err(Trouble::Said(LedgerError::Exists { at: dial.at.clone() }));
    }
    let run = async |sql: &str| dial.run(&session.client, sql).await;
    if before.is_none() {
        run("CREATE SCHEMA loopgate;
             CREATE TABLE loopgate.migrations (
               version integer PRIMARY KEY, checksum text COLLATE \"C\" NOT NULL,
               at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())")
        .await?;
    }
    for (number, step) in (1_i32..).zip(steps).skip(before.unwrap_or(0)) {
        run(step).await?;
        let values = [(&number as _, Type::INT4), (&sum(step) as _, Type::TEXT)];
        dial.rows(session, "INSERT INTO loopgate.migrations VALUES ($1, $2)", &values).await?;
    }
    if before.is_none() {
        let id = format!("{PREFIX}{}", Uuid::new_v4());
        dial.rows(session, "INSERT INTO loopgate.meta VALUES ('id', $1)", &[(&id, Type::TEXT)]).await?;
    }
    Ok(before)
}

fn sum(step: &str) -> String {
    Digest::of_bytes(step.as_bytes()).to_string()
}

fn words(error: &LedgerError) -> String {
    match error {
        LedgerError::Unsuited { why, .. } => why.clone(),
        other => excerpt(&other.to_string(), 200),
    }
}
