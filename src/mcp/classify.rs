//! What was seen of a call, judged: the three outcomes, and nothing between them.

use std::borrow::Cow;

use serde_json::Value;

use crate::catalog::{ErrorCodes, Operation};
use crate::core::Outcome;
use crate::core::call::{Doubt, DoubtKind, Refusal, RefusalKind, Seen, Silence, TaskHandle, ToolAnswer};
use crate::core::text::cut;

/// How much of a server's words an outcome keeps, in characters.
const KEPT: usize = 2_000;

/// JSON-RPC's code for a request that failed inside of the server: it may have run.
const INTERNAL_ERROR: i64 = -32603;

/// MCP's codes for a server that wants something of the user or the client first: that a URL is opened (2025-11-25),
/// or a capability that this client does not declare (2026-07-28).
const WANTS_INPUT: [i64; 2] = [-32042, -32021];

/// What a call came to.
///
/// Not applied is only what certainly changed nothing: a request that never left, a refusal that HTTP or
/// JSON-RPC place before the tool, and a tool's error where the profile says what it means. Everything
/// else that is no answer is unknown.
#[must_use]
pub fn classify(seen: Seen, operation: Option<&Operation>, errors: Option<&ErrorCodes>) -> Outcome {
    match seen {
        Seen::Answer(answer) => Outcome::Applied(answer),
        Seen::ToolError(answer) => tool_error(&answer, operation, errors),
        Seen::RpcError { code, message } => {
            let message = format!("JSON-RPC error {code}: {message}");
            match code {
                code if WANTS_INPUT.contains(&code) => unknown(DoubtKind::NeedsInput, &message),
                INTERNAL_ERROR => unknown(DoubtKind::ServerError, &message),
                -32700..=-32600 => not_applied(RefusalKind::Refused, &message),
                _ => unknown(DoubtKind::ServerError, &message),
            }
        }
        Seen::HttpStatus { status, message, code, retry_after: _ } => {
            let message = format!("HTTP status {status}: {message}");
            match status {
                401 | 403 => not_applied(RefusalKind::SignIn, &message),
                429 => not_applied(RefusalKind::RateLimited, &message),
                400 if code.is_some_and(|code| WANTS_INPUT.contains(&code)) => {
                    not_applied(RefusalKind::NeedsInput, &message)
                }
                400 | 404 | 405 | 413 | 415 => not_applied(RefusalKind::Refused, &message),
                // What these say of a key is the profile's to tell; without its word they say nothing.
                409 | 422 => match errors.and_then(|errors| errors.kind(&status.to_string())) {
                    Some(kind @ (RefusalKind::Conflict | RefusalKind::InProgress)) => {
                        not_applied(kind, &message)
                    }
                    _ => unknown(DoubtKind::ServerError, &message),
                },
                _ => unknown(DoubtKind::ServerError, &message),
            }
        }
        Seen::NeverSent(why) => not_applied(RefusalKind::NotConnected, &why),
        Seen::NoToken(why) => not_applied(RefusalKind::SignIn, &why),
        Seen::NotRecorded(what) => not_applied(RefusalKind::NotRecorded, &what),
        Seen::Task(TaskHandle { id, .. }) => {
            unknown(DoubtKind::UnknownResult, &format!("it goes on as the task `{id}`"))
        }
        Seen::NeedsInput(what) => unknown(DoubtKind::NeedsInput, &what),
        Seen::Silence(silence) => {
            let kind = match silence {
                Silence::Cancelled => DoubtKind::Cancelled,
                Silence::UnknownResult(_) => DoubtKind::UnknownResult,
                Silence::TimedOut | Silence::Closed(_) | Silence::Malformed(_) | Silence::TooLarge(_) => {
                    DoubtKind::NoAnswer
                }
            };
            unknown(kind, &silence.to_string())
        }
    }
}

