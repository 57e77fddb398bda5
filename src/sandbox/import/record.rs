//! Records what a file says, and decides controls and certification anew.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction};

use super::{Controls, Format, Import, Imported, Report, State, stable_id};
use crate::core::Digest;
use crate::sandbox::SandboxError;
use crate::sandbox::graph::{Edge, EdgeKind, Meaning, Node, NodeKind, Severity, Status, meaning, verdict};
use crate::sandbox::store::{self, Graph};

/// The certification that is written to.
struct Target<'a> {
    writing: &'a Transaction<'a>,
    tenant: &'a str,
    release: &'a str,
    certification: String,
}

/// Records the reports of a file, within the caller's transaction.
pub(super) fn record(
    writing: &Transaction<'_>,
    import: &Import,
    format: Format,
    reports: &[Report],
    now: Timestamp,
) -> Result<Imported, SandboxError> {
    let target = Target::find_or_make(writing, import)?;
    for report in reports {
        target.replace(import, report, now)?;
    }
    let graph = target.decide_controls()?;
    let status = target.decide_certification(&graph)?;
    Ok(summary(&target, import, format, reports, &graph, status))
}

fn summary(
    target: &Target<'_>,
    import: &Import,
    format: Format,
    reports: &[Report],
    graph: &Graph,
    status: Status,
) -> Imported {
    let mut controls = Controls::default();
    for report in reports {
        let id = control_id(report);
        match graph.nodes.iter().find(|node| node.id == id).map(|node| meaning(&node.status)) {
            Some(Meaning::Good) => controls.passed += 1,
            Some(Meaning::Bad) => controls.failed += 1,
            _ => controls.undecided += 1,
        }
    }
    let findings = || reports.iter().flat_map(|report| &report.findings);
    Imported {
        tenant: import.tenant.clone(),
        release: import.release.clone(),
        certification: target.certification.clone(),
        status: status.to_string(),
        format,
        providers: reports.iter().map(|report| report.producer.clone()).collect(),
        controls,
        evidence: reports.len(),
        findings: findings().filter(|finding| !finding.waived).count(),
        waived: findings().filter(|finding| finding.waived).count(),
    }
}

fn control_id(report: &Report) -> String {
    stable_id("CTL", &[&report.control])
}

impl<'a> Target<'a> {
    fn find_or_make(writing: &'a Transaction<'a>, import: &'a Import) -> Result<Self, SandboxError> {
        let (tenant, release) = (import.tenant.as_str(), import.release.as_str());
        let known =
            writing.query_row("SELECT 1 FROM tenants WHERE id = ?1", [tenant], |_| Ok(())).optional()?;
        if known.is_none() {
            return Err(SandboxError::UnknownTenant { tenant: tenant.to_owned() });
        }
        let certification = match store::certification_of(writing, tenant, release)? {
            Some(certification) => certification.id,
            None => {
                let id = store::certification_id(release);
                // It may be there without a certification.
                writing.execute(
                    "INSERT INTO releases (tenant_id, id, name) VALUES (?1, ?2, ?2) ON CONFLICT DO NOTHING",
                    [tenant, release],
                )?;
                writing.execute(
                    "INSERT INTO certifications (tenant_id, id, release_id, status, summary)
                     VALUES (?1, ?2, ?3, ?4, '')",
                    (tenant, &id, release, Status::AwaitingEvidence),
                )?;
                id
            }
        };
        Ok(Self { writing, tenant, release, certification })
    }

    fn put(&self, node: &Node, source: Option<&str>) -> rusqlite::Result<()> {
        store::put_node(self.writing, self.tenant, &self.certification, node, source)
    }

    fn link(&self, from: &str, kind: EdgeKind, to: &str) -> rusqlite::Result<()> {
        let edge = Edge { from: from.to_owned(), to: to.to_owned(), kind };
        store::put_edge(self.writing, self.tenant, &self.certification, &edge)
    }

    /// Puts a report in the place of what the same producer said in a file of the same name.
    fn replace(&self, import: &Import, report: &Report, now: Timestamp) -> rusqlite::Result<()> {
        let source = import.source.as_str();
        let digest = Digest::of_bytes(&import.bytes).to_string();
        let evidence_id = stable_id("EVD", &[&report.producer, source]);
        let observed = match import.observed.or(report.observed) {
            Some(observed) => observed.to_string(),
            // The same bytes are no newer for being imported again.
            None => self.observed_before(&evidence_id, &digest)?.unwrap_or_else(|| now.to_string()),
        };
        self.writing.execute(
            "DELETE FROM nodes WHERE tenant_id = ?1 AND certification_id = ?2 AND provider = ?3
                 AND source = ?4 AND type IN (?5, ?6)",
            (
                self.tenant,
                &self.certification,
                &report.producer,
                source,
                NodeKind::Evidence,
                NodeKind::Finding,
            ),
        )?;
        let control_id = control_id(report);
        let of_producer = |id: &str, kind, title: &str| Node {
            provider: Some(report.producer.clone()),
            observed_at: Some(observed.clone()),
            ..Node::new(id, kind, title)
        };
        self.release_node()?;
        self.put(
            &Node {
                required: Some(true),
                description: Some(report.rule.to_owned()),
                // Its evidence says when; a control of two files has no time of its own.
                observed_at: None,
                ..of_producer(&control_id, NodeKind::Control, &report.control)
            },
            None,
        )?;
        self.link(self.release, EdgeKind::Requires, &control_id)?;
        let (status, reason) = match report.state {
            State::Complete => ("present", None),
            State::Missing(reason) => ("missing", Some(reason)),
            // No word of a vocabulary: a state that nobody knows must not be taken for one that is known.
            State::Unknown(reason) => ("unknown", Some(reason)),
        };
        self.put(
            &Node {
                required: Some(true),
                status: status.to_owned(),
                description: reason.map(str::to_owned),
                digest: Some(digest),
                ..of_producer(
                    &evidence_id,
                    NodeKind::Evidence,
                    &format!("{}: {}", report.control, super::title(source)),
                )
            },
            Some(source),
        )?;
        self.link(&evidence_id, EdgeKind::Supports, &control_id)?;
        let mut seen: BTreeMap<&[String], usize> = BTreeMap::new();
        for finding in &report.findings {
            let occurrence =
                seen.entry(&finding.key).and_modify(|count| *count += 1).or_insert(1).to_string();
            let mut parts = vec![report.producer.as_str(), source, &occurrence];
            parts.extend(finding.key.iter().map(String::as_str));
            let id = stable_id("FND", &parts);
            self.put(
                &Node {
                    status: if finding.waived { "waived" } else { "open" }.to_owned(),
                    severity: Some(finding.severity),
                    url: finding.url.clone(),
                    about: finding.about.clone(),
                    ..of_producer(&id, NodeKind::Finding, &finding.title)
                },
                Some(source),
            )?;
            self.link(&id, EdgeKind::Violates, &control_id)?;
        }
        Ok(())
    }

