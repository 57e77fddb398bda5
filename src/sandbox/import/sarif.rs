//! SARIF 2.1.0 (OASIS standard of 2020-03-27; section numbers below are that document's).
//!
//! - Each tool gives one control, `static analysis: <tool>`; runs of the same tool in one file are one.
//! - A result is a finding if its `kind` is `fail` (which is the default, §3.27.9) and its `baselineState`
//!   is not `absent` (§3.27.24).
//! - Its level is its own, else its rule's default, else `warning` (§3.27.10). `error` gives severity
//!   critical where the rule's `security-severity` is 9.0 or more, else high; `warning` gives medium,
//!   `note` and `none` low.
//! - A finding is waived if it has suppressions and all of them are accepted (§3.27.23, §3.35.3).
//! - The evidence is missing where a run has no `results`: it never looked (§3.14.23). An empty list is a
//!   clean run. Rules that the tool lists prove nothing, as many tools list only the rules that fired.
//! - The evidence is of unknown state where an invocation was not successful or reports an error of the tool
//!   or of its configuration (§3.20.14, §3.20.21, §3.20.22), or where a result is of kind `open` or `review`
//!   and not suppressed: nobody has decided yet.
//! - What a finding is about is its rule and file; of a scanner of packages, the package, its vulnerability and the
//!   versions that repair it (`sarif_package`). When it was first seen is its `firstDetectionTimeUtc` (§3.48.3).
//! - When it was made is the latest `endTimeUtc` (§3.20.8).

use super::parsed::{parse, refusal};
use super::sarif_log::{
    BaselineState, Component, Header, Invocation, Kind, Level, Location, Log, LogicalLocation, Notification,
    Outcome, Rule, Run, Suppression, SuppressionStatus, Tool,
};
use super::sarif_package::{Package, package};
use super::{EvidenceError, Finding, Report, State, title};
use crate::core::text::visible;
use crate::sandbox::graph::{About, Severity};

const VERSION: &str = "2.1.0";

const RULE: &str = "Fails while the tool reports a result of level error that is not suppressed. Passes only on a complete run. Undecided where a run did not look, did not end well, or left results undecided.";

/// Reads a file; one report for each tool, in the order of their first runs.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Vec<Report>, EvidenceError> {
    let header: Header = parse(file, bytes)?;
    let refuse = |pointer: &str, problem: String| refusal(file, pointer, problem);
    match header.version {
        Some(version) if version == VERSION => {}
        Some(version) => {
            let found = version.to_string();
            let problem = format!("SARIF version {} is not known, only \"{VERSION}\" is", visible(&found));
            return Err(refuse("/version", problem));
        }
        None => return Err(refuse("/version", format!("no SARIF version, and \"{VERSION}\" is wanted"))),
    }
    let log: Log = parse(file, bytes)?;
    if log.runs.is_empty() {
        return Err(refuse("/runs", "no run, so nothing was looked at".to_owned()));
    }
    let mut reports: Vec<Report> = Vec::new();
    for (index, run) in log.runs.iter().enumerate() {
        if run.tool.driver.name.trim().is_empty() {
            let pointer = format!("/runs/{index}/tool/driver/name");
            return Err(refuse(&pointer, "the tool has no name".to_owned()));
        }
        let report = report(run);
        match reports.iter_mut().find(|earlier| earlier.producer == report.producer) {
            None => reports.push(report),
            Some(earlier) => {
                earlier.observed = earlier.observed.max(report.observed);
                earlier.findings.extend(report.findings);
                if earlier.state == State::Complete {
                    earlier.state = report.state;
                }
            }
        }
    }
    Ok(reports)
}

fn report(run: &Run) -> Report {
    let tool = title(&run.tool.driver.name);
    let invocations = run.invocations.as_deref().unwrap_or_default();
    let outcomes = run.results.as_deref().unwrap_or_default();
    let undecided = |outcome: &Outcome| {
        matches!(outcome.kind, Some(Kind::Open | Kind::Review))
            && !is_suppressed(outcome)
            && is_present(outcome)
    };
    let state = if !invocations.iter().all(ended_well) {
        State::Unknown("The tool did not end well, so what it did not find says nothing")
    } else if run.results.is_none() {
        State::Missing("The run has no results: it did not look")
    } else if outcomes.iter().any(undecided) {
        State::Unknown("Results are left to be decided by a person")
    } else {
        State::Complete
    };
    Report {
        control: format!("static analysis: {tool}"),
        producer: tool,
        rule: RULE,
        state,
        observed: invocations.iter().filter_map(|invocation| invocation.end_time_utc).max(),
        findings: outcomes
            .iter()
            .filter(|outcome| matches!(outcome.kind, None | Some(Kind::Fail)) && is_present(outcome))
            .map(|outcome| finding(&run.tool, outcome))
            .collect(),
    }
}

fn ended_well(invocation: &Invocation) -> bool {
    let notifications =
        [&invocation.tool_execution_notifications, &invocation.tool_configuration_notifications];
    let error = |notification: &Notification| notification.level == Some(Level::Error);
    invocation.execution_successful && !notifications.into_iter().flatten().flatten().any(error)
}

fn is_present(outcome: &Outcome) -> bool {
    outcome.baseline_state != Some(BaselineState::Absent)
}

