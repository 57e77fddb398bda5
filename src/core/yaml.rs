//! The one way to read YAML into typed data.

use serde::de::DeserializeOwned;
use serde_yaml::Value;
use thiserror::Error;

use super::text::{doubtful_break, excerpt};

/// What people write by hand is never longer than this many bytes.
const LONGEST: usize = 4 << 20;

/// Why a text is not the YAML that was asked for.
#[derive(Debug, Error)]
pub enum YamlError {
    /// It is too long to be one.
    #[error("is {length} bytes long, more than {longest}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The most that it may have.
        longest: usize,
    },
    /// It is no YAML, has a key twice, or has another shape; with line and column where they are known.
    #[error("{}", excerpt(.0, 500))]
    Shape(String),
    /// It has a character that not every reader takes for the end of a line.
    #[error("has the character `{}`, which ends a line for some readers of YAML and not for others", .0.escape_unicode())]
    Break(char),
    /// It has a tag, which typed fields would drop in silence.
    #[error("has the tag `{}`, and tags mean nothing here", excerpt(.0, 100))]
    Tag(String),
}

/// The parser's words are all that it has to say, so its error is no source.
impl From<serde_yaml::Error> for YamlError {
    fn from(error: serde_yaml::Error) -> Self {
        Self::Shape(error.to_string())
    }
}

/// Reads `text` as a `T`. Duplicate keys and tags are refused.
///
/// # Errors
/// [`YamlError`].
pub fn read_yaml<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    read_yaml_up_to(text, LONGEST)
}

/// The same for a text of at most `longest` bytes.
///
/// # Errors
/// [`YamlError`].
pub fn read_yaml_up_to<T: DeserializeOwned>(text: &str, longest: usize) -> Result<T, YamlError> {
    if text.len() > longest {
        return Err(YamlError::TooLong { length: text.len(), longest });
    }
    if let Some((_, c)) = doubtful_break(text) {
        return Err(YamlError::Break(c));
    }
    // Untyped, which alone sees duplicate keys and tags.
    let untyped: Value = serde_yaml::from_str(text)?;
    if let Some(tag) = tag_in(&untyped) {
        return Err(YamlError::Tag(tag));
    }
    match serde_yaml::from_value(untyped) {
        Ok(read) => Ok(read),
        // Again from the text, which alone knows places, and that a plain `1` may be meant as text.
        Err(_) => Ok(serde_yaml::from_str(text)?),
    }
}

fn tag_in(value: &Value) -> Option<String> {
    match value {
        Value::Tagged(tagged) => Some(tagged.tag.to_string()),
        Value::Sequence(items) => items.iter().find_map(tag_in),
        Value::Mapping(members) => {
            members.iter().find_map(|(name, member)| tag_in(name).or_else(|| tag_in(member)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn read(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
        read_yaml(text).map_err(|error| error.to_string())
    }

    #[test]
    fn duplicate_keys_and_tags_are_refused() {
        assert!(read("a: [x]\na: [y]\n").unwrap_err().contains("duplicate"));
        assert!(read("a: [!secret x]\n").unwrap_err().contains("`!secret`"));
        assert!(read("a: [x]\n").is_ok());
    }

    #[test]
    fn a_character_that_ends_a_line_for_some_readers_alone_is_refused() {
        for c in ['\u{85}', '\u{2028}', '\u{2029}'] {
            let error = read(&format!("{{\"a\": [\"x{c}y\"]}}")).unwrap_err();
            assert!(error.contains(&c.escape_unicode().to_string()), "{error}");
        }
        assert_eq!(read("a: [\"x\\u2028y\"]\n").unwrap()["a"], ["x\u{2028}y"]);
    }

    #[test]
    fn another_shape_is_refused_with_its_place() {
        let error = read("a: [x]\nb: text\n").unwrap_err();
        assert!(error.contains("line 2 column 4"), "{error}");
    }

    #[test]
    fn a_bomb_and_an_endless_text_are_refused() {
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for level in 1..30 {
            let below = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{below}, {below}, {below}, {below}]\n"));
        }
        assert!(read(&bomb).is_err());
        assert!(read(&"#".repeat(LONGEST + 1)).unwrap_err().contains("bytes long"));
    }
}
