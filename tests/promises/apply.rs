//! Approve, apply once, account for it: on the embedded sandbox, and on one of its own with faults before it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::governed::{ARTIFACT, Governed, Keys, LEDGER, approve, held};
use crate::support::Folder;

/// A plan for the embedded sandbox, approved by alice.
fn sandboxed() -> (Folder, String) {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    let id = approve(&folder, ARTIFACT, "alice");
    (folder, id)
}

fn outcome(audit: &Value) -> &str {
    audit["operations"][0]["outcome"].as_str().unwrap()
}

/// The number of stories that applying makes.
const MADE: usize = 1;

#[test]
fn an_approved_plan_is_applied_once_and_accounted_for() {
    let (folder, id) = sandboxed();
    let database = folder.path().join(".loopgate/sandbox.db");
    let before = held(&database);
    let ran = folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
    assert!(ran.stdout.contains("Executed") && ran.stdout.contains("embedded sandbox"), "{}", ran.stdout);
    let after = held(&database);
    assert_eq!(after.stories.len(), before.stories.len() + MADE);

    let audit = folder.json("loopgate-out/audit.json");
    assert_eq!(audit["format"], "loopgate.audit/1");
    assert_eq!(outcome(&audit), "applied");
    assert_eq!(audit["operations"][0]["replayed"], json!(false));
    assert_eq!(audit["approvals"][0]["id"], json!(id));
    let created = audit["operations"][0]["created"].as_array().unwrap();
    assert_eq!(created.len(), after.tasks.len() - before.tasks.len() + MADE);
    let attempts = audit["operations"][0]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0]["approval_id"], json!(id));
    folder.run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);

    // Again, and again where nothing but the ledger is left.
    let bytes = folder.read("loopgate-out/audit.json");
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
    assert_eq!(folder.read("loopgate-out/audit.json"), bytes, "the same head gives the same bytes");
    fs_err::remove_dir_all(folder.path().join("loopgate-out/approvals")).unwrap();
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
    assert_eq!(held(&database), after);
    let report = folder.run(&["audit", "report", ARTIFACT]).exits(0);
    assert_eq!(report.stdout.trim_end(), bytes);
}

#[test]
fn no_write_without_an_approval_that_verifies() {
    let governed = Governed::new("");
    governed.plan();
    let before = governed.held();
    let good = governed.approve("alice");
    let self_made = "lga1-0000000000000000000000000000000000000000000000000000000000000000";
    for id in [self_made, "APR-1", "", "../../etc/passwd", &good[..20]] {
        governed.apply(id, &[]).exits(20);
    }
    // An approval of A used on B.
    governed
        .folder
        .run(&["remediation-plan", "--release", "REL-BLOCKED", "--occurrence", "2", "--out", "two"])
        .exits(0);
    let other = approve(&governed.folder, "two/artifact.json", "alice");
    let both = governed.folder.path().join("two/approvals");
    let both = both.to_str().unwrap();
    governed.apply(&other, &["--approvals", both]).exits(20);
    // A policy that wants more than there is.
    governed.settings(|settings| settings["policy"]["approvals"]["minimum"] = json!(2));
    governed.apply(&good, &[]).exits(20);
    governed.settings(|settings| settings["policy"]["approvals"] = json!({"accept": ["signed"]}));
    governed.apply(&good, &[]).exits(20);
    // No policy at all: only the sandbox, and it says what to write.
    governed.settings(|settings| {
        settings.as_object_mut().unwrap().remove("policy");
    });
    let ran = governed.apply(&good, &[]).exits(20);
    assert!(ran.stderr.contains("policy"), "{}", ran.stderr);
    // A record that was changed after it was given.
    let path = format!("loopgate-out/approvals/{good}.json");
    let forged = governed.folder.read(&path).replace("\"alice\"", "\"carol\"");
    governed.folder.write(&path, forged);
    governed.apply(&good, &[]).exits(22);
    assert_eq!(governed.held(), before);
    assert!(!governed.folder.exists("memory"), "something was sent");
}

