//! `loopgate.run-event/1`: one thing that happened during a run, as one line.

use jiff::Timestamp;
use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::engine::{Event, StepStatus};
use crate::report::status::{is_advisory, why};

/// One thing that happened during a run.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "loopgate.run-event/1")]
struct RunEventV1<'a> {
    /// Always `loopgate.run-event/1`.
    format: &'static str,
    /// When (RFC 3339, UTC).
    at: String,
    /// The run's ID.
    run: &'a str,
    #[serde(flatten)]
    event: EventV1<'a>,
}

/// What happened.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum EventV1<'a> {
    /// The run begins.
    Started {
        /// The recipe's name.
        recipe: &'a str,
        /// The server's identity.
        server: &'a str,
        /// The tenant that was asked for.
        tenant: Option<&'a str>,
        /// Whether the server is the embedded sandbox, so that nothing in this run is about the real thing.
        sandbox: bool,
        /// How many steps there are.
        steps: usize,
    },
    /// The server answered the handshake and listed its tools.
    Connected {
        /// What the server calls itself.
        server: &'a str,
        /// How many tools it offers.
        tools: usize,
    },
    /// A step begins.
    StepStarted {
        /// Its dotted ID.
        step: &'a str,
        /// read, write, analyze, gate, emit or include.
        kind: &'a str,
    },
    /// A call was made.
    Called {
        /// The dotted ID of the step that it was made for; `contract` before the first.
        step: &'a str,
        /// The tool.
        tool: &'a str,
        /// The request ID that went with it.
        request_id: &'a str,
        /// How long the answer took, in milliseconds.
        took_ms: u64,
        /// What it came to, in words.
        outcome: &'a str,
    },
    /// A read is tried again.
    Retried {
        /// The step's dotted ID.
        step: &'a str,
        /// Which attempt comes next, from 2.
        attempt: u32,
        /// Why the last one did not do.
        why: &'a str,
    },
    /// A step is over.
    StepEnded {
        /// Its dotted ID.
        step: &'a str,
        /// read, write, analyze, gate, emit or include.
        kind: &'a str,
        /// done, proposed, holds, does-not-hold, undecided, skipped, unavailable, not-run or failed.
        status: &'a str,
        /// What is said of it besides: a gate's sentence, reasons, a message.
        why: Vec<&'a str>,
        /// Whether it is a gate that only informs.
        advisory: bool,
    },
    /// A planned write was tried out with its dry-run switch set.
    DryRun {
        /// The operation's ID.
        operation: &'a str,
        /// Whether the server confirmed it.
        validated: bool,
        /// In words.
        why: &'a str,
    },
    /// The run is over.
    Ended {
        /// The stable word of what it came to.
        conclusion: &'a str,
        /// In words.
        message: &'a str,
    },
}

/// The event as one line of `loopgate.run-event/1`: `run` is the run's ID, `at` the time it happened.
#[must_use]
pub fn event_json(event: &Event, at: Timestamp, run: &str) -> Value {
    json!(RunEventV1 { format: "loopgate.run-event/1", at: format!("{at:.3}"), run, event: frozen(event) })
}

/// The JSON Schema of `loopgate.run-event/1`.
#[must_use]
pub fn event_schema() -> Value {
    schema_for!(RunEventV1<'_>).to_value()
}

fn frozen(event: &Event) -> EventV1<'_> {
    match event {
        Event::Started { run: _, recipe, server, tenant, sandbox, steps } => {
            EventV1::Started { recipe, server, tenant: tenant.as_deref(), sandbox: *sandbox, steps: *steps }
        }
        Event::Connected { server, tools } => EventV1::Connected { server, tools: *tools },
        Event::StepStarted { step, kind } => EventV1::StepStarted { step, kind },
        Event::Called { step, call } => EventV1::Called {
            step,
            tool: &call.tool,
            request_id: &call.request_id,
            took_ms: u64::try_from(call.took.as_millis()).unwrap_or(u64::MAX),
            outcome: &call.outcome,
        },
        Event::Retried { step, attempt, why } => EventV1::Retried { step, attempt: *attempt, why },
        Event::StepEnded { step, kind, status } => ended(step, kind, status),
        Event::DryRun { operation, validated, why } => {
            EventV1::DryRun { operation, validated: *validated, why }
        }
        Event::Ended { conclusion, message } => EventV1::Ended { conclusion, message },
    }
}

fn ended<'a>(step: &'a str, kind: &'a str, status: &'a StepStatus) -> EventV1<'a> {
    let advisory = is_advisory(status);
    EventV1::StepEnded { step, kind, status: status.as_str(), why: why(status), advisory }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::GateFact;

    #[test]
    fn every_event_is_what_the_schema_says() {
        let validator = jsonschema::validator_for(&event_schema()).unwrap();
        let gate = GateFact { says: "it is blocked".into(), advisory: false };
        let step = || "a.b".to_owned();
        for event in [
            Event::Started {
                run: "r".into(),
                recipe: "a".into(),
                server: "s".into(),
                tenant: None,
                sandbox: false,
                steps: 2,
            },
            Event::Connected { server: "s".into(), tools: 7 },
            Event::StepStarted { step: step(), kind: "read" },
            Event::Retried { step: step(), attempt: 2, why: "slow".into() },
            Event::StepEnded { step: step(), kind: "gate", status: StepStatus::DoesNotHold(gate) },
            Event::DryRun { operation: "package".into(), validated: true, why: "confirmed".into() },
            Event::Ended { conclusion: "done", message: "m".into() },
        ] {
            let line = event_json(&event, Timestamp::UNIX_EPOCH, "r");
            assert!(validator.is_valid(&line), "{line}");
        }
    }

    #[test]
    fn a_line_is_what_it_always_was() {
        let gate = GateFact { says: "it is blocked".into(), advisory: true };
        let event =
            Event::StepEnded { step: "a.b".into(), kind: "gate", status: StepStatus::DoesNotHold(gate) };
        assert_eq!(
            event_json(&event, Timestamp::UNIX_EPOCH, "r").to_string(),
            r#"{"advisory":true,"at":"1970-01-01T00:00:00.000Z","event":"step-ended","format":"loopgate.run-event/1","kind":"gate","run":"r","status":"does-not-hold","step":"a.b","why":["it is blocked"]}"#
        );
    }
}
