//! What comes in over one server's connections, before anybody reads it: bounded, without our own token in it, and
//! what the server asks for noted in the order of the wire.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::model::{JsonRpcMessage, RequestId, ServerJsonRpcMessage};

use super::fault::{Fault, Faults};
use super::token::Token;
use crate::mcp::asked::Asked;
use crate::mcp::limits::Limits;
use crate::mcp::message::message;

/// Shared by everything that reads from one server; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Reception {
    /// The longest body or event, in bytes.
    pub most: usize,
    faults: Faults,
    asked: Asked,
    token: Option<Token>,
    streams: Arc<AtomicUsize>,
    /// How many streams may be opened between two answers: a server that ends each at once would have us open them
    /// for ever.
    most_streams: usize,
}

impl Reception {
    pub fn new(limits: &Limits, faults: Faults, asked: Asked, token: Option<Token>) -> Self {
        let streams = Arc::new(AtomicUsize::new(limits.streams));
        Self { most: limits.reply_bytes, faults, asked, token, streams, most_streams: limits.streams }
    }

    /// The message that `bytes` are, if they are one; `what` names them in the fault.
    pub fn message(&self, bytes: &[u8], what: &str) -> Result<Option<ServerJsonRpcMessage>, Fault> {
        let message = message(bytes, what).map_err(Fault::Malformed)?;
        match &message {
            Some(JsonRpcMessage::Request(request)) => {
                self.asked.came(&request.request).map_err(Fault::Malformed)?;
            }
            Some(JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_)) => {
                self.streams.store(self.most_streams, Ordering::Relaxed);
            }
            Some(JsonRpcMessage::Notification(_)) | None => {}
        }
        Ok(message)
    }

    /// What came, without our token in it: servers echo what they refuse.
    pub fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.token.as_ref().map_or(Cow::Borrowed(text), |token| token.concealed(text))
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

    /// Whether one more stream may be opened.
    pub fn may_open(&self) -> bool {
        self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Notes that an answer to the server went out, or never will.
    pub fn answered(&self) {
        self.asked.answered();
    }

    /// Notes what befell a request, or a message that waits for no answer.
    pub fn note(&self, request: Option<&RequestId>, fault: &Fault) {
        self.faults.note(request, fault);
    }
}
