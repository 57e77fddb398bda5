//! The tenant of the artifact, of the allow-list, of the credential and of the server agree, or nothing is called.

use serde_json::{Value, json};

use crate::governed::{ARTIFACT, LEDGER};
use crate::guarded::Guarded;
use crate::hostile::Hostile;
use crate::support::peer;

const MAY: &str = "may=read,dry_run,write";

/// Known by the claims of a token for `tenants`; nobody names one.
fn claiming(tenants: &str) -> Guarded {
    let guarded = Guarded::new();
    let token = guarded.token("token", &["who=pipeline", &format!("tenants={tenants}"), MAY]);
    guarded.settings(|server| {
        server["token"] = token;
        server["dry_runs"] = json!(true);
        server["tenant"] = Value::Null;
        server["tenants"] = json!({"claim": "/org_id", "known_by": ["claim", "tool"]});
    });
    guarded
}

fn calls(guarded: &Guarded) -> usize {
    guarded.log().iter().filter(|line| line["tool"].is_string()).count()
}

fn plan_for(guarded: &Guarded, tenant: &str) -> crate::support::Ran {
    guarded.folder.run(&["remediation-plan", "--release", "REL-BLOCKED", "--tenant", tenant])
}

#[test]
fn a_claim_of_the_token_names_the_tenant_and_every_report_says_so() {
    let guarded = claiming("acme");
    let told = guarded.plan().exits(0).told();
    assert!(told.contains("acme, as the credential says"), "{told}");
    let target = &guarded.folder.json("loopgate-out/run.json")["target"];
    assert_eq!((&target["tenant"], &target["tenant_known_by"]), (&json!("acme"), &json!("claim")));
    let target = &guarded.folder.json(ARTIFACT)["target"];
    assert_eq!((&target["tenant"], &target["tenant_known_by"]), (&json!("acme"), &json!("claim")));
    let id = guarded.approved();
    guarded.apply(&id).exits(0);
    let connected = &guarded.folder.json("loopgate-out/audit.json")["runs"][0]["connected"];
    assert_eq!((&connected["tenant"], &connected["tenant_known_by"]), (&json!("acme"), &json!("claim")));
    // The server is heard, too: what stands first is what the settings put first.
    guarded.settings(|server| server["tenants"]["known_by"] = json!(["tool"]));
    guarded.plan().exits(0);
    assert_eq!(guarded.folder.json(ARTIFACT)["target"]["tenant_known_by"], "tool");
}

#[test]
fn a_token_for_several_tenants_needs_one_to_be_named() {
    let guarded = claiming("acme,globex");
    let told = guarded.plan().exits(3).told();
    assert!(told.contains("the token is for 2 tenants") && told.contains("--tenant NAME"), "{told}");
    plan_for(&guarded, "initech").exits(51);
    assert_eq!(calls(&guarded), 0);
    plan_for(&guarded, "acme").exits(0);
    assert_eq!(guarded.folder.json(ARTIFACT)["target"]["tenant_known_by"], "claim");
    // The artifact names it for `apply`.
    let id = guarded.approved();
    guarded.apply(&id).exits(0);
}

#[test]
fn a_token_for_another_tenant_or_for_none_calls_nothing() {
    let guarded = claiming("globex");
    let told = plan_for(&guarded, "acme").exits(51).told();
    assert!(
        told.contains("the claim `/org_id` of the token is for tenant `globex`, and not for `acme`"),
        "{told}"
    );
    guarded.settings(|server| server["tenants"]["claim"] = json!("/organization"));
    let told = plan_for(&guarded, "globex").exits(51).told();
    assert!(told.contains("is not there, or the token is no JWT"), "{told}");
    assert_eq!(calls(&guarded), 0);
}

#[test]
fn an_artifact_for_another_tenant_than_the_tokens_is_not_applied() {
    let guarded = claiming("acme");
    guarded.plan().exits(0);
    let id = guarded.approved();
    let before = (guarded.held(), calls(&guarded));
    guarded.token("token", &["who=pipeline", "tenants=globex", MAY]);
    let told = guarded.apply(&id).exits(51).told();
    assert!(told.contains("is for tenant `globex`, and not for `acme`"), "{told}");
    assert_eq!((guarded.held(), calls(&guarded)), before);
}

#[test]
fn a_tenant_that_is_not_on_the_allow_list_is_refused_before_anybody_is_asked() {
    let guarded = claiming("acme,globex");
    plan_for(&guarded, "acme").exits(0);
    let id = guarded.approved();
    let before = (guarded.held(), guarded.log().len());
    guarded.settings(|server| server["tenants"]["allow"] = json!(["globex"]));
    let mut told = guarded.apply(&id).exits(51).told();
    told += &plan_for(&guarded, "acme").exits(51).told();
    assert!(told.matches("the settings do not allow the tenant `acme`").count() > 1, "{told}");
    plan_for(&guarded, "ac\u{1b}[31mme").exits(51);
    // Whoever is named by the token alone is known after the handshake, and nothing is called.
    assert_eq!((guarded.held(), guarded.log().len()), before);
    guarded.token("token", &["who=pipeline", "tenants=acme", MAY]);
    let called = calls(&guarded);
    guarded.plan().exits(51);
    assert_eq!(calls(&guarded), called);
}

