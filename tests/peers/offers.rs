//! A server whose tools a test changes: `offers FILE` reads its tools and answers from that file, anew each time.

#![expect(clippy::indexing_slicing, reason = "a peer that panics fails the test that started it")]

use std::process::ExitCode;

use serde_json::{Value, json};

use super::line::Client;

/// Plays `offers FILE`; the file has `tools`, as `tools/list` gives them, and `answers` by tool.
pub fn play(mode: &str, arguments: &[String]) -> Option<ExitCode> {
    if mode != "offers" {
        return None;
    }
    let file = arguments.first().cloned().unwrap_or_default();
    let read = move || -> Value {
        serde_json::from_str(&fs_err::read_to_string(&file).unwrap_or_default()).unwrap_or_default()
    };
    Client.serve(move |client, request| match request.method.as_str() {
        "tools/list" => {
            client.answer(request, &json!({"tools": read()["tools"]}));
            true
        }
        "tools/call" => {
            let name = request.params["name"].as_str().unwrap_or_default();
            let answer = read()["answers"].get(name).cloned().unwrap_or_else(|| json!({}));
            client.answer(request, &json!({"content": [], "structuredContent": answer}));
            true
        }
        _ => false,
    });
    Some(ExitCode::SUCCESS)
}
