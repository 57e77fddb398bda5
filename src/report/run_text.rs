//! What a run came to, for people: the verdict, why, every step, the plan, and the command to type next.

use std::time::Duration;

use serde_json::Value;

use super::artifact_words::{NO_TENANT, known_by, outline, validated};
use super::layout::{Mark, Tone, bounded, columns, count, hang, pad, took, wrap};
use super::next::next_command;
use super::page::Page;
use super::stand_in::{REPLAY_RUN, StandIn, server_name};
use super::status::{mark, sentence, verdict};
use super::terminal::Terminal;
use super::written::RunOutputs;
use crate::artifact::v1;
use crate::core::text::visible;
use crate::engine::{AppliedBefore, Conclusion, RunResult, StepResult, StepStatus};

/// What every output about the sandbox says.
pub(super) const SANDBOX_RUN: &str =
    "this run used the embedded sandbox: nothing here is about a real release";

/// The longest message; what is longer stands in the run report.
const LONGEST: usize = 2000;
/// The longest value or sentence within a list.
const SHORT: usize = 300;
/// Reasons, operations and titles that are listed before the rest is counted.
const MOST_REASONS: usize = 20;
const MOST_OPERATIONS: usize = 20;
const MOST_TITLES: usize = 6;
/// A duration that stands further away from its step is hard to follow.
const WIDEST_TABLE: usize = 100;
/// Last steps that did not run are counted if there are more of them.
const MOST_IDLE: usize = 3;

/// The whole report.
#[must_use]
pub fn run_text(result: &RunResult, terminal: &Terminal, outputs: &RunOutputs) -> String {
    let mut out = course_text(result, terminal);
    facts(&mut out, result, terminal, outputs);
    out
}

/// The verdict, every step and the plan: what the recipe and the server have to do with.
pub(super) fn course_text(result: &RunResult, terminal: &Terminal) -> String {
    let mut out = verdict_text(result, terminal);
    out.push('\n');
    steps(&mut out, result, terminal);
    if let Some(artifact) = &result.artifact {
        plan(&mut out, artifact.document(), terminal);
    }
    out
}

/// The verdict and why, for a reader who gets the rest elsewhere. Says where it is about the sandbox.
#[must_use]
pub fn verdict_text(result: &RunResult, terminal: &Terminal) -> String {
    let (mark, word) = verdict(&result.conclusion);
    let mut parts = vec![visible(&result.recipe.name).into_owned()];
    parts.extend(chosen_inputs(result));
    parts.push(target(result));
    let mut page = Page::new(terminal);
    page.verdict(mark, word, &parts);
    for reason in reasons(&result.conclusion) {
        page.under_verdict(&reason);
    }
    page.text()
}

/// The inputs that somebody gave, by value where it is one.
fn chosen_inputs(result: &RunResult) -> Vec<String> {
    let given: Vec<_> = result.inputs.iter().filter(|input| input.origin != "default").collect();
    match given.as_slice() {
        [one] => vec![value(&one.value)],
        several => {
            several.iter().map(|input| format!("{}={}", visible(&input.name), value(&input.value))).collect()
        }
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => bounded(text, SHORT),
        other => bounded(&other.to_string(), SHORT),
    }
}

fn target(result: &RunResult) -> String {
    let server = bounded(server_name(result.target.sandbox, &result.target.identity), SHORT);
    match &result.target.tenant {
        Some(tenant) => format!("{} on {server}", bounded(tenant, SHORT)),
        None => server,
    }
}

fn reasons(conclusion: &Conclusion) -> Vec<String> {
    match conclusion {
        Conclusion::Undecided(reasons) => {
            let mut shown: Vec<String> =
                reasons.iter().take(MOST_REASONS).map(|reason| bounded(reason, LONGEST)).collect();
            shown.extend(rest(reasons.len(), MOST_REASONS, "reasons"));
            shown
        }
        // The verdict has said it.
        Conclusion::Done | Conclusion::NothingToDo => Vec::new(),
        other => vec![bounded(&other.message(), LONGEST)],
    }
}

/// What is not listed, counted.
fn rest(total: usize, listed: usize, what: &str) -> Option<String> {
    (total > listed).then(|| format!("and {} more {what}", total.saturating_sub(listed)))
}

