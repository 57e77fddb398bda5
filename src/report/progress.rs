//! Progress for people, on stderr: a line that is drawn over where that can be, else a line a step.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::layout::{Mark, bounded, count, took};
use super::pace::{Pace, about};
use super::stand_in::server_name;
use super::status::{mark, sentence};
use super::terminal::Terminal;
use crate::core::text::visible;
use crate::engine::{Event, Events, StepStatus};

/// The kind of steps that are tried out.
const WRITE: &str = "write";
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
    pace: SharedPace,
}

struct State {
    out: Box<dyn Write + Send>,
    running: Vec<(String, Instant)>,
    /// Proposed writes, to be tried out once every step is over.
    proposed: Vec<String>,
    /// When something ended last.
    ended: Instant,
}

impl State {
    /// What is under way, and since when.
    fn current(&self) -> Option<(String, Instant)> {
        match (self.running.first(), self.proposed.first()) {
            (Some((_, since)), _) => Some((names(&self.running), *since)),
            (None, Some(write)) => Some((format!("dry run of {}", bounded(write, LONGEST)), self.ended)),
            (None, None) => None,
        }
    }
}

/// How far the run is; what draws the line looks at it, too.
#[derive(Clone, Default)]
struct SharedPace(Arc<Mutex<Pace>>);

impl SharedPace {
    fn get(&self) -> MutexGuard<'_, Pace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// On stderr, which can show what `terminal` says, of a run whose steps are those of `pace`.
    #[must_use]
    pub fn stderr(verbosity: Verbosity, terminal: Terminal, pace: Pace) -> Self {
        let drawn = terminal.live && verbosity > Verbosity::Quiet;
        let mut progress = Self::to(verbosity, terminal, Box::new(io::stderr()), pace);
        progress.bar = drawn.then(|| bar(&progress.terminal, &progress.pace));
        progress
    }

    fn to(verbosity: Verbosity, terminal: Terminal, out: Box<dyn Write + Send>, pace: Pace) -> Self {
        let state =
            Mutex::new(State { out, running: Vec::new(), proposed: Vec::new(), ended: Instant::now() });
        Self { verbosity, terminal, bar: None, state, pace: SharedPace(Arc::new(Mutex::new(pace))) }
    }

    /// Says what goes on and for how long, how much is done, and about how long the rest takes, where nothing is
    /// drawn that shows it.
    pub fn still(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((what, since)) = state.current() else { return };
        if self.bar.is_none() && self.verbosity > Verbosity::Quiet {
            let so_far = took(since.elapsed());
            let done = self.pace.get().words("step", "steps", Instant::now());
            let text = format!(
                "{} {what}: goes on, {so_far} so far{}",
                self.terminal.mark(Mark::Idle),
                done.map_or_else(String::new, |done| format!("; {done}"))
            );
            // Nobody is left to be told.
            let _ = writeln!(state.out, "{text}");
        }
    }

    fn draw(&self, bar: &ProgressBar, event: &Event, state: &State) {
        // Drawing looks at it as well, so it is not held on to.
        let (over, all) = self.pace.get().counts();
        match event {
            Event::Started { recipe, .. } => {
                bar.set_length(u64::try_from(all).unwrap_or(u64::MAX));
                bar.set_prefix(bounded(recipe, 40));
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            Event::Ended { .. } => bar.finish_and_clear(),
            Event::StepStarted { .. }
            | Event::StepEnded { .. }
            | Event::Connected { .. }
            | Event::Called { .. }
            | Event::Retried { .. }
            | Event::DryRun { .. } => {}
        }
        bar.set_position(u64::try_from(over).unwrap_or(u64::MAX));
        bar.set_message(state.current().map(|(what, _)| what).unwrap_or_default());
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
            Event::StepStarted { step, kind } => {
                let now = Instant::now();
                self.pace.get().begins(kind, now);
                state.running.push((step.clone(), now));
            }
            Event::StepEnded { step, kind, status } => {
                state.ended = Instant::now();
                match status {
                    // It is over once it was tried out.
                    StepStatus::Proposed => state.proposed.push(step.clone()),
                    StepStatus::Skipped(_) | StepStatus::NotRun => self.pace.get().skips(kind),
                    _ => self.pace.get().ends(kind, state.ended),
                }
                state.running.retain(|(other, _)| other != step);
            }
            Event::DryRun { operation, .. } => {
                let began = std::mem::replace(&mut state.ended, Instant::now());
                self.pace.get().begins(WRITE, began);
                self.pace.get().ends(WRITE, state.ended);
                state.proposed.retain(|other| other != operation);
            }
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
                self.draw(bar, event, state);
            }
        }
    }
}

