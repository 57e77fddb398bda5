//! YAML text ▸ JSON value with the place of each node, and what the language leaves out of YAML.
//!
//! Two parsers: one gives the values, the other the places and what the first would swallow (duplicate
//! keys, tags, anchors). A text that either of them refuses is refused.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::diagnostic::{Diagnostic, Span};
use super::lenient::Lenient;
use super::source::Source;
use super::walk::Walk;
use crate::core::text::{doubtful_break, visible};

/// A source that is well-formed: its value, and where everything stands.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// The text.
    pub source: Source,
    /// What it says.
    pub value: Value,
    places: BTreeMap<String, Place>,
}

/// Where a value stands, and the key before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// In a mapping.
    pub key: Option<Span>,
    /// For a list or mapping, where it begins.
    pub value: Span,
}

impl File {
    /// Reads a source.
    ///
    /// # Errors
    /// Everything that keeps it from being a value of the language.
    pub fn read(source: Source) -> Result<Self, Vec<Diagnostic>> {
        if let Some((at, c)) = doubtful_break(&source.text) {
            let message =
                format!("the character `{c}` ends a line for some readers of YAML and not for others");
            let span = Some(Span::new(&source.text, at, at + c.len_utf8()));
            let hint = format!("in a text, write \"\\u{:04x}\"", u32::from(c));
            return Err(vec![problem(&source, "doubtful-break", &message, span, Some(&hint))]);
        }
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

    /// Reads a source as far as it goes, to be checked and not to be used: its problems, and what there is
    /// where they leave a value.
    pub fn read_to_check(source: Source) -> (Vec<Diagnostic>, Option<Self>) {
        let problems = match Self::read(source.clone()) {
            Ok(file) => return (Vec::new(), Some(file)),
            Err(problems) => problems,
        };
        // After any other the walk has not seen the rest, or a value would cost what an alias may.
        let harmless = |problem: &Diagnostic| {
            ["tag", "anchor", "duplicate-key", "key-not-string", "unsafe-number"].contains(&problem.code)
        };
        if !problems.iter().all(harmless) {
            return (problems, None);
        }
        let mut walk = Walk::new(&source);
        walk.run();
        let Walk { places, .. } = walk;
        let value = serde_yaml::from_str(&source.text).ok();
        (problems, value.map(|Lenient(value)| Self { source, value, places }))
    }

    /// Whether nothing is written in it, or comments only.
    pub fn is_empty(&self) -> bool {
        self.value_span("").is_none_or(|span| span.start == span.end)
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

/// A problem of a source.
pub(super) fn problem(
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
            ("a: 1.4e17\n", ("unsafe-number", 1, 4)),
            ("a: 1e999\n", ("unsafe-number", 1, 4)),
            ("a: 007\n", ("unsafe-number", 1, 4)),
            ("a: .inf\n", ("unsafe-number", 1, 4)),
            ("a: -.INF\n", ("unsafe-number", 1, 4)),
            ("a: .nan\n", ("unsafe-number", 1, 4)),
            ("a: [\n", ("yaml-syntax", 2, 1)),
            ("a: b: c\n", ("yaml-syntax", 1, 5)),
            ("a: \"x\u{85}y\"\n", ("doubtful-break", 1, 6)),
            ("{\"a\": 1,\n\"b\": \"\u{2028}\"}", ("doubtful-break", 2, 7)),
            ("a: 1 # \u{2029}\n", ("doubtful-break", 1, 8)),
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
    fn columns_are_right_however_many_places_a_line_has() {
        let keys: String = (0..10_000).map(|n| format!("k{n}: é, ")).collect();
        let file = read(&format!("{{{keys}}}\n")).unwrap();
        let (key, value) = (file.key_span("/k9999").unwrap(), file.value_span("/k9999").unwrap());
        let before = file.source.text.get(..key.start).unwrap().chars().count();
        assert_eq!((key.line, key.column, value.column), (1, before + 1, before + 8));
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
