//! An artifact for a pull request: all that a reviewer must see, the payload whole.

use serde_json::Value;

use super::artifact_text::stand_in;
use super::artifact_words::{
    NO_TENANT, Reading, expectations, known_by, lookup, outline, places, planner, readings, repetition, slot,
    transaction, validated,
};
use super::layout::count;
use super::markdown::{code, json_block, prose};
use super::stand_in::StandIn;
use crate::artifact::Artifact;
use crate::artifact::v1::{Document, Operation, Precondition};

/// The artifact as Markdown (CommonMark).
#[must_use]
pub fn artifact_markdown(artifact: &Artifact) -> String {
    let document = artifact.document();
    let mut page = Page(String::new());
    page.head(document);
    let total = document.operations.len();
    for (index, operation) in document.operations.iter().enumerate() {
        let number = index.saturating_add(1);
        page.block(&format!("## Operation {number} of {total}: {}", code(&operation.id)));
        page.operation(operation);
    }
    if !document.gates.is_empty() {
        page.block("## Gates");
        for gate in &document.gates {
            let word = match (gate.holds, gate.advisory) {
                (true, _) => "holds",
                (false, true) => "does not hold, advisory",
                (false, false) => "**does not hold**",
            };
            page.item(0, &format!("{} {word}: {}", code(&gate.id), prose(&gate.says)));
        }
        page.end();
    }
    if !document.preconditions.is_empty() {
        page.block(&format!("## Stands on {}", count(document.preconditions.len(), "read", "reads")));
        page.block("`apply` reads them again and stops where a value is another one.");
        for precondition in &document.preconditions {
            page.precondition(precondition);
        }
        page.end();
    }
    page.block("## Not proven");
    if document.not_proven.is_empty() {
        page.block("Nothing was left unchecked that this plan knows of.");
    }
    for unproven in &document.not_proven {
        page.item(0, &prose(unproven));
    }
    page.end();
    if let Some(StandIn { title, says, .. }) = stand_in(document) {
        page.block(&format!("**{title}**: {says}."));
    }
    format!("{}\n", page.0.trim_end())
}

struct Page(String);

impl Page {
    fn head(&mut self, document: &Document) {
        let word = if document.operations.is_empty() { "Nothing to do" } else { "Planned, not applied" };
        self.block(&format!("# {word}: {}", code(&document.recipe.name)));
        self.block(&prose(&document.summary));
        let target = &document.target;
        if let Some(StandIn { title, says, .. }) = stand_in(document) {
            self.block(&format!("**{title}**: {says}."));
        }
        let tenant = match &target.tenant {
            Some(tenant) => format!("{}, {}", code(tenant), known_by(target.tenant_known_by)),
            None => NO_TENANT.to_owned(),
        };
        self.item(0, &format!("Tenant: {tenant}"));
        let server = &target.server;
        self.item(0, &format!("Server: {}", code(&server.identity)));
        let called = format!("{} {}, MCP {}", server.name, server.version, server.protocol);
        self.item(0, &format!("It calls itself: {}", code(&called)));
        let profile = format!("{} {}", target.profile.name, target.profile.digest);
        self.item(0, &format!("Profile: {}", code(&profile)));
        let contract = target.contract.as_ref();
        let contract =
            contract.map_or("the server gave none".to_owned(), |given| code(&given.digest.to_string()));
        self.item(0, &format!("Contract: {contract}"));
        let recipe = format!("{} {}", document.recipe.name, document.recipe.digest);
        self.item(0, &format!("Recipe: {}", code(&recipe)));
        for (name, value) in &document.recipe.inputs {
            self.item(1, &format!("Input {} = {}", code(name), code(&value.to_string())));
        }
        if document.occurrence.get() > 1 {
            let again = "the same is done again on purpose";
            self.item(0, &format!("Occurrence: {}, {again}", document.occurrence));
        }
        self.item(
            0,
            &format!("Effect digest, which an approval names: {}", code(&document.effect_digest.to_string())),
        );
        self.item(0, &format!("File digest: {}", code(&document.file_digest.to_string())));
        self.item(0, &format!("Subject: {}", code(&document.subject.to_string())));
        self.item(0, &format!("Planned by: {}", code(&planner(&document.planned_by))));
        self.end();
    }

