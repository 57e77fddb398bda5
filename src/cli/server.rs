//! From the server's name to a connection that can be made.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::lock_place::LockPlace;
use super::output::Output;
use super::policy::trust_for;
use super::replay::{recording_path, replayed};
use super::role_settings::Role;
use super::server_settings::Server;
use super::settings::{FILE_NAME, Settings, profile_with_source};
use super::url_password::has_credential;
use crate::artifact::Artifact;
use crate::catalog::{Agreed, Allowed, Profile};
use crate::core::text::visible;
use crate::engine::{DryRuns, Target};
use crate::mcp::{ChildCommand, Endpoint, HttpServer, Limits, Replay};
use crate::recipe::Source;
use crate::sandbox::{Location, Sandbox};

/// Where the sandbox keeps its database where nobody says otherwise.
pub(super) const SANDBOX_DATABASE: &str = ".loopgate/sandbox.db";

/// A server that is known, and how it is reached.
#[derive(Debug)]
pub(super) struct KnownServer {
    /// What the settings call it.
    pub name: String,
    pub target: Target,
    /// The text of the target's profile.
    pub profile_source: Source,
    pub limits: Limits,
    /// Where its tool lock is, where there may be one.
    pub lock: Option<LockPlace>,
    pub(super) reach: Reach,
    pub(super) trying: Trying,
}

/// With which credential planned writes are tried out.
#[derive(Debug)]
pub(super) enum Trying {
    /// With the one that reads.
    Allowed,
    /// With one of its own, which is not read yet.
    Apart { server: Box<Server>, folder: PathBuf },
    /// As they were with one of its own, where the server is a recording.
    Recorded(Replay),
    /// With none. Why.
    Withheld(String),
}

#[derive(Debug)]
pub(super) enum Reach {
    Sandbox(Location),
    Child(ChildCommand),
    Http(HttpServer),
    Replay(Replay),
}

/// Who asks for which server.
pub(super) struct Wanted<'a> {
    /// From the command line or its environment variable.
    pub server: Option<&'a str>,
    /// From the recipe.
    pub recipe: Option<&'a str>,
    /// From the command line or its environment variable.
    pub tenant: Option<&'a str>,
    /// A profile to read it with instead of the settings' own, from the command line.
    pub profile: Option<&'a str>,
    /// The trust folder, where one is named.
    pub trust: Option<&'a Path>,
    /// What the server is asked for.
    pub role: Role,
}

/// Finds the server: the command line's, else the recipe's, else the settings'; with its part of the tool lock.
pub(super) fn find(wanted: &Wanted<'_>, environment: &Environment) -> Result<KnownServer, Fault> {
    let mut found = find_unlocked(wanted, environment)?;
    let read = found.lock.as_ref().map(LockPlace::read).transpose()?.flatten();
    let locked = read.and_then(|mut read| read.lock.servers.remove(&found.name));
    // A recording brings the one along that was in force.
    if locked.is_some() || found.replay().is_none() {
        found.target.agreed.lock = locked;
    }
    Ok(found)
}

