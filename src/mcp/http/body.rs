//! Bodies of HTTP replies: read within a limit, and turned into the one message that is awaited.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use reqwest::Response;
use rmcp::model::{JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use tokio::time::timeout;

use super::fault::Fault;
use super::reception::Reception;
use crate::core::text::excerpt;
use crate::mcp::message::{answered, as_number, for_nobody, message, not_open, shown};

/// How much of a body that comes with a refusal is read, in bytes.
const READ: usize = 64 * 1024;
/// For how long that is waited for: the status is known already.
const WAIT: Duration = Duration::from_secs(2);
/// How much of it a message shows, in characters.
const SHOWN: usize = 300;

/// What a reply says that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Events,
    Other,
}

/// The media type, without its parameters.
pub(super) fn kind(response: &Response) -> Kind {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/json") {
        Kind::Json
    } else if media.eq_ignore_ascii_case("text/event-stream") {
        Kind::Events
    } else {
        Kind::Other
    }
}

/// The whole body, within the limit.
pub(super) async fn whole(response: Response, reception: &Reception) -> Result<Vec<u8>, Fault> {
    bounded(response, reception.most).await.map(|body| reception.body(body))
}

/// The whole body as it came, of at most that many bytes.
pub(super) async fn bounded(mut response: Response, most: usize) -> Result<Vec<u8>, Fault> {
    let too_large = || Fault::TooLarge(format!("more than {most} bytes"));
    if response.content_length().is_some_and(|length| length > u64::try_from(most).unwrap_or(u64::MAX)) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(cut_off)? {
        if body.len().saturating_add(chunk.len()) > most {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The start of a body that explains a refusal, as far as it comes soon.
pub(super) async fn start(response: &mut Response, reception: &Reception) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while body.len() < READ
            && let Ok(Some(chunk)) = response.chunk().await
        {
            let room = READ.saturating_sub(body.len()).min(chunk.len());
            body.extend_from_slice(chunk.get(..room).unwrap_or_default());
        }
    };
    // What came by then is kept either way.
    let _ = timeout(WAIT, read).await;
    reception.start(body)
}

/// The reply's own words: of a JSON-RPC error its message and code, else the start of the text.
pub(super) fn words(body: &[u8]) -> (String, Option<i32>) {
    match message(body, "a body") {
        Ok(Some(JsonRpcMessage::Error(error))) => {
            let code = error.error.code.0;
            (format!("{} (JSON-RPC error {code})", excerpt(&error.error.message, SHOWN)), Some(code))
        }
        _ => (excerpt(String::from_utf8_lossy(body).trim(), SHOWN), None),
    }
}

/// The message that answers `request`.
pub(super) fn answer(
    body: &[u8],
    request: &RequestId,
    reception: &Reception,
) -> Result<ServerJsonRpcMessage, Fault> {
    let message = reception
        .message(body, "a body")?
        .ok_or_else(|| Fault::Malformed(format!("a body without a message: {}", shown(body))))?;
    answers(&message, request).map(|()| message)
}

/// Whether a message answers `request`; one that answers nobody, or somebody else, is a fault.
pub(super) fn answers(message: &ServerJsonRpcMessage, request: &RequestId) -> Result<(), Fault> {
    match (answered(message), message) {
        (Some(id), _) if id == request || as_number(id).as_ref() == Some(request) => Ok(()),
        (Some(id), _) => Err(Fault::Malformed(not_open(id))),
        (None, JsonRpcMessage::Error(error)) => {
            Err(Fault::Malformed(for_nobody(error.error.code.0, &error.error.message)))
        }
        (None, _) => Err(Fault::Malformed("a message where the answer belongs".to_owned())),
    }
}

/// A body that ended early.
pub(super) fn cut_off(error: reqwest::Error) -> Fault {
    Fault::Closed(format!("before the whole answer came: {}", causes(&error)))
}

/// An HTTP library's error without the URL, the innermost cause last.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        cause = error.source();
    }
    if said.is_empty() { "the HTTP library does not say why".to_owned() } else { said.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::asked::Asked;
    use crate::mcp::http::fault::Faults;
    use crate::mcp::limits::Limits;
    use crate::mcp::secrets::Secrets;

    fn answered_with(body: &str) -> Result<ServerJsonRpcMessage, Fault> {
        let (faults, asked) = (Faults::default(), Asked::default());
        let reception = Reception::new(&Limits::default(), faults, asked, None, Secrets::default());
        answer(body.as_bytes(), &RequestId::Number(7), &reception)
    }

    #[test]
    fn only_the_answer_to_this_request_is_one() {
        assert!(answered_with(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).is_ok());
        assert!(answered_with(r#"{"jsonrpc":"2.0","id":"7","result":{}}"#).is_ok());
        for (body, why) in [
            (r#"{"jsonrpc":"2.0","id":8,"result":{}}"#, "ID `8`"),
            (r#"{"jsonrpc":"2.0","id":7,"id":8,"result":{}}"#, "twice"),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":"m"}}"#, "no JSON-RPC"),
            (r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"m"}}"#, "-32000 m"),
            (r#"{"jsonrpc":"2.0","method":"notifications/x"}"#, "a message where the answer belongs"),
            ("", "without a message"),
            ("<html>", "no unambiguous JSON"),
            (r#"{"jsonrpc":"2.0","id":7,"res"#, "no unambiguous JSON"),
        ] {
            let Err(Fault::Malformed(what)) = answered_with(body) else { panic!("{body}") };
            assert!(what.contains(why), "{body}: {what}");
        }
    }

    #[test]
    fn a_refusal_is_explained_in_the_servers_words() {
        let error = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no\u001b"}}"#;
        assert_eq!(words(error), ("no\\u{1b} (JSON-RPC error -32600)".to_owned(), Some(-32_600)));
        assert_eq!(words(b" <h1>Bad gateway</h1>\n").0, "<h1>Bad gateway</h1>");
        assert_eq!(words(b""), (String::new(), None));
    }
}
