//! A projection: which values of an answer count, by pointers alone.
//!
//! Profiles use it to name what an operation gives; artifacts store it with the values that were used,
//! so that they can be read again and compared without a profile.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::pointer::Pointer;

/// Where a value stands and, for a list, which fields of its items count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "Written")]
#[schemars(with = "Written")]
pub struct Projection {
    /// From the answer, or from the item of the list above.
    pub at: Pointer,
    /// For a list: the fields of each item. Without it the value counts as a whole.
    pub each: Option<BTreeMap<String, Projection>>,
    /// The vocabulary that the value is a word of.
    pub state: Option<String>,
    /// Whether an answer without it is complete.
    pub optional: bool,
    /// Whether a list without items is lacking: none of something is no good news of it.
    pub non_empty: bool,
}

/// How a projection is written: a pointer alone, or a mapping.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    Pointer(Pointer),
    Full(Full),
}

/// A projection with more to say than its pointer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Full {
    at: Pointer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    each: Option<BTreeMap<String, Projection>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    optional: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    non_empty: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Read by hand: an untagged enum would only say that nothing matched, and not where.
impl<'de> Deserialize<'de> for Projection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Projection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON pointer, or a mapping with `at`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Projection, E> {
                let at = text.parse().map_err(E::custom)?;
                Ok(Projection { at, each: None, state: None, optional: false, non_empty: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Projection, A::Error> {
                let Full { at, each, state, optional, non_empty } =
                    Full::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Projection { at, each, state, optional, non_empty })
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl From<Projection> for Written {
    fn from(Projection { at, each, state, optional, non_empty }: Projection) -> Self {
        if each.is_none() && state.is_none() && !optional && !non_empty {
            Self::Pointer(at)
        } else {
            Self::Full(Full { at, each, state, optional, non_empty })
        }
    }
}

/// Something in a projected value that is not what the projection says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Where in the answer.
    pub at: String,
    /// Which vocabulary the word is not of, or that there is nothing.
    pub what: Lack,
}

/// What is lacking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// No value, or null.
    Value,
    /// There is something, but no list.
    List,
    /// A list without items.
    Empty,
    /// A word outside of its vocabulary.
    Word {
        /// The vocabulary's name.
        vocabulary: String,
        /// What stands there, as JSON.
        word: String,
    },
}

/// What the words of each vocabulary mean: `translate(vocabulary, word)` gives the normal word.
pub trait Translate {
    /// The normal word, or `None` where the word is not known.
    fn translate(&self, vocabulary: &str, word: &Value) -> Option<String>;
}

/// Words as they came.
pub struct Verbatim;

impl Translate for Verbatim {
    fn translate(&self, _: &str, word: &Value) -> Option<String> {
        word.as_str().map(str::to_owned)
    }
}

impl Projection {
    /// The same places with the words as they come: what is compared when a plan is checked again.
    #[must_use]
    pub fn verbatim(&self) -> Self {
        let each = self
            .each
            .as_ref()
            .map(|each| each.iter().map(|(name, field)| (name.clone(), field.verbatim())).collect());
        Self { at: self.at.clone(), each, state: None, optional: self.optional, non_empty: false }
    }

    /// Takes the value out of `answer`. What is lacking is added to `missing`; a missing value is null,
    /// an unknown word is `unknown`.
    pub fn project(&self, answer: &Value, words: &dyn Translate, missing: &mut Vec<Missing>) -> Value {
        self.project_at(answer, words, &Above::Answer, missing)
    }

