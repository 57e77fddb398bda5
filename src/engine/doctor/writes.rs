//! The checks that write: a plan, an approval by the program itself, the plan applied, and applied once more under the
//! same key by somebody who knows nothing of the first time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};

use super::Ways;
use super::account::audit;
use super::chart::{Chart, Heard};
use super::judge::{self, Became, Seen};
use super::look::{Looked, dry_run_created, look};
use super::reads::Ready;
use super::result::{Called, Check, Examination, Left, Outcome};
use crate::approval::{Approver, Assurance, Decision, Draft, Filed, Policy, Record};
use crate::artifact::v1::{Idempotency, PlannedIn};
use crate::artifact::{Artifact, Key};
use crate::core::ToolAnswer;
use crate::core::id::{RunId, Trace};
use crate::engine::applied::{ApplyEnd, ApplyResult, Stopped};
use crate::engine::apply::{Apply, ApplyOptions, Told, apply};
use crate::engine::journal::Watch;
use crate::engine::result::{Conclusion, RunResult};
use crate::engine::run::{DryRuns, Run, RunOptions, run, with_causes};
use crate::engine::target::Target;
use crate::ledger::v1::{Ci, Command};
use crate::ledger::{Event, Ledger, State, Status};
use crate::mcp::{Limits, Session};
use crate::recipe::{Recipe, Resolved};

/// Who approves, and it says so.
const APPROVER: &str = "loopgate doctor";
/// How long the approval counts.
const COUNTS: SignedDuration = SignedDuration::from_hours(1);
/// How long a running write may take once this process is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Reads of a plan at once.
const AT_ONCE: usize = 4;

/// What is written, for a tenant where that may be done.
pub struct Writing<'a> {
    /// A recipe with a write.
    pub recipe: &'a Recipe,
    /// Its file, or its name.
    pub source: &'a str,
    /// Its inputs.
    pub inputs: &'a Resolved,
    /// By what its records can be told from all others.
    pub mark: Option<String>,
    /// To whom it is applied: the same server, as the credential that writes sees it.
    pub target: &'a Target,
    /// Time and size limits of that connection.
    pub limits: Limits,
    /// With what it is tried out.
    pub dry_runs: DryRuns,
    /// Who runs this, in the words of the pipeline or the machine.
    pub who: Option<String>,
    /// The pipeline that runs this, in its own words.
    pub pipeline: Option<PlannedIn>,
    /// The same, as the ledger has it.
    pub ci: Option<Ci>,
    /// An empty folder for ledgers that nobody keeps.
    pub folder: &'a Path,
}

/// What is at hand for them.
pub(super) struct Room<'a> {
    pub session: &'a Session,
    pub ready: Ready,
    pub ways: &'a Ways<'a>,
    pub told: &'a Told,
    pub trace: &'a Trace,
}

