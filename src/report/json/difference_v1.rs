//! `loopgate.difference/1`: what two artifacts would do differently.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::artifact::{Change, Difference, ItemDifference, Kind, Order};

/// What two artifacts would do differently.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.difference/1")]
struct DifferenceV1<'a> {
    /// Always `loopgate.difference/1`.
    format: &'static str,
    /// Whether both have one effect digest, so that an approval of the one is an approval of the other.
    same_effect: bool,
    /// Whether either is for the embedded sandbox.
    sandbox: bool,
    /// Whether either is from the replay of a recording; left out where neither is.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<bool>,
    /// Server, tenant, recipe and inputs; pointers are places in the artifact.
    target: Vec<ChangeV1<'a>>,
    /// Operations that differ; pointers are places in the operation.
    operations: Vec<ItemV1<'a>>,
    /// The order of operations, where it is another.
    order: Option<OrderV1<'a>>,
    /// Reads that the plan stands on and that differ; pointers are places in the precondition.
    preconditions: Vec<ItemV1<'a>>,
}

/// A value that differs.
#[derive(Serialize, JsonSchema)]
struct ChangeV1<'a> {
    /// A JSON pointer; empty for the whole. Items of lists that each have an `id` of their own are compared
    /// by it, and the pointer has the ID in brackets in the place of a number: `/nodes/[CTL-201]/state`.
    /// Then `/nodes/[]` is the order of the IDs that are in both.
    pointer: &'a str,
    /// What stood there before; absent where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Value>,
    /// What stands there after; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a Value>,
}

/// An operation or read that differs.
#[derive(Serialize, JsonSchema)]
struct ItemV1<'a> {
    /// The operation's ID or the read's step.
    name: &'a str,
    /// added, removed or changed.
    kind: &'static str,
    /// What differs in it.
    changes: Vec<ChangeV1<'a>>,
}

/// Two orders of operations, by their IDs.
#[derive(Serialize, JsonSchema)]
struct OrderV1<'a> {
    /// In the first.
    before: &'a [String],
    /// In the second.
    after: &'a [String],
}

/// The difference as `loopgate.difference/1`.
#[must_use]
pub fn difference_json(difference: &Difference) -> Value {
    let Difference { same_effect, sandbox, replay, target, operations, order, preconditions } = difference;
    json!(DifferenceV1 {
        format: "loopgate.difference/1",
        same_effect: *same_effect,
        sandbox: *sandbox,
        replay: replay.then_some(true),
        target: target.iter().map(change).collect(),
        operations: operations.iter().map(item).collect(),
        order: order.as_ref().map(|Order { before, after }| OrderV1 { before, after }),
        preconditions: preconditions.iter().map(item).collect(),
    })
}

/// The JSON Schema of `loopgate.difference/1`.
#[must_use]
pub fn difference_schema() -> Value {
    schema_for!(DifferenceV1<'_>).to_value()
}

fn change(Change { pointer, before, after }: &Change) -> ChangeV1<'_> {
    ChangeV1 { pointer, before: before.as_ref(), after: after.as_ref() }
}

fn item(ItemDifference { name, kind, changes }: &ItemDifference) -> ItemV1<'_> {
    let kind = match kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Changed => "changed",
    };
    ItemV1 { name, kind, changes: changes.iter().map(change).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_what_the_schema_says_and_keeps_null_apart_from_absent() {
        let change = Change { pointer: "/a".into(), before: Some(Value::Null), after: None };
        let difference = Difference {
            sandbox: true,
            replay: false,
            target: vec![change],
            operations: vec![ItemDifference { name: "p".into(), kind: Kind::Added, changes: vec![] }],
            order: Some(Order { before: vec!["a".into()], after: vec!["b".into()] }),
            ..Difference::default()
        };
        let value = difference_json(&difference);
        assert!(jsonschema::validator_for(&difference_schema()).unwrap().is_valid(&value), "{value}");
        assert_eq!(value["sandbox"], json!(true));
        assert_eq!(value["target"], json!([{"pointer": "/a", "before": null}]));
        assert_eq!(value["operations"], json!([{"name": "p", "kind": "added", "changes": []}]));
    }
}
