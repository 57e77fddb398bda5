//! A recorder and a replay, without a server between them.

use std::time::Duration;

use serde_json::{Value, json};

use super::v1::{DryRuns, Profile, Server};
use super::{About, Recorder, Recording, RecordingError, Replay, shapes_compared};
use crate::core::call::{Seen, Silence, TaskHandle, ToolAnswer, ToolCall, ToolDefinition};
use crate::core::{Digest, SecretText};
use crate::mcp::error::ListError;

fn about() -> About {
    About {
        server: Server { name: "s".into(), identity: "https://a.example/mcp".into() },
        tenant: None,
        profile: Profile { name: "plain".into(), digest: Digest::of_bytes(b""), source: None },
        lock: None,
        allow: None,
        dry_runs: DryRuns::WithReads,
    }
}

fn call(tool: &str, tenant: Option<&str>, arguments: Value) -> ToolCall {
    ToolCall {
        tool: tool.to_owned(),
        arguments: arguments.as_object().unwrap().clone(),
        meta: serde_json::Map::new(),
        headers: std::collections::BTreeMap::from([("X-Key".to_owned(), "canary".to_owned())]),
        secrets: std::collections::BTreeMap::new(),
        tenant: tenant.map(str::to_owned),
        varying: Vec::new(),
    }
}

fn answer(structured: Value) -> Seen {
    Seen::Answer(ToolAnswer { structured: Some(structured), text: Vec::new() })
}

/// A recording of these calls, and one connection.
fn recorded(calls: &[(ToolCall, Option<Seen>)]) -> Recording {
    let recorder = Recorder::new(vec![SecretText::new("canary-of-a-slot").unwrap()]);
    recorder.connected_to("server");
    for (call, seen) in calls {
        let place = recorder.begin(call);
        if let Some(seen) = seen {
            recorder.end(place, seen);
        }
    }
    recorder.finish(about()).unwrap().unwrap()
}

#[test]
fn the_same_call_is_answered_in_the_recorded_order_and_not_once_more() {
    let look = || call("look", Some("acme"), json!({"n": 1, "x": 2}));
    let replay = Replay::new(recorded(&[
        (look(), Some(answer(json!("first")))),
        (call("look", Some("acme"), json!({"n": 2})), Some(answer(json!("other")))),
        (look(), Some(answer(json!("second")))),
        (look(), None),
    ]));
    assert_eq!(replay.unmade().len(), 4);
    assert_eq!(replay.call(&call("look", Some("acme"), json!({"x": 2.0, "n": 1}))), answer(json!("first")));
    assert_eq!(replay.clone().call(&look()), answer(json!("second")), "clones go on together");
    assert_eq!(replay.call(&look()), Seen::Silence(Silence::Cancelled), "it was under way at the end");
    let Seen::NotRecorded(why) = replay.call(&look()) else { panic!() };
    assert!(why.contains("made 3 times there, and this is one more"), "{why}");
    assert_eq!(replay.unmade().len(), 1);
}

#[test]
fn a_call_that_differs_in_anything_is_told_with_the_nearest() {
    let replay = Replay::new(recorded(&[
        (call("look", Some("acme"), json!({"release": "R-1", "deep": {"a": [1]}})), Some(answer(json!(1)))),
        (call("list", None, json!({})), Some(answer(json!(1)))),
    ]));
    for (made, says) in [
        (
            call("look", Some("acme"), json!({"release": "R-2", "deep": {"a": [1]}})),
            "`/calls/0`, has at `/arguments/release` `\"R-1\"` and not `\"R-2\"`",
        ),
        (
            call("look", Some("globex"), json!({"release": "R-1", "deep": {"a": [1]}})),
            "at `/tenant` `\"acme\"` and not `\"globex\"`",
        ),
        (
            call("look", Some("acme"), json!({"release": "R-1", "deep": {"a": [1]}, "more": 1})),
            "at `/arguments/more` nothing and not `1`",
        ),
        (call("drop\u{1b}", None, json!({})), "it calls only `list`, `look`"),
    ] {
        let Seen::NotRecorded(why) = replay.call(&made) else { panic!("{made:?}") };
        assert!(why.contains(says) && why.contains("record anew") && !why.contains('\u{1b}'), "{why}");
    }
}

