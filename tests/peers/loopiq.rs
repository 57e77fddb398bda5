//! A governance service that lies, in one way at a time: `loopiq LIE`.

#![expect(clippy::indexing_slicing, reason = "a peer that panics fails the test that started it")]
#![expect(clippy::exit, clippy::disallowed_methods, reason = "dying is one of the lies")]

use std::process::ExitCode;

use serde_json::{Value, json};

use super::line::{Client, Request};

/// Plays `loopiq LIE`; `honest` is no lie.
pub fn play(mode: &str, arguments: &[String]) -> Option<ExitCode> {
    if mode != "loopiq" {
        return None;
    }
    let lie = arguments.first().cloned().unwrap_or_default();
    let mut client = Client;
    client.serve(move |client, request| match request.method.as_str() {
        "tools/list" => {
            client.answer(request, &json!({"tools": tools(&lie)}));
            true
        }
        "tools/call" => {
            call(client, request, &lie);
            true
        }
        _ => false,
    });
    Some(ExitCode::SUCCESS)
}

fn tools(lie: &str) -> Value {
    let names = [
        "loopiq_get_mcp_reliability_contract",
        "loopiq_get_release_certification",
        "loopiq_get_release_certification_evidence_graph",
        "loopiq_search_work",
        "loopiq_create_remediation_work_package",
    ];
    let tools =
        names.iter().filter(|name| !(lie == "cannot-search" && name.ends_with("search_work"))).map(|name| {
            let mut tool = json!({"name": name, "inputSchema": {"type": "object"}});
            match lie {
                "hints-write" if name.ends_with("certification") => {
                    tool["annotations"] = json!({"readOnlyHint": false});
                }
                "unmapped-numbers" => {
                    tool["inputSchema"] =
                        json!({"type": "object", "properties": {"n": {"maximum": i64::MAX}}});
                }
                "contract-writes" if name.ends_with("contract") => {
                    tool["annotations"] = json!({"readOnlyHint": false});
                }
                "narrow-schema" if name.contains("create") => {
                    tool["inputSchema"] =
                        json!({"type": "object", "properties": {"children": {"type": "string"}}});
                }
                _ => {}
            }
            tool
        });
    tools.collect()
}

fn call(client: &mut Client, request: &Request, lie: &str) {
    let name = request.params["name"].as_str().unwrap_or_default();
    let arguments = &request.params["arguments"];
    if lie == "refuses-sign-in" {
        return refuse(client, request, "TOKEN_EXPIRED");
    }
    if lie == "server-error" && name == "loopiq_get_release_certification" {
        return client.refuse(request, -32603, "something broke");
    }
    match name {
        "loopiq_get_mcp_reliability_contract" => {
            let tenant = if lie == "other-tenant" { "globex" } else { "acme" };
            structured(
                client,
                request,
                &json!({"contract": {"tenant": {"id": tenant}, "surprise": lie, "serial": i64::MAX}}),
            );
        }
        "loopiq_get_release_certification" => structured(client, request, &certification(lie)),
        "loopiq_get_release_certification_evidence_graph" if lie == "invalid-utf8" => {
            let id = &request.id;
            client.raw(
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[],\"x\":\"").as_bytes(),
            );
            client.raw(b"\xff\xfe\"}}\n");
        }
        "loopiq_get_release_certification_evidence_graph" => structured(client, request, &graph(lie)),
        "loopiq_search_work" => {
            let looked_up = arguments.get("ids").is_some();
            let exists = looked_up && lie == "dry-run-writes";
            let items = if exists {
                json!([{"id": "STORY-1", "type": "story", "title": "t", "status": "open", "references": []}])
            } else {
                json!([])
            };
            structured(client, request, &json!({"items": items, "complete": lie != "partial-search"}));
        }
        _ => {
            let dry = arguments["dryRun"] == true;
            assert!(dry, "a run called the write without its dry-run switch");
            match lie {
                "dry-run-unconfirmed" => structured(client, request, &json!({"preview": {}})),
                "dry-run-twice" => client.raw(
                    format!(
                        "{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{\"content\":[],\"structuredContent\":{{\"dryRun\":false,\"dryRun\":true}}}}}}\n",
                        request.id
                    )
                    .as_bytes(),
                ),
                "dry-run-odd-ids" => {
                    structured(client, request, &json!({"dryRun": true, "parentStory": {"id": 7}}));
                }
                "dry-run-denied" => structured(client, request, &json!({"dryRun": false})),
                "dry-run-writes" | "dry-run-previews-ids" => {
                    let answer = json!({"dryRun": true, "parentStory": {"id": "STORY-1"}});
                    structured(client, request, &answer);
                }
                "dry-run-not-visible" => refuse(client, request, "NOT_VISIBLE"),
                "dry-run-other-tenant" => refuse(client, request, "TENANT_REFUSED"),
                "dry-run-hangs" => std::thread::sleep(std::time::Duration::from_secs(600)),
                "dry-run-no-permission" => refuse(client, request, "UNAUTHENTICATED"),
                "dry-run-refused" => refuse(client, request, "INVALID_ARGUMENT"),
                "dry-run-dies" => std::process::exit(9),
                _ => structured(client, request, &json!({"dryRun": true})),
            }
        }
    }
}

