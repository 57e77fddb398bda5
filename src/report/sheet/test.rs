//! The cases of recipes.

use std::time::Duration;

use serde_json::json;

use super::{Check, Level, Place, Problem, Rule, Sheet, identity};
use crate::artifact::REPLAY;
use crate::report::layout::Mark;
use crate::report::run_text::SANDBOX_RUN;
use crate::report::stand_in::{CASES_REPLAYED, StandIn};
use crate::report::test_text::{TestedCase, told, verdict};

/// The rule of cases.
const RULE: &str = "case";

impl Sheet<'_> {
    /// Of cases that were tried out, ended with `exit`.
    #[must_use]
    pub fn of_test(tested: &[TestedCase], exit: u8) -> Self {
        let failed = tested.iter().filter(|case| !case.wrong.is_empty()).count();
        let (mark, word) = verdict(failed);
        Self {
            command: "test",
            subject: "recipes".to_owned(),
            about: vec![told(tested.len(), failed)],
            mark,
            word: word.to_owned(),
            exit,
            reasons: Vec::new(),
            stand_in: match tested.iter().any(|case| case.recording.is_some()) {
                true => StandIn::of(false, REPLAY, SANDBOX_RUN, CASES_REPLAYED),
                false => Some(StandIn::sandbox(SANDBOX_RUN)),
            },
            began: None,
            ended: None,
            checks: tested.iter().map(check).collect(),
            problems: tested.iter().filter_map(problem).collect(),
            rules: vec![Rule {
                id: RULE.to_owned(),
                says: "A recipe does what its case expects.".to_owned(),
            }],
            evidence: None,
            briefs: Vec::new(),
            operations: Vec::new(),
            approvals: Vec::new(),
            moments: Vec::new(),
            facts: Vec::new(),
            not_proven: Vec::new(),
            effect: None,
            artifact: None,
            audit: None,
            files: Vec::new(),
            next: None,
        }
    }
}

fn check(case: &TestedCase) -> Check {
    let passed = case.wrong.is_empty();
    Check {
        id: format!("{}: {}", case.recipe, case.case),
        kind: "case",
        mark: if passed { Mark::Good } else { Mark::Bad },
        says: if passed { "as expected".to_owned() } else { case.wrong.join("; ") },
        notes: Vec::new(),
        took: Some(case.took).filter(|took| *took > Duration::ZERO),
    }
}

fn problem(case: &TestedCase) -> Option<Problem> {
    (!case.wrong.is_empty()).then(|| Problem {
        rule: RULE.to_owned(),
        level: Level::Error,
        message: format!("{}: {}", case.case, case.wrong.join("; ")),
        place: Some(Place { line: case.line, ..Place::file(&case.file) }),
        name: Some(case.case.clone()),
        identity: identity(&json!([case.file, case.case])),
    })
}
