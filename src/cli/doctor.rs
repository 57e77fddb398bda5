//! `loopgate doctor`: the ten checks to pass before production, against a configured server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::arguments::Format;
use super::doctor_arguments::DoctorArguments;
use super::doctor_sandbox::ServedSandbox;
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{load, recipe_source};
use super::output::Output;
use super::profile_check::{recipes, sample};
use super::reports::Reports;
use super::role_settings::Role;
use super::run::{pairs, resolved};
use super::runtime::{SILENCE, runtime, telling};
use super::server::{KnownServer, Wanted, find, in_words};
use super::signals::Stop;
use super::used::Used;
use crate::catalog::{Agreed, Profile};
use crate::core::Class;
use crate::core::id::{RunId, Trace};
use crate::core::text::visible;
use crate::engine::{self, DryRuns, Examined, Outcome, Sample, Ways, Writing};
use crate::recipe::{self, Given, Kind, Recipe, Resolved, Source};
use crate::report::{self, DoctorView, Sheet};

/// The recipe that writes where nobody names one.
const OWN_RECIPE: &str = include_str!("doctor_recipe.yaml");
/// The inputs that have a value here where nobody gives one.
const MARK: &str = "mark";
const RELEASE: &str = "release";

/// Examines a server.
pub(super) fn doctor(
    arguments: &DoctorArguments,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let reports = Reports::parse(&arguments.report, environment)?;
    reports.without_events()?;
    reports.keep_off(&[])?;
    let server = found(arguments, Role::Plan, environment)?;
    if arguments.allow_writes {
        may_write(&server)?;
    }
    let case = Case::read(arguments, &server, environment)?;
    let samples = samples(arguments, &server.target.profile, &case)?;
    reports.begin("loopgate doctor", output);
    let examined = examined(arguments, &server, &case, &samples, environment, output)?;
    let exit = exit_of(&examined);
    let view = DoctorView { server: &server.name, examined: &examined };
    let json = || report::doctor_json(&view);
    let reported = reports.write(|| Sheet::of_doctor(&view, exit.code()), json, environment, output);
    let delivered = match arguments.format {
        Format::Json => output.json(&json()),
        Format::Text => output.data(&report::doctor_text(&view, &output.stdout)),
    };
    delivered.and(reported).map_err(|fault| match exit {
        Exit::Done => fault,
        // What was found out outranks that it could not be written down.
        _ => Fault { exit, ..fault },
    })?;
    Ok(exit)
}

fn found(arguments: &DoctorArguments, role: Role, environment: &Environment) -> Result<KnownServer, Fault> {
    let wanted = Wanted {
        server: arguments.asked.server.as_deref(),
        recipe: None,
        tenant: arguments.tenant.as_deref(),
        profile: None,
        trust: arguments.asked.trust.as_deref(),
        role,
    };
    find(&wanted, environment)
}

/// Refuses to write for a tenant that nobody has marked as one for tests.
fn may_write(server: &KnownServer) -> Result<(), Fault> {
    let (target, name) = (&server.target, visible(&server.name));
    let hint =
        format!("the trust settings name it: `servers.{name}.tenants.test: [NAME]`; nothing was called");
    match &target.tenant {
        _ if target.sandbox => Ok(()),
        Some(tenant) if target.tenants.test.contains(tenant) => Ok(()),
        Some(tenant) => {
            let message =
                format!("`--allow-writes`: `{}` is not marked as a test tenant of `{name}`", visible(tenant));
            Err(Fault::new(Exit::Invalid, message).hint(hint))
        }
        None => {
            Err(Fault::new(Exit::Invalid, "`--allow-writes`: no tenant is named that could be one for tests")
                .hint("add `--tenant NAME`; nothing was called"))
        }
    }
}

/// What a server is asked for besides: the recipe that writes, where there is one.
struct Case {
    recipe: Option<(Recipe, Source)>,
    /// Its inputs, where it is run.
    inputs: Option<Resolved>,
    /// The release that reads and the write are about, where one is known.
    release: Option<String>,
    mark: Option<String>,
    required: BTreeSet<String>,
    sandbox: bool,
}

