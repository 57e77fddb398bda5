//! For whom: what the caller names, what the credential claims and what the server says must agree, and the settings
//! must allow it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::result::{Conclusion, TenantKnownBy};
use super::target::Target;
use crate::core::Pointer;
use crate::core::text::{excerpt, visible};
use crate::mcp::Session;

/// How much of a strange tenant's name a message shows, in characters.
const SHOWN: usize = 100;

/// What the trust settings say of a server's tenants. By default any may be acted for, however it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantRules {
    /// Those that may be acted for; any where there is no list.
    pub allow: Option<BTreeSet<String>>,
    /// What suffices for `apply`, the best first; anything where the list is empty.
    pub known_by: Vec<TenantKnownBy>,
    /// Those that hold nothing of value, so that an examination may leave records there.
    pub test: BTreeSet<String>,
    /// Where the claims of the token name the tenant, or the tenants.
    pub claim: Option<Pointer>,
}

impl TenantRules {
    /// # Errors
    /// The tenant is none of those that may be acted for.
    pub(super) fn permit(&self, tenant: Option<&str>) -> Result<(), Conclusion> {
        let Some(allow) = &self.allow else { return Ok(()) };
        match tenant {
            Some(tenant) if allow.contains(tenant) => Ok(()),
            Some(tenant) => Err(Conclusion::SignIn(format!(
                "the settings do not allow the tenant `{}`",
                excerpt(tenant, SHOWN)
            ))),
            None => Err(Conclusion::SignIn(
                "the settings allow some tenants only, and nobody says which one this is for: add `--tenant NAME`"
                    .to_owned(),
            )),
        }
    }
}

/// For whom calls are made, and in which ways that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acting {
    pub tenant: Option<String>,
    ways: BTreeSet<TenantKnownBy>,
}

impl Acting {
    /// By the caller's word, and by the claims of the credential in use where the settings say where they name the
    /// tenant.
    ///
    /// # Errors
    /// They disagree, the claims do not name a tenant, or they name several and the caller none.
    pub fn by_credential(
        target: &Target,
        named: Option<&str>,
        session: &Session,
    ) -> Result<Self, Conclusion> {
        let mut acting = match &target.tenants.claim {
            None => Self::asserted(named),
            Some(at) => Self::claimed(named, at, session.claim(at))?,
        };
        if target.tenant.is_none() {
            // An artifact, or another connection, is nobody's word.
            acting.ways.remove(&TenantKnownBy::Asserted);
        }
        match &acting.tenant {
            // The server may still say.
            None => Ok(acting),
            Some(tenant) => target.tenants.permit(Some(tenant)).map(|()| acting),
        }
    }

    fn asserted(named: Option<&str>) -> Self {
        let ways = named.iter().map(|_| TenantKnownBy::Asserted).collect();
        Self { tenant: named.map(str::to_owned), ways }
    }

    fn claimed(named: Option<&str>, at: &Pointer, claim: Option<Value>) -> Result<Self, Conclusion> {
        let refused = |what: String| Conclusion::SignIn(format!("the claim `{at}` of the token {what}"));
        let tenants = match claim {
            None | Some(Value::Null) => {
                return Err(refused("is not there, or the token is no JWT".to_owned()));
            }
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => {
                let text = |tenant| if let Value::String(tenant) = tenant { Some(tenant) } else { None };
                let several: Option<Vec<String>> = several.into_iter().map(text).collect();
                several.ok_or_else(|| refused("lists something that is no tenant's name".to_owned()))?
            }
            Some(_) => return Err(refused("is neither a text nor a list of texts".to_owned())),
        };
        let tenant = match (named, tenants.as_slice()) {
            (Some(named), tenants) if tenants.iter().any(|tenant| tenant == named) => named.to_owned(),
            (None, [only]) => only.clone(),
            (_, []) => return Err(refused("names no tenant".to_owned())),
            (Some(named), [first, rest @ ..]) => {
                let more = if rest.is_empty() { "" } else { " and others" };
                return Err(refused(format!(
                    "is for tenant `{}`{more}, and not for `{}`",
                    excerpt(first, SHOWN),
                    visible(named)
                )));
            }
            (None, several) => {
                return Err(Conclusion::Invalid(format!(
                    "the token is for {} tenants, and nobody says which one this is for: add `--tenant NAME`",
                    several.len()
                )));
            }
        };
        let mut acting = Self::asserted(named);
        acting.ways.insert(TenantKnownBy::Claim);
        Ok(Self { tenant: Some(tenant), ..acting })
    }

    /// Takes in what the server said of itself.
    ///
    /// # Errors
    /// It answers for another tenant, or the settings allow none like that.
    pub fn hear(mut self, target: &Target, told: Option<String>) -> Result<Self, Conclusion> {
        match (&self.tenant, told) {
            (_, None) => {}
            (Some(ours), Some(server)) if *ours != server => {
                return Err(Conclusion::SignIn(format!(
                    "this run is for tenant `{}`, and the server answers for `{}`",
                    visible(ours),
                    excerpt(&server, SHOWN)
                )));
            }
            (_, Some(server)) => {
                self.tenant = Some(server);
                self.ways.insert(TenantKnownBy::Tool);
            }
        }
        target.tenants.permit(self.tenant.as_deref()).map(|()| self)
    }

    /// How the tenant is known: of what the settings let suffice the first, else the best there is.
    pub fn known_by(&self, rules: &TenantRules) -> TenantKnownBy {
        const BEST: [TenantKnownBy; 3] = [TenantKnownBy::Tool, TenantKnownBy::Claim, TenantKnownBy::Asserted];
        let mut ways = rules.known_by.iter().chain(&BEST);
        ways.find(|way| self.ways.contains(way)).copied().unwrap_or(TenantKnownBy::None)
    }

