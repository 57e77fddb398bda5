//! A ledger in PostgreSQL that many runners share: made, signed in to, and one at work on each thing at a time.

#![cfg(unix)]

use std::process::Stdio;

use serde_json::json;

use crate::cluster::{Cluster, PASSWORD, RUNNER, shared};
use crate::governed::{ARTIFACT, DATABASE, Governed, Keys, held};
use crate::support::{Folder, Ran, has};

/// A governed server whose ledger is in a database of its own.
pub struct Shared {
    pub cluster: &'static Cluster,
    pub database: String,
    pub governed: Governed,
    /// The approval of its plan.
    pub id: String,
}

impl Shared {
    /// Planned and approved, the ledger made; nothing where there is no PostgreSQL.
    pub fn ready(faults: &str, keys: Keys) -> Option<Self> {
        Some(Self::on(there()?, faults, keys))
    }

    /// The same on that cluster.
    pub fn on(cluster: &'static Cluster, faults: &str, keys: Keys) -> Self {
        let (governed, id) = Governed::ready(faults, keys);
        let database = cluster.database();
        init(&governed.folder, cluster, &database).exits(0);
        let url = cluster.runner(&database);
        governed.folder.set("PGPASSWORD", PASSWORD);
        governed.settings(|settings| settings["ledger"] = json!({ "at": url }));
        Self { cluster, database, governed, id }
    }

    pub fn apply(&self, more: &[&str]) -> Ran {
        self.governed.apply(&self.id, more)
    }

    /// A copy of the folder and the database, as they are.
    pub fn copied(&self) -> (Folder, String) {
        let folder = Folder::new();
        let from = self.governed.folder.path().join(".");
        let copy = std::process::Command::new("cp").arg("-a").arg(from).arg(folder.path()).status();
        assert!(copy.unwrap().success());
        folder.set("PGPASSWORD", PASSWORD);
        (folder, self.cluster.copy(&self.database))
    }
}

/// The cluster that tests share; said where it is not there.
pub fn there() -> Option<&'static Cluster> {
    let cluster = shared();
    has("PostgreSQL", cluster.is_some()).then_some(cluster).flatten()
}

pub fn init(folder: &Folder, cluster: &Cluster, database: &str) -> Ran {
    folder.run(&["ledger", "init", "--ledger", &cluster.owner(database)])
}

fn created(shared: &Shared) -> usize {
    let held = held(&shared.governed.folder.path().join(DATABASE));
    held.stories.iter().filter(|story| story.contains("Unblock") || story.contains("REL-BLOCKED")).count()
}

#[test]
fn a_plan_is_applied_once_and_accounted_for_by_a_ledger_in_a_database() {
    let Some(shared) = Shared::ready("", Keys::Honoured) else { return };
    let folder = &shared.governed.folder;
    let before = created(&shared);
    let ran = shared.apply(&[]).exits(0);
    assert!(ran.stdout.contains("Executed"), "{}", ran.stdout);
    assert_eq!(created(&shared), before + 1);
    let bytes = folder.read("loopgate-out/audit.json");
    shared.apply(&[]).exits(0);
    assert_eq!(created(&shared), before + 1);
    assert_eq!(folder.read("loopgate-out/audit.json"), bytes, "the same head gives the same bytes");
    folder.run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
    let verified = folder.run(&["ledger", "verify", "--format", "json"]).exits(0).json();
    assert_eq!(verified["chains"], 1);
    let counted = folder.run(&["ledger", "status", "--format", "json"]).exits(0).json();
    assert_eq!(counted["open_intents"], 0);
    assert_eq!(counted["tools"]["loopiq_create_remediation_work_package"]["applied"], 1);
    assert_eq!(counted["warning"], serde_json::Value::Null);
    let owner = shared.cluster.owner(&shared.database);
    let owned = folder.run(&["ledger", "status", "--ledger", &owner]).exits(0);
    assert!(owned.stdout.contains("may change and remove events"), "{}", owned.stdout);
    let log = folder.run(&["ledger", "log"]).exits(0);
    assert!(log.stdout.contains("intent") && log.stdout.contains("outcome"), "{}", log.stdout);
    let status = folder.run(&["status", ARTIFACT]).exits(0);
    assert!(status.stdout.contains("Executed"), "{}", status.stdout);
}

