//! Standard output is data, standard error is for people.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use crate::core::printable::indented;
use crate::core::text::visible;
use crate::report::{self, Terminal};

/// The two streams, and what the terminals behind them can do.
pub(super) struct Output {
    /// What standard output can show.
    pub stdout: Terminal,
    /// What standard error can show.
    pub stderr: Terminal,
    /// How often `-v` was given.
    pub verbose: u8,
}

impl Output {
    pub fn new(environment: &Environment, verbose: u8) -> Self {
        let decide = |is_terminal| Terminal::decide(&environment.terminal(is_terminal));
        Self {
            stdout: decide(environment.stdout_is_terminal),
            stderr: decide(environment.stderr_is_terminal),
            verbose,
        }
    }

    /// Writes a result. A reader that went away is fine: it has what it wanted.
    pub fn data(&self, text: &str) -> Result<(), Fault> {
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") })
            .and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Fault::internal(error)),
            _ => Ok(()),
        }
    }

    /// Writes exactly one JSON value.
    pub fn json(&self, value: &Value) -> Result<(), Fault> {
        self.data(&indented(value))
    }

    /// Says why a command ended. Nothing can be done where standard error is closed.
    pub fn fault(&self, fault: &Fault) {
        let text = match &fault.problems {
            Some(problems) => report::problems_text(problems, &self.stderr),
            None => {
                let mut text = format!("error: {}\n", visible(&format!("{:#}", fault.error)));
                if let Some(hint) = &fault.hint {
                    text.push_str(&format!("  help: {}\n", visible(hint)));
                }
                text
            }
        };
        self.say(&text);
    }

    /// A line for people.
    pub fn say(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let ended = if text.ends_with('\n') { "" } else { "\n" };
        // Standard error may be closed; the exit code still says it.
        let _ = write!(stderr, "{text}{ended}");
    }
}

/// What clap has to say, on the stream that it belongs to.
pub(super) fn clap_error(error: &clap::Error) -> ExitCode {
    // Help and versions go to standard output, whose reader may be gone.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}

/// Diagnostics of the program itself on standard error, from `-vv` on. Other crates' are left out: the MCP
/// library's would carry arguments, and so secrets.
pub(super) fn start_diagnostics(verbose: u8) {
    let level = match verbose {
        0 | 1 => return,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = Targets::new().with_target("loopgate", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    // A second start in one process keeps the first.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
}
