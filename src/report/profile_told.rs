//! A profile, and beside a server what its tools are to it, as every output of it tells.

use std::collections::BTreeMap;

use crate::catalog::{Operation, Profile};
use crate::core::{Class, ToolDefinition};
use crate::engine::Surveyed;

/// A profile as it is told. All of it is hostile text still.
#[derive(Debug)]
pub(super) struct ToldProfile<'a> {
    pub operations: Vec<ToldOperation<'a>>,
    /// Tools that no operation names, by name.
    pub unnamed: Vec<&'a ToolDefinition>,
}

/// An operation as it is told.
#[derive(Debug)]
pub(super) struct ToldOperation<'a> {
    pub name: &'a str,
    pub operation: &'a Operation,
    /// The class that its tool has for us, and why; none where the server does not offer it, or none was asked.
    pub live: Option<(Class, String)>,
}

impl<'a> ToldProfile<'a> {
    pub fn new(profile: &'a Profile, surveyed: Option<&'a Surveyed>) -> Self {
        let tools: BTreeMap<&str, &ToolDefinition> = surveyed
            .iter()
            .flat_map(|surveyed| &surveyed.tools)
            .map(|tool| (tool.name.as_str(), tool))
            .collect();
        let operations = profile.operations.iter().map(|(name, operation)| {
            let live = surveyed.and_then(|surveyed| surveyed.classes.get(&operation.tool));
            let live = live.map(|class| (class.class, class.why.to_string()));
            ToldOperation { name, operation, live }
        });
        let unnamed = tools.values().filter(|tool| profile.class_of(&tool.name).is_none()).copied();
        Self { operations: operations.collect(), unnamed: unnamed.collect() }
    }
}