#[test]
fn what_is_new_with_every_call_is_no_part_of_it() {
    let mut first = call("look", None, json!({"q": 1, "context": {"request": "1", "trace": "a"}}));
    first.varying = vec!["/context/request".parse().unwrap(), "/context/trace".parse().unwrap()];
    let mut second = first.clone();
    second.arguments =
        json!({"q": 1, "context": {"request": "2", "trace": "b"}}).as_object().unwrap().clone();
    second.meta.insert("k".into(), json!("v"));
    second.headers.clear();
    let recording = recorded(&[(first, Some(answer(json!(1))))]);
    assert!(!recording.text().contains("canary"), "no header is kept");
    assert_eq!(Replay::new(recording).call(&second), answer(json!(1)));
}

#[test]
fn a_secret_that_went_or_came_back_is_not_kept_and_does_not_break_the_replay() {
    let jwt = format!("eyJ{0}.eyJ{0}.{0}", "0123456789abcdef");
    let made = call("look", None, json!({"q": jwt, "known": "canary-of-a-slot", "password": "hunter2"}));
    let recording = recorded(&[
        (made.clone(), Some(answer(json!({"saw": jwt, "canary-of-a-slot": "x canary-of-a-slot"})))),
        (made, Some(Seen::RpcError { code: 1, message: format!("no {jwt} canary-of-a-slot") })),
    ]);
    for shown in [&jwt, "canary-of-a-slot", "hunter2"] {
        assert!(!recording.text().contains(shown), "{shown}");
    }
    // Whoever plays it has what looks like a token, and of what nobody can know anything or its mark.
    let again = |known| call("look", None, json!({"q": jwt, "known": known, "password": "hunter2"}));
    let replay = Replay::new(recording);
    assert_eq!(
        replay.call(&again("canary-of-a-slot")),
        answer(json!({"saw": "(a JSON Web Token)", "(a secret)": "x (a secret)"}))
    );
    assert!(
        matches!(replay.call(&again("(a secret)")), Seen::RpcError { message, .. } if message == "no (a JSON Web Token) (a secret)")
    );
}

#[test]
fn everything_that_can_be_seen_of_a_call_comes_back_as_it_was() {
    let content = ToolAnswer { structured: None, text: vec!["t".into(), "\u{1b}[2J\u{202e}".into()] };
    let all = [
        Seen::Answer(content.clone()),
        Seen::ToolError(content),
        answer(json!({"large": 9_223_372_036_854_775_807_u64, "double": 1.5e300})),
        Seen::RpcError { code: -32603, message: "m".into() },
        Seen::HttpStatus {
            status: 429,
            message: "m".into(),
            code: Some(-1),
            retry_after: Some(Duration::from_millis(1500)),
        },
        Seen::NeverSent("m".into()),
        Seen::NoToken("m".into()),
        Seen::NeedsInput("m".into()),
        Seen::Silence(Silence::TimedOut),
        Seen::Silence(Silence::Closed("m".into())),
        Seen::Silence(Silence::Malformed("m".into())),
        Seen::Silence(Silence::TooLarge("m".into())),
        Seen::Silence(Silence::UnknownResult("m".into())),
        Seen::Silence(Silence::Cancelled),
    ];
    let look = || call("look", None, json!({}));
    let calls: Vec<_> = all.iter().map(|seen| (look(), Some(seen.clone()))).collect();
    let recording = recorded(&calls);
    let read = Recording::read("r.json", recording.text().as_bytes()).unwrap();
    assert_eq!(read, recording);
    let replay = Replay::new(read);
    for seen in all {
        assert_eq!(replay.call(&look()), seen);
    }
}

#[test]
fn a_task_is_kept_as_what_came_of_it() {
    let recorder = Recorder::new(Vec::new());
    recorder.connected_to("server");
    let (look, task) =
        (call("look", None, json!({})), TaskHandle { id: "t".into(), every: Duration::from_secs(1) });
    let place = recorder.begin(&look);
    recorder.end(place, &Seen::Task(task.clone()));
    recorder.end_task(&task, &answer(json!("done")));
    let replay = Replay::new(recorder.finish(about()).unwrap().unwrap());
    assert_eq!(replay.call(&look), answer(json!("done")));
}

#[test]
fn lists_come_in_their_order_and_the_last_one_again() {
    let tool = |name: &str| ToolDefinition {
        name: name.to_owned(),
        description: None,
        input_schema: json!({"maximum": 9_223_372_036_854_775_807_u64}),
        output_schema: None,
        annotations: None,
    };
    let recorder = Recorder::new(Vec::new());
    recorder.connected_to("server");
    recorder.listed(&Ok(vec![tool("a")]));
    recorder.listed(&Err(ListError::NeedsInput("asked for a root".into())));
    let replay = Replay::new(recorder.finish(about()).unwrap().unwrap());
    replay.connect().unwrap();
    assert!(replay.connect().unwrap_err().to_string().contains("has 1 connection"));
    assert_eq!(replay.tools().unwrap(), [tool("a")]);
    for _ in 0..2 {
        let error = replay.tools().unwrap_err();
        assert_eq!(error.to_string(), "the tools cannot be listed: asked for a root");
    }
}

