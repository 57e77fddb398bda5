//! Whether a release is ready, for which reasons, and what would change that.
//!
//! Ready is only what nothing open speaks against and everything that was asked for is there: the certification
//! passes, nothing in its evidence blocks, no risk above the accepted severity is open, the release checks and the
//! rollback plan are settled. What nobody can tell makes it undecided.

mod open;

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::listing::{Listed, state, text};
use super::{Brief, Given, View, first};
use crate::core::text::excerpt;
use crate::evidence::doubt::Doubts;
use crate::evidence::graph::{Graph, Limits, Node};
use crate::evidence::words::{NodeKind, Severity, State};
use crate::evidence::{Findings, analyze};
use open::{Open, Part};

/// Open things that the summary's details name.
const MOST_DETAILS: usize = 6;

/// How one part of the review came out.
#[derive(Debug, Serialize)]
struct Reason {
    part: &'static str,
    verdict: &'static str,
    says: String,
}

/// What the recipe asks for.
struct Asked {
    today: Date,
    most_open_checks: f64,
    require_checks: bool,
    require_rollback_plan: bool,
    accept_risks_up_to: Option<Severity>,
}

/// The review so far.
struct Review<'a> {
    asked: Asked,
    doubts: Doubts,
    reasons: Vec<Reason>,
    open: Vec<Open<'a>>,
}

/// Judges the release whose evidence graph stands under `of`, with its `certification`, and its `checks` and
/// `rollback` decisions where the server has them. `as_of` is the day that due dates are held against. At most
/// `most_open_checks` may still be open, none failed or overdue; open risks up to `accept_risks_up_to` are tolerated.
///
/// # Errors
/// `of` is no evidence graph, or what the recipe says has the wrong type.
pub fn readiness(given: &Given<'_>) -> Result<Brief, String> {
    let today = given.day("as_of")?.ok_or("`as_of` is needed: there is no clock here")?;
    let asked = Asked {
        today,
        most_open_checks: given.number("most_open_checks")?.unwrap_or_default(),
        require_checks: given.flag("require_checks")?.unwrap_or(true),
        require_rollback_plan: given.flag("require_rollback_plan")?.unwrap_or(true),
        accept_risks_up_to: accepted(given.with.get("accept_risks_up_to"))?,
    };
    let graph = Graph::read(given.of()?, &Limits::default()).map_err(|error| error.to_string())?;
    let findings = analyze(&graph);
    let mut review = Review { asked, doubts: Doubts::default(), reasons: Vec::new(), open: Vec::new() };
    review.certification(given.from.get("certification").copied());
    review.evidence(&graph, &findings);
    review.risks(&graph, &findings);
    review.checks(given.from.get("checks").copied());
    review.rollback(given.from.get("rollback").copied());
    review.brief()
}

/// The severity up to which open risks are tolerated; none where no risk is.
fn accepted(value: Option<&Value>) -> Result<Option<Severity>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(word)) if word == "none" => Ok(None),
        Some(Value::String(word)) if Severity::of(Some(word)) != Severity::Unknown => {
            Ok(Some(Severity::of(Some(word))))
        }
        Some(other) => {
            Err(format!("`accept_risks_up_to` is no severity: {}", excerpt(&other.to_string(), 40)))
        }
    }
}

impl<'a> Review<'a> {
    fn certification(&mut self, certification: Option<&'a Value>) {
        let certification = certification.unwrap_or(&Value::Null);
        let id = text(certification, "id");
        let status = text(certification, "status").or(text(certification, "state")).unwrap_or("unknown");
        let says = excerpt(&format!("{} is {status}", id.unwrap_or("the certification")), 120);
        let verdict = match state(certification) {
            State::Pass if id.is_some() => "holds",
            State::Fail | State::Pending => "does not hold",
            _ => "undecided",
        };
        if verdict == "undecided" {
            self.doubts.check(true, &format!("nobody can say how the certification stands: {says}"));
        }
        self.reason("certification", verdict, says);
        if verdict != "holds" {
            let id = id.unwrap_or_default();
            let change = format!("certification {id} certified, once the rest is settled");
            self.open.push(Open {
                owner: text(certification, "team"),
                ..Open::new(id, Part::Certification, "The certification", status.to_owned(), change)
            });
        }
    }

