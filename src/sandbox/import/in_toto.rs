//! Provenance: in-toto statements (v0.1 and v1) with a predicate of SLSA (v0.2 and v1), bare, in a DSSE envelope, or in
//! an envelope within a sigstore bundle.
//!
//! - The producer is the builder, by the ID that the predicate gives it. It gives one control, `provenance: <builder>`.
//! - The evidence is there where the statement names subjects, each with its digests. It has no findings.
//! - Signatures are counted and not checked: who verified them is asked elsewhere. An envelope without one is refused,
//!   and so is a predicate of another type, since nothing is known of what it says.
//! - When it was made is when the build ended.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::parsed::{parse, refusal};
use super::{EvidenceError, Report, State, title};
use crate::core::text::visible;

const PAYLOAD: &str = "application/vnd.in-toto+json";
const STATEMENTS: [&str; 2] = ["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"];
const SLSA_1: &str = "https://slsa.dev/provenance/v1";
const SLSA_0_2: &str = "https://slsa.dev/provenance/v0.2";

const RULE: &str =
    "Passes where a builder says what it built, each thing with its digest. Signatures are not checked here.";

/// Reads a file.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Report, EvidenceError> {
    let outer: Outer = parse(file, bytes)?;
    let (envelope, at) = match outer.dsse_envelope {
        Some(envelope) => (envelope, "/dsseEnvelope"),
        None => (outer.envelope, ""),
    };
    if envelope.payload_type.is_none() && at.is_empty() {
        return statement(file, "", parse(file, bytes)?);
    }
    let refuse = |pointer: &str, problem: String| refusal(file, format!("{at}{pointer}"), problem);
    match envelope.payload_type.as_deref() {
        Some(PAYLOAD) => {}
        Some(other) => {
            let problem = format!("`{}` is not known, `{PAYLOAD}` is", visible(other));
            return Err(refuse("/payloadType", problem));
        }
        None => return Err(refuse("/payloadType", "the envelope does not say what it holds".to_owned())),
    }
    if envelope.signatures.is_none_or(|signatures| signatures.is_empty()) {
        return Err(refuse("/signatures", "nobody has signed the envelope".to_owned()));
    }
    let payload = envelope.payload.unwrap_or_default();
    let payload = STANDARD
        .decode(&payload)
        .or_else(|_| URL_SAFE.decode(&payload))
        .map_err(|error| refuse("/payload", format!("it is not base64: {}", visible(&error.to_string()))))?;
    let inner = parse(file, &payload).map_err(|error: EvidenceError| {
        refuse("/payload", format!("what it holds is refused{}: {}", error.place, error.problem))
    })?;
    statement(file, &format!("{at}/payload"), inner)
}

/// An envelope, a bundle around one, or neither.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outer {
    dsse_envelope: Option<Envelope>,
    #[serde(flatten)]
    envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: Option<String>,
    payload: Option<String>,
    signatures: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Option<Vec<Subject>>,
    predicate_type: Option<String>,
    predicate: Option<Value>,
}

#[derive(Deserialize)]
struct Subject {
    digest: Option<Map<String, Value>>,
}

fn statement(file: &str, at: &str, statement: Statement) -> Result<Report, EvidenceError> {
    let refuse = |pointer: &str, problem: String| refusal(file, format!("{at}{pointer}"), problem);
    let Statement { kind, subject, predicate_type, predicate } = statement;
    if !STATEMENTS.contains(&kind.as_str()) {
        return Err(refuse(
            "/_type",
            format!("`{}` is no statement of in-toto that is known", visible(&kind)),
        ));
    }
    let subjects = subject.unwrap_or_default();
    for (place, subject) in subjects.iter().enumerate() {
        let digests = subject.digest.iter().flat_map(Map::values);
        let mut said = digests.filter_map(Value::as_str).filter(|digest| !digest.trim().is_empty());
        if said.next().is_none() {
            return Err(refuse(&format!("/subject/{place}/digest"), "the subject has no digest".to_owned()));
        }
    }
    let predicate = predicate.unwrap_or_default();
    let (builder, ended) = match predicate_type.as_deref() {
        Some(SLSA_1) => ("/runDetails/builder/id", "/runDetails/metadata/finishedOn"),
        Some(SLSA_0_2) => ("/builder/id", "/metadata/buildFinishedOn"),
        other => {
            let shown = visible(other.unwrap_or_default()).into_owned();
            let problem = format!("`{shown}` is not known, `{SLSA_1}` and `{SLSA_0_2}` are");
            return Err(refuse("/predicateType", problem));
        }
    };
    let text = |pointer: &str| {
        predicate.pointer(pointer).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    };
    let producer = match text(builder) {
        Some(builder) => title(builder),
        None => return Err(refuse(&format!("/predicate{builder}"), "nobody says who built it".to_owned())),
    };
    let observed = match text(ended) {
        None => None,
        Some(ended_at) => Some(ended_at.parse::<Timestamp>().map_err(|_| {
            refuse(&format!("/predicate{ended}"), format!("`{}` is no time", visible(ended_at)))
        })?),
    };
    let state = match subjects.is_empty() {
        true => State::Missing("The statement names nothing that was built"),
        false => State::Complete,
    };
    let control = format!("provenance: {producer}");
    Ok(Report { producer, control, rule: RULE, state, observed, findings: Vec::new() })
}