#[test]
fn without_a_session_there_is_no_recording() {
    assert!(Recorder::new(Vec::new()).finish(about()).unwrap().is_none());
}

#[test]
fn every_changed_byte_is_refused() {
    let recording = recorded(&[(call("look", None, json!({"q": 1})), Some(answer(json!({"a": "b"}))))]);
    let bytes = recording.text().as_bytes();
    for place in 0..bytes.len().saturating_sub(1) {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1;
        match Recording::read("r.json", &changed) {
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
            // Blanks between members are no part of it.
            Ok(read) => assert_eq!(read, recording, "byte {place}"),
        }
    }
}

#[test]
fn what_is_no_recording_or_more_than_a_server_may_send_is_refused_with_its_place() {
    let refused = |bytes: &[u8]| Recording::read("r\u{1b}.json", bytes).unwrap_err();
    assert!(matches!(refused(b"{\"format\": \"loopgate.artifact/1\"}"), RecordingError::Format { .. }));
    assert!(matches!(refused(b"[]"), RecordingError::Format { .. }));
    assert!(matches!(refused(&vec![b' '; super::MAX_BYTES + 1]), RecordingError::TooLarge { .. }));
    let error = refused(b"{\n  \"format\": \"loopgate.recording/1\",\n  \"format\": 1}");
    assert!(error.to_string().contains("line 3"), "{error}");
    let deep =
        format!("{{\"format\":\"loopgate.recording/1\",\"calls\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert!(matches!(refused(deep.as_bytes()), RecordingError::Shape { .. }));
    assert!(!refused(deep.as_bytes()).to_string().contains('\u{1b}'));

    let mut value: Value =
        serde_json::from_str(recorded(&[(call("l", None, json!({})), None)]).text()).unwrap();
    value["calls"][0]["seen"] = json!({"closed": "x".repeat(17 << 20)});
    let error = Recording::of(value.clone()).unwrap_err();
    assert!(error.to_string().contains("at `/calls/0/seen` stands more"), "{error}");
    value["calls"][0]["seen"] = json!({"answer": {"structured": null, "text": [], "isError": true}});
    let error = Recording::of(value.clone()).unwrap_err();
    assert!(error.to_string().contains("line"), "{error}");
    value["calls"] = json!([]);
    let tools: serde_json::Map<String, Value> = (0..5_001)
        .map(|n| {
            let tool =
                json!({"description": null, "input_schema": {}, "output_schema": null, "annotations": null});
            (format!("t{n}"), tool)
        })
        .collect();
    value["lists"] = json!([{"tools": tools}]);
    let error = Recording::of(value).unwrap_err();
    assert!(error.to_string().contains("5001 tools, and 5000 are the most"), "{error}");
}

#[test]
fn answers_are_compared_by_what_stands_where_and_not_by_its_value() {
    let of = |answers: &[Value]| {
        let calls: Vec<_> = answers
            .iter()
            .enumerate()
            .map(|(n, value)| (call("look", None, json!({"n": n})), Some(answer(value.clone()))))
            .collect();
        recorded(&calls)
    };
    let compared = |one: &[Value], other: &[Value]| -> Vec<String> {
        let tools = shapes_compared(of(one).document(), of(other).document());
        tools.into_iter().flat_map(|tool| tool.differences).map(|difference| difference.at).collect()
    };
    let one = json!({"id": "A", "items": [{"state": "open", "due": null}], "empty": []});
    assert!(
        compared(
            std::slice::from_ref(&one),
            &[json!({"id": "B", "items": [{"state": "x", "due": null}], "empty": [1]})]
        )
        .is_empty()
    );
    assert_eq!(
        compared(
            std::slice::from_ref(&one),
            &[json!({"id": 7, "items": [{"state": "x", "due": "2026"}], "empty": {}, "more": {"a": 1}})]
        ),
        ["/empty", "/id", "/items/*/due", "/more"],
    );
    assert!(
        compared(std::slice::from_ref(&one), &[]).is_empty(),
        "of what was not answered nothing is known"
    );
}
