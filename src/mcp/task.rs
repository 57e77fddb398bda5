//! A call that the server takes on as a task: asked after until it has ended.

use std::time::Duration;

use rmcp::model::{
    ClientRequest, CreateTaskResult, GetTaskParams, GetTaskRequest, ServerResult, TaskPayload,
};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep_until};

use super::error::is_passing;
use super::live::{Live, NoResult};
use super::reply;
use crate::core::call::{Seen, Silence, TaskHandle};
use crate::core::text::{excerpt, visible};

/// How often a task is asked after, where the server does not say.
const USUAL: Duration = Duration::from_secs(1);
/// The least and the most of what a server may say.
const BOUNDS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// How much of a server's words a message shows, in characters.
const SHOWN: usize = 300;

/// The handle in an answer.
pub(super) fn handle(created: CreateTaskResult) -> TaskHandle {
    let every = created.task.poll_interval_ms.map_or(USUAL, Duration::from_millis);
    TaskHandle { id: created.task.task_id, every: every.clamp(BOUNDS.0, BOUNDS.1) }
}

impl Live {
    /// See [`super::Session::ended`].
    pub(super) async fn ended(&self, task: &TaskHandle, deadline: Duration) -> Seen {
        let until = Instant::now() + deadline;
        let id = excerpt(&task.id, 100);
        let unknown = |what: String| Seen::Silence(Silence::UnknownResult(format!("the task `{id}` {what}")));
        let mut last = "has not ended".to_owned();
        let mut pause = task.every;
        loop {
            sleep_until(until.min(Instant::now() + pause)).await;
            pause = task.every;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return unknown(format!("{last} within the time limit"));
            }
            let ask = GetTaskRequest::new(GetTaskParams::new(task.id.clone()));
            let payload = match self.request(ClientRequest::GetTaskRequest(ask), &Map::new(), left).await {
                Ok(ServerResult::GetTaskResult(result)) if result.task.task.task_id == task.id => {
                    result.task.payload
                }
                Ok(ServerResult::GetTaskResult(result)) => {
                    let other = excerpt(&result.task.task.task_id, 100);
                    return unknown(format!("is answered for by another one, `{other}`"));
                }
                Ok(other) => {
                    return unknown(format!("is answered by `{}`", excerpt(&reply::shape(&other), SHOWN)));
                }
                Err(failure) => match passing(failure) {
                    Ok((why, asked)) => {
                        pause = pause.max(asked.unwrap_or_default());
                        last = format!("could not be asked after ({why}) and has not ended");
                        continue;
                    }
                    Err(why) => return unknown(format!("cannot be asked after: {why}")),
                },
            };
            match payload {
                TaskPayload::Working => {}
                TaskPayload::Completed { result } => return completed(result),
                TaskPayload::InputRequired { input_requests } => {
                    let asked = input_requests.len();
                    return Seen::NeedsInput(format!(
                        "the task `{id}` wants {asked} answers from a user first"
                    ));
                }
                TaskPayload::Failed { error } => {
                    let words = Value::Object(error).to_string();
                    return unknown(format!("failed: {}", excerpt(&words, SHOWN)));
                }
                _ => return unknown("was cancelled".to_owned()),
            }
        }
    }
}

fn completed(result: Map<String, Value>) -> Seen {
    match serde_json::from_value(Value::Object(result)) {
        Ok(result) => reply::seen(result),
        Err(error) => Seen::Silence(Silence::Malformed(error.to_string())),
    }
}

/// Why a task could not be asked after: in passing, with how long the server asks to wait, or for good.
fn passing(failure: NoResult) -> Result<(String, Option<Duration>), String> {
    match failure {
        NoResult::NeverSent(why) => Ok((visible(&why).into_owned(), None)),
        NoResult::NoToken(why) => Err(visible(&why).into_owned()),
        NoResult::Silence(silence) => Ok((silence.to_string(), None)),
        NoResult::Status { status, message, retry_after, .. } => {
            let why = format!("HTTP status {status}: {}", excerpt(&message, SHOWN));
            if is_passing(status) { Ok((why, retry_after)) } else { Err(why) }
        }
        NoResult::Refused { code, message } => {
            Err(format!("JSON-RPC error {code}: {}", excerpt(&message, SHOWN)))
        }
    }
}
