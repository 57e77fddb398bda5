//! Which places a JSON Schema names, so that a pointer can be held against it before there is any value.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::core::Pointer;

/// References and parts that are followed in a row; a schema may refer to itself.
const DEEPEST: usize = 16;
/// Schemas that hold for one place at most: the rest of a schema that has more is not looked at.
const MOST: usize = 200;

/// What a schema says of one place.
#[derive(Debug, PartialEq)]
pub(super) enum Place<'s> {
    /// These schemas describe it, all or some of them.
    Named(Vec<&'s Value>),
    /// Anything may stand there, or nothing.
    Open,
    /// Nothing stands there by the schema.
    Absent {
        /// What stands beside it.
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
        self.spread([self.root])
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
        let items = self.spread(schemas.iter().filter_map(|schema| schema.get("items")));
        if items.is_empty() { Place::Open } else { Place::Named(items) }
    }

    /// The members that every object has: by the schemas that all hold, and by all of those of which one does.
    pub fn required(self, schemas: &[&'s Value]) -> BTreeSet<&'s str> {
        // The first one is what the others are parts of, where there is one place.
        schemas.first().map_or_else(BTreeSet::new, |schema| self.required_by(schema, 0))
    }

    fn required_by(self, schema: &'s Value, depth: usize) -> BTreeSet<&'s str> {
        let list = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let mut required: BTreeSet<&str> = list.filter_map(Value::as_str).collect();
        if depth >= DEEPEST {
            return required;
        }
        for part in parts(schema, "allOf").chain(self.referred(schema)) {
            required.extend(self.required_by(part, depth + 1));
        }
        for keyword in ["anyOf", "oneOf"] {
            let mut alternatives =
                parts(schema, keyword).take(MOST).map(|part| self.required_by(part, DEEPEST - 1));
            if let Some(first) = alternatives.next() {
                required
                    .extend(alternatives.fold(first, |all, one| all.intersection(&one).copied().collect()));
            }
        }
        required
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

    /// What stands at the member `token` of an object, or at that place of a list.
    pub fn member(self, schemas: &[&'s Value], token: &str) -> Place<'s> {
        let index = token.parse::<usize>().ok();
        let mut below = Vec::new();
        let mut known = BTreeSet::new();
        let (mut open, mut closed) = (false, false);
        for schema in schemas {
            let members = schema.get("properties").and_then(Value::as_object);
            let item = index.and_then(|index| schema.get("prefixItems")?.get(index).or(schema.get("items")));
            match members.and_then(|members| members.get(token)).or(item) {
                Some(member) => below.push(member),
                None => {
                    known.extend(members.into_iter().flatten().map(|(name, _)| name.as_str()));
                    match is_open(schema, members.is_some(), index.is_some()) {
                        Some(true) => open = true,
                        Some(false) => closed = true,
                        None => {}
                    }
                }
            }
        }
        match (below.is_empty(), closed && !open) {
            (false, _) => Place::Named(self.spread(below)),
            (true, false) => Place::Open,
            (true, true) => Place::Absent { known },
        }
    }

    /// Schemas with all that they refer to or are made of, each once.
    fn spread(self, schemas: impl IntoIterator<Item = &'s Value>) -> Vec<&'s Value> {
        let mut found: Vec<&Value> = Vec::new();
        let mut next: Vec<(&Value, usize)> =
            schemas.into_iter().take(MOST).map(|schema| (schema, 0)).collect();
        next.reverse();
        while let Some((schema, depth)) = next.pop() {
            if depth > DEEPEST || found.len() >= MOST || found.iter().any(|seen| std::ptr::eq(*seen, schema))
            {
                continue;
            }
            found.push(schema);
            let parts = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|keyword| parts(schema, keyword));
            next.extend(parts.chain(self.referred(schema)).take(MOST).map(|part| (part, depth + 1)));
        }
        found
    }

    /// What a schema refers to in its own document.
    fn referred(self, schema: &'s Value) -> Option<&'s Value> {
        self.root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
    }
}

fn parts<'s>(schema: &'s Value, keyword: &str) -> impl Iterator<Item = &'s Value> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a schema leaves open what a member or an item is that it does not name; nothing where it leaves that to
/// what it is made of. JSON Schema's silence about further members is not taken for a word where some are named:
/// nearly every schema is silent.
fn is_open(schema: &Value, names_members: bool, is_index: bool) -> Option<bool> {
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| schema.get(keyword).is_some());
    if let Value::Bool(open) = schema {
        return Some(*open);
    }
    if has(&["if", "then", "else", "dependentSchemas", "patternProperties", "unevaluatedProperties"]) {
        return Some(true);
    }
    match schema.get("additionalProperties") {
        Some(more) => return Some(*more != Value::Bool(false)),
        None if names_members => return Some(false),
        None => {}
    }
    let is = |kind: &Value| kind == "object" || (is_index && kind == "array");
    match schema.get("type") {
        None if has(&["$ref", "allOf", "anyOf", "oneOf", "required"]) => None,
        None => Some(!has(&["enum", "const"])),
        Some(Value::Array(kinds)) => Some(kinds.iter().any(is)),
        Some(kind) => Some(is(kind)),
    }
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
        assert_eq!(places.required(&places.whole()), BTreeSet::from(["list"]));
        let Place::Named(list) = at(&schema, "/list") else { panic!() };
        let Place::Named(items) = places.items(&list) else { panic!() };
        let Place::Named(state) = places.at(&items, &"/state".parse().unwrap()) else { panic!() };
        assert_eq!(Places::words(&state), Some(BTreeSet::from(["on", "off"])));
        assert_eq!(Places::words(&items), None);
        assert_eq!(places.items(&state), Place::Open);
    }

    #[test]
    fn what_only_some_alternatives_want_is_not_required() {
        let required = |schema: Value| {
            let places = Places::of(&schema);
            places.required(&places.whole()).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(required(json!({"anyOf": [{"required": ["id"]}, {"required": ["name"]}]})), [""; 0]);
        assert_eq!(
            required(json!({"required": ["a"], "oneOf": [{"required": ["b", "c"]}, {"required": ["c"]}]})),
            ["a", "c"]
        );
        let both = json!({"allOf": [{"required": ["a"]}, {"$ref": "#/$defs/x"}], "$defs": {"x": {"required": ["b"]}}});
        assert_eq!(required(both), ["a", "b"]);
    }

    #[test]
    fn what_is_closed_or_no_object_has_no_members_and_what_says_little_is_open() {
        for closed in [
            json!({"type": "object", "additionalProperties": false}),
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
            json!({"type": "object", "properties": {}}),
            json!({"type": "string"}),
            json!({"type": ["integer", "null"]}),
            json!({"type": "array", "items": {"type": "string"}}),
        ] {
            assert_eq!(at(&closed, "/a"), absent(&[]), "{closed}");
        }
        for open in [
            json!({"anyOf": [{"type": "object", "properties": {"b": {}}}, {}]}),
            json!({"anyOf": [{"properties": {"b": {}}}, {"type": ["object", "null"]}]}),
            json!({"properties": {"b": {}}, "if": {}, "then": {"properties": {"a": {}}}}),
            json!({"properties": {"b": {}}, "additionalProperties": true}),
        ] {
            assert_eq!(at(&open, "/a"), Place::Open, "{open}");
        }
        let list = json!({"prefixItems": [{"properties": {"a": {}}}], "items": {"properties": {"b": {}}}});
        assert!(matches!(at(&list, "/0/a"), Place::Named(_)));
        assert!(matches!(at(&list, "/1/b"), Place::Named(_)));
        assert_eq!(at(&list, "/0/b"), absent(&["a"]));
    }

    #[test]
    fn a_small_schema_that_multiplies_itself_costs_little() {
        let part = json!({"items": {"$ref": "#/$defs/t"}, "properties": {"a": {"$ref": "#/$defs/t"}}});
        let many: Vec<Value> = (0..200).map(|_| part.clone()).collect();
        let schema = json!({"$ref": "#/$defs/t", "$defs": {"t": {"anyOf": many}}});
        assert!(matches!(at(&schema, "/a/a/a/a/a/a"), Place::Named(found) if found.len() <= MOST));
    }
}
