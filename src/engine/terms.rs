//! How an operation is applied: what the artifact says, where the profile in force says the same.
//!
//! An artifact is untrusted input. What it says of a tool decides what a silence means, so it counts only as far as
//! the profile of the trust settings bears it out.

use super::next::{Repeat, Terms};
use super::plan::{created, slots};
use super::target::Caller;
use crate::artifact::v1::{Idempotency, Operation, Slot};
use crate::catalog;
use crate::core::Class;
use crate::core::text::visible;

/// An operation of the artifact with its terms, and the profile's operation that bears them out.
#[derive(Debug, Clone)]
pub(super) struct Termed<'p> {
    pub terms: Terms,
    pub known: Option<&'p catalog::Operation>,
}

/// The terms of `operation` under the profile that `caller` speaks by.
///
/// # Errors
/// The profile says otherwise than the artifact, in words.
pub(super) fn terms<'p>(operation: &Operation, caller: &Caller<'p>) -> Result<Termed<'p>, String> {
    let profile = caller.profile;
    let known = profile
        .operations
        .values()
        .filter(|known| known.class == Class::Write && known.tool == operation.tool)
        .find(|known| bears_out(operation, Some(known), caller));
    if known.is_none() && !bears_out(operation, None, caller) {
        return Err(format!(
            "the profile `{}` in force says otherwise of `{}` than the artifact: how it is tried out, repeated or read back",
            visible(&profile.profile),
            visible(&operation.tool)
        ));
    }
    let can_try = known.is_some_and(|known| {
        known.control.dry_run.is_some() && !known.dry_run_confirmed.is_empty() && known.created.is_some()
    });
    let repeat = match operation.idempotency {
        Idempotency::None => Repeat::Never,
        Idempotency::Key => Repeat::UnderKey { kept: operation.key_retention },
        Idempotency::Natural => Repeat::Freely,
    };
    let terms = Terms {
        key: operation.idempotency_key.clone(),
        repeat,
        has_read: operation.reconcile.is_some(),
        tries: can_try && !operation.server_validated,
        reads_back: operation.created.as_ref().is_some_and(|created| created.lookup.is_some()),
    };
    Ok(Termed { terms, known })
}

/// Whether what the artifact says of a tool is what would be planned today; a recipe may have been stricter.
fn bears_out(operation: &Operation, known: Option<&catalog::Operation>, caller: &Caller<'_>) -> bool {
    let expected: Vec<crate::artifact::v1::Expectation> = known
        .map(|known| known.dry_run_confirmed.iter().cloned().map(Into::into).collect())
        .unwrap_or_default();
    let most = known.map_or(catalog::Idempotency::None, |known| known.idempotency);
    let claimed = match operation.idempotency {
        Idempotency::None => catalog::Idempotency::None,
        Idempotency::Key => catalog::Idempotency::Key,
        Idempotency::Natural => catalog::Idempotency::Natural,
    };
    same_places(&operation.slots, &slots(known, &caller.profile.context))
        && operation.created == known.and_then(|known| created(known, caller))
        && operation.dry_run_confirmed == expected
        && operation.one_transaction == known.is_some_and(|known| known.one_transaction)
        && operation.key_retention == known.and_then(|known| known.key_retention)
        && claimed <= most
}

/// Whether the profile has the `places` of an artifact. Where a secret goes is the settings' to say, and not its.
fn same_places(places: &[Slot], known: &[Slot]) -> bool {
    let places: Vec<&Slot> = places.iter().filter(|slot| !matches!(slot, Slot::Secret { .. })).collect();
    places.len() == known.len() && places.into_iter().all(|slot| known.contains(slot))
}
