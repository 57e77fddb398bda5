//! What a step makes of earlier results, with what it says of them in one line.

use serde_json::Value;

use crate::evidence::{self, Findings, Graph, Limits, Verdict};
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
    pub not_proven: Option<String>,
    /// In one line.
    pub says: String,
    /// What stands out, a line each.
    pub details: Vec<String>,
}

/// Analyzes `of`, for coverage by the open work that `by` gives.
///
/// # Errors
/// Why `of` cannot be analyzed, in words.
pub(super) fn analyze(analysis: Analysis, of: &Value, by: Option<&Value>) -> Result<Analyzed, String> {
    let (value, undecided, not_proven, says, details) = match analysis {
        Analysis::Coverage => {
            let coverage = evidence::coverage(of, by).map_err(|error| error.to_string())?;
            let (not_proven, says) = (coverage.not_proven.clone(), coverage.summary.clone());
            (serde_json::to_value(&coverage), Vec::new(), not_proven, says, Vec::new())
        }
        Analysis::Evidence | Analysis::Diagram => {
            let graph = Graph::read(of, &Limits::default()).map_err(|error| error.to_string())?;
            let findings = evidence::analyze(&graph);
            // A picture of what is not understood decides nothing, either.
            let undecided = findings.undecided.clone();
            if analysis == Analysis::Diagram {
                let diagram = evidence::mermaid(&graph, &findings, DIAGRAM_NODES);
                (Ok(Value::from(diagram)), undecided, None, "a Mermaid diagram".to_owned(), Vec::new())
            } else {
                (serde_json::to_value(&findings), undecided, None, in_words(&findings), first(&findings))
            }
        }
    };
    let value = value.map_err(|error| error.to_string())?;
    Ok(Analyzed { value, undecided, not_proven, says, details })
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
    let blocking = &findings.blocking;
    let mut lines: Vec<String> = blocking
        .iter()
        .take(MOST_DETAILS)
        .map(|finding| {
            let owner = finding.owner.map(|owner| format!(", {owner}")).unwrap_or_default();
            let severity = finding.severity.map(|severity| format!("{severity}: ")).unwrap_or_default();
            format!("{severity}{} ({}{owner})", finding.title, finding.id)
        })
        .collect();
    if blocking.len() > MOST_DETAILS {
        lines.push(format!("and {} more", blocking.len() - MOST_DETAILS));
    }
    lines
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

    #[test]
    fn an_analysis_says_in_one_line_what_it_found() {
        let says = |state| analyze(Analysis::Evidence, &graph(state), None).unwrap().says;
        assert_eq!(says("pass"), "nothing blocks");
        assert_eq!(says("fail"), "blocked by 1 failed control");
        assert!(says("unknown").starts_with("undecided"));
    }

    #[test]
    fn a_diagram_of_an_undecided_graph_decides_nothing() {
        let diagram = analyze(Analysis::Diagram, &graph("unknown"), None).unwrap();
        assert!(diagram.value.is_string() && !diagram.undecided.is_empty());
        assert_eq!(analyze(Analysis::Diagram, &graph("pass"), None).unwrap().undecided, Vec::<String>::new());
    }

    #[test]
    fn an_undecided_graph_gives_its_reasons_and_a_misshapen_one_nothing() {
        assert!(!analyze(Analysis::Evidence, &graph("unknown"), None).unwrap().undecided.is_empty());
        assert!(analyze(Analysis::Evidence, &json!({"nodes": 1}), None).is_err());
        assert!(analyze(Analysis::Coverage, &json!({}), None).is_err());
    }

    #[test]
    fn coverage_without_an_answer_is_not_proven() {
        let findings = analyze(Analysis::Evidence, &graph("fail"), None).unwrap().value;
        assert!(analyze(Analysis::Coverage, &findings, None).unwrap().not_proven.is_some());
    }
}
