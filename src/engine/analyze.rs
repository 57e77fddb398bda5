//! What a step makes of earlier results, with what it says of them in one line.

use serde_json::Value;

use crate::evidence::brief::{self, Brief, Given};
use crate::evidence::{self, Finding, Findings, Graph, Limits, Verdict};
use crate::recipe::Analysis;

/// The longest list of nodes in a diagram.
const DIAGRAM_NODES: usize = 60;
/// Findings that a report names itself; the rest stands in the file.
const MOST_DETAILS: usize = 6;

/// The result of an analysis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Analyzed {
    pub value: Value,
    /// Why it decides nothing; empty where it does.
    pub undecided: Vec<String>,
    /// What nobody could check.
    pub not_proven: Vec<String>,
    /// In one line.
    pub says: String,
    /// What stands out, a line each.
    pub details: Vec<String>,
}

/// Analyzes what `given` has.
///
/// # Errors
/// Why it cannot be analyzed, in words.
pub(super) fn analyze(analysis: Analysis, given: &Given<'_>) -> Result<Analyzed, String> {
    match analysis {
        Analysis::Coverage => {
            let coverage = evidence::coverage(given.of()?, given.from.get("open_work").copied())
                .map_err(|error| error.to_string())?;
            let not_proven = coverage.not_proven.iter().cloned().collect();
            let says = coverage.summary.clone();
            let value = serde_json::to_value(&coverage).map_err(|error| error.to_string())?;
            Ok(Analyzed { value, undecided: Vec::new(), not_proven, says, details: Vec::new() })
        }
        Analysis::Evidence => {
            let graph = graph(given)?;
            let findings = evidence::analyze(&graph);
            let value = serde_json::to_value(&findings).map_err(|error| error.to_string())?;
            let (says, details) = (in_words(&findings), first(&findings));
            Ok(Analyzed { value, undecided: findings.undecided, not_proven: Vec::new(), says, details })
        }
        Analysis::Dashboard => Analyzed::brief(brief::dashboard(given)?),
        Analysis::Diagram => {
            let graph = graph(given)?;
            let findings = evidence::analyze(&graph);
            let value = Value::from(evidence::mermaid(&graph, &findings, DIAGRAM_NODES));
            // A picture of what is not understood decides nothing, either.
            Ok(Analyzed::text(value, findings.undecided, "a Mermaid diagram"))
        }
        Analysis::Compliance => Analyzed::brief(brief::compliance(given)?),
        Analysis::Gaps => Analyzed::brief(brief::gaps(given)?),
        Analysis::Manifest => {
            Ok(Analyzed::text(brief::manifest(given)?, doubted(given)?, "the files with their digests"))
        }
        Analysis::Readiness => Analyzed::brief(brief::readiness(given)?),
        Analysis::Recommendation => Analyzed::brief(brief::recommendation(given)?),
        Analysis::Security => Analyzed::brief(brief::security(given)?),
        Analysis::Sprint => Analyzed::brief(brief::sprint(given)?),
        Analysis::Summary => {
            Ok(Analyzed::text(Value::from(brief::page(given.of()?)?), doubted(given)?, "a page"))
        }
        Analysis::Triage => Analyzed::brief(brief::triage(given)?),
    }
}

/// What is shown of something that is undecided is no more than that.
fn doubted(given: &Given<'_>) -> Result<Vec<String>, String> {
    let undecided = given.of()?.get("undecided").and_then(Value::as_array);
    Ok(match undecided {
        Some(reasons) if !reasons.is_empty() => vec!["what it shows is undecided".to_owned()],
        _ => Vec::new(),
    })
}

fn graph<'a>(given: &Given<'a>) -> Result<Graph<'a>, String> {
    Graph::read(given.of()?, &Limits::default()).map_err(|error| error.to_string())
}

impl Analyzed {
    fn text(value: Value, undecided: Vec<String>, says: &str) -> Self {
        Self { value, undecided, not_proven: Vec::new(), says: says.to_owned(), details: Vec::new() }
    }

    fn brief(mut brief: Brief) -> Result<Self, String> {
        let details = std::mem::take(&mut brief.details);
        let not_proven = std::mem::take(&mut brief.not_proven);
        let (undecided, says) = (brief.undecided.clone(), brief.summary.clone());
        Ok(Self { value: brief.into_value()?, undecided, not_proven, says, details })
    }
}

