//! An artifact is read, which is building it again and comparing.

use serde_json::Value;
use thiserror::Error;

use super::build::{Artifact, BuildError, file_digest};
use super::diff::{Change, changes};
use super::plan::Plan;
use super::rules::MAX_BYTES;
use super::v1::{Document, FORMAT};
use crate::core::Digest;
use crate::core::json::{StrictError, UnsafeNumber, canonical, parse_strict};
use crate::core::text::visible;

/// Why bytes are no artifact.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Larger than any artifact.
    #[error("`{}` has {bytes} bytes, and {MAX_BYTES} are the most", visible(name))]
    TooLarge {
        /// The file.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// Not JSON as every reader understands it, or not of the format's shape.
    #[error("`{}`: {source}", visible(name))]
    Shape {
        /// The file.
        name: String,
        /// Where and what.
        source: StrictError,
    },
    /// Something else than an artifact, or one of another version.
    #[error("`{}` has the format `{}`, and this program reads `{FORMAT}`", visible(name), visible(found))]
    Format {
        /// The file.
        name: String,
        /// Its `format`, as JSON where it is no text; `none` where it has none.
        found: String,
    },
    /// It breaks a rule that every artifact keeps to.
    #[error("`{}`: {source}", visible(name))]
    Rule {
        /// The file.
        name: String,
        /// Which one.
        source: BuildError,
    },
    /// The file is damaged or was edited (exit code 22).
    #[error(
        "`{}` is not what was written: its file digest is {stated}, its content's is {computed}",
        visible(name)
    )]
    FileDigest {
        /// The file.
        name: String,
        /// What it says.
        stated: Digest,
        /// What its content gives.
        computed: Digest,
    },
    /// What the file would do is not what its effect digest names (exit code 22).
    #[error(
        "`{}` would do something else than it says: its effect digest is {stated}, its content's is {computed}",
        visible(name)
    )]
    EffectDigest {
        /// The file.
        name: String,
        /// What it says.
        stated: Digest,
        /// What its content gives.
        computed: Digest,
    },
    /// Something that follows from the rest does not: a key, the subject, the sandbox mark, the spelling
    /// of a value (exit code 22).
    #[error(
        "`{}` has {} at `{}`, where the rest of it gives {}",
        visible(name),
        word(stated.as_ref()),
        visible(pointer),
        word(computed.as_ref())
    )]
    Derived {
        /// The file.
        name: String,
        /// Where.
        pointer: String,
        /// What stands there.
        stated: Option<Value>,
        /// What the rest gives.
        computed: Option<Value>,
    },
}

fn word(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("`{}`", visible(&value.to_string())))
}

impl Artifact {
    /// Reads an artifact; `name` is the file's, for messages. A file that was formatted anew is taken:
    /// what counts is its canonical text.
    ///
    /// # Errors
    /// It is too large, not JSON, of another format or shape, breaks a rule, or does not match what is
    /// derived from its own content.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        let name = || name.to_owned();
        let shape = |source: StrictError| ReadError::Shape { name: name(), source };
        let rule = |source: BuildError| ReadError::Rule { name: name(), source };
        if bytes.len() > MAX_BYTES {
            return Err(ReadError::TooLarge { name: name(), bytes: bytes.len() });
        }
        let value = parse_strict(bytes).map_err(shape)?;
        match value.get("format") {
            Some(Value::String(format)) if format == FORMAT => {}
            found => return Err(ReadError::Format { name: name(), found: format_in_words(found) }),
        }
        let text = canonical(&value).map_err(|number| rule(number.into()))?;
        let (stated, computed) = file_digests(value).map_err(|number| rule(number.into()))?;
        // Damage is told as damage, before it is told as a wrong shape.
        if let Some(stated) = stated
            && stated != computed
        {
            return Err(ReadError::FileDigest { name: name(), stated, computed });
        }

        let document: Document = serde_json::from_slice(bytes).map_err(|error| shape(error.into()))?;
        let stated = document.effect_digest.clone();
        let artifact = Self::build(Plan::from(document)).map_err(rule)?;
        if stated != *artifact.effect_digest() {
            let computed = artifact.effect_digest().clone();
            return Err(ReadError::EffectDigest { name: name(), stated, computed });
        }
        if text.as_bytes() == artifact.bytes() {
            return Ok(artifact);
        }
        let stated = parse_strict(text.as_bytes()).map_err(shape)?;
        let derived = parse_strict(artifact.bytes()).map_err(shape)?;
        let differs = changes(&stated, &derived).into_iter().find(|change| change.pointer != "/file_digest");
        let Change { pointer, before: stated, after: computed } = differs.unwrap_or_default();
        Err(ReadError::Derived { name: name(), pointer, stated, computed })
    }
}

