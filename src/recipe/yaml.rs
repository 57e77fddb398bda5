//! YAML text ▸ JSON value with the place of each node, and what the language leaves out of YAML.
//!
//! Two parsers: one gives the values, the other the places and what the first would swallow (duplicate
//! keys, tags, anchors). A text that either of them refuses is refused.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use super::diagnostic::{Diagnostic, Span};
use super::source::Source;
use crate::core::json::LARGEST_INTEGER;
use crate::core::pointer::escape;
use crate::core::text::visible;

/// The deepest nesting of lists and mappings.
const DEEPEST: usize = 64;

/// A source that is well-formed: its value, and where everything stands.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// The text.
    pub source: Source,
    /// What it says.
    pub value: Value,
    places: BTreeMap<String, Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    key: Option<Span>,
    value: Span,
}

impl File {
    /// Reads a source.
    ///
    /// # Errors
    /// Everything that keeps it from being a value of the language.
    pub fn read(source: Source) -> Result<Self, Vec<Diagnostic>> {
        let mut walk = Walk::new(&source);
        walk.run();
        let Walk { places, problems, .. } = walk;
        if !problems.is_empty() {
            return Err(problems);
        }
        let parsed: Result<serde_yaml::Value, _> = serde_yaml::from_str(&source.text);
        let value = match parsed {
            Ok(value) => to_json(value),
            Err(error) => {
                let span = error.location().map(|at| Span::new(&source.text, at.index(), at.index()));
                return Err(vec![problem(&source, "yaml-syntax", &error.to_string(), span, None)]);
            }
        };
        match value {
            Ok(value) => Ok(Self { source, value, places }),
            Err(message) => Err(vec![problem(&source, "yaml-syntax", message, None, None)]),
        }
    }

    /// The place of the value at a JSON pointer, if it is known.
    pub fn value_span(&self, pointer: &str) -> Option<Span> {
        self.places.get(pointer).map(|place| place.value)
    }

    /// The place of the key at a JSON pointer; of the value where it has no key.
    pub fn key_span(&self, pointer: &str) -> Option<Span> {
        self.places.get(pointer).map(|place| place.key.unwrap_or(place.value))
    }

    /// The place of the bytes `start..end` of the text leaf at a JSON pointer: exact where the leaf is
    /// written as it reads, else the whole leaf.
    pub fn span_within(&self, pointer: &str, leaf: &str, start: usize, end: usize) -> Option<Span> {
        let whole = self.value_span(pointer)?;
        let written = self.source.text.get(whole.start..whole.end)?;
        let exact = written.match_indices(leaf).map(|(at, _)| at);
        let mut exact = exact.take(2);
        match (exact.next(), exact.next()) {
            (Some(at), None) => {
                let base = whole.start + at;
                Some(Span::new(&self.source.text, base + start, base + end))
            }
            _ => Some(whole),
        }
    }

    /// The byte offset that orders the value at a JSON pointer among its siblings.
    pub fn order(&self, pointer: &str) -> usize {
        self.value_span(pointer).map_or(usize::MAX, |span| span.start)
    }
}

fn problem(
    source: &Source,
    code: &'static str,
    message: &str,
    span: Option<Span>,
    hint: Option<&str>,
) -> Diagnostic {
    Diagnostic {
        code,
        message: visible(message).into_owned(),
        source: source.name.clone(),
        span,
        hint: hint.map(str::to_owned),
    }
}

fn to_json(value: serde_yaml::Value) -> Result<Value, &'static str> {
    Ok(match value {
        serde_yaml::Value::Null => Value::Null,
        serde_yaml::Value::Bool(value) => Value::from(value),
        serde_yaml::Value::String(value) => Value::from(value),
        serde_yaml::Value::Number(number) => {
            let integer = number.as_i64().map(Value::from).or_else(|| number.as_u64().map(Value::from));
            match integer {
                Some(integer) => integer,
                None => number
                    .as_f64()
                    .and_then(serde_json::Number::from_f64)
                    .map(Value::Number)
                    .ok_or("a number is not finite")?,
            }
        }
        serde_yaml::Value::Sequence(items) => {
            Value::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?)
        }
        serde_yaml::Value::Mapping(members) => {
            let mut object = Map::new();
            for (key, member) in members {
                let serde_yaml::Value::String(key) = key else { return Err("a key is not a string") };
                object.insert(key, to_json(member)?);
            }
            Value::Object(object)
        }
        serde_yaml::Value::Tagged(_) => return Err("a value has a tag"),
    })
}

/// A list or mapping whose end has not come yet.
enum Open {
    Map { pointer: String, key: Option<(String, Span)>, seen: BTreeMap<String, Span> },
    List { pointer: String, next: usize },
}

/// One way through the events of a text.
struct Walk<'a> {
    source: &'a Source,
    /// Byte offset of each character; empty where every character is a byte.
    offsets: Vec<usize>,
    open: Vec<Open>,
    places: BTreeMap<String, Place>,
    problems: Vec<Diagnostic>,
    documents: usize,
}

impl<'a> Walk<'a> {
    fn new(source: &'a Source) -> Self {
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
    fn run(&mut self) {
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
}

impl<'a> LineIndex<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let line = self.starts.partition_point(|first| *first <= start).max(1);
        let first = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(first..start).map_or(1, |before| 1 + before.chars().count());
        Span { start, end: end.max(start), line, column }
    }
}

