//! One way through the events of a YAML text: places, and what the language leaves out of YAML.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::diagnostic::{Diagnostic, Span};
use super::source::Source;
use super::yaml::{Place, problem};
use crate::core::json::LARGEST_INTEGER;
use crate::core::pointer::escape;

/// The deepest nesting of lists and mappings.
const DEEPEST: usize = 64;

/// A list or mapping whose end has not come yet.
enum Open {
    Map { pointer: String, key: Option<(String, Span)>, seen: BTreeMap<String, Span> },
    List { pointer: String, next: usize },
}

/// One way through the events of a text.
pub(super) struct Walk<'a> {
    source: &'a Source,
    /// Byte offset of each character; empty where every character is a byte.
    offsets: Vec<usize>,
    open: Vec<Open>,
    /// Where each value stands, by JSON pointer.
    pub places: BTreeMap<String, Place>,
    /// What is refused.
    pub problems: Vec<Diagnostic>,
    documents: usize,
}

impl<'a> Walk<'a> {
    pub fn new(source: &'a Source) -> Self {
        let offsets = if source.text.is_ascii() {
            Vec::new()
        } else {
            source.text.char_indices().map(|(at, _)| at).collect()
        };
        Self {
            source,
            offsets,
            open: Vec::new(),
            places: BTreeMap::new(),
            problems: Vec::new(),
            documents: 0,
        }
    }

    /// Walks to the end, or to the first thing behind which nothing can be said.
    pub fn run(&mut self) {
        let source = self.source;
        let lines = LineIndex::new(&source.text);
        let mut parser = Parser::new_from_str(&source.text);
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok((event, span)) => (event, lines.span(self.offset(&span.start), self.offset(&span.end))),
                Err(error) => {
                    let at = self.offset(error.marker());
                    let hint = Some("the recipe must be YAML 1.2");
                    return self.report("yaml-syntax", error.info(), lines.span(at, at), hint);
                }
            };
            if !self.event(event, span) || self.problems.len() >= 50 {
                return;
            }
        }
    }

    fn offset(&self, marker: &saphyr_parser::Marker) -> usize {
        if self.offsets.is_empty() {
            marker.index()
        } else {
            self.offsets.get(marker.index()).copied().unwrap_or(self.source.text.len())
        }
    }

    fn report(&mut self, code: &'static str, message: &str, span: Span, hint: Option<&str>) {
        self.problems.push(problem(self.source, code, message, Some(span), hint));
    }

    /// Takes one event; whether the walk can go on.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.report("several-documents", "a second YAML document begins here", span, None);
                    return false;
                }
                true
            }
            Event::Alias(_) => {
                let hint = Some("write the value out; recipes have no aliases and no merge keys");
                self.report("alias", "an alias stands here", span, hint);
                false
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.decorations(anchor, tag.as_deref(), span);
                self.scalar(text, style, tag.is_some(), span)
            }
            Event::SequenceStart(anchor, tag) => {
                self.decorations(anchor, tag.as_deref(), span);
                let Some(pointer) = self.node(span) else { return false };
                self.open.push(Open::List { pointer, next: 0 });
                self.depth(span)
            }
            Event::MappingStart(anchor, tag) => {
                self.decorations(anchor, tag.as_deref(), span);
                let Some(pointer) = self.node(span) else { return false };
                self.open.push(Open::Map { pointer, key: None, seen: BTreeMap::new() });
                self.depth(span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
                true
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => true,
        }
    }

    fn depth(&mut self, span: Span) -> bool {
        if self.open.len() > DEEPEST {
            self.report("too-deep", &format!("nesting is deeper than {DEEPEST}"), span, None);
            return false;
        }
        true
    }

    fn decorations(&mut self, anchor: usize, tag: Option<&saphyr_parser::Tag>, span: Span) {
        if let Some(tag) = tag {
            let hint = Some("write the value plainly; quotes make a string");
            self.report("tag", &format!("a tag (`{}{}`) stands here", tag.handle, tag.suffix), span, hint);
        }
        if anchor > 0 {
            self.report("anchor", "an anchor stands here", span, Some("recipes have no anchors"));
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, tagged: bool, span: Span) -> bool {
        let plain = style == ScalarStyle::Plain && !tagged;
        if let Some(Open::Map { key: key @ None, seen, .. }) = self.open.last_mut() {
            let key_text = text.into_owned();
            let first = seen.get(&key_text).copied();
            seen.entry(key_text.clone()).or_insert(span);
            *key = Some((key_text.clone(), span));
            if let Some(first) = first {
                let message = format!("`{key_text}` stands here a second time");
                let hint = format!("the first one is on line {}", first.line);
                self.report("duplicate-key", &message, span, Some(&hint));
            } else if plain && key_text == "<<" {
                self.report("alias", "a merge key stands here", span, Some("recipes have no merge keys"));
            } else if plain && !is_text(&key_text) {
                let message = format!("the key `{key_text}` is not a string");
                self.report("key-not-string", &message, span, Some("put it in quotes"));
            }
            return true;
        }
        if plain && let Some(message) = bad_number(&text) {
            let hint = Some("put it in quotes if it is text; other JSON readers would change the number");
            self.report("unsafe-number", &message, span, hint);
        }
        self.node(span).is_some()
    }

    /// Notes the place of a value; `None` where a list or mapping is used as a key.
    fn node(&mut self, span: Span) -> Option<String> {
        let (pointer, key) = match self.open.last_mut() {
            None => (String::new(), None),
            Some(Open::List { pointer, next, .. }) => {
                let index = *next;
                *next += 1;
                (format!("{pointer}/{index}"), None)
            }
            Some(Open::Map { pointer, key, .. }) => match key.take() {
                Some((key, span)) => (format!("{pointer}/{}", escape(&key)), Some(span)),
                None => {
                    self.report("key-not-string", "a list or mapping is used as a key", span, None);
                    return None;
                }
            },
        };
        self.places.insert(pointer.clone(), Place { key, value: span });
        Some(pointer)
    }
}

