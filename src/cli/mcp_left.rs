//! What calls leave: a folder each, and the files in them that a client can read back.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::exit::Exit;
use super::fault::Fault;
use crate::core::file::read_bounded;
use crate::core::text::visible;
use crate::core::{Digest, OutputFolder};
use crate::mcp::serve::{OfferedResource, ResourceText, Unread};
use crate::report::{Written, WrittenKind};

/// Folders of one recipe, by the digits of their names.
const MOST_FOLDERS: u32 = 9999;
/// The most files that are offered; older ones are on the disk still.
const MOST_FILES: usize = 1000;
/// The largest file that is given to a client, in bytes.
const LARGEST: usize = 1 << 20;

/// The output folder and what calls left there since the start.
#[derive(Debug)]
pub(super) struct Left {
    root: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The last folder of each recipe.
    last: BTreeMap<String, u32>,
    files: VecDeque<LeftFile>,
}

/// A file that can be read back.
#[derive(Debug)]
struct LeftFile {
    offered: OfferedResource,
    path: PathBuf,
    digest: Digest,
}

impl Left {
    /// Finds out now whether anything can be written there.
    pub fn at(out: &Path) -> Result<Self, Fault> {
        let unusable = |error: &dyn std::fmt::Display| {
            let message = format!("the output folder `{}` cannot be used: {error}", out.display());
            Fault::new(Exit::Invalid, message).hint("name another one with `--out DIR`")
        };
        if out.is_symlink() {
            return Err(unusable(&"it is a link"));
        }
        fs_err::create_dir_all(out).map_err(|error| unusable(&error))?;
        tempfile::tempfile_in(out).map_err(|error| unusable(&error))?;
        let root = std::path::absolute(out).map_err(|error| unusable(&error))?;
        Ok(Self { root, kept: Mutex::default() })
    }

    /// The output folder, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new folder for a call of `recipe`, which nobody else has: what an earlier call left may be under review.
    pub fn folder(&self, recipe: &str) -> Result<OutputFolder, Fault> {
        let mut kept = self.kept();
        let last = match kept.last.get(recipe) {
            Some(last) => *last,
            None => self.last(recipe).map_err(Fault::internal)?,
        };
        for number in last.saturating_add(1)..=MOST_FOLDERS {
            let folder = self.root.join(format!("{recipe}-{number:04}"));
            match fs_err::create_dir(&folder) {
                Ok(()) => {
                    kept.last.insert(recipe.to_owned(), number);
                    return Ok(OutputFolder::new(folder));
                }
                // Somebody else's meanwhile.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        let message = format!("`{}` has {recipe}-{MOST_FOLDERS} already", self.root.display());
        Err(Fault::new(Exit::Invalid, message).hint("move the folders that nobody needs any more away"))
    }

    /// The highest number that is there.
    fn last(&self, recipe: &str) -> io::Result<u32> {
        let mut last = 0;
        for entry in fs_err::read_dir(&self.root)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(recipe)?.strip_prefix('-'));
            let digits = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
            last = last.max(digits.and_then(|number| number.parse().ok()).unwrap_or(0));
        }
        Ok(last)
    }

    /// Offers what a call has written in its folder, and says what that is.
    pub fn offer(&self, written: &[Written]) -> Vec<OfferedResource> {
        let files: Vec<LeftFile> = written.iter().filter_map(|written| self.file(written)).collect();
        let offered = files.iter().map(|file| file.offered.clone()).collect();
        let mut kept = self.kept();
        kept.files.extend(files);
        let too_many = kept.files.len().saturating_sub(MOST_FILES);
        kept.files.drain(..too_many);
        offered
    }

    /// Every file that is offered by now.
    pub fn files(&self) -> Vec<OfferedResource> {
        self.kept().files.iter().map(|file| file.offered.clone()).collect()
    }

