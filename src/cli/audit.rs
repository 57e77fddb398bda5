//! `loopgate audit`: reports of what happened to an effect, built from the ledger alone, and checked offline.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use super::arguments::Format;
use super::audit_file::{AuditFile, Holds};
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::ledger::place;
use super::ledger_arguments::{
    AuditBundle, AuditCommand, AuditReport, AuditStatement, AuditVerify, LedgerPlace,
};
use super::output::Output;
use super::package::Package;
use super::policy::read_signers;
use super::show::read_artifact;
use crate::audit::{
    self, AuditError, FaultKind, MAX_BUNDLE_BYTES, MAX_BYTES, Report, Verified, VerifyError, VerifyOptions,
};
use crate::core::file::read_bounded;
use crate::core::json::parse_strict;
use crate::core::text::visible;
use crate::ledger::Event;
use crate::report;

pub(super) fn audit(
    command: AuditCommand,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    match command {
        AuditCommand::Report(arguments) => report(&arguments, environment),
        AuditCommand::Verify(arguments) => verify(&arguments, output),
        AuditCommand::Bundle(arguments) => bundle(&arguments, environment),
        AuditCommand::Statement(arguments) => statement(&arguments, environment),
    }
}

fn report(arguments: &AuditReport, environment: &Environment) -> Result<Exit, Fault> {
    let out = arguments.out.as_deref();
    let out = out
        .map(|path| target(path, Holds::Report, &arguments.artifact, &arguments.place, environment))
        .transpose()?;
    let events = events(&arguments.artifact, &arguments.place, environment)?;
    let report = match &arguments.at {
        Some(head) => Report::build_at(&events, head)?,
        None => Report::build(&events)?,
    };
    match &out {
        Some(file) => write(file, report.bytes())?,
        None => exact(report.bytes())?,
    }
    Ok(Exit::Done)
}

fn bundle(arguments: &AuditBundle, environment: &Environment) -> Result<Exit, Fault> {
    let AuditBundle { artifact, out, package, place } = arguments;
    let bundled = || Ok::<_, Fault>(audit::bundle(&events(artifact, place, environment)?)?);
    if let Some(out) = out {
        let out = target(out, Holds::Bundle, artifact, place, environment)?;
        write(&out, &bundled()?)?;
    }
    if let Some(folder) = package {
        let mut package = Package::open(folder)?;
        let effect = read_artifact(artifact)?.effect_digest().clone();
        let name: String = effect.hex().chars().take(16).collect();
        package.add(&format!("audit/{name}.tar"), &bundled()?)?;
    }
    Ok(Exit::Done)
}

fn statement(arguments: &AuditStatement, environment: &Environment) -> Result<Exit, Fault> {
    let report = match report_in(&arguments.subject)? {
        Some(report) => report,
        None => Report::build(&events(&arguments.subject, &arguments.place, environment)?)?,
    };
    exact(&audit::statement(&report)?)?;
    Ok(Exit::Done)
}

fn verify(arguments: &AuditVerify, output: &Output) -> Result<Exit, Fault> {
    let bytes = read_bounded(&arguments.file, MAX_BUNDLE_BYTES).map_err(Fault::invalid)?;
    let lines = arguments.signers.as_deref().map(read_signers).transpose()?;
    let options = VerifyOptions { anchor: arguments.anchor.clone(), signers: lines.as_deref() };
    let Verified { effect_digest, head, count, after_anchor, checked, not_checked } =
        audit::verify(&bytes, &options).map_err(|error| {
            let Fault { exit, error, hint, problems } = Fault::from(error);
            let file = arguments.file.display().to_string();
            Fault { exit, error: error.context(format!("`{}`", visible(&file))), hint, problems }
        })?;
    match arguments.format {
        Format::Text => {
            let text = report::audit_verified_text(&checked, &not_checked, &head, count, &output.stdout);
            output.data(&text)?;
        }
        Format::Json => output.json(&json!({
            "format": "loopgate.audit-verified/1",
            "effect_digest": effect_digest,
            "head": head,
            "events": count,
            "after_anchor": after_anchor,
            "checked": checked,
            "not_checked": not_checked,
        }))?,
    }
    Ok(Exit::Done)
}