    fn operation(&mut self, operation: &Operation) {
        let tool = code(&operation.tool);
        self.item(0, &format!("Tool: {tool} ({}, class {})", code(&operation.operation), operation.class));
        self.item(0, &format!("Tool digest: {}", code(&operation.tool_digest.to_string())));
        self.item(0, &format!("Reason: {}", prose(&operation.reason)));
        self.item(0, &format!("Dry run: {}", prose(&validated(operation))));
        if !operation.dry_run_confirmed.is_empty() {
            self.item(
                1,
                &format!("An answer counts where {}", code(&expectations(&operation.dry_run_confirmed))),
            );
        }
        self.item(0, &format!("Repetition: {}", prose(&repetition(operation))));
        self.item(0, &format!("Errors: {}", transaction(operation)));
        self.item(0, &format!("Idempotency key: {}", code(operation.idempotency_key.as_str())));
        if let Some(reconcile) = &operation.reconcile {
            let call = format!("{} {}", reconcile.tool, Value::Object(reconcile.arguments.clone()));
            let found = expectations(&reconcile.found);
            self.item(
                0,
                &format!("A lost answer is settled by {}: done where {}", code(&call), code(&found)),
            );
        }
        if let Some(created) = &operation.created {
            self.item(0, &format!("Created IDs: {}", code(&places(&created.ids))));
            if let Some((call, places)) = created.lookup.as_ref().map(lookup) {
                self.item(1, &format!("Looked up by {}: {}", code(&call), code(&places)));
            }
        }
        self.end();
        let items = outline(&operation.arguments);
        if !items.is_empty() {
            self.block("### Work items");
            for item in &items {
                let facts = item.facts.iter().map(|fact| format!(" {}", code(fact))).collect::<String>();
                self.item(item.depth, &format!("**{}**{facts}", code(&item.title)));
            }
            self.end();
        }
        if !operation.slots.is_empty() {
            self.block("### Filled in when it is sent, and nothing else is");
            for one in &operation.slots {
                self.item(0, &format!("{} = {}", code(one.at().as_str()), code(&slot(one, operation))));
            }
            self.end();
        }
        self.block("### Payload, exact and whole");
        self.block(&json_block(&Value::Object(operation.arguments.clone())));
    }

    fn precondition(&mut self, precondition: &Precondition) {
        let Precondition { step, tool, arguments, pages: _, fields: _, values: _ } = precondition;
        let call = format!("{tool} {}", Value::Object(arguments.clone()));
        self.item(0, &format!("{}: {}", code(step), code(&call)));
        for Reading { name, at, was } in readings(precondition) {
            let at = at.map(|at| format!(" at {}", code(&at))).unwrap_or_default();
            self.item(1, &format!("{}{at} = {}", code(name), code(&was)));
        }
    }

    /// A paragraph, heading or fenced block, which is Markdown already.
    fn block(&mut self, markdown: &str) {
        self.0.push_str(markdown.trim_end());
        self.0.push_str("\n\n");
    }

    /// An item of a list, which is Markdown already and on one line.
    fn item(&mut self, depth: usize, markdown: &str) {
        self.0.push_str(&format!("{}- {markdown}\n", "  ".repeat(depth)));
    }

