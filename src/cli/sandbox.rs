//! `loopgate sandbox`: the embedded stand-in as a server of its own, evidence from real files, and made-up records.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::arguments::{Format, SandboxCommand, SandboxImport, SandboxLoad};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::runtime::runtime;
use super::server::SANDBOX_DATABASE;
use super::signals::Stop;
use crate::core::file::read_bounded;
use crate::core::text::visible;
use crate::mcp::Token;
use crate::sandbox::{DataFile, Import, Loaded, Location, Sandbox};

/// The variable that holds the bearer token of the sandbox over HTTP.
const TOKEN: &str = "LOOPGATE_SANDBOX_TOKEN";
/// The largest evidence file that is read, in bytes; the importer's own limit is lower.
const LARGEST_EVIDENCE: usize = 1 << 27;

/// Serves the sandbox, or brings something into it.
pub(super) fn sandbox(
    command: SandboxCommand,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    match command {
        SandboxCommand::Serve(arguments) => {
            let sandbox = opened(&arguments.database)?;
            match arguments.http {
                None => serve(&sandbox),
                Some(address) => serve_http(&sandbox, address, environment, output),
            }
        }
        SandboxCommand::Import(arguments) => import(&arguments, output),
        SandboxCommand::Load(arguments) => load(&arguments, output),
    }
}

fn opened(database: &str) -> Result<Sandbox, Fault> {
    let location = match database {
        "memory" => Location::Memory,
        path => Location::File(PathBuf::from(path)),
    };
    Sandbox::open(&location).map_err(Fault::invalid)
}

/// Listens, says where, and serves until it is told to stop.
fn serve_http(
    sandbox: &Sandbox,
    address: SocketAddr,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    let token = environment.get(TOKEN).ok_or_else(|| {
        Fault::new(Exit::Invalid, format!("the variable `{TOKEN}` is not set"))
            .hint("it holds the bearer token that every client must show")
    })?;
    // Only to say at once that no client could send it.
    Token::new(token)
        .map_err(|error| Fault::new(Exit::Invalid, format!("the variable `{TOKEN}`: {error}")))?;
    let stop = Stop::listen()?;
    let runtime = runtime()?;
    let signal: Result<_, Fault> = runtime.block_on(async {
        let listening = sandbox.listen(address, token).await.map_err(Fault::invalid)?;
        output.data(&format!("{}\n", listening.url()))?;
        output.say("this is the sandbox; it serves until it is interrupted");
        let told = stop.clone();
        listening
            .serve(async move {
                let _ = told.wait().await;
            })
            .await;
        Ok(stop.told())
    });
    runtime.shutdown_background();
    Ok(signal?.map_or(Exit::Done, Exit::of_signal))
}

fn serve(sandbox: &Sandbox) -> Result<Exit, Fault> {
    let runtime = runtime()?;
    let served = runtime.block_on(sandbox.serve_stdio());
    // A thread that still waits for standard input would hold the process up.
    runtime.shutdown_background();
    served.map_err(Fault::internal)?;
    Ok(Exit::Done)
}

fn import(arguments: &SandboxImport, output: &Output) -> Result<Exit, Fault> {
    let mut imports = Vec::new();
    for path in &arguments.files {
        imports.push(Import {
            tenant: arguments.tenant.clone(),
            release: arguments.release.clone(),
            source: path.display().to_string(),
            format: None,
            bytes: read_bounded(path, LARGEST_EVIDENCE).map_err(Fault::invalid)?,
            observed: None,
        });
    }
    let sandbox = Sandbox::open(&Location::File(arguments.database.clone())).map_err(Fault::invalid)?;
    let imported = sandbox.import(&imports).map_err(Fault::invalid)?;
    let results: Vec<_> = imports.iter().map(|import| &import.source).zip(&imported).collect();
    match arguments.format {
        Format::Json => {
            let files: Vec<_> = results
                .iter()
                .map(|(source, imported)| json!({ "file": source, "imported": imported }))
                .collect();
            output.json(&json!({ "format": "loopgate.import/1", "sandbox": true, "files": files }))?;
        }
        Format::Text => {
            let mut text = String::new();
            for (source, imported) in &results {
                text.push_str(&format!(
                    "{}: {} of {}: {} passed, {} failed, {} undecided; {} findings; {} is {}\n",
                    visible(source),
                    imported.format,
                    visible(&imported.providers.join(", ")),
                    imported.controls.passed,
                    imported.controls.failed,
                    imported.controls.undecided,
                    imported.findings,
                    visible(&imported.release),
                    imported.status,
                ));
            }
            text.push_str(&format!(
                "this is the sandbox; next: loopgate certify-release --server {} --tenant {} --release {}\n",
                visible(&server_name(&arguments.database)),
                visible(&arguments.tenant),
                visible(&arguments.release)
            ));
            output.data(&text)?;
        }
    }
    Ok(Exit::Done)
}

fn load(arguments: &SandboxLoad, output: &Output) -> Result<Exit, Fault> {
    let mut files = Vec::new();
    for path in &arguments.files {
        files.push(data_file(path)?);
    }
    let sandbox = Sandbox::open(&Location::File(arguments.database.clone())).map_err(Fault::invalid)?;
    let loaded = sandbox.load(&files).map_err(Fault::invalid)?;
    let results: Vec<_> = files.iter().map(|file| &file.name).zip(&loaded).collect();
    match arguments.format {
        Format::Json => {
            let files: Vec<_> =
                results.iter().map(|(file, loaded)| json!({ "file": file, "loaded": loaded })).collect();
            output.json(&json!({ "format": "loopgate.load/1", "sandbox": true, "files": files }))?;
        }
        Format::Text => {
            let mut text = String::new();
            for (file, Loaded(counts)) in &results {
                let counts: Vec<String> =
                    counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
                let counts = if counts.is_empty() { "nothing new".to_owned() } else { counts.join(", ") };
                text.push_str(&format!("{}: {counts}\n", visible(file)));
            }
            text.push_str(&format!(
                "this is the sandbox; recipes see it with: --server {}\n",
                visible(&server_name(&arguments.database))
            ));
            output.data(&text)?;
        }
    }
    Ok(Exit::Done)
}

/// A data file for the sandbox, as it stands on the disk.
pub(super) fn data_file(path: &Path) -> Result<DataFile, Fault> {
    let bytes = read_bounded(path, LARGEST_EVIDENCE).map_err(Fault::invalid)?;
    Ok(DataFile { name: path.display().to_string(), bytes })
}

/// How `--server` names the sandbox with that database.
fn server_name(database: &Path) -> String {
    if database == Path::new(SANDBOX_DATABASE) {
        "sandbox".to_owned()
    } else {
        format!("sandbox:{}", database.display())
    }
}
