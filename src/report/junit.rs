//! What was looked at as JUnit XML, as Jenkins' schema has it: a test case for each check.
//!
//! A gate that does not hold is a failure; what nobody can say, an error. What did not run, or only informs, is
//! skipped: a reader of test results must not take it for a pass. Where the verdict is a failure, what blocks stands
//! in a suite of its own.

use std::time::Duration;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::layout::{Mark, bounded};
use super::sheet::{Check, Sheet};

/// The longest message, and the longest name.
const LONGEST: usize = 2000;
const LONGEST_NAME: usize = 300;
/// Findings that are told at the most; the rest is counted.
const MOST: usize = 1000;

type Out = Writer<Vec<u8>>;

/// The sheet as a JUnit document.
///
/// # Errors
/// Writing into memory fails, which it does not.
pub fn junit(sheet: &Sheet<'_>) -> std::io::Result<String> {
    let mut suites = vec![Suite {
        name: format!("{} {}", sheet.command, sheet.subject),
        cases: sheet.checks.iter().map(case).collect(),
        time: sheet.took(),
        note: None,
    }];
    suites.extend(blocking(sheet));
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    out.create_element("testsuites")
        .with_attributes([
            ("name", "loopgate"),
            ("tests", &total(&suites, |_| true)),
            ("failures", &total(&suites, |came| matches!(came, Came::Failed(_)))),
            ("errors", &total(&suites, |came| matches!(came, Came::Error(_)))),
        ])
        .with_attributes(
            sheet
                .took()
                .map(|time| ("time", seconds(time)))
                .iter()
                .map(|(name, time)| (*name, time.as_str())),
        )
        .write_inner_content(|out| suites.iter().try_for_each(|suite| suite.write(out, sheet)))?;
    let mut text = String::from_utf8_lossy(&out.into_inner()).into_owned();
    text.push('\n');
    Ok(text)
}

struct Suite {
    name: String,
    cases: Vec<Case>,
    time: Option<Duration>,
    note: Option<String>,
}

struct Case {
    name: String,
    class: String,
    time: Option<Duration>,
    came: Came,
    out: Vec<String>,
}

enum Came {
    Passed,
    Failed(String),
    Error(String),
    Skipped(String),
}

fn case(check: &Check) -> Case {
    let says = check.says.clone();
    Case {
        name: check.id.clone(),
        class: check.kind.to_owned(),
        time: check.took,
        came: match check.mark {
            Mark::Good | Mark::Planned => Came::Passed,
            Mark::Bad => Came::Failed(says.clone()),
            Mark::Doubt => Came::Error(says.clone()),
            Mark::Warning | Mark::Idle => Came::Skipped(says.clone()),
        },
        out: std::iter::once(says).chain(check.notes.iter().cloned()).collect(),
    }
}

/// What blocks, where that is why the command does not succeed.
fn blocking(sheet: &Sheet<'_>) -> Option<Suite> {
    let gathered = sheet.evidence.as_ref().filter(|_| sheet.mark == Mark::Bad)?;
    let found = &gathered.findings.blocking;
    let left_out = found.len().saturating_sub(MOST);
    let cases = found.iter().take(MOST).map(|finding| Case {
        name: finding.id.to_owned(),
        class: gathered.rule(finding),
        time: None,
        came: Came::Failed(gathered.sentence(finding)),
        out: Vec::new(),
    });
    Some(Suite {
        name: format!("{} evidence", sheet.subject),
        cases: cases.collect(),
        time: None,
        note: (left_out > 0).then(|| format!("{left_out} more findings are left out")),
    })
}

fn total(suites: &[Suite], which: impl Fn(&Came) -> bool) -> String {
    suites.iter().flat_map(|suite| &suite.cases).filter(|case| which(&case.came)).count().to_string()
}

