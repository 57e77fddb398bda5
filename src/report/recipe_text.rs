//! What a recipe does, for people: inputs, steps and their data, tools, and what it would write.

use serde_json::Value;

use super::layout::{Tone, columns, hang, pad};
use super::recipe_steps::{ToldStep, ToldTool, ToldWrite, told_steps};
use super::terminal::Terminal;
use crate::catalog::Profile;
use crate::core::printable::indented;
use crate::core::text::visible;
use crate::recipe::{Input, Recipe};

/// The recipe for a terminal, its tools as `profile` knows them.
#[must_use]
pub fn recipe_text(recipe: &Recipe, profile: &Profile, terminal: &Terminal) -> String {
    let mut page = Page { out: String::new(), terminal };
    let name = visible(&recipe.name);
    page.out.push_str(&format!("{}\n", terminal.paint(Tone::Strong, &name)));
    page.line("  ", &recipe.summary);
    page.line("  profile: ", &profile.profile);
    if let Some(server) = &recipe.server {
        page.line("  server:  ", server);
    }
    // On one line, so that it can be copied and searched.
    page.out.push_str(&format!("  digest:  {}\n", recipe.digest));

    if !recipe.inputs.is_empty() {
        page.title("Inputs");
        for input in &recipe.inputs {
            page.line(&format!("  {}  ", visible(&input.flag())), &input_words(input));
        }
    }
    let steps = told_steps(recipe, profile);
    page.title("Steps");
    for step in &steps {
        page.step(step);
    }
    page.title("What it would write");
    let writes: Vec<_> = steps.iter().filter_map(|step| Some((step, step.write.as_ref()?))).collect();
    if writes.is_empty() {
        page.line("  ", "nothing");
    }
    for (step, write) in writes {
        page.write(step, write);
    }
    if !recipe.later.is_empty() {
        page.title("Known only when it runs");
        for later in &recipe.later {
            page.line("  - ", later);
        }
    }
    page.out
}

/// What an input is, in words.
pub(super) fn input_words(input: &Input) -> String {
    let mut words = vec![input.kind.to_string()];
    match &input.default {
        Some(default) => words.push(format!("default {default}")),
        None if input.required => words.push("required".to_owned()),
        None => words.push("optional".to_owned()),
    }
    if !input.choices.is_empty() {
        words.push(format!("one of {}", Value::from(input.choices.clone())));
    }
    let help = input.help.as_ref().map(|help| format!(": {help}")).unwrap_or_default();
    format!("{}{help}", words.join(", "))
}

/// A tool with its class and what that stands on.
pub(super) fn tool_words(tool: &ToldTool) -> String {
    match &tool.basis {
        Some(basis) => format!("{}, class {} ({basis})", tool.name, tool.class),
        None => format!(
            "{}, which the profile does not know: a write until a server's lock says otherwise",
            tool.name
        ),
    }
}

struct Page<'a> {
    out: String,
    terminal: &'a Terminal,
}

impl Page<'_> {
    fn step(&mut self, step: &ToldStep) {
        let id = visible(&step.id);
        let kind = self.terminal.paint(Tone::Dim, &pad(step.kind, 7));
        let indent = 4;
        self.out.push_str(&format!("  {kind}  {}\n", self.terminal.paint(Tone::Strong, &id)));
        self.line(&" ".repeat(indent), &step.subject);
        if let Some(tool) = &step.tool {
            self.fact("tool", &tool_words(tool));
        }
        for when in &step.when {
            self.fact("when", when);
        }
        if !step.uses.is_empty() {
            self.fact("uses", &step.uses.join(", "));
        }
        if let Some(file) = &step.emits {
            self.fact("emits", file);
        }
        for remark in &step.remarks {
            self.fact("note", remark);
        }
    }

    fn write(&mut self, step: &ToldStep, write: &ToldWrite) {
        let id = visible(&step.id);
        self.out.push_str(&format!("  {}\n", self.terminal.paint(Tone::Strong, &id)));
        if let Some(tool) = &step.tool {
            self.fact("tool", &tool_words(tool));
        }
        self.fact("reason", &write.reason);
        self.fact("repeat", &write.idempotency);
        if let Some(reconcile) = &write.reconcile {
            self.fact("settle", reconcile);
        }
        self.fact("with", "");
        for line in indented(&write.arguments).lines() {
            self.out.push_str(&format!("      {line}\n"));
        }
    }

    fn title(&mut self, text: &str) {
        self.out.push_str(&format!("\n{}\n", self.terminal.paint(Tone::Strong, text)));
    }

    fn fact(&mut self, label: &str, text: &str) {
        let label = format!("    {}", pad(&format!("{label}:"), 8));
        self.line(&label, text);
    }

    /// Hostile `text`, its later lines under the first.
    fn line(&mut self, label: &str, text: &str) {
        let room = self.terminal.width.max(columns(label).saturating_add(16));
        hang(&mut self.out, label, &visible(text), room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample;
    use insta::assert_snapshot;

    #[test]
    fn a_recipe_shows_its_steps_data_tools_and_writes() {
        let (recipe, profile) = sample::recipe();
        assert_snapshot!(sample::steady(&recipe_text(&recipe, &profile, &Terminal::plain())), @r#"
        sample
          Draft the work package that unblocks a release.
          profile: loopiq
          digest:  sha256:[64 hex digits]

        Inputs
          release  string, required: Release to remediate
          owner  string, default "platform": Team that owns the parent story

        Steps
          read     certification
            certification
            tool:   loopiq_get_release_certification, class read (tool documented,
                    arguments assumed, result assumed)
          read     graph
            evidence_graph
            tool:   loopiq_get_release_certification_evidence_graph, class read (tool
                    documented, arguments assumed, result assumed)
            uses:   certification.id
            emits:  evidence-graph.json
          analyze  findings
            failed controls, gaps and blockers of graph
            uses:   graph
          gate     certified
            {{ certification.state == 'pass' }}
            uses:   certification.state, certification.status
            note:   advisory: it stops nothing
          emit     note
            a file of its own
            emits:  note.json
          write    package
            work_package
            tool:   loopiq_create_remediation_work_package, class write (tool
                    documented, arguments assumed, result assumed, control documented,
                    repetition assumed)
            when:   {{ findings.blocking | length > 0 }}
            uses:   certification.id, findings.blocking

        What it would write
          package
            tool:   loopiq_create_remediation_work_package, class write (tool
                    documented, arguments assumed, result assumed, control documented,
                    repetition assumed)
            reason: {{ findings.blocking | length }} findings block {{ inputs.release }}
            repeat: key
            with:
              {
                "certification": "{{ certification.id }}",
                "children": {
                  "as": "finding",
                  "for_each": "{{ findings.blocking }}",
                  "give": {
                    "owner": "{{ inputs.owner }}",
                    "title": "{{ finding.title }}"
                  }
                },
                "parent": {
                  "owner": "{{ inputs.owner }}",
                  "title": "Unblock {{ inputs.release }}"
                },
                "release": "{{ inputs.release }}"
              }

        Known only when it runs
          - whether `/parent/title` of `package` is not empty
        "#);
    }

    #[test]
    fn nothing_of_a_stranger_steers_the_terminal() {
        let (mut recipe, profile) = sample::recipe();
        recipe.summary = sample::HOSTILE.into();
        recipe.later = vec![sample::HOSTILE.into()];
        recipe.inputs[0].help = Some(sample::HOSTILE.into());
        recipe.steps[0].emit = Some(sample::HOSTILE.into());
        let text = recipe_text(&recipe, &profile, &Terminal { width: 20, ..Terminal::plain() });
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'));
    }
}
