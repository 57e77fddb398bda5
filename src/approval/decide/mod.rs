//! Whether an effect may happen, by the records, the policy and the clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::id::RecordId;
use super::platform::Answers;
use super::policy::Policy;
use super::record::RecordFlaw;
use super::standing::{Candidate, Measure, Standing, candidates, external_id, named, person};
use super::v1::{Decision, Filed, Record, Resolution};
use super::verdict::{Reason, ReasonCode, Verdict};
use crate::artifact::v1::PlannedBy;
use crate::core::Digest;
use crate::core::text::excerpt;

/// What is asked: may this effect happen, under the approval that was named.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The artifact's effect digest.
    pub effect: &'a Digest,
    /// The approval whose ID is to be sent: a record's ID, or the one that the service issued.
    pub asked: &'a str,
    /// Every record that is known, of this and other effects.
    pub filed: &'a [Filed],
    /// The IDs of approvals and the effect digests that the trust settings revoke.
    pub revoked: &'a BTreeSet<String>,
    /// The trusted policy for this artifact.
    pub policy: Option<&'a Policy>,
    /// Whether the target is the sandbox.
    pub sandbox: bool,
    /// Who planned, in the artifact's own words.
    pub planned_by: &'a PlannedBy,
    /// What the CI platform answered, where this process fetched it and the protected branch decides what it does.
    pub platform: Option<&'a Answers>,
    /// By the clock of whoever would send.
    pub now: Timestamp,
    /// When the plan's first intent was recorded, if it has one.
    pub under_way_since: Option<Timestamp>,
}

/// Whether the effect may happen, with every reason against it.
#[must_use]
pub fn decide(question: &Question<'_>) -> Verdict {
    let (approvals, damaged) =
        candidates(question.filed, |decision| matches!(decision, Decision::Approve { .. }));
    let mut against = rejections(question);
    let asked = match asked(question, &approvals) {
        Ok(id) => Some(id),
        Err(reason) => {
            against.push(reason);
            None
        }
    };
    let (these, others): (Vec<_>, Vec<_>) =
        approvals.iter().partition(|candidate| candidate.record.effect_digest == *question.effect);
    let mut notes = Vec::new();
    if !others.is_empty() {
        notes.push(format!("approvals of other effects that were left out: {}", others.len()));
    }
    let damaged = damaged.into_iter().filter(|(record, _)| record.effect_digest == *question.effect);
    let input = Input { these, damaged: damaged.collect(), asked, against, notes };
    let mut verdict = weigh(question, question.under_way_since, input);

    let sent = approvals.iter().map(|candidate| candidate.record).find(|record| {
        Some(&record.id) == asked && verdict.counted.iter().any(|counted| counted.id == record.id)
    });
    verdict.approval_id =
        sent.map(|record| external_id(record).unwrap_or_else(|| record.id.as_str()).to_owned());
    if verdict.allowed && verdict.approval_id.is_none() {
        // Whoever is asked for and does not count has said why; that nobody did must not open the gate.
        verdict.allowed = false;
        verdict.reasons.push(missing(question));
    }
    verdict
}

/// Whether what a person found out about the unknown outcome of `intent` is to be taken for `outcome`: the same
/// rules over the resolutions that say exactly that. `asked` and `under_way_since` play no part, and a rejected
/// effect is settled as any other.
#[must_use]
pub fn decide_resolution(question: &Question<'_>, intent: &Digest, outcome: &Resolution) -> Verdict {
    let (resolutions, damaged) = candidates(
        question.filed,
        |decision| matches!(decision, Decision::Resolve { intent: of, .. } if of == intent),
    );
    let says = |record: &Record| {
        record.effect_digest == *question.effect
            && matches!(&record.decision, Decision::Resolve { outcome: said, .. } if said == outcome)
    };
    let (these, others): (Vec<_>, Vec<_>) = resolutions.iter().partition(|candidate| says(candidate.record));
    let mut notes = Vec::new();
    if !others.is_empty() {
        notes.push(format!("resolutions of this intent that say otherwise: {}", others.len()));
    }
    let damaged = damaged.into_iter().filter(|(record, _)| says(record)).collect();
    weigh(question, None, Input { these, damaged, asked: None, against: Vec::new(), notes })
}

