//! The report as an in-toto statement, for any signer of DSSE envelopes.

use serde_json::{Map, Value, json};

use super::build::{AuditError, Report, text};
use super::bundle::artifact_text;
use crate::core::Digest;

/// What the predicate of a statement is.
pub const PREDICATE_TYPE: &str = "urn:loopgate:audit:1";

/// The in-toto statement (version 1) of `report`, as canonical JSON without a line feed at its end: the payload
/// of an envelope whose payload type is `application/vnd.in-toto+json`.
///
/// Its subject is the artifact's file, `artifact.json`, by the SHA-256 of its canonical text. Its predicate is
/// the report without the events; head and count of the chain name them.
///
/// # Errors
/// None that a report gives which was built or verified.
pub fn statement(report: &Report) -> Result<Vec<u8>, AuditError> {
    let artifact = artifact_text(report.events())?.ok_or(AuditError::NoArtifact)?;
    let mut predicate = serde_json::to_value(report.document())?;
    if let Some(chain) = predicate.get_mut("chain").and_then(Value::as_object_mut) {
        chain.remove("events");
    }
    let sha256 = Digest::of_bytes(artifact.as_bytes()).hex().to_owned();
    let statement: Map<String, Value> = Map::from_iter([
        ("_type".to_owned(), json!("https://in-toto.io/Statement/v1")),
        ("subject".to_owned(), json!([{"name": "artifact.json", "digest": {"sha256": sha256}}])),
        ("predicateType".to_owned(), json!(PREDICATE_TYPE)),
        ("predicate".to_owned(), predicate),
    ]);
    Ok(text(&statement)?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact;
    use crate::audit::sample;

    #[test]
    fn a_statement_names_the_artifact_and_the_chain_and_leaves_the_events_out() {
        let events = sample::success();
        let report = Report::build(&events).unwrap();
        let bytes = statement(&report).unwrap();
        assert_eq!(statement(&report).unwrap(), bytes);
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let members: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["_type", "predicate", "predicateType", "subject"]);
        assert_eq!(value["_type"], json!("https://in-toto.io/Statement/v1"));
        assert_eq!(value["predicateType"], json!("urn:loopgate:audit:1"));
        let sha256 = Digest::of_bytes(artifact::sample::artifact().bytes()).hex().to_owned();
        assert_eq!(value["subject"], json!([{"name": "artifact.json", "digest": {"sha256": sha256}}]));
        let head = events.last().unwrap().digest().unwrap();
        assert_eq!(value["predicate"]["chain"], json!({"head": head, "count": events.len()}));
        assert_eq!(value["predicate"]["operations"][0]["outcome"], json!("applied"));
    }
}
