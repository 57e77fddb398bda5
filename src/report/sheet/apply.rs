//! A finished `apply` or `reconcile`.

use serde_json::json;

use super::run::planned;
use super::{Check, Fact, Level, Moment, Place, Problem, Proposal, Rule, Sheet, identity};
use crate::ledger::{Event, Status};
use crate::report::apply_line::happened;
use crate::report::apply_text::{ApplyView, SANDBOX_EFFECT};
use crate::report::apply_words::{Said, Told, about, effect_mark, standing, told};
use crate::report::approval_words::decided;
use crate::report::artifact_words::{outline, planner, tenant_words};
use crate::report::layout::Mark;
use crate::report::stand_in::StandIn;

/// The rules for operations.
const RULES: [(&str, &str); 3] = [
    ("applied", "What was approved takes place."),
    ("known", "What became of everything that was sent is known."),
    ("as-planned", "What was created is what was planned."),
];

/// What the command line knows besides.
#[derive(Debug, Clone, Copy)]
pub struct ApplyOutputs<'a> {
    /// `apply` or `reconcile`.
    pub command: &'static str,
    /// The artifact's file, as a person in the working folder would name it.
    pub artifact: &'a str,
    /// The events of the effect.
    pub events: &'a [Event],
    /// The exit code.
    pub exit: u8,
}

impl Sheet<'_> {
    /// Of what an apply or a reconcile came to.
    #[must_use]
    pub fn of_apply(view: &ApplyView<'_>, outputs: &ApplyOutputs<'_>) -> Self {
        let ApplyOutputs { command, artifact, events, exit } = *outputs;
        let ApplyView { document, state, label, conclusion, message, head, count, audit, next } = view;
        let told = told(document, state);
        let audit = audit.as_ref().map(|path| path.to_string_lossy().into_owned());
        let moments = events.iter().filter_map(|event| {
            happened(event, document, "…").map(|(mark, says)| Moment { at: event.at, mark, says })
        });
        let target = &document.target;
        let mut facts = vec![
            Fact::words("Tenant", tenant_words(target.tenant.as_deref(), target.tenant_known_by)),
            Fact::exact("Server", target.server.identity.clone()),
            Fact::exact("Effect digest, which an approval names", document.effect_digest.to_string()),
            Fact::exact("File digest", document.file_digest.to_string()),
            Fact::exact("Recipe", format!("{} {}", document.recipe.name, document.recipe.digest)),
            Fact::words("Planned by", planner(&document.planned_by)),
        ];
        if let Some(head) = head {
            facts.push(Fact::exact("Ledger chain", format!("{head}, {count} events")));
        }
        Self {
            command,
            subject: document.recipe.name.clone(),
            about: about(document).into_iter().skip(1).collect(),
            mark: effect_mark(label, document, state),
            word: label.clone(),
            exit,
            reasons: vec![format!("{conclusion}: {message}")],
            // Nothing of a replay is applied.
            stand_in: target.sandbox.then(|| StandIn::sandbox(SANDBOX_EFFECT)),
            began: state.runs.last().map(|run| run.at),
            ended: events.last().map(|event| event.at),
            checks: told.iter().map(check).collect(),
            problems: told
                .iter()
                .filter_map(|told| problem(told, target.tenant.as_deref(), artifact))
                .collect(),
            rules: RULES.iter().map(|(id, says)| Rule { id: (*id).into(), says: (*says).into() }).collect(),
            evidence: None,
            briefs: Vec::new(),
            operations: told.iter().map(proposal).collect(),
            approvals: state
                .records
                .iter()
                .map(|filed| Fact::words(filed.record.id.as_str(), decided(filed)))
                .collect(),
            moments: moments.collect(),
            facts,
            not_proven: document.not_proven.clone(),
            effect: Some(document.effect_digest.clone()),
            artifact: Some(artifact.to_owned()),
            files: std::iter::once(artifact.to_owned()).chain(audit.clone()).collect(),
            audit,
            next: next.clone(),
        }
    }
}

fn check(told: &Told<'_>) -> Check {
    let (_, word) = standing(&told.status);
    let said = told.facts().into_iter().map(|said| match said {
        Said::Words(label, text) | Said::Exact(label, text) if label.is_empty() => text,
        Said::Words(label, text) | Said::Exact(label, text) => format!("{label}: {text}"),
    });
    Check {
        id: told.operation.id.clone(),
        kind: "operation",
        mark: told.mark(),
        says: format!("{word} ({})", told.operation.tool),
        notes: said.collect(),
        took: None,
    }
}

fn problem(told: &Told<'_>, tenant: Option<&str>, artifact: &str) -> Option<Problem> {
    let (rule, level) = match (&told.status, told.mark()) {
        (Status::Unknown { .. }, _) => ("known", Level::Error),
        (Status::NotApplied { .. } | Status::Untouched, _) => ("applied", Level::Error),
        (Status::Applied { .. }, Mark::Warning) => ("as-planned", Level::Error),
        (Status::Applied { .. }, Mark::Doubt) => ("as-planned", Level::Warning),
        (Status::Applied { .. }, _) => return None,
    };
    let check = check(told);
    let mut message = format!("{}: {}", check.id, check.says);
    for note in &check.notes {
        message.push_str(&format!("; {note}"));
    }
    Some(Problem {
        rule: rule.to_owned(),
        level,
        message,
        place: Some(Place::file(artifact)),
        name: Some(check.id),
        identity: identity(&json!([rule, tenant, told.operation.idempotency_key])),
    })
}

fn proposal(told: &Told<'_>) -> Proposal {
    let (_, word) = standing(&told.status);
    let mut facts: Vec<Fact> = told
        .facts()
        .into_iter()
        .map(|said| match said {
            Said::Words(label, text) => Fact::words(label, text),
            Said::Exact(label, text) => Fact::exact(label, text),
        })
        .collect();
    facts.extend(planned(told.operation));
    Proposal {
        id: told.operation.id.clone(),
        tool: told.operation.tool.clone(),
        mark: told.mark(),
        word: word.to_owned(),
        reason: told.operation.reason.clone(),
        facts,
        items: outline(&told.operation.arguments),
        payload: told.operation.arguments.clone(),
    }
}