/// What the two questions have in common.
struct Input<'a> {
    these: Vec<&'a Candidate<'a>>,
    damaged: Vec<(&'a Record, RecordFlaw)>,
    /// The one that is taken where its approver has several.
    asked: Option<&'a RecordId>,
    against: Vec<Reason>,
    notes: Vec<String>,
}

fn weigh(question: &Question<'_>, under_way_since: Option<Timestamp>, input: Input<'_>) -> Verdict {
    let Input { these, damaged, asked, mut against, mut notes } = input;
    let built_in = Policy::for_sandbox();
    let policy = question.policy.or(question.sandbox.then_some(&built_in));
    against.extend(policy.is_none().then(no_policy));
    let (mut standings, mut refused) = (Vec::new(), Vec::new());
    match Measure::new(question, policy, under_way_since) {
        Ok(measure) => {
            if policy.is_some_and(|policy| policy.four_eyes)
                && let Some(unknown) = planner_unknown(question.platform)
            {
                if !question.sandbox {
                    against.push(unknown);
                } else if question.planned_by.who.as_ref().is_none_or(|name| name.trim().is_empty()) {
                    notes.push("who planned is not known, which the sandbox tolerates".to_owned());
                }
            }
            for candidate in these {
                match measure.standing(candidate) {
                    Ok(standing) => standings.push(standing),
                    Err(reasons) => {
                        if asked == Some(&candidate.record.id) {
                            against.extend(reasons);
                        } else {
                            refused.extend(reasons);
                        }
                    }
                }
            }
        }
        Err(error) => against.push(Reason::new(ReasonCode::NotVerified, error.to_string())),
    }
    refused.extend(damaged.into_iter().map(|(record, flaw)| {
        Reason::new(ReasonCode::NotVerified, format!("{} is damaged: {flaw}", named(record)))
    }));
    let standings = one_for_each(standings, asked);
    against.extend(policy.and_then(|policy| too_few(policy, &standings)));

    let allowed = against.is_empty();
    if allowed {
        notes.extend(sorted(refused).into_iter().map(|reason| reason.message));
    } else {
        against.extend(refused);
    }
    if standings.iter().any(|standing| standing.tolerated) {
        notes.push("approvals that expired since the first intent still count for going on".to_owned());
    }
    Verdict {
        allowed,
        reasons: sorted(against),
        holds_until: standings.iter().filter_map(|standing| standing.until).min().filter(|_| allowed),
        counted: standings.into_iter().map(|standing| standing.counted).collect(),
        approval_id: None,
        policy_digest: policy.map(Policy::digest),
        notes,
    }
}

