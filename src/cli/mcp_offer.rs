//! Recipes as the offer of an MCP server: what is listed, and how a call is run.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde_json::{Map, Value};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, oneshot};

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::ledger_place::Place;
use super::mcp_arguments::McpArguments;
use super::mcp_left::Left;
use super::next_command::NextCommand;
use super::output::Output;
use super::run::{applied_before, ledger_of};
use super::run_files::{ARTIFACT, write};
use super::runtime::runtime;
use super::server::{KnownServer, in_words};
use super::signals::Stop;
use crate::core::OutputFolder;
use crate::core::id::Trace;
use crate::core::text::{excerpt, visible};
use crate::engine::{self, DryRuns, Event, Events, RunResult, Signal};
use crate::mcp::serve::{
    Answer, Call, Later, Offer, OfferedPrompt, OfferedResource, OfferedTool, Progress, ResourceText, Unread,
};
use crate::recipe::{self, InputProblem, Recipe, Resolved};
use crate::report::agent::{self, CallView, GUIDE, PlanCommands};
use crate::report::{self, RunOutputs, Written, quoted};

/// Calls that are run at once; more of them wait.
const AT_ONCE: u32 = 4;
/// Calls that are run or wait; more of them are refused.
const MOST_CALLS: usize = 64;
/// The most files that an answer links to.
const MOST_LINKS: usize = 40;
/// What is wrong with arguments is listed up to here, and then counted.
const MOST_PROBLEMS: usize = 50;
/// The most characters of a recipe's own words as its tool's title.
const LONGEST_TITLE: usize = 120;

/// A recipe that is served, and the server that it runs against.
pub(super) struct Served {
    pub recipe: Recipe,
    /// Its file, or its name where it is shipped.
    pub source: String,
    pub server: KnownServer,
}

/// All recipes that are served.
pub(super) struct Recipes(Arc<Shared>);

struct Shared {
    served: Vec<Served>,
    tools: Vec<OfferedTool>,
    left: Left,
    /// What says what took place already.
    ledger: Option<Place>,
    arguments: McpArguments,
    environment: Environment,
    output: Output,
    /// The folder that everything started in.
    folder: String,
    stop: Stop,
    running: Arc<Semaphore>,
    taken: Arc<Semaphore>,
}

/// One call on its way.
struct Under {
    at: usize,
    inputs: Resolved,
    progress: Option<UnboundedSender<Progress>>,
    gone: Later<()>,
}

impl Recipes {
    pub fn new(
        served: Vec<Served>,
        left: Left,
        arguments: McpArguments,
        environment: &Environment,
        verbose: u8,
        stop: Stop,
    ) -> Result<Self, Fault> {
        let folder = std::path::absolute(".").map_err(Fault::internal)?.display().to_string();
        let output = Output::new(environment, verbose);
        let ledger = match ledger_of(arguments.ledger.as_deref(), arguments.trust.as_deref(), environment) {
            Ok(ledger) => Some(ledger),
            // A plan needs no ledger; whoever applies it does, and is told there.
            Err(fault) => {
                output.say(&format!("note: {}", visible(&in_words(fault))));
                None
            }
        };
        let answer = match report::call_schema() {
            Value::Object(schema) => schema,
            _ => Map::new(),
        };
        Ok(Self(Arc::new(Shared {
            tools: served.iter().map(|served| tool(&served.recipe, &answer)).collect(),
            served,
            left,
            ledger,
            arguments,
            environment: environment.clone(),
            output,
            folder,
            stop,
            running: Arc::new(Semaphore::new(AT_ONCE as usize)),
            taken: Arc::new(Semaphore::new(MOST_CALLS)),
        })))
    }

    /// A line for whoever started it.
    pub fn about(&self) -> String {
        let root = self.0.left.root().display().to_string();
        format!("{} Calls leave their files in `{}`.", visible(&self.instructions()), visible(&root))
    }

    /// Waits until no call is under way.
    pub async fn idle(&self) {
        // It fails only where it was closed, which nobody does.
        let _ = self.0.running.acquire_many(AT_ONCE).await;
    }
}

impl Offer for Recipes {
    fn instructions(&self) -> String {
        let targets = || self.0.served.iter().map(|served| &served.server.target);
        let servers: BTreeSet<&str> = targets().map(|target| target.identity.as_str()).collect();
        let tenants: BTreeSet<&str> = targets().filter_map(|target| target.tenant.as_deref()).collect();
        let tenants: Vec<&str> = tenants.into_iter().collect();
        let tenant = Some(tenants.join(", ")).filter(|tenants| !tenants.is_empty());
        let servers: Vec<&str> = servers.into_iter().collect();
        agent::instructions(&servers.join(", "), tenant.as_deref(), self.0.served.len())
    }

    fn tools(&self) -> &[OfferedTool] {
        &self.0.tools
    }

