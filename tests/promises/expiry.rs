//! Tokens that expire, that a program gives, and that are not good here: nothing is called with them, and nothing goes
//! wrong between a write's intent and its outcome.

use serde_json::{Value, json};

use crate::governed::ARTIFACT;
use crate::guarded::Guarded;
use crate::hostile::Hostile;
use crate::support::peer;

const ALL: [&str; 3] = ["who=pipeline", "tenants=acme", "may=read,dry_run,write"];

fn guarded(options: &[&str], token: impl FnOnce(&Guarded) -> Value) -> Guarded {
    let guarded = Guarded::with(options);
    let token = token(&guarded);
    guarded.settings(|server| {
        server["token"] = token;
        server["dry_runs"] = json!(true);
        server["time_limits"]["call"] = json!("5s");
        server["time_limits"]["list"] = json!("5s");
    });
    guarded
}

fn all_and<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [ALL.as_slice(), more].concat()
}

/// The plan has two packages then.
fn doubled(guarded: &Guarded) -> String {
    guarded.plan().exits(0);
    crate::governed::double(&guarded.folder);
    guarded.approved()
}

fn attempts(guarded: &Guarded) -> Vec<usize> {
    let audit = guarded.folder.json("loopgate-out/audit.json");
    let operations = audit["operations"].as_array().unwrap();
    operations.iter().map(|operation| operation["attempts"].as_array().unwrap().len()).collect()
}

#[test]
fn a_program_gives_the_token_once_for_a_run_and_nothing_shows_it() {
    let guarded = guarded(&[], |guarded| guarded.by_command(&ALL));
    let mut told =
        guarded.folder.run(&["remediation-plan", "--release", "REL-BLOCKED", "-vvv"]).exits(0).told();
    assert_eq!(guarded.minted().len(), 1);
    let id = guarded.approved();
    told += &guarded.folder.run(&["apply", ARTIFACT, "--approval-id", &id, "-vvv"]).exits(0).told();
    assert_eq!(guarded.minted().len(), 2);
    assert_eq!(guarded.callers().len(), 3, "{:?}", guarded.callers());
    guarded.nothing_shows(&told, &[]);
}

#[test]
fn a_program_that_gives_no_token_is_a_refused_sign_in_and_nothing_is_called() {
    let guarded = guarded(&[], |guarded| guarded.by_command(&["fails=no \u{1b}[31mlogin"]));
    let told = guarded.plan().exits(51).told();
    assert!(told.contains("exit status: 7: no \\u{1b}[31mlogin"), "{told}");
    assert_eq!(guarded.minted().len(), 1, "it is started once");
    for (command, says) in [
        (json!(["./not-there"]), "cannot be started"),
        (json!(["printf", ""]), "printed none: the token is empty"),
        (json!(["printf", "canary-1 canary-2"]), "printed none: the token has a blank"),
        (json!(["head", "-c", "200000", "/dev/zero"]), "printed 65536 bytes or more"),
        (json!(["sh", "-c", "echo canary-token-7; echo bad canary-token-7 >&2; exit 1"]), "bad (the token)"),
    ] {
        guarded.settings(|server| server["token"] = json!({"command": command}));
        let told = guarded.plan().exits(51).told();
        assert!(told.contains(says), "{command}: {told}");
        assert!(!told.contains("canary"), "{told}");
    }
    assert_eq!(guarded.log().len(), 0);
}

#[test]
fn no_redirect_is_followed_with_a_token_that_a_program_gives() {
    for status in [302, 307, 308] {
        let elsewhere = Hostile::new("", "auto");
        let there = elsewhere.server.url.replace('/', "+").replace(':', ";");
        for on in ["look", "list", "discover"] {
            let hostile = Hostile::new(&format!("{on}:status={status}@{there}"), "auto");
            hostile.settings(|server| server["token"] = json!({"command": ["printf", "canary-token-8"]}));
            let ran = hostile.read();
            assert_ne!(ran.code, 0, "{on}");
            let told = ran.told();
            assert!(told.contains("not followed") && !told.contains("canary"), "{on}: {told}");
        }
        assert_eq!(elsewhere.log(), Vec::<Value>::new(), "{status}");
    }
}

#[test]
fn a_program_that_does_not_end_is_ended_with_all_that_it_started() {
    let guarded = guarded(&[], |_| json!({"command": ["sh", "-c", "sleep 3600 & echo $! > sleeper; wait"]}));
    let told = guarded.plan().exits(51).told();
    assert!(told.contains("did not end within 10 s"), "{told}");
    let sleeper = guarded.folder.read("sleeper");
    let is_gone = || {
        let stat = fs_err::read_to_string(format!("/proc/{}/stat", sleeper.trim()));
        stat.is_ok_and(|stat| stat.contains(") Z "))
            || !std::path::Path::new(&format!("/proc/{}", sleeper.trim())).exists()
    };
    for _ in 0..50 {
        if is_gone() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("it is still there");
}

#[test]
fn a_program_gets_the_variables_that_are_named_and_no_others() {
    let guarded =
        guarded(&[], |_| json!({"command": ["sh", "-c", "env >&2; exit 1"], "variables": ["GIVEN"]}));
    let mut command = guarded.folder.command(&["remediation-plan", "--release", "REL-BLOCKED"]);
    let output = command.env("GIVEN", "here").env("OTHER", "hidden-1").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert!(!told.contains("hidden-1"), "{told}");
    guarded.settings(|server| {
        server["token"]["command"] = json!(["sh", "-c", "echo got=$GIVEN=$OTHER= >&2; exit 1"]);
    });
    let mut command = guarded.folder.command(&["remediation-plan", "--release", "REL-BLOCKED"]);
    let output = command.env("GIVEN", "here").env("OTHER", "hidden-1").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("got=here=="), "{told}");
}

