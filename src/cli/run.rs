//! `loopgate RECIPE` and `loopgate run FILE`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::arguments::{Format, RecipeArguments, RunFile, RunOptions};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{load, recipe_source};
use super::ledger_place::{Place, find as find_ledger};
use super::output::Output;
use super::policy::Trusted;
use super::record::Record;
use super::replay::{played, unmade};
use super::reports::Reports;
use super::role_settings::Role;
use super::run_files::{ARTIFACT, REPORT, write};
use super::runtime::{SILENCE, runtime, telling};
use super::server::{KnownServer, Wanted, find};
use super::signals::Stop;
use crate::artifact::Artifact;
use crate::catalog::{Agreed, Profile, prepare_schemas};
use crate::core::OutputFolder;
use crate::core::file::read_bounded;
use crate::core::id::Trace;
use crate::core::text::visible;
use crate::engine::{self, AppliedBefore, Events, RunResult, Target};
use crate::mcp::Endpoint;
use crate::recipe::{self, Given, InputProblem, InputsFileError, Origin, Recipe, Resolved, Source};
use crate::report::{self, EventFile, Fan, Pace, Progress, RunOutputs, Sheet, Verbosity};

/// The largest inputs file, in bytes.
const LARGEST_INPUTS: usize = 1 << 20;

/// Runs a shipped recipe, one of `recipes`.
pub(super) fn shipped(
    arguments: RecipeArguments,
    recipes: &[Recipe],
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let source = Source::shipped(&arguments.name)
        .ok_or_else(|| Fault::new(Exit::Internal, format!("`{}` is not shipped", arguments.name)))?;
    let read = recipes.iter().find(|recipe| recipe.name == arguments.name);
    execute(source, read, &arguments.flags, &arguments.options, environment, output)
}

/// Runs anybody's recipe.
pub(super) fn file(arguments: RunFile, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let source = recipe_source(&arguments.recipe)?;
    execute(source, None, &BTreeMap::new(), &arguments.options, environment, output)
}

/// Runs the recipe in `source`; `read` is it as it was read with the shipped profile already.
fn execute(
    source: Source,
    read: Option<&Recipe>,
    flags: &BTreeMap<String, String>,
    options: &RunOptions,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let reports = Reports::parse(&options.report, environment)?;
    let name = source.name.clone();
    let named = match read {
        Some(recipe) => recipe.server.clone(),
        None => recipe::declared_server(&source),
    };
    let wanted = Wanted {
        server: options.server.as_deref(),
        recipe: named.as_deref(),
        tenant: options.tenant.as_deref(),
        profile: None,
        trust: options.trust.as_deref(),
        role: Role::Plan,
    };
    let server = find(&wanted, environment)?;
    let recipe = match read {
        Some(recipe) if is_usual(&server.target)? => Cow::Borrowed(recipe),
        _ => Cow::Owned(load(source, &server.target.profile, &server.target.agreed)?),
    };
    let inputs = inputs(&recipe, flags, options, environment)?;
    let out = ready(&recipe, options, &reports)?;
    let record = match &options.record {
        Some(path) => {
            reports.keep_off(std::slice::from_ref(path))?;
            Some(Record::ready(path, out.root(), &server, options.trust.as_deref(), environment)?)
        }
        None => None,
    };
    let runtime = runtime()?;
    let (mut ran, closed) = run(
        &recipe,
        &name,
        &inputs,
        &server,
        record.as_ref(),
        &runtime,
        options,
        &reports,
        environment,
        output,
    )?;
    ran.result.replay = server.replay().map(played);
    if let Some(note) = ran.result.replay.as_ref().and_then(unmade) {
        output.say(&note);
    }
    if let Some(artifact) = &ran.result.artifact {
        let ledger = ledger_of(options.ledger.as_deref(), options.trust.as_deref(), environment);
        match ledger.and_then(|ledger| applied_before(artifact, &ledger)) {
            Ok(applied) => ran.result.applied_before = applied,
            // A plan needs no ledger; whoever applies it does, and is told there.
            Err(fault) => output.say(&format!("note: {}", visible(&format!("{:#}", fault.error)))),
        }
    }
    let exit = Exit::of_run(&ran.result.conclusion, options.detailed_exitcode);
    let delivered = deliver(ran, &out, options, &reports, exit, environment, output);
    let recorded = record.map_or(Ok(()), |record| record.finish(output));
    let delivered = delivered.and(recorded);
    runtime.block_on(closed);
    // Blocking leftovers, such as a closed sandbox's, are not waited for.
    runtime.shutdown_background();
    delivered.map_err(|fault| match exit {
        Exit::Done | Exit::ChangesPlanned => fault,
        // What the run found outranks that it could not be written down.
        _ => Fault { exit, ..fault },
    })?;
    Ok(exit)
}

