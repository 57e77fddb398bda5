//! A governed write: the one way in which the sandbox changes a record for a caller. A dry run shows and writes
//! nothing; the real call needs an approval ID and a key, is one transaction, gives the same result for the same key
//! again, and is kept in the audit table.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Call;
use super::listings::RETENTION_HOURS;
use crate::core::Digest;
use crate::core::text::visible;
use crate::sandbox::caller::{Caller, USER};
use crate::sandbox::refusal::{Code, Failure, Refusal};
use crate::sandbox::store;

/// What is written, by the arguments that are not control arguments.
pub(super) trait Governed: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The tool's name.
    const TOOL: &'static str;
    /// What a dry run shows.
    type Preview: Serialize + JsonSchema;
    /// What the real call gives besides what every governed write gives.
    type Done: Serialize + JsonSchema;

    /// Refuses what names records that are not visible, or cannot be meant.
    fn check(&self, connection: &Connection, caller: &Caller) -> Result<(), Failure>;

    /// Refuses what does not fit the records as they are now, and shows what would be written.
    fn preview(&self, connection: &Connection, caller: &Caller) -> Result<Self::Preview, Failure>;

    /// Writes it; [`Self::preview`] has had no objection within the same transaction. Gives the ID of the record that
    /// it is about as well.
    fn perform(self, writing: &Transaction<'_>, stamp: &Stamp<'_>) -> Result<(Self::Done, String), Failure>;
}

/// Who writes, when, and by which approval.
pub(super) struct Stamp<'a> {
    pub caller: &'a Caller,
    pub approval: &'a str,
    /// RFC 3339.
    pub at: String,
}

/// The control arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Control {
    /// True: validate and show, write nothing.
    pub dry_run: bool,
    /// Who approved it; a real write needs it.
    #[schemars(length(max = 200), regex(pattern = r"\S"))]
    pub approval_id: Option<String>,
    /// Unique to this write; a real write needs it.
    #[schemars(length(max = 200), regex(pattern = r"\S"))]
    pub idempotency_key: Option<String>,
}

impl Control {
    /// The members of a call's arguments that are control arguments.
    pub const MEMBERS: [&'static str; 3] = ["dryRun", "approvalId", "idempotencyKey"];
}

/// The answer. A dry run has `preview`, a real write all the others.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<P, D> {
    /// Whether nothing was written.
    dry_run: bool,
    /// Whether this is the result of an earlier call with the same key.
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<bool>,
    /// What would be written; it has no new IDs.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<P>,
    #[serde(flatten)]
    done: Option<D>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Audit>,
}

/// What is kept of the write.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Audit {
    tenant: String,
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// RFC 3339.
    at: String,
}

/// Does it, shows what it would do, or gives the result of the same call before.
pub(super) fn govern<G: Governed>(call: &mut Call<'_>, control: Control, write: G) -> Result<Value, Failure> {
    let Call { connection, caller, now } = call;
    write.check(connection, caller)?;
    caller.may_write()?;
    let payload = payload_digest(&write)?;
    let Control { dry_run, approval_id, idempotency_key } = control;
    if dry_run {
        if let Some(key) = &idempotency_key {
            Key { caller, tool: G::TOOL, key, payload: &payload, now: *now }.earlier(connection)?;
        }
        return shown::<G>(write.preview(connection, caller)?);
    }
    let approval = approval_id.ok_or_else(|| {
        Refusal::new(Code::ApprovalRequired, format!("`{}` writes only with an `approvalId`", G::TOOL))
    })?;
    let key = idempotency_key.ok_or_else(|| {
        Refusal::argument("/idempotencyKey", format!("`{}` writes only with an idempotency key", G::TOOL))
    })?;
    let writing = store::begin_write(connection)?;
    let kept = Key { caller, tool: G::TOOL, key: &key, payload: &payload, now: *now };
    let (answer, record, outcome) = match kept.earlier(&writing)? {
        Some((mut answer, record)) => {
            if let Some(replayed) = answer.get_mut("replayed") {
                *replayed = true.into();
            }
            (answer, record, "replayed")
        }
        None => {
            write.preview(&writing, caller)?;
            let stamp = Stamp { caller, approval: &approval, at: now.to_string() };
            let (done, record) = write.perform(&writing, &stamp)?;
            let answer = written::<G>(done, &stamp, &key)?;
            kept.remember(&writing, &answer, &record)?;
            (answer, record, "created")
        }
    };
    let asked = Asked { tool: G::TOOL, outcome, record: &record, approval: Some(&approval), key: Some(&key) };
    audit(&writing, caller, &asked, *now)?;
    writing.commit()?;
    Ok(answer)
}

fn shown<G: Governed>(preview: G::Preview) -> Result<Value, Failure> {
    to_value(&Answer::<G::Preview, G::Done> {
        dry_run: true,
        replayed: None,
        preview: Some(preview),
        done: None,
        approval_id: None,
        idempotency_key: None,
        audit: None,
    })
}

