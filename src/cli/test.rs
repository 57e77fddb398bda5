//! `loopgate test`: recipes are tried out on their cases, each on a sandbox of its own or on a recording.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use super::arguments::{Format, Test};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{load, recipe_source};
use super::output::Output;
use super::replay::{played, replayed, unmade};
use super::reports::Reports;
use super::role_settings::Role;
use super::runtime::runtime;
use super::sandbox::data_file;
use super::server::{KnownServer, Wanted, find_unlocked};
use super::signals::Stop;
use crate::catalog::read_yaml;
use crate::core::file::read_bounded;
use crate::core::id::Trace;
use crate::core::text::visible;
use crate::engine::{self, Conclusion, RunResult, judge};
use crate::recipe::{self, CASES, Case, Cases, Evidence, Given, Origin, Source, YamlPlaces};
use crate::report::{self, Fan, Sheet, TestedCase};
use crate::sandbox::{DataFile, Import, Location, Sandbox};

/// Files with cases at the most, and how deep folders are looked into.
const MOST_FILES: usize = 10_000;
const DEEPEST: usize = 16;
/// The largest evidence file, in bytes.
const LARGEST_EVIDENCE: usize = 64 << 20;

/// Tries out every case of the files that are named, or stand in the folders that are.
pub(super) fn test(arguments: &Test, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let reports = Reports::parse(&arguments.report, environment)?;
    reports.without_events()?;
    let mut files = Vec::new();
    for path in &arguments.paths {
        collect(path, 0, &mut files)?;
    }
    reports.keep_off(&files)?;
    if files.is_empty() {
        return Err(Fault::new(Exit::Undecided, format!("there is no file `*{CASES}`"))
            .hint("nothing was tested, which is no pass: name the folder or file that has cases"));
    }
    let stop = Stop::listen()?;
    reports.begin("loopgate test", output);
    let mut tested = Vec::new();
    for file in &files {
        let source = Source::read(file).map_err(Fault::invalid)?;
        let read: Result<Cases, _> = read_yaml(&source.text);
        let cases = read.map_err(|error| {
            Fault::new(Exit::Invalid, format!("`{}`: {error}", visible(&source.name)))
                .hint("`loopgate schema cases` says what stands there")
        })?;
        if cases.cases.is_empty() {
            let message = format!("`{}` has no cases", visible(&source.name));
            return Err(Fault::new(Exit::Undecided, message).hint("nothing was tested, which is no pass"));
        }
        let places = YamlPlaces::read(&source);
        for (index, case) in cases.cases.iter().enumerate() {
            let begun = Instant::now();
            let result = tried(&cases, case, file, &stop, environment)?;
            if let Some(note) = result.replay.as_ref().and_then(unmade) {
                output.say(&format!("`{}`: {note}", visible(&case.case)));
            }
            if let Conclusion::Interrupted(signal) = result.conclusion {
                return Ok(Exit::of_signal(signal));
            }
            let place = places.as_ref().and_then(|places| places.nearest(&format!("/cases/{index}/case")));
            tested.push(TestedCase {
                file: source.name.clone(),
                line: place.map(|place| place.line),
                recipe: result.recipe.name.clone(),
                case: case.case.clone(),
                recording: case.recording.as_ref().map(|path| path.display().to_string()),
                wrong: judge(&case.expect, &result),
                took: begun.elapsed(),
            });
        }
    }
    let exit = match tested.iter().all(|tested| tested.wrong.is_empty()) {
        true => Exit::Done,
        false => Exit::GateFails,
    };
    let json = || report::test_json(&tested);
    let reported = reports.write(|| Sheet::of_test(&tested, exit.code()), json, environment, output);
    match arguments.format {
        Format::Json => output.json(&json()),
        Format::Text => output.data(&report::test_text(&tested, &output.stdout)),
    }?;
    reported?;
    Ok(exit)
}

/// The files with cases at `path`, by name: itself, or those below it that no link leads to.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let metadata = fs_err::metadata(path).map_err(Fault::invalid)?;
    if !metadata.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs_err::read_dir(path).map_err(Fault::invalid)? {
        let entry = entry.map_err(Fault::invalid)?;
        let kind = entry.file_type().map_err(Fault::invalid)?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let is_cases = kind.is_file() && entry.file_name().to_string_lossy().ends_with(CASES);
        if is_cases || kind.is_dir() && depth < DEEPEST && !is_hidden {
            entries.push(entry.path());
        }
    }
    entries.sort();
    for entry in entries {
        if files.len() >= MOST_FILES {
            return Err(Fault::new(
                Exit::Invalid,
                format!("there are more than {MOST_FILES} files with cases"),
            ));
        }
        collect(&entry, depth + 1, files)?;
    }
    Ok(())
}

