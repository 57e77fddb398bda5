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
    let mut notices = Vec::new();
    if let Some(stand_in) = sheet.stand_in {
        let text = format!("{}: {}", stand_in.what, stand_in.says);
        notices.push(json!({"level": "note", "message": {"text": plain(&text)}}));
    }
    if sheet.problems.len() > shown.len() {
        let text = format!("{} more problems are left out", sheet.problems.len() - shown.len());
        notices.push(json!({"level": "warning", "message": {"text": text}}));
    }
    if let Some(members) = invocation.as_object_mut().filter(|_| !notices.is_empty()) {
        members.insert("toolExecutionNotifications".to_owned(), Value::Array(notices));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use insta::assert_snapshot;

    #[test]
    fn a_gap_is_a_result_of_its_controls_rule_with_its_place_in_the_evidence() {
        let run = sample::evident("words");
        let log = sarif(&Sheet::of_run(&run, &sample::outputs(), 4));
        assert_snapshot!(sample::steady(&format!("{log:#}")), @r#"
        {
          "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
          "runs": [
            {
              "automationDetails": {
                "id": "loopgate/run/certify-release/"
              },
              "columnKind": "unicodeCodePoints",
              "invocations": [
                {
                  "executionSuccessful": true,
                  "exitCode": 4,
                  "exitCodeDescription": "blocked",
                  "toolExecutionNotifications": [
                    {
                      "level": "note",
                      "message": {
                        "text": "sandbox: this run used the embedded sandbox: nothing here is about a real release"
                      }
                    }
                  ]
                }
              ],
              "results": [
                {
                  "level": "error",
                  "locations": [
                    {
                      "logicalLocations": [
                        {
                          "fullyQualifiedName": "certified"
                        }
                      ],
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "recipes/certify.yaml"
                        },
                        "region": {
                          "startLine": 7
                        }
                      }
                    }
                  ],
                  "message": {
                    "text": "step certified (gate): The certification of REL-BLOCKED is blocked"
                  },
                  "partialFingerprints": {
                    "loopgateProblem/v1": "501584c09573872e5aa6681c732ca9550457b344ae35b38dbf6f445d5cf459bd"
                  },
                  "ruleId": "gate",
                  "ruleIndex": 0
                },
                {
                  "level": "error",
                  "locations": [
                    {
                      "logicalLocations": [
                        {
                          "fullyQualifiedName": "CTL-1"
                        }
                      ],
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "loopgate-out/evidence-graph.json"
                        },
                        "region": {
                          "startLine": 13
                        }
                      }
                    }
                  ],
                  "message": {
                    "text": "failed control (failed, CTL-1): words; severity high; owner words; provider words; due words"
                  },
                  "partialFingerprints": {
                    "loopgateProblem/v1": "cf1b61ae5a8c0540ecd2460690aeab712aac68135acf0937c8a8146148f80ba9"
                  },
                  "ruleId": "control/CTL-1",
                  "ruleIndex": 3
                },
                {
                  "level": "error",
                  "locations": [
                    {
                      "logicalLocations": [
                        {
                          "fullyQualifiedName": "EVD-1"
                        }
                      ],
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "loopgate-out/evidence-graph.json"
                        },
                        "region": {
                          "startLine": 35
                        }
                      }
                    }
                  ],
                  "message": {
                    "text": "evidence gap (missing, EVD-1): words; severity high; control CTL-2; owner words; provider words; due words"
                  },
                  "partialFingerprints": {
                    "loopgateProblem/v1": "6f91bc44d892119fd4ee61da723b370c3b0f704e444e4faae4d9e43f3c08309e"
                  },
                  "ruleId": "control/CTL-2",
                  "ruleIndex": 4
                },
                {
                  "level": "error",
                  "locations": [
                    {
                      "logicalLocations": [
                        {
                          "fullyQualifiedName": "BLK words"
                        }
                      ],
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "loopgate-out/evidence-graph.json"
                        },
                        "region": {
                          "startLine": 46
                        }
                      }
                    }
                  ],
                  "message": {
                    "text": "provider blocker (open, BLK words): words; severity high; owner words; provider words; due words"
                  },
                  "partialFingerprints": {
                    "loopgateProblem/v1": "52c9508f152fa70499f40f239af4661baec4211971706f920a6986997039cdcd"
                  },
                  "ruleId": "provider-blocker",
                  "ruleIndex": 7
                }
              ],
              "tool": {
                "driver": {
                  "name": "loopgate",
                  "rules": [
                    {
                      "id": "gate",
                      "shortDescription": {
                        "text": "A gate of the recipe holds."
                      }
                    },
                    {
                      "id": "undecided",
                      "shortDescription": {
                        "text": "What a gate or a plan stands on is visible, complete and understood."
                      }
                    },
                    {
                      "id": "step",
                      "shortDescription": {
                        "text": "A step of the recipe does what it says."
                      }
                    },
                    {
                      "id": "control/CTL-1",
                      "shortDescription": {
                        "text": "words"
                      }
                    },
                    {
                      "id": "control/CTL-2",
                      "shortDescription": {
                        "text": "words"
                      }
                    },
                    {
                      "id": "evidence-gap",
                      "shortDescription": {
                        "text": "Required evidence is there and current."
                      }
                    },
                    {
                      "id": "open-finding",
                      "shortDescription": {
                        "text": "No finding is open."
                      }
                    },
                    {
                      "id": "provider-blocker",
                      "shortDescription": {
                        "text": "No provider holds the release back."
                      }
                    }
                  ],
                  "version": "0.1.0"
                }
              }
            }
          ],
          "version": "2.1.0"
        }
        "#);
    }

    #[test]
    fn the_same_gap_has_the_same_fingerprint_in_another_run_and_another_gap_another() {
        let prints = |text: &str| -> Vec<Value> {
            let run = sample::evident(text);
            let log = sarif(&Sheet::of_run(&run, &sample::outputs(), 4));
            let results = log["runs"][0]["results"].as_array().unwrap();
            results.iter().map(|one| one["partialFingerprints"]["loopgateProblem/v1"].clone()).collect()
        };
        let (one, other) = (prints("words"), prints("other words"));
        // The name of the last one is another; the others only say it in other words.
        assert_eq!((one.len(), &one[..3]), (4, &other[..3]));
        assert_ne!(one[3], other[3]);
        let distinct: std::collections::BTreeSet<String> = one.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn what_a_server_says_is_neither_a_link_nor_a_placeholder_and_a_path_is_a_uri() {
        assert_eq!(plain("a [b](http://x) {0} \\"), "a \\[b\\](http://x) {{0}} \\\\");
        assert_eq!(uri("/etc/a b/ü#.lock"), "file:///etc/a%20b/%C3%BC%23.lock");
        assert_eq!(uri("trust/loopgate.lock"), "trust/loopgate.lock");
    }

    #[test]
    fn more_than_a_reader_takes_is_counted() {
        let run = sample::evident("words");
        let mut sheet = Sheet::of_run(&run, &sample::outputs(), 4);
        let one = sheet.problems[0].clone();
        sheet.problems = vec![one; MOST + 7];
        let log = sarif(&sheet);
        assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), MOST);
        let notices = log["runs"][0]["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
        assert_eq!(notices.last().unwrap()["message"]["text"], "7 more problems are left out");
    }
}