fn steps(out: &mut String, result: &RunResult, terminal: &Terminal) {
    let ran = result.steps.iter().rposition(|step| step.status != StepStatus::NotRun);
    let ran = ran.map_or(0, |last| last.saturating_add(1));
    let idle = result.steps.len().saturating_sub(ran);
    let listed = if ran > 0 && idle <= MOST_IDLE { result.steps.len() } else { ran };
    // An include that is done is its steps, which are listed themselves.
    let shown: Vec<&StepResult> = result
        .steps
        .iter()
        .take(listed)
        .filter(|step| step.kind != "include" || step.status != StepStatus::Done)
        .collect();
    let widest = shown.iter().map(|step| columns(&visible(&step.id))).max().unwrap_or(0);
    let table = Table { id: widest, width: terminal.width.min(WIDEST_TABLE), terminal };
    for step in shown {
        table.row(out, step, result);
    }
    if listed < result.steps.len() {
        let steps = count(idle, "step", "steps");
        out.push_str(&format!("  {} {steps} did not run\n", terminal.mark(Mark::Idle)));
    }
}

/// Columns for the steps.
struct Table<'a> {
    id: usize,
    width: usize,
    terminal: &'a Terminal,
}

impl Table<'_> {
    /// Columns of the longest kind, `analyze`.
    const KIND: usize = 7;

    fn row(&self, out: &mut String, step: &StepResult, result: &RunResult) {
        let terminal = self.terminal;
        let id = visible(&step.id);
        let sign = terminal.mark(mark(&step.status));
        let before_text = terminal.mark_width().saturating_add(self.id).saturating_add(Self::KIND + 7);
        let room = self.width.saturating_sub(before_text);
        let timed = !step.calls.is_empty();
        let text = self.text(step, result);
        let duration = if timed { took(step.took) } else { String::new() };
        if room < 30 {
            out.push_str(&format!("  {sign} {id}  {}", terminal.paint(Tone::Dim, step.kind)));
            out.push_str(&format!("{}\n", if timed { format!("  {duration}") } else { String::new() }));
            hang(out, &" ".repeat(terminal.mark_width().saturating_add(5)), &text, terminal.width);
        } else {
            let beside = if timed { columns(&duration).saturating_add(2) } else { 0 };
            let mut lines = wrap(&text, room.saturating_sub(beside)).into_iter();
            let first = lines.next().unwrap_or_default();
            let first = if timed {
                let gap = room.saturating_sub(columns(&duration));
                format!("{}{}", pad(&first, gap), terminal.paint(Tone::Dim, &duration))
            } else {
                first
            };
            let kind = terminal.paint(Tone::Dim, &pad(step.kind, Self::KIND));
            out.push_str(format!("  {sign} {}  {kind}  {first}", pad(&id, self.id)).trim_end());
            out.push('\n');
            for line in lines {
                out.push_str(&format!("{}{line}\n", " ".repeat(before_text)));
            }
        }
        let indent = " ".repeat(terminal.mark_width().saturating_add(5));
        if matches!(step.status, StepStatus::DoesNotHold(_)) {
            hang(out, &indent, &format!("false: {}", bounded(&step.subject, SHORT)), terminal.width);
        }
        // What an analysis notes besides its summary are its findings; a gate, what it saw.
        let prefix = match (step.kind, &step.status) {
            ("analyze", _) => "",
            (_, StepStatus::DoesNotHold(_)) => "seen: ",
            _ => "note: ",
        };
        for note in step.notes.iter().skip(usize::from(is_summary(step))) {
            hang(out, &indent, &format!("{prefix}{}", bounded(note, LONGEST)), terminal.width);
        }
    }

    fn text(&self, step: &StepResult, result: &RunResult) -> String {
        let subject = match step.notes.first() {
            Some(summary) if is_summary(step) => summary,
            _ => &step.subject,
        };
        let mut text = bounded(&sentence(&step.status, subject), LONGEST);
        for file in result.emitted.iter().filter(|file| file.step == step.id) {
            text.push_str(&format!(" {} {}", self.terminal.arrow(), visible(&file.name)));
        }
        text
    }
}

/// What an analysis found says more than its name.
fn is_summary(step: &StepResult) -> bool {
    step.kind == "analyze" && step.status == StepStatus::Done && !step.notes.is_empty()
}

