//! The list of tools, page by page: rmcp's own loop follows a repeated cursor for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rmcp::model::{ClientRequest, ListToolsRequest, PaginatedRequestParams, ServerResult, Tool};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::error::{ListError, is_passing};
use super::live::{Live, NoResult};
use super::patience::pause;
use super::reply::shape;
use crate::core::call::{Silence, ToolDefinition};
use crate::core::text::{cut, visible};

impl Live {
    /// See [`super::Session::tools`].
    pub(super) async fn tools(&self) -> Result<Vec<ToolDefinition>, ListError> {
        let before = self.asked_so_far();
        self.listed().await.map_err(|error| match self.asked_since(before) {
            Some(asked) => ListError::NeedsInput(format!("{asked}; {error}")),
            None => error,
        })
    }

    async fn listed(&self) -> Result<Vec<ToolDefinition>, ListError> {
        let limits = self.limits();
        let until = Instant::now() + limits.list;
        let mut tools = BTreeMap::new();
        let mut cursors = BTreeSet::new();
        let mut cursor = None;
        for _ in 0..limits.pages {
            let page = PaginatedRequestParams::default().with_cursor(cursor);
            let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(page));
            let result = match self.asked_again(request, until).await {
                Ok(ServerResult::ListToolsResult(result)) => result,
                Ok(other) => {
                    let what = format!("no list of tools: {}", cut(&visible(&shape(&other)), 200));
                    return Err(ListError::NoAnswer(Silence::Malformed(what)));
                }
                Err(failure) => return Err(failure.into()),
            };
            for tool in result.tools {
                let tool = definition(tool);
                if let Some(twice) = tools.insert(tool.name.clone(), tool) {
                    return Err(ListError::DuplicateTool { name: twice.name });
                }
                if tools.len() > limits.tools {
                    return Err(ListError::TooManyTools { limit: limits.tools });
                }
            }
            let Some(next) = result.next_cursor else { return Ok(tools.into_values().collect()) };
            if !cursors.insert(next.clone()) {
                return Err(ListError::RepeatedCursor { cursor: next });
            }
            cursor = Some(next);
        }
        Err(ListError::TooManyPages { limit: limits.pages })
    }
}

impl Live {
    /// A request that changes nothing: what may pass is waited for.
    async fn asked_again(&self, request: ClientRequest, until: Instant) -> Result<ServerResult, NoResult> {
        let mut attempt = 1;
        loop {
            let left = || until.saturating_duration_since(Instant::now());
            let failure = match self.request(request.clone(), &Map::new(), left()).await {
                Ok(result) => return Ok(result),
                Err(failure) => failure,
            };
            let asked = match &failure {
                NoResult::Status { status, retry_after, .. } if is_passing(*status) => *retry_after,
                NoResult::Silence(Silence::Closed(_)) | NoResult::NeverSent(_) if !self.is_over() => None,
                _ => return Err(failure),
            };
            let Some(wait) = pause(attempt, asked, left()) else { return Err(failure) };
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }
}

/// A tool in our words.
pub(super) fn definition(tool: Tool) -> ToolDefinition {
    ToolDefinition {
        name: tool.name.into_owned(),
        description: tool.description.map(|text| text.into_owned()),
        input_schema: Value::Object(Arc::unwrap_or_clone(tool.input_schema)),
        output_schema: tool.output_schema.map(|schema| Value::Object(Arc::unwrap_or_clone(schema))),
        annotations: tool.annotations.and_then(|hints| serde_json::to_value(hints).ok()),
    }
}

impl From<NoResult> for ListError {
    fn from(failure: NoResult) -> Self {
        match failure {
            NoResult::NeverSent(why) => Self::NotConnected(why),
            NoResult::NoToken(why) => Self::NoToken(why),
            NoResult::Refused { code, message } => Self::Refused { code, message },
            NoResult::Status { status: status @ (401 | 403), message, .. } => {
                Self::SignIn { status, message }
            }
            NoResult::Status { status, message, .. } => Self::Status { status, message },
            NoResult::Silence(silence) => Self::NoAnswer(silence),
        }
    }
}
