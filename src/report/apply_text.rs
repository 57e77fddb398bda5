//! What an apply or a reconcile came to, for people: the verdict, every operation, and the command to type
//! next.

use std::path::PathBuf;

use super::apply_words::{Said, Told, about, effect_mark, standing, told};
use super::layout::{Mark, bounded, count};
use super::page::Page;
use super::terminal::Terminal;
use crate::artifact::v1::Document;
use crate::core::Digest;
use crate::ledger::State;

/// What every output about what was done to the sandbox says.
pub(super) const SANDBOX_EFFECT: &str =
    "this is about the embedded sandbox: nothing here is about a real release";

/// The longest message; what is longer stands in the audit report.
const LONGEST: usize = 2000;

/// What an apply or a reconcile came to.
#[derive(Debug, Clone)]
pub struct ApplyView<'a> {
    /// The artifact.
    pub document: &'a Document,
    /// What the ledger knows of its effect.
    pub state: &'a State,
    /// Where it stands as an approval system says it, such as `Executed`.
    pub label: String,
    /// The stable word of what this run came to.
    pub conclusion: String,
    /// What it came to, in words; may hold text of the server.
    pub message: String,
    /// The chain's head; none where nothing was recorded.
    pub head: Option<Digest>,
    /// How many events the chain has.
    pub count: u64,
    /// Where the audit report is, where one was written.
    pub audit: Option<PathBuf>,
    /// The command to type next, as a shell reads it, where there is one.
    pub next: Option<String>,
}

/// The report for a terminal.
#[must_use]
pub fn apply_text(view: &ApplyView<'_>, terminal: &Terminal) -> String {
    let ApplyView { document, state, label, conclusion, message, head, count: events, audit, next } = view;
    let mut page = Page::new(terminal);
    page.verdict(effect_mark(label, document, state), label, &about(document));
    page.under_verdict(&bounded(&format!("{conclusion}: {message}"), LONGEST));
    if document.target.sandbox {
        page.under_verdict(SANDBOX_EFFECT);
    }
    page.blank();
    operations(&mut page, document, state);
    page.blank();
    // On lines of their own, however long, so that they can be copied.
    page.exact("effect:", &document.effect_digest.to_string());
    if let Some(path) = audit {
        page.exact("audit:", &path.to_string_lossy());
    }
    match head {
        Some(head) => {
            let events = count(usize::try_from(*events).unwrap_or(usize::MAX), "event", "events");
            page.exact("chain:", &format!("{head}, {events}"));
        }
        None => page.fact("chain:", "nothing was recorded"),
    }
    if let Some(next) = next {
        page.next(next);
    }
    page.text()
}

/// An operation with what became of it.
pub(super) fn operation(page: &mut Page<'_>, told: &Told<'_>) {
    let (_, word) = standing(&told.status);
    page.item(told.mark(), &format!("{}: {word} ({})", told.operation.id, told.operation.tool));
    for said in told.facts() {
        match said {
            Said::Words(label, text) => page.item_fact(label, &bounded(&text, LONGEST)),
            Said::Exact(label, text) => page.item_exact(label, &text),
        }
    }
}

fn operations(page: &mut Page<'_>, document: &Document, state: &State) {
    if document.operations.is_empty() {
        page.item(Mark::Idle, "there is nothing to do");
    }
    for told in told(document, state) {
        operation(page, &told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample;
    use insta::assert_snapshot;

    fn view<'a>(document: &'a Document, state: &'a State) -> ApplyView<'a> {
        ApplyView {
            document,
            state,
            label: "Executed".into(),
            conclusion: "done".into(),
            message: "1 operation applied".into(),
            head: Some(Digest::of_bytes(b"head")),
            count: 9,
            audit: Some("loopgate-out/audit.json".into()),
            next: Some("loopgate audit verify loopgate-out/audit.json".into()),
        }
    }

    #[test]
    fn a_finished_apply_says_what_is_there_now() {
        let artifact = sample::artifact();
        let state = sample::applied(artifact.document());
        let text = apply_text(&view(artifact.document(), &state), &Terminal::plain());
        assert_snapshot!(sample::steady(&text), @r#"
        ✓ Executed  remediation-plan · acme on the sandbox
          done: 1 operation applied
          this is about the embedded sandbox: nothing here is about a real release

          ✓ package: applied (loopiq_create_remediation_work_package)
            created       children: TSK-1, TSK-2
            created       parent: ST-1
            replayed      no: the server did it now
            read back     as planned

          effect:       sha256:[64 hex digits]
          audit:        loopgate-out/audit.json
          chain:        sha256:[64 hex digits], 9 events
          next:         loopgate audit verify loopgate-out/audit.json
        "#);
    }

    #[test]
    fn an_unknown_outcome_is_neither_good_nor_bad_and_has_its_next_command() {
        let artifact = sample::artifact();
        let state = sample::unknown(artifact.document());
        let next = "loopgate reconcile loopgate-out/artifact.json".to_owned();
        let view = ApplyView {
            label: "Approved (outcome unknown)".into(),
            conclusion: "unknown".into(),
            message: "the outcome of `package` is unknown".into(),
            next: Some(next),
            ..view(artifact.document(), &state)
        };
        assert_snapshot!(sample::steady(&apply_text(&view, &Terminal::plain())), @r#"
        ? Approved (outcome unknown)  remediation-plan · acme on the sandbox
          unknown: the outcome of `package` is unknown
          this is about the embedded sandbox: nothing here is about a real release

          ? package: unknown (loopiq_create_remediation_work_package)
            unknown since 2023-11-14T22:13:21Z
            request       00000000-0000-4000-8000-000000000001
                          nobody recorded what came of it

          effect:       sha256:[64 hex digits]
          audit:        loopgate-out/audit.json
          chain:        sha256:[64 hex digits], 9 events
          next:         loopgate reconcile loopgate-out/artifact.json
        "#);
    }

    #[test]
    fn a_read_back_that_differs_is_no_plain_success() {
        let artifact = sample::artifact();
        let mut state = sample::applied(artifact.document());
        let operation = state.operations.values_mut().next().unwrap();
        operation.read_back.as_mut().unwrap().differences = vec!["parent.title is `x`".into()];
        let text = apply_text(&view(artifact.document(), &state), &Terminal::plain());
        assert!(text.starts_with("! Executed"), "{text}");
        assert!(text.contains("read back     differs from the plan: parent.title is `x`"), "{text}");
    }

    #[test]
    fn nothing_of_a_stranger_steers_the_terminal() {
        let artifact = sample::hostile_artifact();
        let hostile = sample::HOSTILE;
        for state in sample::hostile_states(artifact.document()) {
            let view = ApplyView {
                label: hostile.into(),
                conclusion: hostile.into(),
                message: hostile.into(),
                audit: Some(hostile.into()),
                next: Some(hostile.into()),
                ..view(artifact.document(), &state)
            };
            let text = apply_text(&view, &Terminal::plain());
            assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
        }
    }

    #[test]
    fn what_was_done_to_the_sandbox_says_so_at_once() {
        let artifact = sample::artifact();
        let state = sample::applied(artifact.document());
        let text = apply_text(&view(artifact.document(), &state), &Terminal::plain());
        let first: String = text.lines().take(3).collect();
        assert!(first.contains("on the sandbox") && first.contains(SANDBOX_EFFECT), "{text}");
    }
}
