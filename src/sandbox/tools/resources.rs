//! The kinds of records that generic operations know: where they stand, and what of them may be changed.

use super::not_visible;
use crate::sandbox::refusal::Refusal;

/// A kind of record.
pub(super) struct Resource {
    pub name: &'static str,
    pub description: &'static str,
    /// Where its records stand.
    pub table: &'static str,
    /// The `type` of its records, where the table has several kinds.
    pub kind: Option<&'static str>,
    pub fields: &'static [Field],
}

/// A field of a record.
pub(super) struct Field {
    pub name: &'static str,
    pub column: &'static str,
    /// What may be written there; none where nothing may.
    pub writable: Option<Writable>,
}

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writable {
    /// A text that is not blank.
    Text,
    /// A text that is not blank, or null.
    MaybeText,
    /// `low`, `medium`, `high`, `critical`, or null.
    Severity,
    /// A date, or null.
    Date,
    /// A number from 0 on, or null.
    Amount,
}

const fn fixed(name: &'static str, column: &'static str) -> Field {
    Field { name, column, writable: None }
}

const fn open(name: &'static str, column: &'static str, takes: Writable) -> Field {
    Field { name, column, writable: Some(takes) }
}

const WORK: &[Field] = &[
    open("title", "title", Writable::Text),
    open("description", "description", Writable::MaybeText),
    open("owner", "owner", Writable::MaybeText),
    open("status", "status", Writable::Text),
    open("severity", "severity", Writable::Severity),
    open("dueDate", "due_date", Writable::Date),
    open("effort", "effort", Writable::Amount),
    fixed("team", "team"),
    fixed("assignee", "assignee"),
    fixed("sprintId", "sprint_id"),
    fixed("releaseId", "release_id"),
    fixed("parentId", "parent_id"),
    fixed("createdAt", "created_at"),
];

const fn work(name: &'static str, description: &'static str) -> Resource {
    Resource { name, description, table: "work_items", kind: Some(name), fields: WORK }
}

pub(super) const RESOURCES: [Resource; 8] = [
    Resource {
        name: "release",
        description: "What is to be released",
        table: "releases",
        kind: None,
        fields: &[
            open("name", "name", Writable::Text),
            open("status", "status", Writable::Text),
            fixed("application", "application"),
            fixed("team", "team"),
            fixed("plannedAt", "planned_at"),
            fixed("releasedAt", "released_at"),
        ],
    },
    Resource {
        name: "release_certification",
        description: "How a release stands, and its evidence graph",
        table: "certifications",
        kind: None,
        fields: &[
            fixed("releaseId", "release_id"),
            fixed("status", "status"),
            fixed("team", "team"),
            fixed("summary", "summary"),
        ],
    },
    work("story", "A parent work item"),
    work("task", "A child work item"),
    work("issue", "Something that is wrong"),
    work("feature", "Something that is new"),
    Resource {
        name: "incident",
        description: "Something that goes wrong in operation",
        table: "incidents",
        kind: None,
        fields: &[
            open("title", "title", Writable::Text),
            open("status", "status", Writable::Text),
            open("impact", "impact", Writable::MaybeText),
            open("owner", "owner", Writable::MaybeText),
            fixed("openedAt", "opened_at"),
            fixed("resolvedAt", "resolved_at"),
            fixed("application", "application"),
            fixed("service", "service"),
            fixed("team", "team"),
        ],
    },
    Resource {
        name: "change_request",
        description: "A change of what is in operation",
        table: "change_requests",
        kind: None,
        fields: &[
            open("title", "title", Writable::Text),
            open("status", "status", Writable::Text),
            open("risk", "risk", Writable::MaybeText),
            open("owner", "owner", Writable::MaybeText),
            fixed("application", "application"),
            fixed("service", "service"),
            fixed("startsAt", "starts_at"),
            fixed("endsAt", "ends_at"),
            fixed("releaseId", "release_id"),
        ],
    },
];

impl Resource {
    /// The kind of that name.
    pub fn find(name: &str) -> Result<&'static Self, Refusal> {
        RESOURCES.iter().find(|known| known.name == name).ok_or_else(|| not_visible("resource", name))
    }

    /// Whether anything of its records may be changed.
    pub fn is_writable(&self) -> bool {
        self.fields.iter().any(|field| field.writable.is_some())
    }

    /// ID, version and fields of its records, as a `SELECT`.
    pub fn select(&self) -> String {
        let fields: Vec<String> =
            self.fields.iter().map(|field| format!("'{}', {}", field.name, field.column)).collect();
        format!("SELECT id, version, json_object({}) AS fields FROM {}", fields.join(", "), self.table)
    }
}
