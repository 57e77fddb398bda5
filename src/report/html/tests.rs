use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::artifact::v1::Document;
use crate::core::Digest;
use crate::core::text::is_hidden;
use crate::engine::{RunResult, StepValue};
use crate::ledger::State;
use crate::report::apply_text::ApplyView;
use crate::report::artifact_words::Titled;
use crate::report::layout::Mark;
use crate::report::sample;
use crate::report::sheet::{ApplyOutputs, Check, Fact, Level, Moment, Place, Problem, Proposal};

/// Evidence in which a control fails, evidence is missing and a provider blocks, each with `text` wherever text can be.
fn evidence(text: &str) -> Value {
    let node = |number: usize, kind: &str, state: &str| {
        json!({
            "id": format!("{text}-{number}"), "kind": kind, "state": state, "title": text, "severity": text,
            "owner": text, "provider": text, "due": text, "link": text, "required": true,
        })
    };
    let edge = |from: usize, kind: &str, to: usize| json!({"from": format!("{text}-{from}"), "kind": kind, "to": format!("{text}-{to}")});
    json!({
        "certification": text,
        "nodes": [
            node(1, "control", "fail"),
            node(2, "evidence", "missing"),
            node(3, "provider_blocker", "fail"),
            node(4, "release", "fail"),
            node(5, "finding", "fail"),
            node(6, "control", "pass"),
        ],
        "edges": [
            edge(4, "requires", 1), edge(4, "requires", 6), edge(6, "requires", 2), edge(3, "blocks", 4),
            edge(5, "violates", 1),
        ],
    })
}

fn blocked(evidence: Value) -> RunResult {
    let evidence = StepValue { step: "evidence.graph".into(), value: evidence.into() };
    RunResult { evidence: Some(evidence), ..sample::blocked() }
}

fn page(result: &RunResult, exit: u8) -> String {
    html(&Sheet::of_run(result, &sample::outputs(), exit))
}

/// What stands between the style and the script, without digests of other modules.
fn body(page: &str) -> String {
    let (_, body) = page.split_once("</head>").unwrap();
    let (body, _) = body.split_once("<script>").unwrap();
    sample::steady(body)
}

#[test]
fn a_blocked_run_shows_its_verdict_and_what_blocks_before_all_else() {
    insta::assert_snapshot!(body(&page(&blocked(evidence("a")), 4)));
}

#[test]
fn a_plan_shows_what_would_be_sent() {
    insta::assert_snapshot!(body(&page(&sample::planned(), 0)));
}

fn applied<'a>(document: &'a Document, state: &'a State) -> ApplyView<'a> {
    ApplyView {
        document,
        state,
        label: "Executed".into(),
        conclusion: "done".into(),
        message: "every operation took place".into(),
        head: Some(Digest::of_bytes(b"head")),
        count: 9,
        audit: Some("loopgate-out/audit.json".into()),
        next: None,
    }
}

#[test]
fn an_apply_shows_who_approved_and_what_came_of_it() {
    let artifact = sample::artifact();
    let state = sample::applied(artifact.document());
    let events: Vec<_> = sample::facts(artifact.document(), false).into_iter().map(sample::event).collect();
    let outputs =
        ApplyOutputs { command: "apply", artifact: "loopgate-out/artifact.json", events: &events, exit: 0 };
    let sheet = Sheet::of_apply(&applied(artifact.document(), &state), &outputs);
    insta::assert_snapshot!(body(&html(&sheet)));
}

#[test]
fn what_does_not_exist_is_left_out_and_the_sandbox_is_named_first() {
    let mut result = sample::done();
    let page = page(&result, 0);
    for absent in ["findings", "problems", "evidence", "operations", "approvals", "not-proven"] {
        assert!(!page.contains(&format!("<section id=\"{absent}\"")), "{absent}");
        assert!(!page.contains(&format!("href=\"#{absent}\"")), "{absent}");
    }
    let banner = page.find("<strong>Sandbox</strong>: this run used the embedded sandbox").unwrap();
    assert!(banner < page.find("<main").unwrap() && page.contains("<body class=\"sandbox\">"));
    result.target.sandbox = false;
    let page = self::page(&result, 0);
    assert!(!page.contains("Sandbox</strong>") && page.contains("<body><a"));
}