/// Whether a plain scalar is read as a string.
fn is_text(plain: &str) -> bool {
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
    let is_integer = !plain.contains(['.', 'e', 'E']);
    if is_integer {
        return Some(format!("the integer `{plain}` is outside ±(2⁵³−1)"));
    }
    let kept = super::number::decimal(plain) == super::number::decimal(&format!("{double:e}"));
    (!kept).then(|| format!("the number `{plain}` would become `{double}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Result<File, Vec<Diagnostic>> {
        File::read(Source::from_bytes("x.yaml", text.as_bytes()).unwrap())
    }

    fn refusal(text: &str) -> (&'static str, usize, usize) {
        let problems = read(text).expect_err(text);
        let span = problems[0].span.unwrap_or(Span { start: 0, end: 0, line: 0, column: 0 });
        (problems[0].code, span.line, span.column)
    }

    #[test]
    fn what_yaml_has_and_recipes_have_not_is_refused_with_its_place() {
        for (text, expected) in [
            ("a: 1\nb: 2\na: 3\n", ("duplicate-key", 3, 1)),
            ("a: {b: 1, b: 2}\n", ("duplicate-key", 1, 11)),
            ("a: 1\n'a': 2\n", ("duplicate-key", 2, 1)),
            ("a: !include x\n", ("tag", 1, 4)),
            ("a: !!str 1\n", ("tag", 1, 4)),
            ("a: &x 1\n", ("anchor", 1, 4)),
            ("a: [x, *y]\n", ("yaml-syntax", 1, 8)),
            ("<<: {a: 1}\n", ("alias", 1, 1)),
            ("1: a\n", ("key-not-string", 1, 1)),
            ("true: a\n", ("key-not-string", 1, 1)),
            ("~: a\n", ("key-not-string", 1, 1)),
            ("? [a]\n: b\n", ("key-not-string", 1, 3)),
            ("a: 1\n---\nb: 1\n", ("several-documents", 2, 1)),
            ("a: 9007199254740992\n", ("unsafe-number", 1, 4)),
            ("a: [1, -9007199254740992]\n", ("unsafe-number", 1, 8)),
            ("a: 123456789012345678901234567890\n", ("unsafe-number", 1, 4)),
            ("a: 0.10000000000000000055\n", ("unsafe-number", 1, 4)),
            ("a: 1e999\n", ("unsafe-number", 1, 4)),
            ("a: 007\n", ("unsafe-number", 1, 4)),
            ("a: .inf\n", ("unsafe-number", 1, 4)),
            ("a: -.INF\n", ("unsafe-number", 1, 4)),
            ("a: .nan\n", ("unsafe-number", 1, 4)),
            ("a: [\n", ("yaml-syntax", 2, 1)),
            ("a: b: c\n", ("yaml-syntax", 1, 5)),
        ] {
            assert_eq!(refusal(text), expected, "{text:?}");
        }
    }

    #[test]
    fn ordinary_numbers_and_text_stay_what_they_are() {
        let file =
            read("a: 1.50\nb: 1e3\nc: -0.0\ne: 'yes'\nf: yes\ng: 1_000\nh: 9007199254740991\n").unwrap();
        for (name, expected) in [
            ("a", json!(1.5)),
            ("b", json!(1000.0)),
            ("c", json!(-0.0)),
            ("e", json!("yes")),
            ("f", json!("yes")),
            ("g", json!("1_000")),
            ("h", json!(9_007_199_254_740_991_i64)),
        ] {
            assert_eq!(file.value[name], expected, "{name}");
        }
    }

    #[test]
    fn every_problem_of_a_file_is_told_at_once() {
        let problems = read("a: !x 1\na: 2\n3: .nan\n").unwrap_err();
        let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, ["tag", "duplicate-key", "key-not-string", "unsafe-number"]);
    }

    #[test]
    fn bombs_do_not_go_off() {
        let laughs: String = std::iter::once("a0: &a0 [x, x]\n".to_owned())
            .chain((1..40).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)))
            .collect();
        assert_eq!(refusal(&laughs).0, "anchor");
        assert!(["too-deep", "yaml-syntax"].contains(&refusal(&format!("a: {}", "[".repeat(100_000))).0));
        assert!(["too-deep", "yaml-syntax"].contains(&refusal(&format!("a: {}", "{b: ".repeat(100_000))).0));
        assert_eq!(refusal(&"- ".repeat(100_000)).0, "too-deep");
        assert_eq!(
            refusal(&(0..1000).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>()).0,
            "too-deep"
        );
        let deep = format!("a: {}{}", "[".repeat(62), "]".repeat(62));
        assert!(read(&deep).is_ok());
    }

    #[test]
    fn places_hold_with_carriage_returns_marks_and_wide_characters() {
        for text in ["ü: x\r\nb:\r\n  - c: \"ö\"\r\n", "\u{feff}ü: x\nb:\n  - c: \"ö\"\n"] {
            let file = read(text).unwrap();
            let span = file.value_span("/b/0/c").unwrap();
            assert_eq!((span.line, span.column), (3, 8), "{text:?}");
            assert_eq!(&file.source.text[span.start..span.end], "\"ö\"");
            let key = file.key_span("/b").unwrap();
            assert_eq!(&file.source.text[key.start..key.end], "b");
            assert_eq!(file.value, json!({"ü": "x", "b": [{"c": "ö"}]}));
        }
    }

    #[test]
    fn a_part_of_a_leaf_is_found_where_the_leaf_is_written_as_it_reads() {
        let file = read("a: \"x {{ nope }}\"\nb: \"{{ \\\"q\\\" }}\"\n").unwrap();
        let exact = file.span_within("/a", "x {{ nope }}", 5, 9).unwrap();
        assert_eq!(&file.source.text[exact.start..exact.end], "nope");
        let whole = file.span_within("/b", "{{ \"q\" }}", 3, 6).unwrap();
        assert_eq!((whole.line, whole.column), (2, 4));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[a-c:\\-\\[\\]{},&*!|>'\"#%@?0-9.e \n\t~<é]{0,60}") {
            let _ = read(&text);
        }
    }
}
