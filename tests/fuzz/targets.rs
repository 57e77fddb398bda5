//! Every reader of what comes from outside, as a function of bytes that panics where one of these does not hold: the
//! reader does not panic, what it takes it takes again after it was written out, and what it says of what it refuses
//! is visible and bounded.
//!
//! `tests/promises/fuzz.rs` runs them on the kept inputs, `tests/fuzz/run` on what libFuzzer thinks of.

use std::collections::BTreeSet;
use std::error::Error;

use jiff::Timestamp;
use loopgate::approval::platform::{
    Answers, EnvironmentFiles, GateFiles, GithubTrust, GitlabTrust, PlatformError, ReviewFiles,
    github_environment, github_review, gitlab,
};
use loopgate::approval::{
    Draft as Decided, Filed, Record, Signers, Source as Records, read_approvals, verify,
};
use loopgate::artifact::v1::{Document, PlannedIn};
use loopgate::artifact::{Artifact, Plan};
use loopgate::audit::{FaultKind, Report, VerifyOptions};
use loopgate::catalog::lock::{Asked, Listed, Lock, Role, compare, take};
use loopgate::catalog::{Profile, Schema, class_of, draft};
use loopgate::core::call::{Class, Outcome, Seen};
use loopgate::core::json::{canonical, parse_strict, parse_unambiguous};
use loopgate::core::text::is_hidden;
use loopgate::core::{Digest, ToolDefinition};
use loopgate::evidence::{Graph, Limits, analyze, mermaid};
use loopgate::ledger::{Draft, Event, Fact, Head, chain};
use loopgate::mcp::recording::shapes_compared;
use loopgate::mcp::{HttpAddress, Issuer, Recording, Replay, classify, heard};
use loopgate::recipe::{InputsFileError, Library, Problems, Source, load, read_inputs_file};
use loopgate::report::{Terminal, artifact_markdown, artifact_text, problems_text, recipe_text, shapes_text};
use loopgate::sandbox::{Format, Import};
use serde_json::Value;

/// A target: its name, which is that of its folder in `corpus`, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 23] = [
    ("approval", approval),
    ("artifact", artifact),
    ("audit", audit),
    ("cyclonedx", cyclonedx),
    ("environment", environment),
    ("event", event),
    ("evidence", evidence),
    ("gate", gate),
    ("in-toto", in_toto),
    ("inputs", inputs),
    ("junit", junit),
    ("lock", lock),
    ("profile", profile),
    ("recipe", recipe),
    ("recording", recording),
    ("reply", reply),
    ("review", review),
    ("sarif", sarif),
    ("settings", settings),
    ("signature", signature),
    ("stream", stream),
    ("token", token),
    ("tools", tools),
];

/// Stands on a line of its own between the files of an input that is several.
const BETWEEN: &[u8] = b"\n%%\n";
/// More than any message has that quotes strangers.
const LONGEST_MESSAGE: usize = 16 << 10;
/// A secret that the token target's issuer may give back.
const SECRET: &str = "canary/secret+9 ü";

/// A recipe, from its text to what a person is told of it.
pub fn recipe(data: &[u8]) {
    struct Shipped;
    impl Library for Shipped {
        fn recipe(&self, reference: &str, _: &str) -> Result<Source, String> {
            Source::shipped(reference).ok_or_else(|| "there is none".to_owned())
        }
    }
    let source = match Source::from_bytes("r.yaml", data) {
        Ok(source) => source,
        Err(error) => return told(&error),
    };
    let profile = Profile::loopiq().unwrap();
    match load(source.clone(), &Shipped, &profile) {
        Ok(recipe) => {
            let again = load(source, &Shipped, &profile).unwrap();
            assert_eq!(again.digest, recipe.digest);
            shown(&recipe_text(&recipe, &profile, &Terminal::plain()));
        }
        Err(problems) => refused(&problems),
    }
}

/// A recording, and what could be played of one whatever its digest says.
pub fn recording(data: &[u8]) {
    if let Err(error) = Recording::read("r.json", data) {
        told(&error);
    }
    let Ok(value) = parse_unambiguous(data) else { return };
    match Recording::of(value) {
        Ok(recording) => {
            let again = Recording::read("again.json", recording.text().as_bytes());
            assert_eq!(again.unwrap_or_else(|error| panic!("{error}")), recording);
            let tools = shapes_compared(recording.document(), recording.document());
            assert!(tools.iter().all(|tool| tool.differences.is_empty()));
            shown(&shapes_text(&tools, &Terminal::plain()));
            shown(recording.text());
            let replay = Replay::new(recording.clone());
            assert_eq!(replay.unmade().len(), recording.document().calls.len());
        }
        Err(error) => told(&error),
    }
}

