//! Text from a server as one message of JSON-RPC, for every transport.

use rmcp::model::{JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use serde_json::Value;

use crate::core::json::parse_unambiguous;
use crate::core::text::{cut, excerpt, visible};

/// How much is shown of what should not have come, in characters.
const SHOWN: usize = 200;

/// The message that `bytes` are; `None` where they are nothing that anybody waits for. `what` names them in
/// the error, such as `a line`.
///
/// # Errors
/// They are no message, or one that two readers could understand differently; the text says which.
pub(super) fn message(bytes: &[u8], what: &str) -> Result<Option<ServerJsonRpcMessage>, String> {
    let Ok(text) = str::from_utf8(bytes) else {
        return Err(format!("{what} that is not UTF-8: {}", shown(bytes)));
    };
    let text = text.trim_start_matches('\u{feff}').trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    // rmcp alone keeps the last of two members of one name and says nothing.
    let value = parse_unambiguous(text.as_bytes())
        .map_err(|error| format!("{what} that is no unambiguous JSON ({}): {}", error.what, shown(bytes)))?;
    let notification = is_notification(&value);
    match serde_json::from_value(value) {
        Ok(message) => Ok(Some(message)),
        Err(_) if notification => {
            tracing::debug!(message = %excerpt(text, SHOWN), "left out a notification of unknown shape");
            Ok(None)
        }
        Err(_) => Err(format!("{what} that is no JSON-RPC message: {}", shown(bytes))),
    }
}

/// The request that a message answers; `None` for one that is no answer, and for an error that names nobody.
pub(super) fn answered(message: &ServerJsonRpcMessage) -> Option<&RequestId> {
    match message {
        JsonRpcMessage::Response(response) => Some(&response.id),
        JsonRpcMessage::Error(error) => error.id.as_ref(),
        JsonRpcMessage::Notification(_) | JsonRpcMessage::Request(_) => None,
    }
}

/// The number that an ID is, where a server gave it back as a string, as some do and rmcp takes.
pub(super) fn as_number(id: &RequestId) -> Option<RequestId> {
    match id {
        RequestId::String(text) => text.parse().ok().map(RequestId::Number),
        RequestId::Number(_) => None,
    }
}

/// An ID that no request has, for a message.
pub(super) fn not_open(id: &RequestId) -> String {
    format!("an answer to a request that is not open: ID `{}`", excerpt(&id.to_string(), SHOWN))
}

/// An error that names no request, for a message.
pub(super) fn for_nobody(code: i32, message: &str) -> String {
    format!("an error that names no request: {code} {}", excerpt(message, SHOWN))
}

/// The start of what came, made visible.
pub(super) fn shown(bytes: &[u8]) -> String {
    // Cut first: there may be megabytes.
    let start = bytes.get(..SHOWN * 4).unwrap_or(bytes);
    format!("`{}`", cut(&visible(&String::from_utf8_lossy(start)), SHOWN))
}

fn is_notification(value: &Value) -> bool {
    value.get("method").is_some_and(Value::is_string)
        && ["id", "result", "error"].iter().all(|member| value.get(member).is_none())
}