/// Like [`find`], for whoever makes the lock or compares it: the server is as if there were none.
pub(super) fn find_unlocked(wanted: &Wanted<'_>, environment: &Environment) -> Result<KnownServer, Fault> {
    // A recipe may come from a pull request, which must not turn a gate to the sandbox.
    if wanted.server.is_none() && wanted.recipe.and_then(sandbox_location).is_some() {
        return Err(Fault::new(Exit::Invalid, "the recipe names the sandbox")
            .hint("only the command line does: `--server sandbox`"));
    }
    if wanted.server.is_none() && wanted.recipe.and_then(recording_path).is_some() {
        return Err(Fault::new(Exit::Invalid, "the recipe names a recording")
            .hint("only the command line does: `--server replay:FILE`"));
    }
    if let Some(path) = wanted.server.and_then(recording_path) {
        return replayed(path, wanted, environment);
    }
    if let Some(location) = wanted.server.and_then(sandbox_location) {
        let (profile, profile_source) =
            profile_with_source(wanted.profile.unwrap_or("loopiq"), Path::new("."))?;
        let (name, tenant) = ("sandbox".to_owned(), wanted.tenant.map(str::to_owned));
        let lock = match trust_for(wanted.trust, environment)? {
            Some(folder) => Some(LockPlace::of(&folder, Settings::read(&folder)?.as_ref())),
            None => None,
        };
        return Ok(KnownServer {
            name: name.clone(),
            target: Target::new(name, true, tenant, profile),
            profile_source,
            limits: Limits::default(),
            lock,
            reach: Reach::Sandbox(location),
            trying: Trying::Allowed,
        });
    }
    for (name, wrong) in [(wanted.server, Exit::Usage), (wanted.recipe, Exit::Invalid)] {
        // The URL itself is not repeated: whoever reads the log would have the password.
        if name.is_some_and(has_credential) {
            return Err(Fault::new(wrong, "the server is named by a URL with a name or a password before its host")
                .hint("name one of loopgate.yaml, which says where its `token` comes from; and change that password"));
        }
    }
    let folder = trust_folder(wanted, environment)?;
    let settings = Settings::read(&folder)?;
    let name = wanted.server.or(wanted.recipe).or_else(|| settings.as_ref()?.server.as_deref());
    let Some(name) = name else {
        return Err(Fault::new(Exit::Invalid, "no server is named")
            .hint(format!("add `--server sandbox` for the embedded sandbox, or name one in {FILE_NAME}")));
    };
    if sandbox_location(name).is_some() || recording_path(name).is_some() {
        return Err(Fault::new(Exit::Invalid, format!("the settings name `{name}`"))
            .hint("only the command line names the sandbox or a recording: `--server sandbox`"));
    }
    let Some(server) = settings.as_ref().and_then(|settings| settings.servers.get(name)) else {
        let known: Vec<&str> =
            settings.iter().flat_map(|settings| settings.servers.keys().map(String::as_str)).collect();
        let hint = match (&settings, known.is_empty()) {
            (None, _) => format!("`{}` does not exist", folder.join(FILE_NAME).display()),
            (Some(_), true) => format!("`{}` has no servers", folder.join(FILE_NAME).display()),
            (Some(_), false) => format!("the settings have: {}", known.join(", ")),
        };
        return Err(Fault::new(Exit::Invalid, format!("no server is called `{name}`")).hint(hint));
    };
    let tenant = wanted
        .tenant
        .or(server.tenant.as_deref())
        .or_else(|| settings.as_ref()?.tenant.as_deref())
        .map(str::to_owned);
    let (profile, profile_source) = match wanted.profile {
        // A profile says what only reads, which is not a pull request's to say.
        Some(profile) if environment.is_ci() && Profile::shipped(profile).is_none() => {
            return Err(Fault::new(
                Exit::Invalid,
                "in CI a server is read with the profile that the settings name, because a pull request can change another",
            )
            .hint("name it as the server's `profile` in the trust folder's loopgate.yaml"));
        }
        Some(profile) => profile_with_source(profile, Path::new("."))?,
        None => profile_with_source(&server.profile, &server.home)?,
    };
    let trying = match server.dry_running(name)? {
        Some(apart) => Trying::Apart { server: Box::new(apart), folder: server.home.clone() },
        None if server.dry_runs => Trying::Allowed,
        None => Trying::Withheld(format!("the settings of `{name}` do not say `dry_runs: true`")),
    };
    let mut target = Target::new(server.identity(name)?, false, tenant, profile.clone());
    target.tenants = server.tenants.clone().unwrap_or_default().rules(server, name)?;
    let reach = match server.playing(wanted.role, name)?.endpoint(name, &server.home, environment)? {
        Endpoint::Http(server) => Reach::Http(server),
        Endpoint::Child(child) if profile.context.headers().next().is_none() => Reach::Child(child),
        _ => {
            return Err(Fault::new(
                Exit::Invalid,
                format!("the profile `{}` sends headers, and `{name}` is a program", profile.profile),
            )
            .hint("only a server with a `url` gets headers: use `meta` or `argument` in the profile"));
        }
    };
    Ok(KnownServer {
        name: name.to_owned(),
        profile_source,
        target: target.agreed(Agreed {
            server: name.to_owned(),
            lock: None,
            allowed: Allowed::by(server.allow.clone()),
        }),
        lock: Some(LockPlace::of(&folder, settings.as_ref())),
        limits: server.limits()?,
        reach,
        trying,
    })
}

