//! What comes next: a pure function of what the ledger holds, the terms of the operations and the time.
//!
//! Whatever a killed process leaves, the next one asks the same question of the same events and goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::approval::{Resolution, Verdict};
use crate::artifact::Key;
use crate::core::Digest;
use crate::ledger::v1::{Command, Doubt, Result as Came, TryVerdict};
use crate::ledger::{Attempt, OperationState, State, Status};

/// How often one run sends an operation whose answer is lost, the first time included.
const SENDS: usize = 3;
/// The first pause before a server that is at work under a key is asked again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What decides how an operation is applied: what the artifact says, no further than the trust settings' profile
/// bears it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub key: Key,
    pub repeat: Repeat,
    /// Whether a read says if it took place.
    pub has_read: bool,
    /// Whether it has to be tried out before the plan's first intent.
    pub tries: bool,
    /// Whether what it created can be read.
    pub reads_back: bool,
}

impl Terms {
    /// The server states how long it keeps a key: whichever is shorter counts.
    pub fn keep_at_most(&mut self, stated: SignedDuration) {
        if let Repeat::UnderKey { kept: Some(kept) } = &mut self.repeat {
            *kept = stated.min(*kept);
        }
    }
}

/// How an operation whose outcome is unknown may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Not at all.
    Never,
    /// Under its key, for as long as the server keeps it; where nobody said how long, only by the run that sent it.
    UnderKey { kept: Option<SignedDuration> },
    /// At any time: the effect is the same however often.
    Freely,
}

/// What the ledger's other chains say that concerns this plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Elsewhere {
    /// Effects of the same subject with an unknown outcome.
    pub unknown: Vec<Digest>,
    /// Operations of this plan that another effect of the ledger sent under the same key.
    pub sent: BTreeMap<Key, Sent>,
}

/// What became of an operation under another effect.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sent {
    Applied {
        chain: Digest,
        approval_id: String,
        /// When the outcome was recorded, where it was an answer.
        at: Option<Timestamp>,
        created: BTreeMap<String, Vec<String>>,
    },
    Unknown {
        chain: Digest,
    },
}

/// Everything that the next step depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub terms: &'a [Terms],
    pub state: &'a State,
    pub command: Command,
    /// The run that asks.
    pub run: &'a str,
    pub now: Timestamp,
    /// The earliest that it can be by the clock that all who share the ledger go by.
    pub at_least: Timestamp,
    /// How long a call may take.
    pub deadline: SignedDuration,
    pub elsewhere: &'a Elsewhere,
    /// What people found out, as far as the policy takes their word.
    pub found_out: &'a BTreeMap<Key, (Verdict, Resolution)>,
    /// Whether this process was told to stop.
    pub stopping: bool,
}

/// The next step. Operations are named by their place in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Take people's word for what became of an operation.
    TakeWord(usize),
    /// Make the read that says whether an operation took place.
    Look(usize),
    /// Take over what another effect of the ledger did under the same key.
    TakeOver(usize),
    /// Ask the policy.
    Decide,
    /// Try an operation out.
    TryOut(usize),
    /// Make the plan's reads again.
    Compare,
    /// Record the intent and send, after a pause.
    Send(usize, Duration),
    /// Read what an operation created.
    ReadBack(usize),
    /// Nothing more in this run.
    Stop(Stop),
}

/// Why a run is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Every operation took place.
    Done,
    /// Nothing is unknown, and `reconcile` sends nothing.
    Settled,
    /// Nobody can say what became of these.
    Unknown(Vec<usize>),
    /// An operation of the same subject, or one under the same key, is unknown under another effect.
    UnknownElsewhere(Digest),
    /// It took place, and what is there differs from the plan.
    Differs(usize),
    /// It took place, and what it created could not be read.
    NotRead(usize),
    /// The server refused it.
    NotApplied(usize),
    /// The read that must come before it is sent says neither yes nor no.
    NoWord(usize),
    /// The policy says no.
    Denied,
    /// What the plan stands on has moved.
    Stale,
    /// The server refused to try it out.
    TryRefused(usize),
    /// A dry run of which nobody can be sure that it was one.
    Unconfirmed(usize),
    /// This process was told to stop.
    Interrupted,
}

/// The next step.
pub(super) fn next(question: &Question<'_>) -> Next {
    let step = settle(question).or_else(|| read_back(question)).unwrap_or_else(|| go_on(question));
    match step {
        Next::Stop(_) => step,
        _ if !question.stopping => step,
        _ => match question.unknown() {
            unknown if unknown.is_empty() => Next::Stop(Stop::Interrupted),
            unknown => Next::Stop(Stop::Unknown(unknown)),
        },
    }
}

/// First of all, what became of everything that was sent.
fn settle(question: &Question<'_>) -> Option<Next> {
    let unknown = question.unknown();
    unknown
        .iter()
        .find_map(|at| question.settling(*at))
        .or_else(|| (!unknown.is_empty()).then_some(Next::Stop(Stop::Unknown(unknown))))
}

