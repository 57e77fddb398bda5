//! What is not as it should be as SARIF 2.1.0 (OASIS standard of 2020-03-27; section numbers are that document's).
//!
//! Messages are plain text alone: what a server says in them is never read as Markdown, and neither as a link nor as a
//! placeholder, both of which plain text can have too (§3.11.5, §3.11.6).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::layout::bounded;
use super::sheet::{Level, Place, Problem, Rule, Sheet};

/// Results that a log has at the most; the rest is counted. Code scanning shows no more of one run.
const MOST: usize = 5000;
/// The longest message, and the longest ID or name.
const LONGEST: usize = 1000;
const LONGEST_NAME: usize = 200;

/// The problems as a SARIF log with one run.
#[must_use]
pub fn sarif(sheet: &Sheet<'_>) -> Value {
    let shown: Vec<&Problem> = sheet.problems.iter().take(MOST).collect();
    let used = |rule: &Rule| shown.iter().any(|problem| problem.rule == rule.id);
    // A kind that nothing was found of is told as long as there is room for it.
    let kept = sheet.rules.iter().enumerate().filter(|(index, rule)| *index < MOST || used(rule));
    let rules: Vec<&Rule> = kept.map(|(_, rule)| rule).collect();
    let places: HashMap<&str, usize> = rules.iter().map(|rule| rule.id.as_str()).zip(0..).collect();
    let described: Vec<Value> = rules
        .iter()
        .map(|rule| {
            let says = plain(&bounded(&rule.says, LONGEST));
            json!({"id": bounded(&rule.id, LONGEST_NAME), "shortDescription": {"text": says}})
        })
        .collect();
    let results: Vec<Value> =
        shown.iter().map(|problem| result(problem, places.get(problem.rule.as_str()).copied())).collect();
    let mut invocation = json!({
        "executionSuccessful": sheet.exit != 1, "exitCode": sheet.exit,
        "exitCodeDescription": plain(&bounded(&sheet.word, LONGEST)),
    });
    if sheet.problems.len() > shown.len()
        && let Some(members) = invocation.as_object_mut()
    {
        let text = format!("{} more problems are left out", sheet.problems.len() - shown.len());
        let notices = json!([{"level": "warning", "message": {"text": text}}]);
        members.insert("toolExecutionNotifications".to_owned(), notices);
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "loopgate", "version": env!("CARGO_PKG_VERSION"), "rules": described,
            }},
            "automationDetails": {"id": format!("loopgate/{}/{}/", sheet.command, category(&sheet.subject))},
            "invocations": [invocation],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(problem: &Problem, rule: Option<usize>) -> Value {
    let Problem { rule: id, level, message, place, name, identity } = problem;
    let mut location = json!({});
    if let Some(members) = location.as_object_mut() {
        if let Some(place) = place {
            members.insert("physicalLocation".to_owned(), physical(place));
        }
        if let Some(name) = name {
            let name = bounded(name, LONGEST_NAME);
            members.insert("logicalLocations".to_owned(), json!([{"fullyQualifiedName": name}]));
        }
    }
    json!({
        "ruleId": bounded(id, LONGEST_NAME),
        "ruleIndex": rule,
        "level": match level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        },
        "message": {"text": plain(&bounded(message, LONGEST))},
        "locations": [location],
        "partialFingerprints": {"loopgateProblem/v1": identity.hex()},
    })
}

fn physical(Place { file, line, column }: &Place) -> Value {
    match (line, column) {
        (Some(line), Some(column)) => json!({
            "artifactLocation": {"uri": uri(file)}, "region": {"startLine": line, "startColumn": column},
        }),
        (Some(line), None) => {
            json!({"artifactLocation": {"uri": uri(file)}, "region": {"startLine": line}})
        }
        (None, _) => json!({"artifactLocation": {"uri": uri(file)}}),
    }
}

/// A name as a part of a category, whose parts are divided by slashes (§3.17.2).
fn category(name: &str) -> String {
    bounded(name, LONGEST_NAME).replace('/', "_")
}

/// Text in which nothing is a link or a placeholder.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' | ']' | '\\' => plain.extend(['\\', c]),
            '{' | '}' => plain.extend([c, c]),
            c => plain.push(c),
        }
    }
    plain
}

/// A path as a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
