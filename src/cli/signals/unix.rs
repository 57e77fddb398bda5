//! The signals of a Unix system.

use std::io;

use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

use crate::engine::Signal;

/// Everything that is listened to.
pub(super) struct Signals {
    interrupt: Listener,
    terminate: Listener,
    hangup: Listener,
    quit: Listener,
}

impl Signals {
    /// Listens from now on, within the runtime that is entered.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hangup.recv() => Signal::Terminate,
            _ = self.quit.recv() => Signal::Terminate,
        }
    }
}
