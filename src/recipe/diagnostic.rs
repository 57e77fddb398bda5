//! What is wrong with a recipe, as data. Rendering is done elsewhere.

use std::fmt;

use crate::core::text::visible;

/// A place in the text of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Byte offset of the first character.
    pub start: usize,
    /// Byte offset behind the last one.
    pub end: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Span {
    /// The place of the bytes `start..end` of `text`; the ends are moved back to character boundaries.
    #[must_use]
    pub fn new(text: &str, start: usize, end: usize) -> Self {
        let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i));
        let start = boundary(start).unwrap_or(0);
        let before = text.get(..start).unwrap_or_default();
        Self {
            start,
            end: boundary(end).unwrap_or(start).max(start),
            line: 1 + before.matches('\n').count(),
            column: 1 + before.rsplit('\n').next().unwrap_or_default().chars().count(),
        }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable kebab-case name of its kind, such as `unknown-key`.
    pub code: &'static str,
    /// In words, without the place. Text from the recipe in it is made visible.
    pub message: String,
    /// Name of the source it is in.
    pub source: String,
    /// Where, if that is known.
    pub span: Option<Span>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", visible(&self.source))?;
        if let Some(span) = self.span {
            write!(f, ":{}:{}", span.line, span.column)?;
        }
        write!(f, ": {} [{}]", self.message, self.code)
    }
}

/// Every problem of a recipe and of what it includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// By source in the order of reading, then by place.
    pub diagnostics: Vec<Diagnostic>,
    /// Name and text of each source, in the order of reading.
    pub sources: Vec<(String, String)>,
}

impl Problems {
    /// Sorts the diagnostics and leaves out repeated ones.
    #[must_use]
    pub fn new(mut diagnostics: Vec<Diagnostic>, sources: Vec<(String, String)>) -> Self {
        let order = |diagnostic: &Diagnostic| {
            let source = sources.iter().position(|(name, _)| *name == diagnostic.source);
            (source, diagnostic.span.map(|span| span.start), diagnostic.code)
        };
        diagnostics.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.message.cmp(&b.message)));
        diagnostics.dedup();
        Self { diagnostics, sources }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A hint that names the word of `known` that `word` was probably meant to be; without one, all of them
/// where they are few.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    if let Some(near) = nearest(word, &known) {
        return Some(format!("did you mean `{}`?", visible(near)));
    }
    let few = !known.is_empty() && known.len() <= 24;
    few.then(|| {
        let names: Vec<String> = known.iter().map(|name| format!("`{}`", visible(name))).collect();
        format!("known here: {}", names.join(", "))
    })
}

/// The word of `known` that differs from `word` by a slip of the fingers, if there is one.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let slips = (word.chars().count() / 3).clamp(1, 3);
    let distances = known.iter().map(|name| (strsim::damerau_levenshtein(word, name), *name));
    distances.filter(|(distance, _)| (1..=slips).contains(distance)).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let text = "ä: b\r\nü: tür\n";
        let start = text.find("tür").unwrap();
        assert_eq!(
            Span::new(text, start, start + "tür".len()),
            Span { start, end: start + 4, line: 2, column: 4 }
        );
        assert_eq!(Span::new(text, 1, 1).start, 0);
        assert_eq!(Span::new("", 9, 12), Span { start: 0, end: 0, line: 1, column: 1 });
    }

    #[test]
    fn a_slip_is_named_and_another_word_is_not() {
        assert_eq!(did_you_mean("wiht", ["with", "when"]).unwrap(), "did you mean `with`?");
        assert_eq!(did_you_mean("colour", ["of", "by"]).unwrap(), "known here: `by`, `of`");
        assert_eq!(did_you_mean("x", []), None);
    }

    #[test]
    fn problems_stand_in_the_order_of_the_text() {
        let at = |source: &str, start| Diagnostic {
            code: "unknown-key",
            message: String::new(),
            source: source.to_owned(),
            span: Some(Span { start, end: start, line: 1, column: 1 }),
            hint: None,
        };
        let sources = vec![("z".to_owned(), String::new()), ("a".to_owned(), String::new())];
        let problems = Problems::new(vec![at("a", 1), at("z", 9), at("z", 3), at("z", 3)], sources);
        assert_eq!(problems.diagnostics, [at("z", 3), at("z", 9), at("a", 1)]);
    }
}
