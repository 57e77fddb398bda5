//! A profile for people, and beside a server what its tools are to it.

use super::layout::{Mark, Tone, count, hang};
use super::profile_told::{ToldOperation, ToldProfile};
use super::terminal::Terminal;
use crate::catalog::{Operation, OperationBasis, Profile};
use crate::core::Class;
use crate::core::text::{excerpt, visible};
use crate::engine::Surveyed;

/// How much of a server's words is shown, in characters.
const SHOWN: usize = 120;

/// The profile for a terminal; with what a server offers, each operation says whether its tool is there.
#[must_use]
pub fn profile_text(profile: &Profile, surveyed: Option<&Surveyed>, terminal: &Terminal) -> String {
    let told = ToldProfile::new(profile, surveyed);
    let mut out = format!("{}\n", terminal.paint(Tone::Strong, &visible(&profile.profile)));
    hang(&mut out, "  ", &visible(&profile.summary), terminal.width);
    if let Some(Surveyed { server, tools, .. }) = surveyed {
        let words = format!(
            "{} {}, revision {}, {}",
            excerpt(&server.name, SHOWN),
            excerpt(&server.version, SHOWN),
            excerpt(&server.revision, SHOWN),
            count(tools.len(), "tool", "tools")
        );
        hang(&mut out, "  server: ", &words, terminal.width);
    }
    for operation in &told.operations {
        out.push('\n');
        one(&mut out, operation, surveyed.is_some(), terminal);
    }
    if !told.unnamed.is_empty() {
        out.push_str(&format!("\n{}\n", terminal.paint(Tone::Strong, "Tools without an operation")));
        hang(&mut out, "  ", "each is a write, and is not read", terminal.width);
        let classes = surveyed.map(|surveyed| &surveyed.classes);
        for tool in &told.unnamed {
            let read = classes.and_then(|classes| classes.get(&tool.name));
            let read = match read.filter(|known| known.class == Class::Read) {
                Some(known) => format!(", but read: {}", known.why),
                None => String::new(),
            };
            let hint = if tool.hints_read_only() { "; the server says that it only reads" } else { "" };
            let words =
                tool.description.as_deref().map(|words| format!(": {}", excerpt(words.trim(), SHOWN)));
            let line = format!("{}{read}{hint}{}", excerpt(&tool.name, SHOWN), words.unwrap_or_default());
            hang(&mut out, "  - ", &line, terminal.width);
        }
    }
    out
}

fn one(out: &mut String, told: &ToldOperation<'_>, asked: bool, terminal: &Terminal) {
    let ToldOperation { name, operation, live } = told;
    let mark = match live {
        Some((class, _)) if *class == operation.class => terminal.mark(Mark::Good),
        Some(_) => terminal.mark(Mark::Warning),
        None if asked => terminal.mark(Mark::Bad),
        None => terminal.mark(Mark::Idle),
    };
    let head = terminal.paint(Tone::Strong, &visible(name));
    out.push_str(&format!("{mark} {head}  {} {}\n", operation.class, visible(&operation.tool)));
    let mut line = |label: &str, words: &str| hang(out, &format!("    {label}"), words, terminal.width);
    match live {
        Some((class, why)) if *class != operation.class => line("", &format!("class {class}: {why}")),
        None if asked => line("", "the server does not offer this tool"),
        _ => {}
    }
    line("", &visible(&operation.summary));
    line("takes   ", &takes(operation));
    line("gives   ", &gives(operation));
    if let Some(pages) = &operation.pages {
        let [cursor, next, items] = [&pages.cursor, &pages.next, &pages.items].map(|at| visible(at.as_str()));
        line("pages   ", &format!("{items} goes on with the cursor at {next}, sent at {cursor}"));
    }
    if operation.recommendation {
        line("counts  ", "as what a model recommends: no gate opens by it");
    }
    if !operation.from_read.is_empty() {
        let places = operation.from_read.iter().map(|at| visible(at).into_owned());
        line("needs   ", &format!("{} from an earlier read", listed(places)));
    }
    if !operation.family.is_semantic() {
        let listed = operation.listed_by.as_deref().unwrap_or_default();
        line("family  ", &format!("{}, listed by {}", operation.family, visible(listed)));
    }
    if operation.class == Class::Write {
        line("repeat  ", &repeated(operation));
        line("control ", &control(operation));
    }
    line("basis   ", &basis(&operation.basis));
}

fn takes(operation: &Operation) -> String {
    let arguments = operation.arguments.iter().map(|(name, argument)| {
        let optional = if argument.optional { "?" } else { "" };
        format!("{}{optional} at {}", visible(name), visible(argument.at.as_str()))
    });
    let fixed = operation.fixed.iter().map(|(at, value)| {
        format!("always {} at {}", excerpt(&value.to_string(), SHOWN), visible(at.as_str()))
    });
    listed(arguments.chain(fixed))
}

fn gives(operation: &Operation) -> String {
    match &operation.result {
        None => "the answer as it is".to_owned(),
        Some(result) => listed(result.iter().map(|(name, projection)| {
            let list = if projection.each.is_some() { "[]" } else { "" };
            let optional = if projection.optional { "?" } else { "" };
            format!("{}{list}{optional} at {}", visible(name), visible(projection.at.as_str()))
        })),
    }
}

fn repeated(operation: &Operation) -> String {
    let kept = operation.key_retention.map(|time| format!(", kept for {time:#}")).unwrap_or_default();
    let whole = if operation.one_transaction { ", all of it or nothing" } else { "" };
    format!("{}{kept}{whole}", operation.idempotency)
}

