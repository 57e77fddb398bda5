//! `doctor` makes the ten checks against a real server: each finds its own fault and no other, and nothing is written
//! where nobody has said that it may be.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::governed::{DATABASE, Governed, Keys, held};
use crate::guarded::Guarded;
use crate::support::{Folder, Ran};

const TEN: [&str; 10] = [
    "tool-discovery",
    "tenant-context",
    "reads",
    "foreign-tenants",
    "stale-tokens",
    "dry-run",
    "write",
    "repeated-key",
    "created-ids",
    "audit",
];
const SANDBOX: [&str; 5] = ["doctor", "--server", "sandbox", "--tenant", "acme"];
const DATABASE_OF_SANDBOX: &str = ".loopgate/sandbox.db";

/// The checks that went so, of all.
fn went(examined: &Value, outcome: &str) -> BTreeSet<String> {
    let checks = examined["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["outcome"] == outcome)
        .map(|check| check["id"].as_str().unwrap().to_owned())
        .collect()
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn check<'e>(examined: &'e Value, id: &str) -> &'e Value {
    examined["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap()
}

/// A server over its standard input and output with those faults, whose tenant is marked as one for tests.
fn faulty(faults: &str) -> Governed {
    let governed = Governed::with(faults, Keys::Honoured, true);
    governed.settings(|settings| settings["servers"]["governed"]["tenants"] = json!({"test": ["acme"]}));
    governed
}

const ALL: [&str; 6] = ["doctor", "--allow-writes", "--input", "release=REL-READY", "--format", "json"];

/// The sandbox over HTTP behind a door, for a tenant that its token names and the settings mark as one for tests.
fn behind_a_door(options: &[&str]) -> Guarded {
    let guarded = Guarded::with(options);
    let token = guarded.token("token", &["who=pipeline", "tenants=acme", "may=read,dry_run,write"]);
    guarded.settings(|server| {
        server["token"] = token;
        server["dry_runs"] = json!(true);
        server["tenants"] = json!({"claim": "/org_id", "test": ["acme"]});
    });
    guarded
}

#[test]
fn all_ten_pass_against_the_sandbox_and_what_they_left_is_named() {
    let folder = Folder::new();
    let examined =
        folder.run(&[&SANDBOX[..], &["--allow-writes", "--format", "json"]].concat()).exits(0).json();
    assert!(went(&examined, "passed").is_superset(&named(&TEN)), "{examined:#}");
    assert_eq!(went(&examined, "not-checked"), named(&["lock"]));
    assert_eq!((&examined["verdict"], &examined["sandbox"]), (&json!("passed"), &json!(true)));
    let mark = examined["mark"].as_str().unwrap();
    let held = held(&folder.path().join(DATABASE_OF_SANDBOX));
    let of_mark = |rows: &[String]| rows.iter().filter(|row| row.contains(mark)).count();
    assert_eq!((of_mark(&held.stories), of_mark(&held.tasks)), (1, 1), "{held:?}");
    let left: BTreeSet<&str> =
        examined["left"].as_array().unwrap().iter().map(|left| left["what"].as_str().unwrap()).collect();
    assert_eq!(left, BTreeSet::from(["parent", "children"]));
    // It came over HTTP, with a token that is looked at.
    assert!(check(&examined, "stale-tokens")["saw"].as_str().unwrap().contains("401"));
    assert_eq!(check(&examined, "clock")["outcome"], "passed");
    // Another time leaves another mark.
    let again = folder.run(&[&SANDBOX[..], &["--allow-writes", "--format", "json"]].concat()).exits(0).json();
    assert_ne!(again["mark"], examined["mark"]);
}

#[test]
fn without_leave_nothing_is_written_and_that_is_said() {
    let folder = Folder::new();
    folder.run(&SANDBOX).exits(0);
    let before = held(&folder.path().join(DATABASE_OF_SANDBOX));
    let examined = folder.run(&[&SANDBOX[..], &["--format", "json"]].concat()).exits(0).json();
    assert_eq!(
        went(&examined, "not-checked"),
        named(&["lock", "dry-run", "write", "repeated-key", "created-ids", "audit"])
    );
    assert_eq!((&examined["left"], &examined["mark"]), (&json!([]), &Value::Null));
    assert_eq!(held(&folder.path().join(DATABASE_OF_SANDBOX)), before);
    for check in TEN {
        assert!(examined["checks"].as_array().unwrap().iter().any(|one| one["id"] == check), "{check}");
    }
}

#[test]
fn a_server_without_fault_passes_whatever_can_be_checked_of_a_program() {
    let governed = faulty("");
    let examined = governed.folder.run(&ALL).exits(0).json();
    assert_eq!(
        went(&examined, "not-checked"),
        named(&["sign-in", "clock", "lock", "stale-tokens"]),
        "{examined:#}"
    );
    assert_eq!(went(&examined, "passed").len(), 13);
}

#[test]
fn each_fault_fails_its_own_check_and_no_other() {
    let expected = [
        ("lacks-argument", 4, named(&["tool-discovery"])),
        ("other-tenant", 4, named(&["tenant-context"])),
        ("other-release", 4, named(&["reads"])),
        ("any-tenant", 4, named(&["foreign-tenants"])),
        ("careless", 4, named(&["stale-tokens"])),
        ("dry-writes", 4, named(&["dry-run"])),
        ("writes-otherwise", 4, named(&["write"])),
        ("forget", 4, named(&["repeated-key"])),
        ("names-nothing", 4, named(&["created-ids"])),
        ("other-audit", 4, named(&["audit"])),
    ];
    let found = expected.clone().map(|(fault, ..)| {
        let ran = match fault {
            "careless" => behind_a_door(&[fault]).folder.run(&ALL),
            _ => faulty(fault).folder.run(&ALL),
        };
        (fault, ran.code, went(&ran.json(), "failed"))
    });
    assert_eq!(found, expected);
}

#[test]
fn what_is_held_against_one_check_is_not_held_against_the_others() {
    let examined = behind_a_door(&[]).folder.run(&ALL).exits(0).json();
    assert!(went(&examined, "passed").is_superset(&named(&TEN)), "{examined:#}");
    for fault in ["any-tenant", "writes-otherwise", "forget", "other-audit"] {
        let examined = faulty(fault).folder.run(&ALL).exits(4).json();
        // All but it, and `stale-tokens`, which a program has none of.
        assert_eq!(went(&examined, "passed").intersection(&named(&TEN)).count(), 8, "{fault}: {examined:#}");
    }
    let examined = behind_a_door(&["careless"]).folder.run(&ALL).exits(4).json();
    assert_eq!(went(&examined, "passed").intersection(&named(&TEN)).count(), 9);
}

#[test]
fn what_a_fault_keeps_from_being_written_is_not_written() {
    for fault in ["lacks-argument", "other-tenant", "other-release"] {
        let governed = faulty(fault);
        governed.folder.run(&ALL).exits(4);
        assert!(!governed.folder.exists("memory"), "{fault}: a write was sent");
    }
    let governed = faulty("dry-writes");
    let examined = governed.folder.run(&ALL).exits(4).json();
    assert!(!governed.folder.exists("memory"), "a real write followed a dry run that was none");
    assert_eq!(examined["left"][0]["what"], "something that a dry run created");
    let mark = examined["mark"].as_str().unwrap();
    let held = held(&governed.folder.path().join(DATABASE));
    assert!(held.stories.iter().any(|story| story.contains(mark)), "{held:?}");
}

#[test]
fn a_tenant_that_nobody_marked_gets_no_write() {
    let governed = Governed::new("");
    let refused = |ran: Ran| {
        let ran = ran.exits(3);
        assert!(ran.stderr.contains("not marked as a test tenant"), "{}", ran.stderr);
        assert!(
            !governed.folder.exists("memory") && !governed.folder.exists(DATABASE),
            "something was called"
        );
    };
    refused(governed.folder.run(&ALL));
    governed.settings(|settings| settings["servers"]["governed"]["tenants"] = json!({"test": ["globex"]}));
    refused(governed.folder.run(&ALL));
    // What a layer below says of the server is refused; it marks nobody.
    let bundle = governed.folder.read("loopgate.yaml");
    governed.folder.write("org/loopgate.yaml", bundle);
    let own =
        json!({"extends": "org", "servers": {"governed": {"command": "x", "tenants": {"test": ["acme"]}}}});
    governed.folder.write("loopgate.yaml", own.to_string());
    let ran = governed.folder.run(&ALL).exits(3);
    assert!(ran.stderr.contains("`servers.governed` is said by what it extends"), "{}", ran.stderr);
    // Nor does the policy's own approval open the way: nothing but the mark does.
    assert!(!governed.folder.exists("memory") && !governed.folder.exists(DATABASE));
}

#[test]
fn an_outcome_that_nobody_knows_is_neither_a_pass_nor_a_failure() {
    let governed = faulty("cut:half,always,not-found");
    let examined = governed.folder.run(&ALL).exits(31).json();
    assert_eq!(went(&examined, "failed"), named(&[]), "{examined:#}");
    assert_eq!(check(&examined, "write")["outcome"], "undecided");
    assert!(examined["left"][0]["what"].as_str().unwrap().starts_with("perhaps"));
    assert!(examined["mark"].is_string());
    // A read that finds it settles it; of an answer that never came nothing is held against the server.
    let governed = faulty("cut:half,always");
    let examined = governed.folder.run(&ALL).exits(5).json();
    assert_eq!(went(&examined, "failed"), named(&[]), "{examined:#}");
    assert_eq!(went(&examined, "undecided"), named(&["write", "repeated-key", "created-ids"]));
}

#[test]
fn what_is_not_visible_is_undecided() {
    let folder = Folder::new();
    let sample = ["--sample", r#"certification={"release": "REL-NOBODY-KNOWS"}"#, "--format", "json"];
    let examined = folder.run(&[&SANDBOX[..], &sample].concat()).exits(5).json();
    assert_eq!(went(&examined, "undecided"), named(&["reads"]));
    assert!(check(&examined, "foreign-tenants")["outcome"] == "not-checked");
}

#[test]
fn a_tenant_that_exists_and_answers_is_no_foreign_one() {
    let folder = Folder::new();
    // The sandbox's one user belongs to both.
    let tried = |more: &[&str]| {
        let other = ["--foreign-tenant", "globex", "--format", "json"];
        folder.run(&[&SANDBOX[..], &other, more].concat())
    };
    let examined = tried(&[]).exits(4).json();
    assert_eq!(went(&examined, "failed"), named(&["foreign-tenants"]));
    let foreign = check(&examined, "foreign-tenants");
    assert_eq!(foreign["untold"], json!([]), "one that exists was tried");
    // A record that is not visible is said to be just that, which is no refusal.
    let examined = tried(&["--sample", r#"certification={"release": "REL-READY"}"#]).exits(5).json();
    assert_eq!(went(&examined, "undecided"), named(&["foreign-tenants"]));
}

#[test]
fn a_clock_that_is_off_is_told_and_beyond_five_minutes_it_fails() {
    for (clock, code, outcome, warned) in [
        ("clock=-2", 0, "passed", false),
        ("clock=120", 0, "passed", true),
        ("clock=-900", 4, "failed", false),
    ] {
        let guarded = behind_a_door(&[clock]);
        let examined = guarded
            .folder
            .run(&["doctor", "--format", "json", "--input", "release=REL-READY"])
            .exits(code)
            .json();
        let examination = check(&examined, "clock");
        assert_eq!(
            (&examination["outcome"], examination["warning"].is_string()),
            (&json!(outcome), warned),
            "{clock}"
        );
        if code == 4 {
            assert_eq!(went(&examined, "failed"), named(&["clock"]));
        }
    }
}

#[test]
fn a_server_that_cannot_be_reached_or_refuses_the_token_ends_with_its_own_code() {
    let guarded = behind_a_door(&[]);
    guarded.folder.write("token", "no-token-of-this-issuer");
    guarded.settings(|server| server["tenants"] = json!({}));
    let told = guarded.folder.run(&["doctor", "--report", "junit=r.xml"]).exits(51).told();
    assert!(told.contains("sign-in: ") && told.contains("401"), "{told}");
    assert!(guarded.folder.read("r.xml").contains("failure"));
    guarded.settings(|server| server["url"] = json!("http://127.0.0.1:9/mcp"));
    guarded.settings(|server| server["time_limits"]["connect"] = json!("1s"));
    let examined = guarded.folder.run(&["doctor", "--format", "json"]).exits(50).json();
    assert_eq!(
        (&examined["verdict"], went(&examined, "failed")),
        (&json!("unreachable"), named(&["endpoint"]))
    );
    assert_eq!(went(&examined, "not-checked").len(), 16);
}

#[test]
fn a_lock_that_drifted_fails_and_nothing_is_written() {
    let folder = Folder::new();
    folder.run(&["lock", "--server", "sandbox"]).exits(0);
    let all = [&SANDBOX[..], &["--allow-writes", "--format", "json"]].concat();
    let examined = folder.run(&all).exits(0).json();
    assert_eq!(check(&examined, "lock")["outcome"], "passed");
    let lock = folder.read("loopgate.lock");
    folder.write("loopgate.lock", lock.replace("\"loopiq_search_work\":", "\"loopiq_search_world\":"));
    let examined = folder.run(&all).json();
    assert!(went(&examined, "failed").contains("lock"), "{examined:#}");
    assert_eq!(check(&examined, "write")["outcome"], "not-checked");
}

#[test]
fn what_the_settings_or_the_profile_do_not_allow_is_not_tried() {
    // Without a credential for dry runs the first is made by `apply`, before the intent.
    let governed = Governed::with("", Keys::Honoured, false);
    governed.settings(|settings| settings["servers"]["governed"]["tenants"] = json!({"test": ["acme"]}));
    let examined = governed.folder.run(&ALL).exits(0).json();
    let dry_run = check(&examined, "dry-run");
    assert_eq!(dry_run["outcome"], "passed");
    assert!(dry_run["untold"][0].as_str().unwrap().contains("made by `apply`"), "{dry_run:#}");
    // A write without a key is not made twice.
    let governed = Governed::with("", Keys::Forgotten, true);
    governed.settings(|settings| settings["servers"]["governed"]["tenants"] = json!({"test": ["acme"]}));
    let examined = governed.folder.run(&ALL).exits(0).json();
    assert_eq!(check(&examined, "repeated-key")["outcome"], "not-checked");
    let mark = examined["mark"].as_str().unwrap();
    let held = held(&governed.folder.path().join(DATABASE));
    assert_eq!(held.stories.iter().filter(|story| story.contains(mark)).count(), 1);
}

#[test]
fn a_recipe_of_ones_own_is_what_is_written() {
    let governed = faulty("");
    let recipe =
        fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/doctor_recipe.yaml")).unwrap();
    governed.folder.write(
        "own.yaml",
        recipe.replace("may be deleted", "of our own").replace("recipe: doctor", "recipe: own"),
    );
    let own = [&ALL[..], &["--recipe", "own.yaml"]].concat();
    let examined = governed.folder.run(&own).exits(0).json();
    let mark = examined["mark"].as_str().unwrap();
    let held = held(&governed.folder.path().join(DATABASE));
    assert!(
        held.stories.iter().any(|story| story.contains(mark) && story.contains("of our own")),
        "{held:?}"
    );
    let given = [&own[..], &["--input", "mark=given"]].concat();
    assert_eq!(
        governed.folder.run(&given).exits(0).json()["mark"],
        Value::Null,
        "whoever gives one knows it"
    );
    // What was there before is not held against a dry run, and is not taken for what was created now.
    let examined = governed.folder.run(&given).exits(5).json();
    assert_eq!((went(&examined, "failed"), went(&examined, "undecided")), (named(&[]), named(&["dry-run"])));
    let recipe = governed.folder.read("own.yaml");
    let reconcile = recipe.find("    reconcile:").unwrap();
    governed.folder.write("own.yaml", &recipe[..reconcile]);
    let examined = governed.folder.run(&given).exits(5).json();
    assert_eq!((went(&examined, "failed"), went(&examined, "undecided")), (named(&[]), named(&["write"])));
    let certify = ["doctor", "--allow-writes", "--input", "release=REL-READY", "--recipe", "certify-release"];
    let refused = governed.folder.run(&certify).exits(3);
    assert!(refused.stderr.contains("has no write"), "{}", refused.stderr);
    governed.settings(|settings| settings["servers"]["governed"]["profile"] = json!("plain"));
    let refused = governed.folder.run(&ALL).exits(2);
    assert!(refused.stderr.contains("no recipe that writes"), "{}", refused.stderr);
}

#[test]
fn each_check_comes_with_the_credential_that_is_meant_for_it() {
    let guarded = behind_a_door(&[]);
    let tokens = [
        ("token", vec!["who=reader", "tenants=acme", "may=read"]),
        ("dry", vec!["who=trier", "tenants=acme", "may=read,dry_run"]),
        ("write", vec!["who=writer", "tenants=acme", "may=read,dry_run,write"]),
    ];
    let [reads, tries, writes] = tokens.map(|(file, options)| guarded.token(file, &options));
    guarded.settings(|server| {
        server["token"] = reads;
        server["dry_runs"] = json!(false);
        server["dry_run"] = json!({ "token": tries });
        server["write"] = json!({ "token": writes });
    });
    guarded.folder.run(&["doctor", "--input", "release=REL-READY"]).exits(0);
    assert!(guarded.log().iter().all(|line| line["who"] != "writer" && line["who"] != "trier"));
    guarded.folder.run(&ALL).exits(0);
    let callers = guarded.callers();
    assert!(callers.contains(&("writer".to_owned(), Some(false))), "{callers:?}");
    let only = |dry: bool, who: &str| {
        callers.iter().filter(|(_, found)| *found == Some(dry)).all(|(found, _)| found == who)
    };
    assert!(only(false, "writer") && only(true, "trier"), "{callers:?}");
}

#[test]
fn a_token_for_another_tenant_fails_the_context_and_nothing_is_called() {
    let guarded = behind_a_door(&[]);
    guarded.token("token", &["who=pipeline", "tenants=globex", "may=read,dry_run,write"]);
    let examined = guarded.folder.run(&ALL).exits(4).json();
    assert_eq!(went(&examined, "failed"), named(&["tenant-context"]), "{examined:#}");
    assert_eq!(guarded.callers(), []);
}

#[test]
#[cfg(target_os = "linux")]
fn an_examination_that_is_interrupted_says_what_it_left() {
    // Once, when the write was sent and what it created is to be read back.
    let tell = "test -s memory && mkdir told && kill -INT $(cut -d' ' -f4 /proc/$PPID/stat)";
    let governed = faulty(&format!("runs:loopiq_search_work={tell}"));
    let examined = governed.folder.run(&ALL).exits(130).json();
    assert_eq!(examined["verdict"], "interrupted", "{examined:#}");
    assert!(!examined.to_string().contains("nothing was written"), "{examined:#}");
    let mark = examined["mark"].as_str().unwrap();
    let held = held(&governed.folder.path().join(DATABASE));
    assert!(held.stories.iter().any(|story| story.contains(mark)));
    assert_eq!(examined["left"].as_array().unwrap().len(), 2);
}

#[test]
fn every_form_tells_the_same_examination() {
    let governed = faulty("other-audit");
    let reports = ["json=r.json", "junit=r.xml", "sarif=r.sarif", "markdown=r.md", "html=r.html"];
    let reports: Vec<&str> = reports.iter().flat_map(|report| ["--report", *report]).collect();
    let text = governed.folder.run(&[&ALL[..4], &reports].concat()).exits(4).stdout;
    let examined = governed.folder.json("r.json");
    assert_eq!(went(&examined, "failed"), named(&["audit"]));
    let (junit, markdown) = (governed.folder.read("r.xml"), governed.folder.read("r.md").replace('\\', ""));
    assert!(junit.contains("failures=\"1\"") && junit.contains("errors=\"0\""), "{junit}");
    assert!(junit.contains(&format!("skipped=\"{}\"", went(&examined, "not-checked").len())), "{junit}");
    let sarif = governed.folder.json("r.sarif");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{results:#?}");
    assert_eq!((&results[0]["ruleId"], &results[0]["level"]), (&json!("audit"), &json!("error")));
    let saw = "APR-OF-SOMEBODY-ELSE";
    let html = governed.folder.read("r.html");
    for (form, told) in [
        ("text", &text),
        ("junit", &junit),
        ("markdown", &markdown),
        ("sarif", &sarif.to_string()),
        ("html", &html),
    ] {
        assert!(told.contains(saw), "{form} does not say what was seen:\n{told}");
    }
    for left in examined["left"].as_array().unwrap() {
        let id = left["ids"][0].as_str().unwrap();
        assert!([&text, &junit, &markdown, &html].iter().all(|told| told.contains(id)), "{id}");
    }
    for check in TEN {
        assert!([&text, &junit, &markdown, &html].iter().all(|told| told.contains(check)), "{check}");
    }
    let refused = governed.folder.run(&["doctor", "--report", "events=r.ndjson"]).exits(2);
    assert!(refused.stderr.contains("no events"), "{}", refused.stderr);
}

#[test]
fn what_doctor_prints_is_what_its_schema_says() {
    let folder = Folder::new();
    let schema = folder.run(&["schema", "doctor"]).exits(0).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let examined =
        folder.run(&[&SANDBOX[..], &["--allow-writes", "--format", "json"]].concat()).exits(0).json();
    let problems: Vec<String> = validator.iter_errors(&examined).map(|error| error.to_string()).collect();
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(examined["format"], "loopgate.doctor/1");
}