    fn observed_before(&self, evidence: &str, digest: &str) -> rusqlite::Result<Option<String>> {
        self.writing
            .query_row(
                "SELECT observed_at FROM nodes
                 WHERE tenant_id = ?1 AND certification_id = ?2 AND id = ?3 AND digest = ?4",
                (self.tenant, &self.certification, evidence, digest),
                |row| row.get(0),
            )
            .optional()
    }

    /// Makes sure that the graph has its root; what it says follows in [`Self::decide_certification`].
    fn release_node(&self) -> rusqlite::Result<()> {
        let graph = store::graph(self.writing, self.tenant, &self.certification)?;
        if graph.nodes.iter().any(|node| node.id == self.release) {
            return Ok(());
        }
        self.put(&Node::new(self.release, NodeKind::Release, self.release), None)
    }

    /// Decides every control that imported evidence supports. Gives the graph as it is then.
    fn decide_controls(&self) -> rusqlite::Result<Graph> {
        let mut statement = self.writing.prepare_cached(
            "SELECT DISTINCT e.to_id FROM edges e JOIN nodes n ON n.tenant_id = e.tenant_id
                 AND n.certification_id = e.certification_id AND n.id = e.from_id
             WHERE e.tenant_id = ?1 AND e.certification_id = ?2 AND n.source IS NOT NULL",
        )?;
        let imported: Vec<String> = statement
            .query_map([self.tenant, &self.certification], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut graph = store::graph(self.writing, self.tenant, &self.certification)?;
        for id in imported {
            let (status, severity) = decide(&graph, &id);
            if let Some(control) = graph.nodes.iter_mut().find(|node| node.id == id) {
                status.clone_into(&mut control.status);
                control.severity = severity;
                self.put(control, None)?;
            }
        }
        Ok(graph)
    }

    /// Sets status, summary and root of the certification by its graph, unless people have rejected it.
    fn decide_certification(&self, graph: &Graph) -> rusqlite::Result<Status> {
        let before = store::certification(self.writing, self.tenant, &self.certification)?;
        if before.is_some_and(|certification| certification.status == Status::Rejected.to_string()) {
            return Ok(Status::Rejected);
        }
        let status = verdict(&graph.nodes);
        let controls = || graph.nodes.iter().filter(|node| node.kind == NodeKind::Control);
        let passed = controls().filter(|node| meaning(&node.status) == Meaning::Good).count();
        let summary = format!("{passed} of {} controls pass", controls().count());
        self.writing.execute(
            "UPDATE certifications SET status = ?3, summary = ?4 WHERE tenant_id = ?1 AND id = ?2",
            (self.tenant, &self.certification, status, summary),
        )?;
        if let Some(root) = graph.nodes.iter().find(|node| node.id == self.release) {
            let word = match status {
                Status::Certified => "passed",
                Status::Blocked | Status::Rejected => "failed",
                Status::Draft | Status::InReview | Status::AwaitingEvidence => "pending",
            };
            self.put(&Node { status: word.to_owned(), ..root.clone() }, None)?;
        }
        Ok(status)
    }
}

/// The state of a control by the rules of this module, and how bad the worst open finding is.
fn decide(graph: &Graph, control: &str) -> (&'static str, Option<Severity>) {
    let nodes: HashMap<&str, &Node> = graph.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let from = |kind| {
        let edges = graph.edges.iter().filter(move |edge| edge.kind == kind && edge.to == control);
        edges.filter_map(|edge| nodes.get(edge.from.as_str()).copied())
    };
    let good = |node: &Node| meaning(&node.status) == Meaning::Good;
    let worst = from(EdgeKind::Violates).filter(|node| !good(node)).filter_map(|node| node.severity).max();
    let complete = from(EdgeKind::Supports).next().is_some() && from(EdgeKind::Supports).all(good);
    let status = match worst {
        Some(Severity::High | Severity::Critical) => "failed",
        _ if complete => "passed",
        _ => "pending",
    };
    (status, worst)
}