    /// What blocks in the evidence graph.
    fn evidence(&mut self, graph: &Graph<'a>, findings: &Findings<'a>) {
        let (counts, undecided) = (&findings.counts, !findings.undecided.is_empty());
        self.doubts.0.extend(findings.undecided.iter().cloned());
        let parts = [
            (
                "controls",
                counts.blocking.failed_controls,
                "failed",
                counts.controls.all(),
                "control",
                "controls",
            ),
            (
                "evidence",
                counts.blocking.evidence_gaps,
                "lacking",
                counts.evidence.all(),
                "piece of evidence",
                "pieces of evidence",
            ),
            (
                "provider blockers",
                counts.blocking.provider_blockers,
                "open",
                counts.provider_blockers.all(),
                "blocker",
                "blockers",
            ),
            (
                "findings",
                counts.blocking.open_findings,
                "open besides those of failed controls",
                counts.findings.all(),
                "finding",
                "findings",
            ),
        ];
        for (part, bad, how, all, one, many) in parts {
            let verdict = match (bad, undecided) {
                (0, true) => "undecided",
                (0, false) => "holds",
                _ => "does not hold",
            };
            let of = counted(all, one, many);
            self.reason(
                part,
                verdict,
                format!("{} {how}, of {of}", if bad == 0 { "none".to_owned() } else { bad.to_string() }),
            );
        }
        self.open.extend(findings.blocking.iter().map(|finding| Open::of_finding(finding, graph)));
    }

