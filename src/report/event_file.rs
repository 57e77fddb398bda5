//! Events as lines of JSON in a file, each complete as soon as it happened.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fs_err as fs;
use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;

use super::json::event_json;
use crate::core::file::replace;
use crate::core::printable::one_line;
use crate::core::text::visible;
use crate::engine::{Event, Events, Watch};
use crate::ledger;

/// A file, pipe or device that gets every event as one line: of a run as `loopgate.run-event/1`, of an apply as it is
/// added to the ledger.
///
/// A reader that follows it sees each line at once; what was written before a crash stays.
pub struct EventFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    run: String,
    failed: Option<io::Error>,
}

/// The events could not be written, all or some.
#[derive(Debug, Error)]
#[error("the events file `{}` is not complete", visible(&path.to_string_lossy()))]
pub struct EventFileError {
    /// Which file.
    pub path: PathBuf,
    /// The first thing that went wrong; nothing was written after it.
    pub source: io::Error,
}

impl EventFile {
    /// Opens the file; what it held before is gone. A link to a file is replaced, not followed.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(path: &Path) -> Result<Self, EventFileError> {
        let is_special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
        let ready = if is_special { Ok(()) } else { replace(path, b"") };
        let file = ready.and_then(|()| fs::OpenOptions::new().append(true).open(path));
        let file = file.map_err(|source| EventFileError { path: path.to_owned(), source })?;
        Ok(Self::to(path, Box::new(file)))
    }

    fn to(path: &Path, out: Box<dyn Write + Send>) -> Self {
        let state = Mutex::new(State { out, run: String::new(), failed: None });
        Self { path: path.to_owned(), state }
    }

    /// Closes it.
    ///
    /// # Errors
    /// The first write that failed during the run.
    pub fn finish(self) -> Result<(), EventFileError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.failed {
            Some(source) => Err(EventFileError { path: self.path, source }),
            None => Ok(()),
        }
    }
}

impl State {
    fn line(&mut self, value: &Value) {
        if self.failed.is_none() {
            let text = format!("{}\n", one_line(value));
            self.failed = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).err();
        }
    }
}

impl Events for EventFile {
    fn emit(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::Started { run, .. } = event {
            state.run.clone_from(run);
        }
        let value = event_json(event, Timestamp::now(), &state.run);
        state.line(&value);
    }
}

impl Watch for EventFile {
    /// The ledger's event as it stands there: `loopgate.event/1`.
    fn appended(&self, event: &ledger::Event) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).line(&json!(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> Event {
        Event::Started {
            run: "run-1".into(),
            recipe: "a".into(),
            server: "sandbox".into(),
            tenant: None,
            sandbox: true,
            steps: 1,
        }
    }

    #[test]
    fn every_event_is_one_whole_line_with_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.ndjson");
        let file = EventFile::create(&path).unwrap();
        file.emit(&started());
        file.emit(&Event::Connected { server: "a\nb".into(), tools: 2 });
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["event"], "started");
        assert_eq!(lines[0]["sandbox"], true);
        assert_eq!(lines[1]["run"], "run-1");
        assert_eq!(lines[1]["server"], "a\nb");
        file.finish().unwrap();
    }

    #[test]
    fn a_full_disk_is_told_at_the_end_and_only_once() {
        struct FullAtFirst(bool);
        impl Write for FullAtFirst {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                assert!(!std::mem::replace(&mut self.0, true), "nothing is written after a failure");
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let file = EventFile::to(Path::new("events"), Box::new(FullAtFirst(false)));
        file.emit(&started());
        file.emit(&started());
        let error = file.finish().unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert_eq!(error.to_string(), "the events file `events` is not complete");
    }
}
