//! Lines from a peer, watched for what who reads them would drop without a word.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Why the lines ended early; empty where they did not.
pub type LineFault = Arc<OnceLock<String>>;

/// Passes bytes on as they come, and ends with an error at the first line that is too long or not UTF-8.
pub struct Lines<R> {
    read: R,
    /// The longest line, its end included, in bytes.
    longest: usize,
    /// Bytes of the line so far.
    length: usize,
    /// The begin of a character whose end has not come yet.
    begun: Vec<u8>,
    fault: LineFault,
}

impl<R> Lines<R> {
    /// Watches what comes from `read`.
    #[must_use]
    pub fn new(read: R, longest: usize, fault: LineFault) -> Self {
        Self { read, longest, length: 0, begun: Vec::new(), fault }
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), String> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.length = self.length.saturating_add(part.len());
            if self.length > self.longest {
                return Err(format!("a line has more than {} bytes", self.longest));
            }
            if part.ends_with(b"\n") {
                self.length = 0;
            }
        }
        self.begun.extend_from_slice(bytes);
        let whole = match str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err("a line is not UTF-8".to_owned()),
        };
        self.begun.drain(..whole);
        Ok(())
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Lines<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let lines = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut lines.read).poll_read(context, buffer))?;
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(lines.check(fresh).map_err(|problem| {
            // The first is the one to tell; nothing is read after it.
            let _ = lines.fault.set(problem.clone());
            io::Error::new(io::ErrorKind::InvalidData, problem)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: usize = 1 << 20;

    fn check_in_parts(bytes: &[u8], size: usize) -> Result<(), String> {
        let mut lines = Lines::new(io::empty(), LONGEST, LineFault::default());
        bytes.chunks(size).try_for_each(|part| lines.check(part))
    }

    #[test]
    fn a_line_may_be_as_long_as_it_may_and_no_longer() {
        let line = |length: usize| {
            let mut line = vec![b'a'; length - 1];
            line.push(b'\n');
            [line.clone(), line].concat()
        };
        for size in [4096, usize::MAX] {
            assert_eq!(check_in_parts(&line(LONGEST), size), Ok(()));
            assert!(check_in_parts(&line(LONGEST + 1), size).is_err());
        }
    }

    proptest! {
        #[test]
        fn text_in_any_parts_is_text_and_nothing_else_is(text in ".{0,20}", size in 1_usize..8, broken in 0_usize..20) {
            let mut bytes = format!("{text}\n").into_bytes();
            prop_assert_eq!(check_in_parts(&bytes, size), Ok(()));
            bytes.insert(broken.min(bytes.len() - 1), 0xff);
            prop_assert!(check_in_parts(&bytes, size).is_err());
        }
    }
}
