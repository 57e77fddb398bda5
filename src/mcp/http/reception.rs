//! What comes in over one server's connections, before anybody reads it: bounded, without our own token and secrets in it, and
//! what the server asks for noted in the order of the wire.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage};

use super::body::answers;
use super::credential::Credential;
use super::fault::{Fault, Faults};
use crate::mcp::asked::Asked;
use crate::mcp::limits::Limits;
use crate::mcp::message::{answered, is_result_for, message, of_text, unambiguous};
use crate::mcp::secrets::Secrets;

/// Shared by everything that reads from one server; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Reception {
    /// The longest body or event, in bytes.
    pub most: usize,
    faults: Faults,
    asked: Asked,
    token: Option<Credential>,
    secrets: Secrets,
    streams: Arc<AtomicUsize>,
    /// How many streams may be opened between two answers: a server that ends each at once would have us open them
    /// for ever.
    most_streams: usize,
}

impl Reception {
    pub fn new(
        limits: &Limits,
        faults: Faults,
        asked: Asked,
        token: Option<Credential>,
        secrets: Secrets,
    ) -> Self {
        let streams = Arc::new(AtomicUsize::new(limits.streams));
        Self {
            most: limits.reply_bytes,
            faults,
            asked,
            token,
            secrets,
            streams,
            most_streams: limits.streams,
        }
    }

    /// The message that `bytes` are, if they are one; `what` names them in the fault.
    pub fn message(&self, bytes: &[u8], what: &str) -> Result<Option<ServerJsonRpcMessage>, Fault> {
        let message = message(bytes, what).map_err(Fault::Malformed)?;
        message.iter().try_for_each(|message| self.came(message))?;
        Ok(message)
    }

    /// Whether an event's data are a message, and no answer to somebody else than `request`. rmcp reads them once
    /// more, so what need not be read here is not.
    pub fn event(&self, data: &str, request: Option<&RequestId>) -> Result<(), Fault> {
        let what = "an event";
        let Some(text) = unambiguous(data.as_bytes(), what).map_err(Fault::Malformed)? else { return Ok(()) };
        if request.is_some_and(|request| is_result_for(text, request)) {
            self.came_answer();
            return Ok(());
        }
        let Some(message) = of_text(text, what).map_err(Fault::Malformed)? else { return Ok(()) };
        self.came(&message)?;
        match request {
            Some(request) if answered(&message).is_some() => answers(&message, request),
            _ => Ok(()),
        }
    }

    fn came(&self, message: &ServerJsonRpcMessage) -> Result<(), Fault> {
        if matches!(message, JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_)) {
            self.came_answer();
        }
        self.asked.came(message).map_err(Fault::Malformed)
    }

    fn came_answer(&self) {
        self.streams.store(self.most_streams, Ordering::Relaxed);
    }

    /// What came, without our token and our secrets in it: servers echo what they refuse.
    pub fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let text = self.token.as_ref().map_or(Cow::Borrowed(text), |token| token.concealed(text));
        match self.secrets.concealed(&text) {
            Cow::Owned(concealed) => Cow::Owned(concealed),
            Cow::Borrowed(_) => text,
        }
    }

    /// Bytes of a body or a header as text, without our token in it.
    pub fn text(&self, bytes: &[u8]) -> String {
        self.concealed(&String::from_utf8_lossy(bytes)).into_owned()
    }

    /// The bytes of a body, without our token in them.
    pub fn body(&self, bytes: Vec<u8>) -> Vec<u8> {
        match str::from_utf8(&bytes).map(|text| self.concealed(text)) {
            Ok(Cow::Owned(text)) => text.into_bytes(),
            Ok(Cow::Borrowed(_)) => bytes,
            // Only shown, and no text still.
            Err(_) => [self.text(&bytes).as_bytes(), b"\xff"].concat(),
        }
    }

    /// Like [`Reception::body`], of a body that may break off anywhere.
    pub fn start(&self, bytes: Vec<u8>) -> Vec<u8> {
        let body = self.body(bytes);
        let Ok(text) = str::from_utf8(&body) else { return body };
        let text = self.token.as_ref().map_or(text, |token| token.without_beginning(text));
        self.secrets.without_beginning(text).as_bytes().to_vec()
    }

    /// Whether one more stream may be opened.
    pub fn may_open(&self) -> bool {
        self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Notes that a message to the server went out, or never will.
    pub fn went(&self, message: &ClientJsonRpcMessage) {
        self.asked.went(message);
    }

    /// Notes what befell a request, or a message that waits for no answer.
    pub fn note(&self, request: Option<&RequestId>, fault: &Fault) {
        self.faults.note(request, fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::SecretText;
    use crate::mcp::http::token::Token;

    #[test]
    fn neither_token_nor_secret_comes_in_again() {
        let token = Credential::Token(Token::new("token-of-the-mine").unwrap());
        let secrets = Secrets::new([&SecretText::new("kanarie-of-the-mine").unwrap()]);
        let (limits, faults, asked) = (Limits::default(), Faults::default(), Asked::default());
        let reception = Reception::new(&limits, faults, asked, Some(token), secrets);
        let echo = r#"{"a":"Bearer token-of-the-mine","b":["kanarie-of-the-mine"]}"#;
        assert_eq!(reception.concealed(echo), r#"{"a":"Bearer (the token)","b":["(a secret)"]}"#);
        assert_eq!(reception.text(b"kanarie-of-the-mine\xff"), "(a secret)\u{fffd}");
        assert_eq!(reception.start(b"<p>kanarie-of-the".to_vec()), b"<p>");
    }
}
