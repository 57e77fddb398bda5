//! The one way to the server: a call is addressed, sent once, judged, told of and recorded.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::event::{Event, Events};
use super::result::CallFact;
use super::target::{Caller, Tools};
use crate::catalog::Operation;
use crate::core::call::TaskHandle;
use crate::core::id::RequestId;
use crate::core::{Digest, Outcome, Seen, ToolCall};
use crate::mcp::{Session, classify};

/// A connection, who speaks on it, and who listens to what happens.
#[derive(Clone, Copy)]
pub(super) struct Channel<'a> {
    pub session: &'a Session,
    pub caller: &'a Caller<'a>,
    pub tools: &'a Tools,
    pub events: &'a dyn Events,
}

/// A call whose arguments are settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letter<'a> {
    /// The step that it is made for.
    pub step: &'a str,
    pub tool: &'a str,
    pub arguments: &'a Map<String, Value>,
    pub operation: Option<&'a Operation>,
    pub deadline: Duration,
}

impl Channel<'_> {
    /// Sends a call, once.
    ///
    /// # Errors
    /// It cannot be addressed, and nothing was sent.
    pub async fn send(&self, letter: Letter<'_>) -> Result<(Outcome, CallFact), String> {
        let (call, request_id) = self.caller.address(letter.tool, letter.arguments.clone())?;
        Ok(self.deliver(letter, call, &request_id).await)
    }

    /// Sends a call that is addressed, once. One that goes on as a task is waited for.
    pub async fn deliver(
        &self,
        letter: Letter<'_>,
        call: ToolCall,
        request_id: &RequestId,
    ) -> (Outcome, CallFact) {
        let nobody = |_: &TaskHandle| Ok::<(), Infallible>(());
        match self.deliver_noting(letter, call, request_id, nobody).await {
            Ok(delivered) => delivered,
            Err(never) => match never {},
        }
    }

    /// Like [`Channel::deliver`]; `noting` is told of a task before it is waited for.
    ///
    /// # Errors
    /// What `noting` gives; the task is not waited for then.
    pub async fn deliver_noting<E>(
        &self,
        letter: Letter<'_>,
        call: ToolCall,
        request_id: &RequestId,
        noting: impl FnOnce(&TaskHandle) -> Result<(), E>,
    ) -> Result<(Outcome, CallFact), E> {
        let (started, clock) = (Timestamp::now(), Instant::now());
        let payload = payload(&call.arguments);
        let mut seen = self.session.call(&call, letter.deadline).await;
        if let Seen::Task(task) = &seen {
            noting(task)?;
            seen = self.session.ended(task, letter.deadline.saturating_sub(clock.elapsed())).await;
        }
        let retry_after = match &seen {
            Seen::HttpStatus { retry_after, .. } => *retry_after,
            _ => None,
        };
        let outcome = classify(seen, letter.operation, self.caller.profile.errors.as_ref());
        let fact = CallFact {
            tool: call.tool,
            request_id: request_id.to_string(),
            payload,
            started,
            took: clock.elapsed(),
            outcome: in_words(&outcome),
            retry_after,
        };
        self.events.emit(&Event::Called { step: letter.step.to_owned(), call: fact.clone() });
        Ok((outcome, fact))
    }
}

/// The digest of arguments as they are sent.
pub(super) fn payload(arguments: &Map<String, Value>) -> Digest {
    Digest::of_foreign_json("loopgate.payload/1", &Value::Object(arguments.clone()))
}

/// An outcome in words; may hold hostile text.
pub(super) fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied(_) => "answered".to_owned(),
        Outcome::NotApplied(refusal) => format!("refused: {}", refusal.message),
        Outcome::Unknown(doubt) => format!("no usable answer: {}", doubt.message),
    }
}