    /// Ends a list.
    fn end(&mut self) {
        self.0.push('\n');
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
        assert_snapshot!(sample::steady(&artifact_markdown(&sample::artifact())), @r#"
        # Planned, not applied: `remediation-plan`

        1 operation\: one parent story with 12 child tasks

        **Sandbox**: this plan is for the embedded sandbox: nothing in it is about a real release.

        - Tenant: `acme`, as the server itself says
        - Server: `sandbox`
        - It calls itself: `LoopIQ sandbox 0.1.0, MCP 2025-11-25`
        - Profile: `loopiq sha256:[64 hex digits]`
        - Contract: the server gave none
        - Recipe: `remediation-plan sha256:[64 hex digits]`
          - Input `owner` = `"platform"`
          - Input `release` = `"REL-BLOCKED"`
        - Effect digest, which an approval names: `sha256:[64 hex digits]`
        - File digest: `sha256:[64 hex digits]`
        - Subject: `sha256:[64 hex digits]`
        - Planned by: `loopgate 0.1.0`

        ## Operation 1 of 1: `package`

        - Tool: `loopiq_create_remediation_work_package` (`work_package`, class write)
        - Tool digest: `sha256:[64 hex digits]`
        - Reason: 12 findings block REL\-BLOCKED
        - Dry run: confirmed\: the server says that it was a dry run
          - An answer counts where `/dryRun is true`
        - Repetition: the server takes the same key once; it keeps it for 24h
        - Errors: all or nothing: an error means that nothing was done
        - Idempotency key: `lg1-[64 hex digits]`
        - Created IDs: `children at /tasks (of each: id at /id), parent at /parentStory/id`
          - Looked up by `loopiq_search_work {"limit":50}`: `the IDs at /ids, what exists at /items (of each: id at /id)`

        ### Work items

        - **`Unblock REL-BLOCKED`** `owner: platform`
        - **`Fix finding 1`** `owner: web` `reference: F-1`
        - **`Fix finding 2`** `owner: web` `reference: F-2`
        - **`Fix finding 3`** `owner: web` `reference: F-3`
        - **`Fix finding 4`** `owner: web` `reference: F-4`
        - **`Fix finding 5`** `owner: web` `reference: F-5`
        - **`Fix finding 6`** `owner: web` `reference: F-6`
        - **`Fix finding 7`** `owner: web` `reference: F-7`
        - **`Fix finding 8`** `owner: web` `reference: F-8`
        - **`Fix finding 9`** `owner: web` `reference: F-9`
        - **`Fix finding 10`** `owner: web` `reference: F-10`
        - **`Fix finding 11`** `owner: web` `reference: F-11`
        - **`Fix finding 12`** `owner: web` `reference: F-12`

        ### Filled in when it is sent, and nothing else is

        - `/dryRun` = `false (true for a dry run)`
        - `/approvalId` = `the approval's ID`
        - `/idempotencyKey` = `lg1-[64 hex digits]`

        ### Payload, exact and whole

        ```json
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
        ```

        ## Gates

        - `certified` does not hold, advisory: The certification of REL\-BLOCKED is blocked

        ## Stands on 1 read

        `apply` reads them again and stops where a value is another one.

        - `evidence.certification`: `loopiq_get_release_certification {"releaseId":"REL-BLOCKED"}`
          - `state` at `/certification/status` = `"blocked"`
          - `team` at `/certification/team` = `"payments"`

        ## Not proven

        - whether open work already covers a finding

        **Sandbox**: this plan is for the embedded sandbox: nothing in it is about a real release.
        "#);
    }

    #[test]
    fn a_payload_is_whole_and_its_block_cannot_be_closed_from_inside() {
        let artifact = sample::hostile_artifact();
        let text = artifact_markdown(&artifact);
        let (_, rest) = text.split_once("\n`````json\n").unwrap();
        let (payload, _) = rest.split_once("\n`````\n").unwrap();
        let payload: Value = serde_json::from_str(payload).unwrap();
        assert_eq!(payload, Value::Object(artifact.operations()[0].arguments.clone()));
    }

    #[test]
    fn what_a_stranger_wrote_is_no_markup_outside_of_code() {
        let text = artifact_markdown(&sample::hostile_artifact());
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'));
        let (before, rest) = text.split_once("`````json\n").unwrap();
        let (_, after) = rest.split_once("\n`````\n").unwrap();
        for line in before.lines().chain(after.lines()) {
            // Outside of spans, which are fenced by two backticks where there is one inside.
            let outside: String = line.split("``").step_by(2).collect();
            assert!(!outside.contains("@team") && !outside.contains("<img>"), "{line}");
        }
    }
}