/// Runs the recipe as the case has it, on a sandbox that nobody else has.
fn tried(
    cases: &Cases,
    case: &Case,
    file: &Path,
    stop: &Stop,
    environment: &Environment,
) -> Result<RunResult, Fault> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let in_case = |fault: Fault| {
        let (file, case) = (file.display().to_string(), &case.case);
        Fault {
            error: fault.error.context(format!("`{}`, case `{}`", visible(&file), visible(case))),
            ..fault
        }
    };
    let tenant = case.tenant.as_deref().or(cases.tenant.as_deref());
    let own = tempfile::tempdir().map_err(Fault::internal)?;
    let server = match &case.recording {
        Some(recording) => recording_of(recording, case, tenant, folder, environment),
        None => sandbox(case, tenant, folder, own.path(), environment),
    }
    .map_err(in_case)?;
    let source = match Source::shipped(&cases.recipe) {
        Some(source) => source,
        None => recipe_source(&beside(folder, Path::new(&cases.recipe)).map_err(in_case)?)?,
    };
    let name = source.name.clone();
    let recipe = load(source, &server.target.profile, &server.target.agreed)?;
    let given = Given {
        flags: &BTreeMap::new(),
        options: &[],
        values: Some((Origin::InputsFile(file.display().to_string()), case.inputs.clone())),
        environment: &BTreeMap::new(),
    };
    let inputs = recipe::resolve(&recipe.inputs, &given).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        in_case(Fault::new(Exit::Invalid, lines.join("; ")))
    })?;
    let run = engine::Run {
        recipe: &recipe,
        source: &name,
        inputs: &inputs,
        target: &server.target,
        options: engine::RunOptions {
            limits: server.limits.clone(),
            concurrency: 4,
            occurrence: 1,
            trace: Trace::from_parent(None, None),
            who: None,
            pipeline: None,
        },
    };
    let runtime = runtime()?;
    let dry_runs = server.dry_runs(environment)?;
    let (mut result, closed) = runtime.block_on(async {
        let nobody = Fan(Vec::new());
        Ok::<_, Fault>(engine::run(run, server.endpoint()?, dry_runs, &nobody, stop.clone().wait()).await)
    })?;
    runtime.block_on(closed);
    runtime.shutdown_background();
    result.replay = server.replay().map(played);
    Ok(result)
}

/// The recording that the case names.
fn recording_of(
    recording: &Path,
    case: &Case,
    tenant: Option<&str>,
    folder: &Path,
    environment: &Environment,
) -> Result<KnownServer, Fault> {
    if !case.evidence.is_empty() || !case.data.0.is_empty() {
        let message = "`data` and `evidence` are for the sandbox, and a `recording` is played";
        return Err(Fault::new(Exit::Invalid, message).hint("leave one of them out"));
    }
    let path = beside(folder, recording)?;
    let wanted = Wanted { server: None, recipe: None, tenant, profile: None, trust: None, role: Role::Plan };
    replayed(&path, &wanted, environment)
}

/// A sandbox in memory, or in the case's own folder with the records and the evidence that it is to have.
fn sandbox(
    Case { data, evidence, .. }: &Case,
    tenant: Option<&str>,
    folder: &Path,
    own: &Path,
    environment: &Environment,
) -> Result<KnownServer, Fault> {
    let mut name = "sandbox:memory".to_owned();
    if !evidence.is_empty() || !data.0.is_empty() {
        let mut files = Vec::new();
        for path in &data.0 {
            files.push(DataFile { name: path.display().to_string(), ..data_file(&beside(folder, path)?)? });
        }
        let imports = imports(evidence, tenant, folder)?;
        let database = own.join("sandbox.db");
        let sandbox = Sandbox::open(&Location::File(database.clone())).map_err(Fault::internal)?;
        sandbox.load(&files).map_err(Fault::invalid)?;
        sandbox.import(&imports).map_err(Fault::invalid)?;
        name = format!("sandbox:{}", database.display());
    }
    let role = Role::Plan;
    find_unlocked(
        &Wanted { server: Some(&name), recipe: None, tenant, profile: None, trust: None, role },
        environment,
    )
}

/// The evidence of a case.
fn imports(evidence: &[Evidence], tenant: Option<&str>, folder: &Path) -> Result<Vec<Import>, Fault> {
    let mut imports = Vec::new();
    for Evidence { release, files } in evidence {
        let tenant = tenant.ok_or_else(|| {
            Fault::new(Exit::Invalid, "evidence belongs to a tenant's release, and no `tenant` is named")
        })?;
        for path in files {
            let bytes = read_bounded(&beside(folder, path)?, LARGEST_EVIDENCE).map_err(Fault::invalid)?;
            let (tenant, release, source) = (tenant.to_owned(), release.clone(), path.display().to_string());
            imports.push(Import { tenant, release, source, format: None, bytes, observed: None });
        }
    }
    Ok(imports)
}

/// A file that a file with cases names: below its folder, through no link. Cases may be a stranger's.
fn beside(folder: &Path, path: &Path) -> Result<PathBuf, Fault> {
    let shown = path.display().to_string();
    let refused = |why: &str| Fault::new(Exit::Invalid, format!("`{}` {why}", visible(&shown)));
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(refused("is not a plain path below the folder of the file with cases"));
    }
    let mut file = folder.to_owned();
    for part in path.components() {
        file.push(part);
        if file.is_symlink() {
            return Err(refused("goes through a link, and no link is followed"));
        }
    }
    Ok(file)
}
