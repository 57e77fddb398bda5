//! What blocks: a row for each finding.

use super::element::{Element, element};
use super::link::Link;
use super::part::{Room, Section, bounded_text, cell, definition, grouped, left_out, table};
use crate::evidence::{CauseCounts, Detail, Finding, FindingKind, Severity};
use crate::report::sheet::{Gathered, Level, Place, Problem};

/// Bytes that the rows take at the most.
const MOST_BYTES: usize = 8 << 20;

/// The findings, worst first; none where nothing blocks.
pub(super) fn findings(gathered: &Gathered<'_>) -> Option<Section> {
    let blocking = &gathered.findings.blocking;
    if blocking.is_empty() {
        return None;
    }
    let (rows, missing) = Room::of(MOST_BYTES).take(blocking.iter().map(|finding| row(finding, gathered)));
    let heads = ["Severity", "What", "Finding", "Control", "Owner", "Due"];
    let table = table("What blocks, worst first", &heads).with("id", "blocking").class("findings");
    let content =
        [tally(gathered), tools()].into_iter().chain(left_out(missing, "finding", "findings")).chain([
            table.add(element("tbody").all(rows)),
            element("button").with("type", "button").with("id", "more").flag("hidden").text("Show more"),
        ]);
    Some(Section {
        id: "findings".into(),
        heading: "What blocks".to_owned(),
        count: Some(blocking.len()),
        content: content.collect(),
    })
}

/// How many there are of each severity, and of each cause.
fn tally(gathered: &Gathered<'_>) -> Element {
    let severities = [
        (Severity::Critical, "critical"),
        (Severity::Unknown, "of unknown severity"),
        (Severity::High, "high"),
        (Severity::Medium, "medium"),
        (Severity::Low, "low"),
        (Severity::Info, "info"),
    ];
    let blocking = &gathered.findings.blocking;
    let severities = severities.iter().filter_map(|(severity, word)| {
        let number = blocking.iter().filter(|finding| Severity::of(finding.severity) == *severity).count();
        (number > 0).then(|| format!("{} {word}", grouped(number)))
    });
    let CauseCounts { failed_controls, evidence_gaps, provider_blockers, open_findings } =
        gathered.findings.counts.blocking;
    let causes = [
        (failed_controls, "failed control", "failed controls"),
        (evidence_gaps, "evidence gap", "evidence gaps"),
        (provider_blockers, "provider blocker", "provider blockers"),
        (open_findings, "open finding", "open findings"),
    ];
    let causes = causes
        .iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| format!("{} {}", grouped(*number), if *number == 1 { one } else { many }));
    let list = |parts: Vec<String>| element("li").text(&parts.join(", "));
    element("ul").class("tally").add(list(severities.collect())).add(list(causes.collect()))
}

/// Controls that the script brings to life; without it they are not shown.
fn tools() -> Element {
    let choice = |id: &'static str, label: &str| {
        let all = element("option").with("value", "").text("any");
        element("div")
            .add(element("label").with("for", id).text(label))
            .add(element("select").with("id", id).add(all))
    };
    let search = element("input").with("id", "search").with("type", "search").with("autocomplete", "off");
    element("search")
        .class("tools")
        .with("id", "tools")
        .with("aria-label", "Findings")
        .flag("hidden")
        .add(
            element("div")
                .class("wide")
                .add(element("label").with("for", "search").text("Search"))
                .add(search),
        )
        .add(choice("by-severity", "Severity"))
        .add(choice("by-cause", "What"))
        .add(choice("by-owner", "Owner"))
        .add(element("button").with("type", "button").with("id", "clear").text("Clear"))
        .add(element("output").with("id", "shown").with("for", "search by-severity by-cause by-owner"))
}

fn row(finding: &Finding<'_>, gathered: &Gathered<'_>) -> Element {
    let severity = bounded_text(finding.severity.unwrap_or("unknown"));
    let owner = bounded_text(finding.owner.unwrap_or_default());
    let cause = finding.cause.word();
    let what = match finding.kind {
        // What the cause says already.
        FindingKind::Failed | FindingKind::Open => cell("What").text(cause),
        kind => cell("What").text(&format!("{cause} ({})", kind.word())),
    };
    let control = match gathered.control(finding) {
        Some(control) => cell("Control").add(element("code").text(&bounded_text(control))),
        None => cell("Control"),
    };
    element("tr")
        .with("data-severity", &severity)
        .with("data-cause", cause)
        .with("data-owner", &owner)
        .add(
            cell("Severity").add(
                element("span")
                    .with("class", format_args!("severity {}", class(finding.severity)))
                    .text(&severity),
            ),
        )
        .add(what)
        .add(named(finding))
        .add(control)
        .add(cell("Owner").text(&owner))
        .add(cell("Due").text(&bounded_text(finding.due.unwrap_or_default())))
}