/// Finds the server that an artifact is for. The command line only says where a sandbox keeps its data.
pub(super) fn find_for(
    artifact: &Artifact,
    server: Option<&str>,
    trust: Option<&Path>,
    environment: &Environment,
) -> Result<KnownServer, Fault> {
    let target = artifact.target();
    let moved = |found: &str| {
        let identity = &target.server.identity;
        Fault::new(Exit::Stale, format!("the artifact is for the server `{identity}`, and not for `{found}`"))
            .hint("an approval names its server: plan again for another one")
    };
    match (target.sandbox, server) {
        (true, None) if environment.is_ci() => {
            Err(Fault::new(Exit::Invalid, "the artifact is about the embedded sandbox")
                .hint("in CI that has to be said: `--server sandbox`"))
        }
        (true, Some(named)) if sandbox_location(named).is_none() => Err(moved(named)),
        (true, named) => {
            let (server, tenant) = (Some(named.unwrap_or("sandbox")), target.tenant.as_deref());
            find(&for_writes(server, tenant, trust), environment)
        }
        (false, named) => {
            let named = match named {
                Some(named) => named.to_owned(),
                None => named_for(artifact, trust, environment)?,
            };
            let found = find(&for_writes(Some(&named), None, trust), environment)?;
            if found.target.identity == target.server.identity { Ok(found) } else { Err(moved(&named)) }
        }
    }
}

fn for_writes<'a>(server: Option<&'a str>, tenant: Option<&'a str>, trust: Option<&'a Path>) -> Wanted<'a> {
    Wanted { server, recipe: None, tenant, profile: None, trust, role: Role::Write }
}

/// The name in the settings of the server that an artifact is for: the one with its identity; of several the
/// one for its tenant.
fn named_for(artifact: &Artifact, trust: Option<&Path>, environment: &Environment) -> Result<String, Fault> {
    let target = artifact.target();
    let identity = &target.server.identity;
    let wanted = for_writes(Some(identity), None, trust);
    let folder = trust_folder(&wanted, environment)?;
    let settings = Settings::read(&folder)?.unwrap_or_default();
    let mut same = Vec::new();
    for (name, server) in &settings.servers {
        if server.identity(name)? == *identity {
            same.push((name, server));
        }
    }
    if same.len() > 1 {
        same.retain(|(_, server)| server.tenant == target.tenant);
    }
    match same.as_slice() {
        [(name, _)] => Ok((*name).clone()),
        [] => {
            // Says what the settings have instead.
            find(&wanted, environment).map(|_| identity.clone())
        }
        [..] => Err(Fault::new(
            Exit::Invalid,
            format!("several servers of the settings are `{}`", visible(identity)),
        )
        .hint("name the one to use: `--server NAME`")),
    }
}

impl KnownServer {
    /// With what planned writes are tried out. Reads the credential that is meant for that.
    pub fn dry_runs(&self, environment: &Environment) -> Result<DryRuns, Fault> {
        Ok(match &self.trying {
            Trying::Allowed => DryRuns::Allowed,
            Trying::Withheld(why) => DryRuns::Withheld(why.clone()),
            Trying::Apart { server, folder } => {
                DryRuns::Apart(Box::new(server.endpoint(&self.name, folder, environment)?))
            }
            Trying::Recorded(replay) => DryRuns::Apart(Box::new(Endpoint::Replay(replay.clone()))),
        })
    }

    /// Where it keeps its data, where it is the embedded sandbox.
    pub fn sandbox(&self) -> Option<&Location> {
        match &self.reach {
            Reach::Sandbox(location) => Some(location),
            Reach::Child(_) | Reach::Http(_) | Reach::Replay(_) => None,
        }
    }

