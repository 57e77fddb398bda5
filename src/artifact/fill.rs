//! The arguments as they are sent.

use serde_json::{Map, Value};
use thiserror::Error;

use super::key::Key;
use super::v1::{Operation, Slot};
use crate::core::Pointer;
use crate::core::text::visible;

/// With what the slots of an operation are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling<'a> {
    /// For a dry run: neither approval nor key goes with it.
    Dry,
    /// For the real thing.
    Real {
        /// The approval that it is done under.
        approval_id: &'a str,
    },
}

/// Why slots cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FillError {
    /// The operation has no slot that would make the call a dry run, so it would be a real one.
    #[error("operation `{}` has no place that turns it into a dry run", visible(operation))]
    NoDryRun {
        /// Its ID.
        operation: String,
    },
    /// An argument or another slot stands where a slot is; a slot never replaces what was approved.
    #[error(
        "operation `{}` already has an argument or another slot at `{}`, where a slot is",
        visible(operation),
        visible(at.as_str())
    )]
    Occupied {
        /// Its ID.
        operation: String,
        /// The slot.
        at: Pointer,
    },
    /// What stands above a slot is no object, or the slot is all of the arguments.
    #[error(
        "operation `{}` has no room at `{}`: what stands above it is not an object",
        visible(operation),
        visible(at.as_str())
    )]
    NoRoom {
        /// Its ID.
        operation: String,
        /// The slot.
        at: Pointer,
    },
}

/// The arguments of `operation` with exactly the listed slots filled; see [`fill`].
///
/// # Errors
/// Those of [`fill`].
pub fn filled(operation: &Operation, filling: Filling<'_>) -> Result<Map<String, Value>, FillError> {
    let Operation { id, arguments, slots, idempotency_key, .. } = operation;
    fill(id, arguments, slots, idempotency_key, filling)
}

/// `arguments` with exactly the `slots` filled, and all else as it stands. A dry run fills only the slots
/// that make it one. Request ID and trace are new with every attempt, and a secret is nowhere but in the call, so
/// whoever sends that fills them. Every slot has room of its own, whether it is filled here or not.
///
/// # Errors
/// A dry run is asked of an operation that has none, or a slot cannot be filled without touching an
/// argument or another slot.
pub fn fill(
    operation: &str,
    arguments: &Map<String, Value>,
    slots: &[Slot],
    key: &Key,
    filling: Filling<'_>,
) -> Result<Map<String, Value>, FillError> {
    let operation = || operation.to_owned();
    if filling == Filling::Dry && !slots.iter().any(|slot| matches!(slot, Slot::DryRun { .. })) {
        return Err(FillError::NoDryRun { operation: operation() });
    }
    let mut reserved = arguments.clone();
    let mut members = arguments.clone();
    for slot in slots {
        let at = slot.at();
        let no_room = |_| FillError::NoRoom { operation: operation(), at: at.clone() };
        if member_at(&reserved, at).is_some() {
            return Err(FillError::Occupied { operation: operation(), at: at.clone() });
        }
        at.set(&mut reserved, Value::Null).map_err(no_room)?;
        let value = match (slot, filling) {
            (Slot::DryRun { dry, .. }, Filling::Dry) => dry.clone(),
            (Slot::DryRun { real, .. }, Filling::Real { .. }) => real.clone(),
            (Slot::ApprovalId { .. }, Filling::Real { approval_id }) => Value::from(approval_id),
            (Slot::IdempotencyKey { .. }, Filling::Real { .. }) => Value::from(key.as_str()),
            (Slot::ApprovalId { .. } | Slot::IdempotencyKey { .. }, Filling::Dry)
            | (Slot::RequestId { .. } | Slot::Trace { .. } | Slot::Secret { .. }, _) => continue,
        };
        at.set(&mut members, value).map_err(no_room)?;
    }
    Ok(members)
}

