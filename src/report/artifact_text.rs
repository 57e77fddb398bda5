//! An artifact for people at a terminal: all that a reviewer must see, the payload whole.

use super::artifact_words::{
    NO_TENANT, Reading, expectations, known_by, lookup, outline, places, planner, readings, repetition, slot,
    transaction, validated,
};
use super::layout::{Mark, columns, count};
use super::page::Page;
use super::stand_in::{REPLAY_ARTIFACT, StandIn};
use super::terminal::Terminal;
use crate::artifact::Artifact;
use crate::artifact::v1::{Document, Operation, Precondition};
use crate::core::printable::indented;
use serde_json::Value;

/// What every output about a sandbox artifact says.
pub(super) const SANDBOX_ARTIFACT: &str =
    "this plan is for the embedded sandbox: nothing in it is about a real release";

/// The artifact for a terminal. Payloads are whole and never broken into lines, so that they are exact.
#[must_use]
pub fn artifact_text(artifact: &Artifact, terminal: &Terminal) -> String {
    let mut page = Page::new(terminal);
    artifact_page(&mut page, artifact.document());
    if let Some(stand_in) = stand_in(artifact.document()) {
        page.blank();
        page.line("", stand_in.says);
    }
    page.text()
}

/// What stands in for the server of an artifact.
pub(super) fn stand_in(document: &Document) -> Option<StandIn> {
    let target = &document.target;
    StandIn::of(target.sandbox, &target.server.identity, SANDBOX_ARTIFACT, REPLAY_ARTIFACT)
}

/// The artifact as a page, which its reader may go on with.
pub(super) fn artifact_page(page: &mut Page<'_>, document: &Document) {
    page.head(document);
    let total = document.operations.len();
    for (index, operation) in document.operations.iter().enumerate() {
        page.title(&format!("Operation {} of {total}: {}", index.saturating_add(1), operation.id));
        page.operation(operation);
    }
    if !document.gates.is_empty() {
        page.title("Gates");
        for gate in &document.gates {
            let (sign, word) = match (gate.holds, gate.advisory) {
                (true, _) => (Mark::Good, "holds"),
                (false, true) => (Mark::Warning, "does not hold, advisory"),
                (false, false) => (Mark::Bad, "does not hold"),
            };
            page.item(sign, &format!("{} ({word}): {}", gate.id, gate.says));
        }
    }
    if !document.preconditions.is_empty() {
        page.title(&format!("Stands on {}", count(document.preconditions.len(), "read", "reads")));
        page.line("  ", "apply reads them again and stops where a value is another one");
        for precondition in &document.preconditions {
            page.precondition(precondition);
        }
    }
    page.title("Not proven");
    if document.not_proven.is_empty() {
        page.line("  ", "nothing was left unchecked that this plan knows of");
    }
    for unproven in &document.not_proven {
        page.line("  - ", unproven);
    }
}

