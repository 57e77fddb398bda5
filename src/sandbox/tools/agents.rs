//! AI/ML agents, whose part fixed rules play: the list of them, and what they recommend.
//!
//! The same records give the same answer, its time included: that is the newest thing that the agent looked at.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, json};

use super::listings::Nothing;
use super::select::number;
use super::{Call, not_visible};
use crate::core::Digest;
use crate::core::text::visible;
use crate::sandbox::graph::{Meaning, NodeKind, blocks, meaning};
use crate::sandbox::refusal::{Failure, Refusal};
use crate::sandbox::store;

/// What the agents call their model.
const MODEL: &str = "sandbox-rules-1";
/// The day that the seed takes for today: nothing is older than its newest record.
const TODAY: &str = "2026-11-20T00:00:00Z";
/// Reasons and references that an answer gives at most.
const MOST: usize = 20;

/// What an agent can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SubjectKind {
    Release,
    Certification,
    Incident,
}

impl SubjectKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Certification => "certification",
            Self::Incident => "incident",
        }
    }
}

/// What an agent is asked about.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Subject {
    #[serde(rename = "type")]
    pub kind: SubjectKind,
    /// Its ID.
    #[schemars(length(min = 1, max = 200))]
    pub id: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Agents {
    agents: Vec<Agent>,
}

/// An AI/ML agent.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agent {
    id: &'static str,
    name: &'static str,
    description: &'static str,
    /// What it can be asked about.
    subjects: &'static [SubjectKind],
    /// Whether all that it does is to recommend.
    read_only: bool,
}

const RELEASES: &[SubjectKind] = &[SubjectKind::Release, SubjectKind::Certification];

const AGENTS: [Agent; 5] = [
    Agent {
        id: "readiness",
        name: "Readiness review",
        description: "Recommends whether a release is ready",
        subjects: RELEASES,
        read_only: true,
    },
    Agent {
        id: "evidence-package",
        name: "Evidence package review",
        description: "Reviews the evidence of a certification",
        subjects: RELEASES,
        read_only: true,
    },
    Agent {
        id: "security-posture",
        name: "Security posture review",
        description: "Reviews findings and provider blockers",
        subjects: RELEASES,
        read_only: true,
    },
    Agent {
        id: "rollback-readiness",
        name: "Rollback readiness review",
        description: "Reviews rollback plan and rehearsal",
        subjects: RELEASES,
        read_only: true,
    },
    Agent {
        id: "incident-triage",
        name: "Incident triage",
        description: "Proposes an owner and what an incident has to do with",
        subjects: &[SubjectKind::Incident],
        read_only: true,
    },
];

/// All agents.
pub(super) fn agents(_: &mut Call<'_>, _: Nothing) -> Result<Agents, Failure> {
    Ok(Agents { agents: AGENTS.to_vec() })
}

/// An agent and what it is asked about.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AssessmentQuery {
    /// The agent.
    #[schemars(length(min = 1, max = 200))]
    agent_id: String,
    subject: Subject,
}

/// What an agent recommends. It decides nothing.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assessment {
    agent_id: String,
    subject: Subject,
    run_id: String,
    model: String,
    generated_at: String,
    recommendation: String,
    /// From 0 to 1.
    confidence: Number,
    reasons: Vec<String>,
    /// IDs of what the reasons rest on.
    references: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<Proposal>,
}

/// What should be written, if people agree.
#[derive(Serialize, JsonSchema)]
struct Proposal {
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    releases: Vec<String>,
    changes: Vec<String>,
}

/// What an agent makes of its subject.
struct Opinion {
    recommendation: String,
    confidence: f64,
    /// Each with the ID of what it rests on.
    reasons: Vec<(String, String)>,
    newest: Option<String>,
    proposal: Option<Proposal>,
}

