//! The records of one source, one after another, each with its signature or without.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::de::IgnoredAny;
use serde_json::Value;
use thiserror::Error;

use super::id::RecordId;
use super::record::{MAX_BYTES, RecordError};
use super::v1::{Filed, Record};
use crate::core::file::ReadError;
use crate::core::json::{StrictError, parse_strict};
use crate::core::text::visible;

/// The most bytes that all the files of one source may have together.
pub const MAX_SOURCE_BYTES: usize = 64 << 20;

/// The most files that a folder of records may have.
pub(super) const MAX_FILES: usize = 10_000;

/// Why approvals could not be read. Whatever could have been a revocation and cannot be read is an error.
#[derive(Debug, Error)]
pub enum ApprovalsError {
    /// Something there is no record, or a damaged one ([`RecordError::Damaged`] is exit code 22).
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The folder could not be read.
    #[error("the folder `{}` could not be read", visible(&folder.to_string_lossy()))]
    Folder {
        /// Which one.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link, which could lead anywhere and to something else each time.
    #[error("`{}` is a link, and approvals are not read through links", visible(&path.to_string_lossy()))]
    Link {
        /// Where it stands.
        path: PathBuf,
    },
    /// More files than anybody wrote.
    #[error("`{}` has more than {MAX_FILES} records", visible(&folder.to_string_lossy()))]
    TooManyFiles {
        /// Which folder.
        folder: PathBuf,
    },
    /// More than a reader takes.
    #[error("`{}` and what was read before it have more than {MAX_SOURCE_BYTES} bytes", visible(name))]
    TooLarge {
        /// The file.
        name: String,
    },
    /// Not JSON as every reader understands it.
    #[error("`{}`: {source}", visible(name))]
    Shape {
        /// The file, and which value of it where it has several.
        name: String,
        /// Where and what, from the beginning of that value.
        source: StrictError,
    },
    /// A file without a record.
    #[error("`{}` holds no record", visible(name))]
    Empty {
        /// The file.
        name: String,
    },
    /// A signature that is no text.
    #[error("`{}` is not an armored signature", visible(name))]
    Signature {
        /// The file.
        name: String,
    },
    /// A signature file beside a file of several records.
    #[error(
        "`{}` holds several records, and the signature beside it does not say of which it is",
        visible(name)
    )]
    SignatureOfMany {
        /// The file.
        name: String,
    },
}

/// The records in `bytes`: JSON values one after another, each a record or one with its signature.
pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Vec<Filed>, ApprovalsError> {
    let mut filed = Vec::new();
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    let mut start = 0;
    while let Some(value) = values.next() {
        let place =
            if filed.is_empty() { name.to_owned() } else { format!("{name}, value {}", filed.len() + 1) };
        let shape = |source: StrictError| ApprovalsError::Shape { name: place.clone(), source };
        let end = values.byte_offset();
        // The next value is only looked for here; it is read strictly, by itself, where it was found.
        let text = bytes.get(start..if value.is_ok() { end } else { bytes.len() }).unwrap_or_default();
        let parsed = parse_strict(text).map_err(shape)?;
        value.map_err(|error| shape(error.into()))?;
        filed.push(one(&place, text.trim_ascii().len(), parsed)?);
        start = end;
    }
    if filed.is_empty() { Err(ApprovalsError::Empty { name: name.to_owned() }) } else { Ok(filed) }
}

fn one(name: &str, bytes: usize, value: Value) -> Result<Filed, ApprovalsError> {
    // A signature beside the record gets as much room again.
    if bytes > 2 * MAX_BYTES {
        return Err(RecordError::TooLarge { name: name.to_owned(), bytes }.into());
    }
    match value {
        Value::Object(mut members) if members.contains_key("record") => {
            let record = Record::from_value(name, members.remove("record").unwrap_or_default())?;
            let signature = match members.remove("signature") {
                None => None,
                Some(Value::String(text)) => Some(text),
                Some(_) => return Err(ApprovalsError::Signature { name: name.to_owned() }),
            };
            match members.keys().next() {
                None => Ok(Filed { record, signature }),
                Some(other) => Err(ApprovalsError::Shape {
                    name: name.to_owned(),
                    source: StrictError {
                        line: 0,
                        column: 0,
                        what: format!(
                            "unknown field `{}`, expected `record` or `signature`",
                            crate::core::text::excerpt(other, 60)
                        ),
                    },
                }),
            }
        }
        other => Ok(Filed { record: Record::from_value(name, other)?, signature: None }),
    }
}

