//! The pipeline's own identity, exchanged for a token of the service: who is shown what, and what nobody is shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac::{HMAC_SHA256, Key, sign};
use serde_json::{Value, json};

use crate::governed::{ARTIFACT, approve};
use crate::support::Ran;
use crate::tokens::Signed;

const KEY: &str = "k";

/// A server that takes exchanged tokens only, and a job of GitHub.
struct Job {
    signed: Signed,
}

impl Job {
    fn new(issuer: &[&str], faults: &str) -> Self {
        let signed = Signed::new(issuer, faults, "auto", |_| Value::Null);
        signed.backstage.write("issuer.key", KEY);
        let job = Self { signed };
        job.settings(&json!("github"), |_| {});
        job
    }

    fn settings(&self, from: &Value, change: impl FnOnce(&mut Value)) {
        let exchange = format!("{}/exchange", self.signed.issuer.url);
        let mut federated = json!({
            "from": from, "audience": "exchange", "exchange": exchange, "service": "loopiq", "scope": "read",
        });
        change(&mut federated);
        self.signed.hostile.settings(|server| server["token"] = json!({"federated": federated}));
    }

    fn run(&self, arguments: &[&str], more: &[(&str, &str)]) -> Ran {
        let mut command = self.signed.hostile.folder.command(arguments);
        command.env("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/idtoken?v=2", self.signed.issuer.url));
        command.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-request");
        for (name, value) in more {
            command.env(name, value);
        }
        command.output().unwrap().into()
    }

    fn read(&self, more: &[(&str, &str)]) -> Ran {
        self.run(&["run", "read.yaml", "-vvv"], more)
    }
}

/// An ID token of the platform's.
fn id_token(audience: &str, expires: i64) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"aud": audience, "exp": Timestamp::now().as_second() + expires, "sub": "canary-job"});
    let said = format!("{}.{}", part(&json!({"alg": "HS256"})), part(&claims));
    let signature = sign(&Key::new(HMAC_SHA256, KEY.as_bytes()), said.as_bytes());
    format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_job_of_github_shows_who_it_is_and_the_server_sees_what_that_was_exchanged_for() {
    let job = Job::new(&["good"], "look:echo=answer");
    let mut told = job.read(&[]).exits(0).told();
    let asked = job.signed.asked("/idtoken?v=2&audience=exchange");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["headers"]["authorization"], "Bearer canary-request");
    let exchanged = job.signed.asked("/exchange");
    let form = &exchanged[0]["form"];
    assert_eq!(exchanged.len(), 1, "one token for all of a run");
    assert_eq!(form["resource"], job.signed.hostile.server.url.as_str());
    assert_eq!((&form["audience"], &form["scope"]), (&json!("loopiq"), &json!("read")));
    assert_eq!(form["requested_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    for headers in [&exchanged[0]["headers"], &asked[0]["headers"]] {
        assert!(headers["x-team"].is_null(), "a header for the server alone");
    }
    assert!(exchanged[0]["headers"]["authorization"].is_null(), "the request token is the runner's alone");
    assert!(job.signed.shown("tools/call").iter().all(|token| token == "Bearer canary-issued-1"));
    told += &job.run(&["config", "show"], &[]).told();
    told += &job.run(&["run", "write.yaml", "--report", "events=events.jsonl"], &[]).exits(0).told();
    let id = approve(&job.signed.hostile.folder, ARTIFACT, "alice");
    told += &job.run(&["apply", ARTIFACT, "--approval-id", &id, "-vvv"], &[]).exits(0).told();
    assert!(told.contains("fetched a token"), "{told}");
    job.signed.nothing_shows(&told);
}

#[test]
fn an_id_token_comes_from_a_variable_or_a_file_as_well() {
    let job = Job::new(&["good"], "");
    let token = id_token("exchange", 300);
    let file = job.signed.backstage.write("id", format!("{token}\n"));
    for (from, variable) in [
        (json!("gitlab"), Some("LOOPGATE_ID_TOKEN")),
        (json!({"environment": "MY_ID_TOKEN"}), Some("MY_ID_TOKEN")),
        (json!({"file": file}), None),
    ] {
        job.settings(&from, |_| {});
        if variable.is_some() {
            job.read(&[]).exits(3);
        }
        let variables: Vec<(&str, &str)> = variable.iter().map(|name| (*name, token.as_str())).collect();
        let told = job.read(&variables).exits(0).told();
        job.signed.nothing_shows(&told);
    }
    let exchanged = job.signed.asked("/exchange");
    assert_eq!(exchanged.len(), 3);
    assert!(exchanged.iter().all(|request| request["form"]["subject_token"] == token.as_str()));
    assert!(job.signed.asked("/idtoken?v=2&audience=exchange").is_empty());
}