/// What an agent recommends; nothing is written.
pub(super) fn assess(call: &mut Call<'_>, query: AssessmentQuery) -> Result<Assessment, Failure> {
    let AssessmentQuery { agent_id, subject } = query;
    let tenant = call.caller.tenant.as_str();
    let reading = call.connection.transaction()?;
    may_be_asked(&reading, tenant, &agent_id, &subject)?;
    let Opinion { recommendation, confidence, mut reasons, newest, proposal } =
        opinion(&reading, tenant, &agent_id, &subject)?;
    let generated_at = newest.filter(|newest| newest.as_str() > TODAY).unwrap_or_else(|| TODAY.to_owned());
    let told = json!([tenant, agent_id, subject, generated_at, recommendation, reasons]);
    let digest = Digest::of_bytes(told.to_string().as_bytes());
    reasons.truncate(MOST);
    let (references, reasons) = reasons.into_iter().unzip();
    Ok(Assessment {
        agent_id,
        subject,
        run_id: format!("ASM-{}", digest.hex().chars().take(12).collect::<String>()),
        model: MODEL.to_owned(),
        generated_at,
        recommendation,
        confidence: number(confidence),
        reasons,
        references,
        proposal,
    })
}

/// What an agent recommends, in a sentence; it [may be asked](may_be_asked).
pub(super) fn recommendation(
    connection: &Connection,
    tenant: &str,
    agent: &str,
    subject: &Subject,
) -> Result<String, Failure> {
    Ok(opinion(connection, tenant, agent, subject)?.recommendation)
}

fn opinion(
    connection: &Connection,
    tenant: &str,
    agent: &str,
    subject: &Subject,
) -> Result<Opinion, Failure> {
    match subject.kind {
        SubjectKind::Incident => of_incident(connection, tenant, &subject.id),
        SubjectKind::Release | SubjectKind::Certification => of_release(connection, tenant, agent, subject),
    }
}

/// Refuses an agent that there is not, a subject that is not visible, and one that the agent knows nothing of.
pub(super) fn may_be_asked(
    connection: &Connection,
    tenant: &str,
    agent: &str,
    subject: &Subject,
) -> Result<(), Failure> {
    let known = AGENTS.iter().find(|known| known.id == agent).ok_or_else(|| not_visible("agent", agent))?;
    if !known.subjects.contains(&subject.kind) {
        let problem =
            format!("the agent `{}` cannot be asked about a {}", visible(agent), subject.kind.word());
        return Err(Refusal::argument("/subject/type", problem).into());
    }
    let table = match subject.kind {
        SubjectKind::Release => "releases",
        SubjectKind::Certification => "certifications",
        SubjectKind::Incident => "incidents",
    };
    if !store::has(connection, table, tenant, &subject.id)? {
        return Err(not_visible(subject.kind.word(), &subject.id).into());
    }
    Ok(())
}

fn of_release(
    connection: &Connection,
    tenant: &str,
    agent: &str,
    subject: &Subject,
) -> Result<Opinion, Failure> {
    let certification = match subject.kind {
        SubjectKind::Certification => store::certification(connection, tenant, &subject.id)?,
        _ => store::certification_of(connection, tenant, &subject.id)?,
    };
    let Some(certification) = certification else {
        return Ok(Opinion {
            recommendation: "Wait: there is no certification to look at".to_owned(),
            confidence: 0.2,
            reasons: Vec::new(),
            newest: None,
            proposal: None,
        });
    };
    let graph = store::graph(connection, tenant, &certification.id)?;
    let newest = graph.nodes.iter().filter_map(|node| node.observed_at.clone()).max();
    let is_nothing_known = graph.nodes.is_empty();
    let reasons: Vec<(String, String)> = match agent {
        "rollback-readiness" => not_reversible(connection, tenant, &certification.release.id)?,
        _ => graph
            .nodes
            .into_iter()
            .filter(|node| match agent {
                "evidence-package" => {
                    node.kind == NodeKind::Evidence && meaning(&node.status) != Meaning::Good
                }
                "security-posture" => {
                    matches!(node.kind, NodeKind::Finding | NodeKind::ProviderBlocker)
                        && meaning(&node.status) != Meaning::Good
                }
                _ => blocks(node),
            })
            .map(|node| (node.id, format!("{}: {}", node.title, node.status)))
            .collect(),
    };
    let name = &certification.release.name;
    let recommendation = match reasons.len() {
        0 if is_nothing_known => format!("Wait with {name}: nothing is known of it"),
        0 => format!("Nothing speaks against {name}"),
        1 => format!("Do not release {name}: one thing speaks against it"),
        many => format!("Do not release {name}: {many} things speak against it"),
    };
    let confidence = if is_nothing_known { 0.2 } else { 0.8 };
    Ok(Opinion { recommendation, confidence, reasons, newest, proposal: None })
}

