//! A record is made, and read back: the same rules and the same ID on both ways.

use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

use super::id::RecordId;
use super::v1::{Approver, Decision, FORMAT, Format, PlatformFact, Record};
use crate::core::Digest;
use crate::core::json::{StrictError, canonical, parse_strict};
use crate::core::text::visible;

/// The most bytes that a record may have.
pub const MAX_BYTES: usize = 1 << 20;

/// What the IDs of records begin with.
const PREFIX: &str = "lga1-";

const MAX_NAME: usize = 200;
const MAX_REASON: usize = 4000;

/// A decision before it has an ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The artifact's effect digest.
    pub effect_digest: Digest,
    /// The digest of the artifact file that was shown.
    pub file_digest: Option<Digest>,
    /// What was decided.
    pub decision: Decision,
    /// Who decided.
    pub approver: Approver,
    /// Who planned it.
    pub planner: Option<String>,
    /// The digest of the policy in force.
    pub policy_digest: Option<Digest>,
    /// Why.
    pub reason: String,
    /// When.
    pub time: Timestamp,
    /// Until when an approval may be used.
    pub expires: Option<Timestamp>,
    /// Where a CI platform has it.
    pub platform: Option<PlatformFact>,
}

/// Why something is no record.
#[derive(Debug, Error)]
pub enum RecordError {
    /// What was to be recorded breaks a rule.
    #[error(transparent)]
    Rule(#[from] RecordFlaw),
    /// What was read breaks a rule.
    #[error("`{}`: {source}", visible(name))]
    RuleIn {
        /// The file.
        name: String,
        /// Which one.
        source: RecordFlaw,
    },
    /// Larger than any record.
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
    /// Something else than a record, or one of another version.
    #[error("`{}` has the format `{}`, and this program reads `{FORMAT}`", visible(name), visible(found))]
    Format {
        /// The file.
        name: String,
        /// Its `format`, as JSON where it is no text; `none` where it has none.
        found: String,
    },
    /// The file is damaged or was edited (exit code 22).
    #[error("`{}` is not what was written: its ID is {stated}, its content's is {computed}", visible(name))]
    Damaged {
        /// The file.
        name: String,
        /// What it says.
        stated: RecordId,
        /// What its content gives.
        computed: RecordId,
    },
    /// A member is missing or a value is spelled in another way than the one that is written.
    #[error(
        "`{}` is not spelled as a record is written: every member stands in it, every time in UTC",
        visible(name)
    )]
    Spelling {
        /// The file.
        name: String,
    },
}

/// A rule of records that is broken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordFlaw {
    /// Something that must say something does not.
    #[error("the {what} is blank")]
    Blank {
        /// What.
        what: &'static str,
    },
    /// A text is longer than anybody reads.
    #[error("the {what} has more than {most} characters")]
    TooLong {
        /// What.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// A name that looks like another one, or steers a terminal.
    #[error("the {what} `{}` has a control character or one that is not seen", visible(found))]
    Hidden {
        /// What.
        what: &'static str,
        /// The text.
        found: String,
    },
    /// Blanks that would go on the wire, and that nobody types again.
    #[error("the {what} begins or ends with a blank")]
    OuterBlanks {
        /// What.
        what: &'static str,
    },
    /// An external ID that would be taken for a record's.
    #[error("the external ID `{}` begins with `{PREFIX}`, as only the IDs of records do", visible(found))]
    LikeARecord {
        /// The ID.
        found: String,
    },
    /// An approval without an end.
    #[error("an approval needs an expiry")]
    NoExpiry,
    /// An end for what has none.
    #[error("only an approval expires; a revocation, a rejection and a resolution do not")]
    NeedlessExpiry,
    /// An end that is not after the beginning.
    #[error("it expires at {expires}, which is not after its time, {time}")]
    ExpiresBefore {
        /// The end.
        expires: Timestamp,
        /// The beginning.
        time: Timestamp,
    },
    /// The whole has more than a reader takes.
    #[error("the record would have {bytes} bytes, and {MAX_BYTES} are the most")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// The ID is not the one that the rest gives.
    #[error("its ID is {stated}, its content's is {computed}")]
    OtherId {
        /// What it says.
        stated: RecordId,
        /// What its content gives.
        computed: RecordId,
    },
}

impl Record {
    /// The record of `draft`, with its ID.
    ///
    /// # Errors
    /// [`RecordError::Rule`].
    pub fn new(draft: Draft) -> Result<Self, RecordError> {
        let Draft {
            effect_digest,
            file_digest,
            decision,
            approver,
            planner,
            policy_digest,
            reason,
            time,
            expires,
            platform,
        } = draft;
        let mut record = Self {
            format: Format::V1,
            // Stands in its own place until it can be computed of the rest, which does not cover it.
            id: RecordId::of(&effect_digest),
            effect_digest,
            file_digest,
            decision,
            approver,
            planner,
            policy_digest,
            reason,
            time,
            expires,
            platform,
        };
        record.id = record.computed_id();
        record.check()?;
        Ok(record)
    }

