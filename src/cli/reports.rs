//! The outputs that `--report` asks for, besides what stands on standard output: as many as wanted, made from one
//! result.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::audit_file::is_same;
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use crate::core::file::replace;
use crate::core::printable::indented;
use crate::report::{self, EventFile, Sheet, github};

/// What `--report` takes, for its help and its errors.
pub(super) const FORMATS: &str = "json, events, junit, sarif, markdown, html";

/// A form that a result is given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Events,
    Junit,
    Sarif,
    Markdown,
    Html,
}

/// The outputs that are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reports {
    files: Vec<(Form, PathBuf)>,
    /// Annotations, outputs and summary for the platform that runs this.
    github: bool,
}

impl Reports {
    /// What the command line asks for: `FORMAT=PATH` each, or `github`.
    pub fn parse(given: &[String], environment: &Environment) -> Result<Self, Fault> {
        let mut reports = Self::default();
        for report in given {
            let usage = |problem: &str| {
                Fault::new(Exit::Usage, format!("`--report {report}`: {problem}"))
                    .hint(format!("write `--report FORMAT=PATH` with one of {FORMATS}, or `--report github`"))
            };
            if report == "github" {
                if environment.get("GITHUB_ACTIONS") != Some("true") {
                    return Err(usage("this is no step of GitHub Actions"));
                }
                reports.github = true;
                continue;
            }
            let (format, path) = report.split_once('=').ok_or_else(|| usage("there is no `=`"))?;
            let form = match format {
                "json" => Form::Json,
                "events" => Form::Events,
                "junit" => Form::Junit,
                "sarif" => Form::Sarif,
                "markdown" => Form::Markdown,
                "html" => Form::Html,
                _ => return Err(usage("this format is not known")),
            };
            if path.is_empty() {
                return Err(usage("it has no path"));
            }
            reports.files.push((form, PathBuf::from(path)));
        }
        Ok(reports)
    }

    /// Refuses paths that are `own`, or the same twice.
    pub fn keep_off(&self, own: &[PathBuf]) -> Result<(), Fault> {
        let mut named: Vec<&Path> = Vec::new();
        for (_, path) in &self.files {
            if own.iter().any(|own| is_same(own, path)) {
                let message = format!("`{}` is a file that this command uses itself", path.display());
                return Err(Fault::new(Exit::Usage, message).hint("give the report another name"));
            }
            // What goes to a device or a pipe comes one after the other.
            if named.iter().any(|other| is_same(other, path)) && !is_special(path) {
                return Err(Fault::new(Exit::Usage, "two reports cannot share one file"));
            }
            named.push(path);
        }
        Ok(())
    }

    /// Refuses what a command has not: it has no events of its own.
    pub fn without_events(&self) -> Result<(), Fault> {
        match self.files.iter().any(|(form, _)| *form == Form::Events) {
            true => Err(Fault::new(Exit::Usage, "`--report events=…`: this command has no events")),
            false => Ok(()),
        }
    }

    /// Opens the files that are told of events as they happen.
    pub fn event_files(&self) -> Result<Vec<EventFile>, Fault> {
        let paths = self.files.iter().filter(|(form, _)| *form == Form::Events);
        paths.map(|(_, path)| EventFile::create(path).map_err(Fault::invalid)).collect()
    }

    /// Opens a group in the platform's log, which [`Reports::write`] closes.
    pub fn begin(&self, title: &str, output: &Output) {
        if self.github {
            output.say(&github::group(title));
        }
    }

    /// Writes them all; the first that could not be is the error. The sheet is made only where one is wanted.
    pub fn write<'s>(
        &self,
        sheet: impl FnOnce() -> Sheet<'s>,
        json: impl Fn() -> Value,
        environment: &Environment,
        output: &Output,
    ) -> Result<(), Fault> {
        if !self.github && self.files.iter().all(|(form, _)| *form == Form::Events) {
            return Ok(());
        }
        let sheet = &sheet();
        let mut first = None;
        for (form, path) in &self.files {
            let text = match form {
                Form::Events => continue,
                Form::Json => format!("{}\n", indented(&json())),
                Form::Junit => report::junit(sheet).map_err(Fault::internal)?,
                Form::Sarif => format!("{}\n", indented(&report::sarif(sheet))),
                Form::Markdown => report::sheet_markdown(sheet, report::MOST_BYTES),
                Form::Html => report::html(sheet),
            };
            if let Err(fault) = write(path, text.as_bytes()) {
                first.get_or_insert(fault);
            }
        }
        if self.github {
            output.say(github::END_GROUP);
            let annotations = github::annotations(sheet);
            if !annotations.is_empty() {
                output.say(&annotations);
            }
            let summary = || report::sheet_markdown(sheet, report::MOST_BYTES);
            for (variable, text) in
                [("GITHUB_OUTPUT", github::outputs(sheet)), ("GITHUB_STEP_SUMMARY", summary())]
            {
                if let Some(path) = environment.get(variable)
                    && let Err(fault) = append(Path::new(path), text.as_bytes())
                {
                    first.get_or_insert(fault);
                }
            }
        }
        first.map_or(Ok(()), Err)
    }
}

fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file())
}

/// Writes a report where the command line wants it: a device or a pipe is written to, anything else is replaced
/// whole, a link by a file.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let written = if is_special(path) {
        fs_err::OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes))
    } else {
        replace(path, bytes)
    };
    written.map_err(|error| unwritten(path, &error))
}

/// Adds to a file that the platform made and others add to.
fn append(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let file = OpenOptions::new().append(true).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Exit::Internal, format!("the report `{}` cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &[&str]) -> Result<Reports, Fault> {
        let given: Vec<String> = given.iter().map(|one| (*one).to_owned()).collect();
        Reports::parse(&given, &Environment::default())
    }

    #[test]
    fn reports_are_named_with_their_format_and_path_as_often_as_wanted() {
        let reports = parse(&["events=a=b.ndjson", "json=a", "json=b"]).unwrap();
        let files = [(Form::Events, "a=b.ndjson"), (Form::Json, "a"), (Form::Json, "b")];
        assert_eq!(reports.files, files.map(|(form, path)| (form, PathBuf::from(path))));
        for given in ["events", "events=", "yaml=x", "github"] {
            assert_eq!(parse(&[given]).unwrap_err().exit, Exit::Usage, "{given}");
        }
    }

    #[test]
    fn reports_keep_off_what_is_there_for_something_else_and_off_each_other() {
        let reports = parse(&["json=out/a", "sarif=out/b"]).unwrap();
        assert!(reports.keep_off(&["out/c".into()]).is_ok());
        assert_eq!(reports.keep_off(&["out/b".into()]).unwrap_err().exit, Exit::Usage);
        assert!(parse(&["json=a", "sarif=./a"]).unwrap().keep_off(&[]).is_err());
        assert!(parse(&["json=/dev/null", "sarif=/dev/null"]).unwrap().keep_off(&[]).is_ok());
    }
}