fn tool_error(answer: &ToolAnswer, operation: Option<&Operation>, errors: Option<&ErrorCodes>) -> Outcome {
    let code = errors.zip(answer.structured.as_ref()).and_then(|(errors, structured)| {
        match errors.code.get(structured)? {
            Value::String(code) => Some(Cow::Borrowed(code.as_str())),
            Value::Number(code) => Some(Cow::Owned(code.to_string())),
            _ => None,
        }
    });
    let mut message = words(answer, errors);
    if let Some(code) = &code {
        message = format!("{code}: {message}");
    }
    match errors.zip(code).and_then(|(errors, code)| errors.kind(&code)) {
        Some(kind) => not_applied(kind, &message),
        None if operation.is_some_and(|operation| operation.one_transaction) => {
            not_applied(RefusalKind::Refused, &message)
        }
        None => unknown(DoubtKind::ServerError, &message),
    }
}

/// What the server says of its error: where the profile says that it stands, else its text, else all.
fn words(answer: &ToolAnswer, errors: Option<&ErrorCodes>) -> String {
    let structured = answer.structured.as_ref();
    let message = errors.zip(structured).and_then(|(errors, value)| errors.message.get(value)?.as_str());
    match message {
        Some(message) => message.to_owned(),
        None if answer.text.is_empty() => structured.map(Value::to_string).unwrap_or_default(),
        None => answer.text.join("\n"),
    }
}

fn not_applied(kind: RefusalKind, message: &str) -> Outcome {
    Outcome::NotApplied(Refusal { kind, message: cut(message, KEPT).into_owned() })
}

