//! What happens during a run, as it happens.

use super::result::{CallFact, StepStatus};

/// One thing that happened. Texts may come from strangers; whoever shows them escapes them.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A run begins.
    Started {
        /// Its ID.
        run: String,
        /// The recipe's name.
        recipe: String,
        /// The server's identity.
        server: String,
        /// The tenant that was asked for.
        tenant: Option<String>,
        /// Whether the server is the embedded sandbox.
        sandbox: bool,
        /// How many steps there are.
        steps: usize,
    },
    /// The server answered the handshake and listed its tools.
    Connected {
        /// What the server calls itself.
        server: String,
        /// How many tools it offers.
        tools: usize,
    },
    /// A step begins.
    StepStarted {
        /// Its dotted ID.
        step: String,
        /// Its kind: read, write, analyze, gate, emit or include.
        kind: &'static str,
    },
    /// A call was made.
    Called {
        /// The step that it was made for; `contract` before the first.
        step: String,
        /// What it came to.
        call: CallFact,
    },
    /// A read is tried again.
    Retried {
        /// The step.
        step: String,
        /// Which attempt comes next, from 2.
        attempt: u32,
        /// Why the last one did not do.
        why: String,
    },
    /// A step is over.
    StepEnded {
        /// Its dotted ID.
        step: String,
        /// Its kind.
        kind: &'static str,
        /// How it ended.
        status: StepStatus,
    },
    /// A planned write was tried out with its dry-run switch set.
    DryRun {
        /// The operation's ID.
        operation: String,
        /// Whether the server confirmed it.
        validated: bool,
        /// In words.
        why: String,
    },
    /// The run is over.
    Ended {
        /// What it came to: the stable word of the conclusion.
        conclusion: &'static str,
        /// In words.
        message: String,
    },
}

/// Whoever wants to know what happens. Called on the run's own thread; must not block for long.
pub trait Events {
    /// One thing happened.
    fn emit(&self, event: &Event);
}
