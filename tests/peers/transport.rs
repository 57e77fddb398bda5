//! Servers that break the connection, the protocol or their manners.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::line::{Client, Request, text, tool};

/// Longer than any test runs.
const FOREVER: Duration = Duration::from_secs(600);

/// Plays one mode of this family.
pub fn play(mode: &str, arguments: &[String]) -> Option<ExitCode> {
    let mut client = Client;
    let first = arguments.first().map(String::as_str);
    match mode {
        "ok" => client.serve(|_, _| false),
        "dies-when-asked-what-it-speaks" => {
            let first = client.request()?;
            if first.method != "initialize" {
                return Some(ExitCode::from(7));
            }
            client.answer(
                &first,
                &json!({
                    "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                    "serverInfo": {"name": "peer", "version": "1"},
                }),
            );
            client.serve(|_, _| false);
        }
        "dies-at-start" => {
            complain("no licence found\n");
            return Some(ExitCode::from(3));
        }
        "dies-in-handshake" => {
            client.request();
            complain("cannot reach the database\n\u{1b}[31mgiving up\n");
            return Some(ExitCode::from(4));
        }
        "hangs-in-handshake" => {
            complain("waiting for the database\n");
            tell_pid(first, std::process::id());
            sleep(FOREVER);
        }
        "rubbish" => {
            client.raw(b"Usage: server [OPTIONS]\n");
            client.serve(|_, _| false);
        }
        "old-revision" => client.serve(on("initialize", |client, request| {
            let server = json!({"name": "peer", "version": "1"});
            let result = json!({"protocolVersion": "1999-01-01", "capabilities": {}, "serverInfo": server});
            client.answer(request, &result);
        })),
        "refuses-handshake" => client.serve(on("initialize", |client, request| {
            client.refuse(request, -32602, "no such client");
        })),
        "repeated-cursor" => client.serve(on("tools/list", |client, request| {
            let page = request.params.get("cursor").and_then(Value::as_str).unwrap_or("0");
            client.answer(request, &json!({"tools": [tool(&format!("t{page}"))], "nextCursor": "again"}));
        })),
        "endless-pages" => {
            let mut page = 0;
            client.serve(on("tools/list", move |client, request| {
                page += 1;
                let next = format!("page {page}");
                client.answer(request, &json!({"tools": [tool(&next)], "nextCursor": next}));
            }));
        }
        "duplicate-tools" => client.serve(on("tools/list", |client, request| {
            client.answer(request, &json!({"tools": [tool("b"), tool("a"), tool("b")]}));
        })),
        "two-pages" => client.serve(on("tools/list", |client, request| {
            let page = match request.params.get("cursor") {
                None => json!({"tools": [tool("c"), tool("a")], "nextCursor": "2"}),
                Some(_) => json!({"tools": [tool("b")]}),
            };
            client.answer(request, &page);
        })),
        "dies-in-call" => {
            client.serve_until_call();
            complain("out of memory\n");
            return Some(ExitCode::from(5));
        }
        "leaves-grandchild" | "leaves-daemon" => {
            client.serve_until_call();
            // Both hold this process's output open; only the daemon leaves its process group.
            let mut command = Command::new(if mode == "leaves-daemon" { "setsid" } else { "env" });
            let pid = command.args(["sleep", "600"]).spawn().map(|child| child.id()).unwrap_or_default();
            // Once it is `sleep`, it has left.
            let name = format!("/proc/{pid}/comm");
            while std::fs::read_to_string(&name).is_ok_and(|name| name.trim() != "sleep") {
                sleep(Duration::from_millis(1));
            }
            tell_pid(first, pid);
            return Some(ExitCode::from(6));
        }
        "asks-for-sampling" => client.serve(on("tools/call", |client, request| {
            let asked = json!({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage",
                "params": {"messages": [], "maxTokens": 1}});
            client.send(&asked);
            let refused = client.message().is_some_and(|answer| answer.get("error").is_some());
            let message = if refused { "no model at hand" } else { "the client gave a model" };
            client.refuse(request, -32000, message);
        })),
        "ignores-the-end" => {
            tell_pid(first, std::process::id());
            client.serve(|_, _| false);
            sleep(FOREVER);
        }
        "reads-no-more" => {
            client.serve_until_call();
            sleep(FOREVER);
        }
        _ => {
            let answer = call_mode(mode, first)?;
            client.serve(on("tools/call", answer));
        }
    }
    Some(ExitCode::SUCCESS)
}

type Answer = Box<dyn FnMut(&mut Client, &Request)>;

