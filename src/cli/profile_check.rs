//! `loopgate profile check`: whether a profile fits the live server, and the lines to change where it does not.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::arguments::Format;
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::input::{load, recipe_source};
use super::output::Output;
use super::profile::{asked_server, surveyed};
use super::profile_arguments::ProfileCheck;
use super::used::Used;
use crate::catalog::{Misfit, Profile};
use crate::core::pointer::escape;
use crate::core::text::visible;
use crate::engine::{Sample, Sampled, Surveyed};
use crate::recipe::{self, Diagnostic, Problems, Source, YamlPlaces};

/// Holds the profile and the recipes that it must do for against the server.
pub(super) fn check(
    arguments: &ProfileCheck,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let samples: Vec<Sample> = arguments.samples.iter().map(|text| sample(text)).collect::<Result<_, _>>()?;
    let (tenant, named) = (arguments.tenant.as_deref(), arguments.profile.as_deref());
    let server = asked_server(&arguments.asked, tenant, named, environment)?;
    let profile = &server.target.profile;
    if let Some(unknown) = samples.iter().find(|sample| profile.operation(&sample.operation).is_none()) {
        let known: Vec<&str> = profile.operations.keys().map(String::as_str).collect();
        let name = &unknown.operation;
        return Err(Fault::new(Exit::Usage, format!("`--sample {name}`: the profile has no such operation"))
            .hint(format!("it has: {}", known.join(", "))));
    }
    let mut findings = Findings::of(&server.profile_source);
    let mut used = Used::default();
    let recipes = recipes(&arguments.recipes, profile)?;
    for source in &recipes {
        findings.sources.push((source.name.clone(), source.text.clone()));
        match load(source.clone(), profile, &server.target.agreed) {
            Ok(recipe) => used.add(&recipe, source),
            Err(fault) => findings.join(fault)?,
        }
    }
    let mut operations: BTreeSet<String> = match recipes.is_empty() {
        true => profile.operations.keys().cloned().collect(),
        false => used.operations(profile),
    };
    let surveyed = surveyed(&server, &samples, environment)?;
    server.told(output);
    // What recipes go without where it is not offered is no misfit there.
    let offers = |tool: &str| surveyed.tools.iter().any(|offered| offered.name == tool);
    operations.retain(|name| {
        !used.goes_without(name) || profile.operation(name).is_none_or(|operation| offers(&operation.tool))
    });
    let fit = profile.fit(&surveyed.tools, &operations);
    findings.misfits(fit.misfits);
    findings.raw_tools(&used, profile, &surveyed);
    findings.samples(&surveyed.samples);

    let sampled: BTreeSet<&str> = samples.iter().map(|sample| sample.operation.as_str()).collect();
    let untold: Vec<&String> = fit.untold.iter().filter(|name| !sampled.contains(name.as_str())).collect();
    let problems = Problems::new(findings.diagnostics, findings.sources);
    let fits = problems.diagnostics.is_empty();
    let exit = if fits { Exit::Done } else { Exit::Invalid };
    match arguments.format {
        Format::Json => {
            let fault = Fault::from(problems);
            output.json(&json!({
                "format": "loopgate.profile-check/1", "profile": profile.profile, "server": surveyed.server.name,
                "fits": fits, "operations": operations, "problems": fault.problems_json(), "not_checked": untold,
            }))?;
        }
        Format::Text => {
            let mut text = match (fits, operations.len()) {
                (true, 1) => format!("{}: its operation fits\n", visible(&server.profile_source.name)),
                (true, all) => {
                    format!("{}: all {all} operations fit\n", visible(&server.profile_source.name))
                }
                (false, _) => String::new(),
            };
            for name in untold {
                text.push_str(&format!(
                    "  known only from an answer: what `{name}` gives; add `--sample '{name}={{…}}'`\n",
                    name = visible(name)
                ));
            }
            if !text.is_empty() {
                output.data(&text)?;
            }
            if !fits {
                output.fault(&Fault::from(problems));
            }
        }
    }
    Ok(exit)
}