#[test]
fn every_intent_says_until_when_it_may_be_sent_and_every_run_by_which_key_it_signs() {
    let Some(shared) = Shared::ready("", Keys::Honoured) else { return };
    shared.apply(&[]).exits(0);
    let sql = |of: &str, kind: &str| {
        let sql = format!(
            "SELECT {of} FROM loopgate.events, LATERAL (SELECT text::jsonb AS event) AS parsed
             WHERE event #>> '{{fact,kind}}' = '{kind}'"
        );
        shared.cluster.sql(&shared.database, &sql)
    };
    let within = "(event #>> '{fact,send_before}')::timestamptz - (event ->> 'at')::timestamptz";
    assert_eq!(sql(&format!("{within} BETWEEN '25 s' AND '35 s'"), "intent"), "t");
    assert_eq!(sql("length(event #>> '{fact,outcome_key}')", "began"), "64");
}

#[test]
fn init_makes_the_least_role_once_and_a_runner_can_only_add() {
    let Some(cluster) = there() else { return };
    let folder = Folder::new();
    let database = cluster.database();
    let ran = init(&folder, cluster, &database).exits(0);
    assert!(ran.stdout.starts_with("lgl-"), "{}", ran.stdout);
    assert!(ran.stderr.contains("`loopgate_runner`"), "{}", ran.stderr);
    let again = init(&folder, cluster, &database).exits(40);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    let granted = "SELECT table_name || ' ' || string_agg(privilege_type, ',' ORDER BY privilege_type)
        FROM information_schema.role_table_grants WHERE grantee = 'loopgate_runner' GROUP BY table_name ORDER BY 1";
    assert_eq!(
        cluster.sql(&database, granted),
        "epochs INSERT,SELECT\nevents INSERT,SELECT\nmeta SELECT\nmigrations SELECT"
    );
    // Not even the owner changes anything by a slip.
    for table in ["events", "epochs", "meta"] {
        for sql in [format!("DELETE FROM loopgate.{table}"), format!("TRUNCATE loopgate.{table}")] {
            let refused = cluster.psql(&database, &sql);
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(said.contains("only ever added to"), "{sql}: {said}");
        }
    }
    // A runner makes none, and is told what is missing.
    let none = cluster.database();
    folder.set("PGPASSWORD", PASSWORD);
    let url = cluster.runner(&none);
    let missing = folder.run(&["ledger", "verify", "--ledger", &url]).exits(40);
    assert!(missing.stderr.contains("ledger init"), "{}", missing.stderr);
    folder.run(&["ledger", "init", "--ledger", &url]).exits(40);
    assert!(missing.stderr.contains(&none) && !missing.stderr.contains(PASSWORD));
}

#[test]
fn a_password_comes_from_postgresqls_own_places_and_a_wrong_one_is_not_said() {
    let Some(cluster) = there() else { return };
    let folder = Folder::new();
    let database = cluster.database();
    init(&folder, cluster, &database).exits(0);
    let url = cluster.runner(&database);
    let verify = ["ledger", "verify", "--ledger", url.as_str()];
    let with = |name: &str, value: &str| -> Ran {
        folder.command(&verify).env(name, value).output().unwrap().into()
    };
    with("PGPASSWORD", PASSWORD).exits(0);
    let wrong = with("PGPASSWORD", "not-the-password").exits(40);
    assert!(!wrong.told().contains("not-the-password"));
    let file = folder.write("passwords", format!("127.0.0.1:*:{database}:{RUNNER}:{PASSWORD}\n"));
    let shared_with_all = with("PGPASSFILE", file.to_str().unwrap()).exits(3);
    assert!(shared_with_all.told().contains("chmod 600") && !shared_with_all.told().contains(PASSWORD));
    let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs_err::set_permissions(&file, own).unwrap();
    with("PGPASSFILE", file.to_str().unwrap()).exits(0);
    let in_url = url.replacen('@', ":secret-word@", 1);
    let refused = folder.run(&["ledger", "verify", "--ledger", &in_url]).exits(2);
    assert!(!refused.told().contains("secret-word"));
    // Its own certificate is nobody's that this machine trusts, and without one it is not spoken to.
    let tls = format!("{url}?sslmode=verify-full");
    folder.set("PGPASSWORD", PASSWORD);
    folder.run(&["ledger", "verify", "--ledger", &tls]).exits(40);
    folder.run(&["ledger", "verify", "--ledger", &format!("{url}?sslmode=require")]).exits(2);
}

