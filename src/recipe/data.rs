//! JSON as expressions see it. Nothing is converted before an expression asks for it: an answer
//! may have a hundred thousand records, and most recipes look at a few members.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use serde_json::{Map, Value};

/// A value for the engine: what templates see is data, whatever text it holds.
pub(super) fn data(value: Arc<Value>) -> minijinja::Value {
    scalar(&value).unwrap_or_else(|| minijinja::Value::from_object(Data::Whole(value)))
}

/// A list or a mapping: a whole value, or what stands inside of one.
#[derive(Debug)]
enum Data {
    Whole(Arc<Value>),
    Item(Arc<Data>, usize),
    Member(Arc<Data>, String),
}

impl Data {
    fn items(&self) -> Option<&Vec<Value>> {
        self.value()?.as_array()
    }

    fn members(&self) -> Option<&Map<String, Value>> {
        self.value()?.as_object()
    }

    fn value(&self) -> Option<&Value> {
        match self {
            Self::Whole(value) => Some(value),
            Self::Item(above, index) => above.items()?.get(*index),
            Self::Member(above, name) => above.members()?.get(name),
        }
    }
}

impl Object for Data {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.items().is_some() { ObjectRepr::Seq } else { ObjectRepr::Map }
    }

    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        let Some(items) = self.items() else { return self.get_value_by_str(key.as_str()?) };
        let index = key.as_usize()?;
        let value = items.get(index)?;
        Some(
            scalar(value)
                .unwrap_or_else(|| minijinja::Value::from_object(Self::Item(Arc::clone(self), index))),
        )
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<minijinja::Value> {
        let value = self.members()?.get(name)?;
        Some(scalar(value).unwrap_or_else(|| {
            minijinja::Value::from_object(Self::Member(Arc::clone(self), name.to_owned()))
        }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match (self.items(), self.members()) {
            (Some(items), _) => Enumerator::Seq(items.len()),
            (None, Some(members)) => {
                Enumerator::Values(members.keys().map(|name| name.as_str().into()).collect())
            }
            (None, None) => Enumerator::NonEnumerable,
        }
    }
}

/// What is neither a list nor a mapping.
fn scalar(value: &Value) -> Option<minijinja::Value> {
    match value {
        Value::Null => Some(().into()),
        Value::Bool(value) => Some((*value).into()),
        Value::Number(number) => Some(match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(integer)) => integer.into(),
            (None, None) => number.as_f64().unwrap_or(f64::NAN).into(),
        }),
        Value::String(text) => Some(text.as_str().into()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn copy(value: &Value) -> minijinja::Value {
        match value {
            Value::Array(items) => items.iter().map(copy).collect::<Vec<_>>().into(),
            Value::Object(members) => {
                minijinja::Value::from_pairs(members.iter().map(|(name, value)| (name.clone(), copy(value))))
            }
            other => scalar(other).unwrap(),
        }
    }

    /// What `{{ expression }}` gives, over `value` as it is seen and over a copy of it that the engine made.
    fn both(expression: &str, value: &Value) -> [String; 2] {
        let environment = minijinja::Environment::new();
        let expression = format!("{{{{ {expression} }}}}");
        [data(value.clone().into()), copy(value)]
            .map(|value| environment.render_str(&expression, minijinja::context! { value }).unwrap())
    }

    #[test]
    fn data_is_seen_as_a_copy_of_it_would_be() {
        let value = json!({
            "n": 7, "big": u64::MAX, "half": 0.5, "no": null, "yes": true, "text": "{{ n }}",
            "list": [1, [2, {"a": [3]}], {"b": "c"}], "empty": {"list": [], "map": {}},
        });
        for expression in [
            "value",
            "value.list",
            "value.list[1][1].a[0] + value.n",
            "value.list[-1].b ~ value['text']",
            "value.list[5] is defined",
            "value.nope is defined",
            "value.list.nope is defined",
            "value.list | length ~ value | length",
            "value.list[1:] | list",
            "value.list | reverse | list",
            "value | items | list",
            "value == value and value.list == value.list",
            "value.list[1] == [2, {'a': [3]}] and value.empty == {'map': {}, 'list': []}",
            "2 in value.list[1] and 'half' in value and 'c' not in value.list",
            "not value.empty.list and not value.empty.map and value.empty",
            "value.no is none ~ value.big ~ value.half ~ value.yes",
            "value.list is sequence and value.list[2] is mapping",
            "value.list | tojson",
            "value.list[1] < value.list[1]",
        ] {
            let [seen, copied] = both(expression, &value);
            assert_eq!(seen, copied, "{expression}");
        }
        assert_eq!(both("value.list[-2][1].a", &value)[0], "[3]");
    }

    #[test]
    fn what_is_seen_is_no_copy() {
        let whole = Arc::new(json!({"list": [{"a": {}}]}));
        let seen = data(Arc::clone(&whole));
        let inner = seen.get_attr("list").and_then(|list| list.get_item_by_index(0)).unwrap();
        let inner = inner.downcast_object::<Data>().unwrap();
        assert!(std::ptr::eq(inner.value().unwrap(), &whole["list"][0]));
    }
}
