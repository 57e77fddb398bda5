//! Being told to stop. A run listens; where it cannot, because it computes or because nobody reads what it
//! writes, a thread of its own ends the process.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::exit::Exit;
use super::fault::Fault;
use super::runtime::runtime;
use crate::engine::Signal;
#[cfg(unix)]
use unix::Signals;
#[cfg(windows)]
use windows::Signals;

/// How long a run has for an orderly end after the first signal. A second signal ends it at once.
const GRACE: Duration = Duration::from_secs(15);

/// The first signal, for whoever waits.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<Option<Signal>>);

/// Whether a write is under way, so that an end in the middle of it leaves its outcome unknown.
pub(super) type Writing = Arc<AtomicBool>;

impl Stop {
    /// Listens from now on: SIGINT and Ctrl-C interrupt; SIGTERM, SIGHUP and SIGQUIT, and on Windows Ctrl-Break, a
    /// closed console and a shutdown, terminate.
    ///
    /// # Errors
    /// The operating system gives no thread or no handler.
    pub fn listen() -> Result<Self, Fault> {
        Self::listen_while(Writing::default())
    }

    /// Listens, and ends with what a write that is under way makes of it.
    ///
    /// # Errors
    /// The operating system gives no thread or no handler.
    pub fn listen_while(writing: Writing) -> Result<Self, Fault> {
        let (tell, told) = watch::channel(None);
        let runtime = runtime()?;
        let guard = runtime.enter();
        let mut signals = Signals::listen().map_err(Fault::internal)?;
        drop(guard);
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let first = runtime.block_on(signals.next());
                // Nobody may be listening any more, and then the end is near anyway.
                let _ = tell.send(Some(first));
                runtime.block_on(async {
                    tokio::select! {
                        _ = signals.next() => {}
                        () = tokio::time::sleep(GRACE) => {}
                    }
                });
                end(first, &writing);
            })
            .map_err(Fault::internal)?;
        Ok(Self(told))
    }

    /// The first signal, if there was one.
    pub fn told(&self) -> Option<Signal> {
        *self.0.borrow()
    }

    /// Waits for the first signal, for ever if need be.
    pub async fn wait(mut self) -> Signal {
        loop {
            if let Some(signal) = *self.0.borrow_and_update() {
                return signal;
            }
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the thread that would return an exit code is stuck"
)]
fn end(signal: Signal, writing: &AtomicBool) {
    let exit = if writing.load(Ordering::SeqCst) { Exit::Unknown } else { Exit::of_signal(signal) };
    std::process::exit(i32::from(exit.code()))
}