/// The modes that differ in their answer to a call only.
fn call_mode(mode: &str, argument: Option<&str>) -> Option<Answer> {
    let code: i64 = argument.and_then(|code| code.parse().ok()).unwrap_or(-32603);
    Some(match mode {
        "drips-in-call" => Box::new(|client, _| {
            loop {
                client.raw(b" ");
                sleep(Duration::from_millis(50));
            }
        }),
        "floods-in-call" => Box::new(|_, _| {
            let note = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}});
            let notes = format!("{note}\n").repeat(100);
            let mut out = std::io::stdout().lock();
            while out.write_all(notes.as_bytes()).and_then(|()| out.flush()).is_ok() {}
        }),
        "asks-in-a-burst" => Box::new(|client, request| {
            let note = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}});
            let asked = json!({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage",
                "params": {"messages": [], "maxTokens": 1}});
            let refused =
                json!({"jsonrpc": "2.0", "id": request.id, "error": {"code": -32602, "message": "then not"}});
            let notes = format!("{note}\n").repeat(200);
            client.raw(format!("{notes}{asked}\n{refused}\n").as_bytes());
        }),
        "hangs-in-call" => Box::new(|_, _| sleep(FOREVER)),
        "noise-then-ok" => Box::new(|client, request| {
            client.raw(b"debug: \x1b[31mcalling\n");
            client.answer(request, &text("ok"));
        }),
        "ok-then-noise" => Box::new(|client, request| {
            let answer = json!({"jsonrpc": "2.0", "id": request.id, "result": text("ok")});
            client.raw(format!("{answer}\ndebug: called\n").as_bytes());
        }),
        "long-line" => Box::new(|client, request| client.answer(request, &text(&"x".repeat(1_000_000)))),
        "invalid-utf8" => Box::new(|client, _| {
            client.raw(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[],\"x\":\"\xff\xfe\"}}\n");
        }),
        "wrong-id" => Box::new(|client, _| {
            client.send(&json!({"jsonrpc": "2.0", "id": 9999, "result": text("ok")}));
        }),
        "both-result-and-error" => Box::new(|client, request| {
            let error = json!({"code": -32602, "message": "no"});
            client.send(&json!({"jsonrpc": "2.0", "id": request.id, "result": text("ok"), "error": error}));
        }),
        "error-without-id" => Box::new(|client, _| {
            client.send(&json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "no"}}));
        }),
        "null-result" => Box::new(|client, request| client.answer(request, &Value::Null)),
        "empty-result" => Box::new(|client, request| client.answer(request, &json!({}))),
        "task-result" => Box::new(|client, request| {
            let task = json!({"resultType": "task", "taskId": "t1", "status": "working",
                "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z", "ttlMs": 1000});
            client.answer(request, &task);
        }),
        "input-required" => Box::new(|client, request| {
            let elicit = json!({"method": "elicitation/create", "params": {"message": "your name?",
                "requestedSchema": {"type": "object", "properties": {}}}});
            client.answer(request, &json!({"resultType": "input_required", "inputRequests": {"q": elicit}}));
        }),
        "asks-and-hangs" => Box::new(|client, _| {
            client.send(&json!({"jsonrpc": "2.0", "id": "r1", "method": "roots/list"}));
            client.message();
        }),
        "tool-error" => Box::new(|client, request| {
            let structured = json!({"error": {"code": "NOT_FOUND", "message": "no such release"}});
            let content = json!([{"type": "text", "text": "no such release"}]);
            let result = json!({"content": content, "structuredContent": structured, "isError": true});
            client.answer(request, &result);
        }),
        "rpc-error" => Box::new(move |client, request| client.refuse(request, code, "refused")),
        "forks-grandchild" => Box::new(|client, request| {
            let pid = Command::new("sleep").arg("600").spawn().map(|child| child.id()).unwrap_or_default();
            client.answer(request, &json!({"content": [], "structuredContent": {"pid": pid}}));
        }),
        "echo" => Box::new(|client, request| {
            let environment: BTreeMap<String, String> = std::env::vars_os()
                .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()))
                .collect();
            let folder = std::env::current_dir().unwrap_or_default();
            let seen = json!({"arguments": request.params.get("arguments"),
                "meta": request.params.get("_meta"), "environment": environment, "folder": folder});
            client.answer(request, &json!({"content": [], "structuredContent": seen}));
        }),
        _ => return None,
    })
}

/// Handles requests of one method.
fn on(
    method: &'static str,
    mut own: impl FnMut(&mut Client, &Request),
) -> impl FnMut(&mut Client, &Request) -> bool {
    move |client, request| {
        let mine = request.method == method;
        if mine {
            own(client, request);
        }
        mine
    }
}

fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes a process ID into a file, for a test that gets no answer to learn it from.
fn tell_pid(file: Option<&str>, pid: u32) {
    let Some(file) = file else { return };
    let written = std::fs::File::create(file).and_then(|mut f| write!(f, "{pid}"));
    if let Err(error) = written {
        complain(&format!("{file}: {error}\n"));
    }
}
