//! Where a key stands in JSON text, for messages about the file.

use std::fmt;

/// A place in a text, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPlace {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for TextPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What is open where the scan is.
enum Open {
    List,
    Object {
        /// The key whose value comes or is under way.
        key: Option<String>,
        /// Whether the next text is a key.
        wants_key: bool,
    },
}

/// The place of the last key of `path` in JSON text: each name is a key in the object that the one before it holds.
/// Nothing where it is not there.
#[must_use]
pub fn place_of(text: &str, path: &[&str]) -> Option<TextPlace> {
    let mut open: Vec<Open> = Vec::new();
    let mut rest = text.char_indices();
    while let Some((start, c)) = rest.next() {
        match c {
            '{' => open.push(Open::Object { key: None, wants_key: true }),
            '[' => open.push(Open::List),
            '}' | ']' => {
                open.pop();
            }
            ',' => {
                if let Some(Open::Object { wants_key, .. }) = open.last_mut() {
                    *wants_key = true;
                }
            }
            '"' => {
                let mut escaped = false;
                let end = rest.find_map(|(at, c)| match (c, escaped) {
                    ('"', false) => Some(at),
                    _ => {
                        escaped = c == '\\' && !escaped;
                        None
                    }
                })?;
                let Some(Open::Object { key, wants_key: wants_key @ true }) = open.last_mut() else {
                    continue;
                };
                *wants_key = false;
                *key = serde_json::from_str(text.get(start..=end)?).ok();
                let here = open.iter().map(|open| match open {
                    Open::Object { key: Some(key), .. } => Some(key.as_str()),
                    _ => None,
                });
                if here.eq(path.iter().map(|name| Some(*name))) {
                    let before = text.get(..start)?;
                    let line = 1 + before.matches('\n').count();
                    let column = 1 + before.rsplit('\n').next()?.chars().count();
                    return Some(TextPlace { line, column });
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_it_stands_and_nothing_else_is_taken_for_it() {
        let text =
            "{\n  \"a\": [{\"b\": \"c\"}, \"b\"],\n  \"ü\": 1, \"x\": {\"a\\\"\\\\\": {\"b\": \"b\"}}\n}";
        let at = |path: &[&str]| place_of(text, path).map(|place| (place.line, place.column));
        assert_eq!(at(&["a"]), Some((2, 3)));
        assert_eq!(at(&["x"]), Some((3, 11)));
        assert_eq!(at(&["x", "a\"\\", "b"]), Some((3, 27)));
        for missing in [&["b"][..], &["a", "b"], &["x", "b"], &[], &["c"]] {
            assert_eq!(at(missing), None, "{missing:?}");
        }
        assert_eq!(place_of("\"a", &["a"]), None);
    }
}
