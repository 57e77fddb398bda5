//! A lock is read, with what people may edit in it and what they may not, and written.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::Value;
use thiserror::Error;

use super::place::{TextPlace, place_of};
use super::v1::{ClassBy, FORMAT, Format, Lock, LockedTool};
use crate::core::Class;
use crate::core::json::{StrictError, parse_unambiguous};
use crate::core::printable::indented;
use crate::core::text::{excerpt, visible};

/// Why a text is no lock.
#[derive(Debug, Error)]
pub enum LockError {
    /// It is not JSON, or one that two readers understand differently.
    #[error("`{}`: {source}", visible(name))]
    Json {
        /// The file.
        name: String,
        /// Where and what.
        source: StrictError,
    },
    /// It is of another shape.
    #[error("`{}`: {what}", visible(name))]
    Shape {
        /// The file.
        name: String,
        /// Where and what.
        what: String,
    },
    /// It is something else, or of another version.
    #[error("`{}` has the format `{}`, and this program reads `{FORMAT}`", visible(name), visible(found))]
    Format {
        /// The file.
        name: String,
        /// Its `format`, as JSON where it is no text; `none` where it has none.
        found: String,
    },
    /// A class was edited, and the entry does not say that a person did.
    #[error(
        "`{}`, {place}: the class of `{}` was edited, and `class_by: {by}` says that nobody did",
        visible(name),
        visible(tool)
    )]
    Edited {
        /// The file.
        name: String,
        /// Where the tool stands.
        place: String,
        /// The tool.
        tool: String,
        /// Who is said to have given the class.
        by: ClassBy,
    },
    /// An entry is not what was written (exit code 22).
    #[error(
        "`{}`, {place}: `{}` is not what was written: its digest is that of something else",
        visible(name),
        visible(tool)
    )]
    Damaged {
        /// The file.
        name: String,
        /// Where the tool stands.
        place: String,
        /// The tool.
        tool: String,
    },
    /// What was to be written could not be read again.
    #[error("the server's tools give no lock: {0}")]
    Unwritable(Box<LockError>),
}

impl LockError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Edited { .. } => {
                Some("write `\"class_by\": \"person\"` beside a class that a person has set, or put it back")
            }
            Self::Damaged { .. } => Some(
                "take the file from version control again; people edit `class` with `class_by` in it, and nothing else",
            ),
            _ => None,
        }
    }
}

impl Lock {
    /// An empty one.
    #[must_use]
    pub fn empty() -> Self {
        Self { format: Format::V1, servers: BTreeMap::new() }
    }

    /// Reads a lock; `name` is the file's, for messages.
    ///
    /// # Errors
    /// It is none, or an entry of it is not what was written.
    pub fn parse(name: &str, text: &str) -> Result<Self, LockError> {
        let named = || name.to_owned();
        let value =
            parse_unambiguous(text.as_bytes()).map_err(|source| LockError::Json { name: named(), source })?;
        if value.get("format") != Some(&Value::from(FORMAT)) {
            let found = match value.get("format") {
                Some(Value::String(text)) => excerpt(text, 60),
                Some(other) => excerpt(&other.to_string(), 60),
                None => "none".to_owned(),
            };
            return Err(LockError::Format { name: named(), found });
        }
        let lock = Self::deserialize(value).map_err(|_| LockError::Shape {
            name: named(),
            // Again from the text, which alone knows places.
            what: match serde_json::from_str::<Self>(text) {
                Err(error) => visible(&error.to_string()).into_owned(),
                Ok(_) => "is of another shape".to_owned(),
            },
        })?;
        for (server, tools) in &lock.servers {
            for (tool, entry) in &tools.tools {
                let place = || match place_of(text, &["servers", server, "tools", tool]) {
                    Some(TextPlace { line, column }) => format!("line {line}, column {column}"),
                    None => format!("server `{}`", visible(server)),
                };
                match written(entry) {
                    Written::AsItStands => {}
                    Written::WithAnotherClass => {
                        return Err(LockError::Edited {
                            name: named(),
                            place: place(),
                            tool: tool.clone(),
                            by: entry.class_by,
                        });
                    }
                    Written::Otherwise => {
                        return Err(LockError::Damaged { name: named(), place: place(), tool: tool.clone() });
                    }
                }
            }
        }
        Ok(lock)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// It would not be read again, such as a schema that is nested too deeply.
    pub fn text(&self) -> Result<String, LockError> {
        let value = serde_json::to_value(self).map_err(|error| {
            let (name, what) = ("the lock".to_owned(), visible(&error.to_string()).into_owned());
            LockError::Unwritable(Box::new(LockError::Shape { name, what }))
        })?;
        let text = format!("{}\n", indented(&value));
        match Self::parse("the lock", &text) {
            Ok(_) => Ok(text),
            Err(error) => Err(LockError::Unwritable(Box::new(error))),
        }
    }
}

/// How an entry was written.
enum Written {
    /// As it stands, or with another class that a person has set since.
    AsItStands,
    /// With another class, and nobody says that a person has set this one.
    WithAnotherClass,
    /// In another way.
    Otherwise,
}

fn written(entry: &LockedTool) -> Written {
    if entry.computed(entry.class, entry.class_by) == entry.digest {
        return Written::AsItStands;
    }
    let mut others =
        [Class::Read, Class::Write].into_iter().flat_map(|class| ClassBy::ALL.map(|by| (class, by)));
    match (others.any(|(class, by)| entry.computed(class, by) == entry.digest), entry.class_by) {
        (true, ClassBy::Person) => Written::AsItStands,
        (true, _) => Written::WithAnotherClass,
        (false, _) => Written::Otherwise,
    }
}
