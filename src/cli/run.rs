//! `loopgate RECIPE` and `loopgate run FILE`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::arguments::{Format, RecipeArguments, RunFile, RunOptions};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{load, recipe_source};
use super::output::Output;
use super::server::{KnownServer, Wanted, find};
use crate::core::OutputFolder;
use crate::core::file::WriteError;
use crate::core::id::Trace;
use crate::core::printable::indented;
use crate::engine::{self, Events, RunResult, Signal};
use crate::recipe::{self, Given, InputProblem, InputsFileError, Recipe, Resolved, Source};
use crate::report::{self, EventFile, Fan, Progress, RunOutputs, Verbosity, Written, WrittenKind};

/// The artifact's name in the output folder.
const ARTIFACT: &str = "artifact.json";
/// The run report's name in the output folder.
const REPORT: &str = "run.json";

/// Runs a shipped recipe.
pub(super) fn shipped(
    arguments: RecipeArguments,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let source = Source::shipped(&arguments.name)
        .ok_or_else(|| Fault::new(Exit::Internal, format!("`{}` is not shipped", arguments.name)))?;
    execute(source, &arguments.flags, &arguments.options, environment, output)
}

/// Runs anybody's recipe.
pub(super) fn file(arguments: RunFile, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let source = recipe_source(&arguments.recipe)?;
    execute(source, &BTreeMap::new(), &arguments.options, environment, output)
}

fn execute(
    source: Source,
    flags: &BTreeMap<String, String>,
    options: &RunOptions,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let reports = Reports::parse(&options.report)?;
    let name = source.name.clone();
    let named = recipe::declared_server(&source);
    let wanted = Wanted {
        server: options.server.as_deref(),
        recipe: named.as_deref(),
        tenant: options.tenant.as_deref(),
        trust: options.trust.as_deref(),
    };
    let server = find(&wanted, environment)?;
    let recipe = load(source, &server.target.profile)?;
    let inputs = inputs(&recipe, flags, options, environment)?;
    let result = run(&recipe, &name, &inputs, &server, options, &reports, environment, output)?;
    let written = write(&result, &recipe, options)?;
    if let Some(path) = &reports.json {
        let text = indented(&report::run_json(&result, &written));
        crate::core::file::replace(path, text.as_bytes()).map_err(Fault::internal)?;
    }
    match options.format {
        Format::Json => output.json(&report::run_json(&result, &written))?,
        Format::Text => {
            let outputs = RunOutputs { written, server: options.server.clone() };
            output.data(&report::run_text(&result, &output.stdout, &outputs))?;
        }
    }
    Ok(Exit::of_run(&result.conclusion, options.detailed_exitcode))
}

fn inputs(
    recipe: &Recipe,
    flags: &BTreeMap<String, String>,
    options: &RunOptions,
    environment: &Environment,
) -> Result<Resolved, Fault> {
    let mut pairs = Vec::new();
    for pair in &options.input {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Fault::new(Exit::Usage, format!("`--input {pair}` has no `=`; write `--input name=value`"))
        })?;
        pairs.push((name.to_owned(), value.to_owned()));
    }
    let file = match &options.inputs {
        None => None,
        Some(path) => {
            let bytes = fs_err::read(path).map_err(Fault::invalid)?;
            let name = path.display().to_string();
            let values = recipe::read_inputs_file(&name, &bytes).map_err(|error| match error {
                InputsFileError::Problems(problems) => Fault::from(problems),
                InputsFileError::Source(error) => Fault::invalid(error),
            })?;
            Some((name, values))
        }
    };
    let given = Given { flags, options: &pairs, file, environment: &environment.variables };
    recipe::resolve(&recipe.inputs, &given).map_err(|problems| {
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
    options: &RunOptions,
    reports: &Reports,
    environment: &Environment,
    output: &Output,
) -> Result<RunResult, Fault> {
    let verbosity = match (options.quiet, output.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, _) => Verbosity::Verbose,
    };
    let progress = Progress::stderr(verbosity, output.stderr);
    let file = match &reports.events {
        Some(path) => Some(EventFile::create(path).map_err(Fault::internal)?),
        None => None,
    };
    let mut sinks: Vec<&dyn Events> = vec![&progress];
    sinks.extend(file.iter().map(|file| file as &dyn Events));
    let fan = Fan(sinks);

    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Fault::internal)?;
    let result = runtime.block_on(async {
        let run = engine::Run {
            recipe,
            source,
            inputs,
            target: &server.target,
            options: engine::RunOptions {
                limits: server.limits.clone(),
                concurrency: usize::from(options.concurrency),
                dry_runs: server.dry_runs.clone(),
                occurrence: options.occurrence,
                trace: Trace::from_parent(environment.get("TRACEPARENT"), environment.get("TRACESTATE")),
            },
        };
        let stop = signal()?;
        Ok::<_, Fault>(engine::run(run, server.endpoint()?, &fan, stop).await)
    })?;
    // Blocking leftovers, such as a closed sandbox's, are not waited for.
    runtime.shutdown_background();
    if let Some(file) = file {
        file.finish().map_err(Fault::internal)?;
    }
    Ok(result)
}

