//! Certifications and their graphs.

use rusqlite::{Connection, OptionalExtension as _, Row, named_params};
use schemars::JsonSchema;
use serde::Serialize;

use crate::sandbox::graph::{About, Edge, Node};

/// A release's certification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(in crate::sandbox) struct Certification {
    /// Unique within the tenant.
    pub id: String,
    /// What it is about.
    pub release: Release,
    /// How it stands: `certified`, `blocked`, `rejected`, `draft`, `in_review`, `awaiting_evidence`, or a word of
    /// somebody's own.
    pub status: String,
    /// The team that answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// One sentence.
    pub summary: String,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(in crate::sandbox) struct Release {
    /// Unique within the tenant.
    pub id: String,
    /// For people.
    pub name: String,
    /// What is released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
}

/// The evidence of a certification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sandbox) struct Graph {
    /// Whose evidence it is.
    pub certification_id: String,
    /// Ordered by kind and ID.
    pub nodes: Vec<Node>,
    /// Ordered by their ends; every end is a node.
    pub edges: Vec<Edge>,
}

/// The ID of a release's certification.
pub(in crate::sandbox) fn certification_id(release: &str) -> String {
    format!("CERT-{release}")
}

/// Whether the tenant has a record of that ID in the table.
pub(in crate::sandbox) fn has(
    connection: &Connection,
    table: &str,
    tenant: &str,
    id: &str,
) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM {table} WHERE tenant_id = ?1 AND id = ?2");
    connection.prepare_cached(&sql)?.exists([tenant, id])
}

/// The next ID of that kind, such as `STORY-1005`.
pub(in crate::sandbox) fn next_id(connection: &Connection, kind: &str) -> rusqlite::Result<String> {
    connection
        .prepare_cached("UPDATE numbers SET last = last + 1 WHERE kind = ?1 RETURNING kind || '-' || last")?
        .query_row([kind], |row| row.get(0))
}

const CERTIFICATION: &str = "SELECT c.id, c.status, c.team, c.summary, r.id, r.name, r.application
    FROM certifications c JOIN releases r ON r.tenant_id = c.tenant_id AND r.id = c.release_id
    WHERE c.tenant_id = ?1 AND ";

/// The certification of that ID, if the tenant has it.
pub(in crate::sandbox) fn certification(
    connection: &Connection,
    tenant: &str,
    id: &str,
) -> rusqlite::Result<Option<Certification>> {
    let mut statement = connection.prepare_cached(&format!("{CERTIFICATION} c.id = ?2"))?;
    statement.query_row([tenant, id], read_certification).optional()
}

/// The certification of a release, if the tenant has it.
pub(in crate::sandbox) fn certification_of(
    connection: &Connection,
    tenant: &str,
    release: &str,
) -> rusqlite::Result<Option<Certification>> {
    let mut statement = connection.prepare_cached(&format!("{CERTIFICATION} c.release_id = ?2"))?;
    statement.query_row([tenant, release], read_certification).optional()
}

fn read_certification(row: &Row<'_>) -> rusqlite::Result<Certification> {
    Ok(Certification {
        id: row.get(0)?,
        status: row.get(1)?,
        team: row.get(2)?,
        summary: row.get(3)?,
        release: Release { id: row.get(4)?, name: row.get(5)?, application: row.get(6)? },
    })
}

/// The graph of a certification; empty where the tenant has no such certification.
pub(in crate::sandbox) fn graph(connection: &Connection, tenant: &str, id: &str) -> rusqlite::Result<Graph> {
    let mut nodes = connection.prepare_cached(
        "SELECT id, type, title, status, required, severity, provider, owner, due_date, observed_at, url,
                description, digest, rule, component, cve, fixed_in, first_seen_at
         FROM nodes WHERE tenant_id = ?1 AND certification_id = ?2 ORDER BY type, id",
    )?;
    let mut edges = connection.prepare_cached(
        "SELECT from_id, to_id, type FROM edges WHERE tenant_id = ?1 AND certification_id = ?2
         ORDER BY from_id, to_id, type",
    )?;
    Ok(Graph {
        certification_id: id.to_owned(),
        nodes: nodes.query_map([tenant, id], read_node)?.collect::<Result<_, _>>()?,
        edges: edges
            .query_map([tenant, id], |row| {
                Ok(Edge { from: row.get(0)?, to: row.get(1)?, kind: row.get(2)? })
            })?
            .collect::<Result<_, _>>()?,
    })
}

fn read_node(row: &Row<'_>) -> rusqlite::Result<Node> {
    Ok(Node {
        id: row.get(0)?,
        kind: row.get(1)?,
        title: row.get(2)?,
        status: row.get(3)?,
        required: row.get(4)?,
        severity: row.get(5)?,
        provider: row.get(6)?,
        owner: row.get(7)?,
        due_date: row.get(8)?,
        observed_at: row.get(9)?,
        url: row.get(10)?,
        description: row.get(11)?,
        digest: row.get(12)?,
        about: About {
            rule: row.get(13)?,
            component: row.get(14)?,
            cve: row.get(15)?,
            fixed_in: row.get(16)?,
            first_seen_at: row.get(17)?,
        },
    })
}

/// Adds a node, or replaces what the node of that ID says; edges stay. `source` is the imported file.
pub(in crate::sandbox) fn put_node(
    connection: &Connection,
    tenant: &str,
    certification: &str,
    node: &Node,
    source: Option<&str>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO nodes VALUES (:tenant, :certification, :id, :type, :title, :status, :required, :severity,
             :provider, :owner, :due, :observed, :url, :description, :digest, :source, :rule, :component, :cve,
             :fixed_in, :first_seen)
         ON CONFLICT DO UPDATE SET type = excluded.type, title = excluded.title, status = excluded.status,
             required = excluded.required, severity = excluded.severity, provider = excluded.provider,
             owner = excluded.owner, due_date = excluded.due_date, observed_at = excluded.observed_at,
             url = excluded.url, description = excluded.description, digest = excluded.digest,
             source = excluded.source, rule = excluded.rule, component = excluded.component,
             cve = excluded.cve, fixed_in = excluded.fixed_in, first_seen_at = excluded.first_seen_at",
    )?;
    statement.execute(named_params! {
        ":tenant": tenant, ":certification": certification, ":id": node.id, ":type": node.kind,
        ":title": node.title, ":status": node.status, ":required": node.required,
        ":severity": node.severity, ":provider": node.provider, ":owner": node.owner,
        ":due": node.due_date, ":observed": node.observed_at, ":url": node.url,
        ":description": node.description, ":digest": node.digest, ":source": source,
        ":rule": node.about.rule, ":component": node.about.component, ":cve": node.about.cve,
        ":fixed_in": node.about.fixed_in, ":first_seen": node.about.first_seen_at,
    })?;
    Ok(())
}

/// Adds an edge, if it is not there yet.
pub(in crate::sandbox) fn put_edge(
    connection: &Connection,
    tenant: &str,
    certification: &str,
    edge: &Edge,
) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT INTO edges VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING")?;
    statement.execute((tenant, certification, &edge.from, &edge.to, edge.kind))?;
    Ok(())
}
