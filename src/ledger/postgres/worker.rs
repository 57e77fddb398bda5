//! The thread that a connection lives in. Whoever asks it waits for the answer, inside of a runtime or not.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use super::line::Line;
use crate::ledger::error::LedgerError;

type Job = Box<dyn FnOnce(&mut Line) + Send>;

/// A connection in a thread of its own.
pub(super) struct Worker {
    jobs: Option<Arc<Sender<Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// Somebody else who may ask: only as long as the worker is there.
pub(super) struct Errand(Weak<Sender<Job>>);

impl Worker {
    /// Starts the thread; `line` is made in it.
    pub fn start(
        line: impl FnOnce() -> Result<Line, LedgerError> + Send + 'static,
    ) -> Result<Self, LedgerError> {
        let (jobs, waiting) = channel::<Job>();
        let (tell, told) = channel();
        let body = move || match line() {
            Ok(mut line) => {
                let _ = tell.send(Ok(()));
                while let Ok(job) = waiting.recv() {
                    job(&mut line);
                }
                line.close();
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        };
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(body);
        let thread = thread.map_err(LedgerError::unreachable)?;
        told.recv().map_err(|_| gone())??;
        Ok(Self { jobs: Some(Arc::new(jobs)), thread: Some(thread) })
    }

    /// Has `f` done, and gives what it gives.
    pub fn ask<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Line) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.told(f).recv().map_err(|_| gone())?
    }

    /// Has `f` done, which gives its result once it is over, and meanwhile whatever it sends elsewhere.
    pub fn told<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Line) -> Result<T, LedgerError> + Send + 'static,
    ) -> Receiver<Result<T, LedgerError>> {
        let (tell, told) = channel();
        let job: Job = Box::new(move |line| {
            let _ = tell.send(f(line));
        });
        if let Some(jobs) = &self.jobs {
            // Where the thread is gone, the answer never comes, which whoever waits is told.
            let _ = jobs.send(job);
        }
        told
    }

    pub fn errand(&self) -> Errand {
        Errand(self.jobs.as_ref().map(Arc::downgrade).unwrap_or_default())
    }
}

impl Errand {
    /// Has `f` done, and waits for it.
    pub fn run(&self, f: impl FnOnce(&mut Line) + Send + 'static) {
        let (tell, told) = channel::<()>();
        let job: Job = Box::new(move |line| {
            f(line);
            let _ = tell.send(());
        });
        if self.0.upgrade().is_some_and(|jobs| jobs.send(job).is_ok()) {
            let _ = told.recv();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread ended by itself, which only a defect makes it do.
pub(super) fn gone() -> LedgerError {
    LedgerError::unreachable("the thread of the connection is gone")
}
