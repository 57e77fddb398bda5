//! An examination as every output of it tells.

use super::layout::Mark;
use crate::engine::{Check, Examination, Examined, Left, Outcome};

/// What is said where the sandbox was examined.
pub(super) const SANDBOX_EXAMINED: &str =
    "this was the embedded sandbox: nothing here is about a real server";

/// An examination, and what the settings call the server.
#[derive(Debug, Clone, Copy)]
pub struct DoctorView<'a> {
    /// The name.
    pub server: &'a str,
    /// What came of it.
    pub examined: &'a Examined,
}

impl DoctorView<'_> {
    /// The sign of the whole, and the word.
    pub(super) fn verdict(&self) -> (Mark, &'static str) {
        match &self.examined.cut_short {
            _ if self.examined.unknown => (Mark::Doubt, "outcome unknown"),
            Some(conclusion) => (Mark::Bad, conclusion.as_str()),
            None if self.examined.count(Outcome::Failed) > 0 => (Mark::Bad, "failed"),
            None if self.examined.count(Outcome::Undecided) > 0 => (Mark::Doubt, "undecided"),
            None => (Mark::Good, "passed"),
        }
    }

    /// Why, a sentence each.
    pub(super) fn reasons(&self) -> Vec<String> {
        let examined = self.examined;
        let mut reasons = Vec::new();
        reasons.extend(examined.cut_short_by());
        let ten = |outcome: Outcome| {
            let of = |check: &&Examination| check.check.number().is_some() && check.outcome == outcome;
            examined.checks.iter().filter(of).count()
        };
        reasons.push(format!(
            "of the ten checks: {} passed, {} failed, {} undecided, {} not made",
            ten(Outcome::Passed),
            ten(Outcome::Failed),
            ten(Outcome::Undecided),
            ten(Outcome::NotChecked)
        ));
        reasons
    }

    /// For whom, and on what, in a few words each.
    pub(super) fn about(&self) -> Vec<String> {
        let target = &self.examined.target;
        let mut about: Vec<String> = target.tenant.iter().cloned().collect();
        if target.identity != self.server {
            about.push(target.identity.clone());
        }
        about
    }

    /// What was left, in words.
    pub(super) fn left(&self) -> Vec<String> {
        let words = |left: &Left| match left.ids.is_empty() {
            true => format!("{}, under IDs that nobody names", left.what),
            false => format!("{}: {}", left.what, left.ids.join(", ")),
        };
        self.examined.left.iter().map(words).collect()
    }
}

/// The sign of a check.
pub(super) fn sign(examination: &Examination) -> Mark {
    match examination.outcome {
        Outcome::Passed if examination.warning.is_some() => Mark::Warning,
        Outcome::Passed => Mark::Good,
        Outcome::Failed => Mark::Bad,
        Outcome::Undecided => Mark::Doubt,
        Outcome::NotChecked => Mark::Idle,
    }
}

/// Its name, with its number among the ten.
pub(super) fn named(check: Check) -> String {
    match check.number() {
        Some(number) => format!("{number} {}", check.as_str()),
        None => check.as_str().to_owned(),
    }
}
