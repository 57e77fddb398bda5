//! What two artifacts would do differently.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::build::Artifact;
use super::key::Key;
use crate::core::pointer::escape;

/// What two artifacts would do differently. Members that the effect digest leaves out are not compared:
/// there is a difference exactly where the effect digests differ.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Difference {
    /// Whether both have one effect digest, so that an approval of the one is an approval of the other.
    pub same_effect: bool,
    /// Whether either is for the embedded sandbox.
    pub sandbox: bool,
    /// Whether either is from the replay of a recording.
    pub replay: bool,
    /// Server, tenant, recipe and inputs; pointers are places in the artifact.
    pub target: Vec<Change>,
    /// Operations by their IDs, those without a partner by their keys; pointers are places in the operation.
    pub operations: Vec<ItemDifference>,
    /// The order of operations, where those that are in both have another.
    pub order: Option<Order>,
    /// Reads that the plan stands on, by their steps; pointers are places in the precondition.
    pub preconditions: Vec<ItemDifference>,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Change {
    /// A JSON pointer; empty for the whole. Where two lists have objects alone, each with an `id` of its own
    /// that is a text, items are compared by it, and the pointer has the ID in brackets in the place of a
    /// number: `/nodes/[CTL-201]/state`. Then `/nodes/[]` is the order of the IDs that are in both.
    pub pointer: String,
    /// What stood there before; absent where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What stands there after; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// An operation or precondition that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemDifference {
    /// The ID of the operation or the step of the precondition, as it was before where it was there.
    pub name: String,
    /// In which way.
    pub kind: Kind,
    /// What differs in it; what is added or removed is one change of the whole.
    pub changes: Vec<Change>,
}

/// In which way something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is only in the second.
    Added,
    /// It is only in the first.
    Removed,
    /// It is in both, and not the same.
    Changed,
}

/// Two orders of operations, by their IDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// In the first.
    pub before: Vec<String>,
    /// In the second.
    pub after: Vec<String>,
}

/// What `b` would do that `a` would not, and the other way round, in a stable order.
#[must_use]
pub fn diff(a: &Artifact, b: &Artifact) -> Difference {
    let sandbox = a.target().sandbox || b.target().sandbox;
    let replay = a.is_replay() || b.is_replay();
    if a.effect_digest() == b.effect_digest() {
        return Difference { same_effect: true, sandbox, replay, ..Difference::default() };
    }
    let mut target = Comparison::new(Lists::ById);
    for member in ["target", "recipe"] {
        target.compare(a.effect().get(member), b.effect().get(member), &format!("/{member}"));
    }
    let target = target.changes;

    let (before, after) = (operations(a), operations(b));
    let partners = pair(&before, &after, &[|a, b| a.name == b.name, |a, b| a.key == b.key]);
    let names = |items: &[Item]| items.iter().map(|item| item.name.to_owned()).collect();
    let reordered = !partners.iter().flatten().is_sorted();
    let order = reordered.then(|| Order { before: names(&before), after: names(&after) });
    let operations = differences(&before, &after, &partners);

    let (before, after) = (preconditions(a), preconditions(b));
    let partners = pair(&before, &after, &[|a, b| a.value == b.value, |a, b| a.name == b.name]);
    let preconditions = differences(&before, &after, &partners);

    Difference { same_effect: false, sandbox, replay, target, operations, order, preconditions }
}

/// Every place where two values differ, in the order of member names and list places; each pointer is one
/// of RFC 6901.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut comparison = Comparison::new(Lists::ByPlace);
    comparison.compare(Some(before), Some(after), "");
    comparison.changes
}

/// Which items of two lists belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    /// Those in one place.
    ByPlace,
    /// Those of one ID, where all have one; else those in one place.
    ById,
}

/// The differences found so far.
struct Comparison {
    lists: Lists,
    changes: Vec<Change>,
}

impl Comparison {
    fn new(lists: Lists) -> Self {
        Self { lists, changes: Vec::new() }
    }

