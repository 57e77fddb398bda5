//! Importers: files that scanners and test runners write become evidence of a release.
//!
//! A file is read whole or refused whole, with the place. Each producer in it becomes one *control*, one
//! *evidence* node that stands for the file, and one *finding* for each thing that the producer complains
//! about. The rules, which stand in the control's description too:
//!
//! - A control fails while a finding of severity high or critical is open against it.
//! - Else it is undecided (`pending`) while any of its evidence is missing or in an unknown state, and the
//!   gap blocks the release.
//! - Else it passes. So a pass needs evidence that is complete, and no evidence is never a pass.
//! - The certification follows: certified only if every required control passes and nothing is lacking.
//!   A certification that people rejected stays rejected.
//!
//! A file replaces what the same producer brought under the same file name; importing the same bytes
//! again changes nothing. What counts as a finding and as complete is said in `sarif`,
//! `junit`, `cyclonedx` and `in_toto`.

mod cyclonedx;
mod in_toto;
mod junit;
mod parsed;
mod record;
mod sarif;
mod sarif_log;
mod sarif_package;

use std::fmt;

use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;
use thiserror::Error;

use super::graph::{About, Severity};
use super::{SandboxError, store};
use crate::core::Digest;
use crate::core::text::{is_hidden, visible};

/// Largest file, in bytes.
const LARGEST: usize = 64 << 20;

/// Most findings of one file. A graph beyond that helps nobody.
const MOST_FINDINGS: usize = 20_000;

/// Longest title that is made of a file's text, in characters.
const LONGEST_TITLE: usize = 240;

/// An evidence file and the release that it is evidence for.
#[derive(Debug, Clone)]
pub struct Import {
    /// The tenant whose release it is.
    pub tenant: String,
    /// The release; it is made where the tenant has none of that name.
    pub release: String,
    /// The file's name: for messages, and with the producer it says what is replaced.
    pub source: String,
    /// The format; `None` tells it by the content.
    pub format: Option<Format>,
    /// The file.
    pub bytes: Vec<u8>,
    /// When it was made; `None` takes the time in the file, else the time of the import.
    pub observed: Option<Timestamp>,
}

impl Import {
    /// The titles of what the file complains about, without bringing it anywhere.
    ///
    /// # Errors
    /// It is refused.
    pub fn titles(&self) -> Result<Vec<String>, EvidenceError> {
        let (_, reports) = read(self)?;
        Ok(reports.into_iter().flat_map(|report| report.findings).map(|finding| finding.title).collect())
    }
}

/// A format of evidence files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// SARIF 2.1.0 (OASIS standard), by static analysis.
    Sarif,
    /// JUnit XML, by test runners; there is no standard.
    Junit,
    /// CycloneDX in JSON (ECMA-424), by scanners of packages and makers of bills of materials.
    CycloneDx,
    /// in-toto statements with provenance of SLSA, by builders.
    #[serde(rename = "in-toto")]
    InToto,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sarif => "SARIF",
            Self::Junit => "JUnit XML",
            Self::CycloneDx => "CycloneDX",
            Self::InToto => "in-toto provenance",
        })
    }
}

/// What an import came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The tenant.
    pub tenant: String,
    /// The release.
    pub release: String,
    /// Its certification.
    pub certification: String,
    /// The certification's status now.
    pub status: String,
    /// The format that was read.
    pub format: Format,
    /// Who produced the evidence: a tool, or a test suite.
    pub providers: Vec<String>,
    /// The controls that the file is evidence for.
    pub controls: Controls,
    /// Evidence nodes of the file.
    pub evidence: usize,
    /// Findings of the file, waived ones apart.
    pub findings: usize,
    /// Findings of the file that somebody suppressed.
    pub waived: usize,
}

/// Controls by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Controls {
    /// Those that pass.
    pub passed: usize,
    /// Those that fail.
    pub failed: usize,
    /// Those whose evidence is missing or of unknown state.
    pub undecided: usize,
}

/// Why an evidence file is refused. Nothing of it was imported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}`{place}: {problem}", visible(file))]
pub struct EvidenceError {
    /// The file's name.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// What is wrong there.
    pub problem: String,
}

