//! What strangers write to be more than text, shown everywhere that a plan is shown.

use std::sync::LazyLock;
use std::time::Duration;

use loopgate::approval::Assurance;
use loopgate::artifact::v1::{Document, PlannedIn};
use loopgate::artifact::{Artifact, Plan};
use loopgate::core::OutputFolder;
use loopgate::core::printable::indented;
use loopgate::core::text::is_hidden;
use loopgate::evidence::{Graph, Limits, analyze, mermaid};
use loopgate::report::{
    ApprovalFacts, Sheet, Terminal, TestedCase, approval_text, artifact_markdown, artifact_text, github,
    html, junit, sarif, sheet_markdown,
};
use proptest::prelude::*;
use serde_json::json;

use crate::support::Folder;

/// Escapes, direction, invisible signs, line ends, markup, links, mentions, diagrams, workflow commands, paths.
pub const ATTACKS: [&str; 27] = [
    "\u{1b}[2J\u{1b}[31m",
    "\u{9b}31m",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}]8;;https://evil.example\u{1b}\\here",
    "\u{202e}txt.exe",
    "\u{2066}a\u{2069}",
    "a\u{200b}b\u{feff}\u{e0041}",
    "one\r\ntwo\u{2028}three\u{85}four",
    "\u{8}\u{8}\u{8}\u{0}\u{7f}",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- ",
    "```\n# heading\n```",
    "````` ~~~",
    "[a](javascript:alert(1)) ![b](https://evil.example/x.png)",
    "@team #12 :tada: https://evil.example",
    "| a | b |\n|---|---|",
    "\"]; click n0 \"javascript:alert(1)\"",
    "%%{init: {\"securityLevel\": \"loose\"}}%%",
    "::set-output name=approved::true",
    "::error file=a,line=1::x",
    "::stop-commands::x",
    "##[error]x",
    "###[group]x ##[add-mask]a",
    "##vso[task.setvariable variable=a]b",
    "../../etc/passwd",
    "-rf\u{a0}/",
];

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    serde_json::from_str(&folder.read("loopgate-out/artifact.json")).unwrap()
});

/// A plan with `text` wherever one may be that nobody here wrote.
fn plan(text: &str) -> Artifact {
    let mut plan = Plan::from(DOCUMENT.clone());
    plan.planned_by.who = Some(text.to_owned());
    let people = vec![text.to_owned()];
    plan.planned_by.pipeline = Some(PlannedIn { platform: text.to_owned(), run: text.to_owned(), people });
    plan.recipe.inputs.insert("release".to_owned(), json!(text));
    plan.not_proven.push(text.to_owned());
    plan.summary = text.to_owned();
    let operation = &mut plan.operations[0];
    operation.reason = text.to_owned();
    operation.server_validated_why = text.to_owned();
    operation.arguments["parent"]["title"] = json!(text);
    operation.arguments["parent"][text] = json!([text]);
    Artifact::build(plan).unwrap()
}

/// What a line must not have, whatever shows it: signs that steer or hide, or the beginning of a runner's command.
fn inert(shown: &str) -> Result<(), TestCaseError> {
    for line in shown.lines() {
        prop_assert!(!line.chars().any(is_hidden), "{line:?}");
        prop_assert!(!line.trim_start().starts_with("::"), "{line:?}");
        prop_assert!(!line.contains("##[") && !line.contains("##vso["), "{line:?}");
    }
    Ok(())
}