/// Starts of lines, so that a place costs no walk from the beginning.
struct LineIndex<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// The last place on a line and its column: a long line is not counted from its beginning each time.
    last: Cell<(usize, usize)>,
}

impl<'a> LineIndex<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, last: Cell::new((0, 1)) }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let line = self.starts.partition_point(|first| *first <= start).max(1);
        let first = self.starts.get(line - 1).copied().unwrap_or(0);
        let (from, counted) =
            Some(self.last.get()).filter(|(last, _)| (first..=start).contains(last)).unwrap_or((first, 1));
        let column = self.text.get(from..start).map_or(1, |before| counted + before.chars().count());
        self.last.set((start, column));
        Span { start, end: end.max(start), line, column }
    }
}

/// Whether a plain scalar is read as a string.
fn is_text(plain: &str) -> bool {
    // Most keys are words, and of words these alone are something else.
    let is_word = plain.starts_with(|c: char| c.is_ascii_alphabetic())
        && plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_word && !["true", "false", "null"].iter().any(|other| plain.eq_ignore_ascii_case(other)) {
        return true;
    }
    matches!(serde_yaml::from_str::<serde_yaml::Value>(plain), Ok(serde_yaml::Value::String(_)) | Err(_))
}

/// What is wrong with a plain scalar that is read as a number.
fn bad_number(plain: &str) -> Option<String> {
    if !plain.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let number = match serde_yaml::from_str(plain) {
        Ok(serde_yaml::Value::Number(number)) => number,
        Ok(_) => {
            // YAML 1.1 and 1.2 differ in what a number is.
            let ambiguous = super::number::decimal(plain).is_some();
            return ambiguous
                .then(|| format!("`{plain}` is a number to some YAML readers and text to others"));
        }
        Err(_) => return Some(format!("`{plain}` is no number that JSON readers keep")),
    };
    if let Some(integer) = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64()) {
        let safe = integer <= LARGEST_INTEGER.unsigned_abs();
        return (!safe).then(|| format!("the integer `{plain}` is outside ±(2⁵³−1)"));
    }
    let double = number.as_f64().unwrap_or(f64::NAN);
    if !double.is_finite() {
        return Some(format!("`{plain}` is no number that JSON has"));
    }
    if !plain.contains(['.', 'e', 'E']) || !super::number::survives(double) {
        return Some(format!("the number `{plain}` is an integer outside ±(2⁵³−1)"));
    }
    let kept = super::number::decimal(plain) == super::number::decimal(&format!("{double:e}"));
    (!kept).then(|| format!("the number `{plain}` would become `{double}`"))
}
