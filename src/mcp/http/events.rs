//! Server-sent events, held to the same rules as a body: bounded, unambiguous, and for this request.

use futures_util::{Stream, StreamExt as _};
use reqwest::Response;
use rmcp::model::RequestId;
use sse_stream::{Error, Sse, SseStream};

use super::body::{answers, cut_off};
use super::fault::{Fault, Faults};
use crate::mcp::message::{answered, message};

/// The events of a reply. `request` is the one that the reply belongs to; a stream of its own has none.
pub(super) fn events(
    response: Response,
    most: usize,
    request: Option<RequestId>,
    faults: Faults,
) -> impl Stream<Item = Result<Sse, Error>> + Send + 'static {
    let mut size = EventSize { most, bytes: 0, line: 0 };
    let noting = (request.clone(), faults.clone());
    let bytes = response.bytes_stream().map(move |chunk| {
        let checked = chunk.map_err(cut_off).and_then(|chunk| size.count(&chunk).map(|()| chunk));
        checked.inspect_err(|fault| noting.1.note(noting.0.as_ref(), fault))
    });
    SseStream::from_bytes_stream(bytes).map(move |event| {
        let event = event?;
        match check(&event, request.as_ref()) {
            Ok(()) => Ok(event),
            Err(fault) => {
                faults.note(request.as_ref(), &fault);
                Err(Error::Body(Box::new(fault)))
            }
        }
    })
}

/// Whether an event's data are a message, and no answer to somebody else.
fn check(event: &Sse, request: Option<&RequestId>) -> Result<(), Fault> {
    let is_message = matches!(event.event.as_deref(), None | Some("" | "message"));
    let Some(data) = event.data.as_deref().filter(|_| is_message) else { return Ok(()) };
    let Some(message) = message(data.as_bytes(), "an event").map_err(Fault::Malformed)? else {
        return Ok(());
    };
    match request {
        Some(request) if answered(&message).is_some() => answers(&message, request),
        _ => Ok(()),
    }
}

/// The size of the event that is coming in, comments included: an empty line ends it.
struct EventSize {
    most: usize,
    bytes: usize,
    /// Of the line that is coming in, so that an empty one is seen.
    line: usize,
}

impl EventSize {
    fn count(&mut self, chunk: &[u8]) -> Result<(), Fault> {
        for byte in chunk {
            match byte {
                b'\n' if self.line == 0 => self.bytes = 0,
                b'\n' => self.line = 0,
                b'\r' => {}
                _ => self.line += 1,
            }
            self.bytes += 1;
            if self.bytes > self.most {
                return Err(Fault::TooLarge(format!("an event of more than {} bytes", self.most)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_events_fit_where_one_of_that_size_does_not() {
        let mut size = EventSize { most: 20, bytes: 0, line: 0 };
        for _ in 0..10 {
            size.count(b"data: 123").unwrap();
            size.count(b"4\r\n\r\n").unwrap();
        }
        assert!(size.count(&[b'x'; 21]).is_err());
    }

    #[test]
    fn an_event_is_a_message_and_answers_nobody_else() {
        let event = |data: &str| Sse::default().data(data);
        let request = RequestId::Number(1);
        let good = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        let other = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;
        assert_eq!(check(&event(good), Some(&request)), Ok(()));
        assert_eq!(check(&event(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#), Some(&request)), Ok(()));
        assert_eq!(check(&event(""), Some(&request)), Ok(()));
        assert!(check(&event(other), Some(&request)).is_err());
        assert_eq!(check(&event(other), None), Ok(()), "a stream of its own carries every answer");
        assert!(check(&event("pong"), None).is_err());
        assert_eq!(check(&event("pong").event("keep-alive"), None), Ok(()));
    }
}