/// The first SIGINT or SIGTERM.
fn signal() -> Result<impl Future<Output = Signal>, Fault> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Fault::internal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Fault::internal)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        }
    })
}

/// Leaves the results in the output folder; the run report last, because it names the others.
///
/// What the recipe would emit and did not, and a plan that it did not come to, is not left from an earlier
/// run either.
fn write(result: &RunResult, recipe: &Recipe, options: &RunOptions) -> Result<Vec<Written>, Fault> {
    let out = OutputFolder::new(&options.out);
    let mut written = Vec::new();
    for emitted in &result.emitted {
        let path = out.write(&emitted.name, &emitted.bytes).map_err(unwritten)?;
        written.push(Written::new(WrittenKind::Emitted, path, &emitted.bytes));
    }
    for name in recipe.steps.iter().filter_map(|step| step.emit.as_deref()) {
        if !result.emitted.iter().any(|emitted| emitted.name == name) {
            out.remove(name).map_err(unwritten)?;
        }
    }
    match &result.artifact {
        Some(artifact) => {
            let path = out.write(ARTIFACT, artifact.bytes()).map_err(unwritten)?;
            written.push(Written::new(WrittenKind::Artifact, path, artifact.bytes()));
        }
        None if result.recipe.writes => out.remove(ARTIFACT).map_err(unwritten)?,
        None => {}
    }
    let report = report::run_json(result, &written);
    let text = indented(&report);
    let path = out.write(REPORT, text.as_bytes()).map_err(unwritten)?;
    written.push(Written::new(WrittenKind::Run, path, text.as_bytes()));
    Ok(written)
}

fn unwritten(error: WriteError) -> Fault {
    match error {
        WriteError::Io(error) => Fault::internal(error),
        other => Fault::invalid(other),
    }
}

/// The outputs that `--report` asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reports {
    events: Option<PathBuf>,
    json: Option<PathBuf>,
}

impl Reports {
    fn parse(given: &[String]) -> Result<Self, Fault> {
        let mut reports = Self::default();
        for report in given {
            let usage = |problem: &str| {
                Fault::new(Exit::Usage, format!("`--report {report}`: {problem}"))
                    .hint("write `--report events=FILE` or `--report json=FILE`")
            };
            let (format, path) = report.split_once('=').ok_or_else(|| usage("there is no `=`"))?;
            let slot = match format {
                "events" => &mut reports.events,
                "json" => &mut reports.json,
                _ => return Err(usage("this format is not known")),
            };
            if path.is_empty() || slot.replace(PathBuf::from(path)).is_some() {
                return Err(usage("each format takes one path"));
            }
        }
        Ok(reports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_named_with_their_format_and_path() {
        let reports = Reports::parse(&["events=a=b.ndjson".into()]).unwrap();
        assert_eq!(reports, Reports { events: Some("a=b.ndjson".into()), json: None });
        for given in ["events", "events=", "yaml=x"] {
            assert_eq!(Reports::parse(&[given.into()]).unwrap_err().exit, Exit::Usage, "{given}");
        }
        assert!(Reports::parse(&["json=a".into(), "json=b".into()]).is_err());
    }
}
