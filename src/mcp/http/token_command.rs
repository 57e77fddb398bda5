//! A program that prints a token, such as a vault's own.
//!
//! Like an issuer's, its token is fetched before a request is sent, never after one was refused: what was sent is not
//! sent again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::concealed::concealed;
use super::kept::Kept;
use super::no_token::NoToken;
use super::token::Token;
use super::tokens::{Held, Need};
use crate::mcp::child::Group;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How much of what it writes is read, in bytes.
const MOST: usize = 64 * 1024;
/// How long standard error is read on once the program has ended: somebody else may hold it open.
const AFTER_END: Duration = Duration::from_millis(250);

/// A program that prints a token on its standard output and ends, and the tokens that it gave. Clones are the same.
#[derive(Clone)]
pub struct TokenCommand(Arc<Inner>);

/// The program.
#[derive(Debug)]
pub struct TokenProgram {
    /// Its path, or a name that is looked up in the `PATH` of `environment`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment, complete: it inherits nothing.
    pub environment: BTreeMap<String, String>,
}

struct Inner {
    program: TokenProgram,
    kept: Kept,
}

impl TokenCommand {
    /// A program that is not started yet.
    #[must_use]
    pub fn new(program: TokenProgram) -> Self {
        Self(Arc::new(Inner { program, kept: Kept::default() }))
    }

    /// Sees to it that a token is held that the next request can do with.
    pub(super) async fn fetched(&self, need: &Need) -> Result<(), NoToken> {
        let run = async {
            let named = self.0.program.program.display();
            self.run().await.map_err(|why| NoToken::Refused(format!("the program `{named}` {why}")))
        };
        self.0.kept.fetched(need, run).await
    }

    /// Runs it once.
    ///
    /// # Errors
    /// What it did instead of printing a token, in words that may be hostile and hold nothing that it printed.
    async fn run(&self) -> Result<(Token, Held), String> {
        let TokenProgram { program, arguments, environment } = &self.0.program;
        let asked = Timestamp::now();
        let mut group = Group::start(program, arguments, None, environment)
            .map_err(|error| format!("cannot be started: {error}"))?;
        let (input, output, errors) = group.pipes().map_err(|error| error.to_string())?;
        drop(input);
        let (mut printed, mut said) = (Vec::new(), Vec::new());
        let run = async {
            let mut ended = pin!(async { tokio::join!(bounded(output, &mut printed), group.wait()) });
            let mut errors = pin!(bounded(errors, &mut said));
            tokio::select! {
                ended = &mut ended => {
                    let _ = timeout(AFTER_END, errors).await;
                    ended
                }
                _ = &mut errors => ended.await,
            }
        };
        // Dropped with the group, it is killed.
        let (read, status) =
            timeout(LIMIT, run).await.map_err(|_| format!("did not end within {} s", LIMIT.as_secs()))?;
        read.map_err(|error| format!("cannot be read from: {error}"))?;
        if printed.len() >= MOST {
            return Err(format!("printed {MOST} bytes or more, which is no token"));
        }
        let printed = String::from_utf8_lossy(&printed);
        match status {
            Ok(status) if status.success() => {}
            status => {
                let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                let said = String::from_utf8_lossy(&said);
                let said = concealed(said.trim(), printed.trim(), "(the token)").into_owned();
                return Err(if said.is_empty() {
                    format!("ended: {how}")
                } else {
                    format!("ended: {how}: {said}")
                });
            }
        }
        let token = Token::new(&printed).map_err(|error| format!("printed none: {error}"))?;
        let held = Held::given(&token, asked, None);
        Ok((token, held))
    }

    /// The token in use.
    pub(super) fn token(&self) -> Option<Token> {
        self.0.kept.token()
    }

    /// `text` without the tokens, which a server may echo.
    pub(super) fn concealed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.kept.concealed(Cow::Borrowed(text))
    }

    pub(super) fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        self.0.kept.without_beginning(text)
    }
}

/// Reads up to the end, or to more than belongs into a token.
async fn bounded(stream: impl AsyncRead + Unpin, into: &mut Vec<u8>) -> std::io::Result<()> {
    stream.take(MOST as u64).read_to_end(into).await.map(drop)
}

/// Shows neither its arguments nor what it gave.
impl fmt::Debug for TokenCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCommand").field("program", &self.0.program.program).finish_non_exhaustive()
    }
}
