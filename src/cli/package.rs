//! A package that `compliance-package` left, and the audit bundles that are added to it.

use std::path::Path;

use super::exit::Exit;
use super::fault::Fault;
use crate::core::file::{WriteError, read_bounded};
use crate::core::json::parse_strict;
use crate::core::printable::indented;
use crate::core::text::{excerpt, visible};
use crate::core::{Digest, OutputFolder};
use crate::evidence::brief::package_v1::{Entry, Manifest};

const MANIFEST: &str = "manifest.json";
/// The largest manifest, and the largest file of a package, in bytes.
const LARGEST_MANIFEST: usize = 16 << 20;
const LARGEST_FILE: usize = 1 << 30;

/// A package whose files are what its manifest says.
#[derive(Debug)]
pub(super) struct Package {
    folder: OutputFolder,
    manifest: Manifest,
}

impl Package {
    /// Opens the package in a folder. Exit 3 where there is none, 22 where a file is not what the manifest says.
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join(MANIFEST);
        let shown = path.display().to_string();
        let refused = |why: &str| {
            Fault::new(Exit::Invalid, format!("`{}` {why}", visible(&shown)))
                .hint("nothing was done; name the folder `package` that `compliance-package` left")
        };
        let bytes = read_bounded(&path, LARGEST_MANIFEST).map_err(Fault::invalid)?;
        let manifest = parse_strict(&bytes).map_err(|error| error.to_string()).and_then(|manifest| {
            serde_json::from_value::<Manifest>(manifest).map_err(|error| error.to_string())
        });
        let manifest = manifest
            .map_err(|error| refused(&format!("is no manifest of a package: {}", excerpt(&error, 300))))?;
        for Entry { name, digest, bytes: _ } in &manifest.files {
            if OutputFolder::check_name(name).is_err() {
                return Err(refused("lists a file without a plain name"));
            }
            let bytes = read_bounded(&folder.join(name), LARGEST_FILE).map_err(Fault::invalid)?;
            if Digest::of_bytes(&bytes) != *digest {
                let message = format!("`{name}` of the package is not the file that its manifest lists");
                return Err(Fault::new(Exit::Damaged, message)
                    .hint("nothing was done; `compliance-package` makes the package anew"));
            }
        }
        Ok(Self { folder: OutputFolder::new(folder), manifest })
    }

    /// Adds a file, or replaces the one of that name, and lists it.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let failed = |error: WriteError| Fault::internal(error);
        self.folder.write(name, bytes).map_err(failed)?;
        self.manifest.list(Entry::new(name, bytes));
        let manifest = serde_json::to_value(&self.manifest).map_err(Fault::internal)?;
        let text = format!("{}\n", indented(&manifest).trim_end());
        self.folder.write(MANIFEST, text.as_bytes()).map_err(failed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::core::file::replace;

    fn package(files: &Value) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let manifest = json!({"format": "loopgate.package/1", "release": "REL-1", "certification": null, "complete": true, "files": files});
        replace(&folder.path().join(MANIFEST), manifest.to_string().as_bytes()).unwrap();
        replace(&folder.path().join("b.json"), b"b").unwrap();
        folder
    }

    fn listed(name: &str, content: &str) -> Value {
        json!({"name": name, "digest": Digest::of_bytes(content.as_bytes()), "bytes": content.len()})
    }

    #[test]
    fn what_is_added_is_listed_in_its_place_and_once() {
        let folder = package(&json!([listed("b.json", "b")]));
        for content in ["old", "new"] {
            Package::open(folder.path()).unwrap().add("audit/a.tar", content.as_bytes()).unwrap();
        }
        let text = fs_err::read_to_string(folder.path().join(MANIFEST)).unwrap();
        let manifest: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(manifest["files"], json!([listed("audit/a.tar", "new"), listed("b.json", "b")]));
        assert!(manifest["complete"] == true && text.ends_with("}\n"));
        assert_eq!(fs_err::read(folder.path().join("audit/a.tar")).unwrap(), b"new");
    }

    #[test]
    fn a_package_that_is_not_what_its_manifest_says_gets_nothing_added() {
        let exit = |files: Value| Package::open(package(&files).path()).unwrap_err().exit;
        assert_eq!(exit(json!([listed("b.json", "other")])), Exit::Damaged);
        assert_eq!(exit(json!([listed("../b.json", "b")])), Exit::Invalid);
        assert_eq!(exit(json!([listed("gone.json", "b")])), Exit::Invalid);
        assert_eq!(exit(json!([{"name": "b.json"}])), Exit::Invalid);
        assert_eq!(exit(json!(null)), Exit::Invalid);
        let other = package(&json!([]));
        replace(&other.path().join(MANIFEST), b"{}").unwrap();
        assert_eq!(Package::open(other.path()).unwrap_err().exit, Exit::Invalid);
        assert_eq!(Package::open(Path::new("/nowhere")).unwrap_err().exit, Exit::Invalid);
    }
}
