//! Something that is open, and the change that settles it.

use std::borrow::Cow;

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use crate::evidence::brief::given::{day, days};
use crate::evidence::brief::listing::text;
use crate::evidence::graph::{Graph, Node};
use crate::evidence::words::Severity;
use crate::evidence::{Cause, Finding, FindingKind};

/// IDs that a change names.
const MOST_NAMED: usize = 3;

/// What part of the review it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Control,
    Evidence,
    ProviderBlocker,
    Finding,
    Risk,
    ReleaseCheck,
    RollbackPlan,
    /// A conclusion from all the others, so it comes last.
    Certification,
}

/// Something that is open.
#[derive(Debug, Serialize)]
pub(super) struct Open<'a> {
    pub id: Cow<'a, str>,
    pub part: Part,
    pub title: Cow<'a, str>,
    /// How it stands now.
    pub state: String,
    pub severity: Option<&'a str>,
    pub owner: Option<&'a str>,
    pub due: Option<&'a str>,
    /// Days until it is due, below zero where that day has passed.
    pub due_in_days: Option<i32>,
    pub overdue: bool,
    /// Whether the verdict waits for it.
    pub blocks: bool,
    /// Which change makes the verdict better.
    pub change: String,
    pub link: Option<&'a str>,
}

impl<'a> Open<'a> {
    pub fn new(
        id: impl Into<Cow<'a, str>>,
        part: Part,
        title: impl Into<Cow<'a, str>>,
        state: String,
        change: String,
    ) -> Self {
        Self {
            id: id.into(),
            part,
            title: title.into(),
            state,
            severity: None,
            owner: None,
            due: None,
            due_in_days: None,
            overdue: false,
            blocks: true,
            change,
            link: None,
        }
    }

    /// What blocks in an evidence graph.
    pub fn of_finding(finding: &Finding<'a>, graph: &Graph<'a>) -> Self {
        let part = match finding.cause {
            Cause::FailedControl => Part::Control,
            Cause::EvidenceGap => Part::Evidence,
            Cause::ProviderBlocker => Part::ProviderBlocker,
            Cause::OpenFinding => Part::Finding,
        };
        Self {
            severity: finding.severity,
            owner: finding.owner,
            due: finding.due,
            link: finding.link,
            ..Self::new(
                finding.id,
                part,
                finding.title,
                finding.kind.word().to_owned(),
                settles(finding, graph),
            )
        }
    }

    pub fn of_risk(risk: &Node<'a>, blocks: bool) -> Self {
        let change = format!("risk {} closed, or accepted by whoever may accept it", risk.id);
        Self {
            severity: risk.severity(),
            owner: risk.owner(),
            due: risk.due(),
            link: risk.link(),
            blocks,
            ..Self::new(risk.id, Part::Risk, risk.title_or_id(), risk.state.word().to_owned(), change)
        }
    }

    pub fn of_check(check: &'a Value, today: Date) -> Self {
        let id = text(check, "id").unwrap_or_default();
        let title = text(check, "label").unwrap_or(id);
        Self::of_item(
            check,
            today,
            Self::new(id, Part::ReleaseCheck, title, status(check), format!("check {id} passed")),
        )
    }

    pub fn of_rollback(decision: &'a Value, today: Date, blocks: bool) -> Self {
        let id = text(decision, "id").unwrap_or_default();
        let title = text(decision, "reason").unwrap_or("Rollback plan");
        let change = format!("rollback decision {id} ready, with its plan");
        let open = Self::new(id, Part::RollbackPlan, title, status(decision), change);
        Self { blocks, ..Self::of_item(decision, today, open) }
    }

    fn of_item(item: &'a Value, today: Date, open: Self) -> Self {
        let mut open = Self {
            severity: text(item, "severity"),
            owner: text(item, "owner"),
            due: text(item, "due"),
            link: text(item, "link"),
            ..open
        };
        open.date(today);
        open
    }

