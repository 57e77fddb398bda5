//! JUnit XML. There is no standard; what pytest, nextest, Node's runner, Surefire and others write has
//! `testsuites`, nested `testsuite`s, `testcase`s, and in these `failure`, `error` and `skipped`.
//!
//! - The file gives one control, `tests: <name>`: the name of `testsuites`, else of its only suite, else the
//!   file's. The format does not name the tool, so this name stands for the producer.
//! - A case with a `failure` or `error` is a finding of severity high, so is one right under a suite.
//!   A case with `skipped` was not executed. Reruns (`flakyFailure` and the like) do not count.
//! - The evidence is missing where no case was executed: none there, or all skipped.
//! - The evidence is of unknown state where a suite's own counts say more failures than its cases show.
//! - When it was made is the latest `timestamp`; one without offset is read as UTC.
//!
//! Document types and entities of their own are refused, so is XML that is not UTF-8, an element more than
//! 64 deep, or a document that ends early.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{EvidenceError, Finding, Place, Report, State, title};
use crate::core::text::visible;
use crate::sandbox::graph::{About, Severity};

const DEEPEST: usize = 64;

const RULE: &str = "Fails while any test case failed or errored. Passes only if at least one case was executed. Undecided where none was, or where the file counts failures that it does not show.";

/// Reads a file.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Report, EvidenceError> {
    let text = std::str::from_utf8(bytes).map_err(|error| EvidenceError {
        file: file.to_owned(),
        place: place(bytes, error.valid_up_to()),
        problem: "it is not UTF-8".to_owned(),
    })?;
    let mut reader = Reader::from_str(text);
    let mut document = Document::default();
    loop {
        let before = reader.buffer_position();
        let event = reader.read_event();
        let refuse = |at: u64, problem: String| EvidenceError {
            file: file.to_owned(),
            place: place(bytes, usize::try_from(at).unwrap_or(usize::MAX)),
            problem,
        };
        let event =
            event.map_err(|error| refuse(reader.error_position(), visible(&error.to_string()).into()))?;
        let end = matches!(event, Event::Eof);
        document.take(&event).map_err(|problem| refuse(before, problem))?;
        if end {
            return document.finish(file).map_err(|problem| refuse(before, problem));
        }
    }
}

/// The line and column of a byte.
fn place(bytes: &[u8], at: usize) -> Place {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Place::Line { line, column: before.len() - line_start + 1 }
}

/// What was read so far.
#[derive(Default)]
struct Document {
    /// The open elements, outermost first.
    open: Vec<Element>,
    rooted: bool,
    /// The name of `testsuites`.
    name: Option<String>,
    /// The names of the outermost suites.
    suites: Vec<String>,
    executed: usize,
    miscounted: bool,
    observed: Option<Timestamp>,
    findings: Vec<Finding>,
}

enum Element {
    Suites(Counts),
    Suite { name: String, counts: Counts },
    Case(Case),
    Other,
}

/// Failures and errors: what an element says of itself, and how many findings there were before it.
struct Counts {
    declared: usize,
    before: usize,
}

struct Case {
    key: Vec<String>,
    skipped: bool,
    failed: bool,
}