/// `OPERATION` or `OPERATION={…}`.
pub(super) fn sample(text: &str) -> Result<Sample, Fault> {
    let (operation, arguments) = text.split_once('=').unwrap_or((text, "{}"));
    match serde_json::from_str(arguments) {
        Ok(Value::Object(members)) => {
            Ok(Sample { operation: operation.to_owned(), arguments: members.into_iter().collect() })
        }
        _ => Err(Fault::new(
            Exit::Usage,
            format!("`--sample {text}`: what stands behind `=` is no JSON object"),
        )
        .hint("write the operation's arguments as one: `--sample 'certification={\"release\": \"R-1\"}'`")),
    }
}

/// The recipes that are named, else the shipped ones that ask for a profile of this name.
pub(super) fn recipes(named: &[std::path::PathBuf], profile: &Profile) -> Result<Vec<Source>, Fault> {
    if !named.is_empty() {
        return named.iter().map(|path| recipe_source(path)).collect();
    }
    let shipped = recipe::shipped().iter().filter_map(|(name, _)| recipe_source(Path::new(name)).ok());
    let theirs = |source: &Source| recipe::declared_profile(source).as_ref() == Some(&profile.profile);
    Ok(shipped.filter(theirs).collect())
}

/// Problems with their places, as they come together.
struct Findings {
    diagnostics: Vec<Diagnostic>,
    sources: Vec<(String, String)>,
    profile: String,
    places: Option<YamlPlaces>,
}

impl Findings {
    fn of(profile: &Source) -> Self {
        Self {
            diagnostics: Vec::new(),
            sources: vec![(profile.name.clone(), profile.text.clone())],
            profile: profile.name.clone(),
            places: YamlPlaces::read(profile),
        }
    }

    fn in_profile(&mut self, code: &'static str, at: &str, message: String, hint: Option<String>) {
        let span = self.places.as_ref().and_then(|places| places.nearest(at));
        self.diagnostics.push(Diagnostic { code, message, source: self.profile.clone(), span, hint });
    }

    /// The problems of a recipe; any other fault ends the check.
    fn join(&mut self, fault: Fault) -> Result<(), Fault> {
        match fault.problems {
            Some(problems) => {
                self.diagnostics.extend(problems.diagnostics);
                self.sources.extend(problems.sources);
                Ok(())
            }
            None => Err(fault),
        }
    }

    fn misfits(&mut self, misfits: Vec<Misfit>) {
        for Misfit { code, at, message, hint } in misfits {
            self.in_profile(code, &at, message, hint);
        }
    }

    /// Tools that a recipe calls by their own names.
    fn raw_tools(&mut self, used: &Used, profile: &Profile, surveyed: &Surveyed) {
        let raw = used.called.iter().filter(|(name, _)| profile.operation(name).is_none());
        for (name, (source, span)) in raw {
            if !surveyed.tools.iter().any(|tool| tool.name == *name) {
                let message = format!("the server offers no tool `{}`", visible(name));
                let (source, span) = (source.clone(), *span);
                self.diagnostics.push(Diagnostic { code: "no-such-tool", message, source, span, hint: None });
            }
        }
    }

    fn samples(&mut self, samples: &[Sampled]) {
        for Sampled { operation, lacks } in samples {
            let above = format!("/operations/{}", escape(operation));
            match lacks {
                Err(why) => {
                    let message =
                        format!("the sample of `{}` has no answer: {}", visible(operation), visible(why));
                    self.in_profile("no-answer", &above, message, None);
                }
                Ok(lacks) => {
                    for (result, reasons) in lacks {
                        let at = match result.as_str() {
                            "" => format!("{above}/result"),
                            name => format!("{above}/result/{}", escape(name)),
                        };
                        let message = format!("in the sample's answer {}", reasons.join("; "));
                        let hint = "name the place where it stands, say `optional: true`, or add the word to `states`";
                        self.in_profile("unknown-result", &at, message, Some(hint.to_owned()));
                    }
                }
            }
        }
    }
}
