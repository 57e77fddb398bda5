//! What a server asks this client for, noted as it comes in, so that it is known before any later answer is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::ServerRequest;

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
    unanswered: usize,
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that came in.
    ///
    /// # Errors
    /// The server asks on and on without reading the answers, in words.
    pub(super) fn came(&self, request: &ServerRequest) -> Result<(), String> {
        let mut requests = self.lock();
        if requests.unanswered >= MOST_UNANSWERED {
            return Err(format!(
                "more than {MOST_UNANSWERED} requests whose answers the server has not read"
            ));
        }
        requests.unanswered += 1;
        if let Some(method) = wanted(request) {
            requests.count += 1;
            requests.last = excerpt(method, 100);
        }
        Ok(())
    }

    /// Notes that an answer went out, or never will.
    pub(super) fn answered(&self) {
        let mut requests = self.lock();
        requests.unanswered = requests.unanswered.saturating_sub(1);
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
    use serde_json::json;

    fn request(method: &str) -> ServerRequest {
        serde_json::from_value(json!({"method": method, "params": {}})).unwrap()
    }

    #[test]
    fn what_was_asked_for_before_a_call_is_not_told_of_it() {
        let asked = Asked::default();
        asked.came(&request("roots/list")).unwrap();
        let before = asked.count();
        assert_eq!(asked.since(before), None);
        asked.came(&request("ping")).unwrap();
        assert_eq!(asked.since(before), None);
        asked.came(&request("x\u{1b}")).unwrap();
        assert_eq!(
            asked.since(before).as_deref(),
            Some("the server asked for `x\\u{1b}`, which a pipeline cannot give")
        );
    }

    #[test]
    fn a_server_that_reads_no_answer_is_not_listened_to_for_ever() {
        let asked = Asked::default();
        for _ in 0..MOST_UNANSWERED {
            asked.came(&request("ping")).unwrap();
        }
        assert!(asked.came(&request("ping")).is_err());
        asked.answered();
        assert!(asked.came(&request("ping")).is_ok());
    }
}
