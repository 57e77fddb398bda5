//! What a shared ledger carries: 64 appliers on 200 artifacts at once, beside `pgbench` adding the same rows.
//!
//! Run by hand where PostgreSQL is: `cargo bench --bench ledger`. Times are of this machine at this moment.

#[path = "../promises/cluster.rs"]
#[expect(clippy::unwrap_used, dead_code, reason = "the tests' own server, which they share and this is not")]
mod cluster;
#[expect(dead_code, reason = "what other benchmarks measure with")]
mod measure;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use loopgate::artifact::{Artifact, Plan, v1};
use loopgate::ledger::{
    Access, Address, Claim, Draft, Fact, Head, Holder, Ledger, LedgerError, LockError, State, Wait,
};
use serde_json::json;

use cluster::{Cluster, PASSWORD, RUNNER};
use measure::{Outcome, float, median, say};

const APPLIERS: usize = 64;
const ARTIFACTS: usize = 200;
/// What one apply adds to its chain, commit by commit, as the real one of one write does.
const COMMITS: [usize; 6] = [1, 1, 1, 1, 1, 1];

fn main() -> Outcome<()> {
    let Some(cluster) = Cluster::start("") else {
        return say("PostgreSQL is not there");
    };
    let database = cluster.database();
    let (owner, access) = address(&cluster.owner(&database))?;
    Ledger::found(&owner, &access)?;
    let url = format!("{}?connect_timeout=60", cluster.runner(&database));
    let artifacts = artifacts()?;
    let next = AtomicUsize::new(0);
    let (done, waited) = (Mutex::new(BTreeMap::<usize, usize>::new()), Mutex::new(Vec::new()));
    let begun = Instant::now();
    thread::scope(|scope| -> Outcome<()> {
        let appliers: Vec<_> = (0..APPLIERS)
            .map(|number| {
                let (url, artifacts, next, done, waited) = (&url, &artifacts, &next, &done, &waited);
                scope.spawn(move || {
                    applier(number, url, artifacts, next, done, waited).map_err(|error| format!("{error:?}"))
                })
            })
            .collect();
        for applier in appliers {
            applier.join().map_err(|_| "an applier panicked")??;
        }
        Ok(())
    })?;
    let took = begun.elapsed();
    let done = done.into_inner().map_err(|_| "poisoned")?;
    let (address, access) = address(&url)?;
    let verified = Ledger::connect(&address, &access)?.verify()?;
    let expected = ARTIFACTS * (COMMITS.len() + 1);
    if usize::try_from(verified.events)? != expected || usize::try_from(verified.chains)? != ARTIFACTS {
        return Err(
            format!("{} events in {} chains, not {expected}", verified.events, verified.chains).into()
        );
    }
    let rate = float(expected) / took.as_secs_f64();
    let shares: Vec<f64> = done.values().map(|count| float(*count)).collect();
    let waits = waited.into_inner().map_err(|_| "poisoned")?;
    say(&format!(
        "{APPLIERS} appliers, {ARTIFACTS} artifacts, each tried by every tenth: {expected} events, none twice, none lost"
    ))?;
    say(&format!(
        "artifacts for each applier: {} to {}, median {}; lock and first commit: median {:.1} ms, longest {:.1} ms",
        shares.iter().copied().fold(f64::INFINITY, f64::min),
        shares.iter().copied().fold(0.0, f64::max),
        median(shares.clone()),
        median(waits.clone()),
        waits.iter().copied().fold(0.0, f64::max),
    ))?;
    let bare = pgbench(&cluster, &database, expected)?;
    say(&format!(
        "loopgate {rate:.0} events/s, pgbench {bare:.0} inserts/s of the same rows: ratio {:.2}",
        bare / rate
    ))
}

/// Takes artifacts until there are none; every tenth it tries behind another applier, who has it or had it.
fn applier(
    number: usize,
    url: &str,
    artifacts: &[v1::Document],
    next: &AtomicUsize,
    done: &Mutex<BTreeMap<usize, usize>>,
    waited: &Mutex<Vec<f64>>,
) -> Outcome<()> {
    let (address, access) = address(url)?;
    let mut count = 0;
    loop {
        let at = next.fetch_add(1, Ordering::SeqCst);
        let Some(document) = artifacts.get(at) else { break };
        // As every run does, with a connection of its own.
        let mut ledger = Ledger::connect(&address, &access)?;
        let begun = Instant::now();
        count += usize::from(applied(number, &mut ledger, document, waited, begun)?);
        if at.is_multiple_of(10) {
            let again = artifacts.get(at.saturating_sub(1)).ok_or("no artifact")?;
            count += usize::from(applied(number, &mut ledger, again, waited, begun)?);
        }
    }
    done.lock().map_err(|_| "poisoned")?.insert(number, count);
    Ok(())
}

