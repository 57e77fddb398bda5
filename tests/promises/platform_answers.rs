//! What somebody does to the answers of a CI platform to be taken for an approver.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use loopgate::approval::platform::{
    Answers, EnvironmentFiles, GateFiles, GithubTrust, GitlabTrust, PlatformError, ReviewFiles,
    github_environment, github_review, gitlab,
};
use loopgate::artifact::v1::PlannedIn;
use loopgate::core::Digest;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::github_answers::{GitHub, HEAD, OLD, RUN, approval, review, user};

/// The answers about the pull request, judged.
impl GitHub {
    fn answers(&self) -> Result<Answers, PlatformError> {
        self.answers_to(&github())
    }

    fn answers_to(&self, trust: &GithubTrust) -> Result<Answers, PlatformError> {
        let bytes = |value: &Value| value.to_string().into_bytes();
        let (reviews, pull) = (bytes(&self.reviews), bytes(&self.pull));
        let (commits, run) = (bytes(&self.commits), bytes(&self.run));
        let files = ReviewFiles { reviews: &reviews, pull: &pull, commits: &commits, run: &run };
        github_review(&files, &effect(), Some(&planned("github", RUN)), trust)
    }

    /// Nobody counts, and why.
    #[track_caller]
    fn nobody(&self) -> String {
        let answers = self.answers().unwrap();
        assert_eq!(answers.given, []);
        answers.refused.join("; ")
    }
}

fn effect() -> Digest {
    Digest::of_bytes(b"effect")
}

fn planned(platform: &str, run: &str) -> PlannedIn {
    PlannedIn { platform: platform.to_owned(), run: run.to_owned(), people: Vec::new() }
}

fn github() -> GithubTrust {
    GithubTrust {
        repository: "acme/shop".to_owned(),
        workflow: ".github/workflows/apply.yml@refs/heads/main".to_owned(),
        environment: Some("production".to_owned()),
        approvers: BTreeSet::new(),
    }
}

fn approvers(answers: &Answers) -> Vec<&str> {
    answers.given.iter().map(|answer| answer.approver.as_str()).collect()
}

#[test]
fn a_review_that_names_the_effect_counts_with_everybody_behind_the_plan() {
    let answers = GitHub::new(&effect()).answers().unwrap();
    assert_eq!((approvers(&answers), answers.refused.len()), (vec!["github:alice#17"], 0));
    assert_eq!(answers.behind, Ok(BTreeSet::from(["github:carol#3".to_owned()])));
    let several = GitHub::new(&effect()).with(|answer| {
        answer.commits[0]["author"] = user("dave", 4);
        answer.run["triggering_actor"] = user("erin", 5);
    });
    let people: Vec<String> = several.answers().unwrap().behind.unwrap().into_iter().collect();
    assert_eq!(people, ["github:carol#3", "github:dave#4", "github:erin#5"]);
    // A client that puts pages together may keep them apart.
    let paged = GitHub::new(&effect()).with(|answer| answer.reviews = json!([answer.reviews, []]));
    assert_eq!(paged.answers().unwrap().given, answers.given);
}

#[test]
fn a_review_names_the_effect_by_sixteen_digits_or_more() {
    let hex = effect().hex().to_owned();
    let with = |body: &str| GitHub::new(&effect()).with(|answer| answer.reviews[0]["body"] = json!(body));
    for body in [&hex[..16], &hex, &format!("sha256:{hex}"), &format!("`{}`", hex[..20].to_uppercase())] {
        assert_eq!(with(body).answers().unwrap().given.len(), 1, "{body}");
    }
    let other = Digest::of_bytes(b"other").hex().to_owned();
    let (short, longer, inside) = (&hex[..15], format!("{}f0", &hex[..62]), format!("x{hex}"));
    for body in
        ["", "LGTM", short, &hex[16..40], &other, &longer, &inside, &format!("{} {}", &hex[..8], &hex[8..16])]
    {
        let why = with(body).nobody();
        assert!(why.contains("16 hex digits or more of the effect digest"), "{body}: {why}");
    }
    let none = GitHub::new(&effect()).with(|answer| answer.reviews[0]["body"] = Value::Null);
    assert!(none.nobody().contains("16 hex digits"));
}

