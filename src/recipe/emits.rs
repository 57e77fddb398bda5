//! The names of the files that a recipe emits.

use std::collections::BTreeMap;

use super::builder::Builder;
use super::document::WrittenStep;
use super::input::shown;
use super::step::StepId;
use crate::core::OutputFolder;

/// Files and folders that every run has.
const RESERVED: &[&str] = &["artifact.json", "audit.json", "run.json", "approvals"];
/// The endings of files that a recipe emits.
const ENDINGS: &[&str] = &["json", "txt", "md", "mmd"];

impl Builder<'_> {
    /// Checks the name under `emit` and takes it, so that no other step emits it too.
    pub fn emit(&mut self, step: &WrittenStep, taken: &mut BTreeMap<String, StepId>) {
        let Some(name) = step.emit.as_deref() else { return };
        let (at, shown_name) = ("/emit", shown(name));
        if name.contains("{{") || name.contains("{%") {
            let message = "the name of a file is not a template".to_owned();
            return self.at_value("constant-wanted", at, message, None);
        }
        if OutputFolder::check_name(name).is_err() {
            let message = format!("`{shown_name}` is not a name inside the output folder");
            let hint = "relative, without `..`, `\\`, `:` and control characters";
            return self.at_value("bad-file-name", at, message, Some(hint.to_owned()));
        }
        let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
        let fits: &[&str] = match (step.read.is_some(), step.analyze) {
            (true, _) => &["json"],
            (_, Some(analysis)) => analysis.terms().endings,
            (false, None) => ENDINGS,
        };
        if !fits.contains(&ending) {
            let endings = fits.iter().map(|ending| format!("`.{ending}`")).collect::<Vec<_>>().join(", ");
            let message = format!("the name `{shown_name}` does not end in {endings}");
            return self.at_value("bad-file-name", at, message, None);
        }
        // Some file systems hold upper and lower case for the same.
        let folded = name.to_lowercase();
        let first = folded.split('/').next().unwrap_or_default();
        if RESERVED.contains(&first) {
            let message = format!("`{shown_name}` is a name that every run uses itself");
            return self.at_value("reserved-name", at, message, None);
        }
        let clash = taken.iter().find(|(other, _)| {
            let inside = |one: &str, other: &str| {
                one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            inside(&folded, other) || inside(other, &folded)
        });
        if let Some((_, other)) = clash {
            let message = format!("step `{other}` emits `{shown_name}` already");
            return self.at_value("duplicate-emit", at, message, None);
        }
        taken.insert(folded, StepId::new(self.scope, &self.id));
    }
}