/// The one approval that bears the ID that was asked for, of this effect.
fn asked<'a>(question: &Question<'_>, approvals: &[Candidate<'a>]) -> Result<&'a RecordId, Reason> {
    let bears =
        |record: &Record| record.id.as_str() == question.asked || external_id(record) == Some(question.asked);
    let all = || approvals.iter().map(|candidate| candidate.record);
    // Its own ID is a record's alone: an external one that looks the same takes nothing from it.
    let own = all().find(|record| record.id.as_str() == question.asked);
    let mut bearers = all().filter(|record| match own {
        Some(own) => record.id == own.id,
        None => bears(record),
    });
    match (bearers.next(), bearers.next()) {
        (None, _) => Err(missing(question)),
        (Some(record), None) if record.effect_digest == *question.effect => Ok(&record.id),
        (Some(record), None) => Err(Reason::new(
            ReasonCode::OtherEffect,
            format!(
                "{} is of the effect {}, and this is {}: approve this one",
                named(record),
                record.effect_digest.short(),
                question.effect.short()
            ),
        )),
        (Some(_), Some(_)) => Err(Reason::new(
            ReasonCode::Ambiguous,
            format!(
                "more than one approval bears the ID `{}`: name one by its record's ID, `lga1-…`",
                excerpt(question.asked, 100)
            ),
        )),
    }
}

fn missing(question: &Question<'_>) -> Reason {
    if question.asked.is_empty() {
        return Reason::new(ReasonCode::Missing, "nobody has approved this effect yet".to_owned());
    }
    Reason::new(
        ReasonCode::Missing,
        format!(
            "no approval bears the ID `{}`: approve the artifact, or say where its approvals are",
            excerpt(question.asked, 100)
        ),
    )
}

fn rejections(question: &Question<'_>) -> Vec<Reason> {
    let rejected = |message| Reason::new(ReasonCode::Rejected, message);
    let mut reasons: Vec<_> = question
        .filed
        .iter()
        .map(|filed| &filed.record)
        .filter(|record| record.effect_digest == *question.effect && record.decision == Decision::Reject {})
        .map(|record| {
            rejected(format!(
                "`{}` rejected this effect: {}",
                excerpt(&record.approver.name, 100),
                excerpt(&record.reason, 200)
            ))
        })
        .collect();
    if question.revoked.contains(question.effect.hex())
        || question.revoked.contains(&question.effect.to_string())
    {
        reasons.push(rejected("the trust settings revoke this effect".to_owned()));
    }
    reasons
}

fn no_policy() -> Reason {
    Reason::new(
        ReasonCode::NoPolicy,
        "the trust settings have no policy, and only the sandbox does without: write `policy: { approvals: { \
         minimum: 1, accept: [signed], signers: allowed_signers } }` into loopgate.yaml"
            .to_owned(),
    )
}

/// That nobody vouches for who is behind the plan, if so.
fn planner_unknown(platform: Option<&Answers>) -> Option<Reason> {
    let why = match platform.map(|answers| &answers.behind) {
        Some(Ok(people)) if !people.is_empty() => return None,
        Some(Ok(_)) => "the platform names nobody behind the plan".to_owned(),
        Some(Err(why)) => excerpt(why, 300),
        None => "nobody vouches for who planned".to_owned(),
    };
    let message = format!(
        "{why}, and the policy wants another to approve: `--from`, in a job of the protected branch, says who is \
         behind a plan, and `four_eyes: false` does without"
    );
    Some(Reason::new(ReasonCode::PlannerUnknown, message))
}

/// One for each person, in the order of the IDs: the one that was asked for, else the one that lasts longest.
fn one_for_each(standings: Vec<Standing>, asked: Option<&RecordId>) -> Vec<Standing> {
    let rank =
        |standing: &Standing| (Some(&standing.counted.id) == asked, standing.until.is_none(), standing.until);
    let mut people: BTreeMap<String, Standing> = BTreeMap::new();
    for standing in standings {
        let name = person(&standing.counted.approver);
        if people.get(&name).is_none_or(|best| rank(&standing) > rank(best)) {
            people.insert(name, standing);
        }
    }
    let mut standings: Vec<_> = people.into_values().collect();
    standings.sort_by(|one, other| one.counted.id.cmp(&other.counted.id));
    standings
}

fn too_few(policy: &Policy, standings: &[Standing]) -> Option<Reason> {
    // A policy of nobody would be none.
    let minimum = usize::try_from(policy.minimum).unwrap_or(usize::MAX).max(1);
    (standings.len() < minimum).then(|| {
        let message = format!("{} of {minimum} different people who must decide did so", standings.len());
        Reason::new(ReasonCode::TooFew, message)
    })
}

fn sorted(mut reasons: Vec<Reason>) -> Vec<Reason> {
    reasons.sort_by(|one, other| (one.code, &one.message).cmp(&(other.code, &other.message)));
    reasons.dedup();
    reasons
}

#[cfg(test)]
mod tests;
