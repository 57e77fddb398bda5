//! What somebody does at the worst moment, or writes into settings, to get a write out that nobody approved.

use serde_json::json;

use crate::governed::{ARTIFACT, Governed, Keys, LEDGER};
use crate::support::Folder;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIZzE3cYdsvnKpSMpun5osN4aPKNTdfFVN35ec8R30Jo";

impl Governed {
    /// From now on the server has these faults; none strikes while planning.
    fn faults(&self, faults: &str) {
        self.settings(|settings| settings["servers"]["governed"]["arguments"][1] = json!(faults));
    }

    fn sent(&self) -> usize {
        let memory = if self.folder.exists("memory") { self.folder.read("memory") } else { String::new() };
        memory.lines().filter(|line| *line == "sent").count()
    }
}

#[cfg(unix)]
#[test]
fn a_revocation_while_apply_is_at_work_stops_the_first_intent() {
    let (governed, id) = Governed::ready("", Keys::Honoured);
    governed.folder.run(&["ledger", "init"]).exits(0);
    let loopgate = env!("CARGO_BIN_EXE_loopgate");
    governed.faults(&format!(
        "runs:loopiq_get_release_certification='{loopgate}' revoke {id} --as carol --reason stop"
    ));
    governed.apply(&id, &[]).exits(23);
    assert!(governed.folder.read("ran.txt").contains("status: 0"));
    assert_eq!(governed.sent(), 0);
}

#[cfg(unix)]
#[test]
fn a_ledger_that_is_replaced_or_loses_its_log_in_mid_run_stops_before_the_send() {
    for shell in [
        format!("cp {LEDGER} other.db && mv other.db {LEDGER}"),
        format!("test -e {LEDGER}-wal && rm {LEDGER}-wal"),
    ] {
        let (governed, id) = Governed::ready("", Keys::Honoured);
        governed.folder.run(&["ledger", "init"]).exits(0);
        governed.faults(&format!("runs:loopiq_get_release_certification={shell}"));
        governed.apply(&id, &[]).exits(40);
        assert!(governed.folder.read("ran.txt").contains("status: 0"), "{shell}");
        assert_eq!(governed.sent(), 0, "{shell}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_is_not_sent_again_after_its_retention() {
    let governed = Governed::new("");
    let text = loopgate::catalog::Profile::shipped("loopiq").unwrap();
    governed.folder.write("brief.yaml", text.replace("key_retention: PT24H", "key_retention: PT3S"));
    governed.settings(|settings| {
        let server = &mut settings["servers"]["governed"];
        server["profile"] = json!("brief.yaml");
        server["time_limits"]["call"] = json!("1s");
    });
    governed.plan();
    let id = governed.approve("alice");
    governed.faults("swallow,runs:initialize=test -e memory && sleep 4");
    governed.apply(&id, &[]).exits(31);
    assert_eq!(governed.sent(), 1);
}

#[cfg(unix)]
#[test]
fn an_approval_that_expires_on_the_way_to_the_server_sends_nothing() {
    let governed = Governed::new("");
    governed.plan();
    governed.faults("runs:initialize=sleep 4");
    let digest = governed.folder.json(ARTIFACT)["effect_digest"].as_str().unwrap().to_owned();
    let approve = ["approve", "--as", "alice", "--reason", "r", "--digest", &digest, "--expires-in", "3s"];
    let id = governed.folder.run(&approve).exits(0).stdout.trim().to_owned();
    governed.apply(&id, &[]).exits(20);
    assert!(governed.folder.exists("ran.txt"), "it had expired before");
    assert_eq!(governed.sent(), 0);
}

#[test]
fn two_names_of_one_key_holder_are_one_person() {
    let (governed, id) = Governed::ready("", Keys::Honoured);
    governed.settings(|settings| {
        settings["policy"]["approvals"] =
            json!({"minimum": 2, "accept": ["signed"], "signers": "signers", "four_eyes": false});
    });
    for (lines, code) in [(format!("alice {KEY}\n"), 20), (format!("alice {KEY}\nbob {KEY}\n"), 3)] {
        governed.folder.write("signers", lines);
        governed.apply(&id, &[]).exits(code);
    }
    assert_eq!(governed.sent(), 0);
}

#[test]
fn an_entry_that_could_revoke_nothing_is_refused() {
    let (governed, id) = Governed::ready("", Keys::Honoured);
    for entry in [&id[..20], &id.to_uppercase(), &format!("{id} "), "sha256:00"] {
        governed.settings(|settings| settings["revoked"] = json!([entry]));
        governed.apply(&id, &[]).exits(3);
    }
    governed.settings(|settings| settings["revoked"] = json!([id]));
    governed.apply(&id, &[]).exits(23);
    assert_eq!(governed.sent(), 0);
}

#[test]
fn an_id_that_nobody_gave_is_told_as_that_beside_a_revoked_one() {
    let (governed, id) = Governed::ready("", Keys::Honoured);
    governed.folder.run(&["revoke", &id, "--as", "carol", "--reason", "stop"]).exits(0);
    governed.apply("APR-none", &[]).exits(20);
    governed.apply(&id, &[]).exits(23);
    assert_eq!(governed.sent(), 0);
}

#[test]
fn an_empty_plan_that_was_rejected_ends_well() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-READY", &[]).exits(0);
    folder.run(&["reject", ARTIFACT, "--as", "bob", "--reason", "never"]).exits(0);
    folder.run(&["apply", ARTIFACT, "--approval-id", "APR-none"]).exits(0);
}
