//! A server can die, hang, lie and babble: a session says which it was, and leaves nobody behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loopgate::core::call::{Seen, Silence, ToolAnswer, ToolCall};
use loopgate::mcp::{ChildCommand, ConnectError, Endpoint, Era, Limits, ListError, Session};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// So long that a test which waits for it has failed.
const LONG: Duration = Duration::from_secs(300);
/// For those things that are meant to take too long.
const SHORT: Duration = Duration::from_millis(300);

fn limits() -> Limits {
    Limits { connect: LONG, list: LONG, call: LONG, reply_bytes: 100_000, ..Limits::default() }
}

/// The misbehaving server, beside the test binary's folder.
fn peer(arguments: &[&str]) -> ChildCommand {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join("peer");
    ChildCommand {
        program,
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        folder: None,
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]),
        era: Era::Sessions,
    }
}

async fn connect(arguments: &[&str]) -> Result<Session, ConnectError> {
    Session::connect(Endpoint::Child(peer(arguments)), limits()).await
}

fn echo() -> ToolCall {
    let arguments = Map::from_iter([("n".to_owned(), json!(1)), ("text".to_owned(), json!("a\nb\u{2028}"))]);
    let meta = Map::from_iter([("traceparent".to_owned(), json!("00-1-2-03"))]);
    ToolCall {
        tool: "echo".to_owned(),
        arguments,
        meta,
        headers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        tenant: None,
        varying: Vec::new(),
    }
}

/// What is seen of one call to the peer in that mode, with no time limit to speak of.
async fn seen(arguments: &[&str]) -> Seen {
    let session = connect(arguments).await.unwrap();
    let seen = session.call(&echo(), LONG).await;
    session.close().await;
    seen
}

fn ok() -> Seen {
    Seen::Answer(ToolAnswer { structured: None, text: vec!["ok".to_owned()] })
}

/// Whether a process runs; one that has ended and waits to be cleared away does not.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Waits for the operating system to carry out what was decided.
async fn gone(pid: u32) -> bool {
    for _ in 0..1000 {
        if !runs(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// The process ID that the peer left in a file.
async fn pid_in(file: &Path) -> u32 {
    for _ in 0..1000 {
        if let Some(pid) = std::fs::read_to_string(file).ok().and_then(|text| text.parse().ok()) {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the peer left no process ID");
}

fn pid_file(folder: &tempfile::TempDir) -> (PathBuf, String) {
    let path = folder.path().join("pid");
    let text = path.to_str().unwrap().to_owned();
    (path, text)
}

#[tokio::test]
async fn a_good_server_says_who_it_is_and_answers() {
    let session = connect(&["ok"]).await.unwrap();
    let facts = session.facts();
    assert_eq!(
        (facts.name.as_str(), facts.version.as_str(), facts.revision.as_str()),
        ("peer", "1", "2025-11-25")
    );
    assert_eq!(session.tools().await.unwrap().len(), 1);
    for _ in 0..3 {
        assert_eq!(session.call(&echo(), LONG).await, ok());
    }
    assert_eq!(session.close().await.status.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_child_gets_the_call_and_the_environment_that_were_given_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = peer(&["echo"]);
    command.folder = Some(folder.path().to_owned());
    let environment = BTreeMap::from([("ONLY".to_owned(), "this".to_owned())]);
    command.environment = environment.clone();
    let session = Session::connect(Endpoint::Child(command), limits()).await.unwrap();
    let call = echo();
    let Seen::Answer(answer) = session.call(&call, LONG).await else { panic!("no answer") };
    let seen = answer.structured.unwrap();
    assert_eq!(seen["arguments"], Value::Object(call.arguments));
    assert_eq!(seen["meta"]["traceparent"], call.meta["traceparent"]);
    assert_eq!(seen["environment"], json!(environment));
    assert_eq!(seen["folder"], json!(folder.path().canonicalize().unwrap()));
    session.close().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named() {
    let command = ChildCommand { program: "/no/such/server".into(), ..peer(&[]) };
    let error = Session::connect(Endpoint::Child(command), limits()).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Start { program, .. } if program == Path::new("/no/such/server")));
    let command = ChildCommand { folder: Some("/no/such/folder".into()), ..peer(&["ok"]) };
    let error = Session::connect(Endpoint::Child(command), limits()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Start { source, .. } if source.to_string().contains("folder")));
}

#[tokio::test]
async fn a_server_that_dies_in_the_handshake_leaves_its_status_and_last_words() {
    for (mode, code, words) in [("dies-at-start", 3, "no licence"), ("dies-in-handshake", 4, "the database")]
    {
        let error = connect(&[mode]).await.unwrap_err();
        let said = error.to_string();
        let ConnectError::Ended { status, stderr } = error else { panic!("{mode}: {said}") };
        assert_eq!(status.unwrap().code(), Some(code));
        assert!(stderr.contains(words) && said.contains(words), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_in_the_handshake_is_given_up_and_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, text) = pid_file(&folder);
    let command = peer(&["hangs-in-handshake", &text]);
    let connecting = Session::connect(Endpoint::Child(command), limits());
    tokio::select! {
        _ = connecting => panic!("it hangs"),
        _ = pid_in(&file) => {}
    }
    assert!(gone(pid_in(&file).await).await, "giving up kills it");

    let limits = Limits { connect: SHORT, ..limits() };
    let command = peer(&["hangs-in-handshake"]);
    let error = Session::connect(Endpoint::Child(command), limits).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { limit, .. } if limit == SHORT));
}

#[tokio::test]
async fn a_program_that_is_no_mcp_server_is_recognized_by_its_first_line() {
    let error = connect(&["rubbish"]).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NotMcp { what } if what.contains("Usage: server")), "{error}");
    let error = connect(&["old-revision"]).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NotMcp { what } if what.contains("1999-01-01")), "{error}");
    let error = connect(&["refuses-handshake"]).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Refused { code: -32602, .. }), "{error}");
}