impl Page<'_> {
    fn head(&mut self, document: &Document) {
        let empty = document.operations.is_empty();
        let sign = if empty { Mark::Good } else { Mark::Planned };
        let word = if empty { "nothing to do" } else { "planned, not applied" };
        self.verdict(sign, word, std::slice::from_ref(&document.recipe.name));
        self.under_verdict(&document.summary);
        self.blank();

        let target = &document.target;
        if let Some(stand_in) = stand_in(document) {
            self.fact(stand_in.what, stand_in.says);
        }
        match &target.tenant {
            Some(tenant) => self.fact("tenant", &format!("{tenant}, {}", known_by(target.tenant_known_by))),
            None => self.fact("tenant", NO_TENANT),
        }
        let server = &target.server;
        self.fact("server", &server.identity);
        let called = format!("{} {}, MCP {}", server.name, server.version, server.protocol);
        self.fact("calls itself", &called);
        self.fact("profile", &target.profile.name);
        self.exact("", &target.profile.digest.to_string());
        match &target.contract {
            Some(contract) => self.exact("contract", &contract.digest.to_string()),
            None => self.fact("contract", "the server gave none"),
        }
        self.fact("recipe", &document.recipe.name);
        self.exact("", &document.recipe.digest.to_string());
        for (name, value) in &document.recipe.inputs {
            self.fact("input", &format!("{name} = {value}"));
        }
        if document.occurrence.get() > 1 {
            self.fact("occurrence", &format!("{}: the same is done again on purpose", document.occurrence));
        }
        self.exact("effect", &document.effect_digest.to_string());
        self.exact("file", &document.file_digest.to_string());
        self.exact("subject", &document.subject.to_string());
        self.fact("planned by", &planner(&document.planned_by));
    }

    fn operation(&mut self, operation: &Operation) {
        let called = format!("{} ({}, class {})", operation.tool, operation.operation, operation.class);
        self.fact("tool", &called);
        self.exact("tool digest", &operation.tool_digest.to_string());
        self.fact("reason", &operation.reason);
        self.fact("dry run", &validated(operation));
        if !operation.dry_run_confirmed.is_empty() {
            self.fact("", &format!("an answer counts where {}", expectations(&operation.dry_run_confirmed)));
        }
        self.fact("repetition", &repetition(operation));
        self.fact("errors", transaction(operation));
        self.exact("key", operation.idempotency_key.as_str());
        if let Some(reconcile) = &operation.reconcile {
            let found = expectations(&reconcile.found);
            let arguments = Value::Object(reconcile.arguments.clone());
            self.fact("settled by", &format!("{} {arguments}: done where {found}", reconcile.tool));
        }
        if let Some(created) = &operation.created {
            self.fact("created IDs", &places(&created.ids));
            if let Some((call, places)) = created.lookup.as_ref().map(lookup) {
                self.fact("looked up by", &format!("{call}: {places}"));
            }
        }
        let items = outline(&operation.arguments);
        if !items.is_empty() {
            self.heading("Work items");
            for item in &items {
                let label = format!("    {}- ", "  ".repeat(item.depth));
                self.line(&label, &item.title);
                if !item.facts.is_empty() {
                    self.line(&" ".repeat(columns(&label)), &item.facts.join(", "));
                }
            }
        }
        if !operation.slots.is_empty() {
            self.heading("Filled in when it is sent, and nothing else is");
            for one in &operation.slots {
                let filled = format!("{} = {}", one.at(), slot(one, operation));
                self.exactly("    ", &filled);
            }
        }
        self.heading("Payload, exact and whole");
        for line in indented(&Value::Object(operation.arguments.clone())).lines() {
            self.exactly("    ", line);
        }
    }

    fn precondition(&mut self, precondition: &Precondition) {
        let Precondition { step, tool, arguments, pages: _, fields: _, values: _ } = precondition;
        self.line("  - ", &format!("{step}: {tool} {}", Value::Object(arguments.clone())));
        for Reading { name, at, was } in readings(precondition) {
            let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
            self.line("      ", &format!("{name}{at} = {was}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample;
    use insta::assert_snapshot;

    #[test]
    fn a_reviewer_sees_everything() {
        assert_snapshot!(sample::steady(&artifact_text(&sample::artifact(), &Terminal::plain())), @r#"
        + planned, not applied  remediation-plan
          1 operation: one parent story with 12 child tasks

          sandbox       this plan is for the embedded sandbox: nothing in it is about a
                        real release
          tenant        acme, as the server itself says
          server        sandbox
          calls itself  LoopIQ sandbox 0.1.0, MCP 2025-11-25
          profile       loopiq
                        sha256:[64 hex digits]
          contract      the server gave none
          recipe        remediation-plan
                        sha256:[64 hex digits]
          input         owner = "platform"
          input         release = "REL-BLOCKED"
          effect        sha256:[64 hex digits]
          file          sha256:[64 hex digits]
          subject       sha256:[64 hex digits]
          planned by    loopgate 0.1.0

        Operation 1 of 1: package
          tool          loopiq_create_remediation_work_package (work_package, class
                        write)
          tool digest   sha256:[64 hex digits]
          reason        12 findings block REL-BLOCKED
          dry run       confirmed: the server says that it was a dry run
                        an answer counts where /dryRun is true
          repetition    the server takes the same key once; it keeps it for 24h
          errors        all or nothing: an error means that nothing was done
          key           lg1-[64 hex digits]
          created IDs   children at /tasks (of each: id at /id), parent at
                        /parentStory/id
          looked up by  loopiq_search_work {"limit":50}: the IDs at /ids, what exists at
                        /items (of each: id at /id)
          Work items:
            - Unblock REL-BLOCKED
              owner: platform
            - Fix finding 1
              owner: web, reference: F-1
            - Fix finding 2
              owner: web, reference: F-2
            - Fix finding 3
              owner: web, reference: F-3
            - Fix finding 4
              owner: web, reference: F-4
            - Fix finding 5
              owner: web, reference: F-5
            - Fix finding 6
              owner: web, reference: F-6
            - Fix finding 7
              owner: web, reference: F-7
            - Fix finding 8
              owner: web, reference: F-8
            - Fix finding 9
              owner: web, reference: F-9
            - Fix finding 10
              owner: web, reference: F-10
            - Fix finding 11
              owner: web, reference: F-11
            - Fix finding 12
              owner: web, reference: F-12
          Filled in when it is sent, and nothing else is:
            /dryRun = false (true for a dry run)
            /approvalId = the approval's ID
            /idempotencyKey = lg1-[64 hex digits]
          Payload, exact and whole:
            {
              "children": [
                {
                  "owner": "web",
                  "reference": "F-1",
                  "title": "Fix finding 1"
                },
                {
                  "owner": "web",
                  "reference": "F-2",
                  "title": "Fix finding 2"
                },
                {
                  "owner": "web",
                  "reference": "F-3",
                  "title": "Fix finding 3"
                },
                {
                  "owner": "web",
                  "reference": "F-4",
                  "title": "Fix finding 4"
                },
                {
                  "owner": "web",
                  "reference": "F-5",
                  "title": "Fix finding 5"
                },
                {
                  "owner": "web",
                  "reference": "F-6",
                  "title": "Fix finding 6"
                },
                {
                  "owner": "web",
                  "reference": "F-7",
                  "title": "Fix finding 7"
                },
                {
                  "owner": "web",
                  "reference": "F-8",
                  "title": "Fix finding 8"
                },
                {
                  "owner": "web",
                  "reference": "F-9",
                  "title": "Fix finding 9"
                },
                {
                  "owner": "web",
                  "reference": "F-10",
                  "title": "Fix finding 10"
                },
                {
                  "owner": "web",
                  "reference": "F-11",
                  "title": "Fix finding 11"
                },
                {
                  "owner": "web",
                  "reference": "F-12",
                  "title": "Fix finding 12"
                }
              ],
              "parent": {
                "owner": "platform",
                "title": "Unblock REL-BLOCKED"
              },
              "releaseId": "REL-BLOCKED"
            }

        Gates
          ! certified (does not hold, advisory): The certification of REL-BLOCKED is
            blocked

        Stands on 1 read
          apply reads them again and stops where a value is another one
          - evidence.certification: loopiq_get_release_certification
            {"releaseId":"REL-BLOCKED"}
              state at /certification/status = "blocked"
              team at /certification/team = "payments"

        Not proven
          - whether open work already covers a finding

        this plan is for the embedded sandbox: nothing in it is about a real release
        "#);
    }

    #[test]
    fn a_payload_is_whole_exact_and_still_json() {
        let artifact = sample::hostile_artifact();
        let narrow = Terminal { width: 20, ..Terminal::plain() };
        let text = artifact_text(&artifact, &narrow);
        let (_, rest) = text.split_once("Payload, exact and whole:\n").unwrap();
        let (payload, _) = rest.split_once("\n\n").unwrap();
        let payload: Value = serde_json::from_str(payload).unwrap();
        assert_eq!(payload, Value::Object(artifact.operations()[0].arguments.clone()));
    }

    #[test]
    fn nothing_of_a_stranger_steers_the_terminal() {
        let text = artifact_text(&sample::hostile_artifact(), &Terminal::plain());
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'));
        assert!(text.lines().all(|line| !line.starts_with("# b")));
    }

    #[test]
    fn an_artifact_of_the_sandbox_says_so_first_and_last() {
        let text = artifact_text(&sample::artifact(), &Terminal { width: 200, ..Terminal::plain() });
        assert_eq!(text.matches(SANDBOX_ARTIFACT).count(), 2);
    }
}