    /// Reads a record; `name` is the file's, for messages. A file that was formatted anew is taken.
    ///
    /// # Errors
    /// It is too large, not JSON, of another format or shape, breaks a rule, or does not bear the ID that its
    /// content gives ([`RecordError::Damaged`]).
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_BYTES {
            return Err(RecordError::TooLarge { name: name.to_owned(), bytes: bytes.len() });
        }
        let value =
            parse_strict(bytes).map_err(|source| RecordError::Shape { name: name.to_owned(), source })?;
        Self::from_value(name, value)
    }

    /// Like [`Record::read`], of JSON that was parsed strictly.
    pub(super) fn from_value(name: &str, value: Value) -> Result<Self, RecordError> {
        let name = || name.to_owned();
        match value.get("format") {
            Some(Value::String(format)) if format == FORMAT => {}
            found => return Err(RecordError::Format { name: name(), found: format_in_words(found) }),
        }
        // Damage is told as damage, before it is told as a wrong shape.
        let stated = value.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let computed = id_of(value.clone());
        if let Some(stated) = stated
            && stated != computed
        {
            return Err(RecordError::Damaged { name: name(), stated, computed });
        }
        let record: Self = serde_json::from_value(value.clone())
            .map_err(|error| RecordError::Shape { name: name(), source: error.into() })?;
        if canonical(&value).ok().map(String::into_bytes) != Some(record.bytes()) {
            return Err(RecordError::Spelling { name: name() });
        }
        record.check().map_err(|source| RecordError::RuleIn { name: name(), source })?;
        Ok(record)
    }

    /// The file, and what a signature covers: canonical JSON on one line, without a line feed at its end.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // Nothing but texts is in a record, so it can always be written.
        canonical(&self.value()).unwrap_or_default().into_bytes()
    }

    /// Checks every rule and the ID, for a record that was not read from a file of its own.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), RecordFlaw> {
        text("approver's name", &self.approver.name, MAX_NAME)?;
        plain("approver's name", &self.approver.name)?;
        text("reason", &self.reason, MAX_REASON)?;
        if let Decision::Approve { external_id: Some(id) } = &self.decision {
            text("external ID", id, MAX_NAME)?;
            plain("external ID", id)?;
            if id.trim() != id {
                return Err(RecordFlaw::OuterBlanks { what: "external ID" });
            }
            if id.starts_with(PREFIX) {
                return Err(RecordFlaw::LikeARecord { found: id.clone() });
            }
        }
        match (&self.decision, self.expires) {
            (Decision::Approve { .. }, None) => return Err(RecordFlaw::NoExpiry),
            (Decision::Approve { .. }, Some(expires)) if expires <= self.time => {
                return Err(RecordFlaw::ExpiresBefore { expires, time: self.time });
            }
            (Decision::Approve { .. }, Some(_)) | (_, None) => {}
            (_, Some(_)) => return Err(RecordFlaw::NeedlessExpiry),
        }
        let bytes = self.bytes().len();
        if bytes > MAX_BYTES {
            return Err(RecordFlaw::TooLarge { bytes });
        }
        let computed = self.computed_id();
        if self.id == computed {
            Ok(())
        } else {
            Err(RecordFlaw::OtherId { stated: self.id.clone(), computed })
        }
    }

    fn computed_id(&self) -> RecordId {
        id_of(self.value())
    }

    fn value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The ID of a record, whatever ID it bears.
fn id_of(mut record: Value) -> RecordId {
    if let Some(members) = record.as_object_mut() {
        members.remove("id");
    }
    // What was parsed strictly has no number that this would treat in another way.
    RecordId::of(&Digest::of_foreign_json(FORMAT, &record))
}

fn text(what: &'static str, text: &str, most: usize) -> Result<(), RecordFlaw> {
    if text.trim().is_empty() {
        return Err(RecordFlaw::Blank { what });
    }
    if text.chars().nth(most).is_some() {
        return Err(RecordFlaw::TooLong { what, most });
    }
    Ok(())
}

fn plain(what: &'static str, text: &str) -> Result<(), RecordFlaw> {
    // A character that nobody sees would make one person two.
    if visible(text) == text { Ok(()) } else { Err(RecordFlaw::Hidden { what, found: text.to_owned() }) }
}