/// The chain of an artifact's effect.
fn events(artifact: &Path, named: &LedgerPlace, environment: &Environment) -> Result<Vec<Event>, Fault> {
    let artifact = read_artifact(artifact)?;
    let ledger = place(named, environment)?.open_there()?;
    Ok(ledger.chain(artifact.effect_digest())?)
}

/// The report that the file is, which holds; none where it is something else.
fn report_in(path: &Path) -> Result<Option<Report>, Fault> {
    let bytes = read_bounded(path, MAX_BYTES).map_err(Fault::invalid)?;
    let Ok(mut value) = parse_strict(&bytes) else { return Ok(None) };
    if value.get("format").and_then(Value::as_str) != Some(audit::v1::FORMAT) {
        return Ok(None);
    }
    audit::verify(&bytes, &VerifyOptions::default())?;
    let events = value.pointer_mut("/chain/events").map(Value::take).unwrap_or_default();
    let events: Vec<Event> = serde_json::from_value(events).map_err(Fault::invalid)?;
    Ok(Some(Report::build(&events)?))
}

/// Writes to standard output as it is: a line feed at the end would be a byte that does not follow.
fn exact(bytes: &[u8]) -> Result<(), Fault> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Fault::internal(error)),
        _ => Ok(()),
    }
}

fn target(
    path: &Path,
    holds: Holds,
    artifact: &Path,
    named: &LedgerPlace,
    environment: &Environment,
) -> Result<AuditFile, Fault> {
    AuditFile::check(path, holds, artifact, &place(named, environment)?)
}

fn write(file: &AuditFile, bytes: &[u8]) -> Result<(), Fault> {
    file.write(bytes).map_err(|error| {
        Fault::new(Exit::Internal, format!("`{}` cannot be written: {error}", file.path.display()))
    })
}

impl From<AuditError> for Fault {
    fn from(error: AuditError) -> Self {
        let (exit, hint) = match &error {
            AuditError::NoEvents | AuditError::NoArtifact => {
                (Exit::Invalid, Some("the ledger has no run of this effect; `--ledger` names another"))
            }
            AuditError::NoSuchHead { .. } => (Exit::Ledger, Some("it is another ledger, or was turned back")),
            AuditError::State(_) => (Exit::Broken, None),
            AuditError::TooLarge { .. } => (Exit::Invalid, None),
            AuditError::Number(_) | AuditError::Unreadable(_) | AuditError::Archive(_) => {
                (Exit::Internal, None)
            }
        };
        let fault = Self { exit, error: error.into(), hint: None, problems: None };
        match hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

impl From<VerifyError> for Fault {
    fn from(error: VerifyError) -> Self {
        let exit = match error.kind() {
            FaultKind::Shape => Exit::Invalid,
            FaultKind::Damaged => Exit::Damaged,
            FaultKind::Broken => Exit::Broken,
        };
        Self { exit, error: error.into(), hint: None, problems: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample;
    use crate::core::file::replace;

    #[test]
    fn a_statement_is_the_same_from_a_report_as_from_the_events() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.json");
        let report = Report::build(&sample::success()).unwrap();
        replace(&path, report.bytes()).unwrap();
        let found = report_in(&path).unwrap().unwrap();
        assert_eq!(audit::statement(&found).unwrap(), audit::statement(&report).unwrap());
        replace(&path, &[report.bytes(), b"\n"].concat()).unwrap();
        assert_eq!(report_in(&path).unwrap_err().exit, Exit::Broken);
        replace(&path, b"{\"format\":\"loopgate.artifact/1\"}").unwrap();
        assert!(report_in(&path).unwrap().is_none());
    }

    #[test]
    fn what_does_not_hold_has_the_exit_code_of_its_kind() {
        let exit =
            |bytes: &[u8]| Fault::from(audit::verify(bytes, &VerifyOptions::default()).unwrap_err()).exit;
        let report = Report::build(&sample::success()).unwrap();
        assert_eq!(exit(b"{}"), Exit::Invalid);
        assert_eq!(exit(&[report.bytes(), b" "].concat()), Exit::Broken);
        assert_eq!(Fault::from(AuditError::NoEvents).exit, Exit::Invalid);
    }
}
