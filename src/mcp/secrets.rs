//! The secrets that a server is told. Nothing that it sends shows them again: an answer goes into ledgers, reports
//! and logs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::http::{encoded, without_beginning};
use crate::core::SecretText;
use crate::core::json::parse_unambiguous;

/// What stands where one stood.
const INSTEAD: &str = "(a secret)";
/// A line of a secret with fewer characters may be there by chance.
const SHORTEST_LINE: usize = 12;
/// How often JSON stands as text in JSON: a tool's text content often is some.
const NESTED: usize = 3;

/// Every shape in which a server may give secrets back, the longest first; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets(Arc<[SecretString]>);

impl Secrets {
    pub(super) fn new<'s>(secrets: impl IntoIterator<Item = &'s SecretText>) -> Self {
        let shapes: BTreeSet<String> =
            secrets.into_iter().flat_map(|secret| shapes(secret.expose())).collect();
        let mut shapes: Vec<String> = shapes.into_iter().collect();
        shapes.sort_by_key(|shape| std::cmp::Reverse(shape.len()));
        Self(shapes.into_iter().map(SecretString::from).collect())
    }

    /// Whether there is nothing to conceal.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The length of the longest shape, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.0.first().map_or(0, |shape| shape.expose_secret().len())
    }

    /// `text` without them. JSON stays JSON.
    pub(super) fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        match parse_unambiguous(text.as_bytes()) {
            Ok(mut value) if value.is_object() || value.is_array() => match self.conceal(&mut value) {
                true => Cow::Owned(value.to_string()),
                false => Cow::Borrowed(text),
            },
            _ => self.replaced(text),
        }
    }

    /// Takes them out of every text and name in `value`, and says whether there were any.
    fn conceal(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.replaced(text) {
                Cow::Owned(concealed) => {
                    *text = concealed;
                    true
                }
                Cow::Borrowed(_) => false,
            },
            Value::Array(items) => {
                items.iter_mut().filter_map(|item| self.conceal(item).then_some(())).count() > 0
            }
            Value::Object(members) => {
                let mut found =
                    members.values_mut().filter_map(|member| self.conceal(member).then_some(())).count() > 0;
                if members.keys().any(|name| matches!(self.replaced(name), Cow::Owned(_))) {
                    let all = std::mem::take(members).into_iter();
                    *members =
                        all.map(|(name, member)| (self.replaced(&name).into_owned(), member)).collect();
                    found = true;
                }
                found
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// `text` without them, whether it is JSON or not.
    pub(super) fn concealed_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replaced(text)
    }

    fn replaced<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut concealed = Cow::Borrowed(text);
        for shape in self.0.iter() {
            if concealed.contains(shape.expose_secret()) {
                concealed = Cow::Owned(concealed.replace(shape.expose_secret(), INSTEAD));
            }
        }
        concealed
    }

    /// Bytes without them. What is no UTF-8 becomes so where it holds one.
    pub(super) fn concealed_bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.is_empty() {
            return bytes;
        }
        let text = String::from_utf8_lossy(&bytes);
        match self.concealed(&text) {
            Cow::Owned(concealed) => concealed.into_bytes(),
            Cow::Borrowed(_) => bytes,
        }
    }

    /// `text`, which may break off anywhere, without what may be the beginning of one at its end.
    pub(super) fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        let mut text = text;
        for shape in self.0.iter() {
            text = without_beginning(text, shape.expose_secret());
        }
        text
    }
}

/// A secret as it is, as a URL or a form hold it, in Base64, as JSON holds it, and the same of each of its lines that
/// is long enough.
fn shapes(secret: &str) -> Vec<String> {
    let lines = secret.lines().filter(|line| line.chars().count() >= SHORTEST_LINE);
    let mut shapes = Vec::new();
    for text in lines.chain([secret]) {
        shapes.extend(encoded(text));
        let mut written = vec![text.to_owned(), text.chars().map(utf16).collect()];
        for _ in 0..NESTED {
            let nested: Vec<String> = written.iter().map(|text| quoted(text)).collect();
            shapes.extend(nested.iter().map(|text| text.replace('/', "\\/")));
            shapes.append(&mut written);
            written = nested;
        }
        shapes.append(&mut written);
    }
    shapes
}

/// `text` as a JSON string holds it.
fn quoted(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// A character as JSON may escape it: what is not ASCII in UTF-16, the rest as usual.
fn utf16(c: char) -> String {
    match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        ' '..='~' => c.to_string(),
        _ => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use serde_json::json;

    const SECRET: &str = "kanarie \"ü/+\\\nsecond-line-of-it";

    fn secrets() -> Secrets {
        Secrets::new([&SecretText::new(SECRET).unwrap()])
    }

    #[test]
    fn whatever_shape_a_secret_comes_back_in_it_is_not_shown() {
        let form: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        for echo in [
            SECRET.to_owned(),
            json!({"echo": SECRET}).to_string(),
            json!({"echo": SECRET}).to_string().replace('/', "\\/"),
            json!([json!([json!({"echo": SECRET}).to_string()]).to_string()]).to_string(),
            format!("log: {}", json!([json!({"echo": SECRET}).to_string()])),
            json!({SECRET: 1}).to_string(),
            json!({"echo": SECRET}).to_string().replace('ü', "\\u00fc"),
            format!("https://a.example/?k={form}&b"),
            format!(
                "https://a.example/?k={}&b",
                form.replace("%C3%BC", "%c3%bc")
                    .replace("%2F", "%2f")
                    .replace("%2B", "%2b")
                    .replace("%5C", "%5c")
                    .replace("%0A", "%0a")
            ),
            format!("https://a.example/?k={}&b", form.replace('+', "%20")),
            STANDARD.encode(SECRET),
            URL_SAFE_NO_PAD.encode(SECRET),
            "…\nsecond-line-of-it\n…".to_owned(),
        ] {
            let shown = secrets().concealed(&echo).into_owned();
            assert!(shown.contains(INSTEAD), "{echo}");
            for part in ["kanarie", "second-line", &STANDARD.encode(SECRET)[4..20]] {
                assert!(!shown.contains(part), "{echo}: {shown}");
            }
        }
        assert_eq!(secrets().concealed("nothing of it"), "nothing of it");
    }

    #[test]
    fn json_stays_json() {
        let odd = Secrets::new([&SecretText::new("ends-in-a-quote\"").unwrap()]);
        let echo = json!({"a": "ends-in-a-quote", "b": "ends-in-a-quote\" and more"});
        let concealed: Value = serde_json::from_str(&odd.concealed(&echo.to_string())).unwrap();
        assert_eq!(concealed, json!({"a": "ends-in-a-quote", "b": "(a secret) and more"}));
    }

    #[test]
    fn what_breaks_off_within_a_secret_shows_no_beginning_of_it() {
        assert_eq!(secrets().without_beginning("why: kanarie \"ü"), "why: ");
        assert_eq!(secrets().without_beginning("why: not"), "why: not");
    }

    #[test]
    fn bytes_that_are_no_text_lose_it_as_well() {
        let bytes = [b"\xff ", SECRET.as_bytes()].concat();
        assert!(String::from_utf8(secrets().concealed_bytes(bytes)).unwrap().ends_with(INSTEAD));
        assert_eq!(secrets().concealed_bytes(vec![0xff]), [0xff]);
    }

    #[test]
    fn nobody_prints_them() {
        assert!(!format!("{:?}", secrets()).contains("second-line"));
    }
}