    fn project_at(
        &self,
        answer: &Value,
        words: &dyn Translate,
        above: &Above<'_>,
        missing: &mut Vec<Missing>,
    ) -> Value {
        let lacks = |what: Lack| Missing { at: format!("{above}{}", self.at), what };
        let Some(value) = self.at.get(answer).filter(|value| !value.is_null()) else {
            if !self.optional {
                missing.push(lacks(Lack::Value));
            }
            return Value::Null;
        };
        if let Some(vocabulary) = &self.state {
            return Value::from(words.translate(vocabulary, value).unwrap_or_else(|| {
                missing.push(lacks(Lack::Word { vocabulary: vocabulary.clone(), word: value.to_string() }));
                "unknown".to_owned()
            }));
        }
        if self.non_empty && value.as_array().is_some_and(Vec::is_empty) {
            missing.push(lacks(Lack::Empty));
        }
        let Some(each) = &self.each else { return value.clone() };
        let Some(items) = value.as_array() else {
            missing.push(lacks(Lack::List));
            return Value::Null;
        };
        let projected = items.iter().enumerate().map(|(index, item)| {
            let above = Above::Item { above, at: &self.at, index };
            Value::Object(fields_at(each, item, words, &above, missing))
        });
        Value::Array(projected.collect())
    }
}

/// Projects each field of `fields` out of `answer`; what is lacking is added to `missing`.
pub fn project_fields(
    fields: &BTreeMap<String, Projection>,
    answer: &Value,
    words: &dyn Translate,
    missing: &mut Vec<Missing>,
) -> Map<String, Value> {
    fields_at(fields, answer, words, &Above::Answer, missing)
}

fn fields_at(
    fields: &BTreeMap<String, Projection>,
    answer: &Value,
    words: &dyn Translate,
    above: &Above<'_>,
    missing: &mut Vec<Missing>,
) -> Map<String, Value> {
    let project = |(name, field): (&String, &Projection)| {
        (name.clone(), field.project_at(answer, words, above, missing))
    };
    fields.iter().map(project).collect()
}

/// What a projection starts from, to be written down only where something is missing: answers are long.
enum Above<'a> {
    Answer,
    Item { above: &'a Above<'a>, at: &'a Pointer, index: usize },
}

impl fmt::Display for Above<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer => Ok(()),
            Self::Item { above, at, index } => write!(f, "{above}{at}/{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Lights;

    impl Translate for Lights {
        fn translate(&self, _: &str, word: &Value) -> Option<String> {
            (word == "green").then(|| "pass".to_owned())
        }
    }

    fn nodes() -> Projection {
        serde_json::from_value(json!({
            "at": "/graph/nodes",
            "each": {"id": "/id", "state": {"at": "/status", "state": "light"}, "note": {"at": "/note", "optional": true}}
        }))
        .unwrap()
    }

    #[test]
    fn a_list_gives_its_named_fields_and_nothing_else() {
        let mut missing = Vec::new();
        let answer = json!({"graph": {"nodes": [{"id": "a", "status": "green", "noise": 1}]}});
        assert_eq!(
            nodes().project(&answer, &Lights, &mut missing),
            json!([{"id": "a", "state": "pass", "note": null}])
        );
        assert_eq!(missing, []);
    }

    #[test]
    fn what_is_lacking_is_named_with_its_place() {
        let mut missing = Vec::new();
        let answer = json!({"graph": {"nodes": [{"status": "mauve"}]}});
        assert_eq!(
            nodes().project(&answer, &Lights, &mut missing),
            json!([{"id": null, "state": "unknown", "note": null}])
        );
        let places: Vec<_> = missing.iter().map(|m| m.at.as_str()).collect();
        assert_eq!(places, ["/graph/nodes/0/id", "/graph/nodes/0/status"]);
    }

    #[test]
    fn something_else_than_a_list_is_lacking_too() {
        let mut missing = Vec::new();
        nodes().project(&json!({"graph": {"nodes": "none"}}), &Lights, &mut missing);
        assert_eq!(missing, [Missing { at: "/graph/nodes".into(), what: Lack::List }]);
    }

    #[test]
    fn an_empty_list_is_lacking_where_the_projection_says_so() {
        let mut missing = Vec::new();
        let answer = json!({"graph": {"nodes": []}});
        assert_eq!(nodes().project(&answer, &Lights, &mut missing), json!([]));
        assert_eq!(missing, []);
        let strict = Projection { non_empty: true, ..nodes() };
        assert_eq!(strict.project(&answer, &Lights, &mut missing), json!([]));
        assert_eq!(missing, [Missing { at: "/graph/nodes".into(), what: Lack::Empty }]);
        assert_eq!(strict.verbatim(), nodes().verbatim());
        let text = serde_json::to_value(&strict).unwrap();
        assert_eq!(serde_json::from_value::<Projection>(text).unwrap(), strict);
    }

    #[test]
    fn a_projection_is_written_as_short_as_it_can_be() {
        let short: Projection = serde_json::from_value(json!("/a")).unwrap();
        assert_eq!(serde_json::to_value(&short).unwrap(), json!("/a"));
        let text = serde_json::to_value(nodes()).unwrap();
        assert_eq!(serde_json::from_value::<Projection>(text).unwrap(), nodes());
    }
}
