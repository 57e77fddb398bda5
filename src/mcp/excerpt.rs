//! The beginning of a text that may be of any length.

use std::borrow::Cow;

/// The first `longest` characters of `text`, with `…` where more follow.
pub(super) fn excerpt(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest).and_then(|(at, _)| text.get(..at)) {
        Some(start) => Cow::Owned(format!("{start}…")),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_between_characters_and_is_shown() {
        assert_eq!(excerpt("Zürich", 2), "Zü…");
        assert_eq!(excerpt("Zürich", 6), "Zürich");
        assert_eq!(excerpt("", 0), "");
    }
}
