//! What was seen, from the program's words to the format's and back.

use std::error::Error;
use std::time::Duration;

use super::v1::{Call, Connection, Content, Failed, Failure, List, Seen, Tool};
use crate::core::call::{self, Silence, ToolAnswer, ToolDefinition};
use crate::mcp::error::{ConnectError, ListError};
use crate::mcp::http::NoToken;
use crate::mcp::session::ServerFacts;

impl Seen {
    /// What is kept; nothing of a call that goes on as a task, or that was not made.
    pub(super) fn of(seen: &call::Seen) -> Option<Self> {
        Some(match seen.clone() {
            call::Seen::Answer(answer) => Self::Answer(answer.into()),
            call::Seen::ToolError(answer) => Self::ToolError(answer.into()),
            call::Seen::RpcError { code, message } => Self::RpcError { code, message },
            call::Seen::HttpStatus { status, message, code, retry_after } => Self::HttpStatus {
                status,
                message,
                code,
                retry_after_ms: retry_after
                    .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::from(u32::MAX))),
            },
            call::Seen::NeverSent(why) => Self::NeverSent(why),
            call::Seen::NoToken(why) => Self::NoToken(why),
            call::Seen::NeedsInput(what) => Self::NeedsInput(what),
            call::Seen::Silence(silence) => match silence {
                Silence::TimedOut => Self::TimedOut,
                Silence::Closed(how) => Self::Closed(how),
                Silence::Malformed(what) => Self::Malformed(what),
                Silence::TooLarge(what) => Self::TooLarge(what),
                Silence::UnknownResult(what) => Self::UnknownResult(what),
                Silence::Cancelled => Self::Cancelled,
            },
            call::Seen::Task(_) | call::Seen::NotRecorded(_) => return None,
        })
    }
}

impl From<Seen> for call::Seen {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Answer(content) => Self::Answer(content.into()),
            Seen::ToolError(content) => Self::ToolError(content.into()),
            Seen::RpcError { code, message } => Self::RpcError { code, message },
            Seen::HttpStatus { status, message, code, retry_after_ms } => Self::HttpStatus {
                status,
                message,
                code,
                retry_after: retry_after_ms.map(Duration::from_millis),
            },
            Seen::NeverSent(why) => Self::NeverSent(why),
            Seen::NoToken(why) => Self::NoToken(why),
            Seen::NeedsInput(what) => Self::NeedsInput(what),
            Seen::TimedOut => Self::Silence(Silence::TimedOut),
            Seen::Closed(how) => Self::Silence(Silence::Closed(how)),
            Seen::Malformed(what) => Self::Silence(Silence::Malformed(what)),
            Seen::TooLarge(what) => Self::Silence(Silence::TooLarge(what)),
            Seen::UnknownResult(what) => Self::Silence(Silence::UnknownResult(what)),
            Seen::Cancelled => Self::Silence(Silence::Cancelled),
        }
    }
}

impl From<ToolAnswer> for Content {
    fn from(ToolAnswer { structured, text }: ToolAnswer) -> Self {
        Self { structured, text }
    }
}

impl From<Content> for ToolAnswer {
    fn from(Content { structured, text }: Content) -> Self {
        Self { structured, text }
    }
}

impl Connection {
    pub(super) fn of(connected: Result<&ServerFacts, &ConnectError>) -> Self {
        match connected {
            Ok(ServerFacts { name, version, revision }) => {
                Self::Made { name: name.clone(), version: version.clone(), revision: revision.clone() }
            }
            Err(error) => {
                let failure = match error {
                    ConnectError::SignIn { .. }
                    | ConnectError::NoToken(NoToken::Refused(_) | NoToken::Expired(_)) => Failure::SignIn,
                    _ => Failure::Unreachable,
                };
                Self::Failed(Failed { failure, says: with_causes(error) })
            }
        }
    }
}

impl List {
    pub(super) fn of(listed: &Result<Vec<ToolDefinition>, ListError>) -> Self {
        match listed {
            Ok(tools) => Self::Tools(tools.iter().map(|tool| (tool.name.clone(), tool.into())).collect()),
            Err(error) => {
                let failure = match error {
                    ListError::SignIn { .. } | ListError::NoToken(_) => Failure::SignIn,
                    ListError::NeedsInput(_) => Failure::NeedsInput,
                    _ => Failure::Unreachable,
                };
                Self::Failed(Failed { failure, says: with_causes(error) })
            }
        }
    }
}

impl From<&ToolDefinition> for Tool {
    fn from(tool: &ToolDefinition) -> Self {
        let ToolDefinition { name: _, description, input_schema, output_schema, annotations } = tool.clone();
        Self { description, input_schema, output_schema, annotations }
    }
}

impl Tool {
    /// The tool of that name.
    pub(super) fn called(&self, name: &str) -> ToolDefinition {
        let Self { description, input_schema, output_schema, annotations } = self.clone();
        ToolDefinition { name: name.to_owned(), description, input_schema, output_schema, annotations }
    }
}

impl Call {
    /// How large what was seen is, in bytes.
    pub(super) fn size(&self) -> usize {
        serde_json::to_string(&self.seen).map_or(0, |text| text.len())
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push_str(&format!(": {error}"));
        cause = error.source();
    }
    said
}
