//! `loopgate lock`: a server's tools are recorded as they were reviewed, and held against what it offers now.

use std::collections::BTreeSet;

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{load, recipe_source};
use super::lock_arguments::{LockArguments, LockFormat};
use super::lock_place::{LockPlace, ReadLock};
use super::output::Output;
use super::profile::surveyed;
use super::profile_arguments::AskedServer;
use super::reports::Reports;
use super::role_settings;
use super::server::{KnownServer, Wanted, find_unlocked};
use super::used::{Used, tools_of};
use crate::catalog::Agreed;
use crate::catalog::lock::{Asked, Listed, Lock, LockedServer, Role, compare, take};
use crate::core::text::visible;
use crate::engine::Surveyed;
use crate::report::{self, LockDone, LockView, Sheet};

/// Records the server's tools, or compares them.
pub(super) fn lock(
    arguments: &LockArguments,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let AskedServer { server, trust } = &arguments.asked;
    let (server, trust) = (server.as_deref(), trust.as_deref());
    let wanted =
        Wanted { server, recipe: None, tenant: None, profile: None, trust, role: role_settings::Role::Plan };
    let server = find_unlocked(&wanted, environment)?;
    let reports = Reports::parse(&arguments.report, environment)?;
    reports.without_events()?;
    let Some(place) = &server.lock else {
        return Err(Fault::new(Exit::Invalid, "in CI the tool lock is not taken from a checkout")
            .hint("name the folder that it is in: `--trust DIR` or LOOPGATE_TRUST"));
    };
    reports.keep_off(std::slice::from_ref(&place.path))?;
    reports.begin("loopgate lock", output);
    match (arguments.check, arguments.format) {
        (true, _) => check(arguments, &reports, &server, place, environment, output),
        (false, _) if server.replay().is_some() => {
            Err(Fault::new(Exit::Usage, "a recording is held against the lock, and not taken into it")
                .hint("add `--check`, or name the server itself"))
        }
        (false, LockFormat::Sarif) => Err(Fault::new(Exit::Usage, "`--format sarif` goes with `--check`")),
        (false, format) => record(format, &reports, &server, place, environment, output),
    }
}

/// Holds what the server offers now against the lock.
fn check(
    arguments: &LockArguments,
    reports: &Reports,
    server: &KnownServer,
    place: &LockPlace,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let (ReadLock { text, .. }, locked) = locked(place, server)?;
    let asked = asked_for(arguments, server, &locked)?;
    let surveyed = surveyed(server, &[], environment)?;
    server.told(output);
    let changes = compare(&locked, &server.target.profile, &listed(server, &surveyed), &asked);
    let file = place.path.display().to_string();
    let (before, done) = (Some(&locked), LockDone::Checked);
    let view = LockView {
        server: &server.name,
        file: &file,
        text: &text,
        locked: &locked,
        before,
        changes: &changes,
        done,
    };
    let fails = changes.iter().any(|change| change.fails);
    let exit = if fails { Exit::Stale } else { Exit::Done };
    show(&view, exit, arguments.format, reports, environment, output)?;
    if !fails {
        return Ok(Exit::Done);
    }
    let message = format!("the tools of `{}` are not what `{}` says", visible(&server.name), visible(&file));
    let command = server.target.agreed.lock_command();
    output.fault(&Fault::new(Exit::Stale, message).hint(format!("once that is reviewed, run `{command}`")));
    Ok(Exit::Stale)
}

/// Takes what the server offers now into the lock.
fn record(
    format: LockFormat,
    reports: &Reports,
    server: &KnownServer,
    place: &LockPlace,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let known = |read: Option<&ReadLock>| read.and_then(|read| read.lock.servers.get(&server.name)).cloned();
    let before = known(place.read_or_new()?.as_ref());
    let surveyed = surveyed(server, &[], environment)?;
    let listed = listed(server, &surveyed);
    let asked = Asked::Profile(every_tool(server, before.as_ref()));
    let changes = before.as_ref().map(|before| compare(before, &server.target.profile, &listed, &asked));
    let now = take(before.as_ref(), &server.target.profile, &listed);
    // Read again: what a person did to it meanwhile is not undone.
    let read = place.read_or_new()?;
    let file = place.path.display().to_string();
    if known(read.as_ref()) != before {
        return Err(Fault::new(Exit::Busy, format!("`{}` was changed meanwhile", visible(&file)))
            .hint("nothing was written; run the same command again"));
    }
    let mut lock = read.map_or_else(Lock::empty, |read| read.lock);
    lock.servers.insert(server.name.clone(), now.clone());
    let text = place.write(&lock)?;
    let view = LockView {
        server: &server.name,
        file: &file,
        text: &text,
        locked: &now,
        before: before.as_ref(),
        changes: &changes.unwrap_or_default(),
        done: LockDone::Written,
    };
    show(&view, Exit::Done, format, reports, environment, output)?;
    output.say(
        "next: look through it, set classes that you know better (`class`, with `\"class_by\": \"person\"`), and commit it",
    );
    Ok(Exit::Done)
}

fn show(
    view: &LockView<'_>,
    exit: Exit,
    format: LockFormat,
    reports: &Reports,
    environment: &Environment,
    output: &Output,
) -> Result<(), Fault> {
    let sheet = || Sheet::of_lock(view, exit.code());
    let reported = reports.write(sheet, || report::lock_json(view), environment, output);
    match format {
        LockFormat::Text => output.data(&report::lock_text(view)),
        LockFormat::Json => output.json(&report::lock_json(view)),
        LockFormat::Sarif => output.json(&report::sarif(&sheet())),
    }?;
    reported
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
fn every_tool(server: &KnownServer, known: Option<&LockedServer>) -> BTreeSet<String> {
    let profile = &server.target.profile;
    match (profile.operations.is_empty(), known) {
        (true, Some(known)) => known.tools.keys().cloned().collect(),
        _ => tools_of(profile, &profile.operations.keys().cloned().collect()),
    }
}

fn listed<'a>(server: &'a KnownServer, surveyed: &'a Surveyed) -> Listed<'a> {
    Listed {
        identity: server.target.locked_as(),
        name: &surveyed.server.name,
        version: &surveyed.server.version,
        role: Role::Read,
        tools: &surveyed.tools,
    }
}
