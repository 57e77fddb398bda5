//! `--server replay:FILE`: a recording in a server's place.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::lock_place::LockPlace;
use super::policy::trust_for;
use super::role_settings::Role;
use super::server::{KnownServer, Reach, Trying, Wanted};
use super::settings::{Settings, profile_with_source};
use crate::catalog::{Agreed, Allowed, Profile};
use crate::core::file::read_bounded;
use crate::core::text::visible;
use crate::engine::{ReplayFact, Target, UnmadeCall};
use crate::mcp::recording::{MAX_BYTES, RecordingError, v1};
use crate::mcp::{Limits, Recording, Replay};
use crate::recipe::Source;

/// The recording's file, if that is what `name` means.
pub(super) fn recording_path(name: &str) -> Option<&Path> {
    name.strip_prefix("replay:").filter(|path| !path.is_empty()).map(Path::new)
}

/// Reads a recording.
pub(super) fn read_recording(path: &Path) -> Result<Recording, Fault> {
    let bytes = read_bounded(path, MAX_BYTES).map_err(Fault::invalid)?;
    Recording::read(&path.display().to_string(), &bytes).map_err(|error| {
        let exit = match &error {
            RecordingError::Damaged { .. } => Exit::Damaged,
            _ => Exit::Invalid,
        };
        Fault::new(exit, error).hint("`--record FILE` on a run makes one anew")
    })
}

/// The server that plays the recording. No settings are read and no credential is: it is all in the file, but for the
/// tool lock of the trust folder, where there is one.
pub(super) fn replayed(
    path: &Path,
    wanted: &Wanted<'_>,
    environment: &Environment,
) -> Result<KnownServer, Fault> {
    if wanted.role == Role::Write {
        return Err(Fault::new(Exit::Invalid, "a recording is named, and nothing can be written to one")
            .hint("name the server itself"));
    }
    let recording = read_recording(path)?;
    let shown = visible(&path.display().to_string()).into_owned();
    let v1::Document { server, tenant, profile, lock, allow, dry_runs, .. } = recording.document().clone();
    if let Some(named) = wanted.tenant.filter(|named| tenant.as_deref() != Some(*named)) {
        let recorded = match &tenant {
            Some(tenant) => format!("is of tenant `{}`", visible(tenant)),
            None => "was made without a named tenant".to_owned(),
        };
        return Err(Fault::new(
            Exit::SignIn,
            format!("`{shown}` {recorded}, and not of `{}`", visible(named)),
        )
        .hint("leave `--tenant` out, or record for that tenant"));
    }
    let (profile, profile_source) = match (wanted.profile, &profile.source) {
        (Some(named), _) => profile_with_source(named, Path::new("."))?,
        (None, Some(text)) => {
            let source = Source { name: format!("the profile in {shown}"), text: text.clone() };
            (Arc::new(Profile::parse(&source.name, &source.text).map_err(Fault::invalid)?), source)
        }
        (None, None) if Profile::shipped(&profile.name).is_some() => {
            profile_with_source(&profile.name, Path::new("."))?
        }
        (None, None) => {
            let message =
                format!("`{shown}` has the profile `{}`, which is not shipped", visible(&profile.name));
            return Err(Fault::new(Exit::Invalid, message).hint("record anew"));
        }
    };
    let mut target = Target::new(recording.identity(), false, tenant, profile);
    target.recorded = Some(server.identity);
    let place = match trust_for(wanted.trust, environment)? {
        Some(folder) => Some(LockPlace::of(&folder, Settings::read(&folder)?.as_ref())),
        None => None,
    };
    let replay = Replay::new(recording);
    Ok(KnownServer {
        target: target.agreed(Agreed { server: server.name.clone(), lock, allowed: Allowed::by(allow) }),
        name: server.name,
        profile_source,
        limits: Limits::default(),
        lock: place,
        trying: match dry_runs {
            v1::DryRuns::WithReads => Trying::Allowed,
            v1::DryRuns::Apart => Trying::Recorded(replay.clone()),
            v1::DryRuns::Withheld(why) => Trying::Withheld(why),
        },
        reach: Reach::Replay(replay),
    })
}

/// What was played, and what of it was not asked for.
pub(super) fn played(replay: &Replay) -> ReplayFact {
    let document = replay.recording().document();
    let unmade = replay
        .unmade()
        .into_iter()
        .map(|call| UnmadeCall { tool: call.tool.clone(), arguments: call.arguments.clone() });
    ReplayFact { recorded: document.server.identity.clone(), began: document.began, unmade: unmade.collect() }
}

/// That calls were recorded and not made, where there are any. It is no failure.
pub(super) fn unmade(replay: &ReplayFact) -> Option<String> {
    let tools: BTreeSet<&str> = replay.unmade.iter().map(|call| call.tool.as_str()).collect();
    let named: Vec<String> = tools.iter().map(|tool| format!("`{}`", visible(tool))).collect();
    let calls = match replay.unmade.len() {
        0 => return None,
        1 => "1 recorded call was".to_owned(),
        many => format!("{many} recorded calls were"),
    };
    Some(format!("note: {calls} not made: {}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_named_by_its_file() {
        assert_eq!(recording_path("replay:a/b.json"), Some(Path::new("a/b.json")));
        for name in ["replay", "replay:", "Replay:a", "a", ""] {
            assert_eq!(recording_path(name), None, "{name}");
        }
    }
}
