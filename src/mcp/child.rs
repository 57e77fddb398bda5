//! A server as a child process that can neither outlive its session nor stall it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::endpoint::ChildCommand;
use super::secrets::Secrets;
use crate::core::text::{cut, visible};

/// How long a child has between being told to end and being killed.
const AFTER_TERMINATE: Duration = Duration::from_secs(1);
/// How long the operating system has to clear a killed child away.
const AFTER_KILL: Duration = Duration::from_secs(1);
/// How long standard error is read on once the child has ended: somebody else may hold it open.
const AFTER_END: Duration = Duration::from_millis(250);
/// How much of standard error is kept, in bytes.
const KEPT: usize = 64 * 1024;
/// How much of standard error an error message shows, in characters.
const SHOWN: usize = 500;

/// What is known of a server once its session is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closing {
    /// How the child ended. None in process, and for a child of which the operating system did not say.
    pub status: Option<ExitStatus>,
    /// The last 64 KiB that the child wrote to its standard error; hostile text.
    pub stderr: String,
}

/// A running child. Dropping it kills its process group.
#[derive(Debug)]
pub(super) struct Child {
    stop: oneshot::Sender<Duration>,
    fate: watch::Receiver<Fate>,
    stderr: Tail,
    /// Ends with this value, and its [`Group`] with it.
    _keeper: JoinSet<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Running,
    Ended(Option<ExitStatus>),
}

impl Child {
    /// Starts the program in a process group of its own, with exactly the environment that is given.
    pub(super) fn start(
        command: &ChildCommand,
        secrets: Secrets,
    ) -> io::Result<(Self, ChildStdout, ChildStdin)> {
        let ChildCommand { program, arguments, folder, environment, era: _ } = command;
        let mut group = Group::start(program, arguments, folder.as_deref(), environment)?;
        let (stdin, stdout, stderr) = group.pipes()?;
        let (stop, stopped) = oneshot::channel();
        let (tell, fate) = watch::channel(Fate::Running);
        let tail = Tail { secrets, bytes: Arc::default() };
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(group, stderr, tail.clone(), stopped, tell));
        Ok((Self { stop, fate, stderr: tail, _keeper: keeper }, stdout, stdin))
    }

    /// Waits until it has ended, and says how.
    pub(super) async fn ended(&self) -> Option<ExitStatus> {
        told(self.fate.clone()).await
    }

    /// What it wrote to standard error so far, the last 64 KiB of it.
    pub(super) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Gives it `patience` to end by itself (its input is closed already), after which it is made to end; what is
    /// returned waits for that.
    pub(super) fn close(self, patience: Duration) -> impl Future<Output = Closing> {
        let Self { stop, fate, stderr, _keeper: keeper } = self;
        // It fails only where the child has ended before.
        let _ = stop.send(patience);
        let bound = patience + AFTER_TERMINATE + AFTER_KILL + 2 * AFTER_END;
        async move {
            let status = timeout(bound, told(fate)).await.ok().flatten();
            drop(keeper);
            Closing { status, stderr: stderr.text() }
        }
    }
}

async fn told(mut fate: watch::Receiver<Fate>) -> Option<ExitStatus> {
    match fate.wait_for(|fate| *fate != Fate::Running).await.as_deref() {
        Ok(Fate::Ended(status)) => *status,
        Ok(Fate::Running) | Err(_) => None,
    }
}

/// How a child ended, with its last words, for a sentence.
pub(super) fn epitaph(status: Option<ExitStatus>, stderr: &str) -> String {
    let how =
        status.map_or_else(|| "the server ended".to_owned(), |status| format!("the server ended ({status})"));
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" / ");
    if last.is_empty() { how } else { format!("{how}: `{}`", cut(&visible(&last), SHOWN)) }
}

/// The child with everything it has started. Dropping it kills them all.
#[derive(Debug)]
pub(super) struct Group(Box<dyn ChildWrapper>);

impl Drop for Group {
    fn drop(&mut self) {
        // It fails only where nobody is left.
        let _ = self.0.start_kill();
    }
}

impl Group {
    /// Starts a program in a process group of its own, with exactly the environment that is given.
    pub(super) fn start(
        program: &Path,
        arguments: &[String],
        folder: Option<&Path>,
        environment: &BTreeMap<String, String>,
    ) -> io::Result<Self> {
        let mut wrap = CommandWrap::with_new(program, |command| {
            command.args(arguments).env_clear().envs(environment);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        });
        if let Some(folder) = folder {
            if !folder.is_dir() {
                let problem = format!("its working folder `{}` is no folder", folder.display());
                return Err(io::Error::new(io::ErrorKind::NotFound, problem));
            }
            wrap.command_mut().current_dir(folder);
        }
        wrap.wrap(KillOnDrop);
        #[cfg(unix)]
        wrap.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        wrap.wrap(process_wrap::tokio::JobObject);
        wrap.spawn().map(Self)
    }