impl Document {
    fn take(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(element) => self.enter(element),
            Event::Empty(element) => {
                self.enter(element)?;
                self.leave();
                Ok(())
            }
            Event::End(_) => {
                self.leave();
                Ok(())
            }
            Event::Decl(declaration) => match declaration.encoding() {
                Some(Ok(encoding)) if !encoding.eq_ignore_ascii_case("utf-8") => {
                    Err(format!("its encoding is `{}`, and only UTF-8 is read", visible(&encoding)))
                }
                Some(Err(error)) => Err(visible(&error.to_string()).into_owned()),
                _ => Ok(()),
            },
            Event::DocType(_) => Err("it has a document type, which is refused".to_owned()),
            Event::GeneralRef(reference) => {
                let name = reference.xml_content(XmlVersion::Implicit1_0);
                let known = matches!(&*name, "lt" | "gt" | "amp" | "quot" | "apos");
                match reference.resolve_char_ref() {
                    Ok(Some(_)) => Ok(()),
                    Ok(None) if known => Ok(()),
                    _ => Err(format!("the entity `{}` is not known", visible(&name))),
                }
            }
            Event::Text(text) if self.open.is_empty() && !text.xml10_content().trim().is_empty() => {
                Err("there is text outside of the root element".to_owned())
            }
            Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn enter(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("elements are more than {DEEPEST} deep"));
        }
        let attributes = Attributes::read(element)?;
        let local = element.local_name();
        let kind: &str = local.as_ref();
        if self.open.is_empty() {
            if self.rooted {
                return Err("there is a second root element".to_owned());
            }
            if !matches!(kind, "testsuites" | "testsuite") {
                let problem = "is no JUnit XML: the root is `testsuites` or `testsuite`";
                return Err(format!("`{}` {problem}", visible(kind)));
            }
            self.rooted = true;
        }
        let entered = match (self.open.last(), kind) {
            (None, "testsuites") => {
                self.see(attributes.observed);
                self.name = attributes.name;
                Element::Suites(Counts { declared: attributes.failures, before: self.findings.len() })
            }
            (None | Some(Element::Suites(_) | Element::Suite { .. }), "testsuite") => {
                self.see(attributes.observed);
                let name = attributes.name.unwrap_or_default();
                if !self.open.iter().any(|open| matches!(open, Element::Suite { .. })) {
                    self.suites.push(name.clone());
                }
                let counts = Counts { declared: attributes.failures, before: self.findings.len() };
                Element::Suite { name, counts }
            }
            (Some(Element::Suites(_) | Element::Suite { .. }), "testcase") => {
                let mut key = self.suite_names();
                key.extend([attributes.class.unwrap_or_default(), attributes.name.unwrap_or_default()]);
                Element::Case(Case { key, skipped: false, failed: false })
            }
            (Some(Element::Suites(_) | Element::Suite { .. }), "failure" | "error") => {
                self.complain(self.suite_names(), attributes.message.as_deref());
                Element::Other
            }
            _ => {
                self.mark(kind, attributes.message.as_deref());
                Element::Other
            }
        };
        self.open.push(entered);
        Ok(())
    }

    /// What stands in a case says how it ended.
    fn mark(&mut self, kind: &str, message: Option<&str>) {
        let Some(Element::Case(case)) = self.open.last_mut() else { return };
        match kind {
            "skipped" => case.skipped = true,
            // A case with two failures is one finding.
            "failure" | "error" if !case.failed => {
                case.failed = true;
                let key = case.key.clone();
                self.complain(key, message);
            }
            _ => {}
        }
    }

    fn leave(&mut self) {
        match self.open.pop() {
            Some(Element::Suites(counts) | Element::Suite { counts, .. }) => {
                self.miscounted |= counts.declared > self.findings.len() - counts.before;
            }
            Some(Element::Case(case)) if case.failed || !case.skipped => self.executed += 1,
            Some(Element::Case(_) | Element::Other) | None => {}
        }
    }

    fn suite_names(&self) -> Vec<String> {
        let name = |element: &Element| match element {
            Element::Suite { name, .. } => Some(name.clone()),
            Element::Suites(_) | Element::Case(_) | Element::Other => None,
        };
        self.open.iter().filter_map(name).collect()
    }

    fn complain(&mut self, key: Vec<String>, message: Option<&str>) {
        // The innermost names are enough for people; the key has all of them.
        let shown: Vec<_> = key.iter().rev().take(2).rev().filter(|part| !part.is_empty()).cloned().collect();
        let name = shown.join(" ");
        let message = title(message.unwrap_or_default());
        let text = if message.is_empty() { name } else { format!("{name}: {message}") };
        let title = title(&text);
        self.findings.push(Finding {
            key,
            title,
            severity: Severity::High,
            waived: false,
            url: None,
            about: About::default(),
        });
    }

    fn see(&mut self, observed: Option<Timestamp>) {
        self.observed = self.observed.max(observed);
    }

    fn finish(self, file: &str) -> Result<Report, String> {
        if !self.open.is_empty() || !self.rooted {
            return Err("it ends before its root element does".to_owned());
        }
        let named = |name: String| Some(name).filter(|name| !name.trim().is_empty());
        let only = match <[String; 1]>::try_from(self.suites) {
            Ok([suite]) => named(suite),
            Err(_) => None,
        };
        let producer = title(&self.name.and_then(named).or(only).unwrap_or_else(|| file.to_owned()));
        let state = if self.miscounted {
            State::Unknown("The file counts more failures than it shows")
        } else if self.executed == 0 && self.findings.is_empty() {
            State::Missing("No test case was executed")
        } else {
            State::Complete
        };
        Ok(Report {
            control: format!("tests: {producer}"),
            producer,
            rule: RULE,
            state,
            observed: self.observed,
            findings: self.findings,
        })
    }
}

/// The attributes that count.
#[derive(Default)]
struct Attributes {
    name: Option<String>,
    class: Option<String>,
    message: Option<String>,
    /// Failures and errors together.
    failures: usize,
    observed: Option<Timestamp>,
}

impl Attributes {
    fn read(element: &BytesStart<'_>) -> Result<Self, String> {
        let mut read = Self::default();
        let local = element.local_name();
        let kind: &str = local.as_ref();
        let suite = matches!(kind, "testsuites" | "testsuite");
        for attribute in element.attributes() {
            let attribute = attribute.map_err(|error| visible(&error.to_string()).into_owned())?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| visible(&error.to_string()).into_owned())?
                .into_owned();
            match attribute.key.as_ref() {
                "name" => read.name = Some(value),
                "classname" => read.class = Some(value),
                "message" => read.message = Some(value),
                counted @ ("failures" | "errors") if suite => {
                    let number: usize = value
                        .trim()
                        .parse()
                        .map_err(|_| format!("`{counted}` is `{}`, not a number", visible(&value)))?;
                    read.failures = read.failures.saturating_add(number);
                }
                "timestamp" if suite => read.observed = Some(timestamp(&value)?),
                _ => {}
            }
        }
        Ok(read)
    }
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    let with_offset = text.trim().parse::<Timestamp>().ok();
    let without = || text.trim().parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    with_offset
        .or_else(|| Some(without()?.timestamp()))
        .ok_or_else(|| format!("`timestamp` is `{}`, not a time of ISO 8601", visible(text)))
}