fn certification(lie: &str) -> Value {
    let status = match lie {
        "unknown-status" => json!("sparkling"),
        "certified-against-evidence" | "other-certification" => json!("certified"),
        "status-type" => json!(7),
        _ => json!("blocked"),
    };
    let mut certification =
        json!({"id": "CERT-1", "release": {"id": "REL-1"}, "status": status, "summary": "s"});
    if lie == "other-names" {
        let id = certification["id"].take();
        certification["identifier"] = id;
    }
    if lie == "no-id" {
        certification["id"] = Value::Null;
    }
    if lie == "other-release" {
        certification["release"]["id"] = json!("REL-OTHER");
        certification["status"] = json!("certified");
    }
    if lie == "unmapped-numbers" {
        certification["serial"] = json!(u64::MAX);
    }
    if lie == "big-number" {
        certification["id"] = json!(9_007_199_254_740_993_u64);
    }
    json!({"certification": certification})
}

fn graph(lie: &str) -> Value {
    let title = match lie {
        "escapes" => "\u{1b}[2J\u{1b}[31mAll good\u{202e}\r\n::error::gone `| <script>alert(1)</script>",
        _ => "Static analysis",
    };
    let mut nodes = vec![
        json!({"id": "CTL-1", "type": "control", "title": title, "status": "failed", "required": true,
               "severity": "high", "owner": "payments"}),
        json!({"id": "CTL-2", "type": "control", "title": "Tests", "status": "passed", "required": true}),
        json!({"id": "EV-1", "type": "evidence", "title": "Report", "status": "present", "required": true}),
    ];
    let mut edges = vec![json!({"from": "EV-1", "to": "CTL-2", "type": "supports"})];
    match lie {
        "empty-graph" => {
            nodes.clear();
            edges.clear();
        }
        "cyclic-graph" => {
            edges.push(json!({"from": "CTL-1", "to": "CTL-2", "type": "depends_on"}));
            edges.push(json!({"from": "CTL-2", "to": "CTL-1", "type": "depends_on"}));
        }
        "dangling-edge" => edges.push(json!({"from": "EV-1", "to": "CTL-9", "type": "supports"})),
        "unknown-state" => nodes.push(
            json!({"id": "CTL-3", "type": "control", "title": "New", "status": "shiny", "required": true}),
        ),
        "node-without-id" => nodes.push(json!({"type": "control", "title": "x", "status": "passed"})),
        "large-graph" => {
            nodes.extend((0..2_000).map(
                |n| json!({"id": format!("E{n}"), "type": "evidence", "title": "e", "status": "present"}),
            ))
        }
        _ => {}
    }
    match lie {
        "other-certification" => {
            json!({"graph": {"certificationId": "CERT-THIRD", "nodes": nodes, "edges": edges}})
        }
        "graph-type" => json!({"graph": {"certificationId": "CERT-1", "nodes": "none", "edges": edges}}),
        "no-graph" => json!({}),
        _ => json!({"graph": {"certificationId": "CERT-1", "nodes": nodes, "edges": edges}}),
    }
}

fn structured(client: &mut Client, request: &Request, value: &Value) {
    client.answer(request, &json!({"content": [], "structuredContent": value}));
}

fn refuse(client: &mut Client, request: &Request, code: &str) {
    let error = json!({"error": {"code": code, "message": "no\u{1b}[31m"}});
    client.answer(request, &json!({"content": [], "structuredContent": error, "isError": true}));
}