#[test]
fn apply_sends_what_was_approved() {
    let (governed, id) = Governed::ready("tells", Keys::Honoured);
    governed.apply(&id, &[]).exits(0);
    let operation = governed.folder.json(ARTIFACT)["operations"][0].clone();
    let mut expected = operation["arguments"].clone();
    expected["dryRun"] = json!(false);
    expected["approvalId"] = json!(id);
    expected["idempotencyKey"] = operation["idempotency_key"].clone();
    let sent = governed.folder.json("sent.json");
    assert_eq!(sent, expected);
    let payload = loopgate::core::Digest::of_foreign_json("loopgate.payload/1", &sent);
    let attempt = &governed.audit()["operations"][0]["attempts"][0];
    assert_eq!(attempt["payload"], json!(payload));
}

#[test]
fn the_intent_is_recorded_before_the_first_byte_leaves() {
    let (governed, id) = Governed::ready("tells", Keys::Honoured);
    governed.apply(&id, &[]).exits(0);
    let log = governed.folder.read("log-when-sent.json");
    assert!(log.contains("\"intent\"") && !log.contains("\"outcome\""), "{log}");
}

#[test]
fn run_says_what_the_ledger_holds_as_applied() {
    let (folder, id) = sandboxed();
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
    // As it was before the package: the same is planned again.
    fs_err::remove_file(folder.path().join(".loopgate/sandbox.db")).unwrap();
    let ran = folder.sandbox("remediation-plan", "REL-BLOCKED", &["--out", "again"]).exits(0);
    // The ID is longer than a line.
    let said = ran.stdout.split_whitespace().collect::<String>();
    assert!(said.contains("tookplacealready") && said.contains(&id), "{said}");
    assert_eq!(folder.json("again/run.json")["applied_before"][0]["approval_id"], json!(id));
}

