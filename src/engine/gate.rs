//! A gate, decided.

use serde_json::Value;

use super::ended::{Ended, not_a_truth_value, template_failed, undecided};
use super::result::{Conclusion, GateFact, StepStatus};
use crate::core::text::{excerpt, visible};
use crate::recipe::{Gate, Scope, Step};

/// How many values a gate that does not hold says that it saw.
const MOST_SEEN: usize = 5;
/// How much it says of a text, in characters.
const SHOWN: usize = 100;

/// What a gate saw, in words: of a list how much, and of a mapping nothing.
pub(super) fn seen(gate: &Gate, scope: &Scope) -> Vec<String> {
    let word = |(name, value): (String, Value)| {
        let is = match &value {
            Value::Object(_) => return None,
            Value::Array(items) if items.len() == 1 => "has 1 item".to_owned(),
            Value::Array(items) => format!("has {} items", items.len()),
            Value::String(text) => format!("is \"{}\"", excerpt(text, SHOWN)),
            Value::Null | Value::Bool(_) | Value::Number(_) => format!("is {value}"),
        };
        Some(format!("`{}` {is}", visible(&name)))
    };
    gate.holds.sees(scope).into_iter().filter_map(word).take(MOST_SEEN).collect()
}

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
