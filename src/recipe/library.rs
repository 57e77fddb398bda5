//! Where `include` finds recipes.

use std::path::{Component, Path, PathBuf};

use fs_err as fs;

use super::diagnostic::did_you_mean;
use super::source::{Source, shipped};
use crate::core::text::visible;

/// Resolves what an `include` names.
pub trait Library {
    /// The recipe that `reference` names in the source called `from`.
    ///
    /// # Errors
    /// There is none, in words and without the place.
    fn recipe(&self, reference: &str, from: &str) -> Result<Source, String>;
}

/// The shipped recipes by name, and files by a path relative to the including file's folder.
///
/// A path has plain components only (no `..`, not absolute), ends in `.yaml` or `.yml`, and no link stands
/// on it. A shipped recipe includes shipped ones only.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShippedLibrary;

impl Library for ShippedLibrary {
    fn recipe(&self, reference: &str, from: &str) -> Result<Source, String> {
        if let Some(source) = Source::shipped(reference) {
            return Ok(source);
        }
        let shown = visible(reference);
        let is_file = reference.ends_with(".yaml") || reference.ends_with(".yml");
        if !is_file || Source::shipped(from).is_some() {
            let hint = did_you_mean(reference, shipped().iter().map(|(name, _)| *name));
            return Err(format!("`{shown}` is no shipped recipe; {}", hint.unwrap_or_default()));
        }
        let path = Path::new(reference);
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || reference.contains('\\') || visible(reference) != reference {
            return Err(format!("`{shown}` is not a plain path below the including recipe's folder"));
        }
        let mut file = Path::new(from).parent().map(PathBuf::from).unwrap_or_default();
        for part in path.components() {
            file.push(part);
            match fs::symlink_metadata(&file) {
                Ok(metadata) if metadata.file_type().is_symlink() => {
                    return Err(format!(
                        "`{shown}` goes through a link, and recipes are not read through links"
                    ));
                }
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Source::read(&file).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shipped_name_comes_before_files() {
        assert_eq!(ShippedLibrary.recipe("evidence-graph", "x/y.yaml").unwrap().name, "evidence-graph");
        let error = ShippedLibrary.recipe("evidence-grph", "x/y.yaml").unwrap_err();
        assert!(error.contains("did you mean `evidence-graph`?"), "{error}");
    }

    #[test]
    fn a_file_is_found_beside_the_recipe_that_includes_it() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("main.yaml");
        std::fs::create_dir(folder.path().join("parts")).unwrap();
        crate::core::file::replace(&folder.path().join("parts/one.yaml"), b"a: b\n").unwrap();
        let source = ShippedLibrary.recipe("parts/one.yaml", from.to_str().unwrap()).unwrap();
        assert_eq!(source.text, "a: b\n");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_outside_the_folder_is_included() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        let secret = folder.path().join("secret.yaml");
        crate::core::file::replace(&secret, b"a: b\n").unwrap();
        std::os::unix::fs::symlink(&secret, inside.join("link.yaml")).unwrap();
        std::os::unix::fs::symlink(folder.path(), inside.join("up")).unwrap();
        let from = inside.join("main.yaml");
        for reference in
            ["../secret.yaml", secret.to_str().unwrap(), "link.yaml", "up/secret.yaml", "./../secret.yaml"]
        {
            assert!(ShippedLibrary.recipe(reference, from.to_str().unwrap()).is_err(), "{reference}");
        }
    }

    #[test]
    fn a_shipped_recipe_reads_no_files() {
        assert!(
            ShippedLibrary.recipe("x.yaml", "certify-release").unwrap_err().contains("no shipped recipe")
        );
    }
}
