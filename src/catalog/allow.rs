//! Which tools of a server may be called at all, as the trust settings say.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::family::Family;
use super::profile::Profile;
use crate::core::text::visible;

/// What may be called: the tools that it names, and the operations of the families that it names. Nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowList {
    /// Tools by their names.
    #[serde(default)]
    pub tools: BTreeSet<String>,
    /// Families of the profile's operations.
    #[serde(default)]
    pub families: BTreeSet<Family>,
}

/// Which tools of a server may be called: a list's, else all but generic records and raw routes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed(Option<AllowList>);

impl Allowed {
    /// What a list says, where there is one.
    #[must_use]
    pub fn by(list: Option<AllowList>) -> Self {
        Self(list)
    }

    /// The list, where there is one.
    #[must_use]
    pub fn list(&self) -> Option<&AllowList> {
        self.0.as_ref()
    }

    /// Whether nobody has said anything.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        self.0.is_none()
    }

    /// Why `tool` may not be called, if so. Its family is that of the operations of `profile` that call it.
    #[must_use]
    pub fn forbids(&self, profile: &Profile, tool: &str) -> Option<Forbidden> {
        let family = profile.family_of(tool);
        let allowed = match (&self.0, family) {
            (None, family) => !matches!(family, Some(Family::Records | Family::Routes)),
            (Some(list), family) => {
                list.tools.contains(tool) || family.is_some_and(|family| list.families.contains(&family))
            }
        };
        (!allowed).then(|| Forbidden { tool: tool.to_owned(), family })
    }
}

/// A tool that the settings do not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// Its name.
    pub tool: String,
    /// Its family, where the profile has an operation for it.
    pub family: Option<Family>,
}

impl Forbidden {
    /// What to add to the settings of the server called `server`.
    #[must_use]
    pub fn hint(&self, server: &str) -> String {
        let (server, tool) = (visible(server), visible(&self.tool));
        match self.family {
            Some(family) => format!(
                "in loopgate.yaml, add `{family}` to `allow.families` of the server `{server}`, or `{tool}` to its \
                 `allow.tools`"
            ),
            None => {
                format!("in loopgate.yaml, add `{tool}` to `allow.tools` of the server `{server}`")
            }
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings do not allow the tool `{}`", visible(&self.tool))?;
        match self.family {
            Some(family) => write!(f, ", which is of the family `{family}`"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let mut profile = Profile::clone(&Profile::loopiq().unwrap());
        let mut routes = profile.operations["work_package"].clone();
        (routes.tool, routes.family) = ("call_route".to_owned(), Family::Routes);
        profile.operations.insert("call_route".to_owned(), routes);
        profile
    }

    fn allowed(tools: &[&str], families: &[Family]) -> Allowed {
        Allowed::by(Some(AllowList {
            tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
            families: families.iter().copied().collect(),
        }))
    }

    const READ: &str = "loopiq_get_release_certification";

    #[test]
    fn what_reaches_around_the_service_is_off_until_the_settings_name_it() {
        let profile = profile();
        let usual = Allowed::default();
        assert_eq!(usual.forbids(&profile, READ), None);
        assert_eq!(usual.forbids(&profile, "no_operation_has_it"), None);
        let forbidden = usual.forbids(&profile, "call_route").unwrap();
        assert!(forbidden.hint("own").contains("add `routes` to `allow.families` of the server `own`"));
        assert_eq!(allowed(&[], &[Family::Routes]).forbids(&profile, "call_route"), None);
        assert_eq!(allowed(&["call_route"], &[]).forbids(&profile, "call_route"), None);
        assert!(usual.forbids(&profile, "loopiq_update_record").is_some());
        assert_eq!(usual.forbids(&profile, "loopiq_run_ai_ml_agent"), None);
    }

    #[test]
    fn a_list_allows_what_it_names_and_nothing_else() {
        let profile = profile();
        let semantic = allowed(&[], &[Family::Semantic]);
        assert_eq!(semantic.forbids(&profile, READ), None);
        assert!(semantic.forbids(&profile, "no_operation_has_it").is_some());
        assert!(allowed(&[], &[Family::Records]).forbids(&profile, READ).is_some());
        assert!(allowed(&["other"], &[]).forbids(&profile, READ).is_some());
        assert_eq!(allowed(&["no_operation_has_it"], &[]).forbids(&profile, "no_operation_has_it"), None);
        assert!(allowed(&[], &[]).forbids(&profile, READ).is_some());
    }
}
