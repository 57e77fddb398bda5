//! Servers whose answers depend on when they are asked, and one that tells what it was asked.

use std::process::ExitCode;

use serde_json::json;

use super::line::{Client, Request, text};

/// Plays one mode of this family.
pub fn play(mode: &str, _: &[String]) -> Option<ExitCode> {
    let mut client = Client;
    match mode {
        "fails-once" => {
            let mut failed = false;
            client.serve(move |client, request| {
                let first = request.method == "tools/call" && !std::mem::replace(&mut failed, true);
                if first {
                    client.refuse(request, -32603, "not yet");
                }
                first
            });
        }
        "needs-two" => {
            let mut waiting: Option<Request> = None;
            client.serve(move |client, request| {
                if request.method != "tools/call" {
                    return false;
                }
                match waiting.take() {
                    None => {
                        waiting =
                            Some(Request { id: request.id.clone(), method: String::new(), params: json!({}) })
                    }
                    Some(first) => {
                        client.answer(&first, &text("one"));
                        client.answer(request, &text("two"));
                    }
                }
                true
            });
        }
        "tells-meta" => client.serve(|client, request| {
            let told = request.method == "tools/call";
            if told {
                let meta = request.params.get("_meta").cloned().unwrap_or_default();
                client.answer(request, &json!({"content": [], "structuredContent": {"meta": meta}}));
            }
            told
        }),
        _ => return None,
    }
    Some(ExitCode::SUCCESS)
}