    fn compare(&mut self, before: Option<&Value>, after: Option<&Value>, pointer: &str) {
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                for name in names {
                    let pointer = format!("{pointer}/{}", escape(name));
                    self.compare(before.get(name), after.get(name), &pointer);
                }
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) => match (ids(before), ids(after)) {
                (Some(one), Some(other)) if self.lists == Lists::ById => {
                    self.compare_by_id((&one, before), (&other, after), pointer);
                }
                _ => {
                    for index in 0..before.len().max(after.len()) {
                        self.compare(before.get(index), after.get(index), &format!("{pointer}/{index}"));
                    }
                }
            },
            (before, after) if before == after => {}
            (before, after) => self.change(pointer.to_owned(), before.cloned(), after.cloned()),
        }
    }

    /// Two lists with the ID of every item.
    fn compare_by_id<'a>(
        &mut self,
        before: (&[&'a str], &'a [Value]),
        after: (&[&'a str], &'a [Value]),
        pointer: &str,
    ) {
        let (old, new) = (by_id(before), by_id(after));
        for id in old.keys().chain(new.keys().filter(|id| !old.contains_key(*id))) {
            let (before, after) = (old.get(id).copied(), new.get(id).copied());
            self.compare(before, after, &format!("{pointer}/[{}]", escape(id)));
        }
        // What is in both can still stand in another order.
        let common = |ids: &[&str]| -> Vec<String> {
            let both = ids.iter().filter(|id| old.contains_key(*id) && new.contains_key(*id));
            both.map(|id| (*id).to_owned()).collect()
        };
        let (first, second) = (common(before.0), common(after.0));
        if first != second {
            self.change(format!("{pointer}/[]"), Some(first.into()), Some(second.into()));
        }
    }

    fn change(&mut self, pointer: String, before: Option<Value>, after: Option<Value>) {
        self.changes.push(Change { pointer, before, after });
    }
}

fn by_id<'a>((ids, items): (&[&'a str], &'a [Value])) -> BTreeMap<&'a str, &'a Value> {
    ids.iter().copied().zip(items).collect()
}

/// The `id` of every item, where each is an object with one of its own that is a text.
fn ids(items: &[Value]) -> Option<Vec<&str>> {
    let id = items.iter().map(|item| item.get("id")?.as_str().filter(|id| !id.is_empty()));
    let ids: Vec<&str> = id.collect::<Option<_>>()?;
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    (unique.len() == ids.len()).then_some(ids)
}

/// What is compared of an operation or a precondition.
struct Item<'a> {
    name: &'a str,
    key: Option<&'a Key>,
    value: &'a Value,
}

fn operations(artifact: &Artifact) -> Vec<Item<'_>> {
    let named = artifact.operations().iter().zip(covered_items(artifact, "operations"));
    named
        .map(|(operation, value)| Item { name: &operation.id, key: Some(&operation.idempotency_key), value })
        .collect()
}

fn preconditions(artifact: &Artifact) -> Vec<Item<'_>> {
    let named = artifact.document().preconditions.iter().zip(covered_items(artifact, "preconditions"));
    named.map(|(precondition, value)| Item { name: &precondition.step, key: None, value }).collect()
}

fn covered_items<'a>(artifact: &'a Artifact, member: &str) -> impl Iterator<Item = &'a Value> {
    artifact.effect().get(member).and_then(Value::as_array).into_iter().flatten()
}

