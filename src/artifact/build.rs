//! A plan becomes an artifact.

use serde_json::Value;
use thiserror::Error;

use super::effect::{covered, effect_digest, subject};
use super::key::Key;
use super::plan::Plan;
use super::rules::{Flaw, MAX_BYTES, REPLAY, SANDBOX, check, check_levels, check_size};
use super::v1::{Document, Format, Operation, Target};
use crate::core::Digest;
use crate::core::json::{StrictError, UnsafeNumber, canonical, check_numbers, parse_strict};
use crate::core::text::visible;
use crate::core::token_shape::token_in;

/// An artifact whose digests, keys and rules hold: built here, or read and compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    document: Document,
    effect: Value,
    bytes: Vec<u8>,
}

/// Why a plan is no artifact.
#[derive(Debug, Error)]
pub enum BuildError {
    /// A number that a reader may round; its pointer is a place in the artifact.
    #[error(
        "`{}` at `{}` is outside ±(2⁵³−1), where JSON readers stop agreeing on integers",
        .0.number,
        visible(&.0.pointer)
    )]
    Number(UnsafeNumber),
    /// What must never be written down; the text itself is left out here too.
    #[error("what stands at `{}` looks like {what}, and an artifact carries no credential", visible(pointer))]
    Credential {
        /// Its place in the artifact.
        pointer: String,
        /// What it looks like.
        what: &'static str,
    },
    /// A rule of artifacts that is broken.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// More than a reader takes.
    #[error("the artifact would have {bytes} bytes, and {MAX_BYTES} are the most")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// Something that could be written and not read again.
    #[error("the artifact could not be read again: {0}")]
    Unreadable(#[from] StrictError),
}

impl From<UnsafeNumber> for BuildError {
    fn from(number: UnsafeNumber) -> Self {
        Self::Number(number)
    }
}

impl From<serde_json::Error> for BuildError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.into())
    }
}

impl Artifact {
    /// Builds the artifact of `plan`: keys, subject and digests are computed, every rule is checked, and
    /// what is held is what a reader of the bytes gets. The same plan always gives the same bytes.
    ///
    /// # Errors
    /// A number that JSON readers round, two operations that are the same, a slot that cannot be filled,
    /// or more than a reader takes.
    pub fn build(plan: Plan) -> Result<Self, BuildError> {
        check_size(&plan)?;
        let mut value = serde_json::to_value(undigested(plan)?)?;
        check_levels(&value)?;
        check_numbers(&value)?;
        if let Some((pointer, what)) = token_in(&value) {
            return Err(BuildError::Credential { pointer, what });
        }
        let effect_digest = effect_digest(&covered(value.clone()))?;
        set(&mut value, "effect_digest", effect_digest);
        let file_digest = file_digest(value.clone())?;
        set(&mut value, "file_digest", file_digest);

        let bytes = canonical(&value)?.into_bytes();
        if bytes.len() > MAX_BYTES {
            return Err(BuildError::TooLarge { bytes: bytes.len() });
        }
        let value = parse_strict(&bytes)?;
        let document: Document = serde_json::from_value(value.clone())?;
        check(&document)?;
        Ok(Self { document, effect: covered(value), bytes })
    }

    /// The file: canonical JSON on one line, without a line feed at its end.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All it says.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// What an approval names.
    #[must_use]
    pub fn effect_digest(&self) -> &Digest {
        &self.document.effect_digest
    }

    /// The digest of the file's content.
    #[must_use]
    pub fn file_digest(&self) -> &Digest {
        &self.document.file_digest
    }

    /// Whether it is of a run on a recording, so that there is nobody to send it to.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.document.target.server.identity.starts_with(REPLAY)
    }

    /// To whom.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.document.target
    }

    /// What `apply` does, in this order.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.document.operations
    }

    /// The part of the document that the effect digest covers.
    pub(crate) fn effect(&self) -> &Value {
        &self.effect
    }
}

/// The document of `plan` with keys and subject. Its two digests can only be computed of the whole;
/// until then the subject's stands in their places.
fn undigested(plan: Plan) -> Result<Document, UnsafeNumber> {
    let Plan {
        server,
        tenant,
        tenant_known_by,
        profile,
        contract,
        recipe,
        occurrence,
        planned_by,
        operations,
        preconditions,
        gates,
        summary,
        not_proven,
    } = plan;
    let sandbox = server.identity == SANDBOX;
    let target = Target { server, sandbox, tenant, tenant_known_by, profile, contract };
    let operations = operations
        .into_iter()
        .enumerate()
        .map(|(index, operation)| keyed(index, operation, &target, occurrence.get()))
        .collect::<Result<Vec<_>, _>>()?;

    let subject = subject(&target.server.identity, target.tenant.as_deref(), &recipe.name, &recipe.inputs)?;
    Ok(Document {
        format: Format::V1,
        effect_digest: subject.clone(),
        file_digest: subject.clone(),
        target,
        recipe,
        subject,
        occurrence,
        planned_by,
        operations,
        preconditions,
        gates,
        summary,
        not_proven,
    })
}

