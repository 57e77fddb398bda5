//! `run`: reads, analyzes, decides gates, dry-runs what would be written, and leaves a plan.

use std::future::Future;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::apart::Apart;
use super::channel::Channel;
use super::contract::contract;
use super::dry_run::{dry_run, possible};
use super::event::{Event, Events};
use super::locked::{as_locked, used_by_recipe};
use super::plan::build;
use super::reach::{no_session, no_tools};
use super::result::{
    Conclusion, InputFact, RecipeFact, RunResult, Signal, StepResult, StepStatus, TargetFact, TenantKnownBy,
};
use super::steps::{Left, Steps};
use super::target::{Caller, Target, Tools};
use super::tenant::{Acting, tenant_lacking};
use crate::artifact::Artifact;
use crate::artifact::v1::PlannedIn;
use crate::core::id::{RunId, Trace};
use crate::mcp::{Endpoint, Limits, Session};
use crate::recipe::{Recipe, Resolved};

/// Everything a run needs to know.
pub struct Run<'a> {
    /// What to run.
    pub recipe: &'a Recipe,
    /// Its file, or its name where it is shipped.
    pub source: &'a str,
    /// Its inputs.
    pub inputs: &'a Resolved,
    /// Against whom.
    pub target: &'a Target,
    /// How.
    pub options: RunOptions,
}

/// How a run goes about it.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Time and size limits of the connection.
    pub limits: Limits,
    /// How many independent reads are under way at once, at least 1.
    pub concurrency: usize,
    /// Which time the same effect is wanted, from 1.
    pub occurrence: u32,
    /// The trace that the calls belong to.
    pub trace: Trace,
    /// Who runs it, in the words of the pipeline or the machine.
    pub who: Option<String>,
    /// The pipeline that runs it, in its own words.
    pub pipeline: Option<PlannedIn>,
}

/// With what planned writes are tried out, their dry-run switch set.
#[derive(Debug)]
pub enum DryRuns {
    /// The connection's credential is meant for it.
    Allowed,
    /// With another credential, at the same server.
    Apart(Box<Endpoint>),
    /// With none. Why.
    Withheld(String),
}

/// Runs a recipe. Whatever goes wrong is in the result; `stop` ends the run early. What comes with it waits until
/// the server has ended, which has been told to.
pub async fn run<Stop: Future<Output = Signal>>(
    run: Run<'_>,
    endpoint: Endpoint,
    dry_runs: DryRuns,
    events: &dyn Events,
    stop: Stop,
) -> (RunResult, impl Future<Output = ()> + use<Stop>) {
    let id = RunId::new();
    events.emit(&Event::Started {
        run: id.to_string(),
        recipe: run.recipe.name.clone(),
        server: run.target.identity.clone(),
        tenant: run.target.tenant.clone(),
        sandbox: run.target.sandbox,
        steps: run.recipe.steps.len(),
    });
    let mut course = Course::new(&run, id);
    let conclusion = tokio::select! {
        biased;
        signal = stop => Err(Conclusion::Interrupted(signal)),
        ended = course.go(&run, endpoint, dry_runs, events) => ended,
    };
    let mut closing = Vec::new();
    for session in [course.session.take(), course.trying_session.take()].into_iter().flatten() {
        closing.push(session.leave().await);
    }
    let closed = async move {
        for closing in join_all(closing).await {
            tracing::debug!(?closing, "closed");
        }
    };
    (course.finish(&run, conclusion, events), closed)
}

/// A run on its way.
struct Course<'a> {
    id: RunId,
    started: Timestamp,
    target: TargetFact,
    session: Option<Session>,
    /// The one that writes are tried out in, where it is another.
    trying_session: Option<Session>,
    steps: Steps<'a>,
    artifact: Option<Artifact>,
    /// The write whose dry run is under way.
    trying: Option<String>,
}