    /// What is played, where it is a recording.
    pub fn replay(&self) -> Option<&Replay> {
        match &self.reach {
            Reach::Replay(replay) => Some(replay),
            Reach::Sandbox(_) | Reach::Child(_) | Reach::Http(_) => None,
        }
    }

    /// Tells that it is a recording, where it is one: for outputs that are about a server and not about a run.
    pub fn told(&self, output: &Output) {
        if let (Some(_), Some(recorded)) = (self.replay(), &self.target.recorded) {
            let recorded = visible(recorded);
            output.say(&format!(
                "note: this is the replay of a recording of `{recorded}`; no server was asked"
            ));
        }
    }

    /// Makes the connection possible: opens the sandbox and serves it, or says which child to start.
    /// Runs inside the asynchronous runtime.
    pub fn endpoint(&self) -> Result<Endpoint, Fault> {
        match &self.reach {
            Reach::Child(child) => Ok(Endpoint::Child(child.clone())),
            Reach::Http(server) => Ok(Endpoint::Http(server.clone())),
            Reach::Replay(replay) => Ok(Endpoint::Replay(replay.clone())),
            Reach::Sandbox(location) => {
                let sandbox = Sandbox::open(location).map_err(Fault::invalid)?;
                let (ours, theirs) = tokio::io::duplex(1 << 20);
                tokio::spawn(async move {
                    if let Err(error) = sandbox.serve(theirs).await {
                        tracing::warn!(%error, "the sandbox ended");
                    }
                });
                Ok(Endpoint::Stream(ours))
            }
        }
    }
}

/// A fault where only words go on.
pub(super) fn in_words(fault: Fault) -> String {
    let hint = fault.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{:#}{hint}", fault.error)
}

/// Where the sandbox keeps its data, if that is what `name` means.
pub(super) fn sandbox_location(name: &str) -> Option<Location> {
    match name.split_once(':') {
        None if name == "sandbox" => Some(Location::File(PathBuf::from(SANDBOX_DATABASE))),
        Some(("sandbox", "memory")) => Some(Location::Memory),
        Some(("sandbox", path)) if !path.is_empty() => Some(Location::File(PathBuf::from(path))),
        _ => None,
    }
}

/// The trust folder: named, or the working folder outside of CI.
fn trust_folder(wanted: &Wanted<'_>, environment: &Environment) -> Result<PathBuf, Fault> {
    match environment.trust(wanted.trust)? {
        Some(folder) => Ok(folder),
        None if environment.is_ci() && (wanted.server.is_some() || Path::new(FILE_NAME).exists()) => {
            Err(Fault::new(
                Exit::Invalid,
                "in CI the settings of a checkout are not trusted, because a pull request can change them",
            )
            .hint("name a folder from the protected branch: `--trust DIR` or LOOPGATE_TRUST"))
        }
        None => Ok(PathBuf::from(".")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_is_used_only_when_it_is_named() {
        assert_eq!(sandbox_location("sandbox"), Some(Location::File(SANDBOX_DATABASE.into())));
        assert_eq!(sandbox_location("sandbox:memory"), Some(Location::Memory));
        assert_eq!(sandbox_location("sandbox:a/b.db"), Some(Location::File("a/b.db".into())));
        for name in ["", "Sandbox", "sandbox:", "sandboxes", "loopiq"] {
            assert_eq!(sandbox_location(name), None, "{name}");
        }
        let nobody = Wanted {
            server: None,
            recipe: None,
            tenant: None,
            profile: None,
            trust: Some(Path::new("/nowhere")),
            role: Role::Plan,
        };
        assert_eq!(find(&nobody, &Environment::default()).unwrap_err().exit, Exit::Invalid);
    }

    #[test]
    fn a_checkouts_settings_are_not_trusted_in_ci() {
        let mut environment = Environment::default();
        environment.variables.insert("CI".into(), "true".into());
        let wanted = for_writes(Some("mine"), None, None);
        let fault = find(&wanted, &environment).unwrap_err();
        assert_eq!(fault.exit, Exit::Invalid);
        assert!(fault.hint.unwrap().contains("--trust"));
    }
}
