//! `loopgate.ledger-log/1`: events of the ledger, in short.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

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

/// The log as `loopgate.ledger-log/1`.
#[must_use]
pub fn ledger_log_json(rows: &[LogRow]) -> Value {
    json!(LedgerLogV1 { format: "loopgate.ledger-log/1", events: rows.iter().map(event).collect() })
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
