//! A gate, decided.

use serde_json::Value;

use super::ended::{Ended, not_a_truth_value, template_failed, undecided};
use super::result::{Conclusion, GateFact, StepStatus};
use crate::recipe::{Gate, Scope, Step};

/// Whether a gate holds, does not, or cannot be decided.
pub(super) fn decide(step: &Step, gate: &Gate, scope: &Scope) -> Ended {
    let says = match gate.says.evaluate(scope) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => return template_failed(step, error),
    };
    if let Some(expression) = &gate.undecided {
        match expression.evaluate(scope) {
            Ok(Value::Bool(false)) => {}
            Ok(Value::Bool(true)) => return undecided(step, vec![says]),
            Ok(other) => return not_a_truth_value(step, "undecided", expression.source(), &other),
            Err(error) => return template_failed(step, error),
        }
    }
    let fact = GateFact { says, advisory: gate.advisory };
    match gate.holds.evaluate(scope) {
        Ok(Value::Bool(true)) => StepStatus::Holds(fact).into(),
        Ok(Value::Bool(false)) if gate.advisory => StepStatus::DoesNotHold(fact).into(),
        Ok(Value::Bool(false)) => Ended {
            then: Err(Conclusion::GateFails(fact.says.clone())),
            status: StepStatus::DoesNotHold(fact),
        },
        Ok(Value::Null) => undecided(step, vec![fact.says]),
        Ok(other) => not_a_truth_value(step, "gate", gate.holds.source(), &other),
        Err(error) => template_failed(step, error),
    }
}
