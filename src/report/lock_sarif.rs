//! What differs from the tool lock as SARIF 2.1.0 (OASIS standard of 2020-03-27; section numbers are that document's).
//!
//! Messages are plain text alone: what a server says in them is never read as Markdown, and neither as a link nor as a
//! placeholder, both of which plain text can have too (§3.11.5, §3.11.6).

use serde_json::{Value, json};

use super::lock_view::LockView;
use crate::catalog::lock::{Change, ChangeCode, TextPlace};
use crate::core::Digest;
use crate::core::text::{excerpt, visible};

/// Names that a message lists at most.
const MOST_PLACES: usize = 5;

/// The changes as a SARIF log with one run.
#[must_use]
pub fn lock_sarif(view: &LockView<'_>) -> Value {
    let rules: Vec<Value> = ChangeCode::ALL
        .iter()
        .map(|code| json!({"id": code.as_str(), "shortDescription": {"text": code.meaning()}}))
        .collect();
    let results: Vec<Value> = view.changes.iter().map(|change| result(view, change)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "loopgate", "version": env!("CARGO_PKG_VERSION"), "rules": rules,
            }},
            "invocations": [{"executionSuccessful": true}],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(view: &LockView<'_>, change: &Change) -> Value {
    let mut message = match change.tool.as_deref() {
        Some(tool) => format!(
            "{} Server `{}`, tool `{}`.",
            change.code.meaning(),
            visible(view.server),
            excerpt(tool, 200)
        ),
        None => format!("{} Server `{}`.", change.code.meaning(), visible(view.server)),
    };
    if !change.places.is_empty() {
        let places =
            change.places.iter().take(MOST_PLACES).map(|place| format!("`{}`", excerpt(&place.at, 200)));
        message.push_str(&format!(" It differs at {}.", places.collect::<Vec<_>>().join(", ")));
    }
    let mut physical = json!({"artifactLocation": {"uri": uri(view.file)}});
    if let (Some(TextPlace { line, column }), Some(members)) = (view.place(change), physical.as_object_mut())
    {
        members.insert("region".to_owned(), json!({"startLine": line, "startColumn": column}));
    }
    let print = Digest::of_foreign_json(
        "loopgate.lock-change/1",
        &json!([view.server, change.tool, change.code.as_str()]),
    );
    json!({
        "ruleId": change.code.as_str(),
        "ruleIndex": ChangeCode::ALL.iter().position(|code| *code == change.code),
        "level": if change.fails { "error" } else { "note" },
        "message": {"text": plain(&message)},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"loopgateLockChange/v1": print.hex()},
    })
}

/// Text in which nothing is a link or a placeholder.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' | ']' | '\\' => plain.extend(['\\', c]),
            '{' | '}' => plain.extend([c, c]),
            c => plain.push(c),
        }
    }
    plain
}

/// A path as a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_neither_a_link_nor_a_placeholder_and_a_path_is_a_uri() {
        assert_eq!(plain("a [b](http://x) {0} \\"), "a \\[b\\](http://x) {{0}} \\\\");
        assert_eq!(uri("/etc/a b/ü#.lock"), "file:///etc/a%20b/%C3%BC%23.lock");
        assert_eq!(uri("trust/loopgate.lock"), "trust/loopgate.lock");
    }
}
