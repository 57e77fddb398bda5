//! What was looked at, who decided, what happened when, and with what: what an auditor reads.

use super::element::{Element, element};
use super::part::{
    Room, Section, badge, bounded_text, cell, definition, definitions, left_out, sign, table, tone, word,
};
use crate::report::layout::took;
use crate::report::sheet::{Check, Fact, Moment, Sheet};

/// Bytes that each of these parts takes at the most.
const MOST_BYTES: usize = 1 << 20;

/// What was looked at, each with how it went. Operations have a part of their own.
pub(super) fn checks(checks: &[Check]) -> Option<Section> {
    let checks: Vec<&Check> = checks.iter().filter(|check| check.kind != "operation").collect();
    let timed = checks.iter().any(|check| check.took.is_some());
    let row = |check: &Check| {
        let Check { id, kind, mark, says, notes, took: duration } = check;
        let mut result = cell("Result").add(element("span").text(&bounded_text(says)));
        if !notes.is_empty() {
            let notes = notes.iter().map(|note| element("li").text(&bounded_text(note)));
            result = result.add(element("ul").class("notes").all(notes));
        }
        let row = element("tr")
            .add(cell("State").add(badge(*mark, word(*mark))))
            .add(
                element("th")
                    .with("scope", "row")
                    .with("data-head", "Check")
                    .add(element("code").text(&bounded_text(id))),
            )
            .add(cell("Kind").text(kind))
            .add(result);
        match timed {
            true => row.add(cell("Took").class("number").text(&duration.map_or_else(String::new, took))),
            false => row,
        }
    };
    let (rows, missing) = Room::of(MOST_BYTES).take(checks.iter().copied().map(row));
    let heads: &[&str] = match timed {
        true => &["State", "Check", "Kind", "Result", "Took"],
        false => &["State", "Check", "Kind", "Result"],
    };
    let table = table("What was looked at, in order", heads).add(element("tbody").all(rows));
    section("checks", "Checks", checks.len(), missing, table)
}

/// The records of what people decided.
pub(super) fn approvals(approvals: &[Fact]) -> Option<Section> {
    let items = approvals.iter().map(|approval| {
        let text = element("span").text(&bounded_text(&approval.text));
        match approval.text.contains(&approval.label) {
            true => element("li").add(text),
            false => {
                element("li").add(text).text(" ").add(element("code").text(&bounded_text(&approval.label)))
            }
        }
    });
    let (items, missing) = Room::of(MOST_BYTES).take(items);
    section("approvals", "Approvals", approvals.len(), missing, element("ul").class("plain").all(items))
}

/// What happened when.
pub(super) fn moments(moments: &[Moment]) -> Option<Section> {
    let items = moments.iter().map(|Moment { at, mark, says }| {
        let time = format!("{at:.3}");
        element("li")
            .class(tone(*mark))
            .add(element("time").with("datetime", &time).text(&time.replace('T', " ")))
            .text(" ")
            .add(sign(*mark))
            .text(" ")
            .add(element("span").text(&bounded_text(says)))
    });
    let (items, missing) = Room::of(MOST_BYTES).take(items);
    section("time-line", "Time line", moments.len(), missing, element("ol").class("moments").all(items))
}

/// What went in, and the digests of it.
pub(super) fn facts(facts: &[Fact]) -> Option<Section> {
    let (pairs, missing) = Room::of(MOST_BYTES).take(definitions(facts).into_iter());
    let section = section("inputs", "Inputs and digests", facts.len(), missing, element("dl").all(pairs))?;
    Some(Section { count: None, ..section })
}

/// What nobody could check.
pub(super) fn not_proven(not_proven: &[String]) -> Option<Section> {
    let items = not_proven.iter().map(|what| element("li").text(&bounded_text(what)));
    let (items, missing) = Room::of(MOST_BYTES).take(items);
    section("not-proven", "Not proven", not_proven.len(), missing, element("ul").class("plain").all(items))
}

/// The files that were left.
pub(super) fn files(files: &[String]) -> Option<Section> {
    let items = files.iter().map(|file| element("li").add(element("code").text(&bounded_text(file))));
    let (items, missing) = Room::of(MOST_BYTES).take(items);
    section("files", "Files", files.len(), missing, element("ul").class("plain").all(items))
}

/// The exit code and when it was.
pub(super) fn run_of(sheet: &Sheet<'_>) -> Element {
    let at = |label: &str, time: jiff::Timestamp| {
        let time = format!("{time:.0}");
        let shown = element("time").with("datetime", &time).text(&time.replace('T', " "));
        definition(label, element("dd").add(shown))
    };
    let plain = |label: &str, text: &str| definition(label, element("dd").text(text));
    let pairs = [
        Some(plain("Command", sheet.command)),
        Some(plain("Exit code", &sheet.exit.to_string())),
        sheet.began.map(|time| at("Began", time)),
        sheet.ended.map(|time| at("Ended", time)),
        sheet.took().map(|duration| plain("Took", &took(duration))),
    ];
    element("dl").class("run").all(pairs.into_iter().flatten())
}

/// A section of one part; none where there is nothing to say.
fn section(
    id: &'static str,
    heading: &str,
    count: usize,
    missing: usize,
    content: Element,
) -> Option<Section> {
    let content = left_out(missing, "entry", "entries").into_iter().chain([content]).collect();
    (count > 0).then(|| Section { id: id.into(), heading: heading.to_owned(), count: Some(count), content })
}
