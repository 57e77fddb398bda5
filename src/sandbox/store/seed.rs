//! The organization that a new sandbox starts with; `seed.yaml` is all of it.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Deserialize;

use super::{put_edge, put_node};
use crate::sandbox::SandboxError;
use crate::sandbox::graph::{Edge, EdgeKind, Node, Severity, Status};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    users: Vec<User>,
    tenants: Vec<Tenant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    id: String,
    name: String,
    roles: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tenant {
    id: String,
    name: String,
    teams: BTreeMap<String, String>,
    releases: Vec<SeedRelease>,
    #[serde(default)]
    stories: Vec<Story>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedRelease {
    id: String,
    name: String,
    application: String,
    team: String,
    status: Status,
    summary: String,
    #[serde(default)]
    nodes: Vec<SeedNode>,
}

#[derive(Deserialize)]
struct SeedNode {
    #[serde(flatten)]
    node: Node,
    /// Edges that start here.
    #[serde(default)]
    links: BTreeMap<EdgeKind, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    number: i64,
    release: String,
    title: String,
    owner: String,
    status: String,
    created: String,
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    number: i64,
    title: String,
    owner: String,
    status: String,
    severity: Severity,
    reference: String,
}

/// The ID of a release's certification.
pub(in crate::sandbox) fn certification_id(release: &str) -> String {
    format!("CERT-{release}")
}

/// Fills an empty database.
pub(super) fn plant(connection: &Connection) -> Result<(), SandboxError> {
    let Seed { users, tenants } = serde_yaml::from_str(include_str!("seed.yaml"))?;
    for tenant in &tenants {
        plant_tenant(connection, tenant)?;
    }
    for user in users {
        connection.execute("INSERT INTO users VALUES (?1, ?2)", (&user.id, user.name))?;
        for (tenant, roles) in user.roles {
            for role in roles {
                connection.execute("INSERT INTO roles VALUES (?1, ?2, ?3)", (&tenant, &user.id, role))?;
            }
        }
    }
    Ok(())
}

fn plant_tenant(connection: &Connection, tenant: &Tenant) -> Result<(), SandboxError> {
    connection.execute("INSERT INTO tenants VALUES (?1, ?2)", (&tenant.id, &tenant.name))?;
    for (id, name) in &tenant.teams {
        connection.execute("INSERT INTO teams VALUES (?1, ?2, ?3)", (&tenant.id, id, name))?;
    }
    for release in &tenant.releases {
        plant_release(connection, &tenant.id, release)?;
    }
    for story in &tenant.stories {
        plant_story(connection, &tenant.id, story)?;
    }
    Ok(())
}

fn plant_release(connection: &Connection, tenant: &str, release: &SeedRelease) -> Result<(), SandboxError> {
    let certification = certification_id(&release.id);
    connection.execute(
        "INSERT INTO releases VALUES (?1, ?2, ?3, ?4)",
        (tenant, &release.id, &release.name, &release.application),
    )?;
    connection.execute(
        "INSERT INTO certifications VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (tenant, &certification, &release.id, release.status, &release.team, &release.summary),
    )?;
    for SeedNode { node, .. } in &release.nodes {
        put_node(connection, tenant, &certification, node, None)?;
    }
    for SeedNode { node, links } in &release.nodes {
        for (kind, ends) in links {
            for to in ends {
                let edge = Edge { from: node.id.clone(), to: to.clone(), kind: *kind };
                put_edge(connection, tenant, &certification, &edge)?;
            }
        }
    }
    Ok(())
}

fn plant_story(connection: &Connection, tenant: &str, story: &Story) -> Result<(), SandboxError> {
    connection.execute(
        "INSERT INTO stories (number, tenant_id, release_id, certification_id, title, owner, status, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            story.number,
            tenant,
            &story.release,
            certification_id(&story.release),
            &story.title,
            &story.owner,
            &story.status,
            &story.created,
        ),
    )?;
    for task in &story.tasks {
        connection.execute(
            "INSERT INTO tasks (number, tenant_id, story_id, title, owner, status, severity, reference, created_at)
             VALUES (?1, ?2, 'STORY-' || ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                task.number,
                tenant,
                story.number,
                &task.title,
                &task.owner,
                &task.status,
                task.severity,
                &task.reference,
                &story.created,
            ),
        )?;
    }
    Ok(())
}