#[test]
fn an_id_token_for_another_or_of_the_past_is_shown_to_nobody() {
    let job = Job::new(&["good"], "");
    job.settings(&json!("gitlab"), |_| {});
    for (token, says) in [
        (id_token("somebody", 300), "the ID token is for `somebody`, and not for `exchange`"),
        (id_token("exchange", -5), "the ID token expired at"),
        ("canary-opaque-token".to_owned(), "the ID token is no JWT"),
    ] {
        let told = job.read(&[("LOOPGATE_ID_TOKEN", &token)]).exits(51).told();
        assert!(told.contains(says) && !told.contains("canary-opaque"), "{told}");
        job.signed.nothing_shows(&told);
    }
    assert!(job.signed.asked("/exchange").is_empty() && job.signed.hostile.log().is_empty());
}

#[test]
fn neither_the_runners_service_nor_the_exchange_leads_elsewhere() {
    for (what, path) in [("moved", "/idtoken?v=2&audience=exchange"), ("redirects", "/exchange")] {
        let job = Job::new(&[what], "");
        let told = job.read(&[]).exits(51).told();
        assert!(told.contains("which is not followed"), "{what}: {told}");
        assert_eq!(job.signed.asked(path).len(), 1, "{what}");
        assert_eq!(job.signed.asked("/elsewhere").len() + job.signed.hostile.log().len(), 0, "{what}");
        job.signed.nothing_shows(&told);
    }
}

#[test]
fn an_exchange_that_refuses_is_a_refused_sign_in_and_its_words_show_no_token() {
    let job = Job::new(&["refuses"], "");
    let told = job.read(&[]).exits(51).told();
    assert!(told.contains("HTTP status 401") && told.contains("(the ID token)"), "{told}");
    job.signed.nothing_shows(&told);
    // Whom the runner does not know gets no ID token, and so nothing is exchanged.
    let job = Job::new(&["good"], "");
    let told = job.read(&[("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-other")]).exits(51).told();
    assert!(told.contains("the runner's service") && told.contains("HTTP status 403"), "{told}");
    assert!(!told.contains("canary-other") && job.signed.asked("/exchange").is_empty());
    let down = Job::new(&["down"], "");
    down.read(&[]).exits(50);
    assert_eq!(down.signed.hostile.log().len(), 0);
}

#[test]
fn neither_is_asked_in_the_clear_on_another_machine() {
    let job = Job::new(&["good"], "");
    let far = [("ACTIONS_ID_TOKEN_REQUEST_URL", "http://runner.example/idtoken")];
    let told = job.read(&far).exits(3).told();
    assert!(told.contains("to another machine"), "{told}");
    job.settings(&json!("github"), |federated| federated["exchange"] = json!("http://login.example/token"));
    let told = job.read(&[]).exits(3).told();
    assert!(told.contains("to another machine"), "{told}");
    assert!(job.signed.asked("/exchange").is_empty());
}

#[test]
fn an_exchanges_certificate_is_verified() {
    let job = Job::new(&["good", "tls=good"], "");
    job.read(&[]).exits(50);
    assert!(job.signed.asked("/exchange").is_empty());
    job.signed.hostile.folder.write("ca.pem", job.signed.backstage.read("ca.pem"));
    job.signed.hostile.settings(|server| server["ca"] = json!("ca.pem"));
    job.read(&[]).exits(0);
}

#[test]
fn a_token_that_hardly_lasts_is_exchanged_anew_for_a_fresh_id_token() {
    let job = Job::new(&["good", "expires=30"], "");
    job.read(&[]).exits(0);
    let exchanged = job.signed.asked("/exchange").len();
    assert!(exchanged > 1, "{exchanged}");
    assert_eq!(job.signed.asked("/idtoken?v=2&audience=exchange").len(), exchanged);
    let mut shown = job.signed.shown("tools/call");
    shown.extend(job.signed.shown("tools/list"));
    let count = shown.len();
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), count, "each has a token of its own");
}

#[test]
fn a_run_does_not_ask_for_the_identity_that_writes() {
    let job = Job::new(&["good"], "");
    let exchange = format!("{}/exchange", job.signed.issuer.url);
    let federated = json!({"from": "github", "audience": "write", "exchange": exchange});
    job.signed.hostile.settings(|server| server["write"] = json!({"token": {"federated": federated}}));
    job.read(&[]).exits(0);
    assert!(job.signed.asked("/idtoken?v=2&audience=write").is_empty());
}
