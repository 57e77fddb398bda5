//! `loopgate.ledger-log/1`: events of the ledger, in short.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::core::printable::indented;
use crate::report::ledger_log_text::LogRow;

/// Events of the ledger.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.ledger-log/1")]
struct LedgerLogV1<'a> {
    /// Always `loopgate.ledger-log/1`.
    format: &'static str,
    /// The events that were asked for.
    events: Vec<EventV1<'a>>,
}

/// One event, with what it is about.
#[derive(Serialize, JsonSchema)]
struct EventV1<'a> {
    /// When (RFC 3339, UTC), by the clock of the machine that wrote it.
    at: String,
    /// The effect digest.
    effect_digest: String,
    /// The recipe's name.
    recipe: &'a str,
    /// The plan's inputs in short, such as the release.
    inputs: &'a str,
    /// The kind of the event, in one word.
    event: &'a str,
    /// Who: the approver of a record, the pipeline or person of a run; empty where nobody is named.
    who: &'a str,
    /// In words.
    detail: &'a str,
}

/// The log as `loopgate.ledger-log/1`, written while it is read: one JSON value, of which one row is in memory.
#[derive(Debug, Default)]
pub struct LedgerLogJson {
    last: Option<String>,
    begun: bool,
}

impl LedgerLogJson {
    /// Takes the next row, and adds to `out` what can be written by now: whole lines.
    pub fn row(&mut self, row: &LogRow, out: &mut String) {
        if let Some(last) = self.last.replace(indented(&json!(event(row)))) {
            self.put(&last, ",", out);
        }
    }

    /// Adds what is left.
    pub fn end(mut self, out: &mut String) {
        match self.last.take() {
            Some(last) => {
                self.put(&last, "", out);
                out.push_str("  ],\n");
            }
            None => out.push_str("{\n  \"events\": [],\n"),
        }
        out.push_str("  \"format\": \"loopgate.ledger-log/1\"\n}\n");
    }

    fn put(&mut self, row: &str, after: &str, out: &mut String) {
        if !std::mem::replace(&mut self.begun, true) {
            out.push_str("{\n  \"events\": [\n");
        }
        out.push_str("    ");
        out.push_str(&row.replace('\n', "\n    "));
        out.push_str(after);
        out.push('\n');
    }
}

/// The JSON Schema of `loopgate.ledger-log/1`.
#[must_use]
pub fn ledger_log_schema() -> Value {
    schema_for!(LedgerLogV1<'_>).to_value()
}

fn event(row: &LogRow) -> EventV1<'_> {
    let LogRow { at, effect, recipe, inputs, event, who, detail } = row;
    EventV1 { at: at.to_string(), effect_digest: effect.to_string(), recipe, inputs, event, who, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Digest;
    use crate::report::sample;

    fn ledger_log_json(rows: &[LogRow]) -> Value {
        let (mut log, mut out) = (LedgerLogJson::default(), String::new());
        rows.iter().for_each(|row| log.row(row, &mut out));
        log.end(&mut out);
        let value: Value = serde_json::from_str(&out).unwrap();
        let whole = LedgerLogV1 { format: "loopgate.ledger-log/1", events: rows.iter().map(event).collect() };
        assert_eq!(out, format!("{}\n", indented(&json!(whole))), "as if it were written at once");
        value
    }

    #[test]
    fn none_one_and_many_rows_are_one_value() {
        let row = LogRow {
            at: sample::time(0),
            effect: Digest::of_bytes(b"effect"),
            recipe: "a\nb\"".into(),
            inputs: String::new(),
            event: "intent".into(),
            who: "alice".into(),
            detail: "\u{1b}".into(),
        };
        for count in 0..4 {
            assert_eq!(ledger_log_json(&vec![row.clone(); count])["events"].as_array().unwrap().len(), count);
        }
    }

    #[test]
    fn a_log_is_what_it_always_was() {
        let row = LogRow {
            at: sample::time(0),
            effect: Digest::of_bytes(b"effect"),
            recipe: "remediation-plan".into(),
            inputs: "REL-BLOCKED".into(),
            event: "intent".into(),
            who: "alice".into(),
            detail: String::new(),
        };
        let value = ledger_log_json(&[row]);
        assert!(jsonschema::validator_for(&ledger_log_schema()).unwrap().is_valid(&value), "{value}");
        assert_eq!(
            sample::steady(&value.to_string()),
            r#"{"events":[{"at":"2023-11-14T22:13:20Z","detail":"","effect_digest":"sha256:[64 hex digits]","event":"intent","inputs":"REL-BLOCKED","recipe":"remediation-plan","who":"alice"}],"format":"loopgate.ledger-log/1"}"#
        );
    }
}
