//! What a server asks this client for, noted as it comes in, so that it is known before any later answer is.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerNotification, ServerRequest,
};

use crate::core::text::excerpt;

/// How many requests of a server wait for our answer at most. Each is held in memory, and a server that
/// does not read keeps all of them waiting.
const MOST_UNANSWERED: usize = 1_000;

/// The requests of one connection's server, shared by whoever reads them, answers them and is told of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<Mutex<Requests>>);

#[derive(Debug, Default)]
struct Requests {
    /// Those for something that a pipeline has not.
    count: u64,
    last: String,
    /// Those whose answers have not gone out.
    unanswered: HashSet<RequestId>,
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what came in of a server's own accord.
    ///
    /// # Errors
    /// The server asks on and on without reading the answers, in words.
    pub(super) fn came(&self, message: &ServerJsonRpcMessage) -> Result<(), String> {
        let mut requests = self.lock();
        match message {
            JsonRpcMessage::Request(request) => {
                requests.unanswered.insert(request.id.clone());
                if requests.unanswered.len() > MOST_UNANSWERED {
                    return Err(format!(
                        "more than {MOST_UNANSWERED} requests whose answers the server has not read"
                    ));
                }
                if let Some(method) = wanted(&request.request) {
                    requests.count += 1;
                    requests.last = excerpt(method, 100);
                }
            }
            // What the server wants no more is not answered.
            JsonRpcMessage::Notification(notification) => {
                if let ServerNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    requests.unanswered.remove(id);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        Ok(())
    }

    /// Notes that a message went out, or never will: it may be the answer to a request.
    pub(super) fn went(&self, message: &ClientJsonRpcMessage) {
        let id = match message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        if let Some(id) = id {
            self.lock().unanswered.remove(id);
        }
    }

    /// How often it was asked so far.
    pub(super) fn count(&self) -> u64 {
        self.lock().count
    }

    /// A sentence on what was asked for since the count was `before`, if anything was.
    pub(super) fn since(&self, before: u64) -> Option<String> {
        let requests = self.lock();
        (requests.count > before)
            .then(|| format!("the server asked for `{}`, which a pipeline cannot give", requests.last))
    }
}

/// What a request wants that this client does not give; none for a ping.
fn wanted(request: &ServerRequest) -> Option<&str> {
    Some(match request {
        ServerRequest::PingRequest(_) => return None,
        ServerRequest::CreateMessageRequest(_) => "sampling/createMessage",
        ServerRequest::ElicitRequest(_) => "elicitation/create",
        ServerRequest::ListRootsRequest(_) => "roots/list",
        ServerRequest::CustomRequest(request) => &request.method,
        _ => "something unknown",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::ClientResult;
    use serde_json::json;

    fn message(value: serde_json::Value) -> ServerJsonRpcMessage {
        serde_json::from_value(value).unwrap()
    }

    fn request(id: i64, method: &str) -> ServerJsonRpcMessage {
        message(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}}))
    }

    #[test]
    fn what_was_asked_for_before_a_call_is_not_told_of_it() {
        let asked = Asked::default();
        asked.came(&request(1, "roots/list")).unwrap();
        let before = asked.count();
        assert_eq!(asked.since(before), None);
        asked.came(&request(2, "ping")).unwrap();
        assert_eq!(asked.since(before), None);
        asked.came(&request(3, "x\u{1b}")).unwrap();
        assert_eq!(
            asked.since(before).as_deref(),
            Some("the server asked for `x\\u{1b}`, which a pipeline cannot give")
        );
    }

    #[test]
    fn a_server_that_reads_no_answer_is_not_listened_to_for_ever() {
        let asked = Asked::default();
        for id in 0..1_000 {
            asked.came(&request(id, "ping")).unwrap();
        }
        assert!(asked.came(&request(1_000, "ping")).is_err());
        for id in [1_000, 7] {
            asked.went(&ClientJsonRpcMessage::response(ClientResult::empty(()), RequestId::Number(id)));
        }
        asked.came(&request(1_001, "ping")).unwrap();
        assert!(asked.came(&request(1_002, "ping")).is_err());
    }

    #[test]
    fn a_request_that_the_server_cancels_waits_for_nothing() {
        let asked = Asked::default();
        for id in 0..5_000 {
            asked.came(&request(id, "ping")).unwrap();
            let cancelled =
                json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
            asked.came(&message(cancelled)).unwrap();
        }
    }
}