/// For each of `before` the place of its partner in `after`: the first that the first rule finds, of
/// what is then left the first that the next rule finds.
fn pair(
    before: &[Item<'_>],
    after: &[Item<'_>],
    rules: &[fn(&Item<'_>, &Item<'_>) -> bool],
) -> Vec<Option<usize>> {
    let mut partners = vec![None; before.len()];
    let mut free: Vec<(usize, &Item<'_>)> = after.iter().enumerate().collect();
    for same in rules {
        for (item, partner) in before.iter().zip(&mut partners).filter(|(_, partner)| partner.is_none()) {
            if let Some(found) = free.iter().position(|(_, other)| same(item, other)) {
                let (place, _) = free.remove(found);
                *partner = Some(place);
            }
        }
    }
    partners
}

fn differences(before: &[Item<'_>], after: &[Item<'_>], partners: &[Option<usize>]) -> Vec<ItemDifference> {
    let mut differences = Vec::new();
    let mut push = |name: &str, kind, before: Option<&Value>, after: Option<&Value>| {
        let mut comparison = Comparison::new(Lists::ById);
        comparison.compare(before, after, "");
        let changes = comparison.changes;
        if !changes.is_empty() {
            differences.push(ItemDifference { name: name.to_owned(), kind, changes });
        }
    };
    for (item, partner) in before.iter().zip(partners) {
        match partner.and_then(|place| after.get(place)) {
            Some(other) => push(item.name, Kind::Changed, Some(item.value), Some(other.value)),
            None => push(item.name, Kind::Removed, Some(item.value), None),
        }
    }
    for (place, item) in after.iter().enumerate() {
        if !partners.contains(&Some(place)) {
            push(item.name, Kind::Added, None, Some(item.value));
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Plan;
    use crate::artifact::sample;
    use serde_json::json;

    fn against(change: impl FnOnce(&mut Plan)) -> Difference {
        let mut plan = sample::plan();
        change(&mut plan);
        diff(&sample::artifact(), &Artifact::build(plan).unwrap())
    }

    fn pointers(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.pointer.as_str()).collect()
    }

    #[test]
    fn there_is_a_difference_exactly_where_the_effect_digests_differ() {
        let none = Difference { same_effect: true, sandbox: true, ..Difference::default() };
        for (what, change) in sample::DECIDING_NOTHING {
            assert_eq!(against(change), none, "{what}");
        }
        for (what, change) in sample::DECIDING {
            let Difference { same_effect, sandbox: _, replay: _, target, operations, order, preconditions } =
                against(change);
            let places = target.len() + operations.len() + preconditions.len() + usize::from(order.is_some());
            assert!(!same_effect && places > 0, "{what}");
        }
    }

    #[test]
    fn words_for_people_are_no_difference() {
        let difference = against(|plan| {
            plan.operations[0].reason = "another".into();
            plan.operations[0].id = "renamed".into();
            plan.preconditions[0].step = "renamed".into();
            plan.summary = "another".into();
            plan.preconditions.reverse();
        });
        assert!(difference.same_effect);
        assert_eq!(difference.preconditions, []);
    }

    #[test]
    fn a_changed_argument_is_named_with_its_place_and_moves_the_key() {
        let difference = against(|plan| {
            plan.operations[0].arguments["parent"]["owner/team"] = json!("x");
        });
        assert!(!difference.same_effect);
        let [operation] = difference.operations.as_slice() else { panic!("{difference:?}") };
        assert_eq!((operation.name.as_str(), operation.kind), ("package", Kind::Changed));
        assert_eq!(pointers(&operation.changes), ["/arguments/parent/owner~1team", "/idempotency_key"]);
        assert_eq!(
            serde_json::to_value(&operation.changes[0]).unwrap(),
            json!({"pointer": "/arguments/parent/owner~1team", "after": "x"})
        );
        assert_eq!((difference.target, difference.order), (Vec::new(), None));
        assert_eq!(difference.preconditions, []);
    }

    #[test]
    fn a_renamed_operation_is_found_by_its_key() {
        let difference = against(|plan| {
            plan.operations[0].id = "renamed".into();
            plan.operations[0].one_transaction = false;
        });
        let [operation] = difference.operations.as_slice() else { panic!("{difference:?}") };
        assert_eq!((operation.name.as_str(), operation.kind), ("package", Kind::Changed));
        assert_eq!(pointers(&operation.changes), ["/one_transaction"]);
    }

    #[test]
    fn what_is_only_in_one_is_shown_whole() {
        let difference = against(|plan| {
            plan.operations.remove(1);
            plan.preconditions.remove(0);
        });
        let [operation] = difference.operations.as_slice() else { panic!("{difference:?}") };
        assert_eq!((operation.name.as_str(), operation.kind), ("note", Kind::Removed));
        let [Change { pointer, before: Some(before), after: None }] = operation.changes.as_slice() else {
            panic!("{difference:?}")
        };
        assert_eq!((pointer.as_str(), &before["tool"]), ("", &json!("append_note")));
        assert_eq!(difference.preconditions[0].kind, Kind::Removed);

        let mut plan = sample::plan();
        plan.operations.remove(1);
        let back = diff(&Artifact::build(plan).unwrap(), &sample::artifact());
        assert_eq!((back.operations[0].name.as_str(), back.operations[0].kind), ("note", Kind::Added));
    }

    #[test]
    fn another_order_is_a_difference_by_itself() {
        let difference = against(|plan| plan.operations.reverse());
        let order = difference.order.unwrap();
        assert_eq!(
            (order.before, order.after),
            (vec!["package".to_owned(), "note".to_owned()], vec!["note".to_owned(), "package".to_owned()],)
        );
        assert_eq!(difference.operations, []);
    }

    #[test]
    fn target_recipe_and_values_are_compared_in_place() {
        let difference = against(|plan| {
            plan.tenant = None;
            plan.recipe.inputs["owner"] = json!("web");
            plan.preconditions[0].values["nodes"][0]["state"] = json!("pass");
        });
        assert_eq!(pointers(&difference.target), ["/target/tenant", "/recipe/inputs/owner"]);
        let [precondition] = difference.preconditions.as_slice() else { panic!("{difference:?}") };
        assert_eq!(precondition.name, "evidence.graph");
        assert_eq!(pointers(&precondition.changes), ["/values/nodes/[NODE-7]/state"]);
    }

    #[test]
    fn items_with_an_id_are_compared_with_their_like() {
        let nodes = |value: Value| {
            move |plan: &mut Plan| {
                plan.preconditions[0].values["nodes"] = value;
            }
        };
        let difference = against(nodes(json!([
            {"id": "a/b", "state": "pass"},
            {"id": "NODE-7", "state": "pass"},
        ])));
        let changes = &difference.preconditions[0].changes;
        assert_eq!(pointers(changes), ["/values/nodes/[NODE-7]/state", "/values/nodes/[a~1b]"]);
        assert_eq!(changes[1].before, None);
        let difference = against(nodes(json!([])));
        assert_eq!(pointers(&difference.preconditions[0].changes), ["/values/nodes/[NODE-7]"]);
    }

    #[test]
    fn another_order_of_items_with_an_id_is_a_difference() {
        let artifact = |order: [&str; 3]| {
            let mut plan = sample::plan();
            plan.preconditions[0].values["nodes"] = order.map(|id| json!({"id": id})).to_vec().into();
            Artifact::build(plan).unwrap()
        };
        let difference = diff(&artifact(["a", "b", "c"]), &artifact(["b", "a", "d"]));
        let changes = &difference.preconditions[0].changes;
        assert_eq!(pointers(changes), ["/values/nodes/[c]", "/values/nodes/[d]", "/values/nodes/[]"]);
        assert_eq!(
            (changes[2].before.clone(), changes[2].after.clone()),
            (Some(json!(["a", "b"])), Some(json!(["b", "a"])))
        );
    }

    #[test]
    fn a_difference_of_a_sandbox_plan_says_so() {
        assert!(against(|_| {}).sandbox);
        assert!(against(|plan| plan.server.identity = "https://ai.example/mcp".into()).sandbox);
        let real = || {
            let mut plan = sample::plan();
            plan.server.identity = "https://ai.example/mcp".into();
            Artifact::build(plan).unwrap()
        };
        assert!(!diff(&real(), &real()).sandbox);
        assert!(against(|plan| plan.server.identity = "replay:sha256:1".into()).replay);
        assert!(!against(|_| {}).replay);
    }

    #[test]
    fn lists_without_an_id_of_their_own_are_compared_by_place() {
        let by_id = |before: Value, after: Value| {
            let mut comparison = Comparison::new(Lists::ById);
            comparison.compare(Some(&before), Some(&after), "");
            comparison.changes.into_iter().map(|change| change.pointer).collect::<Vec<_>>()
        };
        for (before, after) in [
            (json!([{"id": 1, "x": 1}]), json!([{"id": 1, "x": 2}])),
            (json!([{"id": "a", "x": 1}, {"x": 1}]), json!([{"id": "a", "x": 2}, {"x": 1}])),
            (
                json!([{"id": "a", "x": 1}, {"id": "a", "x": 1}]),
                json!([{"id": "a", "x": 2}, {"id": "a", "x": 1}]),
            ),
            (json!([{"id": "", "x": 1}]), json!([{"id": "", "x": 2}])),
        ] {
            assert_eq!(by_id(before.clone(), after), ["/0/x"], "{before}");
        }
    }

    #[test]
    fn lists_are_compared_by_place() {
        let changed = changes(&json!([1, {"a": null}]), &json!([1, {}, 3]));
        assert_eq!(
            serde_json::to_value(changed).unwrap(),
            json!([{"pointer": "/1/a", "before": null}, {"pointer": "/2", "after": 3}])
        );
    }
}
