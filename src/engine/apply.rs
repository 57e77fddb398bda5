//! `apply` and `reconcile`: settle what is open, ask the policy, look whether it is stale, and then each
//! operation: intent, call, outcome, read-back. What comes next is decided in [`super::next`].

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use jiff::{SignedDuration, Timestamp};

use super::applied::{ApplyEnd, ApplyResult, Stopped};
use super::arrival::{Arrival, arrive};
use super::elsewhere::elsewhere;
use super::journal::{Committed, Journal, Watch};
use super::next::{Elsewhere, Next, Question, Sent, Stop, Terms, next};
use super::result::Signal;
use super::target::{Caller, Target};
use super::terms::{Termed, terms};
use crate::approval::platform::Answers;
use crate::approval::{self, Filed, Policy, Resolution, Verdict};
use crate::artifact::{Artifact, Key};
use crate::core::SecretText;
use crate::core::id::{RunId, Trace};
use crate::ledger::v1::{Began, Ci, Command, Settlement};
use crate::ledger::{Fact, Ledger, LedgerError, State};
use crate::mcp::{Endpoint, Limits};

/// How long a connection has to end once this process is told to stop: report and exit code come after it.
const HURRY: Duration = Duration::from_secs(2);

/// Everything that applying an artifact needs to know.
pub struct Apply<'a> {
    /// What was approved.
    pub artifact: &'a Artifact,
    /// `apply`, or `reconcile`, which only settles.
    pub command: Command,
    /// The approval whose ID is sent.
    pub asked: Option<&'a str>,
    /// The records that were brought along; untrusted.
    pub filed: &'a [Filed],
    /// What the trust settings revoke: IDs of approvals, effect digests.
    pub revoked: &'a BTreeSet<String>,
    /// The policy of the trust settings for this artifact.
    pub policy: Option<&'a Policy>,
    /// What the CI platform answered, as far as it is its word.
    pub platform: Option<&'a Answers>,
    /// To whom it goes.
    pub target: &'a Target,
    /// Gives the secrets that it names by their names, where they may go there; not asked where nothing is sent.
    pub secrets: &'a dyn Fn() -> Result<BTreeMap<String, SecretText>, String>,
    /// The run's ID.
    pub run: &'a RunId,
    /// How it goes about it.
    pub options: ApplyOptions,
}

/// How applying goes about it.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// Time and size limits of the connection.
    pub limits: Limits,
    /// How long a running write may take once this process is told to stop.
    pub grace: Duration,
    /// The trace that the calls belong to.
    pub trace: Trace,
    /// The pipeline that runs this.
    pub ci: Option<Ci>,
    /// The key that signs what could not be recorded, where the ledger can be lost on the way.
    pub outcome_key: Option<String>,
}

/// A signal that whoever waits is told of, now or later.
pub(super) type Told = Shared<Pin<Box<dyn Future<Output = Signal>>>>;

/// Applies an artifact under the ledger's lock, which the caller holds. Whatever goes wrong is in the result.
pub async fn apply(
    apply: &Apply<'_>,
    ledger: &mut Ledger,
    endpoint: &dyn Fn() -> Result<Endpoint, String>,
    watch: &dyn Watch,
    stop: impl Future<Output = Signal> + 'static,
) -> ApplyResult {
    let chain = apply.artifact.effect_digest();
    let told: Told = (Box::pin(stop) as Pin<Box<dyn Future<Output = Signal>>>).shared();
    let mut journal = match Journal::open(ledger, watch, chain, apply.run.to_string()) {
        Ok(journal) => journal,
        Err(error) => {
            let state = State::new(chain.clone());
            return ApplyResult { end: ApplyEnd::Ledger(error), state, unrecorded: Vec::new() };
        }
    };
    let mut course = Course { apply, endpoint, told, arrival: None, began: false };
    let end = course.go(&mut journal).await;
    // Behind an outcome that is missing nothing can stand.
    let goes_on = course.began && !journal.has_unrecorded();
    let end = match goes_on
        .then(|| journal.record(Fact::Ended { conclusion: end.as_str().to_owned(), message: end.message() }))
    {
        // Whoever took over found out what counts.
        Some(Err(error @ LedgerError::Passed))
            if !matches!(end, ApplyEnd::Stopped(Stopped::Unknown { .. })) =>
        {
            ApplyEnd::Ledger(error)
        }
        // What was found out outranks that its last line could not be written.
        Some(Err(error)) if matches!(end, ApplyEnd::Stopped(Stopped::Done)) => ApplyEnd::Ledger(error),
        _ => end,
    };
    if let Some(arrival) = course.arrival.take() {
        course.close(arrival).await;
    }
    let (state, unrecorded) = journal.into_durable();
    ApplyResult { end, state, unrecorded }
}

