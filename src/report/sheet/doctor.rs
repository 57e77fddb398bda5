//! An examination of a server.

use serde_json::json;

use super::{Check, Fact, Level, Problem, Rule, Sheet, identity};
use crate::engine::{self, Examination, Outcome};
use crate::report::artifact_words::tenant_words;
use crate::report::doctor_view::{DoctorView, SANDBOX_EXAMINED, named, sign};
use crate::report::layout::Mark;
use crate::report::stand_in::{REPLAY_EXAMINED, StandIn};

impl Sheet<'_> {
    /// Of what an examination came to, ended with `exit`.
    #[must_use]
    pub fn of_doctor(view: &DoctorView<'_>, exit: u8) -> Self {
        let (mark, word) = view.verdict();
        let examined = view.examined;
        let target = &examined.target;
        let mut facts = vec![
            Fact::exact("Server", target.identity.clone()),
            Fact::words("Tenant", tenant_words(target.tenant.as_deref(), target.tenant_known_by.into())),
        ];
        if !target.protocol.is_empty() {
            facts.push(Fact::words("Calls itself", format!("{} {}", target.name, target.version)));
            facts.push(Fact::words("Protocol", target.protocol.clone()));
        }
        facts.extend(view.left().into_iter().map(|left| Fact::words("Left at the server", left)));
        facts.extend(examined.mark.iter().map(|mark| Fact::exact("Marked", mark.clone())));
        let untold = |check: &Examination| -> Vec<String> {
            check.untold.iter().map(|untold| format!("{}: {untold}", check.check.as_str())).collect()
        };
        Self {
            command: "doctor",
            subject: view.server.to_owned(),
            about: view.about(),
            mark,
            word: word.to_owned(),
            exit,
            reasons: view.reasons(),
            stand_in: StandIn::of(target.sandbox, &target.identity, SANDBOX_EXAMINED, REPLAY_EXAMINED),
            began: Some(examined.began),
            ended: Some(examined.ended),
            checks: examined.checks.iter().map(check).collect(),
            problems: examined.checks.iter().filter_map(|check| problem(view, check)).collect(),
            rules: engine::Check::ALL
                .iter()
                .map(|check| Rule { id: check.as_str().to_owned(), says: check.asks().to_owned() })
                .collect(),
            evidence: None,
            briefs: Vec::new(),
            operations: Vec::new(),
            approvals: Vec::new(),
            moments: Vec::new(),
            facts,
            not_proven: examined.checks.iter().flat_map(untold).collect(),
            effect: None,
            artifact: None,
            audit: None,
            files: Vec::new(),
            next: None,
        }
    }
}

fn check(examination: &Examination) -> Check {
    let called = examination.called.iter().map(|called| format!("called {}: {}", called.what, called.came));
    let untold = examination.untold.iter().map(|untold| format!("not told: {untold}"));
    let warning = examination.warning.iter().map(|warning| format!("look at: {warning}"));
    Check {
        id: named(examination.check),
        kind: "check",
        // A test case that passed and should be looked at passed.
        mark: if examination.outcome == Outcome::Passed { Mark::Good } else { sign(examination) },
        says: examination.saw.clone(),
        notes: warning.chain(called).chain(untold).collect(),
        took: None,
    }
}

fn problem(view: &DoctorView<'_>, examination: &Examination) -> Option<Problem> {
    let name = examination.check.as_str();
    let (level, says) = match (examination.outcome, &examination.warning) {
        (Outcome::Failed, _) => (Level::Error, &examination.saw),
        (Outcome::Undecided, _) => (Level::Warning, &examination.saw),
        (Outcome::Passed, Some(warning)) => (Level::Note, warning),
        (Outcome::Passed | Outcome::NotChecked, _) => return None,
    };
    Some(Problem {
        rule: name.to_owned(),
        level,
        message: format!("server `{}`: {says}; what should hold: {}", view.server, examination.check.asks()),
        place: None,
        name: Some(format!("{}/{name}", view.server)),
        identity: identity(&json!([view.server, name])),
    })
}
