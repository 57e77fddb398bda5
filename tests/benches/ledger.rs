//! What a shared ledger carries: 64 appliers on 200 artifacts at once, beside `pgbench` adding the same rows.
//!
//! Run by hand where PostgreSQL is: `cargo bench --bench ledger`. Times are of this machine at this moment.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "most of it is the tests' own, which hold things as tests do and do more than is wanted here"
)]

#[path = "../promises/appliers.rs"]
mod appliers;
#[path = "../promises/cluster.rs"]
mod cluster;
#[path = "../promises/governed.rs"]
mod governed;
mod measure;
#[path = "../promises/served.rs"]
mod served;
#[path = "../promises/support.rs"]
mod support;

use std::process::Command;

use appliers::Appliers;
use cluster::Cluster;
use measure::{Outcome, float, say, timed};

const APPLIERS: usize = 64;
const ARTIFACTS: usize = 200;

fn main() -> Outcome<()> {
    let Some(cluster) = cluster::shared() else {
        return say("PostgreSQL is not there");
    };
    let appliers = Appliers::ready(cluster, ARTIFACTS);
    let (took, all) = timed(|| Ok(appliers.apply(APPLIERS, |_| true)))?;
    // Panics where anything is lost, there twice, or told in two ways.
    appliers.hold(&all);
    let events: usize = cluster.sql(&appliers.database, "SELECT count(*) FROM loopgate.events").parse()?;
    say(&format!(
        "{APPLIERS} processes at once, {ARTIFACTS} artifacts twice each: {} applies, {ARTIFACTS} effects, {events} events; \
         none lost, none twice, nothing unknown",
        all.len()
    ))?;
    say(&appliers.fairness(&all))?;
    let rate = float(events) / took.as_secs_f64();
    let bare = pgbench(cluster, &appliers.database, events)?;
    say(&format!(
        "{:.1} applies/s, {rate:.0} events/s; pgbench {bare:.0} inserts/s of the same rows: ratio {:.0}",
        float(all.len()) / took.as_secs_f64(),
        bare / rate
    ))
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