#[tokio::test]
async fn noise_before_an_answer_ends_the_call_at_once() {
    let Seen::Silence(Silence::Malformed(what)) = seen(&["noise-then-ok"]).await else { panic!() };
    assert!(what.contains("debug: \\u{1b}[31mcalling"), "{what}");
}

#[tokio::test]
async fn noise_after_an_answer_does_not_take_the_answer_away() {
    let session = connect(&["ok-then-noise"]).await.unwrap();
    assert_eq!(session.call(&echo(), LONG).await, ok());
    // The noise may be read before the next call or during it: nothing comes of it either way.
    let next = session.call(&echo(), LONG).await;
    assert!(
        matches!(&next, Seen::NeverSent(why) | Seen::Silence(Silence::Malformed(why)) if why.contains("debug: called")),
        "{next:?}"
    );
    session.close().await;
}

#[tokio::test]
async fn what_is_no_answer_ends_the_call_at_once_and_says_why() {
    for (mode, named) in [
        ("invalid-utf8", "not UTF-8"),
        ("wrong-id", "ID `9999`"),
        ("both-result-and-error", "no JSON-RPC message"),
        ("error-without-id", "names no request: -32700"),
    ] {
        let seen = seen(&[mode]).await;
        assert!(
            matches!(&seen, Seen::Silence(Silence::Malformed(what)) if what.contains(named)),
            "{mode}: {seen:?}"
        );
    }
    let seen = seen(&["long-line"]).await;
    assert!(matches!(&seen, Seen::Silence(Silence::TooLarge(what)) if what.contains("100000")), "{seen:?}");
}

#[tokio::test]
async fn a_result_of_another_kind_is_no_answer() {
    for mode in ["null-result", "empty-result"] {
        let seen = seen(&[mode]).await;
        assert!(matches!(seen, Seen::Silence(Silence::UnknownResult(_))), "{mode}: {seen:?}");
    }
    let seen_of_task = seen(&["task-result"]).await;
    assert!(matches!(seen_of_task, Seen::Task(_)), "{seen_of_task:?}");
    let seen = seen(&["input-required"]).await;
    assert!(matches!(seen, Seen::NeedsInput(_)), "{seen:?}");
}

