//! `loopgate show`: an artifact as a reviewer must see it, or what a recipe does.

use std::path::Path;

use super::arguments::{Show, ShowFormat};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{agreed_for, load, profile_for, recipe_source};
use super::output::Output;
use crate::artifact::{self, Artifact, ReadError};
use crate::core::file::{self, read_bounded};
use crate::core::printable::printable;
use crate::core::text::visible;
use crate::report;

/// Shows an artifact (a `.json` file) or a recipe.
pub(super) fn show(arguments: &Show, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    if arguments.subject.extension().is_some_and(|extension| extension == "json") {
        let artifact = read_artifact(&arguments.subject)?;
        match arguments.format {
            ShowFormat::Text => output.data(&report::artifact_text(&artifact, &output.stdout))?,
            ShowFormat::Json => output.data(&printable(&String::from_utf8_lossy(artifact.bytes())))?,
            ShowFormat::Markdown => output.data(&report::artifact_markdown(&artifact))?,
        }
        return Ok(Exit::Done);
    }
    let source = recipe_source(&arguments.subject)?;
    let profile = profile_for(&source, arguments.profile.as_deref(), None, environment)?;
    let agreed = agreed_for(&source, None, None, environment)?;
    let recipe = load(source, &profile, &agreed)?;
    match arguments.format {
        ShowFormat::Text => output.data(&report::recipe_text(&recipe, &profile, &output.stdout))?,
        ShowFormat::Json => output.json(&report::recipe_json(&recipe, &profile))?,
        ShowFormat::Markdown => output.data(&report::recipe_markdown(&recipe, &profile))?,
    }
    Ok(Exit::Done)
}

/// Reads an artifact that somebody wants to approve or apply.
pub(super) fn read_real_artifact(path: &Path) -> Result<Artifact, Fault> {
    let artifact = read_artifact(path)?;
    if artifact.is_replay() {
        let message = format!("`{}` is from the replay of a recording", visible(&path.display().to_string()));
        return Err(Fault::new(Exit::Invalid, message)
            .hint("nothing of a replay is approved or applied: plan against the server itself"));
    }
    Ok(artifact)
}

/// Reads an artifact and checks its digests.
pub(super) fn read_artifact(path: &Path) -> Result<Artifact, Fault> {
    let bytes = read_bounded(path, artifact::MAX_BYTES).map_err(|error| {
        let is_missing = matches!(error, file::ReadError::Missing { .. });
        let fault = Fault::invalid(error);
        if is_missing { fault.hint("plan first, or name the artifact") } else { fault }
    })?;
    Artifact::read(&path.display().to_string(), &bytes).map_err(|error| {
        let exit = match &error {
            ReadError::FileDigest { .. } | ReadError::EffectDigest { .. } | ReadError::Derived { .. } => {
                Exit::Damaged
            }
            _ => Exit::Invalid,
        };
        Fault::new(exit, error)
    })
}
