//! What expressions see: inputs, and the values of earlier steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::{Map, Number, Value};

use super::data::data;
use super::input::shown;
use super::language::FUNCTIONS;
use super::number::survives;
use super::step::{StepId, Use};
use super::template::TemplateErrorKind;
use crate::core::json::LARGEST_INTEGER;

/// The most that a value may weigh: bytes of text, and 16 for each value.
const LARGEST_VALUE: usize = 64 << 20;
/// The deepest nesting of a value.
const DEEPEST_VALUE: usize = 128;

/// The values of a run so far, by step. Cheap to clone, and to give a value to.
#[derive(Debug, Clone, Default)]
pub struct Values {
    steps: BTreeMap<Vec<String>, minijinja::Value>,
    inputs: BTreeMap<Vec<String>, minijinja::Value>,
}

/// What the expressions of one scope see. Cheap to clone, whatever the values weigh.
#[derive(Debug, Clone)]
pub struct Scope {
    root: Arc<Root>,
}

/// The names of a scope. A name that is not there is an error rather than an undefined value.
#[derive(Debug)]
struct Root {
    names: BTreeMap<String, minijinja::Value>,
    above: Option<Arc<Root>>,
}

impl Root {
    fn get(&self, name: &str) -> Option<minijinja::Value> {
        self.names.get(name).cloned().or_else(|| self.above.as_ref()?.get(name))
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<minijinja::Value> {
        let value = self.get(name);
        if value.is_some() || FUNCTIONS.contains(&name) {
            return value;
        }
        let message = format!("`{}` has no value", shown(name));
        Some(Error::new(ErrorKind::UndefinedError, message).into())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

impl Values {
    /// Begins with the recipe's inputs.
    #[must_use]
    pub fn new(inputs: &Map<String, Value>) -> Self {
        let mut values = Self::default();
        values.set_inputs(&[], inputs);
        values
    }

    /// Gives a step its value. A step without one is seen as not there.
    pub fn set(&mut self, id: &StepId, value: impl Into<Arc<Value>>) {
        self.steps.insert(id.segments().to_vec(), data(value.into()));
    }

    /// Gives the inputs of an included recipe their values; `[]` is the recipe itself.
    pub fn set_inputs(&mut self, scope: &[String], inputs: &Map<String, Value>) {
        self.inputs.insert(scope.to_vec(), data(Value::from(inputs.clone()).into()));
    }

    /// Whether what is used is null, or a member of null. A value that is not there is not null.
    #[must_use]
    pub fn is_null(&self, used: &Use) -> bool {
        let Some(value) = self.steps.get(used.step.segments()) else { return false };
        let end = used.path.iter().try_fold(value.clone(), |value, name| {
            if value.is_none() { Some(value) } else { value.get_attr(name).ok() }
        });
        end.is_some_and(|value| value.is_none())
    }

    /// What the steps of a scope see: its inputs, its steps, and the steps of what it includes below the
    /// include's name.
    #[must_use]
    pub fn scope(&self, scope: &[String]) -> Scope {
        let mut names = self.below(scope);
        if let Some(inputs) = self.inputs.get(scope) {
            names.insert("inputs".to_owned(), inputs.clone());
        }
        Scope { root: Arc::new(Root { names, above: None }) }
    }

    /// The steps of a scope; an include is seen as the mapping of its steps, whatever value it was given.
    fn below(&self, scope: &[String]) -> BTreeMap<String, minijinja::Value> {
        let mut names = BTreeMap::new();
        let mut last = None;
        for (id, value) in self.steps.range(scope.to_vec()..) {
            match id.strip_prefix(scope) {
                None => break,
                Some([name]) => {
                    names.insert(name.clone(), value.clone());
                }
                Some([name, _, ..]) if last != Some(name) => {
                    last = Some(name);
                    let inner: Vec<String> = scope.iter().chain([name]).cloned().collect();
                    names.insert(name.clone(), minijinja::Value::from_pairs(self.below(&inner)));
                }
                Some(_) => {}
            }
        }
        names
    }
}

impl Scope {
    /// This scope with one more name, such as a loop's item.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<Arc<Value>>) -> Self {
        let names = BTreeMap::from([(name.to_owned(), data(value.into()))]);
        Self { root: Arc::new(Root { names, above: Some(Arc::clone(&self.root)) }) }
    }

    pub(super) fn root(&self) -> minijinja::Value {
        minijinja::Value::from_dyn_object(Arc::clone(&self.root))
    }
}

/// A value of the engine as JSON.
pub(super) fn to_json(value: &minijinja::Value) -> Result<Value, (TemplateErrorKind, String)> {
    convert(value, 0, &mut 0)
}

fn convert(
    value: &minijinja::Value,
    depth: usize,
    weight: &mut usize,
) -> Result<Value, (TemplateErrorKind, String)> {
    let other = |message: &str| Err((TemplateErrorKind::Other, message.to_owned()));
    *weight += 16 + value.as_str().map_or(0, str::len);
    if *weight > LARGEST_VALUE || depth > DEEPEST_VALUE {
        return Err((TemplateErrorKind::TooLarge, "the value is too large or too deep".to_owned()));
    }
    let not_json = |error: Error| (TemplateErrorKind::Other, error.to_string());
    match value.kind() {
        ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(Value::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::String => Ok(Value::from(value.as_str().unwrap_or_default())),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(not_json)?;
            items.map(|item| convert(&item, depth + 1, weight)).collect()
        }
        ValueKind::Map => {
            let mut members = Map::new();
            for key in value.try_iter().map_err(not_json)? {
                let Some(name) = key.as_str() else { return other("a key is not a string") };
                let member = value.get_item(&key).map_err(not_json)?;
                *weight += name.len();
                members.insert(name.to_owned(), convert(&member, depth + 1, weight)?);
            }
            Ok(Value::Object(members))
        }
        ValueKind::Undefined => Err((TemplateErrorKind::Undefined, "a value is not there".to_owned())),
        ValueKind::Invalid => {
            let error = value.clone().try_iter().err();
            let undefined = error.as_ref().is_some_and(|error| error.kind() == ErrorKind::UndefinedError);
            let kind = if undefined { TemplateErrorKind::Undefined } else { TemplateErrorKind::Other };
            Err((kind, error.map_or_else(|| "the value is invalid".to_owned(), |error| error.to_string())))
        }
        _ => other("the value has no form in JSON"),
    }
}

fn number(value: &minijinja::Value) -> Result<Value, (TemplateErrorKind, String)> {
    let unsafe_number =
        || (TemplateErrorKind::Other, format!("`{value}` is no number that JSON readers keep"));
    if value.is_integer() {
        let integer = i64::try_from(value.clone()).map_err(|_| unsafe_number())?;
        if integer.unsigned_abs() > LARGEST_INTEGER.unsigned_abs() {
            return Err(unsafe_number());
        }
        return Ok(Value::from(integer));
    }
    let double = f64::try_from(value.clone()).map_err(|_| unsafe_number())?;
    Number::from_f64(double).filter(|_| survives(double)).map(Value::Number).ok_or_else(unsafe_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id(text: &str) -> StepId {
        StepId::from(text.split('.').map(str::to_owned).collect::<Vec<_>>())
    }

    fn seen(scope: &Scope) -> Value {
        let names: Vec<(String, minijinja::Value)> =
            scope.root.names.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        to_json(&minijinja::Value::from_pairs(names)).unwrap()
    }

    #[test]
    fn each_scope_sees_its_own_names_and_those_below() {
        let mut values = Values::new(json!({"a": 1}).as_object().unwrap());
        values.set_inputs(&["x".to_owned()], json!({"a": 2}).as_object().unwrap());
        values.set(&id("x"), json!("the include itself"));
        values.set(&id("x.s"), json!(10));
        values.set(&id("x.y.t"), json!(11));
        values.set(&id("s"), json!(12));
        values.set(&id("xx"), json!(13));
        assert_eq!(
            seen(&values.scope(&[])),
            json!({"inputs": {"a": 1}, "s": 12, "x": {"s": 10, "y": {"t": 11}}, "xx": 13})
        );
        assert_eq!(
            seen(&values.scope(&["x".to_owned()])),
            json!({"inputs": {"a": 2}, "s": 10, "y": {"t": 11}})
        );
    }

    #[test]
    fn what_is_used_is_known_to_be_null() {
        let mut values = Values::default();
        values.set(&id("x.s"), json!({"a": null, "b": {"c": null, "d": 0}, "e": []}));
        values.set(&id("n"), Value::Null);
        let is_null = |step: &str, path: &[&str]| {
            values
                .is_null(&Use { step: id(step), path: path.iter().map(|name| (*name).to_owned()).collect() })
        };
        assert!(is_null("x.s", &["a"]) && is_null("x.s", &["a", "deeper"]) && is_null("x.s", &["b", "c"]));
        assert!(is_null("n", &[]) && is_null("n", &["a"]));
        assert!(!is_null("x.s", &[]) && !is_null("x.s", &["b"]) && !is_null("x.s", &["b", "d"]));
        assert!(!is_null("x.s", &["e"]) && !is_null("x.s", &["nope"]) && !is_null("nope", &[]));
    }

    #[test]
    fn a_value_set_again_replaces_the_first_in_new_scopes_only() {
        let mut values = Values::default();
        values.set(&id("s"), json!(1));
        let before = values.scope(&[]);
        values.set(&id("s"), json!(2));
        assert_eq!((seen(&before), seen(&values.scope(&[]))), (json!({"s": 1}), json!({"s": 2})));
    }
}