fn format_in_words(found: Option<&Value>) -> String {
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sample::{self, approve, at, draft};
    use crate::approval::v1::Resolution;
    use serde_json::json;
    use std::collections::BTreeMap;

    /// The format as it was released: a file of old is read for ever.
    const EXAMPLE: &str = concat!(
        r#"{"approver":{"assurance":"asserted","name":"alice"},"decision":{"external_id":null,"kind":"approve"},"#,
        r#""effect_digest":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","#,
        r#""expires":"2026-01-02T00:00:00Z","file_digest":null,"format":"loopgate.approval/1","#,
        r#""id":"lga1-eb85a7e3b01ccd20e9b572c5eb49c9e11afbecc3751a60ae80de1e6dfa3cbf4c","#,
        r#""planner":"bot","policy_digest":null,"reason":"reviewed","time":"2026-01-01T00:00:00Z"}"#
    );

    fn read(bytes: &[u8]) -> Result<Record, RecordError> {
        Record::read("r.json", bytes)
    }

    fn flaw(change: impl FnOnce(&mut Draft)) -> String {
        let mut draft = draft("alice");
        change(&mut draft);
        Record::new(draft).unwrap_err().to_string()
    }

    /// `record` changed, under the ID that its content then gives.
    fn sealed(mut record: Value) -> Vec<u8> {
        record["id"] = json!(id_of(record.clone()));
        serde_json::to_vec(&record).unwrap()
    }

    #[test]
    fn the_released_example_is_read_and_is_what_is_written() {
        let record = read(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(record, approve("alice"));
        assert_eq!(String::from_utf8(record.bytes()).unwrap(), EXAMPLE);
    }

    #[test]
    fn what_is_written_is_read_and_so_is_what_was_formatted_anew() {
        for record in sample::records() {
            assert_eq!(read(&record.bytes()).unwrap(), record);
            assert!(!record.bytes().contains(&b'\n'));
            let pretty = serde_json::to_vec_pretty(&record).unwrap();
            assert_eq!(read(&pretty).unwrap(), record);
        }
    }

    #[test]
    fn a_changed_byte_is_refused() {
        // Every third byte, from another one on in each record.
        for (start, record) in sample::records().into_iter().enumerate() {
            let mut bytes = record.bytes();
            let others = [b'0', b' ', b'"', b'}', 0xff];
            for place in (start % 3..bytes.len()).step_by(3) {
                let old = bytes[place];
                for new in [old ^ 1, others[place % others.len()]] {
                    bytes[place] = new;
                    assert!(new == old || read(&bytes).is_err(), "byte {place}: {old} as {new}");
                }
                bytes[place] = old;
            }
            assert!(read(&bytes).is_ok());
        }
    }

    #[test]
    fn every_member_is_in_the_id() {
        let id = approve("alice").id;
        let other = Digest::of_bytes(b"other");
        let changes: [fn(&mut Draft, Digest); 10] = [
            |draft, other| draft.effect_digest = other,
            |draft, other| draft.file_digest = Some(other),
            |draft, _| draft.decision = Decision::Approve { external_id: Some("APR-1".into()) },
            |draft, _| draft.approver.name = "bob".into(),
            |draft, _| draft.planner = None,
            |draft, other| draft.policy_digest = Some(other),
            |draft, _| draft.reason = "other".into(),
            |draft, _| draft.time = at("2026-01-01T00:00:01Z"),
            |draft, _| draft.expires = Some(at("2026-01-02T00:00:01Z")),
            |draft, _| draft.platform = Some(sample::review()),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut draft = draft("alice");
            change(&mut draft, other.clone());
            assert_ne!(Record::new(draft).unwrap().id, id, "{index}");
        }
    }

    #[test]
    fn an_edited_file_is_damaged_and_a_self_made_id_names_other_content() {
        let mut record = serde_json::to_value(approve("alice")).unwrap();
        record["approver"]["name"] = json!("mallory");
        let refused = read(&serde_json::to_vec(&record).unwrap()).unwrap_err();
        assert!(matches!(refused, RecordError::Damaged { .. }), "{refused}");
        assert_ne!(read(&sealed(record)).unwrap().id, approve("alice").id);
    }

    #[test]
    fn every_value_has_one_spelling() {
        for (member, value) in
            [("time", json!("2026-01-01T01:00:00+01:00")), ("expires", json!("2026-01-02t00:00:00z"))]
        {
            let mut record = serde_json::to_value(approve("alice")).unwrap();
            record[member] = value;
            assert!(matches!(read(&sealed(record)), Err(RecordError::Spelling { .. })), "{member}");
        }
        let mut record = serde_json::to_value(approve("alice")).unwrap();
        record.as_object_mut().unwrap().remove("file_digest");
        assert!(matches!(read(&sealed(record)), Err(RecordError::Spelling { .. })));
    }

    #[test]
    fn names_and_reasons_say_something_and_have_an_end() {
        assert_eq!(flaw(|draft| draft.reason = " \n".into()), "the reason is blank");
        assert_eq!(flaw(|draft| draft.reason = "é".repeat(4001)), "the reason has more than 4000 characters");
        assert_eq!(flaw(|draft| draft.approver.name = "\t".into()), "the approver's name is blank");
        assert_eq!(
            flaw(|draft| draft.approver.name = "a".repeat(201)),
            "the approver's name has more than 200 characters"
        );
        let external = |id: &str| {
            let id = id.to_owned();
            flaw(|draft| draft.decision = Decision::Approve { external_id: Some(id) })
        };
        assert_eq!(external(""), "the external ID is blank");
        assert_eq!(external(&"a".repeat(201)), "the external ID has more than 200 characters");
        assert!(Record::new(Draft { reason: "é".repeat(4000), ..draft(&"é".repeat(200)) }).is_ok());
    }

    #[test]
    fn a_name_has_no_character_that_nobody_sees() {
        for name in ["alice\u{200b}", "al\nice", "\u{1b}[2Jalice", "\u{202e}ecila"] {
            let message = flaw(|draft| draft.approver.name = name.to_owned());
            assert!(message.ends_with("has a control character or one that is not seen"), "{message}");
            let message =
                flaw(|draft| draft.decision = Decision::Approve { external_id: Some(name.to_owned()) });
            assert!(message.starts_with("the external ID `"), "{message}");
            assert_eq!(visible(&message), message);
        }
    }

    #[test]
    fn an_approval_ends_and_nothing_else_does() {
        assert_eq!(flaw(|draft| draft.expires = None), "an approval needs an expiry");
        assert_eq!(
            flaw(|draft| draft.expires = Some(draft.time)),
            "it expires at 2026-01-01T00:00:00Z, which is not after its time, 2026-01-01T00:00:00Z"
        );
        let resolution = Resolution::Applied { created: BTreeMap::new() };
        for decision in [
            Decision::Revoke { approval: approve("alice").id },
            Decision::Reject {},
            Decision::Resolve { intent: Digest::of_bytes(b""), outcome: resolution },
        ] {
            let message = flaw(|draft| draft.decision = decision);
            assert!(message.starts_with("only an approval expires"), "{message}");
        }
    }

    #[test]
    fn a_rule_that_making_keeps_is_kept_by_reading() {
        let mut record = serde_json::to_value(approve("alice")).unwrap();
        record["reason"] = json!("");
        let refused = read(&sealed(record)).unwrap_err();
        assert_eq!(refused.to_string(), "`r.json`: the reason is blank");
    }

    #[test]
    fn members_that_the_format_does_not_have_are_refused() {
        for record in sample::records() {
            for object in ["", "/decision", "/approver"] {
                let mut more = serde_json::to_value(&record).unwrap();
                more.pointer_mut(object).unwrap()["surprise"] = json!(1);
                let refused = read(&sealed(more)).unwrap_err();
                assert!(matches!(refused, RecordError::Shape { .. }), "{object}: {refused}");
            }
        }
    }

    #[test]
    fn other_formats_are_named_and_so_is_the_one_that_is_read() {
        let refused = read(br#"{"format":"loopgate.approval/2"}"#).unwrap_err().to_string();
        assert_eq!(
            refused,
            "`r.json` has the format `loopgate.approval/2`, and this program reads `loopgate.approval/1`"
        );
        for text in ["{}", "[]", "null"] {
            assert!(matches!(read(text.as_bytes()), Err(RecordError::Format { .. })), "{text}");
        }
        let twice = EXAMPLE.replacen('{', "{\"reason\":\"\",", 1);
        assert!(read(twice.as_bytes()).unwrap_err().to_string().contains("stands here twice"));
    }

    #[test]
    fn a_file_larger_than_any_record_is_not_looked_into() {
        assert!(matches!(read(&vec![b' '; MAX_BYTES + 1]), Err(RecordError::TooLarge { .. })));
        let created = BTreeMap::from([("k".to_owned(), vec!["x".repeat(MAX_BYTES)])]);
        let decision =
            Decision::Resolve { intent: Digest::of_bytes(b""), outcome: Resolution::Applied { created } };
        let refused = Record::new(Draft { decision, expires: None, ..draft("alice") }).unwrap_err();
        assert!(matches!(refused, RecordError::Rule(RecordFlaw::TooLarge { .. })), "{refused}");
    }
}
