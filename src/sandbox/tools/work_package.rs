//! A work package: a parent story with its child tasks.

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction, named_params};

use super::governed::{Governed, Stamp};
use super::not_visible;
use super::package::{Created, CreatedStory, CreatedTask, Package, Preview};
use super::releases::belongs;
use crate::sandbox::caller::Caller;
use crate::sandbox::refusal::Failure;
use crate::sandbox::store;

impl Governed for Package {
    const TOOL: &'static str = "loopiq_create_remediation_work_package";
    type Preview = Preview;
    type Done = Created;

    fn check(&self, connection: &Connection, caller: &Caller) -> Result<(), Failure> {
        let certification = store::certification(connection, &caller.tenant, &self.certification_id)?
            .ok_or_else(|| not_visible("certification", &self.certification_id))?;
        belongs(connection, caller, &certification, &self.release_id)
    }

    fn preview(&self, _: &Connection, caller: &Caller) -> Result<Preview, Failure> {
        let Self { release_id, certification_id, reason, parent, children } = self;
        Ok(Preview {
            tenant: caller.tenant.clone(),
            release_id: release_id.clone(),
            certification_id: certification_id.clone(),
            reason: reason.clone(),
            parent_story: parent.clone(),
            child_tasks: children.clone(),
        })
    }

    fn perform(self, writing: &Transaction<'_>, stamp: &Stamp<'_>) -> Result<(Created, String), Failure> {
        let Self { release_id, certification_id, reason, parent, children } = self;
        let Stamp { caller, approval, at } = stamp;
        let story = store::next_id(writing, "STORY")?;
        writing
            .prepare_cached(
                "INSERT INTO work_items (tenant_id, id, type, title, description, owner, status, release_id,
                     certification_id, reason, approval_id, created_at)
                 VALUES (:tenant, :id, 'story', :title, :description, :owner, 'open', :release, :certification,
                     :reason, :approval, :at)",
            )?
            .execute(named_params! {
                ":tenant": caller.tenant, ":id": story, ":release": release_id,
                ":certification": certification_id, ":title": parent.title,
                ":description": parent.description, ":owner": parent.owner, ":reason": reason,
                ":approval": approval, ":at": at,
            })?;
        let references: BTreeSet<&str> =
            children.iter().filter_map(|child| child.reference.as_deref()).collect();
        for reference in references {
            refer(writing, caller, &story, reference)?;
        }
        let mut statement = writing.prepare_cached(
            "INSERT INTO work_items (tenant_id, id, type, parent_id, release_id, title, description, owner,
                 status, severity, created_at)
             VALUES (:tenant, :id, 'task', :story, :release, :title, :description, :owner, 'open', :severity,
                 :at)",
        )?;
        let mut child_tasks = Vec::with_capacity(children.len());
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
            child_tasks.push(CreatedTask { id, title: child.title, reference: child.reference });
        }
        let parent_story = CreatedStory { id: story.clone(), title: parent.title };
        Ok((Created { release_id, certification_id, parent_story, child_tasks }, story))
    }
}

fn refer(writing: &Transaction<'_>, caller: &Caller, item: &str, reference: &str) -> rusqlite::Result<()> {
    writing.prepare_cached("INSERT INTO work_references VALUES (?1, ?2, ?3)")?.execute([
        &caller.tenant,
        item,
        reference,
    ])?;
    Ok(())
}