/// What stands at a pointer that leads through objects alone, as [`Pointer::set`] does.
fn member_at<'a>(members: &'a Map<String, Value>, at: &Pointer) -> Option<&'a Value> {
    let mut tokens = at.tokens();
    let first = members.get(&tokens.next()?)?;
    tokens.try_fold(first, |above, token| above.get(&token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::sample;
    use serde_json::json;

    const REAL: Filling<'_> = Filling::Real { approval_id: "APR-1" };

    fn with_slots(slots: Value) -> Operation {
        let mut operation = sample::artifact().operations()[0].clone();
        operation.slots = serde_json::from_value(slots).unwrap();
        operation
    }

    fn less(mut all: Map<String, Value>, names: &[&str]) -> Map<String, Value> {
        all.retain(|name, _| !names.contains(&name.as_str()));
        all
    }

    #[test]
    fn the_real_call_is_the_stored_arguments_and_the_three_slots() {
        let operation = sample::artifact().operations()[0].clone();
        let sent = filled(&operation, REAL).unwrap();
        assert_eq!(sent["dryRun"], json!(false));
        assert_eq!(sent["approvalId"], json!("APR-1"));
        assert_eq!(sent["idempotencyKey"], json!(operation.idempotency_key.as_str()));
        assert_eq!(less(sent, &["dryRun", "approvalId", "idempotencyKey"]), operation.arguments);
    }

    #[test]
    fn a_dry_run_carries_neither_approval_nor_key() {
        let operation = sample::artifact().operations()[0].clone();
        let sent = filled(&operation, Filling::Dry).unwrap();
        assert_eq!(sent["dryRun"], json!(true));
        assert_eq!(less(sent, &["dryRun"]), operation.arguments);
    }

    #[test]
    fn an_operation_without_a_dry_run_is_never_filled_for_one() {
        let operation = with_slots(json!([{"at": "/idempotencyKey", "holds": "idempotency_key"}]));
        let refused = filled(&operation, Filling::Dry).unwrap_err();
        assert!(matches!(refused, FillError::NoDryRun { .. }), "{refused}");
    }

    #[test]
    fn a_slot_replaces_nothing_and_makes_no_room_for_itself() {
        for (at, taken) in [
            ("/releaseId", true),
            ("/parent/title", true),
            ("/parent", true),
            ("", false),
            ("/children/0", false),
            ("/releaseId/x", false),
        ] {
            let operation = with_slots(json!([{"at": at, "holds": "approval_id"}]));
            let refused = filled(&operation, REAL).unwrap_err();
            assert_eq!(matches!(refused, FillError::Occupied { .. }), taken, "{at}: {refused}");
            assert_eq!(matches!(refused, FillError::NoRoom { .. }), !taken, "{at}: {refused}");
        }
        for slots in [["/a", "/a/b"], ["/a/b", "/a"], ["/a", "/a"]] {
            let [one, two] = slots.map(|at| json!({"at": at, "holds": "approval_id"}));
            assert!(filled(&with_slots(json!([one, two])), REAL).is_err(), "{slots:?}");
        }
    }

    #[test]
    fn no_two_slots_share_a_place_whatever_they_hold() {
        let dry_run = json!({"at": "/dryRun", "holds": "dry_run", "dry": true, "real": false});
        for one in ["approval_id", "idempotency_key", "request_id", "trace"] {
            for other in ["idempotency_key", "request_id", "trace"] {
                for [first, second] in [["/a", "/a"], ["/a", "/a/b"], ["/a/b", "/a"], ["/a", ""]] {
                    let slots = json!([dry_run, {"at": first, "holds": one}, {"at": second, "holds": other}]);
                    for filling in [REAL, Filling::Dry] {
                        let refused = filled(&with_slots(slots.clone()), filling);
                        assert!(refused.is_err(), "{one} at {first}, {other} at {second}, {filling:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_filled_later_leaves_nothing_behind_now() {
        let operation = with_slots(json!([{"at": "/meta/request", "holds": "request_id"}]));
        assert_eq!(filled(&operation, REAL).unwrap(), operation.arguments);
    }

    #[test]
    fn a_slot_may_stand_inside_of_what_was_approved() {
        let operation = with_slots(json!([{"at": "/parent/approval/id", "holds": "approval_id"}]));
        let sent = filled(&operation, REAL).unwrap();
        assert_eq!(sent["parent"]["approval"], json!({"id": "APR-1"}));
        assert_eq!(sent["parent"]["title"], operation.arguments["parent"]["title"]);
    }
}