/// An artifact on its way.
pub(super) struct Course<'a> {
    pub apply: &'a Apply<'a>,
    endpoint: &'a dyn Fn() -> Result<Endpoint, String>,
    pub told: Told,
    pub arrival: Option<Arrival>,
    /// Whether the run stands in the ledger.
    began: bool,
}

impl<'a> Course<'a> {
    async fn go(&mut self, journal: &mut Journal<'_>) -> ApplyEnd {
        match self.steps(journal).await {
            Ok(stop) => self.end(journal.state(), stop),
            Err(end) => match (&end, journal.state().has_unknown()) {
                (ApplyEnd::Stopped(Stopped::Unknown { .. }), _) | (_, false) => end,
                // Whoever took over says what is unknown; this run sent nothing that it has not recorded.
                (ApplyEnd::Ledger(LedgerError::Passed), _) => end,
                (_, true) => ApplyEnd::Stopped(Stopped::Unknown {
                    operations: self.unknown(journal.state()),
                    why: Some(match &end {
                        ApplyEnd::Stopped(Stopped::Interrupted(_)) => {
                            "told to stop before it was found out".to_owned()
                        }
                        other => other.message(),
                    }),
                }),
            },
        }
    }

    async fn steps(&mut self, journal: &mut Journal<'_>) -> Result<Stop, ApplyEnd> {
        let termed = match self.terms() {
            Ok(termed) => termed,
            Err(end) => {
                self.begin(journal)?;
                return Err(end);
            }
        };
        let elsewhere = elsewhere(journal.ledger(), self.apply.artifact).map_err(ApplyEnd::Ledger)?;
        let mut all: Vec<_> = termed.iter().map(|termed| termed.terms.clone()).collect();
        loop {
            let found_out = self.found_out(journal.state());
            let step = self.next(journal, &all, &elsewhere, &found_out);
            let place = match &step {
                Next::Stop(stop) => {
                    self.worth_a_line(journal, stop)?;
                    return Ok(stop.clone());
                }
                Next::Decide | Next::Compare => None,
                Next::TakeWord(at)
                | Next::Look(at)
                | Next::TakeOver(at)
                | Next::TryOut(at)
                | Next::Send(at, _)
                | Next::ReadBack(at) => termed.get(*at).zip(self.apply.artifact.operations().get(*at)),
            };
            self.begin(journal)?;
            match (step, place) {
                (Next::Decide, _) => self.decide(journal)?,
                (Next::Compare, _) => self.compare(journal).await?,
                (Next::TakeWord(_), Some((termed, _))) => {
                    if let Some((verdict, resolution)) = found_out.get(&termed.terms.key) {
                        let (verdict, resolution) = (Box::new(verdict.clone()), resolution.clone());
                        let by = Settlement::People { resolution, verdict };
                        record(journal, Fact::Settled { key: termed.terms.key.clone(), by })?;
                    }
                }
                (Next::TakeOver(_), Some((termed, _))) => {
                    if let Some(Sent::Applied { chain, approval_id, created, .. }) =
                        elsewhere.sent.get(&termed.terms.key)
                    {
                        let by = Settlement::Earlier {
                            chain: chain.clone(),
                            approval_id: approval_id.clone(),
                            created: created.clone(),
                        };
                        record(journal, Fact::Settled { key: termed.terms.key.clone(), by })?;
                    }
                }
                (Next::Look(_), Some((termed, operation))) => self.look(journal, termed, operation).await?,
                (Next::TryOut(_), Some((termed, operation))) => {
                    self.try_out(journal, termed, operation).await?;
                }
                (Next::Send(at, pause), Some((termed, operation))) => {
                    self.ready(journal, pause).await?;
                    if let Some(stated) = self.arrival.as_ref().and_then(|arrival| arrival.retention) {
                        all.iter_mut().for_each(|terms| terms.keep_at_most(stated));
                    }
                    // The pause and the way there took time: what held before may not hold any more.
                    let step = self.next(journal, &all, &elsewhere, &found_out);
                    if matches!(step, Next::Send(still, _) if still == at) {
                        self.send(journal, termed, operation).await?;
                    }
                }
                (Next::ReadBack(_), Some((termed, operation))) => {
                    self.read_back(journal, termed, operation).await?;
                }
                (_, None) | (Next::Stop(_), _) => {
                    return Err(ApplyEnd::Invalid("a step names an operation that there is not".to_owned()));
                }
            }
        }
    }