    fn call(&self, call: Call) -> Later<Answer> {
        let shared = Arc::clone(&self.0);
        let Call { tool, arguments, progress, mut gone } = call;
        let found = shared.served.iter().position(|served| served.recipe.name == tool);
        let Some((at, served)) = found.and_then(|at| Some((at, shared.served.get(at)?))) else {
            return answered(Answer::error(format!("there is no tool `{}`", visible(&tool))));
        };
        let inputs = match recipe::called_with(&served.recipe.inputs, &arguments) {
            Ok(inputs) => inputs,
            Err(problems) => return answered(Answer::error(wrong(&problems))),
        };
        Box::pin(async move {
            let Ok(_taken) = Arc::clone(&shared.taken).try_acquire_owned() else {
                return Answer::error(format!(
                    "{MOST_CALLS} calls are under way already, and this one was not begun: wait for their answers"
                ));
            };
            let running = tokio::select! {
                biased;
                () = &mut gone => return Answer::error("nobody waits for it any more"),
                running = Arc::clone(&shared.running).acquire_owned() => running,
            };
            let (tell, told) = oneshot::channel();
            let under = Under { at, inputs, progress, gone };
            // A run does one thing at a time and may block, so it has a thread and a runtime of its own.
            let started = thread::Builder::new().name("call".to_owned()).spawn(move || {
                shared.run(under, tell);
                drop(running);
            });
            match started {
                Ok(_) => told.await.unwrap_or_else(|_| Answer::error("internal error: the call broke off")),
                Err(error) => Answer::error(format!("internal error: {error}")),
            }
        })
    }

    fn resources(&self) -> Vec<OfferedResource> {
        let recipes = self.0.served.iter().map(|served| OfferedResource {
            uri: recipe_uri(&served.recipe),
            name: served.recipe.name.clone(),
            description: "What the recipe does, step by step: the same as `loopgate show`.".to_owned(),
            media_type: "text/markdown",
            bytes: None,
        });
        recipes.chain(self.0.left.files()).collect()
    }

    fn read(&self, uri: &str) -> Result<ResourceText, Unread> {
        match self.0.served.iter().find(|served| recipe_uri(&served.recipe) == uri) {
            Some(served) => Ok(ResourceText {
                text: report::recipe_markdown(&served.recipe, &served.server.target.profile),
                media_type: "text/markdown",
            }),
            None => self.0.left.read(uri),
        }
    }

    fn prompts(&self) -> Vec<OfferedPrompt> {
        let (name, description) = GUIDE;
        let arguments = vec![("release", "The release in question.")];
        vec![OfferedPrompt { name, description, arguments }]
    }

    fn prompt(&self, _: &str, arguments: &Map<String, Value>) -> Result<String, String> {
        if let Some(unknown) = arguments.keys().find(|name| *name != "release") {
            return Err(format!("there is no argument `{}`: only `release`", visible(unknown)));
        }
        let release = match arguments.get("release") {
            None => None,
            Some(Value::String(release)) => Some(release.as_str()).filter(|release| !release.is_empty()),
            Some(_) => return Err("`release` is not a string".to_owned()),
        };
        Ok(agent::guide(&self.instructions(), release))
    }
}

fn answered(answer: Answer) -> Later<Answer> {
    Box::pin(std::future::ready(answer))
}

fn recipe_uri(recipe: &Recipe) -> String {
    format!("loopgate://recipes/{}", recipe.name)
}

/// A recipe as a tool, whose structured answers have the schema `answer`.
fn tool(recipe: &Recipe, answer: &Map<String, Value>) -> OfferedTool {
    OfferedTool {
        name: recipe.name.clone(),
        title: excerpt(recipe.summary.trim(), LONGEST_TITLE),
        description: agent::tool_description(recipe),
        input: recipe::inputs_schema(&recipe.inputs),
        output: answer.clone(),
        reads_only: !recipe.writes(),
    }
}

/// What is wrong with a call's arguments: all of it, in the caller's terms.
fn wrong(problems: &[InputProblem]) -> String {
    let told = problems.iter().take(MOST_PROBLEMS).map(|problem| match problem {
        InputProblem::Unknown { hint: Some(hint), .. } => format!("{problem}; {hint}"),
        _ => problem.to_string(),
    });
    let rest = problems.len().checked_sub(MOST_PROBLEMS).filter(|rest| *rest > 0);
    let lines: Vec<String> = told.chain(rest.map(|rest| format!("and {rest} more"))).collect();
    format!("Nothing was run, because the arguments do not do:\n{}", lines.join("\n"))
}

impl Shared {
    /// Runs the recipe, says what it came to, and then waits for what it started to end.
    fn run(&self, under: Under, tell: oneshot::Sender<Answer>) {
        let Some(served) = self.served.get(under.at) else { return };
        let name = &served.recipe.name;
        let ran = runtime().and_then(|runtime| {
            let out = self.left.folder(name)?;
            let ran = self.ran(served, under, &out, &runtime);
            // Where nothing was written there is nothing to keep; a folder with files stays.
            let _ = fs_err::remove_dir(out.root());
            ran.map(|(answer, closed)| (answer, closed, runtime))
        });
        // Whoever waited for the answer may be gone.
        match ran {
            Ok((answer, closed, runtime)) => {
                let _ = tell.send(answer);
                runtime.block_on(closed);
                runtime.shutdown_background();
            }
            Err(fault) => {
                let code = fault.exit.code();
                let words = in_words(fault);
                let words = visible(&words);
                self.output.say(&format!("{name}: {words}"));
                let _ = tell.send(Answer::error(format!("There is no verdict: {words} (exit code {code})")));
            }
        }
    }

