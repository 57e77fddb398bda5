//! Text from a server as one message of JSON-RPC, for every transport.

use rmcp::model::{
    JsonRpcMessage, JsonRpcResponse, JsonRpcVersion2_0, ListToolsResult, RequestId, ServerJsonRpcMessage,
    ServerResult,
};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::core::json::check_unambiguous;
use crate::core::text::{cut, excerpt, visible};

/// How much is shown of what should not have come, in characters.
const SHOWN: usize = 200;
/// What the results of a handshake are known by, in 2026-07-28 and before.
const HANDSHAKES: [&str; 2] = ["\"supportedVersions\"", "\"protocolVersion\""];

/// The message that `bytes` are; `None` where they are nothing that anybody waits for. `what` names them in
/// the error, such as `a line`.
///
/// # Errors
/// They are no message, or one that two readers could understand differently; the text says which.
pub(super) fn message(bytes: &[u8], what: &str) -> Result<Option<ServerJsonRpcMessage>, String> {
    match unambiguous(bytes, what)? {
        Some(text) => of_text(text, what),
        None => Ok(None),
    }
}

/// The JSON that `bytes` are; `None` where they are blank.
///
/// # Errors
/// As for [`message`].
pub(super) fn unambiguous<'b>(bytes: &'b [u8], what: &str) -> Result<Option<&'b str>, String> {
    let Ok(text) = str::from_utf8(bytes) else {
        return Err(format!("{what} that is not UTF-8: {}", shown(bytes)));
    };
    let text = text.trim_start_matches('\u{feff}').trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    // rmcp alone keeps the last of two members of one name and says nothing.
    match check_unambiguous(text.as_bytes()) {
        Ok(()) => Ok(Some(text)),
        Err(error) => Err(format!("{what} that is no unambiguous JSON ({}): {}", error.what, shown(bytes))),
    }
}

/// The message that `text` is, which is unambiguous; otherwise like [`message`].
///
/// # Errors
/// As for [`message`].
pub(super) fn of_text(text: &str, what: &str) -> Result<Option<ServerJsonRpcMessage>, String> {
    match read(text) {
        Ok(message) => Ok(Some(message)),
        Err(_) if is_notification(text) => {
            tracing::debug!(message = shown(text.as_bytes()), "left out a notification of unknown shape");
            Ok(None)
        }
        Err(_) => Err(format!("{what} that is no JSON-RPC message: {}", shown(text.as_bytes()))),
    }
}

/// A result and nothing else besides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<R> {
    jsonrpc: JsonRpcVersion2_0,
    id: RequestId,
    result: R,
}

/// The message as rmcp reads it, which finds out over three copies of a result that it is no request, and over one
/// more what it is. A list of tools, which is most of what a short run is told, says by itself that it is one; a
/// handshake that lists tools, too, is a handshake.
fn read(text: &str) -> Result<ServerJsonRpcMessage, serde_json::Error> {
    let list = match HANDSHAKES.iter().any(|member| text.contains(member)) {
        true => None,
        false => plain::<ListToolsResult>(text).ok(),
    };
    match list {
        Some(list) => Ok(list),
        None => plain::<ServerResult>(text).or_else(|_| serde_json::from_str(text)),
    }
}

fn plain<R: DeserializeOwned + Into<ServerResult>>(
    text: &str,
) -> Result<ServerJsonRpcMessage, serde_json::Error> {
    let Plain::<R> { jsonrpc, id, result } = serde_json::from_str(text)?;
    Ok(JsonRpcMessage::Response(JsonRpcResponse { jsonrpc, id, result: result.into() }))
}

/// Whether `text` is a result for `request` and nothing else besides. It is a message then, whatever the result
/// is: rmcp takes one of unknown shape as it is.
pub(super) fn is_result_for(text: &str, request: &RequestId) -> bool {
    serde_json::from_str(text).is_ok_and(|plain: Plain<IgnoredAny>| plain.id == *request)
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

fn is_notification(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    value.get("method").is_some_and(Value::is_string)
        && ["id", "result", "error"].iter().all(|member| value.get(member).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_result_is_of_the_kind_that_rmcp_makes_of_it() {
        let tool =
            json!({"name": "t", "inputSchema": {"type": "object", "properties": {"n": {"maximum": 1e3}}}});
        let discovered = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {},
            "ttlMs": 0, "cacheScope": "private"});
        let initialized = json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "serverInfo": {"name": "s", "version": "1"}});
        for mut result in [
            json!({"tools": [tool], "nextCursor": "c", "ttlMs": 5, "cacheScope": "private", "_meta": {"a": 1}}),
            json!({"tools": [], "resultType": "complete", "other": [1]}),
            json!({"tools": [{"name": "t"}]}),
            json!({"tools": null}),
            json!({"content": [{"type": "text", "text": "t"}], "tools": []}),
            json!({"content": [{"type": "text", "text": "tools"}], "structuredContent": {"tools": []}}),
            discovered,
            initialized,
        ] {
            for _ in 0..2 {
                let text = json!({"jsonrpc": "2.0", "id": 7, "result": result}).to_string();
                let theirs: ServerJsonRpcMessage = serde_json::from_str(&text).unwrap();
                let ours = of_text(&text, "a line").unwrap().unwrap();
                assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{text}");
                result.as_object_mut().unwrap().entry("tools").or_insert(json!([tool]));
            }
        }
    }

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
            assert!(is_result_for(&value.to_string(), &request), "{value}");
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
            assert!(!is_result_for(&other.to_string(), &request), "{other}");
        }
    }
}
