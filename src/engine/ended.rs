//! How one step ended, and the ways in which one cannot go on.

use serde_json::Value;

use super::result::{Conclusion, StepStatus};
use crate::core::text::{excerpt, visible};
use crate::recipe::{Kind, Step, TemplateError, TemplateErrorKind};

/// How one step ended, and whether the run ends with it.
pub(super) struct Ended {
    pub status: StepStatus,
    pub then: Result<(), Conclusion>,
}

impl From<StepStatus> for Ended {
    fn from(status: StepStatus) -> Self {
        Self { status, then: Ok(()) }
    }
}

impl From<Conclusion> for Ended {
    fn from(conclusion: Conclusion) -> Self {
        Self { status: StepStatus::Failed(conclusion.message()), then: Err(conclusion) }
    }
}

/// A step that cannot be decided; where it is a gate that counts, the run ends there.
pub(super) fn undecided(step: &Step, reasons: Vec<String>) -> Ended {
    let then = match &step.kind {
        Kind::Gate(_) => Err(Conclusion::Undecided(reasons.clone())),
        _ => Ok(()),
    };
    Ended { status: StepStatus::Undecided(reasons), then }
}

pub(super) fn invalid(step: &Step, problem: &str) -> Ended {
    Conclusion::Invalid(format!("step `{}`: {problem}", step.id)).into()
}

pub(super) fn not_a_truth_value(step: &Step, key: &str, source: &str, value: &Value) -> Ended {
    let given = excerpt(&value.to_string(), 80);
    invalid(step, &format!("`{key}: {}` gives `{given}` instead of true or false", visible(source)))
}

/// A value that is not there makes a step undecided; anything else is the recipe's fault.
pub(super) fn template_failed(step: &Step, error: TemplateError) -> Ended {
    match error.kind {
        TemplateErrorKind::Undefined => undecided(step, vec![error.to_string()]),
        _ => invalid(step, &error.to_string()),
    }
}