/// Makes them, where nothing that was seen before speaks against it.
///
/// # Errors
/// This process is told to stop.
pub(super) async fn writes(
    writing: Writing<'_>,
    target: &Target,
    room: &Room<'_>,
    chart: &mut Chart,
) -> Result<(), Conclusion> {
    let before = [Check::Operations, Check::Lock, Check::ToolDiscovery, Check::TenantContext, Check::Reads];
    if let Some(failed) = chart.failed(&before) {
        chart.skip(&Check::WRITING, &format!("nothing is written where `{}` fails", failed.as_str()));
        return Ok(());
    }
    let Writing { recipe, source, inputs, mark, dry_runs, who, pipeline, .. } = writing;
    chart.mark = mark;
    let options = RunOptions {
        limits: room.session.limits().clone(),
        concurrency: AT_ONCE,
        occurrence: 1,
        trace: room.trace.clone(),
        who,
        pipeline,
    };
    let endpoint = (room.ways.reads)().map_err(Conclusion::Invalid)?;
    let planned = Run { recipe, source, inputs, target, options };
    let (ran, closed) = run(planned, endpoint, dry_runs, &Heard::default(), room.told.clone()).await;
    closed.await;
    let tried: Vec<Called> = dry_runs_of(&ran);
    let artifact = match (ran.conclusion, ran.artifact) {
        (stopped @ Conclusion::Interrupted(_), _) => return Err(stopped),
        (_, Some(artifact)) if !artifact.operations().is_empty() => artifact,
        (Conclusion::Unconfirmed(why), _) => {
            chart.put(Examination::failed(Check::DryRun, why).by(tried));
            chart
                .left
                .push(Left { what: "perhaps something that a dry run created".to_owned(), ids: Vec::new() });
            chart.skip(&Check::WRITING, "nobody can be sure that a dry run is one here");
            return Ok(());
        }
        (other, _) => {
            let why = format!("the recipe leaves nothing to write: {}", other.message());
            chart.put(Examination::undecided(Check::DryRun, &why).by(tried));
            chart.skip(&Check::WRITING, &why);
            return Ok(());
        }
    };
    let validated = artifact.operations().iter().all(|operation| operation.server_validated);
    let found = look(&artifact, target, room).await;
    if validated {
        let examination = dry_run_created(&found, chart.mark.is_some());
        let outcome = examination.outcome;
        chart.put(examination.by(tried).by(found.called.clone()));
        match outcome {
            Outcome::Failed => {
                let what = "something that a dry run created".to_owned();
                chart.left.push(Left { what, ids: Vec::new() });
                chart.skip(&Check::WRITING, "a dry run creates something here");
                return Ok(());
            }
            Outcome::Undecided => {
                chart.skip(&Check::WRITING, "whether a dry run creates something here is not known");
                return Ok(());
            }
            Outcome::Passed | Outcome::NotChecked => {}
        }
    }
    let approved = Approved::new(&artifact, target)?;
    let writing =
        Means { target: writing.target, limits: writing.limits, ci: writing.ci, folder: writing.folder };
    once_and_again(&writing, &approved, validated, &found, target, room, chart).await
}

/// What an apply needs besides the plan.
struct Means<'a> {
    target: &'a Target,
    limits: Limits,
    ci: Option<Ci>,
    folder: &'a Path,
}

/// A plan, and the program's own approval of it.
pub(super) struct Approved<'a> {
    pub artifact: &'a Artifact,
    policy: Policy,
    filed: [Filed; 1],
}

impl<'a> Approved<'a> {
    /// The one place where the program approves by itself.
    ///
    /// # Errors
    /// It is neither about the sandbox nor about a tenant that is marked as one for tests.
    fn new(artifact: &'a Artifact, target: &Target) -> Result<Self, Conclusion> {
        let tenant = artifact.target().tenant.as_deref();
        if !target.sandbox && !tenant.is_some_and(|tenant| target.tenants.test.contains(tenant)) {
            let why = "nothing is approved here for a tenant that is not marked as one for tests";
            return Err(Conclusion::Invalid(why.to_owned()));
        }
        let policy =
            Policy { accept: [Assurance::Asserted].into(), four_eyes: false, ..Policy::for_sandbox() };
        let now = Timestamp::now();
        let record = Record::new(Draft {
            effect_digest: artifact.effect_digest().clone(),
            file_digest: Some(artifact.file_digest().clone()),
            decision: Decision::Approve { external_id: None },
            approver: Approver { name: APPROVER.to_owned(), assurance: Assurance::Asserted },
            planner: None,
            policy_digest: Some(policy.digest()),
            reason: "to see what the server makes of an approved write".to_owned(),
            time: now,
            expires: now.checked_add(COUNTS).ok(),
            platform: None,
        });
        let record = record.map_err(|error| Conclusion::Invalid(error.to_string()))?;
        Ok(Self { artifact, policy, filed: [Filed { record, signature: None }] })
    }

