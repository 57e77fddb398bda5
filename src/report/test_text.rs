//! What became of the cases of recipes: for people, and as `loopgate.test/1`.

use std::time::Duration;

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use super::layout::{Mark, count};
use super::page::Page;
use super::terminal::Terminal;

/// A case that was tried out; hostile text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedCase {
    /// The file with the case.
    pub file: String,
    /// Its line there, from 1.
    pub line: Option<usize>,
    /// The recipe.
    pub recipe: String,
    /// What the case shows.
    pub case: String,
    /// The recording that was played instead of the sandbox, if one was.
    pub recording: Option<String>,
    /// What is not as expected; empty where it passed.
    pub wrong: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// The cases, a line each, and what is wrong with those that failed.
#[must_use]
pub fn test_text(tested: &[TestedCase], terminal: &Terminal) -> String {
    let mut page = Page::new(terminal);
    let failed = tested.iter().filter(|tested| !tested.wrong.is_empty()).count();
    let (mark, word) = verdict(failed);
    page.verdict(mark, word, &[told(tested.len(), failed), ground(tested).to_owned()]);
    let mut file = "";
    for case in tested {
        if case.file != file {
            file = &case.file;
            page.blank();
            page.line("  ", &format!("{file}, {}", case.recipe));
        }
        page.item(if case.wrong.is_empty() { Mark::Good } else { Mark::Bad }, &case.case);
        for wrong in &case.wrong {
            page.line("      ", wrong);
        }
    }
    page.text()
}

/// On what the cases were tried out.
fn ground(tested: &[TestedCase]) -> &'static str {
    let recorded = tested.iter().filter(|case| case.recording.is_some()).count();
    match recorded {
        0 => "on the sandbox",
        all if all == tested.len() => "on recordings",
        _ => "on the sandbox and on recordings",
    }
}

pub(super) fn verdict(failed: usize) -> (Mark, &'static str) {
    if failed == 0 { (Mark::Good, "passed") } else { (Mark::Bad, "failed") }
}

pub(super) fn told(cases: usize, failed: usize) -> String {
    let cases = count(cases, "case", "cases");
    if failed == 0 { cases } else { format!("{failed} of {cases} failed") }
}

/// What became of the cases of recipes.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.test/1")]
struct TestV1<'a> {
    /// Always `loopgate.test/1`.
    format: &'static str,
    /// Whether every case ran on the sandbox; else the others ran on a recording.
    sandbox: bool,
    /// Whether every case passed.
    passed: bool,
    /// The cases, in their order.
    cases: Vec<CaseV1<'a>>,
}

/// A case.
#[derive(Serialize, JsonSchema)]
struct CaseV1<'a> {
    /// The file with the case.
    file: &'a str,
    /// Its line there, from 1.
    line: Option<usize>,
    /// The recipe.
    recipe: &'a str,
    /// What the case shows.
    case: &'a str,
    /// The recording that was played, relative to the file; left out where the case ran on the sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<&'a str>,
    /// Whether all is as expected.
    passed: bool,
    /// What is not, a sentence each.
    wrong: &'a [String],
    /// How long it took, in milliseconds.
    took_ms: u64,
}

/// The cases as `loopgate.test/1`.
#[must_use]
pub fn test_json(tested: &[TestedCase]) -> Value {
    let cases = tested.iter().map(|TestedCase { file, line, recipe, case, recording, wrong, took }| CaseV1 {
        file,
        line: *line,
        recipe,
        case,
        recording: recording.as_deref(),
        passed: wrong.is_empty(),
        wrong,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    });
    let passed = tested.iter().all(|tested| tested.wrong.is_empty());
    let sandbox = tested.iter().all(|tested| tested.recording.is_none());
    json!(TestV1 { format: "loopgate.test/1", sandbox, passed, cases: cases.collect() })
}

/// The JSON Schema of `loopgate.test/1`.
#[must_use]
pub fn test_schema() -> Value {
    schema_for!(TestV1<'_>).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample::HOSTILE;
    use insta::assert_snapshot;

    fn case(name: &str, wrong: &[&str]) -> TestedCase {
        TestedCase {
            file: "recipes/certify.cases.yaml".into(),
            line: Some(3),
            recipe: "certify".into(),
            case: name.into(),
            recording: None,
            wrong: wrong.iter().map(|wrong| (*wrong).to_owned()).collect(),
            took: Duration::from_millis(4),
        }
    }

    #[test]
    fn what_failed_says_what_is_wrong() {
        let tested = [
            case("all good", &[]),
            case("nothing visible", &["the verdict is `done`, not `undecided`: done"]),
        ];
        assert_snapshot!(test_text(&tested, &Terminal::plain()), @r#"
        ✗ failed  1 of 2 cases failed · on the sandbox

          recipes/certify.cases.yaml, certify
          ✓ all good
          ✗ nothing visible
              the verdict is `done`, not `undecided`: done
        "#);
    }

    #[test]
    fn json_is_what_the_schema_says_and_nothing_of_a_stranger_steers_the_terminal() {
        let tested = [case(HOSTILE, &[HOSTILE])];
        let validator = jsonschema::validator_for(&test_schema()).unwrap();
        assert!(validator.is_valid(&test_json(&tested)));
        let text = test_text(&tested, &Terminal::plain());
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
    }
}
