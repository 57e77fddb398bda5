//! What recording costs: `apply` beside a client that records nothing, syncs, checking, and applying again.
//!
//! What is compared is made side by side in one process, in turns. Ratios are of neighbours and their median is
//! shown; the absolute times beside them are of this machine at this moment and are no promise.

mod measure;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use loopgate::approval::{Approver, Assurance, Decision, Draft as Decided, Filed, Policy, Record};
use loopgate::artifact::{Artifact, Filling, Plan, filled, v1};
use loopgate::audit::{Report, VerifyOptions, verify};
use loopgate::catalog::Profile;
use loopgate::core::call::RefusalKind;
use loopgate::core::id::{RequestId, RunId, Trace};
use loopgate::core::{Seen, ToolCall};
use loopgate::engine::{self, Apply, ApplyEnd, ApplyOptions, ApplyResult, Stopped, Target, Watch};
use loopgate::ledger::v1::{Command as Verb, Result as Came};
use loopgate::ledger::{Draft, Event, Fact, Ledger, State};
use loopgate::mcp::{Endpoint, Limits, Session};
use loopgate::sandbox::{Location, Sandbox};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use measure::{Outcome, float, median, micros, runtime, say, timed};

const TENANT: &str = "acme";
/// Writes in a plan, and how often it is applied.
const PLANS: [(usize, usize); 2] = [(10, 9), (100, 3)];
/// Events in a chain, and how often it is checked.
const CHAINS: [(usize, usize); 3] = [(1_000, 9), (10_000, 3), (100_000, 1)];
/// Bytes of what is written before each sync: a page of a ledger.
const PAGE: usize = 4096;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    if let (Some("count"), Some(folder), Some(writes)) =
        (arguments.next().as_deref(), arguments.next(), arguments.next())
    {
        return counted(Path::new(&folder), writes.parse()?);
    }
    // Where the build is, not where memory passes for a disk.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let runtime = runtime()?;
    let planned = plan(folder.path())?;
    writes(folder.path(), &runtime, &planned)?;
    syncs(folder.path())?;
    checks(folder.path(), &runtime, &planned)
}

/// 1 and 4: a write beside a bare client's, and a finished plan applied again.
fn writes(folder: &Path, runtime: &Runtime, planned: &v1::Document) -> Outcome<()> {
    say("one write with its read-back, in turns; a sync is of one page on the same disk")?;
    say("writes  rounds    loopgate        bare       ratio        sync   less 2 syncs      again")?;
    for (count, rounds) in PLANS {
        let case = Case::new(planned, count)?;
        let mut measured = Vec::new();
        for _ in 0..rounds {
            let mut ledger = Fresh::new(folder)?;
            let (first, _) = timed(|| case.apply(runtime, &mut ledger.ledger, sandbox))?;
            let (bare, _) = timed(|| case.bare(runtime))?;
            let sync = sync(folder, count)?;
            let nobody = || Err("a finished plan needs nobody".to_owned());
            let (again, _) = timed(|| case.apply(runtime, &mut ledger.ledger, nobody))?;
            measured.push([first, bare, sync, again].map(|time| micros(time) / float(count)));
        }
        let of = |f: fn(&[f64; 4]) -> f64| median(measured.iter().map(f).collect());
        say(&format!(
            "{count:>6}{rounds:>8}{:>9.0} µs{:>9.0} µs{:>11.2}{:>9.0} µs{:>15.2}{:>11.3}",
            of(|[first, ..]| *first),
            of(|[_, bare, ..]| *bare),
            of(|[first, bare, ..]| first / bare),
            of(|[_, _, sync, _]| *sync),
            of(|[first, bare, sync, _]| (first - 2.0 * sync) / bare),
            of(|[first, _, _, again]| again / first),
        ))?;
    }
    say("")
}

/// 2: how often a write waits for the disk.
fn syncs(folder: &Path) -> Outcome<()> {
    let (few, many) = (20, 120);
    let line = match (traced(folder, few)?, traced(folder, many)?) {
        (Some(first), Some(last)) => {
            format!("{:.2}, counted by `strace`", float(last.saturating_sub(first)) / float(many - few))
        }
        _ => "not counted: `strace` is not there or may not trace".to_owned(),
    };
    say(&format!("syncs for each further write: {line}"))?;
    say("")
}

