//! Workflow commands, outputs and the step's summary of GitHub Actions: the runner reads commands from whatever a
//! step prints, so every text in one is escaped as the runner undoes it.

use super::layout::bounded;
use super::sheet::{Level, Problem, Sheet};

/// Annotations of one level that a step may have; more are dropped by the platform without a word.
const MOST: usize = 10;
/// The longest message.
const LONGEST: usize = 1000;

/// An annotation for each problem, the worst first, as many as the platform shows; the last one counts the rest.
#[must_use]
pub fn annotations(sheet: &Sheet<'_>) -> String {
    let mut out = String::new();
    for (level, word) in [(Level::Error, "error"), (Level::Warning, "warning"), (Level::Note, "notice")] {
        let problems: Vec<&Problem> =
            sheet.problems.iter().filter(|problem| problem.level == level).collect();
        let shown = if problems.len() > MOST { MOST - 1 } else { problems.len() };
        for problem in problems.iter().take(shown) {
            out.push_str(&annotation(word, problem));
        }
        if problems.len() > shown {
            let text = format!("{} more problems of this kind stand in the reports", problems.len() - shown);
            out.push_str(&format!("::{word} title=loopgate::{}\n", data(&text)));
        }
    }
    out
}

fn annotation(word: &str, problem: &Problem) -> String {
    let mut properties = vec![format!("title={}", property(&format!("loopgate {}", problem.rule)))];
    if let Some(place) = &problem.place {
        properties.push(format!("file={}", property(&place.file)));
        properties.extend(place.line.map(|line| format!("line={line}")));
        properties.extend(place.column.map(|column| format!("col={column}")));
    }
    format!("::{word} {}::{}\n", properties.join(","), data(&problem.message))
}

/// The outputs of the step, a line each.
#[must_use]
pub fn outputs(sheet: &Sheet<'_>) -> String {
    let blocking = sheet.evidence.as_ref().map(|gathered| gathered.findings.blocking.len());
    let digest = sheet.facts.iter().find(|fact| fact.label.starts_with("Effect digest"));
    let named = |suffix: &str| sheet.files.iter().find(|file| file.ends_with(suffix)).cloned();
    let outputs = [
        ("verdict", Some(sheet.word.clone())),
        ("exit-code", Some(sheet.exit.to_string())),
        ("problems", Some(sheet.problems.len().to_string())),
        ("blocking", blocking.map(|count| count.to_string())),
        ("operations", Some(sheet.operations.len().to_string())),
        ("effect-digest", digest.map(|fact| fact.text.clone())),
        ("artifact", named("artifact.json")),
        ("audit", named("audit.json")),
    ];
    let lines = outputs.into_iter().filter_map(|(name, value)| Some((name, value?)));
    lines.map(|(name, value)| format!("{name}={}\n", bounded(&value, LONGEST))).collect()
}

/// A line that opens a group in the log.
#[must_use]
pub fn group(title: &str) -> String {
    format!("::group::{}", data(title))
}

/// The line that closes it.
pub const END_GROUP: &str = "::endgroup::";

/// Text behind a command's second pair of colons.
fn data(text: &str) -> String {
    bounded(text, LONGEST).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
