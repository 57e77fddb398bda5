//! What the ledger's other chains say that concerns a plan.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::next::{Elsewhere, Sent};
use super::result::AppliedBefore;
use crate::artifact::{Artifact, Key};
use crate::core::Digest;
use crate::ledger::v1::Settlement;
use crate::ledger::{Ledger, LedgerError, State, Status};

/// Looks through the chains of the same subject and those that sent something under the same keys.
///
/// # Errors
/// The ledger cannot be read, or one of those chains is broken.
pub(super) fn elsewhere(ledger: &Ledger, artifact: &Artifact) -> Result<Elsewhere, LedgerError> {
    let own = artifact.effect_digest();
    let mut found = Elsewhere::default();
    let mut chains = Chains::of(ledger);
    for chain in ledger.chains_of_subject(&artifact.document().subject)? {
        if chain != *own && chains.state(&chain)?.has_unknown() {
            found.unknown.push(chain);
        }
    }
    for operation in artifact.operations() {
        let key = &operation.idempotency_key;
        let mut sent = sent_under(&mut chains, key, Some(own))?;
        // That it took place somewhere outranks that it is unknown elsewhere: it was done once.
        sent.sort_by_key(|sent| matches!(sent, Sent::Unknown { .. }));
        if let Some(first) = sent.into_iter().next() {
            found.sent.insert(key.clone(), first);
        }
    }
    Ok(found)
}

/// The operations of a plan that the ledger holds as applied, under whichever effect.
///
/// # Errors
/// The ledger cannot be read, or one of its chains is broken.
pub fn applied_before(ledger: &Ledger, artifact: &Artifact) -> Result<Vec<AppliedBefore>, LedgerError> {
    let mut found = Vec::new();
    let mut chains = Chains::of(ledger);
    for operation in artifact.operations() {
        let applied = sent_under(&mut chains, &operation.idempotency_key, None)?.into_iter().find_map(
            |sent| match sent {
                Sent::Applied { chain, approval_id, at, .. } => {
                    Some(AppliedBefore { operation: operation.id.clone(), at, approval_id, effect: chain })
                }
                Sent::Unknown { .. } => None,
            },
        );
        found.extend(applied);
    }
    Ok(found)
}

/// The chains of a ledger, each read once however many keys lead to it.
struct Chains<'l> {
    ledger: &'l Ledger,
    states: BTreeMap<Digest, State>,
}

impl<'l> Chains<'l> {
    fn of(ledger: &'l Ledger) -> Self {
        Self { ledger, states: BTreeMap::new() }
    }

    fn state(&mut self, chain: &Digest) -> Result<&State, LedgerError> {
        match self.states.entry(chain.clone()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(self.ledger.state(chain)?)),
        }
    }
}

/// What became of a key, chain by chain, `except` one.
fn sent_under(chains: &mut Chains<'_>, key: &Key, except: Option<&Digest>) -> Result<Vec<Sent>, LedgerError> {
    let mut found = Vec::new();
    for chain in chains.ledger.chains_with_key(key)? {
        if except == Some(&chain) {
            continue;
        }
        let state = chains.state(&chain)?;
        let Some(known) = state.operations.get(key) else { continue };
        match known.status() {
            Status::Applied { created, .. } => {
                let at = known.attempts.iter().find_map(|attempt| Some(attempt.came.as_ref()?.at));
                let approval_id = match (known.attempts.first(), &known.settled) {
                    (Some(attempt), _) => attempt.approval_id.clone(),
                    (None, Some(Settlement::Earlier { approval_id, .. })) => approval_id.clone(),
                    (None, _) => String::new(),
                };
                found.push(Sent::Applied { chain, approval_id, at, created });
            }
            Status::Unknown { .. } => found.push(Sent::Unknown { chain }),
            Status::Untouched | Status::NotApplied { .. } => {}
        }
    }
    Ok(found)
}