/// 3: what checking costs, by the length of the chain.
fn checks(folder: &Path, runtime: &Runtime, planned: &v1::Document) -> Outcome<()> {
    say("one event checked, in chains of many runs")?;
    say(" events  rounds   fold       growth   report     growth   ledger     growth")?;
    let case = Case::new(planned, 10)?;
    let mut of_one = Fresh::new(folder)?;
    case.apply(runtime, &mut of_one.ledger, sandbox)?;
    let real = of_one.ledger.chain(case.artifact.effect_digest())?;
    let mut least: Option<[f64; 3]> = None;
    for (count, rounds) in CHAINS {
        let mut ledger = Fresh::new(folder)?;
        let drafts = drafts(&real, ledger.ledger.id(), count)?;
        let chain = case.artifact.effect_digest();
        let events = ledger.ledger.append(chain, None, drafts)?;
        let report = Report::build(&events)?;
        let mut measured = Vec::new();
        for _ in 0..rounds {
            let (fold, state) = timed(|| Ok(State::fold(chain, &events)?))?;
            let (verified, of_report) = timed(|| Ok(verify(report.bytes(), &VerifyOptions::default())?))?;
            let (whole, of_ledger) = timed(|| Ok(ledger.ledger.verify()?))?;
            let counts = [state.head.map_or(0, |head| head.count), of_report.count, of_ledger.events];
            if counts.iter().any(|found| usize::try_from(*found) != Ok(count)) {
                return Err("not every event was checked".into());
            }
            measured.push([fold, verified, whole].map(|time| micros(time) / float(count)));
        }
        let of = |f: fn(&[f64; 3]) -> f64| median(measured.iter().map(f).collect());
        let times @ [fold, report, whole] =
            [of(|[it, _, _]| *it), of(|[_, it, _]| *it), of(|[_, _, it]| *it)];
        let [by_fold, by_report, by_whole] = *least.get_or_insert(times);
        say(&format!(
            "{count:>7}{rounds:>8}{fold:>7.1} µs{:>10.2}{report:>7.1} µs{:>10.2}{whole:>7.1} µs{:>10.2}",
            fold / by_fold,
            report / by_report,
            whole / by_whole,
        ))?;
    }
    Ok(())
}

/// A plan of several writes with its approval.
struct Case {
    artifact: Artifact,
    filed: Filed,
    target: Target,
    policy: Policy,
}

impl Case {
    /// The planned work package, `count` times with different titles.
    fn new(planned: &v1::Document, count: usize) -> Outcome<Self> {
        let mut plan: Plan = planned.clone().into();
        // The bare client does not look whether anything moved, either.
        plan.preconditions.clear();
        let package = plan.operations.pop().ok_or("nothing is planned")?;
        plan.operations = (0..count)
            .map(|number| {
                let mut package = package.clone();
                package.id = format!("package-{number}");
                if let Some(title) = package.arguments.get_mut("parent").and_then(|it| it.get_mut("title")) {
                    *title = json!(format!("Package {number}"));
                }
                package
            })
            .collect();
        let artifact = Artifact::build(plan)?;
        let now = Timestamp::now();
        let record = Record::new(Decided {
            effect_digest: artifact.effect_digest().clone(),
            file_digest: None,
            decision: Decision::Approve { external_id: None },
            approver: Approver { name: "alice".to_owned(), assurance: Assurance::Asserted },
            planner: None,
            policy_digest: None,
            reason: "measured".to_owned(),
            time: now,
            expires: Some(now + SignedDuration::from_hours(1)),
            platform: None,
        })?;
        let target = Target::new("sandbox".to_owned(), true, Some(TENANT.to_owned()), Profile::loopiq()?);
        let filed = Filed { record, signature: None };
        Ok(Self { artifact, filed, target, policy: Policy::for_sandbox() })
    }

