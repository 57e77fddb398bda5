//! The wire format `loopgate.audit/1`.
//!
//! Frozen: once released, a member changes neither its name nor its meaning; a new one is optional and left
//! out when absent. The sentences in `not_proven` are part of it, since a report is checked by building it
//! again. A file is canonical JSON on one line with no line feed at its end.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approval::{Assurance, Decision, RecordId, Verdict};
use crate::artifact::{Key, v1 as artifact};
use crate::core::call::RefusalKind;
use crate::core::{Digest, schema};
use crate::ledger::v1::{Ci, Command, Connected, Doubt, Event, Moved, Settlement, TryVerdict};

/// The value of `format`.
pub const FORMAT: &str = "loopgate.audit/1";

/// What happened to one effect: who, what, when, where and why. All of it follows from `chain.events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loopgate audit report, version 1")]
pub struct Document {
    /// This format and its version.
    pub format: Format,
    /// The ledger's ID, as the last run names it; null where no run began.
    pub ledger: Option<String>,
    /// Where the effect stands.
    pub state: StateWord,
    /// What was to be applied.
    pub artifact: Artifact,
    /// The runs of `apply` and `reconcile`, in order.
    pub runs: Vec<Run>,
    /// The records that were taken in, in that order.
    pub approvals: Vec<Approval>,
    /// The artifact's operations, in its order.
    pub operations: Vec<Operation>,
    /// What had moved when the plan's reads were last made again; empty where nothing had, null where they
    /// were not made.
    pub compared: Option<Vec<Moved>>,
    /// What this report does not prove, in sentences; may hold text of the artifact.
    pub not_proven: Vec<String>,
    /// The events that all of this follows from.
    pub chain: Chain,
}

/// A format that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Version 1.
    #[serde(rename = "loopgate.audit/1")]
    V1,
}

/// Where an effect stands, in LoopIQ's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StateWord {
    /// The policy is not satisfied yet, or not any more.
    #[serde(rename = "Pending approval")]
    Pending,
    /// It may happen, or a part of it took place and it may go on.
    Approved,
    /// It may happen, and of something that was sent nobody can say what became of it.
    #[serde(rename = "Approved (outcome unknown)")]
    Unknown,
    /// Somebody said no, and nothing was sent.
    Rejected,
    /// Every operation took place.
    Executed,
    /// An operation certainly did not take place, or somebody said no when a part had.
    Failed,
}

/// The artifact, less its operations and reads, which stand in the chain's first events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// What an approval names.
    pub effect_digest: Digest,
    /// The digest of the artifact file that was first applied.
    pub file_digest: Digest,
    /// A digest of server, tenant, recipe and inputs.
    pub subject: Digest,
    /// To whom.
    pub target: artifact::Target,
    /// What was run to plan it.
    pub recipe: artifact::Recipe,
    /// 1, or more where the same is done again on purpose.
    pub occurrence: std::num::NonZeroU32,
    /// Who planned it.
    pub planned_by: artifact::PlannedBy,
    /// One line for people.
    pub summary: String,
}

/// One run of `apply` or `reconcile`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its ID.
    pub run: String,
    /// What ran.
    pub command: Command,
    /// Program and version.
    pub program: String,
    /// When it began.
    #[schemars(with = "String")]
    pub began: Timestamp,
    /// When it ended; null where it did not say so, as after a kill.
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// The stable word of its conclusion.
    pub conclusion: Option<String>,
    /// Its conclusion in words; may hold text of the server.
    pub message: Option<String>,
    /// The trace that all its calls belong to (W3C Trace Context, 32 hex digits).
    pub trace_id: String,
    /// The pipeline that ran it, in its own words; null outside of one.
    pub ci: Option<Ci>,
    /// The digest of the artifact file that it was given.
    pub file_digest: Digest,
    /// The approval that it was told to send; null for `reconcile`.
    pub approval_id: Option<String>,
    /// The digest of the policy that was asked; null where there is none or it was not asked.
    pub policy_digest: Option<Digest>,
    /// The server and the tenant, and how they are known; null where it was not reached.
    pub connected: Option<Connected>,
    /// What the policy said last, with every reason and the approvals that count; null where it was not asked.
    pub decision: Option<Verdict>,
}

/// A record that was taken in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Its ID.
    pub id: RecordId,
    /// What was decided.
    pub decision: Decision,
    /// Who decided, as the record says.
    pub approver: String,
    /// How the record says that its approver is known.
    pub assurance: Assurance,
    /// Why, in the approver's words.
    pub reason: String,
    /// When, by the approver's clock.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// Until when it may be used; null for what does not expire.
    #[schemars(with = "Option<String>")]
    pub expires: Option<Timestamp>,
    /// The ID that the service issued for it, where it did.
    pub external_id: Option<String>,
    /// When it was taken in.
    #[schemars(with = "String")]
    pub recorded: Timestamp,
    /// Whether a signature stands beside it. Whether that verifies is not said here.
    pub signed: bool,
    /// How its approver was known when it counted: in the last decision on the effect, or in one on what became
    /// of an operation; null where it did not count.
    pub counted: Option<Assurance>,
}

/// What became of an operation, or what an attempt came to. There is no fourth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It took place.
    Applied,
    /// It did not take place.
    NotApplied,
    /// Nobody can say.
    Unknown,
}

