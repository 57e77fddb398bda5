//! What the trust settings ask of approvals.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::v1::Assurance;
use crate::core::Digest;

/// The policy in force for one artifact. It is part of the ledger's events, so its form is frozen as theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How many different people must approve, at least 1.
    pub minimum: u32,
    /// Which kinds of identities count.
    pub accept: BTreeSet<Assurance>,
    /// The lines of an `allowed_signers` file; where they are, only signatures by them count, and what the platform
    /// vouches for.
    pub signers: Option<String>,
    /// Whether who planned may not approve.
    pub four_eyes: bool,
    /// How old an approval may be (ISO 8601 duration); null for as old as it says.
    #[schemars(with = "Option<String>")]
    pub max_age: Option<SignedDuration>,
    /// For how long after its first intent a plan goes on with approvals that expired since (ISO 8601 duration).
    #[schemars(with = "String")]
    pub resume_within: SignedDuration,
}

/// What a recipe or a tool asks besides; null leaves the policy as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// How many different people must approve.
    #[serde(default)]
    pub minimum: Option<u32>,
    /// Which kinds of identities count.
    #[serde(default)]
    pub accept: Option<BTreeSet<Assurance>>,
    /// Whether who planned may not approve.
    #[serde(default)]
    pub four_eyes: Option<bool>,
    /// How old an approval may be (ISO 8601 duration).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub max_age: Option<SignedDuration>,
    /// For how long a plan goes on with approvals that expired since (ISO 8601 duration).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub resume_within: Option<SignedDuration>,
}

impl Policy {
    /// What is asked where the target is the sandbox and the trust settings ask nothing: one approver, known
    /// in whatever way, who is not the planner.
    #[must_use]
    pub fn for_sandbox() -> Self {
        use Assurance::{Asserted, Platform, Service, Signed};
        Self {
            minimum: 1,
            accept: BTreeSet::from([Signed, Platform, Service, Asserted]),
            signers: None,
            four_eyes: true,
            max_age: None,
            resume_within: SignedDuration::from_hours(24),
        }
    }

    /// The digest that records and verdicts name it by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // A policy has nothing that could not be written.
        Digest::of_foreign_json("loopgate.policy/1", &serde_json::to_value(self).unwrap_or(Value::Null))
    }

    /// The stricter of the two in every respect: an overlay never loosens anything.
    #[must_use]
    pub fn tightened(self, overlay: &Overlay) -> Self {
        let Overlay { minimum, accept, four_eyes, max_age, resume_within } = overlay;
        Self {
            minimum: self.minimum.max(minimum.unwrap_or_default()),
            accept: match accept {
                Some(accept) => self.accept.intersection(accept).copied().collect(),
                None => self.accept,
            },
            signers: self.signers,
            four_eyes: self.four_eyes || four_eyes.unwrap_or_default(),
            max_age: self.max_age.into_iter().chain(*max_age).min(),
            resume_within: resume_within.map_or(self.resume_within, |other| other.min(self.resume_within)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn overlay() -> Overlay {
        Overlay {
            minimum: Some(2),
            accept: Some(BTreeSet::from([Assurance::Signed])),
            four_eyes: Some(true),
            max_age: Some(HOUR),
            resume_within: Some(HOUR),
        }
    }

    #[test]
    fn an_overlay_makes_everything_stricter() {
        let base = Policy { four_eyes: false, ..Policy::for_sandbox() };
        let tightened = base.clone().tightened(&overlay());
        let expected = Policy {
            minimum: 2,
            accept: BTreeSet::from([Assurance::Signed]),
            signers: None,
            four_eyes: true,
            max_age: Some(HOUR),
            resume_within: HOUR,
        };
        assert_eq!(tightened, expected);
        assert_eq!(base.clone().tightened(&Overlay::default()), base);
    }

    #[test]
    fn an_overlay_loosens_nothing() {
        let strict = Policy {
            minimum: 3,
            accept: BTreeSet::from([Assurance::Platform]),
            signers: Some("alice ssh-ed25519 AAAA".to_owned()),
            four_eyes: true,
            max_age: Some(HOUR / 2),
            resume_within: HOUR / 2,
        };
        let loose = Overlay { four_eyes: Some(false), ..overlay() };
        let expected = Policy { accept: BTreeSet::new(), ..strict.clone() };
        assert_eq!(strict.tightened(&loose), expected);
    }

    #[test]
    fn every_member_is_in_the_digest() {
        let policy = Policy::for_sandbox();
        let written = serde_json::to_value(&policy).unwrap();
        assert_eq!(serde_json::from_value::<Policy>(written.clone()).unwrap().digest(), policy.digest());
        assert_eq!(Digest::of_json("loopgate.policy/1", &written).unwrap(), policy.digest());
        for (member, value) in [
            ("minimum", json!(2)),
            ("accept", json!(["signed"])),
            ("signers", json!("")),
            ("four_eyes", json!(false)),
            ("max_age", json!("PT1H")),
            ("resume_within", json!("PT1H")),
        ] {
            let mut other = written.clone();
            other[member] = value;
            let other: Policy = serde_json::from_value(other).unwrap();
            assert_ne!(other.digest(), policy.digest(), "{member}");
        }
    }
}
