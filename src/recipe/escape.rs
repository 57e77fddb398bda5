//! How interpolated text is kept from steering the file that it goes into.

use std::borrow::Cow;

use crate::core::text::visible;

/// What is done to the values that a text leaf interpolates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Escaping {
    /// Nothing: the text goes on as JSON.
    #[default]
    None,
    /// One line, hidden characters spelled out: for plain text and diagrams.
    Line,
    /// As for a line, and nothing in it is Markdown or HTML.
    Markdown,
}

impl Escaping {
    /// The escaping for a file of that name: `.md` is Markdown, `.txt` and `.mmd` are lines.
    #[must_use]
    pub fn for_file(name: &str) -> Self {
        match name.rsplit_once('.') {
            Some((_, "md")) => Self::Markdown,
            Some((_, "txt" | "mmd")) => Self::Line,
            _ => Self::None,
        }
    }

    /// `text`, escaped.
    #[must_use]
    pub fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::None => Cow::Borrowed(text),
            Self::Line => visible(text),
            Self::Markdown => Cow::Owned(markdown(text)),
        }
    }
}

/// `text` as words on one line of Markdown: nothing in it is Markdown or HTML, hidden characters are spelled out.
///
/// Every ASCII punctuation character may be escaped with a backslash (CommonMark 0.31, section 2.4).
/// `<`, `>` and `&` become entities, so that HTML that is taken out of Markdown stays harmless, and `@`
/// becomes one so that nobody is notified. `:` and `.` become entities, or bare
/// links would be made of the text around them.
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            ':' => out.push_str("&#58;"),
            '.' => out.push_str("&#46;"),
            c if c.is_ascii_punctuation() => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_decides() {
        assert_eq!(Escaping::for_file("a/report.md"), Escaping::Markdown);
        assert_eq!(Escaping::for_file("a.txt"), Escaping::Line);
        assert_eq!(Escaping::for_file("a.json"), Escaping::None);
    }

    #[test]
    fn nothing_in_a_value_is_markdown() {
        let hostile = "# [x](javascript:1) <img src=x> `a` *b* www.example.com @team\n- c | d";
        let safe = Escaping::Markdown.apply(hostile);
        assert_eq!(
            safe,
            "\\# \\[x\\]\\(javascript&#58;1\\) &lt;img src\\=x&gt; \\`a\\` \\*b\\* www&#46;example&#46;com &#64;team\\\\n\\- c \\| d"
        );
        assert!(!safe.contains(['\n', '<', '@']));
    }

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(Escaping::Line.apply("a\nb\u{1b}[0m"), "a\\nb\\u{1b}[0m");
    }
}