    fn ran(
        &self,
        served: &Served,
        under: Under,
        out: &OutputFolder,
        runtime: &Runtime,
    ) -> Result<(Answer, impl Future<Output = ()> + use<>), Fault> {
        let Served { recipe, source, server } = served;
        let Under { at: _, inputs, progress, gone } = under;
        let dry_runs = match recipe.writes() {
            true => server.dry_runs(&self.environment)?,
            false => DryRuns::Withheld("the recipe has no writes".to_owned()),
        };
        let run = engine::Run {
            recipe,
            source,
            inputs: &inputs,
            target: &server.target,
            options: engine::RunOptions {
                limits: server.limits.clone(),
                concurrency: usize::from(self.arguments.concurrency),
                occurrence: 1,
                trace: Trace::from_parent(None, None),
                who: self.environment.person(),
                pipeline: self.environment.planned_in(),
            },
        };
        let teller = Teller { progress, of: recipe.steps.len(), done: Cell::new(0) };
        let stop = self.stop.clone();
        let stop = async move {
            tokio::select! {
                biased;
                signal = stop.wait() => signal,
                () = gone => Signal::Interrupt,
            }
        };
        let (mut result, closed) = runtime.block_on(async {
            Ok::<_, Fault>(engine::run(run, server.endpoint()?, dry_runs, &teller, stop).await)
        })?;
        drop(teller);
        if let Some((artifact, ledger)) = result.artifact.as_ref().zip(self.ledger.as_ref()) {
            match applied_before(artifact, ledger) {
                Ok(applied) => result.applied_before = applied,
                Err(fault) => self.output.say(&format!("note: {}", visible(&in_words(fault)))),
            }
        }
        let written = write(&result, out)?;
        Ok((self.answer(served, &result, written), closed))
    }

    fn answer(&self, served: &Served, result: &RunResult, written: Vec<Written>) -> Answer {
        let exit = Exit::of_run(&result.conclusion, false);
        let name = &served.recipe.name;
        let word = result.conclusion.as_str();
        self.output.say(&format!("{name}: {word} (exit code {})", exit.code()));
        let artifact = written.iter().map(|written| &written.path).find(|path| path.ends_with(ARTIFACT));
        let commands = artifact.filter(|_| result.artifact.is_some()).map(|artifact| self.commands(artifact));
        let mut links = self.left.offer(&written);
        links.truncate(MOST_LINKS);
        let outputs = RunOutputs { written, server: self.arguments.server.clone() };
        let view = CallView {
            result,
            exit: (exit.code(), exit.meaning()),
            outputs: &outputs,
            commands: commands.as_ref(),
        };
        Answer {
            is_error: !agent::is_verdict(&result.conclusion),
            texts: agent::call_texts(&view),
            links,
            structured: Some(report::call_json(&view)),
        }
    }

    /// How a person goes on with a plan.
    fn commands(&self, artifact: &Path) -> PlanCommands {
        let McpArguments { recipes: _, server, tenant: _, out: _, ledger, trust, concurrency: _ } =
            &self.arguments;
        let trust = trust.as_ref().map(|trust| trust.to_string_lossy().into_owned());
        let flags = [("--server", server.clone()), ("--ledger", ledger.clone()), ("--trust", trust)];
        let next = NextCommand {
            artifact: artifact.to_owned(),
            approval_id: Some("ID".to_owned()),
            flags: flags.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect(),
            ..NextCommand::default()
        };
        PlanCommands {
            folder: self.folder.clone(),
            show: artifact.to_str().and_then(quoted).map(|path| format!("loopgate show {path}")),
            approve: next.approve(),
            apply: next.apply(None, &[]),
        }
    }
}

/// Tells a client how far its call is.
struct Teller {
    progress: Option<UnboundedSender<Progress>>,
    of: usize,
    done: Cell<u32>,
}

impl Events for Teller {
    fn emit(&self, event: &Event) {
        let Some(progress) = &self.progress else { return };
        let says = match event {
            Event::Connected { tools, .. } => format!("connected; the server offers {tools} tools"),
            Event::StepEnded { step, kind, status } => {
                self.done.set(self.done.get().saturating_add(1));
                format!("{kind} {step}: {}", status.as_str())
            }
            _ => return,
        };
        let of = u32::try_from(self.of).unwrap_or(u32::MAX);
        // A client that is gone wants to know nothing.
        let _ = progress.send(Progress { done: self.done.get(), of, says });
    }
}