fn written<G: Governed>(done: G::Done, stamp: &Stamp<'_>, key: &str) -> Result<Value, Failure> {
    let Stamp { caller, approval, at } = stamp;
    to_value(&Answer::<G::Preview, G::Done> {
        dry_run: false,
        replayed: Some(false),
        preview: None,
        done: Some(done),
        approval_id: Some((*approval).to_owned()),
        idempotency_key: Some(key.to_owned()),
        audit: Some(Audit {
            tenant: caller.tenant.clone(),
            user: USER.to_owned(),
            request_id: caller.request_id.clone(),
            workflow: caller.workflow.clone(),
            traceparent: caller.traceparent.clone(),
            at: at.clone(),
        }),
    })
}

fn to_value(answer: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(answer).map_err(|error| Failure::Internal(error.to_string()))
}

/// The digest of what a key stands for: the arguments less the control arguments.
fn payload_digest(write: &impl Serialize) -> Result<String, Failure> {
    let digest = Digest::of_json("loopgate.sandbox.payload/1", &to_value(write)?);
    Ok(digest.map_err(|error| Failure::Internal(error.to_string()))?.to_string())
}

/// An idempotency key as a call shows it.
struct Key<'a> {
    caller: &'a Caller,
    tool: &'static str,
    key: &'a str,
    payload: &'a str,
    now: Timestamp,
}

impl Key<'_> {
    /// The result that is kept under the key with the record that it is about, if it is young enough; refuses a key
    /// that stands for another payload.
    fn earlier(&self, connection: &Connection) -> Result<Option<(Value, String)>, Failure> {
        let kept: Option<(String, String, String, String)> = connection
            .prepare_cached(
                "SELECT payload_digest, tool, result, record_id FROM idempotency_keys
                 WHERE tenant_id = ?1 AND key = ?2 AND created_at > ?3",
            )?
            .query_row((&self.caller.tenant, self.key, self.oldest()), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        match kept {
            None => Ok(None),
            Some((digest, tool, result, record)) if digest == self.payload && tool == self.tool => {
                let answer =
                    serde_json::from_str(&result).map_err(|error| Failure::Internal(error.to_string()))?;
                Ok(Some((answer, record)))
            }
            Some(_) => {
                let message =
                    format!("the idempotency key `{}` was used for another payload", visible(self.key));
                Err(Refusal::new(Code::IdempotencyConflict, message).into())
            }
        }
    }

    /// Keeps the result under the key, and forgets keys that are too old.
    fn remember(&self, writing: &Transaction<'_>, answer: &Value, record: &str) -> rusqlite::Result<()> {
        writing.execute("DELETE FROM idempotency_keys WHERE created_at <= ?1", [self.oldest()])?;
        writing.execute(
            "INSERT INTO idempotency_keys (tenant_id, key, payload_digest, result, created_at, tool, record_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                &self.caller.tenant,
                self.key,
                self.payload,
                answer.to_string(),
                self.now.as_second(),
                self.tool,
                record,
            ),
        )?;
        Ok(())
    }

    /// Keys from before this second are forgotten.
    fn oldest(&self) -> i64 {
        self.now.as_second() - RETENTION_HOURS * 3600
    }
}

/// What is kept of a call that writes.
pub(super) struct Asked<'a> {
    pub tool: &'static str,
    pub outcome: &'static str,
    /// The record that it is about.
    pub record: &'a str,
    pub approval: Option<&'a str>,
    pub key: Option<&'a str>,
}

/// Adds the call to the audit table, with the request that made it; a replay too.
pub(super) fn audit(
    writing: &Connection,
    caller: &Caller,
    asked: &Asked<'_>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    writing.execute(
        "INSERT INTO audit (tenant_id, user_id, tool, outcome, record_id, approval_id, idempotency_key,
             request_id, workflow, traceparent, at)
         VALUES (:tenant, :user, :tool, :outcome, :record, :approval, :key, :request, :workflow, :trace, :at)",
        named_params! {
            ":tenant": caller.tenant, ":user": USER, ":tool": asked.tool, ":outcome": asked.outcome,
            ":record": asked.record, ":approval": asked.approval, ":key": asked.key,
            ":request": caller.request_id, ":workflow": caller.workflow, ":trace": caller.traceparent,
            ":at": now.to_string(),
        },
    )?;
    Ok(())
}

/// Refuses a call that carries another version of a record than the present one.
pub(super) fn of_version(kind: &str, id: &str, present: i64, carried: i64) -> Result<(), Refusal> {
    if present == carried {
        return Ok(());
    }
    let message =
        format!("the {kind} `{}` has version {present}, and this call carries {carried}", visible(id));
    Err(Refusal::new(Code::VersionConflict, message))
}