/// What keeps a release from being taken back.
fn not_reversible(
    connection: &Connection,
    tenant: &str,
    release: &str,
) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, status, coalesce(reason, '') FROM rollback_decisions
         WHERE tenant_id = ?1 AND release_id = ?2 AND status NOT IN ('ready', 'rehearsed', 'not_required')
         ORDER BY id",
    )?;
    let rows = statement.query_map([tenant, release], |row| {
        let (status, reason): (String, String) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, format!("The rollback decision is {status}: {reason}")))
    })?;
    rows.collect()
}

fn of_incident(connection: &Connection, tenant: &str, id: &str) -> Result<Opinion, Failure> {
    let (application, team, owner, opened): (Option<String>, Option<String>, Option<String>, String) =
        connection.query_row(
            "SELECT application, team, owner, opened_at FROM incidents WHERE tenant_id = ?1 AND id = ?2",
            [tenant, id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
    let before = |days: i64| {
        let instant: Option<Timestamp> = opened.parse().ok();
        let then =
            instant.and_then(|instant| instant.checked_sub(SignedDuration::from_hours(24 * days)).ok());
        then.map_or_else(|| opened.clone(), |then| then.to_string())
    };
    let near = |sql: &str, from: String| -> rusqlite::Result<Vec<(String, String)>> {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement
            .query_map((tenant, &application, from, &opened), |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    let releases = near(
        "SELECT id, name FROM releases WHERE tenant_id = ?1 AND application = ?2
             AND released_at BETWEEN ?3 AND ?4 ORDER BY released_at DESC, id",
        before(7),
    )?;
    let changes = near(
        "SELECT id, title FROM change_requests WHERE tenant_id = ?1 AND application = ?2
             AND starts_at BETWEEN ?3 AND ?4 ORDER BY starts_at DESC, id",
        before(2),
    )?;
    let last: Option<String> = connection
        .query_row(
            "SELECT owner FROM incidents WHERE tenant_id = ?1 AND team = ?2 AND owner IS NOT NULL AND id <> ?3
             ORDER BY opened_at DESC, id LIMIT 1",
            (tenant, &team, id),
            |row| row.get(0),
        )
        .optional()?;
    let mut reasons: Vec<(String, String)> = releases
        .iter()
        .map(|(id, name)| (id.clone(), format!("{name} was released shortly before")))
        .collect();
    reasons.extend(changes.iter().map(|(id, title)| (id.clone(), format!("`{title}` began shortly before"))));
    let proposed = owner.is_none().then_some(last).flatten();
    if let Some(owner) = &proposed {
        reasons.push((owner.clone(), format!("{owner} worked on the team's last incident")));
    }
    let recommendation = match (releases.is_empty() && changes.is_empty(), &proposed) {
        (false, _) => "Look at what was changed shortly before it".to_owned(),
        (true, Some(_)) => "Give it an owner: nothing was changed shortly before it".to_owned(),
        (true, None) => "Nothing was changed shortly before it".to_owned(),
    };
    let ids = |found: Vec<(String, String)>| found.into_iter().map(|(id, _)| id).collect();
    Ok(Opinion {
        recommendation,
        confidence: if reasons.is_empty() { 0.3 } else { 0.6 },
        reasons,
        newest: Some(opened.clone()),
        proposal: Some(Proposal { owner: proposed, releases: ids(releases), changes: ids(changes) }),
    })
}
