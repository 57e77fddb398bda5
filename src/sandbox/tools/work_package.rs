//! The one write: a parent story with its child tasks, in one transaction.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use serde_json::json;

use super::listings::RETENTION_HOURS;
use super::package::{Audit, Created, CreatedStory, CreatedTask, Package, Preview};
use super::releases::belongs;
use super::{Call, not_visible};
use crate::core::Digest;
use crate::core::text::visible;
use crate::sandbox::caller::{Caller, USER};
use crate::sandbox::refusal::{Code, Failure, Refusal};
use crate::sandbox::store;

const TOOL: &str = "loopiq_create_remediation_work_package";

/// Creates the package, shows what it would create, or gives the result of the same call before.
pub(super) fn create(call: &mut Call<'_>, package: Package) -> Result<Created, Failure> {
    let caller = call.caller;
    let certification = store::certification(call.connection, &caller.tenant, &package.certification_id)?
        .ok_or_else(|| not_visible("certification", &package.certification_id))?;
    belongs(call, &certification, &package.release_id)?;
    caller.may_write()?;
    let payload = payload_digest(&package)?;
    if package.dry_run {
        if let Some(key) = &package.idempotency_key {
            replay(call.connection, caller, key, &payload, call.now)?;
        }
        return Ok(preview(caller, package));
    }
    let approval = package.approval_id.clone().ok_or_else(|| {
        Refusal::new(Code::ApprovalRequired, "a work package is created only with an `approvalId`")
    })?;
    let key = package.idempotency_key.clone().ok_or_else(|| {
        Refusal::argument("/idempotencyKey", "a work package is created only with an idempotency key")
    })?;
    let writing = store::begin_write(call.connection)?;
    let created = match replay(&writing, caller, &key, &payload, call.now)? {
        Some(earlier) => Created { replayed: Some(true), ..earlier },
        None => {
            let created = insert(&writing, caller, package, approval, &key, call.now)?;
            remember(&writing, caller, &key, &payload, &created, call.now)?;
            created
        }
    };
    record(&writing, caller, &created, call.now)?;
    writing.commit()?;
    Ok(created)
}

/// The digest of what a key stands for: the arguments less the control arguments.
fn payload_digest(package: &Package) -> Result<String, Failure> {
    let Package { release_id, certification_id, reason, parent, children, .. } = package;
    let payload = json!({
        "releaseId": release_id, "certificationId": certification_id, "reason": reason,
        "parent": parent, "children": children,
    });
    let digest = Digest::of_json("loopgate.sandbox.payload/1", &payload);
    Ok(digest.map_err(|error| Failure::Internal(error.to_string()))?.to_string())
}

fn preview(caller: &Caller, package: Package) -> Created {
    let Package { release_id, certification_id, reason, parent, children, .. } = package;
    let preview = Preview {
        tenant: caller.tenant.clone(),
        release_id,
        certification_id,
        reason,
        parent_story: parent,
        child_tasks: children,
    };
    Created { dry_run: true, preview: Some(preview), ..Created::default() }
}