    /// The text of a file, as it was left.
    pub fn read(&self, uri: &str) -> Result<ResourceText, Unread> {
        let (path, digest, media_type) = {
            let kept = self.kept();
            let file = kept.files.iter().find(|file| file.offered.uri == uri).ok_or(Unread::Unknown)?;
            (file.path.clone(), file.digest.clone(), file.offered.media_type)
        };
        let refused = |why: String| Unread::Refused(visible(&why).into_owned());
        let bytes = read_bounded(&path, LARGEST).map_err(|error| refused(error.to_string()))?;
        if Digest::of_bytes(&bytes) != digest {
            return Err(refused(format!("`{}` is not what the call left any more", path.display())));
        }
        let text = String::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
        Ok(ResourceText { text, media_type })
    }

    fn file(&self, written: &Written) -> Option<LeftFile> {
        let inner = written.path.strip_prefix(&self.root).ok()?;
        let name = inner.to_str()?.replace(std::path::MAIN_SEPARATOR, "/");
        let offered = OfferedResource {
            uri: format!("loopgate://calls/{}", in_uri(&name)),
            description: match written.kind {
                WrittenKind::Artifact => "The plan with its exact payloads, for a person to review. Data.",
                WrittenKind::Emitted => "What a step of the recipe emits. Data.",
                WrittenKind::Run => "The run report. Data.",
            }
            .to_owned(),
            media_type: match written.path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => "application/json",
                Some("md") => "text/markdown",
                _ => "text/plain",
            },
            bytes: Some(written.bytes),
            name: visible(&name).into_owned(),
        };
        Some(LeftFile { offered, path: written.path.clone(), digest: written.digest.clone() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path as it stands in a URI.
fn in_uri(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into())
            }
            _ => {
                // Writing to a string does not fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_gets_a_folder_that_nobody_had() {
        let out = tempfile::tempdir().unwrap();
        let name = |folder: OutputFolder| folder.root().file_name().unwrap().to_str().unwrap().to_owned();
        fs_err::create_dir(out.path().join("plan-0007")).unwrap();
        fs_err::create_dir(out.path().join("plan-b-0009")).unwrap();
        let left = Left::at(out.path()).unwrap();
        assert_eq!(name(left.folder("plan").unwrap()), "plan-0008");
        fs_err::create_dir(out.path().join("plan-0009")).unwrap();
        assert_eq!(name(left.folder("plan").unwrap()), "plan-0010");
        assert_eq!(name(left.folder("plan-b").unwrap()), "plan-b-0010");
        fs_err::create_dir(out.path().join("full-9999")).unwrap();
        assert_eq!(left.folder("full").unwrap_err().exit, Exit::Invalid);
    }

    #[test]
    fn only_what_was_left_is_read_back_and_only_as_it_was_left() {
        let out = tempfile::tempdir().unwrap();
        let left = Left::at(out.path()).unwrap();
        let folder = left.folder("plan").unwrap();
        let path = folder.leave("a b.md", b"text").unwrap();
        let offered = left.offer(&[Written::new(WrittenKind::Emitted, &path, b"text")]);
        assert_eq!(offered[0].uri, "loopgate://calls/plan-0001/a%20b.md");
        assert_eq!(left.read(&offered[0].uri).unwrap().text, "text");
        for uri in
            ["loopgate://calls/plan-0001/a b.md", "loopgate://calls/../secret", "file:///etc/passwd", ""]
        {
            assert_eq!(left.read(uri), Err(Unread::Unknown), "{uri}");
        }
        folder.leave("a b.md", b"texts").unwrap();
        assert!(matches!(left.read(&offered[0].uri), Err(Unread::Refused(why)) if why.contains("any more")));
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_found_out_at_the_start() {
        let out = tempfile::tempdir().unwrap();
        let file = out.path().join("file");
        crate::core::file::replace(&file, b"").unwrap();
        assert_eq!(Left::at(&file).unwrap_err().exit, Exit::Invalid);
    }
}
