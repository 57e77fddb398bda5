//! `--record FILE`: what the session asked and was answered, kept for a replay.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::environment::{ALWAYS, Environment};
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::policy::Trusted;
use super::server::{KnownServer, Reach, Trying};
use crate::catalog::Profile;
use crate::core::SecretText;
use crate::core::file::{read_bounded, replace_private};
use crate::core::text::visible;
use crate::engine::DryRuns;
use crate::mcp::recording::{About, MAX_BYTES, v1};
use crate::mcp::{Endpoint, Recorder};

/// A recording that is being made.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    recorder: Recorder,
    about: About,
}

impl Record {
    /// Makes sure that the recording can be kept at `path`, which is not in `out`, before anybody is asked.
    pub fn ready(
        path: &Path,
        out: &Path,
        server: &KnownServer,
        trust: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, Fault> {
        let shown = visible(&path.display().to_string()).into_owned();
        let refused = |exit, why: &str, hint: &str| {
            Err(Fault::new(exit, format!("`--record {shown}`: {why}")).hint(hint.to_owned()))
        };
        if server.replay().is_some() {
            return refused(
                Exit::Usage,
                "the server is a recording itself",
                "name the server that it is of, or copy the file",
            );
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let unusable = |error: &dyn std::fmt::Display| {
            Fault::new(Exit::Invalid, format!("`--record {shown}`: it cannot be kept there: {error}"))
        };
        let real = fs_err::canonicalize(folder).map_err(|error| unusable(&error))?;
        if fs_err::canonicalize(out).is_ok_and(|out| real.starts_with(out)) {
            return refused(
                Exit::Usage,
                "it would be among the results, which pipelines publish",
                "a recording holds what the server answered: name a file outside of the output folder",
            );
        }
        match fs_err::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(&error)),
            Ok(metadata) if metadata.is_file() && is_recording(path) => {}
            Ok(_) => {
                return refused(Exit::Invalid, "what is there is no recording", "name another file");
            }
        }
        // Found out now, not when everything is done.
        tempfile::tempfile_in(folder).map_err(|error| unusable(&error))?;
        let secrets = secrets(server, trust, environment)?;
        Ok(Self { path: path.to_owned(), recorder: Recorder::new(secrets), about: about(server) })
    }

    /// What is connected to, so that it is recorded.
    pub fn of(&self, endpoint: Endpoint) -> Endpoint {
        Endpoint::Recorded(Box::new(endpoint), self.recorder.clone())
    }

    /// The same of what writes are tried out with.
    pub fn of_dry_runs(&self, dry_runs: DryRuns) -> DryRuns {
        match dry_runs {
            DryRuns::Apart(endpoint) => DryRuns::Apart(Box::new(self.of(*endpoint))),
            other => other,
        }
    }

    /// Keeps what was recorded. Without a session, what was there before stays.
    pub fn finish(self, output: &Output) -> Result<(), Fault> {
        let shown = visible(&self.path.display().to_string()).into_owned();
        let unkept = |error: &dyn std::fmt::Display| {
            Fault::new(Exit::Invalid, format!("the recording `{shown}` was not kept: {error}"))
        };
        let Some(recording) = self.recorder.finish(self.about).map_err(|error| unkept(&error))? else {
            output
                .say(&format!("note: nothing was recorded, as there was no session; `{shown}` is as it was"));
            return Ok(());
        };
        replace_private(&self.path, recording.text().as_bytes()).map_err(|error| {
            Fault::internal(error).context(format!("the recording `{shown}` was not kept"))
        })?;
        let calls = recording.document().calls.len();
        output.say(&format!(
            "recorded: {calls} {} in `{shown}`; look through it before you share it: what only the server knows to be \
             secret stands in it",
            if calls == 1 { "call" } else { "calls" }
        ));
        Ok(())
    }
}

/// Whether a file is a recording, whole or not: nothing else is replaced by one.
pub(super) fn is_recording(path: &Path) -> bool {
    let read = read_bounded(path, MAX_BYTES).ok();
    let value: Option<Value> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    value.is_some_and(|value| value.get("format").is_some_and(|format| format == v1::FORMAT))
}

fn about(server: &KnownServer) -> About {
    let (target, fact) = (&server.target, server.target.profile_fact());
    let shipped = Profile::shipped(&server.profile_source.name).is_some();
    About {
        server: v1::Server { name: server.name.clone(), identity: target.identity.clone() },
        tenant: target.tenant.clone(),
        profile: v1::Profile {
            name: fact.name,
            digest: fact.digest,
            source: (!shipped).then(|| server.profile_source.text.clone()),
        },
        lock: target.agreed.lock.clone(),
        allow: target.agreed.allowed.list().cloned(),
        dry_runs: match &server.trying {
            Trying::Allowed => v1::DryRuns::WithReads,
            Trying::Apart { .. } | Trying::Recorded(_) => v1::DryRuns::Apart,
            Trying::Withheld(why) => v1::DryRuns::Withheld(why.clone()),
        },
    }
}

/// What must not show besides tokens, which the connection keeps to itself: the secrets that the settings name, as far
/// as they are here, and what they hand to the program. A value of fewer than 12 characters is a word.
fn secrets(
    server: &KnownServer,
    trust: Option<&Path>,
    environment: &Environment,
) -> Result<Vec<SecretText>, Fault> {
    let mut secrets = Vec::new();
    if let Some(trusted) = Trusted::read(trust, environment)? {
        let named = trusted.settings.secrets.iter();
        secrets.extend(named.filter_map(|(name, settings)| settings.read(name, environment).ok()));
    }
    if let Reach::Child(child) = &server.reach {
        secrets.extend(handed(&child.environment));
    }
    if let Trying::Apart { server, .. } = &server.trying {
        secrets.extend(handed(&environment.passed_on(&server.environment)));
    }
    Ok(secrets)
}

fn handed(variables: &std::collections::BTreeMap<String, String>) -> Vec<SecretText> {
    let named = variables.iter().filter(|(name, _)| !ALWAYS.contains(&name.as_str()));
    named.filter_map(|(_, value)| SecretText::new(value).ok()).collect()
}
