//! The tool lock, held against what a server offers.

use serde_json::json;

use super::{Check, Fact, Level, Place, Problem, Rule, Sheet, identity};
use crate::catalog::lock::{Change, ChangeCode};
use crate::core::Class;
use crate::report::layout::Mark;
use crate::report::lock_view::{LockDone, LockView};

/// Names that a message lists at most.
const MOST_PLACES: usize = 5;

impl Sheet<'_> {
    /// Of a lock that was compared or written, ended with `exit`.
    #[must_use]
    pub fn of_lock(view: &LockView<'_>, exit: u8) -> Self {
        let fails = view.fails();
        let (mark, word) = match (fails, view.done) {
            (true, _) => (Mark::Bad, "changed"),
            (false, LockDone::Checked) => (Mark::Good, "as locked"),
            (false, LockDone::Written) => (Mark::Good, "locked"),
        };
        let reads = view.locked.tools.values().filter(|tool| tool.class == Class::Read).count();
        let of = |name: &str| -> Vec<&Change> {
            view.changes.iter().filter(|change| change.tool.as_deref() == Some(name)).collect()
        };
        let mut checks: Vec<Check> =
            view.locked.tools.keys().map(|tool| check(tool, "tool", &of(tool))).collect();
        let others: Vec<&Change> = view
            .changes
            .iter()
            .filter(|change| !change.tool.as_ref().is_some_and(|tool| view.locked.tools.contains_key(tool)))
            .collect();
        checks.extend(
            others
                .iter()
                .map(|change| check(change.tool.as_deref().unwrap_or(view.server), "server", &[change])),
        );
        Self {
            command: "lock",
            subject: view.server.to_owned(),
            about: vec![view.file.to_owned()],
            mark,
            word: word.to_owned(),
            exit,
            reasons: view
                .changes
                .iter()
                .filter(|change| change.fails && fails)
                .map(ToString::to_string)
                .collect(),
            stand_in: None,
            began: None,
            ended: None,
            checks,
            problems: view.changes.iter().map(|change| problem(view, change)).collect(),
            rules: ChangeCode::ALL
                .iter()
                .map(|code| Rule { id: code.as_str().to_owned(), says: code.meaning().to_owned() })
                .collect(),
            evidence: None,
            briefs: Vec::new(),
            operations: Vec::new(),
            approvals: Vec::new(),
            moments: Vec::new(),
            facts: vec![
                Fact::words("Tools", format!("{}, {reads} of them read", view.locked.tools.len())),
                Fact::words("Taken with", format!("the {} credential", view.locked.role)),
            ],
            not_proven: Vec::new(),
            effect: None,
            artifact: None,
            audit: None,
            files: vec![view.file.to_owned()],
            next: None,
        }
    }
}

fn check(name: &str, kind: &'static str, changes: &[&Change]) -> Check {
    let mark = match changes {
        [] => Mark::Good,
        some if some.iter().any(|change| change.fails) => Mark::Bad,
        _ => Mark::Warning,
    };
    let says = match changes {
        [] => "as locked".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    };
    Check { id: name.to_owned(), kind, mark, says, notes: Vec::new(), took: None }
}

fn problem(view: &LockView<'_>, change: &Change) -> Problem {
    let mut message = match change.tool.as_deref() {
        Some(tool) => format!("{} Server `{}`, tool `{tool}`.", change.code.meaning(), view.server),
        None => format!("{} Server `{}`.", change.code.meaning(), view.server),
    };
    if !change.places.is_empty() {
        let places = change.places.iter().take(MOST_PLACES).map(|place| format!("`{}`", place.at));
        message.push_str(&format!(" It differs at {}.", places.collect::<Vec<_>>().join(", ")));
    }
    let place = view.place(change);
    Problem {
        rule: change.code.as_str().to_owned(),
        level: if change.fails { Level::Error } else { Level::Note },
        message,
        place: Some(Place {
            file: view.file.to_owned(),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
        }),
        name: change.tool.clone(),
        identity: identity(&json!([view.server, change.tool, change.code.as_str()])),
    }
}
