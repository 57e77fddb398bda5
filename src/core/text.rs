//! Text from strangers, made visible: what could steer a terminal or hide from a reader is spelled out.

use std::borrow::Cow;

/// `text` with the second sign of what a runner takes for the beginning of a command, wherever that stands in a line,
/// written as `sign`: two signs, letters or none, and a bracket, as in `##[group]` (GitHub), `##vso[task.…]` (Azure
/// Pipelines) and `##teamcity[…]`.
pub(super) fn without_commands<'a>(text: &'a str, sign: &str) -> Cow<'a, str> {
    let begins = |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).starts_with('[');
    let mut out = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices('#') {
        let (before, rest) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        if before.ends_with('#') && begins(rest) {
            out.push_str(text.get(done..at).unwrap_or_default());
            out.push_str(sign);
            done = at + 1;
        }
    }
    match done {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(out + text.get(done..).unwrap_or_default()),
    }
}

/// `text` on one line with every control, bidirectional and invisible formatting character written as
/// `\u{…}` (line feed and tab as `\n` and `\t`), and none that begins a workflow command in the middle of a line.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if let Cow::Owned(disarmed) = without_commands(text, "\\u{23}") {
        return Cow::Owned(visible(&disarmed).into_owned());
    }
    if text.chars().any(is_hidden) {
        Cow::Owned(text.chars().fold(String::with_capacity(text.len() + 16), |mut out, c| {
            match c {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if is_hidden(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
            out
        }))
    } else {
        Cow::Borrowed(text)
    }
}

/// Where in `text` a character stands that some readers of YAML take for the end of a line, and others for a character
/// like any other: a text in quotation marks has a line feed or a blank there, or what was written.
#[must_use]
pub fn doubtful_break(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, c)| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}'))
}

/// The first `most` characters of `text`, with `…` where more follow. What is approved is never cut.
#[must_use]
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most).and_then(|(at, _)| text.get(..at)) {
        Some(start) => Cow::Owned(format!("{start}…")),
        None => Cow::Borrowed(text),
    }
}

/// `text` made [`visible`] and [`cut`]: for messages that quote strangers.
#[must_use]
pub fn excerpt(text: &str, most: usize) -> String {
    // Spelling out only makes text longer, so what stands behind this is never shown.
    let end = text.char_indices().nth(most.saturating_add(1)).map_or(text.len(), |(index, _)| index);
    cut(&visible(text.get(..end).unwrap_or_default()), most).into_owned()
}

/// Whether a character moves the cursor, turns the direction of text, or is not seen at all.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_bidi_and_line_breaks_are_spelled_out() {
        assert_eq!(visible("a\u{1b}[31mred\u{202e}\r\n\tz"), "a\\u{1b}[31mred\\u{202e}\\r\\n\\tz");
        assert_eq!(visible("Zürich, 東京 ✓"), "Zürich, 東京 ✓");
    }

    #[test]
    fn nothing_begins_a_command_in_the_middle_of_a_line() {
        assert_eq!(visible("a ##vso[task.setvariable]b"), "a #\\u{23}vso[task.setvariable]b");
        assert_eq!(visible("###[group]x ##teamcity[y]"), "##\\u{23}[group]x #\\u{23}teamcity[y]");
        assert_eq!(visible("## heading [a] #1 ##"), "## heading [a] #1 ##");
    }

    #[test]
    fn a_cut_falls_between_characters_and_is_shown() {
        assert_eq!(cut("Zürich", 2), "Zü…");
        assert_eq!(cut("Zürich", 6), "Zürich");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn an_excerpt_is_cut_between_characters_and_says_so() {
        assert_eq!(excerpt("Zürich", 6), "Zürich");
        assert_eq!(excerpt("Zürich", 2), "Zü…");
        assert_eq!(excerpt("a\u{1b}b", 3), "a\\u…");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in "\\PC{0,20}|.{0,20}") {
            prop_assert!(!visible(&text).chars().any(is_hidden));
        }
    }
}
