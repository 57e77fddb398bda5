//! What `apply` and `reconcile` share: ledger and lock, the use case, the audit report, the exit code.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::apply_lines::Lines;
use super::arguments::Format;
use super::audit_file::{AuditFile, Holds, of_ledger};
use super::effect_arguments::{Effect, Running};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::ledger_place::{Place, find as find_ledger};
use super::next_command::NextCommand;
use super::outcome_file;
use super::output::Output;
use super::policy::{Trusted, in_force};
use super::records;
use super::reports::Reports;
use super::runtime::{SILENCE, runtime, telling};
use super::secret_settings::secrets_for;
use super::server::{KnownServer, find_for, in_words};
use super::show::read_real_artifact;
use super::signals::Stop;
use crate::approval::platform::Answers;
use crate::approval::{Filed, Policy, Question};
use crate::artifact::Artifact;
use crate::audit::Report;
use crate::core::id::{RunId, Trace};
use crate::core::printable::printable;
use crate::core::text::visible;
use crate::engine::{self, ApplyEnd, ApplyResult, Stopped};
use crate::ledger::v1::Command;
use crate::ledger::{Claim, Fact, Holder, Ledger, Lock, LockError, OutcomeKey, State, Wait, label};
use crate::report::{self, ApplyOutputs, ApplyView, Sheet};

/// How long a running write has after the first signal.
const GRACE: Duration = Duration::from_secs(5);
/// How long between two looks at a lock that another holds.
const PAUSE: Duration = Duration::from_millis(100);

/// What the command line says.
pub(super) struct Told<'a> {
    pub command: Command,
    pub effect: &'a Effect,
    pub asked: Option<&'a str>,
    pub running: &'a Running,
}

/// Everything that an apply or a reconcile needs.
pub(super) struct Job<'a> {
    pub artifact: Artifact,
    pub policy: Option<Policy>,
    /// What the CI platform answered, as far as it is its word.
    pub platform: Option<Answers>,
    pub place: Place,
    told: &'a Told<'a>,
    filed: Vec<Filed>,
    revoked: BTreeSet<String>,
    server: KnownServer,
    trusted: Option<Trusted>,
    audit: AuditFile,
    reports: Reports,
    next: NextCommand,
}

impl<'a> Told<'a> {
    /// The command's name.
    fn word(&self) -> &'static str {
        match self.command {
            Command::Apply => "apply",
            Command::Reconcile => "reconcile",
        }
    }

    /// Reads everything that is named: artifact, settings, records; nothing is opened or asked yet.
    pub fn job(&'a self, environment: &Environment, output: &Output) -> Result<Job<'a>, Fault> {
        let Effect { artifact: path, approvals, ledger, server, trust, platform } = self.effect;
        let artifact = read_real_artifact(path)?;
        let trusted = Trusted::read(trust.as_deref(), environment)?;
        let place =
            find_ledger(ledger.as_deref(), trusted.as_ref().map(|trusted| &trusted.settings), environment)?;
        let server = find_for(&artifact, server.as_deref(), trust.as_deref(), environment)?;
        let audit = self.running.audit.clone().unwrap_or_else(|| path.with_file_name("audit.json"));
        let reports = Reports::parse(&self.running.report, environment)?;
        let mut own = place.file().map(of_ledger).unwrap_or_default();
        own.extend([path.clone(), audit.clone()]);
        reports.keep_off(&own)?;
        let policy = in_force(&artifact, trusted.as_ref())?;
        Ok(Job {
            platform: platform.vouched(&artifact, trusted.as_ref(), environment, output)?,
            audit: AuditFile::check(&audit, Holds::Report, path, &place)?,
            place,
            reports,
            filed: records::bring(approvals.as_deref(), path, &artifact, policy.as_ref(), output)?,
            policy,
            revoked: revoked(trusted.as_ref()),
            server,
            trusted,
            next: NextCommand { audit: Some(audit), ..NextCommand::new(self.effect, self.asked) },
            told: self,
            artifact,
        })
    }
}

/// What a person found out, to be filed once nobody else is at work.
pub(super) struct Word<'a> {
    pub filed: Filed,
    /// The folder that receives it.
    pub folder: PathBuf,
    /// Whether it is still about something unknown.
    pub fits: &'a dyn Fn(&State) -> Result<(), Fault>,
}

