//! `loopgate profile`: a server's tools as a first profile, and beside one.

use std::path::Path;

use super::arguments::Format;
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::profile_arguments::{AskedServer, ProfileCommand, ProfileInit, ProfileShow};
use super::profile_check::check;
use super::role_settings::Role;
use super::runtime::runtime;
use super::server::{KnownServer, Wanted, find};
use super::settings;
use super::signals::Stop;
use crate::catalog::{Profile, draft};
use crate::core::OutputFolder;
use crate::core::id::Trace;
use crate::core::text::excerpt;
use crate::engine::{self, Sample, Survey, Surveyed};
use crate::report;

/// Names of tools that a message lists at most.
const MOST_NAMES: usize = 20;

/// Drafts, shows or checks a profile.
pub(super) fn profile(
    command: &ProfileCommand,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    match command {
        ProfileCommand::Init(arguments) => init(arguments, environment, output),
        ProfileCommand::Show(arguments) => show(arguments, environment, output),
        ProfileCommand::Check(arguments) => check(arguments, environment, output),
    }
}

/// The server that is asked, read with another profile than the settings' where one is named.
pub(super) fn asked_server(
    asked: &AskedServer,
    tenant: Option<&str>,
    profile: Option<&str>,
    environment: &Environment,
) -> Result<KnownServer, Fault> {
    let (server, trust) = (asked.server.as_deref(), asked.trust.as_deref());
    find(&Wanted { server, recipe: None, tenant, profile, trust, role: Role::Plan }, environment)
}

/// Asks a server for its tools and for what it answers to the samples.
pub(super) fn surveyed(
    server: &KnownServer,
    samples: &[Sample],
    environment: &Environment,
) -> Result<Surveyed, Fault> {
    let stop = Stop::listen()?;
    let runtime = runtime()?;
    let surveyed = runtime.block_on(async {
        let survey = Survey {
            target: &server.target,
            limits: server.limits.clone(),
            trace: Trace::from_parent(environment.get("TRACEPARENT"), environment.get("TRACESTATE")),
            samples,
        };
        Ok::<_, Fault>(engine::survey(survey, server.endpoint()?, stop.wait()).await)
    })?;
    runtime.shutdown_background();
    surveyed.map_err(|conclusion| Fault::new(Exit::of_run(&conclusion, false), conclusion.message()))
}

fn init(arguments: &ProfileInit, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    // The settings may name the profile that is to be made.
    let server = asked_server(&arguments.asked, None, Some("plain"), environment)?;
    let asked = arguments.asked.server.as_deref().unwrap_or(&server.name);
    let name = file_name(asked);
    let folder = OutputFolder::new(&arguments.to);
    let file = format!("{name}.profile.yaml");
    let path = folder.root().join(&file);
    if path.exists() && !arguments.force {
        return Err(
            Fault::new(Exit::Invalid, format!("`{}` exists", path.display())).hint("`--force` replaces it")
        );
    }
    let mut tools = surveyed(&server, &[], environment)?.tools;
    server.told(output);
    for wanted in &arguments.tools {
        if !tools.iter().any(|tool| tool.name == *wanted) {
            let shown = tools.iter().take(MOST_NAMES).map(|tool| excerpt(&tool.name, 100));
            let shown = shown.collect::<Vec<_>>().join(", ");
            let more = if tools.len() > MOST_NAMES {
                format!(", and {} more", tools.len() - MOST_NAMES)
            } else {
                String::new()
            };
            return Err(Fault::new(Exit::Invalid, format!("the server offers no tool `{wanted}`"))
                .hint(format!("it offers: {shown}{more}")));
        }
    }
    if !arguments.tools.is_empty() {
        tools.retain(|tool| arguments.tools.contains(&tool.name));
    }
    let text = draft(&name, &tools);
    // What is written is read: a draft that its own reader refuses would be no help.
    Profile::parse(&file, &text).map_err(|error| {
        Fault::new(Exit::Invalid, format!("the server's tools give no profile: {error}"))
            .hint("name those that are needed: `--tool NAME`")
    })?;
    let path = folder.write(&file, text.as_bytes()).map_err(Fault::invalid)?;
    output.data(&format!("{}\n", path.display()))?;
    output.say(&format!(
        "next: go through it, name it as the `profile` of `{asked}` (relative to loopgate.yaml), and `loopgate profile \
         check --server {asked}`"
    ));
    Ok(Exit::Done)
}

/// A server's name as the beginning of a file's.
fn file_name(server: &str) -> String {
    let server = server.split(':').next().unwrap_or_default();
    let harmless = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    server.chars().map(harmless).take(60).collect()
}

fn show(arguments: &ProfileShow, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let (profile, surveyed) = match &arguments.asked.server {
        None => {
            let name = arguments.profile.as_deref().unwrap_or_default();
            (settings::profile(name, Path::new("."))?, None)
        }
        Some(_) => {
            let server = asked_server(&arguments.asked, None, arguments.profile.as_deref(), environment)?;
            let surveyed = surveyed(&server, &[], environment)?;
            server.told(output);
            (server.target.profile, Some(surveyed))
        }
    };
    match arguments.format {
        Format::Text => {
            output.data(&report::profile_text(&profile, surveyed.as_ref(), &output.stdout))?;
        }
        Format::Json => output.json(&report::profile_json(&profile, surveyed.as_ref()))?,
    }
    Ok(Exit::Done)
}