/// Whether a server is what shipped recipes are read for: the shipped profile, and nothing else agreed on.
fn is_usual(target: &Target) -> Result<bool, Fault> {
    let Agreed { server: _, lock, allowed } = &target.agreed;
    let profile = Profile::loopiq().map_err(Fault::internal)?;
    Ok(lock.is_none() && allowed.is_usual() && Arc::ptr_eq(&target.profile, &profile))
}

/// The ledger that plans are held against, where there may be one.
pub(super) fn ledger_of(
    ledger: Option<&str>,
    trust: Option<&Path>,
    environment: &Environment,
) -> Result<Place, Fault> {
    let trusted = Trusted::read(trust, environment)?;
    find_ledger(ledger, trusted.as_ref().map(|trusted| &trusted.settings), environment)
}

/// What of the plan took place already, as the ledger says, where there is one.
pub(super) fn applied_before(artifact: &Artifact, ledger: &Place) -> Result<Vec<AppliedBefore>, Fault> {
    match ledger.open_existing()? {
        Some(ledger) => Ok(engine::applied_before(&ledger, artifact)?),
        None => Ok(Vec::new()),
    }
}

/// Leaves and says what the run came to.
fn deliver(
    ran: Ran,
    out: &OutputFolder,
    options: &RunOptions,
    reports: &Reports,
    exit: Exit,
    environment: &Environment,
    output: &Output,
) -> Result<(), Fault> {
    let Ran { result, events } = ran;
    let outputs = RunOutputs { written: write(&result, out)?, server: options.server.clone() };
    let json = || report::run_json(&result, &outputs.written);
    let sheet = || Sheet::of_run(&result, &outputs, exit.code());
    let reported = reports.write(sheet, json, environment, output);
    for file in events {
        file.finish().map_err(Fault::internal)?;
    }
    match options.format {
        Format::Json => output.json(&json()),
        Format::Text => output.data(&report::run_text(&result, &output.stdout, &outputs)),
    }?;
    reported
}

fn inputs(
    recipe: &Recipe,
    flags: &BTreeMap<String, String>,
    options: &RunOptions,
    environment: &Environment,
) -> Result<Resolved, Fault> {
    let pairs = pairs(&options.input)?;
    let values = match &options.inputs {
        None => None,
        Some(path) => {
            let bytes = read_bounded(path, LARGEST_INPUTS).map_err(Fault::invalid)?;
            let name = path.display().to_string();
            let values = recipe::read_inputs_file(&name, &bytes).map_err(|error| match error {
                InputsFileError::Problems(problems) => Fault::from(problems),
                InputsFileError::Source(error) => Fault::invalid(error),
            })?;
            Some((Origin::InputsFile(name), values))
        }
    };
    if let Some(name) = environment.unreadable.first() {
        return Err(Fault::new(Exit::Invalid, format!("the environment variable `{name}` is not Unicode")));
    }
    resolved(recipe, &Given { flags, options: &pairs, values, environment: &environment.variables })
}

/// What `--input` gives, name and value.
pub(super) fn pairs(given: &[String]) -> Result<Vec<(String, String)>, Fault> {
    let pair = |pair: &String| match pair.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => {
            Err(Fault::new(Exit::Usage, format!("`--input {pair}` has no `=`; write `--input name=value`")))
        }
    };
    given.iter().map(pair).collect()
}

/// The inputs of a recipe from all that is given.
pub(super) fn resolved(recipe: &Recipe, given: &Given<'_>) -> Result<Resolved, Fault> {
    recipe::resolve(&recipe.inputs, given).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let hints: Vec<&str> = problems.iter().filter_map(InputProblem::hint).collect();
        let fault = Fault::new(Exit::Invalid, lines.join("; "));
        if hints.is_empty() { fault } else { fault.hint(hints.join("; ")) }
    })
}