    /// The next step, by what is known now.
    fn next(
        &self,
        journal: &Journal<'_>,
        terms: &[Terms],
        elsewhere: &Elsewhere,
        found_out: &BTreeMap<Key, (Verdict, Resolution)>,
    ) -> Next {
        next(&Question {
            terms,
            state: journal.state(),
            command: self.apply.command,
            run: journal.run(),
            now: Timestamp::now(),
            at_least: journal.ledger().now_at_least(),
            deadline: SignedDuration::try_from(self.apply.options.limits.call).unwrap_or(SignedDuration::MAX),
            elsewhere,
            found_out,
            stopping: self.stopped_by().is_some(),
        })
    }

    /// Ends a connection; kindly, as long as nobody told this process to stop.
    async fn close(&self, arrival: Arrival) {
        let hurry = async {
            let _ = self.told.clone().await;
            tokio::time::sleep(HURRY).await;
        };
        tokio::select! {
            closing = arrival.session.close() => tracing::debug!(?closing, "closed"),
            () = hurry => tracing::debug!("not waited for"),
        }
    }

    /// The terms of every operation.
    fn terms(&self) -> Result<Vec<Termed<'a>>, ApplyEnd> {
        let caller = self.caller();
        let operations = self.apply.artifact.operations().iter();
        operations.map(|operation| terms(operation, &caller).map_err(ApplyEnd::Moved)).collect()
    }

    /// Who speaks: the artifact says for which tenant and recipe.
    pub(super) fn caller(&self) -> Caller<'a> {
        let document = self.apply.artifact.document();
        Caller {
            profile: &self.apply.target.profile,
            tenant: document.target.tenant.as_deref(),
            workflow: &document.recipe.name,
            trace: &self.apply.options.trace,
        }
    }

    /// The signal that this process was told to stop by, if it was.
    pub(super) fn stopped_by(&self) -> Option<Signal> {
        self.told.clone().now_or_never()
    }

    /// Puts this run into the ledger, before the first thing that it does.
    fn begin(&mut self, journal: &mut Journal<'_>) -> Result<(), ApplyEnd> {
        if self.began {
            return Ok(());
        }
        if journal.state().artifact.is_none() {
            let artifact = Box::new(self.apply.artifact.document().clone());
            note(journal, Fact::Opened { artifact })?;
        }
        for filed in journal.state().news(self.apply.filed) {
            note(journal, Fact::Recorded { filed: Box::new(filed.clone()) })?;
        }
        let began = Began {
            command: self.apply.command,
            program: concat!("loopgate ", env!("CARGO_PKG_VERSION")).to_owned(),
            trace_id: self.apply.options.trace.trace_id().to_owned(),
            file_digest: self.apply.artifact.file_digest().clone(),
            approval_id: self.apply.asked.map(str::to_owned),
            policy: self.apply.policy.cloned(),
            ledger: journal.ledger().id().to_owned(),
            ci: self.apply.options.ci.clone(),
            outcome_key: self.apply.options.outcome_key.clone(),
        };
        note(journal, Fact::Began(Box::new(began)))?;
        self.began = true;
        journal.commit().map(|_| ()).map_err(ApplyEnd::Ledger)
    }

    /// The first run of an effect stands in the ledger, and each that found something unknown or wrong, even
    /// where it could do nothing. To do nothing again adds nothing.
    fn worth_a_line(&mut self, journal: &mut Journal<'_>, stop: &Stop) -> Result<(), ApplyEnd> {
        match stop {
            Stop::Done | Stop::Settled if !journal.state().runs.is_empty() => Ok(()),
            _ => self.begin(journal),
        }
    }

    /// All records that are known: the ledger's, and those that were brought along.
    pub(super) fn filed(&self, state: &State) -> Vec<Filed> {
        let mut filed = state.records.clone();
        let others = self.apply.filed.iter().filter(|filed| filed.record.effect_digest != state.chain);
        filed.extend(state.news(self.apply.filed).into_iter().chain(others).cloned());
        filed
    }

    pub(super) fn question<'q>(&'q self, state: &'q State, filed: &'q [Filed]) -> approval::Question<'q> {
        approval::Question {
            effect: &state.chain,
            asked: self.apply.asked.unwrap_or_default(),
            filed,
            revoked: self.apply.revoked,
            policy: self.apply.policy,
            sandbox: self.apply.target.sandbox,
            planned_by: &self.apply.artifact.document().planned_by,
            platform: self.apply.platform,
            now: Timestamp::now(),
            under_way_since: state.under_way_since(),
        }
    }

    fn decide(&self, journal: &mut Journal<'_>) -> Result<(), ApplyEnd> {
        let filed = self.filed(journal.state());
        let verdict = approval::decide(&self.question(journal.state(), &filed));
        note(journal, Fact::Decided { verdict: Box::new(verdict) })
    }

    /// What people found out about unknown outcomes, as far as the policy takes their word.
    fn found_out(&self, state: &State) -> BTreeMap<Key, (Verdict, Resolution)> {
        let mut found = BTreeMap::new();
        // Asked before every step, and nearly always of nothing.
        if !state.has_unknown() {
            return found;
        }
        let filed = self.filed(state);
        let question = self.question(state, &filed);
        for (key, operation) in &state.operations {
            let Some(last) = operation.unknown().last() else { continue };
            let accepted: Vec<_> = resolutions(&filed, &last.intent)
                .into_iter()
                .filter_map(|resolution| {
                    let verdict = approval::decide_resolution(&question, &last.intent, &resolution);
                    verdict.allowed.then_some((verdict, resolution))
                })
                .collect();
            // Two answers that both count are none.
            if let [only] = accepted.as_slice() {
                found.insert(key.clone(), only.clone());
            }
        }
        found
    }

    /// The connection, made where there is none or the last one is over.
    pub(super) async fn arrived(&mut self, journal: &mut Journal<'_>) -> Result<(), ApplyEnd> {
        if self.arrival.as_ref().is_some_and(|arrival| !arrival.session.is_over()) {
            return Ok(());
        }
        if let Some(over) = self.arrival.take() {
            self.close(over).await;
        }
        let endpoint = (self.endpoint)().map_err(ApplyEnd::Unreachable)?;
        let arriving = arrive(self.apply, self.caller(), endpoint);
        let (arrival, connected) = tokio::select! {
            biased;
            signal = self.told.clone() => return Err(ApplyEnd::Stopped(Stopped::Interrupted(signal))),
            arrived = arriving => arrived?,
        };
        self.arrival = Some(arrival);
        note(journal, Fact::Connected(Box::new(connected)))
    }
}

/// The different answers that resolutions of an intent give.
fn resolutions(filed: &[Filed], intent: &crate::core::Digest) -> Vec<Resolution> {
    let mut found: Vec<Resolution> = Vec::new();
    for filed in filed {
        match &filed.record.decision {
            approval::Decision::Resolve { intent: of, outcome }
                if of == intent && !found.contains(outcome) =>
            {
                found.push(outcome.clone());
            }
            _ => {}
        }
    }
    found
}

/// Takes a fact in, to be durable with the next commit.
pub(super) fn note(journal: &mut Journal<'_>, fact: Fact) -> Result<(), ApplyEnd> {
    journal.note(fact).map_err(ApplyEnd::Ledger)
}

/// Takes a fact in that must be durable before anything else happens.
pub(super) fn record(journal: &mut Journal<'_>, fact: Fact) -> Result<Committed, ApplyEnd> {
    journal.record(fact).map_err(ApplyEnd::Ledger)
}
