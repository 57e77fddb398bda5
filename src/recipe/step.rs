//! A validated recipe: what it is given and what it does.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::analysis::Analysis;
use super::input::Input;
use super::template::Expression;
use super::tree::Tree;
use crate::catalog::Idempotency;
use crate::core::{Digest, Pointer};

/// A recipe that validates, with everything that it includes.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// What it does, in one line; hostile text.
    pub summary: String,
    /// The profile that it asks for.
    pub profile: Option<String>,
    /// The server of the trust settings that it asks for.
    pub server: Option<String>,
    /// Its inputs, in the order of the file.
    pub inputs: Vec<Input>,
    /// Its steps in order, included ones behind their `include`. Each uses earlier ones only.
    pub steps: Vec<Step>,
    /// Over the texts of all its sources.
    pub digest: Digest,
    /// What only a run can know, in words.
    pub later: Vec<String>,
}

impl Recipe {
    /// Whether any of its steps proposes a write.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.kind, Kind::Write(_)))
    }
}

/// The name of a step; that of an included one begins with the include's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(Vec<String>);

impl StepId {
    /// The step `name` of the recipe that is included as `scope`; `[]` is the recipe itself.
    #[must_use]
    pub fn new(scope: &[String], name: &str) -> Self {
        Self(scope.iter().cloned().chain([name.to_owned()]).collect())
    }

    /// The names of the includes, and the step's own.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// The names of the includes that the step stands in.
    #[must_use]
    pub fn scope(&self) -> &[String] {
        self.0.split_last().map_or(&[], |(_, scope)| scope)
    }
}

impl From<Vec<String>> for StepId {
    fn from(segments: Vec<String>) -> Self {
        Self(segments)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// The includes that it stands in: its expressions see the names of this scope.
    pub scope: Vec<String>,
    /// Every condition under which it runs, the outermost include's first. They are evaluated in order; the
    /// first that does not hold leaves the step out.
    pub when: Vec<Condition>,
    /// The file that receives its result.
    pub emit: Option<String>,
    /// What it does.
    pub kind: Kind,
    /// What it uses of earlier steps, through the inputs of its scope too. Sorted, each once.
    pub uses: Vec<Use>,
    /// The line of the file that declares it, from 1.
    pub line: Option<usize>,
}

/// A condition, and the scope whose names it sees: that of the step, or of an include around it.
#[derive(Debug, Clone)]
pub struct Condition {
    /// For [`super::Values::scope`].
    pub scope: Vec<String>,
    /// Gives true or false.
    pub holds: Expression,
}

/// A value of an earlier step that is used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// The step.
    pub step: StepId,
    /// Member names from its value; empty where it is used as a whole.
    pub path: Vec<String>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Calls a tool that changes nothing.
    Read(Read),
    /// Proposes a call that changes something.
    Write(Write),
    /// Makes something of earlier results.
    Analyze(Analyze),
    /// Decides.
    Gate(Gate),
    /// Writes a file.
    Emit(Emit),
    /// Gives an included recipe its inputs; its steps follow.
    Include(Include),
}

impl Kind {
    /// The key that makes a step one of this kind.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Write(_) => "write",
            Self::Analyze(_) => "analyze",
            Self::Gate(_) => "gate",
            Self::Emit(_) => "emit",
            Self::Include(_) => "include",
        }
    }

    /// What that key names: the operation, analysis, recipe or expression; nothing for a file.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Read(read) => &read.operation,
            Self::Write(write) => &write.operation,
            Self::Analyze(analyze) => analyze.analysis.word(),
            Self::Gate(gate) => gate.holds.source(),
            Self::Emit(_) => "",
            Self::Include(include) => &include.recipe,
        }
    }
}

/// A call that changes nothing.
#[derive(Debug, Clone)]
pub struct Read {
    /// The profile's operation.
    pub operation: String,
    /// By the operation's argument names: a [`Tree::Map`].
    pub arguments: Tree,
    /// How long to wait for the answer; absent: as the settings say.
    pub timeout: Option<Duration>,
    /// What to do when no answer came.
    pub retry: Retry,
    /// What stays unproven where the server does not offer it; absent: the run fails there.
    pub optional: Option<String>,
}

/// What to do when a read brings no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often to try, the first time included; at least 1.
    pub attempts: u32,
    /// How long to wait in between.
    pub delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 3, delay: Duration::from_secs(1) }
    }
}

/// A proposed call that changes something.
#[derive(Debug, Clone)]
pub struct Write {
    /// The profile's operation, or a tool by its own name.
    pub operation: String,
    /// By the operation's argument names: a [`Tree::Map`]. A text stands in for each secret.
    pub arguments: Tree,
    /// The names of the secrets that go with it, by their places in the arguments.
    pub secrets: BTreeMap<Pointer, String>,
    /// Why, for the approver.
    pub reason: Expression,
    /// How it may be repeated: the stricter of profile and recipe.
    pub idempotency: Idempotency,
    /// The read that tells whether it happened.
    pub reconcile: Option<Reconcile>,
}

/// The read that tells whether a write happened. All of it is evaluated when the write is planned.
#[derive(Debug, Clone)]
pub struct Reconcile {
    /// The profile's operation.
    pub operation: String,
    /// By the operation's argument names: a [`Tree::Map`].
    pub arguments: Tree,
    /// What the result has when the write happened; all of it, at least one.
    pub found: Vec<Expectation>,
}

/// A value that a result has.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// In the result.
    pub pointer: Pointer,
    /// Equal as canonical JSON.
    pub equals: Tree,
}

/// Something made of earlier results.
#[derive(Debug, Clone)]
pub struct Analyze {
    /// What.
    pub analysis: Analysis,
    /// Of which step's result.
    pub of: StepId,
    /// The other steps whose results it takes, by the analysis's names for them.
    pub from: BTreeMap<String, StepId>,
    /// What it is told besides: a [`Tree::Map`].
    pub with: Tree,
}

/// A decision.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Gives true or false.
    pub holds: Expression,
    /// Gives true where the gate cannot be decided.
    pub undecided: Option<Expression>,
    /// Whether it only reports.
    pub advisory: bool,
    /// What it says, in one line.
    pub says: Expression,
}

/// A file with a value of its own. Its name is [`Step::emit`].
#[derive(Debug, Clone)]
pub struct Emit {
    /// What it receives: any value for `.json`, else one text, whose interpolated values are escaped for the
    /// kind of file.
    pub value: Tree,
}

/// The inputs of an included recipe.
#[derive(Debug, Clone)]
pub struct Include {
    /// The recipe as the including one names it.
    pub recipe: String,
    /// What the including recipe gives: a [`Tree::Map`], evaluated in the scope of the include.
    pub inputs: Tree,
    /// What the included recipe declares; [`super::bind`] makes the values of both.
    pub declared: Vec<Input>,
}
