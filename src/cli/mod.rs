//! The command line: one file a subcommand, and the wiring between arguments, settings and the use cases.
//!
//! The environment is read here, once. Nothing deeper exits, prints or reads it.

mod apply;
mod apply_exit;
mod apply_lines;
mod applying;
mod approve;
mod approve_from;
mod approving;
mod arguments;
mod audit;
mod audit_file;
mod ci;
mod command;
mod complete;
mod config;
mod diff;
mod doctor;
mod doctor_arguments;
mod doctor_sandbox;
mod effect_arguments;
mod environment;
mod exit;
mod fault;
mod federated_settings;
mod init;
mod input;
mod layers;
mod ledger;
mod ledger_arguments;
mod ledger_log;
mod ledger_place;
mod ledger_server;
mod ledger_status;
mod list;
mod lock;
mod lock_arguments;
mod lock_place;
mod mcp;
mod mcp_arguments;
mod mcp_left;
mod mcp_offer;
mod moment;
mod next_command;
mod outcome_file;
mod output;
mod package;
mod period;
mod planned_in;
mod platform;
mod policy;
mod profile;
mod profile_arguments;
mod profile_check;
mod reconcile;
mod record;
mod records;
mod reference;
mod replay;
mod reports;
mod revoke;
mod role_settings;
mod run;
mod run_files;
mod runtime;
mod sandbox;
mod schema;
mod secret_settings;
mod server;
mod server_settings;
mod settings;
mod show;
mod signals;
mod signing;
mod status;
mod tenant_settings;
mod test;
mod token_settings;
mod trust_folder;
mod url_password;
mod used;
mod validate;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::recipe::Recipe;
use arguments::{Command, Invocation};
use command::shipped_recipes;
use environment::Environment;
pub use exit::Exit;
use fault::Fault;
use output::Output;
pub use settings::settings_in;

/// Runs the program with the process's own arguments and environment, and gives its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let environment = Environment::capture();
    if std::env::args_os().any(|argument| url_password::has_credential(&argument.to_string_lossy())) {
        // Before anybody repeats what was not understood.
        let fault = Fault::new(
            Exit::Usage,
            "a URL on the command line has a name or a password before its host",
        )
        .hint(
            "whoever lists processes or reads logs sees it: change it, and name a `token` in loopgate.yaml",
        );
        Output::new(&environment, 0).fault(&fault);
        return fault.exit.into();
    }
    let first = std::env::args_os().nth(1);
    let recipes = match shipped_recipes(first.as_deref()) {
        Ok(recipes) => recipes,
        Err(fault) => {
            Output::new(&environment, 0).fault(&fault);
            return fault.exit.into();
        }
    };
    let matches = match command::command_for(first.as_deref(), &recipes).try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return output::clap_error(&error),
    };
    let verbose = matches.get_count("verbose");
    let output = Output::new(&environment, verbose);
    output::start_diagnostics(verbose);
    let done = invocation(&matches, &recipes)
        .and_then(|invocation| dispatch(invocation, &recipes, &environment, &output));
    let exit = match done {
        Ok(exit) => exit,
        Err(fault) => {
            output.fault(&fault);
            if command::wants_json(&matches) {
                // Whoever reads the one value is told there, too; a second failure has nowhere to go.
                let _ = output.json(&fault.to_json());
            }
            fault.exit
        }
    };
    exit.into()
}

fn invocation(matches: &clap::ArgMatches, recipes: &[Recipe]) -> Result<Invocation, Fault> {
    let (name, sub) = matches
        .subcommand()
        .ok_or_else(|| Fault::new(Exit::Usage, "no subcommand; see `loopgate --help`"))?;
    match command::shipped_recipe(name, sub, recipes)? {
        Some(run) => Ok(Invocation::Recipe(Box::new(run))),
        None => Command::from_arg_matches(matches)
            .map(|command| Invocation::Command(Box::new(command)))
            .map_err(|error| Fault::new(Exit::Usage, error.to_string())),
    }
}

fn dispatch(
    invocation: Invocation,
    recipes: &[Recipe],
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let command = match invocation {
        Invocation::Recipe(recipe) => return run::shipped(*recipe, recipes, environment, output),
        Invocation::Command(command) => *command,
    };
    match command {
        Command::Run(arguments) => run::file(arguments, environment, output),
        Command::Validate(arguments) => validate::validate(&arguments, environment, output),
        Command::Show(arguments) => show::show(&arguments, environment, output),
        Command::Diff(arguments) => diff::diff(&arguments, output),
        Command::Approve(arguments) => approve::approve(&arguments, environment, output),
        Command::Revoke(arguments) => revoke::revoke(&arguments, environment, output),
        Command::Apply(arguments) => apply::apply(*arguments, environment, output),
        Command::Reconcile(arguments) => reconcile::reconcile(*arguments, environment, output),
        Command::Status(arguments) => status::status(&arguments, environment, output),
        Command::Config(arguments) => config::config(&arguments, environment, output),
        Command::Mcp(arguments) => mcp::mcp(arguments, environment, output),
        Command::Test(arguments) => test::test(&arguments, environment, output),
        Command::Lock(arguments) => lock::lock(&arguments, environment, output),
        Command::Doctor(arguments) => doctor::doctor(&arguments, environment, output),
        Command::Ledger(arguments) => ledger::ledger(arguments.command, environment, output),
        Command::Audit(arguments) => audit::audit(arguments.command, environment, output),
        Command::Schema(arguments) => schema::schema(&arguments, output),
        Command::List(arguments) => list::list(&arguments, recipes, output),
        Command::Init(arguments) => init::init(&arguments, output),
        Command::Profile(arguments) => profile::profile(&arguments.command, environment, output),
        Command::Sandbox(arguments) => sandbox::sandbox(arguments.command, environment, output),
        Command::Completions(arguments) => complete::completions(&arguments, recipes, output),
        Command::Man(arguments) => complete::man(&arguments, recipes, output),
    }
}