/// One operation and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Its name in the artifact.
    pub id: String,
    /// The profile's name for it, or the tool's.
    pub operation: String,
    /// The tool.
    pub tool: String,
    /// Its idempotency key.
    pub key: Key,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether something was sent for it, or may have been: there is an attempt.
    pub sent: bool,
    /// What was created, by name; empty where nobody knows.
    pub created: Vec<Created>,
    /// Whether the server says that it had done it before under the same key; null where it does not say.
    pub replayed: Option<bool>,
    /// What settled it, or attempts that were unknown, without an answer; null where nothing did.
    pub settled_by: Option<Settlement>,
    /// Every attempt to write, in order.
    pub attempts: Vec<Attempt>,
    /// The last time that it was tried out; null where it was not.
    pub tried: Option<Tried>,
    /// The last read that says whether it took place; null where none was made.
    pub looked: Option<Looked>,
    /// The last comparison of what was created with the plan; null where none was made.
    pub read_back: Option<ReadBack>,
}

/// Something that was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// The plan's name for it, such as `parent`.
    pub name: String,
    /// The server's ID.
    pub id: String,
}

/// One attempt to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Its number, from 1.
    pub attempt: u32,
    /// The run that made it.
    pub run: String,
    /// The digest of the event that is its intent.
    pub intent: Digest,
    /// The approval ID that went on the wire.
    pub approval_id: String,
    /// The ID of the request.
    pub request_id: String,
    /// The trace of its run.
    pub trace_id: String,
    /// The digest of the arguments as they were sent.
    pub payload: Digest,
    /// When the intent was recorded, before the first byte left.
    #[schemars(with = "String")]
    pub intended: Timestamp,
    /// When the outcome was recorded; null where none was.
    #[schemars(with = "Option<String>")]
    pub answered: Option<Timestamp>,
    /// How long the answer took, in milliseconds.
    pub took_ms: Option<u64>,
    /// What it came to, as it was classified then; `unknown` where nothing was recorded.
    pub outcome: Outcome,
    /// In which sense it was refused; null where it was not.
    pub refusal: Option<RefusalKind>,
    /// What was seen where the outcome is unknown; null where nothing was recorded.
    pub doubt: Option<Doubt>,
    /// The refusal or the doubt in words, or why created IDs are missing; hostile text.
    pub message: Option<String>,
    /// Whether the server says that it had done it before under the same key; null where it does not say.
    pub replayed: Option<bool>,
    /// The digest of the answer, where it was applied.
    pub answer: Option<Digest>,
    /// Whether people found later that it did not take place.
    pub ruled_out: bool,
    /// The server's name for the task that it went on as; left out where it took none on. Hostile text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// An operation tried out with its dry-run switch set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// The run that did.
    pub run: String,
    /// What came of it.
    pub verdict: TryVerdict,
    /// In words.
    pub why: String,
}

/// A read that says whether an operation took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Looked {
    /// The run that made it.
    pub run: String,
    /// Whether it took place; null where the answer does not say.
    pub found: Option<bool>,
    /// In words.
    pub why: String,
}

/// What was created, compared with the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadBack {
    /// The run that did.
    pub run: String,
    /// What came of it.
    pub result: Compared,
    /// Where it differs.
    pub differences: Vec<String>,
    /// Why it could not be read, where it could not.
    pub unread: Option<String>,
}

/// What came of reading something back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compared {
    /// It is as planned.
    Same,
    /// It is not as planned.
    Differs,
    /// It could not be read.
    Unread,
}

/// The events of the effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// The digest of the last event. Who keeps it elsewhere finds a tail that was cut.
    pub head: Digest,
    /// How many events there are.
    pub count: u64,
    /// All of them, in full.
    pub events: Vec<Event>,
}

/// The JSON Schema (draft 2020-12) of the format.
#[must_use]
pub fn json_schema() -> Value {
    schema::written::<Document>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Report, sample};
    use serde_json::json;

    #[test]
    fn the_schema_takes_every_report_and_no_other_member() {
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        for (name, events) in sample::all() {
            let report: Value = serde_json::from_slice(Report::build(&events).unwrap().bytes()).unwrap();
            let problems: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
            assert_eq!(problems, Vec::<String>::new(), "{name}");
            for object in ["", "/artifact", "/runs/0", "/operations/0", "/chain"] {
                let mut more = report.clone();
                more.pointer_mut(object).unwrap()["surprise"] = json!(1);
                assert!(!validator.is_valid(&more), "{name}: {object}");
            }
        }
    }

    #[test]
    fn the_words_of_state_and_outcome_are_the_released_ones() {
        let words = [
            StateWord::Pending,
            StateWord::Approved,
            StateWord::Unknown,
            StateWord::Rejected,
            StateWord::Executed,
            StateWord::Failed,
        ];
        assert_eq!(
            json!(words),
            json!([
                "Pending approval",
                "Approved",
                "Approved (outcome unknown)",
                "Rejected",
                "Executed",
                "Failed"
            ])
        );
        let outcomes = [Outcome::Applied, Outcome::NotApplied, Outcome::Unknown];
        assert_eq!(json!(outcomes), json!(["applied", "not-applied", "unknown"]));
    }
}