/// A file of inputs.
pub fn inputs(data: &[u8]) {
    match read_inputs_file("i.yaml", data) {
        Ok(inputs) => {
            if let Ok(json) = parse_strict(data) {
                // JSON is what it is, whoever reads it.
                assert_eq!(json, Value::from(inputs.clone()));
            }
            let again = read_inputs_file("i.json", in_yaml(&Value::from(inputs.clone())).as_bytes());
            assert_eq!(again.unwrap_or_else(|error| panic!("{error}: {inputs:?}")), inputs);
        }
        Err(InputsFileError::Problems(problems)) => refused(&problems),
        Err(InputsFileError::Source(error)) => told(&error),
    }
}

/// An artifact, and what could be built of one whatever its digests say.
pub fn artifact(data: &[u8]) {
    match Artifact::read("a.json", data) {
        Ok(artifact) => {
            assert_eq!(in_canonical(data).as_deref(), Some(artifact.bytes()));
            read_again(&artifact);
        }
        Err(error) => told(&error),
    }
    let Ok(document) = serde_json::from_slice::<Document>(data) else { return };
    match Artifact::build(Plan::from(document)) {
        Ok(artifact) => {
            read_again(&artifact);
            shown(&artifact_text(&artifact, &Terminal::plain()));
            shown(&artifact_markdown(&artifact));
        }
        Err(error) => told(&error),
    }
}

fn read_again(artifact: &Artifact) {
    let again = Artifact::read("again.json", artifact.bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again.bytes(), artifact.bytes());
    assert_eq!(again.effect_digest(), artifact.effect_digest());
}

/// A file of approval records, and what could be decided by one whatever its ID says.
pub fn approval(data: &[u8]) {
    match read_approvals(&Records::Bytes("approvals.json".to_owned(), data.to_vec())) {
        Ok(filed) => {
            if let [Filed { record, signature: None }] = filed.as_slice()
                && let Some(text) = in_canonical(data)
            {
                let alone = serde_json::to_vec(&serde_json::json!({ "record": record })).unwrap();
                assert!(text == record.bytes() || Some(text) == in_canonical(&alone));
            }
            let written: Vec<String> =
                filed.iter().map(|filed| serde_json::to_string(filed).unwrap()).collect();
            let written = Records::Bytes("again.json".to_owned(), written.join("\n").into_bytes());
            assert_eq!(read_approvals(&written).unwrap_or_else(|error| panic!("{error}")), filed);
        }
        Err(error) => told(&error),
    }
    let Ok(record) = serde_json::from_slice::<Record>(data) else { return };
    let Record { effect_digest, file_digest, decision, approver, planner, policy_digest, .. } = record;
    let Record { reason, time, expires, platform, .. } = record;
    let decided = Decided {
        effect_digest,
        file_digest,
        decision,
        approver,
        planner,
        policy_digest,
        reason,
        time,
        expires,
        platform,
    };
    match Record::new(decided) {
        Ok(record) => {
            let again = Record::read("again.json", &record.bytes()).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(again, record);
        }
        Err(error) => told(&error),
    }
}

/// An armored signature, a file of signers, and the time of the record.
pub fn signature(data: &[u8]) {
    let [armored, signers, at] = parts(data).map(String::from_utf8_lossy);
    match Signers::parse(&signers) {
        Ok(parsed) => {
            let commented: String = signers.lines().map(|line| format!("# a comment\n{line} \n\n")).collect();
            assert_eq!(Signers::parse(&commented), Ok(parsed));
        }
        Err(error) => told(&error),
    }
    let at = at.trim().parse().unwrap_or(Timestamp::UNIX_EPOCH);
    match verify(b"a record", &armored, &signers, at) {
        Ok(name) => {
            assert!(!name.is_empty() && !name.contains(char::is_whitespace), "{name:?}");
            assert!(verify(b"another record", &armored, &signers, at).is_err());
        }
        Err(error) => told(&error),
    }
}

/// A SARIF log.
pub fn sarif(data: &[u8]) {
    titles(data, Format::Sarif);
}

/// JUnit XML.
pub fn junit(data: &[u8]) {
    titles(data, Format::Junit);
}

