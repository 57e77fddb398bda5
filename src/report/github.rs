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
    let outputs = [
        ("verdict", Some(sheet.word.clone())),
        ("exit-code", Some(sheet.exit.to_string())),
        ("problems", Some(sheet.problems.len().to_string())),
        ("blocking", blocking.map(|count| count.to_string())),
        ("operations", Some(sheet.operations.len().to_string())),
        ("effect-digest", sheet.effect.as_ref().map(|digest| digest.to_string())),
        ("artifact", sheet.artifact.clone()),
        ("audit", sheet.audit.clone()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::visible;
    use crate::report::sample;
    use crate::report::sheet::Place;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    /// A message as the runner reads it back.
    fn read(escaped: &str) -> String {
        escaped
            .replace("%2C", ",")
            .replace("%3A", ":")
            .replace("%0A", "\n")
            .replace("%0D", "\r")
            .replace("%25", "%")
    }

    #[test]
    fn problems_are_annotated_where_they_stand() {
        let run = sample::evident("words");
        assert_snapshot!(annotations(&Sheet::of_run(&run, &sample::outputs(), 4)), @r#"
        ::error title=loopgate gate,file=recipes/certify.yaml,line=7::step certified (gate): The certification of REL-BLOCKED is blocked
        ::error title=loopgate control/CTL-1,file=loopgate-out/evidence-graph.json,line=13::failed control (failed, CTL-1): words; severity high; owner words; provider words; due words
        ::error title=loopgate control/CTL-2,file=loopgate-out/evidence-graph.json,line=35::evidence gap (missing, EVD-1): words; severity high; control CTL-2; owner words; provider words; due words
        ::error title=loopgate provider-blocker,file=loopgate-out/evidence-graph.json,line=46::provider blocker (open, BLK words): words; severity high; owner words; provider words; due words
        "#);
    }

    #[test]
    fn there_are_no_more_annotations_than_the_platform_shows_and_the_rest_is_counted() {
        let run = sample::evident("words");
        let mut sheet = Sheet::of_run(&run, &sample::outputs(), 4);
        let one = sheet.problems[0].clone();
        sheet.problems = vec![one; MOST + 3];
        let lines: Vec<String> = annotations(&sheet).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), MOST);
        assert!(
            lines[MOST - 1].ends_with("::4 more problems of this kind stand in the reports"),
            "{lines:?}"
        );
        sheet.problems.truncate(MOST);
        assert_eq!(annotations(&sheet).lines().count(), MOST);
    }

    #[test]
    fn outputs_are_a_line_each() {
        let run = sample::planned();
        let text = outputs(&Sheet::of_run(&run, &sample::outputs(), 10));
        assert_snapshot!(sample::steady(&text), @r#"
        verdict=changes planned
        exit-code=10
        problems=2
        operations=1
        effect-digest=sha256:[64 hex digits]
        artifact=loopgate-out/artifact.json
        "#);
    }

    proptest! {
        #[test]
        fn a_text_is_one_command_with_that_message_and_one_line_of_output(text in "[%:,\r\n#\\[a]{0,10}|\\PC{0,12}|.{0,12}") {
            let problem = Problem {
                rule: text.clone(),
                message: text.clone(),
                place: Some(Place { line: Some(3), ..Place::file(&text) }),
                name: None,
                level: Level::Error,
                identity: crate::core::Digest::of_bytes(b""),
            };
            let line = annotation("error", &problem);
            prop_assert_eq!(line.matches('\n').count(), 1);
            let (properties, message) = line.strip_prefix("::error ").unwrap().trim_end_matches('\n').split_once("::").unwrap();
            prop_assert_eq!(read(message), visible(&text).into_owned());
            let values: Vec<&str> = properties.split(',').map(|one| one.split_once('=').unwrap().1).collect();
            prop_assert_eq!(values.len(), 3);
            prop_assert_eq!(read(values[1]), visible(&text).into_owned());
            let run = sample::evident(&text);
            let mut sheet = Sheet::of_run(&run, &sample::outputs(), 4);
            sheet.word = text;
            sheet.artifact = Some("a\nb/artifact.json".to_owned());
            for line in outputs(&sheet).lines() {
                let name = line.split_once('=').unwrap().0;
                prop_assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
            }
            prop_assert_eq!(outputs(&sheet).lines().count(), 6);
        }
    }
}
