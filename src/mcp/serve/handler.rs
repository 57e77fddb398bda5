//! An offer as rmcp asks for it.

use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, Implementation, ListPromptsResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ProgressToken, Prompt,
    PromptArgument, PromptMessage, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    Resource, ResourceContents, Role, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use super::offer::{Answer, Call, Offer, OfferedPrompt, OfferedResource, OfferedTool, Progress, Unread};
use crate::core::text::excerpt;

/// The most characters of a stranger's name in an error.
const SHOWN: usize = 80;

/// Serves an offer.
pub(super) struct Handler(pub Arc<dyn Offer>);

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("loopgate", env!("CARGO_PKG_VERSION")))
            .with_instructions(self.0.instructions())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.tools().iter().find(|tool| tool.name == name).cloned().map(tool)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        one_page(request.as_ref())?;
        Ok(ListToolsResult::with_all_items(self.0.tools().iter().cloned().map(tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.0.tools().iter().all(|tool| tool.name != request.name) {
            let message = format!("there is no tool `{}`", excerpt(&request.name, SHOWN));
            return Err(ErrorData::invalid_params(message, None));
        }
        let token = context.meta.get_progress_token();
        let (tell, mut told) = unbounded_channel();
        let call = Call {
            tool: request.name.into_owned(),
            arguments: request.arguments.unwrap_or_default(),
            progress: token.is_some().then_some(tell),
            gone: Box::pin(context.ct.cancelled_owned()),
        };
        let mut answer = self.0.call(call);
        let answer = loop {
            tokio::select! {
                biased;
                Some(progress) = told.recv() => tell_of(&context.peer, token.as_ref(), progress).await,
                answer = &mut answer => break answer,
            }
        };
        // What comes after the answer belongs to nothing.
        while let Ok(progress) = told.try_recv() {
            tell_of(&context.peer, token.as_ref(), progress).await;
        }
        Ok(result(answer).into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        one_page(request.as_ref())?;
        Ok(ListResourcesResult::with_all_items(self.0.resources().into_iter().map(resource).collect()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        match self.0.read(&request.uri) {
            Ok(found) => {
                let contents =
                    ResourceContents::text(found.text, request.uri).with_mime_type(found.media_type);
                Ok(ReadResourceResult::new(vec![contents]).into())
            }
            Err(Unread::Unknown) => {
                let message = format!("there is no resource `{}`", excerpt(&request.uri, SHOWN));
                Err(ErrorData::resource_not_found(message, Some(json!({ "uri": request.uri }))))
            }
            Err(Unread::Refused(why)) => Err(ErrorData::internal_error(why, None)),
        }
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        one_page(request.as_ref())?;
        Ok(ListPromptsResult::with_all_items(self.0.prompts().into_iter().map(prompt).collect()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let found = self.0.prompts().into_iter().find(|prompt| prompt.name == request.name);
        let Some(OfferedPrompt { name, description, arguments: _ }) = found else {
            let message = format!("there is no prompt `{}`", excerpt(&request.name, SHOWN));
            return Err(ErrorData::invalid_params(message, None));
        };
        let text = self.0.prompt(name, &request.arguments.unwrap_or_default());
        let text = text.map_err(|why| ErrorData::invalid_params(why, None))?;
        let message = PromptMessage::new_text(Role::User, text);
        Ok(GetPromptResult::new(vec![message]).with_description(description).into())
    }
}

/// Every list has one page.
fn one_page(request: Option<&PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.is_some_and(|request| request.cursor.is_some()) {
        true => Err(ErrorData::invalid_params("the list has one page, so no cursor is valid", None)),
        false => Ok(()),
    }
}

async fn tell_of(peer: &Peer<RoleServer>, token: Option<&ProgressToken>, progress: Progress) {
    let Some(token) = token else { return };
    let Progress { done, of, says } = progress;
    let told = ProgressNotificationParam::new(token.clone(), f64::from(done))
        .with_total(f64::from(of))
        .with_message(says);
    // A client that is gone is found out by who reads from it.
    let _ = peer.notify_progress(told).await;
}

fn tool(OfferedTool { name, title, description, input, output, reads_only }: OfferedTool) -> Tool {
    // The servers that a tool asks belong to others; a plan that is left twice is two files.
    let hints = ToolAnnotations::new()
        .read_only(reads_only)
        .destructive(false)
        .idempotent(reads_only)
        .open_world(true);
    Tool::new(name, description, input)
        .with_title(title)
        .with_raw_output_schema(output.into())
        .with_annotations(hints)
}

fn result(Answer { is_error, texts, links, structured }: Answer) -> CallToolResult {
    let mut content: Vec<ContentBlock> = texts.into_iter().map(ContentBlock::text).collect();
    content.extend(links.into_iter().map(|link| ContentBlock::ResourceLink(resource(link))));
    let mut result = match is_error {
        true => CallToolResult::error(content),
        false => CallToolResult::success(content),
    };
    result.structured_content = structured;
    result
}

fn resource(OfferedResource { uri, name, description, media_type, bytes }: OfferedResource) -> Resource {
    let resource = Resource::new(uri, name).with_description(description).with_mime_type(media_type);
    match bytes {
        Some(bytes) => resource.with_size(bytes),
        None => resource,
    }
}

fn prompt(OfferedPrompt { name, description, arguments }: OfferedPrompt) -> Prompt {
    let arguments = arguments
        .into_iter()
        .map(|(name, means)| PromptArgument::new(name).with_description(means).with_required(false));
    Prompt::new(name, Some(description), Some(arguments.collect()))
}
