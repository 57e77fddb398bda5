//! Files that a command wrote.

use std::path::{Path, PathBuf};

use crate::core::Digest;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenKind {
    /// The plan.
    Artifact,
    /// What a step emits.
    Emitted,
    /// The run report.
    Run,
}

impl WrittenKind {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Emitted => "emitted",
            Self::Run => "run",
        }
    }
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What it is.
    pub kind: WrittenKind,
    /// Where, as a person in the working folder would name it.
    pub path: PathBuf,
    /// Of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub bytes: u64,
}

impl Written {
    /// The fact of `bytes` having been written to `path`.
    #[must_use]
    pub fn new(kind: WrittenKind, path: impl Into<PathBuf>, bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { kind, path: path.into(), digest: Digest::of_bytes(bytes), bytes: length }
    }
}

/// What the command line knows of a finished run and the run itself does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunOutputs {
    /// What was written, in the order of writing.
    pub written: Vec<Written>,
    /// What `--server` was given, for a next command to repeat; `None` where a setting named the server.
    pub server: Option<String>,
}

impl RunOutputs {
    /// The output folder, where the run report was written to one.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.path_of(WrittenKind::Run)?.parent().filter(|folder| !folder.as_os_str().is_empty())
    }

    pub(super) fn path_of(&self, kind: WrittenKind) -> Option<&Path> {
        self.written.iter().find(|written| written.kind == kind).map(|written| written.path.as_path())
    }
}
