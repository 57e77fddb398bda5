//! The words of a tool call: what is sent, what was seen of it, and what that means.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::digest::Digest;
use super::json::parse_unambiguous;
use super::pointer::Pointer;
use super::secret::SecretText;

/// What a tool may do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It changes nothing.
    Read,
    /// It changes something, or nobody has said that it does not.
    Write,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

/// A tool as the server describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// The name it is called by.
    pub name: String,
    /// The server's words; hostile text.
    pub description: Option<String>,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
    /// JSON Schema of the structured result.
    pub output_schema: Option<Value>,
    /// Its hints, as they came. They can raise a class, never lower it.
    pub annotations: Option<Value>,
}

impl ToolDefinition {
    /// The digest of what an approval depends on: name, both schemas and the class it has for us.
    /// Wording is left out.
    #[must_use]
    pub fn digest(&self, class: Class) -> Digest {
        Digest::of_foreign_json(
            "loopgate.tool/1",
            &json!({
                "name": self.name,
                "input_schema": self.input_schema,
                "output_schema": self.output_schema,
                "class": class,
            }),
        )
    }

    /// Whether the server itself says that the tool changes nothing.
    #[must_use]
    pub fn hints_read_only(&self) -> bool {
        self.hint("readOnlyHint") == Some(true)
    }

    /// Whether the server itself says that the tool writes.
    #[must_use]
    pub fn hints_write(&self) -> bool {
        self.hint("readOnlyHint") == Some(false)
    }

    fn hint(&self, name: &str) -> Option<bool> {
        self.annotations.as_ref()?.get(name)?.as_bool()
    }
}

/// A call as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolCall {
    /// The tool's name.
    pub tool: String,
    /// Its arguments, complete but for secrets.
    pub arguments: Map<String, Value>,
    /// Members of `_meta`: request ID, trace and whatever else the profile puts there.
    pub meta: Map<String, Value>,
    /// Headers of the HTTP request, by name.
    pub headers: BTreeMap<String, String>,
    /// Secrets by their places in the arguments, put there on the wire and nowhere else.
    #[serde(skip)]
    pub secrets: BTreeMap<Pointer, SecretText>,
    /// The tenant that it is made for.
    #[serde(skip)]
    pub tenant: Option<String>,
    /// The places in the arguments whose values are new with every call.
    #[serde(skip)]
    pub varying: Vec<Pointer>,
}

impl ToolCall {
    /// The arguments less what is new with every call.
    #[must_use]
    pub fn lasting_arguments(&self) -> Map<String, Value> {
        let mut arguments = self.arguments.clone();
        for at in &self.varying {
            at.remove(&mut arguments);
        }
        arguments
    }
}

/// The content of a tool's result.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ToolAnswer {
    /// The structured content, where the tool gives one.
    pub structured: Option<Value>,
    /// The text blocks in order; hostile text.
    pub text: Vec<String>,
}

impl ToolAnswer {
    /// The structured content; where there is none, the only text if it is a JSON object
    /// that has no member twice.
    #[must_use]
    pub fn content(&self) -> Option<Cow<'_, Value>> {
        match (&self.structured, self.text.as_slice()) {
            (Some(structured), _) if !structured.is_null() => Some(Cow::Borrowed(structured)),
            (_, [only]) => parse_unambiguous(only.as_bytes()).ok().filter(Value::is_object).map(Cow::Owned),
            _ => None,
        }
    }

    /// What a recipe sees of a tool that no profile maps: `{"structured": …, "text": …}`.
    #[must_use]
    pub fn plain(&self) -> Value {
        json!({"structured": self.structured, "text": self.text.join("\n")})
    }
}

