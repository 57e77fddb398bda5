//! What a result is, as a pure decision: rmcp guesses its kind from its members alone.

use rmcp::model::{CallToolResult, ContentBlock, ServerResult};
use serde_json::Value;

use super::task;
use crate::core::call::{Seen, Silence, ToolAnswer};
use crate::core::text::{cut, visible};

/// How much of an unknown result is shown, in characters.
const SHOWN: usize = 200;

/// What the result of a tool call says. A kind of result that is none of a tool says nothing of the
/// effect, so it is no answer.
pub(super) fn seen(result: ServerResult) -> Seen {
    match result {
        ServerResult::CallToolResult(result) => answered(result),
        ServerResult::InputRequiredResult(result) => {
            Seen::NeedsInput(match result.input_requests.map_or(0, |requests| requests.len()) {
                0 => "the server puts the call off, and wants it again with a state of its own".to_owned(),
                1 => "the server wants an answer from a user first".to_owned(),
                asked => format!("the server wants {asked} answers from a user first"),
            })
        }
        ServerResult::CreateTaskResult(created) => Seen::Task(task::handle(created)),
        ServerResult::CustomResult(result) => match lenient(&result.0) {
            Some(seen) => seen,
            None => unknown(&cut(&visible(&result.0.to_string()), SHOWN)),
        },
        ServerResult::EmptyResult(_) | ServerResult::TaskAckResult(_) => unknown("a result without content"),
        other => unknown(&cut(&visible(&shape(&other)), SHOWN)),
    }
}

fn answered(result: CallToolResult) -> Seen {
    let text = result.content.into_iter().filter_map(|block| match block {
        ContentBlock::Text(block) => Some(block.text),
        _ => None,
    });
    let answer = ToolAnswer { structured: result.structured_content, text: text.collect() };
    if result.is_error == Some(true) { Seen::ToolError(answer) } else { Seen::Answer(answer) }
}

/// A tool's result that rmcp did not recognize because a block of its content is of a kind that came
/// after it. A write that was done must not look as if nobody knew.
fn lenient(result: &Value) -> Option<Seen> {
    let members = result.as_object()?;
    let complete = members.get("resultType").is_none_or(|kind| kind == "complete");
    let is_error = match members.get("isError") {
        None => false,
        Some(flag) => flag.as_bool()?,
    };
    let content = members.get("content")?.as_array()?;
    let typed = content.iter().all(|block| block.get("type").is_some_and(Value::is_string));
    if !complete || !typed {
        return None;
    }
    let text = content.iter().filter(|block| block.get("type").is_some_and(|kind| kind == "text"));
    let text: Option<Vec<String>> =
        text.map(|block| block.get("text")?.as_str().map(str::to_owned)).collect();
    let answer = ToolAnswer { structured: members.get("structuredContent").cloned(), text: text? };
    Some(if is_error { Seen::ToolError(answer) } else { Seen::Answer(answer) })
}

fn unknown(what: &str) -> Seen {
    Seen::Silence(Silence::UnknownResult(what.to_owned()))
}

/// The result as JSON, for a message.
pub(super) fn shape(result: &ServerResult) -> String {
    serde_json::to_string(result).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::call::TaskHandle;
    use serde_json::json;
    use std::time::Duration;

    fn seen_of(result: Value) -> Seen {
        seen(serde_json::from_value(result).unwrap())
    }

    fn answer(structured: Option<Value>, text: &[&str]) -> ToolAnswer {
        ToolAnswer { structured, text: text.iter().map(|t| (*t).to_owned()).collect() }
    }

    #[test]
    fn a_result_of_a_tool_is_an_answer_or_an_error_as_it_says_itself() {
        let content = json!([{"type": "text", "text": "a"}, {"type": "image", "data": "", "mimeType": "x"}, {"type": "text", "text": "b"}]);
        assert_eq!(seen_of(json!({"content": content})), Seen::Answer(answer(None, &["a", "b"])));
        assert_eq!(
            seen_of(json!({"content": [], "structuredContent": {"x": 1}, "isError": false})),
            Seen::Answer(answer(Some(json!({"x": 1})), &[]))
        );
        assert_eq!(
            seen_of(json!({"content": content, "isError": true})),
            Seen::ToolError(answer(None, &["a", "b"]))
        );
    }

    #[test]
    fn content_of_a_kind_that_nobody_knows_yet_does_not_hide_the_answer() {
        let content = json!([{"type": "hologram", "x": 1}, {"type": "text", "text": "a"}]);
        assert_eq!(
            seen_of(json!({"content": content, "structuredContent": {"id": 7}})),
            Seen::Answer(answer(Some(json!({"id": 7})), &["a"]))
        );
        assert_eq!(
            seen_of(json!({"content": content, "isError": true})),
            Seen::ToolError(answer(None, &["a"]))
        );
    }

    #[test]
    fn a_result_that_wants_input_says_so() {
        let result = json!({"resultType": "input_required", "requestState": "s"});
        assert!(matches!(seen_of(result), Seen::NeedsInput(_)));
    }

    #[test]
    fn a_task_is_asked_after_no_more_often_than_the_server_wants_and_not_for_ever_less() {
        for (interval, every) in
            [(json!(null), 1_000), (json!(200), 200), (json!(0), 50), (json!(1_000_000_000), 10_000)]
        {
            let seen = seen_of(json!({"resultType": "task", "taskId": "t", "status": "working",
                "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z",
                "ttlMs": 1000, "pollIntervalMs": interval}));
            let every = Duration::from_millis(every);
            assert_eq!(seen, Seen::Task(TaskHandle { id: "t".into(), every }));
        }
    }

    #[test]
    fn any_other_result_says_nothing_of_the_effect() {
        for result in [
            json!({}),
            json!(null),
            json!("done"),
            json!([]),
            json!({"resultType": "complete"}),
            json!({"_meta": {}}),
            json!({"ok": true}),
            json!({"tools": []}),
            json!({"content": "done"}),
            json!({"content": [{"text": "no type"}]}),
            json!({"content": [{"type": "text"}]}),
            json!({"content": [{"type": "hologram"}], "isError": "no"}),
            json!({"resultType": "later", "content": [{"type": "hologram"}]}),
        ] {
            let seen = seen_of(result.clone());
            assert!(matches!(seen, Seen::Silence(Silence::UnknownResult(_))), "{result}: {seen:?}");
        }
    }
}
