//! What an AI/ML agent makes of something, with where it comes from: a recommendation, which decides nothing.

use serde::Serialize;
use serde_json::Value;

use super::listing::{text, word};
use super::{Brief, Given, View};
use crate::core::text::excerpt;

/// Agents that are named.
const MOST_NAMED: usize = 8;
/// Characters of a recommendation in a line.
const MOST_OF_A_LINE: usize = 200;

/// An agent that can be asked.
#[derive(Debug, Serialize)]
struct Agent<'a> {
    id: &'a str,
    name: Option<&'a str>,
}

/// An answer with where it comes from.
#[derive(Debug, Serialize)]
struct Provenance<'a> {
    agent: &'a str,
    model: Option<&'a str>,
    run: Option<&'a str>,
    generated: Option<&'a str>,
    recommendation: &'a str,
    confidence: Option<f64>,
}

/// A reason with what it rests on.
#[derive(Debug, Serialize)]
struct Reason<'a> {
    reason: &'a str,
    rests_on: Option<&'a str>,
}

/// What the `assessment` of an agent says, where there is one, and which of the `agents` can be asked about a `kind`.
///
/// # Errors
/// It is no JSON, in words.
pub fn recommendation(given: &Given<'_>) -> Result<Brief, String> {
    let kind = given.with.get("kind").and_then(Value::as_str).unwrap_or_default();
    let agents = agents(given.from.get("agents").copied(), kind);
    let mut brief = Brief::default();
    let answer = given.from.get("assessment").copied();
    let answers: Vec<Provenance<'_>> = answer.and_then(provenance).into_iter().collect();
    let reasons = answer.map(reasons).unwrap_or_default();
    brief.put("asked", answer.is_some())?;
    brief.put("answers", &answers)?;
    brief.put("reasons", &reasons)?;
    brief.put("proposes", answer.and_then(|answer| answer.get("proposes")))?;
    brief.put("agents", &agents)?;
    brief.summary = match (answers.first(), answer) {
        (Some(answer), _) => format!(
            "a recommendation by {}, no decision: {}",
            word(answer.agent),
            excerpt(answer.recommendation, MOST_OF_A_LINE)
        ),
        (None, Some(_)) => "the AI/ML agent gave no recommendation that could be read".to_owned(),
        (None, None) => "no AI/ML agent was asked".to_owned(),
    };
    brief.details = match answers.first() {
        Some(Provenance { model, run, generated, confidence, .. }) => {
            let said = |what: &Option<&str>| what.map_or_else(|| "unknown".to_owned(), str::to_owned);
            let confidence = confidence.map(|sure| format!(", confidence {sure}")).unwrap_or_default();
            let from =
                format!("model {}, run {}, of {}{confidence}", said(model), said(run), said(generated));
            std::iter::once(from)
                .chain(reasons.iter().take(MOST_NAMED).map(|one| one.reason.to_owned()))
                .collect()
        }
        None if agents.is_empty() => Vec::new(),
        None => {
            let named: Vec<&str> = agents.iter().take(MOST_NAMED).map(|agent| agent.id).collect();
            vec![format!("can be asked: {}", named.join(", "))]
        }
    };
    brief.views = match answers.is_empty() {
        true => {
            vec![View::table("AI/ML agents that can be asked", "agents", &[("ID", "id"), ("Name", "name")])]
        }
        false => views(),
    };
    Ok(brief)
}

fn views() -> Vec<View> {
    let answers = View::table(
        "Recommendation of an AI/ML agent",
        "answers",
        &[
            ("Recommendation", "recommendation"),
            ("Confidence", "confidence"),
            ("Agent", "agent"),
            ("Model", "model"),
            ("Run", "run"),
            ("Of", "generated"),
        ],
    );
    let reasons =
        View::table("Reasons that it gives", "reasons", &[("Reason", "reason"), ("Rests on", "rests_on")]);
    vec![
        answers.saying("A model recommends this. It is no decision, no approval, and opens no gate."),
        reasons,
    ]
}

/// Those that say that they can be asked about it, or do not say about what.
fn agents<'a>(answer: Option<&'a Value>, kind: &str) -> Vec<Agent<'a>> {
    let agents = answer.and_then(|answer| answer.get("agents")?.as_array());
    let mut agents: Vec<Agent<'a>> = agents
        .into_iter()
        .flatten()
        .filter(|agent| {
            let subjects = agent.get("subjects").and_then(Value::as_array);
            subjects.is_none_or(|subjects| subjects.iter().any(|subject| subject == kind))
        })
        .filter_map(|agent| Some(Agent { id: text(agent, "id")?, name: text(agent, "name") }))
        .collect();
    agents.sort_by_key(|agent| agent.id);
    agents
}

fn provenance(answer: &Value) -> Option<Provenance<'_>> {
    Some(Provenance {
        agent: text(answer, "agent")?,
        model: text(answer, "model"),
        run: text(answer, "run"),
        generated: text(answer, "generated"),
        recommendation: text(answer, "recommendation")?,
        confidence: answer.get("confidence").and_then(Value::as_f64),
    })
}

fn reasons(answer: &Value) -> Vec<Reason<'_>> {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let references = list("references");
    let reasons = list("reasons").iter().enumerate();
    reasons
        .filter_map(|(place, reason)| {
            Some(Reason { reason: reason.as_str()?, rests_on: references.get(place).and_then(Value::as_str) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(agents: Option<&Value>, assessment: Option<&Value>) -> Brief {
        let from = [("agents", agents), ("assessment", assessment)];
        let from = from.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let with = json!({"kind": "incident"}).as_object().unwrap().clone();
        recommendation(&Given { of: Some(&Value::Null), from, with, ..Given::default() }).unwrap()
    }

    #[test]
    fn an_answer_is_shown_with_where_it_comes_from_and_as_no_decision() {
        let answer = json!({"agent": "triage", "run": "R-1", "model": "m-1", "generated": "2026-11-20T00:00:00Z",
            "recommendation": "Look at the change", "confidence": 0.6, "reasons": ["It began shortly before"], "references": ["CHG-1"],
            "proposes": {"owner": "amara"}});
        let brief = told(None, Some(&answer));
        assert_eq!(brief.summary, "a recommendation by `triage`, no decision: Look at the change");
        assert_eq!(brief.details[0], "model m-1, run R-1, of 2026-11-20T00:00:00Z, confidence 0.6");
        assert_eq!(
            brief.data["reasons"],
            json!([{"reason": "It began shortly before", "rests_on": "CHG-1"}])
        );
        assert_eq!(brief.data["proposes"]["owner"], "amara");
        assert!(
            told(None, Some(&json!({"agent": "x"}))).summary.contains("no recommendation that could be read")
        );
    }

    #[test]
    fn without_an_answer_it_says_who_can_be_asked() {
        let agents = json!({"agents": [
            {"id": "b", "name": "B", "subjects": ["incident"]}, {"id": "c", "subjects": ["release"]}, {"id": "a"}, {"name": "nobody"}]});
        let brief = told(Some(&agents), None);
        assert_eq!(
            (brief.summary.as_str(), brief.details),
            ("no AI/ML agent was asked", vec!["can be asked: a, b".to_owned()])
        );
        assert_eq!(told(None, None).details, Vec::<String>::new());
    }
}
