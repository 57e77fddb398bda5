//! Approvals, and the commands that read the ledger: what was shown is what is recorded, and a no is final.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use loopgate::approval::Record;
use serde_json::Value;

use crate::support::{Folder, Ran, environment, has};

const ARTIFACT: &str = "loopgate-out/artifact.json";
const APPROVALS: &str = "loopgate-out/approvals";

/// A folder with a plan for the blocked release.
fn planned() -> Folder {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    folder
}

fn effect(folder: &Folder) -> String {
    folder.json(ARTIFACT)["effect_digest"].as_str().unwrap().to_owned()
}

fn approve(folder: &Folder, more: &[&str]) -> Ran {
    let digest = effect(folder);
    let mut arguments = vec!["approve", "--as", "alice", "--reason", "reviewed", "--digest", &digest];
    arguments.extend(more);
    folder.run(&arguments)
}

fn record(folder: &Folder, id: &str) -> Value {
    folder.json(&format!("{APPROVALS}/{}.json", id.trim()))
}

#[test]
fn what_is_recorded_is_what_was_shown() {
    let folder = planned();
    let ran = approve(&folder, &["--external-id", "APR-7", "--expires-in", "2d"]).exits(0);
    let id = ran.stdout.strip_suffix('\n').unwrap();
    let bytes = folder.read(&format!("{APPROVALS}/{id}.json"));
    let record = Record::read("it", bytes.as_bytes()).unwrap();
    assert_eq!(record.bytes(), bytes.as_bytes(), "canonical, without a line feed at its end");
    assert_eq!(record.id.as_str(), id);
    let artifact = folder.json(ARTIFACT);
    for (digest, member) in
        [(record.effect_digest, "effect_digest"), (record.file_digest.unwrap(), "file_digest")]
    {
        assert_eq!(artifact[member], digest.to_string());
        assert!(ran.stderr.contains(&digest.to_string()), "{}", ran.stderr);
    }
    assert!(ran.stderr.contains(&record.policy_digest.unwrap().to_string()));
    assert!(ran.stderr.contains(&record.expires.unwrap().to_string()));
    let length = record.expires.unwrap().duration_since(record.time);
    assert_eq!(length, jiff::SignedDuration::from_hours(48));
    for shown in ["APR-7", "reviewed", "alice", "Payload, exact and whole", "sandbox"] {
        assert!(ran.stderr.contains(shown), "{shown}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("not enough"), "{}", ran.stderr);
}

#[test]
fn without_a_terminal_the_digest_of_what_was_reviewed_confirms() {
    let folder = planned();
    let digest = effect(&folder);
    let hex = digest.strip_prefix("sha256:").unwrap();
    let base = ["approve", "--as", "alice", "--reason", "reviewed"];
    let with = |prefix: &str| folder.run(&[&base[..], &["--digest", prefix]].concat());
    let ran = folder.run(&base).exits(2);
    assert!(ran.stderr.contains("--digest") && ran.stderr.contains(&digest), "{}", ran.stderr);
    for malformed in ["", &hex[..11], &hex[..12].to_uppercase().replace(|c: char| c.is_ascii_digit(), "A")] {
        with(malformed).exits(2);
    }
    with("000000000000").exits(20);
    // Whoever reviewed one file has not reviewed another.
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--owner", "payments"]).exits(0);
    with(&hex[..12]).exits(20);
    assert!(!folder.exists(APPROVALS), "nothing was written");
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    with(&hex[..12]).exits(0);
    with(&digest[.."sha256:".len() + 12]).exits(0);
}

#[test]
fn a_file_that_is_swapped_after_it_was_shown_is_not_what_is_recorded() {
    let there = Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has("script", there) {
        return;
    }
    let folder = planned();
    let shown = effect(&folder);
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--owner", "other", "--out", "other"]).exits(0);
    let ask = |typed: &str, swap: bool| {
        let command = format!("'{}' approve --as alice --reason reviewed", env!("CARGO_BIN_EXE_loopgate"));
        let mut child = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(folder.path())
            .env_clear()
            .envs(environment("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut out, mut seen) = (child.stdout.take().unwrap(), Vec::new());
        let mut byte = [0];
        while !String::from_utf8_lossy(&seen).contains("to record this") {
            assert_eq!(out.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
            seen.push(byte[0]);
        }
        if swap {
            folder.write(ARTIFACT, folder.read("other/artifact.json"));
        }
        let mut input = child.stdin.take().unwrap();
        input.write_all(typed.as_bytes()).unwrap();
        out.read_to_end(&mut seen).unwrap();
        drop(input);
        child.wait().unwrap().code().unwrap()
    };
    for refused in ["\n", "yes\n", "approved\n"] {
        assert_eq!(ask(refused, false), 20, "{refused}");
    }
    assert!(!folder.exists(APPROVALS), "nothing was written");
    assert_eq!(ask("approve\n", true), 0);
    let name = fs_err::read_dir(folder.path().join(APPROVALS)).unwrap().next().unwrap().unwrap().file_name();
    let recorded = folder.json(&format!("{APPROVALS}/{}", name.to_str().unwrap()));
    assert_ne!(effect(&folder), shown);
    assert_eq!(recorded["effect_digest"], shown);
}

#[test]
fn an_approval_says_who_and_why() {
    let folder = planned();
    folder.run(&["approve", "--reason", "reviewed", "--digest", &effect(&folder)]).exits(2);
    folder.run(&["approve", "--as", "alice", "--digest", &effect(&folder)]).exits(2);
    for (name, reason) in [(" ", "reviewed"), ("alice", " "), ("ali\u{202e}ce", "reviewed")] {
        folder.run(&["approve", "--as", name, "--reason", reason, "--digest", &effect(&folder)]).exits(2);
    }
    approve(&folder, &["--expires-in", "soon"]).exits(2);
    approve(&folder, &["--expires-in", "9999999d"]).exits(2);
    assert!(!folder.exists(APPROVALS));
}

#[test]
fn an_artifact_with_nothing_to_do_is_not_approved() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-READY", &[]).exits(0);
    assert_eq!(folder.json(ARTIFACT)["operations"], serde_json::json!([]));
    approve(&folder, &[]).exits(3);
    approve(&folder, &["no-such.json"]).exits(3);
    folder.write("damaged.json", folder.read(ARTIFACT).replace("REL-READY", "REL-REALLY"));
    approve(&folder, &["damaged.json"]).exits(22);
}

#[test]
fn a_rejected_effect_is_not_approved_again() {
    let folder = planned();
    approve(&folder, &[]).exits(0);
    let reject = ["reject", ARTIFACT, "--as", "bob", "--reason", "not now"];
    let id = folder.run(&reject).exits(0).stdout;
    assert_eq!(record(&folder, &id)["decision"]["kind"], "reject");
    let files = || fs_err::read_dir(folder.path().join(APPROVALS)).unwrap().count();
    let before = files();
    let ran = approve(&folder, &[]).exits(23);
    assert!(ran.stderr.contains("bob") && ran.stderr.contains("not now"), "{}", ran.stderr);
    // The same effect, planned anew.
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    approve(&folder, &[]).exits(23);
    assert_eq!(files(), before);
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--owner", "payments"]).exits(0);
    approve(&folder, &[]).exits(0);
}

#[test]
fn what_the_trust_settings_revoke_is_not_approved() {
    let folder = planned();
    folder.write("trust/loopgate.yaml", "revoked: [APR-7]\n");
    approve(&folder, &["--trust", "trust", "--external-id", "APR-7"]).exits(23);
    approve(&folder, &["--trust", "trust", "--external-id", "APR-8"]).exits(0);
    folder.write("trust/loopgate.yaml", format!("revoked: [\"{}\"]\n", effect(&folder)));
    approve(&folder, &["--trust", "trust"]).exits(23);
    approve(&folder, &["--trust", "nowhere"]).exits(3);
    // In CI the checkout's own settings neither help nor harm.
    folder.write("loopgate.yaml", "policy: { approvals: { minimum: 0 } }\n");
    approve(&folder, &[]).exits(3);
    let digest = effect(&folder);
    let mut command = folder.command(&["approve", "--as", "a", "--reason", "r", "--digest", &digest]);
    Ran::from(command.env("CI", "true").output().unwrap()).exits(0);
}

#[test]
fn an_approval_is_taken_back_by_its_id_or_the_services() {
    let folder = planned();
    let id = approve(&folder, &["--external-id", "APR-7"]).exits(0).stdout.trim().to_owned();
    let unknown = format!("lga1-{}", "0".repeat(64));
    for subject in [unknown.as_str(), "APR-8"] {
        let ran = folder.run(&["revoke", subject, "--as", "bob", "--reason", "a mistake"]).exits(20);
        assert!(ran.stderr.contains("`revoked:`"), "{}", ran.stderr);
    }
    for subject in [id.as_str(), "APR-7"] {
        let ran = folder.run(&["revoke", subject, "--as", "bob", "--reason", "a mistake"]).exits(0);
        let revocation = record(&folder, &ran.stdout);
        assert_eq!(revocation["decision"], serde_json::json!({"kind": "revoke", "approval": id}));
        assert_eq!(revocation["effect_digest"], effect(&folder));
    }
    let revocation =
        folder.run(&["revoke", &id, "--as", "bob", "--reason", "again"]).exits(0).stdout.trim().to_owned();
    folder.run(&["revoke", &revocation, "--as", "bob", "--reason", "of a revocation"]).exits(20);
    // The effect itself may be approved anew.
    approve(&folder, &["--expires-in", "3d"]).exits(0);
}

#[test]
fn a_no_reaches_the_ledger() {
    let folder = planned();
    folder.run(&["ledger", "init"]).exits(0);
    let id = approve(&folder, &[]).exits(0).stdout.trim().to_owned();
    folder.run(&["revoke", &id, "--as", "bob", "--reason", "a mistake"]).exits(0);
    folder.run(&["reject", ARTIFACT, "--as", "carol", "--reason", "never"]).exits(0);
    let log = folder.run(&["ledger", "log", "--format", "json"]).exits(0).json();
    let who: Vec<&str> =
        log["events"].as_array().unwrap().iter().map(|event| event["who"].as_str().unwrap()).collect();
    assert_eq!(who, ["bob", "carol"]);
    let only = folder.run(&["ledger", "log", "--format", "json", "--approver", "carol"]).exits(0).json();
    assert_eq!(only["events"].as_array().unwrap().len(), 1);
    let none = folder.run(&["ledger", "log", "--since", "2999-01-01"]).exits(0);
    assert!(!none.stdout.contains("bob"), "{}", none.stdout);
    folder.run(&["ledger", "log", "--since", "soon"]).exits(2);

    let verified = folder.run(&["ledger", "verify", "--format", "json"]).exits(0).json();
    assert_eq!((&verified["chains"], &verified["events"]), (&1.into(), &2.into()));
    let head = verified["heads"][0]["head"].as_str().unwrap();
    folder.run(&["ledger", "verify", "--expect-head", head]).exits(0);
    folder.run(&["ledger", "verify", "--expect-head", &effect(&folder)]).exits(40);

    // A ledger that fails keeps no file from getting out.
    folder.write(".loopgate/ledger.db", "something else");
    let ran = folder.run(&["revoke", &id, "--as", "dave", "--reason", "still a mistake"]).exits(40);
    assert_eq!(record(&folder, &ran.stdout)["approver"]["name"], "dave");
}

#[test]
fn a_ledger_is_made_once_and_in_ci_only_where_it_is_named() {
    let folder = Folder::new();
    let id = folder.run(&["ledger", "init"]).exits(0).stdout;
    assert!(id.starts_with("lgl-") && id.trim().len() == 40, "{id}");
    folder.run(&["ledger", "init"]).exits(40);
    let ci = |arguments: &[&str]| Ran::from(folder.command(arguments).env("CI", "true").output().unwrap());
    let ran = ci(&["ledger", "init"]).exits(40);
    assert!(ran.stderr.contains("--ledger"), "{}", ran.stderr);
    ci(&["ledger", "init", "--ledger", "sqlite:ci.db"]).exits(0);
    assert!(folder.exists("ci.db"));
    for (name, code) in [
        ("mysql://h/d", 3),
        ("postgres://u:secret@h/d", 2),
        ("postgres://u@h/d?sslmode=disable", 2),
        // Nobody is there.
        ("postgres://u@127.0.0.1:1/d", 40),
        ("sqlite:", 2),
    ] {
        let ran = folder.run(&["ledger", "init", "--ledger", name]).exits(code);
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    }
    folder.run(&["ledger", "verify", "--ledger", "sqlite:none.db"]).exits(40);
    folder.write("not.db", "something else");
    folder.run(&["ledger", "verify", "--ledger", "sqlite:not.db"]).exits(40);
    folder.write("loopgate.yaml", "ledger: { at: \"sqlite:ci.db\", id: lgl-0 }\n");
    let ran = folder.run(&["ledger", "verify"]).exits(40);
    assert!(ran.stderr.contains("lgl-0"), "{}", ran.stderr);
}

#[test]
fn a_ledger_that_was_changed_is_broken() {
    let folder = planned();
    folder.run(&["ledger", "init"]).exits(0);
    folder.run(&["reject", ARTIFACT, "--as", "carol", "--reason", "never"]).exits(0);
    let path = folder.path().join(".loopgate/ledger.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch(
            "PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE type = 'trigger';
             PRAGMA writable_schema = RESET;",
        )
        .unwrap();
    drop(database);
    folder.run(&["ledger", "verify"]).exits(41);
    let fault = folder.run(&["ledger", "verify", "--format", "json"]).exits(41).json();
    assert_eq!(fault["exit_code"], 41);
}

#[test]
fn an_audit_report_is_of_something_that_happened() {
    let folder = planned();
    folder.run(&["audit", "report"]).exits(40);
    folder.run(&["ledger", "init"]).exits(0);
    folder.run(&["audit", "report"]).exits(3);
    folder.run(&["audit", "bundle", "--out", "audit.tar"]).exits(3);
    folder.run(&["audit", "statement"]).exits(3);
    folder.run(&["audit", "verify", ARTIFACT]).exits(3);
    folder.run(&["audit", "verify", "no-such.json"]).exits(3);
    assert!(!folder.exists("audit.tar"));
}

#[test]
fn too_few_by_the_policy_here_is_said_and_not_refused() {
    let folder = planned();
    folder.write("loopgate.yaml", "policy: { approvals: { minimum: 2, accept: [asserted] } }\n");
    let ran = approve(&folder, &[]).exits(0);
    assert!(ran.stderr.contains("not enough yet"), "{}", ran.stderr);
    let digest = effect(&folder);
    let ran = folder.run(&["approve", "--as", "bob", "--reason", "me too", "--digest", &digest]).exits(0);
    assert!(!ran.stderr.contains("not enough yet"), "{}", ran.stderr);
}

#[test]
fn a_signed_approval_bears_the_signers_name() {
    if !has("ssh-keygen", Command::new("ssh-keygen").arg("-?").output().is_ok()) {
        return;
    }
    let folder = planned();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", "key"])
        .current_dir(folder.path())
        .status();
    assert!(made.unwrap().success());
    let digest = effect(&folder);
    let base = ["approve", "--reason", "reviewed", "--digest", &digest, "--sign", "key"];
    folder.run(&base).exits(2);
    folder.write("trust/signers", format!("alice@example.org {}", folder.read("key.pub")));
    folder.write("trust/loopgate.yaml", "policy: { approvals: { signers: signers } }\n");
    let ran = folder.run(&[&base[..], &["--trust", "trust"]].concat()).exits(0);
    assert!(!ran.stderr.contains("note:"), "{}", ran.stderr);
    let approver = &record(&folder, &ran.stdout)["approver"];
    assert_eq!(*approver, serde_json::json!({"name": "alice@example.org", "assurance": "signed"}));
    assert!(folder.exists(&format!("{APPROVALS}/{}.json.sig", ran.stdout.trim())));
    let ran = folder.run(&[&base[..], &["--trust", "trust", "--as", "mallory"]].concat()).exits(0);
    assert!(ran.stderr.contains("the key is that of `alice@example.org`"), "{}", ran.stderr);
    folder.write("trust/signers", "alice@example.org nonsense\n");
    let ran = folder.run(&[&base[..], &["--trust", "trust"]].concat()).exits(3);
    assert!(ran.stderr.contains("signers`: line 1"), "{}", ran.stderr);
}
