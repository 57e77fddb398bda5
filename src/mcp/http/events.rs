//! Server-sent events, held to the same rules as a body: bounded, unambiguous, and for this request.

use std::io::Cursor;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use reqwest::Response;
use rmcp::model::RequestId;
use sse_stream::{Error, Sse, SseStream};

use super::body::cut_off;
use super::fault::Fault;
use super::reception::Reception;

/// May stand before the first field of a stream, and before JSON.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The events of a reply. `request` is the one that the reply belongs to; a stream of its own has none.
pub(super) fn events(
    response: Response,
    request: Option<RequestId>,
    reception: Reception,
) -> impl Stream<Item = Result<Sse, Error>> + Send + 'static {
    let mut lines = Lines::new(reception.most);
    let (of, noting) = (request.clone(), reception.clone());
    let bytes = response.bytes_stream().flat_map(move |chunk| {
        let mut passed = Vec::new();
        let fault = chunk.map_err(cut_off).and_then(|chunk| lines.pass(&chunk, &mut passed)).err();
        // What came before trouble came: an answer is one however its stream is cut into pieces.
        stream::iter([Some(Ok(Cursor::new(passed))), fault.map(Err)].into_iter().flatten())
    });
    let bytes = bytes.inspect_err(move |fault| noting.note(of.as_ref(), fault));
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
    let data = event.data.insert(reception.concealed(data.trim_start_matches(BYTE_ORDER_MARK)).into_owned());
    if is_message {
        reception.event(data, request)?;
    }
    Ok(event)
}

/// The lines as they come in. An event is bounded, comments included; and the parser behind this gets only what the
/// format has a meaning for, in one way to write it: it refuses much that is to be ignored.
struct Lines {
    most: usize,
    /// Of the event that is coming in; an empty line ends it.
    bytes: usize,
    /// The beginning of a line.
    held: Vec<u8>,
    /// Whether the last byte ended a line by itself, so that a line feed behind it ends no other.
    returned: bool,
    first: bool,
    /// The last `event`, `id` and `retry` of the event: each counts once, and the last time.
    fields: [Option<Vec<u8>>; 3],
}

/// The fields that an event has besides its data.
const FIELDS: [&[u8]; 3] = [b"event", b"id", b"retry"];

impl Lines {
    fn new(most: usize) -> Self {
        Self { most, bytes: 0, held: Vec::new(), returned: false, first: true, fields: [None, None, None] }
    }

    /// Puts what the parser is to get of a chunk into `passed`, up to the first trouble.
    fn pass(&mut self, chunk: &[u8], passed: &mut Vec<u8>) -> Result<(), Fault> {
        for part in chunk.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, end) = match part.split_last() {
                Some((end @ (b'\n' | b'\r'), line)) => (line, Some(*end)),
                _ => (part, None),
            };
            let second = std::mem::take(&mut self.returned) && part == b"\n";
            self.bytes = self.bytes.saturating_add(part.len());
            if self.bytes > self.most {
                return Err(Fault::TooLarge(format!("an event of more than {} bytes", self.most)));
            }
            self.held.extend_from_slice(line);
            if end.is_some() && !second {
                self.returned = end == Some(b'\r');
                let line = std::mem::take(&mut self.held);
                self.line(&line, passed)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], passed: &mut Vec<u8>) -> Result<(), Fault> {
        let mark = BYTE_ORDER_MARK.to_string();
        let first = std::mem::take(&mut self.first);
        let line = line.strip_prefix(mark.as_bytes()).filter(|_| first).unwrap_or(line);
        if line.is_empty() {
            for (name, value) in FIELDS.iter().zip(&mut self.fields) {
                if let Some(value) = value.take() {
                    passed.extend([*name, b":", &value, b"\n"].concat());
                }
            }
            passed.push(b'\n');
            self.bytes = 0;
            return Ok(());
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if (name == b"data" || FIELDS.contains(&name)) && str::from_utf8(value).is_err() {
            // The parser would refuse the whole piece for it, events before it included. What is no text is searched for
            // no secret, so nothing of it is shown.
            return Err(Fault::Malformed("a line of a stream that is not UTF-8".to_owned()));
        }
        if name == b"data" {
            passed.extend([b"data:", value, b"\n"].concat());
        } else if let Some(place) = FIELDS.iter().position(|field| *field == name)
            && (name != b"retry" || is_number(value))
            && let Some(field) = self.fields.get_mut(place)
        {
            *field = Some(value.to_vec());
        }
        Ok(())
    }
}