fn plan(out: &mut String, document: &v1::Document, terminal: &Terminal) {
    if document.operations.is_empty() {
        return;
    }
    let total = document.operations.len();
    let planned = format!("{} planned, nothing written:", count(total, "operation", "operations"));
    out.push_str(&format!("\n  {}\n", terminal.paint(Tone::Strong, &planned)));
    for operation in document.operations.iter().take(MOST_OPERATIONS) {
        let sign = terminal.mark(Mark::Planned);
        let id = terminal.paint(Tone::Strong, &visible(&operation.id));
        out.push_str(&format!("  {sign} {id}  {}\n", visible(&operation.tool)));
        let indent = " ".repeat(terminal.mark_width().saturating_add(3));
        hang(out, &format!("{indent}why:  "), &bounded(&operation.reason, SHORT), terminal.width);
        out.push_str(&format!("{indent}key:  {}\n", visible(operation.idempotency_key.as_str())));
        hang(out, &format!("{indent}dry run:  "), &bounded(&validated(operation), SHORT), terminal.width);
        let items = outline(&operation.arguments);
        for item in items.iter().take(MOST_TITLES) {
            let label = format!("{indent}{}- ", "  ".repeat(item.depth));
            hang(out, &label, &bounded(&item.title, SHORT), terminal.width);
        }
        if let Some(rest) = rest(items.len(), MOST_TITLES, "titles") {
            out.push_str(&format!("{indent}  {rest}\n"));
        }
    }
    if let Some(rest) = rest(total, MOST_OPERATIONS, "operations") {
        out.push_str(&format!("    {rest}\n"));
    }
}