/// Then, whether what took place is what was planned.
fn read_back(question: &Question<'_>) -> Option<Next> {
    question.each().find_map(|(at, terms, operation)| {
        let operation = operation?;
        let Status::Applied { created, .. } = operation.status() else { return None };
        let nobody_knows = created.is_empty() && operation.unnamed().is_none();
        if !terms.reads_back || nobody_knows {
            return None;
        }
        match &operation.read_back {
            Some(read) if read.unread.is_none() && read.differences.is_empty() => None,
            Some(read) if read.run == question.run => Some(Next::Stop(match read.unread {
                Some(_) => Stop::NotRead(at),
                None => Stop::Differs(at),
            })),
            _ => Some(Next::ReadBack(at)),
        }
    })
}

/// Then the first operation that has not taken place.
fn go_on(question: &Question<'_>) -> Next {
    let mut left = question.each().filter(|(_, _, operation)| !is_applied(*operation));
    let Some((at, terms, operation)) = left.next() else { return Next::Stop(Stop::Done) };
    if question.command == Command::Reconcile {
        return Next::Stop(Stop::Settled);
    }
    if operation.and_then(|operation| operation.attempts.last()).is_some_and(|last| last.run == question.run)
    {
        return Next::Stop(Stop::NotApplied(at));
    }
    if let Some(chain) = question.elsewhere.unknown.first() {
        return Next::Stop(Stop::UnknownElsewhere(chain.clone()));
    }
    match question.verdict() {
        None => return Next::Decide,
        Some(verdict) if !verdict.allowed => return Next::Stop(Stop::Denied),
        Some(_) => {}
    }
    if !question.state.is_under_way()
        && let Some(step) = before_the_first(question)
    {
        return step;
    }
    match question.elsewhere.sent.get(&terms.key) {
        Some(Sent::Applied { .. }) => return Next::TakeOver(at),
        Some(Sent::Unknown { chain }) => return Next::Stop(Stop::UnknownElsewhere(chain.clone())),
        None => {}
    }
    if terms.repeat != Repeat::Never || !terms.has_read {
        return Next::Send(at, Duration::ZERO);
    }
    let looked = operation.and_then(|operation| operation.looked.as_ref());
    match looked.filter(|look| look.run == question.run) {
        None => Next::Look(at),
        Some(look) if look.found.is_none() => Next::Stop(Stop::NoWord(at)),
        Some(_) => Next::Send(at, Duration::ZERO),
    }
}

/// Before the plan's first intent: what was never tried out, and what the plan stands on.
fn before_the_first(question: &Question<'_>) -> Option<Next> {
    for (at, _, operation) in question.each().filter(|(_, terms, _)| terms.tries) {
        let tried = operation.and_then(|operation| operation.tried.as_ref());
        match tried.filter(|trial| trial.run == question.run).map(|trial| trial.verdict) {
            None => return Some(Next::TryOut(at)),
            Some(TryVerdict::Confirmed | TryVerdict::NotPossible) => {}
            Some(TryVerdict::Refused) => return Some(Next::Stop(Stop::TryRefused(at))),
            Some(TryVerdict::Unconfirmed) => return Some(Next::Stop(Stop::Unconfirmed(at))),
        }
    }
    match &question.state.run(question.run).and_then(|run| run.compared.as_ref()) {
        None => Some(Next::Compare),
        Some(moved) if !moved.is_empty() => Some(Next::Stop(Stop::Stale)),
        Some(_) => None,
    }
}

fn is_applied(operation: Option<&OperationState>) -> bool {
    operation.is_some_and(|operation| matches!(operation.status(), Status::Applied { .. }))
}

impl<'a> Question<'a> {
    fn each(&self) -> impl Iterator<Item = (usize, &'a Terms, Option<&'a OperationState>)> {
        let state = self.state;
        self.terms.iter().enumerate().map(|(at, terms)| (at, terms, state.operations.get(&terms.key)))
    }

    /// The operations that may have taken place, in order.
    fn unknown(&self) -> Vec<usize> {
        self.each()
            .filter(|(_, _, operation)| {
                operation.is_some_and(|operation| matches!(operation.status(), Status::Unknown { .. }))
            })
            .map(|(at, _, _)| at)
            .collect()
    }

