//! Where records are kept: a folder with a file for each, or one file of many.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::filed::{ApprovalsError, MAX_FILES, MAX_SOURCE_BYTES, merged, parse};
use super::v1::Filed;
use crate::core::OutputFolder;
use crate::core::file::{ReadError, WriteError, read_bounded};

const MAX_SIGNATURE_BYTES: usize = 64 << 10;

/// Where approvals come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Every `*.json` of a folder; one that is not there has none.
    Folder(PathBuf),
    /// One file, which is there.
    File(PathBuf),
    /// What was read already, under a name for messages.
    Bytes(String, Vec<u8>),
}

/// The records of `source`, each once, in the order of their IDs; a record with two different signatures stands
/// there with each.
///
/// # Errors
/// [`ApprovalsError`]: whatever could have been a revocation and cannot be read.
pub fn read_approvals(source: &Source) -> Result<Vec<Filed>, ApprovalsError> {
    let filed = match source {
        Source::Folder(folder) => {
            let mut left = MAX_SOURCE_BYTES;
            let mut filed = Vec::new();
            for path in files(folder)? {
                filed.extend(file(&path, &mut left)?);
            }
            filed
        }
        Source::File(path) => file(path, &mut MAX_SOURCE_BYTES.clone())?,
        Source::Bytes(name, bytes) if bytes.len() > MAX_SOURCE_BYTES => {
            return Err(ApprovalsError::TooLarge { name: name.clone() });
        }
        Source::Bytes(name, bytes) => parse(name, bytes)?,
    };
    Ok(merged(filed))
}

/// Adds `filed` to `folder`, as `ID.json` and, where it is signed, `ID.json.sig`, and gives the path of the former.
///
/// # Errors
/// A link stands in the way, or the disk refuses; no record is then without the signature that it came with.
pub fn write_record(folder: &Path, filed: &Filed) -> Result<PathBuf, WriteError> {
    let folder = OutputFolder::new(folder);
    let name = format!("{}.json", filed.record.id);
    if let Some(signature) = &filed.signature {
        folder.write(&format!("{name}.sig"), signature.as_bytes())?;
    }
    folder.write(&name, &filed.record.bytes())
}

/// The files of `folder` that hold records, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, ApprovalsError> {
    let unreadable = |source| ApprovalsError::Folder { folder: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut names: Vec<OsString> = Vec::new();
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        if name.as_encoded_bytes().ends_with(b".json") {
            if names.len() == MAX_FILES {
                return Err(ApprovalsError::TooManyFiles { folder: folder.to_owned() });
            }
            names.push(name);
        }
    }
    names.sort();
    let paths: Vec<_> = names.into_iter().map(|name| folder.join(name)).collect();
    paths.iter().try_for_each(|path| refuse_link(path))?;
    Ok(paths)
}

/// The records of one file; `left` is how many bytes may still be read.
fn file(path: &Path, left: &mut usize) -> Result<Vec<Filed>, ApprovalsError> {
    let name = path.to_string_lossy();
    let bytes = match read_bounded(path, *left) {
        Err(ReadError::TooLarge { .. }) => return Err(ApprovalsError::TooLarge { name: name.into_owned() }),
        bytes => bytes?,
    };
    *left = left.saturating_sub(bytes.len());
    let mut filed = parse(&name, &bytes)?;
    if let Some(signature) = signature_beside(path)? {
        match filed.as_slice() {
            [Filed { record, .. }] => {
                filed.push(Filed { record: record.clone(), signature: Some(signature) })
            }
            _ => return Err(ApprovalsError::SignatureOfMany { name: name.into_owned() }),
        }
    }
    Ok(filed)
}

fn signature_beside(path: &Path) -> Result<Option<String>, ApprovalsError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".sig");
    let beside = PathBuf::from(beside);
    refuse_link(&beside)?;
    match read_bounded(&beside, MAX_SIGNATURE_BYTES) {
        Err(ReadError::Missing { .. }) => Ok(None),
        bytes => match String::from_utf8(bytes?) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(ApprovalsError::Signature { name: beside.to_string_lossy().into_owned() }),
        },
    }
}