/// What was seen of a call, before any judgement.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A result without `isError`.
    Answer(ToolAnswer),
    /// A result with `isError`.
    ToolError(ToolAnswer),
    /// A JSON-RPC error.
    RpcError {
        /// Its code.
        code: i64,
        /// Its message; hostile text.
        message: String,
    },
    /// An HTTP status other than success.
    HttpStatus {
        /// The status.
        status: u16,
        /// What came with it; hostile text.
        message: String,
        /// The code of the JSON-RPC error that came with it, if one did.
        code: Option<i64>,
        /// How long the server asks to wait before the next try.
        retry_after: Option<Duration>,
    },
    /// No byte of the request left this process.
    NeverSent(String),
    /// No byte of the request left this process: nobody gives a token for it.
    NoToken(String),
    /// The server wants something from the user first.
    NeedsInput(String),
    /// The server goes on with it, and can be asked how far it is.
    Task(TaskHandle),
    /// No usable reply.
    Silence(Silence),
    /// The server is a recording, and has no such call; the text says which is nearest.
    NotRecorded(String),
}

/// A call that goes on at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskHandle {
    /// The server's name for it; hostile text.
    pub id: String,
    /// How often it may be asked after.
    pub every: Duration,
}

/// Why there is no usable reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// The deadline passed.
    TimedOut,
    /// The connection ended; the text says how.
    Closed(String),
    /// Something came that is no reply; the text says what.
    Malformed(String),
    /// The reply is longer than the limit.
    TooLarge(String),
    /// A kind of result that says nothing of the effect, such as a task handle.
    UnknownResult(String),
    /// This process was told to stop.
    Cancelled,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer within the time limit"),
            Self::Closed(how) => write!(f, "the connection ended: {how}"),
            Self::Malformed(what) => write!(f, "the answer is not MCP: {what}"),
            Self::TooLarge(what) => write!(f, "the answer is too large: {what}"),
            Self::UnknownResult(what) => write!(f, "the answer is of a kind that says nothing: {what}"),
            Self::Cancelled => f.write_str("stopped while waiting for the answer"),
        }
    }
}

/// What a call came to. There is no fourth.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The server did it and said so.
    Applied(ToolAnswer),
    /// The server certainly did not do it.
    NotApplied(Refusal),
    /// Nobody can say yet.
    Unknown(Doubt),
}

/// A call that certainly had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Who refused, and in which sense.
    pub kind: RefusalKind,
    /// The server's words or ours; hostile text.
    pub message: String,
}

/// In which sense a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// No connection, so no request.
    NotConnected,
    /// The credential was not accepted.
    SignIn,
    /// The tenant was not accepted.
    Tenant,
    /// The record does not exist, or not for this caller.
    NothingVisible,
    /// Too many requests.
    RateLimited,
    /// The key was used for something else.
    Conflict,
    /// The same key is being worked on.
    InProgress,
    /// The server asks first for input that a pipeline cannot give.
    NeedsInput,
    /// Any other refusal.
    Refused,
    /// The server is a recording that does not have the call. No writing meets one.
    #[serde(skip)]
    NotRecorded,
}

/// A call whose effect nobody can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// What was seen instead of an answer.
    pub kind: DoubtKind,
    /// In words; hostile text.
    pub message: String,
}

/// What was seen instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtKind {
    /// No answer, or none that is MCP.
    NoAnswer,
    /// The server says that it failed, which does not say how far it came.
    ServerError,
    /// The server asks for input that a pipeline cannot give.
    NeedsInput,
    /// A kind of result that says nothing of the effect.
    UnknownResult,
    /// This process was told to stop.
    Cancelled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_two_readers_understand_differently_is_no_content() {
        let text = |text: &str| ToolAnswer { structured: None, text: vec![text.to_owned()] };
        assert_eq!(text(r#"{"dryRun":true}"#).content().as_deref(), Some(&json!({"dryRun": true})));
        assert_eq!(text(r#"{"dryRun":false,"dryRun":true}"#).content(), None);
        assert!(text(r#"{"unmapped":9223372036854775807}"#).content().is_some());
    }

    #[test]
    fn a_large_number_in_a_schema_counts_and_refuses_nothing() {
        let digest = |maximum: u64| {
            let input_schema = json!({"properties": {"n": {"maximum": maximum}}});
            let (output_schema, annotations) = (None, None);
            ToolDefinition { name: "t".into(), description: None, input_schema, output_schema, annotations }
                .digest(Class::Write)
        };
        assert_ne!(digest(9_223_372_036_854_775_807), digest(9_223_372_036_854_775_806));
    }
}
