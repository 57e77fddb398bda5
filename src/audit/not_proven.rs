//! What a report does not prove. The sentences are part of the format: a changed word makes reports of old
//! differ from what is built again.

use super::v1::{Approval, Compared, Operation, Outcome, Run};
use crate::approval::Assurance;
use crate::artifact::v1::{Document, TenantKnownBy};
use crate::ledger::v1::Settlement;

/// The sentences, those that hold for every report last.
pub(super) fn not_proven(
    artifact: &Document,
    runs: &[Run],
    approvals: &[Approval],
    operations: &[Operation],
) -> Vec<String> {
    let mut sentences = artifact.not_proven.clone();
    sentences.extend(operations.iter().flat_map(of_operation));
    sentences.extend(approvals.iter().filter_map(of_approval));
    sentences.extend(runs.iter().flat_map(of_run));
    if runs.iter().any(|run| run.ci.is_some()) {
        sentences.push("what the runs say of their pipeline: nobody vouches for it".to_owned());
    }
    if approvals.iter().any(|approval| approval.signed) {
        sentences.push("the signatures: they are checked against signers that the reader trusts".to_owned());
    }
    sentences.extend(
        [
            "what the server answered: it is the server's own word",
            "the times: each is of the clock of the machine that wrote it",
            "that no event follows the last one: a tail that was cut shows only beside a head kept elsewhere",
        ]
        .map(str::to_owned),
    );
    sentences
}

fn of_operation(operation: &Operation) -> Vec<String> {
    let id = &operation.id;
    let mut sentences = Vec::new();
    if operation.outcome == Outcome::Unknown {
        sentences.push(format!("whether operation `{id}` took place: its outcome is unknown"));
    }
    if matches!(operation.settled_by, Some(Settlement::People { .. })) {
        sentences
            .push(format!("what became of operation `{id}`: it is the word of the people who settled it"));
    }
    if operation.outcome == Outcome::Applied {
        match operation.read_back.as_ref().map(|read| read.result) {
            None => sentences.push(format!("what operation `{id}` left at the server: it was not read back")),
            Some(Compared::Unread) => {
                sentences.push(format!("what operation `{id}` left at the server: it could not be read"));
            }
            Some(Compared::Same | Compared::Differs) => {}
        }
    }
    sentences
}

fn of_approval(approval: &Approval) -> Option<String> {
    let id = &approval.id;
    match approval.counted? {
        Assurance::Asserted => Some(format!("who gave {id}: it counts on the caller's word alone")),
        Assurance::Platform => Some(format!("who gave {id}: it is the word of the CI platform")),
        Assurance::Service => Some(format!("who gave {id}: it is the word of the service")),
        Assurance::Signed => None,
    }
}

fn of_run(run: &Run) -> Vec<String> {
    let id = &run.run;
    let asserted = run.connected.as_ref().is_some_and(|connected| {
        matches!(connected.tenant_known_by, TenantKnownBy::Asserted | TenantKnownBy::None)
    });
    let tenant = asserted.then(|| format!("the tenant of run {id}: it is the caller's word alone"));
    let end = run.ended.is_none().then(|| format!("how run {id} ended: it did not say"));
    tenant.into_iter().chain(end).collect()
}
