//! Reads, dry runs and writes are made with a credential each, and a run cannot load the one for writes.

use serde_json::json;

use crate::governed::{ARTIFACT, Governed, Keys};
use crate::guarded::Guarded;

const READS: [&str; 3] = ["who=reader", "tenants=acme", "may=read"];
const DRY_RUNS: [&str; 3] = ["who=rehearser", "tenants=acme", "may=read,dry_run"];
const WRITES: [&str; 3] = ["who=writer", "tenants=acme", "may=read,write"];

fn guarded(options: &[&str]) -> Guarded {
    let guarded = Guarded::with(options);
    let [reads, dry_runs] = [guarded.token("reads", &READS), guarded.token("dry-runs", &DRY_RUNS)];
    guarded.settings(|server| {
        server["token"] = reads;
        server["dry_run"] = json!({"token": dry_runs});
    });
    guarded
}

fn validated(guarded: &Guarded) -> (bool, String) {
    let operation = &guarded.folder.json(ARTIFACT)["operations"][0];
    let why = operation["server_validated_why"].as_str().unwrap().to_owned();
    (operation["server_validated"].as_bool().unwrap(), why)
}

#[test]
fn reads_dry_runs_and_writes_are_made_with_a_credential_each() {
    let guarded = guarded(&[]);
    let writes = guarded.token("writes", &WRITES);
    guarded.settings(|server| server["write"] = json!({"token": writes}));
    let before = guarded.held();
    let mut told = guarded.plan().exits(0).told();
    assert_eq!(validated(&guarded), (true, "the server confirmed a dry run".to_owned()));
    assert_eq!(guarded.held(), before);
    assert_eq!(
        guarded.callers(),
        [("reader".into(), None), ("rehearser".into(), None), ("rehearser".into(), Some(true))]
    );
    let id = guarded.approved();
    fs_err::remove_file(guarded.backstage.path().join("door.jsonl")).unwrap();
    fs_err::remove_file(guarded.folder.path().join("reads")).unwrap();
    told += &guarded.apply(&id).exits(0).told();
    assert_eq!(guarded.callers(), [("writer".into(), None), ("writer".into(), Some(false))]);
    assert_eq!(guarded.held().stories.len(), before.stories.len() + 1);
    guarded.nothing_shows(&told, &["dry-runs", "writes"]);
}

#[test]
fn a_run_does_not_load_the_credential_for_writes() {
    let guarded = guarded(&[]);
    for write in [json!({"token": {"file": "not-there"}}), json!({"token": {"environment": "NOT_SET"}})] {
        guarded.settings(|server| server["write"] = write);
        guarded.plan().exits(0);
        assert!(validated(&guarded).0);
        let id = guarded.approved();
        let told = guarded.apply(&id).exits(3).told();
        assert!(told.contains("the token of `guarded`"), "{told}");
    }
    // The program that gives it leaves a line when it is started.
    let write = guarded.by_command(&WRITES);
    guarded.settings(|server| server["write"] = json!({"token": write}));
    let writers = || guarded.minted().iter().filter(|claims| claims["sub"] == "writer").count();
    guarded.plan().exits(0);
    assert_eq!(writers(), 0);
    let id = guarded.approved();
    guarded.apply(&id).exits(0);
    assert_eq!(writers(), 1);
}

#[test]
fn a_dry_run_is_not_made_where_its_credential_is_refused_and_the_plan_says_why() {
    let guarded = guarded(&[]);
    for (options, says) in [
        (["who=rehearser", "tenants=acme", "may=nothing"], "the credential for dry runs may not"),
        (["who=rehearser", "tenants=acme", "may=read"], "the credential may not"),
        (["who=rehearser", "tenants=globex", "may=read,dry_run"], "the credential for dry runs may not"),
    ] {
        guarded.token("dry-runs", &options);
        guarded.plan().exits(0);
        let (is_validated, why) = validated(&guarded);
        assert!(!is_validated && why.contains(says), "{options:?}: {why}");
    }
    guarded.backstage.write("revoked", "rehearser\n");
    guarded.token("dry-runs", &DRY_RUNS);
    guarded.plan().exits(0);
    assert!(validated(&guarded).1.contains("HTTP status 401"), "{}", validated(&guarded).1);
    let before = guarded.callers();
    assert!(before.iter().all(|(_, dry)| *dry != Some(false)), "{before:?}");
}

#[test]
fn a_dry_run_is_not_made_where_its_credential_sees_other_tools() {
    let guarded = guarded(&["alters=rehearser"]);
    guarded.plan().exits(0);
    let (is_validated, why) = validated(&guarded);
    assert!(!is_validated && why.contains("is another tool than with the one for reads"), "{why}");
    assert!(guarded.callers().iter().all(|(_, dry)| dry.is_none()), "{:?}", guarded.callers());
}

#[test]
fn a_credential_that_nothing_is_tried_out_with_need_not_be_there() {
    let guarded = guarded(&[]);
    fs_err::remove_file(guarded.folder.path().join("dry-runs")).unwrap();
    guarded.folder.run(&["certify-release", "--release", "REL-READY"]).exits(0);
    let told = guarded.plan().exits(3).told();
    assert!(told.contains("dry-runs"), "{told}");
    // The second run called nothing.
    let calls = guarded.log().len();
    guarded.plan().exits(3);
    assert_eq!(guarded.log().len(), calls);
}

#[test]
fn a_program_is_started_with_the_variables_of_its_role() {
    let governed = Governed::with("", Keys::Honoured, false);
    governed.settings(|settings| {
        let server = &mut settings["servers"]["governed"];
        let shell = "echo got=$READS$DRY_RUNS$WRITES >> roles.log; exec \"$0\" \"$@\"";
        let mut arguments = vec![json!("-c"), json!(shell), server["command"].clone()];
        arguments.extend(server["arguments"].as_array().unwrap().iter().cloned());
        server["command"] = json!("sh");
        server["arguments"] = json!(arguments);
        server["environment"] = json!(["READS"]);
        server["dry_run"] = json!({"environment": ["DRY_RUNS"]});
        server["write"] = json!({"environment": ["WRITES"]});
    });
    let run = |arguments: &[&str]| {
        let mut command = governed.folder.command(arguments);
        let command = command.env("READS", "reader").env("DRY_RUNS", "rehearser").env("WRITES", "writer");
        assert_eq!(command.output().unwrap().status.code(), Some(0), "{arguments:?}");
    };
    run(&["remediation-plan", "--release", "REL-BLOCKED"]);
    assert_eq!(governed.folder.read("roles.log"), "got=reader\ngot=rehearser\n");
    let id = governed.approve("alice");
    run(&["apply", ARTIFACT, "--approval-id", &id]);
    assert_eq!(governed.folder.read("roles.log"), "got=reader\ngot=rehearser\ngot=writer\n");
}
