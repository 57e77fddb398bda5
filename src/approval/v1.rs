//! The wire format `loopgate.approval/1`.
//!
//! Frozen: once released, a member changes neither its name nor its meaning; a new one is optional and left
//! out when absent. A file is canonical JSON on one line with no line feed at its end.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::RecordId;
use crate::core::{Digest, schema};

/// The value of `format`.
pub const FORMAT: &str = "loopgate.approval/1";

/// What somebody decided about one effect: a portable file that proves nothing by being there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loopgate approval record, version 1")]
pub struct Record {
    /// This format and its version.
    pub format: Format,
    /// A digest of all the other members, so that no record bears the ID of another.
    pub id: RecordId,
    /// What would happen, to whom: the artifact's effect digest.
    pub effect_digest: Digest,
    /// The digest of the artifact file that was shown.
    pub file_digest: Option<Digest>,
    /// What was decided.
    pub decision: Decision,
    /// Who decided.
    pub approver: Approver,
    /// Who planned it, as the artifact said when it was shown; null where it did not say.
    pub planner: Option<String>,
    /// The digest of the policy that the approver saw in force; null where there was none.
    pub policy_digest: Option<Digest>,
    /// Why, in the approver's words.
    pub reason: String,
    /// When, by the approver's clock.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// Until when it may be used; null for what does not expire.
    #[schemars(with = "Option<String>")]
    pub expires: Option<Timestamp>,
    /// Where a CI platform has it, for an approval that was given there; it shows nothing by standing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformFact>,
}

/// A format that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Version 1.
    #[serde(rename = "loopgate.approval/1")]
    V1,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// The effect may happen.
    Approve {
        /// The ID that the service issued, which then goes on the wire instead of the record's own.
        external_id: Option<String>,
    },
    /// One approval counts no more.
    Revoke {
        /// The approval's ID.
        approval: RecordId,
    },
    /// The effect may not happen, whoever approved it before or after.
    Reject {},
    /// What became of an operation whose outcome is unknown.
    Resolve {
        /// The digest of the event that is the intent.
        intent: Digest,
        /// What became of it.
        outcome: Resolution,
    },
}

/// What a person found out about an unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Resolution {
    /// It took place.
    Applied {
        /// Names of what was created, with the IDs.
        created: BTreeMap<String, Vec<String>>,
    },
    /// It did not take place and will not.
    NotApplied {},
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The name.
    pub name: String,
    /// How the record says that it is known; believed only as far as it verifies.
    pub assurance: Assurance,
}

/// How an identity is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// By a signature over the record.
    Signed,
    /// By the CI platform.
    Platform,
    /// By the service, which confirmed the approval ID.
    Service,
    /// By the caller's word alone.
    Asserted,
}

/// Where a CI platform has an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PlatformFact {
    /// A review of a pull request.
    GithubReview {
        /// `OWNER/NAME`.
        repository: String,
        /// The pull request's number.
        pull: u64,
        /// The review's ID.
        review: u64,
        /// The commit that was reviewed.
        commit: String,
    },
    /// A reviewer's answer for an environment.
    GithubEnvironment {
        /// `OWNER/NAME`.
        repository: String,
        /// The run's ID.
        run: u64,
        /// The environment.
        environment: String,
    },
    /// A manual job.
    Gitlab {
        /// The instance.
        issuer: String,
        /// `GROUP/NAME`.
        project: String,
        /// The pipeline's ID.
        pipeline: String,
        /// The job's ID.
        job: String,
        /// The environment that it deploys to.
        environment: String,
        /// The commit that the pipeline is of.
        commit: String,
    },
}

/// A record as it travels, with the signature beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filed {
    /// The record.
    pub record: Record,
    /// An armored SSH signature (namespace `loopgate-approval`) over the record's canonical JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// The JSON Schema (draft 2020-12) of the format.
#[must_use]
pub fn json_schema() -> Value {
    schema::written::<Record>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sample;
    use serde_json::json;

    #[test]
    fn the_schema_takes_every_record_and_no_other_member() {
        let schema = json_schema();
        assert_eq!(schema["$schema"], json!("https://json-schema.org/draft/2020-12/schema"));
        let validator = jsonschema::validator_for(&schema).unwrap();
        for record in sample::records() {
            let document = serde_json::to_value(&record).unwrap();
            let problems: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert_eq!(problems, Vec::<String>::new());

            for object in ["", "/decision", "/approver"] {
                let mut more = document.clone();
                more.pointer_mut(object).unwrap()["surprise"] = json!(1);
                assert!(!validator.is_valid(&more), "{object}");
            }
            for (member, value) in [
                ("/format", json!("loopgate.approval/2")),
                ("/id", json!("lga1-0")),
                ("/effect_digest", json!("sha256:0")),
                ("/decision/kind", json!("allow")),
                ("/approver/assurance", json!("known")),
            ] {
                let mut other = document.clone();
                *other.pointer_mut(member).unwrap() = value;
                assert!(!validator.is_valid(&other), "{member}");
            }
        }
    }
}