/// CycloneDX in JSON.
pub fn cyclonedx(data: &[u8]) {
    titles(data, Format::CycloneDx);
}

/// An in-toto statement, bare or in an envelope.
pub fn in_toto(data: &[u8]) {
    titles(data, Format::InToto);
}

fn titles(data: &[u8], format: Format) {
    let import = Import {
        tenant: "acme".to_owned(),
        release: "REL-1".to_owned(),
        source: "evidence".to_owned(),
        format: Some(format),
        bytes: data.to_vec(),
        observed: None,
    };
    match import.titles() {
        Ok(titles) => {
            for title in titles {
                assert!(title.chars().count() <= 600 && !title.chars().any(is_hidden), "{title:?}");
            }
        }
        Err(error) => told(&error),
    }
}

/// What GitHub answers about reviews: reviews, pull request, commits, run.
pub fn review(data: &[u8]) {
    let [reviews, pull, commits, run] = parts(data);
    let files = ReviewFiles { reviews, pull, commits, run };
    let effect = Digest::of_bytes(b"effect");
    let answers = github_review(&files, &effect, Some(&planned("github")), &github());
    let given = answered(answers);
    let named = effect.hex().get(..16).unwrap_or_default();
    // As JSON, because a digit may be written as an escape.
    let reviews = parse_strict(reviews).map(|value| value.to_string().to_lowercase()).unwrap_or_default();
    assert!(given == 0 || reviews.contains(named));
}

/// What GitHub answers about an environment: approvals, run.
pub fn environment(data: &[u8]) {
    let [approvals, run] = parts(data);
    answered(github_environment(&EnvironmentFiles { approvals, run }, Some(&planned("github")), &github()));
}

/// What GitLab answers about a job: token, pipeline, published keys.
pub fn gate(data: &[u8]) {
    let [token, pipeline, keys] = parts(data);
    let (token, keys) = (String::from_utf8_lossy(token), String::from_utf8_lossy(keys));
    let trust = GitlabTrust {
        issuer: "https://gitlab.example.com".to_owned(),
        audience: "loopgate".to_owned(),
        keys: "keys.json".into(),
        project: "acme/shop".to_owned(),
        workflow: "gitlab.example.com/acme/shop//.gitlab-ci.yml@refs/heads/main".to_owned(),
        environment: "production".to_owned(),
        approvers: BTreeSet::new(),
    };
    let now = Timestamp::from_second(1_772_000_000).unwrap();
    let files = GateFiles { token: &token, pipeline, keys: &keys };
    answered(gitlab(&files, Some(&planned("gitlab")), &trust, now));
}

fn planned(platform: &str) -> PlannedIn {
    PlannedIn { platform: platform.to_owned(), run: "301".to_owned(), people: Vec::new() }
}

fn github() -> GithubTrust {
    GithubTrust {
        repository: "acme/shop".to_owned(),
        workflow: ".github/workflows/apply.yml@refs/heads/main".to_owned(),
        environment: Some("production".to_owned()),
        approvers: BTreeSet::new(),
    }
}

/// How many approvals a platform's answer gives.
fn answered(answers: Result<Answers, PlatformError>) -> usize {
    match answers {
        Ok(Answers { given, refused, behind }) => {
            refused.iter().for_each(|why| said(why));
            behind.err().iter().for_each(|why| said(why));
            given.iter().for_each(|answer| said(&answer.reason));
            given.len()
        }
        Err(error) => {
            told(&error);
            0
        }
    }
}

/// A line that answers a call.
pub fn reply(data: &[u8]) {
    let profile = Profile::loopiq().unwrap();
    let seen = match heard::called(data) {
        Ok(Some(seen)) => seen,
        Ok(None) => return,
        Err(why) => return said(&why),
    };
    if let Seen::Answer(answer) | Seen::ToolError(answer) = &seen {
        let _ = answer.content();
    }
    let line = parse_unambiguous(data.trim_ascii()).unwrap_or_default();
    for operation in [None, profile.operation("work_package"), profile.operation("certification")] {
        let outcome = classify(seen.clone(), operation, operation.and(profile.errors.as_ref()));
        let message = match &outcome {
            Outcome::Applied(_) => {
                assert!(line["result"].is_object() && line.get("error").is_none(), "{line}");
                assert_ne!(line["result"]["isError"], true);
                continue;
            }
            Outcome::NotApplied(refusal) => &refusal.message,
            Outcome::Unknown(doubt) => &doubt.message,
        };
        assert!(message.len() <= LONGEST_MESSAGE);
    }
}

