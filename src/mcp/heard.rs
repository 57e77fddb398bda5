//! What bytes are as a message of a server, without any server: the readers of this module for whoever tries them out.

use rmcp::model::{JsonRpcMessage, ServerResult};

pub use super::http::heard::{challenged, claimed, events, issuer_named, token_endpoint, token_given};
use super::message::message;
use super::reply;
use super::tools::definition;
use crate::core::ToolDefinition;
use crate::core::call::Seen;

/// What a line says of the call that it answers; `None` where it answers nothing.
///
/// # Errors
/// It is no message, in words that are visible.
pub fn called(line: &[u8]) -> Result<Option<Seen>, String> {
    Ok(match message(line, "a line")? {
        Some(JsonRpcMessage::Response(response)) => Some(reply::seen(response.result)),
        Some(JsonRpcMessage::Error(error)) => {
            let (code, message) = (i64::from(error.error.code.0), error.error.message.into_owned());
            Some(Seen::RpcError { code, message })
        }
        _ => None,
    })
}

/// The tools that a line lists as one page; `None` where it does not list any.
///
/// # Errors
/// It is no message, in words that are visible.
pub fn listed(line: &[u8]) -> Result<Option<Vec<ToolDefinition>>, String> {
    Ok(match message(line, "a line")? {
        Some(JsonRpcMessage::Response(response)) => match response.result {
            ServerResult::ListToolsResult(listed) => Some(listed.tools.into_iter().map(definition).collect()),
            _ => None,
        },
        _ => None,
    })
}
