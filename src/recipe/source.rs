//! The text of a recipe, before anything in it is believed.

use std::path::Path;

use thiserror::Error;

use crate::core::file::{ReadError, read_bounded};
use crate::core::text::visible;

/// The largest recipe or inputs file: 1 MiB.
pub const LARGEST_SOURCE: usize = 1 << 20;

/// The text of a recipe with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's path or the shipped recipe's name, for messages.
    pub name: String,
    /// UTF-8 without a byte order mark.
    pub text: String,
}

/// Why bytes are no source.
#[derive(Debug, Error)]
pub enum SourceError {
    /// More than [`LARGEST_SOURCE`] bytes.
    #[error("`{}` is larger than {LARGEST_SOURCE} bytes", visible(name))]
    TooLarge {
        /// The source's name.
        name: String,
    },
    /// A NUL byte, which no text has.
    #[error("`{}` has a NUL byte at offset {offset}", visible(name))]
    Nul {
        /// The source's name.
        name: String,
        /// In bytes.
        offset: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("`{}` is not UTF-8 at offset {offset}", visible(name))]
    NotUtf8 {
        /// The source's name.
        name: String,
        /// Of the first byte that does not fit.
        offset: usize,
    },
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The shipped recipes: name and text.
#[must_use]
pub fn shipped() -> &'static [(&'static str, &'static str)] {
    &[
        ("analytics-dashboard", include_str!("../../recipes/analytics-dashboard.yaml")),
        ("certify-release", include_str!("../../recipes/certify-release.yaml")),
        ("compliance-package", include_str!("../../recipes/compliance-package.yaml")),
        ("evidence-gaps", include_str!("../../recipes/evidence-gaps.yaml")),
        ("evidence-graph", include_str!("../../recipes/evidence-graph.yaml")),
        ("incident-triage", include_str!("../../recipes/incident-triage.yaml")),
        ("release-readiness", include_str!("../../recipes/release-readiness.yaml")),
        ("remediation-plan", include_str!("../../recipes/remediation-plan.yaml")),
        ("security-blockers", include_str!("../../recipes/security-blockers.yaml")),
        ("sprint-plan", include_str!("../../recipes/sprint-plan.yaml")),
    ]
}

/// The cases of the shipped recipes: the recipe's name and the text.
#[must_use]
pub fn shipped_cases() -> &'static [(&'static str, &'static str)] {
    &[
        ("analytics-dashboard", include_str!("../../recipes/analytics-dashboard.cases.yaml")),
        ("certify-release", include_str!("../../recipes/certify-release.cases.yaml")),
        ("compliance-package", include_str!("../../recipes/compliance-package.cases.yaml")),
        ("evidence-gaps", include_str!("../../recipes/evidence-gaps.cases.yaml")),
        ("evidence-graph", include_str!("../../recipes/evidence-graph.cases.yaml")),
        ("incident-triage", include_str!("../../recipes/incident-triage.cases.yaml")),
        ("release-readiness", include_str!("../../recipes/release-readiness.cases.yaml")),
        ("remediation-plan", include_str!("../../recipes/remediation-plan.cases.yaml")),
        ("security-blockers", include_str!("../../recipes/security-blockers.cases.yaml")),
        ("sprint-plan", include_str!("../../recipes/sprint-plan.cases.yaml")),
    ]
}

/// The files that the cases of shipped recipes name, records and evidence: the file's name and the text.
#[must_use]
pub fn shipped_beside() -> &'static [(&'static str, &'static str)] {
    &[
        ("analytics-dashboard.data.yaml", include_str!("../../recipes/analytics-dashboard.data.yaml")),
        ("incident-triage.data.yaml", include_str!("../../recipes/incident-triage.data.yaml")),
        ("reviews.data.yaml", include_str!("../../recipes/reviews.data.yaml")),
        ("sprint-plan.data.yaml", include_str!("../../recipes/sprint-plan.data.yaml")),
        ("trivy.sarif", include_str!("../../recipes/trivy.sarif")),
    ]
}

impl Source {
    /// Reads a file. No more than the limit is ever held.
    ///
    /// # Errors
    /// It cannot be read, is too large, or is no text.
    pub fn read(path: &Path) -> Result<Self, SourceError> {
        Self::from_bytes(path.display().to_string(), &read_bounded(path, LARGEST_SOURCE)?)
    }

    /// The shipped recipe of that name.
    #[must_use]
    pub fn shipped(name: &str) -> Option<Self> {
        let (name, text) = shipped().iter().find(|(known, _)| *known == name)?;
        Some(Self { name: (*name).to_owned(), text: (*text).to_owned() })
    }

    /// Takes bytes for text. A byte order mark is skipped; line ends stay as they are.
    ///
    /// # Errors
    /// More than [`LARGEST_SOURCE`] bytes, a NUL byte, or bytes that are not UTF-8.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Result<Self, SourceError> {
        let name = name.into();
        if bytes.len() > LARGEST_SOURCE {
            return Err(SourceError::TooLarge { name });
        }
        if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
            return Err(SourceError::Nul { name, offset });
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text: text.strip_prefix('\u{feff}').unwrap_or(text).to_owned() }),
            Err(error) => Err(SourceError::NotUtf8 { name, offset: error.valid_up_to() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_megabytes_are_refused_unread() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(100 << 20).unwrap();
        assert!(matches!(Source::read(file.path()), Err(SourceError::Read(ReadError::TooLarge { .. }))));
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert!(
                matches!(Source::read(path), Err(SourceError::Read(ReadError::NotAFile { .. }))),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_file_at_the_limit_is_read() {
        let bytes = vec![b'#'; LARGEST_SOURCE];
        assert!(Source::from_bytes("a", &bytes).is_ok());
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(LARGEST_SOURCE as u64).unwrap();
        assert!(matches!(Source::read(file.path()), Err(SourceError::Nul { offset: 0, .. })));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        assert!(matches!(Source::from_bytes("a", b"ab\0"), Err(SourceError::Nul { offset: 2, .. })));
        assert!(matches!(Source::from_bytes("a", b"a\xff"), Err(SourceError::NotUtf8 { offset: 1, .. })));
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_carriage_returns_stay() {
        assert_eq!(Source::from_bytes("a", b"\xef\xbb\xbfa: b\r\n").unwrap().text, "a: b\r\n");
    }

    #[test]
    fn the_shipped_recipes_are_known_by_name() {
        for (name, _) in shipped() {
            assert!(Source::shipped(name).unwrap().text.contains(&format!("recipe: {name}\n")));
        }
        assert_eq!(Source::shipped("nope"), None);
    }
}
