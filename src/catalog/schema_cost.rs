//! What checking a schema would cost, found out without checking it: a schema from a stranger can be a
//! few lines long and take years.

use std::collections::HashMap;

use serde_json::Value;

use crate::core::text::excerpt;

/// Schemas that one value may have to be held against, each reference counted as what it refers to.
const MOST_SCHEMAS: u64 = 1_000_000;
/// Values within values, each reference counted as what it refers to.
const DEEPEST: usize = 500;
/// Keywords that refer to another schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Refuses a schema that refers to anything but parts of itself, or that unfolds to too much.
///
/// # Errors
/// Why it is refused, in words.
pub(super) fn check_cost(schema: &Value) -> Result<(), String> {
    let mut anchors = HashMap::new();
    let mut size = 0;
    find_anchors(schema, true, &mut anchors, &mut size)?;
    let mut unfolding = Unfolding { root: schema, anchors, known: HashMap::new(), steps: 0 };
    if unfolding.cost(schema, 0)? > MOST_SCHEMAS { Err(too_much()) } else { Ok(()) }
}

fn too_much() -> String {
    "unfolds to more than a million schemas, which nobody can check in reasonable time".to_owned()
}

fn find_anchors<'a>(
    schema: &'a Value,
    root: bool,
    anchors: &mut HashMap<&'a str, &'a Value>,
    size: &mut u64,
) -> Result<(), String> {
    *size += 1;
    if *size > MOST_SCHEMAS {
        return Err(too_much());
    }
    match schema {
        Value::Array(items) => items.iter().try_for_each(|item| find_anchors(item, false, anchors, size)),
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            for name in ["$anchor", "$dynamicAnchor"] {
                if let Some(anchor) = text(name) {
                    anchors.insert(anchor, schema);
                }
            }
            if let Some(id) = text("$id").filter(|id| !root && !id.starts_with('#')) {
                return Err(format!("has a part with an `$id` of its own, `{}`", excerpt(id, 120)));
            }
            if let Some(draft) = text("$schema").filter(|draft| draft.contains("draft-04")) {
                return Err(format!("is of a draft that is too old, `{}`", excerpt(draft, 120)));
            }
            members.values().try_for_each(|member| find_anchors(member, false, anchors, size))
        }
        _ => Ok(()),
    }
}

struct Unfolding<'a> {
    root: &'a Value,
    anchors: HashMap<&'a str, &'a Value>,
    /// What a reference costs; `None` while that is being found out, which is a cycle.
    known: HashMap<&'a str, Option<u64>>,
    steps: u64,
}

impl<'a> Unfolding<'a> {
    fn cost(&mut self, schema: &'a Value, depth: usize) -> Result<u64, String> {
        self.steps += 1;
        if self.steps > MOST_SCHEMAS {
            return Err(too_much());
        }
        if depth > DEEPEST {
            return Err(format!("nests more than {DEEPEST} levels deep"));
        }
        let mut cost: u64 = 1;
        match schema {
            Value::Array(items) => {
                for item in items {
                    cost = cost.saturating_add(self.cost(item, depth + 1)?);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let reference = member.as_str().filter(|_| REFERENCES.contains(&name.as_str()));
                    let more = match (name.as_str(), reference) {
                        (_, Some(reference)) => self.reference(reference, depth)?,
                        ("$defs" | "definitions", None) => 0,
                        _ => self.cost(member, depth + 1)?,
                    };
                    cost = cost.saturating_add(more);
                }
            }
            _ => {}
        }
        Ok(cost)
    }

    fn reference(&mut self, reference: &'a str, depth: usize) -> Result<u64, String> {
        if let Some(known) = self.known.get(reference) {
            return Ok(known.unwrap_or(1));
        }
        let Some(fragment) = reference.strip_prefix('#') else {
            return Err(format!(
                "refers to `{}`, which is not part of it, and nothing is fetched",
                excerpt(reference, 120)
            ));
        };
        let target = match self.anchors.get(fragment) {
            Some(target) => Some(*target),
            None => self.root.pointer(&unescaped(fragment)),
        };
        let target = target
            .ok_or_else(|| format!("refers to `{}`, which it does not have", excerpt(reference, 120)))?;
        self.known.insert(reference, None);
        let cost = self.cost(target, depth + 1)?;
        self.known.insert(reference, Some(cost));
        Ok(cost)
    }
}

/// A URI fragment as a JSON pointer: percent-encoding undone.
fn unescaped(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    fn doubling(levels: usize, refer: impl Fn(usize) -> String) -> Value {
        let mut defs = Map::new();
        for level in 0..levels {
            let next = json!({"$ref": refer(level + 1)});
            defs.insert(format!("a{level}"), json!({"$anchor": format!("n{level}"), "allOf": [next, next]}));
        }
        defs.insert(format!("a{levels}"), json!({"$anchor": format!("n{levels}"), "type": "string"}));
        json!({"$ref": refer(0), "$defs": defs})
    }

    #[test]
    fn a_schema_that_doubles_itself_is_refused_however_it_refers() {
        let pointer = |level: usize| format!("#/$defs/a{level}");
        let escaped = |level: usize| format!("#/%24defs/a{level}");
        let anchor = |level: usize| format!("#n{level}");
        assert_eq!(check_cost(&doubling(5, pointer)), Ok(()));
        assert!(check_cost(&doubling(30, pointer)).unwrap_err().contains("unfolds"));
        assert!(check_cost(&doubling(30, escaped)).unwrap_err().contains("unfolds"));
        assert!(check_cost(&doubling(30, anchor)).unwrap_err().contains("unfolds"));
    }

    #[test]
    fn a_schema_may_refer_to_itself() {
        let tree = json!({"properties": {"children": {"items": {"$ref": "#"}}}});
        assert_eq!(check_cost(&tree), Ok(()));
    }

    #[test]
    fn a_long_chain_of_references_is_refused_and_overflows_nothing() {
        let mut defs = Map::new();
        for level in 0..20_000 {
            defs.insert(format!("a{level}"), json!({"$ref": format!("#/$defs/a{}", level + 1)}));
        }
        let schema = json!({"$ref": "#/$defs/a0", "$defs": defs});
        assert!(check_cost(&schema).unwrap_err().contains("levels deep"));
    }

    #[test]
    fn what_stands_elsewhere_is_named() {
        for reference in ["https://example.com/s.json", "file:///etc/hosts", "other.json#/a"] {
            let error = check_cost(&json!({"properties": {"a": {"$ref": reference}}})).unwrap_err();
            assert!(error.contains(reference) && error.contains("nothing is fetched"), "{error}");
        }
        let nested = json!({"properties": {"a": {"$id": "https://example.com/a"}}});
        assert!(check_cost(&nested).unwrap_err().contains("`$id`"));
        let property = json!({"$id": "https://example.com/a", "properties": {"$id": {"type": "string"}}});
        assert_eq!(check_cost(&property), Ok(()));
    }
}