#[test]
fn the_last_word_of_a_reviewer_counts_once() {
    let body = effect().hex().to_owned();
    let alice = user("alice", 17);
    let then = |state: &str, at: &str, body: &str| {
        let mut later = review(81, &alice, body, at);
        later["state"] = json!(state);
        GitHub::new(&effect()).with(|answer| answer.reviews.as_array_mut().unwrap().insert(0, later))
    };
    let late = "2026-03-01T13:00:00Z";
    assert!(then("CHANGES_REQUESTED", late, "no").nobody().contains("asks for changes"));
    assert!(then("DISMISSED", late, &body).nobody().contains("was dismissed"));
    assert!(then("APPROVED", late, "still fine").nobody().contains("16 hex digits"));
    assert_eq!(then("APPROVED", late, &body).answers().unwrap().given.len(), 1);
    assert_eq!(then("COMMENTED", late, "a question").answers().unwrap().given.len(), 1);
    // What was taken back before stays given.
    assert_eq!(then("DISMISSED", "2026-03-01T11:30:00Z", &body).answers().unwrap().given.len(), 1);
    let renamed = GitHub::new(&effect()).with(|answer| {
        let again = review(82, &user("alice-renamed", 17), &body, late);
        answer.reviews.as_array_mut().unwrap().push(again);
    });
    assert_eq!(approvers(&renamed.answers().unwrap()), ["github:alice-renamed#17"]);
}

#[test]
fn a_review_is_of_this_pull_requests_last_commit_after_it_was_planned() {
    let changed =
        |change: fn(&mut Value)| GitHub::new(&effect()).with(|answer| change(&mut answer.reviews[0]));
    for (change, why) in [
        ((|review| review["commit_id"] = json!(OLD)) as fn(&mut Value), "another commit"),
        (|review| review["commit_id"] = Value::Null, "another commit"),
        (|review| review["submitted_at"] = json!("2026-03-01T10:59:59Z"), "before the run that planned"),
        (|review| review["submitted_at"] = Value::Null, "does not say when"),
        (
            |review| review["pull_request_url"] = json!("https://api.github.com/repos/acme/shop/pulls/6"),
            "pulls/6",
        ),
        (|review| review["author_association"] = json!("NONE"), "none of those who may approve"),
        (|review| review["author_association"] = json!("CONTRIBUTOR"), "none of those who may approve"),
        (|review| review["user"]["type"] = json!("Bot"), "by a program"),
    ] {
        let found = changed(change).nobody();
        assert!(found.contains(why), "{why}: {found}");
    }
    assert_eq!(changed(|review| review["user"] = Value::Null).nobody(), "");
    let pending = changed(|review| review["state"] = json!("PENDING"));
    assert_eq!(pending.nobody(), "");
}

#[test]
fn a_program_counts_only_where_the_settings_name_it() {
    let body = effect().hex().to_owned();
    let mut bot = user("release-bot[bot]", 99);
    bot["type"] = json!("Bot");
    let answer = GitHub::new(&effect()).with(|answer| {
        answer.reviews.as_array_mut().unwrap().push(review(90, &bot, &body, "2026-03-01T12:00:00Z"));
    });
    let to = |listed: &[&str]| {
        let approvers = listed.iter().map(|name| (*name).to_owned()).collect();
        answer.answers_to(&GithubTrust { approvers, ..github() }).unwrap()
    };
    assert_eq!(approvers(&to(&[])), ["github:alice#17"]);
    assert_eq!(approvers(&to(&["release-bot[bot]"])), ["github:release-bot[bot]#99"]);
    assert_eq!(approvers(&to(&["Alice"])), ["github:alice#17"]);
    assert_eq!(approvers(&to(&["alice#17", "release-bot[bot]#99"])).len(), 2);
    assert_eq!(to(&["alice#18", "#17", "17", "ali"]).given, []);
}

