//! `loopgate lock`: a server's tools are recorded as they were reviewed, and held against what it offers now.

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{load, recipe_source};
use super::lock_arguments::{LockArguments, LockFormat};
use super::lock_place::{LockPlace, ReadLock};
use super::output::Output;
use super::profile::surveyed;
use super::server::{KnownServer, Wanted, find_unlocked};
use super::used::{Used, tools_of};
use crate::catalog::Agreed;
use crate::catalog::lock::{Asked, Listed, Lock, LockedServer, Role, compare, take};
use crate::core::text::visible;
use crate::engine::Surveyed;
use crate::report::{self, LockDone, LockView};

/// Records the server's tools, or compares them.
pub(super) fn lock(
    arguments: &LockArguments,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let LockArguments { recipes: _, asked, check, format } = arguments;
    let (server, trust) = (asked.server.as_deref(), asked.trust.as_deref());
    let server =
        find_unlocked(&Wanted { server, recipe: None, tenant: None, profile: None, trust }, environment)?;
    let Some(place) = &server.lock else {
        return Err(Fault::new(Exit::Invalid, "in CI the tool lock is not taken from a checkout")
            .hint("name the folder that it is in: `--trust DIR` or LOOPGATE_TRUST"));
    };
    let (done, asked, old) = match check {
        true => {
            let old = locked(place, &server)?;
            (LockDone::Checked, asked_for(arguments, &server, &old.1)?, Some(old))
        }
        false if *format == LockFormat::Sarif => {
            return Err(Fault::new(Exit::Usage, "`--format sarif` goes with `--check`"));
        }
        false => {
            let old =
                place.read_or_new()?.unwrap_or_else(|| ReadLock { lock: Lock::empty(), text: String::new() });
            let known = old.lock.servers.get(&server.name).cloned();
            let asked = Asked::Profile(every_tool(&server, known.as_ref()));
            (LockDone::Written, asked, known.map(|known| (old, known)))
        }
    };
    let surveyed = surveyed(&server, &[], environment)?;
    let listed = listed(&server, &surveyed);
    let before = old.as_ref().map(|(_, known)| known);
    let changes = before.map(|known| compare(known, &server.target.profile, &listed, &asked));
    let changes = changes.unwrap_or_default();
    let now = match done {
        LockDone::Checked => None,
        LockDone::Written => {
            let now = take(before, &server.target.profile, &listed);
            // Read again: what a person did to another server's part meanwhile is not undone.
            let mut lock = place.read_or_new()?.map_or_else(Lock::empty, |read| read.lock);
            lock.servers.insert(server.name.clone(), now.clone());
            place.write(&lock)?;
            Some(now)
        }
    };
    let file = place.path.display().to_string();
    let Some(shown) = now.as_ref().or(before) else {
        return Err(Fault::new(Exit::Internal, "neither an old lock nor a new one is there"));
    };
    let text = match done {
        LockDone::Checked => old.as_ref().map(|(read, _)| read.text.clone()).unwrap_or_default(),
        LockDone::Written => place.read_or_new()?.map(|read| read.text).unwrap_or_default(),
    };
    let view = LockView {
        server: &server.name,
        file: &file,
        text: &text,
        locked: shown,
        before,
        changes: &changes,
        done,
    };
    match format {
        LockFormat::Text => output.data(&report::lock_text(&view))?,
        LockFormat::Json => output.json(&report::lock_json(&view))?,
        LockFormat::Sarif => output.json(&report::lock_sarif(&view))?,
    }
    match done {
        LockDone::Checked if changes.iter().any(|change| change.fails) => {
            let message =
                format!("the tools of `{}` are not what `{}` says", visible(&server.name), visible(&file));
            let command = server.target.agreed.lock_command();
            output.fault(
                &Fault::new(Exit::Stale, message).hint(format!("once that is reviewed, run `{command}`")),
            );
            Ok(Exit::Stale)
        }
        LockDone::Checked => Ok(Exit::Done),
        LockDone::Written => {
            output.say("next: look through it, set classes that you know better (`class` with `\"class_by\": \"person\"`), and commit it");
            Ok(Exit::Done)
        }
    }
}

/// The lock and the server's part of it, which must be there.
fn locked(place: &LockPlace, server: &KnownServer) -> Result<(ReadLock, LockedServer), Fault> {
    let read = place.read()?;
    let known = read.as_ref().and_then(|read| read.lock.servers.get(&server.name)).cloned();
    read.zip(known).ok_or_else(|| {
        let file = place.path.display().to_string();
        let message = format!("`{}` has no tools of the server `{}`", visible(&file), visible(&server.name));
        Fault::new(Exit::Invalid, message)
            .hint(format!("`{}` takes them in", server.target.agreed.lock_command()))
    })
}

/// What must be as it is locked: what the recipes use, else the profile's operations.
fn asked_for(arguments: &LockArguments, server: &KnownServer, known: &LockedServer) -> Result<Asked, Fault> {
    if arguments.recipes.is_empty() {
        return Ok(Asked::Profile(every_tool(server, Some(known))));
    }
    // Recipes call tools by their own names where the lock has them.
    let agreed = Agreed { lock: Some(known.clone()), ..server.target.agreed.clone() };
    let mut used = Used::default();
    for path in &arguments.recipes {
        let source = recipe_source(path)?;
        used.add(&load(source.clone(), &server.target.profile, &agreed)?, &source);
    }
    Ok(Asked::Recipes(used.tools(&server.target.profile)))
}

/// The tools of all operations of the profile; of one that has none, all that are locked: any of them may be called by
/// its own name.
fn every_tool(server: &KnownServer, known: Option<&LockedServer>) -> std::collections::BTreeSet<String> {
    let profile = &server.target.profile;
    match (profile.operations.is_empty(), known) {
        (true, Some(known)) => known.tools.keys().cloned().collect(),
        _ => tools_of(profile, &profile.operations.keys().cloned().collect()),
    }
}

fn listed<'a>(server: &'a KnownServer, surveyed: &'a Surveyed) -> Listed<'a> {
    Listed {
        identity: &server.target.identity,
        name: &surveyed.server.name,
        version: &surveyed.server.version,
        role: Role::Read,
        tools: &surveyed.tools,
    }
}