#[test]
fn a_half_finished_apply_goes_on_under_an_approval_that_holds() {
    let governed = Governed::new("refuse:2");
    governed.plan();
    governed.double();
    let first = governed.approve("alice");
    governed.apply(&first, &[]).exits(30);
    let outcomes = |governed: &Governed| -> Vec<String> {
        let audit = governed.audit();
        let operations = audit["operations"].as_array().unwrap();
        operations.iter().map(|operation| operation["outcome"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(outcomes(&governed), ["applied", "not-applied"]);
    let half = governed.held();
    governed.folder.run(&["revoke", &first, "--as", "carol", "--reason", "stop"]).exits(0);
    governed.apply(&first, &[]).exits(23);
    assert_eq!(governed.held(), half);
    let renewed = governed.approve("bob");
    governed.apply(&renewed, &[]).exits(0);
    assert_eq!(outcomes(&governed), ["applied", "applied"]);
    assert_eq!(governed.held().stories.len(), half.stories.len() + MADE);
    let attempts = governed.audit()["operations"][1]["attempts"].clone();
    assert_eq!(attempts.as_array().unwrap().len(), 2);
    assert_eq!(attempts[1]["approval_id"], json!(first), "every attempt carries the ID of the first");
}

#[test]
fn a_plan_that_has_begun_is_not_stopped_by_what_it_moved_itself() {
    let governed = Governed::new("refuse:2");
    governed.plan();
    governed.double();
    let id = governed.approve("alice");
    governed.apply(&id, &[]).exits(30);
    // The open work that the first operation made is a precondition of the plan.
    governed.apply(&id, &[]).exits(0);
}

#[test]
fn the_planners_own_approval_is_none() {
    let folder = Folder::new();
    let plan = ["remediation-plan", "--server", "sandbox", "--tenant", "acme", "--release", "REL-BLOCKED"];
    let planned = folder.command(&plan).env("USER", "alice").output().unwrap();
    assert_eq!(planned.status.code(), Some(0));
    let own = approve(&folder, ARTIFACT, " Alice ");
    folder.run(&["apply", ARTIFACT, "--approval-id", &own]).exits(20);
    let others = approve(&folder, ARTIFACT, "bob");
    folder.run(&["apply", ARTIFACT, "--approval-id", &others]).exits(0);
}

#[test]
fn a_revocation_wins_and_stays() {
    let (folder, id) = sandboxed();
    folder.run(&["revoke", &id, "--as", "carol", "--reason", "not yet"]).exits(0);
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(23);
    // The file is taken away again; the ledger remembers.
    for entry in fs_err::read_dir(folder.path().join("loopgate-out/approvals")).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_str().unwrap().contains(&id) {
            fs_err::remove_file(path).unwrap();
        }
    }
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(23);
    // One second later it is another record.
    std::thread::sleep(Duration::from_millis(1100));
    let renewed = approve(&folder, ARTIFACT, "alice");
    assert_ne!(renewed, id);
    folder.run(&["apply", ARTIFACT, "--approval-id", &renewed]).exits(0);
}

#[test]
fn what_is_rejected_is_not_applied_by_any_approval() {
    let (folder, id) = sandboxed();
    folder.run(&["reject", ARTIFACT, "--as", "carol", "--reason", "wrong team"]).exits(0);
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(23);
    let status = folder.run(&["status", ARTIFACT]).exits(0);
    assert!(status.stdout.contains("Rejected"), "{}", status.stdout);
}

#[test]
fn the_trust_settings_revoke_too() {
    let (governed, id) = Governed::ready("", Keys::Honoured);
    governed.settings(|settings| settings["revoked"] = json!([id]));
    governed.apply(&id, &[]).exits(23);
    assert!(!governed.folder.exists("memory"));
}

#[test]
fn a_stale_plan_is_refused_and_explained() {
    let (folder, id) = sandboxed();
    let database = folder.path().join(".loopgate/sandbox.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    let changed = connection
        .execute("UPDATE nodes SET status = 'passed' WHERE status = 'failed' AND tenant_id = 'acme'", [])
        .unwrap();
    assert!(changed > 0);
    let before = held(&database);
    let ran = folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(21);
    assert!(ran.stderr.contains("failed") && ran.stderr.contains("passed"), "{}", ran.stderr);
    assert_eq!(held(&database), before);
}

#[test]
fn a_tool_that_changed_after_the_approval_is_not_called() {
    let (governed, id) = Governed::ready("swap-tools", Keys::Honoured);
    governed.folder.write("memory.swap", "");
    let ran = governed.apply(&id, &[]).exits(21);
    assert!(ran.stderr.contains("another tool"), "{}", ran.stderr);
    assert!(!governed.folder.exists("memory"));
}

#[test]
fn an_artifact_for_another_server_or_tenant_is_refused() {
    let (governed, id) = Governed::ready("", Keys::Honoured);
    governed.apply(&id, &["--server", "sandbox"]).exits(21);
    governed.settings(|settings| settings["servers"]["governed"]["tenant"] = json!("globex"));
    governed.apply(&id, &[]).exits(51);
    assert!(!governed.folder.exists("memory"));
}

#[test]
fn what_the_artifact_says_of_a_tool_counts_only_as_far_as_the_profile_says_it() {
    let (governed, id) = Governed::ready("", Keys::Honoured);
    let text = loopgate::catalog::Profile::shipped("loopiq").unwrap();
    governed.folder.write("strict.yaml", text.replace("one_transaction: true", "one_transaction: false"));
    governed.settings(|settings| settings["servers"]["governed"]["profile"] = json!("strict.yaml"));
    governed.apply(&id, &[]).exits(21);
    assert!(!governed.folder.exists("memory"));
}

#[test]
fn a_lost_answer_is_settled_under_the_same_key() {
    let (honest, id) = Governed::ready("", Keys::Honoured);
    honest.apply(&id, &[]).exits(0);
    let expected = honest.held();
    for fault in ["cut:none", "cut:headers", "cut:half", "cut:last", "swallow", "in-progress:2"] {
        let (governed, id) = Governed::ready(fault, Keys::Honoured);
        governed.apply(&id, &[]).exits(0);
        assert_eq!(governed.held(), expected, "{fault}");
        let audit = governed.audit();
        assert_eq!(outcome(&audit), "applied", "{fault}");
        let attempts = audit["operations"][0]["attempts"].as_array().unwrap();
        assert!(attempts.len() > 1, "{fault}");
        assert!(attempts.iter().all(|attempt| attempt["approval_id"] == json!(id)));
    }
}

#[test]
fn without_a_key_a_lost_answer_needs_a_person() {
    for fault in ["cut:none", "cut:headers", "cut:half", "cut:last", "swallow"] {
        let (governed, id) = Governed::ready(fault, Keys::Forgotten);
        let before = governed.held();
        let ran = governed.apply(&id, &[]).exits(31);
        assert!(ran.stderr.contains("loopgate reconcile"), "{}", ran.stderr);
        governed.apply(&id, &[]).exits(31);
        governed.folder.run(&["reconcile", ARTIFACT]).exits(31);
        let made = governed.held().stories.len() - before.stories.len();
        assert_eq!(made, usize::from(fault != "swallow"), "{fault}");
        assert_eq!(outcome(&governed.audit()), "unknown");
        let status = governed.folder.run(&["status", ARTIFACT]).exits(0);
        assert!(status.stdout.contains("Approved (outcome unknown)"), "{}", status.stdout);

        let resolve = |how: &str, more: &[&str]| {
            let words = [
                "reconcile",
                ARTIFACT,
                "--op",
                "package",
                "--resolve",
                how,
                "--reason",
                "looked",
                "--as",
                "bob",
            ];
            governed.folder.run(&[words.as_slice(), more].concat())
        };
        if fault == "swallow" {
            resolve("not-applied", &[]).exits(0);
            governed.apply(&id, &[]).exits(0);
            assert_eq!(governed.held().stories.len() - before.stories.len(), MADE);
        } else {
            resolve("applied", &[]).exits(0);
            governed.apply(&id, &[]).exits(0);
            assert_eq!(governed.held().stories.len() - before.stories.len(), MADE, "{fault}");
        }
        assert_eq!(outcome(&governed.audit()), "applied");
        governed.folder.run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
    }
}

#[test]
fn a_server_that_stays_at_work_leaves_the_outcome_unknown() {
    let (governed, id) = Governed::ready("in-progress:1000", Keys::Honoured);
    governed.settings(|settings| settings["servers"]["governed"]["time_limits"]["call"] = json!("2s"));
    governed.apply(&id, &[]).exits(31);
    assert_eq!(outcome(&governed.audit()), "unknown");
}

#[test]
fn a_conflict_under_the_key_is_explained() {
    let (governed, id) = Governed::ready("conflict", Keys::Honoured);
    let ran = governed.apply(&id, &[]).exits(30);
    assert!(ran.stderr.contains("another payload"), "{}", ran.stderr);
    assert_eq!(outcome(&governed.audit()), "not-applied");
}

#[test]
fn an_answer_that_is_no_answer_is_unknown() {
    for fault in ["says-dry-run", "internal-error", "cut:half,always"] {
        let (governed, id) = Governed::ready(fault, Keys::Honoured);
        governed.apply(&id, &[]).exits(31);
        assert_eq!(outcome(&governed.audit()), "unknown", "{fault}");
    }
}

#[test]
fn what_was_written_is_read_back_and_compared() {
    for fault in ["other-titles", "not-found", "names-nothing"] {
        let (governed, id) = Governed::ready(fault, Keys::Honoured);
        governed.apply(&id, &[]).exits(33);
        assert_eq!(outcome(&governed.audit()), "applied", "{fault}");
        // Nothing is sent again for it.
        governed.apply(&id, &[]).exits(33);
        assert_eq!(
            governed.folder.read("memory").lines().filter(|line| *line == "sent").count(),
            1,
            "{fault}"
        );
    }
}

#[test]
fn apply_makes_the_dry_run_that_the_plan_did_not() {
    for (faults, code) in [("", 0), ("dry-unconfirmed", 31), ("dry-dies", 31)] {
        let governed = Governed::with(faults, Keys::Honoured, false);
        governed.plan();
        assert_eq!(governed.folder.json(ARTIFACT)["operations"][0]["server_validated"], json!(false));
        let id = governed.approve("alice");
        governed.apply(&id, &[]).exits(code);
        assert_eq!(governed.folder.exists("memory"), code == 0, "{faults}");
    }
}

#[test]
fn two_plans_for_one_subject_do_not_pass_each_other_while_one_is_unknown() {
    let (governed, id) = Governed::ready("cut:half", Keys::Forgotten);
    // Planned before: afterwards the open work covers everything.
    governed
        .folder
        .run(&["remediation-plan", "--release", "REL-BLOCKED", "--occurrence", "2", "--out", "two"])
        .exits(0);
    governed.apply(&id, &[]).exits(31);
    let held = governed.held();
    let planned = governed.folder.json("two/artifact.json");
    assert_ne!(planned["effect_digest"], governed.folder.json(ARTIFACT)["effect_digest"]);
    assert_eq!(planned["subject"], governed.folder.json(ARTIFACT)["subject"]);
    let other = approve(&governed.folder, "two/artifact.json", "alice");
    governed.folder.run(&["apply", "two/artifact.json", "--approval-id", &other]).exits(31);
    assert_eq!(governed.held(), held);
}

#[test]
fn the_same_write_planned_anew_is_not_made_again() {
    let (folder, id) = sandboxed();
    let database = folder.path().join(".loopgate/sandbox.db");
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
    let after = held(&database);
    // The same operation under another effect: what the plan stands on is something else.
    let mut artifact: loopgate::artifact::Plan =
        serde_json::from_str::<loopgate::artifact::v1::Document>(&folder.read(ARTIFACT)).unwrap().into();
    artifact.preconditions.clear();
    let again = loopgate::artifact::Artifact::build(artifact).unwrap();
    folder.write("again/artifact.json", again.bytes());
    let other = approve(&folder, "again/artifact.json", "alice");
    folder.run(&["apply", "again/artifact.json", "--approval-id", &other]).exits(0);
    assert_eq!(held(&database), after);
    let audit = folder.json("again/audit.json");
    assert_eq!(outcome(&audit), "applied");
    assert_eq!(audit["operations"][0]["attempts"], json!([]));
    assert_eq!(
        audit["operations"][0]["created"],
        folder.json("loopgate-out/audit.json")["operations"][0]["created"]
    );
}

#[cfg(unix)]
#[test]
fn a_signal_lets_the_running_write_end_and_sends_no_other() {
    for (slow, code, expected) in [("slow:1500", 143, "applied"), ("slow:9000", 31, "unknown")] {
        let (governed, id) = Governed::ready(slow, Keys::Honoured);
        let mut child = governed
            .folder
            .process(env!("CARGO_BIN_EXE_loopgate"))
            .args(["apply", ARTIFACT, "--approval-id", &id])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !governed.folder.exists("memory") {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing was sent");
            std::thread::sleep(Duration::from_millis(20));
        }
        let killed =
            std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let ended = child.wait().unwrap();
        let code = if expected == "applied" && ended.code() == Some(0) { 0 } else { code };
        assert_eq!(ended.code(), Some(code), "{slow}");
        assert_eq!(outcome(&governed.audit()), expected, "{slow}");
    }
}

#[test]
fn many_runners_at_once_make_one_effect() {
    let (governed, id) = Governed::ready("slow:300", Keys::Honoured);
    let before = governed.held();
    let runners: Vec<_> = (0..6)
        .map(|number| {
            governed
                .folder
                .process(env!("CARGO_BIN_EXE_loopgate"))
                .args(["apply", ARTIFACT, "--approval-id", &id, "--audit", &format!("audit-{number}.json")])
                .args(if number < 2 { ["--wait", "60s"].as_slice() } else { &[] })
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let codes: Vec<_> =
        runners.into_iter().map(|mut runner| runner.wait().unwrap().code().unwrap()).collect();
    assert!(codes.iter().all(|code| matches!(code, 0 | 42)), "{codes:?}");
    assert!(codes[..2].iter().all(|code| *code == 0), "who waits is told the same: {codes:?}");
    assert_eq!(governed.held().stories.len() - before.stories.len(), MADE);
    let sent = governed.folder.read("memory");
    assert_eq!(sent.lines().filter(|line| *line == "sent").count(), 1);
}

#[test]
fn a_ledger_that_was_swapped_for_an_older_copy_is_refused() {
    for keys in [Keys::Honoured, Keys::Forgotten] {
        let (governed, id) = Governed::ready("", keys);
        governed.folder.run(&["ledger", "init"]).exits(0);
        let older = fs_err::read(governed.folder.path().join(LEDGER)).unwrap();
        governed.apply(&id, &[]).exits(0);
        let held = governed.held();
        let head = governed.audit()["chain"]["head"].as_str().unwrap().to_owned();
        for extra in ["-wal", "-shm"] {
            let _ = fs_err::remove_file(governed.folder.path().join(format!("{LEDGER}{extra}")));
        }
        governed.folder.write(LEDGER, older);
        governed.apply(&id, &["--expect-head", &head]).exits(40);
        assert_eq!(governed.held(), held);
        if keys == Keys::Honoured {
            // Without a head nobody can tell, but the server knows the key.
            let stale = governed.apply(&id, &[]);
            assert!(matches!(stale.code, 0 | 21), "{}", stale.stderr);
            assert_eq!(governed.held(), held);
        }
    }
}

#[test]
fn in_ci_the_ledger_is_named_and_never_made() {
    let (folder, id) = sandboxed();
    let apply = |more: &[&str]| {
        let words = [["apply", ARTIFACT, "--approval-id", &id].as_slice(), more].concat();
        folder.command(&words).env("CI", "true").output().unwrap().status.code().unwrap()
    };
    assert_eq!(apply(&["--ledger", "sqlite:named.db"]), 3, "the sandbox has to be named, too");
    assert_eq!(apply(&["--server", "sandbox"]), 40);
    assert_eq!(apply(&["--server", "sandbox", "--ledger", "sqlite:named.db"]), 40);
    folder.run(&["ledger", "init", "--ledger", "sqlite:named.db"]).exits(0);
    assert_eq!(apply(&["--server", "sandbox", "--ledger", "sqlite:named.db"]), 0);
}

#[test]
fn the_report_is_left_on_every_exit_after_the_lock() {
    let (governed, id) = Governed::ready("conflict", Keys::Honoured);
    governed.apply("APR-none", &["--audit", "one.json"]).exits(20);
    assert_eq!(governed.folder.json("one.json")["operations"][0]["outcome"], "not-applied");
    governed.apply(&id, &["--audit", "two.json"]).exits(30);
    for report in ["one.json", "two.json"] {
        governed.folder.run(&["audit", "verify", report]).exits(0);
    }
}

#[test]
fn a_report_that_was_changed_or_cut_is_found() {
    let (folder, id) = sandboxed();
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
    let report = folder.read("loopgate-out/audit.json");
    let head = folder.json("loopgate-out/audit.json")["chain"]["head"].as_str().unwrap().to_owned();
    for (what, to) in [("\"applied\"", "\"unknown\""), ("alice", "bobby"), ("STORY-", "STORY_")] {
        assert!(report.contains(what));
        folder.write("changed.json", report.replacen(what, to, 1));
        let ran = folder.run(&["audit", "verify", "changed.json"]);
        assert!(matches!(ran.code, 3 | 22 | 41), "{what}: {}", ran.code);
    }
    // Cut at an earlier event: consistent in itself, and found by the head alone.
    let digest = |event: &Value| {
        let event: loopgate::ledger::Event = serde_json::from_value(event.clone()).unwrap();
        event.digest().unwrap().to_string()
    };
    let events = folder.json("loopgate-out/audit.json")["chain"]["events"].as_array().unwrap().clone();
    let earlier = digest(&events[events.len() - 3]);
    folder.run(&["audit", "report", ARTIFACT, "--at", &earlier, "--out", "cut.json"]).exits(0);
    folder.run(&["audit", "verify", "cut.json"]).exits(0);
    folder.run(&["audit", "verify", "cut.json", "--anchor", &head]).exits(41);
    folder.run(&["audit", "verify", "loopgate-out/audit.json", "--anchor", &head]).exits(0);
}

#[test]
fn a_ledger_that_was_changed_is_refused() {
    let (folder, id) = sandboxed();
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
    let ledger = folder.path().join(".loopgate/ledger.db");
    let connection = rusqlite::Connection::open(&ledger).unwrap();
    connection.execute_batch("DROP TRIGGER IF EXISTS events_are_not_changed").unwrap();
    let triggers: Vec<String> = {
        let mut statement =
            connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    };
    for trigger in triggers {
        connection.execute_batch(&format!("DROP TRIGGER \"{trigger}\"")).unwrap();
    }
    connection.execute("DELETE FROM events WHERE rowid = (SELECT max(rowid) FROM events)", []).unwrap();
    drop(connection);
    folder.run(&["ledger", "verify"]).exits(41);
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(41);
}

#[test]
fn a_bundle_and_a_statement_say_the_same() {
    let (folder, id) = sandboxed();
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(0);
    folder.run(&["audit", "bundle", ARTIFACT, "--out", "one.tar"]).exits(0);
    folder.run(&["audit", "bundle", ARTIFACT, "--out", "two.tar"]).exits(0);
    let one = fs_err::read(folder.path().join("one.tar")).unwrap();
    assert_eq!(one, fs_err::read(folder.path().join("two.tar")).unwrap());
    folder.run(&["audit", "verify", "one.tar"]).exits(0);
    let statement = folder.run(&["audit", "statement", ARTIFACT]).exits(0).json();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    let listed =
        std::process::Command::new("tar").arg("-tf").arg(folder.path().join("one.tar")).output().unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    for name in ["audit.json", "artifact.json", &format!("approvals/{id}.json"), "events.ndjson"] {
        assert!(names.lines().any(|line| line == name), "{name} is not in {names}");
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_loses_no_recorded_fact() {
    let (governed, id) = Governed::ready("", Keys::Honoured);
    governed.folder.run(&["ledger", "init"]).exits(0);
    let loopgate = env!("CARGO_BIN_EXE_loopgate");
    let mut refused = 0;
    // In blocks of 512 bytes, as POSIX has it; the sandbox's own process is below it, too.
    for blocks in [8, 64, 128, 160, 200, 240, 300, 400] {
        let script =
            format!("trap '' XFSZ; ulimit -f {blocks}; exec {loopgate} apply {ARTIFACT} --approval-id {id}");
        let ran = governed.folder.process("sh").args(["-c", &script]).output().unwrap();
        let code = ran.status.code().unwrap();
        assert!(matches!(code, 0 | 1 | 3 | 21 | 30 | 31 | 33 | 40 | 50), "{blocks}: {code}");
        refused += usize::from(code != 0);
        governed.folder.run(&["ledger", "verify"]).exits(0);
    }
    assert!(refused > 0, "no limit was small enough");
    governed.apply(&id, &[]).exits(0);
    assert_eq!(outcome(&governed.audit()), "applied");
    let sent = governed.held().stories.len();
    let (honest, id) = Governed::ready("", Keys::Honoured);
    honest.apply(&id, &[]).exits(0);
    assert_eq!(sent, honest.held().stories.len());
}
