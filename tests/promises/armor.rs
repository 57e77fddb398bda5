//! Approvals that travel as text: printed on one machine, found among comments on another.

use std::process::{Command, Stdio};

use loopgate::approval::{Filed, Record, armored};

use crate::governed::{ARTIFACT, Governed};
use crate::support::{Folder, Ran, has};

const BEGIN: &str = "-----BEGIN LOOPGATE APPROVAL-----";

fn effect(folder: &Folder) -> String {
    folder.json(ARTIFACT)["effect_digest"].as_str().unwrap().to_owned()
}

fn with_stdin(folder: &Folder, arguments: &[&str], text: &str) -> Ran {
    folder.command(arguments).write_stdin(text).output().unwrap().into()
}

/// The ID in `recorded as ID in PATH`.
fn id(ran: &Ran) -> String {
    let after = ran.stderr.split("recorded as ").nth(1).unwrap();
    after.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn an_approval_made_elsewhere_comes_as_a_comment() {
    let here = Folder::new();
    here.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    let laptop = Folder::new();
    laptop.write(ARTIFACT, here.read(ARTIFACT));
    let approve = ["approve", "--as", "alice", "--reason", "reviewed", "--armor", "--digest"];
    let ran = laptop.run(&[&approve[..], &[&effect(&here)]].concat()).exits(0);
    assert!(ran.stdout.starts_with(BEGIN), "stdout is the block alone: {}", ran.stdout);
    let id = id(&ran);
    assert!(laptop.exists(&format!("loopgate-out/approvals/{id}.json")), "and it is filed as ever");

    let quoted: String = ran.stdout.lines().map(|line| format!("> {line}\r\n")).collect();
    let comments =
        format!("{{\"not\": JSON\n\nLGTM!\n{quoted}\n{BEGIN}\n<script>\n-----END LOOPGATE APPROVAL-----\n");
    let status = with_stdin(&here, &["status", "--approvals", "-", "--format", "json"], &comments).exits(0);
    assert_eq!(status.json()["verdict"]["approval_id"], id.as_str());
    assert!(status.stderr.contains("is left out: it is not Base64"), "{}", status.stderr);
    let apply = ["apply", "--approval-id", &id, "--approvals", "-"];
    with_stdin(&here, &apply, "LGTM!").exits(20);
    with_stdin(&here, &apply, "").exits(3);
    with_stdin(&here, &apply, &comments).exits(0);
    here.run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
    // Records as a file has them are still read, strictly.
    let other = Folder::new();
    other.write(ARTIFACT, here.read(ARTIFACT));
    let record = laptop.read(&format!("loopgate-out/approvals/{id}.json"));
    with_stdin(&other, &apply, &record.replace("alice", "mallory")).exits(22);
    with_stdin(&other, &["status", "--approvals", "-"], &record).exits(0);
}

#[test]
fn of_comments_only_what_a_signer_signed_counts() {
    let keygen = Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).output().is_ok();
    if !has("ssh-keygen", keygen) {
        return;
    }
    let governed = Governed::new("");
    let folder = &governed.folder;
    for name in ["alice", "eve"] {
        let mut made = folder.process("ssh-keygen");
        assert!(
            made.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name]).status().unwrap().success()
        );
    }
    folder.write("allowed_signers", format!("alice {}", folder.read("alice.pub")));
    governed.settings(|settings| {
        settings["policy"]["approvals"] =
            serde_json::json!({"accept": ["signed"], "signers": "allowed_signers", "four_eyes": false});
    });
    governed.plan();
    // Before there is a ledger that could be told.
    let reject = folder.run(&["reject", ARTIFACT, "--as", "eve", "--reason", "no", "--approvals", "no"]);
    let id_of_no = reject.exits(0).stdout.trim().to_owned();
    let no = Record::read("no", folder.read(&format!("no/{id_of_no}.json")).as_bytes()).unwrap();
    let no = armored(&Filed { record: no, signature: None });
    let digest = effect(folder);
    let block = |more: &[&str]| {
        let base = ["approve", "--reason", "reviewed", "--armor", "--digest", &digest, "--approvals", "away"];
        folder.run(&[&base[..], more].concat())
    };
    let eves = block(&["--as", "alice", "--sign", "eve"]).exits(0);
    let unsigned = block(&["--as", "alice"]).exits(0);
    let alices = block(&["--sign", "alice"]).exits(0);
    let apply =
        |id: &str, text: &str| with_stdin(folder, &["apply", "--approval-id", id, "--approvals", "-"], text);
    for (ran, why) in [(&eves, "is not one of the signers'"), (&unsigned, "it is not signed")] {
        let told = apply(&id(ran), &ran.stdout).exits(20).stderr;
        assert!(told.contains("the block at line 1 is left out") && told.contains(why), "{told}");
    }
    let all = format!("{}{}{no}{}", eves.stdout, unsigned.stdout, alices.stdout);
    let ran = apply(&id(&alices), &all).exits(0);
    assert_eq!(
        ran.stderr.matches("is left out").count(),
        3,
        "a stranger's rejection is none: {}",
        ran.stderr
    );
}