/// Does the job.
pub(super) fn execute(
    mut job: Job<'_>,
    word: Option<Word<'_>>,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let is_new = job.place.file().is_some_and(|path| !path.exists());
    let mut ledger = job.place.open_for_writing(environment, job.told.running.expect_head.as_ref())?;
    if is_new && !job.told.running.quiet {
        output.say(&format!("made a new ledger at {}", visible(&job.place.shown())));
    }
    let run = RunId::new();
    let writing = Arc::new(AtomicBool::new(false));
    let stop = Stop::listen_while(Arc::clone(&writing))?;
    let lock = match locked(&ledger, &job, &run, &stop, environment)? {
        Ok(lock) => lock,
        Err(exit) => return Ok(exit),
    };
    let left = outcome_file::beside(&job.told.effect.artifact);
    outcome_file::take(&left, job.artifact.effect_digest(), &mut ledger, output)?;
    // What is in a file beside the lock cannot be lost on the way to it.
    let key = if job.place.file().is_none() { OutcomeKey::new() } else { None };
    let known = ledger.state(job.artifact.effect_digest());
    if let Some(Word { filed, folder, fits }) = word {
        fits(&ledger.state(job.artifact.effect_digest())?)?;
        let path = records::add(&folder, &filed)?;
        output.say(&format!("the resolution is `{}`", visible(&path.to_string_lossy())));
        job.filed.push(filed);
    }
    let job = &job;
    writing.store(known.as_ref().is_ok_and(State::has_unknown), Ordering::SeqCst);
    job.reports.begin(&format!("loopgate {}", job.told.word()), output);
    let lines = Lines::new(
        job.artifact.document(),
        known.as_ref().ok(),
        writing,
        job.reports.event_files()?,
        output,
        job.told.running.quiet,
    );
    let result = apply(job, &run, key.as_ref(), &mut ledger, &lines, stop, environment)?;
    outcome_file::leave(&left, key.as_ref(), ledger.id(), &result, output);
    let exit = Exit::of_apply(&result.end);
    let delivered = deliver(job, &result, &ledger, environment, output);
    let delivered = lines
        .into_files()
        .into_iter()
        .fold(delivered, |delivered, file| delivered.and(file.finish().map_err(Fault::internal)));
    drop(lock);
    delivered.map_err(|fault| match exit {
        Exit::Done => fault,
        // What was found out outranks that it could not be written down.
        _ => Fault { exit, ..fault },
    })?;
    Ok(exit)
}

/// Takes the lock, waiting for it as long as was asked for; or the exit code of a signal that came first.
fn locked(
    ledger: &Ledger,
    job: &Job<'_>,
    run: &RunId,
    stop: &Stop,
    environment: &Environment,
) -> Result<Result<Lock, Exit>, Fault> {
    let holder = Holder {
        run: run.to_string(),
        pid: std::process::id(),
        effect: job.artifact.effect_digest().clone(),
        since: whole_second(Timestamp::now()),
        host: environment.host(),
    };
    let claim = Claim::of(job.artifact.document());
    let begun = Instant::now();
    let patience = job.told.running.wait.and_then(|wait| Duration::try_from(wait.get()).ok());
    loop {
        match ledger.lock(&holder, &claim, Wait::No) {
            Ok(lock) => return Ok(Ok(lock)),
            Err(LockError::Held(_)) if patience.is_some_and(|most| begun.elapsed() < most) => {}
            Err(error) => {
                let fault = Fault::from(error);
                return Err(
                    match job
                        .next
                        .waiting(job.told.command, ledger.state(job.artifact.effect_digest()).ok().as_ref())
                    {
                        Some(next) if fault.exit == Exit::Busy => fault.hint(format!("wait for it: {next}")),
                        _ => fault,
                    },
                );
            }
        }
        if let Some(signal) = stop.told() {
            return Ok(Err(Exit::of_signal(signal)));
        }
        std::thread::sleep(PAUSE);
    }
}

fn apply(
    job: &Job<'_>,
    run: &RunId,
    key: Option<&OutcomeKey>,
    ledger: &mut Ledger,
    watch: &Lines<'_>,
    stop: Stop,
    environment: &Environment,
) -> Result<ApplyResult, Fault> {
    let runtime = runtime()?;
    let secrets =
        || secrets_for(&job.artifact, &job.server.name, job.trusted.as_ref(), environment).map_err(in_words);
    let apply = engine::Apply {
        artifact: &job.artifact,
        command: job.told.command,
        asked: job.told.asked,
        filed: &job.filed,
        revoked: &job.revoked,
        policy: job.policy.as_ref(),
        platform: job.platform.as_ref(),
        target: &job.server.target,
        secrets: &secrets,
        run,
        options: engine::ApplyOptions {
            limits: job.server.limits.clone(),
            grace: GRACE,
            trace: Trace::from_parent(environment.get("TRACEPARENT"), environment.get("TRACESTATE")),
            ci: environment.ci(),
            outcome_key: key.map(OutcomeKey::public),
        },
    };
    let endpoint = || job.server.endpoint().map_err(in_words);
    let work = engine::apply(&apply, ledger, &endpoint, watch, stop.wait());
    let result = runtime.block_on(telling(work, SILENCE, || watch.still()));
    // Blocking leftovers, such as a closed sandbox's, are not waited for.
    runtime.shutdown_background();
    Ok(result)
}

