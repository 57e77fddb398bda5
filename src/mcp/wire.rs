//! Messages as lines, over any pair of byte streams.
//!
//! rmcp's own transport drops a line that is too long, that is not JSON or that answers no open
//! request, and then waits for an answer that will not come. This one ends the connection at the first
//! such line and says which it was: what follows cannot be trusted to be the answer. So does a line that
//! two readers could understand differently, and a server that asks on and on without reading the
//! answers. Everything that came before it is delivered.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use rmcp::RoleClient;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::Mutex;

use super::asked::Asked;
use super::ending::{End, Ending};
use super::message::{as_number, for_nobody, message, not_open};
use super::secrets::Secrets;

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// One connection's lines, in both directions.
pub(super) struct Wire {
    read: BufReader<Reader>,
    /// The line so far; kept here because `receive` is dropped in the middle whenever something else
    /// is ready first.
    line: Vec<u8>,
    longest: usize,
    write: Arc<Mutex<Option<Writer>>>,
    /// Requests without an answer.
    open: HashSet<RequestId>,
    asked: Asked,
    ending: Ending,
    secrets: Secrets,
}

/// A message that did not go out whole.
#[derive(Debug, Error)]
#[error("{reason}")]
pub(super) struct SendFailed {
    /// Whether any byte of it went out.
    pub(super) begun: bool,
    reason: String,
}

impl Wire {
    pub(super) fn new(read: Reader, write: Writer, longest: usize, ending: Ending, asked: Asked) -> Self {
        Self {
            read: BufReader::new(read),
            line: Vec::new(),
            longest,
            write: Arc::new(Mutex::new(Some(write))),
            open: HashSet::new(),
            asked,
            ending,
            secrets: Secrets::default(),
        }
    }