#[expect(clippy::too_many_arguments, reason = "the one place where all of a run comes together")]
fn run(
    recipe: &Recipe,
    source: &str,
    inputs: &Resolved,
    server: &KnownServer,
    record: Option<&Record>,
    runtime: &Runtime,
    options: &RunOptions,
    reports: &Reports,
    environment: &Environment,
    output: &Output,
) -> Result<(Ran, impl Future<Output = ()> + use<>), Fault> {
    let verbosity = match (options.quiet, output.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, _) => Verbosity::Verbose,
    };
    let progress = Progress::stderr(verbosity, output.stderr, pace(recipe));
    let files = reports.event_files()?;
    reports.begin(&format!("loopgate {}", recipe.name), output);
    let mut sinks: Vec<&dyn Events> = vec![&progress];
    sinks.extend(files.iter().map(|file| file as &dyn Events));
    let fan = Fan(sinks);

    let stop = Stop::listen()?;
    let run = engine::Run {
        recipe,
        source,
        inputs,
        target: &server.target,
        options: engine::RunOptions {
            limits: server.limits.clone(),
            concurrency: usize::from(options.concurrency),
            occurrence: options.occurrence,
            trace: Trace::from_parent(environment.get("TRACEPARENT"), environment.get("TRACESTATE")),
            who: environment.person(),
            pipeline: environment.planned_in(),
        },
    };
    let dry_runs = match recipe.writes() {
        true => server.dry_runs(environment)?,
        // A credential that nothing is tried out with need not be there.
        false => engine::DryRuns::Withheld("the recipe has no writes".to_owned()),
    };
    let (result, closed) = runtime.block_on(async {
        let endpoint = server.endpoint()?;
        let over_http = matches!(endpoint, Endpoint::Http(_));
        let (endpoint, dry_runs) = match record {
            Some(record) => (record.of(endpoint), record.of_dry_runs(dry_runs)),
            None => (endpoint, dry_runs),
        };
        let work =
            telling(engine::run(run, endpoint, dry_runs, &fan, stop.wait()), SILENCE, || progress.still());
        // What the server's answers are held against is made meanwhile: here, while a child starts, or elsewhere, where
        // certificates have to be read first, which keeps this thread busy.
        let meanwhile = async {
            if over_http {
                tokio::task::spawn_blocking(prepare_schemas);
            } else {
                tokio::task::yield_now().await;
                prepare_schemas();
            }
        };
        Ok::<_, Fault>(tokio::join!(meanwhile, work).1)
    })?;
    drop(fan);
    Ok((Ran { result, events: files }, closed))
}

/// The steps, of which those that ask the server, or are tried out there, take time.
fn pace(recipe: &Recipe) -> Pace {
    let of = |word: &str| recipe.steps.iter().filter(|step| step.kind.word() == word).count();
    Pace::new(recipe.steps.len(), &["read", "write"].map(|kind| (kind, of(kind))))
}

/// A run, and the files that were told of it.
struct Ran {
    result: RunResult,
    events: Vec<EventFile>,
}

/// Makes the output folder ready before anything is asked of anybody: what this run would leave can be
/// written, and nothing of it is left from an earlier run.
fn ready(recipe: &Recipe, options: &RunOptions, reports: &Reports) -> Result<OutputFolder, Fault> {
    let out = OutputFolder::new(&options.out);
    let mut names: Vec<&str> = recipe.steps.iter().filter_map(|step| step.emit.as_deref()).collect();
    names.push(REPORT);
    if recipe.writes() {
        names.push(ARTIFACT);
    }
    let own = [REPORT, ARTIFACT].into_iter().chain(names.iter().copied());
    reports.keep_off(&own.map(|name| out.root().join(name)).collect::<Vec<_>>())?;
    let unusable = |error: &dyn std::fmt::Display| {
        Fault::new(
            Exit::Invalid,
            format!("the output folder `{}` cannot be used: {error}", options.out.display()),
        )
        .hint("name another one with `--out DIR`")
    };
    if options.out.is_symlink() {
        return Err(unusable(&"it is a link"));
    }
    let was_there = options.out.exists();
    fs_err::create_dir_all(&options.out).map_err(|error| unusable(&error))?;
    if was_there {
        // Found out now whether anything can be written there, not when everything is done.
        tempfile::tempfile_in(out.root()).map_err(|error| unusable(&error))?;
        for name in names {
            out.remove(name).map_err(|error| unusable(&error))?;
        }
    }
    Ok(out)
}
