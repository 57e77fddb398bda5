//! What an approval names.

use serde_json::{Map, Value, json};

use crate::core::Digest;
use crate::core::json::{UnsafeNumber, canonical, check_numbers};

const EFFECT: &str = "loopgate.effect/1";
const SUBJECT: &str = "loopgate.subject/1";

/// The members that decide nothing, by where they stand; `*` is every item of a list.
const LEFT_OUT: [(&[&str], &[&str]); 6] = [
    (
        &[],
        &[
            "format",
            "effect_digest",
            "file_digest",
            "subject",
            "occurrence",
            "planned_by",
            "gates",
            "summary",
            "not_proven",
        ],
    ),
    (&["target"], &["sandbox", "tenant_known_by", "profile", "contract"]),
    (&["target", "server"], &["name", "version", "protocol"]),
    (&["recipe"], &["digest"]),
    (&["operations", "*"], &["id", "operation", "reason", "server_validated_why"]),
    (&["preconditions", "*"], &["step"]),
];

/// The part of a document that the effect digest covers, at the document's own places. A member that
/// is not named below as left out is covered, so a new one is until somebody decides otherwise.
///
/// Covered, because `apply` acts on it:
/// - `target`: `server.identity` and `tenant`, so to whom;
/// - `recipe`: `name` and `inputs`, which with server and tenant are the subject that an unknown outcome
///   blocks; the name is also the workflow that calls carry;
/// - `operations`, in their order, each with `tool`, `class`, `tool_digest`, `arguments`, `slots` and
///   `idempotency_key`, so what is sent; `idempotency`, `key_retention`, `one_transaction`, `created` and
///   `reconcile`, so what an answer or a silence means; `dry_run_confirmed` and `server_validated`, so
///   whether a dry run comes first and what it must say;
/// - `preconditions`, in any order, each with `tool`, `arguments`, `fields` and `values`, so when it is
///   refused as stale.
///
/// Left out, because nothing is decided by it:
/// - `format` (the digest's tag says it) and what follows from the rest: `file_digest`, `subject`,
///   `target.sandbox`; `occurrence`, which is in every key;
/// - what `apply` finds out again by the trust settings of its own time: `target.server`'s `name`,
///   `version` and `protocol`, `target.tenant_known_by`, `target.profile`, `target.contract`;
/// - who planned and from which text: `recipe.digest`, `planned_by`;
/// - words for people: an operation's `id`, `operation`, `reason` and `server_validated_why`, a
///   precondition's `step`, `gates` (their values are preconditions), `summary`, `not_proven`.
pub(super) fn covered(mut document: Value) -> Value {
    for (place, names) in LEFT_OUT {
        leave_out(&mut document, place, names);
    }
    document
}

fn leave_out(value: &mut Value, place: &[&str], names: &[&str]) {
    match (place, value) {
        ([], Value::Object(members)) => members.retain(|name, _| !names.contains(&name.as_str())),
        (["*", rest @ ..], Value::Array(items)) => {
            items.iter_mut().for_each(|item| leave_out(item, rest, names));
        }
        ([name, rest @ ..], Value::Object(members)) => {
            if let Some(member) = members.get_mut(*name) {
                leave_out(member, rest, names);
            }
        }
        (_, _) => {}
    }
}

/// The effect digest (tag `loopgate.effect/1`) of what [`covered`] gives, its preconditions sorted by
/// their canonical text: they are all read before anything is sent.
pub(super) fn effect_digest(covered: &Value) -> Result<Digest, UnsafeNumber> {
    let mut covered = covered.clone();
    if let Some(preconditions) = covered.pointer_mut("/preconditions").and_then(Value::as_array_mut) {
        let texts = preconditions.iter().map(canonical).collect::<Result<Vec<_>, _>>()?;
        let mut sorted: Vec<_> = texts.into_iter().zip(std::mem::take(preconditions)).collect();
        sorted.sort_by(|(one, _), (two, _)| one.cmp(two));
        preconditions.extend(sorted.into_iter().map(|(_, precondition)| precondition));
    }
    Digest::of_json(EFFECT, &covered)
}