    /// The same, and nothing that comes shows `secrets`.
    pub(super) fn concealing(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// Fills `line` up to the next line feed, which is left out.
    async fn read_line(&mut self) -> Result<(), End> {
        loop {
            let available = self.read.fill_buf().await.map_err(|error| End::Failed(error.to_string()))?;
            if available.is_empty() {
                return Err(End::Closed);
            }
            let mut parts = available.splitn(2, |byte| *byte == b'\n');
            let part = parts.next().unwrap_or_default();
            let whole = parts.next().is_some();
            if self.line.len().saturating_add(part.len()) > self.longest {
                return Err(End::TooLong(format!("a message of more than {} bytes", self.longest)));
            }
            self.line.extend_from_slice(part);
            let taken = part.len() + usize::from(whole);
            self.read.consume(taken);
            if whole {
                return Ok(());
            }
        }
    }

    /// The message, where it answers an open request or is no answer at all.
    fn awaited(&mut self, message: ServerJsonRpcMessage) -> Result<Option<ServerJsonRpcMessage>, End> {
        let id = match &message {
            JsonRpcMessage::Response(response) => &response.id,
            JsonRpcMessage::Error(error) => match &error.id {
                Some(id) => id,
                None if self.open.is_empty() => return Ok(None),
                None => return Err(End::Rubbish(for_nobody(error.error.code.0, &error.error.message))),
            },
            JsonRpcMessage::Notification(_) | JsonRpcMessage::Request(_) => {
                self.asked.came(&message).map_err(End::Rubbish)?;
                return Ok(Some(message));
            }
        };
        if self.open.remove(id) || as_number(id).is_some_and(|id| self.open.remove(&id)) {
            Ok(Some(message))
        } else {
            Err(End::Rubbish(not_open(id)))
        }
    }
}

impl Transport<RoleClient> for Wire {
    type Error = SendFailed;

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SendFailed>> + Send + 'static {
        if let JsonRpcMessage::Request(request) = &message {
            self.open.insert(request.id.clone());
        }
        let (write, ending) = (Arc::clone(&self.write), self.ending.clone());
        let asked = self.asked.clone();
        async move {
            let mut sent = 0;
            let result = tokio::select! {
                biased;
                // Otherwise a server that reads no more would hold the lock, and with it the close.
                () = ending.wait() => Err(io::Error::new(io::ErrorKind::NotConnected, "the connection is over")),
                result = write_line(&write, &message, &mut sent) => result,
            };
            if result.is_ok() {
                asked.went(&message);
            }
            result.map_err(|error| SendFailed { begun: sent > 0, reason: error.to_string() })
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            let received = match self.read_line().await {
                Ok(()) => {
                    let line = self.secrets.concealed_bytes(std::mem::take(&mut self.line));
                    match message(&line, "a line") {
                        Ok(Some(message)) => self.awaited(message),
                        Ok(None) => Ok(None),
                        Err(what) => Err(End::Rubbish(what)),
                    }
                }
                Err(end) => Err(end),
            };
            match received {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(end) => {
                    self.ending.set(end);
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), SendFailed> {
        self.ending.set(End::ByUs);
        if let Some(mut writer) = self.write.lock().await.take() {
            // The other side may be gone already, which is as good.
            let _ = writer.shutdown().await;
        }
        Ok(())
    }
}

async fn write_line(
    write: &Mutex<Option<Writer>>,
    message: &ClientJsonRpcMessage,
    sent: &mut usize,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut writer = write.lock().await;
    let Some(writer) = writer.as_mut() else {
        return Err(io::Error::new(io::ErrorKind::NotConnected, "the connection is closed"));
    };
    let mut rest = line.as_slice();
    while !rest.is_empty() {
        let count = writer.write(rest).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        *sent += count;
        rest = rest.get(count..).unwrap_or_default();
    }
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{ClientRequest, ClientResult, PingRequest};

    /// A wire with requests 0 and 1 open, on which a server says `bytes` and then closes.
    async fn received(bytes: &[u8]) -> (Vec<ServerJsonRpcMessage>, Option<End>) {
        let ending = Ending::default();
        let sink = Box::new(tokio::io::sink());
        let mut wire =
            Wire::new(Box::new(io::Cursor::new(bytes.to_vec())), sink, 80, ending.clone(), Asked::default());
        for id in 0..2 {
            let ping = ClientRequest::PingRequest(PingRequest::default());
            wire.send(JsonRpcMessage::request(ping, RequestId::Number(id))).await.unwrap();
        }
        let mut messages = Vec::new();
        while let Some(message) = wire.receive().await {
            messages.push(message);
        }
        (messages, ending.get())
    }

    #[tokio::test]
    async fn answers_come_through_in_their_order_until_the_stream_ends() {
        let (messages, end) = received(
            b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n\n{\"jsonrpc\":\"2.0\",\"id\":\"0\",\"result\":{}}\n",
        )
        .await;
        assert_eq!((messages.len(), end), (2, Some(End::Closed)));
    }

    #[tokio::test]
    async fn a_notification_of_unknown_shape_is_left_out() {
        let (messages, end) = received(b"{\"jsonrpc\":\"1.0\",\"method\":\"notifications/x\"}\n").await;
        assert_eq!((messages.len(), end), (0, Some(End::Closed)));
    }

    #[tokio::test]
    async fn the_first_line_that_is_no_message_ends_the_connection() {
        let answer = "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n";
        for (rubbish, named) in [
            ("Server listening\u{1b}[0m\n", "Server listening\\u{1b}[0m"),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}\n", "no JSON-RPC message"),
            ("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n", "ID `7`"),
            ("{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n", "ID `0`"),
            ("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"no\"}}\n", "-32700 no"),
            ("[]\n", "`[]`"),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":0,\"a\":1}}\n", "`a` stands here twice"),
            ("{\"jsonrpc\":\"2.0\",\"id\":7,\"id\":1,\"result\":{}}\n", "`id` stands here twice"),
        ] {
            let (messages, end) = received(format!("{answer}{rubbish}{answer}").as_bytes()).await;
            let Some(End::Rubbish(what)) = end else { panic!("{rubbish}: {end:?}") };
            assert!(what.contains(named), "{what}");
            assert_eq!(messages.len(), 1, "what came before it is delivered, and nothing after it");
        }
    }

    #[tokio::test]
    async fn a_number_that_nobody_uses_ends_nothing() {
        let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"x\":9223372036854775807}}\n";
        let (messages, end) = received(line).await;
        assert_eq!((messages.len(), end), (1, Some(End::Closed)));
    }

    #[tokio::test]
    async fn a_server_that_asks_on_and_reads_no_answer_is_hung_up_on() {
        let ping = |id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
        let pings = |count| (0..count).map(ping).collect::<String>();
        let (messages, end) = received(pings(1_000).as_bytes()).await;
        assert_eq!((messages.len(), end), (1_000, Some(End::Closed)));
        let (messages, end) = received(pings(1_001).as_bytes()).await;
        assert_eq!(messages.len(), 1_000);
        assert!(matches!(end, Some(End::Rubbish(what)) if what.contains("more than 1000 requests")));
    }

    #[tokio::test]
    async fn a_server_that_reads_its_answers_may_ask_for_ever() {
        let ping = b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\n";
        let (bytes, ending) = (ping.repeat(2_000), Ending::default());
        let sink = Box::new(tokio::io::sink());
        let mut wire =
            Wire::new(Box::new(io::Cursor::new(bytes)), sink, 80, ending.clone(), Asked::default());
        while wire.receive().await.is_some() {
            let pong = JsonRpcMessage::response(ClientResult::empty(()), RequestId::Number(5));
            wire.send(pong).await.unwrap();
        }
        assert_eq!(ending.get(), Some(End::Closed));
    }

    #[tokio::test]
    async fn a_line_beyond_the_limit_or_not_utf_8_ends_the_connection() {
        let (_, end) = received(&[b'x'; 81]).await;
        assert_eq!(end, Some(End::TooLong("a message of more than 80 bytes".into())));
        let (_, end) = received(b"{\"a\":\"\xff\"}\n").await;
        assert!(matches!(end, Some(End::Rubbish(what)) if what.contains("UTF-8")));
    }

    #[tokio::test]
    async fn a_message_after_the_end_is_known_not_to_have_begun() {
        let ending = Ending::default();
        let (ours, _theirs) = tokio::io::duplex(4);
        let (read, write) = tokio::io::split(ours);
        let mut wire = Wire::new(Box::new(read), Box::new(write), 80, ending.clone(), Asked::default());
        let ping = || ClientRequest::PingRequest(PingRequest::default());
        let stuck = tokio::spawn(wire.send(JsonRpcMessage::request(ping(), RequestId::Number(0))));
        tokio::task::yield_now().await;
        ending.set(End::Closed);
        assert!(stuck.await.unwrap().unwrap_err().begun, "four bytes fitted");
        let late = wire.send(JsonRpcMessage::request(ping(), RequestId::Number(1))).await;
        assert!(!late.unwrap_err().begun);
        wire.close().await.unwrap();
    }
}
