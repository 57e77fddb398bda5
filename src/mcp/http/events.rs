//! Server-sent events, held to the same rules as a body: bounded, unambiguous, and for this request.

use std::io::Cursor;

use futures_util::{Stream, StreamExt as _};
use reqwest::Response;
use rmcp::model::RequestId;
use sse_stream::{Error, Sse, SseStream};

use super::body::{answers, cut_off};
use super::fault::Fault;
use super::reception::Reception;
use crate::mcp::message::answered;

/// The fields that an event has; a line without one is a comment.
const FIELDS: [&[u8]; 5] = [b"", b"data", b"event", b"id", b"retry"];
/// The longest of them, with what may stand before and behind it.
const LONGEST_FIELD: usize = 10;
/// May stand before the first field of a stream.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The events of a reply. `request` is the one that the reply belongs to; a stream of its own has none.
pub(super) fn events(
    response: Response,
    request: Option<RequestId>,
    reception: Reception,
) -> impl Stream<Item = Result<Sse, Error>> + Send + 'static {
    let mut lines = Lines::new(reception.most);
    let (of, noting) = (request.clone(), reception.clone());
    let bytes = response.bytes_stream().map(move |chunk| {
        let passed = chunk.map_err(cut_off).and_then(|chunk| lines.pass(&chunk));
        passed.inspect_err(|fault| noting.note(of.as_ref(), fault))
    });
    SseStream::from_bytes_stream(bytes).map(move |event| {
        let fault = match event {
            Ok(event) => match checked(event, request.as_ref(), &reception) {
                Ok(event) => return Ok(event),
                Err(fault) => fault,
            },
            // Noted already, with more to say.
            Err(Error::Body(error)) => return Err(Error::Body(error)),
            Err(error) => Fault::Malformed(format!("no stream of events: {error}")),
        };
        reception.note(request.as_ref(), &fault);
        Err(Error::Body(Box::new(fault)))
    })
}

/// An event whose data are a message, and no answer to somebody else.
fn checked(mut event: Sse, request: Option<&RequestId>, reception: &Reception) -> Result<Sse, Fault> {
    let is_message = matches!(event.event.as_deref(), None | Some("" | "message"));
    let Some(data) = event.data.take() else { return Ok(event) };
    let data = event.data.insert(reception.concealed(&data).into_owned());
    if is_message
        && let Some(message) = reception.message(data.as_bytes(), "an event")?
        && let Some(request) = request.filter(|_| answered(&message).is_some())
    {
        answers(&message, request)?;
    }
    Ok(event)
}

/// The lines as they come in: an event is bounded, comments included, and a field that nobody knows becomes a
/// comment, as the format wants it ignored and the parser refuses it.
struct Lines {
    most: usize,
    /// Of the event that is coming in; an empty line ends it.
    bytes: usize,
    /// The beginning of a line, until its field is known.
    held: Vec<u8>,
    known: bool,
}

impl Lines {
    fn new(most: usize) -> Self {
        Self { most, bytes: 0, held: Vec::new(), known: false }
    }

