//! What in a chain can be checked by itself: the artifact, the records, the signatures.

use std::collections::{BTreeMap, BTreeSet};

use super::build::text;
use super::verify::VerifyError;
use crate::approval::{
    self, Assurance, Decision, Filed, Policy, Record, RecordId, Resolution, Signers, Verdict,
};
use crate::artifact::{Artifact, Key};
use crate::core::Digest;
use crate::core::text::excerpt;
use crate::ledger::v1::Settlement;
use crate::ledger::{Event, Fact};

/// Checks that the artifact in `events` is what its digests name.
pub(super) fn artifact(events: &[Event]) -> Result<(), VerifyError> {
    for event in events {
        if let Fact::Opened { artifact } = &event.fact {
            Artifact::read("artifact.json", text(artifact)?.as_bytes())?;
        }
    }
    Ok(())
}

/// Checks that every record in `events` bears its own ID, and that what counted was recorded before; gives how
/// many records there are.
pub(super) fn records(events: &[Event]) -> Result<usize, VerifyError> {
    let mut known = BTreeSet::new();
    for event in events {
        match &event.fact {
            Fact::Recorded { filed } => {
                let id = || filed.record.id.clone();
                filed.record.check().map_err(|_| VerifyError::Record { id: id() })?;
                known.insert(&filed.record.id);
            }
            Fact::Decided { verdict } => {
                if let Some(counted) = verdict.counted.iter().find(|counted| !known.contains(&counted.id)) {
                    return Err(VerifyError::NotRecorded { id: counted.id.clone() });
                }
            }
            _ => {}
        }
    }
    Ok(known.len())
}

/// Checks that every verdict that allowed something, and every outcome that people settled, follows from the
/// policy of its run and the records before it.
/// Expiry and four eyes are left to the signatures and the reader: a chain has neither the clock nor every planner.
pub(super) fn decisions(events: &[Event]) -> Result<(), VerifyError> {
    let mut known = Known::default();
    for event in events {
        let wrong = |why| VerifyError::Decision { sequence: event.sequence, why };
        match &event.fact {
            Fact::Opened { artifact } => known.sandbox = artifact.target.sandbox,
            Fact::Recorded { filed } => known.records.push(&filed.record),
            Fact::Began(began) => {
                known.policy = began.policy.clone().or_else(|| known.sandbox.then(Policy::for_sandbox));
                known.asked = began.approval_id.as_deref();
            }
            Fact::Intent { key, .. } => {
                let digest = event.digest().map_err(|_| wrong("the intent has no digest"))?;
                known.intents.insert(digest, key);
            }
            Fact::Decided { verdict } if verdict.allowed => known.allow(verdict).map_err(wrong)?,
            Fact::Settled { key, by: Settlement::People { resolution, verdict } } => {
                known.settle(key, resolution, verdict).map_err(wrong)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a verdict is checked against: all that stands before it.
#[derive(Default)]
struct Known<'e> {
    sandbox: bool,
    policy: Option<Policy>,
    asked: Option<&'e str>,
    records: Vec<&'e Record>,
    intents: BTreeMap<Digest, &'e Key>,
}

impl Known<'_> {
    /// Whether the effect may happen.
    fn allow(&self, verdict: &Verdict) -> Result<(), &'static str> {
        if self.records.iter().any(|record| matches!(record.decision, Decision::Reject {})) {
            return Err("the effect was rejected before");
        }
        self.count(verdict, |decision| matches!(decision, Decision::Approve { .. }))?;
        let sent = self.records.iter().find(|record| {
            let Decision::Approve { external_id } = &record.decision else { return false };
            let (id, external) = (record.id.as_str(), external_id.as_deref());
            self.asked.is_some_and(|asked| asked == id || external == Some(asked))
                && verdict.approval_id.as_deref() == Some(external.unwrap_or(id))
                && verdict.counted.iter().any(|counted| counted.id == record.id)
        });
        sent.map(|_| ()).ok_or("the approval ID is not that of an approval that counted")
    }

    /// Whether people found that about what is unknown of `key`; a rejected effect is settled as any other.
    fn settle(&self, key: &Key, found: &Resolution, verdict: &Verdict) -> Result<(), &'static str> {
        self.count(verdict, |decision| {
            matches!(decision, Decision::Resolve { intent, outcome }
                if outcome == found && self.intents.get(intent) == Some(&key))
        })
    }

    /// Whether enough people gave a record that says so, which the policy accepts and nobody took back.
    fn count(&self, verdict: &Verdict, says_so: impl Fn(&Decision) -> bool) -> Result<(), &'static str> {
        let policy = self.policy.as_ref().ok_or("there was no policy")?;
        let mut people = BTreeSet::new();
        for counted in &verdict.counted {
            let stands = |record: &&Record| record.id == counted.id && says_so(&record.decision);
            let revokes = |record: &&Record| matches!(&record.decision, Decision::Revoke { approval } if *approval == counted.id);
            let is_there = self.records.iter().any(stands);
            let is_revoked = self.records.iter().any(revokes);
            if !is_there || is_revoked || !policy.accept.contains(&counted.assurance) {
                return Err(
                    "what counted is revoked, says something else, or is not what the policy accepts",
                );
            }
            people.insert(counted.approver.trim().to_lowercase());
        }
        if people.len() < usize::try_from(policy.minimum).unwrap_or(usize::MAX).max(1) {
            return Err("fewer people decided so than the policy wants");
        }
        Ok(())
    }
}