    fn apply(
        &self,
        runtime: &Runtime,
        ledger: &mut Ledger,
        endpoint: fn() -> Result<Endpoint, String>,
    ) -> Outcome<()> {
        let apply = Apply {
            secrets: &|| Ok(BTreeMap::new()),
            artifact: &self.artifact,
            command: Verb::Apply,
            asked: Some(self.filed.record.id.as_str()),
            filed: std::slice::from_ref(&self.filed),
            revoked: &BTreeSet::new(),
            policy: Some(&self.policy),
            platform: None,
            target: &self.target,
            run: &RunId::new(),
            options: ApplyOptions {
                limits: Limits::default(),
                grace: Duration::from_secs(1),
                trace: Trace::from_parent(None, None),
                ci: None,
                outcome_key: None,
            },
        };
        let ApplyResult { end, .. } =
            runtime.block_on(engine::apply(&apply, ledger, &endpoint, &Silent, pending()));
        match end {
            ApplyEnd::Stopped(Stopped::Done) => Ok(()),
            other => Err(format!("{}: {:?}", other.as_str(), other.message()).into()),
        }
    }

    /// The same calls, and nothing else.
    fn bare(&self, runtime: &Runtime) -> Outcome<()> {
        runtime.block_on(async {
            let limits = Limits::default();
            let session = Session::connect(sandbox()?, limits.clone()).await?;
            session.tools().await?;
            let caller = Bare { session, trace: Trace::from_parent(None, None), limits };
            caller.call("loopiq_get_mcp_reliability_contract", Map::new()).await?;
            for operation in self.artifact.operations() {
                let approval_id = self.filed.record.id.as_str();
                let arguments = filled(operation, Filling::Real { approval_id })?;
                let made = caller.call(&operation.tool, arguments).await?;
                let lookup = operation.created.as_ref().and_then(|created| created.lookup.as_ref());
                let lookup = lookup.ok_or("nothing can be looked up")?;
                let tasks = made.pointer("/childTasks").and_then(Value::as_array).into_iter().flatten();
                let ids: Vec<_> =
                    made.get("parentStory").into_iter().chain(tasks).map(|it| &it["id"]).collect();
                let mut arguments = lookup.arguments.clone();
                lookup.ids_at.set(&mut arguments, json!(ids))?;
                let found = caller.call(&lookup.tool, arguments).await?;
                let found = found.pointer("/items").and_then(Value::as_array).map(Vec::len);
                if found != Some(ids.len()) {
                    return Err("the look-up does not find what was made".into());
                }
            }
            caller.session.close().await;
            Ok(())
        })
    }
}

/// A client that records nothing.
struct Bare {
    session: Session,
    trace: Trace,
    limits: Limits,
}

impl Bare {
    async fn call(&self, tool: &str, arguments: Map<String, Value>) -> Outcome<Value> {
        let meta = [
            ("loopiq/tenant", TENANT.to_owned()),
            ("loopiq/requestId", RequestId::new().to_string()),
            ("loopiq/workflow", "remediation-plan".to_owned()),
            ("traceparent", self.trace.span()),
        ];
        let meta = meta.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let call = ToolCall {
            tool: tool.to_owned(),
            arguments,
            meta,
            headers: BTreeMap::new(),
            secrets: BTreeMap::new(),
            tenant: None,
            varying: Vec::new(),
        };
        match self.session.call(&call, self.limits.call).await {
            Seen::Answer(answer) => Ok(answer.content().ok_or("an answer without content")?.into_owned()),
            other => Err(format!("{tool}: {other:?}").into()),
        }
    }
}

struct Silent;

impl Watch for Silent {
    fn appended(&self, _: &Event) {}
}

/// A ledger in a folder of its own, gone with it.
struct Fresh {
    ledger: Ledger,
    _folder: tempfile::TempDir,
}

impl Fresh {
    fn new(folder: &Path) -> Outcome<Self> {
        let folder = tempfile::tempdir_in(folder)?;
        Ok(Self { ledger: Ledger::create(&folder.path().join("ledger.db"))?, _folder: folder })
    }
}

/// A new sandbox in memory: a server that answers faster than any over a network, and never syncs.
fn sandbox() -> Result<Endpoint, String> {
    let sandbox = Sandbox::open(&Location::Memory).map_err(|error| error.to_string())?;
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move { sandbox.serve(theirs).await });
    Ok(Endpoint::Stream(ours))
}