fn in_words(findings: &Findings<'_>) -> String {
    let blocking = &findings.counts.blocking;
    let parts: Vec<String> = [
        (blocking.failed_controls, "failed control", "failed controls"),
        (blocking.evidence_gaps, "evidence gap", "evidence gaps"),
        (blocking.provider_blockers, "provider blocker", "provider blockers"),
        (blocking.open_findings, "open finding", "open findings"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| counted(count, one, many))
    .collect();
    match (findings.verdict, parts.is_empty()) {
        (Verdict::Clear, _) => "nothing blocks".to_owned(),
        (Verdict::Undecided, true) => "undecided".to_owned(),
        (Verdict::Undecided, false) => format!("undecided; at least {}", parts.join(", ")),
        (Verdict::Blocked, _) => format!("blocked by {}", parts.join(", ")),
    }
}

/// The first of what blocks; may hold hostile text.
fn first(findings: &Findings<'_>) -> Vec<String> {
    let line = |finding: &Finding<'_>| {
        let owner = finding.owner.map(|owner| format!(", {owner}")).unwrap_or_default();
        let severity = finding.severity.map(|severity| format!("{severity}: ")).unwrap_or_default();
        format!("{severity}{} ({}{owner})", finding.title, finding.id)
    };
    brief::first(findings.blocking.iter().map(line), MOST_DETAILS, "")
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn graph(state: &str) -> Value {
        json!({"certification": "C", "nodes": [
            {"id": "CTL", "kind": "control", "title": "t", "state": state, "required": true},
            {"id": "EV", "kind": "evidence", "title": "t", "state": "pass", "required": true},
        ], "edges": [{"from": "EV", "to": "CTL", "kind": "supports"}]})
    }

    fn of(analysis: Analysis, of: &Value) -> Result<Analyzed, String> {
        analyze(analysis, &Given { of: Some(of), ..Given::default() })
    }

    #[test]
    fn an_analysis_says_in_one_line_what_it_found() {
        let says = |state| of(Analysis::Evidence, &graph(state)).unwrap().says;
        assert_eq!(says("pass"), "nothing blocks");
        assert_eq!(says("fail"), "blocked by 1 failed control");
        assert!(says("unknown").starts_with("undecided"));
    }

    #[test]
    fn a_diagram_of_an_undecided_graph_decides_nothing() {
        let diagram = of(Analysis::Diagram, &graph("unknown")).unwrap();
        assert!(diagram.value.is_string() && !diagram.undecided.is_empty());
        assert_eq!(of(Analysis::Diagram, &graph("pass")).unwrap().undecided, Vec::<String>::new());
    }

    #[test]
    fn an_undecided_graph_gives_its_reasons_and_a_misshapen_one_nothing() {
        assert!(!of(Analysis::Evidence, &graph("unknown")).unwrap().undecided.is_empty());
        assert!(of(Analysis::Evidence, &json!({"nodes": 1})).is_err());
        assert!(of(Analysis::Coverage, &json!({})).is_err());
    }

    #[test]
    fn coverage_without_an_answer_is_not_proven() {
        let findings = of(Analysis::Evidence, &graph("fail")).unwrap().value;
        assert_eq!(of(Analysis::Coverage, &findings).unwrap().not_proven.len(), 1);
    }

    #[test]
    fn a_brief_can_be_shown_as_a_page() {
        let gaps = of(Analysis::Gaps, &graph("unknown")).unwrap();
        assert!(!gaps.undecided.is_empty() && gaps.says.starts_with("1 lacking"), "{gaps:?}");
        let page = of(Analysis::Summary, &gaps.value).unwrap();
        assert!(page.value.as_str().unwrap().starts_with("**1 lacking"), "{page:?}");
        assert_eq!(page.undecided, ["what it shows is undecided"]);
        let clear = of(Analysis::Gaps, &graph("pass")).unwrap();
        assert!(of(Analysis::Summary, &clear.value).unwrap().undecided.is_empty());
        assert!(of(Analysis::Summary, &graph("pass")).is_err());
    }
}
