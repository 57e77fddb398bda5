//! The MCP server: it lists the tools, calls them, and turns refusals into tool errors.

use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value};

use super::Sandbox;
use super::caller::Caller;
use super::refusal::Failure;
use super::tools::{self, Call, Entry};
use crate::core::text::visible;

const INSTRUCTIONS: &str = "This is loopgate's sandbox. It plays the part of LoopIQ with made-up records, and nothing in it is the live service. Name the tenant (`acme` or `globex`) in the `_meta` of every call under `loopiq/tenant`.";

impl ServerHandler for Sandbox {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(
                Implementation::new("loopgate-sandbox", env!("CARGO_PKG_VERSION"))
                    .with_title("LoopIQ stand-in"),
            )
            .with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::find(name).map(|entry| entry.tool.clone())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params("the list has one page, so no cursor is valid", None));
        }
        let tools = tools::all().iter().map(|entry| entry.tool.clone()).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(entry) = tools::find(&request.name) else {
            let message = format!("there is no tool `{}`", visible(&request.name));
            return Err(ErrorData::invalid_params(message, None));
        };
        let sandbox = self.clone();
        let meta = Map::clone(&context.meta);
        // SQLite blocks, for as long as another process writes.
        let answer = tokio::task::spawn_blocking(move || sandbox.answer(entry, &meta, request.arguments));
        match answer.await {
            Ok(Ok(content)) => Ok(CallToolResult::structured(content).into()),
            Ok(Err(Failure::Refused(refusal))) => {
                Ok(CallToolResult::structured_error(refusal.content()).into())
            }
            Ok(Err(Failure::Internal(message))) => Err(ErrorData::internal_error(message, None)),
            Err(error) => Err(ErrorData::internal_error(error.to_string(), None)),
        }
    }
}

impl Sandbox {
    fn answer(
        &self,
        entry: &Entry,
        meta: &Map<String, Value>,
        arguments: Option<Map<String, Value>>,
    ) -> Result<Value, Failure> {
        let mut connection = self.connection();
        let caller = Caller::identify(&connection, meta)?;
        let mut call = Call { connection: &mut connection, caller: &caller, now: (self.clock)() };
        entry.call(&mut call, Value::Object(arguments.unwrap_or_default()))
    }
}