/// A place in an evidence file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line and a column in bytes, both from 1.
    Line {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// A line and column, and the JSON pointer of the value.
    Value {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// The pointer.
        pointer: String,
    },
    /// The JSON pointer of a value.
    Pointer(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line { line, column } => write!(f, ":{line}:{column}"),
            Self::Value { line, column, pointer } => write!(f, ":{line}:{column} at `{}`", visible(pointer)),
            Self::Pointer(pointer) => write!(f, " at `{}`", visible(pointer)),
        }
    }
}

/// What one producer says in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Report {
    /// The tool or the test suite.
    producer: String,
    /// The control that it is evidence for.
    control: String,
    /// The rule by which that control is decided.
    rule: &'static str,
    /// Whether the producer did its work.
    state: State,
    /// When it ended, where the file says so.
    observed: Option<Timestamp>,
    findings: Vec<Finding>,
}

/// Whether a producer did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Complete,
    /// There is a file, and it says nothing; why.
    Missing(&'static str),
    /// It ran and did not get to its end; why.
    Unknown(&'static str),
}

/// Something that a producer complains about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    /// What makes it the same finding in the next file.
    key: Vec<String>,
    title: String,
    severity: Severity,
    /// Whether somebody suppressed it.
    waived: bool,
    url: Option<String>,
    about: About,
}

/// Reads the file and records what it says.
pub(super) fn import(
    connection: &mut Connection,
    imports: &[Import],
    now: Timestamp,
) -> Result<Vec<Imported>, SandboxError> {
    let mut understood = Vec::with_capacity(imports.len());
    for import in imports {
        let release = &import.release;
        if release.trim().is_empty() || release.len() > 200 || release.chars().any(is_hidden) {
            return Err(SandboxError::InvalidRelease { release: release.clone() });
        }
        let (format, reports) = read(import)?;
        understood.push((import, format, reports));
    }
    let writing = store::begin_write(connection)?;
    let mut imported = Vec::with_capacity(imports.len());
    for (import, format, reports) in &understood {
        imported.push(record::record(&writing, import, *format, reports, now)?);
    }
    writing.commit()?;
    Ok(imported)
}

fn read(import: &Import) -> Result<(Format, Vec<Report>), EvidenceError> {
    let refuse = |problem: String| EvidenceError { file: import.source.clone(), place: Place::File, problem };
    if import.bytes.len() > LARGEST {
        let problem = format!("it has {} bytes, and {LARGEST} are the most", import.bytes.len());
        return Err(refuse(problem));
    }
    let bytes = import.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&import.bytes);
    let format = match (import.format, bytes.trim_ascii_start().first()) {
        (Some(format), _) => format,
        (None, Some(b'{')) => parsed::format(bytes),
        (None, Some(b'<')) => Format::Junit,
        (None, _) => {
            return Err(refuse("it is neither JSON (SARIF, CycloneDX, in-toto) nor JUnit XML".to_owned()));
        }
    };
    let reports = match format {
        Format::Sarif => sarif::read(&import.source, bytes)?,
        Format::Junit => vec![junit::read(&import.source, bytes)?],
        Format::CycloneDx => vec![cyclonedx::read(&import.source, bytes)?],
        Format::InToto => vec![in_toto::read(&import.source, bytes)?],
    };
    let findings: usize = reports.iter().map(|report| report.findings.len()).sum();
    if findings > MOST_FINDINGS {
        return Err(refuse(format!("it has {findings} findings, and {MOST_FINDINGS} are the most")));
    }
    Ok((format, reports))
}

/// The first line of a stranger's text, made visible and cut.
fn title(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let shown = visible(line);
    match shown.char_indices().nth(LONGEST_TITLE) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown.into_owned(),
    }
}

/// An ID that is the same for the same parts on any machine.
fn stable_id(prefix: &str, parts: &[&str]) -> String {
    let json = serde_json::Value::from(parts.to_vec()).to_string();
    let digest = Digest::of_bytes(json.as_bytes());
    format!("{prefix}-{}", digest.hex().chars().take(16).collect::<String>())
}

#[cfg(test)]
mod tests;