impl<'a> Course<'a> {
    fn new(run: &Run<'a>, id: RunId) -> Self {
        Self {
            id,
            started: Timestamp::now(),
            target: TargetFact {
                identity: run.target.identity.clone(),
                name: String::new(),
                version: String::new(),
                protocol: String::new(),
                sandbox: run.target.sandbox,
                tenant: run.target.tenant.clone(),
                tenant_known_by: match run.target.tenant {
                    Some(_) => TenantKnownBy::Asserted,
                    None => TenantKnownBy::None,
                },
                contract: None,
            },
            session: None,
            trying_session: None,
            steps: Steps::new(run.recipe, &run.inputs.values, run.target, run.options.occurrence),
            artifact: None,
            trying: None,
        }
    }

    async fn go(
        &mut self,
        run: &Run<'a>,
        endpoint: Endpoint,
        dry_runs: DryRuns,
        events: &dyn Events,
    ) -> Result<(), Conclusion> {
        let named = run.target.tenant.as_deref();
        match (named, &run.target.tenants.claim) {
            // The token may still say.
            (None, Some(_)) => {}
            (None, None) => tenant_lacking(run.target, None).map_or(Ok(()), Err)?,
            (named, _) => run.target.tenants.permit(named)?,
        }
        let connected = Session::connect(endpoint, run.options.limits.clone()).await;
        let connected = connected.map_err(|error| no_session(&error))?;
        let session = self.session.insert(connected);
        let facts = session.facts();
        self.target.name.clone_from(&facts.name);
        self.target.version.clone_from(&facts.version);
        self.target.protocol.clone_from(&facts.revision);
        let acting = Acting::by_credential(run.target, named, session)?;
        self.target.act(&acting, run.target);
        tenant_lacking(run.target, acting.tenant.as_deref()).map_or(Ok(()), Err)?;
        let listed = session.tools().await.map_err(|error| no_tools(&error))?;
        let used = used_by_recipe(run.recipe, &run.target.profile, &listed);
        as_locked(run.target, session.facts(), &listed, used).map_err(Conclusion::Moved)?;
        let tools = Tools::survey(run.target, listed);
        events.emit(&Event::Connected { server: self.target.name.clone(), tools: tools.len() });

        let asking = Caller {
            profile: &run.target.profile,
            tenant: acting.tenant.as_deref(),
            workflow: &run.recipe.name,
            trace: &run.options.trace,
        };
        let channel = Channel { session, caller: &asking, tools: &tools, events };
        let heard = contract(channel, run.target, run.options.limits.call).await?;
        let (contract, told) = heard.map_or((None, None), |(contract, told)| (Some(contract), told));
        self.target.contract = contract;
        let acting = acting.clone().hear(run.target, told)?;
        self.target.act(&acting, run.target);
        let caller = Caller { tenant: acting.tenant.as_deref(), ..asking };
        let channel = Channel { session, caller: &caller, tools: &tools, events };
        self.steps.act(self.target.tenant_known_by);
        self.steps.all(channel, &run.options).await?;
        if !run.recipe.writes() {
            return Ok(());
        }
        let mut planned = Vec::new();
        let writes = self.steps.take_writes();
        let apart = match dry_runs {
            DryRuns::Apart(endpoint) if writes.iter().any(|write| possible(write).is_ok()) => {
                Some(Apart::reach(run, *endpoint, &self.target, channel, &mut self.trying_session).await?)
            }
            DryRuns::Apart(_) | DryRuns::Allowed => None,
            DryRuns::Withheld(why) => Some(Apart::withheld(why)),
        };
        for write in writes {
            let mut calls = Vec::new();
            let way = match &apart {
                Some(apart) => apart.way(channel, &write),
                None => Ok(channel),
            };
            self.trying = Some(write.id.clone());
            let verdict = dry_run(way, &write, &run.options, channel.events, &mut calls).await;
            self.trying = None;
            self.steps.record_calls(&write.id, calls);
            let verdict = verdict?;
            if !verdict.validated {
                let unproven =
                    format!("`{}`: the server has not seen the payload; {}", write.id, verdict.why);
                self.steps.leave_unproven(unproven);
            }
            planned.push((write, verdict));
        }
        // A token that was renewed meanwhile is for the same tenant still.
        Acting::by_credential(run.target, acting.tenant.as_deref(), session)?;
        if let Err(conclusion) = acting.suffices(&run.target.tenants) {
            self.steps.leave_unproven(format!("`apply` will refuse this: {}", conclusion.message()));
        }
        self.artifact = Some(build(run, &self.target, &caller, &self.steps, planned)?);
        Ok(())
    }

