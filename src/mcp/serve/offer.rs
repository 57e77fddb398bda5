//! What a server of this program offers, in words that know no protocol library.

use std::pin::Pin;

use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedSender;

/// Something that comes later, on any thread.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is served. Called from several requests at once.
pub trait Offer: Send + Sync + 'static {
    /// What a client is told of the server as a whole.
    fn instructions(&self) -> String;

    /// Every tool, always the same ones.
    fn tools(&self) -> &[OfferedTool];

    /// Calls one of the tools.
    fn call(&self, call: Call) -> Later<Answer>;

    /// Every resource that there is by now.
    fn resources(&self) -> Vec<OfferedResource>;

    /// The text of a resource.
    ///
    /// # Errors
    /// There is none of that URI, or it cannot be given, in words.
    fn read(&self, uri: &str) -> Result<ResourceText, Unread>;

    /// Every prompt, always the same ones.
    fn prompts(&self) -> Vec<OfferedPrompt>;

    /// The text of the prompt of that name, which is one of them.
    ///
    /// # Errors
    /// The arguments do not do, in words.
    fn prompt(&self, name: &str, arguments: &Map<String, Value>) -> Result<String, String>;
}

/// A tool.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedTool {
    /// Its name.
    pub name: String,
    /// What it does, in one line.
    pub title: String,
    /// What a caller must know.
    pub description: String,
    /// The JSON Schema of its arguments.
    pub input: Map<String, Value>,
    /// The JSON Schema of its structured results.
    pub output: Map<String, Value>,
    /// Whether nothing that it calls could write.
    pub reads_only: bool,
}

/// A call of a tool.
pub struct Call {
    /// The tool's name.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// Where to tell how far it is, where the client wants to know.
    pub progress: Option<UnboundedSender<Progress>>,
    /// Comes when nobody waits for the answer any more.
    pub gone: Later<()>,
}

/// How far a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Steps that are over.
    pub done: u32,
    /// Steps in all.
    pub of: u32,
    /// What happened, in the program's own words.
    pub says: String,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Whether the call came to no result that its caller can go by.
    pub is_error: bool,
    /// Blocks of text, in order.
    pub texts: Vec<String>,
    /// Files that it left.
    pub links: Vec<OfferedResource>,
    /// The same as one value that fits the tool's schema.
    pub structured: Option<Value>,
}

impl Answer {
    /// A call that came to nothing. Why.
    #[must_use]
    pub fn error(why: impl Into<String>) -> Self {
        Self { is_error: true, texts: vec![why.into()], links: Vec::new(), structured: None }
    }
}

/// Something that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedResource {
    /// By which it is read.
    pub uri: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its media type.
    pub media_type: &'static str,
    /// In bytes, where that is known.
    pub bytes: Option<u64>,
}

/// The text of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceText {
    /// All of it.
    pub text: String,
    /// Its media type.
    pub media_type: &'static str,
}

/// Why a resource is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// There is none of that URI.
    Unknown,
    /// It is there, and cannot be given. Why.
    Refused(String),
}

/// A prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedPrompt {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Its arguments, all optional: name, and what it means.
    pub arguments: Vec<(&'static str, &'static str)>,
}
