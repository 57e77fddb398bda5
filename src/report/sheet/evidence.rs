//! The evidence that a run analyzed: what blocks, by which control, and where that stands in a file.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{Level, Place, Problem, Rule, identity};
use crate::evidence::{Cause, Finding, Findings, Graph, Limits, Severity, analyze};

/// Lines that begin and end the list of nodes in a graph that was written as indented JSON, and how deep the
/// members of a node stand.
const NODES: &str = "  \"nodes\": [";
const END: &str = "  ]";
const MEMBER: &str = "      \"id\": ";

/// Evidence, and what keeps the release from being certified.
pub struct Gathered<'a> {
    /// The graph.
    pub(in crate::report) graph: Graph<'a>,
    /// What it shows.
    pub(in crate::report) findings: Findings<'a>,
    /// The file that it was written to, with the line of each node.
    file: Option<(String, HashMap<String, usize>)>,
}

impl<'a> Gathered<'a> {
    /// Of a graph, and of the file that has it; none where it is no graph.
    pub(super) fn new(value: &'a Value, file: Option<(String, &[u8])>) -> Option<Self> {
        let graph = Graph::read(value, &Limits::default()).ok()?;
        let findings = analyze(&graph);
        let file = file.map(|(name, bytes)| (name, lines(bytes)));
        Some(Self { graph, findings, file })
    }

    /// The control that a finding is about, if one is.
    pub(in crate::report) fn control(&self, finding: &Finding<'a>) -> Option<&'a str> {
        let nearest = || finding.blocks.iter().copied().find(|id| self.graph.has_control(id));
        if self.graph.has_control(finding.id) { Some(finding.id) } else { nearest() }
    }

    fn place(&self, finding: &Finding<'_>) -> Option<Place> {
        let (file, lines) = self.file.as_ref()?;
        Some(Place { line: lines.get(finding.id).copied(), ..Place::file(file) })
    }

    /// A rule for each control, and one for each other reason to block.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let controls =
            self.graph.controls().map(|(id, title)| Rule { id: control(id), says: title.to_owned() });
        let other = [
            (Cause::EvidenceGap, "Required evidence is there and current."),
            (Cause::ProviderBlocker, "No provider holds the release back."),
            (Cause::OpenFinding, "No finding is open."),
        ];
        let mut rules: BTreeMap<String, String> = controls.map(|rule| (rule.id, rule.says)).collect();
        for (cause, says) in other {
            rules.insert(plain(cause).to_owned(), says.to_owned());
        }
        rules.into_iter().map(|(id, says)| Rule { id, says }).collect()
    }

    /// A problem for each finding. Two runs for the same server and tenant tell the same problem alike.
    pub(super) fn problems(&self, server: &str, tenant: Option<&str>) -> Vec<Problem> {
        let each = self.findings.blocking.iter().map(|finding| Problem {
            rule: self.rule(finding),
            level: level(finding.severity),
            message: self.sentence(finding),
            place: self.place(finding),
            name: Some(finding.id.to_owned()),
            identity: identity(&json!([server, tenant, finding.id, finding.cause])),
        });
        each.collect()
    }

    /// The ID of the rule that a finding breaks: its control's, where it has one.
    pub(in crate::report) fn rule(&self, finding: &Finding<'a>) -> String {
        self.control(finding).map_or_else(|| plain(finding.cause).to_owned(), control)
    }

    /// What was found, in a sentence.
    pub(in crate::report) fn sentence(&self, finding: &Finding<'a>) -> String {
        let control = self.control(finding).filter(|control| *control != finding.id);
        let mut text =
            format!("{} ({}, {}): {}", finding.cause.word(), finding.kind.word(), finding.id, finding.title);
        let known = [
            ("severity", finding.severity),
            ("control", control),
            ("owner", finding.owner),
            ("provider", finding.provider),
            ("due", finding.due),
        ];
        for (label, value) in known {
            if let Some(value) = value {
                text.push_str(&format!("; {label} {value}"));
            }
        }
        text
    }
}

/// A service's names are kept apart from this program's.
fn control(id: &str) -> String {
    format!("control/{id}")
}

fn plain(cause: Cause) -> &'static str {
    match cause {
        Cause::FailedControl => "failed-control",
        Cause::EvidenceGap => "evidence-gap",
        Cause::ProviderBlocker => "provider-blocker",
        Cause::OpenFinding => "open-finding",
    }
}

fn level(severity: Option<&str>) -> Level {
    match Severity::of(severity) {
        Severity::Critical | Severity::Unknown | Severity::High => Level::Error,
        Severity::Medium => Level::Warning,
        Severity::Low | Severity::Info => Level::Note,
    }
}

/// The line of each node's ID, from 1, in a graph as this program writes it. What stands otherwise has none.
fn lines(bytes: &[u8]) -> HashMap<String, usize> {
    let text = String::from_utf8_lossy(bytes);
    let numbered = text.lines().zip(1..);
    let nodes =
        numbered.skip_while(|(line, _)| *line != NODES).take_while(|(line, _)| !line.starts_with(END));
    let ids = nodes.filter_map(|(line, number)| {
        let value = line.strip_prefix(MEMBER)?;
        let id: String = serde_json::from_str(value.strip_suffix(',').unwrap_or(value)).ok()?;
        Some((id, number))
    });
    ids.collect()
}
