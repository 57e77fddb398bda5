//! What a person sees before confirming an approval: the artifact whole, what a reviewer asks about, and
//! what exactly is about to be recorded.

use jiff::Timestamp;

use super::approval_words::{at, known_by};
use super::artifact_text::{SANDBOX_ARTIFACT, artifact_page};
use super::artifact_words::{NO_TENANT, validated};
use super::layout::Mark;
use super::page::Page;
use super::reviewed::{Reviewed, reviewed};
use super::terminal::Terminal;
use crate::approval::Assurance;
use crate::artifact::Artifact;
use crate::artifact::v1::{Document, Idempotency};
use crate::core::Digest;

/// What is about to be recorded besides the artifact's effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalFacts {
    /// Who approves.
    pub approver: String,
    /// How that is known.
    pub assurance: Assurance,
    /// Why, in the approver's words.
    pub reason: String,
    /// Until when the approval may be used.
    pub expires: Timestamp,
    /// The approval ID that the service issued, where it did.
    pub external_id: Option<String>,
    /// The digest of the policy in force, where there is one.
    pub policy_digest: Option<Digest>,
}

/// Everything that a reviewer must see before an approval is given. Nothing of a payload is cut, and what is
/// about to be recorded stands last.
#[must_use]
pub fn approval_text(artifact: &Artifact, facts: &ApprovalFacts, terminal: &Terminal) -> String {
    let document = artifact.document();
    let mut page = Page::new(terminal);
    artifact_page(&mut page, document);
    review(&mut page, document, facts);
    about_to(&mut page, document, facts);
    doubts(&mut page, document, facts);
    if document.target.sandbox {
        page.blank();
        page.line("", SANDBOX_ARTIFACT);
    }
    page.text()
}

fn review(page: &mut Page<'_>, document: &Document, facts: &ApprovalFacts) {
    page.title("To review: if any of this is wrong, reject it");
    page.fact("tenant", document.target.tenant.as_deref().unwrap_or(NO_TENANT));
    let (named, unnamed): (Vec<Reviewed>, Vec<Reviewed>) =
        reviewed(document).into_iter().partition(|reviewed| !reviewed.said.is_empty());
    for Reviewed { word, said } in named {
        page.fact(word, &said.join("; "));
    }
    if !unnamed.is_empty() {
        let words: Vec<&str> = unnamed.iter().map(|reviewed| reviewed.word).collect();
        page.fact("not named", &words.join(", "));
    }
    for operation in &document.operations {
        page.fact("tool", &operation.tool);
        page.fact("reason", &operation.reason);
        page.exact("key", operation.idempotency_key.as_str());
    }
    page.fact("payload", "above, whole, with the titles of parent and children");
    match &facts.external_id {
        Some(id) => page.fact("approval ID", &format!("{id}, issued by the service; it is what is sent")),
        None => page.fact("approval ID", "given when it is approved"),
    }
    page.fact("request ID", "made by apply, another for every attempt");
    page.fact("trace ID", "made by apply, or the pipeline's own");
    page.fact("workflow", &document.recipe.name);
    let who = document.planned_by.who.as_deref();
    page.fact("planned by", who.unwrap_or("the plan does not say"));
}

fn about_to(page: &mut Page<'_>, document: &Document, facts: &ApprovalFacts) {
    page.title("About to be approved");
    page.exact("effect", &document.effect_digest.to_string());
    page.exact("file", &document.file_digest.to_string());
    page.fact("approver", &facts.approver);
    page.fact("", known_by(facts.assurance));
    page.fact("reason", &facts.reason);
    page.fact("expires", &at(facts.expires));
    match &facts.policy_digest {
        Some(policy) => page.exact("policy", &policy.to_string()),
        None => page.fact("policy", "none is in force here; apply goes by its own"),
    }
}

