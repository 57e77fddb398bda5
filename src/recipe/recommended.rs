//! What an AI or ML agent recommends decides nothing: which gates would hold or not by it.

use std::collections::BTreeMap;

use super::step::{Kind, Step, StepId};
use crate::catalog::Profile;

/// Every gate that counts and depends on a recommendation, through whatever lies in between, and the read that gives
/// it. What is read, analyzed or passed to an include because of a recommendation depends on it too.
pub(super) fn gates_by_recommendation(steps: &[Step], profile: &Profile) -> Vec<(StepId, StepId)> {
    let mut from: BTreeMap<&StepId, &StepId> = BTreeMap::new();
    let mut gates = Vec::new();
    for step in steps {
        let by = step.uses.iter().find_map(|one| from.get(&one.step).copied());
        match (&step.kind, by) {
            (Kind::Gate(gate), Some(by)) if !gate.advisory => gates.push((step.id.clone(), by.clone())),
            (Kind::Read(read), _) if recommends(profile, &read.operation) => {
                from.insert(&step.id, &step.id);
            }
            (Kind::Read(_) | Kind::Analyze(_), Some(by)) => {
                from.insert(&step.id, by);
            }
            _ => {}
        }
    }
    gates
}

fn recommends(profile: &Profile, operation: &str) -> bool {
    profile.operation(operation).is_some_and(|operation| operation.recommendation)
}