impl Case {
    fn read(
        arguments: &DoctorArguments,
        server: &KnownServer,
        environment: &Environment,
    ) -> Result<Self, Fault> {
        let target = &server.target;
        // Where the server differs from the lock is looked at and told: it is no fault of a recipe.
        let agreed = Agreed { lock: None, ..target.agreed.clone() };
        let mut used = Used::default();
        let recipe = match writing_recipe(arguments, &target.profile)? {
            Some(source) => {
                let recipe = load(source.clone(), &target.profile, &agreed)?;
                used.add(&recipe, &source);
                Some((recipe, source))
            }
            None => None,
        };
        if arguments.recipe.is_none() {
            for source in recipes(&[], &target.profile)? {
                // What a changed profile cannot do any more is `profile check`'s to tell.
                if let Ok(recipe) = load(source.clone(), &target.profile, &agreed) {
                    used.add(&recipe, &source);
                }
            }
        }
        let required = match used.called.is_empty() {
            true => target.profile.operations.keys().cloned().collect(),
            false => used.operations(&target.profile),
        };
        let given = pairs(&arguments.input)?;
        let named = given.iter().rev().find(|(name, _)| name == RELEASE).map(|(_, value)| value.clone());
        let release = named.or_else(|| {
            let of_sandbox = match target.tenant.as_deref() {
                Some("globex") => "REL-GLOBEX-2",
                _ => "REL-READY",
            };
            target.sandbox.then(|| of_sandbox.to_owned())
        });
        let case = Self { recipe, inputs: None, release, mark: None, required, sandbox: target.sandbox };
        if arguments.allow_writes { case.with_inputs(given, environment) } else { Ok(case) }
    }

    /// With the inputs of the recipe that writes, those that have a value here included.
    fn with_inputs(self, mut given: Vec<(String, String)>, environment: &Environment) -> Result<Self, Fault> {
        let Some((recipe, _)) = &self.recipe else { return Ok(self) };
        if !recipe.steps.iter().any(|step| matches!(step.kind, Kind::Write(_))) {
            let message = format!("the recipe `{}` has no write", visible(&recipe.name));
            return Err(Fault::new(Exit::Invalid, message));
        }
        let lacks = |name: &str, given: &[(String, String)]| {
            recipe.inputs.iter().any(|input| input.name == name)
                && !given.iter().any(|(known, _)| known == name)
                && environment.get(&recipe::variable(name)).is_none()
        };
        let mark = lacks(MARK, &given).then(|| format!("doctor-{}", RunId::new()));
        given.extend(mark.iter().map(|mark| (MARK.to_owned(), mark.clone())));
        let release = self.release.as_ref().filter(|_| lacks(RELEASE, &given)).cloned();
        given.extend(release.map(|release| (RELEASE.to_owned(), release)));
        let (flags, environment) = (BTreeMap::new(), &environment.variables);
        let all = Given { flags: &flags, options: &given, values: None, environment };
        let inputs = Some(resolved(recipe, &all)?);
        Ok(Self { inputs, mark, ..self })
    }
}

/// The recipe that writes: the one that is named, else one of our own where there is one for the profile.
fn writing_recipe(arguments: &DoctorArguments, profile: &Profile) -> Result<Option<Source>, Fault> {
    match &arguments.recipe {
        Some(path) => recipe_source(path).map(Some),
        None if !arguments.allow_writes => Ok(None),
        None if profile.profile == "loopiq" => {
            Ok(Some(Source { name: "doctor".to_owned(), text: OWN_RECIPE.to_owned() }))
        }
        None => Err(Fault::new(Exit::Usage, "`--allow-writes`: there is no recipe that writes")
            .hint("name one with a write: `--recipe FILE`")),
    }
}

