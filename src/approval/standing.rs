//! Whether one record counts, by itself, and every reason why it does not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::decide::Question;
use super::id::RecordId;
use super::platform::{aliases, namespace, same_person};
use super::policy::Policy;
use super::record::RecordFlaw;
use super::signature::signer;
use super::signers::{Signers, SignersError};
use super::v1::{Assurance, Decision, Filed, Record};
use super::verdict::{Counted, Reason, ReasonCode};
use crate::artifact::v1::PlannedBy;
use crate::core::text::excerpt;

/// How far a record's time may be ahead of the clock.
const MOST_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A record whose ID and rules hold, with every signature that was filed with it.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) record: &'a Record,
    signatures: Vec<&'a str>,
}

/// A record that counts.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) counted: Counted,
    /// Until when; null for ever.
    pub(super) until: Option<Timestamp>,
    /// Whether it has expired since the plan's first intent.
    pub(super) tolerated: bool,
}

/// What all records are measured by.
#[derive(Debug)]
pub(super) struct Measure<'a> {
    question: &'a Question<'a>,
    policy: Option<&'a Policy>,
    signers: Option<Signers>,
    revoked_by: BTreeMap<&'a RecordId, &'a Record>,
    /// Everybody who may be behind the plan, by all that they may be called.
    planners: BTreeSet<String>,
    /// Whether an intent lets approvals outlive their expiry.
    under_way_since: Option<Timestamp>,
}

/// The records of a kind, in the order of their IDs, and the damaged ones with what is wrong.
pub(super) fn candidates<'a>(
    filed: &'a [Filed],
    kind: impl Fn(&Decision) -> bool,
) -> (Vec<Candidate<'a>>, Vec<(&'a Record, RecordFlaw)>) {
    let mut sound: BTreeMap<&RecordId, Candidate<'a>> = BTreeMap::new();
    let mut damaged = Vec::new();
    for Filed { record, signature } in filed.iter().filter(|filed| kind(&filed.record.decision)) {
        match record.check() {
            Ok(()) => {
                let candidate =
                    sound.entry(&record.id).or_insert_with(|| Candidate { record, signatures: Vec::new() });
                candidate.signatures.extend(signature.as_deref());
            }
            Err(flaw) => damaged.push((record, flaw)),
        }
    }
    (sound.into_values().collect(), damaged)
}

/// How a message names an approval.
pub(super) fn named(record: &Record) -> String {
    let what = match record.decision {
        Decision::Resolve { .. } => "resolution",
        _ => "approval",
    };
    format!("the {what} `{}` by `{}`", record.id.short(), excerpt(&record.approver.name, 100))
}

impl<'a> Measure<'a> {
    /// Reads the signers and gathers the revocations.
    ///
    /// # Errors
    /// The policy's signers are not understood.
    pub(super) fn new(
        question: &'a Question<'a>,
        policy: Option<&'a Policy>,
        under_way_since: Option<Timestamp>,
    ) -> Result<Self, SignersError> {
        let signers = policy.and_then(|policy| policy.signers.as_deref()).map(Signers::parse).transpose()?;
        let mut revoked_by: BTreeMap<&RecordId, &Record> = BTreeMap::new();
        for Filed { record, .. } in question.filed {
            if let Decision::Revoke { approval } = &record.decision {
                let first = revoked_by.entry(approval).or_insert(record);
                if record.id < first.id {
                    *first = record;
                }
            }
        }
        let authenticated = question.platform.and_then(|answers| answers.behind.as_ref().ok());
        let PlannedBy { version: _, who, pipeline } = question.planned_by;
        let named = who.iter().chain(pipeline.iter().flat_map(|pipeline| &pipeline.people));
        let people = named.chain(authenticated.into_iter().flatten());
        let planners = people.filter(|name| !name.trim().is_empty()).flat_map(|name| aliases(name)).collect();
        Ok(Self { question, policy, signers, revoked_by, planners, under_way_since })
    }

    /// Whether `candidate` counts, or every reason why not; none where there is no policy to count by.
    pub(super) fn standing(&self, candidate: &Candidate<'_>) -> Result<Standing, Vec<Reason>> {
        let record = candidate.record;
        let mut against = Vec::new();
        against.extend(self.revoked(record));
        let Some(policy) = self.policy else { return Err(against) };
        if record.time > later(self.question.now, MOST_AHEAD) {
            let (name, time, now) = (named(record), record.time, self.question.now);
            let message = format!("{name} is of {time}, and it is {now} here: compare the clocks");
            against.push(Reason::new(ReasonCode::FromTheFuture, message));
        }
        let until = self.until(record, policy);
        if let Some(until) = until.last
            && until <= self.question.now
        {
            let name = named(record);
            let message = format!("{name} could be used until {until}: somebody has to decide anew");
            against.push(Reason::new(ReasonCode::Expired, message));
        }
        let known = match self.known(candidate, policy) {
            Ok(known) => Some(known),
            Err(reason) => {
                against.push(reason);
                None
            }
        };
        if policy.four_eyes {
            against.extend(self.own_plan(record, known.as_ref()));
        }
        match known {
            Some(Known { name, assurance, .. }) if against.is_empty() => Ok(Standing {
                counted: Counted { id: record.id.clone(), approver: name, assurance },
                until: until.last,
                tolerated: until.own.is_some_and(|own| own <= self.question.now),
            }),
            _ => Err(against),
        }
    }