fn bar(terminal: &Terminal, pace: &SharedPace) -> ProgressBar {
    let template = "{spinner} {prefix} {pos}/{len} {wide_msg} {elapsed}{left}";
    let pace = pace.clone();
    // Asked for with every tick, so that a guess grows old.
    let left = move |_: &ProgressState, out: &mut dyn fmt::Write| {
        let left = pace.get().left(Instant::now()).map(about);
        // Nobody is left to be told.
        let _ = left.map(|left| write!(out, ", {left}"));
    };
    let ticks = if terminal.unicode { "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ " } else { "|/-\\ " };
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.with_key("left", left).tick_chars(ticks)),
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

    #[derive(Debug, Clone, Default)]
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
        let progress = Progress::to(verbosity, Terminal::plain(), Box::new(page.clone()), Pace::default());
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
    fn what_takes_long_is_told_with_how_long_and_how_much_is_done_unless_nobody_wants_to_hear_it() {
        let told = |verbosity| {
            let page = Page::default();
            let pace = Pace::new(7, &[("read", 4)]);
            let progress = Progress::to(verbosity, Terminal::plain(), Box::new(page.clone()), pace);
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
            text.starts_with(r"· graph, a\u{1b}[31m\u{202e}\nb: goes on, ")
                && text.ends_with(" so far; 1 of 7 steps\n"),
            "{text}"
        );
        assert_eq!(told(Verbosity::Quiet), "");
    }

    #[test]
    fn a_write_is_done_once_it_was_tried_out() {
        let page = Page::default();
        let pace = Pace::new(3, &[("read", 1), ("write", 2)]);
        let progress = Progress::to(Verbosity::Normal, Terminal::plain(), Box::new(page.clone()), pace);
        let told = || {
            page.0.lock().unwrap().clear();
            progress.still();
            let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
            text.replace(|c: char| c.is_ascii_digit(), "").replace(" ms", "")
        };
        for (step, kind, status) in [
            ("graph", "read", StepStatus::Done),
            ("one", "write", StepStatus::Proposed),
            ("two", "write", StepStatus::Proposed),
        ] {
            progress.emit(&Event::StepEnded { step: step.into(), kind, status });
        }
        assert_eq!(progress.pace.get().counts(), (1, 3));
        assert!(told().starts_with("· dry run of one: goes on,"), "{}", told());
        for operation in ["one", "two"] {
            progress.emit(&Event::DryRun {
                operation: operation.into(),
                validated: true,
                why: "it did".into(),
            });
        }
        assert_eq!(progress.pace.get().counts(), (3, 3));
        assert_eq!(told(), "");
    }

    #[test]
    fn quiet_says_nothing() {
        assert_eq!(shown(Verbosity::Quiet), "");
    }

    impl indicatif::TermLike for Page {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().extend_from_slice(text.as_bytes());
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_line_that_is_drawn_over_says_how_much_is_done_and_about_what_is_left() {
        let page = Page::default();
        let mut pace = Pace::new(9, &[("read", 9)]);
        let now = Instant::now();
        for _ in 0..2 {
            pace.begins("read", now);
            pace.ends("read", now + Duration::from_secs(7200));
        }
        let mut progress =
            Progress::to(Verbosity::Normal, Terminal::plain(), Box::new(Page::default()), pace);
        let bar = bar(&Terminal::plain(), &progress.pace);
        bar.set_draw_target(indicatif::ProgressDrawTarget::term_like(Box::new(page.clone())));
        progress.bar = Some(bar);
        for event in events() {
            progress.emit(&event);
        }
        let drawn = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert!(
            drawn.contains(" certify-release 2/9 ") && drawn.contains("s, about 420 min left"),
            "{drawn}"
        );
        assert!(!drawn.contains("{left}"), "{drawn}");
    }

    #[test]
    fn what_is_drawn_over_holds_no_escape_of_a_stranger() {
        let mut progress = Progress::to(
            Verbosity::Normal,
            Terminal::plain(),
            Box::new(Page::default()),
            Pace::new(3, &[("read", 2)]),
        );
        let bar = ProgressBar::hidden();
        progress.bar = Some(bar.clone());
        progress.emit(&Event::StepStarted { step: hostile(), kind: "read" });
        assert_eq!(bar.message(), r"a\u{1b}[31m\u{202e}\nb");
        progress.emit(&Event::StepEnded { step: hostile(), kind: "read", status: StepStatus::Done });
        assert_eq!((bar.message().as_str(), bar.position()), ("", 1));
    }
}