#[test]
fn of_many_runners_on_one_artifact_one_writes_and_all_report_the_same() {
    let Some(shared) = Shared::ready("slow:300", Keys::Honoured) else { return };
    let before = created(&shared);
    let runners: Vec<_> = (0..6)
        .map(|runner| {
            let audit = format!("audit-{runner}.json");
            let apply = ["apply", ARTIFACT, "--approval-id", &shared.id, "--wait", "100s", "--audit", &audit];
            let mut process = shared.governed.folder.process(env!("CARGO_BIN_EXE_loopgate"));
            process.args(apply).env("PGPASSWORD", PASSWORD).stdout(Stdio::piped()).stderr(Stdio::piped());
            (audit, process.spawn().unwrap())
        })
        .collect();
    let mut reports = Vec::new();
    for (audit, runner) in runners {
        Ran::from(runner.wait_with_output().unwrap()).exits(0);
        reports.push(shared.governed.folder.read(&audit));
    }
    assert!(reports.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(created(&shared), before + 1);
}

#[test]
fn a_runner_keeps_others_from_its_effect_and_its_subject_and_from_nothing_else() {
    let Some(shared) = Shared::ready("", Keys::Honoured) else { return };
    let folder = &shared.governed.folder;
    let url = shared.cluster.runner(&shared.database);
    let plan = |out: &str, more: &[&str]| {
        let arguments =
            [["remediation-plan", "--release", "REL-BLOCKED", "--out", out].as_slice(), more].concat();
        folder.run(&arguments).exits(0);
        let artifact = format!("{out}/artifact.json");
        let id = crate::governed::approve(folder, &artifact, "alice");
        (artifact, id)
    };
    let same_subject = plan("two", &["--occurrence", "2"]);
    let other = plan("three", &["--owner", "another team"]);
    // Whoever holds it is at work for as long as this test wants.
    let ledger = ledger(&url);
    let document: loopgate::artifact::v1::Document = serde_json::from_str(&folder.read(ARTIFACT)).unwrap();
    let claim = loopgate::ledger::Claim::of(&document);
    let holder = loopgate::ledger::Holder {
        run: "the run of a test".into(),
        pid: 7,
        effect: document.effect_digest.clone(),
        since: jiff::Timestamp::now(),
        host: Some("runner-1".into()),
    };
    let lock = ledger.lock(&holder, &claim, loopgate::ledger::Wait::No).unwrap();
    let busy = shared.apply(&[]).exits(42);
    assert!(busy.told().contains("runner-1"), "{}", busy.told());
    let status = folder.run(&["status", ARTIFACT]).exits(0);
    assert!(status.told().contains("runner-1"), "{}", status.told());
    folder.run(&["apply", &same_subject.0, "--approval-id", &same_subject.1]).exits(42);
    folder.run(&["apply", &other.0, "--approval-id", &other.1]).exits(0);
    drop(lock);
    // Nobody is in the way any more; what the other one made is.
    shared.apply(&[]).exits(21);
    folder.run(&["apply", &same_subject.0, "--approval-id", &same_subject.1]).exits(21);
}

/// The ledger as a runner opens it.
pub fn ledger(url: &str) -> loopgate::ledger::Ledger {
    let address = loopgate::ledger::Address::parse(url).unwrap();
    let access =
        loopgate::ledger::Access { user: RUNNER.into(), password: Some(PASSWORD.into()), authorities: None };
    loopgate::ledger::Ledger::connect(&address, &access).unwrap()
}
