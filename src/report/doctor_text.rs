//! An examination for people: the verdict, then every check with what was called, seen, and could not be told.

use super::artifact_words::tenant_words;
use super::doctor_view::{DoctorView, SANDBOX_EXAMINED, named, sign};
use super::layout::{Mark, bounded};
use super::page::Page;
use super::stand_in::{REPLAY_EXAMINED, StandIn};
use super::terminal::Terminal;
use crate::engine::Examination;

/// The longest sentence, in characters.
const LONGEST: usize = 600;
/// Calls that are listed before the rest is counted.
const MOST: usize = 8;

/// The whole of it.
#[must_use]
pub fn doctor_text(view: &DoctorView<'_>, terminal: &Terminal) -> String {
    let (mark, word) = view.verdict();
    let examined = view.examined;
    let mut page = Page::new(terminal);
    let parts: Vec<String> = std::iter::once(view.server.to_owned()).chain(view.about()).collect();
    page.verdict(mark, word, &parts);
    for reason in view.reasons() {
        page.under_verdict(&bounded(&reason, LONGEST));
    }
    let target = &examined.target;
    if let Some(stand_in) = StandIn::of(target.sandbox, &target.identity, SANDBOX_EXAMINED, REPLAY_EXAMINED) {
        page.under_verdict(stand_in.says);
    }
    let (ten, others): (Vec<&Examination>, Vec<&Examination>) =
        examined.checks.iter().partition(|check| check.check.number().is_some());
    for (title, checks) in [("The server", others), ("The ten checks before production", ten)] {
        page.title(title);
        for check in checks {
            one(&mut page, check);
        }
    }
    if !examined.left.is_empty() {
        page.title("Left at the server");
        for left in view.left() {
            page.item(Mark::Planned, &bounded(&left, LONGEST));
        }
        if let Some(mark) = &examined.mark {
            page.item_exact("marked", mark);
        }
    }
    let target = &examined.target;
    page.blank();
    page.fact("server", &target.identity);
    page.fact("tenant", &tenant_words(target.tenant.as_deref(), target.tenant_known_by.into()));
    page.text()
}

fn one(page: &mut Page<'_>, examination: &Examination) {
    page.item(
        sign(examination),
        &format!("{}: {}", named(examination.check), bounded(&examination.saw, LONGEST)),
    );
    if let Some(warning) = &examination.warning {
        page.item_fact("look at", &bounded(warning, LONGEST));
    }
    for (index, called) in examination.called.iter().take(MOST).enumerate() {
        let label = if index == 0 { "called" } else { "" };
        page.item_fact(
            label,
            &format!("{}: {}", bounded(&called.what, LONGEST), bounded(&called.came, LONGEST)),
        );
    }
    if let Some(more) = examination.called.len().checked_sub(MOST).filter(|more| *more > 0) {
        page.item_fact("", &format!("and {more} more"));
    }
    for (index, untold) in examination.untold.iter().enumerate() {
        let label = if index == 0 { "not told" } else { "" };
        page.item_fact(label, &bounded(untold, LONGEST));
    }
}