    fn pass(&mut self, chunk: &[u8]) -> Result<Cursor<Vec<u8>>, Fault> {
        let mut passed = Vec::with_capacity(chunk.len() + 1);
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.bytes = self.bytes.saturating_add(part.len());
            let ended = part.ends_with(b"\n");
            let mut is_empty = false;
            if self.known {
                passed.extend_from_slice(part);
            } else {
                self.held.extend_from_slice(part);
                let field =
                    self.held.split(|byte| matches!(byte, b':' | b'\r' | b'\n')).next().unwrap_or_default();
                if field.len() < self.held.len() || field.len() > LONGEST_FIELD {
                    let field = field.strip_prefix(BYTE_ORDER_MARK).unwrap_or(field);
                    is_empty = matches!(self.held.as_slice(), b"\n" | b"\r\n");
                    if !FIELDS.contains(&field) {
                        passed.push(b':');
                    }
                    passed.append(&mut self.held);
                    self.known = true;
                }
            }
            if is_empty {
                self.bytes = 0;
            } else if self.bytes > self.most {
                return Err(Fault::TooLarge(format!("an event of more than {} bytes", self.most)));
            }
            if ended {
                self.known = false;
            }
        }
        Ok(Cursor::new(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::asked::Asked;
    use crate::mcp::http::Token;
    use crate::mcp::http::fault::Faults;
    use crate::mcp::limits::Limits;
    use proptest::prelude::*;

    fn reception() -> Reception {
        let token = Token::new("canary-token-9").unwrap();
        Reception::new(&Limits::default(), Faults::default(), Asked::default(), Some(token))
    }

    #[test]
    fn many_events_fit_where_one_of_that_size_does_not() {
        let mut lines = Lines::new(20);
        for _ in 0..10 {
            lines.pass(b"data: 123").unwrap();
            lines.pass(b"4\r\n\r\n").unwrap();
        }
        assert!(lines.pass(&[b'x'; 21]).is_err());
        let mut lines = Lines::new(20);
        assert!(lines.pass(&b"data: 1\n".repeat(3)).is_err(), "no empty line came");
    }

    #[test]
    fn a_field_that_nobody_knows_becomes_a_comment_however_it_comes_in() {
        let sent = b"\xef\xbb\xbfid: 1\nx-trace: 7\ndata: a\r\ndataset: b\nretry\n:c\n\nsomethinglong\n";
        let wanted = b"\xef\xbb\xbfid: 1\n:x-trace: 7\ndata: a\r\n:dataset: b\nretry\n:c\n\n:somethinglong\n";
        for size in 1..=sent.len() {
            let mut lines = Lines::new(1_000);
            let passed: Vec<u8> =
                sent.chunks(size).flat_map(|chunk| lines.pass(chunk).unwrap().into_inner()).collect();
            assert_eq!(passed, wanted, "in chunks of {size}");
        }
    }

    #[test]
    fn an_event_is_a_message_and_answers_nobody_else() {
        let check = |event: Sse, request| checked(event, request, &reception()).map(|event| event.data);
        let event = |data: &str| Sse::default().data(data);
        let request = RequestId::Number(1);
        let good = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        let other = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;
        assert_eq!(check(event(good), Some(&request)), Ok(Some(good.to_owned())));
        assert!(check(event(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#), Some(&request)).is_ok());
        assert!(check(event(""), Some(&request)).is_ok());
        assert!(check(event(other), Some(&request)).is_err());
        assert!(check(event(other), None).is_ok(), "a stream of its own carries every answer");
        assert!(check(event("pong"), None).is_err());
        assert!(check(event("pong").event("keep-alive"), None).is_ok());
        let echo = r#"{"jsonrpc":"2.0","id":1,"result":{"x":"canary-token-9"}}"#;
        assert!(!format!("{:?}", check(event(echo), Some(&request))).contains("canary"));
    }

    #[test]
    fn a_server_that_floods_a_stream_with_requests_is_hung_up_on() {
        let reception = reception();
        let ping = || Sse::default().data(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
        for _ in 0..1_000 {
            assert!(checked(ping(), None, &reception).is_ok());
        }
        assert!(matches!(checked(ping(), None, &reception), Err(Fault::Malformed(_))));
    }

    #[test]
    fn streams_are_counted_between_two_answers() {
        let reception = reception();
        let opened = || (0..1_000).filter(|_| reception.may_open()).count();
        assert_eq!(opened(), Limits::default().streams);
        assert_eq!(opened(), 0);
        let answer = Sse::default().data(r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
        checked(answer, None, &reception).unwrap();
        assert_eq!(opened(), Limits::default().streams);
    }

    proptest! {
        /// Nothing but a colon before unknown fields is ever added, and nothing is lost of whole lines.
        #[test]
        fn lines_stay_what_they_are(text in "(data|event|id|retry|x)?:?[a-z :]{0,12}(\r?\n){0,2}", size in 1_usize..9) {
            let mut lines = Lines::new(1_000);
            let sent = format!("{text}\n");
            let passed: Vec<u8> = sent.as_bytes().chunks(size).flat_map(|chunk| lines.pass(chunk).unwrap().into_inner()).collect();
            let passed = String::from_utf8(passed).unwrap();
            let kept = passed.lines().zip(sent.lines()).all(|(a, b)| a == b || a.strip_prefix(':') == Some(b));
            prop_assert!(kept, "{:?} {:?}", passed, sent);
            prop_assert_eq!(passed.lines().count(), sent.lines().count());
        }
    }
}