/// `planned` with its key; `index` is its place in the artifact.
fn keyed(
    index: usize,
    planned: Operation,
    target: &Target,
    occurrence: u32,
) -> Result<Operation, UnsafeNumber> {
    let tenant = target.tenant.as_deref();
    let idempotency_key = Key::of(
        &target.server.identity,
        tenant,
        &planned.tool,
        &planned.arguments,
        &planned.slots,
        occurrence,
    )
    .map_err(|UnsafeNumber { pointer, number }| UnsafeNumber {
        pointer: format!("/operations/{index}{pointer}"),
        number,
    })?;
    Ok(Operation { idempotency_key, ..planned })
}

fn set(document: &mut Value, member: &str, digest: Digest) {
    if let Some(members) = document.as_object_mut() {
        members.insert(member.to_owned(), Value::String(digest.into()));
    }
}

/// SHA-256 of the canonical JSON of `document` without its member `file_digest`.
pub(super) fn file_digest(mut document: Value) -> Result<Digest, UnsafeNumber> {
    if let Some(members) = document.as_object_mut() {
        members.remove("file_digest");
    }
    Ok(Digest::of_bytes(canonical(&document)?.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::sample;
    use serde_json::json;

    fn refused(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = sample::plan();
        change(&mut plan);
        Artifact::build(plan).unwrap_err().to_string()
    }

    #[test]
    fn the_same_plan_gives_the_same_bytes() {
        assert_eq!(sample::artifact().bytes(), sample::artifact().bytes());
        let mut plan = sample::plan();
        let points = &mut plan.operations[0].arguments["parent"]["points"];
        *points = json!(2.50);
        assert_eq!(Artifact::build(plan).unwrap().bytes(), sample::artifact().bytes());
    }

    #[test]
    fn what_is_held_is_what_a_reader_of_the_bytes_gets() {
        let mut plan = sample::plan();
        plan.operations[0].arguments.insert("n".into(), json!(3.0));
        let artifact = Artifact::build(plan).unwrap();
        assert_eq!(artifact.operations()[0].arguments["n"], json!(3));
        assert_eq!(Artifact::read("a.json", artifact.bytes()).unwrap(), artifact);
    }

    #[test]
    fn the_file_is_one_line_of_canonical_json() {
        let artifact = sample::artifact();
        let value: Value = serde_json::from_slice(artifact.bytes()).unwrap();
        assert_eq!(canonical(&value).unwrap().as_bytes(), artifact.bytes());
        assert!(!artifact.bytes().contains(&b'\n'));
    }

    #[test]
    fn an_unsafe_number_is_named_with_its_place() {
        let unsafe_number = || json!([1_u64 << 53]);
        for (place, change) in [
            (
                "/operations/0/arguments/x/0",
                (|p, n| {
                    p.operations[0].arguments.insert("x".into(), n);
                }) as fn(&mut Plan, Value),
            ),
            ("/recipe/inputs/x/0", |p, n| {
                p.recipe.inputs.insert("x".into(), n);
            }),
            ("/preconditions/1/values/x/0", |p, n| {
                p.preconditions[1].values.insert("x".into(), n);
            }),
            ("/operations/1/reconcile/found/0/equals/0", |p, n| {
                p.operations[1].reconcile.as_mut().unwrap().found[0].equals = n;
            }),
        ] {
            let message = refused(|plan| change(plan, unsafe_number()));
            assert!(message.starts_with(&format!("`9007199254740992` at `{place}` is outside")), "{message}");
        }
        let message = refused(|plan| {
            plan.operations[0].arguments.insert("x".into(), json!(1e17));
        });
        assert!(message.contains("`/operations/0/arguments/x`"), "{message}");
    }

    #[test]
    fn a_plan_with_nothing_to_do_is_an_artifact() {
        let mut plan = sample::plan();
        plan.operations.clear();
        let artifact = Artifact::build(plan).unwrap();
        assert_eq!(artifact.operations(), []);
        assert_eq!(Artifact::read("a.json", artifact.bytes()).unwrap(), artifact);
    }

    #[test]
    fn only_the_identity_sandbox_is_the_sandbox() {
        assert!(sample::artifact().target().sandbox);
        let mut plan = sample::plan();
        plan.server.identity = "Sandbox".into();
        assert!(!Artifact::build(plan).unwrap().target().sandbox);
    }
}