impl Suite {
    fn write(&self, out: &mut Out, sheet: &Sheet<'_>) -> std::io::Result<()> {
        let one = std::slice::from_ref(self);
        let mut attributes = vec![
            ("name", xml(&self.name, LONGEST_NAME)),
            ("tests", total(one, |_| true)),
            ("failures", total(one, |came| matches!(came, Came::Failed(_)))),
            ("errors", total(one, |came| matches!(came, Came::Error(_)))),
            ("skipped", total(one, |came| matches!(came, Came::Skipped(_)))),
        ];
        attributes.extend(self.time.map(|time| ("time", seconds(time))));
        attributes.extend(sheet.began.map(|at| ("timestamp", at.strftime("%Y-%m-%dT%H:%M:%S").to_string())));
        let attributes = attributes.iter().map(|(name, value)| (*name, value.as_str()));
        out.create_element("testsuite").with_attributes(attributes).write_inner_content(|out| {
            out.create_element("properties").write_inner_content(|out| properties(out, sheet))?;
            self.cases.iter().try_for_each(|case| case.write(out))?;
            match &self.note {
                Some(note) => element(out, "system-out", note),
                None => Ok(()),
            }
        })?;
        Ok(())
    }
}

fn properties(out: &mut Out, sheet: &Sheet<'_>) -> std::io::Result<()> {
    let verdict =
        [("verdict".to_owned(), sheet.word.clone()), ("exit code".to_owned(), sheet.exit.to_string())];
    let stand_in = sheet.stand_in.map(|stand_in| (stand_in.what.to_owned(), stand_in.says.to_owned()));
    let facts = sheet.facts.iter().map(|fact| (fact.label.clone(), fact.text.clone()));
    for (name, value) in verdict.into_iter().chain(stand_in).chain(facts) {
        let (name, value) = (xml(&name, LONGEST_NAME), xml(&value, LONGEST));
        out.create_element("property")
            .with_attributes([("name", name.as_str()), ("value", value.as_str())])
            .write_empty()?;
    }
    Ok(())
}

impl Case {
    fn write(&self, out: &mut Out) -> std::io::Result<()> {
        let mut attributes =
            vec![("name", xml(&self.name, LONGEST_NAME)), ("classname", xml(&self.class, LONGEST_NAME))];
        attributes.extend(self.time.map(|time| ("time", seconds(time))));
        let attributes = attributes.iter().map(|(name, value)| (*name, value.as_str()));
        out.create_element("testcase").with_attributes(attributes).write_inner_content(|out| {
            let (name, message) = match &self.came {
                Came::Passed => ("", ""),
                Came::Failed(why) => ("failure", why.as_str()),
                Came::Error(why) => ("error", why.as_str()),
                Came::Skipped(why) => ("skipped", why.as_str()),
            };
            if !name.is_empty() {
                let message = xml(message, LONGEST);
                out.create_element(name).with_attribute(("message", message.as_str())).write_empty()?;
            }
            match self.out.as_slice() {
                [] => Ok(()),
                lines => element(
                    out,
                    "system-out",
                    &lines.iter().map(|line| xml(line, LONGEST)).collect::<Vec<_>>().join("\n"),
                ),
            }
        })?;
        Ok(())
    }
}

