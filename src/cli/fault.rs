//! What ended a command early: the exit code, the message, and what to do about it.

use std::fmt::Display;

use serde_json::{Value, json};

use super::exit::Exit;
use crate::recipe::Problems;
use crate::report;

/// Why a command ended without a result of its own.
#[derive(Debug)]
pub(super) struct Fault {
    pub exit: Exit,
    pub error: anyhow::Error,
    pub hint: Option<String>,
    /// Problems of a recipe, which are shown with their place instead of `error`.
    pub problems: Option<Problems>,
}

impl Fault {
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, error: anyhow::anyhow!("{message}"), hint: None, problems: None }
    }

    /// A recipe, setting, input or file that is not what it should be.
    pub fn invalid(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Invalid, error: error.into(), hint: None, problems: None }
    }

    /// Something that should not happen on a healthy machine.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Internal, error: error.into(), hint: None, problems: None }
    }

    /// The recipe's problems, as `loopgate.problems/1` lists them.
    pub fn problems_json(&self) -> Value {
        let listed = self.problems.as_ref().map(report::problems_json);
        listed.and_then(|mut listed| Some(listed.get_mut("problems")?.take())).unwrap_or_else(|| json!([]))
    }

    /// The fault as the one JSON value that a reader of standard output waits for.
    pub fn to_json(&self) -> Value {
        json!({
            "format": "loopgate.fault/1",
            "exit_code": self.exit.code(),
            "message": format!("{:#}", self.error),
            "help": self.hint,
            "problems": self.problems_json(),
        })
    }

    /// The same, with what was being done.
    pub fn context(self, doing: impl Display + Send + Sync + 'static) -> Self {
        Self { error: self.error.context(doing), ..self }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Problems> for Fault {
    fn from(problems: Problems) -> Self {
        Self {
            exit: Exit::Invalid,
            error: anyhow::anyhow!("the recipe is not valid"),
            hint: None,
            problems: Some(problems),
        }
    }
}