    /// Its standard input, output and error, once.
    pub(super) fn pipes(&mut self) -> io::Result<(ChildStdin, ChildStdout, ChildStderr)> {
        match (self.0.stdin().take(), self.0.stdout().take(), self.0.stderr().take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok((stdin, stdout, stderr)),
            _ => Err(io::Error::other("the child has no pipes")),
        }
    }

    /// Waits for the child, and says how it ended.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// Waits for the child; after `stop`, for so long as that says, and then not kindly.
    async fn end(mut self, stop: oneshot::Receiver<Duration>) -> Option<ExitStatus> {
        let patience = tokio::select! {
            status = self.0.wait() => return status.ok(),
            patience = stop => patience.unwrap_or_default(),
        };
        if let Ok(status) = timeout(patience, self.0.wait()).await {
            return status.ok();
        }
        #[cfg(unix)]
        {
            const SIGTERM: i32 = 15;
            let _ = self.0.signal(SIGTERM);
            if let Ok(status) = timeout(AFTER_TERMINATE, self.0.wait()).await {
                return status.ok();
            }
        }
        let _ = self.0.start_kill();
        timeout(AFTER_KILL, self.0.wait()).await.ok().and_then(Result::ok)
    }
}

/// Lives as long as the child: reads its standard error, and tells how it ended.
async fn keep(
    group: Group,
    stderr: ChildStderr,
    tail: Tail,
    stop: oneshot::Receiver<Duration>,
    fate: watch::Sender<Fate>,
) {
    let mut ended = pin!(group.end(stop));
    let mut drained = pin!(drain(stderr, &tail));
    let status = tokio::select! {
        status = &mut ended => {
            let _ = timeout(AFTER_END, drained).await;
            status
        }
        () = &mut drained => ended.await,
    };
    fate.send_replace(Fate::Ended(status));
}

async fn drain(mut stderr: impl AsyncRead + Unpin, tail: &Tail) {
    let (mut chunk, mut line) = (Vec::with_capacity(8 * 1024), Vec::new());
    while stderr.read_buf(&mut chunk).await.is_ok_and(|count| count > 0) {
        tail.push(&chunk);
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            // Whole lines, so that none has but a part of a secret.
            if line.ends_with(b"\n") || line.len() > KEPT {
                tail.tell(&line);
                line.clear();
            }
        }
        chunk.clear();
    }
    tail.tell(&line);
}

/// The end of what was written, shared by who writes and who reads it.
#[derive(Debug, Clone, Default)]
struct Tail {
    bytes: Arc<Mutex<Vec<u8>>>,
    secrets: Secrets,
}

impl Tail {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, chunk: &[u8]) {
        let mut bytes = self.lock();
        bytes.extend_from_slice(chunk);
        let surplus = bytes.len().saturating_sub(self.kept());
        bytes.drain(..surplus);
    }

    /// How many bytes are kept: more than are shown by what may be the end of a secret, which is not known then.
    fn kept(&self) -> usize {
        KEPT + self.secrets.longest()
    }

    fn text(&self) -> String {
        let bytes = self.lock();
        let text = String::from_utf8_lossy(&bytes);
        let text = self.secrets.concealed(&text);
        let text = self.secrets.without_beginning(&text);
        let broken = if bytes.len() < self.kept() { 0 } else { self.secrets.longest() };
        let from = text.len().saturating_sub(KEPT).max(broken.min(text.len()));
        let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        text.get(from..).unwrap_or_default().to_owned()
    }

    /// Logs a line.
    fn tell(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        if !line.trim().is_empty() {
            tracing::debug!("server: {}", visible(self.secrets.concealed(&line).trim_end()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_end_of_standard_error_is_kept() {
        let tail = Tail::default();
        let written = [vec![b'a'; 50_000], vec![b'b'; KEPT - 1], vec![b'c']].concat();
        drain(written.as_slice(), &tail).await;
        let text = tail.text();
        assert_eq!((text.len(), text.matches('a').count()), (KEPT, 0));
        assert!(text.ends_with("bc"));
    }

    #[test]
    fn the_last_words_are_visible_and_short() {
        assert_eq!(epitaph(None, "1\n2\n\n3\u{1b}[0m\n4\n"), "the server ended: `2 / 3\\u{1b}[0m / 4`");
        assert_eq!(epitaph(None, " \n"), "the server ended");
        assert!(epitaph(None, &"x".repeat(10_000)).chars().count() < 600);
    }
}
