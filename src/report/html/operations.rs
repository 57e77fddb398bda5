//! What would be sent, or was: each payload whole, or not at all.

use serde_json::Value;

use super::element::{Element, element};
use super::part::{Room, Section, bounded_text, definition, definitions, left_out, sign, tone};
use crate::core::Digest;
use crate::core::printable::indented;
use crate::report::artifact_words::Titled;
use crate::report::layout::count;
use crate::report::sheet::Proposal;

/// Bytes that all payloads take at the most, and all the rest of the operations.
const MOST_PAYLOAD: usize = 6 << 20;
const MOST_BYTES: usize = 2 << 20;
/// Titles that an operation shows.
const MOST_TITLES: usize = 100;
/// Levels that a title is indented by.
const MOST_DEPTH: usize = 6;

/// The operations; none where nothing is planned.
pub(super) fn operations(operations: &[Proposal]) -> Option<Section> {
    if operations.is_empty() {
        return None;
    }
    let mut payloads = Room::of(MOST_PAYLOAD);
    let each = operations
        .iter()
        .enumerate()
        .map(|(index, operation)| (operation, payload(operation, index, &mut payloads)));
    let each: Vec<_> = each.collect();
    let mut room = Room::of(MOST_BYTES);
    let mut content = Vec::with_capacity(each.len());
    let mut missing = 0;
    for (operation, payload) in each {
        let told = told(operation);
        if room.fits(told.size()) {
            content.push(told.add(payload));
        } else {
            missing += 1;
        }
    }
    content.extend(left_out(missing, "operation", "operations"));
    Some(Section {
        id: "operations".into(),
        heading: "Operations".to_owned(),
        count: Some(operations.len()),
        content,
    })
}

fn told(operation: &Proposal) -> Element {
    let Proposal { id, tool, mark, word, reason, facts, items, payload: _ } = operation;
    let head = element("h3")
        .add(sign(*mark))
        .add(element("code").text(&bounded_text(id)))
        .text(" ")
        .add(element("span").with("class", format_args!("word {}", tone(*mark))).text(word));
    let tool = definition("Tool", element("dd").add(element("code").text(&bounded_text(tool))));
    let reason = definition("Reason", element("dd").text(&bounded_text(reason)));
    let article = element("article")
        .with("class", format_args!("operation {}", tone(*mark)))
        .add(head)
        .add(element("dl").add(tool).add(reason).all(definitions(facts)));
    match titles(items) {
        Some(titles) => article.all(titles),
        None => article,
    }
}

/// What is created, and in what.
fn titles(items: &[Titled]) -> Option<[Element; 2]> {
    if items.is_empty() {
        return None;
    }
    let item = |Titled { depth, title, facts }: &Titled| {
        let item = element("li")
            .with("class", format_args!("depth-{}", (*depth).min(MOST_DEPTH)))
            .text(&bounded_text(title));
        match facts.is_empty() {
            true => item,
            false => {
                item.text(" ").add(element("span").class("quiet").text(&bounded_text(&facts.join(", "))))
            }
        }
    };
    let mut list = element("ol").class("titles").all(items.iter().take(MOST_TITLES).map(item));
    if items.len() > MOST_TITLES {
        let more = format!("and {} more, which stand in the payload", items.len() - MOST_TITLES);
        list = list.add(element("li").class("quiet").text(&more));
    }
    let head = element("h4").text(&format!("What is in it: {}", count(items.len(), "title", "titles")));
    Some([head, list])
}

/// The payload, never cut: where it does not fit, its digest stands for it.
fn payload(operation: &Proposal, index: usize, room: &mut Room) -> Element {
    let value = Value::Object(operation.payload.clone());
    let id = format!("payload-{index}");
    let head = element("h4").with("id", &id).text("Payload, exact and whole");
    let shown = element("pre").add(element("code").json(&value));
    match room.fits(shown.size()) {
        true => element("section").class("payload").with("aria-labelledby", &id).add(head).add(
            // It scrolls, so it can be reached by keyboard.
            element("div").class("canvas").with("tabindex", 0).add(shown),
        ),
        false => {
            let text = indented(&value);
            element("p").class("notice").text(&format!(
                "The payload has {} bytes and is not shown here, for it is never cut. The artifact has it; as indented \
                 JSON its digest is {}.",
                text.len(),
                Digest::of_bytes(text.as_bytes())
            ))
        }
    }
}
