//! What every artifact keeps to, built or read.

use std::collections::{HashMap, HashSet};

use jiff::SignedDuration;
use serde_json::Value;
use thiserror::Error;

use super::fill::{FillError, Filling, filled};
use super::plan::Plan;
use super::v1::{Document, Gate, Idempotency, Operation, Precondition, Slot};
use crate::core::secret::is_secret_name;
use crate::core::text::visible;
use crate::core::{Class, Pointer};

/// The largest file, in bytes: 64 MiB.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most operations of one artifact, and the most preconditions.
pub const MAX_ITEMS: usize = 1000;

/// The most levels of lists and objects, the artifact itself included. A reader of JSON takes 127, and an
/// artifact is read again inside of an event, and that inside of a report.
const MAX_LEVELS: usize = 100;

/// The identity of the embedded sandbox.
pub const SANDBOX: &str = "sandbox";

/// How the identity of a recording begins that is played in a server's place. Nothing is ever sent there.
pub const REPLAY: &str = "replay:";

/// A rule of artifacts that is broken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Flaw {
    /// More than anybody reads.
    #[error("{count} {what}, and {MAX_ITEMS} are the most")]
    TooMany {
        /// `operations` or `preconditions`.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// Values in values in values: what holds the artifact could not be read again.
    #[error("lists and objects stand in one another in more than {MAX_LEVELS} levels")]
    TooDeep,
    /// Two operations of one name.
    #[error("two operations are called `{}`", visible(id))]
    SameId {
        /// The name.
        id: String,
    },
    /// Two operations that are one: the second would be taken for a repetition.
    #[error(
        "operations `{}` and `{}` send the same to the same tool, so they have the same key",
        visible(first),
        visible(second)
    )]
    SameKey {
        /// The ID of the one.
        first: String,
        /// The ID of the other.
        second: String,
    },
    /// A dry run that is the real call.
    #[error(
        "operation `{}`: `{}` is the same for a dry run and for the real call",
        visible(operation),
        visible(at.as_str())
    )]
    DryRunIsReal {
        /// The operation's ID.
        operation: String,
        /// The slot.
        at: Pointer,
    },
    /// A secret by a name that none has.
    #[error(
        "operation `{}` wants at `{}` a secret whose name is none",
        visible(operation),
        visible(at.as_str())
    )]
    NoSecretName {
        /// The operation's ID.
        operation: String,
        /// The slot.
        at: Pointer,
    },
    /// A slot that cannot be filled.
    #[error(transparent)]
    Slot(#[from] FillError),
    /// What `apply` calls is a write, or it would be repeated as freely as a read.
    #[error("operation `{}` is of class read, and only writes are applied", visible(operation))]
    NoWrite {
        /// The operation's ID.
        operation: String,
    },
    /// A read that every answer satisfies settles nothing.
    #[error("operation `{}` is settled by a read of which nothing is expected", visible(operation))]
    NothingExpected {
        /// The operation's ID.
        operation: String,
    },
    /// Nobody can have confirmed a dry run that cannot be made, or whose answer nothing confirms.
    #[error(
        "operation `{}` is called validated, and it has no dry run that an answer could confirm",
        visible(operation)
    )]
    NeverValidated {
        /// The operation's ID.
        operation: String,
    },
    /// It is to be repeated under a key that is not sent.
    #[error("operation `{}` is repeated under its key, and no slot of it takes the key", visible(operation))]
    KeyNotSent {
        /// The operation's ID.
        operation: String,
    },
    /// A key that is kept for no time at all.
    #[error("operation `{}` has a key that is kept for {retention:#}", visible(operation))]
    KeyNotKept {
        /// The operation's ID.
        operation: String,
        /// For how long.
        retention: SignedDuration,
    },
    /// A plan does not go on where such a gate does not hold.
    #[error("gate `{}` does not hold and is not advisory, and there are operations", visible(gate))]
    GateFails {
        /// The gate's ID.
        gate: String,
    },
    /// A value that no read of this precondition gives.
    #[error("the read `{}` has the value `{}`, which is none of its fields", visible(step), visible(value))]
    ValueWithoutField {
        /// The precondition's step.
        step: String,
        /// The value's name.
        value: String,
    },
}

/// Whether `plan` is small enough to be worked on.
pub(super) fn check_size(plan: &Plan) -> Result<(), Flaw> {
    for (what, count) in [("operations", plan.operations.len()), ("preconditions", plan.preconditions.len())]
    {
        if count > MAX_ITEMS {
            return Err(Flaw::TooMany { what, count });
        }
    }
    Ok(())
}

/// Whether `document` can be read again wherever it stands.
pub(super) fn check_levels(document: &Value) -> Result<(), Flaw> {
    if fits(document, MAX_LEVELS) { Ok(()) } else { Err(Flaw::TooDeep) }
}

/// Whether `value` has at most so many levels.
fn fits(value: &Value, levels: usize) -> bool {
    let below = |inner: &Value| levels.checked_sub(1).is_some_and(|left| fits(inner, left));
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(below),
        Value::Object(members) => levels > 0 && members.values().all(below),
        _ => true,
    }
}