fn element(out: &mut Out, name: &str, text: &str) -> std::io::Result<()> {
    out.create_element(name).write_text_content(BytesText::new(text))?;
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// Text from strangers on one line, in characters that XML 1.0 has.
fn xml(text: &str, longest: usize) -> String {
    bounded(text, longest)
        .chars()
        .map(|c| if matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::visible;
    use crate::report::sample;
    use insta::assert_snapshot;
    use proptest::prelude::*;
    use quick_xml::Reader;

    fn shown(sheet: &Sheet<'_>) -> String {
        junit(sheet).unwrap()
    }

    #[test]
    fn what_blocks_is_a_failure_what_did_not_run_is_skipped_and_findings_stand_by_themselves() {
        let run = sample::evident("words");
        let text = shown(&Sheet::of_run(&run, &sample::outputs(), 4));
        assert_snapshot!(sample::steady(&text), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="loopgate" tests="8" failures="4" errors="0" time="1.250">
          <testsuite name="run certify-release" tests="5" failures="1" errors="0" skipped="1" time="1.250" timestamp="2023-11-14T22:13:20">
            <properties>
              <property name="verdict" value="blocked"/>
              <property name="exit code" value="4"/>
              <property name="sandbox" value="this run used the embedded sandbox: nothing here is about a real release"/>
              <property name="Input release" value="REL-BLOCKED (flag)"/>
              <property name="Input owner" value="platform (default)"/>
              <property name="Tenant" value="acme, as the server itself says"/>
              <property name="Server" value="sandbox"/>
              <property name="It calls itself" value="LoopIQ sandbox 0.1.0, MCP 2025-11-25"/>
              <property name="Profile" value="loopiq sha256:[64 hex digits]"/>
              <property name="Recipe" value="certify-release sha256:[64 hex digits]"/>
              <property name="Run" value="01890000-0000-7000-8000-000000000001"/>
              <property name="Trace" value="0af7651916cd43dd8448eb211c80319c"/>
            </properties>
            <testcase name="evidence.certification" classname="read" time="0.004">
              <system-out>certification</system-out>
            </testcase>
            <testcase name="evidence.graph" classname="read" time="0.004">
              <system-out>evidence_graph, in evidence-graph.json</system-out>
            </testcase>
            <testcase name="evidence.findings" classname="analyze">
              <system-out>12 findings: 4 failed controls, 5 gaps, 3 provider blockers</system-out>
            </testcase>
            <testcase name="certified" classname="gate">
              <failure message="The certification of REL-BLOCKED is blocked"/>
              <system-out>The certification of REL-BLOCKED is blocked</system-out>
            </testcase>
            <testcase name="evident" classname="gate">
              <skipped message="not run"/>
              <system-out>not run</system-out>
            </testcase>
          </testsuite>
          <testsuite name="certify-release evidence" tests="3" failures="3" errors="0" skipped="0" timestamp="2023-11-14T22:13:20">
            <properties>
              <property name="verdict" value="blocked"/>
              <property name="exit code" value="4"/>
              <property name="sandbox" value="this run used the embedded sandbox: nothing here is about a real release"/>
              <property name="Input release" value="REL-BLOCKED (flag)"/>
              <property name="Input owner" value="platform (default)"/>
              <property name="Tenant" value="acme, as the server itself says"/>
              <property name="Server" value="sandbox"/>
              <property name="It calls itself" value="LoopIQ sandbox 0.1.0, MCP 2025-11-25"/>
              <property name="Profile" value="loopiq sha256:[64 hex digits]"/>
              <property name="Recipe" value="certify-release sha256:[64 hex digits]"/>
              <property name="Run" value="01890000-0000-7000-8000-000000000001"/>
              <property name="Trace" value="0af7651916cd43dd8448eb211c80319c"/>
            </properties>
            <testcase name="CTL-1" classname="control/CTL-1">
              <failure message="failed control (failed, CTL-1): words; severity high; owner words; provider words; due words"/>
            </testcase>
            <testcase name="EVD-1" classname="control/CTL-2">
              <failure message="evidence gap (missing, EVD-1): words; severity high; control CTL-2; owner words; provider words; due words"/>
            </testcase>
            <testcase name="BLK words" classname="provider-blocker">
              <failure message="provider blocker (open, BLK words): words; severity high; owner words; provider words; due words"/>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn where_the_run_succeeds_nothing_fails() {
        let run = sample::planned();
        let text = shown(&Sheet::of_run(&run, &sample::outputs(), 0));
        assert!(text.contains("failures=\"0\" errors=\"0\"") && !text.contains("<failure"), "{text}");
        assert!(text.contains("(advisory)\"/>"), "{text}");
    }

    #[test]
    fn what_nobody_can_say_is_an_error() {
        let text = shown(&Sheet::of_run(&sample::undecided(), &sample::outputs(), 5));
        assert!(text.contains("<error message=\"undecided: the evidence graph is empty"), "{text}");
    }

    proptest! {
        #[test]
        fn every_text_is_read_back_as_it_is_shown(text in "[<>&\"'\\]\u{fffe}\u{0}\r\n-]{0,8}|\\PC{0,12}|.{0,12}") {
            let run = sample::evident(&text);
            let written = shown(&Sheet::of_run(&run, &sample::outputs(), 4));
            let mut reader = Reader::from_str(&written);
            let mut names = Vec::new();
            loop {
                match reader.read_event().unwrap() {
                    Event::Start(element) | Event::Empty(element) if element.name().as_ref() == "testcase" => {
                        let name = element.try_get_attribute("name").unwrap().unwrap();
                        let name = name.normalized_value(quick_xml::XmlVersion::Explicit1_0);
                        names.push(name.unwrap().into_owned());
                    }
                    Event::Eof => break,
                    _ => {}
                }
            }
            let expected = visible(&format!("BLK {text}")).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
            prop_assert!(names.contains(&expected), "{:?} in {:?}", expected, names);
        }
    }
}
