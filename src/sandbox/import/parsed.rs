//! JSON files, read into what is known of them.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::{Path, Segment};

use super::{EvidenceError, Format, Place};
use crate::core::pointer::escape;
use crate::core::text::visible;

/// What tells the formats apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marks {
    bom_format: Option<IgnoredAny>,
    payload_type: Option<IgnoredAny>,
    dsse_envelope: Option<IgnoredAny>,
    #[serde(rename = "_type")]
    kind: Option<IgnoredAny>,
}

/// The format of a JSON file by its members. What is no JSON, or has none of the marks, is left to SARIF, which says why.
pub(super) fn format(bytes: &[u8]) -> Format {
    match serde_json::from_slice(bytes) {
        Ok(Marks { bom_format: Some(_), .. }) => Format::CycloneDx,
        Ok(
            Marks { payload_type: Some(_), .. }
            | Marks { dsse_envelope: Some(_), .. }
            | Marks { kind: Some(_), .. },
        ) => Format::InToto,
        _ => Format::Sarif,
    }
}

/// Reads all of a file.
pub(super) fn parse<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, EvidenceError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        let (line, column) = (error.line(), error.column());
        let place = if error.is_data() {
            Place::Value { line, column, pointer }
        } else {
            Place::Line { line, column }
        };
        (error, place)
    });
    let value = value.and_then(|value| {
        json.end().map(|()| value).map_err(|error| {
            let place = Place::Line { line: error.line(), column: error.column() };
            (error, place)
        })
    });
    value.map_err(|(error, place)| EvidenceError {
        file: file.to_owned(),
        place,
        problem: visible(without_place(&error.to_string())).into_owned(),
    })
}

/// A refusal of the value at a pointer.
pub(super) fn refusal(file: &str, pointer: impl Into<String>, problem: impl Into<String>) -> EvidenceError {
    EvidenceError { file: file.to_owned(), place: Place::Pointer(pointer.into()), problem: problem.into() }
}

/// The message without the ` at line 1 column 2` that the place says already.
fn without_place(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(before, _)| before)
}

fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escape(key)),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}
