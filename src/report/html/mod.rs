//! What a command came to as one page for people: the verdict first, then what blocks, and all the rest. One file that
//! loads nothing, says all that it has without its script, and has a size that is bounded.

mod brief;
mod chart;
mod drawing;
mod element;
mod findings;
mod layers;
mod link;
mod operations;
mod part;
mod record;

use super::stand_in::StandIn;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::sheet::Sheet;
use element::{Element, element};
use part::{Room, Section, bounded_text, left_out, sign, tone};

/// The page's own style and script.
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");
/// Bytes that the verdict's lists take at the most, each.
const MOST_BYTES: usize = 64 << 10;

/// The sheet as an HTML page. Its parts are bounded, all of them together to 24 MiB.
#[must_use]
pub fn html(sheet: &Sheet<'_>) -> String {
    let before = [
        sheet.evidence.as_ref().and_then(findings::findings),
        // Where there is evidence, it is what blocks; what steps and operations came to stands below.
        sheet.evidence.is_none().then(|| findings::problems(&sheet.problems)).flatten(),
        sheet.evidence.as_ref().and_then(drawing::drawing),
    ];
    let after = [
        record::checks(&sheet.checks),
        operations::operations(&sheet.operations),
        record::approvals(&sheet.approvals),
        record::moments(&sheet.moments),
        record::facts(&sheet.facts),
        record::not_proven(&sheet.not_proven),
        record::files(&sheet.files),
    ];
    // What somebody asked for comes before what it was made of.
    let sections: Vec<Section> = brief::briefs(&sheet.briefs)
        .into_iter()
        .chain(before.into_iter().flatten())
        .chain(after.into_iter().flatten())
        .collect();
    let entries = element("ul").all(sections.iter().map(Section::entry));
    let main = element("main")
        .with("id", "result")
        .with("tabindex", -1)
        .add(verdict(sheet))
        .add(element("nav").with("aria-label", "On this page").add(entries))
        .all(sections.into_iter().map(Section::element));
    let body = match sheet.stand_in {
        // It is said on every printed page.
        Some(stand_in) => element("body").class(stand_in.what),
        None => element("body"),
    };
    let body = body
        .add(element("a").class("skip").with("href", "#result").text("Skip to the result"))
        .add(banner(sheet))
        .add(main)
        .add(footer())
        .add(element("script").raw(SCRIPT));
    let page = element("html").with("lang", "en").add(head(sheet)).add(body);
    format!("<!DOCTYPE html>\n{}\n", page.html())
}

fn head(sheet: &Sheet<'_>) -> Element {
    let title = format!("{}: {}", bounded_text(&sheet.word), bounded_text(&sheet.subject));
    let meta = |name: &str, content: &str| element("meta").with("name", name).with("content", content);
    element("head")
        .add(element("meta").with("charset", "utf-8"))
        .add(element("meta").with("http-equiv", "Content-Security-Policy").with("content", policy()))
        .add(meta("viewport", "width=device-width, initial-scale=1"))
        .add(meta("color-scheme", "light dark"))
        .add(meta("referrer", "no-referrer"))
        .add(element("title").text(&title))
        .add(element("style").raw(STYLE))
}

/// Nothing is loaded from anywhere, nothing is sent, and of style and script there is what stands in the page.
fn policy() -> String {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

fn banner(sheet: &Sheet<'_>) -> Element {
    let name = element("p").class("name").text("loopgate").add(element("span").text(" report"));
    let banner = element("header").class("banner").add(name);
    match sheet.stand_in {
        Some(StandIn { title, says, .. }) => banner.add(
            element("p").class("warning").add(element("strong").text(title)).text(&format!(": {says}.")),
        ),
        None => banner,
    }
}

/// The verdict: what, on whom, why, and what to do next.
fn verdict(sheet: &Sheet<'_>) -> Element {
    let head = element("h1").add(sign(sheet.mark)).add(
        element("span")
            .add(element("span").class("word").text(&bounded_text(&sheet.word)))
            .text(" ")
            .add(element("span").class("subject").text(&bounded_text(&sheet.subject))),
    );
    let about = sheet.about.iter().map(|part| element("li").text(&bounded_text(part)));
    let (about, missing_about) = Room::of(MOST_BYTES).take(about);
    let reasons = sheet.reasons.iter().map(|reason| element("li").text(&bounded_text(reason)));
    let (reasons, missing) = Room::of(MOST_BYTES).take(reasons);
    let mut verdict = element("section")
        .with("class", format_args!("verdict {}", tone(sheet.mark)))
        .with("aria-label", "Verdict")
        .add(head)
        .add(element("ul").class("about").all(about))
        .all(left_out(missing_about, "input", "inputs"));
    if !reasons.is_empty() {
        verdict = verdict.add(element("ul").class("reasons").all(reasons));
    }
    verdict = verdict.all(left_out(missing, "reason", "reasons"));
    if let Some(next) = &sheet.next {
        verdict = verdict.add(
            element("div")
                .class("next")
                .add(element("h2").text("Next"))
                .add(element("pre").add(element("code").with("id", "next").text(next)))
                .add(element("button").with("type", "button").with("id", "copy").flag("hidden").text("Copy")),
        );
    }
    verdict.add(record::run_of(sheet))
}

fn footer() -> Element {
    element("footer").add(element("p").text(&format!(
        "Made by loopgate {}. This page loads nothing and sends nothing; what counts are the files of the command.",
        env!("CARGO_PKG_VERSION")
    )))
}

#[cfg(test)]
mod tests;
