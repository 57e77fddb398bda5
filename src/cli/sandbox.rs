//! `loopgate sandbox`: the embedded stand-in as a server of its own, and evidence from real files.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::arguments::{Format, SandboxCommand, SandboxImport};
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::server::SANDBOX_DATABASE;
use crate::core::file::read_bounded;
use crate::core::text::visible;
use crate::sandbox::{Import, Location, Sandbox};

/// The largest evidence file that is read, in bytes; the importer's own limit is lower.
const LARGEST_EVIDENCE: usize = 1 << 27;

/// Serves the sandbox, or imports into it.
pub(super) fn sandbox(command: SandboxCommand, output: &Output) -> Result<Exit, Fault> {
    match command {
        SandboxCommand::Serve(arguments) => serve(&arguments.database),
        SandboxCommand::Import(arguments) => import(&arguments, output),
    }
}

fn serve(database: &str) -> Result<Exit, Fault> {
    let location = match database {
        "memory" => Location::Memory,
        path => Location::File(PathBuf::from(path)),
    };
    let sandbox = Sandbox::open(&location).map_err(Fault::invalid)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Fault::internal)?;
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

/// How `--server` names the sandbox with that database.
fn server_name(database: &Path) -> String {
    if database == Path::new(SANDBOX_DATABASE) {
        "sandbox".to_owned()
    } else {
        format!("sandbox:{}", database.display())
    }
}
