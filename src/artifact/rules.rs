//! What every artifact keeps to, built or read.

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use super::fill::{FillError, Filling, filled};
use super::plan::Plan;
use super::v1::{Document, Slot};
use crate::core::Pointer;
use crate::core::text::visible;

/// The largest file, in bytes: 64 MiB.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most operations of one artifact, and the most preconditions.
pub const MAX_ITEMS: usize = 1000;

/// The identity of the embedded sandbox.
pub const SANDBOX: &str = "sandbox";

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
    /// A slot that cannot be filled.
    #[error(transparent)]
    Slot(#[from] FillError),
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
        for slot in &operation.slots {
            if let Slot::DryRun { at, dry, real } = slot
                && dry == real
            {
                return Err(Flaw::DryRunIsReal { operation: operation.id.clone(), at: at.clone() });
            }
        }
        // The real call fills every slot, so what holds for it holds for the dry run.
        filled(operation, Filling::Real { approval_id: "" })?;
    }
    Ok(())
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

    #[test]
    fn a_control_argument_that_the_recipe_set_is_refused() {
        let flaw = flaw(|plan| {
            plan.operations[0].arguments.insert("dryRun".into(), json!(false));
        });
        assert!(matches!(flaw, Flaw::Slot(FillError::Occupied { .. })), "{flaw}");
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
