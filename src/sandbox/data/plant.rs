//! Adds the records of a data file to the store: organizations, people, releases with their evidence.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension as _, ToSql};

use super::Known;
use super::format::{Data, EvidenceNode, Release, Tenant, User};
use super::place::At;
use crate::core::text::excerpt;
use crate::sandbox::graph::Edge;
use crate::sandbox::store::{certification_id, has, put_edge, put_node};

/// Why a record is not added.
#[derive(Debug)]
pub(super) enum Flaw {
    /// The file says something that cannot be.
    Data { at: String, problem: String },
    /// The store failed.
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for Flaw {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

impl Flaw {
    pub fn data(at: &At<'_>, problem: impl Into<String>) -> Self {
        Self::Data { at: at.to_string(), problem: problem.into() }
    }
}

/// Adds records within the caller's transaction.
pub(super) struct Planter<'a> {
    writing: &'a Connection,
    known: Known,
    /// How many of each kind were added.
    pub counts: BTreeMap<&'static str, usize>,
}

/// A column and its value.
pub(super) type Column<'a> = (&'static str, &'a dyn ToSql);

impl<'a> Planter<'a> {
    pub fn new(writing: &'a Connection, known: Known) -> Self {
        Self { writing, known, counts: BTreeMap::new() }
    }

    /// Adds all of it: what others refer to comes first.
    pub fn data(&mut self, data: &Data) -> Result<(), Flaw> {
        let tenants = At::File.member("tenants");
        for (index, tenant) in data.tenants.iter().enumerate() {
            self.tenant(tenant, &tenants.item(index))?;
        }
        let users = At::File.member("users");
        for (index, user) in data.users.iter().enumerate() {
            self.user(user, &users.item(index))?;
        }
        for (index, tenant) in data.tenants.iter().enumerate() {
            let at = tenants.item(index);
            self.each(&tenant.releases, &at, "releases", |planter, release, at| {
                planter.release(&tenant.id, release, at)
            })?;
            self.surroundings(tenant, &at)?;
            self.work(tenant, &at)?;
        }
        Ok(())
    }

    /// Adds each record of a list that a tenant has.
    pub fn each<T>(
        &mut self,
        records: &[T],
        at: &At<'_>,
        list: &'static str,
        add: impl Fn(&mut Self, &T, &At<'_>) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        let at = at.member(list);
        for (index, record) in records.iter().enumerate() {
            add(self, record, &at.item(index))?;
        }
        Ok(())
    }

    /// Adds one row and counts it as one of `kind`.
    pub fn add(&mut self, kind: &'static str, table: &str, columns: &[Column<'_>]) -> Result<(), Flaw> {
        self.insert(table, columns)?;
        self.count(kind);
        Ok(())
    }

    pub fn count(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
    }