/// The digest of a subject (tag `loopgate.subject/1`). A changed recipe text is the same subject, so that
/// an edit does not lift the block that an unknown outcome is. A number that canonical JSON does not
/// carry is named by its place in the document.
pub(super) fn subject(
    server: &str,
    tenant: Option<&str>,
    recipe: &str,
    inputs: &Map<String, Value>,
) -> Result<Digest, UnsafeNumber> {
    check_numbers(&json!({"recipe": {"inputs": inputs}}))?;
    let subject = json!({"server": server, "tenant": tenant, "recipe": recipe, "inputs": inputs});
    Digest::of_json(SUBJECT, &subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::sample;
    use crate::artifact::{Artifact, Plan};
    use proptest::prelude::*;

    fn effect_of(change: impl FnOnce(&mut Plan)) -> Digest {
        let mut plan = sample::plan();
        change(&mut plan);
        Artifact::build(plan).unwrap().effect_digest().clone()
    }

    #[test]
    fn whatever_decides_what_happens_changes_the_effect_digest() {
        let first = effect_of(|_| {});
        let mut seen = vec![first];
        for (what, change) in sample::DECIDING {
            let effect = effect_of(change);
            assert!(!seen.contains(&effect), "{what}");
            seen.push(effect);
        }
    }

    #[test]
    fn a_plan_with_the_same_effect_keeps_its_approval() {
        let first = effect_of(|_| {});
        for (what, change) in sample::DECIDING_NOTHING {
            assert_eq!(effect_of(change), first, "{what}");
        }
    }

    /// Walks the whole document, so that a member which somebody adds is decided on here as well.
    #[test]
    fn every_leaf_of_a_document_is_covered_or_left_out_on_purpose() {
        let left_out = [
            "/effect_digest",
            "/file_digest",
            "/format",
            "/gates/0/advisory",
            "/gates/0/holds",
            "/gates/0/id",
            "/gates/0/says",
            "/not_proven/0",
            "/occurrence",
            "/operations/0/id",
            "/operations/0/operation",
            "/operations/0/reason",
            "/operations/0/server_validated_why",
            "/operations/1/id",
            "/operations/1/operation",
            "/operations/1/reason",
            "/operations/1/server_validated_why",
            "/planned_by/version",
            "/preconditions/0/step",
            "/preconditions/1/step",
            "/recipe/digest",
            "/subject",
            "/summary",
            "/target/contract/digest",
            "/target/profile/digest",
            "/target/profile/name",
            "/target/sandbox",
            "/target/server/name",
            "/target/server/protocol",
            "/target/server/version",
            "/target/tenant_known_by",
        ];
        let document: Value = serde_json::from_slice(sample::artifact().bytes()).unwrap();
        let effect = |document: Value| effect_digest(&covered(document)).unwrap();
        let first = effect(document.clone());
        assert_eq!(&first, sample::artifact().effect_digest());
        let mut found = Vec::new();
        for pointer in sample::leaves(&document) {
            let mut changed = document.clone();
            *changed.pointer_mut(&pointer).unwrap() = json!("something else");
            if effect(changed) == first {
                found.push(pointer);
            }
        }
        assert_eq!(found, left_out);
    }

    #[test]
    fn an_edited_recipe_is_the_same_subject_and_another_input_is_not() {
        let subject_of = |change: fn(&mut Plan)| {
            let mut plan = sample::plan();
            change(&mut plan);
            Artifact::build(plan).unwrap().document().subject.clone()
        };
        let first = subject_of(|_| {});
        assert_eq!(subject_of(|p| p.recipe.digest = Digest::of_bytes(b"other")), first);
        assert_eq!(subject_of(|p| p.operations.truncate(1)), first);
        assert_ne!(subject_of(|p| p.recipe.inputs["release"] = json!("REL-2")), first);
        assert_ne!(subject_of(|p| p.tenant = None), first);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn two_arguments_have_one_digest_exactly_when_they_are_one_value(
            one in crate::core::json::tests::any_value(),
            two in crate::core::json::tests::any_value(),
        ) {
            let effect = |argument: &Value| effect_of(|p| {
                p.operations.remove(0);
                p.operations[0].arguments.insert("x".into(), argument.clone());
            });
            let same = canonical(&one).unwrap() == canonical(&two).unwrap();
            prop_assert_eq!(effect(&one) == effect(&two), same);
            let again = serde_json::from_str(&serde_json::to_string_pretty(&one).unwrap()).unwrap();
            prop_assert_eq!(effect(&one), effect(&again));
        }
    }
}