/// A line that lists tools, up to the lock that is taken of them and the profile that is drafted for them.
pub fn tools(data: &[u8]) {
    let tools = match heard::listed(data) {
        Ok(Some(tools)) => tools,
        Ok(None) => return,
        Err(why) => return said(&why),
    };
    let profile = Profile::loopiq().unwrap();
    for tool in &tools {
        let class = class_of(&profile, tool).class;
        if profile.class_of(&tool.name) != Some(Class::Read) {
            assert_eq!(class, Class::Write, "{tool:?}");
        }
        for schema in [Some(&tool.input_schema), tool.output_schema.as_ref()].into_iter().flatten() {
            match Schema::compile(schema) {
                Ok(schema) => schema.problems(&serde_json::json!({})).iter().for_each(|problem| {
                    said(&problem.message);
                }),
                Err(problem) => said(&problem.message),
            }
        }
    }
    if let Err(error) = Profile::parse("draft.yaml", &draft("drafted", &tools)) {
        panic!("a draft that is no profile: {error}");
    }
    locked(&profile, &tools);
}

/// What is locked of a list differs from that list in nothing.
fn locked(profile: &Profile, tools: &[ToolDefinition]) {
    let role = Role::Read;
    let listed = Listed { identity: "https://mcp.example.org/mcp", name: "s", version: "1", role, tools };
    let mut lock = Lock::empty();
    lock.servers.insert("s".to_owned(), take(None, profile, &listed));
    let text = match lock.text() {
        Ok(text) => text,
        Err(error) => return told(&error),
    };
    shown(&text);
    let again = Lock::parse("again.lock", &text).unwrap_or_else(|error| panic!("{error}"));
    let names: BTreeSet<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    if names.len() == tools.len() {
        let every = Asked::Recipes(names.into_iter().map(str::to_owned).collect());
        let changes = compare(&again.servers["s"], profile, &listed, &every);
        assert!(changes.is_empty(), "{changes:?}");
    }
}

/// A stream of events, which is the same however it is cut into pieces.
pub fn stream(data: &[u8]) {
    let whole = heard::events(&[data]);
    whole.iter().filter_map(|event| event.as_ref().err()).for_each(|why| said(why));
    for size in [1, 7] {
        let pieces: Vec<&[u8]> = data.chunks(size).collect();
        assert_eq!(heard::events(&pieces), whole, "in pieces of {size}");
    }
}

/// What stands on the way to a token: challenge, metadata of the server and of the issuer, reply of the issuer, token.
pub fn token(data: &[u8]) {
    let [challenge, server, issuer, reply, token] = parts(data);
    let _ = heard::challenged(&String::from_utf8_lossy(challenge));
    let address: HttpAddress = "https://mcp.example.org/mcp".parse().unwrap();
    let known: Issuer = "https://issuer.example.org/one".parse().unwrap();
    let found = heard::issuer_named(&address, server).inspect_err(|why| said(why));
    for at in found.into_iter().chain([known]) {
        match heard::token_endpoint(&at, issuer) {
            Ok(endpoint) => assert!(endpoint.to_string().starts_with("https://"), "{endpoint}"),
            Err(why) => said(&why),
        }
    }
    for status in [200, 302, 400, 401] {
        if let Err(why) = heard::token_given(SECRET, status, reply) {
            said(&why);
            assert!(!why.contains(SECRET), "{why}");
        }
    }
    if let Some((claims, _)) = heard::claimed(&String::from_utf8_lossy(token)) {
        assert!(claims.is_object());
    }
}

/// A tool lock.
pub fn lock(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Lock::parse("loopgate.lock", text) {
        Ok(lock) => match lock.text() {
            Ok(text) => assert_eq!(Lock::parse("again.lock", &text).unwrap(), lock),
            Err(error) => told(&error),
        },
        Err(error) => told(&error),
    }
}

/// `loopgate.yaml`.
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match loopgate::cli::settings_in(text) {
        Ok(settings) => assert_eq!(loopgate::cli::settings_in(&in_yaml(&settings)), Ok(settings)),
        Err(why) => said(&why),
    }
}

/// A profile.
pub fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Profile::parse("p.yaml", text) {
        Ok(profile) => {
            let says = serde_json::to_value(&profile).unwrap();
            let again =
                Profile::parse("again.json", &in_yaml(&says)).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(serde_json::to_value(&again).unwrap(), says);
        }
        Err(error) => told(&error),
    }
}

