//! Results and events for eyes and machines: one result model, a renderer a file.
//!
//! Whatever comes from servers, evidence and recipes is escaped here, on its way out: as visible text
//! for terminals, as code or escaped words for Markdown, as JSON escapes for machines. Nothing here
//! decides anything, and whatever is about the sandbox says so.

pub mod agent;
mod apply_line;
mod apply_text;
mod apply_words;
mod approval_text;
mod approval_words;
mod artifact_markdown;
mod artifact_text;
mod artifact_words;
mod audit_verified_text;
mod difference_text;
mod doctor_text;
mod doctor_view;
mod event_file;
mod fan;
pub mod github;
mod html;
mod json;
mod junit;
mod layout;
mod ledger_log_text;
mod lock_text;
mod lock_view;
pub mod markdown;
mod next;
mod pace;
mod page;
mod problems_text;
mod profile_text;
mod profile_told;
mod progress;
mod recipe_markdown;
mod recipe_steps;
mod recipe_text;
mod reviewed;
mod run_text;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod sample_effect;
mod sarif;
mod shapes_text;
mod sheet;
mod sheet_markdown;
mod stand_in;
mod status;
mod status_text;
mod terminal;
mod test_text;
mod written;

pub use apply_line::apply_line;
pub use apply_text::{ApplyView, apply_text};
pub use approval_text::{ApprovalFacts, approval_text};
pub use artifact_markdown::artifact_markdown;
pub use artifact_text::artifact_text;
pub use audit_verified_text::audit_verified_text;
pub use difference_text::difference_text;
pub use doctor_text::doctor_text;
pub use doctor_view::DoctorView;
pub use event_file::{EventFile, EventFileError};
pub use fan::Fan;
pub use html::html;
pub use json::{
    LedgerLogJson, call_json, call_schema, difference_json, difference_schema, doctor_json, doctor_schema,
    event_json, event_schema, ledger_log_schema, lock_json, lock_schema, problems_json, problems_schema,
    profile_json, profile_schema, recipe_json, recipe_schema, run_json, run_schema, status_json,
    status_schema,
};
pub use junit::junit;
pub use ledger_log_text::{LedgerLogText, LogRow};
pub use lock_text::lock_text;
pub use lock_view::{LockDone, LockView};
pub use next::quoted;
pub use pace::Pace;
pub use problems_text::problems_text;
pub use profile_text::profile_text;
pub use progress::{Progress, Verbosity};
pub use recipe_markdown::recipe_markdown;
pub use recipe_text::recipe_text;
pub use run_text::{run_text, verdict_text};
pub use sarif::sarif;
pub use shapes_text::{shapes_json, shapes_schema, shapes_text};
pub use sheet::{ApplyOutputs, Sheet};
pub use sheet_markdown::{MOST_BYTES, sheet_markdown};
pub use status_text::{HolderView, StatusView, status_text};
pub use terminal::{Terminal, TerminalFacts};
pub use test_text::{TestedCase, test_json, test_schema, test_text};
pub use written::{RunOutputs, Written, WrittenKind};
