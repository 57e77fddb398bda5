//! Work: sprints with who has how much time, and items of every kind.

use std::collections::BTreeSet;

use super::format::{Item, Sprint, Story, Tenant, WorkKind};
use super::place::At;
use super::plant::{Flaw, Planter, date, instant};
use crate::core::text::excerpt;
use crate::sandbox::store::certification_id;

/// When an item was made that does not say so.
const LONG_AGO: &str = "2026-06-01T00:00:00Z";

impl Planter<'_> {
    /// Adds the tenant's sprints and work items; its releases are there.
    pub(super) fn work(&mut self, tenant: &Tenant, at: &At<'_>) -> Result<(), Flaw> {
        let id = tenant.id.as_str();
        self.each(&tenant.sprints, at, "sprints", |planter, sprint, at| planter.sprint(id, sprint, at))?;
        self.each(&tenant.stories, at, "stories", |planter, story, at| planter.story(id, story, at))?;
        self.each(&tenant.backlog, at, "backlog", |planter, item, at| planter.item(id, item, at))?;
        // An item may stand before its parent.
        self.each(&tenant.backlog, at, "backlog", |planter, item, at| planter.parent(id, item, at))
    }

    fn sprint(&mut self, tenant: &str, sprint: &Sprint, at: &At<'_>) -> Result<(), Flaw> {
        if !self.is_new("sprint", "sprints", tenant, &sprint.id, at)? {
            return Ok(());
        }
        self.leads("team", "teams", tenant, Some(&sprint.team), &at.member("team"))?;
        date(Some(&sprint.start_date), &at.member("startDate"))?;
        date(Some(&sprint.end_date), &at.member("endDate"))?;
        self.add(
            "sprints",
            "sprints",
            &[
                ("tenant_id", &tenant),
                ("id", &sprint.id),
                ("name", &sprint.name),
                ("team", &sprint.team),
                ("status", &sprint.status),
                ("start_date", &sprint.start_date),
                ("end_date", &sprint.end_date),
            ],
        )?;
        let capacity = at.member("capacity");
        for (user, points) in &sprint.capacity {
            let at = capacity.member(user);
            self.belongs(tenant, user, &at)?;
            amount(Some(*points), &at)?;
            self.insert(
                "capacity",
                &[("tenant_id", &tenant), ("sprint_id", &sprint.id), ("user_id", user), ("points", points)],
            )?;
        }
        Ok(())
    }

    fn story(&mut self, tenant: &str, story: &Story, at: &At<'_>) -> Result<(), Flaw> {
        let id = format!("STORY-{}", story.number);
        if !self.is_new("story", "work_items", tenant, &id, at)? {
            return Ok(());
        }
        self.leads("release", "releases", tenant, Some(&story.release), &at.member("release"))?;
        let certification = certification_id(&story.release);
        self.leads("certification", "certifications", tenant, Some(&certification), &at.member("release"))?;
        instant(Some(&story.created), &at.member("created"))?;
        self.add(
            "work items",
            "work_items",
            &[
                ("tenant_id", &tenant),
                ("id", &id),
                ("type", &WorkKind::Story.word()),
                ("title", &story.title),
                ("owner", &story.owner),
                ("status", &story.status),
                ("release_id", &story.release),
                ("certification_id", &certification),
                ("created_at", &story.created),
            ],
        )?;
        self.number_given("STORY", story.number)?;
        let tasks = at.member("tasks");
        let mut references = BTreeSet::new();
        for (index, task) in story.tasks.iter().enumerate() {
            let at = tasks.item(index);
            let task_id = format!("TASK-{}", task.number);
            if !self.is_new("task", "work_items", tenant, &task_id, &at)? {
                continue;
            }
            self.add(
                "work items",
                "work_items",
                &[
                    ("tenant_id", &tenant),
                    ("id", &task_id),
                    ("type", &WorkKind::Task.word()),
                    ("title", &task.title),
                    ("owner", &task.owner),
                    ("status", &task.status),
                    ("severity", &task.severity),
                    ("release_id", &story.release),
                    ("parent_id", &id),
                    ("created_at", &story.created),
                ],
            )?;
            self.number_given("TASK", task.number)?;
            if let Some(reference) = &task.reference {
                self.refer(tenant, &task_id, reference)?;
                references.insert(reference);
            }
        }
        for reference in references {
            self.refer(tenant, &id, reference)?;
        }
        Ok(())
    }

    fn item(&mut self, tenant: &str, item: &Item, at: &At<'_>) -> Result<(), Flaw> {
        if !self.is_new("work item", "work_items", tenant, &item.id, at)? {
            return Ok(());
        }
        self.leads("team", "teams", tenant, item.team.as_deref(), &at.member("team"))?;
        self.leads("sprint", "sprints", tenant, item.sprint.as_deref(), &at.member("sprint"))?;
        self.leads("release", "releases", tenant, item.release.as_deref(), &at.member("release"))?;
        if let Some(user) = &item.assignee {
            self.belongs(tenant, user, &at.member("assignee"))?;
        }
        date(item.due_date.as_deref(), &at.member("dueDate"))?;
        instant(item.created.as_deref(), &at.member("created"))?;
        amount(item.effort, &at.member("effort"))?;
        self.add(
            "work items",
            "work_items",
            &[
                ("tenant_id", &tenant),
                ("id", &item.id),
                ("type", &item.kind.word()),
                ("title", &item.title),
                ("description", &item.description),
                ("owner", &item.owner),
                ("status", &item.status),
                ("severity", &item.severity),
                ("due_date", &item.due_date),
                ("effort", &item.effort),
                ("team", &item.team),
                ("assignee", &item.assignee),
                ("sprint_id", &item.sprint),
                ("release_id", &item.release),
                ("created_at", &item.created.as_deref().unwrap_or(LONG_AGO)),
                ("version", &item.version.unwrap_or(1)),
            ],
        )?;
        for kind in ["STORY", "TASK"] {
            let number = item.id.strip_prefix(kind).and_then(|rest| rest.strip_prefix('-'));
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                self.number_given(kind, number)?;
            }
        }
        let references = at.member("references");
        for (index, reference) in item.references.iter().enumerate() {
            if item.references.iter().take(index).any(|earlier| earlier == reference) {
                let problem = format!("`{}` stands there twice", excerpt(reference, 100));
                return Err(Flaw::data(&references.item(index), problem));
            }
            self.refer(tenant, &item.id, reference)?;
        }
        Ok(())
    }

    fn parent(&mut self, tenant: &str, item: &Item, at: &At<'_>) -> Result<(), Flaw> {
        let Some(parent) = &item.parent else { return Ok(()) };
        self.leads("work item", "work_items", tenant, Some(parent), &at.member("parent"))?;
        if *parent == item.id {
            return Err(Flaw::data(&at.member("parent"), "it is its own parent"));
        }
        let sql =
            "UPDATE work_items SET parent_id = ?3 WHERE tenant_id = ?1 AND id = ?2 AND parent_id IS NULL";
        self.writing().prepare_cached(sql)?.execute([tenant, &item.id, parent])?;
        Ok(())
    }

    fn refer(&self, tenant: &str, item: &str, reference: &str) -> Result<(), Flaw> {
        self.insert(
            "work_references",
            &[("tenant_id", &tenant), ("item_id", &item), ("reference", &reference)],
        )
    }

    /// No number is given to another record later.
    fn number_given(&self, kind: &str, number: i64) -> Result<(), Flaw> {
        let sql = "UPDATE numbers SET last = max(last, ?2) WHERE kind = ?1";
        self.writing().prepare_cached(sql)?.execute((kind, number))?;
        Ok(())
    }
}

/// Refuses an amount that is no number from 0 on.
fn amount(points: Option<f64>, at: &At<'_>) -> Result<(), Flaw> {
    match points {
        Some(points) if !(points.is_finite() && points >= 0.0) => {
            Err(Flaw::data(at, "it is no number from 0 on"))
        }
        _ => Ok(()),
    }
}