    fn finish(self, run: &Run<'_>, ended: Result<(), Conclusion>, events: &dyn Events) -> RunResult {
        let Left { steps, emitted, not_proven, evidence, briefs } = self.steps.finish();
        let mut artifact = self.artifact;
        let conclusion = match (ended, self.trying) {
            (Err(Conclusion::Interrupted(_)), Some(write)) => Conclusion::Unconfirmed(format!(
                "step `{write}`: stopped while a dry run was under way; nobody knows what the server made of it"
            )),
            (ended, _) => {
                ended.map_or_else(|conclusion| conclusion, |()| conclude(&steps, artifact.as_ref()))
            }
        };
        let conclusion = match conclusion {
            // The first undecided step is the cause; later ones only use it.
            Conclusion::Undecided(own) => Conclusion::Undecided(first_undecided(&steps).unwrap_or(own)),
            other => other,
        };
        if !matches!(conclusion, Conclusion::ChangesPlanned | Conclusion::NothingToDo) {
            artifact = None;
        }
        events.emit(&Event::Ended { conclusion: conclusion.as_str(), message: conclusion.message() });
        RunResult {
            id: self.id,
            started: self.started,
            ended: Timestamp::now(),
            trace_id: run.options.trace.trace_id().to_owned(),
            recipe: RecipeFact {
                name: run.recipe.name.clone(),
                source: run.source.to_owned(),
                digest: run.recipe.digest.clone(),
                writes: run.recipe.writes(),
                found_out: run.recipe.later.clone(),
            },
            inputs: run
                .inputs
                .values
                .iter()
                .map(|(name, value)| InputFact {
                    name: name.clone(),
                    value: value.clone(),
                    origin: run.inputs.origins.get(name).map(ToString::to_string).unwrap_or_default(),
                })
                .collect(),
            target: self.target,
            profile: run.target.profile_fact(),
            steps,
            evidence,
            briefs,
            emitted,
            artifact,
            not_proven,
            applied_before: Vec::new(),
            replay: None,
            conclusion,
        }
    }
}

impl TargetFact {
    fn act(&mut self, acting: &Acting, target: &Target) {
        self.tenant.clone_from(&acting.tenant);
        self.tenant_known_by = acting.known_by(&target.tenants);
    }
}

/// An error and its causes on one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    message
}

fn first_undecided(steps: &[StepResult]) -> Option<Vec<String>> {
    steps.iter().find_map(|step| match &step.status {
        StepStatus::Undecided(reasons) => Some(reasons.clone()),
        _ => None,
    })
}

/// What a run that came to its end comes to. Nothing seen is never a pass.
fn conclude(steps: &[StepResult], artifact: Option<&Artifact>) -> Conclusion {
    if let Some(reasons) = first_undecided(steps) {
        return Conclusion::Undecided(reasons);
    }
    let gates = || steps.iter().filter(|step| step.kind == "gate" && step.status != StepStatus::NotRun);
    if gates().next().is_some() && gates().all(|gate| matches!(gate.status, StepStatus::Skipped(_))) {
        return Conclusion::Undecided(vec!["every gate was skipped".to_owned()]);
    }
    let did_something = steps.iter().any(|step| {
        step.kind != "include"
            && matches!(
                step.status,
                StepStatus::Done | StepStatus::Proposed | StepStatus::Holds(_) | StepStatus::DoesNotHold(_)
            )
    });
    if !did_something {
        return Conclusion::Undecided(vec!["no step ran".to_owned()]);
    }
    match artifact {
        None => Conclusion::Done,
        Some(artifact) if artifact.operations().is_empty() => Conclusion::NothingToDo,
        Some(_) => Conclusion::ChangesPlanned,
    }
}