fn any_attack() -> impl Strategy<Value = String> {
    let filler = (0..120_usize, prop::bool::ANY)
        .prop_map(|(length, words)| if words { "ab ".repeat(length / 3) } else { "x".repeat(length) });
    prop::collection::vec((filler, prop::sample::select(ATTACKS.to_vec())), 1..4)
        .prop_map(|parts| parts.into_iter().map(|(filler, attack)| filler + attack).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_attack_stays_text_wherever_it_is_shown(text in any_attack(), width in 20..120_usize) {
        let artifact = plan(&text);
        let terminal = Terminal { width, ..Terminal::plain() };
        let facts = ApprovalFacts {
            approver: text.clone(),
            assurance: Assurance::Asserted,
            reason: text.clone(),
            expires: jiff::Timestamp::UNIX_EPOCH,
            external_id: Some(text.clone()),
            policy_digest: None,
        };
        inert(&artifact_text(&artifact, &terminal))?;
        inert(&approval_text(&artifact, &facts, &terminal))?;
        let page = artifact_markdown(&artifact);
        inert(&page)?;
        let bare = page.lines().find(|line| line.trim_start().starts_with(['<', '|', '#', '!']) && ATTACKS.iter().any(|attack| line.trim_start().starts_with(attack)));
        prop_assert_eq!(bare, None);
    }

    #[test]
    fn an_attack_stays_text_in_every_report(text in any_attack()) {
        let told = |text: &str| TestedCase {
            recording: None,
            file: format!("recipes/{text}.cases.yaml"),
            line: Some(3),
            recipe: text.to_owned(),
            case: text.to_owned(),
            wrong: vec![text.to_owned()],
            took: Duration::from_millis(1),
        };
        let (hostile, plain) = ([told(&text)], [told("words")]);
        let (hostile, plain) = (Sheet::of_test(&hostile, 4), Sheet::of_test(&plain, 4));
        let shape = |page: &str| page.lines().count();
        // What a runner reads is one command for each problem, and one line for each output.
        let (commands, usual) = (github::annotations(&hostile), github::annotations(&plain));
        prop_assert_eq!(shape(&commands), shape(&usual));
        prop_assert!(commands.lines().all(|line| line.starts_with("::error title=loopgate case,file=")), "{}", commands);
        prop_assert!(!commands.contains("##[") && !commands.chars().any(|c| is_hidden(c) && c != '\n'));
        prop_assert_eq!(shape(&github::outputs(&hostile)), shape(&github::outputs(&plain)));
        let page = sheet_markdown(&hostile, 1 << 20);
        inert(&page)?;
        prop_assert_eq!(shape(&page), shape(&sheet_markdown(&plain, 1 << 20)));
        let suite = junit(&hostile).unwrap();
        inert(&suite)?;
        prop_assert_eq!(suite.matches('<').count(), junit(&plain).unwrap().matches('<').count());
        let log = indented(&sarif(&hostile));
        inert(&log)?;
        let message = sarif(&hostile)["runs"][0]["results"][0]["message"]["text"].as_str().unwrap().to_owned();
        prop_assert!(!message.replace("\\[", "").replace("\\]", "").contains(['[', ']']), "{}", message);
        let (site, usual) = (html(&hostile), html(&plain));
        prop_assert!(!site.chars().any(|c| is_hidden(c) && c != '\n'));
        prop_assert_eq!(site.matches('<').count(), usual.matches('<').count());
        prop_assert_eq!(site.matches("<script").count(), usual.matches("<script").count());
    }

    #[test]
    fn an_attack_stays_a_label_in_a_diagram(text in any_attack()) {
        let graph = |title: &str| json!({
            "certification": "C",
            "nodes": [{"id": "CTL", "kind": "control", "state": "fail", "title": title, "severity": title, "required": true}],
            "edges": [],
        });
        let drawn = |value: &serde_json::Value| {
            let graph = Graph::read(value, &Limits::default()).unwrap();
            mermaid(&graph, &analyze(&graph), 10)
        };
        let (hostile, plain) = (drawn(&graph(&text)), drawn(&graph("words")));
        inert(&hostile)?;
        prop_assert_eq!(hostile.lines().count(), plain.lines().count());
        for (sign, count) in [('"', 2), ('[', 1), (']', 1), ('(', 0), ('<', 0), ('%', 0)] {
            let first = hostile.lines().nth(1).unwrap();
            prop_assert_eq!(first.matches(sign).count(), count, "{}", first);
        }
    }

    #[test]
    fn an_attack_names_no_file_outside_of_the_folder(text in any_attack()) {
        let folder = Folder::new();
        let root = folder.path().join("out");
        for name in ATTACKS.into_iter().chain([text.as_str()]) {
            if let Ok(path) = OutputFolder::new(&root).write(name, b"x") {
                prop_assert!(path.starts_with(&root) && !name.contains(".."), "{}", name);
                prop_assert!(!name.chars().any(is_hidden) && !name.contains([':', '\\']), "{}", name);
            }
        }
        let outside = fs_err::read_dir(folder.path()).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() != "out");
        prop_assert_eq!(outside.count(), 0);
    }
}
