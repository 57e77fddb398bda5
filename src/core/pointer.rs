//! JSON pointers (RFC 6901).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// A JSON pointer: empty for the whole document, else `/` before each token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^(/([^~/]|~[01])*)*$"))]
pub struct Pointer(String);

/// Text that is not a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a JSON pointer: each token starts with `/`, and `~` is followed by 0 or 1")]
pub struct NotAPointer(String);

/// A value stands in the way of a place that should be set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{pointer}` cannot be set: what stands above it is not an object")]
pub struct NoObject {
    /// Where the value should have gone.
    pub pointer: Pointer,
}

impl Pointer {
    /// What stands there in `value`, if anything does. Evaluates pointers and nothing else.
    #[must_use]
    pub fn get<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        let mut here = value;
        for token in self.0.split('/').skip(1) {
            here = match here {
                Value::Object(members) => members.get(unescape(token).as_ref())?,
                Value::Array(items) => items.get(index(token)?)?,
                _ => return None,
            };
        }
        Some(here)
    }

    /// Like [`Pointer::get`], to be changed in place.
    pub fn get_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        let mut here = value;
        for token in self.0.split('/').skip(1) {
            here = match here {
                Value::Object(members) => members.get_mut(unescape(token).as_ref())?,
                Value::Array(items) => items.get_mut(index(token)?)?,
                _ => return None,
            };
        }
        Some(here)
    }

    /// Puts `new` there, with the objects above it that do not exist yet.
    ///
    /// # Errors
    /// Something on the way is no object, or the pointer names the whole document.
    pub fn set(&self, members: &mut Map<String, Value>, new: Value) -> Result<(), NoObject> {
        let blocked = || NoObject { pointer: self.clone() };
        let mut tokens: Vec<String> = self.tokens().collect();
        let last = tokens.pop().ok_or_else(blocked)?;
        let mut here = members;
        for token in tokens {
            here = here
                .entry(token)
                .or_insert_with(|| Value::Object(Map::new()))
                .as_object_mut()
                .ok_or_else(blocked)?;
        }
        here.insert(last, new);
        Ok(())
    }

    /// Takes out what stands there, where objects alone lead there; what is above it stays.
    pub fn remove(&self, members: &mut Map<String, Value>) -> Option<Value> {
        let mut tokens: Vec<String> = self.tokens().collect();
        let last = tokens.pop()?;
        let above = tokens.iter().try_fold(members, |here, token| here.get_mut(token)?.as_object_mut())?;
        above.remove(&last)
    }

    /// The place `below`, counted from this one.
    #[must_use]
    pub fn join(&self, below: &Self) -> Self {
        Self(format!("{}{}", self.0, below.0))
    }

    /// The first token, unescaped, and the rest as a pointer; none for the whole document.
    #[must_use]
    pub fn split_first(&self) -> Option<(String, Self)> {
        let first = self.tokens().next()?;
        let rest =
            self.0.strip_prefix('/')?.find('/').and_then(|at| self.0.get(at + 1..)).unwrap_or_default();
        Some((first, Self(rest.to_owned())))
    }

    /// The tokens, unescaped.
    pub fn tokens(&self) -> impl Iterator<Item = String> + '_ {
        self.0.split('/').skip(1).map(|token| unescape(token).into_owned())
    }

    /// The pointer as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A token of a pointer as a member name. Most have nothing in them to be replaced.
fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(token)
    }
}

/// A token as the place in a list (RFC 6901, section 4): digits, without a zero before others.
fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    if digits { token.parse().ok() } else { None }
}

/// A member name as a token of a pointer.
#[must_use]
pub fn escape(token: &str) -> Cow<'_, str> {
    if token.contains(['~', '/']) {
        Cow::Owned(token.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(token)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pointer {
    type Err = NotAPointer;

    fn from_str(text: &str) -> Result<Self, NotAPointer> {
        let rooted = text.is_empty() || text.starts_with('/');
        let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if rooted && escaped { Ok(Self(text.to_owned())) } else { Err(NotAPointer(text.to_owned())) }
    }
}

impl TryFrom<String> for Pointer {
    type Error = NotAPointer;

    fn try_from(text: String) -> Result<Self, NotAPointer> {
        text.parse()
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_set_is_found_again() {
        let pointer: Pointer = "/a/b~1c/~0d".parse().unwrap();
        let mut members = Map::new();
        pointer.set(&mut members, json!(7)).unwrap();
        let value = Value::Object(members);
        assert_eq!(value, json!({"a": {"b/c": {"~d": 7}}}));
        assert_eq!(pointer.get(&value), Some(&json!(7)));
    }

    #[test]
    fn nothing_is_overwritten_on_the_way() {
        let pointer: Pointer = "/a/b".parse().unwrap();
        let mut members = Map::from_iter([("a".to_owned(), json!("text"))]);
        assert!(pointer.set(&mut members, json!(1)).is_err());
        assert_eq!(Value::Object(members), json!({"a": "text"}));
    }

    #[test]
    fn what_stands_there_is_what_the_json_library_finds_there() {
        let value = json!({"": 1, "a": [{"b": 2}, [3]], "0": {"~": {"/": 4}}, "m~n": 5, "é": 6});
        for text in [
            "",
            "/",
            "/a",
            "/a/0/b",
            "/a/1/0",
            "/a/00",
            "/a/01",
            "/a/-",
            "/a/+1",
            "/a/1/",
            "/a/2",
            "/0/~0/~1",
            "/m~0n",
            "/é",
            "/a/b",
            "/x/y",
            "/a/99999999999999999999",
        ] {
            let pointer: Pointer = text.parse().unwrap();
            assert_eq!(pointer.get(&value), value.pointer(text), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["a", "a/b", "/~", "/~2"] {
            assert!(text.parse::<Pointer>().is_err(), "{text}");
        }
    }
}