fn unknown(kind: DoubtKind, message: &str) -> Outcome {
    Outcome::Unknown(Doubt { kind, message: cut(message, KEPT).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Profile;
    use serde_json::json;

    fn refused(kind: RefusalKind, message: &str) -> Outcome {
        Outcome::NotApplied(Refusal { kind, message: message.to_owned() })
    }

    fn doubt(kind: DoubtKind, message: &str) -> Outcome {
        Outcome::Unknown(Doubt { kind, message: message.to_owned() })
    }

    /// Everything that can be seen of a call besides a tool's own error, and what it means.
    #[test]
    fn only_what_certainly_changed_nothing_is_not_applied() {
        let answer = ToolAnswer { structured: Some(json!({"id": 1})), text: vec!["done".into()] };
        let silence = |silence, kind, message| (Seen::Silence(silence), doubt(kind, message));
        let mut table = vec![
            (Seen::Answer(answer.clone()), Outcome::Applied(answer)),
            (Seen::Answer(ToolAnswer::default()), Outcome::Applied(ToolAnswer::default())),
            (Seen::NoToken("no".into()), refused(RefusalKind::SignIn, "no")),
            (Seen::NeverSent("gone".into()), refused(RefusalKind::NotConnected, "gone")),
            (Seen::NeedsInput("a name".into()), doubt(DoubtKind::NeedsInput, "a name")),
            silence(Silence::TimedOut, DoubtKind::NoAnswer, "no answer within the time limit"),
            silence(Silence::Closed("x".into()), DoubtKind::NoAnswer, "the connection ended: x"),
            silence(Silence::Malformed("x".into()), DoubtKind::NoAnswer, "the answer is not MCP: x"),
            silence(Silence::TooLarge("x".into()), DoubtKind::NoAnswer, "the answer is too large: x"),
            silence(
                Silence::UnknownResult("x".into()),
                DoubtKind::UnknownResult,
                "the answer is of a kind that says nothing: x",
            ),
            silence(Silence::Cancelled, DoubtKind::Cancelled, "stopped while waiting for the answer"),
        ];
        for status in (100..600).filter(|status| !matches!(status, 409 | 422)) {
            let message = format!("HTTP status {status}: x");
            let outcome = match status {
                401 | 403 => refused(RefusalKind::SignIn, &message),
                429 => refused(RefusalKind::RateLimited, &message),
                400 | 404 | 405 | 413 | 415 => refused(RefusalKind::Refused, &message),
                _ => doubt(DoubtKind::ServerError, &message),
            };
            table.push((
                Seen::HttpStatus { status, message: "x".into(), code: None, retry_after: None },
                outcome,
            ));
        }
        for code in (-32_800..-32_000).chain([0, 1, -1, 500, i64::MIN, i64::MAX]) {
            let message = format!("JSON-RPC error {code}: x");
            let outcome = if WANTS_INPUT.contains(&code) {
                doubt(DoubtKind::NeedsInput, &message)
            } else if (-32_700..=-32_600).contains(&code) && code != -32_603 {
                refused(RefusalKind::Refused, &message)
            } else {
                doubt(DoubtKind::ServerError, &message)
            };
            table.push((Seen::RpcError { code, message: "x".into() }, outcome));
        }
        let profile = Profile::loopiq().unwrap();
        let (write, errors) = (profile.operation("work_package"), profile.errors.as_ref());
        for (seen, outcome) in table {
            assert_eq!(classify(seen.clone(), None, None), outcome);
            assert_eq!(classify(seen, write, errors), outcome, "a profile changes none of this");
        }
    }

    #[test]
    fn a_refusal_that_wants_input_first_says_so() {
        for code in WANTS_INPUT {
            let seen =
                Seen::HttpStatus { status: 400, message: "x".into(), code: Some(code), retry_after: None };
            assert_eq!(classify(seen, None, None), refused(RefusalKind::NeedsInput, "HTTP status 400: x"));
        }
    }

    #[test]
    fn a_status_about_a_key_means_what_the_profile_says() {
        let profile = Profile::loopiq().unwrap();
        let seen = |status| Seen::HttpStatus { status, message: "x".into(), code: None, retry_after: None };
        for (status, kind) in [(409, RefusalKind::InProgress), (422, RefusalKind::Conflict)] {
            let said = format!("HTTP status {status}: x");
            assert_eq!(classify(seen(status), None, profile.errors.as_ref()), refused(kind, &said));
            assert_eq!(classify(seen(status), None, None), doubt(DoubtKind::ServerError, &said));
        }
    }

    fn tool_error(code: Value) -> Seen {
        let structured = json!({"error": {"code": code, "message": "no"}});
        Seen::ToolError(ToolAnswer { structured: Some(structured), text: vec!["text".into()] })
    }

    #[test]
    fn a_tools_error_is_unknown_unless_the_profile_says_what_it_means() {
        let profile = Profile::loopiq().unwrap();
        let errors = profile.errors.as_ref();
        let one_transaction = profile.operation("work_package");
        let other = profile.operation("certification");
        assert!(one_transaction.unwrap().one_transaction && !other.unwrap().one_transaction);

        for (kind, codes) in &errors.unwrap().kinds {
            for code in codes {
                for operation in [None, other, one_transaction] {
                    let seen = tool_error(json!(code));
                    let said = format!("{code}: no");
                    assert_eq!(classify(seen, operation, errors), refused(*kind, &said));
                }
            }
        }
        for (code, said) in [
            (json!("BROKEN"), "BROKEN: no"),
            (json!(null), "no"),
            (json!({"x": 1}), "no"),
            (json!(500), "500: no"),
        ] {
            let unknown = doubt(DoubtKind::ServerError, said);
            assert_eq!(classify(tool_error(code.clone()), None, errors), unknown);
            assert_eq!(classify(tool_error(code.clone()), other, errors), unknown);
            assert_eq!(
                classify(tool_error(code), one_transaction, errors),
                refused(RefusalKind::Refused, said)
            );
        }
        let mapped = tool_error(json!("NOT_FOUND"));
        assert_eq!(classify(mapped, None, None), doubt(DoubtKind::ServerError, "text"));
    }

    #[test]
    fn a_numeric_code_can_be_mapped() {
        let errors: ErrorCodes = serde_json::from_value(json!({
            "basis": "assumed", "code": "/error/code", "message": "/error/message",
            "kinds": {"conflict": ["409"]}
        }))
        .unwrap();
        assert_eq!(
            classify(tool_error(json!(409)), None, Some(&errors)),
            refused(RefusalKind::Conflict, "409: no")
        );
    }

    #[test]
    fn a_servers_words_are_bounded() {
        let long = "ü".repeat(100_000);
        let structured = ToolAnswer { structured: Some(json!(long)), text: Vec::new() };
        for seen in [
            Seen::RpcError { code: 1, message: long.clone() },
            Seen::HttpStatus { status: 500, message: long.clone(), code: None, retry_after: None },
            Seen::NeedsInput(long.clone()),
            Seen::Silence(Silence::Closed(long)),
            Seen::ToolError(structured),
        ] {
            let Outcome::Unknown(doubt) = classify(seen, None, None) else { panic!("not unknown") };
            assert!(doubt.message.chars().count() <= KEPT + 1, "{}", doubt.message.len());
        }
    }
}