/// Each record once, in the order of the IDs, with its signature if one has it. Where two bring different
/// signatures both stay, so that a broken one beside a good one does no harm.
pub(super) fn merged(filed: Vec<Filed>) -> Vec<Filed> {
    let mut records: BTreeMap<RecordId, (Record, Vec<String>)> = BTreeMap::new();
    for Filed { record, signature } in filed {
        let (_, signatures) = records.entry(record.id.clone()).or_insert_with(|| (record, Vec::new()));
        signatures.extend(signature);
    }
    records
        .into_values()
        .flat_map(|(record, mut signatures)| {
            signatures.sort();
            signatures.dedup();
            let signatures: Vec<_> =
                if signatures.is_empty() { vec![None] } else { signatures.into_iter().map(Some).collect() };
            signatures.into_iter().map(move |signature| Filed { record: record.clone(), signature })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sample::{approve, filed, records};
    use serde_json::json;

    fn refused(bytes: &[u8]) -> String {
        parse("a.json", bytes).unwrap_err().to_string()
    }

    #[test]
    fn several_records_one_after_another_are_read() {
        let signed = Filed { record: approve("bob"), signature: Some("S".into()) };
        let mut text = String::from("\n");
        for record in records() {
            text.push_str(&String::from_utf8(record.bytes()).unwrap());
        }
        text.push_str(" \n");
        text.push_str(&serde_json::to_string_pretty(&signed).unwrap());
        text.push_str(&serde_json::to_string(&filed(approve("carol"))).unwrap());
        let mut expected: Vec<_> = records().into_iter().map(filed).collect();
        expected.extend([signed, filed(approve("carol"))]);
        assert_eq!(parse("a.json", text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn anything_else_among_them_is_refused_with_its_place() {
        let good = String::from_utf8(approve("alice").bytes()).unwrap();
        assert_eq!(refused(b" \n"), "`a.json` holds no record");
        assert_eq!(
            refused(format!("{good}\n17").as_bytes()),
            "`a.json, value 2` has the format `none`, and this program reads `loopgate.approval/1`"
        );
        let damaged = good.replace("alice", "mallory");
        assert!(
            refused(format!("{good}{damaged}").as_bytes()).starts_with("`a.json, value 2` is not what was")
        );
        for rest in ["x", "{", "]", "\u{0}", "{\"a\":1,\"a\":2}"] {
            let message = refused(format!("{good}{rest}").as_bytes());
            assert!(message.starts_with("`a.json, value 2`: line 1, column "), "{rest:?}: {message}");
        }
        assert!(parse("a.json", &[good.as_bytes(), b"\"\xff\""].concat()).is_err());
        let more = json!({"record": approve("alice"), "sig\u{1b}": 1}).to_string();
        assert!(refused(more.as_bytes()).contains("unknown field `sig\\u{1b}`"));
        let number = json!({"record": approve("alice"), "signature": 1}).to_string();
        assert_eq!(refused(number.as_bytes()), "`a.json` is not an armored signature");
    }

    #[test]
    fn a_changed_byte_of_a_file_of_two_is_refused() {
        let text = [approve("alice").bytes(), b"\n".to_vec(), approve("bob").bytes()].concat();
        let split = approve("alice").bytes().len();
        let mut bytes = text.clone();
        // Every fourth byte, and those where the one ends and the other begins.
        for place in (0..text.len()).step_by(4).chain(split - 1..split + 2) {
            for new in [text[place] ^ 1, [b' ', b'}', b'{'][place % 3]] {
                bytes[place] = new;
                let harmless = new == text[place] || (place == split && new.is_ascii_whitespace());
                assert!(harmless || parse("a.json", &bytes).is_err(), "byte {place} as {new}");
            }
            bytes[place] = text[place];
        }
    }

    #[test]
    fn the_same_record_twice_is_one_and_keeps_every_signature() {
        let signed = |text: &str| Filed { record: approve("alice"), signature: Some(text.into()) };
        let plain = filed(approve("alice"));
        assert_eq!(merged(vec![plain.clone(), plain.clone()]), vec![plain.clone()]);
        assert_eq!(merged(vec![plain.clone(), signed("1"), plain.clone(), signed("1")]), vec![signed("1")]);
        assert_eq!(merged(vec![signed("2"), plain, signed("1")]), vec![signed("1"), signed("2")]);
        assert_eq!(merged(vec![filed(approve("alice")), filed(approve("bob"))]).len(), 2);
    }
}