fn is_suppressed(outcome: &Outcome) -> bool {
    let suppressions = outcome.suppressions.as_deref().unwrap_or_default();
    let accepted =
        |suppression: &Suppression| matches!(suppression.status, None | Some(SuppressionStatus::Accepted));
    !suppressions.is_empty() && suppressions.iter().all(accepted)
}

fn finding(tool: &Tool, outcome: &Outcome) -> Finding {
    let rule = rule_of(tool, outcome);
    let rule_id = outcome
        .rule_id
        .as_deref()
        .or_else(|| outcome.rule.as_ref()?.id.as_deref())
        .or(rule.map(|rule| rule.id.as_str()))
        .unwrap_or("no rule");
    let message = outcome.message.as_ref();
    let text = message.and_then(|message| message.text.as_deref().or(message.markdown.as_deref()));
    let (place, at) = location(outcome);
    let about = about(outcome, rule, rule_id, &place);
    let shown = text.map_or_else(|| rule_id.to_owned(), |text| format!("{rule_id}: {}", title(text)));
    Finding {
        key: key(outcome, rule_id, &place, &at, text),
        title: title(&if place.is_empty() { shown } else { format!("{shown} ({place}{at})") }),
        severity: severity(outcome, rule),
        waived: is_suppressed(outcome),
        url: rule.and_then(|rule| rule.help_uri.clone()).filter(|uri| uri.starts_with("https://")),
        about,
    }
}

/// What it is about: a package and its vulnerability where the tool says so, else the rule and the file.
fn about(outcome: &Outcome, rule: Option<&Rule>, rule_id: &str, place: &str) -> About {
    let text = outcome.message.as_ref().and_then(|message| message.text.as_deref());
    let Package { component, cve, fixed_in } = package(rule, rule_id, text.unwrap_or_default());
    let first = outcome.provenance.as_ref().and_then(|provenance| provenance.first_detection_time_utc);
    About {
        rule: Some(title(rule_id)),
        component: component.or_else(|| Some(title(place)).filter(|place| !place.is_empty())),
        cve,
        fixed_in,
        first_seen_at: first.map(|first| first.to_string()),
    }
}

/// The file or name where it is, and `:line:column` as far as it is known.
fn location(outcome: &Outcome) -> (String, String) {
    let Some(first) = outcome.locations.as_deref().and_then(<[Location]>::first) else {
        return Default::default();
    };
    let physical = first.physical_location.as_ref();
    let uri = physical.and_then(|place| place.artifact_location.as_ref()?.uri.as_deref());
    let logical = first.logical_locations.as_deref().and_then(<[LogicalLocation]>::first);
    let name = uri.or_else(|| logical?.fully_qualified_name.as_deref()).unwrap_or_default();
    let region = physical.and_then(|place| place.region.as_ref());
    let numbers = region
        .into_iter()
        .flat_map(|region| region.start_line.into_iter().chain(region.start_line.and(region.start_column)));
    (name.to_owned(), numbers.map(|number| format!(":{number}")).collect())
}

/// Fingerprints survive a move of the line; without them, the place and the message must do.
fn key(outcome: &Outcome, rule: &str, place: &str, at: &str, text: Option<&str>) -> Vec<String> {
    let mut key = vec![rule.to_owned(), place.to_owned()];
    let prints = [&outcome.fingerprints, &outcome.partial_fingerprints];
    match prints.into_iter().flatten().find(|prints| !prints.is_empty()) {
        Some(prints) => key.extend(prints.iter().map(|(name, print)| format!("{name}={print}"))),
        None => key.extend([at.to_owned(), text.unwrap_or_default().to_owned()]),
    }
    key
}

fn severity(outcome: &Outcome, rule: Option<&Rule>) -> Severity {
    let default = rule.and_then(|rule| rule.default_configuration.as_ref()?.level);
    match outcome.level.or(default).unwrap_or(Level::Warning) {
        Level::Error if rule.and_then(security_severity).is_some_and(|score| score >= 9.0) => {
            Severity::Critical
        }
        Level::Error => Severity::High,
        Level::Warning => Severity::Medium,
        Level::Note | Level::None => Severity::Low,
    }
}

/// A score from 0 to 10 that GitHub's code scanning made customary; text by convention.
fn security_severity(rule: &Rule) -> Option<f64> {
    let score = rule.properties.as_ref()?.get("security-severity")?;
    score.as_f64().or_else(|| score.as_str()?.parse().ok())
}

/// The rule by its index, else by its ID; a hierarchical ID belongs to the rule above it (§3.27.5).
fn rule_of<'a>(tool: &'a Tool, outcome: &Outcome) -> Option<&'a Rule> {
    let reference = outcome.rule.as_ref();
    let extensions = tool.extensions.as_deref().unwrap_or_default();
    let component = match reference.and_then(|rule| rule.tool_component.as_ref()?.index) {
        Some(index) => extensions.get(usize::try_from(index).ok()?)?,
        None => &tool.driver,
    };
    let rules = |component: &'a Component| component.rules.as_deref().unwrap_or_default();
    let index = outcome.rule_index.or_else(|| reference?.index).and_then(|index| usize::try_from(index).ok());
    let id = outcome.rule_id.as_deref().or_else(|| reference?.id.as_deref());
    let of_id = |rule: &&Rule| {
        id.is_some_and(|id| {
            id.strip_prefix(rule.id.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    index
        .and_then(|index| rules(component).get(index))
        .or_else(|| rules(component).iter().find(of_id))
        .or_else(|| extensions.iter().flat_map(rules).find(of_id))
}
