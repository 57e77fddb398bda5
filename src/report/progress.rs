//! Progress for people, on stderr: a line that is drawn over where that can be, else a line a step.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::layout::{Mark, bounded, count, took};
use super::stand_in::server_name;
use super::status::{mark, sentence};
use super::terminal::Terminal;
use crate::core::text::visible;
use crate::engine::{Event, Events, StepStatus};

/// The longest text of one event.
const LONGEST: usize = 300;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Nothing.
    Quiet,
    /// What ended.
    #[default]
    Normal,
    /// What began, was tried again or was tried out, too.
    Verbose,
}

/// Shows a run's events as they come. A stream that takes no more is no reason to stop.
pub struct Progress {
    verbosity: Verbosity,
    terminal: Terminal,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    running: Vec<(String, Instant)>,
}

impl Progress {
    /// On stderr, which can show what `terminal` says.
    #[must_use]
    pub fn stderr(verbosity: Verbosity, terminal: Terminal) -> Self {
        let drawn = terminal.live && verbosity > Verbosity::Quiet;
        Self { bar: drawn.then(|| bar(&terminal)), ..Self::to(verbosity, terminal, Box::new(io::stderr())) }
    }

    fn to(verbosity: Verbosity, terminal: Terminal, out: Box<dyn Write + Send>) -> Self {
        let state = Mutex::new(State { out, running: Vec::new() });
        Self { verbosity, terminal, bar: None, state }
    }

    /// Says what goes on and for how long, where nothing is drawn that shows it.
    pub fn still(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, since)) = state.running.first() else { return };
        if self.bar.is_none() && self.verbosity > Verbosity::Quiet {
            let so_far = took(since.elapsed());
            let text = format!(
                "{} {}: goes on, {so_far} so far",
                self.terminal.mark(Mark::Idle),
                names(&state.running)
            );
            // Nobody is left to be told.
            let _ = writeln!(state.out, "{text}");
        }
    }

    fn draw(&self, bar: &ProgressBar, event: &Event, running: &[(String, Instant)]) {
        match event {
            Event::Started { recipe, steps, .. } => {
                bar.set_length(u64::try_from(*steps).unwrap_or(u64::MAX));
                bar.set_prefix(bounded(recipe, 40));
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            Event::StepEnded { .. } => bar.inc(1),
            Event::Ended { .. } => bar.finish_and_clear(),
            Event::StepStarted { .. }
            | Event::Connected { .. }
            | Event::Called { .. }
            | Event::Retried { .. }
            | Event::DryRun { .. } => {}
        }
        bar.set_message(names(running));
    }
}

/// What is under way, in the order in which it began.
fn names(running: &[(String, Instant)]) -> String {
    let names: Vec<&str> = running.iter().map(|(name, _)| name.as_str()).collect();
    bounded(&names.join(", "), LONGEST)
}

impl Events for Progress {
    fn emit(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        match event {
            Event::StepStarted { step, .. } => state.running.push((step.clone(), Instant::now())),
            Event::StepEnded { step, .. } => state.running.retain(|(other, _)| other != step),
            _ => {}
        }
        let shown = line(event, self.verbosity, &self.terminal);
        match &self.bar {
            None => {
                if let Some(text) = shown {
                    // Nobody is left to be told.
                    let _ = writeln!(state.out, "{text}");
                }
            }
            Some(bar) => {
                // The report at the end lists every step, so only what it leaves out stays on the screen.
                if let (Some(text), Verbosity::Verbose) = (shown, self.verbosity) {
                    bar.println(text);
                }
                self.draw(bar, event, &state.running);
            }
        }
    }
}

fn bar(terminal: &Terminal) -> ProgressBar {
    let template = "{spinner} {prefix} {pos}/{len} {wide_msg} {elapsed}";
    let ticks = if terminal.unicode { "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ " } else { "|/-\\ " };
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.tick_chars(ticks)),
        Err(_) => bar,
    }
}

