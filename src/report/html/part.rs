//! What the parts of the page are made from.

use std::borrow::Cow;

use super::element::{Element, element};
use crate::report::layout::{Mark, bounded, count};
use crate::report::sheet::Fact;

/// The longest text that is no payload, in characters.
const LONGEST: usize = 1000;

/// A part with its heading.
pub(super) struct Section {
    /// Its anchor.
    pub id: Cow<'static, str>,
    /// Its heading.
    pub heading: String,
    /// How much there is in it, where that can be counted.
    pub count: Option<usize>,
    /// What stands in it.
    pub content: Vec<Element>,
}

impl Section {
    /// Its entry in the list of parts.
    pub fn entry(&self) -> Element {
        let link = element("a").with("href", format_args!("#{}", self.id)).text(&self.heading);
        element("li").add(match self.count {
            Some(count) => link.text(" ").add(element("span").class("count").text(&grouped(count))),
            None => link,
        })
    }

    /// All of it.
    pub fn element(self) -> Element {
        let Self { id, heading, count, content } = self;
        let heading_id = format!("{id}-heading");
        let head = element("h2").with("id", &heading_id).text(&heading);
        let head = match count {
            Some(count) => head.text(" ").add(element("span").class("count").text(&grouped(count))),
            None => head,
        };
        element("section").with("id", &id).with("aria-labelledby", heading_id).add(head).all(content)
    }
}

/// The room of a part, in bytes: what does not fit is left out and counted.
pub(super) struct Room(usize);

impl Room {
    pub fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// As many of the elements as fit, and how many do not.
    pub fn take(&mut self, elements: impl ExactSizeIterator<Item = Element>) -> (Vec<Element>, usize) {
        let all = elements.len();
        let mut taken = Vec::new();
        for element in elements {
            if !self.fits(element.size()) {
                break;
            }
            taken.push(element);
        }
        let left_out = all.saturating_sub(taken.len());
        (taken, left_out)
    }

    /// Takes the room for `bytes`, where there is so much.
    pub fn fits(&mut self, bytes: usize) -> bool {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

/// What is said where something is left out.
pub(super) fn left_out(number: usize, one: &str, many: &str) -> Option<Element> {
    let says = format!(
        "{} did not fit here: this page is bounded, the files of the command are not.",
        count(number, one, many)
    );
    (number > 0).then(|| element("p").class("notice").text(&says))
}

/// Text that is no payload, cut where it is very long.
pub(super) fn bounded_text(text: &str) -> String {
    bounded(text, LONGEST)
}

/// A table with its caption and its heads, for rows in a body.
pub(super) fn table(caption: &str, heads: &[&str]) -> Element {
    let heads = heads.iter().map(|head| element("th").with("scope", "col").text(head));
    element("table").add(element("caption").text(caption)).add(element("thead").add(element("tr").all(heads)))
}

/// A cell below `head`.
pub(super) fn cell(head: &str) -> Element {
    element("td").with("data-head", head)
}

/// A label with what is so.
pub(super) fn definition(label: &str, says: Element) -> Element {
    element("div").add(element("dt").text(label)).add(says)
}

/// Facts with their labels; one without a label says more of the one before.
pub(super) fn definitions(facts: &[Fact]) -> Vec<Element> {
    let mut all: Vec<Element> = Vec::with_capacity(facts.len());
    for Fact { label, text, exact } in facts {
        let shown = bounded_text(text);
        let says = match exact {
            true => element("dd").add(element("code").text(&shown)),
            false => element("dd").text(&shown),
        };
        match all.pop() {
            Some(before) if label.is_empty() => all.push(before.add(says)),
            before => all.extend(before.into_iter().chain([definition(&bounded_text(label), says)])),
        }
    }
    all
}

/// A sign with its word.
pub(super) fn badge(mark: Mark, word: &str) -> Element {
    element("span").with("class", format_args!("badge {}", tone(mark))).add(sign(mark)).text(word)
}

/// A sign, which says nothing that a word beside it does not say.
pub(super) fn sign(mark: Mark) -> Element {
    element("span").class("sign").with("aria-hidden", true).text(mark.sign(true))
}

/// The class of what a sign means.
pub(super) fn tone(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "good",
        Mark::Bad => "bad",
        Mark::Doubt | Mark::Warning => "doubt",
        Mark::Planned => "planned",
        Mark::Idle => "idle",
    }
}

/// The word for a sign that has no other.
pub(super) fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "ok",
        Mark::Bad => "fails",
        Mark::Doubt => "unclear",
        Mark::Planned => "planned",
        Mark::Warning => "warning",
        Mark::Idle => "not run",
    }
}

/// A number with its thousands apart.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