    pub fn id(&self) -> &str {
        self.filed.first().map(|filed| filed.record.id.as_str()).unwrap_or_default()
    }
}

/// Applies the plan, and once more with a ledger that has never heard of it.
async fn once_and_again(
    means: &Means<'_>,
    approved: &Approved<'_>,
    validated: bool,
    unwritten: &Looked,
    target: &Target,
    room: &Room<'_>,
    chart: &mut Chart,
) -> Result<(), Conclusion> {
    let artifact = approved.artifact;
    let answers = Answers::default();
    let (once, report) = applied(means, approved, "once.db", &answers, room).await?;
    let became = became(artifact, &once.state);
    chart.left.extend(left(&once.state));
    chart.unknown |= once.state.has_unknown();
    if !validated {
        chart.put(tried_by_apply(&once));
    }
    let before = look(artifact, target, room).await;
    let appeared = (unwritten.first, before.first) == (Some(false), Some(true));
    let examination = judge::write(&once.end, &became, appeared);
    chart.put(examination.by(attempts(&once.state)).by(before.called.clone()));
    let expected = artifact.operations().iter().any(|operation| operation.created.is_some());
    chart.put(judge::created_ids(&became, expected));
    chart.put(audit(approved, &report, &became, &answers, target));
    if let Some(signal) = room.told.clone().now_or_never() {
        return Err(Conclusion::Interrupted(signal));
    }
    let keyed = artifact.operations().iter().all(|operation| operation.idempotency == Idempotency::Key);
    let why_not = match (keyed, judge::took_place(&became)) {
        (false, _) => Some("the profile knows of no key that this write could be repeated under"),
        (true, false) => Some("nothing took place that could be repeated"),
        (true, true) => None,
    };
    if let Some(why) = why_not {
        chart.put(Examination::not_checked(Check::RepeatedKey, why));
        return Ok(());
    }
    let (again, _) = applied(means, approved, "again.db", &Answers::default(), room).await?;
    let after = look(artifact, target, room).await;
    let known = self::became(artifact, &again.state);
    let more: Vec<Left> = left(&again.state).into_iter().filter(|new| !chart.left.contains(new)).collect();
    chart.left.extend(more);
    chart.unknown |= again.state.has_unknown();
    let seen = match before.answers == after.answers {
        _ if before.answers.is_empty() => Seen::Nothing,
        true => Seen::Same,
        false => Seen::Other,
    };
    chart.put(judge::repeat(&became, &known, &again.end, seen).by(attempts(&again.state)));
    Ok(())
}

/// Applies the plan on a new ledger.
async fn applied(
    means: &Means<'_>,
    approved: &Approved<'_>,
    ledger: &str,
    answers: &Answers,
    room: &Room<'_>,
) -> Result<(ApplyResult, Result<Vec<Event>, String>), Conclusion> {
    let effect = approved.artifact.effect_digest();
    let mut ledger = Ledger::create(&means.folder.join(ledger))
        .map_err(|error| Conclusion::Invalid(with_causes(&error)))?;
    let (id, run, revoked) = (approved.id(), RunId::new(), Default::default());
    let work = Apply {
        artifact: approved.artifact,
        command: Command::Apply,
        asked: Some(id),
        filed: &approved.filed,
        revoked: &revoked,
        policy: Some(&approved.policy),
        platform: None,
        target: means.target,
        secrets: &|| Ok(BTreeMap::new()),
        run: &run,
        options: ApplyOptions {
            limits: means.limits.clone(),
            grace: GRACE,
            trace: room.trace.clone(),
            ci: means.ci.clone(),
            outcome_key: None,
        },
    };
    let result = apply(&work, &mut ledger, room.ways.writes, answers, room.told.clone()).await;
    let events = ledger.chain(effect).map_err(|error| with_causes(&error));
    Ok((result, events))
}