    /// Open risks that no edge makes block: those above what is accepted.
    fn risks(&mut self, graph: &Graph<'a>, findings: &Findings<'a>) {
        let blocking: BTreeSet<&str> = findings.blocking.iter().map(|finding| finding.id).collect();
        let risks =
            graph.nodes.iter().filter(|node| node.kind == NodeKind::Risk && !blocking.contains(node.id));
        let (mut above, mut tolerated, mut unclear, mut all): (usize, usize, Vec<&Node<'a>>, usize) =
            (0, 0, Vec::new(), 0);
        for risk in risks {
            all += 1;
            let severity = Severity::of(risk.severity());
            let (is_open, is_known) = match risk.state {
                State::Pass | State::Waived => continue,
                State::Fail | State::Pending => (true, severity != Severity::Unknown),
                State::Unknown | State::Missing | State::Stale => (false, false),
            };
            let is_accepted =
                is_known && self.asked.accept_risks_up_to.is_some_and(|limit| severity >= limit);
            if !is_known {
                unclear.push(risk);
            }
            above += usize::from(is_open && is_known && !is_accepted);
            tolerated += usize::from(is_accepted);
            self.open.push(Open::of_risk(risk, !is_accepted));
        }
        let verdict = match (above, unclear.is_empty()) {
            (0, true) => "holds",
            (0, false) => "undecided",
            _ => "does not hold",
        };
        let says = format!(
            "{above} open and not accepted, {tolerated} open and accepted, of {}",
            counted(all, "risk", "risks")
        );
        self.doubts.add(unclear.into_iter(), |risk| match risk.state {
            State::Fail | State::Pending => {
                format!("risk `{}` is open, and how severe it is is not known", excerpt(risk.id, 80))
            }
            _ => format!("nobody can say whether risk `{}` is settled", excerpt(risk.id, 80)),
        });
        self.reason("risks", verdict, says);
    }

    fn checks(&mut self, checks: Option<&'a Value>) {
        let before = self.doubts.0.len();
        let listed = checks.map(Listed::read);
        let (mut failed, mut overdue, mut still_open): (usize, usize, usize) = (0, 0, 0);
        let items = listed.as_ref().map(|listed| listed.items).unwrap_or_default();
        let mut unclear = Vec::new();
        let mut places = Vec::new();
        for check in items {
            let id = text(check, "id");
            let stands = state(check);
            let is_settled = matches!(stands, State::Pass | State::Waived);
            if id.is_some() && is_settled {
                continue;
            }
            let open = Open::of_check(check, self.asked.today);
            match stands {
                _ if id.is_none() => unclear.push("without an ID".to_owned()),
                State::Fail => failed += 1,
                State::Pending if open.overdue => overdue += 1,
                State::Pending => {
                    still_open += 1;
                    places.push(self.open.len());
                }
                _ => unclear.push(format!("`{}` is `{}`", excerpt(&open.id, 80), excerpt(&open.state, 40))),
            }
            self.open.push(open);
        }
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2⁵³ checks")]
        let too_many = still_open as f64 > self.asked.most_open_checks;
        for place in places {
            if let Some(open) = self.open.get_mut(place) {
                open.blocks = too_many;
            }
        }
        let required = self.asked.require_checks;
        self.doubts.check(
            required && listed.is_none(),
            "the server offers no release checks, and they are required",
        );
        self.doubts.check(
            listed.as_ref().is_some_and(|listed| !listed.is_complete),
            "the list of release checks is not complete",
        );
        self.doubts.check(
            required && listed.is_some() && items.is_empty(),
            "no release check is visible, and they are required",
        );
        self.doubts.add(unclear.into_iter(), |check| {
            format!("nobody can say whether a release check is settled: {check}")
        });
        let verdict = match (failed + overdue > 0 || too_many, self.doubts.0.len() > before) {
            (true, _) => "does not hold",
            (false, true) => "undecided",
            (false, false) => "holds",
        };
        let says = match &listed {
            None => "the server does not offer them".to_owned(),
            Some(_) => format!(
                "{failed} failed, {overdue} overdue, {still_open} still open of at most {}, of {}",
                self.asked.most_open_checks,
                counted(items.len(), "check", "checks")
            ),
        };
        self.reason("release checks", verdict, says);
    }

    fn rollback(&mut self, rollback: Option<&'a Value>) {
        let before = self.doubts.0.len();
        let required = self.asked.require_rollback_plan;
        let listed = rollback.map(Listed::read);
        let items = listed.as_ref().map(|listed| listed.items).unwrap_or_default();
        // The plan that counts is the one that was decided last; what was decided before it is history.
        let plan = items
            .iter()
            .filter(|item| state(item) == State::Pass && text(item, "id").is_some())
            .max_by_key(|item| (text(item, "decided"), text(item, "id")));
        let decided = plan.and_then(|plan| text(plan, "decided"));
        let mut unclear = Vec::new();
        let mut open = 0;
        for item in items {
            let stands = state(item);
            if matches!(stands, State::Pass | State::Waived) && text(item, "id").is_some() {
                continue;
            }
            let is_history = text(item, "decided").zip(decided).is_some_and(|(one, last)| one < last);
            if is_history {
                continue;
            }
            let one = Open::of_rollback(item, self.asked.today, required);
            match stands {
                State::Fail | State::Pending | State::Missing if text(item, "id").is_some() => open += 1,
                _ => unclear.push(format!("`{}` is `{}`", excerpt(&one.id, 80), excerpt(&one.state, 40))),
            }
            self.open.push(one);
        }
        let shows = plan.map(|plan| text(plan, "plan").or(text(plan, "reason")));
        if required {
            self.doubts.check(
                listed.is_none(),
                "the server offers no rollback decisions, and a rollback plan is required",
            );
            self.doubts.check(
                listed.as_ref().is_some_and(|listed| !listed.is_complete),
                "the list of rollback decisions is not complete",
            );
            self.doubts.check(
                listed.is_some() && items.is_empty(),
                "no rollback decision is visible, and a rollback plan is required",
            );
            self.doubts.check(
                shows == Some(None),
                "the rollback decision says neither a plan nor why none is needed",
            );
            self.doubts.add(unclear.into_iter(), |one| {
                format!("nobody can say whether a rollback decision is settled: {one}")
            });
        }
        let verdict = match (required, open > 0, self.doubts.0.len() > before) {
            (false, ..) => "not asked for",
            (true, true, _) => "does not hold",
            (true, false, true) => "undecided",
            (true, false, false) => "holds",
        };
        let says = match (plan.and_then(|plan| text(plan, "id")), &listed) {
            (_, None) => "the server does not offer them".to_owned(),
            (Some(id), _) => {
                let status = plan.and_then(|plan| text(plan, "status")).unwrap_or("settled");
                let besides = if open > 0 { format!("; {open} more not settled") } else { String::new() };
                format!("{} is {}{besides}", excerpt(id, 80), excerpt(status, 40))
            }
            (None, Some(_)) => "no plan that is ready".to_owned(),
        };
        self.reason("rollback plan", verdict, says);
    }

    fn reason(&mut self, part: &'static str, verdict: &'static str, says: String) {
        self.reasons.push(Reason { part, verdict, says });
    }

    fn brief(mut self) -> Result<Brief, String> {
        for open in &mut self.open {
            open.date(self.asked.today);
        }
        self.open.sort_by(|one, other| one.rank().cmp(&other.rank()));
        let (changes, tolerated): (Vec<_>, Vec<_>) = self.open.into_iter().partition(|open| open.blocks);
        let overdue = changes.iter().filter(|open| open.overdue).count();
        let mut undecided = self.doubts.0;
        let mut said = BTreeSet::new();
        undecided.retain(|reason| said.insert(reason.clone()));
        let fails = self.reasons.iter().any(|reason| reason.verdict == "does not hold");
        let verdict = match (undecided.is_empty(), fails) {
            (false, _) => "undecided",
            (true, true) => "not ready",
            (true, false) => "ready",
        };
        let mut brief = Brief { undecided, ..Brief::default() };
        brief.summary = summary(verdict, &changes, tolerated.len(), overdue);
        brief.put("verdict", verdict)?;
        brief.put("as_of", self.asked.today.to_string())?;
        brief.put("reasons", &self.reasons)?;
        brief.put("overdue", overdue)?;
        brief.details = first(changes.iter().map(Open::line), MOST_DETAILS, "");
        brief.put("changes", &changes)?;
        brief.put("tolerated", &tolerated)?;
        brief.views = vec![
            View::table("Reasons", "reasons", &[("Part", "part"), ("Verdict", "verdict"), ("Says", "says")]),
            View::table("What would change it", "changes", OPEN),
        ];
        if !tolerated.is_empty() {
            brief.views.push(View::table("Tolerated", "tolerated", OPEN));
        }
        Ok(brief)
    }
}

/// How what is open is shown.
const OPEN: &[(&str, &str)] = &[
    ("Severity", "severity"),
    ("Change", "change"),
    ("Now", "state"),
    ("What", "title"),
    ("ID", "id"),
    ("Kind", "part"),
    ("Owner", "owner"),
    ("Due", "due"),
    ("Overdue", "overdue"),
];

fn summary(verdict: &str, changes: &[Open<'_>], tolerated: usize, overdue: usize) -> String {
    let count = |part: Part| changes.iter().filter(|open| open.part == part).count();
    let mut parts: Vec<String> = Part::ALL
        .into_iter()
        .filter(|part| count(*part) > 0)
        .map(|part| match part {
            Part::RollbackPlan => "no rollback plan".to_owned(),
            Part::Certification => "not certified".to_owned(),
            part => counted(count(part), part.word(), part.words()),
        })
        .collect();
    if overdue > 0 {
        parts.push(format!("{overdue} of them overdue"));
    }
    let tolerated = match tolerated {
        0 => String::new(),
        one => format!("; {one} tolerated"),
    };
    match (verdict, parts.is_empty()) {
        ("ready", _) => format!("ready: nothing is open that counts{tolerated}"),
        (verdict, true) => format!("{verdict}{tolerated}"),
        ("undecided", false) => format!("undecided; open are at least {}{tolerated}", parts.join(", ")),
        (verdict, false) => format!("{verdict}: {}{tolerated}", parts.join(", ")),
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
