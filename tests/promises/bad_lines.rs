//! Bad days over standard input and output, each with its exit code and its words.

use serde_json::json;

use crate::governed::{ARTIFACT, approve};
use crate::support::{Folder, peer};

const RECIPE: &str = "
recipe: echo-it
summary: One call.
steps:
  - id: called
    KIND: echo
    with: { n: 1 }
";

/// A folder with settings for the peer in that mode, whose only tool is called by `recipe.yaml`.
fn folder(mode: &str, kind: &str) -> Folder {
    let folder = Folder::new();
    let repetition = if kind == "write" { ", repetition: observed" } else { "" };
    folder.write(
        "peer.yaml",
        format!(
            "profile: peer\nsummary: s\noperations:\n  echo:\n    summary: s\n    tool: echo\n    class: {kind}\n    \
             basis: {{ tool: observed, arguments: observed, result: observed{repetition} }}\n    \
             arguments: {{ n: /n }}\n"
        ),
    );
    let more = if kind == "write" {
        "    reason: r\n"
    } else {
        "    retry: { attempts: 2, delay: 10ms }\n    emit: e.json\n"
    };
    folder.write("recipe.yaml", RECIPE.replace("KIND", kind) + more);
    let settings = json!({
        "server": "peer",
        "servers": {"peer": {
            "command": peer(), "arguments": mode.split(' ').collect::<Vec<_>>(), "profile": "peer.yaml", "tenant": "t",
            "reply_limit": 100_000,
            "time_limits": {"connect": "2s", "list": "2s", "call": "1500ms", "close": "1s"},
        }},
        "policy": {"approvals": {"accept": ["asserted"], "four_eyes": false}},
        "ledger": {"at": "sqlite:ledger.db"},
    });
    folder.write("loopgate.yaml", settings.to_string());
    folder
}

/// What a mode does, what a read comes to, what a write comes to, and words that both say.
const DAYS: [(&str, i32, i32, &str); 18] = [
    ("wrong-id", 50, 31, "ID `9999`"),
    ("both-result-and-error", 50, 31, "no JSON-RPC message"),
    ("error-without-id", 50, 31, "names no request"),
    ("invalid-utf8", 50, 31, "not UTF-8"),
    ("noise-then-ok", 50, 31, "debug: "),
    ("long-line", 50, 31, "more than 100000 bytes"),
    ("null-result", 30, 31, "says nothing"),
    ("empty-result", 30, 31, "says nothing"),
    ("hangs-in-call", 50, 31, "within the time limit"),
    ("drips-in-call", 50, 31, "within the time limit"),
    ("floods-in-call", 50, 31, "within the time limit"),
    ("dies-in-call", 50, 31, "out of memory"),
    ("leaves-grandchild", 50, 31, "the connection ended"),
    ("rpc-error -32602", 30, 30, "JSON-RPC error -32602"),
    ("rpc-error -32603", 30, 31, "JSON-RPC error -32603"),
    ("asks-for-sampling", 32, 31, "sampling/createMessage"),
    ("asks-in-a-burst", 32, 31, "sampling/createMessage"),
    ("input-required", 32, 31, "from a user"),
];

#[test]
fn a_read_that_meets_a_bad_day_ends_in_time_and_says_which() {
    for (mode, code, _, words) in DAYS {
        let folder = folder(mode, "read");
        let ran = folder.run(&["run", "recipe.yaml"]);
        let told = ran.told();
        assert_eq!(ran.code, code, "{mode}: {told}");
        assert!(told.contains(words), "{mode}: {told}");
        assert!(!folder.exists("loopgate-out/e.json"), "{mode}");
    }
}

#[test]
fn a_write_that_meets_a_bad_day_is_unknown_unless_it_is_certain() {
    for (mode, _, code, words) in DAYS {
        let folder = folder(mode, "write");
        let planned = folder.run(&["run", "recipe.yaml"]).exits(0);
        assert!(planned.told().contains("the profile names no dry run for the tool"), "{}", planned.stdout);
        let id = approve(&folder, ARTIFACT, "alice");
        let ran = folder.run(&["apply", ARTIFACT, "--approval-id", &id]);
        let told = ran.told();
        assert_eq!(ran.code, code, "{mode}: {told}");
        assert!(told.contains(words), "{mode}: {told}");
        if code == 31 {
            folder.run(&["apply", ARTIFACT, "--approval-id", &id]).exits(31);
            let attempts = folder.json("loopgate-out/audit.json")["operations"][0]["attempts"].clone();
            assert_eq!(attempts.as_array().unwrap().len(), 1, "{mode}: sent again");
        }
    }
}

#[test]
fn a_list_of_tools_that_does_not_hold_together_is_refused() {
    for (mode, words) in [
        ("repeated-cursor", "the cursor `again` came twice"),
        ("endless-pages", "more than 200 pages"),
        ("duplicate-tools", "two tools named `b`"),
    ] {
        let ran = folder(mode, "read").run(&["run", "recipe.yaml"]).exits(50);
        assert!(ran.told().contains(words), "{mode}: {}", ran.told());
    }
}

/// The library's own default asks what a server speaks, which ends some old ones.
#[test]
fn a_program_is_not_asked_what_it_speaks() {
    folder("dies-when-asked-what-it-speaks", "read").run(&["run", "recipe.yaml"]).exits(0);
}
