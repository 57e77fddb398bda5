//! Where the answers of two recordings differ in shape: for people, and as `loopgate.shapes/1`.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use super::layout::{Mark, count};
use super::page::Page;
use super::terminal::Terminal;
use crate::mcp::recording::{ShapeDifference, ToolShapes};

/// Differences of one tool that are listed before the rest is counted; the JSON has them all.
const MOST: usize = 50;

/// The tools, with where their answers differ.
#[must_use]
pub fn shapes_text(tools: &[ToolShapes], terminal: &Terminal) -> String {
    let mut page = Page::new(terminal);
    let (mark, word) = match (differ(tools), compared(tools)) {
        (true, _) => (Mark::Bad, "other shapes"),
        (false, 0) => (Mark::Doubt, "nothing to compare"),
        (false, _) => (Mark::Good, "the same shapes"),
    };
    page.verdict(mark, word, &[format!("answers of {} in both", count(compared(tools), "tool", "tools"))]);
    page.blank();
    for ToolShapes { tool, answers: (before, after), differences } in tools {
        let (mark, says) = match (before, after) {
            (0, 0) => (Mark::Doubt, "neither recording has an answer".to_owned()),
            (0, _) => (Mark::Doubt, "the first recording has no answer".to_owned()),
            (_, 0) => (Mark::Doubt, "the second recording has no answer".to_owned()),
            _ if differences.is_empty() => (Mark::Good, "the same".to_owned()),
            _ => (Mark::Bad, count(differences.len(), "difference", "differences")),
        };
        page.item(mark, &format!("{tool}: {says}"));
        for ShapeDifference { at, before, after } in differences.iter().take(MOST) {
            page.line(
                "      ",
                &format!("`{at}`: {} in the first, {} in the second", kinds(before), kinds(after)),
            );
        }
        if differences.len() > MOST {
            page.line("      ", &format!("and {} more", differences.len().saturating_sub(MOST)));
        }
    }
    page.text()
}

fn kinds(kinds: &std::collections::BTreeSet<&'static str>) -> String {
    match kinds.is_empty() {
        true => "nothing".to_owned(),
        false => kinds.iter().copied().collect::<Vec<_>>().join(" or "),
    }
}

fn differ(tools: &[ToolShapes]) -> bool {
    tools.iter().any(|tool| !tool.differences.is_empty())
}

fn compared(tools: &[ToolShapes]) -> usize {
    tools.iter().filter(|tool| tool.answers.0 > 0 && tool.answers.1 > 0).count()
}

/// Where the answers of two recordings differ in shape.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.shapes/1")]
struct ShapesV1<'a> {
    /// Always `loopgate.shapes/1`.
    format: &'static str,
    /// Whether no answer differs in shape, of the tools that both have answers of.
    same: bool,
    /// Every tool that either recording calls, by name.
    tools: Vec<ToolV1<'a>>,
}

/// The answers to one tool.
#[derive(Serialize, JsonSchema)]
struct ToolV1<'a> {
    /// The tool.
    tool: &'a str,
    /// How many answers the first recording has.
    before: usize,
    /// How many answers the second has.
    after: usize,
    /// Where they differ; empty where one has none.
    differences: Vec<DifferenceV1<'a>>,
}

/// A place that is not the same in both.
#[derive(Serialize, JsonSchema)]
struct DifferenceV1<'a> {
    /// JSON pointer, with `*` for every item of a list.
    at: &'a str,
    /// The types that stand there in the first: object, list, string, number, boolean, null; `text` for an answer that
    /// is no JSON. Empty where there is no such place.
    before: Vec<&'a str>,
    /// The types that stand there in the second.
    after: Vec<&'a str>,
}

/// The comparison as `loopgate.shapes/1`.
#[must_use]
pub fn shapes_json(tools: &[ToolShapes]) -> Value {
    let listed = tools.iter().map(|ToolShapes { tool, answers: (before, after), differences }| ToolV1 {
        tool,
        before: *before,
        after: *after,
        differences: differences
            .iter()
            .map(|ShapeDifference { at, before, after }| DifferenceV1 {
                at,
                before: before.iter().copied().collect(),
                after: after.iter().copied().collect(),
            })
            .collect(),
    });
    json!(ShapesV1 { format: "loopgate.shapes/1", same: !differ(tools), tools: listed.collect() })
}

/// The JSON Schema of `loopgate.shapes/1`.
#[must_use]
pub fn shapes_schema() -> Value {
    schema_for!(ShapesV1<'_>).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample::HOSTILE;
    use insta::assert_snapshot;
    use std::collections::BTreeSet;

    fn tool(name: &str, answers: (usize, usize), at: &[&str]) -> ToolShapes {
        let difference = |at: &&str| ShapeDifference {
            at: (*at).to_owned(),
            before: BTreeSet::from(["null", "string"]),
            after: BTreeSet::new(),
        };
        ToolShapes { tool: name.to_owned(), answers, differences: at.iter().map(difference).collect() }
    }

    #[test]
    fn a_place_is_told_with_what_stands_there_and_no_answer_is_not_the_same() {
        let tools = [tool("a", (1, 2), &[]), tool("b", (1, 1), &["/items/*/owner"]), tool("c", (0, 1), &[])];
        assert_snapshot!(shapes_text(&tools, &Terminal::plain()), @r"
        ✗ other shapes  answers of 2 tools in both

          ✓ a: the same
          ✗ b: 1 difference
              `/items/*/owner`: null or string in the first, nothing in the second
          ? c: the first recording has no answer
        ");
        assert_eq!(shapes_json(&tools)["same"], false);
        assert!(shapes_text(&tools[2..], &Terminal::plain()).contains("nothing to compare"));
    }

    #[test]
    fn json_is_what_the_schema_says_and_nothing_of_a_stranger_steers_the_terminal() {
        let tools = [tool(HOSTILE, (1, 1), &[HOSTILE])];
        assert!(jsonschema::validator_for(&shapes_schema()).unwrap().is_valid(&shapes_json(&tools)));
        let text = shapes_text(&tools, &Terminal::plain());
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
    }
}
