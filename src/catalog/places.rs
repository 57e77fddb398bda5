//! Which places a JSON Schema names, so that a pointer can be held against it before there is any value.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::core::Pointer;

/// References that are followed in a row; a schema may refer to itself.
const DEEPEST: usize = 16;
/// Schemas that hold for one place at most.
const MOST: usize = 200;

/// What a schema says of one place.
#[derive(Debug, PartialEq)]
pub(super) enum Place<'s> {
    /// These schemas describe it, all or some of them.
    Named(Vec<&'s Value>),
    /// Anything may stand there, or nothing.
    Open,
    /// The schema has other members there and not this one.
    Absent {
        /// Those that it has.
        known: BTreeSet<&'s str>,
    },
}

/// A schema as the places that it names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'s> {
    root: &'s Value,
}

impl<'s> Places<'s> {
    pub fn of(root: &'s Value) -> Self {
        Self { root }
    }

    /// The schemas of the whole value.
    pub fn whole(self) -> Vec<&'s Value> {
        self.spread(self.root)
    }

    /// What stands at `pointer`, from where `schemas` hold.
    pub fn at(self, schemas: &[&'s Value], pointer: &Pointer) -> Place<'s> {
        let mut here = schemas.to_vec();
        for token in pointer.tokens() {
            match self.member(&here, &token) {
                Place::Named(below) => here = below,
                other => return other,
            }
        }
        Place::Named(here)
    }

    /// What the items of a list are.
    pub fn items(self, schemas: &[&'s Value]) -> Place<'s> {
        let mut items = Vec::new();
        for item in schemas.iter().filter_map(|schema| schema.get("items")) {
            items.extend(self.spread(item));
        }
        if items.is_empty() { Place::Open } else { Place::Named(items) }
    }

    /// The members that an object must have.
    pub fn required(schemas: &[&'s Value]) -> BTreeSet<&'s str> {
        let lists = schemas.iter().filter_map(|schema| schema.get("required")?.as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    }

    /// The words that a text can be, where all of them are listed.
    pub fn words(schemas: &[&'s Value]) -> Option<BTreeSet<&'s str>> {
        let mut words = BTreeSet::new();
        for schema in schemas {
            let listed = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice);
            let one = schema.get("const").map(std::slice::from_ref);
            words.extend(listed.or(one).into_iter().flatten().filter_map(Value::as_str));
        }
        (!words.is_empty()).then_some(words)
    }

    /// What stands at the member `token` of an object.
    pub fn member(self, schemas: &[&'s Value], token: &str) -> Place<'s> {
        let mut below = Vec::new();
        let mut known = BTreeSet::new();
        let mut open = false;
        for schema in schemas {
            let members = schema.get("properties").and_then(Value::as_object);
            match members.and_then(|members| members.get(token)) {
                Some(member) => below.extend(self.spread(member)),
                None => {
                    known.extend(members.into_iter().flatten().map(|(name, _)| name.as_str()));
                    open |= is_open(schema, members.is_some());
                }
            }
        }
        match (below.is_empty(), known.is_empty() || open) {
            (false, _) => Place::Named(below),
            (true, true) => Place::Open,
            (true, false) => Place::Absent { known },
        }
    }

    /// A schema with all that it refers to or is made of.
    fn spread(self, schema: &'s Value) -> Vec<&'s Value> {
        let mut found = Vec::new();
        let mut next = vec![(schema, 0)];
        while let Some((schema, depth)) = next.pop() {
            if depth > DEEPEST || found.len() >= MOST {
                continue;
            }
            found.push(schema);
            let reference =
                schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
            next.extend(reference.and_then(|at| self.root.pointer(at)).map(|schema| (schema, depth + 1)));
            for keyword in ["allOf", "anyOf", "oneOf"] {
                let parts = schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
                next.extend(parts.map(|part| (part, depth + 1)));
            }
        }
        found
    }
}

/// Whether a schema says on purpose that it does not know all members. JSON Schema's silence about further
/// members is not taken for a word: nearly every schema is silent.
fn is_open(schema: &Value, names_members: bool) -> bool {
    let more = schema.get("additionalProperties");
    let says_so = more.is_some_and(|more| *more != Value::Bool(false));
    let free_object = !names_members && schema.get("type").is_some_and(|kind| kind == "object");
    says_so || schema.get("patternProperties").is_some() || (free_object && more.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at<'s>(schema: &'s Value, pointer: &str) -> Place<'s> {
        let places = Places::of(schema);
        places.at(&places.whole(), &pointer.parse().unwrap())
    }

    fn absent<'s>(known: &[&'s str]) -> Place<'s> {
        Place::Absent { known: known.iter().copied().collect() }
    }

    #[test]
    fn a_place_is_found_through_references_and_choices() {
        let schema = json!({
            "type": "object",
            "properties": {
                "graph": {"$ref": "#/$defs/graph"},
                "note": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"text": {}}}]},
                "bag": {"type": "object"},
                "map": {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
            },
            "$defs": {"graph": {"properties": {"id": {"type": "string"}, "graph": {"$ref": "#/$defs/graph"}}}},
        });
        assert_eq!(at(&schema, "/graph/id"), Place::Named(vec![&json!({"type": "string"})]));
        assert!(matches!(at(&schema, "/graph/graph/graph/id"), Place::Named(_)));
        assert!(matches!(at(&schema, "/note/text"), Place::Named(_)));
        assert_eq!(at(&schema, "/graph/di"), absent(&["graph", "id"]));
        assert_eq!(at(&schema, "/note/txet"), absent(&["text"]));
        assert_eq!(at(&schema, "/else"), absent(&["bag", "graph", "map", "note"]));
        assert_eq!(at(&schema, "/bag/anything"), Place::Open);
        assert_eq!(at(&schema, "/map/anything"), Place::Open);
        assert_eq!(at(&json!({}), "/a/b"), Place::Open);
        assert_eq!(at(&json!(true), "/a"), Place::Open);
    }

    #[test]
    fn a_schema_that_refers_to_itself_for_ever_ends() {
        let schema = json!({"$ref": "#", "allOf": [{"$ref": "#"}, {"$ref": "#"}]});
        assert_eq!(at(&schema, "/a"), Place::Open);
    }

    #[test]
    fn items_words_and_requirements_are_read() {
        let schema = json!({
            "properties": {"list": {"items": {"properties": {"state": {"enum": ["on", "off", null]}}}}},
            "required": ["list"],
        });
        let places = Places::of(&schema);
        assert_eq!(Places::required(&places.whole()), BTreeSet::from(["list"]));
        let Place::Named(list) = at(&schema, "/list") else { panic!() };
        let Place::Named(items) = places.items(&list) else { panic!() };
        let Place::Named(state) = places.at(&items, &"/state".parse().unwrap()) else { panic!() };
        assert_eq!(Places::words(&state), Some(BTreeSet::from(["on", "off"])));
        assert_eq!(Places::words(&items), None);
        assert_eq!(places.items(&state), Place::Open);
    }
}