/// The title with the ID, and what else is known to be opened.
fn named(finding: &Finding<'_>) -> Element {
    let name = |element: Element| {
        element
            .add(self::element("span").class("title").text(&bounded_text(finding.title)))
            .text(" ")
            .add(self::element("code").class("under").text(&bounded_text(finding.id)))
    };
    let more: Vec<Element> = more(finding).collect();
    match more.is_empty() {
        true => name(cell("Finding")),
        false => {
            cell("Finding").add(element("details").add(name(element("summary"))).add(element("dl").all(more)))
        }
    }
}

fn leading(link: &Link<'_>) -> Element {
    element("a").to(link).text(link.host())
}

fn more<'f>(finding: &'f Finding<'_>) -> impl Iterator<Item = Element> + 'f {
    let codes = |ids: &[&str]| {
        element("dd").all(ids.iter().map(|id| element("code").class("one").text(&bounded_text(id))))
    };
    let listed = |label: &str, ids: &[&str]| (!ids.is_empty()).then(|| definition(label, codes(ids)));
    let part = |detail: &Detail<'_>| {
        let words = format!("{} ({})", detail.title, detail.severity.unwrap_or("severity unknown"));
        let item = element("li")
            .text(&bounded_text(&words))
            .text(" ")
            .add(element("code").text(&bounded_text(detail.id)));
        match detail.link.and_then(Link::new) {
            Some(link) => item.text(" ").add(leading(&link)),
            None => item,
        }
    };
    // An address that cannot be trusted to lead where it seems to is told, not linked.
    let address = |address: &str| match Link::new(address) {
        Some(link) => element("dd").add(leading(&link)),
        None => element("dd").add(element("code").text(&bounded_text(address))),
    };
    [
        finding.provider.map(|provider| definition("Provider", element("dd").text(&bounded_text(provider)))),
        finding.link.map(|link| definition("Shown at", address(link))),
        listed("Holds back", &finding.blocks),
        listed("Depends on", &finding.depends_on),
        (!finding.details.is_empty()).then(|| {
            definition("Part of it", element("dd").add(element("ul").all(finding.details.iter().map(part))))
        }),
        finding.cut.then(|| definition("Cut", element("dd").text("the lists are longer than what is shown"))),
    ]
    .into_iter()
    .flatten()
}

fn class(severity: Option<&str>) -> &'static str {
    match Severity::of(severity) {
        Severity::Critical => "critical",
        Severity::Unknown => "unknown",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low | Severity::Info => "low",
    }
}

/// What is not as it should be, with the lines to look at; none where no line is known.
pub(super) fn problems(problems: &[Problem]) -> Option<Section> {
    let has_line = |problem: &Problem| problem.place.as_ref().is_some_and(|place| place.line.is_some());
    if !problems.iter().any(has_line) {
        return None;
    }
    let rows = problems.iter().map(|Problem { rule, level, message, place, .. }| {
        let (level, tone) = match level {
            Level::Error => ("error", "critical"),
            Level::Warning => ("warning", "medium"),
            Level::Note => ("note", "low"),
        };
        let place = place.as_ref().map(self::place).unwrap_or_default();
        element("tr")
            .add(
                cell("Level").add(element("span").with("class", format_args!("severity {tone}")).text(level)),
            )
            .add(cell("Rule").add(element("code").text(&bounded_text(rule))))
            .add(cell("What").text(&bounded_text(message)))
            .add(cell("Where").add(element("code").text(&bounded_text(&place))))
    });
    let (rows, missing) = Room::of(MOST_BYTES).take(rows);
    let table = table("What is not as it should be", &["Level", "Rule", "What", "Where"]).class("problems");
    let table = table.add(element("tbody").all(rows));
    Some(Section {
        id: "problems".into(),
        heading: "Problems".to_owned(),
        count: Some(problems.len()),
        content: left_out(missing, "problem", "problems").into_iter().chain([table]).collect(),
    })
}

/// As editors and compilers write it.
fn place(Place { file, line, column }: &Place) -> String {
    let mut text = file.clone();
    for number in [line, column].into_iter().flatten() {
        text.push_str(&format!(":{number}"));
    }
    text
}