#[test]
fn an_expired_or_soon_expiring_token_stops_a_run_before_any_call() {
    for (expires, says) in
        [("expires=-60", "the token expired at"), ("expires=4", "a request may take 5000 ms")]
    {
        for by_file in [true, false] {
            let guarded = guarded(&[], |guarded| {
                let options = all_and(&[expires]);
                if by_file { guarded.token("token", &options) } else { guarded.by_command(&options) }
            });
            let told = guarded.plan().exits(51).told();
            assert!(told.contains(says), "{told}");
            assert_eq!(guarded.log().len(), 0, "{:?}", guarded.log());
        }
    }
}

#[test]
fn a_token_that_will_expire_stops_before_the_next_intent_and_leaves_nothing_in_doubt() {
    let guarded = guarded(&["late=4000"], |guarded| guarded.token("token", &ALL));
    let id = doubled(&guarded);
    let before = guarded.held();
    // A write takes five seconds at most, and another five are for its intent.
    guarded.token("token", &all_and(&["expires=13"]));
    let told = guarded.apply(&id).exits(51).told();
    assert!(told.contains("the token expires at"), "{told}");
    assert_eq!(attempts(&guarded), [1, 0]);
    assert_eq!(guarded.held().stories.len(), before.stories.len() + 1);
    guarded.token("token", &ALL);
    guarded.apply(&id).exits(0);
    assert_eq!(attempts(&guarded), [1, 1]);
    assert_eq!(guarded.held().stories.len(), before.stories.len() + 2);
    guarded.folder.run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
}

#[test]
fn a_token_is_renewed_in_mid_run_but_never_between_an_intent_and_its_outcome() {
    // Each lasts for a call and its intent, and not for a minute more: whatever may be renewed is.
    let guarded = guarded(&[], |guarded| guarded.by_command(&all_and(&["expires=30"])));
    let id = doubled(&guarded);
    for file in ["minted.jsonl", "door.jsonl"] {
        fs_err::remove_file(guarded.backstage.path().join(file)).unwrap();
    }
    guarded.apply(&id).exits(0);
    assert_eq!(attempts(&guarded), [1, 1]);
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let minted: Vec<_> = guarded.minted().iter().map(|claims| time(&claims["at"])).collect();
    let audit = guarded.folder.json("loopgate-out/audit.json");
    let events = audit["chain"]["events"].as_array().unwrap();
    let of = |kind: &str| -> Vec<_> {
        events.iter().filter(|event| event["fact"]["kind"] == kind).map(|event| time(&event["at"])).collect()
    };
    let (intents, outcomes) = (of("intent"), of("outcome"));
    assert_eq!((intents.len(), outcomes.len()), (2, 2));
    assert!(minted.len() > 3, "{minted:?}");
    for (intent, outcome) in intents.iter().zip(&outcomes) {
        assert!(minted.iter().all(|at| at < intent || at > outcome), "{intent} {minted:?} {outcome}");
    }
}

#[test]
fn a_token_that_is_revoked_foreign_or_for_another_audience_is_refused_and_nothing_is_written() {
    let guarded = guarded(&[], |guarded| guarded.token("token", &ALL));
    guarded.plan().exits(0);
    let id = guarded.approved();
    let before = guarded.held();
    for (options, says) in [
        (
            ["who=pipeline", "tenants=globex", "may=read,dry_run,write"].as_slice(),
            "the token is for another tenant",
        ),
        (all_and(&["audience=https://other.example/mcp"]).as_slice(), "it is for another audience"),
        (["who=revoked", "tenants=acme", "may=read,dry_run,write"].as_slice(), "it was revoked"),
    ] {
        guarded.backstage.write("revoked", "revoked\n");
        let minted = guarded.mint(options);
        // The last audience counts.
        let minted: Vec<&String> = if says.contains("audience") {
            minted.iter().filter(|word| !word.contains("127.0.0.1")).collect()
        } else {
            minted.iter().collect()
        };
        let output = std::process::Command::new(peer()).args(&minted[1..]).output().unwrap();
        guarded.folder.write("token", output.stdout);
        for told in [guarded.apply(&id).exits(51).told(), guarded.plan().exits(51).told()] {
            assert!(told.contains(says), "{options:?}: {told}");
        }
        guarded.folder.write(ARTIFACT, "");
        guarded.token("token", &ALL);
        guarded.plan().exits(0);
    }
    assert_eq!(guarded.held(), before);
}