/// What came of checking signatures.
#[derive(Debug, Default)]
pub(super) struct Signed<'e> {
    /// Who signed, by the record that verifies.
    pub by: BTreeMap<&'e RecordId, BTreeSet<String>>,
    /// Records whose signature does not verify and that never counted, each with the reason.
    pub planted: BTreeMap<&'e RecordId, String>,
}

/// Checks every signature in `events` against `signers`, the lines of an `allowed_signers` file, each at its
/// record's time, and that every approval that counted as signed
/// is signed by whom it counted for. Whoever can add a file can add one with a broken signature, so that is a
/// fault only of a record that counted or settled something.
pub(super) fn signatures<'e>(events: &'e [Event], signers: &str) -> Result<Signed<'e>, VerifyError> {
    let (mut used, mut counted_as_signed) = (BTreeSet::new(), Vec::new());
    for event in events {
        match &event.fact {
            Fact::Decided { verdict } => {
                used.extend(verdict.counted.iter().map(|counted| &counted.id));
                let signed = verdict.counted.iter().filter(|one| one.assurance == Assurance::Signed);
                counted_as_signed.extend(signed);
            }
            Fact::Settled { by: Settlement::People { verdict, .. }, .. } => {
                used.extend(verdict.counted.iter().map(|counted| &counted.id));
                let signed = verdict.counted.iter().filter(|one| one.assurance == Assurance::Signed);
                counted_as_signed.extend(signed);
            }
            _ => {}
        }
    }
    Signers::parse(signers)?;
    let mut signed = Signed::default();
    for filed in recorded(events) {
        let Some(signature) = &filed.signature else { continue };
        let id = &filed.record.id;
        match approval::verify(&filed.record.bytes(), signature, signers, filed.record.time) {
            Ok(name) => drop(signed.by.entry(id).or_default().insert(name)),
            Err(why) => drop(signed.planted.insert(id, excerpt(&why.to_string(), 200))),
        }
    }
    // A broken signature beside a good one does no harm.
    signed.planted.retain(|id, _| !signed.by.contains_key(id));
    if let Some((id, why)) = signed.planted.iter().find(|(id, _)| used.contains(*id)) {
        return Err(VerifyError::Signature { id: (*id).clone(), why: why.clone() });
    }
    for counted in counted_as_signed {
        if !signed.by.get(&counted.id).is_some_and(|names| names.contains(&counted.approver)) {
            let (id, approver) = (counted.id.clone(), counted.approver.clone());
            return Err(VerifyError::NotSigned { id, approver });
        }
    }
    Ok(signed)
}

/// The records, in the order in which they were taken in.
pub(super) fn recorded(events: &[Event]) -> impl Iterator<Item = &Filed> {
    events.iter().filter_map(|event| match &event.fact {
        Fact::Recorded { filed } => Some(&**filed),
        _ => None,
    })
}