/// The result that is kept under the key, if it is young enough; refuses a key that stands for another payload.
fn replay(
    connection: &Connection,
    caller: &Caller,
    key: &str,
    payload: &str,
    now: Timestamp,
) -> Result<Option<Created>, Failure> {
    let kept: Option<(String, String)> = connection
        .prepare_cached(
            "SELECT payload_digest, result FROM idempotency_keys
             WHERE tenant_id = ?1 AND key = ?2 AND created_at > ?3",
        )?
        .query_row((&caller.tenant, key, oldest(now)), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match kept {
        None => Ok(None),
        Some((digest, result)) if digest == payload => {
            serde_json::from_str(&result).map(Some).map_err(|error| Failure::Internal(error.to_string()))
        }
        Some(_) => {
            let message = format!("the idempotency key `{}` was used for another payload", visible(key));
            Err(Refusal::new(Code::IdempotencyConflict, message).into())
        }
    }
}

/// Keys from before this second are forgotten.
fn oldest(now: Timestamp) -> i64 {
    now.as_second() - RETENTION_HOURS * 3600
}

fn insert(
    writing: &Transaction<'_>,
    caller: &Caller,
    package: Package,
    approval: String,
    key: &str,
    now: Timestamp,
) -> rusqlite::Result<Created> {
    let Package { release_id, certification_id, reason, parent, children, .. } = package;
    let at = now.to_string();
    let story = store::next_id(writing, "STORY")?;
    let references: BTreeSet<&str> = children.iter().filter_map(|child| child.reference.as_deref()).collect();
    writing
        .prepare_cached(
            "INSERT INTO work_items (tenant_id, id, type, title, description, owner, status, release_id,
                 certification_id, reason, approval_id, created_at)
             VALUES (:tenant, :id, 'story', :title, :description, :owner, 'open', :release, :certification,
                 :reason, :approval, :at)",
        )?
        .execute(named_params! {
            ":tenant": caller.tenant, ":id": story, ":release": release_id, ":certification": certification_id,
            ":title": parent.title, ":description": parent.description, ":owner": parent.owner,
            ":reason": reason, ":approval": approval, ":at": at,
        })?;
    for reference in references {
        refer(writing, caller, &story, reference)?;
    }
    let mut statement = writing.prepare_cached(
        "INSERT INTO work_items (tenant_id, id, type, parent_id, release_id, title, description, owner, status,
             severity, created_at)
         VALUES (:tenant, :id, 'task', :story, :release, :title, :description, :owner, 'open', :severity, :at)",
    )?;
    let mut tasks = Vec::with_capacity(children.len());
    for child in children {
        let id = store::next_id(writing, "TASK")?;
        statement.execute(named_params! {
            ":tenant": caller.tenant, ":id": id, ":story": story, ":release": release_id,
            ":title": child.title, ":description": child.description, ":owner": child.owner,
            ":severity": child.severity, ":at": at,
        })?;
        if let Some(reference) = &child.reference {
            refer(writing, caller, &id, reference)?;
        }
        tasks.push(CreatedTask { id, title: child.title, reference: child.reference });
    }
    Ok(Created {
        dry_run: false,
        replayed: Some(false),
        preview: None,
        release_id: Some(release_id),
        certification_id: Some(certification_id),
        parent_story: Some(CreatedStory { id: story, title: parent.title }),
        child_tasks: Some(tasks),
        approval_id: Some(approval),
        idempotency_key: Some(key.to_owned()),
        audit: Some(Audit {
            tenant: caller.tenant.clone(),
            user: USER.to_owned(),
            request_id: caller.request_id.clone(),
            workflow: caller.workflow.clone(),
            traceparent: caller.traceparent.clone(),
            at,
        }),
    })
}

fn refer(writing: &Transaction<'_>, caller: &Caller, item: &str, reference: &str) -> rusqlite::Result<()> {
    writing.prepare_cached("INSERT INTO work_references VALUES (?1, ?2, ?3)")?.execute([
        &caller.tenant,
        item,
        reference,
    ])?;
    Ok(())
}

/// Keeps the result under its key, and forgets keys that are too old.
fn remember(
    writing: &Transaction<'_>,
    caller: &Caller,
    key: &str,
    payload: &str,
    created: &Created,
    now: Timestamp,
) -> Result<(), Failure> {
    let result = serde_json::to_string(created).map_err(|error| Failure::Internal(error.to_string()))?;
    writing.execute("DELETE FROM idempotency_keys WHERE created_at <= ?1", [oldest(now)])?;
    writing.execute(
        "INSERT INTO idempotency_keys (tenant_id, key, payload_digest, result, created_at, tool)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (&caller.tenant, key, payload, result, now.as_second(), TOOL),
    )?;
    Ok(())
}

/// Adds the call to the audit table, with the request that made it; a replay too.
fn record(
    writing: &Transaction<'_>,
    caller: &Caller,
    created: &Created,
    now: Timestamp,
) -> rusqlite::Result<()> {
    writing.execute(
        "INSERT INTO audit (tenant_id, user_id, tool, outcome, record_id, approval_id, idempotency_key,
             request_id, workflow, traceparent, at)
         VALUES (:tenant, :user, :tool, :outcome, :story, :approval, :key, :request, :workflow, :trace, :at)",
        named_params! {
            ":tenant": caller.tenant, ":user": USER, ":tool": TOOL,
            ":outcome": if created.replayed == Some(true) { "replayed" } else { "created" },
            ":story": created.parent_story.as_ref().map(|story| &story.id),
            ":approval": created.approval_id, ":key": created.idempotency_key,
            ":request": caller.request_id, ":workflow": caller.workflow, ":trace": caller.traceparent,
            ":at": now.to_string(),
        },
    )?;
    Ok(())
}