/// How many steps came to what, and in which time.
fn counted(result: &RunResult) -> String {
    // An include that is done is its steps.
    let steps: Vec<Mark> = result
        .steps
        .iter()
        .filter(|step| step.kind != "include" || step.status != StepStatus::Done)
        .map(|step| mark(&step.status))
        .collect();
    let words = [
        (Mark::Good, "done"),
        (Mark::Planned, "proposed"),
        (Mark::Bad, "failed"),
        (Mark::Doubt, "undecided"),
        (Mark::Warning, "warned"),
        (Mark::Idle, "not run"),
    ];
    let each: Vec<String> = words
        .into_iter()
        .map(|(mark, word)| (steps.iter().filter(|step| **step == mark).count(), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let time = Duration::try_from(result.ended.duration_since(result.started)).map(took).unwrap_or_default();
    format!("{} in {time}: {}", steps.len(), each.join(", "))
}

fn facts(out: &mut String, result: &RunResult, terminal: &Terminal, outputs: &RunOutputs) {
    out.push('\n');
    let mut fact = |label: &str, text: &str| {
        let label = format!("  {}", pad(&format!("{label}:"), 12));
        hang(out, &label, text, terminal.width);
    };
    fact("steps", &counted(result));
    if !result.inputs.is_empty() {
        let inputs: Vec<String> = result
            .inputs
            .iter()
            .map(|input| {
                let origin = bounded(&input.origin, SHORT);
                format!("{}={} ({origin})", visible(&input.name), value(&input.value))
            })
            .collect();
        fact("inputs", &inputs.join(", "));
    }
    let how = known_by(result.target.tenant_known_by.into());
    match &result.target.tenant {
        Some(tenant) => fact("tenant", &format!("{}, {how}", bounded(tenant, SHORT))),
        None => fact("tenant", NO_TENANT),
    }
    for unproven in &result.not_proven {
        fact("not proven", &bounded(unproven, LONGEST));
    }
    for AppliedBefore { operation, at, approval_id, effect } in &result.applied_before {
        let when = at.map_or_else(String::new, |at| format!(" at {at:.0}"));
        let operation = visible(operation);
        let id = bounded(approval_id, LONGEST);
        let effect = effect.short();
        fact(
            "applied",
            &format!("`{operation}` took place already{when}, under approval {id}, effect {effect}"),
        );
    }
    // On a line of their own, however long, so that they can be copied.
    for (index, file) in outputs.written.iter().enumerate() {
        let label = pad(if index == 0 { "files:" } else { "" }, 12);
        out.push_str(&format!("  {label}{}\n", visible(&file.path.to_string_lossy())));
    }
    if let Some(next) = next_command(result, outputs) {
        let label = terminal.paint(Tone::Strong, &pad("next:", 12));
        out.push_str(&format!("  {label}{}\n", terminal.paint(Tone::Strong, &next)));
    }
    let target = &result.target;
    if let Some(stand_in) = StandIn::of(target.sandbox, &target.identity, SANDBOX_RUN, REPLAY_RUN) {
        hang(out, "  ", stand_in.says, terminal.width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::engine::TenantKnownBy;
    use crate::report::sample;
    use insta::assert_snapshot;

    fn shown(result: &RunResult) -> String {
        run_text(result, &Terminal::plain(), &sample::outputs())
    }

    #[test]
    fn a_blocked_run_says_why_and_what_to_type_next() {
        assert_snapshot!(shown(&sample::blocked()), @"
        ✗ blocked  certify-release · REL-BLOCKED · acme on the sandbox
          The certification of REL-BLOCKED is blocked

          ✓ evidence.certification  read     certification                          4 ms
          ✓ evidence.graph          read     evidence_graph → evidence-graph.json   4 ms
          ✓ evidence.findings       analyze  12 findings: 4 failed controls, 5 gaps, 3
                                             provider blockers → findings.json
          ✗ certified               gate     The certification of REL-BLOCKED is blocked
              false: gate
          · evident                 gate     not run

          steps:      5 in 1.2 s: 3 done, 1 failed, 1 not run
          inputs:     release=REL-BLOCKED (flag), owner=platform (default)
          tenant:     acme, as the server itself says
          files:      loopgate-out/artifact.json
                      loopgate-out/evidence-graph.json
          next:       loopgate remediation-plan --server sandbox --tenant acme --release REL-BLOCKED
          this run used the embedded sandbox: nothing here is about a real release
        ");
    }

    #[test]
    fn an_undecided_run_lists_its_reasons() {
        assert_snapshot!(shown(&sample::undecided()), @"
        ? undecided  certify-release · REL-EMPTY · acme on the sandbox
          the evidence graph is empty: nothing is visible to this caller, or there is
          none
          `evidence.certification.state` is the unknown word `mauve`

          ✓ evidence.certification  read     certification                          4 ms
          ✓ evidence.graph          read     evidence_graph                         4 ms
          ? evidence.findings       analyze  undecided: the evidence graph is empty:
                                             nothing is visible to this caller, or there
                                             is none
          · certified               gate     not run

          steps:      4 in 1.2 s: 2 done, 1 undecided, 1 not run
          inputs:     release=REL-EMPTY (flag), owner=platform (default)
          tenant:     acme, as the server itself says
          files:      loopgate-out/artifact.json
                      loopgate-out/evidence-graph.json
          this run used the embedded sandbox: nothing here is about a real release
        ");
    }

    #[test]
    fn a_run_that_is_done_is_short() {
        assert_snapshot!(shown(&sample::done()), @"
        ✓ done  certify-release · REL-READY · acme on the sandbox

          ✓ evidence.certification  read     certification                          4 ms
          ✓ evidence.graph          read     evidence_graph → evidence-graph.json   4 ms
          ✓ evidence.findings       analyze  12 findings: 4 failed controls, 5 gaps, 3
                                             provider blockers → findings.json
          ✓ certified               gate     it is certified

          steps:      4 in 1.2 s: 4 done
          inputs:     release=REL-READY (flag), owner=platform (default)
          tenant:     acme, as the server itself says
          files:      loopgate-out/artifact.json
                      loopgate-out/evidence-graph.json
          this run used the embedded sandbox: nothing here is about a real release
        ");
    }

    #[test]
    fn what_an_analysis_found_stands_below_its_summary_and_is_no_note() {
        let mut run = sample::blocked();
        for step in &mut run.steps {
            step.notes.push("CTL-201 failed".into());
        }
        let text = shown(&run);
        assert!(text.contains("\n      CTL-201 failed\n"), "{text}");
        assert!(text.contains("\n      note: CTL-201 failed\n"), "{text}");
        let findings = text.split("12 findings").nth(1).unwrap();
        let (findings, _) = findings.split_once("certified").unwrap();
        assert!(findings.contains("CTL-201 failed") && !findings.contains("note:"), "{findings}");
    }

    #[test]
    fn a_tenant_that_nobody_named_is_told_in_plain_words() {
        let mut run = sample::done();
        run.target.tenant = None;
        run.target.tenant_known_by = TenantKnownBy::None;
        let text = shown(&run);
        assert!(text.contains("  tenant:     none: neither the server nor the caller named one\n"), "{text}");
    }

    #[test]
    fn a_plan_lists_its_operations_and_first_titles() {
        assert_snapshot!(sample::steady(&shown(&sample::planned())), @"
        + changes planned  remediation-plan · REL-BLOCKED · acme on the sandbox
          changes are planned; nothing was written

          ✓ evidence.certification  read     certification                          4 ms
          ✓ evidence.graph          read     evidence_graph → evidence-graph.json   4 ms
          ✓ evidence.findings       analyze  12 findings: 4 failed controls, 5 gaps, 3
                                             provider blockers → findings.json
          ! certified               gate     The certification of REL-BLOCKED is blocked
                                             (advisory)
              false: gate
          ! open_work               read     the server does not offer it; not      4 ms
                                             proven: whether open work already
                                             covers a finding
          + package                 write    work_package, proposed

          1 operation planned, nothing written:
          + package  loopiq_create_remediation_work_package
            why:  12 findings block REL-BLOCKED
            key:  lg1-[64 hex digits]
            dry run:  confirmed: the server says that it was a dry run
            - Unblock REL-BLOCKED
            - Fix finding 1
            - Fix finding 2
            - Fix finding 3
            - Fix finding 4
            - Fix finding 5
              and 7 more titles

          steps:      6 in 1.2 s: 3 done, 1 proposed, 2 warned
          inputs:     release=REL-BLOCKED (flag), owner=platform (default)
          tenant:     acme, as the server itself says
          not proven: whether open work already covers a finding
          files:      loopgate-out/artifact.json
                      loopgate-out/evidence-graph.json
          next:       loopgate show loopgate-out/artifact.json
          this run used the embedded sandbox: nothing here is about a real release
        ");
    }

    #[test]
    fn nothing_to_do_is_said() {
        assert_snapshot!(shown(&sample::nothing_to_do()), @"
        ✓ nothing to do  remediation-plan · REL-READY · acme on the sandbox

          ✓ evidence.certification  read     certification                          4 ms
          ✓ evidence.graph          read     evidence_graph                         4 ms
          ✓ evidence.findings       analyze  12 findings: 4 failed controls, 5 gaps, 3
                                             provider blockers
          · package                 write    skipped: `work.proposed | length > 0` is
                                             false

          steps:      4 in 1.2 s: 3 done, 1 not run
          inputs:     release=REL-READY (flag), owner=platform (default)
          tenant:     acme, as the server itself says
          files:      loopgate-out/artifact.json
                      loopgate-out/evidence-graph.json
          this run used the embedded sandbox: nothing here is about a real release
        ");
    }

    #[test]
    fn a_failed_connection_lists_no_steps() {
        assert_snapshot!(shown(&sample::unreachable()), @"
        ✗ unreachable  evidence-graph · REL-1 · acme on loopiq
          the server `loopiq` ended before it answered: exit status 127

          · 3 steps did not run

          steps:      3 in 1.2 s: 3 not run
          inputs:     release=REL-1 (flag), owner=platform (default)
          tenant:     acme, as the caller says; the server was not heard on it
          files:      loopgate-out/artifact.json
                      loopgate-out/evidence-graph.json
        ");
    }

    #[test]
    fn hostile_text_is_spelled_out_and_wide_text_keeps_columns() {
        assert_snapshot!(sample::steady(&shown(&sample::hostile())), @r"
        ? undecided  a\u{1b}[31m\u{202e}\n# b `c` <img> @team · a\u{1b}[31m\u{202e}\n# b
          `c` <img> @team · a\u{1b}[31m\u{202e}\n# b `c` <img> @team on the sandbox
          a\u{1b}[31m\u{202e}\n# b `c` <img> @team

          ? a\u{1b}[31m\u{202e}\n# b `c` <img> @team  gate
              undecided: a\u{1b}[31m\u{202e}\n# b `c` <img> @team
              note: a\u{1b}[31m\u{202e}\n# b `c` <img> @team
          ✓ 東京の証拠  read  4 ms
              証拠グラフ
          ✗ failed  read  4 ms
              a\u{1b}[31m\u{202e}\n# b `c` <img> @team → a\u{1b}[31m\u{202e}\n# b `c`
              <img> @team

          1 operation planned, nothing written:
          + a\u{1b}[31m\u{202e}\n# b `c` <img> @team  loopiq_create_remediation_work_package
            why:  a\u{1b}[31m\u{202e}\n# b `c` <img> @team
            key:  lg1-[64 hex digits]
            dry run:  confirmed: a\u{1b}[31m\u{202e}\n# b `c` <img> @team
            - a\u{1b}[31m\u{202e}\n# b `c` <img> @team

          steps:      3 in 1.2 s: 1 done, 1 failed, 1 undecided
          inputs:     release=a\u{1b}[31m\u{202e}\n# b `c` <img> @team (flag),
                      owner=platform (default)
          tenant:     a\u{1b}[31m\u{202e}\n# b `c` <img> @team, as the server itself
                      says
          not proven: a\u{1b}[31m\u{202e}\n# b `c` <img> @team
          files:      loopgate-out/artifact.json
                      loopgate-out/evidence-graph.json
          this run used the embedded sandbox: nothing here is about a real release
        ");
    }

    #[test]
    fn forty_columns_are_enough() {
        let narrow = Terminal { width: 40, ..Terminal::plain() };
        assert_snapshot!(run_text(&sample::blocked(), &narrow, &sample::outputs()), @"
        ✗ blocked  certify-release · REL-BLOCKED
          · acme on the sandbox
          The certification of REL-BLOCKED is
          blocked

          ✓ evidence.certification  read  4 ms
              certification
          ✓ evidence.graph  read  4 ms
              evidence_graph →
              evidence-graph.json
          ✓ evidence.findings  analyze
              12 findings: 4 failed controls, 5
              gaps, 3 provider blockers →
              findings.json
          ✗ certified  gate
              The certification of REL-BLOCKED
              is blocked
              false: gate
          · evident  gate
              not run

          steps:      5 in 1.2 s: 3 done, 1
                      failed, 1 not run
          inputs:     release=REL-BLOCKED
                      (flag), owner=platform
                      (default)
          tenant:     acme, as the server itself
                      says
          files:      loopgate-out/artifact.json
                      loopgate-out/evidence-graph.json
          next:       loopgate remediation-plan --server sandbox --tenant acme --release REL-BLOCKED
          this run used the embedded sandbox:
          nothing here is about a real release
        ");
    }

    #[test]
    fn two_hundred_columns_and_ascii() {
        let wide = Terminal { width: 200, unicode: false, ..Terminal::plain() };
        assert_snapshot!(run_text(&sample::blocked(), &wide, &sample::outputs()), @"
        x  blocked  certify-release - REL-BLOCKED - acme on the sandbox
           The certification of REL-BLOCKED is blocked

          ok evidence.certification  read     certification                                             4 ms
          ok evidence.graph          read     evidence_graph -> evidence-graph.json                     4 ms
          ok evidence.findings       analyze  12 findings: 4 failed controls, 5 gaps, 3 provider blockers ->
                                              findings.json
          x  certified               gate     The certification of REL-BLOCKED is blocked
               false: gate
          -  evident                 gate     not run

          steps:      5 in 1.2 s: 3 done, 1 failed, 1 not run
          inputs:     release=REL-BLOCKED (flag), owner=platform (default)
          tenant:     acme, as the server itself says
          files:      loopgate-out/artifact.json
                      loopgate-out/evidence-graph.json
          next:       loopgate remediation-plan --server sandbox --tenant acme --release REL-BLOCKED
          this run used the embedded sandbox: nothing here is about a real release
        ");
    }

    #[test]
    fn colour_changes_no_letter() {
        let coloured = Terminal { colour: true, ..Terminal::plain() };
        for result in sample::every_run() {
            let text = run_text(&result, &coloured, &sample::outputs());
            let mut bare = String::new();
            for (index, part) in text.split("\u{1b}[").enumerate() {
                bare.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
            }
            assert!(text.contains("\u{1b}["));
            assert_eq!(bare, shown(&result));
        }
    }

    #[test]
    fn lines_stay_within_the_terminal_save_commands_and_names() {
        for width in [40, 80, 200] {
            for result in sample::every_run() {
                let text = run_text(&result, &Terminal { width, ..Terminal::plain() }, &sample::outputs());
                for line in text.lines().filter(|line| !line.contains("next:") && !line.contains("loopiq_")) {
                    let whole = line.trim_start().starts_with("key:") || line.contains("loopgate-out/");
                    let named = result.steps.iter().any(|step| line.contains(&*visible(&step.id)));
                    assert!(whole || named || columns(line) <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn nothing_of_a_stranger_steers_the_terminal() {
        let text = shown(&sample::hostile());
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'));
    }

    #[test]
    fn every_report_of_a_sandbox_run_says_so() {
        for result in sample::every_run() {
            let verdict = verdict_text(&result, &Terminal::plain());
            assert_eq!(shown(&result).contains(SANDBOX_RUN), result.target.sandbox);
            assert_eq!(verdict.contains("the sandbox"), result.target.sandbox);
        }
    }
}