/// What is said of an event, if anything.
fn line(event: &Event, verbosity: Verbosity, terminal: &Terminal) -> Option<String> {
    let verbose = match event {
        Event::Started { .. } | Event::StepEnded { .. } => Verbosity::Normal,
        _ => Verbosity::Verbose,
    };
    if verbosity < verbose {
        return None;
    }
    let idle = terminal.mark(Mark::Idle);
    Some(match event {
        Event::Started { run: _, recipe, server, tenant, sandbox, steps } => {
            let server = bounded(server_name(*sandbox, server), LONGEST);
            let tenant =
                tenant.as_ref().map(|name| format!(" for {}", bounded(name, LONGEST))).unwrap_or_default();
            let steps = count(*steps, "step", "steps");
            format!("{idle} {} on {server}{tenant}: {steps}", visible(recipe))
        }
        Event::Connected { server, tools } => {
            let tools = count(*tools, "tool", "tools");
            format!("{idle} connected to {}: {tools}", bounded(server, LONGEST))
        }
        Event::StepStarted { step, kind } => format!("{idle} {} ({kind}): begins", visible(step)),
        Event::Retried { step, attempt, why } => {
            format!("{idle} {}: attempt {attempt}, because {}", visible(step), bounded(why, LONGEST))
        }
        Event::Called { step, call } => {
            let took = call.took.as_millis();
            let outcome = bounded(&call.outcome, LONGEST);
            format!("{idle} {}: {} {outcome} after {took} ms", visible(step), visible(&call.tool))
        }
        // An include that is done is its steps, which are told of themselves.
        Event::StepEnded { kind: "include", status: StepStatus::Done, .. } => return None,
        Event::StepEnded { step, kind, status } => {
            let sentence = match status {
                StepStatus::Proposed => status.as_str().to_owned(),
                other => sentence(other, other.as_str()),
            };
            format!(
                "{} {} ({kind}): {}",
                terminal.mark(mark(status)),
                visible(step),
                bounded(&sentence, LONGEST)
            )
        }
        Event::DryRun { operation, validated, why } => {
            let sign = terminal.mark(if *validated { Mark::Good } else { Mark::Warning });
            format!("{sign} {}: dry run, {}", visible(operation), bounded(why, LONGEST))
        }
        Event::Ended { conclusion, message } => {
            format!("{idle} ended: {conclusion}, {}", bounded(message, LONGEST))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::engine::{GateFact, StepStatus};
    use insta::assert_snapshot;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn hostile() -> String {
        "a\u{1b}[31m\u{202e}\nb".into()
    }

    fn events() -> Vec<Event> {
        let gate = GateFact { says: "it is blocked".into(), advisory: false };
        vec![
            Event::Started {
                run: "r".into(),
                recipe: "certify-release".into(),
                server: "sandbox".into(),
                tenant: Some("acme".into()),
                sandbox: true,
                steps: 3,
            },
            Event::Connected { server: hostile(), tools: 1 },
            Event::StepStarted { step: "graph".into(), kind: "read" },
            Event::Retried { step: "graph".into(), attempt: 2, why: hostile() },
            Event::StepEnded { step: "graph".into(), kind: "read", status: StepStatus::Done },
            Event::StepEnded { step: "ok".into(), kind: "gate", status: StepStatus::DoesNotHold(gate) },
            Event::DryRun { operation: "package".into(), validated: false, why: hostile() },
            Event::StepEnded { step: "z".into(), kind: "read", status: StepStatus::Failed(hostile()) },
            Event::Ended { conclusion: "gate-fails", message: hostile() },
        ]
    }

    fn shown(verbosity: Verbosity) -> String {
        let page = Page::default();
        let progress = Progress::to(verbosity, Terminal::plain(), Box::new(page.clone()));
        for event in events() {
            progress.emit(&event);
        }
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn without_a_terminal_each_step_that_ended_is_a_line() {
        assert_snapshot!(shown(Verbosity::Normal), @r#"
        · certify-release on the sandbox for acme: 3 steps
        ✓ graph (read): done
        ✗ ok (gate): it is blocked
        ✗ z (read): a\u{1b}[31m\u{202e}\nb
        "#);
    }

    #[test]
    fn verbose_says_what_began_and_was_tried_again() {
        let text = shown(Verbosity::Verbose);
        assert_snapshot!(text, @r#"
        · certify-release on the sandbox for acme: 3 steps
        · connected to a\u{1b}[31m\u{202e}\nb: 1 tool
        · graph (read): begins
        · graph: attempt 2, because a\u{1b}[31m\u{202e}\nb
        ✓ graph (read): done
        ✗ ok (gate): it is blocked
        ! package: dry run, a\u{1b}[31m\u{202e}\nb
        ✗ z (read): a\u{1b}[31m\u{202e}\nb
        · ended: gate-fails, a\u{1b}[31m\u{202e}\nb
        "#);
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'));
    }

    #[test]
    fn what_takes_long_is_told_with_how_long_unless_nobody_wants_to_hear_it() {
        let told = |verbosity| {
            let page = Page::default();
            let progress = Progress::to(verbosity, Terminal::plain(), Box::new(page.clone()));
            progress.still();
            for step in ["graph", "checks", &hostile()] {
                progress.emit(&Event::StepStarted { step: step.into(), kind: "read" });
            }
            progress.emit(&Event::StepEnded {
                step: "checks".into(),
                kind: "read",
                status: StepStatus::NotRun,
            });
            page.0.lock().unwrap().clear();
            progress.still();
            let bytes = page.0.lock().unwrap().clone();
            String::from_utf8(bytes).unwrap()
        };
        let text = told(Verbosity::Normal);
        assert!(
            text.starts_with(r"· graph, a\u{1b}[31m\u{202e}\nb: goes on, ") && text.ends_with(" so far\n"),
            "{text}"
        );
        assert_eq!(told(Verbosity::Quiet), "");
    }

    #[test]
    fn quiet_says_nothing() {
        assert_eq!(shown(Verbosity::Quiet), "");
    }

    #[test]
    fn what_is_drawn_over_holds_no_escape_of_a_stranger() {
        let bar = ProgressBar::hidden();
        let progress = Progress::to(Verbosity::Normal, Terminal::plain(), Box::new(Page::default()));
        let running = [(hostile(), Instant::now())];
        progress.draw(&bar, &Event::StepStarted { step: hostile(), kind: "read" }, &running);
        assert_eq!(bar.message(), r"a\u{1b}[31m\u{202e}\nb");
        progress.draw(
            &bar,
            &Event::StepEnded { step: hostile(), kind: "read", status: StepStatus::Done },
            &[],
        );
        assert_eq!((bar.message().as_str(), bar.position()), ("", 1));
    }
}