    fn revoked(&self, record: &Record) -> Option<Reason> {
        let listed = |id: &str| self.question.revoked.contains(id);
        let message = if let Some(revocation) = self.revoked_by.get(&record.id) {
            format!(
                "{} was revoked by `{}`: {}",
                named(record),
                excerpt(&revocation.approver.name, 100),
                excerpt(&revocation.reason, 200)
            )
        } else if listed(record.id.as_str()) || external_id(record).is_some_and(listed) {
            format!("{} is revoked in the trust settings", named(record))
        } else {
            return None;
        };
        Some(Reason::new(ReasonCode::Revoked, message))
    }

    fn until(&self, record: &Record, policy: &Policy) -> Until {
        let oldest = policy.max_age.map(|age| later(record.time, age));
        let own = record.expires.into_iter().chain(oldest).min();
        let last = match (own, self.under_way_since) {
            (Some(own), Some(since)) if own > since && record.time <= later(since, MOST_AHEAD) => {
                Some(own.max(later(since, policy.resume_within)))
            }
            _ => own,
        };
        Until { own, last }
    }

    /// Who it is by, and how that is known, if the policy takes that.
    fn known(&self, candidate: &Candidate<'_>, policy: &Policy) -> Result<Known, Reason> {
        let record = candidate.record;
        let not_verified =
            |what: String| Reason::new(ReasonCode::NotVerified, format!("{} {what}", named(record)));
        let claim = record.approver.assurance;
        let answers = self.question.platform.filter(|_| policy.accept.contains(&Assurance::Platform));
        if answers.is_some_and(|answers| answers.given.iter().any(|answer| answer.is_said_by(record))) {
            let name = record.approver.name.clone();
            return Ok(Known { names: Vec::new(), name, assurance: Assurance::Platform });
        }
        let known = match (claim, &self.signers) {
            (Assurance::Platform | Assurance::Service, _) => {
                let claim = word(claim);
                return Err(not_verified(format!("claims to be `{claim}`, which no file can show")));
            }
            (Assurance::Signed | Assurance::Asserted, Some(signers)) => {
                let bytes = record.bytes();
                let mut problem = "bears no signature, and the policy names signers".to_owned();
                let mut found = None;
                for armored in &candidate.signatures {
                    match signer(&bytes, armored, signers, record.time) {
                        Ok(signer) => found = found.or(Some(signer)),
                        Err(error) => problem = format!("bears a signature that does not verify: {error}"),
                    }
                }
                let signer = found.ok_or_else(|| not_verified(problem))?;
                let names = signer.principals.clone();
                Known { name: signer.name().to_owned(), names, assurance: Assurance::Signed }
            }
            (Assurance::Signed, None) => {
                return Err(not_verified("claims to be signed, and the policy names no signers".to_owned()));
            }
            (Assurance::Asserted, None) => {
                let name = record.approver.name.clone();
                Known { names: Vec::new(), name, assurance: Assurance::Asserted }
            }
        };
        if policy.accept.contains(&known.assurance) {
            return Ok(known);
        }
        let message = format!(
            "{} is `{}`, and the policy accepts {}",
            named(record),
            word(known.assurance),
            accepted(&policy.accept)
        );
        Err(Reason::new(ReasonCode::NotAccepted, message))
    }

    /// That any of the names that it goes by is one of who planned; or that this cannot be told, because the platform
    /// knows the people behind the plan by other names than a signer's line has.
    fn own_plan(&self, record: &Record, known: Option<&Known>) -> Option<Reason> {
        let names = known.map(|known| known.names.as_slice()).unwrap_or_default();
        let names: BTreeSet<String> =
            names.iter().chain([&record.approver.name]).flat_map(|name| aliases(name)).collect();
        let by_record = record.planner.as_deref().map(aliases).unwrap_or_default();
        if !names.is_disjoint(&self.planners) || !names.is_disjoint(&by_record) {
            let message = format!("{} is by who planned it, and the policy wants another", named(record));
            return Some(Reason::new(ReasonCode::OwnPlan, message));
        }
        let signed = known.is_some_and(|known| known.assurance == Assurance::Signed);
        let spoken: BTreeSet<String> = names.iter().filter_map(|name| namespace(name)).collect();
        let platform = self.planners.iter().find_map(|name| namespace(name));
        let platform = platform.filter(|platform| signed && !spoken.contains(platform))?;
        let message = format!(
            "{} is signed, and whether the signer is behind the plan cannot be told: add their `{platform}:LOGIN` to \
             the names on their line of the signers",
            named(record)
        );
        Some(Reason::new(ReasonCode::PlannerUnknown, message))
    }
}

/// A name that is the same for all records of one person.
pub(super) fn person(name: &str) -> String {
    same_person(name)
}

struct Until {
    /// By the record and the policy's greatest age.
    own: Option<Timestamp>,
    /// With what is tolerated of a plan under way.
    last: Option<Timestamp>,
}

struct Known {
    name: String,
    names: Vec<String>,
    assurance: Assurance,
}

pub(super) fn external_id(record: &Record) -> Option<&str> {
    match &record.decision {
        Decision::Approve { external_id } => external_id.as_deref(),
        _ => None,
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

fn word(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Signed => "signed",
        Assurance::Platform => "platform",
        Assurance::Service => "service",
        Assurance::Asserted => "asserted",
    }
}

fn accepted(accept: &BTreeSet<Assurance>) -> String {
    if accept.is_empty() {
        return "nothing".to_owned();
    }
    accept.iter().map(|assurance| format!("`{}`", word(*assurance))).collect::<Vec<_>>().join(", ")
}