/// The first rule that `document` breaks.
pub(super) fn check(document: &Document) -> Result<(), Flaw> {
    let mut ids = HashSet::new();
    let mut keys = HashMap::new();
    for operation in &document.operations {
        if !ids.insert(&operation.id) {
            return Err(Flaw::SameId { id: operation.id.clone() });
        }
        if let Some(first) = keys.insert(&operation.idempotency_key, &operation.id) {
            return Err(Flaw::SameKey { first: first.clone(), second: operation.id.clone() });
        }
        check_operation(operation)?;
    }
    document.preconditions.iter().try_for_each(check_precondition)?;
    let fails = |gate: &&Gate| !gate.holds && !gate.advisory;
    match document.gates.iter().find(fails) {
        Some(gate) if !document.operations.is_empty() => Err(Flaw::GateFails { gate: gate.id.clone() }),
        _ => Ok(()),
    }
}

fn check_operation(operation: &Operation) -> Result<(), Flaw> {
    let id = || operation.id.clone();
    if operation.class == Class::Read {
        return Err(Flaw::NoWrite { operation: id() });
    }
    for slot in &operation.slots {
        if let Slot::DryRun { at, dry, real } = slot
            && dry == real
        {
            return Err(Flaw::DryRunIsReal { operation: id(), at: at.clone() });
        }
    }
    for slot in &operation.slots {
        if let Slot::Secret { at, name } = slot
            && !is_secret_name(name)
        {
            return Err(Flaw::NoSecretName { operation: id(), at: at.clone() });
        }
    }
    // Every slot has room of its own, so what holds for the real call holds for the dry run.
    filled(operation, Filling::Real { approval_id: "" })?;

    let has = |kind: fn(&Slot) -> bool| operation.slots.iter().any(kind);
    let can_be_confirmed =
        has(|slot| matches!(slot, Slot::DryRun { .. })) && !operation.dry_run_confirmed.is_empty();
    if operation.server_validated && !can_be_confirmed {
        return Err(Flaw::NeverValidated { operation: id() });
    }
    if operation.idempotency == Idempotency::Key && !has(|slot| matches!(slot, Slot::IdempotencyKey { .. })) {
        return Err(Flaw::KeyNotSent { operation: id() });
    }
    if let Some(retention) = operation.key_retention.filter(|retention| !retention.is_positive()) {
        return Err(Flaw::KeyNotKept { operation: id(), retention });
    }
    if operation.reconcile.as_ref().is_some_and(|reconcile| reconcile.found.is_empty()) {
        return Err(Flaw::NothingExpected { operation: id() });
    }
    Ok(())
}