/// What writes were answered, by their keys.
#[derive(Default)]
pub(super) struct Answers(pub RefCell<BTreeMap<String, ToolAnswer>>);

impl Watch for Answers {
    fn appended(&self, _: &Event) {}

    fn answered(&self, key: &Key, answer: &ToolAnswer) {
        self.0.borrow_mut().insert(key.as_str().to_owned(), answer.clone());
    }
}

fn dry_runs_of(ran: &RunResult) -> Vec<Called> {
    let writes = ran.steps.iter().filter(|step| step.kind == "write");
    writes.flat_map(|step| step.calls.iter().cloned().map(Called::from)).collect()
}

fn became<'a>(artifact: &'a Artifact, state: &'a State) -> Became<'a> {
    let keys = artifact.operations().iter().map(|operation| &operation.idempotency_key);
    keys.map(|key| (key.as_str(), state.operations.get(key))).collect()
}

/// What stands at the server now.
fn left(state: &State) -> Vec<Left> {
    let mut left = Vec::new();
    for operation in state.operations.values() {
        match operation.status() {
            Status::Applied { created, .. } if created.is_empty() => {
                left.push(Left { what: "what was planned".to_owned(), ids: Vec::new() });
            }
            Status::Applied { created, .. } => {
                left.extend(created.into_iter().map(|(what, ids)| Left { what, ids }));
            }
            Status::Unknown { .. } => {
                left.push(Left { what: "perhaps what was planned".to_owned(), ids: Vec::new() });
            }
            Status::Untouched | Status::NotApplied { .. } => {}
        }
    }
    left
}

/// The attempts to write, as calls.
fn attempts(state: &State) -> Vec<Called> {
    let attempts = state.operations.values().flat_map(|operation| &operation.attempts);
    attempts
        .map(|attempt| Called {
            what: attempt.call.tool.clone(),
            request_id: Some(attempt.call.request_id.clone()),
            came: match &attempt.came {
                None => "not answered".to_owned(),
                Some(came) => match &came.result {
                    crate::ledger::v1::Result::Applied { .. } => "answered".to_owned(),
                    crate::ledger::v1::Result::NotApplied { message, .. } => format!("refused: {message}"),
                    crate::ledger::v1::Result::Unknown { message, .. } => {
                        format!("no usable answer: {message}")
                    }
                },
            },
        })
        .collect()
}

/// Of the dry run that `apply` made because the plan had none.
fn tried_by_apply(once: &ApplyResult) -> Examination {
    let check = Check::DryRun;
    let untold = "whether it created anything under an ID that it does not name: it was made by `apply`";
    match &once.end {
        ApplyEnd::Stopped(Stopped::Unconfirmed { .. }) => Examination::failed(check, once.end.message()),
        ApplyEnd::Stopped(Stopped::TryRefused { .. }) => Examination::undecided(check, once.end.message()),
        _ if once.state.operations.values().any(|operation| operation.tried.is_some()) => {
            Examination::passed(check, "the server confirms a dry run").but(untold)
        }
        _ => Examination::not_checked(
            check,
            "the profile knows of no dry run, or the settings let none be made",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::sample;
    use crate::catalog::Profile;

    #[test]
    fn nothing_is_approved_for_a_tenant_that_nobody_marked() {
        let artifact = sample::artifact();
        let tenant = artifact.target().tenant.clone().unwrap();
        let mut target = Target::new("served".into(), false, None, Profile::loopiq().unwrap());
        for (test, may) in [(None, false), (Some("another"), false), (Some(tenant.as_str()), true)] {
            target.tenants.test = test.map(str::to_owned).into_iter().collect();
            assert_eq!(Approved::new(&artifact, &target).is_ok(), may, "{test:?}");
        }
        target.tenants.test.clear();
        target.sandbox = true;
        let approved = Approved::new(&artifact, &target).unwrap();
        assert!(approved.id().starts_with("lga1-") && !approved.policy.four_eyes);
    }
}