fn format_in_words(found: Option<&Value>) -> String {
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "none".to_owned(),
    }
}

/// The file digest that `document` states, where it states one, and the one that its content gives.
fn file_digests(document: Value) -> Result<(Option<Digest>, Digest), UnsafeNumber> {
    let stated = document.get("file_digest").and_then(Value::as_str).and_then(|text| text.parse().ok());
    Ok((stated, file_digest(document)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::sample;
    use serde_json::json;

    /// The format as it was released: a file of old is read for ever.
    const EXAMPLE: &[u8] = include_bytes!("example.json");

    fn document() -> Value {
        serde_json::from_slice(sample::artifact().bytes()).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Artifact, ReadError> {
        Artifact::read("a.json", bytes)
    }

    #[test]
    fn the_released_example_is_read_and_is_what_is_built() {
        let example = read(EXAMPLE).unwrap();
        assert_eq!(example.bytes(), sample::artifact().bytes());
        assert_eq!(example, sample::artifact());
    }

    #[test]
    fn a_file_that_was_formatted_anew_is_the_same_artifact() {
        let pretty = serde_json::to_vec_pretty(&document()).unwrap();
        assert_eq!(read(&pretty).unwrap(), sample::artifact());
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let mut plan = sample::plan();
        plan.operations.remove(0);
        plan.preconditions.remove(0);
        let mut bytes = Artifact::build(plan).unwrap().bytes().to_vec();
        let others = [b'0', b' ', b'"', b'}', 0xff];
        for place in 0..bytes.len() {
            let old = bytes[place];
            for new in [old ^ 1, others[place % others.len()]] {
                bytes[place] = new;
                assert!(new == old || read(&bytes).is_err(), "byte {place}: {old} as {new}");
            }
            bytes[place] = old;
        }
        assert!(read(&bytes).is_ok());
    }

    /// What can be put between bytes without being refused is white space, and it changes nothing.
    #[test]
    fn white_space_between_values_is_without_effect() {
        let text = String::from_utf8(sample::artifact().bytes().to_vec()).unwrap();
        let mut taken = 0;
        for (place, _) in text.match_indices([',', ':', '}', ']']).step_by(7) {
            let (start, rest) = text.split_at(place);
            if let Ok(read) = read(format!("{start}\r\n\t {rest}").as_bytes()) {
                assert_eq!(read, sample::artifact(), "byte {place}");
                taken += 1;
            }
        }
        assert!(taken > 20, "{taken}");
    }

    #[test]
    fn a_damaged_file_is_told_from_one_that_was_forged() {
        let mut changed = document();
        changed["operations"][0]["arguments"]["parent"]["owner"] = json!("mallory");
        let damaged = serde_json::to_vec(&changed).unwrap();
        assert!(matches!(read(&damaged), Err(ReadError::FileDigest { .. })));
        assert!(matches!(read(&sample::sealed(changed)), Err(ReadError::EffectDigest { .. })));
    }

    /// Whoever edits a file can make its file digest right. Then an edit passes only where it decides
    /// nothing, and the approval stays one of the same effect.
    #[test]
    fn an_edit_under_a_right_file_digest_decides_nothing() {
        let artifact = sample::artifact();
        let document = document();
        let mut taken = Vec::new();
        for pointer in sample::leaves(&document) {
            let original = document.pointer(&pointer).unwrap().clone();
            for new in [json!("other"), json!(2), json!(true), json!(false)] {
                let mut changed = document.clone();
                *changed.pointer_mut(&pointer).unwrap() = new.clone();
                if new == original || pointer == "/file_digest" {
                    continue;
                }
                if let Ok(read) = read(&sample::sealed(changed)) {
                    assert_eq!(read.effect(), artifact.effect(), "{pointer}");
                    assert_eq!(read.effect_digest(), artifact.effect_digest());
                    taken.push(pointer.clone());
                }
            }
        }
        taken.dedup();
        assert_eq!(
            taken,
            [
                "/gates/0/advisory",
                "/gates/0/id",
                "/gates/0/says",
                "/not_proven/0",
                "/operations/0/id",
                "/operations/0/operation",
                "/operations/0/reason",
                "/operations/0/server_validated_why",
                "/operations/1/id",
                "/operations/1/operation",
                "/operations/1/reason",
                "/operations/1/server_validated_why",
                "/planned_by/version",
                "/preconditions/0/step",
                "/preconditions/1/step",
                "/summary",
                "/target/profile/name",
                "/target/server/name",
                "/target/server/protocol",
                "/target/server/version",
            ]
        );
    }

    #[test]
    fn what_follows_from_the_rest_is_computed_again() {
        let other = json!(Digest::of_bytes(b"other"));
        for (pointer, value) in [("/subject", &other), ("/target/sandbox", &json!(false))] {
            let mut changed = document();
            *changed.pointer_mut(pointer).unwrap() = value.clone();
            let refused = read(&sample::sealed(changed)).unwrap_err();
            let ReadError::Derived { pointer: place, .. } = &refused else { panic!("{refused}") };
            assert_eq!(place, pointer);
        }
    }

    #[test]
    fn a_key_of_somebodys_choice_is_refused_under_any_digest() {
        let mut changed = document();
        let other = format!("lg1-{}", Digest::of_bytes(b"other").hex());
        changed["operations"][0]["idempotency_key"] = json!(other);
        let effect = crate::artifact::effect::covered(changed.clone());
        changed["effect_digest"] = json!(crate::artifact::effect::effect_digest(&effect).unwrap());
        assert!(matches!(read(&sample::sealed(changed)), Err(ReadError::EffectDigest { .. })));
    }

    #[test]
    fn every_value_has_one_spelling() {
        let mut changed = document();
        changed["operations"][0]["key_retention"] = json!("24h");
        let refused = read(&sample::sealed(changed)).unwrap_err().to_string();
        assert_eq!(
            refused,
            "`a.json` has `\"24h\"` at `/operations/0/key_retention`, where the rest of it gives `\"PT24H\"`"
        );
        let mut fewer = document();
        fewer["operations"][0].as_object_mut().unwrap().remove("reconcile");
        let refused = read(&sample::sealed(fewer)).unwrap_err().to_string();
        assert_eq!(
            refused,
            "`a.json` has nothing at `/operations/0/reconcile`, where the rest of it gives `null`"
        );
    }

    #[test]
    fn members_that_the_format_does_not_have_are_refused() {
        for object in [
            "",
            "/target",
            "/operations/0",
            "/operations/0/slots/1",
            "/operations/0/created",
            "/preconditions/0",
        ] {
            let mut changed = document();
            changed.pointer_mut(object).unwrap()["surprise\u{202e}"] = json!(1);
            let refused = read(&sample::sealed(changed)).unwrap_err();
            assert!(matches!(refused, ReadError::Shape { .. }), "{object}: {refused}");
            assert!(refused.to_string().contains("unknown field `surprise\\u{202e}`"), "{refused}");
        }
    }

    #[test]
    fn other_formats_are_named_and_so_is_the_one_that_is_read() {
        for (format, found) in [(json!("loopgate.artifact/2"), "loopgate.artifact/2"), (json!(1), "1")] {
            let refused = read(&sample::sealed(json!({"format": format}))).unwrap_err().to_string();
            assert_eq!(
                refused,
                format!("`a.json` has the format `{found}`, and this program reads `loopgate.artifact/1`")
            );
        }
        for text in ["{}", "[]", "null"] {
            assert!(matches!(read(text.as_bytes()), Err(ReadError::Format { .. })), "{text}");
        }
    }

    #[test]
    fn a_rule_that_building_keeps_is_kept_by_reading() {
        let mut changed = document();
        changed["operations"][0]["arguments"]["approvalId"] = json!("APR-FORGED");
        let refused = read(&sample::sealed(changed)).unwrap_err();
        assert!(matches!(refused, ReadError::Rule { source: BuildError::Flaw(_), .. }), "{refused}");
    }

    #[test]
    fn what_is_no_json_for_everybody_is_refused_with_its_place() {
        let text = String::from_utf8(sample::artifact().bytes().to_vec()).unwrap();
        let twice = text.replacen("{\"effect_digest\"", "{\"summary\":\"\",\"effect_digest\"", 1);
        let refused = read(twice.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("the member `summary` stands here twice"), "{refused}");
        assert!(matches!(read(&text.as_bytes()[..200]), Err(ReadError::Shape { .. })));
        assert!(matches!(read(b""), Err(ReadError::Shape { .. })));
        let refused = Artifact::read("x\u{1b}[2J", b"\xff").unwrap_err().to_string();
        assert_eq!(refused, "`x\\u{1b}[2J`: line 1, column 1: expected value");
    }

    #[test]
    fn a_file_larger_than_any_artifact_is_not_looked_into() {
        let large = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(read(&large), Err(ReadError::TooLarge { .. })));
    }
}
