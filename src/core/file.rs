//! Files that are replaced whole or not at all, in a folder that nothing written leaves.

use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use tempfile::NamedTempFile;
use thiserror::Error;

/// A folder for results. Names are relative, and no link is followed on the way to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFolder {
    root: PathBuf,
}

/// Why a result could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The name is absolute, climbs, is empty or has a character that a file name should not have.
    #[error("`{}` is not a name inside the output folder", super::text::visible(name))]
    Outside {
        /// The name as it was given.
        name: String,
    },
    /// A link stands where a file or folder should.
    #[error("`{}` is a link, and results are not written through links", path.display())]
    Link {
        /// Where it stands.
        path: PathBuf,
    },
    /// The operating system refused; nothing is half-written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl OutputFolder {
    /// Names the folder; it is made with the first file.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Checks a name without touching the disk: relative, made of plain components, no control
    /// characters, no backslash.
    ///
    /// # Errors
    /// [`WriteError::Outside`].
    pub fn check_name(name: &str) -> Result<(), WriteError> {
        let plain = !name.is_empty()
            && name.len() <= 255
            && !name.ends_with('/')
            && !name.contains(['\\', ':'])
            && super::text::visible(name) == name
            && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
            && name.split('/').all(|part| !part.is_empty() && part != ".");
        if plain { Ok(()) } else { Err(WriteError::Outside { name: name.to_owned() }) }
    }

    /// Replaces `name` in the folder with `bytes`: whole or, on any error, not at all.
    ///
    /// # Errors
    /// The name leaves the folder, a link stands in the way, or the disk refuses.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, WriteError> {
        let path = self.place(name)?;
        replace(&path, bytes)?;
        Ok(path)
    }

    /// Like [`OutputFolder::write`], without waiting for the disk: for what can be made again where the machine
    /// itself ends before it is there.
    ///
    /// # Errors
    /// As for [`OutputFolder::write`].
    pub fn leave(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, WriteError> {
        let path = self.place(name)?;
        beside(folder_of(&path), bytes)?.persist(&path).map_err(|error| error.error)?;
        Ok(path)
    }

    /// Makes the place of `name` ready.
    fn place(&self, name: &str) -> Result<PathBuf, WriteError> {
        Self::check_name(name)?;
        let path = self.root.join(name);
        let mut folder = self.root.clone();
        fs::create_dir_all(&folder)?;
        if let Some(parent) = Path::new(name).parent() {
            for part in parent.components() {
                folder.push(part);
                refuse_link(&folder)?;
                match fs::create_dir(&folder) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error.into());
                    }
                    _ => {}
                }
            }
        }
        refuse_link(&path)?;
        Ok(path)
    }

    /// Removes `name` from the folder, if it is there.
    ///
    /// # Errors
    /// The name leaves the folder, a link stands there, or the disk refuses.
    pub fn remove(&self, name: &str) -> Result<(), WriteError> {
        Self::check_name(name)?;
        let path = self.root.join(name);
        refuse_link(&path)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Why a file was not read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Nothing stands there.
    #[error("there is no file `{}`", super::text::visible(&path.to_string_lossy()))]
    Missing {
        /// Where it should stand.
        path: PathBuf,
    },
    /// A folder, device or pipe.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// Where it stands.
        path: PathBuf,
    },
    /// More than was asked for.
    #[error("`{}` is larger than {most} bytes", path.display())]
    TooLarge {
        /// Where it stands.
        path: PathBuf,
        /// The limit.
        most: usize,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a regular file of `most` bytes at the most. No more than that is ever held.
///
/// # Errors
/// [`ReadError`].
pub fn read_bounded(path: &Path, most: usize) -> Result<Vec<u8>, ReadError> {
    // Asked before it is opened: to open a pipe is to wait for its writer.
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing { path: path.to_owned() },
        _ => error.into(),
    })?;
    if !found.is_file() {
        return Err(ReadError::NotAFile { path: path.to_owned() });
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(ReadError::TooLarge { path: path.to_owned(), most });
    }
    Ok(bytes)
}

/// Replaces the file at `path` with `bytes`: a temporary file beside it, synced, renamed over it,
/// and the folder synced.
///
/// # Errors
/// The disk refuses; the old file is then still there, whole.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    renamed(beside(folder_of(path), bytes)?, path)
}

fn renamed(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    #[cfg(unix)]
    fs::File::open(folder_of(path))?.sync_all()?;
    Ok(())
}

/// Like [`replace`], for what nobody else on this machine is to read.
///
/// # Errors
/// As for [`replace`].
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    renamed(beside_with(folder_of(path), bytes, 0o600)?, path)
}

/// A file with that content in the folder of the one that it will replace.
fn beside(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    beside_with(folder, bytes, 0o644)
}

#[cfg_attr(not(unix), expect(unused_variables, reason = "there are no modes"))]
fn beside_with(folder: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".loopgate-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn refuse_link(path: &Path) -> Result<(), WriteError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => Err(WriteError::Link { path: path.to_owned() }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let temporary = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(temporary.path().join("out"));
        out.write("a/b.json", b"one").unwrap();
        let path = out.write("a/b.json", b"two").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"two");
        assert_eq!(fs::read_dir(temporary.path().join("out/a")).unwrap().count(), 1);
    }

    #[test]
    fn only_a_regular_file_within_the_limit_is_read() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("x");
        replace(&path, b"four").unwrap();
        assert_eq!(read_bounded(&path, 4).unwrap(), b"four");
        assert!(matches!(read_bounded(&path, 3), Err(ReadError::TooLarge { most: 3, .. })));
        assert!(matches!(read_bounded(temporary.path(), 3), Err(ReadError::NotAFile { .. })));
        assert!(matches!(read_bounded(&path.join("y"), 3), Err(ReadError::Io(_))));
        let missing = read_bounded(&temporary.path().join("none"), 3).unwrap_err();
        assert!(missing.to_string().starts_with("there is no file `"), "{missing}");
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in
            ["", "/etc/passwd", "../x", "a/../x", "a//b", "./a", "a/", "a\\b", "c:x", "a\nb", "a\u{202e}b"]
        {
            assert!(OutputFolder::check_name(name).is_err(), "{name:?}");
        }
        for name in ["a", "a.json", "a/b/c.md", "übersicht.md", "..a"] {
            assert!(OutputFolder::check_name(name).is_ok(), "{name:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let temporary = tempfile::tempdir().unwrap();
        let outside = temporary.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let out = OutputFolder::new(temporary.path().join("out"));
        out.write("x", b"").unwrap();
        std::os::unix::fs::symlink(&outside, out.root().join("folder")).unwrap();
        std::os::unix::fs::symlink(outside.join("file"), out.root().join("file")).unwrap();
        for name in ["folder/file", "file"] {
            assert!(matches!(out.write(name, b"x"), Err(WriteError::Link { .. })), "{name}");
        }
        assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
    }
}
