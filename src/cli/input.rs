//! What is read from files that the command line names.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::settings;
use crate::catalog::Profile;
use crate::recipe::{self, Recipe, ShippedLibrary, Source};

/// The profile that a recipe is read with where no server is at hand: the one that the command line names,
/// else the recipe's own, else the plain one.
pub(super) fn profile_for(
    source: &Source,
    named: Option<&str>,
    trust: Option<&PathBuf>,
    environment: &Environment,
) -> Result<Profile, Fault> {
    match named {
        Some(name) => settings::profile(name, Path::new(".")),
        None => {
            let declared = recipe::declared_profile(source).unwrap_or_else(|| "plain".to_owned());
            let folder = environment.trust(trust).unwrap_or_else(|| PathBuf::from("."));
            settings::profile(&declared, &folder)
        }
    }
}

/// A recipe file, or a shipped recipe by its name.
pub(super) fn recipe_source(subject: &Path) -> Result<Source, Fault> {
    let shipped = subject.to_str().filter(|_| !subject.exists()).and_then(Source::shipped);
    match shipped {
        Some(source) => Ok(source),
        None => Source::read(subject).map_err(|error| {
            Fault::new(Exit::Invalid, error).hint("`loopgate list` names the shipped recipes")
        }),
    }
}

/// Reads and validates a recipe.
pub(super) fn load(source: Source, profile: &Profile) -> Result<Recipe, Fault> {
    recipe::load(source, &ShippedLibrary, profile).map_err(Fault::from)
}
