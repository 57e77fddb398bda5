//! Families of operations: what speaks the service's own language comes before what reaches around it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::profile::Profile;

/// What kind of operation one is, from the one to prefer to the last resort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// It does one thing of the service's own language, such as reading a certification.
    #[default]
    Semantic,
    /// It does anything to any kind of record.
    Records,
    /// It runs an AI or ML agent.
    Agents,
    /// It calls any route of the service's interface.
    Routes,
}

impl Family {
    /// Whether it is the usual one, which profiles leave out.
    #[must_use]
    pub fn is_semantic(&self) -> bool {
        *self == Self::Semantic
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Semantic => "semantic",
            Self::Records => "records",
            Self::Agents => "agents",
            Self::Routes => "routes",
        })
    }
}

impl Profile {
    /// The family of a tool: that of the operations that call it, which all have the same; none where no
    /// operation does.
    #[must_use]
    pub fn family_of(&self, tool: &str) -> Option<Family> {
        let operations = self.operations.values().filter(|operation| operation.tool == tool);
        operations.map(|operation| operation.family).max()
    }

    /// What the families contradict: each with its place.
    pub(super) fn check_families(&self, found: &mut Vec<String>) {
        for (name, operation) in &self.operations {
            if !operation.family.is_semantic() && operation.listed_by.is_none() {
                found.push(format!(
                    "operation `{name}`: `family: {}` needs `listed_by`: what it may be given is read first",
                    operation.family
                ));
            }
            if self.family_of(&operation.tool) != Some(operation.family) {
                found.push(format!(
                    "operation `{name}`: `family: {}`, and another operation of the same tool is of another one",
                    operation.family
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_around_the_service_is_listed_first_and_a_tool_has_one_family() {
        let parse = |routes: &str| {
            let text = format!(
                "profile: p\nsummary: s\noperations:\n  list: {{ summary: s, tool: list, class: read, basis: {BASIS} }}\n  \
                 call: {{ summary: s, tool: call, class: write, basis: {BASIS}, {routes} }}\n  \
                 plain: {{ summary: s, tool: call, class: write, basis: {BASIS}, listed_by: list }}\n"
            );
            Profile::parse("p", &text).map_err(|error| error.to_string())
        };
        const BASIS: &str = "{ tool: assumed, arguments: assumed, result: assumed }";
        assert!(parse("family: routes").unwrap_err().contains("needs `listed_by`"));
        assert!(parse("family: routes, listed_by: list").unwrap_err().contains("of another one"));
        assert_eq!(parse("family: semantic").unwrap().family_of("call"), Some(Family::Semantic));
    }

    #[test]
    fn the_order_is_the_order_of_preference() {
        assert!(Family::Semantic < Family::Records && Family::Records < Family::Routes);
    }
}
