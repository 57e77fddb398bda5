//! What is read from files that the command line names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::lock_place::LockPlace;
use super::server::sandbox_location;
use super::settings::{self, Settings};
use crate::catalog::{Agreed, Allowed, Profile};
use crate::recipe::{self, Recipe, ShippedLibrary, Source};

/// The profile that a recipe is read with where no server is at hand: the one that the command line names,
/// else the recipe's own, else the plain one.
pub(super) fn profile_for(
    source: &Source,
    named: Option<&str>,
    trust: Option<&PathBuf>,
    environment: &Environment,
) -> Result<Arc<Profile>, Fault> {
    match named {
        Some(name) => settings::profile(name, Path::new(".")),
        None => {
            let declared = recipe::declared_profile(source).unwrap_or_else(|| "plain".to_owned());
            let folder =
                environment.trust(trust.map(PathBuf::as_path))?.unwrap_or_else(|| PathBuf::from("."));
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

/// Reads and validates a recipe, also against what was agreed on for the server.
pub(super) fn load(source: Source, profile: &Profile, agreed: &Agreed) -> Result<Recipe, Fault> {
    recipe::load_agreed(source, &ShippedLibrary, profile, agreed).map_err(Fault::from)
}

/// What was agreed on for the server that the recipe would run against: the one that is named, the recipe's, the
/// settings', or the only one that the lock has. Nothing is opened by it, so a checkout's own settings and lock do: they
/// make that checkout valid or not, and nothing else.
pub(super) fn agreed_for(
    source: &Source,
    server: Option<&str>,
    trust: Option<&PathBuf>,
    environment: &Environment,
) -> Result<Agreed, Fault> {
    let folder = environment.trust(trust.map(PathBuf::as_path))?.unwrap_or_else(|| PathBuf::from("."));
    let settings = Settings::read(&folder)?.unwrap_or_default();
    let read = LockPlace::of(&folder, Some(&settings)).read()?;
    let mut locked = read.map(|read| read.lock.servers).unwrap_or_default();
    let only = || if locked.len() == 1 { locked.keys().next().cloned() } else { None };
    let named = server.map(str::to_owned).or_else(|| recipe::declared_server(source)).or(settings.server);
    let named = match named {
        Some(name) if sandbox_location(&name).is_some() => Some("sandbox".to_owned()),
        named => named.or_else(only),
    };
    let Some(server) = named else { return Ok(Agreed::default()) };
    let allow = settings.servers.get(&server).and_then(|server| server.allow.clone());
    Ok(Agreed { lock: locked.remove(&server), allowed: Allowed::by(allow), server })
}