/// Records one apply, where nobody did; whether it was this one.
fn applied(
    number: usize,
    ledger: &mut Ledger,
    document: &v1::Document,
    waited: &Mutex<Vec<f64>>,
    begun: Instant,
) -> Outcome<bool> {
    let chain = &document.effect_digest;
    let holder = Holder {
        run: format!("applier {number}"),
        pid: std::process::id(),
        effect: chain.clone(),
        since: Timestamp::now(),
        host: None,
    };
    let lock = loop {
        match ledger.lock(&holder, &Claim::of(document), Wait::AtMost(Duration::from_secs(60))) {
            Ok(lock) => break lock,
            Err(LockError::Held(_)) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let state: State = ledger.state(chain)?;
    if state.head.is_some() {
        return Ok(false);
    }
    let opened = Fact::Opened { artifact: Box::new(document.clone()) };
    let mut head = append(ledger, document, None, vec![opened])?;
    waited.lock().map_err(|_| "poisoned")?.push(begun.elapsed().as_secs_f64() * 1e3);
    for (place, events) in COMMITS.iter().enumerate() {
        let facts = (0..*events).map(|_| recorded(document, place)).collect::<Outcome<Vec<_>>>()?;
        head = append(ledger, document, Some(&head), facts)?;
    }
    drop(lock);
    Ok(true)
}

fn append(
    ledger: &mut Ledger,
    document: &v1::Document,
    after: Option<&Head>,
    facts: Vec<Fact>,
) -> Result<Head, LedgerError> {
    let draft = |fact| Draft { at: Timestamp::now(), run: "a run".to_owned(), fact };
    let chain = &document.effect_digest;
    ledger.append(chain, after, facts.into_iter().map(draft).collect())?;
    ledger.state(chain)?.head.ok_or_else(|| LedgerError::Moved { chain: chain.clone() })
}

/// A record of about the size of an event between the first and the last.
fn recorded(document: &v1::Document, place: usize) -> Outcome<Fact> {
    use loopgate::approval::{Approver, Assurance, Decision, Draft, Filed, Record};
    let record = Record::new(Draft {
        effect_digest: document.effect_digest.clone(),
        file_digest: None,
        decision: Decision::Reject {},
        approver: Approver { name: format!("somebody {place}"), assurance: Assurance::Asserted },
        planner: None,
        policy_digest: None,
        reason: "measured".into(),
        time: Timestamp::now(),
        expires: None,
        platform: None,
    })?;
    Ok(Fact::Recorded { filed: Box::new(Filed { record, signature: None }) })
}

/// Plans of different subjects.
fn artifacts() -> Outcome<Vec<v1::Document>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let plan = ["remediation-plan", "--server", "sandbox", "--tenant", "acme", "--release", "REL-BLOCKED"];
    let planned =
        Command::new(env!("CARGO_BIN_EXE_loopgate")).current_dir(folder.path()).args(plan).output()?;
    if !planned.status.success() {
        return Err(String::from_utf8_lossy(&planned.stderr).into());
    }
    let bytes = fs_err::read(folder.path().join("loopgate-out/artifact.json"))?;
    let document: v1::Document = serde_json::from_slice(&bytes)?;
    let of = |number: usize| -> Outcome<v1::Document> {
        let mut plan = Plan::from(document.clone());
        plan.recipe.inputs.insert("release".to_owned(), json!(format!("REL-{number}")));
        for operation in &mut plan.operations {
            operation.arguments.insert("releaseId".to_owned(), json!(format!("REL-{number}")));
        }
        Ok(Artifact::build(plan)?.document().clone())
    };
    let all = (0..ARTIFACTS).map(of).collect::<Outcome<Vec<_>>>()?;
    let subjects: BTreeSet<_> = all.iter().map(|document| document.subject.to_string()).collect();
    if subjects.len() == ARTIFACTS { Ok(all) } else { Err("the artifacts are not apart".into()) }
}

fn address(url: &str) -> Outcome<(Address, Access)> {
    let address = Address::parse(url)?;
    let user = address.user().unwrap_or(RUNNER).to_owned();
    Ok((address, Access { user, password: Some(PASSWORD.into()), authorities: None }))
}

/// Inserts of rows of the same size a second, by as many clients.
fn pgbench(cluster: &Cluster, database: &str, rows: usize) -> Outcome<f64> {
    cluster.sql(
        database,
        "CREATE TABLE public.bare (LIKE loopgate.events INCLUDING ALL);
         CREATE TABLE public.sizes AS SELECT length(text) AS size FROM loopgate.events",
    );
    let size = cluster.sql(database, "SELECT round(avg(size)) FROM public.sizes");
    let script = cluster.folder.join("insert.sql");
    let sql = format!(
        "INSERT INTO public.bare (chain, sequence, digest, text) VALUES (gen_random_uuid()::text, 0, \
         gen_random_uuid()::text, repeat('x', {size}));\n"
    );
    loopgate::core::file::replace(&script, sql.as_bytes())?;
    let each = rows.div_ceil(APPLIERS).max(20);
    let ran = Command::new(cluster.programs.join("pgbench"))
        .args(["-n", "-M", "extended", "-c", &APPLIERS.to_string(), "-j", "4", "-t", &each.to_string(), "-f"])
        .arg(&script)
        .args(["-U", "postgres", "-p", &cluster.port.to_string(), "-h"])
        .arg(&cluster.folder)
        .arg(database)
        .output()?;
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let line = said.lines().find(|line| line.starts_with("tps = ")).ok_or(said.clone())?;
    let number = line.trim_start_matches("tps = ").split(' ').next().unwrap_or_default();
    Ok(number.parse()?)
}