    /// Holds the day on which it is due against today.
    pub fn date(&mut self, today: Date) {
        self.due_in_days = self.due.and_then(day).and_then(|due| days(today, due));
        self.overdue = self.due_in_days.is_some_and(|days| days < 0);
    }

    /// The worst first, then what is due first; the certification last, as it follows from the rest.
    pub fn rank(&self) -> (bool, Severity, &str, Part, &str) {
        let is_conclusion = self.part == Part::Certification;
        (is_conclusion, Severity::of(self.severity), self.due.unwrap_or("~"), self.part, &self.id)
    }

    /// In one line; hostile text as it came.
    pub fn line(&self) -> String {
        let severity = self.severity.map(|severity| format!("{severity}: ")).unwrap_or_default();
        let owner = self.owner.unwrap_or("nobody owns it");
        let due = match (self.due, self.overdue) {
            (Some(due), true) => format!(", overdue since {due}"),
            (Some(due), false) => format!(", due {due}"),
            (None, _) => String::new(),
        };
        format!("{severity}{} ({owner}{due})", self.change)
    }
}

impl Part {
    pub const ALL: [Self; 8] = [
        Self::Control,
        Self::Evidence,
        Self::ProviderBlocker,
        Self::Finding,
        Self::Risk,
        Self::ReleaseCheck,
        Self::RollbackPlan,
        Self::Certification,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Control => "failed control",
            Self::Evidence => "evidence gap",
            Self::ProviderBlocker => "provider blocker",
            Self::Finding => "open finding",
            Self::Risk => "risk",
            Self::ReleaseCheck => "release check",
            Self::RollbackPlan => "rollback plan",
            Self::Certification => "certification",
        }
    }

    /// Several of it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Control => "failed controls",
            Self::Evidence => "evidence gaps",
            Self::ProviderBlocker => "provider blockers",
            Self::Finding => "open findings",
            Self::Risk => "risks",
            Self::ReleaseCheck => "release checks",
            Self::RollbackPlan => "rollback plans",
            Self::Certification => "certifications",
        }
    }
}

/// The word that came for a state, else what it means.
fn status(item: &Value) -> String {
    text(item, "status").or(text(item, "state")).unwrap_or("unknown").to_owned()
}

/// The change that settles what blocks, and what then can pass.
fn settles(finding: &Finding<'_>, graph: &Graph<'_>) -> String {
    let id = finding.id;
    let held: Vec<&str> = finding.blocks.iter().copied().filter(|id| graph.has_control(id)).collect();
    let then = match held.len() {
        0 => String::new(),
        1 => format!(" → control {} can pass", named(&held)),
        _ => format!(" → controls {} can pass", named(&held)),
    };
    let is_control = graph.has_control(id);
    let change = match (finding.cause, finding.kind) {
        (Cause::FailedControl, _) if finding.details.is_empty() => format!("control {id} passed"),
        (Cause::FailedControl, _) => {
            let parts: Vec<&str> = finding.details.iter().map(|detail| detail.id).collect();
            return format!("{} settled → control {id} can pass", named(&parts));
        }
        (Cause::EvidenceGap, _) if is_control => format!("control {id} decided"),
        (Cause::EvidenceGap, FindingKind::Missing) => format!("{id} present and fresh"),
        (Cause::EvidenceGap, FindingKind::Stale) => format!("{id} renewed"),
        (Cause::EvidenceGap, FindingKind::Pending) => format!("{id} brought to its end"),
        (Cause::EvidenceGap, FindingKind::Unknown) => format!("{id} in a state that is known"),
        (Cause::EvidenceGap, _) => format!("{id} passed"),
        (Cause::ProviderBlocker, _) => format!("{id} closed at its provider"),
        (Cause::OpenFinding, _) => format!("{id} resolved or waived"),
    };
    format!("{change}{then}")
}

fn named(ids: &[&str]) -> String {
    let mut shown = ids.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
    if ids.len() > MOST_NAMED {
        shown.push_str(&format!(" and {} more", ids.len() - MOST_NAMED));
    }
    shown
}
