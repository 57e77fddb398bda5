//! The strict reader of JSON that comes from elsewhere: what two readers could understand differently is refused.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use thiserror::Error;

use super::json::is_unsafe;
use super::text::visible;

/// Text that is not JSON, or that two readers could understand differently.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {what}")]
pub struct StrictError {
    /// From 1; 0 where no place is known.
    pub line: usize,
    /// In bytes, from 1; 0 where no place is known.
    pub column: usize,
    /// What is wrong there, on one line.
    pub what: String,
}

impl From<serde_json::Error> for StrictError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let what = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
        Self { line, column, what: visible(what).into_owned() }
    }
}

/// Reads one JSON value that every reader understands in the same way: UTF-8, no member twice in an
/// object, no integer that some readers round, at most 127 levels deep, nothing after it.
///
/// `serde_json` alone keeps the last of two members and says nothing.
///
/// # Errors
/// The first place where `bytes` is anything else.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, StrictError> {
    parse(bytes, Numbers::Safe)
}

/// Like [`parse_strict`], but with any number that `serde_json` reads: for what a stranger sends, most of
/// which nobody uses.
///
/// # Errors
/// The first place where `bytes` is anything else.
pub fn parse_unambiguous(bytes: &[u8]) -> Result<Value, StrictError> {
    parse(bytes, Numbers::Any)
}

/// Whether [`parse_unambiguous`] would read `bytes`, for whoever reads them into something else.
///
/// # Errors
/// The first place where `bytes` is anything else.
pub fn check_unambiguous(bytes: &[u8]) -> Result<(), StrictError> {
    parse(bytes, Nothing)
}

fn parse<'b, S: DeserializeSeed<'b>>(bytes: &'b [u8], what: S) -> Result<S::Value, StrictError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = what.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

fn twice<E: de::Error>(name: &str) -> E {
    E::custom(format_args!("the member `{}` stands here twice", visible(name)))
}

/// Reads a value, with the numbers that it takes.
#[derive(Debug, Clone, Copy)]
enum Numbers {
    /// Those that canonical JSON carries.
    Safe,
    /// All.
    Any,
}

impl Numbers {
    fn number<E: de::Error>(self, number: Number) -> Result<Value, E> {
        match self {
            Self::Safe if is_unsafe(&number) => Err(E::custom(format_args!(
                "`{number}` is outside ±(2⁵³−1), where JSON readers stop agreeing on integers"
            ))),
            Self::Safe | Self::Any => Ok(Value::Number(number)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Numbers {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Numbers {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.number(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.number(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number that is not finite"))?;
        self.number(number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            match values.entry(name) {
                Entry::Vacant(place) => place.insert(members.next_value_seed(self)?),
                Entry::Occupied(place) => return Err(twice(place.key())),
            };
        }
        Ok(Value::Object(values))
    }
}

/// How many names of an object are looked through one by one.
const FEW: usize = 16;

/// Reads a value and keeps nothing of it.
#[derive(Debug, Clone, Copy)]
struct Nothing;

impl<'de> DeserializeSeed<'de> for Nothing {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nothing {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        // Most objects are so small that a look at each name is the quickest.
        let (mut few, mut many) = (Vec::new(), BTreeSet::new());
        while let Some(name) = members.next_key_seed(Name)? {
            if few.contains(&name) || many.contains(&name) {
                return Err(twice(&name));
            }
            if few.len() < FEW {
                few.push(name);
            } else {
                many.insert(name);
            }
            members.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// Reads a member's name, where it stands if nothing in it is escaped.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str) -> String {
        parse_strict(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_wherever_it_is() {
        assert_eq!(refusal(r#"{"a":1,"a":1}"#), "line 1, column 10: the member `a` stands here twice");
        assert_eq!(
            refusal("{\"a\":[{\"b\":{\n\"c\":1,\"c\":2}}]}"),
            "line 2, column 9: the member `c` stands here twice"
        );
        assert!(refusal(r#"{"a":1,"\u0061":1}"#).contains("`a` stands here twice"));
        assert!(refusal("{\"\u{202e}\":1,\"\u{202e}\":1}").contains("`\\u{202e}` stands here twice"));
    }

    #[test]
    fn a_member_name_cannot_forge_the_place() {
        let text = r#"{"x at line 9 column 9":1,"x at line 9 column 9":1}"#;
        assert!(refusal(text).starts_with("line 1, column 48: "), "{}", refusal(text));
    }

    #[test]
    fn what_readers_understand_differently_is_refused_with_its_place() {
        for (text, place) in [
            ("", "line 1, column 0: "),
            ("{\n \"a\": 9007199254740993}", "line 2, column 22: "),
            ("[-9007199254740993]", "line 1, column 18: "),
            ("[1e17]", "line 1, column 5: "),
            ("[1e400]", "line 1, column "),
            ("[NaN]", "line 1, column 2: "),
            ("[1,]", "line 1, column 4: "),
            ("[1] 2", "line 1, column 5: "),
            ("\u{feff}[]", "line 1, column 1: "),
            ("[\"\u{1}\"]", "line 1, column 3: "),
            (r#"["\ud800"]"#, "line 1, column "),
        ] {
            assert!(refusal(text).starts_with(place), "{text}: {}", refusal(text));
        }
        assert!(parse_strict(b"[\"\xff\"]").is_err());
        assert!(parse_strict("[".repeat(200).as_bytes()).unwrap_err().what.contains("recursion"));
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse_strict(deep(127).as_bytes()).is_ok());
        assert!(parse_strict(deep(128).as_bytes()).is_err());
    }

    #[test]
    fn what_a_stranger_sends_is_unambiguous_and_may_hold_any_number() {
        let text = r#"{"a":[9223372036854775807,1e17,{"b":1}]}"#;
        assert!(parse_strict(text.as_bytes()).is_err());
        let read = parse_unambiguous(text.as_bytes()).unwrap();
        assert_eq!(read, serde_json::from_str::<Value>(text).unwrap());
        for text in [r#"{"a":{"b":1,"b":1}}"#, r#"{"a":0,"\u0061":0}"#, "[1] 2", "[NaN]", &"[".repeat(200)] {
            assert!(parse_unambiguous(text.as_bytes()).is_err(), "{text}");
            assert_eq!(check_unambiguous(text.as_bytes()), parse_unambiguous(text.as_bytes()).map(drop));
        }
        for twice in [0, 15, 16, 39] {
            let names = (0..40).chain([twice]).map(|name| format!("\"{name}\":0")).collect::<Vec<_>>();
            let text = format!("{{{}}}", names.join(","));
            let refused = check_unambiguous(text.as_bytes());
            assert_eq!(refused, parse_unambiguous(text.as_bytes()).map(drop));
            assert!(refused.unwrap_err().what.contains(&format!("`{twice}` stands here twice")));
        }
    }

    proptest! {
        #[test]
        fn what_is_checked_is_what_is_read(
            text in r#"(\{"[ab]":(\{"[ab]":1,"(a|\\u0061)":\[[01.,]*\]\}|1e5|null),"[ab]":("[ab\\]?"|true)\}){1,2}"#
        ) {
            prop_assert_eq!(check_unambiguous(text.as_bytes()), parse_unambiguous(text.as_bytes()).map(drop));
        }
    }
}