/// What `retry` must be to count.
fn is_number(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b" ").unwrap_or(value);
    // More of them are longer than anybody waits.
    (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::asked::Asked;
    use crate::mcp::http::fault::Faults;
    use crate::mcp::http::{Credential, Token};
    use crate::mcp::limits::Limits;
    use crate::mcp::secrets::Secrets;
    use proptest::prelude::*;

    /// What gets through of a text that comes in pieces of that many bytes.
    fn passed(lines: &mut Lines, sent: &[u8], size: usize) -> Result<Vec<u8>, Fault> {
        let mut passed = Vec::new();
        sent.chunks(size).try_for_each(|chunk| lines.pass(chunk, &mut passed))?;
        Ok(passed)
    }

    fn reception() -> Reception {
        let token = Token::new("canary-token-9").unwrap();
        Reception::new(
            &Limits::default(),
            Faults::default(),
            Asked::default(),
            Some(Credential::Token(token)),
            Secrets::default(),
        )
    }

    #[test]
    fn many_events_fit_where_one_of_that_size_does_not() {
        let mut lines = Lines::new(20);
        for _ in 0..10 {
            passed(&mut lines, b"data: 1234\r\n\r\n", 9).unwrap();
        }
        assert!(passed(&mut lines, &[b'x'; 21], 21).is_err());
        let mut lines = Lines::new(20);
        assert!(passed(&mut lines, &b"data: 1\n".repeat(3), 24).is_err(), "no empty line came");
    }

    #[test]
    fn what_has_no_meaning_is_left_out_however_it_comes_in() {
        for (sent, wanted) in [
            ("\u{feff}data: a\n\n", "data: a\n\n"),
            ("id: 1\nx-trace: 7\ndata: a\r\ndataset: b\n:c\n\nlonger\n", "data: a\nid: 1\n\n"),
            ("data\nretry\n\n", "data:\n\n"),
            ("retry: 1.5\nid: 1\nid: 2\nevent: x\nevent: y\n\n", "event: y\nid: 2\n\n"),
            ("retry: 5\r\rdata: a\rx: 1\rdata: b\r\r", "retry: 5\n\ndata: a\ndata: b\n\n"),
            ("data: a\r\n\r\ndata: b\r\n\r\n", "data: a\n\ndata: b\n\n"),
        ] {
            for size in 1..=sent.len() {
                let passed = passed(&mut Lines::new(1_000), sent.as_bytes(), size).unwrap();
                assert_eq!(String::from_utf8(passed).unwrap(), wanted, "in chunks of {size}");
            }
        }
        let sent = b"data: 1234567890\r\rdata: 1234567890\r\n\r\n";
        for size in 1..=sent.len() {
            let mut lines = Lines::new(30);
            assert!((0..10).all(|_| passed(&mut lines, sent, size).is_ok()), "in chunks of {size}");
        }
    }

    #[test]
    fn what_came_before_trouble_gets_through_however_it_comes_in() {
        let sent = b"data: a\n\n: \xff\ndata: \xff\n\ndata: b\n\n";
        for size in 1..=sent.len() {
            let (mut lines, mut passed) = (Lines::new(1_000), Vec::new());
            let mut chunks = sent.chunks(size);
            let fault = chunks.find_map(|chunk| lines.pass(chunk, &mut passed).err());
            let what = "a line of a stream that is not UTF-8".to_owned();
            assert_eq!(fault, Some(Fault::Malformed(what)), "in chunks of {size}");
            assert_eq!(passed, b"data: a\n\n", "in chunks of {size}");
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
        let ping = |id: i32| Sse::default().data(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
        for id in 0..1_000 {
            assert!(checked(ping(id), None, &reception).is_ok());
        }
        assert!(matches!(checked(ping(1_000), None, &reception), Err(Fault::Malformed(_))));
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
        /// Whatever comes, in whatever pieces: the parser behind it takes all of it.
        #[test]
        fn nothing_that_passes_is_refused(
            text in "((data|event|id|retry|x|\u{feff}data)?:? ?[a-z0-9:]{0,5}(\r|\n|\r\n){0,2}){0,8}",
            size in 1_usize..9,
        ) {
            let passed = passed(&mut Lines::new(1_000), format!("{text}\n\n").as_bytes(), size).unwrap();
            let stream = stream::iter([Ok::<_, std::io::Error>(Cursor::new(passed))]);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let events: Vec<_> = runtime.block_on(SseStream::from_bytes_stream(stream).collect());
            prop_assert!(events.iter().all(Result::is_ok), "{text:?}: {events:?}");
        }
    }
}