/// The reads to make: those that are named, else what can be read without knowing anything of the server's records.
fn samples(arguments: &DoctorArguments, profile: &Profile, case: &Case) -> Result<Vec<Sample>, Fault> {
    if !arguments.samples.is_empty() {
        let named: Vec<Sample> =
            arguments.samples.iter().map(|text| sample(text)).collect::<Result<_, _>>()?;
        return match named.iter().find(|sample| profile.operation(&sample.operation).is_none()) {
            Some(unknown) => Err(Fault::new(
                Exit::Usage,
                format!("`--sample {}`: the profile has no such operation", unknown.operation),
            )),
            None => Ok(named),
        };
    }
    let known = |name: &str, arguments: Value| {
        let operation = profile.operation(name)?;
        let arguments: BTreeMap<String, Value> = arguments.as_object()?.clone().into_iter().collect();
        let fits = arguments.keys().all(|name| operation.arguments.contains_key(name));
        fits.then(|| Sample { operation: name.to_owned(), arguments })
    };
    let mut samples = Vec::new();
    if let Some(release) = &case.release {
        samples.extend(known("certification", json!({ "release": release })));
        if case.sandbox {
            samples.extend(known("evidence_graph", json!({ "certification": format!("CERT-{release}") })));
        }
    }
    let bare = profile.operations.iter().filter(|(name, operation)| {
        operation.class == Class::Read
            && operation.arguments.is_empty()
            && operation.family.is_semantic()
            && profile.contract.as_ref() != Some(*name)
    });
    samples.extend(bare.map(|(name, _)| Sample { operation: name.clone(), arguments: BTreeMap::new() }));
    Ok(samples)
}

fn examined(
    arguments: &DoctorArguments,
    server: &KnownServer,
    case: &Case,
    samples: &[Sample],
    environment: &Environment,
    output: &Output,
) -> Result<Examined, Fault> {
    let folder = tempfile::tempdir().map_err(Fault::internal)?;
    // What the settings have for writes is read only where there are any.
    let writer = match arguments.allow_writes {
        true => Some(found(arguments, Role::Write, environment)?),
        false => None,
    };
    let dry_runs = writer.as_ref().map(|_| server.dry_runs(environment)).transpose()?;
    let stop = Stop::listen()?;
    let runtime = runtime()?;
    let examined: Result<Examined, Fault> = runtime.block_on(async {
        let served = match server.sandbox() {
            Some(location) => Some(ServedSandbox::start(location).await?),
            None => None,
        };
        let way = |server: &KnownServer| match &served {
            Some(served) => Ok(served.endpoint()),
            None => server.endpoint().map_err(in_words),
        };
        let ways = Ways { reads: &|| way(server), writes: &|| way(writer.as_ref().unwrap_or(server)) };
        let doctor = engine::Doctor {
            target: &server.target,
            limits: server.limits.clone(),
            trace: Trace::from_parent(environment.get("TRACEPARENT"), environment.get("TRACESTATE")),
            required: &case.required,
            samples,
            foreign: arguments.foreign_tenant.as_deref(),
            writing: writing(case, writer.as_ref(), dry_runs, folder.path(), environment),
        };
        let said = || output.say("the examination goes on");
        Ok(telling(engine::examine(doctor, &ways, stop.wait()), SILENCE, said).await)
    });
    // Blocking leftovers, such as a closed sandbox's, are not waited for.
    runtime.shutdown_background();
    examined
}

/// What is written, or why nothing is.
fn writing<'a>(
    case: &'a Case,
    writer: Option<&'a KnownServer>,
    dry_runs: Option<DryRuns>,
    folder: &'a Path,
    environment: &Environment,
) -> Result<Writing<'a>, String> {
    let all = case.recipe.as_ref().zip(case.inputs.as_ref()).zip(writer.zip(dry_runs));
    let (((recipe, source), inputs), (writer, dry_runs)) =
        all.ok_or("it writes, which takes `--allow-writes`")?;
    Ok(Writing {
        recipe,
        source: &source.name,
        inputs,
        mark: case.mark.clone(),
        target: &writer.target,
        limits: writer.limits.clone(),
        dry_runs,
        who: environment.person(),
        pipeline: environment.planned_in(),
        ci: environment.ci(),
        folder,
    })
}

/// The exit code of an examination.
fn exit_of(examined: &Examined) -> Exit {
    match &examined.cut_short {
        _ if examined.unknown => Exit::Unknown,
        Some(conclusion) => Exit::of_run(conclusion, false),
        None if examined.count(Outcome::Failed) > 0 => Exit::GateFails,
        None if examined.count(Outcome::Undecided) > 0 => Exit::Undecided,
        None => Exit::Done,
    }
}
