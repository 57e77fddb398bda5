//! Our side of the conversation: a client that offers nothing and refuses what it is asked for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::ErrorData;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ClientResult, ErrorCode, Implementation, ProtocolVersion,
    ServerNotification, ServerRequest,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient, Service};

use crate::core::text::excerpt;

/// The client of every session. A pipeline has no user, no model and no roots to offer.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) asked: Asked,
}

/// What servers asked this client for and were refused, shared with the session.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<Mutex<Requests>>);

#[derive(Debug, Default)]
struct Requests {
    count: u64,
    last: String,
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, method: &str) {
        let mut requests = self.lock();
        requests.count += 1;
        requests.last = excerpt(method, 100);
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

impl Service<RoleClient> for Client {
    async fn handle_request(
        &self,
        request: ServerRequest,
        _: RequestContext<RoleClient>,
    ) -> Result<ClientResult, ErrorData> {
        let method = match request {
            ServerRequest::PingRequest(_) => return Ok(ClientResult::empty(())),
            ServerRequest::CreateMessageRequest(_) => "sampling/createMessage".to_owned(),
            ServerRequest::ElicitRequest(_) => "elicitation/create".to_owned(),
            ServerRequest::ListRootsRequest(_) => "roots/list".to_owned(),
            ServerRequest::CustomRequest(request) => request.method,
            _ => "something unknown".to_owned(),
        };
        self.asked.note(&method);
        Err(ErrorData::new(
            ErrorCode::METHOD_NOT_FOUND,
            "this client runs in a pipeline and offers nothing",
            None,
        ))
    }

    async fn handle_notification(
        &self,
        _: ServerNotification,
        _: NotificationContext<RoleClient>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    fn get_info(&self) -> ClientConfig {
        let name = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), name)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_offered_and_the_handshake_is_the_one_that_servers_know() {
        let info = serde_json::to_value(Client::default().get_info()).unwrap();
        assert_eq!(info["capabilities"], serde_json::json!({}));
        assert_eq!(info["protocolVersion"], "2025-11-25");
    }

    #[test]
    fn what_was_asked_for_before_a_call_is_not_told_of_it() {
        let asked = Asked::default();
        asked.note("roots/list");
        let before = asked.count();
        assert_eq!(asked.since(before), None);
        asked.note("x\u{1b}");
        assert_eq!(
            asked.since(before).as_deref(),
            Some("the server asked for `x\\u{1b}`, which a pipeline cannot give")
        );
    }
}