    /// # Errors
    /// The settings want it known in another way before anything is written.
    pub fn suffices(&self, rules: &TenantRules) -> Result<(), Conclusion> {
        let known = self.known_by(rules);
        if rules.known_by.is_empty() || rules.known_by.contains(&known) {
            return Ok(());
        }
        let wanted: Vec<String> = rules.known_by.iter().map(|way| format!("`{}`", way.as_str())).collect();
        Err(Conclusion::SignIn(format!(
            "the tenant is known by `{}`, and the settings want {} before anything is written",
            known.as_str(),
            wanted.join(" or ")
        )))
    }
}

/// Why no call may be made for lack of a tenant, if so.
pub(super) fn tenant_lacking(target: &Target, tenant: Option<&str>) -> Option<Conclusion> {
    let required = target.profile.context.tenant.as_ref().is_some_and(|field| field.required);
    (required && tenant.is_none()).then(|| {
        Conclusion::Invalid(
            "no tenant is named, and the server's profile wants one: add `--tenant NAME`".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Profile;
    use serde_json::json;

    fn target(rules: TenantRules) -> Target {
        let mut target = Target::new("x".into(), false, None, Profile::loopiq().unwrap());
        target.tenants = rules;
        target
    }

    fn claimed(named: Option<&str>, claim: Value) -> Result<Acting, Conclusion> {
        Acting::claimed(named, &"/org_id".parse().unwrap(), Some(claim))
    }

    #[test]
    fn a_claim_names_one_tenant_or_several_of_which_the_caller_chooses() {
        for (named, claim, tenant) in [
            (None, json!("acme"), "acme"),
            (None, json!(["acme"]), "acme"),
            (Some("acme"), json!("acme"), "acme"),
            (Some("globex"), json!(["acme", "globex"]), "globex"),
        ] {
            let acting = claimed(named, claim).unwrap();
            assert_eq!(acting.tenant.as_deref(), Some(tenant));
            assert_eq!(acting.known_by(&TenantRules::default()), TenantKnownBy::Claim);
        }
        assert!(matches!(claimed(None, json!(["acme", "globex"])), Err(Conclusion::Invalid(_))));
        for (named, claim) in [
            (Some("globex"), json!("acme")),
            (Some("initech"), json!(["acme", "globex"])),
            (Some("acme"), json!([])),
            (None, json!([])),
            (Some("acme"), json!(null)),
            (Some("7"), json!(7)),
            (Some("acme"), json!(["acme", 7])),
            (Some("acme"), json!({"id": "acme"})),
            (Some("acme"), json!("acme ")),
        ] {
            assert!(matches!(claimed(named, claim.clone()), Err(Conclusion::SignIn(_))), "{claim}");
        }
    }

    #[test]
    fn whoever_says_it_must_agree_and_be_allowed() {
        let open = target(TenantRules::default());
        let hear = |named: Option<&str>, told: Option<&str>| {
            Acting::asserted(named).hear(&open, told.map(str::to_owned))
        };
        for (named, told, tenant, known) in [
            (Some("acme"), Some("acme"), Some("acme"), TenantKnownBy::Tool),
            (None, Some("acme"), Some("acme"), TenantKnownBy::Tool),
            (Some("acme"), None, Some("acme"), TenantKnownBy::Asserted),
            (None, None, None, TenantKnownBy::None),
        ] {
            let acting = hear(named, told).unwrap();
            assert_eq!((acting.tenant.as_deref(), acting.known_by(&open.tenants)), (tenant, known));
        }
        assert!(matches!(hear(Some("acme"), Some("globex")), Err(Conclusion::SignIn(_))));
        let strict =
            target(TenantRules { allow: Some(BTreeSet::from(["acme".to_owned()])), ..Default::default() });
        for (named, told, is_allowed) in [
            (Some("acme"), None, true),
            (None, Some("acme"), true),
            (Some("globex"), None, false),
            (None, Some("globex"), false),
            (None, None, false),
        ] {
            let heard = Acting::asserted(named).hear(&strict, told.map(str::to_owned));
            assert_eq!(heard.is_ok(), is_allowed, "{named:?} {told:?}");
        }
    }

    #[test]
    fn what_suffices_is_what_the_settings_say() {
        let rules =
            |known_by: &[TenantKnownBy]| TenantRules { known_by: known_by.to_vec(), ..Default::default() };
        let [claim, tool, asserted] = [TenantKnownBy::Claim, TenantKnownBy::Tool, TenantKnownBy::Asserted];
        let acting = claimed(None, json!("acme")).unwrap();
        let heard = acting.clone().hear(&target(TenantRules::default()), Some("acme".into())).unwrap();
        assert_eq!(heard.known_by(&rules(&[])), tool);
        assert_eq!(heard.known_by(&rules(&[claim, tool])), claim);
        assert!(heard.suffices(&rules(&[tool])).is_ok() && acting.suffices(&rules(&[tool])).is_err());
        assert!(acting.suffices(&rules(&[asserted])).is_err(), "nobody asserted it");
        assert!(acting.suffices(&rules(&[])).is_ok());
    }

    #[test]
    fn a_tenant_that_the_profile_requires_must_be_named() {
        let target = target(TenantRules::default());
        assert!(matches!(tenant_lacking(&target, None), Some(Conclusion::Invalid(_))));
        assert_eq!(tenant_lacking(&target, Some("acme")), None);
    }
}