    /// What this run was told by the policy, where that still stands.
    fn verdict(&self) -> Option<&'a Verdict> {
        let (verdict, known) = self.state.run(self.run)?.decided.as_ref()?;
        let stands = *known == self.state.records.len()
            && (!verdict.allowed || verdict.holds_until.is_none_or(|until| self.now < until));
        stands.then_some(verdict)
    }

    /// How to find out what became of an operation, if there is a way left in this run.
    fn settling(&self, at: usize) -> Option<Next> {
        let terms = self.terms.get(at)?;
        let operation = self.state.operations.get(&terms.key)?;
        match self.found_out.get(&terms.key) {
            Some((_, Resolution::NotApplied {})) if self.may_still_leave(operation) => {}
            Some(_) => return Some(Next::TakeWord(at)),
            None => {}
        }
        if self.command == Command::Apply
            && let Some(pause) = self.again(terms, operation)
        {
            return Some(Next::Send(at, pause));
        }
        let looked = operation.looked.as_ref();
        let news = looked.is_none_or(|look| look.run != self.run || look.after < operation.attempts.len());
        (terms.has_read && news).then_some(Next::Look(at))
    }

    /// Whether, and after which pause, an operation that may have taken place is sent again.
    fn again(&self, terms: &Terms, operation: &OperationState) -> Option<Duration> {
        if !self.may_repeat(terms, operation) {
            return None;
        }
        let own = || operation.attempts.iter().filter(|attempt| attempt.run == self.run);
        let busy = own().filter(|attempt| is_busy(attempt)).count();
        match own().next_back() {
            Some(last) if is_busy(last) => {
                let first = own().find(|attempt| is_busy(attempt))?;
                let patient = self.now.duration_since(first.at) < self.deadline;
                let doubled = u32::try_from(busy.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
                patient.then(|| FIRST_PAUSE.saturating_mul(1 << doubled).min(LONGEST_PAUSE))
            }
            _ => (own().count() - busy < SENDS).then_some(Duration::ZERO),
        }
    }

    /// Whether another run may still send, or wait for, what it recorded: until then nobody can say that it did not
    /// take place.
    fn may_still_leave(&self, operation: &OperationState) -> bool {
        operation.unknown().filter(|attempt| attempt.came.is_none() && attempt.run != self.run).any(
            |attempt| {
                let settled = |before: Timestamp| before.checked_add(self.deadline).unwrap_or(Timestamp::MAX);
                attempt.send_before.is_some_and(|before| self.at_least <= settled(before))
            },
        )
    }

    fn may_repeat(&self, terms: &Terms, operation: &OperationState) -> bool {
        match terms.repeat {
            Repeat::Never => false,
            Repeat::Freely => true,
            Repeat::UnderKey { kept: None } => operation.unknown().all(|attempt| attempt.run == self.run),
            Repeat::UnderKey { kept: Some(kept) } => operation.unknown().next().is_some_and(|first| {
                // A clock that went back makes no key younger: the ledger has seen later.
                let seen = self.state.runs.iter().map(|run| run.at).fold(self.now, Timestamp::max);
                let age = seen.duration_since(first.at);
                !age.is_negative() && age.saturating_add(self.deadline) < kept
            }),
        }
    }
}

/// Whether the server said that it is at work under the key.
fn is_busy(attempt: &Attempt) -> bool {
    let came = attempt.came.as_ref().map(|came| &came.result);
    matches!(came, Some(Came::Unknown { doubt: Doubt::InProgress, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sample::{self, began, document, draft, drafts, key, linked};
    use crate::ledger::{Fact, v1::Command};

    #[test]
    fn nobody_takes_for_not_applied_what_another_run_may_still_send() {
        let mut drafts = drafts(sample::LEDGER);
        drafts.truncate(8);
        let Some(Fact::Intent { send_before, .. }) = drafts.last_mut().map(|draft| &mut draft.fact) else {
            panic!()
        };
        *send_before = Some(sample::at(30));
        drafts.push(draft(20, "second", began(sample::LEDGER)));
        let chain = document().effect_digest;
        let state = State::fold(&chain, &linked(&chain, drafts)).unwrap();
        let terms = [0, 1].map(|place| Terms {
            key: key(place),
            repeat: Repeat::Never,
            has_read: false,
            tries: false,
            reads_back: false,
        });
        let next_of = |run: &str, at_least: i64, resolution: Resolution| {
            let found_out =
                BTreeMap::from([(key(0), (sample::verdict(true, serde_json::json!([])), resolution))]);
            next(&Question {
                terms: &terms,
                state: &state,
                command: Command::Reconcile,
                run,
                now: sample::at(10_000),
                at_least: sample::at(at_least),
                deadline: SignedDuration::from_secs(60),
                elsewhere: &Elsewhere::default(),
                found_out: &found_out,
                stopping: false,
            })
        };
        let not_applied = || Resolution::NotApplied {};
        for at_least in [0, 29, 31, 90] {
            assert_eq!(next_of("second", at_least, not_applied()), Next::Stop(Stop::Unknown(vec![0])));
            let applied = Resolution::Applied { created: BTreeMap::new() };
            assert_eq!(next_of("second", at_least, applied), Next::TakeWord(0));
        }
        assert_eq!(next_of("second", 91, not_applied()), Next::TakeWord(0));
        // Its own it knows.
        assert_eq!(next_of("first", 0, not_applied()), Next::TakeWord(0));
    }
}