fn refuse_link(path: &Path) -> Result<(), ApprovalsError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => {
            Err(ApprovalsError::Link { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::record::RecordError;
    use crate::approval::sample::{approve, filed};
    use crate::core::file::replace;

    fn read(folder: &Path) -> Result<Vec<Filed>, ApprovalsError> {
        read_approvals(&Source::Folder(folder.to_owned()))
    }

    #[test]
    fn what_is_written_is_read_with_its_signature() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("approvals");
        assert_eq!(read(&folder).unwrap(), []);
        let mut all =
            vec![filed(approve("alice")), Filed { record: approve("bob"), signature: Some("S\n".into()) }];
        for one in &all {
            let path = write_record(&folder, one).unwrap();
            assert_eq!(path, folder.join(format!("{}.json", one.record.id)));
            assert_eq!(fs::read(&path).unwrap(), one.record.bytes());
            assert_eq!(read_approvals(&Source::File(path)).unwrap(), std::slice::from_ref(one));
        }
        all.sort_by(|one, other| one.record.id.cmp(&other.record.id));
        assert_eq!(read(&folder).unwrap(), all);
        write_record(&folder, &filed(approve("bob"))).unwrap();
        assert_eq!(read(&folder).unwrap(), all);
    }

    #[test]
    fn a_signature_stands_before_its_record() {
        let temporary = tempfile::tempdir().unwrap();
        let one = Filed { record: approve("bob"), signature: Some("S".into()) };
        // A folder in the signature's place: it cannot be written, and so the record is not.
        fs::create_dir(temporary.path().join(format!("{}.json.sig", one.record.id))).unwrap();
        assert!(write_record(temporary.path(), &one).is_err());
        assert_eq!(read(temporary.path()).unwrap(), []);
    }

    #[test]
    fn only_json_files_are_looked_into_and_each_must_be_a_record() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        write_record(folder, &filed(approve("alice"))).unwrap();
        replace(&folder.join("README.md"), b"x").unwrap();
        replace(&folder.join("x.json.sig"), b"x").unwrap();
        fs::create_dir(folder.join("inner")).unwrap();
        replace(&folder.join("inner/x.json"), b"x").unwrap();
        assert_eq!(read(folder).unwrap().len(), 1);

        let other = folder.join(".z.json");
        for bytes in [b"".to_vec(), b"x".to_vec(), b"{}".to_vec(), approve("bob").bytes()[1..].to_vec()] {
            replace(&other, &bytes).unwrap();
            assert!(read(folder).unwrap_err().to_string().contains(".z.json"));
        }
        let damaged = String::from_utf8(approve("bob").bytes()).unwrap().replace("bob", "eve");
        replace(&other, damaged.as_bytes()).unwrap();
        assert!(matches!(read(folder), Err(ApprovalsError::Record(RecordError::Damaged { .. }))));
        fs::remove_file(&other).unwrap();
        fs::create_dir(&other).unwrap();
        assert!(matches!(read(folder), Err(ApprovalsError::Read(ReadError::NotAFile { .. }))));
    }

    #[test]
    fn a_signature_that_belongs_to_nothing_in_particular_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("all.json");
        replace(&path, &[approve("alice").bytes(), approve("bob").bytes()].concat()).unwrap();
        assert_eq!(read(temporary.path()).unwrap().len(), 2);
        let signature = temporary.path().join("all.json.sig");
        replace(&signature, b"S").unwrap();
        assert!(matches!(read(temporary.path()), Err(ApprovalsError::SignatureOfMany { .. })));
        replace(&path, &approve("alice").bytes()).unwrap();
        assert_eq!(read(temporary.path()).unwrap()[0].signature.as_deref(), Some("S"));
        replace(&signature, b"\xff").unwrap();
        assert!(matches!(read(temporary.path()), Err(ApprovalsError::Signature { .. })));
        replace(&signature, &[b'S'; MAX_SIGNATURE_BYTES + 1]).unwrap();
        assert!(matches!(read(temporary.path()), Err(ApprovalsError::Read(ReadError::TooLarge { .. }))));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        use std::os::unix::fs::symlink;
        let temporary = tempfile::tempdir().unwrap();
        let (folder, outside) = (temporary.path().join("in"), temporary.path().join("outside"));
        let path = write_record(&folder, &filed(approve("alice"))).unwrap();
        replace(&outside, &approve("bob").bytes()).unwrap();
        for name in ["x.json".to_owned(), format!("{}.json.sig", approve("alice").id)] {
            symlink(&outside, folder.join(&name)).unwrap();
            assert!(matches!(read(&folder), Err(ApprovalsError::Link { .. })), "{name}");
            fs::remove_file(folder.join(name)).unwrap();
        }
        symlink(temporary.path().join("nowhere"), folder.join("x.json")).unwrap();
        assert!(matches!(read(&folder), Err(ApprovalsError::Link { .. })));
        fs::remove_file(folder.join("x.json")).unwrap();
        assert_eq!(read_approvals(&Source::File(path)).unwrap().len(), 1);
    }

    #[test]
    fn a_source_has_an_end_and_a_file_that_is_named_is_there() {
        let temporary = tempfile::tempdir().unwrap();
        let nowhere = Source::File(temporary.path().join("nowhere.json"));
        assert!(matches!(read_approvals(&nowhere), Err(ApprovalsError::Read(_))));
        let large = Source::Bytes("-".to_owned(), vec![b' '; MAX_SOURCE_BYTES + 1]);
        assert!(matches!(read_approvals(&large), Err(ApprovalsError::TooLarge { .. })));
        let text = [approve("alice").bytes(), approve("alice").bytes()].concat();
        assert_eq!(read_approvals(&Source::Bytes("-".to_owned(), text)).unwrap(), [filed(approve("alice"))]);
        let path = write_record(temporary.path(), &filed(approve("alice"))).unwrap();
        assert!(matches!(file(&path, &mut 100), Err(ApprovalsError::TooLarge { .. })));
        let mut left = 10_000;
        file(&path, &mut left).unwrap();
        assert_eq!(left, 10_000 - approve("alice").bytes().len());
    }
}