/// An audit report or bundle, and the report of such facts as stand there, whatever its chain says.
pub fn audit(data: &[u8]) {
    if let Err(error) = loopgate::audit::verify(data, &VerifyOptions::default()) {
        told(&error);
    }
    let Some(events) = chained(data) else { return };
    match Report::build(&events) {
        Ok(report) => match loopgate::audit::verify(report.bytes(), &VerifyOptions::default()) {
            Ok(verified) => assert_eq!(verified.count, u64::try_from(events.len()).unwrap()),
            Err(error) => {
                told(&error);
                // A report that was built follows from its events; they may still hold what does not hold.
                assert_ne!(error.kind(), FaultKind::Shape, "{error}");
            }
        },
        Err(error) => told(&error),
    }
}

/// The events of a report, linked anew.
fn chained(data: &[u8]) -> Option<Vec<Event>> {
    let report: Value = parse_strict(data).ok()?;
    let mut events: Vec<Event> = Vec::new();
    let (mut effect, mut head): (Option<Digest>, Option<Head>) = (None, None);
    for item in report.pointer("/chain/events")?.as_array()? {
        let Event { at, run, fact, .. } = serde_json::from_value(item.clone()).ok()?;
        if let (Fact::Opened { artifact }, None) = (&fact, &effect) {
            effect = Some(artifact.effect_digest.clone());
        }
        let (event, next) = chain::link(effect.as_ref()?, head.as_ref(), Draft { at, run, fact }).ok()?;
        events.push(event);
        head = Some(next);
    }
    Some(events)
}

/// The text of a ledger's row.
pub fn event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Event::parse(text) {
        Ok(event) => assert_eq!(event.text().as_deref(), Ok(text)),
        Err(why) => said(&why),
    }
    let Ok(event) = serde_json::from_str::<Event>(text) else { return };
    if let Ok(written) = event.text() {
        match Event::parse(&written) {
            Ok(again) => assert_eq!(again, event),
            Err(why) => said(&why),
        }
    }
}

/// An evidence graph.
pub fn evidence(data: &[u8]) {
    let Ok(value) = parse_unambiguous(data) else { return };
    match Graph::read(&value, &Limits { nodes: 1_000, edges: 1_000 }) {
        Ok(graph) => {
            let findings = analyze(&graph);
            shown(&mermaid(&graph, &findings, 50));
        }
        Err(error) => told(&error),
    }
}

/// The one JSON value that `data` is, in canonical form.
fn in_canonical(data: &[u8]) -> Option<Vec<u8>> {
    Some(canonical(&parse_strict(data).ok()?).ok()?.into_bytes())
}

/// JSON that is YAML, too: the three characters are escaped that end a line for some readers of YAML.
fn in_yaml(value: &Value) -> String {
    let text = value.to_string().replace('\u{85}', "\\u0085");
    text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// The parts of an input that is several files; those that are not there are empty.
fn parts<const COUNT: usize>(data: &[u8]) -> [&[u8]; COUNT] {
    let mut rest = data;
    let mut parts = [&data[..0]; COUNT];
    for part in &mut parts {
        let at = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN);
        *part = &rest[..at.unwrap_or(rest.len())];
        rest = &rest[at.map_or(rest.len(), |at| at + BETWEEN.len())..];
    }
    parts
}

/// What is said of a recipe's problems.
fn refused(problems: &Problems) {
    for problem in &problems.diagnostics {
        said(&problem.message);
        problem.hint.iter().for_each(|hint| said(hint));
    }
    assert!(!problems.diagnostics.is_empty());
    shown(&problems_text(problems, &Terminal::plain()));
}

/// What an error says, with what caused it.
fn told(error: &dyn Error) {
    let mut cause = Some(error);
    while let Some(error) = cause {
        said(&error.to_string());
        cause = error.source();
    }
}

/// A message is one line, shows all that is in it, and has an end.
fn said(message: &str) {
    assert!(!message.chars().any(is_hidden), "{message:?}");
    assert!(message.len() <= LONGEST_MESSAGE, "{} bytes: {:.300}", message.len(), message);
}

/// A page shows all that is in it.
fn shown(page: &str) {
    let hidden = page.chars().find(|c| is_hidden(*c) && *c != '\n');
    assert_eq!(hidden, None, "{page:?}");
}
