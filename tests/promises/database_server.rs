//! What befalls the server of a ledger at any step of an apply: it is killed and started again, reads only, is full, and
//! is replaced by a standby.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use serde_json::json;

use crate::appliers::{approved_package, artifact, packages};
use crate::cluster::{Cluster, MAKE, PASSWORD, as_nobody};
use crate::database::{Shared, init, there};
use crate::database_lost::{Ended, Lost};
use crate::governed::{DATABASE, Governed, Keys};
use crate::support::{Folder, Ran};
use crate::wire::{Fault, Loss};

/// A cluster that something may befall; it is ended with the process.
fn own(cluster: Cluster) -> &'static Cluster {
    Box::leak(Box::new(cluster))
}

/// Lets that befall a server at every step of an apply, and mends it again.
fn befallen(
    lost: &Lost,
    befall: impl Fn() + Send + Sync + 'static,
    mend: impl Fn() + Sync,
) -> BTreeMap<Ended, usize> {
    let befall: Arc<dyn Fn(u32) + Send + Sync> = Arc::new(move |_| befall());
    lost.at_every_step(1, mend, |at, cut| Fault {
        at,
        cut,
        loss: Loss::Meanwhile(Arc::clone(&befall)),
        for_good: false,
    })
}

#[test]
fn a_server_that_is_killed_at_any_step_and_starts_again_loses_and_doubles_nothing() {
    if there().is_none() {
        return;
    }
    // In memory, where that may be: recovery waits for the disk of each of its files.
    let cluster = own(Cluster::small("512M").or_else(|| Cluster::start("")).unwrap());
    let lost = Lost::of(Shared::on(cluster, "", Keys::Honoured));
    let killed = move || {
        // Without a checkpoint: it recovers as after a crash.
        cluster.tell("QUIT");
        cluster.tell("start");
        cluster.wait();
    };
    let ends = befallen(&lost, killed, || ());
    assert!(ends.keys().any(|ended| ended.code == 0), "{ends:?}");
}

#[test]
fn a_server_that_takes_no_writes_any_more_from_any_step_on_loses_and_doubles_nothing() {
    if there().is_none() {
        return;
    }
    let cluster = own(Cluster::start("").unwrap());
    let lost = Lost::of(Shared::on(cluster, "", Keys::Honoured));
    let set = move |value: &str| {
        cluster.sql("postgres", &format!("ALTER SYSTEM SET default_transaction_read_only = {value}"));
        cluster.sql("postgres", "SELECT pg_reload_conf()");
        while cluster.sql("postgres", "SHOW default_transaction_read_only") != value {}
    };
    let ends = befallen(&lost, move || set("on"), || set("off"));
    assert!(ends.keys().any(|ended| ended.code == 40) && ends.keys().any(|ended| ended.left), "{ends:?}");
}

#[test]
fn a_disk_that_is_full_from_any_step_on_loses_and_doubles_nothing() {
    if there().is_none() {
        return;
    }
    // No package gives what a kernel forbids.
    let Some(cluster) = Cluster::small("160M") else {
        return eprintln!("skipped: this machine gives no disk of one's own (unshare, mount)");
    };
    let cluster = own(cluster);
    let ready = Shared::on(cluster, "", Keys::Honoured);
    // Every event then wants a page of its own.
    cluster.sql(&ready.database, "ALTER TABLE loopgate.events SET (fillfactor = 10)");
    let lost = Lost::of(ready);
    let ends = befallen(&lost, move || cluster.tell("fill"), || cluster.tell("free"));
    assert!(ends.keys().any(|ended| ended.code == 40) && ends.keys().any(|ended| ended.left), "{ends:?}");
}

/// A governed server whose ledger is in that database.
fn governed(cluster: &Cluster, database: &str, keys: Keys) -> Governed {
    let governed = Governed::with("", keys, true);
    governed.folder.set("PGPASSWORD", PASSWORD);
    governed.settings(|settings| settings["ledger"] = json!({ "at": cluster.runner(database) }));
    governed
}

#[test]
fn a_standby_is_refused_and_one_that_was_promoted_without_the_last_intents_is_found_by_a_head() {
    if there().is_none() {
        return;
    }
    let primary = Cluster::start("").unwrap();
    let database = primary.database();
    init(&Folder::new(), &primary, &database).exits(0);
    let (kept, forgetful) =
        (governed(&primary, &database, Keys::Honoured), governed(&primary, &database, Keys::Forgotten));
    kept.plan();
    let planned = kept.approve("alice");
    let once = approved_package(&kept.folder, "once");
    let twice = approved_package(&forgetful.folder, "twice");
    let apply = |governed: &Governed, name: &str, id: &str, more: &[&str]| -> Ran {
        governed.folder.run(&[&["apply", &artifact(name), "--approval-id", id], more].concat())
    };
    let count =
        |governed: &Governed, name: &str| packages(&governed.folder.path().join(DATABASE), name).len();
    let counts = || (count(&kept, "once"), count(&forgetful, "twice"));

    let standby = primary.standby();
    let there = standby.runner(&database);
    let refused = apply(&kept, "once", &once, &["--ledger", &there]).exits(40);
    assert!(refused.told().contains("it is a standby, which takes no writes"), "{}", refused.told());
    assert_eq!(counts(), (0, 0));

    // From here on it hears of nothing, and a moment later it is the server.
    standby.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
    standby.sql("postgres", "SELECT pg_reload_conf()");
    while primary.sql("postgres", "SELECT count(*) FROM pg_stat_replication") != "0" {}
    kept.apply(&planned, &[]).exits(0);
    apply(&kept, "once", &once, &[]).exits(0);
    apply(&forgetful, "twice", &twice, &[]).exits(0);
    let audit = kept.folder.json("once/audit.json");
    let head = audit["chain"]["head"].as_str().unwrap();
    primary.tell("QUIT");
    standby.sql("postgres", "SELECT pg_promote()");

    let behind = apply(&kept, "once", &once, &["--ledger", &there, "--expect-head", head]).exits(40);
    assert!(behind.told().contains(head), "{}", behind.told());
    assert_eq!(counts(), (1, 1));
    // Without one: what moved what it stands on is stale, and what did not is sent again.
    kept.apply(&planned, &["--ledger", &there]).exits(21);
    apply(&kept, "once", &once, &["--ledger", &there]).exits(0);
    let again = kept.folder.json("once/audit.json");
    assert_eq!(again["operations"][0]["created"], audit["operations"][0]["created"]);
    apply(&forgetful, "twice", &twice, &["--ledger", &there]).exits(0);
    assert_eq!(counts(), (1, 2));
}

impl Cluster {
    /// Starts one on a disk of that size, which can be filled; none where that takes more than may be done here.
    pub fn small(size: &str) -> Option<Self> {
        let may = as_nobody("unshare").args(["-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
        if !may.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let cluster = Self::made(MAKE, "", Some(size))?;
        cluster.has_a_runner();
        Some(cluster)
    }

    /// Starts a standby, which follows this one asynchronously and can be read.
    pub fn standby(&self) -> Self {
        let make = format!(
            r#""$1/pg_basebackup" -h '{}' -p {} -U postgres -R --checkpoint=fast --no-sync -D "$2/data""#,
            self.folder.display(),
            self.port
        );
        Self::made(&make, "", None).unwrap()
    }

    /// Has the keeper do something, and waits until it has: `start` the server, `fill` or `free` its disk; anything else
    /// is a signal for the server, such as `QUIT`, which ends it.
    pub fn tell(&self, word: &str) {
        writeln!(self.words.lock().unwrap().as_mut().unwrap().0, "{word}").unwrap();
        self.is_done();
    }
}