#[test]
fn the_policy_allows_the_page_its_own_style_and_script_and_nothing_else() {
    // A browser reads a carriage return as a line feed, which has another digest.
    for text in [STYLE, SCRIPT] {
        assert!(!text.contains("</") && !text.contains("<!--") && !text.contains('\r'));
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    let page = page(&sample::done(), 0);
    let between = |start: &str, end: &str| page.split_once(start).unwrap().1.split_once(end).unwrap().0;
    let of = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let policy =
        between("<meta http-equiv=\"Content-Security-Policy\" content=\"", "\">").replace("&#39;", "'");
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
             form-action 'none'; require-trusted-types-for 'script'",
            of(between("<style>", "</style>")),
            of(between("<script>", "</script>"))
        )
    );
}

/// A sheet with `text` wherever text can be that is not this program's own.
fn hostile<'a>(result: &'a RunResult, text: &str) -> Sheet<'a> {
    let own = || text.to_owned();
    let facts = || vec![Fact::words(text, own()), Fact::exact(text, own()), Fact::words("", own())];
    let check =
        Check { id: own(), kind: "read", mark: Mark::Doubt, says: own(), notes: vec![own()], took: None };
    Sheet {
        subject: own(),
        about: vec![own()],
        word: own(),
        reasons: vec![own()],
        checks: vec![check],
        operations: vec![Proposal {
            id: own(),
            tool: own(),
            mark: Mark::Planned,
            word: own(),
            reason: own(),
            facts: facts(),
            items: vec![Titled { depth: 1, title: own(), facts: vec![own()] }],
            payload: serde_json::from_value(json!({text: [text]})).unwrap(),
        }],
        approvals: vec![Fact::words("record", own()), Fact::words(text, own())],
        moments: vec![Moment { at: Timestamp::UNIX_EPOCH, mark: Mark::Good, says: own() }],
        facts: facts(),
        not_proven: vec![own()],
        files: vec![own()],
        next: Some(own()),
        ..Sheet::of_run(result, &sample::outputs(), 4)
    }
}

/// The same with a problem in a line and no evidence.
fn problem<'a>(result: &'a RunResult, text: &str) -> Sheet<'a> {
    let own = || text.to_owned();
    let place = Some(Place { file: own(), line: Some(1), column: None });
    let identity = Digest::of_bytes(b"");
    let problem = Problem { rule: own(), level: Level::Error, message: own(), place, name: None, identity };
    Sheet { evidence: None, problems: vec![problem], ..hostile(result, text) }
}

/// The tags of a page with the names of their attributes, as a browser sees them, and every address.
fn shape(page: &str) -> (Vec<String>, Vec<String>) {
    let bare = page.replace(STYLE, "").replace(SCRIPT, "");
    let (mut tags, mut addresses) = (Vec::new(), Vec::new());
    for piece in bare.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap();
        let mut names = String::new();
        // Values stand in quotes and have none in them, so every other piece is outside of them.
        for (index, piece) in tag.split('"').enumerate() {
            if index % 2 == 0 {
                names.push_str(piece);
            } else if names.ends_with("href=") {
                addresses.push(piece.to_owned());
            }
        }
        // How many lines a title takes in the picture is up to the title.
        if !names.starts_with("text ") && names != "/text" {
            tags.push(names);
        }
    }
    (tags, addresses)
}

type Filled = for<'a> fn(&'a RunResult, &str) -> Sheet<'a>;

/// What the pages are made of where all texts are harmless.
static PLAIN: LazyLock<[Vec<String>; 2]> = LazyLock::new(|| {
    let result = blocked(evidence("a"));
    [hostile as Filled, problem].map(|sheet| shape(&html(&sheet(&result, "a"))).0)
});