/// Leaves the audit report and says what it came to.
fn deliver(
    job: &Job<'_>,
    result: &ApplyResult,
    ledger: &Ledger,
    environment: &Environment,
    output: &Output,
) -> Result<(), Fault> {
    let document = job.artifact.document();
    let events = match &result.end {
        // The ledger was lost, and is not waited for once more.
        _ if !result.unrecorded.is_empty() => Vec::new(),
        // A broken chain gives no report; that it is broken is the message.
        ApplyEnd::Ledger(_) => ledger.chain(job.artifact.effect_digest()).unwrap_or_default(),
        _ => ledger.chain(job.artifact.effect_digest())?,
    };
    // Records alone, which others told the ledger of, are no run.
    let mut unwritten = None;
    let audited = match !events.iter().any(|event| matches!(event.fact, Fact::Opened { .. })) {
        true => None,
        false => {
            let report = Report::build(&events).map_err(|error| Fault::new(Exit::Broken, error))?;
            if let Err(error) = job.audit.write(report.bytes()) {
                let path = job.audit.path.display();
                unwritten = Some(
                    Fault::new(
                        Exit::Internal,
                        format!("the audit report `{path}` cannot be written: {error}"),
                    )
                    .hint(
                        "what was done stands in the ledger: `loopgate audit report` builds the report again",
                    ),
                );
            }
            Some(report)
        }
    };
    let next = next(job, result);
    let run = result.state.runs.last();
    let verdict = run.and_then(|run| run.decided.as_ref()).map(|(verdict, _)| verdict);
    let view = ApplyView {
        document,
        state: &result.state,
        label: label(&result.state, &document.operations, verdict).to_string(),
        conclusion: result.end.as_str().to_owned(),
        message: result.end.message(),
        head: result.state.head.as_ref().map(|head| head.digest.clone()),
        count: result.state.head.as_ref().map_or(0, |head| head.count),
        audit: audited.as_ref().filter(|_| unwritten.is_none()).map(|_| job.audit.path.clone()),
        next: next.clone(),
    };
    let json = || match &audited {
        Some(report) => serde_json::from_slice(report.bytes()).unwrap_or_default(),
        None => serde_json::json!({
            "format": "loopgate.nothing/1",
            "conclusion": result.end.as_str(),
            "message": result.end.message(),
        }),
    };
    let outputs = ApplyOutputs {
        command: job.told.word(),
        artifact: &job.told.effect.artifact.to_string_lossy(),
        events: &events,
        exit: Exit::of_apply(&result.end).code(),
    };
    let reported = job.reports.write(|| Sheet::of_apply(&view, &outputs), json, environment, output);
    match (job.told.running.format, &audited) {
        (Format::Json, Some(report)) => output.data(&printable(&String::from_utf8_lossy(report.bytes()))),
        (Format::Json, None) => output.json(&json()),
        (Format::Text, _) => output.data(&report::apply_text(&view, &output.stdout)),
    }?;
    match &result.end {
        ApplyEnd::Stopped(Stopped::Done | Stopped::Settled) => {}
        end => {
            let fault = Fault::new(Exit::of_apply(end), end.message());
            output.fault(&match next {
                Some(next) => fault.hint(next),
                None => fault,
            });
        }
    }
    unwritten.map_or(reported, Err)
}

/// What to type next, as far as records and ledger say it.
fn next(job: &Job<'_>, result: &ApplyResult) -> Option<String> {
    let state = &result.state;
    let mut filed = state.records.clone();
    filed.extend(state.news(&job.filed).into_iter().cloned());
    let question = Question {
        effect: job.artifact.effect_digest(),
        asked: job.told.asked.unwrap_or_default(),
        filed: &filed,
        revoked: &job.revoked,
        policy: job.policy.as_ref(),
        sandbox: job.artifact.target().sandbox,
        planned_by: &job.artifact.document().planned_by,
        platform: job.platform.as_ref(),
        now: Timestamp::now(),
        under_way_since: state.under_way_since(),
    };
    let next = NextCommand {
        approval_id: job.told.asked.map(str::to_owned).or_else(|| records::best(&question).1),
        contradicting: records::contradicting(&question, state),
        ..job.next.clone()
    };
    next.after(job.told.command, &result.end, state, job.artifact.document())
}

/// A time as people read it.
pub(super) fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// What the trust settings revoke.
pub(super) fn revoked(trusted: Option<&Trusted>) -> BTreeSet<String> {
    trusted.map(|trusted| trusted.settings.revoked.clone()).unwrap_or_default()
}