#[test]
fn an_answer_about_something_else_is_refused_whole() {
    for (change, why) in [
        (
            (|answer| answer.pull["base"]["repo"]["full_name"] = json!("mallory/shop")) as fn(&mut GitHub),
            "mallory/shop",
        ),
        (|answer| answer.pull["head"]["repo"]["full_name"] = json!("mallory/shop"), "from a fork"),
        (|answer| answer.pull["head"]["repo"] = Value::Null, "is gone"),
        (|answer| answer.pull["state"] = json!("closed"), "closed without a merge"),
        (|answer| answer.pull["head"]["sha"] = json!(OLD), "plan it again"),
        (|answer| answer.run["head_sha"] = json!(OLD), "plan it again"),
        (|answer| answer.run["id"] = json!(7), "the plan was made in the run `30433642`, and this is 7"),
        (|answer| answer.run["repository"]["full_name"] = json!("mallory/shop"), "mallory/shop"),
        (|answer| answer.pull["number"] = json!("5"), "`pull.json` is not what the platform answers"),
        (
            |answer| answer.reviews = json!({"message": "Not Found"}),
            "`reviews.json` is not what the platform",
        ),
    ] {
        let found = GitHub::new(&effect()).with(change).answers().unwrap_err().to_string();
        assert!(found.contains(why), "{why}: {found}");
    }
    assert_eq!(GitHub::new(&effect()).merged().answers().unwrap().given.len(), 1);
    let answer = GitHub::new(&effect());
    let bytes = |value: &Value| value.to_string().into_bytes();
    let (reviews, pull) = (bytes(&answer.reviews), bytes(&answer.pull));
    let (commits, run) = (bytes(&answer.commits), bytes(&answer.run));
    let files = ReviewFiles { reviews: &reviews, pull: &pull, commits: &commits, run: &run };
    for unplanned in [None, Some(planned("gitlab", "30433642"))] {
        let found = github_review(&files, &effect(), unplanned.as_ref(), &github()).unwrap_err().to_string();
        assert!(found.contains("does not say in which GitHub run"), "{found}");
    }
}

#[test]
fn a_commit_of_nobody_leaves_the_people_behind_the_plan_unknown() {
    for (change, why) in [
        ((|answer| answer.commits[0]["author"] = Value::Null) as fn(&mut GitHub), "no account behind it"),
        (|answer| answer.commits[1]["author"] = json!({}), "no account behind it"),
        (|answer| drop(answer.commits.as_array_mut().unwrap().pop()), "1 of the pull request's 2 commits"),
        (|answer| answer.run["triggering_actor"] = Value::Null, "does not say who caused it"),
        (|answer| answer.pull["user"] = Value::Null, "no author any more"),
    ] {
        let behind = GitHub::new(&effect()).with(change).answers().unwrap().behind.unwrap_err();
        assert!(behind.contains(why), "{why}: {behind}");
    }
}

#[test]
fn an_environments_approval_counts_in_the_run_that_planned_and_nowhere_else() {
    let answer = GitHub::new(&effect());
    let asked = |approvals: Value, run: &Value, planned_in: &str| {
        let (approvals, run) = (approvals.to_string().into_bytes(), run.to_string().into_bytes());
        let files = EnvironmentFiles { approvals: &approvals, run: &run };
        github_environment(&files, Some(&planned("github", planned_in)), &github())
    };
    let approved = || json!([approval("staging", "rejected"), approval("production", "approved")]);
    let answers = asked(approved(), &answer.run, "30433642").unwrap();
    assert_eq!(approvers(&answers), ["github:alice#17"]);
    assert_eq!(answers.behind, Ok(BTreeSet::from(["github:carol#3".to_owned()])));

    let other = asked(approved(), &answer.run, "30433641").unwrap_err().to_string();
    assert!(other.contains("the plan was made in the run `30433641`, and this is 30433642"), "{other}");
    let twice = json!([approval("production", "approved"), approval("production", "approved")]);
    assert_eq!(asked(twice, &answer.run, "30433642").unwrap().given.len(), 1);
    for nobody in [json!([]), json!([approval("staging", "approved")])] {
        assert_eq!(asked(nobody, &answer.run, "30433642").unwrap().given, []);
    }
    for state in ["rejected", "pending", "sure\u{1b}[2J"] {
        let mixed = json!([approval("production", "approved"), approval("production", state)]);
        let found = asked(mixed, &answer.run, "30433642").unwrap_err().to_string();
        assert!(found.contains("`github:alice#17` answered") && !found.contains('\u{1b}'), "{found}");
    }
    let elsewhere = answer.with(|answer| answer.run["repository"]["full_name"] = json!("mallory/shop"));
    assert!(asked(approved(), &elsewhere.run, "30433642").is_err());
}

