//! Results and events for eyes and machines: one result model, a renderer a file.
//!
//! Whatever comes from servers, evidence and recipes is escaped here, on its way out: as visible text
//! for terminals, as code or escaped words for Markdown, as JSON escapes for machines. Nothing here
//! decides anything, and whatever is about the sandbox says so.

mod artifact_markdown;
mod artifact_text;
mod artifact_words;
mod difference_text;
mod event_file;
mod fan;
mod json;
mod layout;
pub mod markdown;
mod next;
mod problems_text;
mod progress;
mod recipe_markdown;
mod recipe_steps;
mod recipe_text;
mod run_text;
#[cfg(test)]
mod sample;
mod status;
mod terminal;
mod written;

pub use artifact_markdown::artifact_markdown;
pub use artifact_text::artifact_text;
pub use difference_text::difference_text;
pub use event_file::{EventFile, EventFileError};
pub use fan::Fan;
pub use json::{
    difference_json, difference_schema, event_json, event_schema, problems_json, problems_schema,
    recipe_json, recipe_schema, run_json, run_schema,
};
pub use problems_text::problems_text;
pub use progress::{Progress, Verbosity};
pub use recipe_markdown::recipe_markdown;
pub use recipe_text::recipe_text;
pub use run_text::{run_text, verdict_text};
pub use terminal::{Terminal, TerminalFacts};
pub use written::{RunOutputs, Written, WrittenKind};