fn any_attack() -> impl Strategy<Value = String> {
    let attacks = [
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "</style></title></textarea></svg><img src=x onerror=alert(1)>",
        "\" onmouseover=\"alert(1)",
        "' autofocus onfocus='alert(1)",
        "<!-- ",
        "]]>",
        "--><a href=javascript:alert(1)>x</a>",
        "javascript:alert(1)",
        "https://user:secret@evil.example/",
        "//evil.example/",
        "&lt;b&gt;&#60;script&#62;",
        "\u{202e}txt.exe\u{2066}",
        "a\u{200b}b\u{feff}\u{e0041}\u{0}",
        "one\r\ntwo\u{2028}three",
        "##[error]x",
    ];
    prop_oneof![
        prop::collection::vec(prop::sample::select(attacks.to_vec()), 1..4).prop_map(|parts| parts.concat()),
        "[<>&\"'/=a! -]{1,24}",
        "\\PC{1,20}",
        ".{1,24}",
    ]
    // A blank title, owner or address is none.
    .prop_filter("blank", |text| !text.trim().is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_changes_what_a_page_is_made_of(text in any_attack()) {
        let attacked = blocked(evidence(&text));
        for (sheet, plain) in [(hostile as Filled, &PLAIN[0]), (problem, &PLAIN[1])] {
            let page = html(&sheet(&attacked, &text));
            let (tags, addresses) = shape(&page);
            prop_assert_eq!(&tags, plain);
            prop_assert!(addresses.iter().all(|address| address.starts_with('#')), "{:?}", addresses);
            prop_assert!(!tags.iter().any(|tag| tag.contains(" on") || tag.contains(" style")));
            prop_assert!(!page.chars().any(|c| is_hidden(c) && c != '\n'));
            prop_assert!(!page.contains("##["));
        }
    }
}

#[test]
fn a_finding_links_to_where_its_provider_shows_it_and_says_the_host() {
    let mut graph = evidence("a");
    graph["nodes"][0]["link"] = json!("https://scan.example/runs/1?a=1&b=2");
    graph["nodes"][2]["link"] = json!("https://user:secret@evil.example/");
    let page = page(&blocked(graph), 4);
    assert!(page.contains(
        "<a href=\"https://scan.example/runs/1?a=1&amp;b=2\" rel=\"noreferrer noopener\">scan.example</a>"
    ));
    assert!(page.contains("<code>https://user:secret@evil.example/</code>"));
    assert_eq!(page.matches("href=\"https:").count(), 1);
}

/// Evidence in which `count` controls fail, with `title`.
fn failed(count: usize, title: &str) -> Value {
    let nodes: Vec<Value> = (0..count)
        .map(|number| {
            json!({
                "id": format!("CTL-{number}"), "kind": "control", "state": "fail", "severity": "high",
                "title": title, "owner": "platform", "required": true,
            })
        })
        .collect();
    json!({"certification": "C", "nodes": nodes, "edges": []})
}

#[test]
fn ten_thousand_findings_are_all_there_and_more_than_fit_are_counted() {
    let page = page(&blocked(failed(10_000, "A control of the usual length does not hold")), 4);
    assert_eq!(page.matches("<tr data-severity").count(), 10_000);
    assert!(page.len() < 6 << 20, "{}", page.len());
    let page = self::page(&blocked(failed(1_200, &"\u{e0041}".repeat(2_000))), 4);
    let shown = page.matches("<tr data-severity").count();
    assert!(shown > 100 && page.len() < 24 << 20, "{shown} rows, {} bytes", page.len());
    let says = format!("{} findings did not fit here", 1_200 - shown);
    assert!(page.contains(&says), "{shown}");
}

#[test]
fn a_payload_is_whole_or_its_digest_stands_for_it() {
    let result = blocked(evidence("a"));
    let with = |length: usize| {
        let mut sheet = hostile(&result, "a");
        sheet.operations[0].payload = serde_json::from_value(json!({"x": "y".repeat(length)})).unwrap();
        html(&sheet)
    };
    assert!(with(2 << 20).contains(&"y".repeat(2 << 20)));
    let page = with(7 << 20);
    assert!(!page.contains("yyyy") && page.contains("is never cut") && page.len() < 1 << 20);
}
