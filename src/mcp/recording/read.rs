//! A recording as a file.

use serde_json::Value;
use thiserror::Error;

use super::v1::{Document, FORMAT, List};
use crate::core::Digest;
use crate::core::json::{StrictError, parse_unambiguous};
use crate::core::printable::indented;
use crate::core::text::visible;
use crate::mcp::limits::Limits;

/// The largest file, in bytes: 64 MiB.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A recording that is whole: of its format, within the limits of a server, and what was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    document: Document,
    text: String,
}

/// Why bytes are no recording, or what was seen makes none.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// Larger than any recording.
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
    /// Something else, or a recording of another version.
    #[error("`{}` has the format `{}`, and a recording has `{FORMAT}`", visible(name), visible(found))]
    Format {
        /// The file.
        name: String,
        /// Its `format`, as JSON where it is no text; `none` where it has none.
        found: String,
    },
    /// The file is damaged or was edited (exit code 22).
    #[error(
        "`{}` is not what was recorded: its file digest is {stated}, its content's is {computed}",
        visible(name)
    )]
    Damaged {
        /// The file.
        name: String,
        /// What it says.
        stated: String,
        /// What its content gives.
        computed: Digest,
    },
    /// No server may send so much.
    #[error("`{}`: at `{at}` stands more than a server may send: {what}", visible(name))]
    Beyond {
        /// The file.
        name: String,
        /// JSON pointer.
        at: String,
        /// What, and the limit.
        what: String,
    },
}

impl Recording {
    /// Reads a recording; `name` is the file's, for messages. One that was formatted anew is taken.
    ///
    /// # Errors
    /// It is too large, not JSON, of another format or shape, beyond what a server may send, or not what was written.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, RecordingError> {
        let name = || name.to_owned();
        if bytes.len() > MAX_BYTES {
            return Err(RecordingError::TooLarge { name: name(), bytes: bytes.len() });
        }
        let shape = |source: StrictError| RecordingError::Shape { name: name(), source };
        let value = parse_unambiguous(bytes).map_err(shape)?;
        match value.get("format") {
            Some(Value::String(format)) if format == FORMAT => {}
            found => {
                let found = match found {
                    Some(Value::String(text)) => text.chars().take(100).collect(),
                    Some(other) => other.to_string().chars().take(100).collect(),
                    None => "none".to_owned(),
                };
                return Err(RecordingError::Format { name: name(), found });
            }
        }
        let computed = digest(&value);
        let stated = value.get("file_digest").and_then(Value::as_str).unwrap_or("none");
        if stated != computed.to_string() {
            let stated = visible(stated).chars().take(100).collect();
            return Err(RecordingError::Damaged { name: name(), stated, computed });
        }
        let text = written(&value);
        // From the bytes, which have places; what is taken is the value, which has no member twice.
        let document: Document = serde_json::from_slice(bytes).map_err(|error| shape(error.into()))?;
        let recording = Self { document, text };
        recording.within(&Limits::default()).map_err(|(at, what)| RecordingError::Beyond {
            name: name(),
            at,
            what,
        })?;
        Ok(recording)
    }

    /// A recording of that content, whatever digest it states.
    ///
    /// # Errors
    /// As for [`Recording::read`], but for damage.
    pub fn of(mut value: Value) -> Result<Self, RecordingError> {
        let digest = digest(&value).to_string();
        if let Some(members) = value.as_object_mut() {
            members.insert("file_digest".to_owned(), Value::from(digest));
        }
        Self::read("the recording", written(&value).as_bytes())
    }

    /// What is in it.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The file: JSON with one member a line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the server is called that plays it: `replay:` and its digest.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{}{}", crate::artifact::REPLAY, self.document.file_digest)
    }

    /// What stands where that is more than the limits let a server send.
    fn within(&self, limits: &Limits) -> Result<(), (String, String)> {
        for (index, list) in self.document.lists.iter().enumerate() {
            if let List::Tools(tools) = list
                && tools.len() > limits.tools
            {
                return Err((
                    format!("/lists/{index}"),
                    format!("{} tools, and {} are the most", tools.len(), limits.tools),
                ));
            }
        }
        for (index, call) in self.document.calls.iter().enumerate() {
            let size = call.size();
            if size > limits.reply_bytes {
                let what = format!("{size} bytes, and {} are the most", limits.reply_bytes);
                return Err((format!("/calls/{index}/seen"), what));
            }
        }
        Ok(())
    }
}

fn written(value: &Value) -> String {
    format!("{}\n", indented(value))
}

/// The digest of all members but `file_digest`.
fn digest(value: &Value) -> Digest {
    let mut value = value.clone();
    if let Some(members) = value.as_object_mut() {
        members.remove("file_digest");
    }
    Digest::of_foreign_json(FORMAT, &value)
}
