//! Text from a server as one message of JSON-RPC, for every transport.

use rmcp::model::{
    JsonRpcMessage, JsonRpcResponse, JsonRpcVersion2_0, RequestId, ServerJsonRpcMessage, ServerResult,
};
use serde::Deserialize as _;
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
    match unambiguous(bytes, what)? {
        Some(value) => of_value(value, bytes, what),
        None => Ok(None),
    }
}

/// The JSON that `bytes` are; `None` where they are blank.
///
/// # Errors
/// As for [`message`].
pub(super) fn unambiguous(bytes: &[u8], what: &str) -> Result<Option<Value>, String> {
    let Ok(text) = str::from_utf8(bytes) else {
        return Err(format!("{what} that is not UTF-8: {}", shown(bytes)));
    };
    let text = text.trim_start_matches('\u{feff}').trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    // rmcp alone keeps the last of two members of one name and says nothing.
    parse_unambiguous(text.as_bytes())
        .map(Some)
        .map_err(|error| format!("{what} that is no unambiguous JSON ({}): {}", error.what, shown(bytes)))
}

/// The message that `value` is, which was read from `bytes`; otherwise like [`message`].
///
/// # Errors
/// As for [`message`].
pub(super) fn of_value(
    value: Value,
    bytes: &[u8],
    what: &str,
) -> Result<Option<ServerJsonRpcMessage>, String> {
    let notification = is_notification(&value);
    match read(value) {
        Ok(message) => Ok(Some(message)),
        Err(_) if notification => {
            tracing::debug!(message = shown(bytes), "left out a notification of unknown shape");
            Ok(None)
        }
        Err(_) => Err(format!("{what} that is no JSON-RPC message: {}", shown(bytes))),
    }
}

/// Whether `value` is a result for `request` and nothing else besides. It is a message then, whatever the result
/// is: rmcp takes one of unknown shape as it is.
pub(super) fn is_result_for(value: &Value, request: &RequestId) -> bool {
    matches!((result(value), request), (Some((answered, _)), RequestId::Number(id)) if answered == id)
}

/// The ID and the result of what is a result and nothing else besides.
fn result(value: &Value) -> Option<(&Value, &Value)> {
    let members = value.as_object()?;
    let plain = members.len() == 3 && members.get("jsonrpc").is_some_and(|version| version == "2.0");
    members.get("id").zip(members.get("result")).filter(|_| plain)
}

/// The message as rmcp reads it, which finds out over three copies of a result that it is no request.
fn read(mut value: Value) -> Result<ServerJsonRpcMessage, serde_json::Error> {
    let Some((id, _)) = result(&value) else { return serde_json::from_value(value) };
    let id = RequestId::deserialize(id)?;
    let result = value.get_mut("result").map(Value::take).unwrap_or_default();
    let result = serde_json::from_value::<ServerResult>(result)?;
    Ok(JsonRpcMessage::Response(JsonRpcResponse { jsonrpc: JsonRpcVersion2_0, id, result }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_result_for_the_request_is_a_message_whatever_it_is() {
        let request = RequestId::Number(7);
        for result in [
            json!({}),
            json!(null),
            json!("x"),
            json!([1]),
            json!(1.5),
            json!({"content": 1, "tools": 2}),
            json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}),
            json!({"content": [{"type": "text", "text": "a"}], "structuredContent": {"n": [1, 2.5, u64::MAX]}}),
            json!({"resultType": "task", "taskId": "t"}),
        ] {
            let value = json!({"jsonrpc": "2.0", "id": 7, "result": result});
            assert!(is_result_for(&value, &request), "{value}");
            let message = message(value.to_string().as_bytes(), "a line").unwrap().unwrap();
            assert_eq!(answered(&message), Some(&request), "{value}");
            let as_rmcp_reads_it: ServerJsonRpcMessage = serde_json::from_value(value).unwrap();
            assert_eq!(format!("{message:?}"), format!("{as_rmcp_reads_it:?}"));
        }
        for other in [
            json!({"jsonrpc": "2.0", "id": 8, "result": {}}),
            json!({"jsonrpc": "2.0", "id": "7", "result": {}}),
            json!({"jsonrpc": "2.0", "id": 7.5, "result": {}}),
            json!({"jsonrpc": "1.0", "id": 7, "result": {}}),
            json!({"id": 7, "result": {}}),
            json!({"jsonrpc": "2.0", "id": 7, "error": {}}),
            json!({"jsonrpc": "2.0", "id": 7, "result": {}, "error": {}}),
            json!({"jsonrpc": "2.0", "id": 7, "method": "ping"}),
            json!([]),
        ] {
            assert!(!is_result_for(&other, &request), "{other}");
        }
    }
}