/// A plan that the shipped program made against the embedded sandbox.
fn plan(folder: &Path) -> Outcome<v1::Document> {
    let plan = ["remediation-plan", "--server", "sandbox", "--tenant", TENANT, "--release", "REL-BLOCKED"];
    let planned = Command::new(env!("CARGO_BIN_EXE_loopgate")).current_dir(folder).args(plan).output()?;
    if !planned.status.success() {
        return Err(String::from_utf8_lossy(&planned.stderr).into());
    }
    document(folder)
}

fn document(folder: &Path) -> Outcome<v1::Document> {
    Ok(serde_json::from_slice(&fs_err::read(folder.join("loopgate-out/artifact.json"))?)?)
}

/// The drafts of a chain of `count` events: what a real run recorded, made into runs that the server refused.
fn drafts(real: &[Event], ledger: &str, count: usize) -> Outcome<Vec<Draft>> {
    let mut drafts = Vec::with_capacity(count);
    let mut number = 0;
    while drafts.len() < count {
        let run = format!("run {number}");
        let draft = |fact| Draft { at: Timestamp::now(), run: run.clone(), fact };
        drafts.extend(refused(real, ledger, number)?.into_iter().map(draft));
        number += 1;
    }
    drafts.truncate(count);
    Ok(drafts)
}

/// What run `number` records where its one write is refused; each run sends the next operation.
fn refused(real: &[Event], ledger: &str, number: usize) -> Outcome<Vec<Fact>> {
    let operations = real.iter().filter(|event| matches!(event.fact, Fact::Intent { .. })).count();
    let (round, place) =
        number.checked_div(operations).zip(number.checked_rem(operations)).ok_or("nothing was sent")?;
    let (attempt, mut facts, mut intents) = (u32::try_from(round + 1)?, Vec::new(), 0..);
    for event in real {
        match &event.fact {
            Fact::Opened { .. } | Fact::Recorded { .. } if number > 0 => {}
            Fact::Began(began) => {
                let mut began = began.clone();
                ledger.clone_into(&mut began.ledger);
                facts.push(Fact::Began(began));
            }
            Fact::Intent { key, approval_id, call, .. } if intents.next() == Some(place) => {
                let (key, approval_id, call) = (key.clone(), approval_id.clone(), call.clone());
                let message = "later".to_owned();
                let result = Came::NotApplied { refusal: RefusalKind::RateLimited, message };
                facts.push(Fact::Intent { key: key.clone(), attempt, approval_id, call, send_before: None });
                facts.push(Fact::Outcome { key, attempt, took_ms: 1, result });
            }
            Fact::Intent { .. } | Fact::Outcome { .. } | Fact::ReadBack { .. } => {}
            other => facts.push(other.clone()),
        }
    }
    Ok(facts)
}

/// How often this program syncs while it applies that many writes; none where nobody can count it.
fn traced(folder: &Path, writes: usize) -> Outcome<Option<usize>> {
    let log = folder.join("syncs");
    let ran = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&log)
        .arg(std::env::current_exe()?)
        .arg("count")
        .arg(folder)
        .arg(writes.to_string())
        .output();
    match ran {
        Ok(ran) if ran.status.success() => {
            let log = fs_err::read_to_string(&log)?;
            Ok(Some(log.lines().filter(|line| line.contains("sync(")).count()))
        }
        _ => Ok(None),
    }
}

/// What is counted: one apply, in a process of its own.
fn counted(folder: &Path, writes: usize) -> Outcome<()> {
    let case = Case::new(&document(folder)?, writes)?;
    case.apply(&runtime()?, &mut Fresh::new(folder)?.ledger, sandbox)
}

/// How long `count` syncs take, each after a page was written.
fn sync(folder: &Path, count: usize) -> Outcome<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let (time, ()) = timed(|| {
        for _ in 0..count {
            file.write_all(&[1; PAGE])?;
            file.sync_data()?;
        }
        Ok(())
    })?;
    Ok(time)
}
