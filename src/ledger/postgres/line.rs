//! The connection over time: lost, made again within limits, and with it the locks, where nobody took them meanwhile.

use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::session::{Dial, Place, Session};
use super::tenure::Tenure;
use super::trouble::Trouble;
use crate::ledger::error::LedgerError;

/// The first pause before a lost connection is made again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection over time.
pub(super) struct Line {
    runtime: Runtime,
    pub dial: Dial,
    session: Option<Session>,
    /// The session that was lost, as long as the server may not know it.
    lost: Option<Place>,
    /// The locks that are held.
    pub tenure: Option<Tenure>,
    /// Whether it was given up: then nobody waits for it again, and it is looked for once.
    is_lost: bool,
}

/// Which time a statement is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    First,
    /// Its connection was lost before it was answered, so it may have been done.
    Again,
}

impl Line {
    /// Connects. A server that takes no connections just now is asked again; one that is not there is not.
    pub fn open(dial: Dial) -> Result<Self, LedgerError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(LedgerError::unreachable)?;
        let mut line = Self { runtime, dial, session: None, lost: None, tenure: None, is_lost: false };
        let deadline = Instant::now() + line.dial.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            match line.runtime.block_on(line.dial.session()) {
                Ok(session) => {
                    line.session = Some(session);
                    return Ok(line);
                }
                Err(Trouble::NotYet(_)) if Instant::now() < deadline => rest(&mut pause),
                Err(trouble) => return Err(trouble.given_up()),
            }
        }
    }

    /// Has `f` done on the connection; on a new one, again, where it is lost. Locks that are held are taken again first.
    pub fn with<T>(
        &mut self,
        f: impl AsyncFn(&Dial, &Session, Option<&Tenure>, Time) -> Result<T, Trouble>,
    ) -> Result<T, LedgerError> {
        let patience = if self.is_lost { Duration::ZERO } else { self.dial.patience };
        let (mut deadline, mut pause, mut time) = (None, FIRST_PAUSE, Time::First);
        loop {
            match self.attempt(&f, &mut time) {
                Ok(done) => {
                    self.is_lost = false;
                    return Ok(done);
                }
                Err(trouble @ (Trouble::Lost(_) | Trouble::NotYet(_))) => {
                    self.lost = self.session.as_ref().and_then(Session::place).or(self.lost.take());
                    self.drop_session();
                    // From when it was found to be lost: a silent one takes as long until then.
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
                    if Instant::now() >= deadline {
                        self.is_lost = true;
                        return Err(trouble.given_up());
                    }
                    rest(&mut pause);
                }
                Err(trouble) => return Err(trouble.given_up()),
            }
        }
    }

    fn attempt<T>(
        &mut self,
        f: &impl AsyncFn(&Dial, &Session, Option<&Tenure>, Time) -> Result<T, Trouble>,
        time: &mut Time,
    ) -> Result<T, Trouble> {
        let Self { runtime, dial, session, lost, tenure, .. } = self;
        runtime.block_on(async {
            let session = match session {
                Some(session) if !session.is_over().await => session,
                _ => {
                    *lost = session.take().and_then(|session| session.place()).or(lost.take());
                    let made = dial.session().await?;
                    if let Some(lost) = lost {
                        dial.end(&made, lost).await?;
                    }
                    *lost = None;
                    if let Some(tenure) = tenure {
                        tenure.resume(dial, &made).await?;
                    }
                    session.insert(made)
                }
            };
            let done = f(dial, session, tenure.as_ref(), *time).await;
            if matches!(done, Err(Trouble::Lost(_))) {
                *time = Time::Again;
            }
            done
        })
    }

    /// Takes locks: `f` says what was taken, if it was.
    pub fn take(
        &mut self,
        f: impl AsyncFn(&Dial, &Session) -> Result<Option<Tenure>, Trouble>,
    ) -> Result<bool, LedgerError> {
        self.tenure = self.with(async |dial, session, _, _| f(dial, session).await)?;
        Ok(self.tenure.is_some())
    }

    /// Gives the locks up, as far as there is a connection to hold them.
    pub fn release(&mut self) {
        if self.tenure.take().is_some()
            && let Some(session) = &self.session
        {
            let unlock = self.dial.run(&session.client, "SELECT pg_catalog.pg_advisory_unlock_all()");
            if self.runtime.block_on(unlock).is_err() {
                self.drop_session();
            }
        }
    }

    /// Ends the connection.
    pub fn close(&mut self) {
        self.drop_session();
    }

    fn drop_session(&mut self) {
        if let Some(session) = self.session.take() {
            self.runtime.block_on(session.close());
        }
    }
}

fn rest(pause: &mut Duration) {
    thread::sleep(*pause);
    *pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
}
