//! What two artifacts would do differently.

use std::collections::BTreeSet;

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
    /// A JSON pointer; empty for the whole.
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
    if a.effect_digest() == b.effect_digest() {
        return Difference { same_effect: true, ..Difference::default() };
    }
    let mut target = Vec::new();
    for member in ["target", "recipe"] {
        compare(a.effect().get(member), b.effect().get(member), &format!("/{member}"), &mut target);
    }

    let (before, after) = (operations(a), operations(b));
    let partners = pair(&before, &after, &[|a, b| a.name == b.name, |a, b| a.key == b.key]);
    let names = |items: &[Item]| items.iter().map(|item| item.name.to_owned()).collect();
    let reordered = !partners.iter().flatten().is_sorted();
    let order = reordered.then(|| Order { before: names(&before), after: names(&after) });
    let operations = differences(&before, &after, &partners);

    let (before, after) = (preconditions(a), preconditions(b));
    let partners = pair(&before, &after, &[|a, b| a.value == b.value, |a, b| a.name == b.name]);
    let preconditions = differences(&before, &after, &partners);

    Difference { same_effect: false, target, operations, order, preconditions }
}

/// Every place where two values differ, in the order of member names and list places.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(Some(before), Some(after), "", &mut changes);
    changes
}

fn compare(before: Option<&Value>, after: Option<&Value>, pointer: &str, changes: &mut Vec<Change>) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                compare(before.get(name), after.get(name), &format!("{pointer}/{}", escape(name)), changes);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for index in 0..before.len().max(after.len()) {
                compare(before.get(index), after.get(index), &format!("{pointer}/{index}"), changes);
            }
        }
        (before, after) if before == after => {}
        (before, after) => changes.push(Change {
            pointer: pointer.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
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
        let mut changes = Vec::new();
        compare(before, after, "", &mut changes);
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
        let none = Difference { same_effect: true, ..Difference::default() };
        for (what, change) in sample::DECIDING_NOTHING {
            assert_eq!(against(change), none, "{what}");
        }
        for (what, change) in sample::DECIDING {
            let Difference { same_effect, target, operations, order, preconditions } = against(change);
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
        assert_eq!(difference, Difference { same_effect: true, ..Difference::default() });
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
        assert_eq!(pointers(&precondition.changes), ["/values/nodes/0/state"]);
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
