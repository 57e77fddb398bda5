//! Where the tool lock is, and what of it is about one server.

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::fault::Fault;
use super::settings::Settings;
use crate::catalog::lock::{Lock, LockError};
use crate::core::file::{read_bounded, replace};

/// The lock's name in the trust folder where the settings name no other.
pub(super) const FILE_NAME: &str = "loopgate.lock";
/// The largest lock, in bytes.
const LARGEST: usize = 64 << 20;

/// A place for a tool lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockPlace {
    pub path: PathBuf,
    /// Whether the settings name it.
    named: bool,
}

/// A lock as it was read, and its text.
pub(super) struct ReadLock {
    pub lock: Lock,
    pub text: String,
}

impl LockPlace {
    /// Where the lock is by the settings of a trust folder.
    pub fn of(folder: &Path, settings: Option<&Settings>) -> Self {
        let named = settings.and_then(|settings| settings.lock.clone());
        let usual = || match folder == Path::new(".") {
            true => PathBuf::from(FILE_NAME),
            false => folder.join(FILE_NAME),
        };
        Self { named: named.is_some(), path: named.unwrap_or_else(usual) }
    }

    /// The lock; none where none was made yet. One that the settings name is there.
    pub fn read(&self) -> Result<Option<ReadLock>, Fault> {
        match self.read_or_new()? {
            None if self.named => Err(Fault::new(
                Exit::Invalid,
                format!("there is no tool lock `{}`, and the settings name it", self.path.display()),
            )
            .hint("`loopgate lock --server NAME` makes one")),
            read => Ok(read),
        }
    }

    /// The lock; none where it is still to be made.
    pub fn read_or_new(&self) -> Result<Option<ReadLock>, Fault> {
        // Only what is not there is none: one that cannot be reached would pass for none.
        match fs_err::symlink_metadata(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let bytes = read_bounded(&self.path, LARGEST).map_err(Fault::invalid)?;
        let name = self.path.display().to_string();
        let text = String::from_utf8(bytes)
            .map_err(|_| Fault::new(Exit::Invalid, format!("`{name}` is not UTF-8")))?;
        let lock = Lock::parse(&name, &text)?;
        Ok(Some(ReadLock { lock, text }))
    }

    /// Replaces the lock, whole, and gives its text.
    pub fn write(&self, lock: &Lock) -> Result<String, Fault> {
        let text = lock.text()?;
        if text.len() > LARGEST {
            return Err(Fault::new(
                Exit::Invalid,
                format!("the tools make a lock of {} bytes, and {LARGEST} are the most", text.len()),
            ));
        }
        replace(&self.path, text.as_bytes()).map_err(|error| {
            Fault::new(Exit::Invalid, format!("the tool lock cannot be written: {error}"))
        })?;
        Ok(text)
    }
}

impl From<LockError> for Fault {
    fn from(error: LockError) -> Self {
        let exit = match &error {
            LockError::Damaged { .. } => Exit::Damaged,
            _ => Exit::Invalid,
        };
        let hint = error.hint();
        let fault = Self { exit, error: error.into(), hint: None, problems: None };
        match hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}