#[test]
fn an_empty_answer_says_whether_anybody_knows_for_which_tenant_it_is() {
    let notes = |folder: &crate::support::Folder, step: &str| {
        let run = folder.json("loopgate-out/run.json");
        let step = run["steps"].as_array().unwrap().iter().find(|one| one["id"] == step).cloned().unwrap();
        step["notes"].to_string()
    };
    let guarded = claiming("acme");
    for (known_by, says) in [("claim", "the credential is for"), ("tool", "the server answers for")] {
        guarded.settings(|server| server["tenants"]["known_by"] = json!([known_by]));
        guarded.folder.run(&["evidence-graph", "--release", "REL-EMPTY"]).exits(5);
        let told = notes(&guarded.folder, "graph");
        assert!(told.contains(&format!("may see: {says} the tenant `acme`")), "{told}");
    }
    // A refusal of what is not visible is told in other words.
    let told = guarded.folder.run(&["evidence-graph", "--release", "REL-NOWHERE"]).exits(5).told();
    assert!(
        told.contains("nothing is visible to this caller: `loopiq_get_release_certification` says"),
        "{told}"
    );
    let full = Hostile::new("", "auto");
    full.read().exits(0);
    assert_eq!(notes(&full.folder, "seen"), "[]");
    let empty = Hostile::new("look:no-items", "auto");
    let profile =
        empty.folder.read("hostile.yaml").replace("{ id: /id, state: /state }", "{ items: /items }");
    empty.folder.write("hostile.yaml", profile);
    let told = empty.read().exits(0).told();
    assert!(told.contains("nothing is there, or nothing is visible to this caller"), "{told}");
    assert!(notes(&empty.folder, "seen").contains("for the tenant `acme` stands the caller's word alone"));
}

#[test]
fn nothing_is_written_for_a_tenant_that_is_not_known_as_the_settings_want() {
    let hostile = Hostile::new("", "auto");
    hostile.settings(|server| server["tenants"] = json!({"known_by": ["tool", "asserted"]}));
    let id = hostile.approved();
    hostile.settings(|server| server["tenants"] = json!({"known_by": ["tool"]}));
    let told = hostile.folder.run(&["run", "write.yaml"]).exits(0).told();
    assert!(told.contains("`apply` will refuse this: the tenant is known by `asserted`"), "{told}");
    let told = hostile.apply(&id).exits(51).told();
    assert!(told.contains("the settings want `tool` before anything is written"), "{told}");
    assert_eq!(hostile.calls("make"), 0);
    // An artifact is nobody's word for its own tenant.
    let guarded = claiming("acme");
    guarded.settings(|server| server["tenants"]["known_by"] = json!(["asserted"]));
    plan_for(&guarded, "acme").exits(0);
    let id = guarded.approved();
    let before = guarded.held();
    guarded.apply(&id).exits(51);
    assert_eq!(guarded.held(), before);
    assert!(guarded.folder.exists(LEDGER));
}

#[test]
fn a_credential_for_dry_runs_of_another_tenant_ends_the_run() {
    let guarded = claiming("acme");
    let dry_runs = guarded.token("dry-runs", &["who=rehearser", "tenants=globex", "may=read,dry_run"]);
    guarded.settings(|server| {
        server["dry_runs"] = json!(false);
        server["dry_run"] = json!({"token": dry_runs});
    });
    let told = guarded.plan().exits(51).told();
    assert!(told.contains("is for tenant `globex`, and not for `acme`"), "{told}");
    assert!(!guarded.folder.exists(ARTIFACT));
}

#[test]
fn a_renewed_token_for_another_tenant_stops_before_the_intent() {
    let hostile = Hostile::new("", "auto");
    let here = hostile.folder.path().to_str().unwrap().to_owned();
    hostile.folder.write("issuer.key", "k");
    // Each request wants another one; the third is for the write.
    let command = json!([peer(), "mint", here, "turns=acme,acme,globex", "expires=30"]);
    hostile.settings(|server| {
        server["token"] = json!({"command": command});
        server["tenants"] = json!({"claim": "/org_id"});
    });
    let id = hostile.approved();
    fs_err::remove_file(hostile.folder.path().join("minted.jsonl")).unwrap();
    let told = hostile.apply(&id).exits(51).told();
    assert!(told.contains("is for tenant `globex`, and not for `acme`"), "{told}");
    assert_eq!(hostile.calls("make"), 0);
    assert_eq!(hostile.folder.read("minted.jsonl").lines().count(), 3);
}