#[tokio::test]
async fn errors_are_told_apart() {
    let Seen::ToolError(answer) = seen(&["tool-error"]).await else { panic!("no tool error") };
    assert_eq!(answer.structured.unwrap().pointer("/error/code"), Some(&json!("NOT_FOUND")));
    for code in [-32602, -32603, 7] {
        let refused = Seen::RpcError { code, message: "refused".to_owned() };
        assert_eq!(seen(&["rpc-error", &code.to_string()]).await, refused);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_what_a_pipeline_has_not_is_refused_and_told_of() {
    let Seen::NeedsInput(message) = seen(&["asks-for-sampling"]).await else { panic!() };
    assert_eq!(
        message,
        "the server asked for `sampling/createMessage`, which a pipeline cannot give: no model at hand \
         (JSON-RPC error -32000)"
    );
    let session = connect(&["asks-and-hangs"]).await.unwrap();
    let seen = session.call(&echo(), Duration::from_secs(2)).await;
    assert!(matches!(&seen, Seen::NeedsInput(what) if what.contains("roots/list")), "{seen:?}");
    session.close().await;
}

#[tokio::test]
async fn a_call_that_hangs_is_given_up_at_its_deadline() {
    for mode in ["hangs-in-call", "reads-no-more"] {
        let limits = Limits { close: SHORT, ..limits() };
        let session = Session::connect(Endpoint::Child(peer(&[mode])), limits).await.unwrap();
        let mut call = echo();
        // More than a pipe holds, so that it gets stuck half-way where nobody reads.
        call.arguments.insert("long".to_owned(), json!("x".repeat(1_000_000)));
        assert_eq!(session.call(&call, SHORT).await, Seen::Silence(Silence::TimedOut), "{mode}");
        assert!(session.close().await.status.is_some(), "{mode}");
    }
}

#[tokio::test]
async fn a_server_that_dies_in_a_call_leaves_its_status_and_last_words() {
    let session = connect(&["dies-in-call"]).await.unwrap();
    let Seen::Silence(Silence::Closed(how)) = session.call(&echo(), LONG).await else { panic!() };
    assert_eq!(how, "the server ended (exit status: 5): `out of memory`");
    let next = session.call(&echo(), LONG).await;
    assert!(matches!(&next, Seen::NeverSent(why) if why.contains("out of memory")), "{next:?}");
    let closing = session.close().await;
    assert_eq!((closing.status.unwrap().code(), closing.stderr.as_str()), (Some(5), "out of memory\n"));
}

#[tokio::test]
async fn a_server_that_dies_and_leaves_its_output_to_others_hangs_nobody() {
    for mode in ["leaves-grandchild", "leaves-daemon"] {
        let folder = tempfile::tempdir().unwrap();
        let (file, text) = pid_file(&folder);
        let session = connect(&[mode, &text]).await.unwrap();
        let seen = session.call(&echo(), LONG).await;
        assert!(
            matches!(&seen, Seen::Silence(Silence::Closed(how)) if how.contains("exit status: 6")),
            "{mode}: {seen:?}"
        );
        let pid = pid_in(&file).await;
        session.close().await;
        if mode == "leaves-daemon" {
            // It has left the process group, so nobody but the test ends it.
            std::process::Command::new("kill").arg(pid.to_string()).status().unwrap();
        }
        assert!(gone(pid).await, "{mode}");
    }
}

#[tokio::test]
async fn no_grandchild_outlives_its_session() {
    for kindly in [true, false] {
        let session = connect(&["forks-grandchild"]).await.unwrap();
        let Seen::Answer(answer) = session.call(&echo(), LONG).await else { panic!("no answer") };
        let pid = u32::try_from(answer.structured.unwrap()["pid"].as_u64().unwrap()).unwrap();
        assert!(runs(pid));
        if kindly {
            assert_eq!(session.close().await.status.unwrap().code(), Some(0));
        } else {
            drop(session);
        }
        assert!(gone(pid).await, "kindly: {kindly}");
    }
}

#[test]
fn no_child_outlives_the_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let (file, text) = pid_file(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (session, pid) = runtime.block_on(async {
        let session = connect(&["ignores-the-end", &text]).await.unwrap();
        (session, pid_in(&file).await)
    });
    assert!(runs(pid));
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(gone(pid)));
    drop(session);
}

#[tokio::test]
async fn a_server_that_does_not_end_by_itself_is_made_to() {
    let folder = tempfile::tempdir().unwrap();
    let (file, text) = pid_file(&folder);
    let limits = Limits { close: SHORT, ..limits() };
    let command = peer(&["ignores-the-end", &text]);
    let session = Session::connect(Endpoint::Child(command), limits).await.unwrap();
    let closing = session.close().await;
    assert!(!runs(pid_in(&file).await));
    assert_eq!(closing.status.unwrap().to_string(), "signal: 15 (SIGTERM)");
}

#[tokio::test]
async fn tools_come_from_all_pages_sorted_by_name() {
    let session = connect(&["two-pages"]).await.unwrap();
    let names: Vec<_> = session.tools().await.unwrap().into_iter().map(|tool| tool.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    session.close().await;
}

#[tokio::test]
async fn a_list_of_tools_without_an_end_or_with_two_of_a_name_is_refused() {
    let few = Limits { pages: 7, tools: 1_000, ..limits() };
    let many = Limits { pages: 1_000, tools: 7, ..limits() };
    for (mode, limits, named) in [
        ("repeated-cursor", few.clone(), "the cursor `again` came twice"),
        ("endless-pages", few.clone(), "more than 7 pages"),
        ("endless-pages", many, "more than 7 tools"),
        ("duplicate-tools", few, "two tools named `b`"),
    ] {
        let session = Session::connect(Endpoint::Child(peer(&[mode])), limits).await.unwrap();
        let error = session.tools().await.unwrap_err().to_string();
        assert!(error.contains(named), "{mode}: {error}");
        session.close().await;
    }
    let session = connect(&["ok"]).await.unwrap();
    session.close().await;
}

/// A server in this process that answers the handshake, and then says `line` to whatever comes.
async fn in_process(line: &'static str) -> Session {
    let (ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(async move {
        let (read, mut write) = tokio::io::split(theirs);
        let mut lines = BufReader::new(read).lines();
        lines.next_line().await.unwrap();
        let hello = json!({"jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": "2025-11-25",
            "capabilities": {}, "serverInfo": {"name": "inside", "version": "2"}}});
        write.write_all(format!("{hello}\n").as_bytes()).await.unwrap();
        lines.next_line().await.unwrap();
        while lines.next_line().await.unwrap().is_some() {
            if line.is_empty() {
                return;
            }
            write.write_all(line.as_bytes()).await.unwrap();
        }
    });
    Session::connect(Endpoint::Stream(ours), limits()).await.unwrap()
}

#[tokio::test]
async fn a_server_in_process_is_watched_as_closely_as_a_child() {
    let session = in_process(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}}\n",
    )
    .await;
    assert_eq!(session.facts().name, "inside");
    assert_eq!(session.call(&echo(), LONG).await, ok());
    assert_eq!(session.close().await.status, None);

    let seen = in_process("hello\n").await.call(&echo(), LONG).await;
    assert!(matches!(&seen, Seen::Silence(Silence::Malformed(what)) if what.contains("hello")), "{seen:?}");

    let session = in_process("").await;
    let seen = session.call(&echo(), LONG).await;
    assert_eq!(seen, Seen::Silence(Silence::Closed("the server closed its side".to_owned())));
    assert!(matches!(session.call(&echo(), LONG).await, Seen::NeverSent(_)));
    assert!(matches!(session.tools().await, Err(ListError::NotConnected(_))));
}

#[tokio::test]
async fn a_stream_that_nobody_serves_ends_the_handshake() {
    let (ours, theirs) = tokio::io::duplex(64);
    drop(theirs);
    let error = Session::connect(Endpoint::Stream(ours), limits()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Ended { status: None, .. }), "{error}");
}