/// What speaks against trusting it, each on a line of its own.
fn doubts(page: &mut Page<'_>, document: &Document, facts: &ApprovalFacts) {
    page.title("Before you do");
    if document.operations.is_empty() {
        page.item(Mark::Idle, "there is nothing to do, so there is nothing to approve");
    }
    if document.planned_by.who.as_ref() == Some(&facts.approver) {
        page.item(Mark::Warning, "who is about to approve has planned it, too");
    }
    for operation in &document.operations {
        let id = &operation.id;
        let (mark, word) = match operation.server_validated {
            true => (Mark::Good, "the server validated it"),
            false => (Mark::Warning, "the server did NOT validate it"),
        };
        page.item(mark, &format!("{id}: {word}: dry run {}", validated(operation)));
        if operation.idempotency == Idempotency::None && operation.reconcile.is_none() {
            page.item(Mark::Warning, &format!("{id}: a lost answer needs a person"));
        }
    }
    for unproven in &document.not_proven {
        page.item(Mark::Doubt, &format!("not proven: {unproven}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Plan;
    use crate::core::text::is_hidden;
    use crate::report::artifact_text::artifact_text;
    use crate::report::sample;
    use insta::assert_snapshot;
    use serde_json::{Value, json};

    fn facts() -> ApprovalFacts {
        ApprovalFacts {
            approver: "alice".into(),
            assurance: Assurance::Asserted,
            reason: "reviewed with the release team".into(),
            expires: sample::time(3600),
            external_id: None,
            policy_digest: Some(Digest::of_bytes(b"policy")),
        }
    }

    fn shown(change: impl FnOnce(&mut Plan, &mut ApprovalFacts)) -> String {
        let (mut plan, mut facts) = (sample::plan(), facts());
        change(&mut plan, &mut facts);
        let wide = Terminal { width: 10_000, ..Terminal::plain() };
        approval_text(&Artifact::build(plan).unwrap(), &facts, &wide)
    }

    #[test]
    fn whoever_approves_sees_the_artifact_and_then_what_is_recorded() {
        let artifact = sample::artifact();
        let text = approval_text(&artifact, &facts(), &Terminal::plain());
        let shown = artifact_text(&artifact, &Terminal::plain());
        let (artifact_shown, last) = shown.trim_end().rsplit_once("\n\n").unwrap();
        let rest = text.strip_prefix(artifact_shown).unwrap();
        assert!(rest.trim_end().ends_with(last));
        assert_snapshot!(sample::steady(rest), @r#"
        To review: if any of this is wrong, reject it
          tenant        acme
          team          "payments" (read)
          release       "REL-BLOCKED" (input, payload)
          references    "F-1", "F-2", "F-3", "F-4", "F-5", "F-6", "F-7", "F-8", "F-9",
                        "F-10", "F-11", "F-12" (payload)
          not named     certification, application, module, repository, service
          tool          loopiq_create_remediation_work_package
          reason        12 findings block REL-BLOCKED
          key           lg1-[64 hex digits]
          payload       above, whole, with the titles of parent and children
          approval ID   given when it is approved
          request ID    made by apply, another for every attempt
          trace ID      made by apply, or the pipeline's own
          workflow      remediation-plan
          planned by    the plan does not say

        About to be approved
          effect        sha256:[64 hex digits]
          file          sha256:[64 hex digits]
          approver      alice
                        asserted: known by the caller's word alone
          reason        reviewed with the release team
          expires       2023-11-14T23:13:20Z
          policy        sha256:[64 hex digits]

        Before you do
          ✓ package: the server validated it: dry run confirmed: the server says that it
            was a dry run
          ? not proven: whether open work already covers a finding

        this plan is for the embedded sandbox: nothing in it is about a real release
        "#);
    }

    #[test]
    fn an_effect_that_cannot_be_repeated_needs_a_person_and_says_so_in_so_many_words() {
        let person = "! package: a lost answer needs a person\n";
        assert!(!shown(|_, _| {}).contains(person));
        let none = |plan: &mut Plan| plan.operations[0].idempotency = Idempotency::None;
        assert!(shown(|plan, _| none(plan)).contains(person));
        let settled = shown(|plan, _| {
            none(plan);
            let found = json!([{"at": "/n", "equals": 1}]);
            let read = json!({"tool": "find", "arguments": {}, "found": found});
            plan.operations[0].reconcile = serde_json::from_value(read).unwrap();
        });
        assert!(!settled.contains(person));
    }

    #[test]
    fn what_speaks_against_it_is_said() {
        let text = shown(|plan, facts| {
            plan.operations[0].server_validated = false;
            plan.operations[0].server_validated_why = "no credential for a dry run".into();
            plan.planned_by.who = Some("alice".into());
            plan.tenant = None;
            plan.tenant_known_by = crate::artifact::v1::TenantKnownBy::None;
            facts.policy_digest = None;
        });
        for said in [
            "! package: the server did NOT validate it: dry run NOT confirmed: no credential for a dry run",
            "! who is about to approve has planned it, too",
            "? not proven: whether open work already covers a finding",
            "policy        none is in force here",
            "planned by    alice\n",
        ] {
            assert!(text.contains(said), "{said} in\n{text}");
        }
    }

    #[test]
    fn the_services_own_approval_id_is_shown_as_what_is_sent() {
        let text = shown(|_, facts| facts.external_id = Some("APR-7".into()));
        assert!(text.contains("approval ID   APR-7, issued by the service; it is what is sent\n"), "{text}");
        assert!(!text.contains("given when it is approved"));
    }

    #[test]
    fn a_payload_is_never_cut_however_long_and_narrow() {
        let long = "x".repeat(100_000);
        let mut plan = sample::plan();
        plan.operations[0].arguments = serde_json::from_value(json!({"parent": {"title": long}})).unwrap();
        let artifact = Artifact::build(plan).unwrap();
        let text = approval_text(&artifact, &facts(), &Terminal { width: 20, ..Terminal::plain() });
        let (_, rest) = text.split_once("Payload, exact and whole:\n").unwrap();
        let (payload, _) = rest.split_once("\n\n").unwrap();
        let payload: Value = serde_json::from_str(payload).unwrap();
        assert_eq!(payload, Value::Object(artifact.operations()[0].arguments.clone()));
    }

    #[test]
    fn nothing_of_a_stranger_steers_the_terminal() {
        let hostile = sample::HOSTILE.to_owned();
        let facts = ApprovalFacts {
            approver: hostile.clone(),
            reason: hostile.clone(),
            external_id: Some(hostile),
            ..facts()
        };
        let text = approval_text(&sample::hostile_artifact(), &facts, &Terminal::plain());
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'));
        assert!(text.lines().all(|line| !line.starts_with("# b")));
    }

    #[test]
    fn an_approval_for_the_sandbox_says_so_first_and_last() {
        let text = shown(|_, _| {});
        assert_eq!(text.matches(SANDBOX_ARTIFACT).count(), 2);
        assert!(text.trim_end().ends_with(SANDBOX_ARTIFACT));
    }
}
