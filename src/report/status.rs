//! Words and signs for how runs and steps ended, the same in every output.

use super::layout::Mark;
use crate::engine::{Conclusion, StepStatus};

/// The verdict in the words of the exit-code table.
pub(super) fn verdict(conclusion: &Conclusion) -> (Mark, &'static str) {
    match conclusion {
        Conclusion::Done => (Mark::Good, "done"),
        Conclusion::ChangesPlanned => (Mark::Planned, "changes planned"),
        Conclusion::NothingToDo => (Mark::Good, "nothing to do"),
        Conclusion::GateFails(_) => (Mark::Bad, "blocked"),
        Conclusion::Undecided(_) => (Mark::Doubt, "undecided"),
        Conclusion::Invalid(_) => (Mark::Bad, "invalid"),
        Conclusion::Moved(_) => (Mark::Bad, "stale"),
        Conclusion::Refused(_) => (Mark::Bad, "refused"),
        Conclusion::Unconfirmed(_) => (Mark::Doubt, "dry run not confirmed"),
        Conclusion::NeedsInput(_) => (Mark::Bad, "needs input"),
        Conclusion::Unreachable(_) => (Mark::Bad, "unreachable"),
        Conclusion::SignIn(_) => (Mark::Bad, "sign-in or tenant refused"),
        Conclusion::Interrupted(_) => (Mark::Bad, "interrupted"),
    }
}

/// The sign of a step.
pub(super) fn mark(status: &StepStatus) -> Mark {
    match status {
        StepStatus::Done | StepStatus::Holds(_) => Mark::Good,
        StepStatus::Proposed => Mark::Planned,
        StepStatus::DoesNotHold(gate) if gate.advisory => Mark::Warning,
        StepStatus::DoesNotHold(_) | StepStatus::Failed(_) => Mark::Bad,
        StepStatus::Undecided(_) => Mark::Doubt,
        StepStatus::Unavailable(_) => Mark::Warning,
        StepStatus::Skipped(_) | StepStatus::NotRun => Mark::Idle,
    }
}

/// What is said of a status besides its word; hostile text.
pub(super) fn why(status: &StepStatus) -> Vec<&str> {
    match status {
        StepStatus::Done | StepStatus::Proposed | StepStatus::NotRun => Vec::new(),
        StepStatus::Holds(gate) | StepStatus::DoesNotHold(gate) => vec![&gate.says],
        StepStatus::Undecided(reasons) => reasons.iter().map(String::as_str).collect(),
        StepStatus::Skipped(why) | StepStatus::Unavailable(why) | StepStatus::Failed(why) => vec![why],
    }
}

/// Whether the step is a gate that only informs.
pub(super) fn is_advisory(status: &StepStatus) -> bool {
    matches!(status, StepStatus::Holds(gate) | StepStatus::DoesNotHold(gate) if gate.advisory)
}

/// One line on how a step ended, `subject` being what it names; hostile text.
pub(super) fn sentence(status: &StepStatus, subject: &str) -> String {
    let why = why(status).join("; ");
    match status {
        StepStatus::Done => subject.to_owned(),
        StepStatus::Proposed => format!("{subject}, proposed"),
        StepStatus::Holds(_) | StepStatus::DoesNotHold(_) if is_advisory(status) => {
            format!("{why} (advisory)")
        }
        StepStatus::Holds(_) | StepStatus::DoesNotHold(_) | StepStatus::Failed(_) => why,
        StepStatus::Undecided(_) => format!("undecided: {why}"),
        StepStatus::Skipped(_) => format!("skipped: {why}"),
        StepStatus::Unavailable(_) => format!("the server does not offer it; not proven: {why}"),
        StepStatus::NotRun => "not run".to_owned(),
    }
}