    /// Adds one row.
    pub fn insert(&self, table: &str, columns: &[Column<'_>]) -> Result<(), Flaw> {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let places = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES ({places})", names.join(", "));
        let values: Vec<&dyn ToSql> = columns.iter().map(|(_, value)| *value).collect();
        self.writing.prepare_cached(&sql)?.execute(values.as_slice())?;
        Ok(())
    }

    /// Whether the tenant has the record.
    pub fn has(&self, table: &str, tenant: &str, id: &str) -> Result<bool, Flaw> {
        Ok(has(self.writing, table, tenant, id)?)
    }

    /// Whether the record is to be added. One without an ID is refused; so is one that is there already, where that
    /// is a mistake.
    pub fn is_new(&self, kind: &str, table: &str, tenant: &str, id: &str, at: &At<'_>) -> Result<bool, Flaw> {
        named(id, &at.member("id"))?;
        let there = self.has(table, tenant, id)?;
        self.unknown_yet(
            there,
            || format!("there is a {kind} `{}` already", excerpt(id, 100)),
            &at.member("id"),
        )
    }

    fn unknown_yet(&self, there: bool, problem: impl Fn() -> String, at: &At<'_>) -> Result<bool, Flaw> {
        match (there, self.known) {
            (true, Known::Refused) => Err(Flaw::data(at, problem())),
            (there, _) => Ok(!there),
        }
    }

    /// Refuses a reference to a record that the tenant does not have.
    pub fn leads(
        &self,
        kind: &str,
        table: &str,
        tenant: &str,
        id: Option<&str>,
        at: &At<'_>,
    ) -> Result<(), Flaw> {
        match id {
            Some(id) if !self.has(table, tenant, id)? => {
                let problem = format!("`{}` has no {kind} `{}`", excerpt(tenant, 100), excerpt(id, 100));
                Err(Flaw::data(at, problem))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a user who has no role in the tenant.
    pub fn belongs(&self, tenant: &str, user: &str, at: &At<'_>) -> Result<(), Flaw> {
        let sql = "SELECT 1 FROM roles WHERE tenant_id = ?1 AND user_id = ?2";
        if self.writing.prepare_cached(sql)?.exists([tenant, user])? {
            return Ok(());
        }
        let problem = format!("`{}` has no user `{}`", excerpt(tenant, 100), excerpt(user, 100));
        Err(Flaw::data(at, problem))
    }

    pub fn writing(&self) -> &'a Connection {
        self.writing
    }

    fn tenant(&mut self, tenant: &Tenant, at: &At<'_>) -> Result<(), Flaw> {
        named(&tenant.id, &at.member("id"))?;
        let known = self.name_of("tenants", &tenant.id)?;
        let id = &tenant.id;
        match (known, &tenant.name) {
            (None, None) => {
                let problem = format!("there is no tenant `{}` yet, so it needs a `name`", excerpt(id, 100));
                return Err(Flaw::data(at, problem));
            }
            (None, Some(name)) => self.add("tenants", "tenants", &[("id", id), ("name", name)])?,
            (Some(known), Some(name)) if known != *name => {
                let problem = format!("there is a tenant `{}` of another name", excerpt(id, 100));
                return Err(Flaw::data(&at.member("name"), problem));
            }
            (Some(_), _) => {}
        }
        let teams = at.member("teams");
        for (team, name) in &tenant.teams {
            named(team, &teams)?;
            let there = self.has("teams", id, team)?;
            let problem = || format!("there is a team `{}` already", excerpt(team, 100));
            if self.unknown_yet(there, problem, &teams.member(team))? {
                self.add("teams", "teams", &[("tenant_id", id), ("id", team), ("name", name)])?;
            }
        }
        Ok(())
    }

    fn user(&mut self, user: &User, at: &At<'_>) -> Result<(), Flaw> {
        named(&user.id, &at.member("id"))?;
        let id = &user.id;
        match (self.name_of("users", id)?, &user.name) {
            (None, None) => {
                let problem = format!("there is no user `{}` yet, so it needs a `name`", excerpt(id, 100));
                return Err(Flaw::data(at, problem));
            }
            (None, Some(name)) => self.add("users", "users", &[("id", id), ("name", name)])?,
            (Some(known), Some(name)) if known != *name => {
                let problem = format!("there is a user `{}` of another name", excerpt(id, 100));
                return Err(Flaw::data(&at.member("name"), problem));
            }
            (Some(_), _) => {}
        }
        let roles_at = at.member("roles");
        for (tenant, roles) in &user.roles {
            let at = roles_at.member(tenant);
            if self.name_of("tenants", tenant)?.is_none() {
                return Err(Flaw::data(&at, format!("there is no tenant `{}`", excerpt(tenant, 100))));
            }
            for (index, role) in roles.iter().enumerate() {
                named(role, &at.item(index))?;
                let sql = "SELECT 1 FROM roles WHERE tenant_id = ?1 AND user_id = ?2 AND role = ?3";
                let there = self.writing.prepare_cached(sql)?.exists([tenant, id, role])?;
                let problem = || format!("the user has the role `{}` already", excerpt(role, 100));
                if self.unknown_yet(there, problem, &at.item(index))? {
                    self.insert("roles", &[("tenant_id", tenant), ("user_id", id), ("role", role)])?;
                }
            }
        }
        Ok(())
    }

    fn name_of(&self, table: &str, id: &str) -> Result<Option<String>, Flaw> {
        let sql = format!("SELECT name FROM {table} WHERE id = ?1");
        Ok(self.writing.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()?)
    }

    fn release(&mut self, tenant: &str, release: &Release, at: &At<'_>) -> Result<(), Flaw> {
        if !self.is_new("release", "releases", tenant, &release.id, at)? {
            return Ok(());
        }
        self.leads("team", "teams", tenant, release.team.as_deref(), &at.member("team"))?;
        instant(release.planned_at.as_deref(), &at.member("plannedAt"))?;
        instant(release.released_at.as_deref(), &at.member("releasedAt"))?;
        self.add(
            "releases",
            "releases",
            &[
                ("tenant_id", &tenant),
                ("id", &release.id),
                ("name", &release.name),
                ("application", &release.application),
                ("team", &release.team),
                ("status", &release.release_status),
                ("planned_at", &release.planned_at),
                ("released_at", &release.released_at),
            ],
        )?;
        let Some(status) = &release.status else {
            for (member, there) in
                [("summary", release.summary.is_some()), ("nodes", !release.nodes.is_empty())]
            {
                if there {
                    let problem = "it belongs to a certification, and without `status` there is none";
                    return Err(Flaw::data(&at.member(member), problem));
                }
            }
            return Ok(());
        };
        let certification = certification_id(&release.id);
        let summary = release.summary.as_deref().unwrap_or_default();
        self.insert(
            "certifications",
            &[
                ("tenant_id", &tenant),
                ("id", &certification),
                ("release_id", &release.id),
                ("status", status),
                ("team", &release.team),
                ("summary", &summary),
            ],
        )?;
        self.graph(tenant, &certification, &release.nodes, &at.member("nodes"))
    }

    fn graph(
        &mut self,
        tenant: &str,
        certification: &str,
        nodes: &[EvidenceNode],
        at: &At<'_>,
    ) -> Result<(), Flaw> {
        let mut ids = BTreeSet::new();
        for (index, node) in nodes.iter().enumerate() {
            let at = at.item(index);
            named(&node.id, &at.member("id"))?;
            if !ids.insert(node.id.as_str()) {
                let problem = format!("there is a node `{}` already", excerpt(&node.id, 100));
                return Err(Flaw::data(&at.member("id"), problem));
            }
            put_node(self.writing, tenant, certification, &node.node(), None)?;
            self.count("nodes");
        }
        for (index, node) in nodes.iter().enumerate() {
            let at = at.item(index);
            let links = at.member("links");
            for (kind, ends) in &node.links {
                for to in ends {
                    if !ids.contains(to.as_str()) {
                        let problem = format!("the graph has no node `{}`", excerpt(to, 100));
                        return Err(Flaw::data(&links, problem));
                    }
                    let edge = Edge { from: node.id.clone(), to: to.clone(), kind: *kind };
                    put_edge(self.writing, tenant, certification, &edge)?;
                }
            }
        }
        Ok(())
    }
}

/// Refuses an ID or name of nothing.
pub(super) fn named(id: &str, at: &At<'_>) -> Result<(), Flaw> {
    if id.trim().is_empty() { Err(Flaw::data(at, "it is empty")) } else { Ok(()) }
}

/// Refuses what is no date (`YYYY-MM-DD`): dates are compared as text.
pub(super) fn date(text: Option<&str>, at: &At<'_>) -> Result<(), Flaw> {
    match text {
        Some(text) if !is_date(text) => {
            Err(Flaw::data(at, format!("`{}` is no date such as 2026-11-20", excerpt(text, 60))))
        }
        _ => Ok(()),
    }
}

/// Refuses what is no instant in UTC (RFC 3339): instants are compared as text.
pub(super) fn instant(text: Option<&str>, at: &At<'_>) -> Result<(), Flaw> {
    match text {
        Some(text) if !is_instant(text) => {
            let problem =
                format!("`{}` is no instant in UTC such as 2026-11-20T12:00:00Z", excerpt(text, 60));
            Err(Flaw::data(at, problem))
        }
        _ => Ok(()),
    }
}

/// Whether it is a date (`YYYY-MM-DD`).
pub(in crate::sandbox) fn is_date(text: &str) -> bool {
    text.parse::<Date>().is_ok_and(|date| date.to_string() == text)
}

pub(super) fn is_instant(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok_and(|instant| instant.to_string() == text)
}
