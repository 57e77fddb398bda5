//! Bad days over HTTP, each with its exit code and its words: a read is sent again as often as it may, a write
//! never.

use std::process::Stdio;

use crate::governed::ARTIFACT;
use crate::hostile::Hostile;

/// What goes wrong, the exit code, words in the report, and how often the tool is called.
type Day<'a> = (&'a str, i32, &'a str, usize);

fn read_on(protocol: &str, days: &[Day<'_>]) {
    for (fault, code, words, calls) in days {
        let hostile = Hostile::new(&format!("look:{fault}"), protocol);
        let ran = hostile.read();
        let told = ran.told();
        assert_eq!(ran.code, *code, "{protocol} {fault}: {told}");
        assert!(told.contains(words), "{protocol} {fault}: {told}");
        assert_eq!(hostile.calls("look"), *calls, "{protocol} {fault}");
    }
}

fn write_on(protocol: &str, days: &[(&str, i32, &str)]) {
    for (fault, code, words) in days {
        let hostile = Hostile::new(&format!("make:{fault}"), protocol);
        let id = hostile.approved();
        let ran = hostile.apply(&id);
        let told = ran.told();
        assert_eq!(ran.code, *code, "{protocol} {fault}: {told}");
        assert!(told.contains(words), "{protocol} {fault}: {told}");
        assert_eq!(hostile.calls("make"), 1, "{protocol} {fault}");
        // What is unknown stays so, and is not sent again: this write has no key that the server honours.
        if *code == 31 {
            hostile.apply(&id).exits(31);
            assert_eq!(hostile.calls("make"), 1, "{protocol} {fault}: sent again");
        }
    }
}

#[test]
fn a_read_that_is_refused_ends_at_once_and_says_by_which_status() {
    read_on(
        "auto",
        &[
            ("status=400", 30, "HTTP status 400", 1),
            ("status=404", 30, "HTTP status 404", 1),
            ("status=405", 30, "HTTP status 405", 1),
            ("status=413", 30, "HTTP status 413", 1),
            ("status=415", 30, "HTTP status 415", 1),
            ("status=401", 51, "HTTP status 401", 1),
            ("status=403", 51, "HTTP status 403", 1),
        ],
    );
}

#[test]
fn a_read_that_meets_trouble_in_passing_is_sent_again() {
    read_on(
        "auto",
        &[
            ("status=408", 30, "HTTP status 408", 2),
            ("status=409", 30, "HTTP status 409", 2),
            ("status=422", 30, "HTTP status 422", 2),
            ("status=429", 30, "HTTP status 429", 2),
            ("status=500", 30, "HTTP status 500", 2),
            ("status=502", 30, "HTTP status 502", 2),
            ("status=503", 30, "HTTP status 503", 2),
            ("status=504", 30, "HTTP status 504", 2),
            ("status=503*1", 0, "done", 2),
            ("cut=request*1", 0, "done", 2),
            ("html*1", 0, "done", 2),
        ],
    );
}

#[test]
fn a_server_that_says_when_to_come_back_is_given_that_time_up_to_a_minute() {
    let hostile = Hostile::new("look:status=429/1*1", "auto");
    hostile.read().exits(0);
    let calls = hostile.folder.json("loopgate-out/run.json")["steps"][0]["calls"].clone();
    let at = |call: usize| calls[call]["started"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(at(1).duration_since(at(0)) >= jiff::SignedDuration::from_millis(990), "{calls}");
    for after in ["61", "Thu, 30 Dec 9999 00:00:00 GMT", "99999999999999999999999"] {
        // A comma would end the fault.
        let hostile = Hostile::new(&format!("look:status=503/{}", after.replace(',', "")), "auto");
        hostile.read().exits(30);
        let sent = if after.contains(' ') { 2 } else { 1 };
        assert_eq!(hostile.calls("look"), sent, "{after}");
    }
}

#[test]
fn an_answer_to_a_read_that_is_none_is_told_from_no_answer() {
    read_on(
        "auto",
        &[
            ("empty", 50, "without a message", 2),
            ("html", 50, "content of the type `text/html`", 2),
            ("type=application+xml", 50, "content of the type `application/xml`", 2),
            ("untyped", 50, "content without a type", 2),
            ("status=202", 50, "HTTP status 202", 2),
            ("status=204", 50, "HTTP status 204", 2),
            ("short", 50, "before the whole answer came", 2),
            ("cut-json", 50, "no unambiguous JSON", 2),
            ("not-utf8", 50, "not UTF-8", 2),
            ("wrong-id", 50, "ID `4242`", 2),
            ("no-id", 50, "names no request", 2),
            ("both", 50, "no JSON-RPC message", 2),
            ("twice", 50, "stands here twice", 2),
            ("batch", 50, "no JSON-RPC message", 2),
            ("null", 30, "says nothing", 1),
            ("odd", 30, "says nothing", 1),
            ("rpc=-32602", 30, "JSON-RPC error -32602", 1),
            ("rpc=-32603", 30, "JSON-RPC error -32603", 2),
            ("huge", 50, "more than 1048576 bytes", 2),
            ("huge=length", 50, "more than 1048576 bytes", 2),
            ("string-id", 0, "done", 1),
            ("hologram", 0, "done", 1),
            ("closes", 0, "done", 1),
            ("sse", 0, "done", 1),
            ("sse-field", 0, "done", 1),
        ],
    );
}

#[test]
fn a_read_over_a_connection_that_is_cut_or_stalls_ends_in_time() {
    read_on(
        "auto",
        &[
            ("cut=request", 50, "the connection ended", 2),
            ("cut=status-line", 50, "the connection ended", 2),
            ("cut=head", 50, "before the whole answer came", 2),
            ("cut=half", 50, "before the whole answer came", 2),
            ("stall=request", 50, "within the time limit", 2),
            ("stall=head", 50, "within the time limit", 2),
            ("stall=half", 50, "within the time limit", 2),
            ("drip", 50, "within the time limit", 2),
        ],
    );
}

#[test]
fn a_stream_of_events_is_held_to_the_rules_of_a_body() {
    for protocol in ["2025-11-25", "2026-07-28"] {
        read_on(
            protocol,
            &[
                ("sse-cut", 50, "the connection ended", 2),
                ("sse-garbage", 50, "no unambiguous JSON", 2),
                ("sse-wrong-id", 50, "ID `4242`", 2),
                ("sse-huge", 50, "an event of more than 1048576 bytes", 2),
                ("sse-flood", 50, "more than 1000 requests", 2),
                ("sse-notes", 50, "within the time limit", 2),
            ],
        );
        write_on(
            protocol,
            &[
                ("sse-wrong-id", 31, "ID `4242`"),
                ("sse-huge", 31, "an event of more than 1048576 bytes"),
                ("sse-flood", 31, "more than 1000 requests"),
                ("sse-notes", 31, "within the time limit"),
                ("sse-noise", 0, "applied"),
                ("sse-field", 0, "applied"),
            ],
        );
    }
}

#[test]
fn a_stream_that_breaks_off_is_taken_up_where_the_server_says_and_not_for_ever() {
    let hostile = Hostile::new("look:sse-resume,get:sse-resume", "2025-11-25");
    let ran = hostile.read();
    let log = hostile.log();
    let resumed: Vec<_> =
        log.iter().filter(|request| !request["headers"]["last-event-id"].is_null()).collect();
    assert_eq!(ran.code, 0, "{}{:?}", ran.stdout, log);
    assert!(!resumed.is_empty());
    assert_eq!(hostile.calls("look"), 1);
    assert_eq!(resumed[0]["headers"]["mcp-session-id"], "session-1");

    write_on("2025-11-25", &[("sse-resume,get:sse-resume", 0, "applied")]);

    let hostile = Hostile::new("look:sse-endless,get:sse-endless", "2025-11-25");
    hostile.settings(|server| server["time_limits"]["call"] = serde_json::json!("20s"));
    hostile.read().exits(50);
    let again = hostile.log().iter().filter(|request| !request["headers"]["last-event-id"].is_null()).count();
    // A hundred between two answers, of which the handshake and the list had one each.
    assert!((2..=300).contains(&again), "{again}");
}

#[test]
fn a_server_that_asks_for_what_a_pipeline_has_not_gets_none_of_it() {
    read_on(
        "2026-07-28",
        &[
            ("input", 32, "wants an answer from a user", 1),
            ("rpc=-32042", 32, "JSON-RPC error -32042", 1),
            ("rpc=-32021", 32, "JSON-RPC error -32021", 1),
            ("rpc=-32021@400", 32, "HTTP status 400", 1),
        ],
    );
    for method in ["sampling/createMessage", "elicitation/create", "roots/list", "something/new"] {
        let fault = format!("sse-asks={}", method.replace('/', "+"));
        let words = format!("the server asked for `{method}`");
        for kind in ["sse-asks", "sse-asks-closes", "sse-burst"] {
            read_on("2025-11-25", &[(&fault.replace("sse-asks", kind), 32, &words, 1)]);
        }
    }
    let hostile = Hostile::new("list:sse-asks=roots+list", "2025-11-25");
    assert!(hostile.read().exits(32).told().contains("the server asked for `roots/list`"));
    write_on(
        "2026-07-28",
        &[
            ("input", 31, "asks for input"),
            ("rpc=-32042", 31, "asks for input"),
            // The status says for certain that nothing was done.
            ("rpc=-32021@400", 32, "asks for input"),
        ],
    );
    for kind in ["sse-asks", "sse-asks-closes", "sse-burst"] {
        write_on("2025-11-25", &[(&format!("{kind}=sampling+createMessage"), 31, "sampling/createMessage")]);
    }
}

#[test]
fn a_write_is_not_applied_only_where_that_is_certain() {
    write_on(
        "auto",
        &[
            ("status=400", 30, "HTTP status 400"),
            ("status=404", 30, "HTTP status 404"),
            ("status=405", 30, "HTTP status 405"),
            ("status=413", 30, "HTTP status 413"),
            ("status=415", 30, "HTTP status 415"),
            ("status=429/0", 30, "HTTP status 429"),
            ("rpc=-32602", 30, "JSON-RPC error -32602"),
            ("status=401", 51, "HTTP status 401"),
            ("status=403", 51, "HTTP status 403"),
        ],
    );
}

#[test]
fn a_write_that_met_anything_else_is_unknown_and_is_never_sent_twice() {
    write_on(
        "auto",
        &[
            ("status=408", 31, "HTTP status 408"),
            ("status=409", 31, "HTTP status 409"),
            ("status=422", 31, "HTTP status 422"),
            ("status=500", 31, "HTTP status 500"),
            ("status=502", 31, "HTTP status 502"),
            ("status=503/1", 31, "HTTP status 503"),
            ("status=504", 31, "HTTP status 504"),
            ("status=202", 31, "HTTP status 202"),
            ("status=204", 31, "HTTP status 204"),
            ("type=application+xml", 31, "application/xml"),
            ("not-utf8", 31, "not UTF-8"),
            ("no-id", 31, "names no request"),
            ("twice", 31, "stands here twice"),
            ("batch", 31, "no JSON-RPC message"),
            ("odd", 31, "says nothing"),
            ("huge=length", 31, "more than 1048576 bytes"),
            ("empty", 31, "without a message"),
            ("html", 31, "text/html"),
            ("untyped", 31, "without a type"),
            ("short", 31, "before the whole answer came"),
            ("cut-json", 31, "no unambiguous JSON"),
            ("wrong-id", 31, "ID `4242`"),
            ("both", 31, "no JSON-RPC message"),
            ("null", 31, "says nothing"),
            ("rpc=-32603", 31, "JSON-RPC error -32603"),
            ("rpc=-32000", 31, "JSON-RPC error -32000"),
            ("huge", 31, "more than 1048576 bytes"),
        ],
    );
}

#[test]
fn a_write_whose_connection_is_cut_or_stalls_is_unknown_within_the_deadline() {
    write_on(
        "auto",
        &[
            ("cut=request", 31, "the connection ended"),
            ("cut=status-line", 31, "the connection ended"),
            ("cut=head", 31, "before the whole answer came"),
            ("stall=head", 31, "within the time limit"),
            ("cut=half", 31, "before the whole answer came"),
            ("stall=request", 31, "within the time limit"),
            ("stall=half", 31, "within the time limit"),
            ("drip", 31, "within the time limit"),
        ],
    );
    write_on(
        "2025-11-25",
        &[("sse-cut", 31, "the connection ended"), ("sse-garbage", 31, "no unambiguous JSON")],
    );
}

#[test]
fn a_connection_that_is_cut_while_the_request_goes_out_leaves_a_write_unknown() {
    let hostile = Hostile::new("", "auto");
    let recipe = hostile.folder.read("write.yaml").replace("q: x", &format!("q: {}", "x".repeat(500_000)));
    hostile.folder.write("write.yaml", recipe);
    let id = hostile.approved();
    for _ in 0..2 {
        hostile.apply(&id).exits(31);
        let attempts = hostile.folder.json("loopgate-out/audit.json")["operations"][0]["attempts"].clone();
        assert_eq!(attempts.as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_connection_that_is_cut_in_its_own_handshake_was_sent_nothing() {
    let hostile = Hostile::with("", "auto", &["tls=cut"]);
    let ran = hostile.read().exits(50);
    assert!(ran.told().contains("cannot be reached"), "{}", ran.told());
    assert!(hostile.log().is_empty());
}

#[test]
fn a_write_that_the_server_takes_on_as_a_task_is_asked_after_until_it_has_ended() {
    for (ended, code, words) in [
        ("completed", 0, "applied"),
        ("failed", 31, "the task broke"),
        ("cancelled", 31, "was cancelled"),
        ("input_required", 31, "from a user"),
        ("never", 31, "has not ended within the time limit"),
        ("other", 31, "is answered for by another one, `task-2`"),
    ] {
        let hostile = Hostile::new(&format!("make:task,task:polled={ended}"), "2026-07-28");
        let id = hostile.approved();
        let ran = hostile.apply(&id);
        let told = ran.told();
        assert_eq!(ran.code, code, "{ended}: {told}");
        assert!(told.contains(words), "{ended}: {told}");
        assert!(ran.stderr.contains("goes on with it as the task `task-1`"), "{ended}: {}", ran.stderr);
        let attempt = hostile.folder.json("loopgate-out/audit.json")["operations"][0]["attempts"][0].clone();
        assert_eq!(attempt["task"], "task-1", "{ended}");
        hostile.apply(&id).exits(code);
        assert_eq!(hostile.calls("make"), 1, "{ended}");
        hostile.folder.run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
    }
}

#[test]
fn a_task_is_not_asked_after_sooner_than_the_server_wants() {
    let hostile = Hostile::new("make:task,task:status=429/30", "2026-07-28");
    hostile.write().exits(31);
    assert_eq!(hostile.log().iter().filter(|request| request["rpc"] == "tasks/get").count(), 1);
    // A read's task is waited for as well.
    read_on("2026-07-28", &[("task,task:polled=completed", 0, "done", 1)]);
}

#[cfg(unix)]
#[test]
fn an_apply_that_is_killed_while_a_task_goes_on_leaves_the_tasks_name() {
    let hostile = Hostile::new("make:task,task:polled=never", "2026-07-28");
    hostile.settings(|server| server["time_limits"]["call"] = serde_json::json!("60s"));
    let id = hostile.approved();
    let mut apply = hostile.folder.process(env!("CARGO_BIN_EXE_loopgate"));
    let apply = apply.args(["apply", ARTIFACT, "--approval-id", &id]);
    let mut apply = apply.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !hostile.log().iter().any(|request| request["rpc"] == "tasks/get") {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    apply.kill().unwrap();
    apply.wait().unwrap();
    let ran = hostile.apply(&id).exits(31);
    assert!(ran.told().contains("went on with it as the task `task-1`"), "{}", ran.told());
    assert_eq!(hostile.calls("make"), 1);
}

#[test]
fn a_token_that_the_server_echoes_is_shown_and_stored_nowhere() {
    for (fault, read, write) in
        [("echo", 30, 31), ("echo=error", 30, 31), ("echo=answer", 0, 0), ("echo=header", 51, 51)]
    {
        let hostile = Hostile::new(&format!("look:{fault},make:{fault}"), "auto");
        let told = format!("{}{}", hostile.read().exits(read).told(), hostile.write().exits(write).told());
        assert!(!told.contains("canary-token-3"), "{fault}: {told}");
        let run = hostile.folder.read("loopgate-out/run.json");
        let kept = run + &hostile.folder.read("loopgate-out/audit.json");
        assert!(fault == "echo=answer" || (told + &kept).contains("(the token)"), "{fault}");
        for entry in fs_err::read_dir(hostile.folder.path())
            .unwrap()
            .chain(fs_err::read_dir(hostile.folder.path().join("loopgate-out")).unwrap())
        {
            let path = entry.unwrap().path();
            // The server's own notes, and where the token comes from.
            if path.is_dir() || path.ends_with("log.jsonl") || path.ends_with("token") {
                continue;
            }
            let bytes = fs_err::read(&path).unwrap();
            let found = bytes.windows(14).any(|window| window == b"canary-token-3");
            assert!(!found, "{fault}: `{}` holds the token", path.display());
        }
    }
}

#[test]
fn a_list_of_tools_that_does_not_hold_together_is_refused() {
    for (fault, code, words) in [
        ("pages=again", 50, "the cursor `same` came twice"),
        ("pages=endless", 50, "more than 200 pages"),
        ("pages=changes", 50, "two tools named `look`"),
        ("pages=fine", 0, "done"),
        ("status=503*1", 0, "done"),
        ("status=401", 51, "HTTP status 401"),
        ("status=500", 50, "HTTP status 500"),
        ("stall=request", 50, "within the time limit"),
        ("html", 50, "text/html"),
        ("huge", 50, "more than 1048576 bytes"),
    ] {
        let hostile = Hostile::new(&format!("list:{fault}"), "2026-07-28");
        hostile.settings(|server| server["time_limits"]["list"] = serde_json::json!("10s"));
        let ran = hostile.read();
        let told = ran.told();
        assert_eq!(ran.code, code, "{fault}: {told}");
        assert!(told.contains(words), "{fault}: {told}");
        assert_eq!(hostile.calls("look"), usize::from(code == 0), "{fault}");
    }
}

#[test]
fn a_handshake_that_goes_wrong_says_how() {
    for (protocol, fault, code, words) in [
        ("auto", "any:status=401", 51, "HTTP status 401"),
        ("auto", "any:status=403", 51, "HTTP status 403"),
        ("auto", "any:status=404", 50, "HTTP status 404"),
        ("auto", "any:status=503", 50, "HTTP status 503"),
        ("auto", "any:status=503*1", 0, "done"),
        ("auto", "any:rpc=-32000@503*1", 0, "done"),
        ("2026-07-28", "any:rpc=-32000@502*1", 0, "done"),
        ("2025-11-25", "any:rpc=-32000@504*1", 0, "done"),
        ("auto", "any:status=429/1*1", 0, "done"),
        ("auto", "any:status=429/30", 50, "HTTP status 429"),
        ("auto", "any:cut=request*1", 0, "done"),
        ("auto", "any:html", 50, "does not speak MCP"),
        ("auto", "any:wrong-id", 50, "does not speak MCP"),
        ("auto", "any:stall=request", 50, "within 1500 ms"),
        ("auto", "any:never-accepts", 50, "within 1500 ms"),
        ("auto", "discover:status=400", 0, "done"),
        ("auto", "discover:rpc=-32601", 0, "done"),
        ("auto", "discover:null", 0, "done"),
        ("2026-07-28", "discover:null", 50, "another shape"),
        ("2026-07-28", "discover:rpc=-32601", 50, "refused the handshake"),
        ("2025-11-25", "initialize:rpc=-32602", 50, "refused the handshake"),
        ("2025-11-25", "initialize:null", 50, "another shape"),
        ("2025-11-25", "initialize:sse-cut", 50, "handshake"),
    ] {
        let hostile = Hostile::new(fault, protocol);
        let ran = hostile.read();
        let told = ran.told();
        assert_eq!(ran.code, code, "{protocol} {fault}: {told}");
        assert!(told.contains(words), "{protocol} {fault}: {told}");
    }
}

#[test]
fn a_server_that_is_not_there_was_sent_nothing() {
    let hostile = Hostile::new("", "auto");
    let id = hostile.approved();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, words) in [
        (format!("http://{closed}/mcp"), "refused"),
        ("https://no-such-host.invalid/mcp".to_owned(), "cannot be reached"),
    ] {
        hostile.settings(|server| server["url"] = serde_json::json!(url));
        let ran = hostile.read().exits(50);
        assert!(ran.stdout.contains(words), "{url}: {}", ran.stdout);
    }
    hostile.settings(|server| server["url"] = serde_json::json!(hostile.server.url));
    let Hostile { folder, server } = hostile;
    drop(server);
    folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(50);
    let audit = folder.json("loopgate-out/audit.json");
    assert_eq!(audit["operations"][0]["attempts"], serde_json::json!([]), "no intent without a connection");
}