/// Without fields the answer counts as it is, so any name may stand in it.
fn check_precondition(Precondition { step, fields, values, .. }: &Precondition) -> Result<(), Flaw> {
    match values.keys().find(|name| !fields.contains_key(*name)) {
        Some(value) if !fields.is_empty() => {
            Err(Flaw::ValueWithoutField { step: step.clone(), value: value.clone() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Artifact, BuildError, sample};
    use serde_json::json;

    fn flaw(change: impl FnOnce(&mut Plan)) -> Flaw {
        let mut plan = sample::plan();
        change(&mut plan);
        match Artifact::build(plan) {
            Err(BuildError::Flaw(flaw)) => flaw,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn equal_keys_name_both_operations() {
        let flaw = flaw(|plan| {
            let mut again = plan.operations[0].clone();
            again.id = "again\u{1b}[2J".into();
            again.reason = "another".into();
            plan.operations.push(again);
        });
        assert_eq!(
            flaw.to_string(),
            "operations `package` and `again\\u{1b}[2J` send the same to the same tool, so they have the same key"
        );
    }

    #[test]
    fn two_operations_of_one_name_are_refused() {
        assert_eq!(
            flaw(|plan| plan.operations[1].id = "package".into()),
            Flaw::SameId { id: "package".into() }
        );
    }

    #[test]
    fn a_thousand_operations_are_taken_and_no_more() {
        let many = |count: usize| {
            move |plan: &mut Plan| {
                let note = plan.operations.remove(1);
                plan.operations = (0..count)
                    .map(|number| {
                        let mut operation = note.clone();
                        operation.id = format!("note-{number}");
                        operation.arguments.insert("number".into(), json!(number));
                        operation
                    })
                    .collect();
            }
        };
        assert_eq!(flaw(many(MAX_ITEMS + 1)), Flaw::TooMany { what: "operations", count: 1001 });
        let reads = flaw(|plan| plan.preconditions = vec![plan.preconditions[0].clone(); MAX_ITEMS + 1]);
        assert_eq!(reads.to_string(), "1001 preconditions, and 1000 are the most");
        let mut plan = sample::plan();
        many(MAX_ITEMS)(&mut plan);
        assert!(Artifact::build(plan).is_ok());
    }

    /// Four levels above it are the artifact's own: itself, the operations, one of them, its arguments.
    #[test]
    fn a_hundred_levels_are_taken_and_no_more() {
        let nest = |levels: usize| {
            let value = (0..levels).fold(json!(1), |inner, level| match level % 2 {
                0 => json!([inner]),
                _ => json!({"in": inner}),
            });
            move |plan: &mut Plan| drop(plan.operations[1].arguments.insert("deep".into(), value))
        };
        for levels in [MAX_LEVELS - 3, 121, 130] {
            assert_eq!(flaw(nest(levels)), Flaw::TooDeep, "{levels}");
        }
        let mut plan = sample::plan();
        nest(MAX_LEVELS - 4)(&mut plan);
        let artifact = Artifact::build(plan).unwrap();
        assert_eq!(Artifact::read("a.json", artifact.bytes()).unwrap(), artifact);
        let mut deeper = serde_json::to_value(artifact.document()).unwrap();
        let inner = deeper["operations"][1]["arguments"]["deep"].take();
        deeper["operations"][1]["arguments"]["deep"] = json!([inner]);
        let refused = Artifact::read("a.json", &sample::sealed(deeper)).unwrap_err().to_string();
        assert_eq!(refused, "`a.json`: lists and objects stand in one another in more than 100 levels");
    }

    #[test]
    fn a_control_argument_that_the_recipe_set_is_refused() {
        let flaw = flaw(|plan| {
            plan.operations[0].arguments.insert("dryRun".into(), json!(false));
        });
        assert!(matches!(flaw, Flaw::Slot(FillError::Occupied { .. })), "{flaw}");
    }

    #[test]
    fn a_slot_of_any_kind_has_a_place_of_its_own() {
        for at in ["/dryRun", "/approvalId/x", "/releaseId", ""] {
            for holds in ["request_id", "trace"] {
                let flaw = flaw(|plan| {
                    let slot = json!({"holds": holds, "at": at});
                    plan.operations[0].slots.push(serde_json::from_value(slot).unwrap());
                });
                assert!(matches!(flaw, Flaw::Slot(_)), "{holds} at `{at}`: {flaw}");
            }
        }
    }

    #[test]
    fn only_writes_are_applied() {
        let flaw = flaw(|plan| plan.operations[1].class = Class::Read);
        assert_eq!(flaw.to_string(), "operation `note` is of class read, and only writes are applied");
    }

    #[test]
    fn a_read_that_every_answer_satisfies_settles_nothing() {
        let flaw = flaw(|plan| plan.operations[1].reconcile.as_mut().unwrap().found.clear());
        assert_eq!(flaw, Flaw::NothingExpected { operation: "note".into() });
    }

    #[test]
    fn nothing_is_called_validated_that_could_not_be() {
        let changes: [fn(&mut Plan); 3] = [
            |plan| plan.operations[0].dry_run_confirmed.clear(),
            |plan| drop(plan.operations[0].slots.remove(0)),
            |plan| plan.operations[1].server_validated = true,
        ];
        for change in changes {
            let flaw = flaw(change);
            assert!(matches!(flaw, Flaw::NeverValidated { .. }), "{flaw}");
        }
    }

    #[test]
    fn a_key_is_sent_and_kept_for_some_time_where_it_is_relied_on() {
        let sent = flaw(|plan| plan.operations[0].slots.truncate(2));
        assert_eq!(sent, Flaw::KeyNotSent { operation: "package".into() });
        for hours in [0, -1] {
            let kept = flaw(|plan| {
                plan.operations[0].key_retention = Some(SignedDuration::from_hours(hours));
            });
            assert!(matches!(kept, Flaw::KeyNotKept { .. }), "{kept}");
        }
    }

    #[test]
    fn a_plan_behind_a_gate_that_does_not_hold_has_no_operations() {
        let fails = |plan: &mut Plan| plan.gates[0].holds = false;
        assert_eq!(
            flaw(fails).to_string(),
            "gate `visible` does not hold and is not advisory, and there are operations"
        );
        let taken: [fn(&mut Plan); 2] =
            [|plan| plan.gates[0].advisory = true, |plan| plan.operations.clear()];
        for change in taken {
            let mut plan = sample::plan();
            fails(&mut plan);
            change(&mut plan);
            assert!(Artifact::build(plan).is_ok());
        }
    }

    #[test]
    fn a_value_that_no_field_reads_is_refused() {
        let beyond = |plan: &mut Plan| {
            plan.preconditions[0].values.insert("more".into(), json!(1));
        };
        let expected = Flaw::ValueWithoutField { step: "evidence.graph".into(), value: "more".into() };
        assert_eq!(flaw(beyond), expected);
        let mut plan = sample::plan();
        beyond(&mut plan);
        plan.preconditions[0].fields.clear();
        assert!(Artifact::build(plan).is_ok());
    }

    #[test]
    fn a_dry_run_that_is_the_real_call_is_refused() {
        let flaw = flaw(|plan| {
            plan.operations[0].slots =
                serde_json::from_value(json!([{"holds": "dry_run", "at": "/mode", "dry": 1, "real": 1.0}]))
                    .unwrap();
        });
        assert!(matches!(flaw, Flaw::DryRunIsReal { .. }), "{flaw}");
    }
}