fn control(operation: &Operation) -> String {
    let control = &operation.control;
    let switch = control.dry_run.as_ref().map(|switch| ("dry run", &switch.at));
    let places = [("approval ID", &control.approval_id), ("key", &control.idempotency_key)];
    let places = places.into_iter().filter_map(|(name, place)| Some((name, &place.as_ref()?.at)));
    let all = switch.into_iter().chain(places);
    listed(all.map(|(name, at)| format!("{name} at {}", visible(at.as_str()))))
}

fn basis(basis: &OperationBasis) -> String {
    let OperationBasis { tool, arguments, result, control, repetition } = basis;
    let always = [("tool", Some(tool)), ("arguments", Some(arguments)), ("result", Some(result))];
    let parts =
        always.into_iter().chain([("control", control.as_ref()), ("repetition", repetition.as_ref())]);
    listed(parts.filter_map(|(name, basis)| Some(format!("{name} {}", basis?))))
}

fn listed(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::class_of;
    use crate::core::ToolDefinition;
    use crate::mcp::ServerFacts;
    use insta::assert_snapshot;
    use proptest::prelude::*;
    use serde_json::json;

    fn surveyed(words: &str) -> Surveyed {
        let tool = |name: &str| ToolDefinition {
            name: name.to_owned(),
            description: Some(words.to_owned()),
            input_schema: json!({}),
            output_schema: None,
            annotations: Some(json!({"readOnlyHint": true})),
        };
        let facts = || words.to_owned();
        let tools = vec![tool("loopiq_list_routes"), tool(words)];
        let classes =
            tools.iter().map(|tool| (tool.name.clone(), class_of(&Profile::loopiq().unwrap(), tool)));
        Surveyed {
            classes: classes.collect(),
            server: ServerFacts { name: facts(), version: facts(), revision: facts() },
            tools,
            samples: Vec::new(),
        }
    }

    #[test]
    fn each_operation_says_whether_its_tool_is_there() {
        let mut profile = Profile::clone(&Profile::loopiq().unwrap());
        profile.operations.retain(|name, _| ["routes", "work_package"].contains(&name.as_str()));
        assert_snapshot!(profile_text(&profile, Some(&surveyed("other")), &Terminal::plain()), @r#"
        loopiq
          LoopIQ release governance
          server: other other, revision other, 2 tools

        ✓ routes  read loopiq_list_routes
            The raw routes that can be invoked
            takes   nothing
            gives   routes[] at /routes
            basis   tool documented, arguments documented, result assumed

        ✗ work_package  write loopiq_create_remediation_work_package
            the server does not offer this tool
            One parent story with its child tasks, in one transaction
            takes   certification at /certificationId, children at /children, parent at
                    /parent, reason? at /reason, release at /releaseId
            gives   approval_id? at /approvalId, children[]? at /childTasks,
                    idempotency_key? at /idempotencyKey, parent? at /parentStory/id,
                    replayed? at /replayed, request_id? at /audit/requestId
            repeat  key, kept for 24h, all of it or nothing
            control dry run at /dryRun, approval ID at /approvalId, key at
                    /idempotencyKey
            basis   tool documented, arguments assumed, result assumed, control
                    documented, repetition assumed

        Tools without an operation
          each is a write, and is not read
          - other; the server says that it only reads: other
        "#);
    }

    #[test]
    fn pages_recommendations_and_what_is_needed_are_told() {
        let mut profile = Profile::clone(&Profile::loopiq().unwrap());
        let some = ["releases", "assign_work", "assessment"];
        profile.operations.retain(|name, _| some.contains(&name.as_str()));
        assert_snapshot!(profile_text(&profile, None, &Terminal::plain()), @r#"
        loopiq
          LoopIQ release governance

        · assessment  read loopiq_assess_with_ai_ml_agent
            What an AI/ML agent recommends for a release, certification or incident
            takes   agent at /agentId, kind at /subject/type, subject at /subject/id
            gives   agent at /agentId, confidence? at /confidence, generated at
                    /generatedAt, model? at /model, proposes? at /proposal, reasons at
                    /reasons, recommendation at /recommendation, references at
                    /references, run at /runId, subject at /subject/id
            counts  as what a model recommends: no gate opens by it
            family  agents, listed by ai_ml_agents
            basis   tool assumed, arguments assumed, result assumed

        · assign_work  write loopiq_assign_work
            Work items go into a sprint, each to a member of the team
            takes   assignments at /assignments, reason? at /reason, sprint at /sprintId
            gives   approval_id? at /approvalId, assigned? at /assigned,
                    idempotency_key? at /idempotencyKey, replayed? at /replayed,
                    request_id? at /audit/requestId, sprint? at /sprintId
            needs   /assignments/*/version from an earlier read
            repeat  key, kept for 24h, all of it or nothing
            control dry run at /dryRun, approval ID at /approvalId, key at
                    /idempotencyKey
            basis   tool sandbox, arguments sandbox, result sandbox, control sandbox,
                    repetition sandbox

        · releases  read loopiq_search_releases
            Releases by ID, application and time
            takes   application? at /application, from? at /from, ids? at /ids, to? at
                    /to
            gives   complete at /complete, items[] at /items
            pages   /items goes on with the cursor at /nextCursor, sent at /cursor
            basis   tool sandbox, arguments sandbox, result sandbox
        "#);
    }

    proptest! {
        #[test]
        fn no_word_of_a_server_reaches_the_terminal_as_it_is(words in "[a\u{1b}\u{7}\r\n\u{202e}\u{200b}\u{9b}]{1,20}") {
            let text = profile_text(&Profile::loopiq().unwrap(), Some(&surveyed(&words)), &Terminal::plain());
            prop_assert!(!text.contains(|c: char| c != '\n' && crate::core::text::is_hidden(c)), "{:?}", text);
        }
    }
}