/// A throw-away key pair of the fixtures.
fn key(name: &str) -> RsaKeyPair {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/platform/{name}.der"));
    RsaKeyPair::from_der(&fs_err::read(path).unwrap()).unwrap()
}

/// The key set that an instance publishes for its key `one`.
pub fn key_set() -> String {
    let public: ring::signature::RsaPublicKeyComponents<Vec<u8>> = key("one").public().into();
    json!({"keys": [
        {"kty": "EC", "kid": "other", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256",
         "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e)},
    ]})
    .to_string()
}

/// What GitLab says in the token of the manual job 302 of the pipeline 301, which alice started.
pub fn claims(now: i64) -> Value {
    json!({"iss": "https://gitlab.example.com", "aud": "loopgate", "sub": "project_path:acme/shop:ref_type:branch:ref:main",
           "iat": now, "nbf": now - 5, "exp": now + 300, "jti": "a-token", "namespace_id": "72",
           "namespace_path": "acme", "project_id": "20", "project_path": "acme/shop", "user_id": "17",
           "user_login": "alice", "user_email": "alice@example.org", "pipeline_id": "301",
           "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
           "ref_protected": "true", "environment": "production", "environment_protected": "true",
           "deployment_tier": "production", "runner_id": 1, "runner_environment": "self-hosted", "sha": HEAD,
           "ci_config_ref_uri": "gitlab.example.com/acme/shop//.gitlab-ci.yml@refs/heads/main"})
}

/// The pipeline 301 of the default branch, which carol caused.
pub fn pipeline() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/platform/gitlab/pipeline.json");
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

pub fn token(header: &Value, claims: &Value, signed_by: &str) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{header}.{claims}");
    let key = key(signed_by);
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub fn header() -> Value {
    json!({"alg": "RS256", "kid": "one", "typ": "JWT"})
}

const NOW: i64 = 1_772_000_000;

fn gated(token: &str, pipeline: &Value, planned_in: &str) -> Result<Answers, PlatformError> {
    let trust = GitlabTrust {
        issuer: "https://gitlab.example.com".to_owned(),
        audience: "loopgate".to_owned(),
        keys: "keys.json".into(),
        project: "acme/shop".to_owned(),
        workflow: "gitlab.example.com/acme/shop//.gitlab-ci.yml@refs/heads/main".to_owned(),
        environment: "production".to_owned(),
        approvers: BTreeSet::new(),
    };
    let (pipeline, keys) = (pipeline.to_string().into_bytes(), key_set());
    let files = GateFiles { token, pipeline: &pipeline, keys: &keys };
    let now = Timestamp::from_second(NOW).unwrap();
    gitlab(&files, Some(&planned("gitlab", planned_in)), &trust, now)
}

#[track_caller]
fn refused(token: &str, why: &str) {
    let found = gated(token, &pipeline(), "301").unwrap_err().to_string();
    assert!(found.contains(why), "{why}: {found}");
}

#[test]
fn a_manual_job_counts_by_the_token_that_gitlab_signed() {
    let token = token(&header(), &claims(NOW), "one");
    let answers = gated(&token, &pipeline(), "301").unwrap();
    assert_eq!(approvers(&answers), ["gitlab:alice#17"]);
    assert_eq!(answers.behind, Ok(BTreeSet::from(["gitlab:carol#3".to_owned()])));
    assert!(!format!("{answers:?}").contains(&token), "the token itself is kept nowhere");
    let other = gated(&token, &pipeline(), "300").unwrap_err().to_string();
    assert!(other.contains("the plan was made in the pipeline `300`, and this is `301`"), "{other}");
    // A job that runs by itself is run as whoever caused the pipeline.
    for name in ["alice", "renamed"] {
        let mut own = pipeline();
        own["user"] = json!({"id": 17, "username": name});
        let answers = gated(&token, &own, "301").unwrap();
        assert_eq!(answers.given, []);
        assert!(answers.refused[0].contains("caused the pipeline"), "{:?}", answers.refused);
    }
    for (member, value) in [("id", json!(300)), ("sha", json!(OLD))] {
        let mut pipeline = pipeline();
        pipeline[member] = value;
        assert!(gated(&token, &pipeline, "301").is_err(), "{member}");
    }
}

#[test]
fn a_token_that_gitlab_did_not_sign_for_us_here_and_now_does_not_count() {
    let good = claims(NOW);
    for (member, value, why) in [
        ("iss", json!("https://gitlab.com"), "its issuer is `https://gitlab.com`"),
        ("aud", json!("vault"), "its audience is `vault`"),
        ("aud", json!(["loopgate", "vault"]), "its audience is `loopgate, vault`"),
        ("project_path", json!("mallory/shop"), "its project is `mallory/shop`"),
        ("environment", json!("staging"), "its environment is `staging`"),
        ("environment", Value::Null, "its environment is ``"),
        ("environment_protected", json!("false"), "`environment_protected` is `false`"),
        ("ref_protected", json!("false"), "`ref_protected` is `false`"),
        (
            "ci_config_ref_uri",
            json!("gitlab.example.com/acme/shop//.gitlab-ci.yml@refs/merge-requests/5/head"),
            "its configuration is",
        ),
        ("exp", json!(NOW), "it expired at"),
        ("exp", json!(i64::MAX), "it is no signed token"),
        ("exp", json!(9_007_199_254_740_991_i64), "its times are none"),
        ("nbf", json!(NOW + 120), "compare the clocks"),
        ("iat", json!(NOW + 120), "compare the clocks"),
        ("user_id", Value::Null, "its claims are not what the platform says"),
    ] {
        let mut claims = good.clone();
        claims[member] = value;
        refused(&token(&header(), &claims, "one"), why);
    }
    let with = |member: &str, value: Value| {
        let mut header = header();
        header[member] = value;
        token(&header, &good, "one")
    };
    refused(&token(&header(), &good, "two"), "its signature does not verify");
    refused(&with("alg", json!("none")), "only `RS256` counts");
    refused(&with("alg", json!("HS256")), "only `RS256` counts");
    refused(&with("alg", json!("RS512")), "only `RS256` counts");
    refused(&with("crit", json!(["exp"])), "only `RS256` counts");
    refused(&with("kid", json!("two")), "its key `two` is not one of the keys");
    refused(&with("kid", Value::Null), "is not one of the keys");
    refused(&with("kid", json!("other")), "its key `other` is not one of the keys");
    let whole = token(&header(), &good, "one");
    let (signed, _) = whole.rsplit_once('.').unwrap();
    refused(&format!("{signed}."), "its signature does not verify");
    let (head, signature) = (whole.split('.').next().unwrap(), whole.rsplit('.').next().unwrap());
    let mut forged = good.clone();
    forged["user_login"] = json!("mallory");
    let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
    refused(&format!("{head}.{forged}.{signature}"), "its signature does not verify");
    for text in ["", "x", "a.b", "..", &format!("{whole}.x"), &"a".repeat(70_000), signed] {
        let found = gated(text, &pipeline(), "301").unwrap_err().to_string();
        assert!(found.contains("does not count"), "{found}");
    }
}
